//! Writes to the state table, and what follows from them for the ledgers and the oracle.

use std::borrow::Cow;
use std::sync::Arc;

use handlers::decide::Reason;
use handlers::record::{Phase, Record};
use handlers::service::ServiceId;
use handlers::transition::Transition;

use crate::observers::trace::Happening;
use crate::world::World;

impl World {
    /// The record of a service, if there is one.
    pub(crate) fn stored(&self, id: &ServiceId) -> Option<&Arc<Record>> {
        self.table.get(self.names.find(id)?)
    }

    /// A conditional write of a record, seen by the oracle and the books.
    pub(crate) fn put_record(&mut self, written: &Arc<Record>, replaces: u64) -> Result<(), Option<Arc<Record>>> {
        let shown_at = self.shown_by_index();
        let name = self.names.number(&written.service);
        // Names that are one and the same text are compared without being read, and every later record has the names of the first.
        let first = (replaces == 0).then(|| {
            let service = ServiceId::clone(&self.names.shared(name));
            Arc::new(Record { service, ..Record::clone(written) })
        });
        let written = first.as_ref().unwrap_or(written);
        let before = self.table.put(name, written, replaces, shown_at)?;
        // Without a lag the index has it at once: then what was replaced goes while it is at hand, and not at the next sweep.
        self.table.catch_up(self.now);
        self.judge_record(before.as_deref(), written);
        if written.is_transition_from(before.as_deref()) {
            self.note_phase(&written.service, before.map(|r| r.phase), Some(written.phase), written.reason.clone());
        }
        Ok(())
    }

    /// A conditional delete of a record.
    pub(crate) fn delete_record(&mut self, record: &Record) -> Result<(), Option<Arc<Record>>> {
        let shown_at = self.shown_by_index();
        self.table.delete(self.names.number(&record.service), record, shown_at)?;
        self.note_phase(&record.service, Some(record.phase), None, record.reason.clone());
        Ok(())
    }

    pub(crate) fn note_phase(
        &mut self,
        service: &ServiceId,
        from: Option<Phase>,
        to: Option<Phase>,
        reason: Cow<'static, str>,
    ) {
        let restored = reason == Reason::Restored.text();
        let (rolled_back, not_needed) = (reason == Reason::RolledBack.text(), reason == Reason::NotNeeded.text());
        let losses = [Reason::SpotPlacementFailure, Reason::SyntheticPlacementFailure, Reason::Interruption];
        let lost = losses.iter().any(|loss| reason == loss.text());
        self.record(Some(service), Happening::Phase { from, to, reason });
        let Some(key) = self.names.service(service) else { return };
        let spot_back_at = self.ecs.markets.get(&service.account).and_then(|m| m.spot_back_at);
        let ledger = &mut self.seen.ledgers[key.0];
        match (from, to) {
            // From On-Demand: the owner ended the episode, and the same look began the next.
            (None | Some(Phase::Watching | Phase::OnDemand), Some(Phase::FailingOver)) => {
                ledger.taken_away();
                ledger.episode_begins(self.now);
                self.judge_cause(key);
            }
            // Nobody could look when the loss came.
            (Some(Phase::Held), Some(Phase::FailingOver)) if !ledger.has_open_episode() => {
                ledger.episode_begins(self.now);
                if lost {
                    self.judge_cause(key);
                }
            }
            (Some(Phase::FailingOver | Phase::Held), Some(Phase::Watching)) if not_needed => ledger.called_off(),
            (Some(Phase::Restoring), Some(Phase::FailingOver)) => ledger.restore_failed(),
            // Otherwise it was claimed and never made.
            (Some(Phase::Restoring), Some(Phase::OnDemand)) if rolled_back => ledger.restore_failed(),
            (Some(Phase::Held), Some(Phase::Watching)) if restored => {
                ledger.restored(self.now, spot_back_at);
                self.judge_success(key);
            }
            (Some(Phase::Restoring), Some(Phase::Watching)) => {
                ledger.restored(self.now, spot_back_at);
                if restored {
                    self.judge_success(key);
                }
            }
            (_, Some(Phase::OnDemand)) => ledger.failed_over(self.now),
            (Some(_), Some(Phase::Watching) | None) => ledger.taken_away(),
            _ => {}
        }
    }

    /// An audit event reaches the central bus.
    pub(crate) fn audit(&mut self, transition: &Transition) {
        self.audits.push(transition.clone());
        self.record(None, Happening::Audited);
    }
}
