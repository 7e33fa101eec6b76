//! The timeline: the trace with the noise taken out, to be read as prose and reviewed as a snapshot.

use std::fmt;
use std::time::Duration;

use handlers::record::Phase;
use handlers::service::ServiceId;
use serde::Serialize;
use simulator::trace::{Clock, Entry, Happening};

/// Tasks taken within this time of each other are one line, and so are events that end in one DLQ for one reason.
const TOGETHER: Duration = Duration::from_secs(30);

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// Milliseconds since the start.
    pub at_ms: u64,
    /// `ACCOUNT/CLUSTER/SERVICE`; absent for what concerns the world.
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

/// Spot tasks of one service that go at about the same time.
struct Taken<'a> {
    service: &'a ServiceId,
    warned: bool,
    last: Duration,
    count: u32,
    line: usize,
}

/// Events that end in the DLQ of a rule for the same reason at about the same time.
struct Dead<'a> {
    event: &'a Happening,
    last: Duration,
    count: u32,
    line: usize,
}

impl Timeline {
    /// The timeline of a trace.
    pub fn of(trace: &[Entry]) -> Self {
        let mut lines: Vec<Line> = Vec::new();
        let mut taken: Vec<Taken> = Vec::new();
        let mut dead: Vec<Dead> = Vec::new();
        for entry in trace {
            let warned = matches!(entry.what, Happening::Interrupted { .. });
            if let (true, Some(service)) = (warned || matches!(entry.what, Happening::Vanished { .. }), &entry.service)
            {
                taken.retain(|t| entry.at.saturating_sub(t.last) <= TOGETHER);
                match taken.iter_mut().find(|t| t.service == service && t.warned == warned) {
                    Some(group) => {
                        group.count += 1;
                        group.last = entry.at;
                        lines[group.line].what = taken_together(group);
                    }
                    None => {
                        let group = Taken { service, warned, last: entry.at, count: 1, line: lines.len() };
                        lines.push(line(entry, taken_together(&group)));
                        taken.push(group);
                    }
                }
            } else if matches!(entry.what, Happening::EventDead { .. }) {
                dead.retain(|d| entry.at.saturating_sub(d.last) <= TOGETHER);
                match dead.iter_mut().find(|d| *d.event == entry.what) {
                    Some(group) => {
                        group.count += 1;
                        group.last = entry.at;
                        lines[group.line].what = format!("{} times: {}", group.count, entry.what);
                    }
                    None => {
                        dead.push(Dead { event: &entry.what, last: entry.at, count: 1, line: lines.len() });
                        lines.push(line(entry, entry.what.to_string()));
                    }
                }
            } else if !entry.what.is_detail() {
                lines.push(line(entry, entry.what.to_string()));
            }
        }
        Self(lines)
    }
}

fn taken_together(group: &Taken) -> String {
    let tasks = if group.count == 1 { "task" } else { "tasks" };
    let verb = match (group.warned, group.count) {
        (true, 1) => "gets the two-minute warning",
        (true, _) => "get the two-minute warning",
        (false, 1) => "vanishes",
        (false, _) => "vanish",
    };
    format!("{} Spot {tasks} {verb}", group.count)
}

fn line(entry: &Entry, what: String) -> Line {
    let (from, to, what, transition) = match &entry.what {
        Happening::Phase { from, to, reason } => (*from, *to, reason.clone(), true),
        _ => (None, None, what, false),
    };
    let service = entry.service.as_ref().map(ServiceId::to_string);
    Line { at_ms: entry.at.as_millis() as u64, service, what, from, to, transition }
}

impl Line {
    /// When, as `0:10:02.133`.
    pub fn clock(&self) -> Clock {
        Clock(Duration::from_millis(self.at_ms))
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
        for line in &self.0 {
            write!(f, "{:>11}  {:width$}  ", line.clock(), who(line))?;
            match line.phases() {
                Some(phases) => writeln!(f, "{:<26}  {}", phases, line.what)?,
                None => writeln!(f, "{}", line.what)?,
            }
        }
        Ok(())
    }
}
