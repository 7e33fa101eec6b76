//! A timeline of few services: a line for each happening.

use std::time::Duration;

use handlers::service::ServiceId;
use simulator::trace::{Entry, Happening};

use super::{Line, line};

/// Tasks taken within this time of each other are one line, and so are events that end in one DLQ for one reason.
const TOGETHER: Duration = Duration::from_secs(30);

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

/// The lines of `trace`, each with the first happening that it tells of.
pub(crate) fn lines<'t>(trace: impl IntoIterator<Item = &'t Entry>) -> Vec<(Line, &'t Entry)> {
    let mut lines: Vec<(Line, &Entry)> = Vec::new();
    let mut taken: Vec<Taken> = Vec::new();
    let mut dead: Vec<Dead> = Vec::new();
    for entry in trace {
        let warned = matches!(entry.what, Happening::Interrupted { .. });
        if let (true, Some(service)) =
            (warned || matches!(entry.what, Happening::Vanished { .. }), entry.service.as_deref())
        {
            taken.retain(|t| entry.at.saturating_sub(t.last) <= TOGETHER);
            match taken.iter_mut().find(|t| t.service == service && t.warned == warned) {
                Some(group) => {
                    group.count += 1;
                    group.last = entry.at;
                    lines[group.line].0.what = taken_together(group);
                }
                None => {
                    let group = Taken { service, warned, last: entry.at, count: 1, line: lines.len() };
                    lines.push((line(entry, taken_together(&group)), entry));
                    taken.push(group);
                }
            }
        } else if matches!(entry.what, Happening::EventDead { .. }) {
            dead.retain(|d| entry.at.saturating_sub(d.last) <= TOGETHER);
            match dead.iter_mut().find(|d| *d.event == entry.what) {
                Some(group) => {
                    group.count += 1;
                    group.last = entry.at;
                    lines[group.line].0.what = format!("{} times: {}", group.count, entry.what);
                }
                None => {
                    dead.push(Dead { event: &entry.what, last: entry.at, count: 1, line: lines.len() });
                    lines.push((line(entry, entry.what.to_string()), entry));
                }
            }
        } else if !entry.what.is_detail() {
            lines.push((line(entry, entry.what.to_string()), entry));
        }
    }
    lines
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
