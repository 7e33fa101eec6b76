//! What can happen in the small world, and what must be true of it: the model that `stateright` explores.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;
use std::time::Duration;

use handlers::event::Signal;
use handlers::market::Market;
use handlers::policy::{InterruptionPolicy, Policy};
use handlers::record::Record;
use handlers::service::ServiceId;
use handlers::strategy::Strategy;
use stateright::{Model, Property};

use crate::calls::How;
use crate::handler::{Call, Handler, Why};
use crate::item::{Item, MarketItem, NOW, TICK};
use crate::reached::{Counts, Reached};
use crate::world::{Budget, Ecs, Live, Service, Wanted, World, created_at};

pub(crate) const PROMISES: &str = "no promise is broken";
pub(crate) const ONE_AT_A_TIME: &str = "no two handlers are about to update one service";
pub(crate) const COMES_TO_REST: &str = "once the world is quiet, every service comes to rest on what its owner wants";

/// The size and kind of a world.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) services: usize,
    /// How many may be in flight at once, one or two.
    pub(crate) handlers: usize,
    pub(crate) interruption_policy: InterruptionPolicy,
    /// `minimumHealthyPercent` 0: ECS stops the old tasks first, and restores are probed.
    pub(crate) stops_first: bool,
    /// Whether a market is kept.
    pub(crate) market: bool,
    /// Whether the world begins after an outage, every service on its fallback and its restore due.
    pub(crate) restore_due: bool,
    /// Whether events arrive; if not, the sweep finds every loss itself.
    pub(crate) events: bool,
    /// Whether a handler may be in flight while a minute passes.
    pub(crate) slow_handlers: bool,
    pub(crate) budget: Budget,
    pub(crate) flaw: Option<Flaw>,
    /// Whether handlers in flight are told apart by all that they were ever answered.
    pub(crate) exact: bool,
}

/// What is wrong with the ports of a world that must be found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    PutsAlwaysHold,
    DeletesAlwaysHold,
    TableLosesLeases,
    LooksStayStale,
    ClientSendsTwice,
    ReadsFallbackAsOriginal,
}

/// One atomic happening.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    Start {
        slot: usize,
        service: usize,
        why: Why,
    },
    Step {
        slot: usize,
        how: How,
    },
    Crash {
        slot: usize,
    },
    /// A request that was under way reaches ECS.
    Arrives {
        service: usize,
    },
    /// ECS starts the tasks that are missing and completes the deployment.
    Settles {
        service: usize,
    },
    SpotGoes,
    SpotReturns,
    Interrupted {
        service: usize,
    },
    OwnerSets {
        service: usize,
        to: Live,
    },
    /// The circuit breaker.
    RollsBack {
        service: usize,
    },
    Deleted {
        service: usize,
    },
    Created {
        service: usize,
        with: Live,
    },
    Pause,
    Resume,
    Tick,
}

/// The model.
pub(crate) struct SmallWorld {
    pub(crate) setup: Setup,
    pub(crate) ids: Vec<ServiceId>,
    pub(crate) strategies: Vec<Strategy>,
    pub(crate) reached: Counts,
    policies: [Policy; 2],
    /// Fingerprints of quiet worlds that are known to come to rest.
    pub(crate) resting: Mutex<BTreeSet<u64>>,
    /// Fingerprints of every world met with no handler in flight.
    pub(crate) calm: Mutex<BTreeSet<u64>>,
}

