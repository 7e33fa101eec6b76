//! The world: all parts of the simulated AWS, and what happens next.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use handlers::decide::Reason;
use handlers::record::{Phase, Record};
use handlers::service::{AccountId, ServiceId};
use handlers::strategy::CapacityProvider;
use handlers::timestamp::Timestamp;
use handlers::transition::Transition;

use crate::agenda::{Action, Agenda, GENESIS, elapsed};
use crate::dial::Dial;
use crate::dice::Dice;
use crate::ecs::{Ecs, ServiceKey, UpdateService};
use crate::eventbridge::EventBridge;
use crate::facts::Facts;
use crate::lambda::{Functions, Invocation, Mapping, QUEUES};
use crate::ledger::Ledger;
use crate::limits::Buckets;
use crate::market::Markets;
use crate::names::{NameKey, Names};
use crate::oracle::Oracle;
use crate::pattern::PatternError;
use crate::shape::Shape;
use crate::spec::{Role, WorldEvent, WorldSpec};
use crate::sqs::Queue;
use crate::table::Table;
use crate::throttle::Application;
use crate::trace::{Caller, Entry, Happening};

/// One stream of chance per part.
#[derive(Debug)]
pub(crate) struct AllDice {
    pub(crate) ecs: Dice,
    pub(crate) bus: Dice,
    pub(crate) lambda: Dice,
    pub(crate) faults: Dice,
    /// Pauses of EventBridge.
    pub(crate) retries: Dice,
    /// What may go wrong with an invocation as a whole.
    pub(crate) starts: Dice,
    pub(crate) market: Dice,
    pub(crate) owners: Dice,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: Timestamp,
    /// Which time callers are shown for it.
    pub(crate) dial: Dial,
    pub(crate) spec: WorldSpec,
    pub(crate) facts: Facts,
    pub(crate) dice: AllDice,
    pub(crate) agenda: Agenda,
    pub(crate) names: Names,
    pub(crate) ecs: Ecs,
    /// Shapes of Spot markets, by number.
    pub(crate) shapes: BTreeMap<u64, Shape>,
    pub(crate) bus: EventBridge,
    pub(crate) queues: [Queue; 2],
    /// The event-source mapping of each queue.
    pub(crate) mappings: [Mapping; 2],
    pub(crate) functions: Functions,
    /// Invocations to be started by the driver.
    pub(crate) starting: Vec<Invocation>,
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
    pub(crate) oracle: Oracle,
    /// One per service, by [`crate::ecs::ServiceKey`].
    pub(crate) ledgers: Vec<Ledger>,
    pub(crate) trace: Vec<Entry>,
    /// Everything that happened, whether the trace kept it or not.
    pub(crate) happenings: u64,
    #[cfg(feature = "wire")]
    pub(crate) wire: crate::wire::State,
}

impl World {
    pub(crate) fn new(spec: WorldSpec, facts: Facts) -> Result<Self, PatternError> {
        Ok(Self::empty(spec, facts)?.populated())
    }

