//! What a restore costs a running service: the probe where ECS may stop tasks first, the opt-out, the pace of changes, and what
//! is counted of it all.

mod common;

use std::sync::Arc;

use common::table::decide;
use common::{ME, NOW, fallback, full_on, mins, on_demand, original, restoring, secs, service, short_on, watching};
use handlers::decide::{Context, Decision, Reason, Trigger};
use handlers::held::HeldReason;
use handlers::metrics;
use handlers::observation::{Look, Observation};
use handlers::policy::Policy;
use handlers::record::{Change, Phase, Record};
use handlers::strategy::CapacityProvider;
use handlers::transition::Transition;
use proptest::prelude::*;

fn sweep(record: &Record, seen: Observation, policy: &Policy) -> Decision {
    let ctx = Context { trigger: Trigger::Sweep, policy, now: NOW, owner: ME, market: None };
    decide(&service(), Some(record), &Look::found(seen), &ctx)
}

fn claimed(decision: Decision) -> Record {
    match decision {
        Decision::Claim(record, _) => Arc::unwrap_or_clone(record),
        other => panic!("not a claim: {other:?}"),
    }
}

fn with_minimum(percent: u32, seen: Observation) -> Observation {
    Observation { minimum_healthy_percent: percent, ..seen }
}

#[test]
fn where_ecs_may_stop_several_tasks_first_a_restore_begins_with_one_task_on_spot() {
    let policy = Policy::default();
    for (percent, probed) in [(100, false), (99, false), (76, false), (75, false), (51, false), (50, true), (0, true)] {
        let next = claimed(sweep(&on_demand(NOW), with_minimum(percent, full_on(fallback())), &policy));
        let to = next.change.expect("a change").to;
        assert_eq!(to == original().probe(), probed, "{percent}% of 4 tasks: {to}");
    }
    let unprobed = Policy { probe_restores: false, ..Policy::default() };
    let next = claimed(sweep(&on_demand(NOW), with_minimum(0, full_on(fallback())), &unprobed));
    assert_eq!(next.change.expect("a change").to, original());
}

#[test]
fn where_on_demand_is_short_a_restore_does_not_begin_with_a_probe_that_needs_it() {
    let short_for_long = Record { phase_since: NOW - mins(11), healthy_since: None, ..on_demand(NOW) };
    let next = claimed(sweep(&short_for_long, with_minimum(0, short_on(fallback())), &Policy::default()));
    assert_eq!(next.change, Some(Change { from: fallback(), to: original() }));
    // Tasks that went missing later, or were just asked for, are no such shortage.
    let came_up = Record { healthy_since: Some(NOW - mins(9)), ..short_for_long };
    let next = claimed(sweep(&came_up, with_minimum(0, short_on(fallback())), &Policy::default()));
    assert_eq!(next.change, Some(Change { from: fallback(), to: original().probe() }));
}

#[test]
fn a_probe_that_ecs_rolled_back_is_left_out_once() {
    let probing =
        Record { change: Some(Change { from: fallback(), to: original().probe() }), confirmed: true, ..restoring() };
    let Decision::Write(next, Reason::RolledBack) = sweep(&probing, full_on(fallback()), &Policy::default()) else {
        panic!("a rollback is adopted")
    };
    let due = Record { restore_at: Some(NOW), healthy_since: Some(NOW - mins(9)), ..Arc::unwrap_or_clone(next) };
    let next = claimed(sweep(&due, with_minimum(0, full_on(fallback())), &Policy::default()));
    assert_eq!(next.change.as_ref().map(|change| &change.to), Some(&original()));
    assert!(!next.probe_rolled_back, "the restore after this one begins with a probe again");
}

#[test]
fn the_original_follows_only_when_the_probe_runs_in_full() {
    let policy = Policy::default();
    let probing = Record { change: Some(Change { from: fallback(), to: original().probe() }), ..restoring() };
    let short = Observation { running: 3, ..full_on(original().probe()) };
    assert!(!matches!(sweep(&probing, short, &policy), Decision::Claim(..) | Decision::Update(..)));
    let next = claimed(sweep(&probing, full_on(original().probe()), &policy));
    assert_eq!(next.phase, Phase::Restoring);
    assert_eq!(next.change, Some(Change { from: original().probe(), to: original() }));
    assert_eq!(next.original, Some(original()));
}

#[test]
fn a_probe_that_fails_goes_back_to_the_fallback_and_counts_as_a_failed_restore() {
    let probing = Record {
        change: Some(Change { from: fallback(), to: original().probe() }),
        phase_since: NOW - mins(11),
        ..restoring()
    };
    let next = claimed(sweep(&probing, short_on(original().probe()), &Policy::default()));
    assert_eq!((next.phase, next.failed_restores), (Phase::FailingOver, 1));
    assert_eq!(next.change, Some(Change { from: original().probe(), to: fallback() }));
}

