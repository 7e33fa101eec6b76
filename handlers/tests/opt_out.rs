//! An owner who opts a service out leaves live what is live, and it is taken up again when the tag goes (rule 6).

#[path = "common/ask.rs"]
mod ask;
mod common;
#[path = "common/shown.rs"]
mod shown;

use ask::*;
use common::*;
use handlers::decide::Reason;
use handlers::event::Signal;
use handlers::held::HeldReason;
use handlers::observation::{Observation, Rollout};
use handlers::record::{Phase, Record};
use shown::*;

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
fn a_held_service_whose_failover_was_never_made_is_forgotten_at_once() {
    let refused = held(failing_over("dead", NOW), HeldReason::AccessDenied("ecs:UpdateService".into()));
    let record = Record { phase_since: NOW, ..refused };
    assert_eq!(forgotten(on_sweep(&record, &out(full_on(original())), NOW + secs(1))), Reason::OptedOut);
}

#[test]
fn an_opted_out_service_that_was_held_meanwhile_is_remembered() {
    let left = written(on_sweep(&on_demand(NOW + mins(15)), &out(full_on(fallback())), NOW - mins(5))).0;
    let blind = held(left.clone(), HeldReason::RoleMissing);
    let put_back = out(replaced(original(), 30, Rollout::Completed, fallback()));
    let (next, reason) = written(on_event(Some(&blind), &put_back, Signal::SpotTask));
    assert_eq!((next.phase, next.phase_since, next.held), (Phase::Watching, left.phase_since, None));
    assert_eq!((next.previous, next.change, reason), (Some(original()), left.change, Reason::OptedOut));
    // Once the original's deployment is complete, nothing can come back.
    assert_eq!(forgotten(on_sweep(&blind, &out(full_on(original())), NOW)), Reason::OptedOut);
}

#[test]
fn an_owner_who_opted_out_and_chooses_our_fallback_after_something_else_keeps_it() {
    let left = written(on_sweep(&on_demand(NOW + mins(15)), &out(full_on(fallback())), NOW - mins(20))).0;
    // The original again, which a look shows while it is deployed.
    let put_back = out(replaced(original(), 30, Rollout::Completed, fallback()));
    let (known, reason) = written(on_event(Some(&left), &put_back, Signal::SpotTask));
    assert_eq!((known.phase, known.previous.clone(), reason), (Phase::Watching, Some(original()), Reason::OptedOut));
    // And then the fallback, which is long complete as the tag goes.
    let mut chosen = telling(full_on(fallback()), 3600, "has reached a steady state.");
    chosen.deployments[0].created_at = NOW + mins(4);
    let due = Record { next_check_at: NOW + mins(14), ..known };
    assert_eq!(forgotten(on_sweep(&due, &chosen, NOW + mins(14))), Reason::NoSpot);
    // Unless ECS rolled it back.
    let (back, reason) = written(on_sweep(&due, &rolled_back(chosen), NOW + mins(14)));
    assert_eq!((back.phase, back.original), (Phase::OnDemand, Some(original())), "{reason}");
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
