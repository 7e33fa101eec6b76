//! What works on a service by itself on its owner's behalf: an auto scaler, a pipeline that applies Terraform.

use std::time::Duration;

use crate::ecs::api::UpdateService;
use crate::engine::clock::elapsed;
use crate::ids::ServiceKey;
use crate::observers::trace::Caller;
use crate::spec::{Autoscaling, ServiceSpec};
use crate::workload::action::Action;
use crate::world::World;

/// How often an auto scaler looks.
const AUTOSCALE_EVERY: Duration = Duration::from_secs(300);

impl World {
    pub(crate) fn start_automation(&mut self, spec: &ServiceSpec) {
        let Some(key) = self.names.service(&spec.id) else { return };
        if spec.autoscaling.is_some() {
            // Not every scaler of a fleet in the same moment.
            let first = Duration::from_millis(self.dice.owners.below(AUTOSCALE_EVERY.as_millis() as u64));
            self.workload_agenda.plan(self.now + first, Action::Autoscale(key));
        }
        if let Some(terraform) = spec.terraform {
            self.workload_agenda.plan(self.now + terraform.every, Action::Terraform(key));
        }
    }

    /// One task more or less where the load asks for it. It starts from the running count, so it adds nothing to a service that
    /// is short, and it takes nothing away while a deployment runs (aws-facts.md §1.6).
    pub(crate) fn autoscale(&mut self, key: ServiceKey) {
        let Some(bounds) = self.spec.services[key.0].autoscaling else { return };
        self.workload_agenda.plan(self.now + AUTOSCALE_EVERY, Action::Autoscale(key));
        let noise = self.dice.owners.below(3) as i64 - 1;
        let wanted = bounds.load(elapsed(self.now)) + noise;
        let wanted = wanted.clamp(i64::from(bounds.min), i64::from(bounds.max));
        let service = self.ecs.service(key);
        if !service.active {
            return;
        }
        let running = service.tasks.values().filter(|t| t.is_running()).count() as u32;
        let desired = service.desired;
        let next = if wanted > i64::from(desired) && running >= desired {
            desired + 1
        } else if wanted < i64::from(desired) && service.primary().completed {
            desired - 1
        } else {
            return;
        };
        let id = service.id.clone();
        let update = UpdateService { desired: Some(next), ..UpdateService::default() };
        // A desired count alone is never refused to an active service.
        let _ = self.update_service(Caller::AutoScaler, &id, &update);
    }

    /// Wants the strategy back that the owner declared last.
    pub(crate) fn apply_terraform(&mut self, key: ServiceKey) {
        let Some(terraform) = self.spec.services[key.0].terraform else { return };
        self.workload_agenda.plan(self.now + terraform.every, Action::Terraform(key));
        let service = self.ecs.service(key);
        let id = service.id.clone();
        let Some(declared) = self.seen.oracle.owners_strategy(service.name).cloned() else { return };
        // A plan without a difference calls nobody.
        if !service.active || service.strategy == declared {
            return;
        }
        let update =
            UpdateService { strategy: Some(declared.into()), desired: None, force_new_deployment: terraform.force };
        // A refusal is in the trace; the pipeline fails, and nobody looks.
        let _ = self.update_service(Caller::Owner, &id, &update);
    }
}

impl Autoscaling {
    /// Tasks for the load at a time since the start of the world: a sine over the day, highest after 6 hours. By Bhaskara's
    /// approximation, in integers, so that every machine scales alike.
    fn load(self, at: Duration) -> i64 {
        // A minute is a quarter of a degree.
        let minute = (at.as_secs() / 60 % 1440) as i64;
        let x = minute % 720;
        let product = x * (720 - x);
        let sine = 4000 * product / (648_000 - product);
        let sine = if minute < 720 { sine } else { -sine };
        let (min, max) = (i64::from(self.min), i64::from(self.max));
        min + ((max - min) * (1000 + sine) + 1000) / 2000
    }
}

#[cfg(test)]
mod tests;
