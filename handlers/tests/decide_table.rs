//! The table at the top of `decide.rs` is what `decide` does: a search over records, looks, triggers and policies reaches every
//! entry, and no other. The other tests check each single answer of `decide` against the same table (`common/table.rs`).

#[path = "common/ask.rs"]
mod ask;
mod common;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use common::table::{COLUMNS, Move, TABLE};
use common::*;
use handlers::decide::{Context, Trigger, decide};
use handlers::event::{Event, Signal};
use handlers::held::HeldReason;
use handlers::market::Market;
use handlers::observation::{Controller, Deployment, Look, Observation, Rollout};
use handlers::policy::{InterruptionPolicy, Policy};
use handlers::record::{Change, Record};
use handlers::strategy::Strategy;
use serde_json::json;

// ---- records --------------------------------------------------------------------------------------------------------

fn change(from: Strategy, to: Strategy) -> Option<Change> {
    Some(Change { from, to })
}

/// Watched: without a past, with one, with one that ended just now, left on the fallback as its owner opted it out, short of tasks for long, and told of a loss while nobody could look.
fn watched() -> Vec<Record> {
    vec![
        watching(),
        Record { previous: Some(original()), ..watching() },
        Record { previous: Some(original()), phase_since: NOW, ..watching() },
        Record { previous: Some(original()), change: change(original(), fallback()), ..watching() },
        Record { short_since: Some(NOW - hours(1)), ..watching() },
        Record { event: Some(json!({}).into()), short_since: Some(NOW), ..watching() },
    ]
}

/// Claimed by us, by us just now, by another, by a handler that died just now or long ago, as the way back of a restore, and edited
/// by hand.
fn failing() -> Vec<Record> {
    let stale = failing_over("other", NOW - hours(3));
    let way_back = change(original().probe(), fallback());
    vec![
        failing_over(ME, NOW + mins(1)),
        Record { phase_since: NOW, ..failing_over(ME, NOW + mins(1)) },
        failing_over("other", NOW + mins(1)),
        failing_over("other", NOW - mins(1)),
        Record { phase_since: NOW - hours(3), ..stale.clone() },
        Record { change: way_back, failed_restores: 1, ..stale.clone() },
        Record { original: None, failed_restores: 1, ..stale },
    ]
}

/// Just now, due, overdue, and after all restores that a day may have.
fn on_fallback() -> Vec<Record> {
    let due = on_demand(NOW - mins(1));
    vec![
        on_demand(NOW + mins(10)),
        due.clone(),
        Record { phase_since: NOW, ..due.clone() },
        Record { restores: vec![NOW - mins(1); 8], ..due.clone() },
        Record { original: None, ..due },
    ]
}

/// On probation for a while, for long enough and for too long; claimed by us or by a handler that died, just now or after the day's
/// last restore; by a probe, after one, and over what an owner chose meanwhile; and edited by hand.
fn restored() -> Vec<Record> {
    let claimed = Record { confirmed: false, lease: failing_over(ME, NOW + mins(1)).lease, ..restoring() };
    let abandoned = Record { lease: None, ..claimed.clone() };
    let probe = change(fallback(), original().probe());
    let after_probe = change(original().probe(), original());
    let over_owners = change(original(), somebody_elses());
    vec![
        restoring(),
        on_probation(NOW - mins(1)),
        on_probation(NOW - hours(1)),
        Record { phase_since: NOW - hours(9), ..restoring() },
        claimed.clone(),
        abandoned.clone(),
        Record { restores: vec![NOW - mins(1); 9], ..abandoned.clone() },
        Record { phase_since: NOW, ..restoring() },
        Record { change: probe, ..restoring() },
        Record { change: after_probe.clone(), ..abandoned.clone() },
        Record { change: after_probe, ..restoring() },
        Record { original: Some(somebody_elses()), change: over_owners, ..abandoned },
        Record { original: None, ..restoring() },
    ]
}

