//! What an owner chose is never taken for a rollback by ECS, also where it is what we would have chosen (rule 6).

#[path = "common/ask.rs"]
mod ask;
mod common;
#[path = "common/shown.rs"]
mod shown;

use ask::*;
use common::table::decide;
use common::*;
use handlers::decide::{Decision, Reason, Trigger};
use handlers::event::Signal;
use handlers::held::HeldReason;
use handlers::observation::{Controller, Look, Observation, Rollout};
use handlers::policy::Policy;
use handlers::record::{Change, Phase, Record};
use handlers::strategy::Strategy;
use shown::*;

#[test]
fn an_owner_who_pins_on_demand_after_an_episode_is_left_alone() {
    // Restored: the original's deployment is COMPLETED, so ECS can roll nothing of ours back.
    let probation = on_probation(NOW - mins(11));
    let (closed, reason) = written(on_sweep(&probation, &full_on(original()), NOW));
    assert_eq!((closed.phase, reason, closed.previous.clone()), (Phase::Watching, Reason::Restored, None));
    for shape in [fallback(), spread(&[("FARGATE", 1, 10), ("FARGATE_SPOT", 0, 0)])] {
        for seen in [full_on(shape.clone()), deploying(shape.clone(), NOW - secs(5))] {
            assert_eq!(forgotten(on_sweep(&closed, &seen, NOW + hours(22))), Reason::NoSpot);
        }
    }
    let probing = full_on(original().probe());
    let (watched, _) = written(on_sweep(&Record { next_check_at: NOW, ..closed }, &probing, NOW));
    assert_eq!((watched.phase, watched.original), (Phase::Watching, None));
}

#[test]
fn what_is_complete_ends_what_a_strategy_of_ours_stands_for() {
    let record = Record { previous: Some(original()), next_check_at: NOW, ..watching() };
    let (kept, _) = written(on_sweep(&record, &deploying(somebody_elses(), NOW - mins(1)), NOW));
    assert_eq!(kept.previous, Some(original()));
    let (over, _) = written(on_sweep(&record, &full_on(somebody_elses()), NOW));
    assert_eq!(over.previous, None);
    // Also at once, when an event is the first to show it.
    let (over, _) = written(on_event(Some(&record), &full_on(somebody_elses()), Signal::SpotTask));
    assert_eq!(over.previous, None);
}

#[test]
fn what_stood_in_for_the_original_is_kept_while_ecs_may_undo_the_owners_change() {
    let record = Record { healthy_since: Some(NOW - mins(20)), ..on_demand(NOW + mins(15)) };
    let (next, reason) = written(on_sweep(&record, &deploying(somebody_elses(), NOW - mins(1)), NOW));
    assert_eq!((next.phase, next.previous, reason), (Phase::Watching, Some(original()), Reason::OwnerChanged));
}

#[test]
fn an_event_moves_the_last_time_of_the_owners_strategy_only_by_a_whole_interval() {
    let (interval, live_since) = (Policy::default().active_interval, NOW - secs(10));
    let seen = deploying(somebody_elses(), live_since);
    let known = |until| Record { previous: Some(original()), not_ours_until: Some(until), ..watching() };
    let (next, _) = written(on_event(Some(&known(live_since - interval)), &seen, Signal::SpotTask));
    assert_eq!(next.not_ours_until, Some(live_since));
    let decision = on_event(Some(&known(live_since - interval + secs(1))), &seen, Signal::SpotTask);
    assert_eq!(left(decision), Reason::Healthy);
}

#[test]
fn a_pin_on_the_fallback_before_the_originals_deployment_is_complete_is_the_owners() {
    let record = Record { previous: Some(original()), phase_since: NOW - mins(2), ..watching() };
    let pinned = replaced(fallback(), 30, Rollout::Completed, original());
    assert_eq!(forgotten(on_sweep(&record, &pinned, NOW)), Reason::NoSpot);
    let (back, reason) = written(on_sweep(&record, &rolled_back(pinned), NOW));
    assert_eq!((back.phase, back.original, reason), (Phase::OnDemand, Some(original()), Reason::RolledBack));
}

