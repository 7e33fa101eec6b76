//! Watching: whether a loss of Spot capacity begins an episode. Calls `origin.rs` and `step.rs`.

use std::sync::Arc;

use super::decision::{Decision, Trigger};
use super::step::Step;
use crate::event::{Event, Signal};
use crate::phase::Phase;
use crate::policy::InterruptionPolicy;
use crate::reason::Reason;
use crate::record::Change;
use crate::timestamp::Timestamp;

impl Step<'_> {
    pub(super) fn watching(self) -> Decision {
        if self.seen.opted_out {
            return Decision::Leave(Reason::OptedOut);
        }
        if let Some(decision) = self.ours_came_back() {
            return decision;
        }
        if !self.seen.uses_spot() {
            return match self.record.version {
                0 => Decision::Leave(Reason::NoSpot),
                _ if self.ours_may_come_back() => self.keep_watching(Reason::NoSpot),
                _ => Decision::Forget(Reason::NoSpot),
            };
        }
        if let Some(reason) = self.seen.unsupported() {
            return self.hold(reason);
        }
        match self.ctx.trigger {
            Trigger::Event(event) if self.is_stale(event) => self.keep_watching(Reason::Stale),
            Trigger::Event(event) => self.on_event(event),
            Trigger::Sweep => self.on_sweep(),
        }
    }

    /// Starts an episode if the event tells of a loss, and the service shows one.
    fn on_event(self, event: &Event) -> Decision {
        match event.signal {
            Signal::SyntheticPlacementFailure => self.start_episode(Reason::SyntheticPlacementFailure),
            Signal::SpotPlacementFailure if self.seen.lacks_capacity() && self.is_application_blamed() => {
                self.keep_watching(Reason::ApplicationFails)
            }
            Signal::SpotPlacementFailure if self.seen.lacks_capacity() => {
                self.start_episode(Reason::SpotPlacementFailure)
            }
            Signal::SpotPlacementFailure if self.seen.is_short() => self.keep_watching(Reason::Replacing),
            Signal::SpotPlacementFailure => self.keep_watching(Reason::AtFullCount),
            Signal::Interruption if self.ctx.policy.interruption_policy == InterruptionPolicy::Immediate => {
                self.start_episode(Reason::Interruption)
            }
            _ => self.keep_watching(Reason::Healthy),
        }
    }

    /// Starts an episode if tasks have been missing for longer than the grace time, and nothing else explains it.
    fn on_sweep(self) -> Decision {
        let lasts =
            self.record.short_since.is_some_and(|since| self.ctx.now.since(since) >= self.ctx.policy.shortfall_grace);
        if !lasts || !self.seen.lacks_capacity() {
            self.keep_watching(Reason::Healthy)
        } else if self.is_application_blamed() {
            self.keep_watching(Reason::ApplicationFails)
        } else if self.seen.is_deploying(self.ctx.now, self.ctx.policy.deployment_grace) {
            self.keep_watching(Reason::Deploying)
        } else {
            self.start_episode(Reason::SilentLoss)
        }
    }

    /// Whether ECS blames the application for the missing tasks, so that On-Demand would not help. If ECS gave the deployment up and
    /// does not say why, Spot may have been short: then On-Demand is tried, because ECS itself starts no more tasks.
    pub(super) fn is_application_blamed(&self) -> bool {
        self.seen.blames_application() == Some(true)
    }

    /// Goes on watching. Writes only what changed: an event that adds nothing costs no write.
    pub(super) fn keep_watching(mut self, reason: Reason) -> Decision {
        let first = self.record.version == 0;
        let reason = match reason {
            _ if first => Reason::FirstSeen,
            Reason::Healthy if self.seen.lacks_capacity() => Reason::Short,
            Reason::Healthy if self.seen.is_short() => Reason::Replacing,
            reason => reason,
        };
        let due = !self.ctx.is_event() && self.ctx.now >= self.record.next_check_at;
        let (short_since, had_past) = (self.record.short_since, self.record.previous.is_some());
        let not_ours = self.record.not_ours_until;
        self.watch_again();
        // Not every event is worth a write.
        let later = |at: Timestamp| not_ours.is_none_or(|known| at >= known + self.ctx.policy.active_interval);
        let changed = self.record.short_since != short_since
            || self.record.previous.is_some() != had_past
            || self.record.not_ours_until.is_some_and(later);
        if due || first || changed { self.write(reason) } else { Decision::Leave(reason) }
    }

    /// Brings a watched record up to date, and plans the next look.
    pub(super) fn watch_again(&mut self) {
        let (seen, ctx) = (self.seen, self.ctx);
        self.record.service_created_at = Some(seen.created_at);
        if !self.ours_may_come_back() {
            self.record.previous = None;
            self.record.not_ours_until = None;
            self.record.pinned = None;
        } else if !self.may_be_previous() {
            // A look may be as old as `settle`, but not older than the deployment that it shows.
            let oldest = ctx.now - ctx.policy.settle;
            self.record.not_ours_until = Some(seen.primary().map_or(oldest, |primary| primary.created_at.max(oldest)));
        }
        self.record.short_since = seen.lacks_capacity().then(|| self.record.short_since.unwrap_or(ctx.now));
        let interval = if seen.is_short() { ctx.policy.active_interval } else { ctx.policy.watch_interval };
        self.record.next_check_at = ctx.now + interval;
    }

    /// Saves the original and claims the failover. Only called when the live strategy has Spot, so the fallback is never
    /// saved as the original (aws-facts.md §11.1).
    pub(super) fn start_episode(mut self, reason: Reason) -> Decision {
        let Some(original) = self.seen.strategy.clone() else { return Decision::Leave(Reason::NoSpot) };
        if let Some(why) = self.hands_off(&reason) {
            return self.keep_watching(why);
        }
        let record = &mut self.record;
        let same_outage = record.restored_at.is_some_and(|at| self.ctx.now.since(at) < self.ctx.policy.episode_memory);
        if same_outage {
            record.failed_restores = record.failed_restores.saturating_add(1);
        } else {
            record.episode = record.episode.saturating_add(1);
            record.failed_restores = 0;
        }
        record.service_created_at = Some(self.seen.created_at);
        if let Trigger::Event(event) = self.ctx.trigger {
            record.event = Some(Arc::new(event.value()));
        }
        let change = Change { to: original.fallback(), from: original.clone() };
        record.original = Some(original);
        record.previous = None;
        self.claim(Phase::FailingOver, change, reason)
    }
}
