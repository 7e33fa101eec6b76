//! The world: all parts of the simulated AWS, and what happens next.

use crate::chance::AllDice;
use crate::dynamodb::Table;
use crate::ecs::Ecs;
use crate::ecs::action::Reclaim;
use crate::ecs::api::{ApiError, UpdateService, Updated};
use crate::ecs::audience::Audience;
use crate::ecs::env::Env;
use crate::ecs::limits::Buckets;
use crate::ecs::market::Markets;
use crate::ecs::service::Application;
use crate::engine::agenda::{Agenda, Due, Sequence};
use crate::engine::clock::GENESIS;
use crate::engine::dial::Dial;
use crate::engine::dice::Dice;
use crate::eventbridge::{Delivered, EventBridge};
use crate::facts::Facts;
use crate::ids::Names;
use crate::ids::{ServiceKey, TaskKey};
use crate::lambda::Lambda;
use crate::observers::Observers;
use crate::observers::trace::{Caller, Happening};
use crate::pattern::PatternError;
use crate::spec::{Role, WorldEvent, WorldSpec};
use crate::workload::{Workload, owner};
use crate::{ecs, lambda};
use handlers::decide::Reason;
use handlers::event::SYNTHETIC_SOURCE;
use handlers::record::{Phase, Record};
use handlers::service::{AccountId, ServiceId};
use handlers::strategy::{CapacityProvider, Strategy};
use handlers::timestamp::Timestamp;
use handlers::transition::Transition;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

