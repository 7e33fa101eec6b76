//! Whether an expectation holds: what was expected, what was found.

use std::collections::BTreeMap;
use std::time::Duration;

use handlers::service::ServiceId;
use serde::Serialize;
use simulator::ledger::Episode;
use simulator::{Outcome, ServiceOutcome};

use crate::file::{Check, Expectation, FinalStrategy};

/// Most services of a scenario whose expectations are told one by one; of more, those that expect the same are one verdict.
pub const FEW: usize = 40;

/// One expectation and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Whose expectation: `ACCOUNT/CLUSTER/SERVICE`, or `10,000 services` that all expect it.
    pub service: String,
    /// What was expected, in words.
    pub expected: String,
    /// What was found, in words; of many services what was found of the worst, and which that is.
    pub found: String,
    /// Whether it holds, of every service.
    pub holds: bool,
}

/// What was found of one service.
struct Finding {
    expected: &'static str,
    /// The figure or strategy expected, which ends the sentence.
    value: String,
    found: String,
    holds: bool,
    /// How bad it is, to compare with other services; the same for those that cannot be told apart.
    badness: f64,
}

/// Holds `expectations` against what happened, in their order.
pub fn judge_all(expectations: &[Expectation], outcome: &Outcome) -> Vec<Verdict> {
    let services: BTreeMap<&ServiceId, &ServiceOutcome> = outcome.services.iter().map(|s| (&s.id, s)).collect();
    // The expectations of a service follow each other.
    let mut service: Option<&ServiceOutcome> = None;
    let mut find = |e: &Expectation| {
        if service.is_none_or(|service| service.id != e.service) {
            service = services.get(&e.service).copied();
        }
        judge(&e.check, service)
    };
    if outcome.services.len() <= FEW {
        return expectations.iter().map(|e| alone(e, find(e))).collect();
    }
    // Different expectations are few, whatever the number of services.
    let mut alike: Vec<(&Check, Vec<(&Expectation, Finding)>)> = Vec::new();
    for expectation in expectations {
        let finding = find(expectation);
        match alike.iter_mut().find(|(check, _)| **check == expectation.check) {
            Some((_, group)) => group.push((expectation, finding)),
            None => alike.push((&expectation.check, vec![(expectation, finding)])),
        }
    }
    alike.into_iter().map(|(_, group)| together(group)).collect()
}

fn alone(expectation: &Expectation, finding: Finding) -> Verdict {
    let Finding { expected, value, found, holds, .. } = finding;
    Verdict { service: expectation.service.to_string(), expected: format!("{expected}{value}"), found, holds }
}

/// One verdict on services that expect the same.
fn together(mut group: Vec<(&Expectation, Finding)>) -> Verdict {
    if group.len() == 1
        && let Some((expectation, finding)) = group.pop()
    {
        return alone(expectation, finding);
    }
    let total = group.len();
    let broken = group.iter().filter(|(_, finding)| !finding.holds).count();
    let same = group.iter().all(|(_, finding)| finding.found == group[0].1.found);
    let differ = group.iter().any(|(_, finding)| finding.badness != group[0].1.badness);
    // The first of the worst: `max_by` would find the last.
    let worst = |a: &usize, b: &usize| group[*a].1.badness.total_cmp(&group[*b].1.badness).then(b.cmp(a));
    let (expectation, finding) = &group[(0..total).max_by(worst).unwrap_or(0)];
    let (service, found) = (&expectation.service, &finding.found);
    Verdict {
        service: format!("{} services", thousands(total)),
        // What is each service's own, such as its original strategy, is not theirs together.
        expected: match expectation.check {
            Check::FinalStrategy(_) => finding.expected.to_owned(),
            _ => format!("{}{}", finding.expected, finding.value),
        },
        found: match broken {
            0 if same => format!("{found}, all of them"),
            0 if differ => format!("worst {found}, {service}"),
            0 => "each its own".to_owned(),
            _ => format!("broken by {} of them, worst {found}, {service}", thousands(broken)),
        },
        holds: broken == 0,
    }
}

fn judge(check: &Check, service: Option<&ServiceOutcome>) -> Finding {
    let Some(service) = service else {
        let value = String::new();
        return Finding { expected: "a service", value, found: "none".into(), holds: false, badness: f64::INFINITY };
    };
    let ledger = &service.ledger;
    let all_or_nothing = |holds: bool| if holds { 0.0 } else { 1.0 };
    match check {
        Check::FailoverWithin(limit) => {
            let times = ledger.episodes.iter().map(Episode::time_to_failover);
            slowest("failover within ", *limit, times, "not failed over")
        }
        Check::RestoredWithin(limit) => {
            let times = ledger.episodes.iter().map(Episode::time_to_restore);
            slowest("restored within ", *limit, times, "not restored")
        }
        Check::MinAvailability(least) => {
            let availability = ledger.availability();
            Finding {
                expected: "availability at least ",
                value: percent(*least),
                found: percent(availability),
                holds: availability >= *least,
                badness: 1.0 - availability,
            }
        }
        Check::FinalStrategy(expected) => {
            let (words, strategy) = match expected {
                FinalStrategy::Original => ("ends on its original strategy", &service.original),
                FinalStrategy::Fallback => ("ends on its fallback strategy", &service.original.fallback()),
                FinalStrategy::Exactly(strategy) => ("ends on the strategy given", strategy),
            };
            let holds = service.live.items() == strategy.items();
            Finding {
                expected: words,
                value: if holds { String::new() } else { format!(", {strategy}") },
                found: service.live.to_string(),
                holds,
                badness: all_or_nothing(holds),
            }
        }
        Check::Failovers(count) => {
            let found = ledger.episodes.len();
            Finding {
                expected: "failovers: ",
                value: count.to_string(),
                found: found.to_string(),
                holds: found == *count as usize,
                badness: found.abs_diff(*count as usize) as f64,
            }
        }
        Check::MaxDeploymentsForced(most) => Finding {
            expected: "deployments forced: at most ",
            value: most.to_string(),
            found: ledger.forced.to_string(),
            holds: ledger.forced <= *most,
            badness: ledger.forced.into(),
        },
    }
}

/// The slowest episode decides; no episode at all is a failure, or the expectation would prove nothing.
fn slowest(
    expected: &'static str,
    limit: Duration,
    times: impl Iterator<Item = Option<Duration>>,
    never: &str,
) -> Finding {
    let times: Option<Vec<Duration>> = times.collect();
    let slowest = times.and_then(|times| times.into_iter().max());
    Finding {
        expected,
        value: seconds(limit),
        found: slowest.map_or_else(|| never.into(), seconds),
        holds: slowest.is_some_and(|slowest| slowest <= limit),
        badness: slowest.map_or(f64::INFINITY, |slowest| slowest.as_secs_f64()),
    }
}

/// `12,345`.
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let separator = |n: usize| if n > 0 && (digits.len() - n).is_multiple_of(3) { "," } else { "" };
    digits.char_indices().map(|(n, digit)| format!("{}{digit}", separator(n))).collect()
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
