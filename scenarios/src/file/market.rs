//! The action `spot`: a market that changes once, or goes on in a shape of its own.

use std::time::Duration;

use simulator::spec::{Capacity, Loss, SpotShape, WorldEvent};

use super::cursor::{Result, Table, Value};
use super::event::{Stage, accounts};
use super::keys;
use crate::diagnostic::Fault;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// More tasks than any account runs.
const MAX_TASKS: u32 = 1_000_000;

type Read = fn(Value<'_>, &Table<'_>, &Stage<'_>) -> Result<WorldEvent>;

/// What a market can do, by its key.
const KINDS: &[(&str, Read)] = &[
    ("capacity", once),
    ("flapping", flapping),
    ("slow_return", slow_return),
    ("random", random),
    ("rebalance", rebalance),
];

pub(super) fn spot(value: Value<'_>, stage: &Stage<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::SPOT)?;
    let is_kind = |value: &Value<'_>| KINDS.iter().any(|(key, _)| *key == value.key());
    let mut kinds = table.values().into_iter().filter(is_kind);
    let Some(kind) = kinds.next() else {
        return Err(table.need("capacity", "0").err().unwrap_or_else(|| unknown(value)));
    };
    if let Some(second) = kinds.next() {
        let message = format!("one market cannot do both `{}` and `{}`", kind.key(), second.key());
        return Err(Fault::new(second.key_span(), message, "give it an [[at]] of its own")
            .also(kind.key_span(), "the first one"));
    }
    if let Some(loss) = table.get("loss").filter(|_| kind.key() != "capacity") {
        return Err(Fault::new(loss.key_span(), "`loss` has no meaning here", "it goes with `capacity`"));
    }
    match KINDS.iter().find(|(key, _)| *key == kind.key()) {
        Some((_, read)) => read(kind, &table, stage),
        None => Err(unknown(value)),
    }
}

pub(super) fn spot_zone(value: Value<'_>, stage: &Stage<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::SPOT_ZONE)?;
    let zones = [("a", 0), ("b", 1), ("c", 2), ("d", 3), ("e", 4), ("f", 5)];
    Ok(WorldEvent::SpotZone {
        accounts: accounts(&table, stage)?,
        zone: table.need("zone", "\"c\"")?.choice(&zones)?,
        short: table.get("short").map_or(Ok(true), Value::boolean)?,
        loss: loss(&table)?,
    })
}

fn loss(table: &Table<'_>) -> Result<Loss> {
    let losses = [("interrupt", Loss::Interrupt), ("silent", Loss::Silent), ("keep", Loss::Keep)];
    table.get("loss").map_or(Ok(Loss::Interrupt), |loss| loss.choice(&losses))
}

fn unknown(value: Value<'_>) -> Fault {
    value.fault("says nothing of the market", "write for example: { capacity = 0 }")
}

fn once(_: Value<'_>, table: &Table<'_>, stage: &Stage<'_>) -> Result<WorldEvent> {
    Ok(WorldEvent::Spot { accounts: accounts(table, stage)?, capacity: capacity(table)?, loss: loss(table)? })
}

fn flapping(value: Value<'_>, spot: &Table<'_>, stage: &Stage<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::FLAPPING)?;
    let time = |key| table.need(key, "\"10m\"")?.duration(SECOND..=DAY);
    let shape = SpotShape::Flapping { up: time("up")?, down: time("down")? };
    Ok(WorldEvent::SpotShape { accounts: accounts(spot, stage)?, shape })
}

fn slow_return(value: Value<'_>, spot: &Table<'_>, stage: &Stage<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::SLOW_RETURN)?;
    let tasks = |key, example| table.need(key, example)?.integer(1..=MAX_TASKS);
    let shape = SpotShape::SlowReturn { per_minute: tasks("per_minute", "2")?, until: tasks("until", "40")? };
    Ok(WorldEvent::SpotShape { accounts: accounts(spot, stage)?, shape })
}

fn random(value: Value<'_>, spot: &Table<'_>, stage: &Stage<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::RANDOM)?;
    let time = |key, example| table.need(key, example)?.duration(SECOND..=31 * DAY);
    let (every, shortest) = (time("every", "\"6h\"")?, time("shortest", "\"2m\"")?);
    let longest = time("longest", "\"12h\"")?;
    if longest < shortest {
        let end = table.need("longest", "\"12h\"")?;
        return Err(end
            .fault("is less than the shortest", "write a time no shorter than it")
            .also(table.need("shortest", "\"2m\"")?.span(), "the shortest"));
    }
    let shape = SpotShape::Random { every, shortest, longest };
    Ok(WorldEvent::SpotShape { accounts: accounts(spot, stage)?, shape })
}

/// So many running Spot tasks of each account vanish in silence and are replaced.
fn rebalance(value: Value<'_>, spot: &Table<'_>, stage: &Stage<'_>) -> Result<WorldEvent> {
    Ok(WorldEvent::SpotRebalance { accounts: accounts(spot, stage)?, tasks: value.integer(1..=MAX_TASKS)? })
}

pub(super) fn capacity(table: &Table<'_>) -> Result<Capacity> {
    let tasks = table.need("capacity", "0")?.integer_or("unlimited")?;
    Ok(tasks.map_or(Capacity::Unlimited, Capacity::Tasks))
}
