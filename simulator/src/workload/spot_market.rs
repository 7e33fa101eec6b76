//! Spot markets that go on by themselves: flapping, slowly coming back, failing by chance.

use std::time::Duration;

use handlers::service::AccountId;
use handlers::timestamp::Timestamp;

use crate::ecs::Ecs;
use crate::ecs::env::Env;
use crate::observers::trace::Happening;
use crate::spec::{Capacity, Loss, SpotShape};
use crate::workload::Workload;
use crate::workload::action::Action;

const MINUTE: Duration = Duration::from_secs(60);

/// A shape and how far it has come.
#[derive(Debug)]
pub(crate) struct Shape {
    /// Those whose market still has it.
    accounts: Vec<AccountId>,
    shape: SpotShape,
    /// What its last step left.
    capacity: Capacity,
}

impl Workload {
    pub(crate) fn begin_shape(&mut self, ecs: &mut Ecs, env: &mut Env<'_>, accounts: Vec<AccountId>, shape: SpotShape) {
        self.end_shapes(&accounts);
        env.record(None, Happening::SpotShape { accounts: accounts.clone(), shape });
        let number = self.shapes.keys().next_back().map_or(0, |last| last + 1);
        self.shapes.insert(number, Shape { accounts, shape, capacity: Capacity::Unlimited });
        match shape {
            SpotShape::Random { .. } => self.wait_for_outage(env, number),
            SpotShape::Flapping { .. } | SpotShape::SlowReturn { .. } => self.step_shape(ecs, env, number),
        }
    }

    /// The markets of these accounts have no shape any more.
    pub(crate) fn end_shapes(&mut self, accounts: &[AccountId]) {
        for shape in self.shapes.values_mut() {
            shape.accounts.retain(|account| !accounts.contains(account));
        }
    }

    pub(crate) fn step_shape(&mut self, ecs: &mut Ecs, env: &mut Env<'_>, number: u64) {
        let Some(shape) = self.shapes.get(&number).filter(|shape| !shape.accounts.is_empty()) else { return };
        let (accounts, was) = (shape.accounts.clone(), shape.capacity);
        let gone = was == Capacity::Tasks(0);
        let (capacity, next) = match shape.shape {
            SpotShape::Flapping { up, .. } if gone => (Capacity::Unlimited, Some(env.now + up)),
            SpotShape::Flapping { down, .. } => (Capacity::Tasks(0), Some(env.now + down)),
            SpotShape::SlowReturn { per_minute, until } => match was {
                Capacity::Unlimited => (Capacity::Tasks(0), Some(env.now + MINUTE)),
                Capacity::Tasks(tasks) if tasks.saturating_add(per_minute) >= until => (Capacity::Unlimited, None),
                Capacity::Tasks(tasks) => (Capacity::Tasks(tasks + per_minute), Some(env.now + MINUTE)),
            },
            SpotShape::Random { .. } if gone => (Capacity::Unlimited, None),
            SpotShape::Random { shortest, longest, .. } => {
                let outage = env.dice.market.heavy_tailed(shortest, longest);
                (Capacity::Tasks(0), Some(env.now + outage))
            }
        };
        let random = matches!(shape.shape, SpotShape::Random { .. });
        let loss = if capacity == Capacity::Tasks(0) { Loss::Interrupt } else { Loss::Keep };
        ecs.move_spot(env, &accounts, capacity, loss);
        if let Some(shape) = self.shapes.get_mut(&number) {
            shape.capacity = capacity;
        }
        match next {
            Some(at) => self.plan_shape(at, number),
            None if random => self.wait_for_outage(env, number),
            None => {
                self.shapes.remove(&number);
            }
        }
    }

    fn wait_for_outage(&mut self, env: &mut Env<'_>, number: u64) {
        let Some(Shape { shape: SpotShape::Random { every, .. }, .. }) = self.shapes.get(&number) else { return };
        let twice = every.as_millis() as u64 * 2;
        let at = env.now + Duration::from_millis(env.dice.market.below(twice + 1));
        self.plan_shape(at, number);
    }

    fn plan_shape(&mut self, at: Timestamp, number: u64) {
        self.agenda.plan(at, Action::Market(number));
    }
}

#[cfg(test)]
mod tests;
