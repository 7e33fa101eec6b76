//! Runs a world under the virtual clock: one thread, on which the handlers' own async code waits unchanged. The clock goes on
//! to the next happening as soon as every invocation waits.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures_executor::LocalPool;
use futures_util::task::LocalSpawnExt;
use handlers::observation::Controller;
use handlers::record::Record;
use handlers::service::ServiceId;
use handlers::strategy::Strategy;
use handlers::timestamp::Timestamp;
use handlers::transition::Transition;

use crate::engine::clock::{GENESIS, elapsed};
use crate::engine::timers::{Sleep, Timers};
use crate::facts::Facts;
use crate::observers::ledger::Ledger;
use crate::observers::trace::Entry;
use crate::pattern::PatternError;
use crate::runtime::handlers::{Handlers, ProductionHandlers};
use crate::runtime::invocation;
use crate::spec::{WorldEvent, WorldSpec};
use crate::world::World;

/// The world and its clock, shared by the invocations.
#[derive(Debug)]
pub(crate) struct Sim {
    world: RefCell<World>,
    timers: Timers,
    /// What the functions run.
    pub(crate) handlers: Rc<dyn Handlers>,
}

/// A world after its run.
#[derive(Debug)]
pub struct Outcome {
    /// Everything that happened, in order.
    pub trace: Vec<Entry>,
    /// The services, in the order of the spec.
    pub services: Vec<ServiceOutcome>,
    /// Transitions announced on the bus, in order.
    pub audits: Vec<Transition>,
    /// Invariants the oracle found broken.
    pub violations: Vec<String>,
    /// Messages left in the queues, and messages in the DLQs.
    pub messages_left: usize,
    /// Messages in the DLQs.
    pub messages_dead: usize,
    /// Events that ended in the DLQ of a rule, of an account's default bus or of the central bus.
    pub events_dead: usize,
    /// How much happened, kept in the trace or not.
    pub happenings: u64,
    /// Calls made by handlers.
    pub calls: u64,
    /// Most often that one invocation looked at one service.
    pub most_looks: u32,
    /// Calls that ECS throttled.
    pub throttled: u64,
    /// `DescribeServices` and what shares its bucket, as far as ECS answered.
    pub described: u64,
    /// `UpdateService` bucket per account: burst and refill per second.
    pub update_bucket: (u32, u32),
}

/// One service after the run.
#[derive(Debug)]
pub struct ServiceOutcome {
    /// Which.
    pub id: ServiceId,
    /// The owner's strategy, as of the owner's last change.
    pub original: Strategy,
    /// The live strategy.
    pub live: Strategy,
    /// Whether a rollback by ECS made it unknowable which of several choices of the owner the service stands for.
    pub owner_unknowable: bool,
    /// Whether the service is ACTIVE; a deleted one is not.
    pub active: bool,
    /// Who runs its deployments.
    pub controller: Controller,
    /// Size of a task in CPU units.
    pub cpu: u32,
    /// Tasks wanted.
    pub desired: u32,
    /// Tasks running.
    pub running: u32,
    /// Its books.
    pub ledger: Ledger,
    /// Most deployments that the recovery forced on it within 24 hours without an act of its owner.
    pub most_forced_in_a_day: u32,
    /// Its record, if there is one.
    pub record: Option<Record>,
}

impl Sim {
    /// The world, as of now.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut World) -> T) -> T {
        work(&mut self.world.borrow_mut())
    }

    pub(crate) fn sleep(&self, time: Duration) -> Sleep {
        self.timers.sleep(time)
    }

    /// The next moment at which anything happens.
    fn next_at(&self) -> Option<Timestamp> {
        let planned = self.with(|world| Some(world.next().0.0).filter(|at| *at != crate::engine::agenda::NEVER.0));
        planned.into_iter().chain(self.timers.next_at()).min()
    }
}

/// A world that is run piece by piece, with things done to it in between.
#[derive(Debug)]
pub struct Simulation {
    invocations: LocalPool,
    pub(crate) sim: Rc<Sim>,
}

impl Simulation {
    /// The world of `spec` before its first moment.
    ///
    /// # Errors
    /// [`PatternError`] when an event pattern of the product is invalid.
    pub fn new(spec: WorldSpec, facts: Facts) -> Result<Self, PatternError> {
        Self::with_handlers(spec, facts, Rc::new(ProductionHandlers))
    }

