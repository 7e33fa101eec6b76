//! On On-Demand: when the original is tried again. Calls `close.rs`, `origin.rs` and `step.rs`.

use std::sync::Arc;
use std::time::Duration;

use super::decision::Decision;
use super::step::{Step, on_hold};
use crate::held::HeldReason;
use crate::phase::Phase;
use crate::reason::Reason;
use crate::record::Change;
use crate::strategy::Strategy;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// No record is due again before this: a sweep never meets one twice.
const SOONEST: Duration = Duration::from_secs(1);

impl Step<'_> {
    pub(super) fn on_demand(mut self) -> Decision {
        let (Some(original), Some(change)) = (self.record.original.clone(), self.record.change.clone()) else {
            return self.adopt();
        };
        if !self.is_live(&change.to) {
            return self.fallback_replaced(original, &change);
        }
        if self.ctx.is_event() {
            return Decision::Leave(Reason::AlreadyOnDemand);
        }
        let due = self.record.restore_at.is_none_or(|at| self.ctx.now >= at);
        if self.seen.runs_fully_on(&change.to) {
            self.record.healthy_since = self.record.healthy_since.or(Some(self.ctx.now));
            return if due { self.restore(original) } else { self.wait_for_restore(Reason::NotDue) };
        }
        // A release of the owner's is under way: to restore now would stop it.
        if due && self.seen.is_deploying(self.ctx.now, self.ctx.policy.deployment_grace) {
            return self.postpone(Reason::Deploying);
        }
        if self.phase_age() < self.ctx.policy.restore_timeout {
            return self.postpone(Reason::NotDue);
        }
        self.fallback_fails(original, due)
    }

    /// Something else than the fallback is live.
    fn fallback_replaced(self, original: Strategy, change: &Change) -> Decision {
        if self.phase_age() < self.ctx.policy.settle {
            return self.postpone(Reason::Settling);
        }
        match &self.seen.strategy {
            Some(live) if *live == change.from && self.by_ecs() => self.failover_rolled_back(live, &original),
            Some(live) if live.stands_in_for(&original) && self.by_ecs() => self.probe_came_back(live, original),
            _ => self.adopt(),
        }
    }

    /// ECS rolled the way back of a restore back, to the probe before it: nearly all of it runs on On-Demand.
    fn probe_came_back(&self, probe: &Strategy, original: Strategy) -> Decision {
        let mut step = self.clone();
        step.enter_on_demand();
        step.record.change = Some(Change { from: original, to: probe.clone() });
        step.write(Reason::RolledBack)
    }

    /// The fallback does not come up. Held is an alert, not an end: once the backoff allows, Spot is tried again, which
    /// can only be better (architecture.md rule 8).
    fn fallback_fails(self, original: Strategy, due: bool) -> Decision {
        if due {
            // ECS starts no more tasks of a deployment that it gave up: a restore, later, is another try.
            let long_due = |at| self.ctx.now.since(at) >= self.ctx.policy.held_interval;
            let another_try = self.seen.gave_up() && self.record.restore_at.is_none_or(long_due);
            if self.seen.application_fails() && !another_try {
                return self.hold(HeldReason::ApplicationFails);
            }
            return self.restore_in_need(original);
        }
        if self.seen.application_fails() {
            // A deployment that ECS gave up starts no more tasks until its owner deploys: somebody must be told.
            let given_up = self.seen.gave_up() && self.seen.is_short();
            if given_up { self.hold(HeldReason::ApplicationFails) } else { self.postpone(Reason::ApplicationFails) }
        } else if self.seen.lacks_capacity() {
            self.hold(HeldReason::OnDemandShort)
        } else {
            self.postpone(Reason::NotDue)
        }
    }

    /// A restore of a service whose fallback is short as well. Where it has to wait, a person is told.
    fn restore_in_need(self, original: Strategy) -> Decision {
        match self.clone().restore(original) {
            Decision::Write(next, Reason::DailyCap | Reason::MarketBusy) if self.seen.lacks_capacity() => {
                Step { record: Arc::unwrap_or_clone(next), ..self }.hold(HeldReason::OnDemandShort)
            }
            decision => decision,
        }
    }

    /// A circuit breaker or an alarm brought back what was live before (aws-facts.md §1.6). Doing the same again at once would
    /// end the same way, so unless the service is well where it is, a person is told and it is tried again slowly.
    fn failover_rolled_back(mut self, live: &Strategy, original: &Strategy) -> Decision {
        if live == original {
            if !self.seen.is_short() {
                // What ECS rolls back was never complete, so there is nothing of ours that it could go back to later
                // (aws-facts.md §1.6). From now on the fallback, too, is its owner's choice.
                if self.seen.is_rollback(self.record.phase_since) == Some(true) {
                    self.record.original = None;
                }
                return self.close(Reason::RolledBack);
            }
            // In the order of items that is live now, which may be an owner's new one.
            self.record.original = Some(live.clone());
        }
        self.record.phase = Phase::FailingOver;
        self.record.confirmed = false;
        self.record.failed_restores = self.record.failed_restores.saturating_add(1);
        self.record = on_hold(self.record, HeldReason::RolledBack, self.ctx);
        let delay = self.record.restore_delay(self.ctx.policy).max(self.ctx.policy.held_interval);
        self.record.next_check_at = self.ctx.now + delay;
        self.write(Reason::Held(HeldReason::RolledBack))
    }

    /// Same phase, looked at again when the restore is due, and as often as any service before that.
    fn wait_for_restore(mut self, reason: Reason) -> Decision {
        let look = self.ctx.now + self.ctx.policy.watch_interval;
        self.record.next_check_at = self.record.restore_at.map_or(look, |at| at.clamp(self.ctx.now + SOONEST, look));
        self.write(reason)
    }

    /// The restore is due: begins it, if the day's restores and the market allow.
    fn restore(mut self, original: Strategy) -> Decision {
        if let Some(why) = self.hands_off(&Reason::RestoreDue) {
            return self.wait(why);
        }
        let (now, policy) = (self.ctx.now, self.ctx.policy);
        self.record.restores.retain(|at| now.since(*at) < DAY);
        let cap_reached = self.record.restores.len() >= policy.restores_per_day as usize;
        if cap_reached && let Some(oldest) = self.record.restores.first() {
            self.record.restore_at = Some(*oldest + DAY);
            return self.wait_for_restore(Reason::DailyCap);
        }
        // A service that wants no task asks nothing of the market, and proves nothing.
        let market = self.ctx.market.filter(|_| self.seen.desired > 0);
        let admitted = market.map_or(now, |market| market.admits(&self.record, policy, now));
        if admitted > now {
            self.record.restore_at = Some(admitted);
            return self.wait_for_restore(Reason::MarketBusy);
        }
        self.record.restores.push(now);
        self.record.healthy_tasks = self.seen.desired;
        let change = self.record.change.as_ref();
        let from = change.map_or_else(|| original.fallback(), |change| change.to.clone());
        let probe = self.wants_probe(&original, &from);
        self.record.probe_rolled_back = false;
        let to = if probe { original.probe() } else { original };
        self.claim(Phase::Restoring, Change { from, to }, Reason::RestoreDue)
    }

    /// Whether one task is tried on Spot before the others. With minimumHealthyPercent under 100, ECS stops On-Demand tasks before
    /// Spot ones run.
    fn wants_probe(&self, original: &Strategy, from: &Strategy) -> bool {
        // A probe wants all other tasks on On-Demand: where that is short, it could not hold however much Spot there is.
        let came_up = self.record.healthy_since.is_some();
        // If ECS rolled the last one back, it failed on what it had on On-Demand, or Spot fails without a word.
        let rolled_back = self.record.probe_rolled_back;
        self.ctx.policy.probe_restores
            && came_up
            && !rolled_back
            && self.seen.stoppable() > 1
            && *from != original.probe()
    }
}
