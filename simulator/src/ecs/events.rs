//! The events that ECS puts on the default bus of a service's account.

use handlers::event::ECS_SOURCE;
use handlers::service::ServiceId;
use handlers::strategy::CapacityProvider;
use handlers::timestamp::Timestamp;

use crate::ecs::Ecs;
use crate::ecs::env::Env;
use crate::ecs::service::Service;
use crate::ecs::task::Task;
use crate::ecs::zones::zone_name;
use crate::eventbridge::tree::{Fields, Tree};
use crate::ids::{DeploymentId, ServiceKey, TaskKey};
use crate::observers::trace::Happening;

pub(crate) const TASK_STATE_CHANGE: &str = "ECS Task State Change";
pub(crate) const SERVICE_ACTION: &str = "ECS Service Action";
const DEPLOYMENT_STATE_CHANGE: &str = "ECS Deployment State Change";

/// What EventBridge stamps an event with.
pub(crate) struct Stamp {
    pub(crate) id: String,
    pub(crate) time: String,
}

impl Stamp {
    /// The whole of an event about `service`.
    fn event<'a>(
        self,
        service: &'a ServiceId,
        detail_type: &'static str,
        resource: &'a str,
        detail: Fields<'a>,
    ) -> Tree<'a> {
        let fields = Fields::new()
            .text("account", service.account.as_str())
            .with("detail", detail.into())
            .text("detail-type", detail_type)
            .text("id", self.id)
            .text("region", service.region.as_str())
            .texts("resources", [resource])
            .text("source", ECS_SOURCE)
            .text("time", self.time)
            .text("version", "0");
        fields.into()
    }
}

impl Ecs {
    /// `ECS Task State Change` (aws-facts.md §2.3).
    pub(crate) fn emit_task(&mut self, env: &mut Env<'_>, key: ServiceKey, task: TaskKey) {
        let Some(changed) = self.service_mut(key).tasks.get_mut(&task) else { return };
        changed.version += 1;
        let (status, on_spot) = (changed.status, changed.on_spot());
        let heard = self.audience.hears_of(env.bus, status, on_spot);
        if !heard && status.is_passing() {
            return;
        }
        let service = self.service(key);
        let changed = &service.tasks[&task];
        let (name, provider) = (changed.id, changed.provider.clone());
        env.record(Some(service.name), Happening::Task { task: name, provider, status: status.name() });
        if heard {
            self.put_task_state_change(env, key, task);
        } else {
            // Most changes leave the account nowhere; their events are not even made.
            env.dice.bus.skip_uuid();
        }
    }

    fn put_task_state_change(&mut self, env: &mut Env<'_>, key: ServiceKey, task: TaskKey) {
        let stamp = env.stamp();
        let service = self.service(key);
        let Some(task) = service.tasks.get(&task) else { return };
        let (id, arn) = (&service.id, task.arn(&service.id));
        let detail = task_state_change(service, task, &arn, |at| env.dial.shown(at).to_string(), env.now);
        let event = stamp.event(id, TASK_STATE_CHANGE, &arn, detail);
        env.put_event(&id.account, &event);
    }

    /// `SERVICE_TASK_PLACEMENT_FAILURE` (aws-facts.md §2.2).
    pub(crate) fn emit_placement_failure(&mut self, env: &mut Env<'_>, key: ServiceKey, provider: &CapacityProvider) {
        self.emit_service_action(env, key, "ERROR", "SERVICE_TASK_PLACEMENT_FAILURE", Some(provider));
    }

    /// `SERVICE_STEADY_STATE` (aws-facts.md §2.2).
    pub(crate) fn emit_steady_state(&mut self, env: &mut Env<'_>, key: ServiceKey) {
        self.emit_service_action(env, key, "INFO", "SERVICE_STEADY_STATE", None);
    }

    /// `ECS_OPERATION_THROTTLED` (aws-facts.md §2.2).
    pub(crate) fn emit_throttled(&mut self, env: &mut Env<'_>, key: ServiceKey) {
        self.emit_service_action(env, key, "ERROR", "ECS_OPERATION_THROTTLED", None);
    }

