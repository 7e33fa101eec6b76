//! What a step of ECS may use besides its own state.

use crate::chance::AllDice;
use crate::ecs::action::Action;
use crate::ecs::events::Stamp;
use crate::engine::agenda::Agenda;
use crate::engine::clock::elapsed;
use crate::engine::dial::Dial;
use crate::eventbridge;
use crate::eventbridge::EventBridge;
use crate::facts::Facts;
use crate::ids::{NameKey, Names};
use crate::observers::Observers;
use crate::observers::trace::{Entry, Happening};
use crate::pattern::Node;
use crate::spec::WorldSpec;
use handlers::service::{AccountId, ServiceId};
use handlers::timestamp::Timestamp;
use serde::Serialize;
use std::time::{Duration, SystemTime};

pub(crate) struct Env<'w> {
    pub(crate) now: Timestamp,
    pub(crate) dial: Dial,
    pub(crate) facts: &'w Facts,
    pub(crate) spec: &'w mut WorldSpec,
    pub(crate) dice: &'w mut AllDice,
    pub(crate) agenda: &'w mut Agenda<Action>,
    pub(crate) names: &'w mut Names,
    pub(crate) bus: &'w mut EventBridge,
    pub(crate) seen: &'w mut Observers,
}

impl Env<'_> {
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

    pub(crate) fn wall_clock(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.dial.shown(self.now).as_millis())
    }

    pub(crate) fn stamp(&mut self) -> Stamp {
        let time = humantime::format_rfc3339_seconds(self.wall_clock()).to_string();
        Stamp { id: self.dice.bus.uuid(), time }
    }

    /// An event on the default bus of `account`.
    pub(crate) fn put_event(&mut self, account: &AccountId, event: &(impl Node + Serialize)) {
        let Some(event) = self.bus.on_default_bus(account, event) else { return };
        let hops = self.dice.bus.within(self.facts.event_latency) + self.dice.bus.within(self.facts.event_latency);
        if self.dice.faults.chance(self.facts.lost_percent) {
            return;
        }
        let late = self.dice.faults.chance(self.facts.late_percent);
        let delay = if late { self.dice.faults.within(self.facts.late_by) } else { Duration::ZERO };
        self.bus
            .agenda
            .plan(self.now + hops + delay, eventbridge::action::Action::Forward(account.clone(), Box::new(event)));
    }
}
