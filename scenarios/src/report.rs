//! What a person or a program gets of a run: timeline, summary per service, verdicts.

use std::fmt::Write as _;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use handlers::record::Phase;
use serde::Serialize;
use simulator::ServiceOutcome;
use simulator::ledger::Episode;

use crate::play::Play;
use crate::timeline::{Line, Timeline};
use crate::verdict::{Verdict, percent, seconds};

/// A run as JSON.
#[derive(Debug, Serialize)]
pub struct Report {
    title: String,
    seed: u64,
    duration_ms: u64,
    holds: bool,
    timeline: Timeline,
    services: Vec<Summary>,
    expectations: Vec<Verdict>,
    violations: Vec<String>,
    messages_left: usize,
    messages_dead: usize,
    /// Events in the DLQs of rules.
    events_dead: usize,
}

/// One service's row.
#[derive(Debug, Serialize)]
struct Summary {
    service: String,
    original_strategy: String,
    failovers: usize,
    #[serde(serialize_with = "optional_millis")]
    time_to_failover_ms: Option<Duration>,
    #[serde(serialize_with = "optional_millis")]
    time_to_restore_ms: Option<Duration>,
    failed_restores: u32,
    /// Whether an owner ended the last outage's handling.
    taken_away: bool,
    availability: f64,
    on_demand_task_hours: f64,
    spot_task_hours: f64,
    deployments_forced: u32,
    phase: Option<Phase>,
}

fn optional_millis<S: serde::Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|t| t.as_millis() as u64).serialize(serializer)
}

impl Summary {
    fn of(service: &ServiceOutcome) -> Self {
        let ledger = &service.ledger;
        let slowest = |time: fn(&Episode) -> Option<Duration>| ledger.episodes.iter().filter_map(time).max();
        Self {
            service: service.id.to_string(),
            original_strategy: service.original.to_string(),
            failovers: ledger.episodes.len(),
            time_to_failover_ms: slowest(Episode::time_to_failover),
            time_to_restore_ms: slowest(Episode::time_to_restore),
            failed_restores: ledger.episodes.iter().map(|e| e.failed_restores).sum(),
            taken_away: ledger.episodes.last().is_some_and(|e| e.taken_away),
            availability: ledger.availability(),
            on_demand_task_hours: ledger.on_demand_hours(),
            spot_task_hours: ledger.spot_hours(),
            deployments_forced: ledger.forced,
            phase: service.record.as_ref().map(|r| r.phase),
        }
    }
}

impl Report {
    /// The report of a run.
    pub fn of(play: &Play) -> Self {
        Self {
            title: play.scenario.title.clone(),
            seed: play.scenario.world.seed,
            duration_ms: play.scenario.duration.as_millis() as u64,
            holds: play.holds(),
            timeline: Timeline::of(&play.outcome.trace),
            services: play.outcome.services.iter().map(Summary::of).collect(),
            expectations: play.verdicts.clone(),
            violations: play.outcome.violations.clone(),
            messages_left: play.outcome.messages_left,
            messages_dead: play.outcome.messages_dead,
            events_dead: play.outcome.events_dead,
        }
    }

