//! What an owner chose is never taken for a rollback by ECS, also where it is what we would have chosen (rule 6).

#[path = "common/ask.rs"]
mod ask;
mod common;

use std::sync::Arc;
use std::time::Duration;

use ask::*;
use common::table::decide;
use common::*;
use handlers::decide::{Decision, Reason, Trigger};
use handlers::event::Signal;
use handlers::held::HeldReason;
use handlers::observation::{Controller, Deployment, Look, Message, Observation, Rollout};
use handlers::policy::Policy;
use handlers::record::{Change, Phase, Record};
use handlers::strategy::Strategy;

/// A deployment of `strategy` under way since `age` seconds, in the place of one that was `rollout`.
fn replaced(strategy: Strategy, age: u64, rollout: Rollout, before: Strategy) -> Observation {
    let mut seen = deploying(strategy, NOW - secs(age));
    let primary = seen.deployments[0].clone();
    seen.deployments.push(Deployment {
        id: "ecs-svc/0".into(),
        primary: false,
        rollout,
        strategy: Some(before),
        created_at: NOW - secs(age) - mins(3),
        ..primary
    });
    seen
}

fn rolled_back(mut seen: Observation) -> Observation {
    seen.deployments[0].rolls_back = true;
    seen
}

fn telling(mut seen: Observation, age: u64, text: &str) -> Observation {
    Arc::make_mut(&mut seen.messages).push(Message { at: NOW - secs(age), text: format!("(service checkout) {text}") });
    seen
}

/// With a log that is full of what was said `age` seconds ago.
fn busy(seen: Observation, age: u64) -> Observation {
    (0..100).fold(seen, |seen, _| telling(seen, age, "has started 1 tasks: (task 1)."))
}

fn out(seen: Observation) -> Observation {
    Observation { opted_out: true, ..seen }
}

const ROLLING_BACK: &str = "rolling back to deployment ecs-svc/1.";
const ROLLING_BACK_TO_ANOTHER: &str = "rolling back to deployment ecs-svc/17.";
const FAILED: &str = "(deployment ecs-svc/1) deployment failed: tasks failed to start.";
const COMPLETED: &str = "(deployment ecs-svc/1) deployment completed.";

/// The same, and a release of the owner's begun just now.
fn released_after(mut seen: Observation) -> Observation {
    let release = Deployment {
        id: "ecs-svc/9".into(),
        rollout: Rollout::InProgress,
        rolls_back: false,
        created_at: NOW - secs(5),
        ..seen.deployments[0].clone()
    };
    seen.deployments[0].primary = false;
    seen.deployments.insert(0, release);
    seen
}

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
fn what_ecs_says_of_a_deployment_tells_a_rollback_from_an_owner() {
    use Rollout::{Completed, Failed, InProgress};
    let since = NOW - mins(4);
    let seen = |rollout| replaced(original(), 30, rollout, fallback());
    let complete = |mut seen: Observation| {
        seen.deployments[0].rollout = Completed;
        seen
    };
    for (seen, told) in [
        (seen(Completed), Some(false)),
        (seen(InProgress), Some(false)),
        (seen(Failed), Some(false)),
        (complete(seen(Failed)), Some(true)),
        (complete(seen(InProgress)), None),
        (rolled_back(seen(Failed)), Some(true)),
        (rolled_back(seen(InProgress)), Some(true)),
        (full_on(original()), None),
        (deploying(original(), NOW - secs(30)), None),
        // The log is left when the deployments are not listed any more; the first word since our change counts.
        (telling(deploying(original(), NOW - secs(30)), 30, ROLLING_BACK), Some(true)),
        (telling(telling(full_on(original()), 60, COMPLETED), 200, ROLLING_BACK), Some(true)),
        (telling(deploying(original(), NOW - secs(30)), 60, COMPLETED), Some(false)),
        // A log that goes back that far and knows of no rollback.
        (telling(full_on(original()), 600, "has reached a steady state."), Some(false)),
        (telling(telling(full_on(original()), 60, FAILED), 600, "has reached a steady state."), Some(false)),
        // Of one that ECS gave up long ago and could not roll back, and one that an owner set after a rollback to another.
        (telling(complete(seen(Failed)), 600, FAILED), Some(false)),
        (busy(complete(seen(Failed)), 40), Some(false)),
        (busy(complete(seen(Failed)), 20), Some(true)),
        (telling(complete(seen(Failed)), 30, ROLLING_BACK_TO_ANOTHER), Some(false)),
        (telling(deploying(original(), NOW - secs(30)), 60, ROLLING_BACK_TO_ANOTHER), None),
        (telling(telling(deploying(original(), NOW - secs(30)), 60, COMPLETED), 200, ROLLING_BACK_TO_ANOTHER), None),
        // One that ECS rolled back to a moment before our change was there already.
        (
            telling(telling(deploying(original(), NOW - secs(30)), 60, COMPLETED), 240, ROLLING_BACK_TO_ANOTHER),
            Some(false),
        ),
        (
            telling(telling(deploying(original(), NOW - secs(30)), 60, COMPLETED), 241, ROLLING_BACK_TO_ANOTHER),
            Some(false),
        ),
        // Clocks may differ by a second, and a log that is full must reach back further than that.
        (telling(deploying(original(), NOW - secs(30)), 241, ROLLING_BACK), Some(true)),
        (telling(deploying(original(), NOW - secs(30)), 242, ROLLING_BACK), Some(false)),
        (busy(full_on(original()), 240), None),
        (busy(full_on(original()), 241), None),
        (busy(full_on(original()), 242), Some(false)),
        // Whoever deploys again after a rollback does not choose its strategy.
        (released_after(rolled_back(seen(Failed))), Some(true)),
        (released_after(complete(seen(Failed))), Some(true)),
        (released_after(complete(seen(Completed))), Some(false)),
        (released_after(full_on(original())), None),
        // Its own completion, or one from before our change, says nothing of what was replaced; a log that is whole does.
        (telling(busy(deploying(original(), NOW - secs(90)), 40), 60, COMPLETED), None),
        (telling(deploying(original(), NOW - secs(90)), 60, COMPLETED), Some(false)),
    ] {
        assert_eq!(seen.is_rollback(since), told, "{seen:?}");
    }
}

