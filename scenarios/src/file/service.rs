//! The tables `[[service]]`, and how the rest of a file refers to a service.

use std::collections::BTreeMap;
use std::time::Duration;

use handlers::observation::Controller;
use handlers::service::{AccountId, Region, ServiceId};
use handlers::strategy::{CapacityProvider, Strategy};
use simulator::spec::{Autoscaling, BLUE_GREEN, ServiceSpec, Terraform};

use super::cursor::{Result, Table, Value};
use super::output::{Entries, time};
use super::{accounts, keys, strategy, suggest};
use crate::diagnostic::Fault;

/// Most tasks of a service (aws-facts.md §4).
pub(super) const MAX_DESIRED: u32 = 5000;
/// Longest stop timeout on Fargate (aws-facts.md §3).
const MAX_STOP_TIMEOUT: Duration = Duration::from_secs(120);
/// Longest deregistration delay of a target group.
const MAX_DEREGISTRATION_DELAY: Duration = Duration::from_secs(3600);
const BOTH: [CapacityProvider; 2] = [CapacityProvider::Fargate, CapacityProvider::FargateSpot];
const DEFAULT_STOP_TIMEOUT: Duration = Duration::from_secs(30);

const ROLLING: &str = "ECS";
/// Deployment controllers as a scenario names them and as AWS does.
const CONTROLLERS: &[(&str, &str)] =
    &[(ROLLING, ROLLING), ("BLUE_GREEN", BLUE_GREEN), ("CODE_DEPLOY", "CODE_DEPLOY"), ("EXTERNAL", "EXTERNAL")];

/// Where each service is named, so that no two have one name.
pub(super) type Places<'d> = BTreeMap<ServiceId, Value<'d>>;

/// Reads every `[[service]]`. Each must be of an account that `accounts` lists, where the file has such a list.
pub(super) fn read_all<'d>(
    root: &Table<'d>,
    region: &Region,
    accounts: Option<Value<'_>>,
    listed: &[AccountId],
    places: &mut Places<'d>,
) -> Result<Vec<ServiceSpec>> {
    let Some(tables) = root.get("service") else { return Ok(Vec::new()) };
    let mut services = Vec::new();
    for table in tables.tables(&keys::SERVICE)? {
        let account = table.need("account")?;
        let name = table.need("name")?;
        let id = ServiceId {
            account: account.name()?,
            region: region.clone(),
            cluster: table.need("cluster")?.name()?,
            service: name.name()?,
        };
        if let Some(accounts) = accounts.filter(|_| !listed.contains(&id.account)) {
            return Err(accounts::unlisted(account, listed).also(accounts.span(), "the accounts of this scenario"));
        }
        take_place(places, &id, name)?;
        let desired = table.need_like("desired", "4")?.integer(0..=MAX_DESIRED)?;
        services.push(read(&table, id, desired)?);
    }
    if services.is_empty() {
        return Err(tables.fault("is empty", "a scenario needs at least one service"));
    }
    Ok(services)
}

/// Notes that `name` names `id`, which nothing else may.
pub(super) fn take_place<'d>(places: &mut Places<'d>, id: &ServiceId, name: Value<'d>) -> Result<()> {
    match places.insert(id.clone(), name) {
        Some(first) => Err(Fault::new(name.span(), format!("there are two services {id}"), "the second one")
            .also(first.span(), "the first one")),
        None => Ok(()),
    }
}

