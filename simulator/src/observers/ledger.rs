//! The books of one service: what it had, what it lacked, what the recovery did to it and how fast.

use std::time::Duration;

use handlers::strategy::CapacityProvider;
use handlers::timestamp::Timestamp;

use crate::engine::clock::GENESIS;
use crate::spec::ServiceSpec;

/// How many tasks of a service ran at a moment, and how many were wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Since when, from the start of the world.
    pub at: Duration,
    /// Tasks that serve on `FARGATE_SPOT`: from RUNNING to the end of their containers.
    pub spot: u32,
    /// The same on `FARGATE`.
    pub on_demand: u32,
    /// Tasks wanted.
    pub desired: u32,
}

/// Kept from the start of the world to its end.
#[derive(Debug, Clone)]
pub struct Ledger {
    at: Timestamp,
    desired: u32,
    serving: u32,
    /// How many of `serving` are on Spot.
    serving_on_spot: u32,
    on_demand: u32,
    spot: u32,
    /// Task-milliseconds wanted and, of those, served.
    wanted_ms: u64,
    served_ms: u64,
    /// Milliseconds in which fewer tasks served than wanted.
    short_ms: u64,
    on_demand_ms: u64,
    spot_ms: u64,
    /// Deployments the recovery forced.
    pub forced: u32,
    loss_since: Option<Timestamp>,
    /// Outages the recovery acted on.
    pub episodes: Vec<Episode>,
    /// Every change of the counts, in order, at most one a millisecond; empty unless [`Facts::series`](crate::facts::Facts::series).
    pub series: Vec<Counts>,
    keeps_series: bool,
}

/// One outage as the recovery handled it. Times count from the start of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Episode {
    /// The first loss: a task interrupted, gone or not placed, or a synthetic event put.
    pub lost_at: Duration,
    /// The fallback became the service's strategy.
    pub failed_over_at: Option<Duration>,
    /// Spot had room again; the failover, where it never ran out.
    pub restorable_at: Option<Duration>,
    /// The episode was closed on the original strategy.
    pub restored_at: Option<Duration>,
    /// Restores that did not hold.
    pub failed_restores: u32,
    /// Someone else ended it: the owner chose another strategy, opted out, or deleted the service.
    pub taken_away: bool,
}

impl Episode {
    /// From the first loss to the fallback.
    pub fn time_to_failover(&self) -> Option<Duration> {
        Some(self.failed_over_at?.saturating_sub(self.lost_at))
    }

    /// From when Spot had room again to the closed episode.
    pub fn time_to_restore(&self) -> Option<Duration> {
        Some(self.restored_at?.saturating_sub(self.restorable_at?))
    }
}

impl Ledger {
    pub(crate) fn new(now: Timestamp, spec: &ServiceSpec) -> Self {
        Self {
            at: now,
            desired: spec.desired,
            serving: 0,
            serving_on_spot: 0,
            on_demand: 0,
            spot: 0,
            wanted_ms: 0,
            served_ms: 0,
            short_ms: 0,
            on_demand_ms: 0,
            spot_ms: 0,
            forced: 0,
            loss_since: None,
            episodes: Vec::new(),
            series: Vec::new(),
            keeps_series: false,
        }
    }

    /// The same, with every change of its counts kept if `keeps` says so.
    pub(crate) fn keeping_series(mut self, keeps: bool) -> Self {
        self.keeps_series = keeps;
        self.note();
        self
    }

    /// Keeps the counts as of now.
    fn note(&mut self) {
        if !self.keeps_series {
            return;
        }
        let counts = Counts {
            at: since_start(self.at),
            spot: self.serving_on_spot,
            on_demand: self.serving - self.serving_on_spot,
            desired: self.desired,
        };
        match self.series.last_mut() {
            Some(last) if last.at == counts.at => *last = counts,
            _ => self.series.push(counts),
        }
    }

    /// Books the time since the last change.
    pub(crate) fn close_books(&mut self, now: Timestamp) {
        let ms = now.since(self.at).as_millis() as u64;
        self.at = now;
        self.wanted_ms += ms * u64::from(self.desired);
        self.served_ms += ms * u64::from(self.serving.min(self.desired));
        self.short_ms += if self.serving < self.desired { ms } else { 0 };
        self.on_demand_ms += ms * u64::from(self.on_demand);
        self.spot_ms += ms * u64::from(self.spot);
    }