impl SmallWorld {
    pub(crate) fn new(setup: Setup) -> Self {
        let id = |n: usize| ServiceId {
            account: "111122223333".parse().unwrap(),
            region: "ap-south-1".parse().unwrap(),
            cluster: "shop".parse().unwrap(),
            service: ["checkout", "search"][n].parse().unwrap(),
        };
        let policy = Policy {
            interruption_policy: setup.interruption_policy,
            shortfall_grace: TICK,
            deployment_grace: TICK,
            event_max_age: TICK * 2,
            settle: TICK,
            restore_after: TICK * 2,
            // The backoff is constant and the cap out of reach, so that no counter matters.
            restore_backoff_factor: 1,
            restore_backoff_cap: TICK * 2,
            restore_jitter_percent: 0,
            restores_per_day: 100,
            restore_timeout: TICK * 2,
            probation: TICK,
            episode_memory: Duration::ZERO,
            watch_interval: TICK * 2,
            active_interval: TICK,
            held_interval: TICK * 2,
            lease: TICK * 2,
            ..Policy::default()
        };
        let paused = Policy { paused: true, ..policy.clone() };
        Self {
            setup,
            ids: (0..setup.services).map(id).collect(),
            strategies: Live::ALL.into_iter().map(Live::strategy).collect(),
            reached: Counts::new(),
            policies: [policy, paused],
            resting: Mutex::default(),
            calm: Mutex::default(),
        }
    }

    pub(crate) fn policy(&self, paused: bool) -> &Policy {
        &self.policies[usize::from(paused)]
    }

    /// Whether old news never goes away.
    pub(crate) fn stays_stale(&self) -> bool {
        self.setup.flaw == Some(Flaw::LooksStayStale)
    }

    /// Somebody else changes the service: whoever looked before has old news.
    fn outrun(&self, world: &mut World, service: usize, wanted: Wanted) {
        world.handlers_of(service).for_each(|handler| handler.outrun = true);
        let service = &mut world.services[service];
        if let Some(request) = &mut service.under_way {
            request.outrun = true;
        }
        service.wanted = wanted;
        service.made = false;
        service.stale = None;
    }

    pub(crate) fn apply(&self, world: &mut World, action: &Action) {
        let spot = world.spot;
        match *action {
            Action::Start { slot, service, why } => {
                let read = self.read(&world.services[service]);
                let exact = self.setup.exact || self.setup.market;
                world.handlers[slot] = Some(Handler::new(service, why, world.paused, exact, read));
            }
            Action::Step { slot, how } => {
                world.budget.faults -= u8::from(how != How::Well);
                self.step(world, slot, how);
            }
            Action::Crash { slot } => {
                world.budget.crashes -= 1;
                world.end(slot);
            }
            Action::Arrives { service } => {
                if let Some(request) = world.services[service].under_way.take() {
                    self.reached.count(Reached::ArrivedLate);
                    self.arrive(world, service, request);
                }
            }
            Action::Settles { service } => {
                let service = &mut world.services[service];
                service.wanted_before = service.wanted;
                if let Some(ecs) = &mut service.ecs {
                    (ecs.short, ecs.complete, ecs.before, ecs.replaced) = (false, true, ecs.live, None);
                }
            }
            Action::SpotGoes => {
                world.budget.outages -= 1;
                world.spot = false;
                for service in &mut world.services {
                    if let Some(ecs) = service.ecs.as_mut().filter(|ecs| ecs.live.uses_spot() && ecs.complete) {
                        ecs.short = true;
                    }
                    service.note_failure(false);
                }
            }
            Action::SpotReturns => world.spot = true,
            Action::Interrupted { service } => {
                world.budget.interruptions -= 1;
                world.services[service].interrupted_at = Some(NOW);
            }
            Action::OwnerSets { service, to } => {
                world.budget.owner_changes -= 1;
                self.outrun(world, service, Wanted::only(to));
                let service = &mut world.services[service];
                if let Some(ecs) = &mut service.ecs {
                    self.deploy(ecs, to);
                }
                service.note_failure(spot);
            }
            Action::RollsBack { service } => {
                world.budget.rollbacks -= 1;
                // The deployment that is rolled back may have been the owner's.
                let wanted = world.services[service].wanted.or(world.services[service].wanted_before);
                self.outrun(world, service, wanted);
                let service = &mut world.services[service];
                if let Some(ecs) = &mut service.ecs {
                    (ecs.live, ecs.complete, ecs.since, ecs.replaced) = (ecs.before, true, NOW, None);
                    ecs.short = ecs.live.uses_spot() && !spot;
                }
                service.note_failure(spot);
            }
            Action::Deleted { service } => {
                world.budget.recreations -= 1;
                self.outrun(world, service, Wanted::default());
                world.services[service].ecs = None;
            }
            Action::Created { service, with } => {
                self.outrun(world, service, Wanted::only(with));
                let service = &mut world.services[service];
                service.incarnations += 1;
                service.wanted_before = service.wanted;
                service.ecs = Some(Ecs { short: with.uses_spot() && !spot, ..new_service(service.incarnations, with) });
                service.note_failure(spot);
            }
            Action::Pause => {
                world.budget.pauses -= 1;
                world.paused = true;
            }
            Action::Resume => world.paused = false,
            Action::Tick => world.tick(self.stays_stale()),
        }
        self.go_on(world);
    }

