//! A claim that was never carried out is decided anew, a look that works again is a cure, and what is missing is looked for twice.

#[path = "common/ask.rs"]
mod ask;
mod common;

use std::sync::Arc;

use ask::*;
use common::table::decide;
use common::*;
use handlers::decide::{Decision, Reason, Trigger};
use handlers::event::Signal;
use handlers::held::HeldReason;
use handlers::market::{Finding, Market};
use handlers::observation::{Look, Observation};
use handlers::policy::{InterruptionPolicy, Policy};
use handlers::record::{Change, Held, Phase, Record};
use handlers::timestamp::Timestamp;
use serde_json::json;

/// A failover claimed `age` ago by a handler that is no more.
fn never_made(age: std::time::Duration) -> Record {
    Record { phase_since: NOW - age, lease: None, ..failing_over("dead", NOW) }
}

#[test]
fn a_failover_that_was_never_made_is_not_made_on_a_service_that_is_well() {
    let (closed, reason) = written(on_sweep(&never_made(hours(5)), &full_on(original()), NOW));
    assert_eq!((closed.phase, closed.original, reason), (Phase::Watching, None, Reason::NotNeeded));
    // The memory of the episode before is kept: a loss may still be the same outage.
    let again = Record { restored_at: Some(NOW - hours(6)), ..never_made(hours(5)) };
    assert_eq!(written(on_sweep(&again, &full_on(original()), NOW)).0.restored_at, again.restored_at);
    // While a release explains what is missing, too.
    let releasing = deploying_short(original(), NOW - mins(1));
    assert_eq!(written(on_sweep(&never_made(hours(5)), &releasing, NOW)).1, Reason::NotNeeded);
    let (next, reason) = claimed(on_sweep(&never_made(hours(5)), &short_on(original()), NOW));
    assert_eq!((next.phase, reason), (Phase::FailingOver, Reason::TakenOver));
    // Just claimed, the cause may not show yet: an interrupted task runs on for two minutes.
    let just_claimed = Policy::default().lease + Policy::default().shortfall_grace;
    let (next, reason) = claimed(on_sweep(&never_made(just_claimed - secs(1)), &full_on(original()), NOW));
    assert_eq!((next.phase, reason), (Phase::FailingOver, Reason::TakenOver));
    assert_eq!(written(on_sweep(&never_made(just_claimed), &full_on(original()), NOW)).1, Reason::NotNeeded);
}

#[test]
fn an_event_that_asks_for_the_failover_makes_an_old_claim_needed() {
    let old = never_made(mins(20));
    let shortfall = Policy { interruption_policy: InterruptionPolicy::Shortfall, ..Policy::default() };
    for (policy, signal, needed) in [
        (Policy::default(), Signal::SyntheticPlacementFailure, true),
        (Policy::default(), Signal::Interruption, true),
        (shortfall, Signal::Interruption, false),
        (Policy::default(), Signal::SpotTask, false),
    ] {
        let told = on_event_with(&policy, Some(&old), &full_on(original()), &event(signal, NOW - mins(14)));
        assert_eq!(matches!(told, Decision::Claim(..)), needed, "{signal:?}");
        let too_old = on_event_with(&policy, Some(&old), &full_on(original()), &event(signal, NOW - mins(15)));
        assert!(matches!(too_old, Decision::Write(_, Reason::NotNeeded)), "{signal:?}");
    }
}

#[test]
fn a_synthetic_failover_outlives_the_handler_that_claimed_it_but_not_for_long() {
    let synthetic = Some(Arc::new(json!({ "source": "test.aws.ecs" })));
    let claim = |age| Record { event: synthetic.clone(), ..never_made(mins(age)) };
    assert_eq!(claimed(on_sweep(&claim(14), &full_on(original()), NOW)).1, Reason::TakenOver);
    assert_eq!(written(on_sweep(&claim(15), &full_on(original()), NOW)).1, Reason::NotNeeded);
}

#[test]
fn the_way_back_of_a_failed_restore_is_needed_from_a_probe() {
    let probe = original().probe();
    let record = Record { change: Some(Change { from: probe.clone(), to: fallback() }), ..never_made(hours(5)) };
    assert_eq!(claimed(on_sweep(&record, &full_on(probe), NOW)).1, Reason::TakenOver);
}

/// A restore claimed five hours ago and never made.
fn restore_never_made() -> Record {
    let restores = vec![NOW - hours(5)];
    Record { confirmed: false, phase_since: NOW - hours(5), restores, ..restoring() }
}

#[track_caller]
fn asked(record: &Record, seen: &Observation, market: &Market) -> Decision {
    let policy = Policy::default();
    let mut ctx = ctx(Trigger::Sweep, &policy, NOW);
    ctx.market = Some(market);
    decide(&service(), Some(record), &Look::found(seen.clone()), &ctx)
}

