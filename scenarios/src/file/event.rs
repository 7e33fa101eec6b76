//! The tables `[[at]]`: what happens to the world, and when. [`ACTIONS`] is the table of what can happen.

mod event_path;
mod market;
mod put_events;
mod recovery;
mod scope;
mod service;

use std::time::Duration;

use simulator::spec::{TimedEvent, WorldEvent};

use super::cursor::{Result, Table, Value, span_of_time};
use super::output::{Entries, time};
use super::{fleet, keys, suggest};
use crate::diagnostic::Fault;
pub(super) use scope::Scope;

/// Most `[[at]]` of a scenario; each may name every account.
const MAX_EVENTS: usize = 1000;
/// Most events that they are once those of a fleet are one for each service.
const MAX_SINGLE: usize = 1_000_000;

/// Reads what an action's key has as its value.
type Read = fn(Value<'_>, &Scope<'_>) -> Result<WorldEvent>;
/// The value as TOML from which an event is read, if it is one of this action.
type Write = fn(&WorldEvent) -> Option<String>;

/// What can happen, by its key.
const ACTIONS: &[(&str, Read, Write)] = &[
    ("spot", market::read_spot, market::write_spot),
    ("on_demand", market::read_on_demand, market::write_on_demand),
    ("interrupt", service::read_interrupt, service::write_interrupt),
    ("put_events", put_events::read, put_events::write),
    ("update_service", service::read_update_service, service::write_update_service),
    ("deploy", service::read_deploy, service::write_deploy),
    ("roll_back", service::read_roll_back, service::write_roll_back),
    ("alarm", service::read_alarm, service::write_alarm),
    ("delete_service", service::read_delete_service, service::write_delete_service),
    ("create_service", service::read_create_service, service::write_create_service),
    ("opt_out", service::read_opt_out, service::write_opt_out),
    ("controller", service::read_controller, service::write_controller),
    ("application", service::read_application, service::write_application),
    ("crash_loop", service::read_crash_loop, service::write_crash_loop),
    ("protect", service::read_protect, service::write_protect),
    ("spot_zone", market::read_spot_zone, market::write_spot_zone),
    ("rebalancing_failure", service::read_rebalancing_failure, service::write_rebalancing_failure),
    ("role", recovery::read_role, recovery::write_role),
    ("forwarding", event_path::read_forwarding, event_path::write_forwarding),
    ("bus_policy", event_path::read_bus_policy, event_path::write_bus_policy),
    ("organization", event_path::read_organization, event_path::write_organization),
    ("queue", event_path::read_queue, event_path::write_queue),
    ("redrive", event_path::read_redrive, event_path::write_redrive),
    ("function", event_path::read_function, event_path::write_function),
    ("pause", recovery::read_pause, recovery::write_pause),
    ("calm", recovery::read_calm, recovery::write_calm),
];

/// Reads every `[[at]]`, in the order of the file.
pub(super) fn read_all(root: &Table<'_>, scope: &Scope<'_>) -> Result<Vec<TimedEvent>> {
    let Some(at) = root.get("at") else { return Ok(Vec::new()) };
    let tables = at.tables(&keys::AT)?;
    if let Some(table) = tables.get(MAX_EVENTS) {
        return Err(table.fault(format!("a scenario has at most {MAX_EVENTS} [[at]]"), "one too many"));
    }
    let mut events = Vec::new();
    for table in &tables {
        events.extend(read(table, scope)?);
        if events.len() > MAX_SINGLE {
            let message = format!("with this [[at]] there are {} events of single services", events.len());
            return Err(table.fault(message, format!("at most {MAX_SINGLE} are allowed")));
        }
    }
    Ok(events)
}

/// What one `[[at]]` does: one event, or one for each service of a fleet.
fn read(table: &Table<'_>, scope: &Scope<'_>) -> Result<Vec<TimedEvent>> {
    let time = table.need("time")?;
    let at = time.duration(Duration::ZERO..=Duration::MAX)?;
    if at > scope.duration {
        return Err(time
            .fault("is after the end", format!("allowed is 0s to {}", span_of_time(scope.duration)))
            .also(scope.end.span(), "the scenario lasts this long"));
    }
    let mut actions = table.values().into_iter().filter(|value| value.key() != "time");
    let known = || format!("actions are: {}", suggest::list(ACTIONS.iter().map(|(key, ..)| *key)));
    let Some(action) = actions.next() else {
        return Err(table.fault("nothing happens in this [[at]]", "an action is missing").help(known()));
    };
    if let Some(second) = actions.next() {
        let message = format!("two actions in one [[at]]: `{}` and `{}`", action.key(), second.key());
        return Err(Fault::new(second.key_span(), message, "give it an [[at]] of its own")
            .also(action.key_span(), "the first one")
            .help(known()));
    }
    let Some((_, read, _)) = ACTIONS.iter().find(|(key, ..)| *key == action.key()) else {
        return Err(action.fault("is not an action", known()));
    };
    let timed = |scope: &Scope<'_>| Ok(TimedEvent { at, event: read(action, scope)? });
    let Some(name) = action.entry("fleet") else { return Ok(vec![timed(scope)?]) };
    if let Some(service) = action.entry("service") {
        return Err(Fault::new(
            service.key_span(),
            "an action is for a service or for a fleet",
            "take one of them out",
        )
        .also(name.key_span(), "the other one"));
    }
    let fleet = fleet::find(name, scope.fleets)?;
    scope.services[fleet.services.clone()].iter().map(|each| timed(&Scope { each: Some(each), ..*scope })).collect()
}

/// The `[[at]]` from which `timed` is read.
pub(super) fn write(timed: &TimedEvent) -> Entries {
    let mut actions = ACTIONS.iter().filter_map(|(key, _, write)| Some((*key, write(&timed.event)?)));
    let (key, value) = actions.next().expect("every event is one of an action");
    Entries::default().with("time", time(timed.at)).with_toml(key, value)
}
