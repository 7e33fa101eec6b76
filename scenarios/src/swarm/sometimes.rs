//! What must happen in some world: a swarm in which nothing interesting happens proves nothing. Read off the trace, and
//! off the reasons that records gave.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use handlers::decide::Reason;
use handlers::service::ServiceId;
use simulator::trace::Happening;

use super::check::Played;
use super::draw::Plan;

mod condition;
mod service;

pub use condition::CONDITIONS;
use condition::add;
use service::Service;

/// So many services of one account are hundreds.
const HUNDREDS: usize = 200;
const A_DAY: Duration = Duration::from_secs(24 * 3600);

/// Which conditions `played` reached.
pub fn reached(plan: &Plan, played: &Played) -> BTreeSet<&'static str> {
    let mut reached = BTreeSet::new();
    let mut services: BTreeMap<&ServiceId, Service<'_>> =
        plan.world.services.iter().map(|spec| (&spec.id, Service::new(plan, spec))).collect();
    for entry in &played.outcome.trace {
        match (&entry.what, &entry.service) {
            (what, Some(id)) => {
                if let Some(service) = services.get_mut(&**id) {
                    service.sees(entry.at, what, &mut reached);
                }
            }
            (Happening::DeadLettered { .. }, _) => add(&mut reached, "DLQ reached"),
            (Happening::Redriven { messages: 1.., .. }, _) => add(&mut reached, "DLQ redriven"),
            (Happening::EventDead { .. }, _) => add(&mut reached, "DLQ of a rule reached"),
            (Happening::Throttled { .. }, _) => add(&mut reached, "invocation throttled"),
            (Happening::Paused { paused: true }, _) => add(&mut reached, "recovery paused"),
            (Happening::Finished { outcome: "is killed", .. }, _) => add(&mut reached, "invocation killed"),
            (Happening::SpotRebalance { accounts, .. }, _) => {
                let theirs = services.iter_mut().filter(|(id, _)| accounts.contains(&id.account));
                theirs.for_each(|(_, service)| service.moved = Some(entry.at));
            }
            _ => {}
        }
    }
    if services.values().filter(|service| service.failed_over).count() >= HUNDREDS {
        add(&mut reached, "failover of hundreds of services");
    }
    if plan.chaos >= A_DAY {
        add(&mut reached, "quiet for a day");
    }
    // These change no phase.
    for (reason, condition) in [
        (Reason::DailyCap, "daily cap"),
        (Reason::MarketBusy, "market closed"),
        (Reason::ApplicationFails, "application fails, no failover"),
    ] {
        if played.reasons.contains(&reason.to_string()) {
            add(&mut reached, condition);
        }
    }
    reached
}
