//! Plays a random world to its end, and says what must hold then and does not.

use std::collections::BTreeSet;
use std::time::Duration;

use handlers::held::HeldReason;
use handlers::observation::Controller;
use handlers::record::{Phase, Record};
use handlers::service::{AccountId, ServiceId};
use handlers::strategy::{CapacityProvider, Strategy};
use simulator::spec::{BLUE_GREEN, ServiceSpec, WorldEvent};
use simulator::trace::Happening;
use simulator::{Outcome, ServiceOutcome, Simulation};

use super::draw::Plan;
use crate::file::{Check, Expectation, FinalStrategy, Scenario};

pub mod good;
mod mend;

pub use good::Free;
use good::Near;
use mend::{HALF_HOUR, mended};

/// Longer than any backoff, daily cap and probation together: whoever has not come to rest by then never will.
const CALM: Duration = Duration::from_secs(36 * 3600);
/// No rest is believed before this: what was redriven, or waited in EventBridge, has come by then.
const SHORTEST_CALM: Duration = Duration::from_secs(3600);
/// A message is handled within this, in the calm.
const A_MINUTE: Duration = Duration::from_secs(60);
/// How often records are looked at while things go wrong.
const SAMPLE: Duration = Duration::from_secs(600);

/// A random world after its run.
#[derive(Debug)]
pub struct Played {
    /// What happened.
    pub outcome: Outcome,
    /// How long the world ran.
    pub duration: Duration,
    /// Reasons that records gave when they were looked at: not all are transitions, which the trace has.
    pub reasons: BTreeSet<String>,
    /// Services whose end nobody can foretell.
    pub free: BTreeSet<ServiceId>,
    /// How near each rule of [`good`] came to its limit.
    pub near: Vec<Near>,
    /// What does not hold, in words.
    pub violation: Option<String>,
}

/// Plays `plan` until everything has come to rest, or never will, or an invariant breaks.
pub fn play(plan: &Plan) -> Played {
    let world = mended(plan);
    let ids: Vec<ServiceId> = world.services.iter().map(|service| service.id.clone()).collect();
    let mut simulation = Simulation::with_handlers(world, plan.facts.clone(), plan.handlers.make())
        .expect("the product's patterns are valid");
    let (mut reasons, mut quiet) = (BTreeSet::new(), false);
    loop {
        let elapsed = simulation.elapsed();
        simulation.advance(if elapsed < plan.chaos { SAMPLE.min(plan.chaos - elapsed) } else { HALF_HOUR });
        let records: Vec<_> = ids.iter().map(|id| simulation.record(id)).collect();
        reasons.extend(records.iter().flatten().map(|record| record.reason.to_string()));
        if !simulation.violations().is_empty() {
            break;
        }
        let at_rest = plan.world.services.iter().zip(&records).all(|(service, record)| {
            record.as_ref().is_none_or(|record| record.phase == Phase::Watching || is_held_for_good(service, record))
        });
        let elapsed = simulation.elapsed();
        // Half an hour more: whoever only passes through does not rest.
        if elapsed >= plan.chaos + CALM || (at_rest && quiet && elapsed >= plan.chaos + SHORTEST_CALM) {
            break;
        }
        quiet = at_rest && elapsed >= plan.chaos + HALF_HOUR;
    }
    let duration = simulation.elapsed();
    let outcome = simulation.finish();
    let mut free = over_quota(plan, &outcome);
    free.extend(crowded_out(plan, &outcome));
    free.extend(immovable(plan, &outcome));
    let near = good::judge(plan, &mended(plan), &outcome, duration, &free);
    let violation = violation(plan, &outcome, duration, &free, &near);
    Played { outcome, duration, reasons, free, near, violation }
}

/// The same as a scenario: what a file would say. Nothing is expected of the services in `free`.
pub fn scenario(plan: &Plan, duration: Duration, free: &BTreeSet<ServiceId>, about: &str) -> Scenario {
    let mut world = mended(plan);
    world.events.retain(|event| event.at <= duration);
    let mut expectations: Vec<Expectation> = world
        .services
        .iter()
        .filter(|service| !free.contains(&service.id))
        .map(|service| Expectation {
            service: service.id.clone(),
            check: Check::FinalStrategy(FinalStrategy::Original),
        })
        .collect();
    if expectations.is_empty() {
        // A scenario must expect something.
        let check = Check::MaxDeploymentsForced(10_000);
        expectations.push(Expectation { service: world.services[0].id.clone(), check });
    }
    let title = format!("Random world {}", world.seed);
    Scenario { title, about: about.trim().to_owned(), duration, world, facts: plan.facts.clone(), expectations }
}

/// Whether a service is held because it cannot be moved, and so stays held.
fn is_held_for_good(service: &ServiceSpec, record: &Record) -> bool {
    record.held.as_ref().is_some_and(|held| {
        matches!(held.reason, HeldReason::Controller(_)) || !service.associated.contains(&CapacityProvider::Fargate)
    })
}

