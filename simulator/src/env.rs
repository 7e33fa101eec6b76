//! What a step of any part of the world may use besides that part's own state.

use std::time::{Duration, SystemTime};

use handlers::service::ServiceId;
use handlers::timestamp::Timestamp;

use crate::chance::AllDice;
use crate::engine::clock::elapsed;
use crate::engine::dial::Dial;
use crate::facts::Facts;
use crate::ids::{NameKey, Names};
use crate::observers::Observers;
use crate::observers::trace::{Entry, Happening};
use crate::spec::WorldSpec;

pub(crate) struct Env<'w> {
    pub(crate) now: Timestamp,
    /// Which time callers are shown for it.
    pub(crate) dial: Dial,
    pub(crate) facts: &'w Facts,
    pub(crate) spec: &'w WorldSpec,
    pub(crate) dice: &'w mut AllDice,
    pub(crate) names: &'w mut Names,
    pub(crate) seen: &'w mut Observers,
}

impl Env<'_> {
    /// Tells the observers what happened.
    pub(crate) fn record(&mut self, service: Option<NameKey>, what: Happening) {
        self.seen.oracle.saw(self.now, service, &what, &self.spec.synthetic_from);
        self.seen.happenings += 1;
        if what.is_detail() && !self.facts.trace_details {
            return;
        }
        let service = service.map(|name| self.names.shared(name));
        self.seen.trace.push(Entry { at: elapsed(self.now), service, what });
    }

    pub(crate) fn record_named(&mut self, service: &ServiceId, what: Happening) {
        let name = self.names.number(service);
        self.record(Some(name), what);
    }

    /// Now, as it is shown, for what formats system times.
    pub(crate) fn wall_clock(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.dial.shown(self.now).as_millis())
    }
}