/// The service `id` of `desired` tasks, with what else `table` gives it.
pub(super) fn read(table: &Table<'_>, id: ServiceId, desired: u32) -> Result<ServiceSpec> {
    let stop_timeout = |value: Value<'_>| value.duration(Duration::ZERO..=MAX_STOP_TIMEOUT);
    if let Some(scheduling) = table.get("scheduling") {
        replica(scheduling)?;
    }
    let launch_type = table.get("launch_type");
    let strategy = match launch_type {
        Some(launch_type) => on_launch_type(launch_type, table.get("strategy"))?,
        None => strategy::read(table.need_like("strategy", "[{ provider = \"FARGATE_SPOT\", weight = 1 }]")?)?,
    };
    Ok(ServiceSpec {
        minimum_healthy_percent: table
            .get("minimum_healthy_percent")
            .map_or(Ok(100), |value| value.integer(0..=100))?,
        maximum_percent: table.get("maximum_percent").map_or(Ok(200), |value| value.integer(100..=400))?,
        stop_timeout: table.get("stop_timeout").map_or(Ok(DEFAULT_STOP_TIMEOUT), stop_timeout)?,
        deregistration_delay: table
            .get("deregistration_delay")
            .map_or(Ok(Duration::ZERO), |value| value.duration(Duration::ZERO..=MAX_DEREGISTRATION_DELAY))?,
        zones: table.get("zones").map_or(Ok(3), |value| value.integer(1..=6))?,
        zone_rebalancing: table.get("zone_rebalancing").map_or(Ok(true), Value::boolean)?,
        launch_type: launch_type.is_some(),
        cpu: table.get("cpu").map_or(Ok(256), cpu)?,
        autoscaling: table.get("autoscaling").map(|value| autoscaling(value, desired)).transpose()?,
        terraform: table.get("terraform").map(terraform).transpose()?,
        alarms: table.get("alarms").map_or(Ok(false), Value::boolean)?,
        circuit_breaker: table.get("circuit_breaker").map_or(Ok(false), Value::boolean)?,
        controller: table.get("controller").map_or(Ok(Controller::Rolling), controller)?,
        associated: table.get("cluster_providers").map_or_else(|| Ok(BOTH.to_vec()), providers)?,
        ..ServiceSpec::new(id, desired, strategy)
    })
}

/// The `[[service]]` from which `service` is read.
pub(super) fn write(service: &ServiceSpec) -> Entries {
    let ServiceSpec { id, desired, strategy, .. } = service;
    let plain = ServiceSpec::new(id.clone(), *desired, strategy.clone());
    let entries = Entries::default()
        .with("account", &id.account)
        .with("cluster", &id.cluster)
        .with("name", &id.service)
        .with("desired", desired);
    let entries = match service.launch_type {
        true => entries.with("launch_type", "FARGATE"),
        false => entries.with_toml("strategy", strategy::write(strategy)),
    };
    let entries = entries
        .with_changed("minimum_healthy_percent", service.minimum_healthy_percent, plain.minimum_healthy_percent)
        .with_changed("maximum_percent", service.maximum_percent, plain.maximum_percent)
        .with_changed("stop_timeout", time(service.stop_timeout), time(plain.stop_timeout))
        .with_changed("deregistration_delay", time(service.deregistration_delay), time(plain.deregistration_delay))
        .with_changed("zones", service.zones, plain.zones)
        .with_changed("zone_rebalancing", service.zone_rebalancing, plain.zone_rebalancing)
        .with_changed("circuit_breaker", service.circuit_breaker, plain.circuit_breaker)
        .with_changed("alarms", service.alarms, plain.alarms)
        .with_changed("cpu", service.cpu, plain.cpu);
    let entries = match service.autoscaling {
        Some(Autoscaling { min, max }) => {
            entries.with_table("autoscaling", &Entries::default().with("min", min).with("max", max))
        }
        None => entries,
    };
    let entries = match service.terraform {
        Some(Terraform { every, force }) => {
            entries.with_table("terraform", &Entries::default().with("every", time(every)).with("force", force))
        }
        None => entries,
    };
    let providers = |providers: &[CapacityProvider]| providers.iter().map(ToString::to_string).collect::<Vec<_>>();
    entries
        .with_changed("controller", controller_name(&service.controller), controller_name(&plain.controller))
        .with_changed("cluster_providers", providers(&service.associated), providers(&plain.associated))
}

/// A launch type stands in the place of a strategy (aws-facts.md §1.4).
fn on_launch_type(launch_type: Value<'_>, strategy: Option<Value<'_>>) -> Result<Strategy> {
    if let Some(strategy) = strategy {
        let message = "specifying both a launch type and a capacity provider strategy is not supported";
        return Err(Fault::new(launch_type.key_span(), message, "give the service one of them")
            .also(strategy.key_span(), "the other one"));
    }
    launch_type.choice(&[("FARGATE", ())])?;
    Ok(simulator::fargate_alone())
}

/// `schedulingStrategy`: Fargate has no DAEMON services (aws-facts.md §1.5).
fn replica(value: Value<'_>) -> Result<()> {
    match value.choice(&[("REPLICA", true), ("DAEMON", false)])? {
        true => Ok(()),
        false => Err(value.fault("does not exist on Fargate", "allowed: \"REPLICA\"")),
    }
}

