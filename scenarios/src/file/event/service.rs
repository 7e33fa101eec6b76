//! The actions on one service: those of its owner, and what happens to its tasks.

use std::ops::RangeInclusive;
use std::time::Duration;

use simulator::spec::WorldEvent;

use super::scope::{Scope, of_service};
use crate::file::cursor::{Result, Table, Value};
use crate::file::output::{NumberOr, time};
use crate::file::{keys, service, strategy};

/// How long `UpdateTaskProtection` protects, and by default (aws-facts.md §1.6).
const PROTECTION: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(48 * 3600);
const DEFAULT_PROTECTION: Duration = Duration::from_secs(2 * 3600);

const ALL: &str = "all";

pub(super) fn read_interrupt(value: Value<'_>, scope: &Scope<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::INTERRUPT)?;
    let tasks = tasks(&table)?;
    Ok(WorldEvent::Interrupt { service: scope.service(&table)?.id.clone(), tasks })
}

pub(super) fn write_interrupt(event: &WorldEvent) -> Option<String> {
    let WorldEvent::Interrupt { service, tasks } = event else { return None };
    Some(of_service(service).with("tasks", or_all(*tasks)).inline())
}

pub(super) fn read_update_service(value: Value<'_>, scope: &Scope<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::UPDATE_SERVICE)?;
    let service = scope.service(&table)?.id.clone();
    let strategy = table.get("strategy").map(strategy::read).transpose()?;
    let desired = table.get("desired").map(|desired| desired.integer(0..=service::MAX_DESIRED)).transpose()?;
    if strategy.is_none() && desired.is_none() {
        return Err(table.fault("`update_service` changes nothing", "give it `strategy`, `desired` or both"));
    }
    Ok(WorldEvent::UpdateService { service, strategy, desired })
}

pub(super) fn write_update_service(event: &WorldEvent) -> Option<String> {
    let WorldEvent::UpdateService { service, strategy, desired } = event else { return None };
    let entries = match strategy {
        Some(strategy) => of_service(service).with_toml("strategy", strategy::write(strategy)),
        None => of_service(service),
    };
    Some(entries.with_some("desired", *desired).inline())
}

pub(super) fn read_deploy(value: Value<'_>, scope: &Scope<'_>) -> Result<WorldEvent> {
    scope.only_service(&keys::DEPLOY, value).map(|service| WorldEvent::Deploy { service })
}

pub(super) fn write_deploy(event: &WorldEvent) -> Option<String> {
    let WorldEvent::Deploy { service } = event else { return None };
    Some(of_service(service).inline())
}

pub(super) fn read_roll_back(value: Value<'_>, scope: &Scope<'_>) -> Result<WorldEvent> {
    scope.only_service(&keys::ROLL_BACK, value).map(|service| WorldEvent::RollBack { service })
}

pub(super) fn write_roll_back(event: &WorldEvent) -> Option<String> {
    let WorldEvent::RollBack { service } = event else { return None };
    Some(of_service(service).inline())
}

pub(super) fn read_alarm(value: Value<'_>, scope: &Scope<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::ALARM)?;
    let service = scope.service(&table)?;
    if service.alarms {
        return Ok(WorldEvent::Alarm { service: service.id.clone() });
    }
    Err(table
        .fault(format!("{} has no deployment alarms", service.id), "nothing would happen")
        .help("write alarms = true in its [[service]] or [[fleet]]"))
}

pub(super) fn write_alarm(event: &WorldEvent) -> Option<String> {
    let WorldEvent::Alarm { service } = event else { return None };
    Some(of_service(service).inline())
}

pub(super) fn read_delete_service(value: Value<'_>, scope: &Scope<'_>) -> Result<WorldEvent> {
    scope.only_service(&keys::DELETE_SERVICE, value).map(|service| WorldEvent::DeleteService { service })
}

pub(super) fn write_delete_service(event: &WorldEvent) -> Option<String> {
    let WorldEvent::DeleteService { service } = event else { return None };
    Some(of_service(service).inline())
}

