//! Handlers that run beside a served world keep their records in a table of their own and announce transitions on a bus of their
//! own. Told of both, the oracle and the books are as good as if the handlers ran inside.

use std::rc::Rc;
use std::sync::Arc;

use handlers::record::{Lease, Record};
use handlers::service::{ServiceArn, ServiceId};
use handlers::transition::Transition;
use serde_json::Value;

use super::control::state_of;
use crate::engine::clock::GENESIS;
use crate::eventbridge::log::EventLog;
use crate::facts::Facts;
use crate::pattern::PatternError;
use crate::runtime::handlers::ProductionHandlers;
use crate::runtime::simulation::Simulation;
use crate::spec::{FunctionName, FunctionState, WorldEvent, WorldSpec};
use crate::world::World;

impl Simulation {
    /// The world of `spec` for handlers outside: those inside never run, and the ECS events are kept from the first on.
    ///
    /// # Errors
    /// [`PatternError`] when an event pattern of the product is invalid.
    pub fn for_handlers_outside(spec: WorldSpec, facts: Facts) -> Result<Self, PatternError> {
        let mut world = World::empty(spec, facts)?;
        world.bus.log = Some(EventLog::default());
        let mut world = world.populated();
        let told = world.seen.trace.len();
        for function in [FunctionName::PlacementFailure, FunctionName::Interruption, FunctionName::Restore] {
            world.happen(WorldEvent::Function { function, state: FunctionState::Detached });
        }
        // That is how it is here, not something that happened.
        world.seen.trace.truncate(told);
        Ok(Self::of_world(world, Rc::new(ProductionHandlers)))
    }

    /// A record as it stands in the handlers' own table. To be told before each of their updates is answered: the oracle asks under
    /// which claim it is made.
    pub fn see_record(&mut self, record: Record) {
        self.sim.with(|world| see_record(world, record));
    }

    /// A service as the control API shows it in the state.
    pub fn look(&self, service: &ServiceId) -> Option<Value> {
        self.sim.with(|world| world.names.service(service).map(|key| state_of(&world.ecs, key)))
    }

    /// How many deployments the recovery has forced on a service.
    pub fn forced(&self, service: &ServiceId) -> u32 {
        self.sim.with(|world| world.names.service(service).map_or(0, |key| world.seen.ledgers[key.0].forced))
    }

    /// A transition that the handlers have announced, at the time it says, which is one that callers are shown.
    pub fn hear(&mut self, transition: &Transition) {
        self.sim.with(|world| hear(world, transition));
    }
}

fn see_record(world: &mut World, record: Record) {
    // The one time of a record that is compared with the world's own.
    let lease = record.lease.map(|lease| Lease { until: world.dial.read(lease.until), ..lease });
    let record = Arc::new(Record { lease, ..record });
    let replaces = world.stored(&record.service).map_or(0, |stored| stored.version);
    // The table outside has decided what holds; this one only shows it.
    let name = world.names.number(&record.service);
    let _ = world.table.put(name, &record, replaces, world.now);
    world.judge_record(None, &record);
}

fn hear(world: &mut World, transition: &Transition) {
    world.audit(transition);
    let Ok(ServiceArn { account, region, cluster: Some(cluster), service }) = transition.service.parse() else {
        return;
    };
    let service = ServiceId { account, region, cluster, service };
    // News is late by its way here; the books want the time it is about.
    let now = world.now;
    world.now = world.dial.read(transition.at).clamp(GENESIS, now);
    world.note_phase(&service, transition.from, transition.to, transition.reason.clone());
    world.now = now;
}
