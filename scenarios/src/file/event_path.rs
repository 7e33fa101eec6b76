//! The actions of an `[[at]]` that break and mend the way of an event: buses, queues, functions.

use simulator::spec::{BusPolicy, Forwarding, FunctionName, FunctionState, QueueAccess, QueueName, WorldEvent};

use super::cursor::{Result, Table, Value};
use super::event::{Stage, accounts, known_accounts};
use super::keys;

const PLACEMENT_FAILURE: &str = "placement-failure";
const INTERRUPTION: &str = "interruption";

pub(super) fn forwarding(value: Value<'_>, stage: &Stage<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::FORWARDING)?;
    let forwarding = table.need("is", "\"missing\"")?.choice(&[
        ("present", Forwarding::Present),
        ("missing", Forwarding::Missing),
        ("denied", Forwarding::Denied),
        ("unreachable", Forwarding::Unreachable),
        ("disabled", Forwarding::Disabled),
    ])?;
    Ok(WorldEvent::Forwarding { accounts: accounts(&table, stage)?, forwarding })
}

pub(super) fn bus_policy(value: Value<'_>, stage: &Stage<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::BUS_POLICY)?;
    let admits = table.need("admits", "[\"111111111111\"]")?;
    let policy = if admits.raw().is_array() {
        BusPolicy::Accounts(known_accounts(admits, stage)?)
    } else {
        let by_organization = admits
            .choice(&[("organization", true), ("onboarded", false)])
            .map_err(|fault| fault.help("or a list of accounts, like [\"111111111111\"]"))?;
        if by_organization { BusPolicy::Organization } else { BusPolicy::Onboarded }
    };
    Ok(WorldEvent::BusPolicy(policy))
}

pub(super) fn organization(value: Value<'_>, stage: &Stage<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::ORGANIZATION)?;
    let member = table.need("member", "false")?.boolean()?;
    Ok(WorldEvent::Membership { accounts: accounts(&table, stage)?, member })
}

pub(super) fn queue(value: Value<'_>, _: &Stage<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::QUEUE)?;
    let access = table.need("is", "\"unreachable\"")?.choice(&[
        ("reachable", QueueAccess::Reachable),
        ("unreachable", QueueAccess::Unreachable),
        ("denied", QueueAccess::Denied),
    ])?;
    Ok(WorldEvent::QueueAccess { queue: queue_name(&table, "name")?, access })
}

pub(super) fn redrive(value: Value<'_>, _: &Stage<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::REDRIVE)?;
    Ok(WorldEvent::Redrive { queue: queue_name(&table, "queue")? })
}

fn queue_name(table: &Table<'_>, key: &str) -> Result<QueueName> {
    let names = [(PLACEMENT_FAILURE, QueueName::PlacementFailure), (INTERRUPTION, QueueName::Interruption)];
    table.need(key, "\"placement-failure\"")?.choice(&names)
}

pub(super) fn function(value: Value<'_>, _: &Stage<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::FUNCTION)?;
    let function = table.need("name", "\"placement-failure\"")?.choice(&[
        (PLACEMENT_FAILURE, FunctionName::PlacementFailure),
        (INTERRUPTION, FunctionName::Interruption),
        ("restore", FunctionName::Restore),
    ])?;
    let state = table.need("is", "\"stopped\"")?.choice(&[
        ("running", FunctionState::Running),
        ("stopped", FunctionState::Reserved(0)),
        ("failing", FunctionState::FailsToStart),
        ("detached", FunctionState::Detached),
    ])?;
    Ok(WorldEvent::Function { function, state })
}