#[test]
fn an_opted_out_service_is_neither_watched_nor_touched_whatever_its_phase() {
    let out = |seen: Observation| Observation { opted_out: true, ..seen };
    for record in [watching(), on_demand(NOW), restoring(), common::failing_over(ME, NOW + mins(1))] {
        let forgotten = sweep(&record, out(short_on(original())), &Policy::default());
        assert_eq!(forgotten, Decision::Forget(Reason::OptedOut), "{}", record.phase);
    }
    let policy = Policy::default();
    let ctx = Context { trigger: Trigger::Sweep, policy: &policy, now: NOW, owner: ME, market: None };
    let look = Look::found(out(short_on(original())));
    assert_eq!(decide(&service(), None, &look, &ctx), Decision::Leave(Reason::OptedOut));
}

#[test]
fn a_fallback_whose_application_fails_is_not_called_a_shortage_of_capacity() {
    let slow = Record { restore_at: Some(NOW + mins(30)), ..on_demand(NOW) };
    let seen = common::crash_looping(short_on(fallback()), NOW - mins(1));
    let Decision::Write(next, reason) = sweep(&slow, seen, &Policy::default()) else { panic!("not written") };
    assert_eq!((next.phase, reason), (Phase::OnDemand, Reason::ApplicationFails));
}

#[test]
fn a_release_that_crashes_during_probation_is_no_failed_restore() {
    let late = Record { phase_since: NOW - mins(30), ..restoring() };
    let seen = common::crash_looping(short_on(original()), NOW - mins(1));
    let Decision::Write(told, _) = sweep(&late, seen.clone(), &Policy::default()) else { panic!("moved") };
    assert_eq!(
        told.held.as_ref().map(|held| (&held.reason, held.resume)),
        Some((&HeldReason::ApplicationFails, Phase::Restoring))
    );
    let in_time = Record { phase_since: NOW - mins(5), ..restoring() };
    assert!(
        matches!(sweep(&in_time, seen, &Policy::default()), Decision::Write(next, _) if next.phase == Phase::Restoring)
    );
}

#[test]
fn a_failed_message_comes_back_later_each_time_and_not_with_its_siblings() {
    let policy = Policy::default();
    let delays: Vec<_> = (1..=12).map(|times| policy.message_delay("message", times)).collect();
    assert!(delays.is_sorted(), "{delays:?}");
    assert!(delays[0] >= secs(5) && delays[0] <= secs(8), "{delays:?}");
    assert!(delays[11] >= mins(15) && delays[11] <= mins(23), "{delays:?}");
    assert_ne!(policy.message_delay("one", 1), policy.message_delay("two", 1));
    assert!(policy.message_delay("message", u32::MAX) <= mins(23));
}

fn transition(from: Option<Phase>, to: Option<Phase>) -> Transition {
    Transition {
        id: service().record_id(),
        service: service().arn(),
        account: service().account,
        from,
        to,
        episode: 1,
        original: Some(original()),
        reason: "a reason".into(),
        at: NOW,
    }
}

#[test]
fn every_transition_has_a_line_in_the_embedded_metric_format() {
    let phases = [Phase::Watching, Phase::FailingOver, Phase::OnDemand, Phase::Restoring, Phase::Held];
    let any = || phases.into_iter().map(Some).chain([None]);
    for (from, to) in any().flat_map(|from| any().map(move |to| (from, to))) {
        let line = metrics::line(&transition(from, to));
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        let name = directive["Metrics"][0]["Name"].as_str().expect("a name");
        assert_eq!(line["_aws"]["Timestamp"], NOW.as_millis());
        assert_eq!(line[name], 1, "the target is at root level");
        // Every dimension is a string at root level; the empty set sums over all accounts.
        assert_eq!(directive["Dimensions"], serde_json::json!([["account"], []]));
        assert!(line["account"].is_string());
    }
    let name = |from, to| {
        metrics::line(&transition(Some(from), Some(to)))["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"].clone()
    };
    assert_eq!(name(Phase::FailingOver, Phase::OnDemand), "FailedOver");
    assert_eq!(name(Phase::Restoring, Phase::Watching), "Restored");
    assert_eq!(name(Phase::Restoring, Phase::FailingOver), "RestoresFailed");
    assert_eq!(name(Phase::OnDemand, Phase::Held), "Held");
}

