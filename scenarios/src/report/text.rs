//! The report as a person reads it.

use std::fmt::Write as _;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use handlers::record::Phase;
use simulator::figures::{Figures, Percentiles};

use super::{Report, Summary};
use crate::timeline::Line;
use crate::verdict::{percent, seconds};

/// Services that the table lists; of more it shows [`WORST`].
const LISTED: usize = 20;
const WORST: usize = 10;

impl Report {
    /// The report as text with ANSI colours; print it through `anstream`, which drops them where nobody sees them.
    pub fn text(&self) -> String {
        self.text_with("")
    }

    /// The same, with `pictures` between what happened and what became of it.
    pub fn text_with(&self, pictures: &str) -> String {
        let mut out = String::new();
        self.write(&mut out, pictures).expect("writing to a string does not fail");
        out
    }

    fn write(&self, out: &mut String, pictures: &str) -> std::fmt::Result {
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
        if !pictures.is_empty() {
            writeln!(out, "{pictures}")?;
        }
        self.write_outcome(out)
    }

    fn write_timeline(&self, out: &mut String) -> std::fmt::Result {
        self.timeline_lines().iter().try_for_each(|line| writeln!(out, "{line}"))
    }

    /// The timeline, line by line.
    pub fn timeline_lines(&self) -> Vec<String> {
        // Colour is laid over the finished text, so that the columns are those of the plain one.
        let text = self.timeline.to_string();
        let lines = self.timeline.0.iter().zip(text.lines());
        lines.map(|(line, text)| format!("{0}{text}{0:#}", style_of(line))).collect()
    }

    /// What became of the services and of what was expected: all that follows the timeline.
    pub fn outcome(&self) -> String {
        let mut out = String::new();
        self.write_outcome(&mut out).expect("writing to a string does not fail");
        out
    }

    fn write_outcome(&self, out: &mut String) -> std::fmt::Result {
        self.write_services(out)?;
        writeln!(out)?;
        self.write_figures(out)?;
        writeln!(out)?;
        self.write_verdicts(out)
    }

    fn write_services(&self, out: &mut String) -> std::fmt::Result {
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
        let listed = self.listed();
        let rows: Vec<Vec<String>> =
            listed.iter().map(|s| columns.iter().map(|(_, _, cell)| cell(s)).collect()).collect();
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
        if rows.len() < self.services.len() {
            let others = self.services.len() - WORST;
            writeln!(out, "{dim}the {WORST} least available; --json has the other {others} too{dim:#}")?;
        }
        Ok(())
    }

    /// All services in their order, or of many the worst.
    fn listed(&self) -> Vec<&Summary> {
        let mut services: Vec<&Summary> = self.services.iter().collect();
        if services.len() > LISTED {
            services.sort_by(|a, b| a.worst_first(b));
            services.truncate(WORST);
        }
        services
    }

    fn short(&self) -> String {
        let Figures { time_short, task_time_missing, .. } = &self.figures;
        let over = if self.services.len() == 1 { "" } else { " over all services" };
        let missing = task_time_missing.as_secs_f64() / 60.0;
        match time_short.is_zero() {
            true => "never".to_owned(),
            false => format!("{}{over}, {missing:.1} task-minutes missing", seconds(*time_short)),
        }
    }

    /// What can be read off a table of a few services needs no line of its own.
    fn write_figures(&self, out: &mut String) -> std::fmt::Result {
        let figures = &self.figures;
        let mut lines = Vec::new();
        let many = self.services.len() > LISTED;
        if many {
            lines.push(("availability", percent(figures.availability)));
        }
        lines.push(("short of tasks", self.short()));
        lines.push(("task-hours", task_hours(figures)));
        if many {
            lines.push(("deployments forced", deployments_forced(figures)));
            lines.extend(times(figures));
        }
        let width = lines.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
        let dim = Style::new().dimmed();
        lines.iter().try_for_each(|(label, text)| writeln!(out, "{dim}{label:width$}{dim:#}  {text}"))
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

fn task_hours(figures: &Figures) -> String {
    let (on_demand, spot) = (figures.on_demand_task_hours, figures.spot_task_hours);
    let (cost, alone) = (dollars(figures.cost), dollars(figures.cost_on_demand_alone));
    format!("{on_demand:.2} On-Demand, {spot:.2} Spot: {cost}; without Spot {alone} ({})", figures.prices.region)
}

/// As many digits as tell two runs of a small world apart.
fn dollars(amount: f64) -> String {
    if amount < 1.0 { format!("${amount:.3}") } else { format!("${amount:.2}") }
}

fn deployments_forced(figures: &Figures) -> String {
    let forced = &figures.deployments_forced;
    format!(
        "{}, {:.1} a service, at most {}, at most {} in a day",
        forced.total, forced.mean, forced.most, forced.most_in_a_day
    )
}

fn times(figures: &Figures) -> impl Iterator<Item = (&'static str, String)> {
    let text = |times: Percentiles| {
        let [p50, p99, max] = [times.p50, times.p99, times.max].map(seconds);
        format!("p50 {p50}, p99 {p99}, max {max}")
    };
    let of_episodes = |times: Percentiles| format!("{}; {} of {} episodes", text(times), times.count, figures.episodes);
    let lines = [
        ("time to failover", figures.time_to_failover.map(of_episodes)),
        (
            "  API floor",
            figures.time_to_failover_floor.map(|t| format!("{}: what UpdateService's rate allows", text(t))),
        ),
        ("time to restore", figures.time_to_restore.map(of_episodes)),
    ];
    lines.into_iter().filter_map(|(label, text)| Some((label, text?)))
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
