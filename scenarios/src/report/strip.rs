//! The pictures in a terminal: how many tasks of each service ran, in characters, and below it the phases of its record.

use std::fmt::Write as _;
use std::time::Duration;

use anstyle::{AnsiColor, Color, Style};
use handlers::record::Phase;
use simulator::ledger::Counts;
use simulator::trace::Clock;
use simulator::{Outcome, ServiceOutcome};

use super::Report;
use super::course::{self, Course, Kind};
use crate::play::Play;
use crate::verdict::percent;

/// Services that are drawn in their order; of more the [`WORST`] are.
const LISTED: usize = 12;
const WORST: usize = 5;
/// Narrower than this and a picture tells nothing.
const NARROWEST: usize = 24;
/// Wider than this and the eye loses the line.
const WIDEST: usize = 160;
/// Characters that an axis label and its gap take.
const LABEL: usize = 8;

const EIGHTHS: [char; 9] = ['_', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const SPOT: AnsiColor = AnsiColor::Blue;
const ON_DEMAND: AnsiColor = AnsiColor::Yellow;

/// The span of time that one character stands for, in milliseconds from the start.
#[derive(Clone, Copy)]
struct Cell {
    from: u64,
    to: u64,
}

/// The strips of `play` for a terminal of `width` characters, or nothing where they do not fit. Without `colour` the characters
/// alone tell Spot from On-Demand.
pub fn strips(play: &Play, report: &Report, width: usize, colour: bool) -> String {
    let services = picked(play, report);
    let name = services.iter().map(|s| s.id.to_string().len()).max().unwrap_or(0).max("Spot room".len());
    // Name, two blanks, picture, two blanks, availability.
    let plot = width.min(WIDEST).saturating_sub(name + 2 + 2 + 6);
    let duration = play.scenario.duration.as_millis() as u64;
    if plot < NARROWEST || services.iter().all(|s| s.ledger.series.is_empty()) {
        return String::new();
    }
    let at = |n: usize| duration * n as u64 / plot as u64;
    let cells: Vec<Cell> = (0..plot).map(|n| Cell { from: at(n), to: at(n + 1) }).collect();
    let pen = Pen { colour };
    let dim = pen.style(Style::new().dimmed());
    let mut out = format!("{dim}{:name$}  {}{dim:#}\n", "", axis(&cells));
    out += &rooms(&play.outcome, &services, &cells, name, &pen);
    for course in course::courses(&play.outcome, &services).0 {
        let ledger = &course.service.ledger;
        let tasks = pen.line(cells.iter().map(|cell| pen.tasks(&ledger.series, *cell)));
        let phases: Vec<Ink> = cells.iter().map(|cell| phase(&course, *cell)).collect();
        let (id, available) = (course.service.id.to_string(), percent(ledger.availability()));
        let _ = writeln!(out, "{id:name$}  {tasks}  {available:>6}");
        if phases.iter().any(|(_, character)| *character != ' ') {
            let _ = writeln!(out, "{:name$}  {}", "", pen.line(phases.into_iter()));
        }
    }
    out += &legend(&pen);
    out
}

/// All services in their order, or of many the least available.
fn picked<'p>(play: &'p Play, report: &Report) -> Vec<&'p ServiceOutcome> {
    let mut order: Vec<usize> = (0..report.services.len()).collect();
    if order.len() > LISTED {
        order.sort_by(|a, b| report.services[*a].worst_first(&report.services[*b]));
        order.truncate(WORST);
    }
    order.into_iter().map(|n| &play.outcome.services[n]).collect()
}

/// The times below which the characters stand.
fn axis(cells: &[Cell]) -> String {
    let per_cell = cells.first().map_or(1, |cell| cell.to - cell.from).max(1);
    let minute = 60_000;
    let steps = [1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1440].map(|minutes| minutes * minute);
    let step = steps.into_iter().find(|step| step / per_cell >= LABEL as u64).unwrap_or(7 * 1440 * minute);
    let mut line = String::new();
    for (n, cell) in cells.iter().enumerate() {
        let due = cell.from.div_ceil(step) * step;
        let text = Clock(Duration::from_millis(due)).to_string();
        // Hours and minutes; a label that would stick out is left out.
        let text = text.split_at(text.len() - ":00.000".len()).0;
        if due < cell.to && line.len() <= n && n + text.len() <= cells.len() {
            line = format!("{line:n$}{text}");
        }
    }
    line
}

