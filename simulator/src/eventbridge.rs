//! EventBridge: ECS events from a workload account's default bus through its forwarding rule to the central bus, and from
//! there by the cell's rules to the queues. The rules' patterns are the files that are deployed.

use std::collections::BTreeSet;
use std::time::Duration;

use handlers::event::{ECS_SOURCE, SYNTHETIC_SOURCE};
use handlers::service::AccountId;
use handlers::strategy::CapacityProvider;
use serde_json::{Value, json};

use crate::agenda::Action;
use crate::ecs::{ServiceKey, TaskKey};
use crate::lambda::{INTERRUPTION_QUEUE, PLACEMENT_FAILURE_QUEUE};
use crate::pattern::{Pattern, PatternError};
use crate::task::Status;
use crate::trace::Happening;
use crate::world::World;

/// The product's event patterns, by the name of their file in `handlers/event-patterns`.
mod patterns {
    pub(super) const WORKLOAD_FORWARDING: &str = include_str!("../../handlers/event-patterns/workload-forwarding.json");
    pub(super) const PLACEMENT_FAILURE: &str = include_str!("../../handlers/event-patterns/placement-failure.json");
    pub(super) const SYNTHETIC: &str = include_str!("../../handlers/event-patterns/synthetic-placement-failure.json");
    pub(super) const INTERRUPTION: &str = include_str!("../../handlers/event-patterns/interruption.json");
}

const TASK_STATE_CHANGE: &str = "ECS Task State Change";

#[derive(Debug)]
pub(crate) struct EventBridge {
    /// Rule on the default bus of every onboarded account; its target is the central bus.
    forwarding: Pattern,
    /// Changes of tasks that the forwarding rule could let pass, by status and whether the task is on Spot.
    passing: BTreeSet<(Status, bool)>,
    /// Rules on the central bus with the queue each targets.
    central: Vec<(Pattern, usize)>,
}

impl EventBridge {
    /// The rules of a cell; the one for synthetic events exists only where they are enabled.
    pub(crate) fn new(synthetic: bool) -> Result<Self, PatternError> {
        let mut central = vec![
            (Pattern::parse(patterns::PLACEMENT_FAILURE)?, PLACEMENT_FAILURE_QUEUE),
            (Pattern::parse(patterns::INTERRUPTION)?, INTERRUPTION_QUEUE),
        ];
        if synthetic {
            central.push((Pattern::parse(patterns::SYNTHETIC)?, PLACEMENT_FAILURE_QUEUE));
        }
        let mut bus =
            Self { forwarding: Pattern::parse(patterns::WORKLOAD_FORWARDING)?, passing: BTreeSet::new(), central };
        bus.look_at_statuses();
        Ok(bus)
    }

    /// Another forwarding rule.
    #[cfg(test)]
    pub(crate) fn forward(&mut self, pattern: Pattern) {
        self.forwarding = pattern;
        self.look_at_statuses();
    }

    fn look_at_statuses(&mut self) {
        let kinds = Status::ALL.iter().flat_map(|status| [(*status, true), (*status, false)]);
        let could_pass = |(status, on_spot): &(Status, bool)| {
            let provider = if *on_spot { CapacityProvider::FargateSpot } else { CapacityProvider::Fargate };
            let detail = json!({ "lastStatus": status.name(), "capacityProviderName": provider });
            let known = json!({ "source": ECS_SOURCE, "detail-type": TASK_STATE_CHANGE, "detail": detail });
            self.forwarding.could_match(&known)
        };
        self.passing = kinds.filter(could_pass).collect();
    }

    /// Whether anybody could hear of a task that is now in this status.
    pub(crate) fn hears_of(&self, status: Status, provider: &CapacityProvider) -> bool {
        self.passing.contains(&(status, *provider == CapacityProvider::FargateSpot))
    }
}

