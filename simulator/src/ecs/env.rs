//! What a step of ECS may use besides its own state.

use handlers::service::{AccountId, ServiceId};
use handlers::timestamp::Timestamp;
use serde::Serialize;

use crate::chance::AllDice;
use crate::ecs::action::Action;
use crate::ecs::events::Stamp;
use crate::engine::agenda::Agenda;
use crate::engine::dial::Dial;
use crate::env;
use crate::eventbridge::EventBridge;
use crate::facts::Facts;
use crate::ids::{NameKey, Names};
use crate::observers::Observers;
use crate::observers::trace::Happening;
use crate::pattern::Node;
use crate::spec::WorldSpec;

/// [`env::Env`], and in it what ECS plans and where its events go.
pub(crate) struct Env<'w> {
    pub(crate) now: Timestamp,
    pub(crate) dial: Dial,
    pub(crate) facts: &'w Facts,
    pub(crate) spec: &'w mut WorldSpec,
    pub(crate) dice: &'w mut AllDice,
    pub(crate) names: &'w mut Names,
    pub(crate) seen: &'w mut Observers,
    pub(crate) agenda: &'w mut Agenda<Action>,
    pub(crate) bus: &'w mut EventBridge,
}

impl Env<'_> {
    /// What EventBridge may use, and EventBridge.
    fn split(&mut self) -> (env::Env<'_>, &mut EventBridge) {
        let Self { now, dial, facts, spec, dice, names, seen, bus, .. } = self;
        (env::Env { now: *now, dial: *dial, facts, spec, dice, names, seen }, bus)
    }

    /// Tells the observers what happened.
    pub(crate) fn record(&mut self, service: Option<NameKey>, what: Happening) {
        self.split().0.record(service, what);
    }

    pub(crate) fn record_named(&mut self, service: &ServiceId, what: Happening) {
        self.split().0.record_named(service, what);
    }

    /// Id and time of an event that is put now.
    pub(crate) fn stamp(&mut self) -> Stamp {
        let (env, _) = self.split();
        let time = humantime::format_rfc3339_seconds(env.wall_clock()).to_string();
        Stamp { id: env.dice.bus.uuid(), time }
    }

    /// An event on the default bus of `account`.
    pub(crate) fn put_event(&mut self, account: &AccountId, event: &(impl Node + Serialize)) {
        let (mut env, bus) = self.split();
        bus.put(&mut env, account, event);
    }
}
