//! The world: all parts of the simulated AWS, and what happens next.

use std::collections::BTreeMap;

use handlers::record::{Phase, Record};
use handlers::service::{AccountId, ServiceId};
use handlers::strategy::Strategy;
use handlers::timestamp::Timestamp;
use handlers::transition::Transition;

use crate::chance::AllDice;
use crate::dynamodb::Table;
use crate::ecs::Ecs;
use crate::ecs::api::{ApiError, UpdateService, Updated};
use crate::ecs::audience::Audience;
use crate::ecs::env::Env;
use crate::ecs::limits::Buckets;
use crate::ecs::market::Markets;
use crate::engine::agenda::{Agenda, Due, Sequence};
use crate::engine::clock::GENESIS;
use crate::engine::dial::Dial;
use crate::eventbridge::{Delivered, EventBridge};
use crate::facts::Facts;
use crate::ids::{Names, ServiceKey};
use crate::lambda::Lambda;
use crate::observers::Observers;
use crate::observers::trace::{Caller, Happening};
use crate::pattern::PatternError;
use crate::spec::{Role, WorldEvent, WorldSpec};
use crate::workload::Workload;
use crate::{ecs, env, lambda};

mod faults;
mod judge;
mod records;
mod script;

/// Whose turn it is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Turn {
    Script,
    Ecs,
    EventBridge,
    Lambda,
    Workload,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: Timestamp,
    /// Which time callers are shown for it.
    pub(crate) dial: Dial,
    pub(crate) spec: WorldSpec,
    pub(crate) facts: Facts,
    pub(crate) dice: AllDice,
    pub(crate) agenda: Agenda<ecs::action::Action>,
    pub(crate) workload: Workload,
    script: Agenda<Box<WorldEvent>>,
    pub(crate) names: Names,
    pub(crate) ecs: Ecs,
    pub(crate) bus: EventBridge,
    pub(crate) lambda: Lambda,
    pub(crate) table: Table,
    pub(crate) audits: Vec<Transition>,
    /// Calls made by handlers so far.
    pub(crate) calls: u64,
    /// Most often that one invocation has looked at one service.
    pub(crate) most_looks: u32,
    /// Calls that ECS throttled.
    pub(crate) throttled: u64,
    /// `DescribeServices` that it answered.
    pub(crate) described: u64,
    pub(crate) buckets: Buckets,
    pub(crate) roles: BTreeMap<AccountId, Role>,
    pub(crate) seen: Observers,
}

impl World {
    pub(crate) fn new(spec: WorldSpec, facts: Facts) -> Result<Self, PatternError> {
        Ok(Self::empty(spec, facts)?.populated())
    }

    /// The world without its services.
    pub(crate) fn empty(spec: WorldSpec, facts: Facts) -> Result<Self, PatternError> {
        let sequence = Sequence::default();
        let bus = EventBridge::new(&spec, &sequence)?;
        let markets = spec.accounts.iter().map(|account| (account.clone(), Markets::unlimited())).collect();
        Ok(Self {
            now: GENESIS,
            dial: Dial::default(),
            dice: AllDice::new(spec.seed),
            agenda: Agenda::new(&sequence),
            workload: Workload::new(&sequence),
            script: Agenda::new(&sequence),
            names: Names::default(),
            ecs: Ecs::new(markets, Audience::of(&bus)),
            bus,
            lambda: Lambda::new(&sequence),
            table: Table::default(),
            audits: Vec::new(),
            calls: 0,
            most_looks: 0,
            throttled: 0,
            described: 0,
            buckets: Buckets::default(),
            roles: BTreeMap::new(),
            seen: Observers::default(),
            facts,
            spec,
        })
    }

    /// The world with its services, and all that is going to happen to them.
    pub(crate) fn populated(mut self) -> Self {
        self.seen.oracle.pause(self.now, self.spec.policy.paused);
        for service in self.spec.services.clone() {
            self.on_ecs(|ecs, env| ecs.create_settled(env, &service));
            self.declare(&service.id, &service.strategy);
            let (_, mut env, workload) = self.workload();
            workload.start_automation(&mut env, &service);
        }
        for event in std::mem::take(&mut self.spec.events) {
            self.script.plan(GENESIS + event.at, Box::new(event.event));
        }
        self.lambda.agenda.plan(GENESIS + self.spec.restore_schedule, lambda::action::Action::RestoreTick);
        self
    }

    /// Whose turn is next, and when.
    #[inline]
    pub(crate) fn next(&self) -> (Due, Turn) {
        let mut next = (self.agenda.next(), Turn::Ecs);
        for (due, turn) in [
            (self.bus.agenda.next(), Turn::EventBridge),
            (self.lambda.agenda.next(), Turn::Lambda),
            (self.workload.agenda.next(), Turn::Workload),
            (self.script.next(), Turn::Script),
        ] {
            if due < next.0 {
                next = (due, turn);
            }
        }
        next
    }

    /// Does everything that is due now.
    pub(crate) fn advance(&mut self) {
        loop {
            let ((at, _), turn) = self.next();
            if at > self.now {
                break;
            }
            self.take_turn(turn);
        }
    }

    pub(crate) fn take_turn(&mut self, turn: Turn) {
        match turn {
            Turn::Script => {
                if let Some(event) = self.script.take() {
                    self.happen(*event);
                }
            }
            Turn::Ecs => {
                if let Some(action) = self.agenda.take() {
                    self.on_ecs(|ecs, env| ecs.step(env, action));
                }
            }
            Turn::EventBridge => {
                let (bus, mut env) = self.bus();
                if let Some(Delivered { queue, body }) = bus.step(&mut env) {
                    let (lambda, mut env) = self.lambda();
                    lambda.enqueue(&mut env, queue, body);
                }
            }
            Turn::Lambda => {
                let (lambda, mut env) = self.lambda();
                lambda.step(&mut env);
            }
            Turn::Workload => {
                let (ecs, mut env, workload) = self.workload();
                if let Some((caller, updated)) = workload.step(ecs, &mut env) {
                    self.note_update(caller, updated);
                }
            }
        }
    }

