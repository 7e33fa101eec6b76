//! Plays the whole library: a line each, in the order of their names, as soon as it is known.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};

use crate::file::{self, Scenario};
use crate::library::Named;
use crate::play::play;
use crate::report::Report;
use crate::verdict::{percent, seconds, thousands};

/// Services of a fleet in a build that is not optimised: ten thousand take minutes there.
pub const FLEET_WITHOUT_OPTIMISATION: u32 = 200;

/// How a library did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Score {
    /// Every scenario holds.
    AllHold,
    /// One does not.
    SomeBroken,
    /// One cannot be read.
    SomeUnreadable,
}

/// One scenario, played.
struct Played {
    score: Score,
    /// What is printed of it.
    line: String,
    /// What is wrong with it, to be printed at the end.
    faults: String,
}

/// Plays `all`, on as many threads as the machine has cores, with `seed` or with the seed of each. `print` gets the lines in order.
pub fn play_all(all: &[Named], seed: Option<u64>, mut print: impl FnMut(&str)) -> Score {
    let width = all.iter().map(|named| named.name.len()).max().unwrap_or(0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let (sender, played) = mpsc::channel();
    let began = now();
    let mut done: Vec<Option<Played>> = all.iter().map(|_| None).collect();
    let mut printed = 0;
    std::thread::scope(|threads| {
        for _ in 0..cores.min(all.len()) {
            let (sender, next) = (sender.clone(), &next);
            threads.spawn(move || {
                while let Some((n, named)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|n| Some((n, all.get(n)?)))
                {
                    // Nobody listens any more when the printer has panicked, which says why.
                    let _ = sender.send((n, one(named, width, seed)));
                }
            });
        }
        drop(sender);
        for (n, one) in played {
            done[n] = Some(one);
            while let Some(Some(one)) = done.get(printed) {
                print(&one.line);
                printed += 1;
            }
        }
    });
    let done: Vec<Played> = done.into_iter().flatten().collect();
    done.iter().filter(|one| !one.faults.is_empty()).for_each(|one| print(&one.faults));
    let holding = done.iter().filter(|one| one.score == Score::AllHold).count();
    print(&format!("\n{holding} of {} scenarios hold, in {:.1}s", all.len(), began.elapsed().as_secs_f64()));
    done.iter().map(|one| one.score).max().unwrap_or(Score::AllHold)
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a run takes is a matter of the wall clock, and no part of the run"
)]
fn now() -> Instant {
    Instant::now()
}

fn one(named: &Named, width: usize, seed: Option<u64>) -> Played {
    let name = &named.name;
    let bad = AnsiColor::Red.on_default().bold();
    let broken =
        |score, words: &str, faults| Played { score, line: format!("{name:width$}  {bad}{words}{bad:#}"), faults };
    let (mut scenario, scaled_from) = match load(named) {
        Ok(loaded) => loaded,
        Err(problem) => return broken(Score::SomeUnreadable, "cannot be read", format!("\n{}", problem.coloured())),
    };
    scenario.world.seed = seed.unwrap_or(scenario.world.seed);
    let began = now();
    let played = match play(scenario) {
        Ok(played) => played,
        Err(error) => return broken(Score::SomeUnreadable, "cannot be played", format!("\n{error}")),
    };
    let took = began.elapsed();
    let report = Report::of(&played);
    let (style, word) = if played.holds() { (AnsiColor::Green.on_default(), "holds ") } else { (bad, "BROKEN") };
    let note = scaled_from.map_or_else(String::new, |services| {
        let dim = Style::new().dimmed();
        format!(
            "  {dim}{FLEET_WITHOUT_OPTIMISATION} of {} services, in a build without optimisation{dim:#}",
            thousands(services)
        )
    });
    let line = format!("{name:width$}  {style}{word}{style:#}  {}{note}", figures(&report, took));
    if played.holds() {
        return Played { score: Score::AllHold, line, faults: String::new() };
    }
    let broken = played.verdicts.iter().filter(|verdict| !verdict.holds);
    let broken = broken.map(|v| format!("  {}: expected {}, found {}\n", v.service, v.expected, v.found));
    let violations = played.outcome.violations.iter().map(|violation| format!("  violated: {violation}\n"));
    let faults: String = broken.chain(violations).collect();
    Played { score: Score::SomeBroken, line, faults: format!("\n{bad}{name}{bad:#}\n{}", faults.trim_end()) }
}

/// The scenario, and of a fleet that is scaled down how many services it has.
fn load(named: &Named) -> Result<(Scenario, Option<usize>), file::Problem> {
    file::load_at_most(&named.path, if cfg!(debug_assertions) { FLEET_WITHOUT_OPTIMISATION } else { u32::MAX })
}

fn figures(report: &Report, took: Duration) -> String {
    let figures = report.figures();
    let slowest = |times: Option<simulator::figures::Percentiles>| times.map_or_else(|| "-".into(), |t| seconds(t.max));
    format!(
        "{:>6.2}s  available {:>7}  failover {:>9}  restore {:>10}  {:>6} forced",
        took.as_secs_f64(),
        percent(figures.availability),
        slowest(figures.time_to_failover),
        slowest(figures.time_to_restore),
        thousands(figures.deployments_forced.total as usize),
    )
}