/// What the Spot markets had; accounts whose markets went the same way are one line.
fn rooms(outcome: &Outcome, services: &[&ServiceOutcome], cells: &[Cell], name: usize, pen: &Pen) -> String {
    let mut lines: Vec<String> = Vec::new();
    for markets in course::markets(outcome, services).values() {
        let room = |cell: &Cell| {
            let least = during(&markets.spot, *cell, |(at, _)| *at).filter_map(|(_, tasks)| *tasks).min();
            match least {
                None => (Style::new(), '─'),
                Some(0) => (AnsiColor::Red.on_default(), 'x'),
                Some(_) => (Style::new(), '╌'),
            }
        };
        let line = format!("{:name$}  {}\n", "Spot room", pen.line(cells.iter().map(room)));
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    // Markets that differ have no place to say whose they are; the timeline does.
    if lines.len() == 1 { lines.concat() } else { String::new() }
}

/// What `list` says of `cell`: what it began with, and every change within.
fn during<T>(list: &[T], cell: Cell, at: impl Fn(&T) -> u64) -> impl Iterator<Item = &T> {
    let first = list.partition_point(|item| at(item) <= cell.from).saturating_sub(1);
    let last = list.partition_point(|item| at(item) < cell.to);
    list[first.min(last)..last].iter()
}

fn legend(pen: &Pen) -> String {
    let dim = pen.style(Style::new().dimmed());
    let spot = pen.paint(SPOT.on_default(), '█');
    let on_demand = match pen.colour {
        true => format!("{} On-Demand", pen.paint(ON_DEMAND.on_default(), '█')),
        false => "░ On-Demand, ▓▒ both".to_owned(),
    };
    format!(
        "{spot} Spot, {on_demand}, {dim}▁▄▇ short, _ none running; a character shows the least of its time{dim:#}\n\
         {dim}· Watching, F FailingOver, O OnDemand, R Restoring, H Held; × loss, ^ owner, < rollback{dim:#}\n"
    )
}

/// A character and how it looks.
type Ink = (Style, char);

struct Pen {
    colour: bool,
}

impl Pen {
    fn style(&self, style: Style) -> Style {
        if self.colour { style } else { Style::new() }
    }

    fn paint(&self, style: Style, character: char) -> String {
        self.line(std::iter::once((style, character)))
    }

    /// `inks` in a row; neighbours that look the same share their escape codes.
    fn line(&self, inks: impl Iterator<Item = Ink>) -> String {
        let mut line = String::new();
        let mut last = Style::new();
        for (style, character) in inks.map(|(style, character)| (self.style(style), character)) {
            if style != last {
                let _ = write!(line, "{last:#}{style}");
                last = style;
            }
            line.push(character);
        }
        line + &format!("{last:#}")
    }

    /// The least that ran during `cell`, as a height; a full one shows how much of it was On-Demand.
    fn tasks(&self, series: &[Counts], cell: Cell) -> Ink {
        let millis = |c: &Counts| c.at.as_millis() as u64;
        let share = |c: &Counts| f64::from(c.spot + c.on_demand) / f64::from(c.desired);
        let wanted = during(series, cell, millis).filter(|c| c.desired > 0);
        let Some(least) = wanted.min_by(|a, b| share(a).total_cmp(&share(b))) else { return (Style::new(), ' ') };
        let on_demand = (8 * least.on_demand).checked_div(least.spot + least.on_demand).unwrap_or(0);
        if share(least) == 0.0 {
            return (AnsiColor::Red.on_default(), EIGHTHS[0]);
        }
        if share(least) < 1.0 {
            // A task that runs is seen, and so is one that is missing.
            let height = ((share(least) * 8.0) as usize).clamp(1, 7);
            return (if on_demand >= 4 { ON_DEMAND } else { SPOT }.on_default(), EIGHTHS[height]);
        }
        match (self.colour, on_demand) {
            (true, 0) if least.on_demand == 0 => (SPOT.on_default(), '█'),
            (true, 8) => (ON_DEMAND.on_default(), '█'),
            (true, n) => (ON_DEMAND.on(Color::Ansi(SPOT)), EIGHTHS[(n as usize).max(1)]),
            (false, 0) if least.on_demand == 0 => (Style::new(), '█'),
            (false, 0..4) => (Style::new(), '▓'),
            (false, 4..8) => (Style::new(), '▒'),
            (false, _) => (Style::new(), '░'),
        }
    }
}

/// The phase of the record that most wants to be seen, or a mark where that is none of note.
fn phase(course: &Course<'_>, cell: Cell) -> Ink {
    let rank = |phase: &Phase| match phase {
        Phase::Watching => 0,
        Phase::OnDemand => 1,
        Phase::Restoring => 2,
        Phase::FailingOver => 3,
        Phase::Held => 4,
    };
    // Before the first there is no record.
    let begun = cell.from >= course.phases.first().map_or(u64::MAX, |(at, _)| *at);
    let phases = during(&course.phases, cell, |(at, _)| *at).filter(|(at, _)| begun || *at >= cell.from);
    let phase = phases.filter_map(|(_, phase)| *phase).max_by_key(rank);
    let within = || course.marks.iter().filter(|mark| (cell.from..cell.to).contains(&mark.at_ms));
    let marked = |kinds: &[Kind]| within().any(|mark| kinds.contains(&mark.kind));
    match phase {
        Some(Phase::FailingOver) => (AnsiColor::Red.on_default(), 'F'),
        Some(Phase::Held) => (AnsiColor::Red.on_default().bold(), 'H'),
        _ if marked(&[Kind::RolledBack]) => (AnsiColor::Magenta.on_default(), '<'),
        _ if marked(&[Kind::Owner]) => (AnsiColor::Magenta.on_default(), '^'),
        Some(Phase::OnDemand) => (ON_DEMAND.on_default(), 'O'),
        Some(Phase::Restoring) => (AnsiColor::Cyan.on_default(), 'R'),
        _ if marked(&[Kind::Interrupted, Kind::Vanished, Kind::Unplaced]) => (AnsiColor::Red.on_default(), '×'),
        Some(Phase::Watching) => (Style::new().dimmed(), '·'),
        None => (Style::new(), ' '),
    }
}
