//! What a person or a program gets of a run: timeline, summary per service, figures of all, verdicts.

use std::cmp::Ordering;
use std::time::Duration;

use handlers::record::Phase;
use serde::Serialize;
use simulator::ServiceOutcome;
use simulator::figures::Figures;
use simulator::ledger::Episode;
use simulator::prices::Prices;

use crate::play::Play;
use crate::timeline::Timeline;
use crate::verdict::Verdict;

mod course;
pub mod html;
mod strip;
mod text;

pub use strip::strips;

/// A run as JSON.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    title: String,
    seed: u64,
    duration_ms: u64,
    holds: bool,
    timeline: Timeline,
    services: Vec<Summary>,
    figures: Figures,
    expectations: Vec<Verdict>,
    violations: Vec<String>,
    messages_left: usize,
    messages_dead: usize,
    /// Events in the DLQs of rules.
    events_dead: usize,
}

/// One service's row.
#[derive(Debug, Clone, Serialize)]
struct Summary {
    service: String,
    original_strategy: String,
    failovers: usize,
    #[serde(serialize_with = "optional_millis")]
    time_to_failover_ms: Option<Duration>,
    #[serde(serialize_with = "optional_millis")]
    time_to_restore_ms: Option<Duration>,
    failed_restores: u32,
    /// Whether an owner ended the last outage's handling.
    taken_away: bool,
    availability: f64,
    time_short_ms: u64,
    on_demand_task_hours: f64,
    spot_task_hours: f64,
    deployments_forced: u32,
    phase: Option<Phase>,
}

fn optional_millis<S: serde::Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|t| t.as_millis() as u64).serialize(serializer)
}

impl Summary {
    fn of(service: &ServiceOutcome) -> Self {
        let ledger = &service.ledger;
        let slowest = |time: fn(&Episode) -> Option<Duration>| ledger.episodes.iter().filter_map(time).max();
        Self {
            service: service.id.to_string(),
            original_strategy: service.original.to_string(),
            failovers: ledger.episodes.len(),
            time_to_failover_ms: slowest(Episode::time_to_failover),
            time_to_restore_ms: slowest(Episode::time_to_restore),
            failed_restores: ledger.episodes.iter().map(|e| e.failed_restores).sum(),
            taken_away: ledger.episodes.last().is_some_and(|e| e.taken_away),
            availability: ledger.availability(),
            time_short_ms: ledger.time_short().as_millis() as u64,
            on_demand_task_hours: ledger.on_demand_hours(),
            spot_task_hours: ledger.spot_hours(),
            deployments_forced: ledger.forced,
            phase: service.record.as_ref().map(|r| r.phase),
        }
    }

    /// The least available service comes first, and of equals the slowest to fail over; one that did not get there was slower still.
    fn worst_first(&self, other: &Self) -> Ordering {
        let to_failover = |s: &Self| match s.time_to_failover_ms {
            None if s.failovers > 0 => Duration::MAX,
            time => time.unwrap_or_default(),
        };
        self.availability.total_cmp(&other.availability).then_with(|| to_failover(other).cmp(&to_failover(self)))
    }
}

impl Report {
    /// The figures of all services.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// What happened, to be read as prose.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// The report of a run.
    pub fn of(play: &Play) -> Self {
        Self {
            title: play.scenario.title.clone(),
            seed: play.scenario.world.seed,
            duration_ms: play.scenario.duration.as_millis() as u64,
            holds: play.holds(),
            timeline: Timeline::of(&play.outcome.trace),
            services: play.outcome.services.iter().map(Summary::of).collect(),
            figures: Figures::of(&play.outcome, Prices::US_EAST_1),
            expectations: play.verdicts.clone(),
            violations: play.outcome.violations.clone(),
            messages_left: play.outcome.messages_left,
            messages_dead: play.outcome.messages_dead,
            events_dead: play.outcome.events_dead,
        }
    }
}
