//! Restoring: the original, or one task of it as a probe, is claimed or on probation. A restore is a probation, not a
//! call (architecture.md rule 4). Calls `on_demand.rs`, `close.rs`, `origin.rs` and `step.rs`.

use super::decision::{Decision, Trigger};
use super::step::Step;
use crate::event::Signal;
use crate::held::HeldReason;
use crate::phase::Phase;
use crate::policy::InterruptionPolicy;
use crate::reason::Reason;
use crate::record::Change;
use crate::strategy::Strategy;

/// A restore ends after so many times the time that it should take at most (architecture.md rule 12): tasks may come and go for ever.
const LONGEST_RESTORE: u32 = 4;

impl Step<'_> {
    pub(super) fn restoring(mut self) -> Decision {
        let (Some(original), Some(change)) = (self.record.original.clone(), self.record.change.clone()) else {
            return self.adopt();
        };
        if self.is_live(&change.to) {
            if self.may_be_stale() {
                return self.settle();
            }
            if self.hands_off(&Reason::OwnerChanged).is_none()
                && let Some(owners) = self.overtaken(&change)
            {
                self.record.previous = self.record.original.replace(owners.clone());
                let change = Change { from: change.to, to: owners };
                return self.claim(Phase::Restoring, change, Reason::OwnerChanged);
            }
            return self.on_probation(&original, change);
        }
        if self.is_live(&change.from) && !self.record.confirmed && !self.was_made_and_replaced(&change) {
            return if self.is_claimed_by_us() { self.apply(change) } else { self.restore_not_begun(original, change) };
        }
        if self.phase_age() < self.ctx.policy.settle {
            return self.postpone(Reason::Settling);
        }
        self.restore_replaced(&original, change)
    }

    /// A restore that was claimed and not carried out, maybe hours ago: decided anew, by the market, the day's restores and what
    /// the service is like now.
    fn restore_not_begun(mut self, original: Strategy, change: Change) -> Decision {
        if !change.from.uses_spot() {
            self.record.restores.pop();
            self.record.phase = Phase::OnDemand;
            self.record.confirmed = true;
            self.record.lease = None;
            self.record.restore_at = Some(self.record.phase_since);
            self.record.change = Some(Change { from: original, to: change.from });
            return self.on_demand();
        }
        if change.from == original.probe() {
            self.record.confirmed = true;
            let change = Change { from: original.fallback(), to: change.from };
            self.record.change = Some(change.clone());
            return self.on_probation(&original, change);
        }
        // In the place of a strategy of ours that an owner had changed just before.
        self.apply(change)
    }

    /// Something else than the restored strategy is live.
    fn restore_replaced(mut self, original: &Strategy, change: Change) -> Decision {
        if !self.by_ecs() {
            return self.adopt();
        }
        let fallback = original.fallback();
        if self.is_live(&fallback) {
            // A circuit breaker brought the previous strategy back: a failed restore, and ECS did our work (aws-facts.md §1.6).
            self.record.failed_restores = self.record.failed_restores.saturating_add(1);
            self.record.probe_rolled_back = change.to == original.probe();
            self.enter_on_demand();
            self.record.change = Some(Change { from: change.to, to: fallback });
            return self.write(Reason::RolledBack);
        }
        if self.is_live(&change.from) {
            return self.fall_back(original, Reason::RolledBack);
        }
        self.adopt()
    }

    /// The restored strategy, `change.to`, is live: it must hold for a while.
    fn on_probation(self, original: &Strategy, change: Change) -> Decision {
        let probes = change.to != *original;
        // Of a probe everything is shown before the next step.
        let up = if probes { self.seen.runs_fully_on(&change.to) } else { self.seen.holds_on(&change.to) };
        let late = self.is_late(&change);
        if let Some(reason) = self.lost_on_probation(up, late) {
            return self.fall_back(original, reason);
        }
        if !up && late {
            // The application fails, and would on the fallback.
            return self.hold(HeldReason::ApplicationFails);
        }
        if up && probes {
            if let Some(why) = self.hands_off(&Reason::ProbeHolds) {
                return self.wait(why);
            }
            let change = Change { from: change.to, to: original.clone() };
            return self.claim(Phase::Restoring, change, Reason::ProbeHolds);
        }
        self.go_on_with_probation(up)
    }

    /// The restore has not failed: it goes on, or is complete.
    fn go_on_with_probation(mut self, up: bool) -> Decision {
        let now = self.ctx.now;
        let (confirmed, before) = (self.record.confirmed, self.record.healthy_since);
        self.record.confirmed = true;
        self.record.lease = None;
        self.record.healthy_since = up.then(|| before.unwrap_or(now));
        if up {
            self.record.healthy_tasks = self.seen.running;
        }
        self.record.short_since = if up { None } else { self.record.short_since.or(Some(now)) };
        let passed = self.record.healthy_since.is_some_and(|since| now.since(since) >= self.ctx.policy.probation);
        if passed || (up && self.has_lasted()) {
            return self.close(Reason::Restored);
        }
        // An event that adds nothing costs no write.
        if confirmed && self.record.healthy_since == before && self.ctx.is_event() {
            return Decision::Leave(Reason::OnProbation);
        }
        self.postpone(Reason::OnProbation)
    }

    /// Why the restore has failed, if it has.
    fn lost_on_probation(&self, up: bool, late: bool) -> Option<Reason> {
        if let Some(reason) = self.told_of_loss(up) {
            return Some(reason);
        }
        // An application that fails is no loss of capacity, and the fallback would not help it (architecture.md rule 7), unless ECS has given
        // up to start it.
        let seen = self.seen;
        if up || (seen.application_fails() && !(late && seen.gave_up())) {
            None
        } else if self.record.healthy_since.is_some() && seen.is_short() && seen.running < self.record.healthy_tasks {
            Some(Reason::ShortOnProbation)
        } else if late {
            Some(Reason::RestoreTimedOut)
        } else {
            None
        }
    }

    /// The loss that the event tells of, if it is one for a restore.
    fn told_of_loss(&self, up: bool) -> Option<Reason> {
        let Trigger::Event(event) = self.ctx.trigger else { return None };
        if self.is_stale(event) {
            return None;
        }
        match event.signal {
            Signal::SpotPlacementFailure if !up => Some(Reason::SpotPlacementFailure),
            Signal::SyntheticPlacementFailure => Some(Reason::SyntheticPlacementFailure),
            Signal::Interruption if self.ctx.policy.interruption_policy == InterruptionPolicy::Immediate => {
                Some(Reason::Interruption)
            }
            _ => None,
        }
    }

    /// Whether a restore that is not up should be. One of which only the end of the tasks before is missing is slow, not late.
    fn is_late(&self, change: &Change) -> bool {
        // Up once, tasks that are missing now have been missing since now: an owner who scales out is not a restore that is late.
        let missing_since = match self.record.healthy_since {
            Some(_) => self.ctx.now,
            None => {
                // A claim that was taken over may have been made long before its deployment.
                let claimed = self.record.phase_since;
                let began = self.seen.primary().map_or(claimed, |primary| primary.created_at.max(claimed));
                self.record.short_since.unwrap_or(began)
            }
        };
        let timed_out = self.ctx.now.since(missing_since) >= self.ctx.policy.restore_timeout;
        (timed_out && !self.seen.only_drains(&change.to, self.record.healthy_tasks)) || self.has_lasted()
    }

    fn has_lasted(&self) -> bool {
        self.phase_age() >= (self.ctx.policy.restore_timeout + self.ctx.policy.probation) * LONGEST_RESTORE
    }

    /// A failed restore: back to the fallback at once, and the next try later than this one.
    fn fall_back(mut self, original: &Strategy, reason: Reason) -> Decision {
        let Some(from) = self.seen.strategy.clone() else { return self.adopt() };
        if let Some(why) = self.hands_off(&reason) {
            return self.wait(why);
        }
        self.record.failed_restores = self.record.failed_restores.saturating_add(1);
        self.claim(Phase::FailingOver, Change { from, to: original.fallback() }, reason)
    }
}