    /// Brings the world into the one form in which it is kept, and every handler to its next call or its end.
    fn go_on(&self, world: &mut World) {
        loop {
            world.forget(self.stays_stale());
            world.order();
            world.sink_versions();
            let unknown = |handler: &Option<Handler>| handler.as_ref().is_some_and(|handler| handler.call.is_none());
            let Some(slot) = world.handlers.iter().position(unknown) else { return };
            let call = world.handlers[slot].as_ref().and_then(|handler| self.replay(handler, slot));
            match &mut world.handlers[slot] {
                Some(handler) if call.is_some() => handler.call = call,
                _ => world.end(slot),
            }
        }
    }

    /// Whether the handler in `slot` may have its call answered. The time stands still, and the first version of a
    /// record is the time. So that two records never begin with the same, as they do not where time passes, no record
    /// is created while a handler that has created one is in flight.
    pub(crate) fn may_step(world: &World, slot: usize) -> bool {
        let Some(handler) = &world.handlers[slot] else { return false };
        let creates = matches!(handler.call, Some(Call::Put { replaces: 0, .. }))
            && world.services[handler.service].item.is_none();
        !creates || world.handlers.iter().flatten().all(|other| other.service != handler.service || !other.created)
    }

    fn of_handler(&self, world: &World, slot: usize, actions: &mut Vec<Action>) {
        let Some(handler) = &world.handlers[slot] else { return };
        let mut step = |how| actions.push(Action::Step { slot, how });
        if Self::may_step(world, slot) {
            step(How::Well);
        }
        if world.budget.faults > 0 {
            let service = &world.services[handler.service];
            match handler.call {
                Some(Call::Describe) => {
                    if service.stale.is_some() && service.ecs.is_some() {
                        step(How::Stale);
                    }
                    step(How::Blocked);
                }
                Some(Call::Update(_)) if service.ecs.is_some() => {
                    [How::Throttled, How::Refused, How::UnclearDone, How::UnclearNot].into_iter().for_each(&mut step);
                    if service.under_way.is_none() {
                        step(How::UnclearYet);
                    }
                }
                _ => {}
            }
        }
        if world.budget.crashes > 0 {
            actions.push(Action::Crash { slot });
        }
    }

    fn of_service(&self, world: &World, index: usize, actions: &mut Vec<Action>) {
        let service = &world.services[index];
        if let Some(slot) = world.handlers.iter().take(self.setup.handlers).position(Option::is_none) {
            let mut start = |why| actions.push(Action::Start { slot, service: index, why });
            if service.item.as_ref().is_some_and(|item| item.is_due()) {
                start(Why::Sweep);
            }
            if let Some(at) = service.failed_at.filter(|_| self.setup.events) {
                start(Why::Event(Signal::SpotPlacementFailure, at));
            }
            if let Some(at) = service.interrupted_at {
                start(Why::Event(Signal::Interruption, at));
            }
        }
        if service.under_way.is_some() {
            actions.push(Action::Arrives { service: index });
        }
        let Some(ecs) = service.ecs else {
            actions.extend([Live::Original, Live::Another].map(|with| Action::Created { service: index, with }));
            return;
        };
        if (ecs.short || !ecs.complete) && (world.spot || !ecs.live.uses_spot()) {
            actions.push(Action::Settles { service: index });
        }
        if world.budget.interruptions > 0 && ecs.live.uses_spot() && world.spot {
            actions.push(Action::Interrupted { service: index });
        }
        if world.budget.owner_changes > 0 {
            let others = [Live::Original, Live::Another, Live::NoSpot].into_iter().filter(|to| *to != ecs.live);
            actions.extend(others.map(|to| Action::OwnerSets { service: index, to }));
        }
        if world.budget.rollbacks > 0 && !ecs.complete && ecs.before != ecs.live {
            actions.push(Action::RollsBack { service: index });
        }
        if world.budget.recreations > 0 {
            actions.push(Action::Deleted { service: index });
        }
    }