    /// What a step of any part may use.
    pub(crate) fn env(&mut self) -> env::Env<'_> {
        self.lambda().1
    }

    /// ECS, and what a step of it may use.
    fn ecs(&mut self) -> (&mut Ecs, Env<'_>) {
        let (ecs, env, _) = self.workload();
        (ecs, env)
    }

    /// EventBridge, and what a step of it may use.
    fn bus(&mut self) -> (&mut EventBridge, env::Env<'_>) {
        let Self { now, dial, facts, spec, dice, names, seen, bus, .. } = self;
        (bus, env::Env { now: *now, dial: *dial, facts, spec, dice, names, seen })
    }

    fn on_bus<T>(&mut self, act: impl FnOnce(&mut EventBridge, &mut env::Env<'_>) -> T) -> T {
        let (bus, mut env) = self.bus();
        act(bus, &mut env)
    }

    /// Lambda, and what a step of it may use.
    pub(crate) fn lambda(&mut self) -> (&mut Lambda, env::Env<'_>) {
        let Self { now, dial, facts, spec, dice, names, seen, lambda, .. } = self;
        (lambda, env::Env { now: *now, dial: *dial, facts, spec, dice, names, seen })
    }

    /// ECS, what a step of it may use, and what acts on it from outside.
    fn workload(&mut self) -> (&mut Ecs, Env<'_>, &mut Workload) {
        let Self { now, dial, facts, spec, dice, agenda, names, bus, seen, ecs, workload, .. } = self;
        (ecs, Env { now: *now, dial: *dial, facts, spec, dice, agenda, names, bus, seen }, workload)
    }

    /// Something is done to ECS.
    pub(crate) fn on_ecs<T>(&mut self, act: impl FnOnce(&mut Ecs, &mut Env<'_>) -> T) -> T {
        let (ecs, mut env) = self.ecs();
        act(ecs, &mut env)
    }

    /// The owner of a service that is new wants this of it.
    fn declare(&mut self, id: &ServiceId, strategy: &Strategy) {
        let name = self.names.number(id);
        self.seen.oracle.owner_chose(self.now, name, strategy, false);
        if let Some(key) = self.names.service(id) {
            self.workload.declare(key, strategy);
        }
    }

    pub(crate) fn record(&mut self, service: Option<&ServiceId>, what: Happening) {
        let mut env = self.env();
        match service {
            Some(id) => env.record_named(id, what),
            None => env.record(None, what),
        }
    }

    pub(crate) fn update_service(
        &mut self,
        caller: Caller,
        id: &ServiceId,
        update: &UpdateService,
    ) -> Result<(), ApiError> {
        let (ecs, mut env) = self.ecs();
        let updated = ecs.update_service(&mut env, caller, id, update)?;
        self.note_update(caller, updated);
        Ok(())
    }

    /// What follows from an update that was accepted.
    fn note_update(&mut self, caller: Caller, updated: Updated) {
        let Updated { key, changed, deployment, like_a_rollback } = updated;
        match (caller, changed, deployment) {
            (Caller::Owner, Some(strategy), _) => self.owner_chose(key, &strategy, like_a_rollback),
            (Caller::Recovery, changed, Some(deployment)) => {
                self.judge_forced_deployment(key, changed.as_ref(), deployment);
            }
            _ => {}
        }
    }

    /// The oracle is told, with what the recovery says of the service at that moment.
    fn owner_chose(&mut self, key: ServiceKey, strategy: &Strategy, like_a_rollback: bool) {
        let name = self.ecs.service(key).name;
        let blind = self.role_refuses(&self.ecs.service(key).id.account, "ecs:DescribeServices").is_some();
        let like_ours = self.table.get(name).is_some_and(|record| may_be_ours(record, strategy, blind));
        self.seen.oracle.owner_chose(self.now, name, strategy, like_ours);
        self.workload.declare(key, strategy);
        if like_a_rollback {
            self.seen.oracle.rolled_back(self.now, name);
        }
    }

    #[cfg(feature = "wire")]
    pub(crate) fn create_new(&mut self, spec: crate::spec::ServiceSpec) -> ServiceKey {
        let (id, strategy) = (spec.id.clone(), spec.strategy.clone());
        self.record(Some(&id), Happening::Owner { what: "creates the service" });
        let (ecs, mut env) = self.ecs();
        let key = ecs.create_new(&mut env, spec);
        self.declare(&id, &strategy);
        key
    }
}

/// Whether the recovery, whose record this is, must take `strategy` for its own. `blind`: nobody can look at the moment.
fn may_be_ours(record: &Record, strategy: &Strategy, blind: bool) -> bool {
    let unseen = match record.phase {
        Phase::FailingOver | Phase::OnDemand | Phase::Restoring => true,
        // While a service on our strategy is held nobody may look, or look again: what happens in between goes unseen.
        Phase::Held => record.held.as_ref().is_some_and(|held| match held.resume {
            Phase::OnDemand | Phase::Restoring => true,
            Phase::FailingOver => blind || held.reason.is_blindness(),
            Phase::Watching | Phase::Held => false,
        }),
        Phase::Watching => false,
    };
    // Of a change that nobody has seen made, both sides are: what is live may be from before it.
    let change = record.change.as_ref().filter(|_| unseen);
    change.is_some_and(|change| change.to == *strategy || (!record.confirmed && change.from == *strategy))
}
