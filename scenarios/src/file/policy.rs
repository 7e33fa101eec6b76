//! The table `[policy]`: tunables of the recovery by name, in the words the environment variables use too.

use std::time::Duration;

use handlers::policy::{Policy, PolicyError, TUNABLES};
use toml::de::DeValue;

use super::cursor::{Result, Table, Value};
use super::output::Entries;
use crate::diagnostic::Fault;

/// Reads the table; what it does not mention keeps its default.
pub(super) fn read(value: Option<Value<'_>>) -> Result<Policy> {
    let mut policy = Policy::default();
    let Some(value) = value else { return Ok(policy) };
    let names: Vec<&str> = TUNABLES.iter().map(|tunable| tunable.name).collect();
    let table = value.table_of("[policy]", &names)?;
    for value in table.values() {
        set(&mut policy, value)?;
    }
    policy.check().map_err(|error| contradiction(&table, &error))?;
    Ok(policy)
}

fn set(policy: &mut Policy, value: Value<'_>) -> Result<()> {
    let text = match value.raw() {
        DeValue::Integer(number) => number.to_string(),
        DeValue::Boolean(yes) => yes.to_string(),
        _ => value.text()?.to_owned(),
    };
    policy.set(value.key(), &text).map_err(|error| match error {
        // The same words as for every other duration of the file.
        PolicyError::Value { ref problem, .. } if problem.starts_with("not a duration") => {
            let read = value.duration(Duration::ZERO..=Duration::MAX);
            read.err().unwrap_or_else(|| value.fault("is refused", error.to_string()))
        }
        PolicyError::Value { problem, allowed, .. } => {
            value.fault(format_args!("is refused: {problem}"), format!("allowed is {allowed}"))
        }
        other => value.fault("is refused", other.to_string()),
    })
}

/// Points at the tunables that the error names, or at the table when both have their defaults.
fn contradiction(table: &Table<'_>, error: &PolicyError) -> Fault {
    let message = error.to_string();
    let mut named = table.values().into_iter().filter(|value| message.contains(value.key()));
    let Some(first) = named.next() else { return table.fault(&message, "in this table") };
    match named.next() {
        Some(second) => {
            Fault::new(first.span(), &message, "contradicts the other value").also(second.span(), "the other value")
        }
        None => Fault::new(first.span(), &message, "contradicts the default of the other"),
    }
}

/// The tunables of `policy` that do not have their default.
pub(super) fn write(policy: &Policy) -> Entries {
    let defaults = Policy::default();
    let changed = TUNABLES.iter().filter(|tunable| tunable.of(policy) != tunable.of(&defaults));
    changed.fold(Entries::default(), |entries, tunable| {
        let value = tunable.of(policy);
        match (value.parse::<u32>(), value.parse::<bool>()) {
            (Ok(number), _) => entries.with(tunable.name, number),
            (_, Ok(yes)) => entries.with(tunable.name, yes),
            _ => entries.with(tunable.name, value),
        }
    })
}
