//! Proves the pure function `decide` rule by rule (docs/architecture.md). What holds for any record, look, trigger and policy is in
//! `decide_properties.rs`.

#[path = "common/ask.rs"]
mod ask;
mod common;

use std::sync::Arc;
use std::time::Duration;

use ask::*;
use common::table::decide;
use common::*;
use handlers::decide::{Context, Decision, Reason, Trigger, postponed, refused};
use handlers::event::Signal;
use handlers::held::HeldReason;
use handlers::market::Market;
use handlers::observation::{Controller, Look, Message, Observation, Rollout};
use handlers::policy::{InterruptionPolicy, Policy};
use handlers::record::{Change, Lease, Phase, Record};
use handlers::strategy::Strategy as Spread;
use handlers::timestamp::Timestamp;

// ---- rule 1: save first ---------------------------------------------------------------------------------------------

#[test]
fn a_placement_failure_of_a_short_service_saves_the_original_and_claims_before_anything_is_updated() {
    let (record, reason) = claimed(on_event(Some(&watching()), &short_on(original()), Signal::SpotPlacementFailure));
    assert_eq!(reason, Reason::SpotPlacementFailure);
    assert_eq!((record.phase, record.phase_since, record.episode), (Phase::FailingOver, NOW, 1));
    assert_eq!(record.original.as_ref().unwrap().items(), original().items());
    assert_eq!(record.event, Some(event(Signal::SpotPlacementFailure, NOW).value().into()));
    assert_eq!(record.lease, Some(Lease { owner: ME.into(), until: NOW + secs(40) }));
    assert_eq!(record.service_created_at, Some(CREATED));
    assert!(!record.confirmed);
}

#[test]
fn a_service_never_seen_before_is_failed_over_by_its_first_placement_failure() {
    let (record, _) = claimed(on_event(None, &short_on(original()), Signal::SpotPlacementFailure));
    assert_eq!((record.version, record.original), (0, Some(original())));
}

#[test]
fn a_second_event_never_overwrites_the_saved_original() {
    for signal in EVERY_SIGNAL {
        for (record, seen) in [
            (on_demand(NOW + mins(10)), full_on(fallback())),
            (on_demand(NOW + mins(10)), deploying_short(fallback(), NOW - mins(1))),
            (failing_over("other", NOW + mins(1)), full_on(fallback())),
            (failing_over("other", NOW - mins(1)), full_on(fallback())),
            (failing_over("other", NOW - mins(1)), short_on(original())),
            (restoring(), deploying_short(original(), NOW - mins(1))),
        ] {
            match on_event(Some(&record), &seen, signal) {
                Decision::Leave(_) => {}
                Decision::Write(next, _) | Decision::Claim(next, _) => {
                    assert_eq!(next.original, Some(original()), "{signal:?} in {}", record.phase);
                }
                other => panic!("{signal:?} in {}: {other:?}", record.phase),
            }
        }
    }
}

#[test]
fn the_fallback_is_never_saved_as_an_original() {
    for signal in EVERY_SIGNAL {
        for seen in [full_on(fallback()), short_on(fallback()), short_on(spread(&[("FARGATE", 0, 1)]))] {
            assert_eq!(left(on_event(None, &seen, signal)), Reason::NoSpot);
            assert_eq!(forgotten(on_event(Some(&watching()), &seen, signal)), Reason::NoSpot);
        }
    }
}

#[test]
fn an_original_left_over_in_a_watched_record_gives_way_to_what_is_live() {
    let record = Record { original: Some(somebody_elses()), ..watching() };
    let (record, _) = claimed(on_event(Some(&record), &short_on(original()), Signal::SpotPlacementFailure));
    assert_eq!(record.original, Some(original()));
}

// ---- rule 2: claim, look again, act once ----------------------------------------------------------------------------

#[test]
fn update_only_follows_an_own_claim() {
    let seen = short_on(original());
    assert_eq!(updated(on_sweep(&failing_over(ME, NOW + mins(1)), &seen, NOW)), fallback());
    // Expired, of another, or none at all: claim first.
    for lease in [
        Some(Lease { owner: ME.into(), until: NOW }),
        Some(Lease { owner: "other".into(), until: NOW - secs(1) }),
        None,
    ] {
        let record = Record { lease, ..failing_over(ME, NOW) };
        let (record, reason) = claimed(on_sweep(&record, &seen, NOW));
        assert_eq!((record.phase, reason), (Phase::FailingOver, Reason::TakenOver));
        assert_eq!(updated(on_sweep(&record, &seen, NOW)), fallback());
    }
    let restoring = Record { confirmed: false, ..restoring() };
    let (record, reason) = claimed(on_sweep(&restoring, &full_on(fallback()), NOW));
    assert_eq!((record.phase, reason), (Phase::Restoring, Reason::RestoreDue));
    assert_eq!(updated(on_sweep(&record, &full_on(fallback()), NOW)).items(), original().items());
}

#[test]
fn a_claim_of_another_handler_is_respected_until_its_lease_ends_and_then_taken_over() {
    let record = failing_over("other", NOW + mins(1));
    let seen = short_on(original());
    assert_eq!(left(on_event(Some(&record), &seen, Signal::SpotPlacementFailure)), Reason::Leased);
    assert_eq!(left(on_sweep(&record, &seen, NOW + secs(59))), Reason::Leased);
    let gone = decide(&service(), Some(&record), &Look::Missing, &ctx(Trigger::Sweep, &Policy::default(), NOW));
    assert_eq!(left(gone), Reason::Leased);
    let since = record.phase_since;
    let (record, reason) = claimed(on_sweep(&record, &seen, NOW + mins(1)));
    assert_eq!((reason, record.phase_since), (Reason::TakenOver, since));
    assert_eq!(record.lease.unwrap().owner, ME);
}

#[test]
fn the_update_of_a_handler_that_died_before_confirming_is_confirmed_and_not_repeated() {
    let dead = failing_over("dead", NOW - secs(1));
    let (record, reason) = written(on_sweep(&dead, &deploying_short(fallback(), NOW - mins(2)), NOW));
    assert_eq!((record.phase, reason), (Phase::OnDemand, Reason::FallbackLive));
    assert!(record.confirmed && record.lease.is_none());
    assert_eq!(record.next_check_at, NOW + Policy::default().active_interval);
    let dead = Record { confirmed: false, lease: Some(Lease { owner: "dead".into(), until: NOW }), ..restoring() };
    let (record, reason) = written(on_sweep(&dead, &deploying(original(), NOW - mins(2)), NOW));
    assert_eq!((record.phase, reason), (Phase::Restoring, Reason::OnProbation));
    assert!(record.confirmed && record.lease.is_none());
}

#[test]
fn a_throttled_claim_gives_its_lease_back_and_is_looked_at_soon() {
    let policy = Policy::default();
    let record = postponed(failing_over(ME, NOW + secs(40)), &ctx(Trigger::Sweep, &policy, NOW));
    assert_eq!((record.lease.clone(), record.phase), (None, Phase::FailingOver));
    assert_eq!(record.next_check_at, NOW + policy.active_interval);
    claimed(on_sweep(&record, &short_on(original()), NOW));
}

// ---- rule 4: restore is a probation ---------------------------------------------------------------------------------