impl World {
    /// An ECS event on the default bus of the service's account.
    fn emit(&mut self, key: ServiceKey, detail_type: &str, resource: &str, detail: Value) {
        let id = &self.ecs.service(key).id;
        let event = json!({
            "version": "0",
            "id": self.dice.bus.uuid(),
            "detail-type": detail_type,
            "source": ECS_SOURCE,
            "account": id.account,
            "time": humantime::format_rfc3339_seconds(self.wall_clock()).to_string(),
            "region": id.region,
            "resources": [resource],
            "detail": detail,
        });
        if self.bus.forwarding.matches(&event) {
            let hops = self.dice.bus.within(self.facts.event_latency) + self.dice.bus.within(self.facts.event_latency);
            if self.dice.faults.chance(self.facts.lost_percent) {
                return;
            }
            let late = self.dice.faults.chance(self.facts.late_percent);
            let delay = if late { self.dice.faults.within(self.facts.late_by) } else { Duration::ZERO };
            self.agenda.plan(self.now + hops + delay, Action::CentralBus(Box::new(event)));
        }
    }

    /// An event has reached the central bus.
    pub(crate) fn on_central_bus(&mut self, event: &Value) {
        let targets: Vec<usize> =
            self.bus.central.iter().filter(|(p, _)| p.matches(event)).map(|(_, queue)| *queue).collect();
        for queue in targets {
            let at = self.now + self.dice.bus.within(self.facts.event_latency);
            self.agenda.plan(at, Action::Queue(queue, event.to_string()));
            if self.dice.faults.chance(self.facts.duplicate_percent) {
                let again = at + self.dice.faults.within(self.facts.duplicate_delay);
                self.agenda.plan(again, Action::Queue(queue, event.to_string()));
            }
        }
    }

    /// `PutEvents` on the central bus by `account`, which the bus policy must admit; `aws.*` sources belong to AWS
    /// (aws-facts.md §5).
    pub(crate) fn put_events(
        &mut self,
        account: &AccountId,
        source: &str,
        detail_type: &str,
        resources: &[String],
        detail: &Value,
    ) {
        let spec = &self.spec;
        let admitted =
            *account == spec.central || spec.accounts.contains(account) || spec.synthetic_from.contains(account);
        let refusal = match (admitted, source.starts_with("aws.")) {
            (false, _) => Some("AccessDeniedException"),
            (true, true) => Some("NotAuthorizedForSourceException"),
            (true, false) => None,
        };
        if let Some(code) = refusal {
            self.record(None, Happening::EventRefused { account: account.clone(), code });
            return;
        }
        let event = json!({
            "version": "0",
            "id": self.dice.bus.uuid(),
            "detail-type": detail_type,
            "source": source,
            "account": account,
            "time": humantime::format_rfc3339_seconds(self.wall_clock()).to_string(),
            "region": spec.region,
            "resources": resources,
            "detail": detail,
        });
        self.record(
            None,
            Happening::EventPut { account: account.clone(), source: source.into(), detail_type: detail_type.into() },
        );
        if source == SYNTHETIC_SOURCE {
            let now = self.now;
            for (id, key) in &self.ecs.by_id {
                if resources.contains(&id.arn()) {
                    self.ledgers[key.0].loss(now);
                }
            }
        }
        let at = self.now + self.dice.bus.within(self.facts.event_latency);
        self.agenda.plan(at, Action::CentralBus(Box::new(event)));
    }

    /// `ECS Task State Change` (aws-facts.md §2.3).
    pub(crate) fn emit_task(&mut self, key: ServiceKey, task: TaskKey) {
        let now = self.now;
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
            "startedBy": task.deployment,
            "capacityProviderName": task.provider,
            "launchType": "FARGATE",
            "lastStatus": task.status.name(),
            "desiredStatus": if task.stop.is_some() { "STOPPED" } else { "RUNNING" },
            "version": task.version,
            "createdAt": task.created_at.to_string(),
            "updatedAt": now.to_string(),
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

    fn emit_service_action(&mut self, key: ServiceKey, event_type: &str, event_name: &str, more: Value) {
        let id = &self.ecs.service(key).id;
        let arn = id.arn();
        let mut detail = json!({
            "eventType": event_type,
            "eventName": event_name,
            "clusterArn": id.cluster_arn(),
            "createdAt": self.now.to_string(),
        });
        if let (Value::Object(detail), Value::Object(more)) = (&mut detail, more) {
            detail.extend(more);
        }
        self.emit(key, "ECS Service Action", &arn, detail);
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
            "updatedAt": self.now.to_string(),
            "reason": reason,
        });
        self.emit(key, "ECS Deployment State Change", &arn, detail);
    }
}
