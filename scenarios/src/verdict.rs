//! Whether an expectation holds: what was expected, what was found.

use std::time::Duration;

use serde::Serialize;
use simulator::ledger::Episode;
use simulator::{Outcome, ServiceOutcome};

use crate::file::{Check, Expectation, FinalStrategy};

/// One expectation and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Whose expectation, as `ACCOUNT/CLUSTER/SERVICE`.
    pub service: String,
    /// What was expected, in words.
    pub expected: String,
    /// What was found, in words.
    pub found: String,
    /// Whether it holds.
    pub holds: bool,
}

/// Holds `expectation` against what happened.
pub fn judge(expectation: &Expectation, outcome: &Outcome) -> Verdict {
    let Expectation { service, check } = expectation;
    let (expected, found, holds) = match outcome.services.iter().find(|s| s.id == *service) {
        Some(found) => judge_service(check, found),
        None => ("a service".into(), "none".into(), false),
    };
    Verdict { service: service.to_string(), expected, found, holds }
}

fn judge_service(check: &Check, service: &ServiceOutcome) -> (String, String, bool) {
    let ledger = &service.ledger;
    match check {
        Check::FailoverWithin(limit) => {
            let (found, holds) = slowest(&ledger.episodes, *limit, Episode::time_to_failover, "not failed over");
            (format!("failover within {}", seconds(*limit)), found, holds)
        }
        Check::RestoredWithin(limit) => {
            let (found, holds) = slowest(&ledger.episodes, *limit, Episode::time_to_restore, "not restored");
            (format!("restored within {}", seconds(*limit)), found, holds)
        }
        Check::MinAvailability(least) => {
            let availability = ledger.availability();
            (format!("availability at least {}", percent(*least)), percent(availability), availability >= *least)
        }
        Check::FinalStrategy(expected) => {
            let (words, strategy) = match expected {
                FinalStrategy::Original => ("ends on its original strategy", &service.original),
                FinalStrategy::Fallback => ("ends on its fallback strategy", &service.original.fallback()),
                FinalStrategy::Exactly(strategy) => ("ends on the strategy given", strategy),
            };
            let holds = service.live.items() == strategy.items();
            let expected = if holds { words.to_owned() } else { format!("{words}, {strategy}") };
            (expected, service.live.to_string(), holds)
        }
        Check::Failovers(count) => {
            let found = ledger.episodes.len();
            (format!("failovers: {count}"), found.to_string(), found == *count as usize)
        }
        Check::MaxDeploymentsForced(most) => {
            (format!("deployments forced: at most {most}"), ledger.forced.to_string(), ledger.forced <= *most)
        }
    }
}

/// The slowest episode decides; no episode at all is a failure, or the expectation would prove nothing.
fn slowest(
    episodes: &[Episode],
    limit: Duration,
    time: fn(&Episode) -> Option<Duration>,
    never: &str,
) -> (String, bool) {
    let times: Option<Vec<Duration>> = episodes.iter().map(time).collect();
    match times.map(|times| times.into_iter().max()) {
        Some(Some(slowest)) => (seconds(slowest), slowest <= limit),
        _ => (never.into(), false),
    }
}

/// `3.2s`, `41m 7s`: as exact as people care for.
pub fn seconds(time: Duration) -> String {
    if time < Duration::from_secs(60) && time.subsec_millis() > 0 {
        return format!("{:.1}s", time.as_secs_f64());
    }
    let s = time.as_secs();
    let parts = [(s / 3600, "h"), (s / 60 % 60, "m"), (s % 60, "s")];
    let words: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    if words.is_empty() { "0s".into() } else { words.join(" ") }
}

/// `99.87%`, never rounded up to 100%.
pub fn percent(share: f64) -> String {
    let hundredths = (share * 10_000.0).floor();
    if hundredths % 100.0 == 0.0 { format!("{}%", hundredths / 100.0) } else { format!("{:.2}%", hundredths / 100.0) }
}