#[test]
fn a_restore_begins_when_it_is_due_and_the_fallback_runs_in_full() {
    let (record, reason) = written(on_sweep(&on_demand(NOW + mins(5)), &full_on(fallback()), NOW));
    assert_eq!((record.phase, reason), (Phase::OnDemand, Reason::NotDue));
    assert_eq!(record.next_check_at, NOW + mins(5));
    let (record, reason) = claimed(on_sweep(&on_demand(NOW), &full_on(fallback()), NOW));
    assert_eq!((record.phase, reason), (Phase::Restoring, Reason::RestoreDue));
    assert_eq!(record.restores, [NOW]);
    assert_eq!(updated(on_sweep(&record, &full_on(fallback()), NOW)).items(), original().items());
}

#[test]
fn a_restore_waits_for_the_fallbacks_own_rollout() {
    let record = Record { phase_since: NOW - mins(5), ..on_demand(NOW) };
    let (record, reason) = written(on_sweep(&record, &deploying(fallback(), NOW - mins(5)), NOW));
    assert_eq!((record.phase, reason), (Phase::OnDemand, Reason::Deploying));
}

#[test]
fn a_restore_is_closed_only_after_the_probation_time_in_full() {
    let seen = full_on(original());
    let (record, reason) = written(on_sweep(&restoring(), &seen, NOW));
    assert_eq!((record.healthy_since, reason), (Some(NOW), Reason::OnProbation));
    let (record, reason) = written(on_sweep(&record, &seen, NOW + mins(10) - secs(1)));
    assert_eq!((record.phase, reason), (Phase::Restoring, Reason::OnProbation));
    let (record, reason) = written(on_sweep(&record, &seen, NOW + mins(10)));
    assert_eq!((record.phase, reason), (Phase::Watching, Reason::Restored));
    assert_eq!((record.original, record.event, record.restored_at), (None, None, Some(NOW + mins(10))));
}

#[test]
fn full_counts_prove_nothing_while_the_rollout_runs_or_the_primary_is_another() {
    let mut failed = full_on(original());
    failed.deployments[0].rollout = Rollout::Failed;
    let mut of_fallback = full_on(original());
    of_fallback.deployments[0].strategy = Some(fallback());
    let mut elsewhere = full_on(original());
    elsewhere.deployments[0].running = 3;
    let mut none = full_on(original());
    none.deployments.clear();
    for seen in [deploying(original(), NOW - mins(1)), failed, of_fallback, elsewhere, none] {
        let (record, _) = written(on_sweep(&restoring(), &seen, NOW));
        assert_eq!((record.phase, record.healthy_since), (Phase::Restoring, None), "{seen:?}");
    }
}

#[test]
fn a_failure_during_restoring_falls_back_at_once_although_a_deployment_is_in_progress() {
    let seen = deploying(original(), NOW - mins(1));
    for signal in [Signal::SpotPlacementFailure, Signal::SyntheticPlacementFailure, Signal::Interruption] {
        let (record, _) = claimed(on_event(Some(&restoring()), &seen, signal));
        assert_eq!((record.phase, record.failed_restores), (Phase::FailingOver, 1), "{signal:?}");
        assert_eq!(record.original, Some(original()));
        assert_eq!(updated(on_sweep(&record, &seen, NOW)), fallback());
    }
}

#[test]
fn a_placement_failure_after_full_restoration_is_az_rebalancing_and_left_alone() {
    let decision = on_event(Some(&on_probation(NOW - mins(2))), &full_on(original()), Signal::SpotPlacementFailure);
    assert_eq!(left(decision), Reason::OnProbation);
}

#[test]
fn a_shortfall_on_probation_falls_back_at_once() {
    let (record, reason) = claimed(on_sweep(&on_probation(NOW - mins(9)), &short_on(original()), NOW));
    assert_eq!((record.phase, reason), (Phase::FailingOver, Reason::ShortOnProbation));
    assert_eq!(record.failed_restores, 1);
}

#[test]
fn a_rollout_of_the_owner_during_probation_starts_the_probation_again() {
    let (record, reason) = written(on_sweep(&on_probation(NOW - mins(4)), &deploying(original(), NOW), NOW));
    assert_eq!((record.phase, record.healthy_since, reason), (Phase::Restoring, None, Reason::OnProbation));
    let (record, _) = written(on_sweep(&record, &full_on(original()), NOW + mins(1)));
    assert_eq!(record.healthy_since, Some(NOW + mins(1)));
}

#[test]
fn a_restore_that_does_not_come_up_in_time_falls_back() {
    let seen = deploying_short(original(), NOW - mins(10));
    let record = Record { phase_since: NOW - mins(10), ..restoring() };
    let (_, reason) = written(on_sweep(&record, &seen, NOW - secs(1)));
    assert_eq!(reason, Reason::OnProbation);
    let (_, reason) = claimed(on_sweep(&record, &seen, NOW));
    assert_eq!(reason, Reason::RestoreTimedOut);
}

#[test]
fn a_late_failure_of_the_old_outage_does_not_end_a_probation() {
    let seen = deploying_short(original(), NOW - mins(4));
    let before = NOW - mins(5) - secs(1);
    for signal in [Signal::SpotPlacementFailure, Signal::SyntheticPlacementFailure, Signal::Interruption] {
        let decision = on_event_with(&Policy::default(), Some(&restoring()), &seen, &event(signal, before));
        assert_eq!(left(decision), Reason::OnProbation, "{signal:?}");
    }
}

#[test]
fn an_event_of_the_very_second_a_restore_began_still_counts() {
    // Event times are whole seconds, rounded down.
    let record = Record { phase_since: NOW + Duration::from_millis(900), ..restoring() };
    let seen = deploying_short(original(), NOW);
    claimed(on_event(Some(&record), &seen, Signal::SpotPlacementFailure));
}

#[test]
fn on_demand_failures_and_task_events_do_not_end_a_probation() {
    for signal in [Signal::OnDemandPlacementFailure, Signal::SpotTask] {
        assert_eq!(left(on_event(Some(&restoring()), &deploying(original(), NOW), signal)), Reason::OnProbation);
    }
}

#[test]
fn an_unconfirmed_restore_that_already_fails_falls_back_with_the_event_that_says_so() {
    // Its handler died after UpdateService; the first to look is the placement failure that the restore caused.
    let record = Record { confirmed: false, lease: None, ..restoring() };
    let seen = deploying_short(original(), NOW - mins(2));
    let (record, reason) = claimed(on_event(Some(&record), &seen, Signal::SpotPlacementFailure));
    assert_eq!((record.phase, reason), (Phase::FailingOver, Reason::SpotPlacementFailure));
}

#[test]
fn a_restore_is_confirmed_and_its_probation_begun_by_whoever_looks_first() {
    let unconfirmed = Record { confirmed: false, lease: None, ..restoring() };
    let seen = deploying(original(), NOW - mins(1));
    let (record, reason) = written(on_event(Some(&unconfirmed), &seen, Signal::SpotTask));
    assert_eq!((record.confirmed, record.healthy_since, reason), (true, None, Reason::OnProbation));
    let record = Record { short_since: Some(NOW - mins(1)), ..restoring() };
    let (record, reason) = written(on_event(Some(&record), &full_on(original()), Signal::SpotTask));
    assert_eq!((record.healthy_since, reason), (Some(NOW), Reason::OnProbation));
}

#[test]
fn a_restore_due_within_the_second_is_looked_at_a_second_later() {
    let record = on_demand(NOW + Duration::from_millis(400));
    let (record, reason) = written(on_sweep(&record, &full_on(fallback()), NOW));
    assert_eq!((record.next_check_at, reason), (NOW + secs(1), Reason::NotDue));
}

