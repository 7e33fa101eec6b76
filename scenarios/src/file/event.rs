//! The tables `[[at]]`: what happens to the world, and when.

use std::ops::RangeInclusive;
use std::time::Duration;

use handlers::service::{AccountId, ServiceId};
use serde_json::{Map, Number, Value as Json};
use simulator::spec::{Role, ServiceSpec, TimedEvent, WorldEvent};
use toml::de::DeValue;

use super::cursor::{Result, Table, Value, span_of_time};
use super::event_path::{bus_policy, forwarding, function, organization, queue, redrive};
use super::fleet::{self, Fleet};
use super::{keys, market, service, strategy, suggest};
use crate::diagnostic::Fault;

/// Most `[[at]]` of a scenario; each may name every account.
const MAX_EVENTS: usize = 1000;
/// Most events that they are once those of a fleet are one for each service.
const MAX_SINGLE: usize = 1_000_000;

/// How long `UpdateTaskProtection` protects, and by default (aws-facts.md §1.6).
const PROTECTION: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(48 * 3600);
const DEFAULT_PROTECTION: Duration = Duration::from_secs(2 * 3600);

type Read = fn(Value<'_>, &Stage<'_>) -> Result<WorldEvent>;

/// What can happen, by its key.
const ACTIONS: &[(&str, Read)] = &[
    ("spot", market::spot),
    ("on_demand", on_demand),
    ("interrupt", interrupt),
    ("put_events", put_events),
    ("update_service", update_service),
    ("deploy", deploy),
    ("roll_back", roll_back),
    ("alarm", alarm),
    ("delete_service", delete_service),
    ("create_service", create_service),
    ("opt_out", opt_out),
    ("controller", controller),
    ("application", application),
    ("crash_loop", crash_loop),
    ("protect", protect),
    ("spot_zone", market::spot_zone),
    ("rebalancing_failure", rebalancing_failure),
    ("role", role),
    ("forwarding", forwarding),
    ("bus_policy", bus_policy),
    ("organization", organization),
    ("queue", queue),
    ("redrive", redrive),
    ("function", function),
    ("pause", pause),
    ("calm", calm),
];

/// What the events may refer to.
pub(super) struct Stage<'a> {
    pub(super) accounts: &'a [AccountId],
    pub(super) services: &'a [ServiceSpec],
    pub(super) fleets: &'a [Fleet],
    /// The service of a fleet that an action is read for; without it the action names its service.
    pub(super) each: Option<&'a ServiceSpec>,
    pub(super) duration: Duration,
    /// Where the duration is written.
    pub(super) end: Value<'a>,
}

/// Reads every `[[at]]`, in the order of the file.
pub(super) fn read_all(root: &Table<'_>, stage: &Stage<'_>) -> Result<Vec<TimedEvent>> {
    let Some(at) = root.get("at") else { return Ok(Vec::new()) };
    let tables = at.tables(&keys::AT)?;
    if let Some(table) = tables.get(MAX_EVENTS) {
        return Err(table.fault(format!("a scenario has at most {MAX_EVENTS} [[at]]"), "one too many"));
    }
    let mut events = Vec::new();
    for table in &tables {
        events.extend(read(table, stage)?);
        if events.len() > MAX_SINGLE {
            let message = format!("with this [[at]] there are {} events of single services", events.len());
            return Err(table.fault(message, format!("at most {MAX_SINGLE} are allowed")));
        }
    }
    Ok(events)
}

/// What one `[[at]]` does: one event, or one for each service of a fleet.
fn read(table: &Table<'_>, stage: &Stage<'_>) -> Result<Vec<TimedEvent>> {
    let time = table.need("time", "\"10m\"")?;
    let at = time.duration(Duration::ZERO..=Duration::MAX)?;
    if at > stage.duration {
        return Err(time
            .fault("is after the end", format!("allowed is 0s to {}", span_of_time(stage.duration)))
            .also(stage.end.span(), "the scenario lasts this long"));
    }
    let mut actions = table.values().into_iter().filter(|value| value.key() != "time");
    let known = || format!("actions are: {}", suggest::list(ACTIONS.iter().map(|(key, _)| *key)));
    let Some(action) = actions.next() else {
        return Err(table.fault("nothing happens in this [[at]]", "an action is missing").help(known()));
    };
    if let Some(second) = actions.next() {
        let message = format!("two actions in one [[at]]: `{}` and `{}`", action.key(), second.key());
        return Err(Fault::new(second.key_span(), message, "give it an [[at]] of its own")
            .also(action.key_span(), "the first one")
            .help(known()));
    }
    let Some((_, read)) = ACTIONS.iter().find(|(key, _)| *key == action.key()) else {
        return Err(action.fault("is not an action", known()));
    };
    let timed = |stage: &Stage<'_>| Ok(TimedEvent { at, event: read(action, stage)? });
    let Some(name) = action.entry("fleet") else { return Ok(vec![timed(stage)?]) };
    if let Some(service) = action.entry("service") {
        return Err(Fault::new(
            service.key_span(),
            "an action is for a service or for a fleet",
            "take one of them out",
        )
        .also(name.key_span(), "the other one"));
    }
    let fleet = fleet::find(name, stage.fleets)?;
    stage.services[fleet.services.clone()].iter().map(|each| timed(&Stage { each: Some(each), ..*stage })).collect()
}

