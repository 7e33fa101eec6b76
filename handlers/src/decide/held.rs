//! Held: a person is needed, until the cause is gone. Calls `in_phase.rs`, `watching.rs`, `close.rs`, `origin.rs` and `step.rs`.

use std::sync::Arc;

use super::decision::Decision;
use super::step::{Step, on_hold};
use crate::held::HeldReason;
use crate::phase::Phase;
use crate::reason::Reason;
use crate::record::{Held, Record};

impl Step<'_> {
    /// Goes on from the phase before when the cause is gone: at any look where a look shows that, else at a slow pace.
    pub(super) fn held(self) -> Decision {
        let Some(held) = self.record.held.clone() else { return self.adopt() };
        if self.owner_chose_since(&held) {
            return self.adopt();
        }
        if self.is_early() && !held.reason.shows_in_a_look() {
            return Decision::Leave(Reason::Held(held.reason));
        }
        if self.failover_is_needless(&held) {
            return self.close(Reason::Cured);
        }
        let resumed = self.resumed(&held);
        if held.resume == Phase::Watching && resumed.was_told_of_loss() {
            return resumed.start_episode(Reason::SpotPlacementFailure);
        }
        let decision = resumed.clone().in_phase();
        self.judge(held, resumed, decision)
    }

    /// Whether it is too early for a new try: only a sweep makes one, and only when the record is due.
    fn is_early(&self) -> bool {
        self.ctx.is_event() || self.ctx.now < self.record.next_check_at
    }

    /// Whether the owner has chosen what is live since ECS refused, or rolled back, the failover that the service is held for.
    pub(super) fn owner_chose_since(&self, held: &Held) -> bool {
        let Some(change) = self.record.change.as_ref().filter(|_| held.resume == Phase::FailingOver) else {
            return false;
        };
        let changed = if held.was_rolled_back() {
            !self.is_live(&change.from)
        } else {
            self.is_live(&change.to) && !held.reason.shows_in_a_look()
        };
        changed && !self.seen.is_older_than(self.record.phase_since) && !self.by_ecs()
    }

    /// Whether a failover that could not be made is not needed any more.
    fn failover_is_needless(&self, held: &Held) -> bool {
        held.resume == Phase::FailingOver && self.seen.strategy == self.record.original && !self.seen.is_short()
    }

    /// The same step in the phase that `held` goes on from.
    pub(super) fn resumed(&self, held: &Held) -> Self {
        let phase_since = held.since.unwrap_or(self.record.phase_since);
        Self { record: Record { phase: held.resume, phase_since, held: None, ..self.record.clone() }, ..*self }
    }

    /// Whether an event told of a loss while nobody could look, and the tasks are still missing.
    fn was_told_of_loss(&self) -> bool {
        self.record.event.is_some()
            && self.seen.unsupported().is_none()
            && self.seen.uses_spot()
            && self.seen.lacks_capacity()
            && !self.is_application_blamed()
    }

    /// Whether the look shows that the cause is still there, although the phase before could go on.
    fn persists(&self, reason: &HeldReason) -> bool {
        match reason {
            // On-Demand that is still short is not cured by waiting for the next restore.
            HeldReason::OnDemandShort => self.seen.is_short(),
            HeldReason::ApplicationFails => self.seen.application_fails(),
            _ => false,
        }
    }

    /// What becomes of a held record, from what the phase before, `resumed`, would do: `decision`.
    fn judge(self, held: Held, resumed: Self, decision: Decision) -> Decision {
        let (early, persists) = (self.is_early(), self.persists(&held.reason));
        let rolled_back = held.was_rolled_back();
        match decision {
            Decision::Write(next, reason) if next.phase == Phase::Held => {
                if early && reason == Reason::Held(held.reason) {
                    return Decision::Leave(reason);
                }
                let mut record = Record { phase_since: self.record.phase_since, ..Arc::unwrap_or_clone(next) };
                record.held.iter_mut().for_each(|now| now.rolled_back = rolled_back);
                Step { record, ..self }.write(reason)
            }
            Decision::Write(..) | Decision::Leave(_) if persists && early => Decision::Leave(Reason::Held(held.reason)),
            Decision::Write(next, _) if persists && next.phase == held.resume => {
                self.stay_held(held.reason, Arc::unwrap_or_clone(next))
            }
            // Still in the phase it resumed: the cause is cured, and that is the news.
            Decision::Write(next, _) if next.phase == held.resume => {
                let record = Record { phase_since: self.ctx.now, ..Arc::unwrap_or_clone(next) };
                Step { record, ..self }.write(Reason::Cured)
            }
            Decision::Leave(_) => {
                let record = Record { phase_since: self.ctx.now, ..resumed.record };
                Step { record, ..self }.postpone(Reason::Cured)
            }
            other => other,
        }
    }

    /// Held for the same reason, with what the phase before has found out: `next`.
    fn stay_held(self, reason: HeldReason, next: Record) -> Decision {
        let record = Record { phase: Phase::Held, held: self.record.held.clone(), ..next };
        let record = on_hold(record, reason.clone(), self.ctx);
        Step { record, ..self }.write(Reason::Held(reason))
    }
}
