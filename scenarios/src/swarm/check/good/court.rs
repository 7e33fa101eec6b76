//! The rules by name, their limits, and what they need of a world.

use std::time::Duration;

use handlers::policy::Policy;
use handlers::service::ServiceId;
use simulator::spec::{ServiceSpec, WorldSpec};

/// Every rule, in the order people read it.
pub const RULES: &[&str] = &[FAILOVER_BY_EVENT, FAILOVER_UNTOLD, RESTORE, VAIN, TRANSIENT, FALLBACK_SHORT];
/// From the first announced placement failure on Spot to the fallback.
pub const FAILOVER_BY_EVENT: &str = "failover by event";
/// The same where no event can have said so: a silent loss, or one that began while something was broken.
pub const FAILOVER_UNTOLD: &str = "failover without an event";
/// From when Spot could take a service back to its closed episode.
pub const RESTORE: &str = "restore";
/// Forced deployments of ours within a day that moved nothing.
pub const VAIN: &str = "deployments in vain";
/// In `FailingOver` or `Restoring`.
pub const TRANSIENT: &str = "on the way";
/// In `OnDemand` with tasks missing, and no person told.
pub const FALLBACK_SHORT: &str = "fallback short, nobody told";

/// The limits. A world may add to them what its policy and its services say; see the function beside each.
pub(super) mod limit {
    use std::time::Duration;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A failover that an event asked for, in an account with few services.
    pub(in super::super) const FAILOVER_BY_EVENT: Duration = seconds(120);
    /// And for each further service of the account. `UpdateService` has 5 a second for everybody; a storm of hundreds takes today
    /// about five times as long. To be lowered to 220 ms when storms are handled at 1.1 times the floor.
    pub(in super::super) const PER_NEIGHBOUR_IN_A_STORM: Duration = Duration::from_millis(1000);
    /// What a sweep and its calls take, and ECS until it shows what happened.
    pub(in super::super) const MARGIN: Duration = seconds(120);
    /// Most restores of each neighbour that may go first, or fail and close the market to everybody, while a service waits; as many as
    /// there really were count. To be lowered to 1 when a failed restore no longer closes the market to services that failed nothing.
    pub(in super::super) const TURNS_OF_A_NEIGHBOUR: usize = 16;
    /// From the start of a task until it is healthy.
    pub(in super::super) const TASK_UP: Duration = seconds(120);
    /// Deployments in vain within a day, for each restore that a day allows: itself, and the way back. Bounds that let nothing move
    /// cost as many today; to be lowered to 0 when that is seen before a deployment is forced.
    pub(in super::super) const VAIN_PER_RESTORE: u32 = 2;
    /// And beside restores: the failover, and one that something overtook.
    pub(in super::super) const VAIN: u32 = 4;
}

/// How near a rule came to its limit, at the worst of a world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Near {
    /// Which of [`RULES`].
    pub rule: &'static str,
    /// Milliseconds, or how often.
    pub value: u64,
    /// The most that is allowed.
    pub limit: u64,
    /// About whom, and since when.
    pub words: String,
}

impl Near {
    pub(super) fn time(rule: &'static str, value: Duration, limit: Duration, words: String) -> Self {
        Self { rule, value: value.as_millis() as u64, limit: limit.as_millis() as u64, words }
    }

    /// In hundredths of a percent of the limit.
    pub fn share(&self) -> u64 {
        self.value * 10_000 / self.limit.max(1)
    }

    /// Value or limit, in words.
    pub fn say(&self, number: u64) -> String {
        if self.rule == VAIN { number.to_string() } else { crate::verdict::seconds(Duration::from_millis(number)) }
    }

    /// What is wrong, if it is more than the limit.
    pub fn violation(&self) -> Option<String> {
        let Self { rule, value, limit, words } = self;
        (value > limit).then(|| format!("{words}: {rule} took {} of {}", self.say(*value), self.say(*limit)))
    }
}

/// What a rule needs of its world.
pub(super) struct Court<'a> {
    pub(super) world: &'a WorldSpec,
    pub(super) policy: &'a Policy,
    /// When each service began restores.
    pub(super) restores: Vec<(&'a ServiceId, Vec<Duration>)>,
}

impl Court<'_> {
    /// Services of the same account, without this one.
    pub(super) fn neighbours(&self, spec: &ServiceSpec) -> u32 {
        let theirs = self.world.services.iter().filter(|other| other.id.account == spec.id.account);
        theirs.count() as u32 - 1
    }

    /// Restores of these neighbours between two times, no more of each than may hold up others.
    pub(super) fn turns(&self, spec: &ServiceSpec, from: Duration, to: Duration) -> u32 {
        let theirs = self.restores.iter().filter(|(id, _)| id.account == spec.id.account && **id != spec.id);
        let turns = theirs.map(|(_, restores)| {
            // One that was under way at the beginning counts too.
            let longest = self.policy.restore_timeout + self.policy.restore_after;
            let within = restores.iter().filter(|at| from <= **at + longest && **at <= to).count();
            within.min(limit::TURNS_OF_A_NEIGHBOUR)
        });
        turns.sum::<usize>() as u32
    }
}