    /// Whether a minute may pass: every handler in flight lives on. None lives for two, which a lease outlasts.
    fn may_tick(&self, world: &World) -> bool {
        world.handlers.iter().flatten().all(|handler| self.setup.slow_handlers && handler.age == 0)
    }
}

fn new_service(incarnation: u8, live: Live) -> Ecs {
    Ecs { incarnation, live, short: false, complete: true, since: NOW - TICK, replaced: None, before: live }
}

pub(crate) fn fingerprint(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// The service that the handler in `slot` is about to update.
fn updates(world: &World, slot: usize) -> Option<usize> {
    let handler = world.handlers[slot].as_ref()?;
    matches!(handler.call, Some(Call::Update(_))).then_some(handler.service)
}

impl Model for SmallWorld {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let service = Service {
            ecs: Some(new_service(0, Live::Original)),
            incarnations: 0,
            stale: None,
            item: None,
            under_way: None,
            failed_at: None,
            interrupted_at: None,
            wanted: Wanted::only(Live::Original),
            wanted_before: Wanted::only(Live::Original),
            made: false,
        };
        // Without events nobody would ever hear of a service: then it is watched from the start.
        let known = |id: &ServiceId| {
            let record = Record { version: 1, service_created_at: Some(created_at(0)), ..Record::new(id.clone(), NOW) };
            Some(Item::stored(record)).filter(|_| !self.setup.events || self.setup.restore_due)
        };
        let services = self.ids.iter().map(|id| Service { item: known(id), ..service.clone() }).collect();
        let market = Market::new(self.ids[0].account.clone(), self.ids[0].region.clone());
        let mut world = World {
            services,
            handlers: [None, None],
            market: self.setup.market.then(|| MarketItem::stored(market)),
            spot: true,
            paused: false,
            budget: Budget { outages: 1, ..Budget::default() },
            broken: None,
        };
        if self.setup.restore_due {
            self.fail_over(&mut world);
        }
        world.budget = self.setup.budget;
        vec![world]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for slot in 0..world.handlers.len() {
            self.of_handler(world, slot, actions);
        }
        for service in 0..world.services.len() {
            self.of_service(world, service, actions);
        }
        if !world.spot {
            actions.push(Action::SpotReturns);
        } else if world.budget.outages > 0 {
            actions.push(Action::SpotGoes);
        }
        if world.paused {
            actions.push(Action::Resume);
        } else if world.budget.pauses > 0 {
            actions.push(Action::Pause);
        }
        if self.may_tick(world) {
            actions.push(Action::Tick);
        }
    }

    fn next_state(&self, last: &World, action: Action) -> Option<World> {
        let mut world = last.clone();
        self.apply(&mut world, &action);
        if world.handlers.iter().all(Option::is_none) {
            self.calm.lock().unwrap().insert(fingerprint(&world));
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(PROMISES, |_, world: &World| world.broken.is_none()),
            Property::always(ONE_AT_A_TIME, |_, world: &World| {
                updates(world, 0).is_none() || updates(world, 0) != updates(world, 1)
            }),
            Property::always(COMES_TO_REST, |model: &Self, world: &World| {
                world.broken.is_some() || model.quiet_way(world).is_ok()
            }),
        ]
    }
}