#[test]
fn a_pin_long_after_a_rollback_to_the_owners_own_strategy_is_the_owners() {
    let record = Record { previous: Some(original()), phase_since: NOW - hours(1), next_check_at: NOW, ..watching() };
    let rolled_back = |seen| telling(seen, 3000, ROLLING_BACK_TO_ANOTHER);
    let (watched, _) = written(on_sweep(&record, &rolled_back(deploying(somebody_elses(), NOW - mins(50))), NOW));
    assert_eq!((watched.previous.is_some(), watched.not_ours_until), (true, Some(NOW - mins(1))));
    // What ECS rolled back to is not listed any more, and a release hides who set what is live: it was not live a while ago.
    let pinned = |age| rolled_back(released_after(deploying(fallback(), NOW - mins(age))));
    let since = |until| Record { not_ours_until: until, ..watched.clone() };
    assert_eq!(forgotten(on_sweep(&since(Some(NOW - mins(10))), &pinned(5), NOW)), Reason::NoSpot);
    let (back, reason) = written(on_sweep(&since(None), &pinned(5), NOW));
    assert_eq!((back.phase, reason), (Phase::OnDemand, Reason::RolledBack));
    // A look that may have been stale says nothing.
    let (back, reason) = written(on_sweep(&watched, &pinned(5), NOW));
    assert_eq!((back.phase, reason), (Phase::OnDemand, Reason::RolledBack));
}

#[test]
fn an_owner_who_replaces_a_completed_fallback_is_watched_and_failed_over_again() {
    let record = Record { phase_since: NOW - mins(4), healthy_since: None, ..on_demand(NOW + mins(20)) };
    let seen = Observation { running: 0, ..replaced(original(), 30, Rollout::Completed, fallback()) };
    let (next, reason) = written(on_sweep(&record, &seen, NOW));
    assert_eq!((next.phase, reason), (Phase::Watching, Reason::OwnerChanged));
    let (next, reason) = claimed(on_event(Some(&record), &seen, Signal::SpotPlacementFailure));
    assert_eq!((next.phase, reason), (Phase::FailingOver, Reason::SpotPlacementFailure));
}

#[test]
fn an_owner_who_pins_the_fallback_during_the_restore_keeps_it() {
    let record = Record { phase_since: NOW - mins(5), ..restoring() };
    let pinned = replaced(fallback(), 30, Rollout::InProgress, original());
    let (next, reason) = written(on_sweep(&record, &pinned, NOW));
    assert_eq!((next.phase, next.pinned, reason), (Phase::Watching, Some(fallback()), Reason::OwnerChanged));
    let (back, reason) = written(on_sweep(&record, &rolled_back(pinned), NOW));
    assert_eq!((back.phase, reason), (Phase::OnDemand, Reason::RolledBack));
    // And one who pins the probe while on the fallback.
    let record = Record { healthy_since: Some(NOW - mins(20)), ..on_demand(NOW) };
    let (next, reason) = written(on_sweep(&record, &full_on(original().probe()), NOW));
    assert_eq!((next.phase, next.previous, reason), (Phase::Watching, None, Reason::OwnerChanged));
}

