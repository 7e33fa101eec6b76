//! The figures of a run: what all its services together had, lacked and cost, what was done to them and how fast.

use std::collections::BTreeMap;
use std::time::Duration;

use handlers::service::AccountId;
use serde::{Serialize, Serializer};

use crate::observers::ledger::Episode;
use crate::prices::Prices;
use crate::runtime::simulation::{Outcome, ServiceOutcome};

mod floor;

/// Sums and percentiles over all services of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Share of the wanted tasks that served, over all services and the whole time, 0 to 1. A service with more tasks than it wants
    /// makes up for no other.
    pub availability: f64,
    /// Time in which fewer tasks served than wanted, summed over the services.
    #[serde(rename = "time_short_ms", serialize_with = "millis")]
    pub time_short: Duration,
    /// The same, counted once for each task that was missing.
    #[serde(rename = "task_time_missing_ms", serialize_with = "millis")]
    pub task_time_missing: Duration,
    /// Task-hours on `FARGATE`.
    pub on_demand_task_hours: f64,
    /// Task-hours on `FARGATE_SPOT`.
    pub spot_task_hours: f64,
    /// What those cost, in US dollars. Counted from PROVISIONING to the end of the containers; AWS counts from the download of the
    /// image to STOPPED and a minute at least, which is a few seconds per task more or less.
    #[serde(rename = "cost_usd")]
    pub cost: f64,
    /// What the wanted tasks would have cost, had all of them run on `FARGATE` the whole time and nothing else.
    #[serde(rename = "cost_on_demand_alone_usd")]
    pub cost_on_demand_alone: f64,
    /// The prices of both.
    pub prices: Prices,
    /// Mutations: what the recovery did to the services.
    pub deployments_forced: DeploymentsForced,
    /// Outages of single services that the recovery acted on.
    pub episodes: usize,
    /// Over the episodes in which the service was failed over: from the first loss to the fallback.
    pub time_to_failover: Option<Percentiles>,
    /// The least that each of those could have been, given the times of the losses and the rate at which ECS takes `UpdateService`
    /// from an account. Each is a bound of its own: nobody need be able to reach all of them at once.
    pub time_to_failover_floor: Option<Percentiles>,
    /// Over the episodes that were closed: from when Spot had room again to the closed episode.
    pub time_to_restore: Option<Percentiles>,
}

/// Calls of `UpdateService` by the recovery that took effect; each forces a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DeploymentsForced {
    /// On all services.
    pub total: u64,
    /// On a service, on average.
    pub mean: f64,
    /// On the service with most.
    pub most: u32,
    /// Most on one service within any 24 hours, as the oracle bounds them: an act of the owner begins a new count.
    pub most_in_a_day: u32,
}

/// Percentiles by nearest rank: the `p`-th of `n` times is the one at rank `p / 100 * n`, rounded up, of the sorted times. So each
/// is a time that occurred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// How many times these are of.
    pub count: usize,
    /// At least half of the times are this short.
    #[serde(rename = "p50_ms", serialize_with = "millis")]
    pub p50: Duration,
    /// At least 99 of 100.
    #[serde(rename = "p99_ms", serialize_with = "millis")]
    pub p99: Duration,
    /// All.
    #[serde(rename = "max_ms", serialize_with = "millis")]
    pub max: Duration,
}

impl Figures {
    /// The figures of `outcome`, at `prices`.
    pub fn of(outcome: &Outcome, prices: Prices) -> Self {
        let services = &outcome.services;
        let sum = |of: fn(&ServiceOutcome) -> Duration| services.iter().map(of).sum::<Duration>();
        let wanted = sum(|s| s.ledger.task_time_wanted());
        let missing = sum(|s| s.ledger.task_time_missing());
        let cost = |of: &dyn Fn(&ServiceOutcome) -> f64| services.iter().map(of).sum::<f64>();
        let (on_demand, spot) = (prices.on_demand, prices.spot);
        Self {
            availability: if wanted.is_zero() { 1.0 } else { (wanted - missing).as_secs_f64() / wanted.as_secs_f64() },
            time_short: sum(|s| s.ledger.time_short()),
            task_time_missing: missing,
            on_demand_task_hours: services.iter().map(|s| s.ledger.on_demand_hours()).sum(),
            spot_task_hours: services.iter().map(|s| s.ledger.spot_hours()).sum(),
            cost: cost(&|s| {
                s.ledger.on_demand_hours() * on_demand.task_hour(s.cpu) + s.ledger.spot_hours() * spot.task_hour(s.cpu)
            }),
            cost_on_demand_alone: cost(&|s| hours(s.ledger.task_time_wanted()) * on_demand.task_hour(s.cpu)),
            prices,
            deployments_forced: DeploymentsForced::of(services),
            episodes: services.iter().map(|s| s.ledger.episodes.len()).sum(),
            time_to_failover: Percentiles::of(episodes(services).filter_map(Episode::time_to_failover)),
            time_to_failover_floor: failover_floor(services, outcome.update_bucket),
            time_to_restore: Percentiles::of(episodes(services).filter_map(Episode::time_to_restore)),
        }
    }
}

impl DeploymentsForced {
    fn of(services: &[ServiceOutcome]) -> Self {
        let total = services.iter().map(|s| u64::from(s.ledger.forced)).sum();
        Self {
            total,
            mean: total as f64 / services.len().max(1) as f64,
            most: services.iter().map(|s| s.ledger.forced).max().unwrap_or(0),
            most_in_a_day: services.iter().map(|s| s.most_forced_in_a_day).max().unwrap_or(0),
        }
    }
}

impl Percentiles {
    /// Of `times`, in any order; `None` of none.
    pub fn of(times: impl Iterator<Item = Duration>) -> Option<Self> {
        let mut times: Vec<Duration> = times.collect();
        times.sort_unstable();
        Self::by_rank(times.len(), |rank| times[rank - 1])
    }

    fn by_rank(count: usize, time: impl Fn(usize) -> Duration) -> Option<Self> {
        let at = |percent: usize| time((count * percent).div_ceil(100));
        (count > 0).then(|| Self { count, p50: at(50), p99: at(99), max: at(100) })
    }
}

fn episodes(services: &[ServiceOutcome]) -> impl Iterator<Item = &Episode> {
    services.iter().flat_map(|service| &service.ledger.episodes)
}

/// The floor of the same episodes that [`Figures::time_to_failover`] is about.
fn failover_floor(services: &[ServiceOutcome], update_bucket: (u32, u32)) -> Option<Percentiles> {
    let mut accounts: BTreeMap<&AccountId, Vec<Duration>> = BTreeMap::new();
    for service in services {
        let failed_over = service.ledger.episodes.iter().filter(|episode| episode.failed_over_at.is_some());
        accounts.entry(&service.id.account).or_default().extend(failed_over.map(|episode| episode.lost_at));
    }
    let mut accounts: Vec<Vec<Duration>> = accounts.into_values().collect();
    accounts.iter_mut().for_each(|losses| losses.sort_unstable());
    let count = accounts.iter().map(Vec::len).sum();
    Percentiles::by_rank(count, |rank| floor::floor(&accounts, update_bucket, rank))
}

fn hours(time: Duration) -> f64 {
    time.as_secs_f64() / 3600.0
}

fn millis<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    (time.as_millis() as u64).serialize(serializer)
}

#[cfg(test)]
mod tests;