#[test]
fn a_scale_out_long_after_the_restore_began_is_no_restore_that_is_late() {
    let policy = Policy::default();
    let record = Record { phase_since: NOW - policy.restore_timeout * 2, ..on_probation(NOW - mins(3)) };
    let scaled = Observation { desired: 6, ..full_on(original()) };
    let (record, reason) = written(on_sweep(&record, &scaled, NOW));
    assert_eq!((record.phase, reason, record.short_since), (Phase::Restoring, Reason::OnProbation, Some(NOW)));
    // Unless its tasks do not come: then it is late from when they were wanted.
    let due = |at| Record { next_check_at: at, ..record.clone() };
    let late = NOW + policy.restore_timeout;
    assert_eq!(written(on_sweep(&due(late - secs(1)), &scaled, late - secs(1))).1, Reason::OnProbation);
    assert_eq!(claimed(on_sweep(&due(late), &scaled, late)).1, Reason::RestoreTimedOut);
}

#[test]
fn the_owners_scale_out_during_probation_is_no_failed_restore() {
    let mut seen = full_on(original());
    seen.desired = 8;
    if let Decision::Claim(_, reason) = on_sweep(&on_probation(NOW - mins(5)), &seen, NOW) {
        panic!("a scale-out moved the service to On-Demand: {reason}");
    }
}

// ---- rule 5: backoff per outage -------------------------------------------------------------------------------------

#[test]
fn backoff_grows_per_failed_restore_and_is_kept_for_a_new_failure_within_episode_memory() {
    let failed = Record { failed_restores: 2, restored_at: Some(NOW - hours(5)), episode: 4, ..watching() };
    let (record, _) = claimed(on_event(Some(&failed), &short_on(original()), Signal::SpotPlacementFailure));
    assert_eq!((record.episode, record.failed_restores), (4, 3));
    let policy = Policy { restore_jitter_percent: 0, ..Policy::default() };
    let seen = Observation { deployments: deploying(fallback(), NOW).deployments, ..full_on(fallback()) };
    let (record, _) = written(on_sweep_with(&policy, &record, &seen, NOW + secs(1)));
    assert_eq!(record.restore_at, Some(NOW + secs(1) + mins(15 * 8)));
    let healthy = Record { restored_at: Some(NOW - hours(6)), ..failed };
    let (record, _) = claimed(on_event(Some(&healthy), &short_on(original()), Signal::SpotPlacementFailure));
    assert_eq!((record.episode, record.failed_restores), (5, 0));
}

#[test]
fn the_daily_cap_puts_a_restore_off() {
    let restores: Vec<Timestamp> = (1..=8).rev().map(|n| NOW - hours(2 * n)).collect();
    let record = Record { restores: restores.clone(), ..on_demand(NOW) };
    let (record, reason) = written(on_sweep(&record, &full_on(fallback()), NOW));
    assert_eq!((record.phase, reason), (Phase::OnDemand, Reason::DailyCap));
    assert_eq!(record.restore_at, Some(restores[0] + hours(24)));
    let (record, reason) = claimed(on_sweep(&record, &full_on(fallback()), restores[0] + hours(24)));
    assert_eq!((record.restores.len(), reason), (8, Reason::RestoreDue));
}

#[test]
fn a_market_closed_until_a_time_is_open_at_that_time() {
    let (policy, due) = (Policy::default(), on_demand(NOW));
    let decide_at = |closed_until| {
        let market = Market { closed_until, ..Market::new(service().account, service().region) };
        let ctx = Context { market: Some(&market), ..ctx(Trigger::Sweep, &policy, NOW) };
        decide(&service(), Some(&due), &Look::found(full_on(fallback())), &ctx)
    };
    assert_eq!(claimed(decide_at(NOW)).1, Reason::RestoreDue);
    let (record, reason) = written(decide_at(NOW + secs(1)));
    assert_eq!((record.phase, reason), (Phase::OnDemand, Reason::MarketBusy));
}

#[test]
fn a_fallback_refused_during_a_restore_keeps_the_backoff_of_the_episode() {
    let policy = Policy::default();
    let restoring = Record { failed_restores: 3, ..restoring() };
    let seen = deploying_short(original(), NOW - mins(1));
    let (claim, _) = claimed(on_event(Some(&restoring), &seen, Signal::SpotPlacementFailure));
    let (held, _) = refused(claim, HeldReason::FargateNotAssociated, &ctx(Trigger::Sweep, &policy, NOW));
    let later = NOW + policy.held_interval;
    let mut record = Some(held);
    for minute in 0..10 {
        let now = later + mins(minute);
        match on_sweep_with(&policy, record.as_ref().unwrap(), &short_on(original()), now) {
            Decision::Claim(claim, _) => {
                assert!(claim.failed_restores >= 4, "{} failed restores remembered", claim.failed_restores);
                assert_eq!(claim.episode, 1);
                return;
            }
            Decision::Write(next, _) => record = Some(Arc::unwrap_or_clone(next)),
            other => panic!("{other:?}"),
        }
    }
    panic!("not failed over again");
}

// ---- rule 6: never undo someone else --------------------------------------------------------------------------------

#[test]
fn an_owner_change_is_adopted_in_every_phase_and_nothing_is_updated() {
    for record in [
        failing_over("other", NOW - secs(1)),
        failing_over(ME, NOW + mins(1)),
        on_demand(NOW),
        on_demand(NOW + mins(10)),
        restoring(),
        on_probation(NOW - hours(1)),
        Record { confirmed: false, ..restoring() },
    ] {
        for (seen, spot) in [
            (full_on(somebody_elses()), true),
            (short_on(somebody_elses()), true),
            (full_on(spread(&[("FARGATE", 0, 1)])), false),
            (Observation { strategy: None, ..full_on(original()) }, false),
        ] {
            let decision = on_sweep(&record, &seen, NOW);
            if spot {
                let (next, reason) = written(decision);
                assert_eq!((next.phase, reason), (Phase::Watching, Reason::OwnerChanged));
                assert_eq!((next.original, next.lease, next.event), (None, None, None));
            } else {
                assert_eq!(forgotten(decision), Reason::OwnerChanged);
            }
        }
    }
}

#[test]
fn an_old_answer_within_the_settle_time_is_no_owner_change() {
    let record = Record { phase_since: NOW - secs(59), ..on_demand(NOW + mins(15)) };
    let (record, reason) = written(on_sweep(&record, &full_on(original()), NOW));
    assert_eq!((record.phase, reason), (Phase::OnDemand, Reason::Settling));
    let record = Record { phase_since: NOW - secs(59), ..restoring() };
    let (record, reason) = written(on_sweep(&record, &full_on(fallback()), NOW));
    assert_eq!((record.phase, reason), (Phase::Restoring, Reason::Settling));
    assert_eq!(record.original, Some(original()));
}

#[test]
fn what_ecs_shows_when_the_settle_time_is_over_is_believed() {
    let settle = Policy::default().settle;
    let record = Record { phase_since: NOW - settle, ..on_demand(NOW + mins(15)) };
    assert_eq!(written(on_sweep(&record, &full_on(original()), NOW)).1, Reason::RolledBack);
    let record = Record { phase_since: NOW - settle, ..restoring() };
    assert_eq!(written(on_sweep(&record, &full_on(fallback()), NOW)).1, Reason::RolledBack);
}

