//! What a scenario file means.

use std::time::Duration;

use handlers::service::ServiceId;
use handlers::strategy::Strategy;
use simulator::facts::Facts;
use simulator::spec::WorldSpec;

/// The Region of a file that names none.
pub(super) const DEFAULT_REGION: &str = "eu-west-1";
/// The account that runs the recovery, in a file that names none.
pub(super) const DEFAULT_CENTRAL: &str = "999999999999";

/// A world, what happens to it, and what must hold afterwards.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// One line for lists and reports.
    pub title: String,
    /// What the scenario shows and why; may be empty.
    pub about: String,
    /// How long the world runs.
    pub duration: Duration,
    /// The world and its events.
    pub world: WorldSpec,
    /// What AWS does of what it does not promise.
    pub facts: Facts,
    /// At least one: services in the order of the file, the checks of each in the order of [`Check`].
    pub expectations: Vec<Expectation>,
}

/// One check of one service.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// Which service.
    pub service: ServiceId,
    /// What must hold.
    pub check: Check,
}

/// What can be expected of a service.
#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    /// The fallback is live this soon after the capacity went.
    FailoverWithin(Duration),
    /// The original strategy is back this soon after the capacity returned.
    RestoredWithin(Duration),
    /// At least this share of the desired tasks ran, 0 to 1.
    MinAvailability(f64),
    /// The strategy the service ends with.
    FinalStrategy(FinalStrategy),
    /// Exactly this many failovers.
    Failovers(u32),
    /// At most this many deployments forced by the recovery.
    MaxDeploymentsForced(u32),
}

/// The strategy a service must end with.
#[derive(Debug, Clone, PartialEq)]
pub enum FinalStrategy {
    /// The owner's.
    Original,
    /// The On-Demand stand-in of the owner's.
    Fallback,
    /// This one.
    Exactly(Strategy),
}