#[test]
fn a_restore_that_was_never_made_asks_the_market_again() {
    let record = restore_never_made();
    assert!(record.may_restore(NOW), "the sweep reads the market for it");
    let open = Market::new(service().account, service().region);
    let (next, reason) = claimed(asked(&record, &full_on(fallback()), &open));
    assert_eq!((next.phase, reason, next.restores.len()), (Phase::Restoring, Reason::RestoreDue, 1));
    let closed = open.after("another", Finding::Failed, &Policy::default(), NOW);
    let (next, reason) = written(asked(&record, &full_on(fallback()), &closed));
    assert_eq!((next.phase, reason, next.restores.len()), (Phase::OnDemand, Reason::MarketBusy, 0));
    assert_eq!(Finding::of(Some(&record), Some(&next)), Some(Finding::Ended), "nothing was tried");
    assert_eq!(next.change, Some(Change { from: original(), to: fallback() }));
    // Nor does it touch an owner's young release.
    let (next, reason) = written(asked(
        &record,
        &deploying(fallback(), NOW - mins(1)),
        &Market::new(service().account, service().region),
    ));
    assert_eq!((next.phase, reason), (Phase::OnDemand, Reason::Deploying));
}

#[test]
fn a_service_that_wants_no_task_is_no_canary() {
    let closed =
        Market::new(service().account, service().region).after("another", Finding::Failed, &Policy::default(), NOW);
    let record = on_demand(NOW);
    let none = Observation { desired: 0, running: 0, ..full_on(fallback()) };
    let (next, reason) = claimed(asked(&record, &none, &closed));
    assert_eq!((next.phase, reason), (Phase::Restoring, Reason::RestoreDue));
    assert_eq!(Finding::of(Some(&record), Some(&next)), None);
    let (next, _) = claimed(on_sweep(&record, &full_on(fallback()), NOW));
    assert_eq!(Finding::of(Some(&record), Some(&next)), Some(Finding::Begun));
}

#[test]
fn a_restore_that_was_never_made_counts_the_days_restores_again() {
    let mut record = restore_never_made();
    record.restores = (1..=9).rev().map(|n| NOW - hours(n)).collect();
    let (next, reason) = written(on_sweep(&record, &full_on(fallback()), NOW));
    assert_eq!((next.phase, reason, next.restores.len()), (Phase::OnDemand, Reason::DailyCap, 8));
}

#[test]
fn the_restore_after_a_probe_that_was_never_made_looks_at_the_probe_again() {
    let change = Change { from: original().probe(), to: original() };
    let record = Record { change: Some(change.clone()), ..restore_never_made() };
    let (next, reason) = claimed(on_sweep(&record, &full_on(original().probe()), NOW));
    assert_eq!((next.change, reason), (Some(change), Reason::ProbeHolds));
    let failing = on_event(Some(&record), &short_on(original().probe()), Signal::SpotPlacementFailure);
    assert_eq!(claimed(failing).0.phase, Phase::FailingOver);
}

// ---- a look that works again ----------------------------------------------------------------------------------------

fn blind(record: Option<&Record>, signal: Option<Signal>, reason: &HeldReason, now: Timestamp) -> Decision {
    let (policy, event) = (Policy::default(), signal.map(|signal| event(signal, now)));
    let trigger = event.as_ref().map_or(Trigger::Sweep, Trigger::Event);
    decide(&service(), record, &Look::Blocked(reason.clone()), &ctx(trigger, &policy, now))
}

#[test]
fn a_look_that_works_again_is_the_cure_at_the_next_event_and_at_the_next_sweep() {
    for reason in [
        HeldReason::RoleMissing,
        HeldReason::AccessDenied("ecs:DescribeServices".into()),
        HeldReason::Unreadable("status".into()),
    ] {
        let (held, _) = written(blind(Some(&watching()), None, &reason, NOW));
        assert_eq!(held.next_check_at, NOW + Policy::default().active_interval);
        let (next, why) = claimed(on_event(Some(&held), &short_on(original()), Signal::SpotPlacementFailure));
        assert_eq!((next.phase, why), (Phase::FailingOver, Reason::SpotPlacementFailure));
        let (next, why) = written(on_sweep(&held, &full_on(original()), NOW + mins(1)));
        assert_eq!((next.phase, why), (Phase::Watching, Reason::Cured));
        let (held, _) = written(blind(Some(&on_demand(NOW)), None, &reason, NOW));
        let (next, why) = written(on_event(Some(&held), &full_on(fallback()), Signal::SpotTask));
        assert_eq!((next.phase, next.phase_since, why), (Phase::OnDemand, NOW, Reason::Cured));
    }
}