#[test]
fn a_rollback_by_the_circuit_breaker_is_recognised_in_on_demand_and_in_restoring() {
    // The failover was rolled back: full on Spot again is the owner's state, short on Spot still needs help.
    let (record, reason) = written(on_sweep(&on_demand(NOW + mins(9)), &full_on(original()), NOW));
    assert_eq!((record.phase, reason), (Phase::Watching, Reason::RolledBack));
    let (record, reason) = written(on_sweep(&on_demand(NOW + mins(9)), &short_on(original()), NOW));
    assert_eq!((record.phase, reason), (Phase::Held, Reason::Held(HeldReason::RolledBack)));
    assert_eq!((&record.original, record.failed_restores), (&Some(original()), 1));
    let delay = record.restore_delay(&Policy::default()).max(Policy::default().held_interval);
    assert_eq!(record.next_check_at, NOW + delay);
    let (record, _) = claimed(on_sweep(&record, &short_on(original()), record.next_check_at));
    assert_eq!(record.phase, Phase::FailingOver);
    // The restore was rolled back: ECS did our work, and the restore counts as failed.
    let policy = Policy { restore_jitter_percent: 0, ..Policy::default() };
    let (record, reason) = written(on_sweep_with(&policy, &restoring(), &full_on(fallback()), NOW));
    assert_eq!((record.phase, reason), (Phase::OnDemand, Reason::RolledBack));
    assert_eq!((record.failed_restores, record.restore_at), (1, Some(NOW + mins(30))));
}

#[test]
fn a_fallback_or_probe_that_ecs_brings_back_after_the_episode_is_recognised_as_ours() {
    let closed = Record { previous: Some(original()), ..watching() };
    for ours in [fallback(), original().probe()] {
        let (record, reason) = written(on_sweep(&closed, &full_on(ours.clone()), NOW));
        assert_eq!((record.phase, reason, record.confirmed), (Phase::OnDemand, Reason::RolledBack, true));
        assert_eq!(record.original, Some(original()));
        assert_eq!(record.change, Some(Change { from: original(), to: ours }));
        assert!(record.restore_at.is_some_and(|at| at > NOW));
    }
    // Any other is its owner's choice.
    assert_eq!(forgotten(on_sweep(&closed, &full_on(spread(&[("FARGATE", 0, 1)])), NOW)), Reason::NoSpot);
    assert_eq!(forgotten(on_sweep(&watching(), &full_on(fallback()), NOW)), Reason::NoSpot);
    stays(&closed, on_sweep(&closed, &full_on(somebody_elses()), NOW));
}

#[test]
fn a_look_that_may_be_from_before_the_claim_does_not_confirm_it() {
    let claimed = Record { phase_since: NOW - secs(30), ..failing_over(ME, NOW + mins(1)) };
    // The fallback of the outage before, which ECS may still show.
    let before = deploying(fallback(), NOW - mins(9));
    let (record, reason) = written(on_sweep(&claimed, &before, NOW));
    assert_eq!((record.phase, reason, record.lease), (Phase::FailingOver, Reason::Settling, None));
    assert_eq!(record.next_check_at, NOW + Policy::default().active_interval);
    // Begun since the claim, it is our own; and when the settle time is over, what ECS shows is believed.
    let since = deploying(fallback(), NOW - secs(29));
    assert_eq!(written(on_sweep(&claimed, &since, NOW)).1, Reason::FallbackLive);
    let settled = claimed.phase_since + Policy::default().settle;
    assert_eq!(written(on_sweep(&claimed, &before, settled - secs(1))).1, Reason::Settling);
    assert_eq!(written(on_sweep(&claimed, &before, settled)).1, Reason::FallbackLive);
}

#[test]
fn an_original_that_comes_back_after_the_fallback_was_complete_is_its_owners_doing_and_protected_at_once() {
    let (complete, _) = written(on_sweep(&on_demand(NOW + mins(15)), &full_on(fallback()), NOW));
    assert_eq!(complete.healthy_since, Some(NOW));
    let applied = Record { next_check_at: NOW, ..complete };
    let (record, reason) = written(on_sweep(&applied, &short_on(original()), NOW));
    assert_eq!((record.phase, reason, record.restored_at), (Phase::Watching, Reason::OwnerChanged, None));
    // The event that says Spot has nothing for it counts, although it is the one that finds out, and seconds old.
    let failure = event(Signal::SpotPlacementFailure, NOW - secs(5));
    let (record, reason) = claimed(on_event_with(&Policy::default(), Some(&applied), &short_on(original()), &failure));
    assert_eq!((record.phase, reason, record.episode), (Phase::FailingOver, Reason::SpotPlacementFailure, 2));
    let theirs = short_on(somebody_elses());
    let (record, _) = claimed(on_event(Some(&applied), &theirs, Signal::SpotPlacementFailure));
    assert_eq!((record.original, record.previous), (Some(somebody_elses()), None));
}

#[test]
fn the_order_of_items_that_is_live_is_the_one_that_is_kept() {
    let turned = Spread::new(original().items().iter().rev().cloned().collect()).unwrap();
    let (record, reason) = written(on_sweep(&on_demand(NOW + mins(9)), &short_on(turned.clone()), NOW));
    assert_eq!(reason, Reason::Held(HeldReason::RolledBack));
    assert_eq!(record.original.unwrap().items(), turned.items());
    // A probe that comes back is no original.
    let probed =
        Record { change: Some(Change { from: original().probe(), to: fallback() }), ..on_demand(NOW + mins(9)) };
    let (record, _) = written(on_sweep(&probed, &short_on(original().probe()), NOW));
    assert_eq!(record.original.unwrap().items(), original().items());
}

#[test]
fn an_application_that_cannot_start_is_not_failed_over_again_after_ecs_rolled_the_failover_back() {
    let seen = crash_looping(short_on(original()), NOW - mins(1));
    match on_sweep(&on_demand(NOW + mins(9)), &seen, NOW) {
        Decision::Claim(_, reason) => panic!("failed over again: {reason}"),
        Decision::Update(..) => panic!("updated"),
        _ => {}
    }
}

#[test]
fn a_recreated_service_has_no_past() {
    let mut seen = short_on(somebody_elses());
    seen.created_at = NOW - mins(20);
    for record in [
        watching(),
        Record { phase_since: NOW - mins(5), ..failing_over("dead", NOW - mins(4)) },
        on_demand(NOW),
        on_probation(NOW - hours(1)),
        held(on_demand(NOW), HeldReason::OnDemandShort),
    ] {
        let (next, _) = written(on_sweep(&record, &seen, NOW));
        assert_eq!((next.phase, next.original.clone(), next.held.clone()), (Phase::Watching, None, None));
        assert_eq!((next.version, next.episode, next.service_created_at), (3, 0, Some(seen.created_at)));
        let (next, reason) = claimed(on_event(Some(&record), &seen, Signal::SpotPlacementFailure));
        assert_eq!((next.original, reason), (Some(somebody_elses()), Reason::SpotPlacementFailure));
        assert_eq!((next.version, next.episode), (3, 1));
    }
    let on_fargate = Observation { created_at: NOW - mins(20), ..full_on(fallback()) };
    forgotten(on_sweep(&on_demand(NOW), &on_fargate, NOW));
}

