//! `CreateService`, `UpdateService`, `DeleteService`.

use std::time::Duration;

use handlers::observation::Controller;
use handlers::service::ServiceId;
use handlers::strategy::{Strategy, StrategyItem};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::caller::Caller;
use super::name::{required, service_not_found};
use super::state::Details;
use super::tag::Tag;
use super::{Answer, Refusal, task_definition};
use crate::ecs::{NOT_ASSOCIATED, ServiceKey, TOO_MANY_TASKS, UpdateService, fargate_alone, strategy_message};
use crate::spec::{BLUE_GREEN, ServiceSpec};
use crate::trace;
use crate::world::World;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateService {
    cluster: Option<String>,
    service_name: Option<String>,
    task_definition: Option<String>,
    desired_count: Option<i32>,
    client_token: Option<String>,
    launch_type: Option<String>,
    capacity_provider_strategy: Option<Vec<Item>>,
    deployment_configuration: Option<Configuration>,
    availability_zone_rebalancing: Option<String>,
    network_configuration: Option<Network>,
    scheduling_strategy: Option<String>,
    deployment_controller: Option<ControllerType>,
    tags: Option<Vec<Tag>>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateOfService {
    cluster: Option<String>,
    service: Option<String>,
    desired_count: Option<i32>,
    task_definition: Option<String>,
    capacity_provider_strategy: Option<Vec<Item>>,
    deployment_configuration: Option<Configuration>,
    availability_zone_rebalancing: Option<String>,
    force_new_deployment: Option<bool>,
    deployment_controller: Option<ControllerType>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct DeleteService {
    cluster: Option<String>,
    service: Option<String>,
    force: Option<bool>,
}

/// `CapacityProviderStrategyItem` as a caller may send it: numbers below zero are refused, not unreadable.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    capacity_provider: Option<String>,
    weight: Option<i32>,
    base: Option<i32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Configuration {
    minimum_healthy_percent: Option<i32>,
    maximum_percent: Option<i32>,
    deployment_circuit_breaker: Option<CircuitBreaker>,
    alarms: Option<Alarms>,
    strategy: Option<String>,
}

#[derive(Debug, Deserialize)]
struct CircuitBreaker {
    enable: bool,
    rollback: bool,
}

#[derive(Debug, Deserialize)]
struct Alarms {
    enable: bool,
    rollback: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Network {
    awsvpc_configuration: Option<Vpc>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vpc {
    subnets: Option<Vec<String>>,
    security_groups: Option<Vec<String>>,
    assign_public_ip: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ControllerType {
    r#type: Option<String>,
}

/// Members that the model does nothing with and shows as they were given.
const SHOWN: [&str; 8] = [
    "enableECSManagedTags",
    "enableExecuteCommand",
    "healthCheckGracePeriodSeconds",
    "loadBalancers",
    "platformVersion",
    "propagateTags",
    "serviceRegistries",
    "placementConstraints",
];

impl World {
    pub(super) fn create_service(&mut self, caller: &Caller, input: CreateService) -> Answer {
        let (account, region, cluster) = self.cluster(caller, input.cluster.as_deref())?;
        let name = required(input.service_name.as_deref(), "serviceName")?;
        let service = name.parse().map_err(|_| {
            Refusal::invalid(
                "Up to 255 letters (uppercase and lowercase), numbers, underscores, and hyphens are allowed.",
            )
        })?;
        let id = ServiceId { account, region, cluster, service };
        let existing = self.ecs.find(&id);
        if let Some(key) = existing.filter(|key| self.ecs.service(*key).active) {
            let token = self.wire.services.get(&key).and_then(|details| details.client_token.as_ref());
            if input.client_token.is_none() || token != input.client_token.as_ref() {
                return Err(Refusal::invalid("Creation of service was not idempotent."));
            }
            return Ok(self.changed(key));
        }
        let spec = self.spec_of(caller, id, &input)?;
        let definition = self.task_definition_named(caller, input.task_definition.as_deref())?;
        let arn = spec.id.arn();
        self.wire.tags.remove(&arn);
        self.set_tags(&arn, input.tags.unwrap_or_default())?;
        let key = match existing {
            // Nothing of a service of the same name that was deleted is left.
            Some(key) => {
                self.spec.services[key.0] = spec;
                let id = self.ecs.service(key).id.clone();
                self.owner_creates(&id);
                key
            }
            None => self.create_new(spec),
        };
        let mut shown: Map<String, Value> =
            input.more.into_iter().filter(|(name, _)| SHOWN.contains(&name.as_str())).collect();
        if let Some(vpc) = input.network_configuration.and_then(|network| network.awsvpc_configuration) {
            let vpc = json!({
                "subnets": vpc.subnets,
                "securityGroups": vpc.security_groups.unwrap_or_default(),
                "assignPublicIp": vpc.assign_public_ip.as_deref().unwrap_or("DISABLED"),
            });
            shown.insert("networkConfiguration".to_owned(), json!({ "awsvpcConfiguration": vpc }));
        }
        let details =
            Details { task_definition: definition, client_token: input.client_token, shown, ..Details::default() };
        self.wire.services.insert(key, details);
        self.follow_opt_out(Some(key), &arn);
        Ok(self.changed(key))
    }

    /// What a new service will be, or why there will be none.
    fn spec_of(&self, caller: &Caller, id: ServiceId, input: &CreateService) -> Result<ServiceSpec, Refusal> {
        if !matches!(input.scheduling_strategy.as_deref(), None | Some("REPLICA")) {
            // aws-facts.md §1.5; the words are ours.
            return Err(Refusal::invalid("The daemon scheduling strategy is not supported on Fargate."));
        }
        let desired = self.desired(required(input.desired_count, "desiredCount")?)?;
        let cluster = &self.wire.clusters[&(id.account.clone(), id.region.clone(), id.cluster.clone())];
        let items = match (&input.launch_type, &input.capacity_provider_strategy) {
            (Some(_), Some(strategy)) if !strategy.is_empty() => {
                return Err(Refusal::invalid(
                    "Specifying both a launch type and capacity provider strategy is not supported",
                ));
            }
            (Some(launch_type), _) if launch_type == "FARGATE" => None,
            (Some(launch_type), _) => return Err(Refusal::not_modelled(&format!("the launch type {launch_type:?}"))),
            (None, Some(strategy)) if !strategy.is_empty() => Some(items(strategy)?),
            (None, _) if !cluster.default_strategy.is_empty() => Some(cluster.default_strategy.clone()),
            // Where nothing is said the launch type is EC2 (aws-facts.md §1.3).
            (None, _) => {
                return Err(Refusal::not_modelled("the launch type EC2, which is ECS's choice where neither is given"));
            }
        };
        let strategy = match &items {
            Some(items) => Strategy::new(items.clone()).map_err(|error| Refusal::invalid(strategy_message(&error)))?,
            None => fargate_alone(),
        };
        if items.is_some() && strategy.items().iter().any(|item| !cluster.providers.contains(&item.capacity_provider)) {
            return Err(Refusal::invalid(NOT_ASSOCIATED));
        }
        let subnets = input.network_configuration.as_ref().and_then(|network| network.awsvpc_configuration.as_ref());
        let subnets = subnets.and_then(|vpc| vpc.subnets.as_ref()).map_or(0, Vec::len);
        if subnets == 0 {
            let message = "Network Configuration must be provided when networkMode 'awsvpc' is specified.";
            return Err(Refusal::invalid(message));
        }
        let task_definition = self.task_definition_named(caller, input.task_definition.as_deref())?;
        let definition = self.find_task_definition(caller, &task_definition)?;
        let cpu = definition.get("cpu").and_then(Value::as_str).and_then(task_definition::cpu_units);
        let default = ServiceSpec::new(id, desired, strategy);
        let mut spec = ServiceSpec {
            launch_type: items.is_none(),
            cpu: cpu.unwrap_or(default.cpu),
            associated: cluster.providers.clone(),
            zones: u8::try_from(subnets).unwrap_or(u8::MAX),
            // On for a service that does not say otherwise (aws-facts.md §1.6).
            zone_rebalancing: input.availability_zone_rebalancing.as_deref() != Some("DISABLED"),
            controller: controller(input)?,
            ..default
        };
        if let Some(asked) = &input.deployment_configuration {
            let (minimum, maximum) = bounds(asked, spec.minimum_healthy_percent, spec.maximum_percent)?;
            (spec.minimum_healthy_percent, spec.maximum_percent) = (minimum, maximum);
            spec.circuit_breaker = asked.deployment_circuit_breaker.as_ref().is_some_and(|b| b.enable && b.rollback);
            spec.alarms = asked.alarms.as_ref().is_some_and(|alarms| alarms.enable && alarms.rollback);
        }
        if input.more.get("loadBalancers").and_then(Value::as_array).is_some_and(|all| !all.is_empty()) {
            // The default of a target group.
            spec.deregistration_delay = Duration::from_secs(300);
        }
        Ok(spec)
    }

    fn desired(&self, count: i32) -> Result<u32, Refusal> {
        let count = u32::try_from(count).map_err(|_| Refusal::invalid("The desired count must not be negative."))?;
        if count > self.facts.tasks_per_service { Err(Refusal::invalid(TOO_MANY_TASKS)) } else { Ok(count) }
    }

    /// The ARN of a task definition that is there.
    fn task_definition_named(&self, caller: &Caller, name: Option<&str>) -> Result<String, Refusal> {
        let name = required(name, "taskDefinition")?;
        let not_found = |refusal: Refusal| match refusal.code {
            "ClientException" => Refusal::new("ClientException", "TaskDefinition not found."),
            _ => refusal,
        };
        let definition = self.find_task_definition(caller, name).map_err(not_found)?;
        Ok(definition["taskDefinitionArn"].as_str().unwrap_or_default().to_owned())
    }

    pub(super) fn update_service_of_caller(&mut self, caller: &Caller, input: UpdateOfService) -> Answer {
        let name = required(input.service, "service")?;
        let cluster = self.cluster(caller, input.cluster.as_deref())?;
        let key = self.service_in(caller, &cluster, &name)?.ok_or_else(service_not_found)?;
        if input.deployment_controller.is_some() {
            return Err(Refusal::not_modelled("a change of the deployment controller"));
        }
        let update = UpdateService {
            strategy: input.capacity_provider_strategy.as_deref().map(items).transpose()?,
            desired: input.desired_count.map(|count| self.desired(count)).transpose()?,
            force_new_deployment: input.force_new_deployment == Some(true),
        };
        let definition = input.task_definition.as_deref();
        let definition = definition.map(|name| self.task_definition_named(caller, Some(name))).transpose()?;
        let known = self.wire.services.get(&key).map(|details| &details.task_definition);
        let new_revision = definition.filter(|definition| Some(definition) != known);
        let service = self.ecs.service(key);
        let asked = input.deployment_configuration.unwrap_or_default();
        let (minimum, maximum) = bounds(&asked, service.minimum_healthy_percent, service.maximum_percent)?;
        let id = service.id.clone();
        let hand = caller.hand();
        if hand == trace::Caller::Recovery {
            self.judge_update(&id, &update);
        }
        self.update_service(hand, &id, &update)?;
        let service = self.ecs.service_mut(key);
        (service.minimum_healthy_percent, service.maximum_percent) = (minimum, maximum);
        if let Some(breaker) = asked.deployment_circuit_breaker {
            service.circuit_breaker = breaker.enable && breaker.rollback;
        }
        if let Some(alarms) = asked.alarms {
            service.alarms = alarms.enable && alarms.rollback;
        }
        if let Some(rebalancing) = input.availability_zone_rebalancing {
            service.zone_rebalancing = rebalancing == "ENABLED";
        }
        let details = self.wire.services.entry(key).or_default();
        details.shown.extend(input.more.into_iter().filter(|(name, _)| SHOWN.contains(&name.as_str())));
        if let Some(new_revision) = new_revision {
            let replaced = std::mem::replace(&mut details.task_definition, new_revision);
            // A new task definition is deployed without being forced.
            if !update.force_new_deployment {
                let deploy = UpdateService { force_new_deployment: true, ..UpdateService::default() };
                self.update_service(hand, &id, &deploy)?;
            }
            let of_older = &mut self.wire.services.entry(key).or_default().replaced;
            for older in self.ecs.service(key).deployments.iter().skip(1) {
                of_older.entry(older.id.clone()).or_insert_with(|| replaced.clone());
            }
        }
        Ok(self.changed(key))
    }

    pub(super) fn delete_service(&mut self, caller: &Caller, input: DeleteService) -> Answer {
        let name = required(input.service, "service")?;
        let cluster = self.cluster(caller, input.cluster.as_deref())?;
        let key = self.service_in(caller, &cluster, &name)?.filter(|key| self.ecs.service(*key).active);
        let key = key.ok_or_else(service_not_found)?;
        let service = self.ecs.service(key);
        if service.desired > 0 && input.force != Some(true) {
            return Err(Refusal::invalid("The service cannot be stopped while it is scaled above 0."));
        }
        let id = service.id.clone();
        self.owner_deletes(&id);
        Ok(self.changed(key))
    }

    /// A service as the call that changed it gives it back.
    fn changed(&self, key: ServiceKey) -> Value {
        json!({ "service": self.show_service(key, &self.ecs.service(key).shown(), true) })
    }
}

/// What was sent, to be judged by [`Strategy::new`].
fn items(sent: &[Item]) -> Result<Vec<StrategyItem>, Refusal> {
    let item = |item: &Item| {
        let number = |value: Option<i32>, what: &str| {
            u32::try_from(value.unwrap_or(0)).map_err(|_| Refusal::invalid(format!("{what} must not be negative.")))
        };
        Ok(StrategyItem {
            capacity_provider: required(item.capacity_provider.clone(), "capacityProvider")?.into(),
            weight: number(item.weight, "weight")?,
            base: number(item.base, "base")?,
        })
    };
    sent.iter().map(item).collect()
}

fn controller(input: &CreateService) -> Result<Controller, Refusal> {
    let strategy = input.deployment_configuration.as_ref().and_then(|asked| asked.strategy.as_deref());
    let controller = input.deployment_controller.as_ref().and_then(|controller| controller.r#type.as_deref());
    match (controller.unwrap_or("ECS"), strategy.unwrap_or("ROLLING")) {
        ("ECS", "ROLLING") => Ok(Controller::Rolling),
        ("ECS", "BLUE_GREEN") => Ok(Controller::Other(BLUE_GREEN.to_owned())),
        ("ECS", other) => Err(Refusal::not_modelled(&format!("the deployment strategy {other:?}"))),
        (other @ ("CODE_DEPLOY" | "EXTERNAL"), _) => Ok(Controller::Other(other.to_owned())),
        (other, _) => Err(Refusal::invalid(format!("Invalid deployment controller type: {}", super::shortened(other)))),
    }
}

/// Minimum and maximum percent of a deployment; what is not given stays.
fn bounds(asked: &Configuration, minimum: u32, maximum: u32) -> Result<(u32, u32), Refusal> {
    let percent = |asked: Option<i32>, stays: u32, most: i32| match asked {
        None => Ok(stays),
        Some(asked) if (0..=most).contains(&asked) => Ok(asked as u32),
        Some(_) => Err(Refusal::invalid("minimumHealthyPercent is 0 to 100, maximumPercent 0 to 2000.")),
    };
    Ok((percent(asked.minimum_healthy_percent, minimum, 100)?, percent(asked.maximum_percent, maximum, 2000)?))
}