fn on_demand(value: Value<'_>, stage: &Stage<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::ON_DEMAND)?;
    Ok(WorldEvent::OnDemand { accounts: accounts(&table, stage)?, capacity: market::capacity(&table)? })
}

fn interrupt(value: Value<'_>, stage: &Stage<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::INTERRUPT)?;
    let tasks = table.get("tasks").map_or(Ok(None), |tasks| tasks.integer_or("all"))?;
    Ok(WorldEvent::Interrupt { service: service_of(&table, stage)?.id.clone(), tasks: tasks.unwrap_or(u32::MAX) })
}

fn put_events(value: Value<'_>, _: &Stage<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::PUT_EVENTS)?;
    let source = table.need("source", "\"test.aws.ecs\"")?;
    if source.line()?.starts_with("aws.") {
        // aws-facts.md §5: the entry fails with NotAuthorizedForSource.
        return Err(source
            .fault("cannot be sent", "sources that begin with \"aws.\" are reserved for AWS")
            .help("EventBridge answers NotAuthorizedForSource; a synthetic event has the source \"test.aws.ecs\""));
    }
    let resources = table.get("resources").map_or(Ok(Vec::new()), Value::list)?;
    Ok(WorldEvent::PutEvents {
        from: table.need("from", "\"999999999999\"")?.name()?,
        source: source.line()?.to_owned(),
        detail_type: table.need("detail_type", "\"ECS Service Action\"")?.line()?.to_owned(),
        resources: resources.into_iter().map(|arn| arn.line().map(str::to_owned)).collect::<Result<_>>()?,
        detail: detail(table.need("detail", "'{\"eventName\":\"SERVICE_TASK_PLACEMENT_FAILURE\"}'")?)?,
    })
}

fn update_service(value: Value<'_>, stage: &Stage<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::UPDATE_SERVICE)?;
    let service = service_of(&table, stage)?.id.clone();
    let strategy = table.get("strategy").map(strategy::read).transpose()?;
    let desired = table.get("desired").map(|desired| desired.integer(0..=service::MAX_DESIRED)).transpose()?;
    if strategy.is_none() && desired.is_none() {
        return Err(table.fault("`update_service` changes nothing", "give it `strategy`, `desired` or both"));
    }
    Ok(WorldEvent::UpdateService { service, strategy, desired })
}

fn deploy(value: Value<'_>, stage: &Stage<'_>) -> Result<WorldEvent> {
    only_service(&keys::DEPLOY, value, stage).map(|service| WorldEvent::Deploy { service })
}

fn roll_back(value: Value<'_>, stage: &Stage<'_>) -> Result<WorldEvent> {
    only_service(&keys::ROLL_BACK, value, stage).map(|service| WorldEvent::RollBack { service })
}

fn alarm(value: Value<'_>, stage: &Stage<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::ALARM)?;
    let service = service_of(&table, stage)?;
    if service.alarms {
        return Ok(WorldEvent::Alarm { service: service.id.clone() });
    }
    Err(table
        .fault(format!("{} has no deployment alarms", service.id), "nothing would happen")
        .help("write alarms = true in its [[service]] or [[fleet]]"))
}

fn delete_service(value: Value<'_>, stage: &Stage<'_>) -> Result<WorldEvent> {
    only_service(&keys::DELETE_SERVICE, value, stage).map(|service| WorldEvent::DeleteService { service })
}

fn create_service(value: Value<'_>, stage: &Stage<'_>) -> Result<WorldEvent> {
    only_service(&keys::CREATE_SERVICE, value, stage).map(|service| WorldEvent::CreateService { service })
}

fn rebalancing_failure(value: Value<'_>, stage: &Stage<'_>) -> Result<WorldEvent> {
    only_service(&keys::REBALANCING_FAILURE, value, stage).map(|service| WorldEvent::RebalancingFailure { service })
}

fn only_service(group: &'static keys::Group, value: Value<'_>, stage: &Stage<'_>) -> Result<ServiceId> {
    let table = value.table(group)?;
    Ok(service_of(&table, stage)?.id.clone())
}

fn opt_out(value: Value<'_>, stage: &Stage<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::OPT_OUT)?;
    let off = table.get("off").map_or(Ok(true), Value::boolean)?;
    Ok(WorldEvent::OptOut { service: service_of(&table, stage)?.id.clone(), off })
}

fn controller(value: Value<'_>, stage: &Stage<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::CONTROLLER)?;
    let controller = service::controller(table.need("is", "\"BLUE_GREEN\"")?)?;
    Ok(WorldEvent::Controller { service: service_of(&table, stage)?.id.clone(), controller })
}