/// An update that was sent to the service before may arrive late, and look like the owner's choice for the new one.
#[test]
fn a_service_recreated_during_our_change_waits_until_the_change_cannot_arrive_any_more() {
    let policy = Policy::default();
    let mut seen = short_on(somebody_elses());
    seen.created_at = NOW - secs(10);
    for record in [failing_over("dead", NOW), Record { confirmed: false, ..restoring() }] {
        let claimed_until = record.phase_since + policy.lease;
        let waiting = Record { lease: None, ..record.clone() };
        let last = claimed_until + policy.settle - secs(1);
        let (next, reason) = written(on_sweep(&waiting, &seen, last));
        assert_eq!((next.phase, reason), (record.phase, Reason::Settling));
        assert_eq!(next.original, record.original, "not forgotten yet");
        assert_eq!(written(on_sweep(&waiting, &seen, last + secs(1))).1, Reason::Recreated);
        let taken_over = Record { lease: Some(Lease { owner: "dead".into(), until: last }), ..record };
        assert_eq!(written(on_sweep(&taken_over, &seen, last + policy.settle - secs(1))).1, Reason::Settling);
        assert_eq!(written(on_sweep(&taken_over, &seen, last + policy.settle)).1, Reason::Recreated);
    }
}

#[test]
fn a_recreated_service_that_is_not_supported_is_held_for_that_reason() {
    let seen = Observation { created_at: NOW - mins(20), replica: false, ..full_on(original()) };
    let (next, reason) = written(on_sweep(&on_demand(NOW), &seen, NOW));
    assert_eq!((next.phase, reason), (Phase::Held, Reason::Held(HeldReason::Daemon)));
    assert_eq!((next.version, next.original), (3, None));
}

#[test]
fn a_service_on_its_way_out_is_not_even_remembered() {
    for signal in EVERY_SIGNAL {
        let draining = Observation { active: false, ..short_on(original()) };
        assert_eq!(left(on_event(None, &draining, signal)), Reason::Gone, "{signal:?}");
    }
}

#[test]
fn a_service_that_is_gone_or_going_is_forgotten() {
    for record in [watching(), failing_over(ME, NOW + mins(1)), on_demand(NOW), restoring()] {
        let policy = Policy::default();
        let ctx = ctx(Trigger::Sweep, &policy, NOW);
        let twice = Record { missing_since: Some(NOW - mins(1)), ..record.clone() };
        assert_eq!(forgotten(decide(&service(), Some(&twice), &Look::Missing, &ctx)), Reason::Gone);
        let draining = Observation { active: false, ..full_on(original()) };
        assert_eq!(forgotten(on_sweep(&record, &draining, NOW)), Reason::Gone);
    }
    let policy = Policy::default();
    let event = event(Signal::SpotTask, NOW);
    let ctx = ctx(Trigger::Event(&event), &policy, NOW);
    assert_eq!(left(decide(&service(), None, &Look::Missing, &ctx)), Reason::Gone);
}

#[test]
fn a_recreated_service_is_announced_as_such_by_the_sweep_too() {
    let seen = Observation { created_at: NOW - mins(20), ..full_on(original()) };
    assert_eq!(written(on_sweep(&on_demand(NOW), &seen, NOW)).1, Reason::Recreated);
    let seen = Observation { created_at: NOW - mins(20), ..full_on(fallback()) };
    assert_eq!(forgotten(on_sweep(&on_demand(NOW), &seen, NOW)), Reason::Recreated);
}

#[test]
fn an_owner_change_is_no_failed_restore_of_the_next_outage() {
    let (adopted, _) = written(on_sweep(&on_demand(NOW), &full_on(somebody_elses()), NOW));
    let later = Record { version: 4, ..adopted };
    let failure = event(Signal::SpotPlacementFailure, NOW + hours(1));
    let look = Look::found(short_on(somebody_elses()));
    let policy = Policy::default();
    let decision = decide(&service(), Some(&later), &look, &ctx(Trigger::Event(&failure), &policy, NOW + hours(1)));
    assert_eq!(claimed(decision).0.failed_restores, 0);
}

// ---- rule 7: capacity, not noise ------------------------------------------------------------------------------------

#[test]
fn a_placement_failure_at_full_count_is_left_alone() {
    let decision = on_event(Some(&watching()), &full_on(original()), Signal::SpotPlacementFailure);
    assert_eq!(left(decision), Reason::AtFullCount);
}

#[test]
fn a_placement_failure_on_demand_alone_is_left_alone() {
    let known_short = Record { short_since: Some(NOW - mins(1)), ..watching() };
    let decision = on_event(Some(&known_short), &short_on(original()), Signal::OnDemandPlacementFailure);
    assert_eq!(left(decision), Reason::Short);
}

#[test]
fn a_crash_looping_application_is_not_failed_over() {
    let seen = crash_looping(short_on(original()), NOW - mins(1));
    let record = Record { short_since: Some(NOW - hours(1)), ..watching() };
    assert_eq!(left(on_event(Some(&record), &seen, Signal::SpotPlacementFailure)), Reason::ApplicationFails);
    let (record, reason) = written(on_sweep(&record, &seen, NOW));
    assert_eq!((record.phase, reason), (Phase::Watching, Reason::ApplicationFails));
}

#[test]
fn a_message_of_an_older_deployment_or_below_a_newer_verdict_blames_nobody() {
    let record = Record { short_since: Some(NOW - hours(1)), ..watching() };
    let mut seen = crash_looping(short_on(original()), NOW - mins(20));
    Arc::make_mut(&mut seen.messages).insert(
        0,
        Message {
            at: NOW - mins(1),
            text: "(service checkout) was unable to place a task. Reason: Capacity is unavailable at this time.".into(),
        },
    );
    let (_, reason) = claimed(on_sweep(&record, &seen, NOW));
    assert_eq!(reason, Reason::SilentLoss);
    let mut seen = crash_looping(short_on(original()), NOW - mins(20));
    seen.deployments[0].created_at = NOW - mins(15);
    claimed(on_sweep(&record, &seen, NOW));
}

#[test]
fn a_deployment_that_ecs_gave_up_is_failed_over_unless_ecs_blames_the_application() {
    let record = Record { short_since: Some(NOW - hours(1)), ..watching() };
    let mut seen = short_on(original());
    seen.deployments[0].rollout = Rollout::Failed;
    // Without a word it may have failed for want of Spot, which the fallback shows.
    assert_eq!(claimed(on_sweep(&record, &seen, NOW)).1, Reason::SilentLoss);
    let mut blamed = crash_looping(seen, NOW - mins(1));
    assert_eq!(written(on_sweep(&record, &blamed, NOW)).1, Reason::ApplicationFails);
    let text = "(service checkout) was unable to place a task. Reason: Capacity is unavailable at this time.".into();
    Arc::make_mut(&mut blamed.messages).insert(0, Message { at: NOW - mins(1), text });
    assert_eq!(claimed(on_sweep(&record, &blamed, NOW)).1, Reason::SilentLoss);
}

#[test]
fn desired_zero_is_never_short() {
    let mut seen = full_on(original());
    (seen.desired, seen.running, seen.deployments[0].running) = (0, 0, 0);
    let record = Record { short_since: None, ..watching() };
    assert_eq!(left(on_event(Some(&record), &seen, Signal::SpotPlacementFailure)), Reason::AtFullCount);
    let (record, reason) = written(on_sweep(&record, &seen, NOW));
    assert_eq!((record.short_since, reason), (None, Reason::Healthy));
}

#[test]
fn a_synthetic_event_fails_over_a_healthy_service() {
    let (record, reason) = claimed(on_event(None, &full_on(original()), Signal::SyntheticPlacementFailure));
    assert_eq!((record.original, reason), (Some(original()), Reason::SyntheticPlacementFailure));
}

