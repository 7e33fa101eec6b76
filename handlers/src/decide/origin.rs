//! Who set the live strategy: we did, ECS did by a rollback, or the owner did. Calls `step.rs`.

use super::decision::Decision;
use super::step::Step;
use crate::phase::Phase;
use crate::reason::Reason;
use crate::record::Change;
use crate::strategy::Strategy;

impl Step<'_> {
    /// Whether ECS, and not the owner, put what is live in the place of our last change. Where nothing shown tells, the record does.
    pub(super) fn by_ecs(&self) -> bool {
        let record = &self.record;
        self.seen.is_rollback(record.phase_since).unwrap_or_else(|| match &record.held {
            // Before the first failover of an outage nothing of ours was live that ECS could go back to.
            _ if self.is_first_failover() && !self.change_is_live() => false,
            // ECS rolled this failover back. If the fallback is live again without a sign of another rollback, the owner chose it.
            // A failover that ECS refused is not taken for the owner's choice without a sign.
            Some(held) if record.phase == Phase::Held => !held.was_rolled_back(),
            // ECS rolls back only what is not complete: one that we saw complete was replaced by the owner (aws-facts.md §1.6).
            _ => record.healthy_since.is_none(),
        })
    }

    /// Whether the phase, or the one that a held service goes on from, is the first failover of an outage: no restore came before it.
    fn is_first_failover(&self) -> bool {
        let record = &self.record;
        let phase = record.held.as_ref().map_or(record.phase, |held| held.resume);
        phase == Phase::FailingOver && record.failed_restores == 0
    }

    /// A strategy of ours is live although the episode is closed, or has become that of another original: ECS rolled back, past a
    /// restore or past an owner's own change. The service is on On-Demand again and must not be taken for one whose owner wants no
    /// Spot.
    pub(super) fn ours_came_back(&self) -> Option<Decision> {
        if !self.stands_for_previous() {
            return None;
        }
        let (previous, live) = (self.record.previous.clone()?, self.seen.strategy.clone()?);
        // What closed the episode is newer than this look.
        let is_watched = self.record.phase == Phase::Watching;
        let was_left = is_watched && self.change_is_live();
        if is_watched && !was_left && self.may_be_from_before() {
            return Some(self.clone().wait(Reason::Settling));
        }
        let mut step = self.clone();
        step.enter_on_demand();
        step.record.original = step.record.original.or(Some(previous.clone()));
        step.record.change = Some(Change { from: previous, to: live });
        Some(step.write(if was_left { Reason::OptedIn } else { Reason::RolledBack }))
    }

    /// Whether what is live would stand for the original, if it is ours.
    pub(super) fn looks_like_ours(&self) -> bool {
        self.looks_like(self.record.original.as_ref())
    }

    /// The same for the previous original. What its owner pinned stands for itself.
    pub(super) fn may_be_previous(&self) -> bool {
        self.looks_like(self.record.previous.as_ref()) && self.record.pinned != self.seen.strategy
    }

    fn looks_like(&self, original: Option<&Strategy>) -> bool {
        original.zip(self.seen.strategy.as_ref()).is_some_and(|(original, live)| live.stands_in_for(original))
    }

    /// What the live strategy stands for, if it is one of ours: the original of the episode or the one before.
    pub(super) fn stands_for(&self) -> Option<Strategy> {
        let record = &self.record;
        let original = record.original.as_ref().filter(|_| self.looks_like_ours() && self.is_ours());
        let previous = record.previous.as_ref().filter(|_| self.stands_for_previous());
        original.or(previous).cloned()
    }

    /// Whether the live strategy came by the change of the phase, is what that change has not replaced yet, or came by a rollback.
    fn is_ours(&self) -> bool {
        self.record.change.as_ref().is_some_and(|change| {
            let not_made = !self.record.confirmed && self.is_live(&change.from) && !self.was_made_and_replaced(change);
            self.is_live(&change.to) || not_made || self.by_ecs()
        })
    }

    /// Whether a change that nobody could confirm was made, and what is live came after it. Within one lease that may be an update of
    /// our own, from before the claim, that came late.
    pub(super) fn was_made_and_replaced(&self, change: &Change) -> bool {
        let claimed = self.record.phase_since;
        self.seen.came_after(claimed + self.ctx.policy.lease) && self.seen.lists(&change.to, claimed)
    }

    /// Whether what is live is what the record's change made. While watching, that is what we left live as the owner opted the service
    /// out.
    fn change_is_live(&self) -> bool {
        self.record.change.as_ref().is_some_and(|change| self.is_live(&change.to))
    }

    /// Whether what is live stands for the previous original. An owner may choose the same as we do: then it stands for itself.
    fn stands_for_previous(&self) -> bool {
        if !self.may_be_previous() {
            return false;
        }
        let (seen, began) = (self.seen, self.record.phase_since);
        let since = self.record.not_ours_until.map_or(began, |until| until.max(began));
        let chosen_since = if self.change_is_live() && self.record.not_ours_until.is_none() {
            // It was so as the episode was closed: whoever chose it since, chose something else in between, which no look showed.
            seen.came_after(since) && seen.lists_another_strategy()
        } else {
            !seen.was_live_before(since)
        };
        !(chosen_since && seen.is_rollback(since) == Some(false))
    }

    /// Whether a look does not show the change of the phase, and may be from before it. A held service may wait for a change that was
    /// never made.
    pub(super) fn shows_before_the_phase(&self) -> bool {
        let changed = self.record.phase != Phase::Held && self.record.change.is_some();
        changed && !self.change_is_live() && self.may_be_from_before()
    }

    /// Whether the previous original still matters.
    pub(super) fn ours_may_come_back(&self) -> bool {
        if self.may_be_previous() {
            return self.stands_for_previous();
        }
        self.record.previous.is_some() && self.seen.may_be_rolled_back()
    }

    /// What an owner chose so shortly before our change that no look showed it: reads may be stale. The answer to our change
    /// lists the deployment it replaced, and that is the truth. So the owner's choice is not lost, it is what will be restored.
    pub(super) fn overtaken(&self, change: &Change) -> Option<Strategy> {
        if self.record.confirmed {
            return None;
        }
        let replaced = self.seen.replaced()?.strategy.as_ref()?;
        let original = self.record.original.as_ref()?;
        // A fallback is its own: any is ours, also one that came too late for a service that was created anew meanwhile.
        let known = [&change.from, &change.to, original, &original.fallback(), &original.probe(), &replaced.fallback()];
        (!known.contains(&replaced)).then(|| replaced.clone())
    }
}