    /// The same world, in which the functions run `handlers`.
    ///
    /// # Errors
    /// [`PatternError`] when an event pattern of the product is invalid.
    pub fn with_handlers(spec: WorldSpec, facts: Facts, handlers: Rc<dyn Handlers>) -> Result<Self, PatternError> {
        Ok(Self::of_world(World::new(spec, facts)?, handlers))
    }

    pub(crate) fn of_world(world: World, handlers: Rc<dyn Handlers>) -> Self {
        let sim = Sim { world: RefCell::new(world), timers: Timers::new(GENESIS), handlers };
        Self { invocations: LocalPool::new(), sim: Rc::new(sim) }
    }

    /// Lets `time` pass. What is due at its very end comes after whatever is done to the world then.
    pub fn advance(&mut self, time: Duration) {
        let end = GENESIS + self.elapsed() + time;
        loop {
            self.invocations.run_until_stalled();
            let Some(next) = self.sim.next_at().filter(|at| *at < end) else { break };
            self.go_on_to(next);
        }
        self.sim.with(|world| world.now = end);
        self.sim.timers.advance(end);
    }

    /// Does what is due at `now`: the world's own first, then whoever waits for this moment.
    fn go_on_to(&mut self, now: Timestamp) {
        let starting = self.sim.with(|world| {
            world.now = now;
            world.advance();
            std::mem::take(&mut world.lambda.starting)
        });
        self.sim.timers.advance(now);
        for invocation in starting {
            let run = invocation::run(Rc::clone(&self.sim), invocation);
            self.invocations.spawner().spawn_local(run).expect("the pool lives as long as the simulation");
        }
    }

    /// Makes something happen now.
    pub fn happen(&mut self, event: WorldEvent) {
        self.sim.with(|world| world.happen(event));
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        elapsed(self.sim.with(|world| world.now))
    }

    /// Invariants the oracle has found broken so far.
    pub fn violations(&self) -> Vec<String> {
        self.sim.with(|world| world.seen.oracle.violations.clone())
    }

    /// The record of a service as it stands.
    pub fn record(&self, service: &ServiceId) -> Option<Record> {
        self.sim.with(|world| world.stored(service).map(|record| (**record).clone()))
    }

    /// The world's end.
    pub fn finish(self) -> Outcome {
        let Self { invocations, sim } = self;
        sim.with(|world| world.seen.ledgers.iter_mut().for_each(|ledger| ledger.close_books(world.now)));
        if sim.handlers.announce() {
            sim.with(World::judge_announcements);
        }
        // Invocations still under way end here; what they would have done lies after the end.
        drop(invocations);
        outcome(Rc::into_inner(sim).expect("only invocations shared it").world.into_inner())
    }
}

/// Runs the world of `spec` for `duration`.
///
/// # Errors
/// [`PatternError`] when an event pattern of the product is invalid.
pub fn run(spec: WorldSpec, facts: Facts, duration: Duration) -> Result<Outcome, PatternError> {
    let mut simulation = Simulation::new(spec, facts)?;
    simulation.advance(duration);
    Ok(simulation.finish())
}

fn outcome(world: World) -> Outcome {
    let messages_left = world.lambda.queues.iter().map(|q| q.left()).sum();
    let messages_dead = world.lambda.queues.iter().map(|q| q.dead.len()).sum();
    let services = world.ecs.services.into_iter().zip(world.seen.ledgers).map(|(service, ledger)| {
        let name = service.name;
        ServiceOutcome {
            original: world.seen.oracle.owners_strategy(name).unwrap_or(&service.strategy).clone(),
            record: world.table.get(name).map(|record| (**record).clone()),
            owner_unknowable: world.seen.oracle.is_unknowable(name),
            most_forced_in_a_day: world.seen.oracle.most_forced_in_a_day(name),
            active: service.active,
            controller: service.controller,
            cpu: service.cpu,
            desired: service.desired,
            running: service.tasks.values().filter(|t| t.is_running()).count() as u32,
            live: service.strategy,
            id: service.id,
            ledger,
        }
    });
    Outcome {
        services: services.collect(),
        trace: world.seen.trace,
        audits: world.audits,
        violations: world.seen.oracle.violations,
        messages_left,
        messages_dead,
        events_dead: world.bus.dead,
        happenings: world.seen.happenings,
        calls: world.calls,
        most_looks: world.most_looks,
        throttled: world.throttled,
        described: world.described,
        update_bucket: world.facts.update_bucket,
    }
}