#[test]
fn what_ecs_brings_back_in_the_place_of_an_owners_pin_is_ours() {
    let change = Change { from: original().probe(), to: original() };
    let record = Record { change: Some(change), phase_since: NOW - mins(5), ..restoring() };
    let (pinned, _) = written(on_sweep(&record, &replaced(fallback(), 30, Rollout::InProgress, original()), NOW));
    let due = Record { next_check_at: NOW + mins(1), ..pinned };
    // The pin stands, and is all that matters once it is complete.
    let (still, reason) = written(on_sweep(&due, &deploying(fallback(), NOW - secs(30)), NOW + mins(1)));
    assert_eq!((still.previous, still.pinned, reason), (Some(original()), Some(fallback()), Reason::NoSpot));
    assert_eq!(forgotten(on_sweep(&due, &full_on(fallback()), NOW + mins(1))), Reason::NoSpot);
    // ECS goes back to the deployment before the restore, which was our probe.
    let back = rolled_back(replaced(original().probe(), 0, Rollout::Failed, fallback()));
    let (next, reason) = written(on_sweep(&due, &back, NOW + mins(1)));
    assert_eq!((next.phase, next.original, next.pinned), (Phase::OnDemand, Some(original()), None));
    assert_eq!(reason, Reason::RolledBack);
}

#[test]
fn an_owner_who_chooses_the_fallback_in_another_controllers_time_keeps_it() {
    let rolled_back = held(failing_over("dead", NOW - hours(1)), HeldReason::RolledBack);
    let blue_green = |seen| Observation { controller: Controller::Other("ECS with BLUE_GREEN".into()), ..seen };
    let due = Record { next_check_at: NOW - mins(10), ..rolled_back };
    let (left, _) = written(on_sweep(&due, &blue_green(short_on(original())), NOW - mins(10)));
    assert!(left.held.as_ref().is_some_and(|held| held.rolled_back && held.reason != HeldReason::RolledBack));
    // Rolling again, and a release on what its owner chose meanwhile.
    let chosen = released_after(deploying(fallback(), NOW - mins(5)));
    let (next, reason) = written(on_event(Some(&left), &chosen, Signal::SpotTask));
    assert_eq!((next.phase, next.original, reason), (Phase::Watching, None, Reason::OwnerChanged));
    // What was never made may be ours, though it comes late.
    let refused = held(failing_over("dead", NOW - hours(1)), HeldReason::Controller("EXTERNAL".into()));
    let (ours, _) = written(on_event(Some(&refused), &full_on(fallback()), Signal::SpotTask));
    assert_eq!((ours.phase, ours.original), (Phase::OnDemand, Some(original())));
}

#[test]
fn a_look_at_the_time_before_an_owners_change_brings_nothing_of_ours_back() {
    let probe = original().probe();
    let record = Record { phase_since: NOW - mins(10), ..on_demand(NOW + mins(15)) };
    let chosen = replaced(probe.clone(), 5, Rollout::Completed, fallback());
    let (theirs, reason) = written(on_sweep(&record, &chosen, NOW));
    assert_eq!((theirs.phase, theirs.pinned.clone(), reason), (Phase::Watching, Some(probe), Reason::OwnerChanged));
    // Two seconds later, a look at what was live before.
    let stale = full_on(fallback());
    let (still, reason) = written(on_sweep(&Record { next_check_at: NOW, ..theirs.clone() }, &stale, NOW + secs(2)));
    assert_eq!((still.phase, still.previous, reason), (Phase::Watching, Some(original()), Reason::Settling));
    let asked = on_event(Some(&Record { phase_since: NOW - secs(2), ..theirs.clone() }), &stale, Signal::SpotTask);
    assert!(matches!(asked, Decision::Leave(Reason::Settling)), "{asked:?}");
    // It counts once reads are no longer as old as that.
    let due = Record { next_check_at: NOW, ..theirs };
    let (back, reason) = written(on_sweep(&due, &stale, NOW + Policy::default().settle + secs(1)));
    assert_eq!((back.phase, back.original, reason), (Phase::OnDemand, Some(original()), Reason::RolledBack));
}

