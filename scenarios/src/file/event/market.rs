//! The actions that change what capacity there is. A Spot market changes once, or goes on in a shape of its own.

use std::time::Duration;

use simulator::spec::{Capacity, Loss, SpotShape, WorldEvent};

use super::scope::Scope;
use crate::diagnostic::Fault;
use crate::file::cursor::{Result, Table, Value};
use crate::file::keys;
use crate::file::output::{Entries, NumberOr, time, word};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// More tasks than any account runs.
const MAX_TASKS: u32 = 1_000_000;
const UNLIMITED: &str = "unlimited";

const LOSSES: &[(&str, Loss)] = &[("interrupt", Loss::Interrupt), ("silent", Loss::Silent), ("keep", Loss::Keep)];
const ZONES: &[(&str, u8)] = &[("a", 0), ("b", 1), ("c", 2), ("d", 3), ("e", 4), ("f", 5)];

type Read = fn(Value<'_>, &Table<'_>, &Scope<'_>) -> Result<WorldEvent>;

/// What a market can do, by its key.
const KINDS: &[(&str, Read)] = &[
    ("capacity", once),
    ("flapping", flapping),
    ("slow_return", slow_return),
    ("random", random),
    ("rebalance", rebalance),
];

pub(super) fn read_spot(value: Value<'_>, scope: &Scope<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::SPOT)?;
    let is_kind = |value: &Value<'_>| KINDS.iter().any(|(key, _)| *key == value.key());
    let mut kinds = table.values().into_iter().filter(is_kind);
    let Some(kind) = kinds.next() else {
        return Err(table.need("capacity").err().unwrap_or_else(|| unknown(value)));
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
        Some((_, read)) => read(kind, &table, scope),
        None => Err(unknown(value)),
    }
}

pub(super) fn write_spot(event: &WorldEvent) -> Option<String> {
    let (entries, accounts) = match event {
        WorldEvent::Spot { accounts, capacity, loss } => {
            (of_capacity(*capacity).with("loss", word(LOSSES, loss)), accounts)
        }
        WorldEvent::SpotShape { accounts, shape } => (of_shape(*shape), accounts),
        WorldEvent::SpotRebalance { accounts, tasks } => (Entries::default().with("rebalance", tasks), accounts),
        _ => return None,
    };
    Some(entries.with("accounts", accounts).inline())
}

pub(super) fn read_spot_zone(value: Value<'_>, scope: &Scope<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::SPOT_ZONE)?;
    Ok(WorldEvent::SpotZone {
        accounts: scope.accounts(&table)?,
        zone: table.need("zone")?.choice(ZONES)?,
        short: table.get("short").map_or(Ok(true), Value::boolean)?,
        loss: loss(&table)?,
    })
}

pub(super) fn write_spot_zone(event: &WorldEvent) -> Option<String> {
    let WorldEvent::SpotZone { accounts, zone, short, loss } = event else { return None };
    let entries = Entries::default()
        .with("zone", word(ZONES, zone))
        .with("short", short)
        .with("loss", word(LOSSES, loss))
        .with("accounts", accounts);
    Some(entries.inline())
}

pub(super) fn read_on_demand(value: Value<'_>, scope: &Scope<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::ON_DEMAND)?;
    Ok(WorldEvent::OnDemand { accounts: scope.accounts(&table)?, capacity: capacity(&table)? })
}

pub(super) fn write_on_demand(event: &WorldEvent) -> Option<String> {
    let WorldEvent::OnDemand { accounts, capacity } = event else { return None };
    Some(of_capacity(*capacity).with("accounts", accounts).inline())
}

fn loss(table: &Table<'_>) -> Result<Loss> {
    table.get("loss").map_or(Ok(Loss::Interrupt), |loss| loss.choice(LOSSES))
}

fn unknown(value: Value<'_>) -> Fault {
    value.fault("says nothing of the market", "write for example: { capacity = 0 }")
}

fn once(_: Value<'_>, table: &Table<'_>, scope: &Scope<'_>) -> Result<WorldEvent> {
    Ok(WorldEvent::Spot { accounts: scope.accounts(table)?, capacity: capacity(table)?, loss: loss(table)? })
}

fn flapping(value: Value<'_>, spot: &Table<'_>, scope: &Scope<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::FLAPPING)?;
    let up = table.need_like("up", "\"10m\"")?.duration(SECOND..=DAY)?;
    let shape = SpotShape::Flapping { up, down: table.need("down")?.duration(SECOND..=DAY)? };
    Ok(WorldEvent::SpotShape { accounts: scope.accounts(spot)?, shape })
}

fn slow_return(value: Value<'_>, spot: &Table<'_>, scope: &Scope<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::SLOW_RETURN)?;
    let tasks = |key| table.need(key)?.integer(1..=MAX_TASKS);
    let shape = SpotShape::SlowReturn { per_minute: tasks("per_minute")?, until: tasks("until")? };
    Ok(WorldEvent::SpotShape { accounts: scope.accounts(spot)?, shape })
}

fn random(value: Value<'_>, spot: &Table<'_>, scope: &Scope<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::RANDOM)?;
    let time = |key| table.need(key)?.duration(SECOND..=31 * DAY);
    let (every, shortest, longest) = (time("every")?, time("shortest")?, time("longest")?);
    if longest < shortest {
        return Err(table
            .need("longest")?
            .fault("is less than the shortest", "write a time no shorter than it")
            .also(table.need("shortest")?.span(), "the shortest"));
    }
    let shape = SpotShape::Random { every, shortest, longest };
    Ok(WorldEvent::SpotShape { accounts: scope.accounts(spot)?, shape })
}

/// So many running Spot tasks of each account vanish in silence and are replaced.
fn rebalance(value: Value<'_>, spot: &Table<'_>, scope: &Scope<'_>) -> Result<WorldEvent> {
    Ok(WorldEvent::SpotRebalance { accounts: scope.accounts(spot)?, tasks: value.integer(1..=MAX_TASKS)? })
}

fn of_shape(shape: SpotShape) -> Entries {
    let (key, entries) = match shape {
        SpotShape::Flapping { up, down } => {
            ("flapping", Entries::default().with("up", time(up)).with("down", time(down)))
        }
        SpotShape::SlowReturn { per_minute, until } => {
            ("slow_return", Entries::default().with("per_minute", per_minute).with("until", until))
        }
        SpotShape::Random { every, shortest, longest } => {
            let entries = Entries::default().with("every", time(every)).with("shortest", time(shortest));
            ("random", entries.with("longest", time(longest)))
        }
    };
    Entries::default().with_table(key, &entries)
}

fn capacity(table: &Table<'_>) -> Result<Capacity> {
    let tasks = table.need_like("capacity", "0")?.integer_or(UNLIMITED)?;
    Ok(tasks.map_or(Capacity::Unlimited, Capacity::Tasks))
}

fn of_capacity(capacity: Capacity) -> Entries {
    let tasks = match capacity {
        Capacity::Tasks(tasks) => NumberOr::Number(tasks),
        Capacity::Unlimited => NumberOr::Word(UNLIMITED),
    };
    Entries::default().with("capacity", tasks)
}
