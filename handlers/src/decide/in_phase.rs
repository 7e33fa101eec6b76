//! From a phase to its file, for a service that is not held, or not any more. Calls the files of the phases, `close.rs` and `step.rs`.

use super::decision::Decision;
use super::step::Step;
use crate::phase::Phase;

impl Step<'_> {
    pub(super) fn in_phase(self) -> Decision {
        let changes = matches!(self.record.phase, Phase::FailingOver | Phase::OnDemand | Phase::Restoring);
        if changes && let Some(reason) = self.seen.undeployable() {
            return self.hold(reason);
        }
        match self.record.phase {
            Phase::Watching => self.watching(),
            Phase::FailingOver => self.failing_over(),
            Phase::OnDemand => self.on_demand(),
            Phase::Restoring => self.restoring(),
            // A held record that does not say from which phase it goes on: somebody edited it.
            Phase::Held => self.adopt(),
        }
    }
}
