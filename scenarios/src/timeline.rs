//! The timeline: the trace with the noise taken out, to be read as prose and reviewed as a snapshot.

pub(crate) mod each;
pub(crate) mod fleet;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use handlers::record::Phase;
use handlers::service::ServiceId;
use serde::Serialize;
use simulator::trace::{Clock, Entry, Happening};

use crate::verdict::FEW;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// Milliseconds since the start.
    pub at_ms: u64,
    /// Milliseconds since the start of the last of several happenings that are one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// `ACCOUNT/CLUSTER/SERVICE`, or `7,412 services`; absent for what concerns the world.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// What happened.
    pub what: String,
    /// The phase before, where a record changed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Phase>,
    /// The phase after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Phase>,
    /// Whether a record changed its phase: a record may begin or end, and then one of the two is absent.
    #[serde(skip)]
    pub transition: bool,
}

/// A whole timeline.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Timeline(pub Vec<Line>);

impl Timeline {
    /// The timeline of a trace: of few services line by line, of more in lines that each speak of many.
    pub fn of(trace: &[Entry]) -> Self {
        if !are_few(trace) {
            return Self(fleet::lines(trace));
        }
        Self(each::lines(trace).into_iter().map(|(line, _)| line).collect())
    }
}

/// Whether a trace is about so few services that each can be told of.
fn are_few(trace: &[Entry]) -> bool {
    let mut seen = BTreeSet::new();
    // Ends early on a long trace: services appear in its first moments.
    trace.iter().filter_map(|entry| entry.service.as_ref()).all(|service| {
        seen.insert(service);
        seen.len() <= FEW
    })
}

fn line(entry: &Entry, what: String) -> Line {
    let (from, to, what, transition) = match &entry.what {
        Happening::Phase { from, to, reason } => (*from, *to, reason.to_string(), true),
        _ => (None, None, what, false),
    };
    let service = entry.service.as_deref().map(ServiceId::to_string);
    Line { at_ms: entry.at.as_millis() as u64, until_ms: None, service, what, from, to, transition }
}

impl Line {
    /// When, as `0:10:02.133`, or as `0:10:02–0:14:31` of several happenings.
    pub fn when(&self) -> String {
        let clock = |ms| Clock(Duration::from_millis(ms)).to_string();
        let seconds = |ms| clock(ms - ms % 1000).trim_end_matches(".000").to_owned();
        match self.until_ms {
            None => clock(self.at_ms),
            Some(until) if until / 1000 == self.at_ms / 1000 => seconds(until),
            Some(until) => format!("{}–{}", seconds(self.at_ms), seconds(until)),
        }
    }

    /// `Watching → FailingOver`, for a line that tells of a transition.
    pub fn phases(&self) -> Option<String> {
        let name = |phase: Option<Phase>| phase.map_or_else(|| "(none)".to_owned(), |p| p.to_string());
        self.transition.then(|| format!("{} → {}", name(self.from), name(self.to)))
    }
}

/// Aligned columns: when, who, what, phases.
impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = |line: &Line| line.service.clone().unwrap_or_else(|| "*".into());
        let width = self.0.iter().map(|l| who(l).chars().count()).max().unwrap_or(0);
        let times: Vec<String> = self.0.iter().map(Line::when).collect();
        let spans = self.0.iter().zip(&times).filter(|(line, _)| line.until_ms.is_some());
        let time = spans.map(|(_, time)| time.chars().count()).max().unwrap_or(0).max(11);
        for (line, when) in self.0.iter().zip(times) {
            write!(f, "{when:>time$}  {:width$}  ", who(line))?;
            match line.phases() {
                Some(phases) => writeln!(f, "{:<26}  {}", phases, line.what)?,
                None => writeln!(f, "{}", line.what)?,
            }
        }
        Ok(())
    }
}