#[test]
fn an_event_too_old_to_act_on_only_has_the_service_looked_at() {
    for signal in [Signal::SpotPlacementFailure, Signal::SyntheticPlacementFailure, Signal::Interruption] {
        let known_short = Record { short_since: Some(NOW - mins(1)), ..watching() };
        let old = event(signal, NOW - mins(15) - secs(1));
        let decision = on_event_with(&Policy::default(), Some(&known_short), &short_on(original()), &old);
        assert_eq!(left(decision), Reason::Stale, "{signal:?}");
        let young = event(signal, NOW - mins(15));
        claimed(on_event_with(&Policy::default(), Some(&known_short), &short_on(original()), &young));
    }
}

#[test]
fn an_event_from_before_the_last_restore_is_about_the_past() {
    let record = Record { episode: 1, phase_since: NOW - mins(2), short_since: Some(NOW), ..watching() };
    let late = event(Signal::Interruption, NOW - mins(3));
    assert_eq!(left(on_event_with(&Policy::default(), Some(&record), &short_on(original()), &late)), Reason::Stale);
}

// ---- silent loss ----------------------------------------------------------------------------------------------------

#[test]
fn a_task_event_registers_a_spot_service_for_watching_once() {
    let (record, reason) = written(on_event(None, &full_on(original()), Signal::SpotTask));
    assert_eq!((record.phase, record.version, reason), (Phase::Watching, 0, Reason::FirstSeen));
    assert_eq!((record.next_check_at, record.original.clone()), (NOW + mins(10), None));
    let known = Record { version: 1, ..record };
    assert_eq!(left(on_event(Some(&known), &full_on(original()), Signal::SpotTask)), Reason::Healthy);
    assert_eq!(left(on_event(None, &full_on(fallback()), Signal::SpotTask)), Reason::NoSpot);
}

#[test]
fn the_sweep_fails_over_a_silent_loss_after_the_grace_time() {
    let (record, reason) = written(on_sweep(&watching(), &short_on(original()), NOW));
    assert_eq!((record.short_since, reason), (Some(NOW), Reason::Short));
    assert_eq!(record.next_check_at, NOW + secs(50), "a short service is looked at at the fast pace");
    let (record, _) = written(on_sweep(&record, &short_on(original()), NOW + mins(3) - secs(1)));
    assert_eq!((record.phase, record.short_since), (Phase::Watching, Some(NOW)));
    let (record, reason) = claimed(on_sweep(&record, &short_on(original()), NOW + mins(3)));
    assert_eq!((record.original, reason), (Some(original()), Reason::SilentLoss));
    assert_eq!(record.event, None);
}

#[test]
fn a_loss_that_ecs_replaced_within_the_grace_time_starts_again_from_nothing() {
    let record = Record { short_since: Some(NOW - mins(2)), ..watching() };
    let (record, reason) = written(on_sweep(&record, &full_on(original()), NOW));
    assert_eq!((record.short_since, reason), (None, Reason::Healthy));
    let (record, _) = written(on_sweep(&record, &short_on(original()), NOW + mins(10)));
    assert_eq!(record.short_since, Some(NOW + mins(10)));
}

#[test]
fn tasks_that_crash_and_find_a_place_each_time_are_no_loss_of_capacity() {
    // One runs, the three others are on their way once more.
    let crashing = Observation { running: 1, pending: 3, ..short_on(original()) };
    let (record, reason) = written(on_sweep(&watching(), &crashing, NOW));
    assert_eq!((record.short_since, reason), (None, Reason::Replacing));
    assert_eq!(record.next_check_at, NOW + secs(50), "it is looked at at the fast pace all the same");
    // Nor does it count what was missing before they found one.
    let missing = Record { short_since: Some(NOW - mins(5)), ..watching() };
    let (record, reason) = written(on_sweep(&missing, &crashing, NOW));
    assert_eq!((record.phase, record.short_since, reason), (Phase::Watching, None, Reason::Replacing));
    // AZ rebalancing that fails meanwhile changes nothing about that.
    assert_eq!(left(on_event(Some(&watching()), &crashing, Signal::SpotPlacementFailure)), Reason::Replacing);
    // With one of them nowhere it is a loss, as ever.
    let (_, reason) = claimed(on_sweep(&missing, &Observation { pending: 2, ..crashing.clone() }, NOW));
    assert_eq!(reason, Reason::SilentLoss);
    // On the fallback it is no shortage of On-Demand.
    let (next, reason) =
        written(on_sweep(&on_demand(NOW + hours(3)), &Observation { strategy: Some(fallback()), ..crashing }, NOW));
    assert_eq!((next.phase, reason), (Phase::OnDemand, Reason::NotDue));
}

#[test]
fn a_young_deployment_explains_a_shortfall() {
    let record = Record { short_since: Some(NOW - mins(9)), ..watching() };
    let (_, reason) = written(on_sweep(&record, &deploying_short(original(), NOW - mins(9)), NOW));
    assert_eq!(reason, Reason::Deploying);
    let (_, reason) = claimed(on_sweep(&record, &deploying_short(original(), NOW - mins(10)), NOW));
    assert_eq!(reason, Reason::SilentLoss);
}

// ---- rule 8: On-Demand short too ------------------------------------------------------------------------------------

#[test]
fn on_demand_short_is_held_and_cured() {
    let record = on_demand(NOW + hours(3));
    let (alert, reason) = written(on_sweep(&record, &short_on(fallback()), NOW));
    assert_eq!((alert.phase, reason), (Phase::Held, Reason::Held(HeldReason::OnDemandShort)));
    assert_eq!(alert.held.as_ref().unwrap().resume, Phase::OnDemand);
    assert_eq!((alert.original.clone(), alert.restore_at), (record.original.clone(), record.restore_at));
    // Still short when looked at again: still held, since the same time, no second alert of its own.
    let later = NOW + mins(30);
    let (still, reason) = written(on_sweep(&alert, &short_on(fallback()), later));
    assert_eq!((still.phase, still.phase_since, reason), (Phase::Held, NOW, Reason::Held(HeldReason::OnDemandShort)));
    let (cured, reason) = written(on_sweep(&alert, &full_on(fallback()), later));
    assert_eq!((cured.phase, cured.held.clone(), reason), (Phase::OnDemand, None, Reason::Cured));
    assert_eq!(cured.restore_at, record.restore_at, "the restore stays when it was due");
    assert_eq!(cured.phase_since, later);
}

#[test]
fn a_slow_fallback_is_given_the_restore_timeout_before_anyone_is_alarmed() {
    let record = Record { phase_since: NOW - mins(10) + secs(1), ..on_demand(NOW + hours(3)) };
    let (next, reason) = written(on_sweep(&record, &short_on(fallback()), NOW));
    assert_eq!((next.phase, reason), (Phase::OnDemand, Reason::NotDue));
    let (_, reason) = written(on_sweep(&record, &short_on(fallback()), NOW + secs(1)));
    assert_eq!(reason, Reason::Held(HeldReason::OnDemandShort));
}

#[test]
fn a_fallback_that_does_not_come_up_gives_way_to_the_restore_that_is_due() {
    for seen in [short_on(fallback()), deploying(fallback(), NOW - mins(30))] {
        let (record, reason) = claimed(on_sweep(&on_demand(NOW), &seen, NOW));
        assert_eq!((record.phase, reason), (Phase::Restoring, Reason::RestoreDue));
    }
}

