//! What acts on ECS from outside: owners, auto scalers, Terraform, and the Spot market.

use std::collections::BTreeMap;

use handlers::strategy::Strategy;

use crate::ecs::Ecs;
use crate::ecs::api::Updated;
use crate::ecs::env::Env;
use crate::engine::agenda::{Agenda, Sequence};
use crate::ids::ServiceKey;
use crate::observers::trace::Caller;
use action::Action;
use spot_market::Shape;

mod action;
mod automation;
pub(crate) mod owner;
mod spot_market;

#[derive(Debug)]
pub(crate) struct Workload {
    pub(crate) agenda: Agenda<Action>,
    /// Shapes of Spot markets, by number.
    shapes: BTreeMap<u64, Shape>,
    /// The strategy that the owner of each service declared last, which Terraform applies.
    declared: BTreeMap<ServiceKey, Strategy>,
}

impl Workload {
    pub(crate) fn new(sequence: &Sequence) -> Self {
        Self { agenda: Agenda::new(sequence), shapes: BTreeMap::new(), declared: BTreeMap::new() }
    }

    /// The owner of a service wants this from now on.
    pub(crate) fn declare(&mut self, service: ServiceKey, strategy: &Strategy) {
        self.declared.insert(service, strategy.clone());
    }

    /// Does what is planned next, and returns what was updated, and by whom.
    pub(crate) fn step(&mut self, ecs: &mut Ecs, env: &mut Env<'_>) -> Option<(Caller, Updated)> {
        match self.agenda.take()? {
            Action::Market(shape) => {
                self.step_shape(ecs, env, shape);
                None
            }
            Action::Autoscale(service) => self.autoscale(ecs, env, service),
            Action::Terraform(service) => self.apply_terraform(ecs, env, service),
        }
    }
}
