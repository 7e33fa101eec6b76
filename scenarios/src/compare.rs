//! The same world with no automation, with the proof of concept, and with Spot Recovery: what each made of it.
//!
//! All three live through the same events on the same seed; what differs is who handles them. Every figure is taken from the
//! world, none from what the handlers say of themselves.

mod journey;
mod text;

use std::rc::Rc;
use std::time::Duration;

use serde::{Serialize, Serializer};
use simulator::figures::Figures;
use simulator::pattern::PatternError;
use simulator::prices::Prices;
use simulator::{Handlers, Outcome};

use crate::file::Scenario;
use crate::naive::{Naive, Nobody};
use crate::play::{self, Play};
use journey::Journeys;
pub use text::markdown;

/// Who handles what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Automation {
    /// Nobody: ECS is left to itself.
    None,
    /// The original design at its word ([`crate::naive`]).
    ProofOfConcept,
    /// The production handlers.
    SpotRecovery,
}

/// One scenario, played with each [`Automation`].
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// The scenario's title.
    pub title: String,
    /// The seed of all three worlds.
    pub seed: u64,
    /// How long each lasted.
    #[serde(rename = "duration_ms", serialize_with = "millis")]
    pub duration: Duration,
    /// One for each of [`Automation::ALL`], in that order.
    pub runs: Vec<Run>,
    /// Whether what the scenario expects holds with Spot Recovery, and the oracle found nothing there.
    pub holds: bool,
}

/// What one automation made of the world.
#[derive(Debug, Serialize)]
pub struct Run {
    /// Whose run.
    pub automation: Automation,
    /// Availability, task-hours, cost, deployments.
    pub figures: Figures,
    /// The slowest failover: from the first loss to a live fallback. `None` if there was none.
    #[serde(rename = "slowest_failover_ms", serialize_with = "optional_millis")]
    pub slowest_failover: Option<Duration>,
    /// The slowest way back: from when Spot had room again (the failover, where it never ran out) to the end of the deployment that
    /// put the service back on its owner's strategy. `None` if there was none.
    #[serde(rename = "slowest_way_back_ms", serialize_with = "optional_millis")]
    pub slowest_way_back: Option<Duration>,
    /// Services that end on another strategy than their owner chose last.
    pub left_behind: usize,
    /// What the oracle found broken, each in a sentence; see `simulator/src/world/judge.rs`.
    pub violations: Vec<String>,
}

impl Automation {
    /// All, from the least to the most.
    pub const ALL: [Self; 3] = [Self::None, Self::ProofOfConcept, Self::SpotRecovery];

    /// As a person calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "no automation",
            Self::ProofOfConcept => "proof of concept",
            Self::SpotRecovery => "Spot Recovery",
        }
    }
}

/// Plays `scenario` with each automation, on a thread each, and compares.
///
/// # Errors
/// [`PatternError`] when an event pattern of the product is invalid.
pub fn compare(scenario: &Scenario) -> Result<Comparison, PatternError> {
    plays(scenario).map(|plays| Comparison::of(&plays))
}

/// Plays `scenario` with each of [`Automation::ALL`], in that order, on a thread each.
///
/// # Errors
/// [`PatternError`] when an event pattern of the product is invalid.
pub fn plays(scenario: &Scenario) -> Result<[(Automation, Play); 3], PatternError> {
    let [none, proof_of_concept, ours] = std::thread::scope(|threads| {
        let plays = Automation::ALL
            .map(|automation| (automation, threads.spawn(move || play_with(scenario.clone(), automation))));
        plays.map(|(automation, play)| {
            play.join().expect("a world that panics has said why").map(|play| (automation, play))
        })
    });
    Ok([none?, proof_of_concept?, ours?])
}

impl Comparison {
    /// What `plays` of one scenario made of it.
    pub fn of(plays: &[(Automation, Play); 3]) -> Self {
        let (_, ours) = &plays[2];
        Self {
            title: ours.scenario.title.clone(),
            seed: ours.scenario.world.seed,
            duration: ours.scenario.duration,
            runs: plays.iter().map(|(automation, play)| Run::of(*automation, &play.outcome)).collect(),
            holds: ours.holds(),
        }
    }
}

/// Plays `scenario` with `automation`.
///
/// # Errors
/// [`PatternError`] when an event pattern of the product is invalid.
pub fn play_with(scenario: Scenario, automation: Automation) -> Result<Play, PatternError> {
    let handlers: Rc<dyn Handlers> = match automation {
        Automation::SpotRecovery => return play::play(scenario),
        Automation::ProofOfConcept => Rc::new(Naive::new(&scenario.world)),
        Automation::None => Rc::new(Nobody),
    };
    play::play_with(scenario, handlers)
}

impl Run {
    fn of(automation: Automation, outcome: &Outcome) -> Self {
        let journeys = Journeys::of(outcome);
        let left = |service: &&simulator::ServiceOutcome| service.active && service.live != service.original;
        Self {
            automation,
            figures: Figures::of(outcome, Prices::US_EAST_1),
            slowest_failover: journeys.slowest_failover(outcome),
            slowest_way_back: journeys.slowest_way_back(),
            left_behind: outcome.services.iter().filter(left).count(),
            violations: outcome.violations.clone(),
        }
    }
}

fn millis<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    (time.as_millis() as u64).serialize(serializer)
}

fn optional_millis<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_millis() as u64).serialize(serializer)
}