#[test]
fn a_fallback_that_runs_in_full_while_its_rollout_ends_late_alarms_nobody() {
    let (next, reason) = written(on_sweep(&on_demand(NOW + hours(3)), &deploying(fallback(), NOW - mins(30)), NOW));
    assert_eq!((next.phase, reason), (Phase::OnDemand, Reason::NotDue));
}

#[test]
fn an_on_demand_shortfall_is_not_cured_by_looking_at_it() {
    // A policy under which a held service is looked at sooner than the fallback may take to come up.
    let policy = Policy { restore_timeout: hours(1), ..Policy::default() };
    let alert = held(on_demand(NOW + hours(3)), HeldReason::OnDemandShort);
    let (next, reason) = written(on_sweep_with(&policy, &alert, &short_on(fallback()), NOW));
    assert_eq!((next.phase, reason), (Phase::Held, Reason::Held(HeldReason::OnDemandShort)));
    // Held since the same time, and it goes on from where it was.
    assert_eq!((next.phase_since, next.held), (alert.phase_since, alert.held));
    assert_eq!(next.next_check_at, NOW + policy.held_interval);
}

#[test]
fn an_on_demand_shortfall_is_not_cured_by_the_daily_cap() {
    let restores = (1..=8).rev().map(|n| NOW - hours(2 * n)).collect();
    let alert = held(Record { restores, ..on_demand(NOW) }, HeldReason::OnDemandShort);
    let (next, reason) = written(on_sweep(&alert, &short_on(fallback()), NOW));
    assert_eq!(next.phase, Phase::Held, "{reason}");
}

#[test]
fn a_short_fallback_is_told_although_the_next_restore_has_to_wait() {
    let restores: Vec<_> = (1..=8).rev().map(|n| NOW - hours(2 * n)).collect();
    let capped = Record { restores, phase_since: NOW - hours(1), ..on_demand(NOW) };
    let (alert, reason) = written(on_sweep(&capped, &short_on(fallback()), NOW));
    assert_eq!((alert.phase, reason), (Phase::Held, Reason::Held(HeldReason::OnDemandShort)));
    assert_eq!(alert.restore_at, Some(capped.restores[0] + hours(24)));
    // A slow application is not a shortage.
    let starting = Observation { pending: 2, ..short_on(fallback()) };
    assert_eq!(written(on_sweep(&capped, &starting, NOW)).1, Reason::DailyCap);
    // Held or not, Spot is tried as soon as it may be.
    let policy = Policy::default();
    let due_in =
        |wait| on_sweep(&Record { phase_since: NOW - hours(1), ..on_demand(NOW + wait) }, &short_on(fallback()), NOW);
    assert_eq!(written(due_in(mins(10))).0.next_check_at, NOW + mins(10));
    assert_eq!(written(due_in(secs(1))).0.next_check_at, NOW + policy.active_interval);
    assert_eq!(written(due_in(hours(2))).0.next_check_at, NOW + policy.held_interval);
}

// ---- rule 9 and 10 --------------------------------------------------------------------------------------------------

#[test]
fn nothing_but_the_due_time_restores() {
    for signal in EVERY_SIGNAL {
        let decision = on_event(Some(&on_demand(NOW - hours(1))), &full_on(fallback()), signal);
        assert_eq!(left(decision), Reason::AlreadyOnDemand, "{signal:?}");
    }
}

#[test]
fn an_interruption_under_policy_immediate_moves_a_service_that_is_not_short_yet() {
    let (record, reason) = claimed(on_event(Some(&watching()), &full_on(original()), Signal::Interruption));
    assert_eq!((record.phase, reason), (Phase::FailingOver, Reason::Interruption));
}

#[test]
fn an_interruption_under_policy_shortfall_waits_for_the_grace_time() {
    let policy = Policy { interruption_policy: InterruptionPolicy::Shortfall, ..Policy::default() };
    let interruption = event(Signal::Interruption, NOW);
    let decision = on_event_with(&policy, Some(&watching()), &full_on(original()), &interruption);
    assert_eq!(left(decision), Reason::Healthy);
    let (record, reason) = written(on_event_with(&policy, Some(&watching()), &short_on(original()), &interruption));
    assert_eq!((record.short_since, record.next_check_at, reason), (Some(NOW), NOW + secs(50), Reason::Short));
    let (_, reason) = claimed(on_sweep_with(&policy, &record, &short_on(original()), NOW + mins(3)));
    assert_eq!(reason, Reason::SilentLoss);
    let decision = on_event_with(&policy, Some(&on_probation(NOW - mins(1))), &full_on(original()), &interruption);
    assert_eq!(left(decision), Reason::OnProbation);
}

// ---- rule 11: unsupported services ----------------------------------------------------------------------------------

#[test]
fn unsupported_services_are_held_once_with_the_reason() {
    let code_deploy = Controller::Other("CODE_DEPLOY".into());
    for (seen, expected) in [
        (Observation { controller: code_deploy, ..short_on(original()) }, HeldReason::Controller("CODE_DEPLOY".into())),
        (Observation { replica: false, ..short_on(original()) }, HeldReason::Daemon),
    ] {
        let decision = on_event(None, &seen, Signal::SpotPlacementFailure);
        let (record, reason) = written(decision);
        assert_eq!((record.phase, reason), (Phase::Held, Reason::Held(expected.clone())));
        assert_eq!((record.next_check_at, record.original.clone()), (NOW + mins(30), None));
        let known = Record { version: 1, ..record };
        for signal in EVERY_SIGNAL {
            assert_eq!(left(on_event(Some(&known), &seen, signal)), Reason::Held(expected.clone()));
        }
    }
}

#[test]
fn services_without_spot_on_a_launch_type_or_on_an_asg_are_not_even_remembered() {
    let launch_type = Observation { strategy: None, ..short_on(original()) };
    let asg = short_on(spread(&[("gpu-asg", 0, 1)]));
    for seen in [launch_type, asg] {
        for signal in EVERY_SIGNAL {
            assert_eq!(left(on_event(None, &seen, signal)), Reason::NoSpot);
        }
    }
}

#[test]
fn an_account_without_the_role_is_held_from_whatever_phase_and_goes_on_from_there() {
    let policy = Policy::default();
    let blocked = Look::Blocked(HeldReason::RoleMissing);
    for record in [watching(), failing_over("dead", NOW), on_demand(NOW + hours(1)), restoring()] {
        let (next, reason) = written(decide(&service(), Some(&record), &blocked, &ctx(Trigger::Sweep, &policy, NOW)));
        assert_eq!((next.phase, reason), (Phase::Held, Reason::Held(HeldReason::RoleMissing)));
        assert_eq!(next.held.as_ref().unwrap().resume, record.phase);
        assert_eq!((next.original.clone(), next.scheduled()), (record.original.clone(), record.scheduled()));
        let event = event(Signal::SpotTask, NOW);
        let again = decide(&service(), Some(&next), &blocked, &ctx(Trigger::Event(&event), &policy, NOW));
        assert_eq!(left(again), Reason::Held(HeldReason::RoleMissing));
    }
}

