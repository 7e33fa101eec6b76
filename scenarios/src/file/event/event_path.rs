//! The actions that break and mend the way of an event: buses, queues, functions.

use simulator::spec::{BusPolicy, Forwarding, FunctionName, FunctionState, QueueAccess, QueueName, WorldEvent};

use super::scope::Scope;
use crate::file::cursor::{Result, Table, Value};
use crate::file::keys;
use crate::file::output::{Entries, word};

const PLACEMENT_FAILURE: &str = "placement-failure";
const INTERRUPTION: &str = "interruption";

const FORWARDINGS: &[(&str, Forwarding)] = &[
    ("present", Forwarding::Present),
    ("missing", Forwarding::Missing),
    ("denied", Forwarding::Denied),
    ("unreachable", Forwarding::Unreachable),
    ("disabled", Forwarding::Disabled),
];
const QUEUES: &[(&str, QueueName)] =
    &[(PLACEMENT_FAILURE, QueueName::PlacementFailure), (INTERRUPTION, QueueName::Interruption)];
const ACCESSES: &[(&str, QueueAccess)] = &[
    ("reachable", QueueAccess::Reachable),
    ("unreachable", QueueAccess::Unreachable),
    ("denied", QueueAccess::Denied),
];
const FUNCTIONS: &[(&str, FunctionName)] = &[
    (PLACEMENT_FAILURE, FunctionName::PlacementFailure),
    (INTERRUPTION, FunctionName::Interruption),
    ("restore", FunctionName::Restore),
];
const STATES: &[(&str, FunctionState)] = &[
    ("running", FunctionState::Running),
    ("stopped", FunctionState::Reserved(0)),
    ("failing", FunctionState::FailsToStart),
    ("detached", FunctionState::Detached),
];

pub(super) fn read_forwarding(value: Value<'_>, scope: &Scope<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::FORWARDING)?;
    let forwarding = table.need("is")?.choice(FORWARDINGS)?;
    Ok(WorldEvent::Forwarding { accounts: scope.accounts(&table)?, forwarding })
}

pub(super) fn write_forwarding(event: &WorldEvent) -> Option<String> {
    let WorldEvent::Forwarding { accounts, forwarding } = event else { return None };
    Some(Entries::default().with("is", word(FORWARDINGS, forwarding)).with("accounts", accounts).inline())
}

pub(super) fn read_bus_policy(value: Value<'_>, scope: &Scope<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::BUS_POLICY)?;
    let admits = table.need("admits")?;
    let policy = if admits.raw().is_array() {
        BusPolicy::Accounts(scope.known_accounts(admits)?)
    } else {
        let by_organization = admits
            .choice(&[("organization", true), ("onboarded", false)])
            .map_err(|fault| fault.help("or a list of accounts, like [\"111111111111\"]"))?;
        if by_organization { BusPolicy::Organization } else { BusPolicy::Onboarded }
    };
    Ok(WorldEvent::BusPolicy(policy))
}

pub(super) fn write_bus_policy(event: &WorldEvent) -> Option<String> {
    let WorldEvent::BusPolicy(policy) = event else { return None };
    let entries = match policy {
        BusPolicy::Onboarded => Entries::default().with("admits", "onboarded"),
        BusPolicy::Organization => Entries::default().with("admits", "organization"),
        BusPolicy::Accounts(accounts) => Entries::default().with("admits", accounts),
    };
    Some(entries.inline())
}

pub(super) fn read_organization(value: Value<'_>, scope: &Scope<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::ORGANIZATION)?;
    let member = table.need("member")?.boolean()?;
    Ok(WorldEvent::Membership { accounts: scope.accounts(&table)?, member })
}

pub(super) fn write_organization(event: &WorldEvent) -> Option<String> {
    let WorldEvent::Membership { accounts, member } = event else { return None };
    Some(Entries::default().with("member", member).with("accounts", accounts).inline())
}

pub(super) fn read_queue(value: Value<'_>, _: &Scope<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::QUEUE)?;
    let access = table.need("is")?.choice(ACCESSES)?;
    Ok(WorldEvent::QueueAccess { queue: queue_name(&table, "name")?, access })
}

pub(super) fn write_queue(event: &WorldEvent) -> Option<String> {
    let WorldEvent::QueueAccess { queue, access } = event else { return None };
    Some(Entries::default().with("name", word(QUEUES, queue)).with("is", word(ACCESSES, access)).inline())
}

pub(super) fn read_redrive(value: Value<'_>, _: &Scope<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::REDRIVE)?;
    Ok(WorldEvent::Redrive { queue: queue_name(&table, "queue")? })
}

pub(super) fn write_redrive(event: &WorldEvent) -> Option<String> {
    let WorldEvent::Redrive { queue } = event else { return None };
    Some(Entries::default().with("queue", word(QUEUES, queue)).inline())
}

fn queue_name(table: &Table<'_>, key: &str) -> Result<QueueName> {
    table.need(key)?.choice(QUEUES)
}

pub(super) fn read_function(value: Value<'_>, _: &Scope<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::FUNCTION)?;
    let function = table.need_like("name", "\"placement-failure\"")?.choice(FUNCTIONS)?;
    let state = table.need("is")?.choice(STATES)?;
    Ok(WorldEvent::Function { function, state })
}

pub(super) fn write_function(event: &WorldEvent) -> Option<String> {
    let WorldEvent::Function { function, state } = event else { return None };
    let state = match state {
        // A file cannot say how much concurrency is reserved.
        FunctionState::Reserved(1..) => &FunctionState::Running,
        state => state,
    };
    Some(Entries::default().with("name", word(FUNCTIONS, function)).with("is", word(STATES, state)).inline())
}