#[test]
fn before_and_after_are_told_only_where_clocks_that_differ_by_a_second_agree() {
    let (seen, moment) = (deploying(original(), NOW), Duration::from_millis(1));
    assert!(!seen.was_live_before(NOW) && !seen.was_live_before(NOW + secs(1)));
    assert!(seen.was_live_before(NOW + secs(1) + moment));
    assert!(!seen.came_after(NOW) && !seen.came_after(NOW - secs(1)));
    assert!(seen.came_after(NOW - secs(1) - moment));
    assert!(seen.lists(&original(), NOW + secs(1)) && !seen.lists(&original(), NOW + secs(1) + moment));
    assert!(!seen.is_older_than(NOW + secs(1)) && seen.is_older_than(NOW + secs(1) + moment));
}

#[test]
fn an_owner_who_pins_the_fallback_during_the_restore_keeps_it() {
    let record = Record { phase_since: NOW - mins(5), ..restoring() };
    let pinned = replaced(fallback(), 30, Rollout::InProgress, original());
    assert_eq!(forgotten(on_sweep(&record, &pinned, NOW)), Reason::OwnerChanged);
    let (back, reason) = written(on_sweep(&record, &rolled_back(pinned), NOW));
    assert_eq!((back.phase, reason), (Phase::OnDemand, Reason::RolledBack));
    // And one who pins the probe while on the fallback.
    let record = Record { healthy_since: Some(NOW - mins(20)), ..on_demand(NOW) };
    let (next, reason) = written(on_sweep(&record, &full_on(original().probe()), NOW));
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
    assert_eq!(forgotten(on_sweep(&record, &chosen, NOW)), Reason::OwnerChanged);
    // Also where the log says that the owner's deployment failed.
    assert_eq!(forgotten(on_sweep(&record, &telling(set, 60, FAILED), NOW)), Reason::OwnerChanged);
    // Or the probe.
    let probe = telling(deploying(original().probe(), NOW - mins(2)), 200, ROLLING_BACK_TO_ANOTHER);
    let (theirs, reason) = written(on_sweep(&record, &probe, NOW));
    assert_eq!((theirs.phase, theirs.previous, reason), (Phase::Watching, None, Reason::OwnerChanged));
    // Seen at once, and not taken from a look at the time before the rollback.
    let early = Record { next_check_at: NOW + mins(20), ..record.clone() };
    let asked = on_sweep(&early, &chosen, NOW);
    assert_eq!(forgotten(asked), Reason::OwnerChanged);
    let stale = telling(full_on(fallback()), 3600, "has reached a steady state.");
    let asked = on_sweep(&early, &stale, NOW);
    assert!(matches!(asked, Decision::Leave(_)), "{asked:?}");
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
    assert_eq!(forgotten(on_sweep(&record, &pinned(150, 350), NOW)), Reason::OwnerChanged);
    // Within the lease it may be an update of our own, from before the claim, that came late.
    assert_eq!(written(on_sweep(&record, &pinned(300, 350), NOW)).0.original, Some(original()));
    // And a release on the fallback replaces a deployment on the original from before the claim: the restore is still to be made.
    assert_eq!(written(on_sweep(&record, &pinned(150, 500), NOW)).0.original, Some(original()));
}

