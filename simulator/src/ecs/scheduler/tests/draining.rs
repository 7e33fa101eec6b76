//! Tasks that do not go at once: protected ones, and those a load balancer drains (aws-facts.md §1.6, §3).

use std::time::Duration;

use super::mins;
use crate::ecs::task::Status;
use crate::observers::trace::Happening;
use crate::spec::{ServiceSpec, WorldEvent};
use crate::testing::{OneService, on_demand, spot};

fn protect(bench: &mut OneService, tasks: u32, time: Duration) {
    let id = bench.service().id.clone();
    bench.world.happen(WorldEvent::Protect { service: id, tasks, time });
}

#[test]
fn a_protected_task_outlives_scale_in_and_an_unprotected_one_goes_in_its_place() {
    let mut bench = OneService::new(4, &spot());
    let oldest: Vec<_> = bench.wanted().take(2).map(|t| t.id).collect();
    protect(&mut bench, 2, mins(60));
    bench.scale(1);
    bench.run(mins(10));
    assert_eq!(bench.wanted().map(|t| t.id).collect::<Vec<_>>(), oldest, "both, though one is wanted");
    bench.run(mins(60));
    assert_eq!(bench.wanted().count(), 1, "until the protection expires");
}

#[test]
fn a_protected_task_delays_a_deployment_until_its_protection_expires_and_is_interrupted_all_the_same() {
    let mut bench = OneService::new(4, &spot());
    protect(&mut bench, 1, mins(120));
    bench.switch(&on_demand());
    bench.run(mins(100));
    assert!(!bench.is_completed());
    assert_eq!(bench.counts(), (4, 1));
    bench.run(mins(30));
    assert!(bench.is_completed());
    assert_eq!(bench.counts(), (4, 0));
    let mut bench = OneService::new(4, &spot());
    protect(&mut bench, 4, mins(120));
    bench.interrupt(4);
    bench.run(mins(2));
    assert_eq!(bench.times(|h| matches!(h, Happening::Interrupted { .. })).len(), 4);
}

#[test]
fn a_load_balancer_drains_a_task_before_sigterm_within_the_two_minutes_of_an_interruption() {
    let shape = |spec: &mut ServiceSpec| spec.deregistration_delay = mins(5);
    // How long the first Spot task that was told to stop was still there.
    let stays = |bench: &mut OneService| {
        let (mut told, mut gone) = (None, None);
        bench.run_watched(mins(10), |b| {
            let draining = b.service().tasks.values().any(|t| t.stop.is_some() && t.status == Status::Running);
            if draining {
                told.get_or_insert(b.world.now);
            } else if told.is_some() {
                gone.get_or_insert(b.world.now);
            }
        });
        gone.expect("it stops").since(told.expect("it was told"))
    };
    let mut bench = OneService::of(1, &spot(), shape);
    bench.interrupt(1);
    assert_eq!(stays(&mut bench), mins(2), "two minutes, however long the target drains");
    let mut bench = OneService::of(1, &spot(), shape);
    bench.world.facts.spot_deregisters = false;
    bench.interrupt(1);
    assert_eq!(stays(&mut bench), Duration::from_secs(30), "by parameter only SIGTERM to SIGKILL");
    let mut bench = OneService::of(2, &spot(), shape);
    bench.scale(1);
    assert!((mins(5)..=mins(5) + Duration::from_secs(10)).contains(&stays(&mut bench)), "the scheduler waits it out");
}