#[test]
fn a_loss_that_an_event_told_of_while_nobody_could_look_needs_no_grace_time() {
    let reason = HeldReason::RoleMissing;
    for known in [None, Some(watching())] {
        for signal in [Signal::SpotPlacementFailure, Signal::Interruption] {
            let (held, _) = written(blind(known.as_ref(), Some(signal), &reason, NOW));
            let again = blind(Some(&held), Some(signal), &reason, NOW + secs(1));
            assert_eq!(left(again), Reason::Held(reason.clone()), "kept once");
            let (next, why) = claimed(on_sweep(&held, &short_on(original()), NOW + secs(51)));
            assert_eq!(
                (next.phase, why, next.event),
                (Phase::FailingOver, Reason::SpotPlacementFailure, held.event.clone())
            );
            // Nothing is missing any more, or the application fails: no failover.
            assert_eq!(written(on_sweep(&held, &full_on(original()), NOW + secs(51))).0.phase, Phase::Watching);
            let crashing = crash_looping(short_on(original()), NOW);
            assert_eq!(written(on_sweep(&held, &crashing, NOW + secs(51))).0.phase, Phase::Watching);
        }
        // Without such an event the grace time runs from now.
        let (held, _) = written(blind(known.as_ref(), Some(Signal::SpotTask), &reason, NOW));
        assert_eq!(written(on_sweep(&held, &short_on(original()), NOW + secs(51))).0.phase, Phase::Watching);
    }
}

#[test]
fn what_a_look_cannot_see_waits_for_its_time() {
    for reason in [
        HeldReason::FargateNotAssociated,
        HeldReason::AccessDenied("ecs:UpdateService".into()),
        HeldReason::RolledBack,
        HeldReason::Refused("why".into()),
    ] {
        let record = Record { next_check_at: NOW + mins(29), ..held(failing_over(ME, NOW), reason.clone()) };
        let told = on_event(Some(&record), &short_on(original()), Signal::SpotPlacementFailure);
        assert_eq!(left(told), Reason::Held(reason));
    }
}

#[test]
fn what_persists_is_left_held_by_an_event() {
    for (reason, seen) in [
        (HeldReason::OnDemandShort, short_on(fallback())),
        (HeldReason::ApplicationFails, crash_looping(short_on(fallback()), NOW - mins(1))),
    ] {
        let record = Record { next_check_at: NOW + mins(29), ..held(on_demand(NOW + hours(1)), reason.clone()) };
        assert_eq!(left(on_event(Some(&record), &seen, Signal::SpotTask)), Reason::Held(reason.clone()));
        let due = Record { next_check_at: NOW, ..record };
        let (still, why) = written(on_sweep(&due, &seen, NOW));
        assert_eq!((still.phase, still.phase_since, why), (Phase::Held, due.phase_since, Reason::Held(reason)));
    }
}

#[test]
fn a_held_service_with_another_problem_is_held_for_that_one() {
    let before = on_demand(NOW + hours(1));
    let record = held(before.clone(), HeldReason::ApplicationFails);
    let (next, why) = written(on_sweep(&record, &short_on(fallback()), NOW));
    assert_eq!((next.phase_since, why), (record.phase_since, Reason::Held(HeldReason::OnDemandShort)));
    let held = Held {
        reason: HeldReason::OnDemandShort,
        resume: Phase::OnDemand,
        since: Some(before.phase_since),
        rolled_back: false,
    };
    assert_eq!(next.held, Some(held));
}

// ---- not found ------------------------------------------------------------------------------------------------------

#[test]
fn a_saved_original_is_forgotten_only_when_a_second_look_does_not_find_the_service_either() {
    let policy = Policy::default();
    let look =
        |record: &Record, now| decide(&service(), Some(record), &Look::Missing, &ctx(Trigger::Sweep, &policy, now));
    let with_past = Record { previous: Some(original()), ..watching() };
    for record in [
        failing_over(ME, NOW + mins(1)),
        on_demand(NOW + hours(1)),
        restoring(),
        held(on_demand(NOW + hours(1)), HeldReason::RoleMissing),
        with_past,
    ] {
        let (once, reason) = written(look(&record, NOW));
        assert_eq!(
            (once.phase, once.missing_since, reason, &once.lease),
            (record.phase, Some(NOW), Reason::NotFound, &None)
        );
        assert_eq!(once.next_check_at, NOW + policy.active_interval);
        assert_eq!(left(look(&once, NOW + secs(49))), Reason::NotFound);
        assert_eq!(forgotten(look(&once, NOW + secs(50))), Reason::Gone);
        // Found meanwhile, the next time is the first again.
        if record.phase == Phase::OnDemand {
            let (found, _) = written(on_sweep(&once, &short_on(fallback()), NOW + secs(50)));
            assert_eq!(found.missing_since, None);
        }
    }
    assert_eq!(forgotten(look(&watching(), NOW)), Reason::Gone, "nothing was saved of it");
}
