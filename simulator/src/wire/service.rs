//! What a service looks like: `DescribeServices`, `ListServices`.

use std::hash::Hasher;

use handlers::observation::{Controller, Observation, Rollout};
use handlers::service::ServiceId;
use handlers::strategy::Strategy;
use handlers::timestamp::Timestamp;
use rustc_hash::FxHasher;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal, extend};
use super::caller::Caller;
use super::endpoint::Endpoint;
use super::input::{Page, required};
use super::name::is_inactive;
use crate::ecs::deployment::{DeploymentStatus, rollback_reason};
use crate::ecs::service::Service;
use crate::ids::{DeploymentId, ServiceKey};
use crate::spec::BLUE_GREEN;

#[derive(Debug, Deserialize)]
pub(super) struct DescribeServices {
    cluster: Option<String>,
    services: Option<Vec<String>>,
    include: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListServices {
    cluster: Option<String>,
    launch_type: Option<String>,
    scheduling_strategy: Option<String>,
    #[serde(flatten)]
    page: Page,
}

impl Endpoint<'_> {
    pub(super) fn describe_services(&mut self, caller: &Caller, input: DescribeServices) -> Answer {
        let names = required(input.services, "services")?;
        match names.len() {
            0 => return Err(Refusal::invalid("Services cannot be empty.")),
            1..=10 => {}
            _ => return Err(Refusal::invalid("service names can have at most 10 items.")),
        }
        let tags = input.include.is_some_and(|include| include.iter().any(|what| what == "TAGS"));
        let cluster = self.cluster(caller, input.cluster.as_deref())?;
        let (mut services, mut failures) = (Vec::new(), Vec::new());
        for name in names {
            match self.service_in(caller, &cluster, &name)? {
                Some(key) => {
                    let seen = self.world.read_service(key);
                    services.push(self.show_service(key, &seen, tags));
                }
                None => {
                    let path = format!("{}/{name}", cluster.2);
                    let arn = if name.starts_with("arn:") { name } else { caller.arn_of("service", &path) };
                    failures.push(json!({ "arn": arn, "reason": "MISSING" }));
                }
            }
        }
        Ok(json!({ "services": services, "failures": failures }))
    }

    pub(super) fn list_services(&mut self, caller: &Caller, input: ListServices) -> Answer {
        let cluster = self.cluster(caller, input.cluster.as_deref())?;
        let services = self.services_of(&cluster).filter(|service| {
            let launch_type = input.launch_type.as_deref();
            launch_type.is_none_or(|wanted| service.launch_type && wanted == "FARGATE")
                && input.scheduling_strategy.as_deref().is_none_or(|wanted| wanted == "REPLICA")
        });
        let arns = services.map(|service| service.id.arn()).collect();
        input.page.of("serviceArns", 10, arns)
    }

    /// The `Service` structure. What a decision could rest on is as `seen`, which may be older than the service; the rest is as it is.
    pub(super) fn show_service(&self, key: ServiceKey, seen: &Observation, with_tags: bool) -> Value {
        let service = self.world.ecs.service(key);
        let status = match seen.active {
            true => "ACTIVE",
            false if is_inactive(service) => "INACTIVE",
            false => "DRAINING",
        };
        let messages = seen.messages.iter().map(|message| {
            let id = message_id(&service.id, message.at, &message.text);
            json!({ "id": id, "createdAt": self.seconds(message.at), "message": message.text })
        });
        // What the owner said comes first, so that what the model knows prevails.
        let details = self.state.services.get(&key);
        let mut shown = details.map(|details| details.shown.clone()).unwrap_or_default();
        let known = json!({
            "serviceArn": service.id.arn(),
            "serviceName": service.id.service,
            "clusterArn": service.id.cluster_arn(),
            "status": status,
            "desiredCount": seen.desired,
            "runningCount": seen.running,
            "pendingCount": seen.pending,
            "taskDefinition": details.map(|details| details.task_definition.as_str()).unwrap_or_default(),
            "platformVersion": "LATEST",
            "platformFamily": "Linux",
            "deploymentConfiguration": configuration(service, seen),
            "deployments": self.show_deployments(key, seen),
            "events": messages.collect::<Vec<_>>(),
            "createdAt": self.seconds(seen.created_at),
            "schedulingStrategy": if seen.replica { "REPLICA" } else { "DAEMON" },
            "deploymentController": { "type": controller(&seen.controller).0 },
            "availabilityZoneRebalancing": if service.zone_rebalancing { "ENABLED" } else { "DISABLED" },
        });
        extend(&mut shown, known);
        extend(&mut shown, placed_on(seen.strategy.as_ref()));
        if with_tags {
            shown.insert("tags".to_owned(), self.tags_of_service(key, seen.opted_out).into());
        }
        shown.into()
    }

