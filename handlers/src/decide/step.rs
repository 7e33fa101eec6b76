//! One step for one service, and the moves that all phases share: to write, to wait, to claim a change and apply it, to hold.
//! Calls no other file of `decide/` but `decision.rs`.

use std::sync::Arc;
use std::time::Duration;

use super::decision::{Context, Decision, Trigger};
use crate::event::Event;
use crate::held::HeldReason;
use crate::observation::Observation;
use crate::phase::Phase;
use crate::policy::Policy;
use crate::reason::Reason;
use crate::record::{Change, Held, Lease, Record};
use crate::strategy::Strategy;

/// Without access to a service, the next try comes after this part of the time since access was lost: a role that is missing for
/// seconds costs seconds, and one that is never created costs little.
const BLIND_PACE: u32 = 4;

/// What a step is decided from. Methods that take `self` end the step, and answer with the decision.
#[derive(Debug, Clone)]
pub(super) struct Step<'a> {
    /// The record as stored, and as this step has changed it so far.
    pub(super) record: Record,
    /// What ECS shows of the service.
    pub(super) seen: &'a Observation,
    pub(super) ctx: &'a Context<'a>,
}

/// Stores `record`. For a record without an observation; with one, [`Step::write`].
pub(super) fn write(mut record: Record, reason: Reason) -> Decision {
    record.reason = reason.text();
    Decision::Write(Arc::new(record), reason)
}

/// Holds the service: a person is needed. For a record without an observation; with one, [`Step::hold`].
pub(super) fn hold(record: Record, reason: HeldReason, ctx: &Context) -> Decision {
    let held_for_it = record.held.as_ref().is_some_and(|held| held.reason == reason);
    if held_for_it && (ctx.is_event() || ctx.now < record.next_check_at) {
        return Decision::Leave(Reason::Held(reason));
    }
    write(on_hold(record, reason.clone(), ctx), Reason::Held(reason))
}

/// `record`, held for `reason` until the next try. A record that is held already keeps the phase that it goes on from.
pub(super) fn on_hold(mut record: Record, reason: HeldReason, ctx: &Context) -> Record {
    let (resume, since, rolled_back) = record.held.map_or((record.phase, Some(record.phase_since), false), |held| {
        (held.resume, held.since, held.was_rolled_back())
    });
    if record.phase != Phase::Held {
        record.phase = Phase::Held;
        record.phase_since = ctx.now;
    }
    record.reason = reason.to_string().into();
    record.lease = None;
    let Policy { active_interval, held_interval, .. } = *ctx.policy;
    let wait = if reason.is_blindness() || reason == HeldReason::ApplicationFails {
        (ctx.now.since(record.phase_since) / BLIND_PACE).max(active_interval).min(held_interval)
    } else {
        held_interval
    };
    record.next_check_at = ctx.now + wait;
    // Where On-Demand is short too, Spot is tried as soon as it may be.
    if let Some(at) = record.restore_at.filter(|_| reason == HeldReason::OnDemandShort) {
        record.next_check_at = record.next_check_at.min(at.max(ctx.now + active_interval));
    }
    record.held = Some(Held { reason, resume, since, rolled_back });
    record
}

// ---- what is asked --------------------------------------------------------------------------------------------------

impl<'a> Step<'a> {
    /// Whether `strategy` is what the service has now.
    pub(super) fn is_live(&self, strategy: &Strategy) -> bool {
        self.seen.strategy.as_ref() == Some(strategy)
    }

    /// For how long the service has been in its phase.
    pub(super) fn phase_age(&self) -> Duration {
        self.ctx.now.since(self.record.phase_since)
    }

    /// Whether the claim of the record is ours, and still in force.
    pub(super) fn is_claimed_by_us(&self) -> bool {
        self.record.leased_by(self.ctx.owner, self.ctx.now)
    }

    /// Why nothing may be changed now, if so: what would have been done, and why.
    pub(super) fn hands_off(&self, reason: &Reason) -> Option<Reason> {
        if self.ctx.policy.paused {
            Some(Reason::Paused)
        } else if self.ctx.policy.dry_run {
            Some(Reason::DryRun(Box::new(reason.clone())))
        } else {
            None
        }
    }

