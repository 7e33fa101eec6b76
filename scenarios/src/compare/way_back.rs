//! How long services took back to their owner's strategy, read off the trace: the same measure whoever brought them back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use handlers::service::{AccountId, ServiceId};
use handlers::strategy::Strategy;
use simulator::Outcome;
use simulator::spec::Capacity;
use simulator::trace::{Caller, Happening};

/// The Spot market of an account, as far as the way back depends on it.
#[derive(Debug, Clone, Copy)]
struct Spot {
    capacity: Capacity,
    /// When it first got more after it last lost some.
    back_at: Duration,
}

/// Every way back of a run.
#[derive(Debug, Default)]
pub(super) struct WaysBack(Vec<Duration>);

impl WaysBack {
    pub(super) fn of(outcome: &Outcome) -> Self {
        let owners: BTreeMap<&ServiceId, &Strategy> = outcome.services.iter().map(|s| (&s.id, &s.original)).collect();
        let mut away: BTreeMap<Arc<ServiceId>, Duration> = BTreeMap::new();
        let mut spot: BTreeMap<&AccountId, Spot> = BTreeMap::new();
        let mut ways = Vec::new();
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
                        away.entry(Arc::clone(service)).or_insert(entry.at);
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
                    ways.push(entry.at.saturating_sub(since.max(back_at)));
                }
                _ => {}
            }
        }
        Self(ways)
    }

    pub(super) fn slowest(&self) -> Option<Duration> {
        self.0.iter().max().copied()
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