    fn show_deployments(&self, key: ServiceKey, seen: &Observation) -> Vec<Value> {
        let service = self.world.ecs.service(key);
        let details = self.state.services.get(&key);
        let show = |deployment: &handlers::observation::Deployment| {
            let id = DeploymentId::named(&deployment.id);
            let n = service.deployments.iter().position(|d| Some(d.id) == id);
            let wanted = n.map_or(0, |n| service.tasks_of(n).count());
            let pending = service.tasks.values().filter(|t| t.is_pending() && Some(t.deployment) == id).count();
            let status = match n.map(|n| service.deployment_status(n)) {
                _ if deployment.primary => "PRIMARY",
                Some(DeploymentStatus::Draining) => "DRAINING",
                _ => "ACTIVE",
            };
            let (rollout, what) = match deployment.rollout {
                Rollout::Completed => ("COMPLETED", "completed"),
                Rollout::InProgress => ("IN_PROGRESS", "in progress"),
                Rollout::Failed => ("FAILED", "failed"),
            };
            let rollback = n.and_then(|n| service.deployments[n].rolls_back).filter(|_| deployment.rolls_back);
            let reason = match rollback.zip(id) {
                Some((cause, id)) => rollback_reason(cause, id),
                None => format!("ECS deployment {} {what}.", deployment.id),
            };
            let task_definition = details.map(|details| {
                id.and_then(|id| details.replaced.get(&id)).unwrap_or(&details.task_definition).as_str()
            });
            let mut shown = placed_on(deployment.strategy.as_ref());
            let known = json!({
                "id": deployment.id,
                "status": status,
                "taskDefinition": task_definition.unwrap_or_default(),
                "desiredCount": if deployment.primary { seen.desired as usize } else { wanted },
                "pendingCount": pending,
                "runningCount": deployment.running,
                "failedTasks": n.map_or(0, |n| service.deployments[n].failed_tasks),
                "createdAt": self.seconds(deployment.created_at),
                "updatedAt": self.seconds(deployment.created_at),
                "platformVersion": "1.4.0",
                "platformFamily": "Linux",
                "rolloutState": rollout,
                "rolloutStateReason": reason,
            });
            if let Value::Object(shown) = &mut shown {
                extend(shown, known);
            }
            shown
        };
        seen.deployments.iter().map(show).collect()
    }
}

/// Either `capacityProviderStrategy` or `launchType` (aws-facts.md §1.3).
fn placed_on(strategy: Option<&Strategy>) -> Value {
    match strategy {
        Some(strategy) => json!({ "capacityProviderStrategy": strategy.items() }),
        None => json!({ "launchType": "FARGATE" }),
    }
}

fn configuration(service: &Service, seen: &Observation) -> Value {
    json!({
        "deploymentCircuitBreaker": { "enable": service.circuit_breaker, "rollback": service.circuit_breaker },
        "maximumPercent": service.maximum_percent,
        "minimumHealthyPercent": seen.minimum_healthy_percent,
        "alarms": { "alarmNames": [], "rollback": service.alarms, "enable": service.alarms },
        "strategy": controller(&seen.controller).1,
    })
}

/// `deploymentController.type` and `deploymentConfiguration.strategy`.
fn controller(controller: &Controller) -> (&str, &'static str) {
    match controller {
        Controller::Rolling => ("ECS", "ROLLING"),
        Controller::Other(name) if name == BLUE_GREEN => ("ECS", "BLUE_GREEN"),
        Controller::Other(name) => (name, "ROLLING"),
    }
}

/// AWS gives every message an id. The model has none, so it is made of what the message is.
fn message_id(service: &ServiceId, at: Timestamp, text: &str) -> String {
    let part = |salt: u8| {
        let mut hasher = FxHasher::default();
        hasher.write_u8(salt);
        hasher.write(service.arn().as_bytes());
        hasher.write_u64(at.as_millis());
        hasher.write(text.as_bytes());
        hasher.finish()
    };
    let (high, low) = (part(1), part(2));
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48 & 0xfff,
        low & 0xffff_ffff_ffff
    )
}
