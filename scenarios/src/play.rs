//! Plays a scenario on the embedded simulator.

use simulator::facts::Facts;
use simulator::pattern::PatternError;
use simulator::{Outcome, run};

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
    // Details are for digging in a small world; of a fleet they would be most of the memory.
    let trace_details = scenario.world.services.len() <= FEW;
    let outcome = run(scenario.world.clone(), Facts { trace_details, ..scenario.facts.clone() }, scenario.duration)?;
    let verdicts = verdict::judge_all(&scenario.expectations, &outcome);
    Ok(Play { scenario, outcome, verdicts })
}