/// With a lease or a reason to be held where none belongs: somebody edited them.
fn edited() -> Vec<Record> {
    let lease = failing_over("other", NOW + mins(1)).lease;
    let why = held(watching(), HeldReason::RoleMissing).held;
    [watching(), failing_over(ME, NOW), on_demand(NOW), restoring()]
        .into_iter()
        .flat_map(|record| {
            [Record { lease: lease.clone(), ..record.clone() }, Record { held: why.clone(), lease: None, ..record }]
        })
        .collect()
}

/// No record, and records of each phase, held from each, due and not due.
fn records() -> Vec<Option<Record>> {
    let mut before = [watched(), failing(), on_fallback(), restored()].concat();
    // With an original before the present one, which an owner replaced.
    let previous = Some(somebody_elses());
    let episodes = [failing_over("other", NOW - hours(3)), on_demand(NOW - mins(1)), restoring()];
    before.extend(episodes.map(|record| Record { previous: previous.clone(), ..record }));
    let reasons = [
        HeldReason::Daemon,
        HeldReason::RoleMissing,
        HeldReason::FargateNotAssociated,
        HeldReason::RolledBack,
        HeldReason::ApplicationFails,
        HeldReason::OnDemandShort,
    ];
    let held = before.iter().flat_map(|before| {
        reasons.iter().flat_map(|reason| {
            let due = held(before.clone(), reason.clone());
            [Record { next_check_at: NOW + mins(1), ..due.clone() }, due]
        })
    });
    let all: Vec<Record> = before.iter().cloned().chain(held).chain(edited()).collect();
    [None].into_iter().chain(all.into_iter().map(Some)).collect()
}

// ---- looks ----------------------------------------------------------------------------------------------------------

/// A service on `strategy`: in full, short for want of Spot, with tasks on their way, by its application, and given up; in a
/// deployment of its owner's, and in one by which ECS rolls back.
fn shows(strategy: &Strategy) -> Vec<Observation> {
    let short = short_on(strategy.clone());
    let mut gave_up = short.clone();
    gave_up.deployments[0].rollout = Rollout::Failed;
    let mut rolls_back = deploying_short(strategy.clone(), NOW - mins(1));
    rolls_back.deployments[0].rolls_back = true;
    let mut rolled_back = Observation { running: 4, ..rolls_back.clone() };
    rolled_back.deployments[0].running = 4;
    vec![
        Observation { minimum_healthy_percent: 0, ..full_on(strategy.clone()) },
        Observation { pending: 2, ..short.clone() },
        crash_looping(short.clone(), NOW - mins(1)),
        short,
        gave_up,
        deploying_short(strategy.clone(), NOW - mins(1)),
        rolls_back,
        rolled_back,
    ]
}

/// Whoever changed the strategy to `strategy`, it was in the place of an owner's.
fn in_place_of_an_owners(strategy: &Strategy) -> Observation {
    let mut seen = deploying(strategy.clone(), NOW - mins(1));
    let replaced = Deployment {
        primary: false,
        strategy: Some(somebody_elses()),
        created_at: CREATED,
        ..seen.deployments[0].clone()
    };
    seen.deployments.push(replaced);
    seen
}

fn looks() -> Vec<Look> {
    let no_spot = spread(&[("FARGATE", 0, 1)]);
    let foreign = spread(&[("gpu-asg", 0, 1)]);
    let others = somebody_elses();
    let strategies = [original(), fallback(), original().probe(), others.fallback(), others, no_spot, foreign];
    let mut seen: Vec<Observation> = strategies.iter().flat_map(shows).collect();
    seen.extend([original(), fallback()].iter().map(in_place_of_an_owners));
    for strategy in &strategies {
        let short = short_on(strategy.clone());
        seen.extend([
            Observation { opted_out: true, ..short.clone() },
            Observation { active: false, ..short.clone() },
            Observation { controller: Controller::Other("EXTERNAL".into()), ..short.clone() },
            Observation { created_at: NOW - mins(9), ..short.clone() },
            Observation { created_at: NOW - mins(9), opted_out: true, ..short.clone() },
        ]);
    }
    seen.push(Observation { strategy: None, ..full_on(original()) });
    let blocked = [HeldReason::RoleMissing, HeldReason::Unreadable(String::new())].map(Look::Blocked);
    seen.into_iter().map(Look::found).chain(blocked).chain([Look::Missing]).collect()
}

