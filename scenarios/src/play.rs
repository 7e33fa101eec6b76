//! Plays a scenario on the embedded simulator.

use std::rc::Rc;

use simulator::facts::Facts;
use simulator::pattern::PatternError;
#[cfg(feature = "sdk")]
use simulator::sdk::{CallLimits, SdkHandlers};
use simulator::{Handlers, Outcome, ProductionHandlers, Simulation};

use crate::file::Scenario;
use crate::verdict::{self, FEW, Verdict};

/// A scenario that has been played.
#[derive(Debug)]
pub struct Play {
    /// What was played.
    pub scenario: Scenario,
    /// What happened.
    pub outcome: Outcome,
    /// Each expectation with what was found, in the file's order; of many services those that are alike in one.
    pub verdicts: Vec<Verdict>,
}

impl Play {
    /// Whether every expectation holds and the oracle found nothing.
    pub fn holds(&self) -> bool {
        self.outcome.violations.is_empty() && self.verdicts.iter().all(|v| v.holds)
    }
}

/// Plays `scenario`.
///
/// # Errors
/// [`PatternError`] when an event pattern of the product is invalid.
pub fn play(scenario: Scenario) -> Result<Play, PatternError> {
    play_with(scenario, Rc::new(ProductionHandlers))
}

/// Plays `scenario` with handlers that call the simulator through production's adapters and the AWS SDK, within `limits`.
///
/// # Errors
/// [`PatternError`] when an event pattern of the product is invalid.
#[cfg(feature = "sdk")]
pub fn play_via_sdk(scenario: Scenario, limits: CallLimits) -> Result<Play, PatternError> {
    let handlers = Rc::new(SdkHandlers::new(&scenario.world, limits));
    play_with(scenario, handlers)
}

/// Plays `scenario` with `handlers` in the place of the product's.
///
/// # Errors
/// [`PatternError`] when an event pattern of the product is invalid.
pub fn play_with(scenario: Scenario, handlers: Rc<dyn Handlers>) -> Result<Play, PatternError> {
    let mut simulation = Simulation::with_handlers(scenario.world.clone(), facts(&scenario), handlers)?;
    simulation.advance(scenario.duration);
    Ok(judged(scenario, simulation.finish()))
}

/// Details are for digging in a small world; of a fleet they would be most of the memory.
pub(crate) fn facts(scenario: &Scenario) -> Facts {
    Facts { trace_details: scenario.world.services.len() <= FEW, ..scenario.facts.clone() }
}

/// Holds what `scenario` expects against what happened, wherever it was played.
pub fn judged(scenario: Scenario, outcome: Outcome) -> Play {
    let verdicts = verdict::judge_all(&scenario.expectations, &outcome);
    Play { scenario, outcome, verdicts }
}