proptest! {
    #[test]
    fn a_probe_puts_one_task_on_spot_and_keeps_the_rest_on_demand(spread in common::any_spot_spread()) {
        let probe = spread.probe();
        prop_assert!(handlers::strategy::Strategy::new(probe.items().to_vec()).is_ok());
        prop_assert_ne!(&probe, &spread.fallback());
        let spot = probe.items().iter().find(|i| i.capacity_provider == CapacityProvider::FargateSpot).expect("Spot");
        let fargate = probe.items().iter().find(|i| i.capacity_provider == CapacityProvider::Fargate).expect("FARGATE");
        prop_assert_eq!((spot.base, spot.weight), (1, 1));
        // However the share above the base is rounded, up to 500 tasks none of it goes to Spot.
        prop_assert!(fargate.base == 0 && 499 * spot.weight * 2 <= fargate.weight + spot.weight);
    }
}

/// Live on `strategy`, in place of a deployment on `replaced` that still runs down.
fn in_place_of(strategy: handlers::strategy::Strategy, replaced: handlers::strategy::Strategy) -> Observation {
    let mut seen = full_on(strategy);
    let mut old = full_on(replaced).deployments.remove(0);
    old.primary = false;
    old.id = "ecs-svc/0".into();
    seen.deployments.push(old);
    seen
}

#[test]
fn an_owners_choice_that_no_look_showed_in_time_is_what_will_be_restored() {
    // Both looks before the change were stale; the answer to the change lists what it really replaced.
    let claim = common::failing_over(ME, NOW + mins(1));
    let seen = in_place_of(fallback(), common::somebody_elses());
    let Decision::Write(next, Reason::FallbackLive) = sweep(&claim, seen, &Policy::default()) else {
        panic!("not confirmed")
    };
    assert_eq!((next.phase, next.original.clone()), (Phase::OnDemand, Some(common::somebody_elses())));
    let seen = in_place_of(fallback(), original());
    let Decision::Write(next, _) = sweep(&claim, seen, &Policy::default()) else { panic!("not confirmed") };
    assert_eq!(next.original, Some(original()));
}

#[test]
fn a_restore_that_overran_its_owner_puts_the_owners_choice_in_its_place() {
    let claim = Record { confirmed: false, ..restoring() };
    let next = claimed(sweep(&claim, in_place_of(original(), common::somebody_elses()), &Policy::default()));
    assert_eq!(next.original, Some(common::somebody_elses()));
    assert_eq!(next.change, Some(Change { from: original(), to: common::somebody_elses() }));
    // Once confirmed, older deployments are no news.
    assert!(!matches!(
        sweep(&restoring(), in_place_of(original(), common::somebody_elses()), &Policy::default()),
        Decision::Claim(..)
    ));
}

#[test]
fn a_fallback_of_ours_that_was_overrun_is_no_owners_choice() {
    // Sent for a service of the same name that was deleted meanwhile, and come to the one created anew.
    let stray = common::spread(&[("FARGATE", 7, 1), ("FARGATE_SPOT", 0, 1)]).fallback();
    let claim = common::failing_over(ME, NOW + mins(1));
    let Decision::Write(next, Reason::FallbackLive) = sweep(&claim, in_place_of(fallback(), stray), &Policy::default())
    else {
        panic!("not confirmed")
    };
    assert_eq!((next.original.clone(), next.previous.clone()), (Some(original()), None));
}

#[test]
fn a_fallback_that_ecs_brings_back_under_a_claim_for_another_original_is_still_ours() {
    let claim = Record { confirmed: false, ..restoring() };
    let next = claimed(sweep(&claim, in_place_of(original(), common::somebody_elses()), &Policy::default()));
    assert_eq!(next.previous, Some(original()));
    let later = Record { lease: None, phase_since: NOW - mins(2), ..next };
    let Decision::Write(next, Reason::RolledBack) = sweep(&later, full_on(fallback()), &Policy::default()) else {
        panic!("not recognised")
    };
    assert_eq!((next.phase, next.original.clone()), (Phase::OnDemand, Some(common::somebody_elses())));
    assert_eq!(next.change, Some(Change { from: original(), to: fallback() }));
}

#[test]
fn an_owner_who_leaves_spot_is_forgotten_only_when_ecs_can_no_longer_roll_that_back() {
    let spotless = common::spread(&[("FARGATE", 0, 1)]);
    let rolling = common::deploying(spotless.clone(), NOW - mins(1));
    let record = common::on_demand(NOW + mins(15));
    let Decision::Write(next, Reason::OwnerChanged) = sweep(&record, rolling.clone(), &Policy::default()) else {
        panic!("not adopted")
    };
    assert_eq!((next.phase, next.previous.clone(), next.original.clone()), (Phase::Watching, Some(original()), None));
    // While that rollout lasts it is watched, rolled back it is ours again, and complete it is forgotten.
    let due = Record { next_check_at: NOW, ..Arc::unwrap_or_clone(next) };
    assert!(matches!(sweep(&due, rolling, &Policy::default()), Decision::Write(_, Reason::NoSpot)));
    let rolled_back = common::deploying(fallback(), NOW);
    let Decision::Write(back, Reason::RolledBack) = sweep(&due, rolled_back, &Policy::default()) else {
        panic!("not recognised")
    };
    assert_eq!((back.phase, back.original.clone()), (Phase::OnDemand, Some(original())));
    assert_eq!(sweep(&due, full_on(spotless.clone()), &Policy::default()), Decision::Forget(Reason::NoSpot));
    assert_eq!(sweep(&record, full_on(spotless), &Policy::default()), Decision::Forget(Reason::OwnerChanged));
}