#[test]
fn an_owner_who_pins_the_probe_while_a_failover_is_refused_keeps_it() {
    let refused = HeldReason::AccessDenied("ecs:UpdateService".into());
    let record = Record { phase_since: NOW - mins(30), ..held(failing_over("dead", NOW - mins(30)), refused) };
    // ECS rolled a release of the owner's back in between, to a deployment that is not listed any more.
    let pinned = telling(full_on(original().probe()), 25 * 60, ROLLING_BACK_TO_ANOTHER);
    let (next, reason) = written(on_sweep(&record, &pinned, NOW));
    assert_eq!((next.phase, next.previous, reason), (Phase::Watching, None, Reason::OwnerChanged));
}

#[test]
fn a_full_restore_that_ecs_rolled_back_does_not_skip_the_next_probe() {
    let rolled = |change: Change| {
        let record = Record { change: Some(change), phase_since: NOW - mins(5), ..restoring() };
        written(on_sweep(&record, &rolled_back(deploying(fallback(), NOW - mins(1))), NOW)).0.probe_rolled_back
    };
    assert!(!rolled(Change { from: original().probe(), to: original() }));
    assert!(rolled(Change { from: fallback(), to: original().probe() }));
}

#[test]
fn what_ecs_rolled_back_before_nobody_could_look_is_still_a_rollback() {
    let record = Record { phase_since: NOW - mins(10), ..restoring() };
    let (held, _) = written(decide(
        &service(),
        Some(&record),
        &Look::Blocked(HeldReason::RoleMissing),
        &ctx(Trigger::Sweep, &Policy::default(), NOW),
    ));
    assert_eq!(held.held.as_ref().and_then(|held| held.since), Some(record.phase_since));
    // Rolled back before the hold began, and released since.
    let log =
        telling(telling(deploying(fallback(), NOW - secs(5)), 120, ROLLING_BACK), 900, "has reached a steady state.");
    let (back, reason) = written(on_sweep(&held, &log, NOW + mins(5)));
    assert_eq!((back.phase, reason), (Phase::OnDemand, Reason::RolledBack));
}

#[test]
fn an_owner_who_chooses_the_fallback_after_it_was_rolled_back_keeps_it() {
    let record = held(failing_over("dead", NOW), HeldReason::RolledBack);
    let set = deploying(fallback(), NOW - mins(2));
    let chosen = telling(set.clone(), 3600, "has reached a steady state.");
    let keeps = |seen: &Observation| {
        let (next, reason) = written(on_sweep(&record, seen, NOW));
        assert_eq!((next.phase, next.pinned, reason), (Phase::Watching, Some(fallback()), Reason::OwnerChanged));
    };
    keeps(&chosen);
    // Also where the log says that the owner's deployment failed.
    keeps(&telling(set, 60, FAILED));
    // Or the probe.
    let probe = telling(deploying(original().probe(), NOW - mins(2)), 200, ROLLING_BACK_TO_ANOTHER);
    let (theirs, reason) = written(on_sweep(&record, &probe, NOW));
    assert_eq!(
        (theirs.phase, theirs.pinned, reason),
        (Phase::Watching, Some(original().probe()), Reason::OwnerChanged)
    );
    // Seen at once, and not taken from a look at the time before the rollback.
    let early = Record { next_check_at: NOW + mins(20), ..record.clone() };
    let (theirs, reason) = written(on_sweep(&early, &chosen, NOW));
    assert_eq!((theirs.pinned, reason), (Some(fallback()), Reason::OwnerChanged));
    let stale = telling(full_on(fallback()), 3600, "has reached a steady state.");
    let asked = on_sweep(&early, &stale, NOW);
    assert!(matches!(asked, Decision::Leave(_)), "{asked:?}");
    // A release of the original, after ECS refused the failover, is no choice of the fallback.
    let refused = held(failing_over("dead", NOW), HeldReason::AccessDenied("ecs:UpdateService".into()));
    let released = telling(deploying_short(original(), NOW - mins(2)), 3600, "has reached a steady state.");
    let asked = on_event(Some(&refused), &released, Signal::SpotTask);
    assert_eq!(left(asked), Reason::Held(HeldReason::AccessDenied("ecs:UpdateService".into())));
    // The way back of a restore was refused, and ECS went it by itself.
    let record = held(failing_over("dead", NOW), HeldReason::AccessDenied("ecs:UpdateService".into()));
    let back = telling(telling(full_on(fallback()), 600, ROLLING_BACK), 3600, "has reached a steady state.");
    assert_eq!(written(on_sweep(&record, &back, NOW)).1, Reason::FallbackLive);
    // While nobody could look, it may have been ours.
    let record = held(failing_over("dead", NOW), HeldReason::RoleMissing);
    let ours = deploying(fallback(), NOW - mins(3));
    assert_eq!(written(on_sweep(&record, &ours, NOW)).1, Reason::FallbackLive);
}