    /// The report as text with ANSI colours; print it through `anstream`, which drops them where nobody sees them.
    pub fn text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out).expect("writing to a string does not fail");
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let bold = Style::new().bold();
        writeln!(out, "{bold}{}{bold:#}", self.title)?;
        let duration = seconds(Duration::from_millis(self.duration_ms));
        let services = match self.services.len() {
            1 => "1 service".to_owned(),
            n => format!("{n} services"),
        };
        writeln!(out, "{services}, {duration} of virtual time, seed {}\n", self.seed)?;
        self.write_timeline(out)?;
        writeln!(out)?;
        self.write_summary(out)?;
        writeln!(out)?;
        self.write_verdicts(out)
    }

    fn write_timeline(&self, out: &mut String) -> std::fmt::Result {
        // Colour is laid over the finished text, so that the columns are those of the plain one.
        let text = self.timeline.to_string();
        for (line, text) in self.timeline.0.iter().zip(text.lines()) {
            let style = style_of(line);
            writeln!(out, "{style}{text}{style:#}")?;
        }
        Ok(())
    }

    fn write_summary(&self, out: &mut String) -> std::fmt::Result {
        let time = |t: Option<Duration>| t.map_or_else(|| "-".to_owned(), seconds);
        let restore = |s: &Summary| match (s.time_to_restore_ms, s.failovers) {
            (None, 1..) if !s.taken_away => "not yet".to_owned(),
            (t, _) => time(t),
        };
        type Cell<'a> = &'a dyn Fn(&Summary) -> String;
        let columns: [(&str, &str, Cell); 7] = [
            ("", "service", &|s| s.service.clone()),
            ("time to", "failover", &|s| time(s.time_to_failover_ms)),
            ("time to", "restore", &restore),
            ("failed", "restores", &|s| s.failed_restores.to_string()),
            ("", "availability", &|s| percent(s.availability)),
            ("On-Demand", "task-hours", &|s| format!("{:.2}", s.on_demand_task_hours)),
            ("deployments", "forced", &|s| s.deployments_forced.to_string()),
        ];
        let rows: Vec<Vec<String>> =
            self.services.iter().map(|s| columns.iter().map(|(_, _, cell)| cell(s)).collect()).collect();
        let width = |n: usize, (above, head, _): &(&str, &str, Cell)| {
            rows.iter().map(|row| row[n].len()).max().unwrap_or(0).max(above.len()).max(head.len())
        };
        let widths: Vec<usize> = columns.iter().enumerate().map(|(n, column)| width(n, column)).collect();
        let dim = Style::new().dimmed();
        let heads = |pick: fn(&(&str, &str, Cell)) -> String| columns.iter().map(pick).collect::<Vec<_>>();
        writeln!(out, "{dim}{}{dim:#}", row(&heads(|(above, _, _)| (*above).to_owned()), &widths))?;
        writeln!(out, "{dim}{}{dim:#}", row(&heads(|(_, head, _)| (*head).to_owned()), &widths))?;
        for cells in &rows {
            writeln!(out, "{}", row(cells, &widths))?;
        }
        Ok(())
    }

    fn write_verdicts(&self, out: &mut String) -> std::fmt::Result {
        let (good, bad) = (AnsiColor::Green.on_default(), AnsiColor::Red.on_default().bold());
        let service = self.expectations.iter().map(|v| v.service.len()).max().unwrap_or(0);
        let expected = self.expectations.iter().map(|v| v.expected.chars().count()).max().unwrap_or(0);
        for v in &self.expectations {
            let (style, word) = if v.holds { (good, "holds ") } else { (bad, "BROKEN") };
            writeln!(
                out,
                "{style}{word}{style:#}  {:service$}  {:expected$}  found: {}",
                v.service, v.expected, v.found
            )?;
        }
        for violation in &self.violations {
            writeln!(out, "{bad}VIOLATION{bad:#}  {violation}")?;
        }
        let broken = self.expectations.iter().filter(|v| !v.holds).count();
        let total = self.expectations.len();
        match (broken, self.violations.len()) {
            (0, 0) => writeln!(out, "\n{good}all {total} expectations hold{good:#}"),
            (broken, 0) => writeln!(out, "\n{bad}{broken} of {total} expectations are broken{bad:#}"),
            (broken, violations) => {
                writeln!(
                    out,
                    "\n{bad}{broken} of {total} expectations are broken, {violations} invariants violated{bad:#}"
                )
            }
        }
    }
}

fn row(cells: &[String], widths: &[usize]) -> String {
    let mut text = String::new();
    for (n, (cell, width)) in cells.iter().zip(widths).enumerate() {
        // Names to the left, figures to the right.
        let _ = if n == 0 { write!(text, "{cell:width$}") } else { write!(text, "  {cell:>width$}") };
    }
    text.truncate(text.trim_end().len());
    text
}

fn style_of(line: &Line) -> Style {
    match (line.transition, line.to) {
        (true, Some(Phase::FailingOver | Phase::OnDemand)) => AnsiColor::Yellow.on_default(),
        (true, Some(Phase::Restoring)) => AnsiColor::Cyan.on_default(),
        (true, Some(Phase::Watching)) => AnsiColor::Green.on_default(),
        (true, Some(Phase::Held)) => AnsiColor::Red.on_default(),
        _ if line.service.is_none() => Style::new().bold(),
        _ => Style::new(),
    }
}
