//! A comparison as a person reads it: in the terminal a column for each run, in a page a row.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::{Comparison, Run};
use crate::verdict::{percent, seconds, thousands};

/// A measure: its label, and its cell of a run.
type Measure = (&'static str, fn(&Run) -> String);

/// What is compared, one measure a line.
const MEASURES: [Measure; 11] = [
    ("availability", |run| percent(run.figures.availability)),
    ("minutes short of tasks", |run| minutes(run.figures.time_short)),
    ("task-minutes missing", |run| minutes(run.figures.task_time_missing)),
    ("On-Demand task-hours", |run| format!("{:.2}", run.figures.on_demand_task_hours)),
    ("Spot task-hours", |run| format!("{:.2}", run.figures.spot_task_hours)),
    ("cost", |run| format!("${:.3}", run.figures.cost)),
    ("deployments forced", |run| thousands(run.figures.deployments_forced.total as usize)),
    ("slowest failover", |run| run.slowest_failover.map_or_else(none, seconds)),
    ("slowest way back", |run| run.slowest_way_back.map_or_else(none, seconds)),
    ("left on another strategy", |run| thousands(run.left_behind)),
    ("invariants violated", |run| thousands(run.violations.len())),
];

fn none() -> String {
    "-".into()
}

fn minutes(time: std::time::Duration) -> String {
    format!("{:.1}", time.as_secs_f64() / 60.0)
}

impl Comparison {
    /// The measures with the cell of each run, in the order of [`Comparison::runs`].
    pub fn measures(&self) -> Vec<(&'static str, Vec<String>)> {
        MEASURES.iter().map(|(label, cell)| (*label, self.runs.iter().map(cell).collect())).collect()
    }

    /// The comparison as text with ANSI colours; print it through `anstream`, which drops them where nobody sees them.
    pub fn text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out).expect("writing to a string does not fail");
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let (bold, dim) = (Style::new().bold(), Style::new().dimmed());
        writeln!(out, "{bold}{}{bold:#}", self.title)?;
        writeln!(out, "the same {} of virtual time with each, seed {}\n", seconds(self.duration), self.seed)?;
        let label = MEASURES.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
        let heads: String = self.runs.iter().map(|run| format!("  {:>16}", run.automation.name())).collect();
        writeln!(out, "{dim}{:label$}{heads}{dim:#}", "")?;
        for (name, cells) in self.measures() {
            let cells: String = cells.iter().map(|cell| format!("  {cell:>16}")).collect();
            writeln!(out, "{name:label$}{cells}")?;
        }
        let bad = AnsiColor::Red.on_default().bold();
        for run in self.runs.iter().filter(|run| !run.violations.is_empty()) {
            writeln!(out, "\n{bad}violated by {}{bad:#}", run.automation.name())?;
            for (count, first) in kinds(&run.violations) {
                let times = if count == 1 { "once".to_owned() } else { format!("{} times", thousands(count)) };
                writeln!(out, "{times:>12}  {first}")?;
            }
        }
        let (style, word) = match self.holds {
            true => (AnsiColor::Green.on_default(), "holds"),
            false => (bad, "does not hold"),
        };
        writeln!(out, "\n{style}with Spot Recovery the scenario {word}{style:#}")
    }
}

/// How many violations of each kind there are, and the first of them. Of one kind are those that begin alike once the figures and
/// the ids are taken out.
fn kinds(violations: &[String]) -> Vec<(usize, &String)> {
    let mut kinds: Vec<(Vec<&str>, usize, &String)> = Vec::new();
    for violation in violations {
        let words = violation.split_once(": ").map_or(violation.as_str(), |(_, words)| words);
        let words = words.split(' ').filter(|word| !word.contains(|c: char| c.is_ascii_digit()));
        let kind: Vec<&str> = words.take(3).collect();
        match kinds.iter_mut().find(|(known, ..)| *known == kind) {
            Some((_, count, _)) => *count += 1,
            None => kinds.push((kind, 1, violation)),
        }
    }
    kinds.into_iter().map(|(_, count, first)| (count, first)).collect()
}

/// Measures that a page has room for, by their labels.
const ON_A_PAGE: [&str; 8] = [
    "availability",
    "minutes short of tasks",
    "On-Demand task-hours",
    "cost",
    "deployments forced",
    "slowest failover",
    "slowest way back",
    "invariants violated",
];

/// A table in Markdown of several comparisons, each with the name of its scenario.
pub fn markdown(comparisons: &[(&str, Comparison)]) -> String {
    let measures: Vec<_> = MEASURES.iter().filter(|(label, _)| ON_A_PAGE.contains(label)).collect();
    let mut table = "| scenario | with |".to_owned();
    table.extend(measures.iter().map(|(label, _)| format!(" {label} |")));
    table += "\n| --- | --- |";
    table += &" ---: |".repeat(measures.len());
    table += "\n";
    for (name, comparison) in comparisons {
        for (n, run) in comparison.runs.iter().enumerate() {
            let name = if n == 0 { format!("`{name}`") } else { String::new() };
            table += &format!("| {name} | {} |", run.automation.name());
            table.extend(measures.iter().map(|(_, cell)| format!(" {} |", cell(run))));
            table += "\n";
        }
    }
    table
}