#[test]
fn a_failover_that_ecs_rolled_back_to_the_probe_keeps_the_owners_strategy() {
    // The probe was complete, the restore after it was not, and the failover from that was rolled back: to the probe.
    let record = Record { phase_since: NOW - mins(2), healthy_since: None, ..on_demand(NOW + mins(20)) };
    let back = rolled_back(replaced(original().probe(), 30, Rollout::Failed, fallback()));
    let (next, reason) = written(on_sweep(&record, &back, NOW));
    assert_eq!((next.phase, next.original.clone(), reason), (Phase::OnDemand, Some(original()), Reason::RolledBack));
    assert_eq!(next.change.clone().map(|change| change.to), Some(original().probe()));
    let (restored, _) = claimed(on_sweep(&next, &full_on(original().probe()), NOW + hours(5)));
    assert_eq!(restored.change.map(|change| change.to), Some(original()));
}

#[test]
fn an_owner_who_pins_the_fallback_over_a_restore_that_nobody_confirmed_keeps_it() {
    // The claim is six minutes old, its deployment was made, and nobody could write that down.
    let record = Record { phase_since: NOW - mins(6), confirmed: false, ..restoring() };
    let pinned = |age: u64, made: u64| {
        let mut seen = replaced(fallback(), age, Rollout::InProgress, original());
        seen.deployments[1].created_at = NOW - secs(made);
        seen
    };
    let (next, reason) = written(on_sweep(&record, &pinned(150, 350), NOW));
    assert_eq!((next.phase, next.pinned, reason), (Phase::Watching, Some(fallback()), Reason::OwnerChanged));
    // Within the lease it may be an update of our own, from before the claim, that came late.
    assert_eq!(written(on_sweep(&record, &pinned(330, 350), NOW)).0.original, Some(original()));
    // And a release on the fallback replaces a deployment on the original from before the claim: the restore is still to be made.
    assert_eq!(written(on_sweep(&record, &pinned(150, 500), NOW)).0.original, Some(original()));
}

#[test]
fn a_fallback_that_ecs_gave_up_is_told() {
    let record = on_demand(NOW + hours(5));
    let failing = crash_looping(deploying_short(fallback(), NOW - mins(11)), NOW - mins(1));
    assert_eq!(written(on_sweep(&record, &failing, NOW)).1, Reason::ApplicationFails);
    for mut given_up in [failing, deploying_short(fallback(), NOW - mins(11))] {
        given_up.deployments[0].rollout = Rollout::Failed;
        let (told, reason) = written(on_sweep(&record, &given_up, NOW));
        assert_eq!((told.phase, reason), (Phase::Held, Reason::Held(HeldReason::ApplicationFails)));
        // The tasks of the deployment before are all there: nobody is short.
        let in_full = Observation { running: 4, ..given_up };
        assert_eq!(written(on_sweep(&record, &in_full, NOW)).1, Reason::ApplicationFails);
    }
}

