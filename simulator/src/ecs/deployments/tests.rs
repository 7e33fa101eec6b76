//! How deployments begin, replace each other and end, each fact with its row of aws-facts.md.

use std::time::Duration;

use handlers::observation::Rollout;

use crate::ecs::deployment::{DeploymentStatus, ServiceDeploymentState};
use crate::ecs::describe::observe;
use crate::observers::trace::{Happening, RollbackCause};
use crate::spec::{Capacity, Loss, WorldEvent};
use crate::testing::{FargateSpot, OneService, mixed, on_demand, spot};

const NONE: Capacity = Capacity::Tasks(0);

fn mins(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

fn states(bench: &OneService) -> Vec<ServiceDeploymentState> {
    bench.service().service_deployments.iter().map(|d| d.state).collect()
}

fn rollbacks(bench: &OneService, cause: RollbackCause) -> usize {
    bench.times(|h| matches!(h, Happening::RolledBack { cause: c, .. } if *c == cause)).len()
}

fn set_alarm(bench: &mut OneService) {
    let id = bench.service().id.clone();
    bench.act(|ecs, env| ecs.alarm(env, &id));
}

// ---- Lost tasks of the old revision (aws-facts.md §3) ---------------------------------------------------------------

#[test]
fn a_lost_task_of_the_old_revision_is_replaced_with_the_old_revision_on_its_own_strategy() {
    let mut bench = OneService::new(4, &spot());
    bench.set_on_demand(NONE);
    let old = bench.service().primary().id;
    bench.switch(&on_demand());
    bench.run(mins(1));
    bench.interrupt(2);
    bench.run_watched(mins(5), |b| assert!(b.wanted().count() <= 8, "the upper bound holds"));
    assert_eq!((bench.counts(), bench.healthy()), ((0, 4), 4));
    assert!(bench.wanted().all(|t| t.deployment == old));
    bench.set_on_demand(Capacity::Unlimited);
    bench.run(mins(15));
    assert!(bench.is_completed());
    assert_eq!(bench.counts(), (4, 0), "and the deployment ends as it would have");
}

#[test]
fn a_replaced_revision_gets_back_only_the_tasks_that_the_lower_bound_needs() {
    let mut bench = OneService::with_bounds(4, &spot(), 50, 200);
    bench.set_on_demand(NONE);
    bench.switch(&on_demand());
    bench.run(mins(2));
    assert_eq!(bench.counts(), (0, 2), "the other two make room at once");
    bench.interrupt(1);
    bench.run_watched(mins(10), |b| assert!(b.wanted().count() <= 2));
    assert_eq!(bench.counts(), (0, 2));
}

#[test]
fn a_revision_that_was_short_when_it_was_replaced_still_gets_its_tasks_when_capacity_returns() {
    let mut bench = OneService::new(4, &spot());
    bench.set_on_demand(NONE);
    bench.set_spot(Capacity::Tasks(1), Loss::Interrupt);
    bench.run(mins(5));
    bench.switch(&on_demand());
    bench.run(mins(5));
    assert_eq!(bench.counts(), (0, 1));
    bench.set_spot(Capacity::Unlimited, Loss::Keep);
    bench.run(mins(10));
    assert_eq!((bench.counts(), bench.healthy()), ((0, 4), 4));
}

#[test]
fn by_parameter_the_new_revision_takes_the_place_of_lost_tasks() {
    let mut bench = OneService::with_bounds(4, &spot(), 100, 100);
    bench.world.facts.old_revision_replaces = false;
    bench.switch(&on_demand());
    bench.run(mins(1));
    bench.interrupt(1);
    bench.run(mins(5));
    assert_eq!(bench.counts(), (1, 3));
    let mut bench = OneService::with_bounds(4, &spot(), 100, 100);
    bench.switch(&on_demand());
    bench.run(mins(1));
    bench.interrupt(1);
    bench.run(mins(5));
    assert_eq!(bench.counts(), (0, 4), "by default the old one keeps it");
}

#[test]
fn tasks_that_the_old_revision_cannot_place_do_not_count_for_the_breaker_of_the_new_one() {
    let mut bench = OneService::new(4, &spot());
    bench.service_mut().circuit_breaker = true;
    bench.set_spot(NONE, Loss::Interrupt);
    bench.run(mins(2));
    bench.switch(&on_demand());
    bench.run_watched(mins(3), |b| assert_eq!(b.service().primary().failed_tasks, 0));
    assert!(bench.is_completed());
    assert_eq!(rollbacks(&bench, RollbackCause::Breaker), 0);
}

// ---- Status and states (aws-facts.md §1.2, §1.6, §2.4) --------------------------------------------------------------

#[test]
fn a_replaced_deployment_is_active_while_its_tasks_are_wanted_and_draining_until_they_are_gone() {
    let mut bench = OneService::new(3, &spot());
    bench.force();
    let mut seen = Vec::new();
    bench.run_watched(mins(10), |b| {
        assert_eq!(b.service().deployment_status(0), DeploymentStatus::Primary);
        if b.service().deployments.len() > 1 && seen.last() != Some(&b.service().deployment_status(1)) {
            seen.push(b.service().deployment_status(1));
        }
    });
    assert_eq!(seen, [DeploymentStatus::Active, DeploymentStatus::Draining]);
    assert_eq!(bench.service().deployments.len(), 1);
}

#[test]
fn a_replaced_deployment_stays_listed_for_a_while_after_its_tasks_are_gone() {
    let mut bench = OneService::new(3, &spot());
    bench.set_spot(NONE, Loss::Interrupt);
    bench.run(mins(5));
    let (begun, listed) = (bench.world.now, bench.world.facts.replaced_listed);
    bench.switch(&on_demand());
    bench.run_watched(mins(10), |b| {
        assert_eq!(b.service().deployments.len(), if b.since(begun) < listed { 2 } else { 1 });
    });
    let completed = bench.times(|h| matches!(h, Happening::DeploymentCompleted { .. }));
    assert!(completed[0].since(begun) < listed, "longer than the deployment took");
    assert_eq!(bench.counts(), (3, 0));
}

#[test]
fn a_replaced_deployment_that_is_only_still_listed_gets_no_task_back() {
    let mut bench = OneService::new(3, &spot());
    bench.set_spot(NONE, Loss::Interrupt);
    bench.run(mins(5));
    bench.switch(&on_demand());
    while !bench.is_completed() {
        bench.run(Duration::from_secs(1));
    }
    assert_eq!(bench.service().deployments.len(), 2);
    bench.set_on_demand(NONE);
    bench.set_spot(Capacity::Unlimited, Loss::Keep);
    bench.scale(5);
    bench.run_watched(mins(10), |b| assert_eq!(b.counts(), (3, 0)));
}

#[test]
fn an_update_during_a_deployment_stops_the_service_deployment_under_way() {
    use ServiceDeploymentState::{InProgress, StopRequested, Stopped, Successful};
    let mut bench = OneService::new(4, &mixed());
    bench.switch(&on_demand());
    bench.run(mins(1));
    bench.switch(&spot());
    assert_eq!(states(&bench), [StopRequested, InProgress]);
    bench.run(Duration::ZERO);
    assert_eq!(states(&bench), [Stopped, InProgress]);
    bench.run(mins(10));
    assert_eq!(states(&bench), [Stopped, Successful]);
}

#[test]
fn a_deployment_says_in_progress_and_completed_as_events() {
    let mut bench = OneService::new(2, &spot());
    bench.forward_everything();
    bench.force();
    let deployment = bench.service().primary().id;
    bench.run(mins(10));
    let told = bench.deployment_events();
    let in_progress =
        format!("INFO SERVICE_DEPLOYMENT_IN_PROGRESS {deployment} ECS deployment {deployment} in progress.");
    let completed = format!("INFO SERVICE_DEPLOYMENT_COMPLETED {deployment} ECS deployment {deployment} completed.");
    assert_eq!(told, [in_progress, completed]);
}

// ---- Circuit breaker, alarms, rollback (aws-facts.md §1.6) ----------------------------------------------------------

#[test]
fn the_breaker_trips_at_half_the_desired_count_at_least_3_and_at_most_200() {
    for (desired, threshold) in [(0, 3), (1, 3), (4, 3), (6, 3), (7, 4), (9, 5), (399, 200), (1000, 200)] {
        let mut bench = OneService::new(0, &spot());
        bench.service_mut().circuit_breaker = true;
        bench.switch(&on_demand());
        bench.service_mut().desired = desired;
        for _ in 1..threshold {
            bench.task_failed();
        }
        assert_eq!(rollbacks(&bench, RollbackCause::Breaker), 0, "{desired} tasks");
        bench.task_failed();
        assert_eq!(rollbacks(&bench, RollbackCause::Breaker), 1, "{desired} tasks");
    }
}

#[test]
fn a_healthy_task_begins_the_breakers_count_anew() {
    let mut bench = OneService::new(3, &spot());
    bench.service_mut().circuit_breaker = true;
    bench.switch(&on_demand());
    bench.run(Duration::ZERO);
    bench.task_failed();
    bench.task_failed();
    bench.run(mins(3));
    assert_eq!(bench.service().primary().failed_tasks, 0);
}

#[test]
fn a_rollback_brings_the_strategy_of_the_last_completed_deployment_back_and_is_told() {
    let mut bench = OneService::new(4, &on_demand());
    bench.forward_everything();
    bench.service_mut().circuit_breaker = true;
    bench.set_spot(NONE, Loss::Interrupt);
    bench.switch(&spot());
    let failed = bench.service().primary().id;
    assert_eq!(bench.service().strategy, spot());
    bench.run_watched(mins(10), |b| assert_eq!(b.healthy(), 4, "the old tasks serve all the while"));
    assert_eq!(bench.service().strategy, on_demand());
    assert_eq!(bench.service().primary().strategy, on_demand());
    assert!(bench.is_completed());
    assert_eq!(states(&bench), [ServiceDeploymentState::RollbackSuccessful]);
    let told = bench.deployment_events();
    let (new, told) = (bench.service().primary().id, told.iter().map(String::as_str).collect::<Vec<_>>());
    let verdict =
        format!("ERROR SERVICE_DEPLOYMENT_FAILED {failed} ECS deployment circuit breaker: task failed to start.");
    let back = format!(
        "INFO SERVICE_DEPLOYMENT_IN_PROGRESS {new} ECS deployment circuit breaker: rolling back to deploymentId {new}."
    );
    assert!(told.contains(&verdict.as_str()) && told.contains(&back.as_str()), "{told:#?}");
}

#[test]
fn a_rollback_says_that_it_is_one_until_it_is_complete_and_in_the_log_for_ever() {
    let mut bench = OneService::new(4, &on_demand());
    bench.service_mut().alarms = true;
    bench.switch(&spot());
    bench.run(mins(1));
    let (id, since) = (bench.service().id.clone(), bench.world.now);
    bench.act(|ecs, env| ecs.alarm(env, &id));
    let seen = observe(bench.service());
    assert!(seen.deployments[0].rolls_back && !seen.deployments[1].rolls_back);
    assert_eq!((seen.deployments[1].rollout, seen.is_rollback(since)), (Rollout::Failed, Some(true)));
    bench.run(mins(60));
    let seen = observe(bench.service());
    assert_eq!((seen.deployments.len(), seen.deployments[0].rolls_back), (1, false));
    assert_eq!(seen.is_rollback(since), Some(true), "{:?}", seen.messages);
}

#[test]
fn whether_an_unplaceable_task_counts_for_the_breaker_is_a_parameter() {
    for counts in [true, false] {
        let mut bench = OneService::new(4, &on_demand());
        bench.service_mut().circuit_breaker = true;
        bench.world.facts.breaker_counts_placement = counts;
        bench.set_spot(NONE, Loss::Interrupt);
        bench.switch(&spot());
        bench.run(mins(60));
        assert_eq!(rollbacks(&bench, RollbackCause::Breaker), usize::from(counts));
        assert_eq!(bench.service().strategy, if counts { on_demand() } else { spot() });
    }
}

#[test]
fn without_a_completed_deployment_a_failed_one_just_stalls() {
    let mut bench = OneService::new(4, &on_demand());
    bench.service_mut().circuit_breaker = true;
    bench.service_mut().last_completed = None;
    bench.set_spot(NONE, Loss::Interrupt);
    bench.switch(&spot());
    bench.run(mins(30));
    bench.set_spot(Capacity::Unlimited, Loss::Keep);
    bench.run(mins(30));
    assert!(bench.service().primary().failed && !bench.is_completed());
    assert_eq!((bench.counts(), &bench.service().strategy), ((4, 0), &spot()), "it launches no more tasks");
    assert_eq!(rollbacks(&bench, RollbackCause::Breaker), 0);
}

#[test]
fn an_alarm_rolls_the_deployment_under_way_back_where_deployment_alarms_are_on() {
    for on in [true, false] {
        let mut bench = OneService::new(4, &on_demand());
        bench.service_mut().alarms = on;
        bench.switch(&spot());
        bench.run(mins(1));
        set_alarm(&mut bench);
        bench.run(mins(10));
        assert_eq!(rollbacks(&bench, RollbackCause::Alarm), usize::from(on));
        assert_eq!(bench.counts(), if on { (4, 0) } else { (0, 4) });
        assert!(bench.is_completed());
    }
}

#[test]
fn a_failed_deployment_gets_no_lost_task_back() {
    let mut bench = OneService::new(4, &spot());
    bench.service_mut().alarms = true;
    bench.force();
    bench.run(mins(1));
    let failed = bench.service().primary().id;
    set_alarm(&mut bench);
    assert!(bench.wanted().any(|t| t.deployment == failed));
    bench.interrupt(8);
    bench.run(Duration::ZERO);
    bench.run_watched(mins(10), |b| assert!(b.wanted().all(|t| t.deployment != failed)));
    assert_eq!(bench.running(), 4);
}

#[test]
fn a_deployment_with_alarms_bakes_after_the_old_tasks_are_gone_and_an_alarm_then_still_rolls_it_back() {
    let mut bench = OneService::new(4, &on_demand());
    bench.service_mut().alarms = true;
    let bake = bench.world.facts.alarm_bake_time;
    bench.switch(&spot());
    let mut alone_at = None;
    bench.run_watched(mins(20), |b| {
        let primary = &b.service().primary().id;
        if b.service().tasks.values().all(|t| t.deployment == *primary) {
            alone_at.get_or_insert(b.world.now);
        }
        assert_eq!(b.is_completed(), alone_at.is_some_and(|at| b.since(at) >= bake));
    });
    bench.switch(&on_demand());
    bench.run(mins(5));
    assert!(!bench.is_completed() && bench.wanted_on(&FargateSpot) == 0, "it bakes");
    set_alarm(&mut bench);
    bench.run(mins(20));
    assert_eq!((rollbacks(&bench, RollbackCause::Alarm), bench.counts()), (1, (0, 4)));
}

#[test]
fn an_alarm_without_a_deployment_under_way_changes_nothing() {
    let mut bench = OneService::new(4, &mixed());
    bench.service_mut().alarms = true;
    set_alarm(&mut bench);
    bench.run(mins(10));
    assert_eq!((bench.service().deployments.len(), rollbacks(&bench, RollbackCause::Alarm)), (1, 0));
}

#[test]
fn an_owner_rolls_back_only_a_deployment_under_way() {
    let mut bench = OneService::new(4, &mixed());
    let id = bench.service().id.clone();
    bench.world.happen(WorldEvent::RollBack { service: id.clone() });
    assert_eq!(bench.service().deployments.len(), 1);
    bench.switch(&on_demand());
    bench.run(mins(1));
    bench.world.happen(WorldEvent::RollBack { service: id.clone() });
    bench.world.happen(WorldEvent::RollBack { service: id.clone() });
    bench.run(mins(10));
    assert_eq!(rollbacks(&bench, RollbackCause::Owner), 1, "a rollback under way is not rolled back");
    assert_eq!((bench.counts(), &bench.service().strategy), ((2, 2), &mixed()));
    assert_eq!(states(&bench), [ServiceDeploymentState::RollbackSuccessful]);
}
