//! The actions on the recovery itself: its role in workload accounts, its kill switch, the end of the faults.

use simulator::spec::{Role, WorldEvent};

use super::scope::Scope;
use crate::file::cursor::{Result, Value};
use crate::file::keys;
use crate::file::output::{Entries, to_toml, word};

const ROLES: &[(&str, Role)] = &[("present", Role::Present), ("missing", Role::Missing), ("read-only", Role::ReadOnly)];

pub(super) fn read_role(value: Value<'_>, scope: &Scope<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::ROLE)?;
    let role = table.need("is")?.choice(ROLES)?;
    Ok(WorldEvent::Role { accounts: scope.accounts(&table)?, role })
}

pub(super) fn write_role(event: &WorldEvent) -> Option<String> {
    let WorldEvent::Role { accounts, role } = event else { return None };
    Some(Entries::default().with("is", word(ROLES, role)).with("accounts", accounts).inline())
}

pub(super) fn read_pause(value: Value<'_>, _: &Scope<'_>) -> Result<WorldEvent> {
    Ok(WorldEvent::Pause { paused: value.boolean()? })
}

pub(super) fn write_pause(event: &WorldEvent) -> Option<String> {
    let WorldEvent::Pause { paused } = event else { return None };
    Some(to_toml(paused))
}

pub(super) fn read_calm(value: Value<'_>, _: &Scope<'_>) -> Result<WorldEvent> {
    if value.boolean()? { Ok(WorldEvent::Calm) } else { Err(value.fault("has no meaning", "write calm = true")) }
}

pub(super) fn write_calm(event: &WorldEvent) -> Option<String> {
    matches!(event, WorldEvent::Calm).then(|| to_toml(true))
}