/// Services of accounts whose owners ask for more than a quota of theirs allows, counted as ECS counts while they all deploy: old
/// and new tasks side by side. Whose tasks then find no room is chance, for as long as nobody raises the quota (aws-facts.md §4);
/// and a placement failure on Spot says the same whether it is Spot or the quota that is short (aws-facts.md §2.2), so the recovery goes back to
/// On-Demand every time. Of the fallback this excuses nothing: where On-Demand has no room for it, Spot must take the service back
/// all the same.
fn over_quota(plan: &Plan, outcome: &Outcome) -> BTreeSet<ServiceId> {
    let quotas = [
        (CapacityProvider::Fargate, plan.facts.on_demand_vcpu_quota),
        (CapacityProvider::FargateSpot, plan.facts.spot_vcpu_quota),
    ];
    let services = || plan.world.services.iter().zip(&outcome.services);
    let is_over = |account: &AccountId| {
        quotas.iter().any(|(provider, quota)| {
            let units = services().filter(|(spec, _)| spec.id.account == *account);
            let units: u64 =
                units.map(|(spec, service)| most_units(plan, spec, service, provider)).fold(0, u64::saturating_add);
            quota.is_some_and(|vcpu| units > u64::from(vcpu) * 1024)
        })
    };
    services().map(|(spec, _)| &spec.id).filter(|id| is_over(&id.account)).cloned().collect()
}

/// Services whose own On-Demand tasks found the quota used up in the calm, and which that stops for good. With a circuit breaker, others
/// may still be on their fallback then: a deployment that failed needs its owner once more (aws-facts.md §1.6), and nobody deploys
/// again. With tasks that drain for longer than a restore may take, the probe of each restore waits for their room.
fn crowded_out(plan: &Plan, outcome: &Outcome) -> BTreeSet<ServiceId> {
    let crowded_out = |id: &ServiceId| {
        outcome.trace.iter().any(|entry| {
            let over_quota = matches!(
                entry.what,
                Happening::PlacementFailure { provider: CapacityProvider::Fargate, over_quota: true, .. }
            );
            over_quota && entry.at >= plan.chaos && entry.service.as_deref() == Some(id)
        })
    };
    let services = plan.world.services.iter().zip(&outcome.services);
    let stopped = services.filter(|(spec, service)| {
        let fails = spec.circuit_breaker && places_on(&service.original, &CapacityProvider::Fargate);
        let drains = good::deployment(spec) > plan.world.policy.restore_timeout;
        (fails || drains) && crowded_out(&spec.id)
    });
    stopped.map(|(spec, _)| spec.id.clone()).collect()
}

/// Services whose bounds let a deployment move nothing while every task runs: they stay wherever they are. Not judged until the
/// recovery says so once and leaves them alone.
fn immovable(plan: &Plan, outcome: &Outcome) -> Free {
    let services = plan.world.services.iter().zip(&outcome.services);
    services.filter(|(spec, service)| is_stuck(plan, spec, service)).map(|(spec, _)| spec.id.clone()).collect()
}

/// Whether its bounds let nothing move, at a count that it had or may have.
fn is_stuck(plan: &Plan, spec: &ServiceSpec, service: &ServiceOutcome) -> bool {
    let at = |desired: u32| {
        let (least, most) = spec.autoscaling.map_or((desired, desired), |bounds| (bounds.min.min(desired), bounds.max));
        (least..=most.max(desired)).any(|desired| good::cannot_move(spec, desired))
    };
    let by_owner = plan.world.events.iter().filter_map(|event| match &event.event {
        WorldEvent::UpdateService { service, desired, .. } if *service == spec.id => *desired,
        _ => None,
    });
    [service.desired, spec.desired].into_iter().chain(by_owner).any(at)
}

fn places_on(strategy: &Strategy, provider: &CapacityProvider) -> bool {
    strategy.items().iter().any(|item| item.capacity_provider == *provider && item.weight > 0)
}

/// The most CPU units that a service may use at once on a provider by its owner's wish.
fn most_units(plan: &Plan, spec: &ServiceSpec, service: &ServiceOutcome, provider: &CapacityProvider) -> u64 {
    let saved = service.record.as_ref().and_then(|record| record.original.as_ref());
    // Where nobody can tell what the owner wants, what is live or saved may be it.
    let credible = [Some(&service.original), saved.or(Some(&service.live)).filter(|_| service.owner_unknowable)];
    // Tasks that no deployment can move stay where they are, whatever the owner wants.
    if !is_stuck(plan, spec, service) && !credible.into_iter().flatten().any(|strategy| places_on(strategy, provider)) {
        return 0;
    }
    // A blue/green deployment starts all of its tasks, however many others still run (aws-facts.md §1.5).
    let blue_green = Controller::Other(BLUE_GREEN.into());
    let becomes = |event: &WorldEvent| matches!(event, WorldEvent::Controller { service, controller } if *service == spec.id && *controller == blue_green);
    if spec.controller == blue_green || plan.world.events.iter().any(|event| becomes(&event.event)) {
        return u64::MAX;
    }
    let tasks = service.desired.max(spec.autoscaling.map_or(0, |bounds| bounds.max));
    // A task on its way out counts against the quota until it is STOPPED, but no longer against the maximum percent (aws-facts.md §3).
    u64::from(tasks) * u64::from(spec.cpu) * u64::from(100 + spec.maximum_percent) / 100
}