// ---- triggers, policies, markets ------------------------------------------------------------------------------------

/// Each signal that may move a service, one that may not, and one that is out of date.
fn events() -> Vec<Event> {
    let mut events =
        [Signal::SpotPlacementFailure, Signal::SyntheticPlacementFailure, Signal::Interruption, Signal::SpotTask]
            .map(|signal| event(signal, NOW))
            .to_vec();
    events.push(event(Signal::SpotPlacementFailure, NOW - hours(2)));
    events
}

/// In force, paused, in a dry run, and without a grace time.
fn policies() -> [Policy; 4] {
    let policy = Policy { interruption_policy: InterruptionPolicy::Immediate, ..Policy::default() };
    [
        policy.clone(),
        Policy { paused: true, ..policy.clone() },
        Policy { dry_run: true, ..policy.clone() },
        Policy { shortfall_grace: Duration::ZERO, ..policy },
    ]
}

fn closed_market() -> Market {
    Market { closed_until: NOW + mins(1), ..Market::new(account("111122223333"), region("ap-south-1")) }
}

/// Every move that the search reaches: in force, everything by every trigger; else, by the triggers for which it makes a difference.
fn reached() -> BTreeSet<Move> {
    let (looks, events, market) = (looks(), events(), closed_market());
    let [in_force, paused, dry_run, no_grace] = policies();
    let mut contexts = vec![
        Context { market: Some(&market), ..ask::ctx(Trigger::Sweep, &in_force, NOW) },
        ask::ctx(Trigger::Sweep, &no_grace, NOW),
    ];
    for policy in [&in_force, &paused, &dry_run] {
        let told = if std::ptr::eq(policy, &in_force) { &events[..] } else { &events[..1] };
        let triggers = [Trigger::Sweep].into_iter().chain(told.iter().map(Trigger::Event));
        contexts.extend(triggers.map(|trigger| ask::ctx(trigger, policy, NOW)));
    }
    let mut reached = BTreeSet::new();
    for record in records() {
        let before = record.as_ref().map(|record| record.phase);
        for look in &looks {
            let decisions = contexts.iter().map(|ctx| decide(&service(), record.as_ref(), look, ctx));
            reached.extend(decisions.filter_map(|decision| Move::of(before, &decision)));
        }
    }
    reached
}

/// `moves` as the table is written.
fn written(moves: &BTreeSet<Move>) -> String {
    let reasons: BTreeSet<&str> = moves.iter().map(|m| m.reason.as_str()).collect();
    let mut text = String::new();
    for reason in reasons {
        write!(text, "//! | `{reason}` |").unwrap();
        for before in COLUMNS {
            let entries = moves.iter().filter(|m| m.reason == reason && m.before == before).map(Move::entry);
            let cell = entries.collect::<Vec<_>>().join(", ");
            write!(text, " {cell}{}|", if cell.is_empty() { "" } else { " " }).unwrap();
        }
        text.push('\n');
    }
    text
}

#[test]
fn the_table_of_decide_is_what_a_search_reaches() {
    let reached = reached();
    let missing: Vec<&Move> = reached.difference(&TABLE).collect();
    let never: Vec<&Move> = TABLE.difference(&reached).collect();
    assert!(
        missing.is_empty() && never.is_empty(),
        "not in the table: {missing:#?}\nnever reached: {never:#?}\nthe search reaches\n{}",
        written(&reached)
    );
}