#[test]
fn what_stands_in_for_an_opted_out_services_own_strategy_is_remembered_until_the_tag_goes() {
    let out = |seen: Observation| Observation { opted_out: true, ..seen };
    for ours in [fallback(), original().probe()] {
        let Decision::Write(left, Reason::OptedOut) =
            sweep(&restoring(), out(full_on(ours.clone())), &Policy::default())
        else {
            panic!("forgotten on {ours}")
        };
        assert_eq!((left.phase, left.previous.clone(), left.lease.clone()), (Phase::Watching, Some(original()), None));
        // Still tagged, it is left where it is; the tag gone, it is ours again; and changed by its owner it is forgotten.
        let due = Record { next_check_at: NOW, ..Record::clone(&left) };
        let still = sweep(&due, out(short_on(ours.clone())), &Policy::default());
        let Decision::Write(still, Reason::OptedOut) = still else { panic!("moved: {still:?}") };
        assert_eq!(
            (still.phase, still.phase_since, &still.previous),
            (Phase::Watching, due.phase_since, &due.previous)
        );
        let Decision::Write(back, Reason::OptedIn) = sweep(&due, full_on(ours), &Policy::default()) else {
            panic!("not taken up again")
        };
        assert_eq!((back.phase, back.original.clone()), (Phase::OnDemand, Some(original())));
        let mut theirs = out(full_on(common::somebody_elses()));
        theirs.deployments[0].created_at = NOW;
        assert_eq!(sweep(&due, theirs, &Policy::default()), Decision::Forget(Reason::OptedOut));
    }
}

#[test]
fn an_owner_whose_own_strategy_is_a_probe_is_not_taken_for_one_of_ours() {
    let closed = Record { previous: Some(original().probe()), ..watching() };
    let decision = sweep(&closed, full_on(original().probe()), &Policy::default());
    assert!(matches!(&decision, Decision::Write(next, _) if next.phase == Phase::Watching), "{decision:?}");
}

#[test]
fn a_restore_that_was_taken_over_late_has_its_time_from_its_own_deployment_on() {
    let policy = Policy::default();
    let claimed_at = NOW - policy.restore_timeout * 2;
    let late = Record { confirmed: false, phase_since: claimed_at, ..restoring() };
    let fresh = common::deploying_short(original(), NOW - secs(1));
    let Decision::Write(next, Reason::OnProbation) = sweep(&late, fresh, &policy) else { panic!("given up at once") };
    assert_eq!(next.phase, Phase::Restoring);
}

#[test]
fn a_restore_that_is_complete_holds_while_an_auto_scaler_adds_tasks() {
    let policy = Policy::default();
    let mut scaling = Observation { desired: 9, running: 8, pending: 1, ..full_on(original()) };
    scaling.deployments[0].running = 8;
    let Decision::Write(held, Reason::OnProbation) = sweep(&restoring(), scaling.clone(), &policy) else {
        panic!("not on probation")
    };
    assert_eq!((held.healthy_since, held.healthy_tasks), (Some(NOW), 8));
    let passed = Record { healthy_since: Some(NOW - policy.probation), ..Record::clone(&held) };
    assert!(matches!(sweep(&passed, scaling.clone(), &policy), Decision::Write(_, Reason::Restored)));
    // A task that finds no place is not on its way.
    let lost = Observation { pending: 0, ..scaling };
    let decision = sweep(&restoring(), lost, &policy);
    assert!(matches!(&decision, Decision::Write(next, _) if next.healthy_since.is_none()), "{decision:?}");
}

#[test]
fn a_restore_that_has_lasted_four_times_its_longest_time_ends_as_soon_as_it_is_up() {
    let policy = Policy { restore_timeout: mins(7), ..Policy::default() };
    let longest = (policy.restore_timeout + policy.probation) * 4;
    let lasting = |time| Record { phase_since: NOW - time, ..restoring() };
    let decision = sweep(&lasting(longest), full_on(original()), &policy);
    assert!(matches!(decision, Decision::Write(_, Reason::Restored)), "{decision:?}");
    let decision = sweep(&lasting(longest - secs(1)), full_on(original()), &policy);
    assert!(matches!(decision, Decision::Write(_, Reason::OnProbation)), "{decision:?}");
}
