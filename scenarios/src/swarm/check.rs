//! Plays a random world to its end, and says what must hold then and does not.

use std::collections::BTreeSet;
use std::time::Duration;

use handlers::observation::Controller;
use handlers::record::Phase;
use handlers::service::ServiceId;
use handlers::strategy::CapacityProvider;
use simulator::spec::{
    BusPolicy, Capacity, Forwarding, FunctionName, FunctionState, Loss, QueueAccess, QueueName, Role, ServiceSpec,
    TimedEvent, WorldEvent, WorldSpec,
};
use simulator::trace::Happening;
use simulator::{Outcome, ServiceOutcome, Simulation};

use super::draw::Plan;
use crate::file::{Check, Expectation, FinalStrategy, Scenario};

/// Longer than any backoff, daily cap and probation together: whoever has not come to rest by then never will.
const CALM: Duration = Duration::from_secs(36 * 3600);
/// No rest is believed before this: what was redriven, or waited in EventBridge, has come by then.
const SHORTEST_CALM: Duration = Duration::from_secs(3600);
/// How often it is asked whether everything has come to rest, and when all DLQs are redriven.
const HALF_HOUR: Duration = Duration::from_secs(1800);
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
    /// What does not hold, in words.
    pub violation: Option<String>,
}

/// Plays `plan` until everything has come to rest, or never will, or an invariant breaks.
pub fn play(plan: &Plan) -> Played {
    let world = mended(plan);
    let ids: Vec<ServiceId> = world.services.iter().map(|service| service.id.clone()).collect();
    let mut simulation = Simulation::new(world, plan.facts.clone()).expect("the product's patterns are valid");
    let (mut reasons, mut quiet) = (BTreeSet::new(), false);
    loop {
        let elapsed = simulation.elapsed();
        simulation.advance(if elapsed < plan.chaos { SAMPLE.min(plan.chaos - elapsed) } else { HALF_HOUR });
        let records: Vec<_> = ids.iter().map(|id| simulation.record(id)).collect();
        reasons.extend(records.iter().flatten().map(|record| record.reason.clone()));
        if !simulation.violations().is_empty() {
            break;
        }
        let at_rest = plan.world.services.iter().zip(&records).all(|(service, record)| {
            record.as_ref().is_none_or(|record| record.phase == Phase::Watching || stays_held(service, record.phase))
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
    let violation = violation(plan, &outcome);
    Played { outcome, duration, reasons, violation }
}

/// The same as a scenario: what a file would say.
pub fn scenario(plan: &Plan, duration: Duration, about: &str) -> Scenario {
    let mut world = mended(plan);
    world.events.retain(|event| event.at <= duration);
    let free = opted_out(plan);
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

/// The world with the end of all its trouble: what was broken is mended, and nothing else is touched.
fn mended(plan: &Plan) -> WorldSpec {
    let mut world = plan.world.clone();
    let accounts = world.accounts.clone();
    let broken = |kind: fn(&WorldEvent) -> bool| plan.world.events.iter().any(|event| kind(&event.event));
    let mut mend = vec![WorldEvent::Calm];
    let mut when = |kind: fn(&WorldEvent) -> bool, mended: WorldEvent| {
        if broken(kind) {
            mend.push(mended);
        }
    };
    when(
        |e| matches!(e, WorldEvent::Role { .. }),
        WorldEvent::Role { accounts: accounts.clone(), role: Role::Present },
    );
    when(
        |e| matches!(e, WorldEvent::Membership { .. }),
        WorldEvent::Membership { accounts: accounts.clone(), member: true },
    );
    when(|e| matches!(e, WorldEvent::BusPolicy(_)), WorldEvent::BusPolicy(BusPolicy::Onboarded));
    when(
        |e| matches!(e, WorldEvent::Forwarding { .. }),
        WorldEvent::Forwarding { accounts: accounts.clone(), forwarding: Forwarding::Present },
    );
    for queue in [QueueName::PlacementFailure, QueueName::Interruption] {
        when(
            |e| matches!(e, WorldEvent::QueueAccess { .. }),
            WorldEvent::QueueAccess { queue, access: QueueAccess::Reachable },
        );
    }
    for function in [FunctionName::PlacementFailure, FunctionName::Interruption, FunctionName::Restore] {
        when(
            |e| matches!(e, WorldEvent::Function { .. }),
            WorldEvent::Function { function, state: FunctionState::Running },
        );
    }
    when(
        |e| matches!(e, WorldEvent::OnDemand { .. }),
        WorldEvent::OnDemand { accounts: accounts.clone(), capacity: Capacity::Unlimited },
    );
    when(
        |e| matches!(e, WorldEvent::Spot { .. }),
        WorldEvent::Spot { accounts, capacity: Capacity::Unlimited, loss: Loss::Keep },
    );
    for service in &world.services {
        let id = &service.id;
        let did = |kind: fn(&WorldEvent) -> Option<&ServiceId>| {
            plan.world.events.iter().any(|event| kind(&event.event) == Some(id))
        };
        if did(|e| if let WorldEvent::DeleteService { service } = e { Some(service) } else { None }) {
            mend.push(WorldEvent::CreateService { service: id.clone() });
        }
        if did(|e| if let WorldEvent::OptOut { service, .. } = e { Some(service) } else { None }) {
            mend.push(WorldEvent::OptOut { service: id.clone(), off: false });
        }
        if did(|e| if let WorldEvent::Application { service, .. } = e { Some(service) } else { None }) {
            mend.push(WorldEvent::Application { service: id.clone(), fails: false });
        }
        if service.circuit_breaker {
            // A deployment that failed for good needs its owner.
            mend.push(WorldEvent::Deploy { service: id.clone() });
        }
    }
    world.events.extend(mend.into_iter().map(|event| TimedEvent { at: plan.chaos, event }));
    for queue in [QueueName::PlacementFailure, QueueName::Interruption] {
        world.events.push(TimedEvent { at: plan.chaos + HALF_HOUR, event: WorldEvent::Redrive { queue } });
    }
    world
}

/// Whom an owner opted out while on On-Demand stays there: that was the wish.
fn opted_out(plan: &Plan) -> BTreeSet<ServiceId> {
    let opted_out = plan.world.events.iter().filter_map(|event| match &event.event {
        WorldEvent::OptOut { service, off: true } => Some(service.clone()),
        _ => None,
    });
    opted_out.collect()
}

/// Whether a service can never be moved, and so stays held.
fn stays_held(service: &ServiceSpec, phase: Phase) -> bool {
    let unsupported =
        service.controller != Controller::Rolling || !service.associated.contains(&CapacityProvider::Fargate);
    phase == Phase::Held && unsupported
}

/// What must hold at the end and does not, the worst first.
fn violation(plan: &Plan, outcome: &Outcome) -> Option<String> {
    if let Some(violation) = outcome.violations.first() {
        return Some(violation.clone());
    }
    let opted_out = opted_out(plan);
    let mut services = plan.world.services.iter().zip(&outcome.services);
    let wrong = services.find_map(|(spec, service)| wrong(spec, service, opted_out.contains(&spec.id)));
    wrong.or_else(|| lost_message(outcome))
}

/// Why a service is not as its owner wants it, once everything is mended and calm: on the strategy last chosen, unless it was
/// opted out while on another; at rest; with every task.
pub fn wrong(spec: &ServiceSpec, service: &ServiceOutcome, opted_out: bool) -> Option<String> {
    let ServiceOutcome { id, live, original, record, running, desired, .. } = service;
    // After a rollback by ECS nobody can tell which of several choices of the owner is meant.
    let as_the_owner_wants = opted_out || service.owner_unknowable || live.items() == original.items();
    let restless = record.as_ref().filter(|record| record.phase != Phase::Watching && !stays_held(spec, record.phase));
    if !as_the_owner_wants {
        Some(format!("{id}: is on {live}, its owner chose {original}"))
    } else if let Some(record) = restless {
        Some(format!("{id}: has not come to rest, {}: {}", record.phase, record.reason))
    } else if running != desired {
        Some(format!("{id}: runs {running} of {desired} tasks"))
    } else {
        None
    }
}

/// Every message was handled, is in a DLQ, or was kept for as long as it is kept; and after the last redrive none is
/// dead, unless there were so many that ECS throttled the account.
fn lost_message(outcome: &Outcome) -> Option<String> {
    let (mut arrived, mut died, mut redriven, mut received, mut failed) = (0, 0, 0, 0, 0);
    let (mut expired, mut expired_dead, mut rules_gave_up) = (0, 0, 0);
    for entry in &outcome.trace {
        match &entry.what {
            Happening::Queued { .. } => arrived += 1,
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
    if outcome.messages_left > 0 {
        return Some(format!("{} messages are left in the queues", outcome.messages_left));
    }
    if outcome.messages_dead > 0 && outcome.throttled == 0 {
        return Some(format!("{} messages are dead after the last redrive", outcome.messages_dead));
    }
    let handled = received - failed;
    let unexplained = died != redriven + expired_dead + outcome.messages_dead || arrived > handled + died + expired;
    (unexplained || rules_gave_up != outcome.events_dead).then(|| {
        format!(
            "messages are lost: {arrived} arrived, {handled} were handled at most, {died} died, {redriven} were \
             redriven, {} expired",
            expired + expired_dead
        )
    })
}
