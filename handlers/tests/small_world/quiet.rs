//! The quiet way: what becomes of a world in which nothing more goes wrong.

use std::collections::BTreeSet;

use handlers::record::Phase;

use crate::calls::How;
use crate::handler::Why;
use crate::item::NOW;
use crate::model::{Action, SmallWorld, fingerprint};
use crate::world::{Budget, Ecs, Service, World};

impl SmallWorld {
    /// From here on nothing more goes wrong, Spot is there and the sweeps run: every service must come to rest on what
    /// its owner wants, in full, watched or unknown to us. If not, this is the way to where it got stuck.
    pub(crate) fn quiet_way(&self, world: &World) -> Result<(), Box<(Vec<Action>, World)>> {
        let mut world = world.clone();
        (world.budget, world.spot, world.paused) = (Budget::default(), true, false);
        world.services.iter_mut().for_each(|service| service.under_way = None);
        world.forget(self.stays_stale());
        let (mut way, mut met, mut swept) = (vec![], BTreeSet::new(), 0);
        loop {
            let here = fingerprint(&(&world, swept));
            // A quiet world goes one way only: where it has been before, it will be for ever.
            if world.broken.is_some() || met.contains(&here) {
                return Err(Box::new((way, world)));
            }
            if self.resting.lock().unwrap().contains(&here) || self.at_rest(&world) {
                self.resting.lock().unwrap().extend(met);
                return Ok(());
            }
            met.insert(here);
            let action = self.quiet_step(&world, &mut swept);
            self.apply(&mut world, &action);
            way.push(action);
        }
    }

    /// An outage, and what becomes of it up to the moment when restores are due.
    pub(crate) fn fail_over(&self, world: &mut World) {
        self.apply(world, &Action::SpotGoes);
        let mut swept = 0;
        while !world
            .services
            .iter()
            .all(|service| service.item.as_ref().is_some_and(|item| item.record.restore_at.is_some_and(|at| at <= NOW)))
        {
            let action = self.quiet_step(world, &mut swept);
            self.apply(world, &action);
        }
        world.spot = true;
    }

    /// Handlers in flight end, ECS settles, a sweep looks at each service that is due, a minute passes, and so on.
    fn quiet_step(&self, world: &World, swept: &mut usize) -> Action {
        if let Some(slot) = (0..world.handlers.len()).find(|slot| Self::may_step(world, *slot)) {
            return Action::Step { slot, how: How::Well };
        }
        let places = |ecs: Ecs| world.spot || !ecs.live.uses_spot();
        let unsettled = |service: &Service| service.ecs.is_some_and(|ecs| (ecs.short || !ecs.complete) && places(ecs));
        if let Some(service) = world.services.iter().position(unsettled) {
            return Action::Settles { service };
        }
        while *swept < world.services.len() {
            *swept += 1;
            if world.services[*swept - 1].item.as_ref().is_some_and(|item| item.is_due()) {
                return Action::Start { slot: 0, service: *swept - 1, why: Why::Sweep };
            }
        }
        *swept = 0;
        Action::Tick
    }

    fn at_rest(&self, world: &World) -> bool {
        world.handlers.iter().all(Option::is_none)
            && world.services.iter().all(|service| {
                let phase = service.item.as_ref().map(|item| item.record.phase);
                match service.ecs {
                    None => phase.is_none(),
                    Some(ecs) => {
                        let fine = service.wanted.has(ecs.live) && ecs.complete && !ecs.short;
                        fine && matches!(phase, None | Some(Phase::Watching))
                    }
                }
            })
    }
}