#[test]
fn an_account_without_the_role_is_asked_again_soon_at_first_and_seldom_later() {
    let (policy, blocked) = (Policy::default(), Look::Blocked(HeldReason::RoleMissing));
    let record = held(on_demand(NOW), HeldReason::RoleMissing);
    let at = |now| decide(&service(), Some(&record), &blocked, &ctx(Trigger::Sweep, &policy, now));
    assert_eq!(left(at(NOW - secs(1))), Reason::Held(HeldReason::RoleMissing));
    for now in [NOW, NOW + secs(1)] {
        let (next, _) = written(at(now));
        assert_eq!((next.phase_since, &next.held), (record.phase_since, &record.held));
        assert_eq!(next.next_check_at, now + now.since(record.phase_since) / 4);
    }
    for (since, wait) in [(NOW, policy.active_interval), (NOW - hours(5), policy.held_interval)] {
        let record = Record { phase_since: since, ..record.clone() };
        let (next, _) = written(decide(&service(), Some(&record), &blocked, &ctx(Trigger::Sweep, &policy, NOW)));
        assert_eq!(next.next_check_at, NOW + wait);
    }
    // Another reason is news at once.
    let denied = Look::Blocked(HeldReason::AccessDenied("ecs:DescribeServices".into()));
    let (next, _) = written(decide(&service(), Some(&record), &denied, &ctx(Trigger::Sweep, &policy, NOW - secs(1))));
    assert_eq!(next.held.unwrap().resume, Phase::OnDemand);
}

#[test]
fn held_is_left_alone_by_events_and_looked_at_when_due() {
    let record = held(watching(), HeldReason::FargateNotAssociated);
    for signal in EVERY_SIGNAL {
        let decision = on_event(Some(&record), &short_on(original()), signal);
        assert_eq!(left(decision), Reason::Held(HeldReason::FargateNotAssociated), "{signal:?}");
    }
    let early = Record { next_check_at: NOW + secs(1), ..record.clone() };
    assert_eq!(left(on_sweep(&early, &full_on(original()), NOW)), Reason::Held(HeldReason::FargateNotAssociated));
    let (next, reason) = written(on_sweep(&record, &full_on(original()), NOW));
    assert_eq!((next.phase, next.held, reason), (Phase::Watching, None, Reason::Cured));
}

#[test]
fn what_its_owner_did_to_a_held_service_is_said_and_not_taken_for_a_cure() {
    let record = held(restoring(), HeldReason::RoleMissing);
    let (next, reason) = written(on_sweep(&record, &full_on(somebody_elses()), NOW));
    assert_eq!((next.phase, reason), (Phase::Watching, Reason::OwnerChanged));
    assert_eq!(next.reason, Reason::OwnerChanged.to_string());
}

#[test]
fn a_change_that_ecs_refused_is_tried_again_when_the_held_service_is_looked_at() {
    let policy = Policy::default();
    let ctx = ctx(Trigger::Sweep, &policy, NOW);
    let (failover, _) = refused(failing_over(ME, NOW + mins(1)), HeldReason::FargateNotAssociated, &ctx);
    assert_eq!((failover.phase, failover.lease.clone(), failover.scheduled()), (Phase::Held, None, true));
    let (next, reason) = claimed(on_sweep(&failover, &short_on(original()), NOW + policy.held_interval));
    assert_eq!((next.original, next.episode, reason), (Some(original()), 1, Reason::TakenOver));
    // Not needed any more, it is not made up for.
    let (next, reason) = written(on_sweep(&failover, &full_on(original()), NOW + policy.held_interval));
    assert_eq!((next.phase, next.original, reason), (Phase::Watching, None, Reason::Cured));
    let claim = Record { confirmed: false, lease: Some(Lease { owner: ME.into(), until: NOW }), ..restoring() };
    let (restore, _) = refused(claim, HeldReason::AccessDenied("ecs:UpdateService".into()), &ctx);
    assert_eq!((restore.held.as_ref().unwrap().resume, restore.scheduled()), (Phase::Restoring, true));
    let (next, reason) = claimed(on_sweep(&restore, &full_on(fallback()), NOW + policy.held_interval));
    assert_eq!((next.phase, next.original, reason), (Phase::Restoring, Some(original()), Reason::RestoreDue));
}

// ---- kill switch ----------------------------------------------------------------------------------------------------

#[test]
fn paused_and_dry_run_claim_nothing() {
    let paused = Policy { paused: true, ..Policy::default() };
    let dry_run = Policy { dry_run: true, ..Policy::default() };
    let long_short = Record { short_since: Some(NOW - hours(1)), ..watching() };
    for (record, seen) in [
        (long_short, short_on(original())),
        (on_demand(NOW), full_on(fallback())),
        (on_probation(NOW - mins(1)), short_on(original())),
        (failing_over("dead", NOW), short_on(original())),
    ] {
        assert_eq!(stays(&record, on_sweep_with(&paused, &record, &seen, NOW)), Reason::Paused, "{}", record.phase);
        let (_, would) = claimed(on_sweep(&record, &seen, NOW));
        assert_eq!(stays(&record, on_sweep_with(&dry_run, &record, &seen, NOW)), Reason::DryRun(Box::new(would)));
    }
}

#[test]
fn a_claim_made_before_the_kill_switch_was_set_is_not_carried_out_after_it() {
    for policy in [Policy { paused: true, ..Policy::default() }, Policy { dry_run: true, ..Policy::default() }] {
        let claim = failing_over(ME, NOW + mins(1));
        stays(&claim, on_sweep_with(&policy, &claim, &short_on(original()), NOW));
        let claim = Record { confirmed: false, lease: claim.lease, ..restoring() };
        stays(&claim, on_sweep_with(&policy, &claim, &full_on(fallback()), NOW));
    }
}

#[test]
fn under_the_kill_switch_a_probe_stays_where_it_is_and_a_probation_goes_on() {
    for policy in [Policy { paused: true, ..Policy::default() }, Policy { dry_run: true, ..Policy::default() }] {
        let probing = Record { change: Some(Change { from: fallback(), to: original().probe() }), ..restoring() };
        let kept = stays(&probing, on_sweep_with(&policy, &probing, &full_on(original().probe()), NOW));
        assert!([Reason::Paused, Reason::DryRun(Box::new(Reason::ProbeHolds))].contains(&kept), "{kept:?}");
        let (next, reason) = written(on_sweep_with(&policy, &restoring(), &full_on(original()), NOW));
        assert_eq!((next.healthy_since, reason), (Some(NOW), Reason::OnProbation));
    }
}

#[test]
fn while_paused_a_failing_service_not_seen_before_is_still_registered() {
    for policy in [Policy { paused: true, ..Policy::default() }, Policy { dry_run: true, ..Policy::default() }] {
        let failure = event(Signal::SpotPlacementFailure, NOW);
        let (record, _) = written(on_event_with(&policy, None, &short_on(original()), &failure));
        assert_eq!((record.phase, record.original, record.short_since), (Phase::Watching, None, Some(NOW)));
    }
}

#[test]
fn the_greatest_counts_do_not_overflow() {
    let record = Record { failed_restores: u32::MAX, episode: u32::MAX, ..on_probation(NOW) };
    claimed(on_sweep(&record, &short_on(original()), NOW));
    let record = Record { failed_restores: u32::MAX, restored_at: Some(NOW), ..watching() };
    claimed(on_event(Some(&record), &short_on(original()), Signal::SpotPlacementFailure));
    let record = Record { episode: u32::MAX, ..watching() };
    claimed(on_event(Some(&record), &short_on(original()), Signal::SpotPlacementFailure));
}

#[test]
fn a_record_without_its_original_trusts_only_what_is_live() {
    for record in [failing_over("dead", NOW), on_demand(NOW), restoring()] {
        let record = Record { original: None, ..record };
        let (next, _) = written(on_sweep(&record, &full_on(somebody_elses()), NOW));
        assert_eq!((next.phase, next.original), (Phase::Watching, None));
        forgotten(on_sweep(&record, &full_on(fallback()), NOW));
    }
}
