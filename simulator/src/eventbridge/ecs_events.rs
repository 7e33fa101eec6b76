//! The events that ECS puts on the default bus of a service's account.

use handlers::event::ECS_SOURCE;
use handlers::strategy::CapacityProvider;
use serde_json::{Value, json};

use crate::ecs::{ServiceKey, TaskKey};
use crate::trace::Happening;
use crate::world::World;
use crate::zones::zone_name;

pub(super) const TASK_STATE_CHANGE: &str = "ECS Task State Change";
pub(super) const SERVICE_ACTION: &str = "ECS Service Action";

impl World {
    /// An ECS event on the default bus of the service's account, stamped by EventBridge.
    fn emit(&mut self, key: ServiceKey, detail_type: &str, resource: &str, detail: Value) {
        let id = &self.ecs.service(key).id;
        let mut event = json!({
            "version": "0",
            "id": self.dice.bus.uuid(),
            "detail-type": detail_type,
            "source": ECS_SOURCE,
            "account": id.account.as_str(),
            "time": humantime::format_rfc3339_seconds(self.wall_clock()).to_string(),
            "region": id.region.as_str(),
            "resources": [resource],
        });
        // Moved: within the macro it would be copied.
        event["detail"] = detail;
        let account = id.account.clone();
        self.on_default_bus(account, event);
    }

    /// `ECS Task State Change` (aws-facts.md §2.3).
    pub(crate) fn emit_task(&mut self, key: ServiceKey, task: TaskKey) {
        let (dial, now) = (self.dial, self.now);
        let service = self.ecs.service_mut(key);
        let id = service.id.clone();
        let Some(task) = service.tasks.get_mut(&task) else { return };
        task.version += 1;
        let heard = self.bus.hears_of(task.status, &task.provider);
        if !heard {
            // Most changes leave the account nowhere; their events are not even made.
            let (name, provider, status) = (task.id.clone(), task.provider.clone(), task.status);
            if !status.is_passing() {
                self.dice.bus.uuid();
                self.record(Some(&id), Happening::Task { task: name, provider, status: status.name() });
            }
            return;
        }
        let arn =
            format!("arn:{}:ecs:{}:{}:task/{}/{}", id.region.partition(), id.region, id.account, id.cluster, task.id);
        let mut detail = json!({
            "clusterArn": id.cluster_arn(),
            "taskArn": arn,
            "group": format!("service:{}", id.service),
            "startedBy": *task.deployment,
            "capacityProviderName": task.provider,
            "launchType": "FARGATE",
            "availabilityZone": zone_name(&id.region, task.zone),
            "lastStatus": task.status.name(),
            "desiredStatus": if task.stop.is_some() { "STOPPED" } else { "RUNNING" },
            "version": task.version,
            "createdAt": dial.shown(task.created_at).to_string(),
            "updatedAt": dial.shown(now).to_string(),
        });
        // A bare launch type names no provider (aws-facts.md §2.3).
        let launch_type = service.deployments.iter().any(|d| d.launch_type && d.id == task.deployment);
        if let (true, Some(detail)) = (launch_type, detail.as_object_mut()) {
            detail.remove("capacityProviderName");
        }
        if let Some(stop) = &task.stop {
            if let Some(code) = stop.code {
                detail["stopCode"] = code.into();
            }
            if !stop.reason.is_empty() {
                detail["stoppedReason"] = stop.reason.clone().into();
            }
        }
        let (name, provider, status) = (task.id.clone(), task.provider.clone(), task.status.name());
        self.record(Some(&id), Happening::Task { task: name, provider, status });
        self.emit(key, TASK_STATE_CHANGE, &arn, detail);
    }

    /// `SERVICE_TASK_PLACEMENT_FAILURE` (aws-facts.md §2.2).
    pub(crate) fn emit_placement_failure(&mut self, key: ServiceKey, provider: &CapacityProvider) {
        let id = &self.ecs.service(key).id;
        let provider =
            format!("arn:{}:ecs:{}:{}:capacity-provider/{provider}", id.region.partition(), id.region, id.account);
        let more = json!({ "capacityProviderArns": [provider], "reason": "RESOURCE:FARGATE" });
        self.emit_service_action(key, "ERROR", "SERVICE_TASK_PLACEMENT_FAILURE", more);
    }

    /// `SERVICE_STEADY_STATE` (aws-facts.md §2.2).
    pub(crate) fn emit_steady_state(&mut self, key: ServiceKey) {
        self.emit_service_action(key, "INFO", "SERVICE_STEADY_STATE", json!({}));
    }

    /// `ECS_OPERATION_THROTTLED` (aws-facts.md §2.2).
    pub(crate) fn emit_throttled(&mut self, key: ServiceKey) {
        self.emit_service_action(key, "ERROR", "ECS_OPERATION_THROTTLED", json!({}));
    }

    /// `SERVICE_TASK_START_IMPAIRED` (aws-facts.md §2.2).
    pub(crate) fn emit_start_impaired(&mut self, key: ServiceKey) {
        self.emit_service_action(key, "WARN", "SERVICE_TASK_START_IMPAIRED", json!({}));
    }

    /// `SERVICE_REBALANCING_STARTED`, `_COMPLETED` or `_STOPPED` (aws-facts.md §2.2).
    pub(crate) fn emit_rebalancing(&mut self, key: ServiceKey, event_name: &str) {
        self.emit_service_action(key, "INFO", event_name, json!({}));
    }

    fn emit_service_action(&mut self, key: ServiceKey, event_type: &str, event_name: &str, more: Value) {
        let id = &self.ecs.service(key).id;
        let arn = id.arn();
        let mut detail = json!({
            "eventType": event_type,
            "eventName": event_name,
            "clusterArn": id.cluster_arn(),
            "createdAt": self.dial.shown(self.now).to_string(),
        });
        if let (Value::Object(detail), Value::Object(more)) = (&mut detail, more) {
            detail.extend(more);
        }
        self.emit(key, SERVICE_ACTION, &arn, detail);
    }

    /// `ECS Deployment State Change` (aws-facts.md §2.4).
    pub(crate) fn emit_deployment(&mut self, key: ServiceKey, event_name: &str, deployment: &str, reason: &str) {
        let id = &self.ecs.service(key).id;
        let arn = id.arn();
        let detail = json!({
            "eventType": if event_name == "SERVICE_DEPLOYMENT_FAILED" { "ERROR" } else { "INFO" },
            "eventName": event_name,
            "clusterArn": id.cluster_arn(),
            "deploymentId": deployment,
            "updatedAt": self.dial.shown(self.now).to_string(),
            "reason": reason,
        });
        self.emit(key, "ECS Deployment State Change", &arn, detail);
    }
}