    /// The world without its services.
    pub(crate) fn empty(spec: WorldSpec, facts: Facts) -> Result<Self, PatternError> {
        let seed = spec.seed;
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
            agenda: Agenda::default(),
            names: Names::default(),
            ecs: Ecs::new(markets),
            shapes: BTreeMap::new(),
            bus: EventBridge::new(&spec)?,
            queues: QUEUES.map(|_| Queue::default()),
            mappings: QUEUES.map(|_| Mapping::default()),
            functions: Functions::default(),
            starting: Vec::new(),
            table: Table::default(),
            audits: Vec::new(),
            calls: 0,
            most_looks: 0,
            throttled: 0,
            buckets: Buckets::default(),
            roles: BTreeMap::new(),
            oracle: Oracle::default(),
            ledgers: Vec::new(),
            trace: Vec::new(),
            happenings: 0,
            #[cfg(feature = "wire")]
            wire: crate::wire::State::default(),
            facts,
            spec,
        })
    }

    /// The world with its services, and all that is going to happen to them.
    pub(crate) fn populated(mut self) -> Self {
        for service in self.spec.services.clone() {
            self.oracle.owner_chose(GENESIS, self.names.number(&service.id), &service.strategy, None);
            self.create_settled(&service);
            self.start_automation(&service);
        }
        for event in std::mem::take(&mut self.spec.events) {
            self.agenda.plan(GENESIS + event.at, Action::World(Box::new(event.event)));
        }
        self.agenda.plan(GENESIS + self.spec.restore_schedule, Action::RestoreTick);
        self
    }

    /// Does everything that is due now.
    pub(crate) fn advance(&mut self) {
        while let Some(action) = self.agenda.take_due(self.now) {
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::World(event) => self.happen(*event),
            Action::Task(service, task) => self.step_task(service, task),
            Action::Reclaim(service, task, how) => self.reclaim_task(service, task, how),
            Action::Market(shape) => self.step_shape(shape),
            Action::Autoscale(service) => self.autoscale(service),
            Action::Terraform(service) => self.apply_terraform(service),
            Action::Fail(service, task) => self.fail_task(service, task),
            Action::Schedule(service) => self.schedule(service),
            Action::CentralBus(event) => self.on_central_bus(&event),
            Action::Forward(account, event) => self.forward(&account, &event),
            Action::Reforward(forward) => self.reforward(*forward),
            Action::Deliver(delivery) => self.deliver(*delivery),
            Action::Poll(queue) => self.poll(queue),
            Action::Reappear(queue, receipt) => self.reappear(queue, receipt),
            Action::Expire(queue) => self.expire(queue),
            Action::Redrive(queue) => self.redrive_on(queue),
            Action::RestoreTick => self.restore_tick(),
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
            WorldEvent::Forwarding { accounts, forwarding } => self.set_forwarding(accounts, forwarding),
            WorldEvent::BusPolicy(policy) => self.set_bus_policy(policy),
            WorldEvent::Membership { accounts, member } => self.set_membership(accounts, member),
            WorldEvent::QueueAccess { queue, access } => self.set_queue_access(queue, access),
            WorldEvent::Redrive { queue } => self.redrive(queue),
            WorldEvent::Function { function, state } => self.set_function(function, state),
            WorldEvent::Alarm { service } => self.alarm(&service),
            WorldEvent::RollBack { service } => self.owner_rolls_back(&service),
            WorldEvent::OptOut { service, off } => self.owner_opts_out(&service, off),
            WorldEvent::Controller { service, controller } => self.owner_changes_controller(&service, controller),
            WorldEvent::Deploy { service } => self.owner_deploys(&service),
            WorldEvent::DeleteService { service } => self.owner_deletes(&service),
            WorldEvent::CreateService { service } => self.owner_creates(&service),
            WorldEvent::Application { service, fails } => {
                self.application_changes(&service, if fails { Application::FailsToStart } else { Application::Sound });
            }
            WorldEvent::CrashLoop { service, crashes } => {
                self.application_changes(&service, if crashes { Application::Crashes } else { Application::Sound });
            }
            WorldEvent::Protect { service, tasks, time } => self.owner_protects(&service, tasks, time),
            WorldEvent::SpotZone { accounts, zone, short, loss } => self.set_spot_zone(accounts, zone, short, loss),
            WorldEvent::RebalancingFailure { service } => {
                // A service that is short is not rebalanced.
                if let Some(key) = self.names.service(&service).filter(|key| !self.ecs.shown(*key).is_short()) {
                    self.rebalancing_failed(key, &CapacityProvider::FargateSpot);
                }
            }
            WorldEvent::Spot { accounts, capacity, loss } => self.set_spot(&accounts, capacity, loss),
            WorldEvent::SpotShape { accounts, shape } => self.begin_shape(accounts, shape),
            WorldEvent::SpotRebalance { accounts, tasks } => self.rebalance_spot(&accounts, tasks),
            WorldEvent::OnDemand { accounts, capacity } => self.set_on_demand(&accounts, capacity),
            WorldEvent::Interrupt { service, tasks } => {
                if let Some(key) = self.names.service(&service) {
                    self.interrupt(key, tasks);
                }
            }
            WorldEvent::PutEvents { from, source, detail_type, resources, detail } => {
                self.put_events(&from, &source, &detail_type, &resources, &detail);
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

    pub(crate) fn record(&mut self, service: Option<&ServiceId>, what: Happening) {
        let name = service.map(|id| self.names.number(id));
        self.record_by_name(name, what);
    }

    /// The same of a service of ECS, whose name need not be looked up for it.
    pub(crate) fn record_of(&mut self, key: ServiceKey, what: Happening) {
        self.record_by_name(Some(self.ecs.service(key).name), what);
    }

    fn record_by_name(&mut self, service: Option<NameKey>, what: Happening) {
        self.oracle.saw(self.now, service, &what, &self.spec.synthetic_from);
        self.happenings += 1;
        if what.is_detail() && !self.facts.trace_details {
            return;
        }
        let service = service.map(|name| self.names.shared(name));
        self.trace.push(Entry { at: elapsed(self.now), service, what });
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
        let ledger = &mut self.ledgers[key.0];
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