    /// Whether an event is about the past. The service is looked at all the same.
    pub(super) fn is_stale(&self, event: &Event) -> bool {
        self.record.outdates(event, self.ctx.policy, self.ctx.now)
    }

    /// Whether a look that shows the change made may show a time before the claim, when the same strategy was live: its deployment
    /// is older than the claim, and ECS may still answer from then.
    pub(super) fn may_be_stale(&self) -> bool {
        !self.record.confirmed && self.may_be_from_before()
    }

    /// Whether a look may show the time before the phase: its deployment is older, and reads may be stale for a while.
    pub(super) fn may_be_from_before(&self) -> bool {
        self.seen.is_older_than(self.record.phase_since) && self.phase_age() < self.ctx.policy.settle
    }
}

// ---- what is done ---------------------------------------------------------------------------------------------------

impl Step<'_> {
    pub(super) fn write(self, reason: Reason) -> Decision {
        write(self.record, reason)
    }

    /// Same phase, looked at again soon.
    pub(super) fn postpone(mut self, reason: Reason) -> Decision {
        self.record.next_check_at = self.ctx.now + self.ctx.policy.active_interval;
        self.write(reason)
    }

    /// Same phase, nothing done: a due record waits for its next look, an event leaves it as it is.
    pub(super) fn wait(self, reason: Reason) -> Decision {
        match self.ctx.trigger {
            Trigger::Sweep => self.postpone(reason),
            Trigger::Event(_) => Decision::Leave(reason),
        }
    }

    /// Gives the claim back and looks again soon.
    pub(super) fn settle(mut self) -> Decision {
        self.record.lease = None;
        self.postpone(Reason::Settling)
    }

    pub(super) fn hold(self, reason: HeldReason) -> Decision {
        hold(self.record, reason, self.ctx)
    }

    /// Moves to `phase`, with nothing of the phase before left over.
    pub(super) fn enter(&mut self, phase: Phase) {
        self.record.phase = phase;
        self.record.phase_since = self.ctx.now;
        self.record.confirmed = false;
        self.record.short_since = None;
        self.record.healthy_since = None;
        self.record.restore_at = None;
        self.record.not_ours_until = None;
        self.record.pinned = None;
        self.record.lease = None;
        self.record.held = None;
    }

    /// On-Demand from now on, until the backoff is over.
    pub(super) fn enter_on_demand(&mut self) {
        self.enter(Phase::OnDemand);
        self.record.confirmed = true;
        self.record.restore_at = Some(self.ctx.now + self.record.restore_delay(self.ctx.policy));
        self.record.next_check_at = self.ctx.now + self.ctx.policy.active_interval;
    }

    /// The first step of every change to ECS. Callers have asked [`Step::hands_off`]; so that none can forget, it is asked again.
    pub(super) fn claim(mut self, phase: Phase, change: Change, reason: Reason) -> Decision {
        if let Some(why) = self.hands_off(&reason) {
            return Decision::Leave(why);
        }
        self.enter(phase);
        let mut record = self.record;
        record.change = Some(change);
        record.reason = reason.text();
        let until = self.ctx.now + self.ctx.policy.lease;
        record.lease = Some(Lease { owner: self.ctx.owner.to_owned(), until });
        record.next_check_at = until;
        Decision::Claim(Arc::new(record), reason)
    }

    /// The claimed change is still to be made: by whoever holds the claim.
    pub(super) fn apply(self, change: Change) -> Decision {
        if let Some(why) = self.hands_off(&Reason::TakenOver) {
            return self.wait(why);
        }
        if self.is_claimed_by_us() {
            return Decision::Update(Arc::new(self.record), change.to);
        }
        let (phase, since) = (self.record.phase, self.record.phase_since);
        let mut decision = self.claim(phase, change, Reason::TakenOver);
        if let Decision::Claim(next, _) = &mut decision {
            // The same claim goes on: what was done under it counts.
            Arc::make_mut(next).phase_since = since;
        }
        decision
    }
}