#[test]
fn a_failover_that_ecs_rolled_back_leaves_nothing_of_ours_to_come_back() {
    let record = Record { phase_since: NOW - mins(4), ..on_demand(NOW + mins(20)) };
    let seen = rolled_back(replaced(original(), 30, Rollout::Failed, fallback()));
    let (closed, reason) = written(on_sweep(&record, &seen, NOW));
    assert_eq!((closed.phase, reason, closed.previous), (Phase::Watching, Reason::RolledBack, None));
    // Without a sign that ECS did it, the fallback may have been complete.
    let unsure = deploying(original(), NOW - secs(30));
    let (closed, reason) = written(on_sweep(&record, &unsure, NOW));
    assert_eq!((closed.phase, reason, closed.previous), (Phase::Watching, Reason::RolledBack, Some(original())));
}

#[test]
fn a_restore_waits_for_a_young_release_of_the_owners() {
    let record = Record { healthy_since: Some(NOW - mins(20)), ..on_demand(NOW) };
    let (next, reason) = written(on_sweep(&record, &deploying(fallback(), NOW - secs(20)), NOW));
    assert_eq!((next.phase, reason), (Phase::OnDemand, Reason::Deploying));
    // Not for ever.
    let (next, reason) = claimed(on_sweep(&record, &deploying(fallback(), NOW - mins(10)), NOW));
    assert_eq!((next.phase, reason), (Phase::Restoring, Reason::RestoreDue));
}

#[test]
fn a_broken_release_on_the_fallback_is_told_and_waited_for() {
    let record = Record { healthy_since: Some(NOW - mins(20)), ..on_demand(NOW) };
    let broken = |rollout| {
        let mut seen = crash_looping(deploying_short(fallback(), NOW - mins(11)), NOW - mins(1));
        seen.deployments[0].rollout = rollout;
        seen
    };
    let (told, reason) = written(on_sweep(&record, &broken(Rollout::InProgress), NOW));
    assert_eq!((told.phase, reason.clone()), (Phase::Held, Reason::Held(HeldReason::ApplicationFails)));
    // While ECS goes on trying it waits, and the first look at a release that starts is the cure.
    let later = NOW + hours(1);
    let (still, _) = written(on_sweep(&told, &broken(Rollout::InProgress), later));
    assert_eq!((still.phase, still.phase_since), (Phase::Held, told.phase_since));
    let (cured, reason) = claimed(on_sweep(&told, &full_on(fallback()), later));
    assert_eq!((cured.phase, reason), (Phase::Restoring, Reason::RestoreDue));
    // Where ECS has given up, nothing starts by itself: after a while the restore is another try.
    let (again, reason) = claimed(on_sweep(&told, &broken(Rollout::Failed), later));
    assert_eq!((again.phase, reason), (Phase::Restoring, Reason::RestoreDue));
}

#[test]
fn a_service_that_became_unsupported_is_updated_in_no_phase() {
    let blue_green = |strategy: Strategy| {
        let mut seen = deploying_short(strategy, NOW - mins(11));
        seen.controller = Controller::Other("ECS with BLUE_GREEN".into());
        seen.minimum_healthy_percent = 0;
        seen
    };
    let reason = HeldReason::Controller("ECS with BLUE_GREEN".into());
    let restoring = Record { phase_since: NOW - mins(11), ..restoring() };
    for (record, live) in
        [(failing_over(ME, NOW + mins(1)), original()), (on_demand(NOW), fallback()), (restoring, original())]
    {
        let (next, said) = written(on_sweep(&record, &blue_green(live.clone()), NOW));
        assert_eq!(
            (next.phase, said, next.original.clone()),
            (Phase::Held, Reason::Held(reason.clone()), Some(original()))
        );
        let event = on_event(Some(&next), &blue_green(live.clone()), Signal::SpotPlacementFailure);
        assert_eq!(left(event), Reason::Held(reason.clone()));
        // Rolling again, it goes on from where it was.
        let (cured, said) = written(on_event(Some(&next), &full_on(live), Signal::SpotTask));
        assert!(
            (cured.phase, &said) == (record.phase, &Reason::Cured) || cured.phase == Phase::Watching,
            "{cured:?} {said:?}"
        );
    }
}