#[test]
fn a_service_that_was_opted_out_on_the_fallback_is_taken_up_again_whatever_was_deployed_meanwhile() {
    let left = written(on_sweep(&restoring(), &out(full_on(fallback())), NOW)).0;
    // A release, which ends before the tag goes.
    let released = deploying(fallback(), NOW + mins(30));
    let due = Record { next_check_at: NOW + mins(40), ..left };
    let still = written(on_sweep(&due, &out(released.clone()), NOW + mins(40))).0;
    assert_eq!((still.phase, still.previous.clone()), (Phase::Watching, Some(original())));
    let told = |mut seen: Observation| {
        seen.messages = telling(full_on(fallback()), 3600, "has reached a steady state.").messages;
        seen
    };
    let (back, reason) = written(on_sweep(&still, &told(released), NOW + hours(1)));
    assert_eq!((back.phase, back.original, reason), (Phase::OnDemand, Some(original()), Reason::OptedIn));
    // A release as the tag goes: the deployment that brought the fallback is still listed.
    let both = released_after(full_on(fallback()));
    let (back, reason) = written(on_sweep(&Record { phase_since: NOW - secs(60), ..due }, &told(both), NOW + mins(1)));
    assert_eq!((back.phase, back.original, reason), (Phase::OnDemand, Some(original()), Reason::OptedIn));
}

#[test]
fn a_service_that_is_opted_out_just_after_its_failover_is_remembered() {
    let failed_over = out(replaced(fallback(), 0, Rollout::Completed, original()));
    let record = Record { phase_since: NOW, next_check_at: NOW, ..on_demand(NOW + mins(15)) };
    // A look at the time before the failover says nothing, also if it is the first to show the tag.
    let stale = written(on_sweep(&record, &out(full_on(original())), NOW + secs(1))).0;
    assert_eq!((stale.phase, stale.original), (Phase::OnDemand, Some(original())));
    let left = written(on_sweep(&record, &failed_over, NOW + secs(1))).0;
    let due = Record { next_check_at: NOW + secs(3), ..left };
    let still = written(on_sweep(&due, &failed_over, NOW + secs(3))).0;
    assert_eq!((still.phase, still.previous), (Phase::Watching, Some(original())));
    let before = out(full_on(original()));
    assert_eq!(written(on_sweep(&due, &before, NOW + secs(3))).0.previous, Some(original()));
    assert_eq!(forgotten(on_sweep(&due, &before, NOW + mins(3))), Reason::OptedOut);
    // An owner who chose something else in between, and then the fallback, keeps it.
    let theirs = out(replaced(fallback(), 0, Rollout::InProgress, common::somebody_elses()));
    let mut later = theirs.clone();
    later.deployments[0].created_at = NOW + secs(4);
    assert_eq!(forgotten(on_sweep(&due, &later, NOW + secs(5))), Reason::OptedOut);
}

#[test]
fn an_owner_who_pins_the_fallback_and_opts_out_keeps_it() {
    // In the middle of a restore.
    let pinned = out(replaced(fallback(), 30, Rollout::InProgress, original()));
    let record = Record { phase_since: NOW - mins(6), ..restoring() };
    assert_eq!(forgotten(on_sweep(&record, &pinned, NOW)), Reason::OptedOut);
    let unconfirmed = Record { confirmed: false, phase_since: NOW - mins(4), ..record.clone() };
    assert_eq!(forgotten(on_sweep(&unconfirmed, &pinned, NOW)), Reason::OptedOut);
    // The restore, which was confirmed, is not listed any more.
    let alone = out(telling(deploying(fallback(), NOW - secs(30)), 3600, "has reached a steady state."));
    assert_eq!(forgotten(on_sweep(&record, &alone, NOW)), Reason::OptedOut);
    let rolled = written(on_sweep(&record, &rolled_back(pinned.clone()), NOW)).0;
    assert_eq!((rolled.phase, rolled.previous), (Phase::Watching, Some(original())));
    // And after one, opted out already.
    let closed = Record {
        phase: Phase::Watching,
        original: None,
        change: None,
        previous: Some(original()),
        next_check_at: NOW,
        ..record
    };
    assert_eq!(forgotten(on_sweep(&closed, &pinned, NOW)), Reason::OptedOut);
    // And after a failover that was refused.
    let refused = held(failing_over("dead", NOW), HeldReason::AccessDenied("ecs:UpdateService".into()));
    assert_eq!(forgotten(on_sweep(&refused, &pinned, NOW)), Reason::OptedOut);
}

#[test]
fn ours_may_come_back_to_a_service_whose_owner_opted_it_out_and_put_the_original_back() {
    let record = on_demand(NOW + mins(15));
    let put_back = out(replaced(original(), 30, Rollout::Completed, fallback()));
    let closed = written(on_sweep(&record, &put_back, NOW)).0;
    assert_eq!((closed.phase, closed.previous.clone()), (Phase::Watching, Some(original())));
    // ECS goes back to the fallback, and the tag goes.
    let back = rolled_back(replaced(fallback(), 0, Rollout::Failed, original()));
    let due = Record { next_check_at: NOW + mins(2), ..closed };
    let (again, reason) = written(on_sweep(&due, &back, NOW + mins(2)));
    assert_eq!((again.phase, again.original, reason), (Phase::OnDemand, Some(original()), Reason::RolledBack));
    // Once the original's deployment is complete, nothing can come back.
    assert_eq!(forgotten(on_sweep(&record, &out(full_on(original())), NOW)), Reason::OptedOut);
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
