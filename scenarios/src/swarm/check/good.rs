//! What is *good*, not only safe: nobody waits too long, nothing is done in vain, nobody is stuck without a person knowing.
//!
//! Judged at the end of a world from its trace, for each service by itself. A rule measures how long or how often something was
//! so; what excuses it (a fault, an act of the owner, a market without room) is cut out first, and the clock begins anew after it.
//!
//! | question | file |
//! | --- | --- |
//! | what happened to a service, as plain data? | `history.rs` |
//! | what excuses it? | `excuses.rs` |
//! | what does each rule measure? | `rules.rs` |
//! | what is each called, and how much does it allow? | `court.rs` |

use std::collections::BTreeSet;
use std::time::Duration;

use handlers::service::ServiceId;
use simulator::Outcome;
use simulator::spec::WorldSpec;

use super::super::draw::Plan;

mod court;
mod excuses;
mod history;
mod rules;

use court::Court;
pub use court::{FAILOVER_BY_EVENT, FAILOVER_UNTOLD, FALLBACK_SHORT, Near, RESTORE, RULES, TRANSIENT, VAIN};
pub(crate) use history::cannot_move;
use history::histories;
pub(crate) use rules::deployment;

/// Services whose end nobody can foretell.
pub type Free = BTreeSet<ServiceId>;

/// How near each rule came to its limit in this world, the worst of its services. `world` is the plan's with the end of its trouble.
pub fn judge(plan: &Plan, world: &WorldSpec, outcome: &Outcome, end: Duration, free: &Free) -> Vec<Near> {
    if plan.world.policy.hands_off() {
        return Vec::new();
    }
    let histories = histories(plan, outcome, end);
    let restores = plan.world.services.iter().zip(&histories).map(|(spec, own)| (&spec.id, own.restores.clone()));
    let court = Court { world, policy: &plan.world.policy, restores: restores.collect() };
    let broken = excuses::Broken::new(plan, world, end);
    let markets = excuses::Markets::new(&outcome.trace, end);
    let mut worst: Vec<Near> = Vec::new();
    for (spec, history) in plan.world.services.iter().zip(&histories) {
        let excuses = excuses::Excuses::new(spec, history, &broken, &markets, &court);
        let all = if !rules::is_supported(spec) {
            Vec::new()
        } else if free.contains(&spec.id) {
            // No room, or bounds that let nothing move: nothing can be in time, and nothing must be tried for ever.
            rules::vain(spec, history, &excuses, &court).into_iter().collect()
        } else {
            rules::all(spec, history, &excuses, &court)
        };
        for near in all {
            match worst.iter_mut().find(|known| known.rule == near.rule) {
                Some(known) if known.share() < near.share() => *known = near,
                Some(_) => {}
                None => worst.push(near),
            }
        }
    }
    worst
}
