//! `CreateService`.

use std::time::Duration;

use handlers::observation::Controller;
use handlers::service::ServiceId;
use handlers::strategy::Strategy;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Refusal, shortened};
use super::caller::Caller;
use super::change::{Configuration, ControllerType, Item, SHOWN, bounds, items};
use super::endpoint::Endpoint;
use super::input::required;
use super::resource::Tag;
use super::state::Details;
use super::task_definition::cpu_units;
use crate::ecs::api::{NOT_ASSOCIATED, fargate_alone, strategy_message};
use crate::spec::{BLUE_GREEN, ServiceSpec, WorldEvent};

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

impl Endpoint<'_> {
    pub(super) fn create_service(&mut self, caller: &Caller, input: CreateService) -> Answer {
        let (account, region, cluster) = self.cluster(caller, input.cluster.as_deref())?;
        let name = required(input.service_name.as_deref(), "serviceName")?;
        let service = name.parse().map_err(|_| {
            Refusal::invalid(
                "Up to 255 letters (uppercase and lowercase), numbers, underscores, and hyphens are allowed.",
            )
        })?;
        let id = ServiceId { account, region, cluster, service };
        let existing = self.world.names.service(&id);
        if let Some(key) = existing.filter(|key| self.world.ecs.service(*key).active) {
            let token = self.state.services.get(&key).and_then(|details| details.client_token.as_ref());
            if input.client_token.is_none() || token != input.client_token.as_ref() {
                return Err(Refusal::invalid("Creation of service was not idempotent."));
            }
            return Ok(self.changed(key));
        }
        let spec = self.spec_of(caller, id, &input)?;
        let definition = self.task_definition_named(caller, input.task_definition.as_deref())?;
        let arn = spec.id.arn();
        self.state.tags.remove(&arn);
        self.set_tags(&arn, input.tags.unwrap_or_default())?;
        let key = match existing {
            // Nothing of a service of the same name that was deleted is left.
            Some(key) => {
                self.world.spec.services[key.0] = spec;
                let service = self.world.ecs.service(key).id.clone();
                self.world.happen(WorldEvent::CreateService { service });
                key
            }
            None => self.world.create_new(spec),
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
        self.state.services.insert(key, details);
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
        let cluster = &self.state.clusters[&(id.account.clone(), id.region.clone(), id.cluster.clone())];
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
        let cpu = definition.get("cpu").and_then(Value::as_str).and_then(cpu_units);
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
}

fn controller(input: &CreateService) -> Result<Controller, Refusal> {
    let strategy = input.deployment_configuration.as_ref().and_then(|asked| asked.strategy.as_deref());
    let controller = input.deployment_controller.as_ref().and_then(|controller| controller.r#type.as_deref());
    match (controller.unwrap_or("ECS"), strategy.unwrap_or("ROLLING")) {
        ("ECS", "ROLLING") => Ok(Controller::Rolling),
        ("ECS", "BLUE_GREEN") => Ok(Controller::Other(BLUE_GREEN.to_owned())),
        ("ECS", other) => Err(Refusal::not_modelled(&format!("the deployment strategy {other:?}"))),
        (other @ ("CODE_DEPLOY" | "EXTERNAL"), _) => Ok(Controller::Other(other.to_owned())),
        (other, _) => Err(Refusal::invalid(format!("Invalid deployment controller type: {}", shortened(other)))),
    }
}
