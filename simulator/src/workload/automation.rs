//! What works on a service by itself on its owner's behalf: an auto scaler, a pipeline that applies Terraform.

use std::time::Duration;

use crate::ecs::Ecs;
use crate::ecs::api::{UpdateService, Updated};
use crate::ecs::env::Env;
use crate::engine::clock::elapsed;
use crate::ids::ServiceKey;
use crate::observers::trace::Caller;
use crate::spec::{Autoscaling, ServiceSpec};
use crate::workload::Workload;
use crate::workload::action::Action;

/// How often an auto scaler looks.
const AUTOSCALE_EVERY: Duration = Duration::from_secs(300);

impl Workload {
    pub(crate) fn start_automation(&mut self, env: &mut Env<'_>, spec: &ServiceSpec) {
        let Some(key) = env.names.service(&spec.id) else { return };
        if spec.autoscaling.is_some() {
            // Not every scaler of a fleet in the same moment.
            let first = Duration::from_millis(env.dice.owners.below(AUTOSCALE_EVERY.as_millis() as u64));
            self.agenda.plan(env.now + first, Action::Autoscale(key));
        }
        if let Some(terraform) = spec.terraform {
            self.agenda.plan(env.now + terraform.every, Action::Terraform(key));
        }
    }

    /// One task more or less where the load asks for it. It starts from the running count, so it adds nothing to a service that
    /// is short, and it takes nothing away while a deployment runs (aws-facts.md §1.6).
    pub(crate) fn autoscale(&mut self, ecs: &mut Ecs, env: &mut Env<'_>, key: ServiceKey) -> Option<(Caller, Updated)> {
        let bounds = env.spec.services[key.0].autoscaling?;
        self.agenda.plan(env.now + AUTOSCALE_EVERY, Action::Autoscale(key));
        let noise = env.dice.owners.below(3) as i64 - 1;
        let wanted = bounds.load(elapsed(env.now)) + noise;
        let wanted = wanted.clamp(i64::from(bounds.min), i64::from(bounds.max));
        let service = ecs.service(key);
        if !service.active {
            return None;
        }
        let running = service.tasks.values().filter(|t| t.is_running()).count() as u32;
        let desired = service.desired;
        let next = if wanted > i64::from(desired) && running >= desired {
            desired + 1
        } else if wanted < i64::from(desired) && service.primary().completed {
            desired - 1
        } else {
            return None;
        };
        let id = service.id.clone();
        let update = UpdateService { desired: Some(next), ..UpdateService::default() };
        // A desired count alone is never refused to an active service.
        let updated = ecs.update_service(env, Caller::AutoScaler, &id, &update).ok()?;
        Some((Caller::AutoScaler, updated))
    }

    /// Wants the strategy back that the owner declared last.
    pub(crate) fn apply_terraform(
        &mut self,
        ecs: &mut Ecs,
        env: &mut Env<'_>,
        key: ServiceKey,
    ) -> Option<(Caller, Updated)> {
        let terraform = env.spec.services[key.0].terraform?;
        self.agenda.plan(env.now + terraform.every, Action::Terraform(key));
        let service = ecs.service(key);
        let id = service.id.clone();
        let declared = self.declared.get(&key)?.clone();
        // A plan without a difference calls nobody.
        if !service.active || service.strategy == declared {
            return None;
        }
        let update =
            UpdateService { strategy: Some(declared.into()), desired: None, force_new_deployment: terraform.force };
        // A refusal is in the trace; the pipeline fails, and nobody looks.
        let updated = ecs.update_service(env, Caller::Owner, &id, &update).ok()?;
        Some((Caller::Owner, updated))
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
