//! When services left their owner's strategy and how long they took back to it, read off the trace: the same measure whoever moved
//! them, and whatever it believed to have done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use handlers::service::{AccountId, ServiceId};
use handlers::strategy::Strategy;
use simulator::Outcome;
use simulator::ledger::Episode;
use simulator::spec::Capacity;
use simulator::trace::{Caller, Happening};

/// The Spot market of an account, as far as the way back depends on it.
#[derive(Debug, Clone, Copy)]
struct Spot {
    capacity: Capacity,
    /// When it first got more after it last lost some.
    back_at: Duration,
}

/// The ways of all services of a run, there and back.
#[derive(Debug, Default)]
pub(super) struct Journeys {
    /// When each service left its owner's strategy.
    left: BTreeMap<ServiceId, Vec<Duration>>,
    /// How long each way back took.
    back: Vec<Duration>,
}

impl Journeys {
    pub(super) fn of(outcome: &Outcome) -> Self {
        let owners: BTreeMap<&ServiceId, &Strategy> = outcome.services.iter().map(|s| (&s.id, &s.original)).collect();
        let mut away: BTreeMap<Arc<ServiceId>, Duration> = BTreeMap::new();
        let mut spot: BTreeMap<&AccountId, Spot> = BTreeMap::new();
        let mut journeys = Self::default();
        for entry in &outcome.trace {
            match (&entry.service, &entry.what) {
                (None, Happening::SpotCapacity { accounts, capacity, .. }) => {
                    for account in accounts {
                        let market = spot.entry(account).or_insert(Spot::START);
                        market.becomes(*capacity, entry.at);
                    }
                }
                (Some(service), Happening::Updated { caller, strategy: Some(strategy), .. }) => match caller {
                    Caller::Recovery if owners.get(&**service).is_some_and(|owners| *owners != strategy) => {
                        away.entry(Arc::clone(service)).or_insert_with(|| {
                            journeys.left.entry((**service).clone()).or_default().push(entry.at);
                            entry.at
                        });
                    }
                    // What its owner chooses, it is not away from.
                    Caller::Owner => _ = away.remove(service),
                    _ => {}
                },
                (Some(service), Happening::DeploymentCompleted { strategy })
                    if owners.get(&**service) == Some(&strategy) =>
                {
                    let Some(since) = away.remove(service) else { continue };
                    let back_at = spot.get(&service.account).map_or(Duration::ZERO, |spot| spot.back_at);
                    journeys.back.push(entry.at.saturating_sub(since.max(back_at)));
                }
                _ => {}
            }
        }
        journeys
    }

    /// The slowest failover: an episode during which the service left its owner's strategy. To be switched to a fallback that is live
    /// already is none.
    pub(super) fn slowest_failover(&self, outcome: &Outcome) -> Option<Duration> {
        let failovers = outcome.services.iter().flat_map(|service| {
            let left = self.left.get(&service.id).map_or(&[][..], Vec::as_slice);
            service.ledger.episodes.iter().filter(move |episode| {
                let until = episode.failed_over_at.unwrap_or_default();
                left.iter().any(|at| (episode.lost_at..=until).contains(at))
            })
        });
        failovers.filter_map(Episode::time_to_failover).max()
    }

    pub(super) fn slowest_way_back(&self) -> Option<Duration> {
        self.back.iter().max().copied()
    }
}

impl Spot {
    const START: Self = Self { capacity: Capacity::Unlimited, back_at: Duration::ZERO };

    fn becomes(&mut self, capacity: Capacity, at: Duration) {
        if capacity < self.capacity {
            self.back_at = Duration::ZERO;
        } else if capacity > self.capacity && self.back_at.is_zero() {
            self.back_at = at;
        }
        self.capacity = capacity;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spot_is_back_when_it_first_grows_after_it_last_shrank() {
        let minute = |n: u64| Duration::from_secs(60 * n);
        let mut spot = Spot::START;
        for (capacity, at, back_at) in [(4, 1, 0), (6, 2, 2), (8, 3, 2), (5, 4, 0), (5, 5, 0), (9, 6, 6)] {
            spot.becomes(Capacity::Tasks(capacity), minute(at));
            assert_eq!(spot.back_at, minute(back_at), "at minute {at}");
        }
    }
}
