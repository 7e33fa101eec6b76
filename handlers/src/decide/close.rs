//! The end of an episode: the service is its owner's again, because all went well or because someone else changed it. Calls
//! `watching.rs`, `origin.rs` and `step.rs`.

use super::decision::Decision;
use super::step::Step;
use crate::phase::Phase;
use crate::reason::Reason;
use crate::record::{Change, Record};
use crate::strategy::Strategy;

impl Step<'_> {
    /// Ends the episode: the service is its owner's again.
    pub(super) fn close(mut self, reason: Reason) -> Decision {
        self.end_episode(&reason, None);
        self.write(reason)
    }

    /// `pinned`: what the owner chose, if it looks like ours.
    fn end_episode(&mut self, reason: &Reason, pinned: Option<Strategy>) {
        self.enter(Phase::Watching);
        self.record.pinned = pinned;
        self.record.previous = self.record.original.take();
        // What is live as the owner opts the service out is known not to be chosen since.
        let known =
            self.record.previous.clone().zip(self.seen.strategy.clone()).filter(|_| *reason == Reason::OptedOut);
        self.record.change = known.map(|(from, to)| Change { from, to });
        self.record.event = None;
        // What ECS or we brought back may fail again as the same outage; what an owner chose begins anew.
        self.record.restored_at = match reason {
            Reason::Restored | Reason::RolledBack => Some(self.ctx.now),
            Reason::NotNeeded => self.record.restored_at,
            _ => None,
        };
        self.watch_again();
    }

    /// Someone else's strategy is live, or the record was edited by hand and lacks what it should hold: what is live stands, and
    /// our claim on the service ends (architecture.md rule 6).
    pub(super) fn adopt(mut self) -> Decision {
        if let Some(decision) = self.ours_came_back() {
            return decision;
        }
        let by_ecs = self.by_ecs();
        let rolled_back = by_ecs && self.seen.strategy == self.record.original;
        let reason = if rolled_back { Reason::RolledBack } else { Reason::OwnerChanged };
        // An owner who chose what we would: it stands for nothing else, but what was ours may still come back.
        let pinned = self.seen.strategy.clone().filter(|_| !by_ecs && self.looks_like_ours());
        if !self.seen.uses_spot() && !self.seen.may_be_rolled_back() {
            return Decision::Forget(reason);
        }
        let phase_since = self.record.phase_since;
        self.end_episode(&reason, pinned);
        // What the event says of the service as it is now is not lost over what happened to it before.
        let as_before = Record { phase_since, ..self.record.clone() };
        match (Step { record: as_before, ..self }).watching() {
            next @ Decision::Claim(..) => next,
            _ => self.write(reason),
        }
    }
}