mod faults;
mod judge;

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
        let seed = spec.seed;
        let sequence = Sequence::default();
        let bus = EventBridge::new(&spec, &sequence)?;
        let markets = spec.accounts.iter().map(|account| (account.clone(), Markets::unlimited())).collect();
        Ok(Self {
            now: GENESIS,
            dial: Dial::default(),
            dice: AllDice {
                ecs: Dice::new(seed, 0),
                bus: Dice::new(seed, 1),
                lambda: Dice::new(seed, 2),
                faults: Dice::new(seed, 3),
                retries: Dice::new(seed, 4),
                starts: Dice::new(seed, 5),
                market: Dice::new(seed, 6),
                owners: Dice::new(seed, 7),
            },
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
            buckets: Buckets::default(),
            roles: BTreeMap::new(),
            seen: Observers::default(),
            facts,
            spec,
        })
    }

    /// The world with its services, and all that is going to happen to them.
    pub(crate) fn populated(mut self) -> Self {
        for service in self.spec.services.clone() {
            self.create_settled(&service);
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
            Turn::Ecs => match self.agenda.take() {
                Some(ecs::action::Action::Task(service, task)) => self.step_task(service, task),
                Some(ecs::action::Action::Reclaim(service, task, how)) => self.reclaim_task(service, task, how),
                Some(ecs::action::Action::Fail(service, task)) => self.fail_task(service, task),
                Some(ecs::action::Action::Schedule(service)) => self.schedule(service),
                None => {}
            },
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

    pub(crate) fn happen(&mut self, event: WorldEvent) {
        match event {
            WorldEvent::Role { accounts, role } => {
                self.roles.extend(accounts.iter().map(|account| (account.clone(), role)));
                self.record(None, Happening::RoleChanged { accounts, role });
            }
            WorldEvent::Pause { paused } => {
                self.spec.policy.paused = paused;
                self.record(None, Happening::Paused { paused });
            }
            WorldEvent::Calm => {
                self.facts.calm();
                self.record(None, Happening::Calm);
            }
            WorldEvent::Forwarding { accounts, forwarding } => {
                self.on_bus(|bus, env| bus.set_forwarding(env, accounts, forwarding))
            }
            WorldEvent::BusPolicy(policy) => self.on_bus(|bus, env| bus.set_bus_policy(env, policy)),
            WorldEvent::Membership { accounts, member } => {
                self.on_bus(|bus, env| bus.set_membership(env, accounts, member))
            }
            WorldEvent::QueueAccess { queue, access } => {
                self.on_bus(|bus, env| bus.set_queue_access(env, queue, access))
            }
            WorldEvent::Redrive { queue } => {
                let (lambda, mut env) = self.lambda();
                lambda.redrive(&mut env, queue);
            }
            WorldEvent::Function { function, state } => {
                let (lambda, mut env) = self.lambda();
                lambda.set_function(&mut env, function, state);
            }
            WorldEvent::Alarm { service } => self.alarm(&service),
            WorldEvent::RollBack { service } => self.by_owner(|ecs, env| owner::roll_back(ecs, env, &service)),
            WorldEvent::OptOut { service, off } => self.by_owner(|ecs, env| owner::opt_out(ecs, env, &service, off)),
            WorldEvent::Controller { service, controller } => {
                self.by_owner(|ecs, env| owner::change_controller(ecs, env, &service, controller));
            }
            WorldEvent::Deploy { service } => {
                if let Some(updated) = self.by_owner(|ecs, env| owner::deploy(ecs, env, &service)) {
                    self.note_update(Caller::Owner, updated);
                }
            }
            WorldEvent::DeleteService { service } => self.by_owner(|ecs, env| owner::delete(ecs, env, &service)),
            WorldEvent::CreateService { service } => {
                if let Some(strategy) = self.by_owner(|ecs, env| owner::create_anew(ecs, env, &service)) {
                    self.declare(&service, &strategy);
                }
            }
            WorldEvent::Application { service, fails } => {
                let application = if fails { Application::FailsToStart } else { Application::Sound };
                self.by_owner(|ecs, env| owner::change_application(ecs, env, &service, application));
            }
            WorldEvent::CrashLoop { service, crashes } => {
                let application = if crashes { Application::Crashes } else { Application::Sound };
                self.by_owner(|ecs, env| owner::change_application(ecs, env, &service, application));
            }
            WorldEvent::Protect { service, tasks, time } => {
                self.by_owner(|ecs, env| owner::protect(ecs, env, &service, tasks, time));
            }
            WorldEvent::SpotZone { accounts, zone, short, loss } => self.set_spot_zone(accounts, zone, short, loss),
            WorldEvent::RebalancingFailure { service } => {
                // A service that is short is not rebalanced.
                if let Some(key) = self.names.service(&service).filter(|key| !self.ecs.shown(*key).is_short()) {
                    self.rebalancing_failed(key, &CapacityProvider::FargateSpot);
                }
            }
            WorldEvent::Spot { accounts, capacity, loss } => self.set_spot(&accounts, capacity, loss),
            WorldEvent::SpotShape { accounts, shape } => {
                let (ecs, mut env, workload) = self.workload();
                workload.begin_shape(ecs, &mut env, accounts, shape);
            }
            WorldEvent::SpotRebalance { accounts, tasks } => self.rebalance_spot(&accounts, tasks),
            WorldEvent::OnDemand { accounts, capacity } => self.set_on_demand(&accounts, capacity),
            WorldEvent::Interrupt { service, tasks } => {
                if let Some(key) = self.names.service(&service) {
                    self.interrupt(key, tasks);
                }
            }
            WorldEvent::PutEvents { from, source, detail_type, resources, detail } => {
                let put =
                    self.on_bus(|bus, env| bus.put_events(env, &from, &source, &detail_type, &resources, &detail));
                if put && source == SYNTHETIC_SOURCE {
                    for (service, ledger) in self.ecs.services.iter().zip(&mut self.seen.ledgers) {
                        if resources.contains(&service.id.arn()) {
                            ledger.loss(self.now);
                        }
                    }
                }
            }
            WorldEvent::UpdateService { service, strategy, desired } => {
                let update = UpdateService {
                    force_new_deployment: strategy.is_some(),
                    strategy: strategy.map(Into::into),
                    desired,
                };
                // A refusal is in the trace; the owner of a scenario has no one else to tell.
                let _ = self.update_service(Caller::Owner, &service, &update);
            }
        }
    }

    /// ECS, and what a step of it may use.
    pub(crate) fn ecs(&mut self) -> (&mut Ecs, Env<'_>) {
        let Self { now, dial, facts, spec, dice, agenda, names, bus, seen, ecs, .. } = self;
        (ecs, Env { now: *now, dial: *dial, facts, spec, dice, agenda, names, bus, seen })
    }

    /// EventBridge, and what a step of it may use.
    fn bus(&mut self) -> (&mut EventBridge, crate::env::Env<'_>) {
        let Self { now, dial, facts, spec, dice, names, seen, bus, .. } = self;
        (bus, crate::env::Env { now: *now, dial: *dial, facts, spec, dice, names, seen })
    }

    fn on_bus<T>(&mut self, act: impl FnOnce(&mut EventBridge, &mut crate::env::Env<'_>) -> T) -> T {
        let (bus, mut env) = self.bus();
        act(bus, &mut env)
    }

    /// Lambda, and what a step of it may use.
    pub(crate) fn lambda(&mut self) -> (&mut Lambda, crate::env::Env<'_>) {
        let Self { now, dial, facts, spec, dice, names, seen, lambda, .. } = self;
        (lambda, crate::env::Env { now: *now, dial: *dial, facts, spec, dice, names, seen })
    }

    /// The same, and what acts on it from outside.
    fn workload(&mut self) -> (&mut Ecs, Env<'_>, &mut Workload) {
        let Self { now, dial, facts, spec, dice, agenda, names, bus, seen, ecs, workload, .. } = self;
        (ecs, Env { now: *now, dial: *dial, facts, spec, dice, agenda, names, bus, seen }, workload)
    }

    /// An owner does something to a service.
    fn by_owner<T>(&mut self, act: impl FnOnce(&mut Ecs, &mut Env<'_>) -> T) -> T {
        let (ecs, mut env) = self.ecs();
        act(ecs, &mut env)
    }

    /// The owner of a service that is new wants this of it.
    fn declare(&mut self, id: &ServiceId, strategy: &Strategy) {
        let name = self.names.number(id);
        self.seen.oracle.owner_chose(self.now, name, strategy, None);
        if let Some(key) = self.names.service(id) {
            self.workload.declare(key, strategy);
        }
    }

    pub(crate) fn record(&mut self, service: Option<&ServiceId>, what: Happening) {
        let (_, mut env) = self.ecs();
        match service {
            Some(id) => env.record_named(id, what),
            None => env.record(None, what),
        }
    }

    pub(crate) fn schedule(&mut self, key: ServiceKey) {
        let (ecs, mut env) = self.ecs();
        ecs.schedule(&mut env, key);
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
                self.judge_forced_deployment(key, changed.as_ref(), &deployment);
            }
            _ => {}
        }
    }

    /// The oracle is told, with what the recovery says of the service at that moment.
    fn owner_chose(&mut self, key: ServiceKey, strategy: &Strategy, like_a_rollback: bool) {
        let name = self.ecs.service(key).name;
        let moving = |phase| matches!(phase, Phase::FailingOver | Phase::OnDemand | Phase::Restoring);
        let record = self.table.get(name).filter(|record| moving(record.phase));
        let ours = record.and_then(|record| record.change.as_ref()).map(|change| &change.to);
        self.seen.oracle.owner_chose(self.now, name, strategy, ours);
        self.workload.declare(key, strategy);
        if like_a_rollback {
            self.seen.oracle.rolled_back(name);
        }
    }

    pub(crate) fn step_task(&mut self, service: ServiceKey, task: TaskKey) {
        let (ecs, mut env) = self.ecs();
        ecs.step_task(&mut env, service, task);
    }

    pub(crate) fn reclaim_task(&mut self, service: ServiceKey, task: TaskKey, how: Reclaim) {
        let (ecs, mut env) = self.ecs();
        ecs.reclaim_task(&mut env, service, task, how);
    }

    pub(crate) fn fail_task(&mut self, service: ServiceKey, task: TaskKey) {
        let (ecs, mut env) = self.ecs();
        ecs.fail_task(&mut env, service, task);
    }

    pub(crate) fn create_settled(&mut self, spec: &crate::spec::ServiceSpec) {
        let (ecs, mut env) = self.ecs();
        ecs.create_settled(&mut env, spec);
    }

    pub(crate) fn move_spot(
        &mut self,
        accounts: &[AccountId],
        capacity: crate::spec::Capacity,
        loss: crate::spec::Loss,
    ) {
        let (ecs, mut env) = self.ecs();
        ecs.move_spot(&mut env, accounts, capacity, loss);
    }

    pub(crate) fn set_on_demand(&mut self, accounts: &[AccountId], capacity: crate::spec::Capacity) {
        let (ecs, mut env) = self.ecs();
        ecs.set_on_demand(&mut env, accounts, capacity);
    }

    pub(crate) fn rebalance_spot(&mut self, accounts: &[AccountId], tasks: u32) {
        let (ecs, mut env) = self.ecs();
        ecs.rebalance_spot(&mut env, accounts, tasks);
    }

    pub(crate) fn interrupt(&mut self, service: ServiceKey, tasks: u32) {
        let (ecs, mut env) = self.ecs();
        ecs.interrupt(&mut env, service, tasks);
    }

    pub(crate) fn set_spot_zone(&mut self, accounts: Vec<AccountId>, zone: u8, short: bool, loss: crate::spec::Loss) {
        let (ecs, mut env) = self.ecs();
        ecs.set_spot_zone(&mut env, accounts, zone, short, loss);
    }

    pub(crate) fn rebalancing_failed(&mut self, service: ServiceKey, provider: &CapacityProvider) {
        let (ecs, mut env) = self.ecs();
        ecs.rebalancing_failed(&mut env, service, provider);
    }

    pub(crate) fn alarm(&mut self, id: &ServiceId) {
        let (ecs, mut env) = self.ecs();
        ecs.alarm(&mut env, id);
    }

    pub(crate) fn stop_task(&mut self, key: ServiceKey, task: TaskKey, stop: crate::ecs::task::Stop, drain: Duration) {
        let (ecs, mut env) = self.ecs();
        ecs.stop_task(&mut env, key, task, stop, drain);
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

    /// A change of the Spot market, which ends the shape it had.
    pub(crate) fn set_spot(
        &mut self,
        accounts: &[AccountId],
        capacity: crate::spec::Capacity,
        loss: crate::spec::Loss,
    ) {
        self.workload.end_shapes(accounts);
        self.move_spot(accounts, capacity, loss);
    }

    /// Now, as it is shown, for what formats system times.
    pub(crate) fn wall_clock(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.dial.shown(self.now).as_millis())
    }

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
