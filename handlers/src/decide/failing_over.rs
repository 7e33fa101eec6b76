//! Failing over: a failover is claimed, and not yet confirmed. Calls `close.rs`, `origin.rs` and `step.rs`.

use std::time::Duration;

use super::decision::{Decision, Trigger};
use super::step::Step;
use crate::event::{SYNTHETIC_SOURCE, Signal};
use crate::policy::InterruptionPolicy;
use crate::reason::Reason;
use crate::record::Change;

impl Step<'_> {
    pub(super) fn failing_over(mut self) -> Decision {
        let (Some(_), Some(change)) = (&self.record.original, self.record.change.clone()) else { return self.adopt() };
        if self.is_live(&change.to) {
            if self.may_be_stale() {
                return self.settle();
            }
            if let Some(owners) = self.overtaken(&change) {
                self.record.previous = self.record.original.replace(owners);
            }
            self.enter_on_demand();
            return self.write(Reason::FallbackLive);
        }
        if self.is_live(&change.from) {
            if !self.is_claimed_by_us() && !self.is_still_needed(&change) {
                return self.close(Reason::NotNeeded);
            }
            return self.apply(change);
        }
        self.adopt()
    }

    /// Whether a failover that was claimed and not carried out is still wanted: its handler died or was throttled, or everything
    /// was paused, and that may be hours ago.
    fn is_still_needed(&self, change: &Change) -> bool {
        let policy = self.ctx.policy;
        // From anything but the original it is the way back of a restore.
        let goes_back = self.record.original.as_ref() != Some(&change.from);
        let just_claimed = self.phase_age() < policy.lease + policy.shortfall_grace;
        let missing = self.seen.is_short() && !self.seen.is_deploying(self.ctx.now, policy.deployment_grace);
        goes_back || just_claimed || missing || self.is_told_again() || self.is_fresh_drill()
    }

    /// Whether the event that brought us here asks for a failover that no shortfall need confirm.
    fn is_told_again(&self) -> bool {
        let Trigger::Event(event) = self.ctx.trigger else { return false };
        self.is_recent(self.ctx.now.since(event.at))
            && match event.signal {
                Signal::SyntheticPlacementFailure => true,
                Signal::Interruption => self.ctx.policy.interruption_policy == InterruptionPolicy::Immediate,
                _ => false,
            }
    }

    /// Whether a synthetic event began the episode, not long ago: it asks for a failover without a shortfall.
    fn is_fresh_drill(&self) -> bool {
        let synthetic = self.record.event.as_ref().is_some_and(|event| event["source"] == SYNTHETIC_SOURCE);
        synthetic && self.is_recent(self.phase_age())
    }

    fn is_recent(&self, age: Duration) -> bool {
        age < self.ctx.policy.event_max_age
    }
}
