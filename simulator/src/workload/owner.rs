//! What a service's owner does to it, besides setting strategy and desired count: deploy, tag, change the deployment controller,
//! delete, create anew, ship an application that fails.

use std::sync::Arc;
use std::time::Duration;

use handlers::observation::Controller;
use handlers::service::ServiceId;

use crate::ecs::action::Action;
use crate::ecs::api::UpdateService;
use crate::ecs::deployment::ServiceDeploymentState;
use crate::ecs::service::MAX_ZONES;
use crate::ecs::service::{Application, Starts};
use crate::ecs::task::{SCHEDULER, Stop};
use crate::engine::dice::Span;
use crate::ids::TaskKey;
use crate::observers::trace::{Caller, Happening, RollbackCause};
use crate::spec::BLUE_GREEN;
use crate::world::World;

/// Over how long the tasks of a suddenly failing application fail.
const FAILING: Span = Span::secs(0, 60);

impl World {
    pub(crate) fn owner_deploys(&mut self, id: &ServiceId) {
        let update = UpdateService { force_new_deployment: true, ..UpdateService::default() };
        // A refusal is in the trace; the owner of a scenario has no one else to tell.
        let _ = self.update_service(Caller::Owner, id, &update);
    }

    /// The owner stops the running service deployment with a rollback; without one there is nothing to stop (aws-facts.md §1.6).
    pub(crate) fn owner_rolls_back(&mut self, id: &ServiceId) {
        let Some(key) = self.names.service(id) else { return };
        self.record(Some(id), Happening::Owner { what: "asks for a rollback of the running deployment" });
        let service = self.ecs.service(key);
        let running = service.service_deployments.last().map(|d| d.state) == Some(ServiceDeploymentState::InProgress);
        if service.active && running && !service.primary().failed {
            self.roll_back(key, RollbackCause::Owner);
        }
    }

    pub(crate) fn owner_opts_out(&mut self, id: &ServiceId, off: bool) {
        let Some(key) = self.names.service(id) else { return };
        self.ecs.service_mut(key).opted_out = off;
        let what = if off { "tags the service spot-recovery=off" } else { "takes the tag spot-recovery=off away" };
        self.record(Some(id), Happening::Owner { what });
    }

    /// `UpdateService` with another deployment controller or deployment strategy (aws-facts.md §1.5).
    pub(crate) fn owner_changes_controller(&mut self, id: &ServiceId, controller: Controller) {
        let Some(key) = self.names.service(id) else { return };
        let service = self.ecs.service(key);
        let primary = service.primary();
        // What ECS answers during a deployment is not documented; these words are ours.
        let refused = if !service.active {
            Some("Service was not ACTIVE.")
        } else if !primary.completed && !primary.failed {
            Some("The deployment controller cannot be changed during a deployment.")
        } else {
            None
        };
        if let Some(message) = refused {
            self.record(Some(id), Happening::UpdateRefused { caller: Caller::Owner, message: message.into() });
            return;
        }
        let what = match &controller {
            Controller::Rolling => "changes the service to rolling deployments",
            Controller::Other(name) => match name.as_str() {
                BLUE_GREEN => "changes the service to blue/green deployments",
                "CODE_DEPLOY" => "changes the deployment controller to CODE_DEPLOY",
                "EXTERNAL" => "changes the deployment controller to EXTERNAL",
                _ => "changes the deployment controller",
            },
        };
        self.ecs.service_mut(key).controller = controller;
        self.record(Some(id), Happening::Owner { what });
    }

    pub(crate) fn owner_deletes(&mut self, id: &ServiceId) {
        let Some(key) = self.names.service(id) else { return };
        self.record(Some(id), Happening::Owner { what: "deletes the service" });
        self.seen.ledgers[key.0].set_desired(self.now, 0);
        self.seen.ledgers[key.0].steady();
        let service = self.ecs.service_mut(key);
        service.active = false;
        service.desired = 0;
        let tasks: Vec<TaskKey> = service.tasks.keys().copied().collect();
        for task in tasks {
            self.stop_task(key, task, Stop { code: Some(SCHEDULER), reason: "Service deleted".into() }, Duration::ZERO);
        }
    }

    pub(crate) fn owner_creates(&mut self, id: &ServiceId) {
        let Some(key) = self.names.service(id) else { return };
        if self.ecs.service(key).active {
            return;
        }
        self.record(Some(id), Happening::Owner { what: "creates the service anew" });
        let spec = self.spec.services[key.0].clone();
        self.seen.oracle.owner_chose(self.now, self.names.number(id), &spec.strategy, None);
        self.seen.ledgers[key.0].set_desired(self.now, spec.desired);
        let now = self.now;
        let service = self.ecs.service_mut(key);
        service.active = true;
        service.opted_out = false;
        service.application = Application::Sound;
        service.starts = Starts::default();
        service.rebalancing = None;
        service.created_at = now;
        service.desired = spec.desired;
        service.strategy = spec.strategy;
        service.launch_type = spec.launch_type;
        service.has_launch_type = spec.launch_type;
        service.minimum_healthy_percent = spec.minimum_healthy_percent;
        service.maximum_percent = spec.maximum_percent;
        service.circuit_breaker = spec.circuit_breaker;
        service.alarms = spec.alarms;
        service.controller = spec.controller;
        service.associated = spec.associated;
        service.cpu = spec.cpu;
        service.zones = spec.zones.clamp(1, MAX_ZONES as u8);
        service.zone_rebalancing = spec.zone_rebalancing;
        service.last_completed = None;
        service.before_update = None;
        service.messages = Arc::default();
        self.begin_deployment(key);
        self.ecs.service_mut(key).deployments.truncate(1);
        self.agenda.plan(now, Action::Schedule(key));
    }

    pub(crate) fn application_changes(&mut self, id: &ServiceId, application: Application) {
        let Some(key) = self.names.service(id) else { return };
        let what = match application {
            Application::Sound => "mends the application",
            Application::FailsToStart => "ships an application that fails",
            Application::Crashes => "ships an application that crashes soon after it runs",
        };
        self.record(Some(id), Happening::Owner { what });
        self.ecs.service_mut(key).application = application;
        if application != Application::Sound {
            let running: Vec<TaskKey> =
                self.ecs.service(key).tasks.iter().filter(|(_, t)| t.is_running()).map(|(task, _)| *task).collect();
            for task in running {
                let at = self.now + self.dice.ecs.within(FAILING);
                self.agenda.plan(at, Action::Fail(key, task));
            }
        }
    }

    /// `UpdateTaskProtection`.
    pub(crate) fn owner_protects(&mut self, id: &ServiceId, tasks: u32, time: Duration) {
        let Some(key) = self.names.service(id) else { return };
        self.record(Some(id), Happening::Owner { what: "protects running tasks from scale-in and deployments" });
        let until = self.now + time;
        let running = self.ecs.service_mut(key).tasks.values_mut().filter(|t| t.is_running());
        running.take(tasks as usize).for_each(|task| task.protected_until = Some(until));
        self.agenda.plan(until, Action::Schedule(key));
    }
}
