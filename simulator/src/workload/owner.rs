//! What a service's owner does to it, besides setting strategy and desired count: deploy, tag, change the deployment controller,
//! delete, create anew, ship an application that fails.

use std::sync::Arc;
use std::time::Duration;

use handlers::observation::Controller;
use handlers::service::ServiceId;
use handlers::strategy::Strategy;

use crate::ecs::Ecs;
use crate::ecs::action::Action;
use crate::ecs::api::{UpdateService, Updated};
use crate::ecs::deployment::ServiceDeploymentState;
use crate::ecs::env::Env;
use crate::ecs::service::{Application, MAX_ZONES, Starts};
use crate::ecs::task::{SCHEDULER, Stop};
use crate::engine::dice::Span;
use crate::ids::TaskKey;
use crate::observers::trace::{Caller, Happening, RollbackCause};
use crate::spec::BLUE_GREEN;

/// Over how long the tasks of a suddenly failing application fail.
const FAILING: Span = Span::secs(0, 60);

/// A new deployment of what is live. A refusal is in the trace; the owner of a scenario has no one else to tell.
pub(crate) fn deploy(ecs: &mut Ecs, env: &mut Env<'_>, id: &ServiceId) -> Option<Updated> {
    let update = UpdateService { force_new_deployment: true, ..UpdateService::default() };
    ecs.update_service(env, Caller::Owner, id, &update).ok()
}

/// The owner stops the running service deployment with a rollback; without one there is nothing to stop (aws-facts.md §1.6).
pub(crate) fn roll_back(ecs: &mut Ecs, env: &mut Env<'_>, id: &ServiceId) {
    let Some(key) = env.names.service(id) else { return };
    env.record_named(id, Happening::Owner { what: "asks for a rollback of the running deployment" });
    let service = ecs.service(key);
    let running = service.service_deployments.last().map(|d| d.state) == Some(ServiceDeploymentState::InProgress);
    if service.active && running && !service.primary().failed {
        ecs.roll_back(env, key, RollbackCause::Owner);
    }
}

pub(crate) fn opt_out(ecs: &mut Ecs, env: &mut Env<'_>, id: &ServiceId, off: bool) {
    let Some(key) = env.names.service(id) else { return };
    ecs.service_mut(key).opted_out = off;
    let what = if off { "tags the service spot-recovery=off" } else { "takes the tag spot-recovery=off away" };
    env.record_named(id, Happening::Owner { what });
}

/// `UpdateService` with another deployment controller or deployment strategy (aws-facts.md §1.5).
pub(crate) fn change_controller(ecs: &mut Ecs, env: &mut Env<'_>, id: &ServiceId, controller: Controller) {
    let Some(key) = env.names.service(id) else { return };
    let service = ecs.service(key);
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
        env.record_named(id, Happening::UpdateRefused { caller: Caller::Owner, message: message.into() });
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
    ecs.service_mut(key).controller = controller;
    env.record_named(id, Happening::Owner { what });
}

pub(crate) fn delete(ecs: &mut Ecs, env: &mut Env<'_>, id: &ServiceId) {
    let Some(key) = env.names.service(id) else { return };
    env.record_named(id, Happening::Owner { what: "deletes the service" });
    env.seen.ledgers[key.0].set_desired(env.now, 0);
    env.seen.ledgers[key.0].steady();
    let service = ecs.service_mut(key);
    service.active = false;
    service.desired = 0;
    let tasks: Vec<TaskKey> = service.tasks.keys().copied().collect();
    for task in tasks {
        ecs.stop_task(env, key, task, Stop { code: Some(SCHEDULER), reason: "Service deleted".into() }, Duration::ZERO);
    }
}

/// The service of a name that was deleted, as the spec has it. Returns its strategy, which its owner has chosen once more.
pub(crate) fn create_anew(ecs: &mut Ecs, env: &mut Env<'_>, id: &ServiceId) -> Option<Strategy> {
    let key = env.names.service(id).filter(|key| !ecs.service(*key).active)?;
    env.record_named(id, Happening::Owner { what: "creates the service anew" });
    let spec = env.spec.services[key.0].clone();
    env.seen.ledgers[key.0].set_desired(env.now, spec.desired);
    let now = env.now;
    let service = ecs.service_mut(key);
    service.active = true;
    service.opted_out = false;
    service.application = Application::Sound;
    service.starts = Starts::default();
    service.rebalancing = None;
    service.created_at = now;
    service.desired = spec.desired;
    service.strategy = spec.strategy.clone();
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
    ecs.begin_deployment(env, key);
    ecs.service_mut(key).deployments.truncate(1);
    env.agenda.plan(now, Action::Schedule(key));
    Some(spec.strategy)
}

pub(crate) fn change_application(ecs: &mut Ecs, env: &mut Env<'_>, id: &ServiceId, application: Application) {
    let Some(key) = env.names.service(id) else { return };
    let what = match application {
        Application::Sound => "mends the application",
        Application::FailsToStart => "ships an application that fails",
        Application::Crashes => "ships an application that crashes soon after it runs",
    };
    env.record_named(id, Happening::Owner { what });
    ecs.service_mut(key).application = application;
    if application != Application::Sound {
        let running: Vec<TaskKey> =
            ecs.service(key).tasks.iter().filter(|(_, t)| t.is_running()).map(|(task, _)| *task).collect();
        for task in running {
            let at = env.now + env.dice.ecs.within(FAILING);
            env.agenda.plan(at, Action::Fail(key, task));
        }
    }
}

/// `UpdateTaskProtection`.
pub(crate) fn protect(ecs: &mut Ecs, env: &mut Env<'_>, id: &ServiceId, tasks: u32, time: Duration) {
    let Some(key) = env.names.service(id) else { return };
    env.record_named(id, Happening::Owner { what: "protects running tasks from scale-in and deployments" });
    let until = env.now + time;
    let running = ecs.service_mut(key).tasks.values_mut().filter(|t| t.is_running());
    running.take(tasks as usize).for_each(|task| task.protected_until = Some(until));
    env.agenda.plan(until, Action::Schedule(key));
}