/// Bounds within which an auto scaler moves the desired count.
fn autoscaling(value: Value<'_>, desired: u32) -> Result<Autoscaling> {
    let table = value.table(&keys::AUTOSCALING)?;
    let min = table.need_like("min", "2")?.integer(0..=MAX_DESIRED)?;
    let max = table.need("max")?.integer(min..=MAX_DESIRED)?;
    if !(min..=max).contains(&desired) {
        return Err(value.fault("does not hold the desired count", format!("`desired` is {desired}")));
    }
    Ok(Autoscaling { min, max })
}

fn terraform(value: Value<'_>) -> Result<Terraform> {
    let table = value.table(&keys::TERRAFORM)?;
    let every =
        table.need_like("every", "\"1h\"")?.duration(Duration::from_secs(60)..=Duration::from_secs(31 * 86_400))?;
    Ok(Terraform { every, force: table.need("force")?.boolean()? })
}

/// A task's size in CPU units; Fargate has these (aws-facts.md §4 counts them in vCPU of 1024).
fn cpu(value: Value<'_>) -> Result<u32> {
    const SIZES: [u32; 7] = [256, 512, 1024, 2048, 4096, 8192, 16384];
    let units = value.integer(0..=SIZES[6])?;
    if SIZES.contains(&units) {
        return Ok(units);
    }
    let sizes = SIZES.map(|size| size.to_string()).join(", ");
    Err(value.fault("is not a size of a Fargate task", format!("allowed: {sizes}")))
}

/// `deploymentController.type`; `BLUE_GREEN` is ECS's own.
pub(super) fn controller(value: Value<'_>) -> Result<Controller> {
    let name = value.choice(CONTROLLERS)?;
    Ok(if name == ROLLING { Controller::Rolling } else { Controller::Other(name.into()) })
}

/// The word from which `controller` is read.
pub(super) fn controller_name(controller: &Controller) -> &str {
    match controller {
        Controller::Rolling => ROLLING,
        Controller::Other(name) => {
            CONTROLLERS.iter().find(|(_, meaning)| meaning == name).map_or(name, |(word, _)| word)
        }
    }
}

/// The capacity providers associated with the service's cluster.
fn providers(value: Value<'_>) -> Result<Vec<CapacityProvider>> {
    value.list()?.into_iter().map(strategy::provider).collect()
}

/// The service that a text such as `web/checkout` or `111111111111/web/checkout` names.
pub(super) fn find<'s>(value: Value<'_>, services: &'s [ServiceSpec]) -> Result<&'s ServiceSpec> {
    let text = value.text()?;
    let mut matching = services.iter().filter(|service| is_named(&service.id, text));
    match (matching.next(), matching.next()) {
        (Some(service), None) => Ok(service),
        (Some(first), Some(second)) => {
            let all: Vec<String> =
                [first, second].into_iter().chain(matching).map(|service| service.id.to_string()).collect();
            Err(value
                .fault("means more than one service", "put the account in front")
                .help(format!("write one of: {}", suggest::list(all.iter().map(String::as_str)))))
        }
        (None, _) => Err(unknown(value, text, services)),
    }
}

fn is_named(id: &ServiceId, text: &str) -> bool {
    let short =
        |text: &str| text.split_once('/').is_some_and(|(c, s)| c == id.cluster.as_str() && s == id.service.as_str());
    short(text) || text.split_once('/').is_some_and(|(account, rest)| account == id.account.as_str() && short(rest))
}

fn unknown(value: Value<'_>, text: &str, services: &[ServiceSpec]) -> Fault {
    let short = |id: &ServiceId| format!("{}/{}", id.cluster, id.service);
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for service in services {
        *uses.entry(short(&service.id)).or_default() += 1;
    }
    let unambiguous = |id: &ServiceId| Some(short(id)).filter(|name| uses.get(name) == Some(&1));
    let names: Vec<String> = services.iter().map(|s| unambiguous(&s.id).unwrap_or_else(|| s.id.to_string())).collect();
    let same_name = names.iter().map(String::as_str).find(|name| name.rsplit('/').next() == Some(text));
    let label = match same_name.or_else(|| suggest::closest(text, names.iter().map(String::as_str))) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => "no such service".into(),
    };
    value
        .fault("does not exist", label)
        .help(format!("services here: {}", suggest::list(names.iter().map(String::as_str))))
}