    /// `SERVICE_TASK_START_IMPAIRED` (aws-facts.md §2.2).
    pub(crate) fn emit_start_impaired(&mut self, env: &mut Env<'_>, key: ServiceKey) {
        self.emit_service_action(env, key, "WARN", "SERVICE_TASK_START_IMPAIRED", None);
    }

    /// `SERVICE_REBALANCING_STARTED`, `_COMPLETED` or `_STOPPED` (aws-facts.md §2.2).
    pub(crate) fn emit_rebalancing(&mut self, env: &mut Env<'_>, key: ServiceKey, event_name: &str) {
        self.emit_service_action(env, key, "INFO", event_name, None);
    }

    /// `out_of_capacity` is the provider that had no room for a task.
    fn emit_service_action(
        &mut self,
        env: &mut Env<'_>,
        key: ServiceKey,
        event_type: &str,
        event_name: &str,
        out_of_capacity: Option<&CapacityProvider>,
    ) {
        let stamp = env.stamp();
        let id = &self.service(key).id;
        let arn = id.arn();
        let mut detail = Fields::new();
        if let Some(provider) = out_of_capacity {
            detail = detail.texts("capacityProviderArns", [provider_arn(id, provider)]);
        }
        let detail = detail
            .text("clusterArn", id.cluster_arn())
            .text("createdAt", env.dial.shown(env.now).to_string())
            .text("eventName", event_name)
            .text("eventType", event_type)
            .text_if("reason", out_of_capacity.map(|_| "RESOURCE:FARGATE"));
        let event = stamp.event(id, SERVICE_ACTION, &arn, detail);
        env.put_event(&id.account, &event);
    }

    /// `ECS Deployment State Change` (aws-facts.md §2.4).
    pub(crate) fn emit_deployment(
        &mut self,
        env: &mut Env<'_>,
        key: ServiceKey,
        event_name: &str,
        deployment: DeploymentId,
        reason: &str,
    ) {
        let stamp = env.stamp();
        let id = &self.service(key).id;
        let arn = id.arn();
        let detail = Fields::new()
            .text("clusterArn", id.cluster_arn())
            .text("deploymentId", deployment.to_string())
            .text("eventName", event_name)
            .text("eventType", if event_name == "SERVICE_DEPLOYMENT_FAILED" { "ERROR" } else { "INFO" })
            .text("reason", reason)
            .text("updatedAt", env.dial.shown(env.now).to_string());
        let event = stamp.event(id, DEPLOYMENT_STATE_CHANGE, &arn, detail);
        env.put_event(&id.account, &event);
    }
}

fn task_state_change<'a>(
    service: &'a Service,
    task: &'a Task,
    arn: &'a str,
    shown: impl Fn(Timestamp) -> String,
    now: Timestamp,
) -> Fields<'a> {
    let id = &service.id;
    // A bare launch type names no provider (aws-facts.md §2.3).
    let launch_type = service.deployments.iter().any(|d| d.launch_type && d.id == task.deployment);
    let stop = task.stop.as_ref();
    let reason = stop.map(|stop| &*stop.reason).filter(|reason| !reason.is_empty());
    Fields::new()
        .text("availabilityZone", zone_name(&id.region, task.zone))
        .text_if("capacityProviderName", (!launch_type).then(|| task.provider.as_str()))
        .text("clusterArn", id.cluster_arn())
        .text("createdAt", shown(task.created_at))
        .text("desiredStatus", if stop.is_some() { "STOPPED" } else { "RUNNING" })
        .text("group", ["service:", id.service.as_str()].concat())
        .text("lastStatus", task.status.name())
        .text("launchType", "FARGATE")
        .text("startedBy", task.deployment.to_string())
        .text_if("stopCode", stop.and_then(|stop| stop.code))
        .text_if("stoppedReason", reason)
        .text("taskArn", arn)
        .text("updatedAt", shown(now))
        .with("version", Tree::Number(task.version.into()))
}

fn provider_arn(service: &ServiceId, provider: &CapacityProvider) -> String {
    let ServiceId { account, region, .. } = service;
    format!("arn:{}:ecs:{region}:{account}:capacity-provider/{provider}", region.partition())
}
