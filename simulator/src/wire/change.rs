//! `UpdateService` and `DeleteService`, and what they have in common with `CreateService`.

use handlers::strategy::StrategyItem;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Refusal};
use super::caller::Caller;
use super::endpoint::Endpoint;
use super::input::required;
use super::name::service_not_found;
use crate::ecs::api::{TOO_MANY_TASKS, UpdateService};
use crate::ids::ServiceKey;
use crate::spec::WorldEvent;
use crate::trace;

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
pub(super) struct Item {
    capacity_provider: Option<String>,
    weight: Option<i32>,
    base: Option<i32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Configuration {
    minimum_healthy_percent: Option<i32>,
    maximum_percent: Option<i32>,
    pub(super) deployment_circuit_breaker: Option<CircuitBreaker>,
    pub(super) alarms: Option<Alarms>,
    pub(super) strategy: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CircuitBreaker {
    pub(super) enable: bool,
    pub(super) rollback: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Alarms {
    pub(super) enable: bool,
    pub(super) rollback: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct ControllerType {
    pub(super) r#type: Option<String>,
}

/// Members that the model does nothing with and shows as they were given.
pub(super) const SHOWN: [&str; 8] = [
    "enableECSManagedTags",
    "enableExecuteCommand",
    "healthCheckGracePeriodSeconds",
    "loadBalancers",
    "platformVersion",
    "propagateTags",
    "serviceRegistries",
    "placementConstraints",
];

impl Endpoint<'_> {
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
        let known = self.state.services.get(&key).map(|details| &details.task_definition);
        let new_revision = definition.filter(|definition| Some(definition) != known);
        let service = self.world.ecs.service(key);
        let asked = input.deployment_configuration.unwrap_or_default();
        let (minimum, maximum) = bounds(&asked, service.minimum_healthy_percent, service.maximum_percent)?;
        let id = service.id.clone();
        let hand = caller.hand();
        if hand == trace::Caller::Recovery {
            self.world.judge_update(&id, &update);
        }
        self.world.update_service(hand, &id, &update)?;
        let service = self.world.ecs.service_mut(key);
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
        let details = self.state.services.entry(key).or_default();
        details.shown.extend(input.more.into_iter().filter(|(name, _)| SHOWN.contains(&name.as_str())));
        if let Some(new_revision) = new_revision {
            let replaced = std::mem::replace(&mut details.task_definition, new_revision);
            // A new task definition is deployed without being forced.
            if !update.force_new_deployment {
                let deploy = UpdateService { force_new_deployment: true, ..UpdateService::default() };
                self.world.update_service(hand, &id, &deploy)?;
            }
            let of_older = &mut self.state.services.entry(key).or_default().replaced;
            for older in self.world.ecs.service(key).deployments.iter().skip(1) {
                of_older.entry(older.id).or_insert_with(|| replaced.clone());
            }
        }
        Ok(self.changed(key))
    }

    pub(super) fn delete_service(&mut self, caller: &Caller, input: DeleteService) -> Answer {
        let name = required(input.service, "service")?;
        let cluster = self.cluster(caller, input.cluster.as_deref())?;
        let key = self.service_in(caller, &cluster, &name)?.filter(|key| self.world.ecs.service(*key).active);
        let key = key.ok_or_else(service_not_found)?;
        let service = self.world.ecs.service(key);
        if service.desired > 0 && input.force != Some(true) {
            return Err(Refusal::invalid("The service cannot be stopped while it is scaled above 0."));
        }
        let id = service.id.clone();
        self.world.happen(WorldEvent::DeleteService { service: id });
        Ok(self.changed(key))
    }

    /// A service as the call that changed it gives it back.
    pub(super) fn changed(&self, key: ServiceKey) -> Value {
        json!({ "service": self.show_service(key, &self.world.ecs.shown(key), true) })
    }

    pub(super) fn desired(&self, count: i32) -> Result<u32, Refusal> {
        let count = u32::try_from(count).map_err(|_| Refusal::invalid("The desired count must not be negative."))?;
        if count > self.world.facts.tasks_per_service { Err(Refusal::invalid(TOO_MANY_TASKS)) } else { Ok(count) }
    }

    /// The ARN of a task definition that is there.
    pub(super) fn task_definition_named(&self, caller: &Caller, name: Option<&str>) -> Result<String, Refusal> {
        let name = required(name, "taskDefinition")?;
        let not_found = |refusal: Refusal| match refusal.code {
            "ClientException" => Refusal::new("ClientException", "TaskDefinition not found."),
            _ => refusal,
        };
        let definition = self.find_task_definition(caller, name).map_err(not_found)?;
        Ok(definition["taskDefinitionArn"].as_str().unwrap_or_default().to_owned())
    }
}

/// What was sent, to be judged by `Strategy::new`.
pub(super) fn items(sent: &[Item]) -> Result<Vec<StrategyItem>, Refusal> {
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

/// Minimum and maximum percent of a deployment; what is not given stays.
pub(super) fn bounds(asked: &Configuration, minimum: u32, maximum: u32) -> Result<(u32, u32), Refusal> {
    let percent = |asked: Option<i32>, stays: u32, most: i32| match asked {
        None => Ok(stays),
        Some(asked) if (0..=most).contains(&asked) => Ok(asked as u32),
        Some(_) => Err(Refusal::invalid("minimumHealthyPercent is 0 to 100, maximumPercent 0 to 2000.")),
    };
    Ok((percent(asked.minimum_healthy_percent, minimum, 100)?, percent(asked.maximum_percent, maximum, 2000)?))
}
