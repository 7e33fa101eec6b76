//! Spread, shortage in one zone, and AZ rebalancing, each fact with its row of aws-facts.md.

use std::time::Duration;

use crate::observers::trace::Happening;
use crate::spec::{Capacity, Loss, WorldEvent};
use crate::testing::{Fargate, FargateSpot, OneService, mixed, on_demand, spot};

fn mins(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

fn set_zone(bench: &mut OneService, zone: u8, short: bool, loss: Loss) {
    let accounts = bench.world.spec.accounts.clone();
    bench.act(|ecs, env| ecs.set_spot_zone(env, accounts, zone, short, loss));
}

/// Wanted Spot tasks in the zones `a`, `b` and `c`.
fn spread(bench: &OneService) -> [usize; 3] {
    [0, 1, 2].map(|zone| bench.wanted().filter(|t| t.on_spot() && t.zone == zone).count())
}

/// Names of the service actions that left the account.
fn actions(bench: &OneService) -> Vec<&str> {
    let actions = bench.events.iter().filter(|e| e["detail-type"] == "ECS Service Action");
    actions.map(|e| e["detail"]["eventName"].as_str().expect("a name")).collect()
}

/// A service of six Spot tasks whose zone `c` was lost and has come back: 3, 3, 0.
fn uneven() -> OneService {
    let mut bench = OneService::new(6, &spot());
    bench.forward_everything();
    set_zone(&mut bench, 2, true, Loss::Interrupt);
    bench.run(mins(3));
    assert_eq!((spread(&bench), bench.running()), ([3, 3, 0], 6));
    bench.events.clear();
    bench
}

#[test]
fn tasks_are_spread_over_the_zones_of_their_service_each_providers_apart() {
    let bench = OneService::new(7, &spot());
    assert_eq!(spread(&bench), [3, 2, 2]);
    let bench = OneService::new(12, &mixed());
    assert_eq!((bench.counts(), spread(&bench)), ((4, 8), [3, 3, 2]));
    let on_demand = [0, 1, 2].map(|zone| bench.wanted().filter(|t| t.provider == Fargate && t.zone == zone).count());
    assert_eq!(on_demand, [2, 1, 1]);
    let bench = OneService::of(4, &spot(), |spec| spec.zones = 1);
    assert_eq!(spread(&bench), [4, 0, 0]);
}

#[test]
fn a_task_event_names_the_zone() {
    let mut bench = OneService::new(2, &spot());
    bench.scale(3);
    bench.run(mins(3));
    let event = bench.events.iter().find(|e| e["detail"]["lastStatus"] == "RUNNING").expect("an event");
    assert_eq!(event["detail"]["availabilityZone"], "eu-west-1c");
}

#[test]
fn a_shortage_in_one_zone_moves_its_tasks_to_the_others_and_is_no_placement_failure() {
    let mut bench = uneven();
    assert_eq!(bench.times(|h| matches!(h, Happening::Interrupted { .. })).len(), 2);
    assert_eq!(bench.announced_failures(), 0);
    bench.scale(8);
    bench.run(mins(3));
    assert_eq!(spread(&bench), [4, 4, 0], "new tasks avoid it too");
}

#[test]
fn a_service_in_one_zone_loses_everything_with_that_zone() {
    let mut bench = OneService::of(3, &spot(), |spec| spec.zones = 1);
    set_zone(&mut bench, 1, true, Loss::Interrupt);
    bench.run(mins(3));
    assert_eq!(bench.running(), 3, "another zone does not concern it");
    set_zone(&mut bench, 0, true, Loss::Interrupt);
    bench.run(mins(3));
    assert_eq!((bench.running(), bench.announced_failures()), (0, 1));
    set_zone(&mut bench, 0, false, Loss::Keep);
    bench.run(mins(10));
    assert_eq!(bench.running(), 3);
}

#[test]
fn rebalancing_starts_a_task_before_it_stops_one_until_the_zones_are_even() {
    let mut bench = uneven();
    set_zone(&mut bench, 2, false, Loss::Keep);
    bench.run_watched(mins(20), |b| {
        assert!(b.healthy() >= 6, "never fewer than before");
        assert!(b.wanted().count() <= 7, "one at a time");
    });
    assert_eq!((spread(&bench), bench.running()), ([2, 2, 2], 6));
    let told = actions(&bench);
    let rebalancing: Vec<&str> = told.into_iter().filter(|name| name.contains("REBALANCING")).collect();
    assert_eq!(rebalancing, ["SERVICE_REBALANCING_STARTED", "SERVICE_REBALANCING_COMPLETED"]);
    let reasons = bench.events.iter().filter_map(|e| e["detail"]["stoppedReason"].as_str());
    assert!(reasons.clone().count() > 0);
    reasons
        .for_each(|r| assert!(r.starts_with("Availability-zone rebalancing initiated by (deployment ecs-svc/"), "{r}"));
    assert!(bench.service().messages.iter().any(|message| {
        message
            .text
            .contains("is not AZ balanced with 3 tasks in eu-west-1a, 3 tasks in eu-west-1b, 0 tasks in eu-west-1c")
    }));
    assert_eq!(bench.service().deployments.len(), 1, "that is no deployment");
}

#[test]
fn rebalancing_into_a_zone_without_capacity_emits_the_placement_failure_at_full_count() {
    let mut bench = uneven();
    bench.run_watched(mins(5 * 60), |b| assert_eq!((b.running(), spread(b)), (6, [3, 3, 0])));
    let failure = bench.events.iter().find(|e| e["detail"]["eventName"] == "SERVICE_TASK_PLACEMENT_FAILURE");
    let detail = &failure.expect("an event")["detail"];
    assert_eq!(detail["reason"], "RESOURCE:FARGATE");
    assert_eq!(detail["capacityProviderArns"][0], "arn:aws:ecs:eu-west-1:111111111111:capacity-provider/FARGATE_SPOT");
    assert_eq!(bench.announced_failures(), 1, "repeats are suppressed");
    bench.run(mins(2 * 60));
    assert_eq!(bench.announced_failures(), 2, "for six hours");
    assert_eq!(bench.times(|h| matches!(h, Happening::PlacementFailure { .. })).len(), 0, "no wanted task is missing");
}

#[test]
fn a_deployment_stops_rebalancing() {
    let mut bench = uneven();
    bench.run(mins(20));
    bench.force();
    bench.run(mins(1));
    assert_eq!(actions(&bench).last(), Some(&"SERVICE_REBALANCING_STOPPED"));
    bench.run(mins(10));
    assert!(bench.is_completed());
    assert_eq!(bench.running(), 6);
}

#[test]
fn a_deployment_in_the_middle_of_a_move_leaves_no_task_too_many() {
    let mut bench = uneven();
    set_zone(&mut bench, 2, false, Loss::Keep);
    let mut waited = 0;
    while bench.wanted().count() < 7 {
        waited += 1;
        assert!(waited < 2000, "rebalancing never began");
        bench.run(Duration::from_secs(1));
    }
    bench.switch(&on_demand());
    bench.run(mins(20));
    assert_eq!((bench.counts(), bench.running()), ((6, 0), 6));
}

#[test]
fn a_task_lost_in_the_middle_of_a_move_is_made_up_for_by_the_extra_one() {
    let mut bench = uneven();
    set_zone(&mut bench, 2, false, Loss::Keep);
    while bench.wanted().count() < 7 {
        bench.run(Duration::from_secs(1));
    }
    bench.interrupt(1);
    bench.run_watched(mins(30), |b| assert!((6..=7).contains(&b.wanted().count())));
    assert_eq!((spread(&bench), bench.running()), ([2, 2, 2], 6));
}

#[test]
fn rebalancing_gives_up_where_every_task_that_could_go_is_protected() {
    let mut bench = uneven();
    let id = bench.service().id.clone();
    bench.world.happen(WorldEvent::Protect { service: id.clone(), tasks: 6, time: mins(120) });
    set_zone(&mut bench, 2, false, Loss::Keep);
    bench.run(mins(60));
    assert_eq!((spread(&bench), bench.running()), ([3, 3, 0], 6));
    let rebalancing: Vec<&str> = actions(&bench).into_iter().filter(|name| name.contains("REBALANCING")).collect();
    assert_eq!(rebalancing, ["SERVICE_REBALANCING_STARTED", "SERVICE_REBALANCING_STOPPED"]);
}

#[test]
fn rebalancing_needs_to_be_on_and_a_maximum_above_100_percent() {
    for (on, maximum) in [(false, 200), (true, 100)] {
        let mut bench = OneService::of(6, &spot(), |spec| {
            spec.zone_rebalancing = on;
            spec.maximum_percent = maximum;
            spec.minimum_healthy_percent = 50;
        });
        bench.forward_everything();
        set_zone(&mut bench, 2, true, Loss::Interrupt);
        bench.run(mins(10));
        set_zone(&mut bench, 2, false, Loss::Keep);
        bench.run(mins(60));
        assert_eq!(spread(&bench), [3, 3, 0]);
        assert!(actions(&bench).iter().all(|name| !name.contains("REBALANCING")));
    }
}

#[test]
fn an_even_service_is_left_alone() {
    let mut bench = OneService::new(8, &mixed());
    bench.forward_everything();
    bench.force();
    bench.run(mins(10));
    bench.interrupt(3);
    bench.run(mins(10));
    bench.set_spot(Capacity::Tasks(1), Loss::Interrupt);
    bench.run(mins(10));
    bench.set_spot(Capacity::Unlimited, Loss::Keep);
    bench.run(mins(30));
    assert_eq!(bench.running(), 8);
    assert!(actions(&bench).iter().all(|name| !name.contains("REBALANCING")), "{:?}", actions(&bench));
    assert_eq!(bench.wanted_on(&FargateSpot), 5);
}