    pub(crate) fn set_desired(&mut self, now: Timestamp, desired: u32) {
        self.close_books(now);
        self.desired = desired;
        self.note();
    }

    pub(crate) fn task_taken(&mut self, now: Timestamp, provider: &CapacityProvider) {
        self.close_books(now);
        *self.on(provider) += 1;
    }

    pub(crate) fn task_serves(&mut self, now: Timestamp, provider: &CapacityProvider) {
        self.close_books(now);
        self.serving += 1;
        self.serving_on_spot += u32::from(*provider == CapacityProvider::FargateSpot);
        self.note();
    }

    pub(crate) fn task_gone(&mut self, now: Timestamp, provider: &CapacityProvider, served: bool) {
        self.close_books(now);
        *self.on(provider) -= 1;
        if served {
            self.serving -= 1;
            self.serving_on_spot -= u32::from(*provider == CapacityProvider::FargateSpot);
            self.note();
        }
    }

    fn on(&mut self, provider: &CapacityProvider) -> &mut u32 {
        if *provider == CapacityProvider::FargateSpot { &mut self.spot } else { &mut self.on_demand }
    }

    pub(crate) fn loss(&mut self, now: Timestamp) {
        self.loss_since.get_or_insert(now);
    }

    /// The scheduler made up for the loss by itself.
    pub(crate) fn steady(&mut self) {
        self.loss_since = None;
    }

    pub(crate) fn episode_begins(&mut self, now: Timestamp) {
        let lost_at = since_start(self.loss_since.unwrap_or(now));
        self.episodes.push(Episode {
            lost_at,
            failed_over_at: None,
            restorable_at: None,
            restored_at: None,
            failed_restores: 0,
            taken_away: false,
        });
    }

    pub(crate) fn failed_over(&mut self, now: Timestamp) {
        self.loss_since = None;
        if let Some(episode) = self.open_episode() {
            episode.failed_over_at.get_or_insert(since_start(now));
        }
    }

    pub(crate) fn restore_failed(&mut self) {
        if let Some(episode) = self.open_episode() {
            episode.failed_restores += 1;
        }
    }

    pub(crate) fn restored(&mut self, now: Timestamp, spot_back_at: Option<Timestamp>) {
        if let Some(episode) = self.open_episode() {
            episode.restorable_at = episode.failed_over_at.max(spot_back_at.map(since_start));
            episode.restored_at = Some(since_start(now));
        }
    }

    pub(crate) fn taken_away(&mut self) {
        if let Some(episode) = self.open_episode() {
            episode.taken_away = true;
        }
    }

    /// The failover was claimed and never made, and by now nothing is missing.
    pub(crate) fn called_off(&mut self) {
        self.episodes.pop_if(|episode| episode.failed_over_at.is_none() && !episode.taken_away);
    }

    pub(crate) fn has_open_episode(&mut self) -> bool {
        self.open_episode().is_some()
    }

    fn open_episode(&mut self) -> Option<&mut Episode> {
        self.episodes.last_mut().filter(|e| e.restored_at.is_none() && !e.taken_away)
    }

    /// Share of the wanted tasks that served, over the whole time, 0 to 1.
    pub fn availability(&self) -> f64 {
        if self.wanted_ms == 0 { 1.0 } else { self.served_ms as f64 / self.wanted_ms as f64 }
    }

    /// Time for which tasks were wanted, summed over the tasks.
    pub fn task_time_wanted(&self) -> Duration {
        Duration::from_millis(self.wanted_ms)
    }

    /// Time for which wanted tasks did not serve, summed over the tasks.
    pub fn task_time_missing(&self) -> Duration {
        Duration::from_millis(self.wanted_ms - self.served_ms)
    }

    /// Time in which fewer tasks served than wanted.
    pub fn time_short(&self) -> Duration {
        Duration::from_millis(self.short_ms)
    }

    /// Task-hours on `FARGATE`.
    pub fn on_demand_hours(&self) -> f64 {
        self.on_demand_ms as f64 / 3_600_000.0
    }

    /// Task-hours on `FARGATE_SPOT`.
    pub fn spot_hours(&self) -> f64 {
        self.spot_ms as f64 / 3_600_000.0
    }
}

fn since_start(at: Timestamp) -> Duration {
    at.since(GENESIS)
}