fn application(value: Value<'_>, stage: &Stage<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::APPLICATION)?;
    let fails = table.need("fails", "true")?.boolean()?;
    Ok(WorldEvent::Application { service: service_of(&table, stage)?.id.clone(), fails })
}

fn crash_loop(value: Value<'_>, stage: &Stage<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::CRASH_LOOP)?;
    let crashes = table.need("crashes", "true")?.boolean()?;
    Ok(WorldEvent::CrashLoop { service: service_of(&table, stage)?.id.clone(), crashes })
}

fn protect(value: Value<'_>, stage: &Stage<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::PROTECT)?;
    let tasks = table.get("tasks").map_or(Ok(None), |tasks| tasks.integer_or("all"))?;
    let time = table.get("time").map_or(Ok(DEFAULT_PROTECTION), |time| time.duration(PROTECTION))?;
    let service = service_of(&table, stage)?.id.clone();
    Ok(WorldEvent::Protect { service, tasks: tasks.unwrap_or(u32::MAX), time })
}

fn pause(value: Value<'_>, _: &Stage<'_>) -> Result<WorldEvent> {
    Ok(WorldEvent::Pause { paused: value.boolean()? })
}

fn calm(value: Value<'_>, _: &Stage<'_>) -> Result<WorldEvent> {
    if value.boolean()? { Ok(WorldEvent::Calm) } else { Err(value.fault("has no meaning", "write calm = true")) }
}

fn role(value: Value<'_>, stage: &Stage<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::ROLE)?;
    let roles = [("present", Role::Present), ("missing", Role::Missing), ("read-only", Role::ReadOnly)];
    let role = table.need("is", "\"missing\"")?.choice(&roles)?;
    Ok(WorldEvent::Role { accounts: accounts(&table, stage)?, role })
}

fn service_of<'s>(table: &Table<'_>, stage: &Stage<'s>) -> Result<&'s ServiceSpec> {
    match stage.each {
        Some(service) => Ok(service),
        None => service::find(table.need("service", "\"web/checkout\"")?, stage.services),
    }
}

/// The accounts named, or all of them.
pub(super) fn accounts(table: &Table<'_>, stage: &Stage<'_>) -> Result<Vec<AccountId>> {
    let Some(value) = table.get("accounts") else { return Ok(stage.accounts.to_vec()) };
    known_accounts(value, stage)
}

/// A list of accounts of this scenario. The name of a fleet stands for all of its accounts.
pub(super) fn known_accounts(value: Value<'_>, stage: &Stage<'_>) -> Result<Vec<AccountId>> {
    super::accounts_by(value, |item| match item.name() {
        Ok(account) if stage.accounts.contains(&account) => Ok(vec![account]),
        Ok(_) => Err(service::unlisted(item, stage.accounts)),
        Err(no_account) if stage.fleets.is_empty() || digits(item) => Err(no_account),
        Err(_) => fleet::find(item, stage.fleets).map(|fleet| fleet.accounts.clone()),
    })
}

/// Whether a text was meant to be an account.
fn digits(item: Value<'_>) -> bool {
    item.text().is_ok_and(|text| text.bytes().all(|b| b.is_ascii_digit()))
}

/// An event's detail: an object, as JSON text or as a TOML table.
fn detail(value: Value<'_>) -> Result<Json> {
    if matches!(value.raw(), DeValue::Table(_)) {
        return json(value, value.raw());
    }
    let text = value.text()?;
    match serde_json::from_str(text) {
        Ok(object @ Json::Object(_)) => Ok(object),
        Ok(_) => Err(value.fault("is not a JSON object", "write it in braces: { ... }")),
        Err(error) => Err(Fault::new(value.span(), format!("`{}` is not valid JSON", value.key()), error.to_string())),
    }
}

/// `raw`, somewhere inside `whole`, as JSON. Its depth is bounded by the TOML parser's.
fn json(whole: Value<'_>, raw: &DeValue<'_>) -> Result<Json> {
    let unfit = |what: &str| whole.fault(format_args!("holds {what}"), "JSON has no such number");
    Ok(match raw {
        DeValue::String(text) => Json::String(text.clone().into_owned()),
        DeValue::Boolean(yes) => Json::Bool(*yes),
        DeValue::Datetime(time) => Json::String(time.to_string()),
        DeValue::Integer(number) => {
            let integer = i64::from_str_radix(number.as_str(), number.radix());
            Json::Number(integer.map_err(|_| unfit("a number that is too large"))?.into())
        }
        DeValue::Float(number) => {
            let float = number.as_str().parse().ok().and_then(Number::from_f64);
            Json::Number(float.ok_or_else(|| unfit("a number that is not finite"))?)
        }
        DeValue::Array(items) => {
            Json::Array(items.iter().map(|item| json(whole, item.get_ref())).collect::<Result<_>>()?)
        }
        DeValue::Table(entries) => {
            let entries = entries
                .iter()
                .map(|(key, item)| Ok((key.get_ref().clone().into_owned(), json(whole, item.get_ref())?)));
            Json::Object(entries.collect::<Result<Map<_, _>>>()?)
        }
    })
}