pub(super) fn read_create_service(value: Value<'_>, scope: &Scope<'_>) -> Result<WorldEvent> {
    scope.only_service(&keys::CREATE_SERVICE, value).map(|service| WorldEvent::CreateService { service })
}

pub(super) fn write_create_service(event: &WorldEvent) -> Option<String> {
    let WorldEvent::CreateService { service } = event else { return None };
    Some(of_service(service).inline())
}

pub(super) fn read_rebalancing_failure(value: Value<'_>, scope: &Scope<'_>) -> Result<WorldEvent> {
    scope.only_service(&keys::REBALANCING_FAILURE, value).map(|service| WorldEvent::RebalancingFailure { service })
}

pub(super) fn write_rebalancing_failure(event: &WorldEvent) -> Option<String> {
    let WorldEvent::RebalancingFailure { service } = event else { return None };
    Some(of_service(service).inline())
}

pub(super) fn read_opt_out(value: Value<'_>, scope: &Scope<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::OPT_OUT)?;
    let off = table.get("off").map_or(Ok(true), Value::boolean)?;
    Ok(WorldEvent::OptOut { service: scope.service(&table)?.id.clone(), off })
}

pub(super) fn write_opt_out(event: &WorldEvent) -> Option<String> {
    let WorldEvent::OptOut { service, off } = event else { return None };
    Some(of_service(service).with("off", off).inline())
}

pub(super) fn read_controller(value: Value<'_>, scope: &Scope<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::CONTROLLER)?;
    let controller = service::controller(table.need("is")?)?;
    Ok(WorldEvent::Controller { service: scope.service(&table)?.id.clone(), controller })
}

pub(super) fn write_controller(event: &WorldEvent) -> Option<String> {
    let WorldEvent::Controller { service, controller } = event else { return None };
    Some(of_service(service).with("is", service::controller_name(controller)).inline())
}

pub(super) fn read_application(value: Value<'_>, scope: &Scope<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::APPLICATION)?;
    let fails = table.need("fails")?.boolean()?;
    Ok(WorldEvent::Application { service: scope.service(&table)?.id.clone(), fails })
}

pub(super) fn write_application(event: &WorldEvent) -> Option<String> {
    let WorldEvent::Application { service, fails } = event else { return None };
    Some(of_service(service).with("fails", fails).inline())
}

pub(super) fn read_crash_loop(value: Value<'_>, scope: &Scope<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::CRASH_LOOP)?;
    let crashes = table.need("crashes")?.boolean()?;
    Ok(WorldEvent::CrashLoop { service: scope.service(&table)?.id.clone(), crashes })
}

pub(super) fn write_crash_loop(event: &WorldEvent) -> Option<String> {
    let WorldEvent::CrashLoop { service, crashes } = event else { return None };
    Some(of_service(service).with("crashes", crashes).inline())
}

pub(super) fn read_protect(value: Value<'_>, scope: &Scope<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::PROTECT)?;
    let tasks = tasks(&table)?;
    let time = table.get("time").map_or(Ok(DEFAULT_PROTECTION), |time| time.duration(PROTECTION))?;
    Ok(WorldEvent::Protect { service: scope.service(&table)?.id.clone(), tasks, time })
}

pub(super) fn write_protect(event: &WorldEvent) -> Option<String> {
    let WorldEvent::Protect { service, tasks, time: protected } = event else { return None };
    Some(of_service(service).with("tasks", or_all(*tasks)).with("time", time(*protected)).inline())
}

/// How many tasks, all by default: more than there can be.
fn tasks(table: &Table<'_>) -> Result<u32> {
    let tasks = table.get("tasks").map_or(Ok(None), |tasks| tasks.integer_or(ALL))?;
    Ok(tasks.unwrap_or(u32::MAX))
}

fn or_all(tasks: u32) -> NumberOr {
    if tasks == u32::MAX { NumberOr::Word(ALL) } else { NumberOr::Number(tasks) }
}