/// What must hold at the end and does not, the worst first.
fn violation(plan: &Plan, outcome: &Outcome, duration: Duration, free: &Free, near: &[Near]) -> Option<String> {
    if let Some(violation) = outcome.violations.first() {
        return Some(violation.clone());
    }
    if let Some(violation) = near.iter().find_map(Near::violation) {
        return Some(violation);
    }
    let mut services = plan.world.services.iter().zip(&outcome.services).filter(|(spec, _)| !free.contains(&spec.id));
    let wrong = services.find_map(|(spec, service)| wrong(spec, service));
    wrong.or_else(|| lost_message(outcome, duration))
}

/// Why a service is not as its owner wants it, once everything is mended and calm: on the strategy last chosen; at rest;
/// with every task.
pub fn wrong(spec: &ServiceSpec, service: &ServiceOutcome) -> Option<String> {
    let ServiceOutcome { id, live, original, record, running, desired, controller, .. } = service;
    let rolling = *controller == Controller::Rolling;
    let held_for_good = record.as_ref().is_some_and(|record| {
        let by_controller = record.held.as_ref().is_some_and(|held| matches!(held.reason, HeldReason::Controller(_)));
        is_held_for_good(spec, record) && !(rolling && by_controller)
    });
    // After a rollback by ECS nobody can tell which of several choices of the owner is meant. And one whose controller was changed while it
    // was on the fallback is left there.
    let as_the_owner_wants = service.owner_unknowable || live == original || (held_for_good && !rolling);
    // An auto scaler may have asked for one task more or less a moment ago, and asks for no second before the first is there.
    let on_its_way = u32::from(spec.autoscaling.is_some());
    // AZ rebalancing starts a task before it stops another.
    let too_many = on_its_way.max(u32::from(spec.zone_rebalancing && spec.maximum_percent > 100));
    let restless = record.as_ref().filter(|record| record.phase != Phase::Watching && !held_for_good);
    if !as_the_owner_wants {
        Some(format!("{id}: is on {live}, its owner chose {original}"))
    } else if let Some(record) = restless {
        Some(format!("{id}: has not come to rest, {}: {}", record.phase, record.reason))
    } else if !rolling {
        // Its deployments are the owner's alone, also the one that runs at the end.
        None
    } else if *running + on_its_way < *desired || *running > *desired + too_many {
        Some(format!("{id}: runs {running} of {desired} tasks"))
    } else {
        None
    }
}

/// Every message was handled, is in a DLQ, or was kept for as long as it is kept; and after the last redrive none is
/// dead, unless there were so many that ECS throttled the account.
fn lost_message(outcome: &Outcome, duration: Duration) -> Option<String> {
    let (mut arrived, mut died, mut redriven, mut received, mut failed) = (0, 0, 0, 0, 0);
    let (mut expired, mut expired_dead, mut rules_gave_up, mut just_arrived) = (0, 0, 0, 0);
    for entry in &outcome.trace {
        match &entry.what {
            Happening::Queued { .. } => {
                arrived += 1;
                just_arrived += usize::from(entry.at + A_MINUTE >= duration);
            }
            Happening::DeadLettered { .. } => died += 1,
            Happening::Redriven { messages, .. } => redriven += messages,
            Happening::Invoked { messages, .. } => received += messages,
            Happening::Finished { function, failed: n, .. } if !function.ends_with("restore-handler") => failed += n,
            Happening::Expired { waiting, dead, .. } => {
                expired += waiting;
                expired_dead += dead;
            }
            Happening::EventDead { .. } => rules_gave_up += 1,
            _ => {}
        }
    }
    // Auto scalers go on, and so do the events of their tasks.
    if outcome.messages_left > just_arrived {
        return Some(format!("{} messages are left in the queues", outcome.messages_left));
    }
    if outcome.messages_dead > 0 && outcome.throttled == 0 {
        return Some(format!("{} messages are dead after the last redrive", outcome.messages_dead));
    }
    let (handled, left) = (received - failed, outcome.messages_left);
    let unexplained =
        died != redriven + expired_dead + outcome.messages_dead || arrived > handled + died + expired + left;
    (unexplained || rules_gave_up != outcome.events_dead).then(|| {
        format!(
            "messages are lost: {arrived} arrived, {handled} were handled at most, {died} died, {redriven} were \
             redriven, {} expired",
            expired + expired_dead
        )
    })
}
