//! What the scheduler does with tasks and when, each fact with its row of aws-facts.md.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;

use crate::observers::trace::Happening;
use crate::spec::{Capacity, Loss};
use crate::testing::{Fargate, FargateSpot, OneService, mixed, on_demand, spot, strategy};

mod draining;

const NONE: Capacity = Capacity::Tasks(0);

fn mins(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

// ---- Placement (aws-facts.md §3) ------------------------------------------------------------------------------------

#[test]
fn the_base_comes_first_and_the_weights_share_the_rest() {
    // FARGATE base and weight, FARGATE_SPOT base and weight, desired, tasks expected on each.
    for (fargate, spot, desired, expected) in [
        ((1, 1), (0, 3), 6, (2, 4)),
        ((1, 1), (0, 3), 5, (2, 3)),
        ((1, 1), (0, 3), 1, (1, 0)),
        ((1, 1), (0, 3), 9, (3, 6)),
        ((2, 1), (0, 1), 2, (2, 0)),
        ((2, 1), (0, 1), 10, (6, 4)),
        ((4, 1), (0, 1), 3, (3, 0)),
        ((0, 1), (0, 3), 8, (2, 6)),
        ((0, 1), (0, 1), 7, (4, 3)),
        ((0, 0), (0, 1), 4, (0, 4)),
        ((0, 10), (0, 0), 4, (4, 0)),
        ((0, 1), (3, 1), 5, (1, 4)),
        ((0, 1000), (0, 1), 12, (12, 0)),
    ] {
        let strategy = strategy(&[(Fargate, fargate.0, fargate.1), (FargateSpot, spot.0, spot.1)]);
        let bench = OneService::new(desired, &strategy);
        assert_eq!(bench.counts(), expected, "{desired} tasks of {strategy}");
    }
}

#[test]
fn the_ratio_of_running_tasks_changes_only_with_a_forced_deployment() {
    let mut bench = OneService::new(6, &mixed());
    let before: BTreeSet<_> = bench.wanted().map(|t| t.id).collect();
    bench.run(mins(60));
    assert_eq!(bench.wanted().map(|t| t.id).collect::<BTreeSet<_>>(), before);
    bench.switch(&strategy(&[(Fargate, 0, 1), (FargateSpot, 0, 1)]));
    bench.run(mins(10));
    assert_eq!(bench.counts(), (3, 3));
    assert!(bench.wanted().all(|t| !before.contains(&t.id)), "a forced deployment replaces every task");
}

#[test]
fn scaling_out_and_in_follows_the_strategy() {
    let mut bench = OneService::new(5, &mixed());
    for (desired, expected) in [(9, (3, 6)), (5, (2, 3)), (0, (0, 0)), (1, (1, 0)), (6, (2, 4))] {
        bench.scale(desired);
        bench.run(mins(3));
        assert_eq!(bench.counts(), expected, "desired {desired}");
        assert_eq!(bench.running(), desired as usize);
    }
    assert_eq!(bench.service().deployments.len(), 1, "scaling begins no deployment");
}

#[test]
fn a_market_gets_back_what_stopped_tasks_held() {
    let mut bench = OneService::new(6, &mixed());
    for _ in 0..3 {
        bench.switch(&on_demand());
        bench.run(mins(10));
        assert_eq!((bench.markets().on_demand.used, bench.markets().spot.used), (6, 0));
        bench.switch(&mixed());
        bench.run(mins(10));
        assert_eq!((bench.markets().on_demand.used, bench.markets().spot.used), (2, 4));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn with_capacity_for_all_the_base_is_met_and_every_share_is_within_one_task_of_its_weight(
        weights in (0u32..=20, 0u32..=20).prop_filter("one weight above 0", |(a, b)| a + b > 0),
        base in 0u32..=6,
        base_on_spot: bool,
        spot_first: bool,
        desired in 0u32..=24,
    ) {
        let bases = if base_on_spot { (0, base) } else { (base, 0) };
        let mut items = vec![(Fargate, bases.0, weights.0), (FargateSpot, bases.1, weights.1)];
        if spot_first {
            items.reverse();
        }
        let strategy = strategy(&items);
        let mut bench = OneService::new(0, &strategy);
        bench.scale(desired);
        bench.run(mins(3));
        prop_assert_eq!(bench.wanted().count(), desired as usize);
        prop_assert_eq!(bench.running(), desired as usize);
        // An item of weight 0 places no task, and so has no base either.
        let base_of = |base: u32, weight: u32| if weight > 0 { base.min(desired) } else { 0 };
        let above = desired - base_of(bases.0, weights.0) - base_of(bases.1, weights.1);
        for (provider, base, weight) in items {
            let count = bench.wanted_on(&provider) as i64;
            let base = i64::from(base_of(base, weight));
            prop_assert!(count >= base, "base of {}: {}", provider, count);
            let exact = f64::from(above) * f64::from(weight) / f64::from(weights.0 + weights.1);
            prop_assert!(((count - base) as f64 - exact).abs() < 1.0, "{}: {} above the base, exact {}", provider, count - base, exact);
        }
    }
}

// ---- Rolling deployments (aws-facts.md §1.2, §3) --------------------------------------------------------------------

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_forced_deployment_stays_within_its_bounds_and_ends_unless_they_forbid_every_step(
        desired in 1u32..=12,
        minimum in 0u32..=100,
        maximum in 100u32..=200,
    ) {
        let mut bench = OneService::with_bounds(desired, &mixed(), minimum, maximum);
        let least = (desired * minimum).div_ceil(100) as usize;
        let most = (desired * maximum / 100) as usize;
        let mut broken = None;
        bench.force();
        bench.run_watched(mins(60), |b| {
            let (healthy, wanted) = (b.healthy(), b.wanted().count());
            if healthy < least || wanted > most {
                broken.get_or_insert((healthy, wanted));
            }
        });
        prop_assert_eq!(broken, None, "(healthy, pending and running) outside {}..={}", least, most);
        let stuck = least == desired as usize && most == desired as usize;
        prop_assert_eq!(bench.is_completed(), !stuck);
        prop_assert_eq!(bench.service().deployments.len(), if stuck { 2 } else { 1 });
        prop_assert_eq!(bench.running(), desired as usize);
    }
}

#[test]
fn bounds_of_100_and_100_percent_let_nothing_start_or_stop() {
    let mut bench = OneService::with_bounds(4, &mixed(), 100, 100);
    bench.switch(&on_demand());
    bench.run(mins(24 * 60));
    assert!(!bench.is_completed());
    assert_eq!(bench.running(), 4);
    let primary = bench.service().primary().id;
    assert!(bench.wanted().all(|t| t.deployment != primary));
}

#[test]
fn a_maximum_that_rounds_down_to_the_desired_count_lets_nothing_start() {
    let mut bench = OneService::with_bounds(3, &mixed(), 100, 125);
    bench.force();
    bench.run(mins(60));
    assert!(!bench.is_completed(), "125 percent of 3 is 3");
}

#[test]
fn with_100_and_200_percent_old_tasks_survive_until_new_ones_are_healthy() {
    let mut bench = OneService::new(6, &spot());
    let old = bench.service().primary().id;
    bench.switch(&on_demand());
    bench.run_watched(mins(10), |b| assert!(b.healthy() >= 6));
    assert!(bench.is_completed());
    assert!(bench.wanted().all(|t| t.deployment != old && t.provider == Fargate));
}

#[test]
fn a_restore_without_spot_capacity_keeps_the_old_tasks_serving_at_100_and_200_percent() {
    let mut bench = OneService::new(6, &on_demand());
    bench.set_spot(NONE, Loss::Interrupt);
    bench.switch(&spot());
    bench.run_watched(mins(120), |b| assert_eq!(b.healthy(), 6));
    assert!(!bench.is_completed());
    assert_eq!(bench.counts(), (6, 0));
}

#[test]
fn a_minimum_of_0_percent_stops_every_old_task_at_once() {
    let mut bench = OneService::with_bounds(5, &on_demand(), 0, 100);
    bench.set_spot(NONE, Loss::Interrupt);
    bench.switch(&spot());
    bench.run(Duration::ZERO);
    assert_eq!((bench.wanted().count(), bench.running()), (0, 0), "and without Spot capacity nothing comes instead");
}

#[test]
fn a_full_maximum_is_not_held_up_by_tasks_that_find_no_capacity() {
    let mut bench = OneService::with_bounds(4, &on_demand(), 100, 125);
    bench.set_spot(NONE, Loss::Interrupt);
    bench.switch(&mixed());
    bench.run(mins(60));
    let primary = bench.service().primary().id;
    assert_eq!(bench.wanted().filter(|t| t.deployment == primary).count(), 2, "base 1 and the FARGATE share of 3");
    assert_eq!(bench.running(), 4);
}

#[test]
fn no_deployment_is_completed_before_its_earliest_time_even_with_no_tasks() {
    let shortest = OneService::new(0, &mixed()).world.facts.empty_deployment.min;
    let longest = OneService::new(0, &mixed()).world.facts.empty_deployment.max;
    for desired in [0, 1, 5] {
        let mut bench = OneService::new(desired, &mixed());
        let begun = bench.world.now;
        bench.force();
        bench.run_watched(mins(10), |b| assert!(!b.is_completed() || b.since(begun) >= shortest));
        let completed = bench.times(|h| matches!(h, Happening::DeploymentCompleted { .. }));
        assert_eq!(completed.len(), 1);
        assert!(desired > 0 || completed[0].since(begun) <= longest);
        assert!(bench.is_completed());
    }
}

#[test]
fn a_deployment_is_completed_only_when_its_tasks_are_healthy_and_the_old_ones_gone() {
    let mut bench = OneService::new(5, &mixed());
    bench.force();
    let mut was_completed = false;
    bench.run_watched(mins(10), |b| {
        if b.is_completed() && !was_completed {
            was_completed = true;
            let primary = &b.service().primary().id;
            assert_eq!(b.healthy(), 5);
            assert!(b.service().tasks.values().all(|t| t.deployment == *primary));
        }
    });
    assert!(was_completed);
}

// ---- Spot short (aws-facts.md §2.6, §3) -----------------------------------------------------------------------------

#[test]
fn without_spot_the_fargate_share_is_kept_and_nothing_takes_the_place_of_spot() {
    let mut bench = OneService::new(6, &mixed());
    bench.set_spot(NONE, Loss::Interrupt);
    bench.run(mins(5));
    assert_eq!(bench.counts(), (2, 0));
    bench.run_watched(mins(12 * 60), |b| assert_eq!(b.counts(), (2, 0)));
    bench.scale(9);
    bench.run(mins(10));
    assert_eq!(bench.counts(), (3, 0), "only the FARGATE share of the new tasks");
    bench.set_spot(Capacity::Unlimited, Loss::Interrupt);
    bench.run(mins(10));
    assert_eq!(bench.counts(), (3, 6), "the missing tasks come when Spot is back, in the same ratio");
}

#[test]
fn a_market_never_holds_more_tasks_than_it_has_room_for() {
    let mut bench = OneService::new(8, &spot());
    bench.set_spot(Capacity::Tasks(3), Loss::Keep);
    assert_eq!(bench.running(), 8, "running tasks stay");
    bench.interrupt(8);
    bench.run(mins(5));
    bench.run_watched(mins(60), |b| assert!(b.markets().spot.used <= 3));
    assert_eq!(bench.counts(), (0, 3));
}

#[test]
fn pauses_after_failed_placements_double_up_to_the_cap_and_an_update_resets_them() {
    let mut bench = OneService::new(2, &spot());
    let (first, cap) = (bench.world.facts.placement_retry, bench.world.facts.placement_retry_cap);
    bench.set_spot(NONE, Loss::Interrupt);
    // The time of each try with the time of the next.
    let mut tries = Vec::new();
    let mut watch = |b: &OneService| {
        let placement = b.service().placement.get(&FargateSpot).copied().unwrap_or_default();
        let next = placement.retry_at.filter(|at| *at > b.world.now);
        if let Some(next) = next.filter(|next| tries.last().is_none_or(|(_, known)| known != next)) {
            tries.push((b.world.now, next));
        }
    };
    bench.run_watched(mins(30), &mut watch);
    bench.force();
    bench.run_watched(mins(2), &mut watch);
    let pauses: Vec<Duration> = tries.iter().map(|(now, next)| next.since(*now)).collect();
    let reset = pauses.iter().skip(1).position(|p| *p < first * 2).expect("the update reset the pauses") + 1;
    for (n, pause) in pauses[..reset].iter().enumerate() {
        let expected = (first * (1 << n.min(10))).min(cap);
        assert!((expected..=expected + expected / 10).contains(pause), "pause {n}: {pause:?}, expected {expected:?}");
    }
    assert!(reset >= 6, "the cap was reached: {pauses:?}");
    assert!((first..=first + first / 10).contains(&pauses[reset]), "{pauses:?}");
}

#[test]
fn repeats_of_a_placement_failure_are_suppressed_until_the_cause_was_gone_or_six_hours_passed() {
    let mut bench = OneService::new(4, &mixed());
    bench.set_spot(NONE, Loss::Interrupt);
    bench.run(mins(5 * 60));
    assert_eq!(bench.announced_failures(), 1, "one event, then hours of silence");
    bench.run(mins(2 * 60));
    assert_eq!(bench.announced_failures(), 2, "six hours have passed");
    bench.set_spot(Capacity::Unlimited, Loss::Interrupt);
    bench.run(mins(30));
    bench.set_spot(NONE, Loss::Interrupt);
    bench.run(mins(10));
    assert_eq!(bench.announced_failures(), 3, "a new outage is told at once");
    let messages = bench.service().messages.iter().filter(|message| message.text.contains("unable to place a task"));
    assert_eq!(messages.count(), 3, "the service's messages say the same");
}

#[test]
fn a_shortage_that_ends_by_scaling_in_counts_as_gone() {
    let mut bench = OneService::new(6, &mixed());
    bench.set_spot(NONE, Loss::Interrupt);
    bench.run(mins(30));
    bench.scale(2);
    bench.run(mins(5));
    assert_eq!((bench.running(), bench.announced_failures()), (2, 1), "two FARGATE tasks are all that is wanted");
    bench.scale(6);
    bench.run(mins(1));
    assert_eq!(bench.announced_failures(), 2);
}

#[test]
fn a_successful_placement_makes_the_next_pause_a_short_one_again() {
    let mut bench = OneService::new(4, &spot());
    bench.set_spot(NONE, Loss::Interrupt);
    bench.run(mins(60));
    bench.set_spot(Capacity::Tasks(2), Loss::Interrupt);
    bench.run_watched(mins(6), |b| {
        let placement = b.service().placement.get(&FargateSpot).copied().unwrap_or_default();
        assert!(b.wanted().count() == 0 || placement.failures <= 5, "{placement:?}");
    });
    assert_eq!(bench.counts(), (0, 2));
}

#[test]
fn a_placement_failure_names_the_provider_without_capacity() {
    let mut bench = OneService::new(4, &mixed());
    bench.set_spot(NONE, Loss::Interrupt);
    bench.run(mins(10));
    let failure = bench.events.iter().find(|e| e["detail-type"] == "ECS Service Action").expect("an event");
    assert_eq!(failure["resources"][0], "arn:aws:ecs:eu-west-1:111111111111:service/web/checkout");
    assert_eq!(
        failure["detail"]["capacityProviderArns"][0],
        "arn:aws:ecs:eu-west-1:111111111111:capacity-provider/FARGATE_SPOT"
    );
    assert_eq!(failure["detail"]["reason"], "RESOURCE:FARGATE");
    assert_eq!(failure["detail"]["eventType"], "ERROR");
}

#[test]
fn a_silent_loss_announces_neither_an_interruption_nor_a_placement_failure() {
    let mut bench = OneService::new(6, &mixed());
    bench.set_spot(NONE, Loss::Silent);
    bench.run(mins(7 * 60));
    assert_eq!(bench.counts(), (2, 0));
    assert_eq!(bench.announced_failures(), 0);
    assert!(bench.events.iter().all(|e| e["detail"]["stopCode"].is_null()));
    assert!(bench.events.iter().all(|e| e["detail"]["stoppedReason"].as_str().unwrap_or_default().is_empty()));
    assert!(bench.service().messages.is_empty());
    assert_eq!(bench.times(|h| matches!(h, Happening::Vanished { .. })).len(), 4);
}

// ---- Interruption (aws-facts.md §2.3) -------------------------------------------------------------------------------

#[test]
fn an_interruption_is_told_while_the_task_still_runs_and_every_later_event_repeats_it() {
    let mut bench = OneService::new(4, &mixed());
    let victim = bench.wanted().find(|t| t.on_spot()).expect("a Spot task").id.to_string();
    bench.interrupt(1);
    bench.run(Duration::from_secs(20));
    assert!(bench.service().tasks.values().any(|t| t.id.to_string() == victim), "it has 30 s from SIGTERM to SIGKILL");
    bench.run(mins(5));
    let of_victim = |e: &&Value| e["detail"]["taskArn"].as_str().is_some_and(|arn| arn.ends_with(&*victim));
    let events: Vec<&Value> = bench.events.iter().filter(of_victim).map(|e| &e["detail"]).collect();
    let shape =
        |e: &&Value| (e["lastStatus"].as_str().unwrap().to_owned(), e["desiredStatus"].as_str().unwrap().to_owned());
    assert_eq!(
        events.iter().map(shape).collect::<Vec<_>>(),
        [("RUNNING".to_owned(), "STOPPED".to_owned()), ("STOPPED".to_owned(), "STOPPED".to_owned())]
    );
    for event in &events {
        assert_eq!(event["stopCode"], "SpotInterruption");
        assert_eq!(event["stoppedReason"], "Your Spot Task was interrupted.");
        assert_eq!(event["capacityProviderName"], "FARGATE_SPOT");
        assert_eq!(event["group"], "service:checkout");
        assert_eq!(event["launchType"], "FARGATE");
    }
    let version = |event: &Value| event["version"].as_u64().expect("a version");
    // DEACTIVATING, STOPPING and DEPROVISIONING lie between the two and have versions too, but no rule forwards them.
    assert_eq!(version(events[1]), version(events[0]) + 4);
}

/// `lastStatus` and `version` of the events of one task.
fn life(bench: &OneService, task: &str) -> Vec<(String, u64)> {
    let of_task = |e: &&Value| e["detail"]["taskArn"].as_str().is_some_and(|arn| arn.ends_with(task));
    let events = bench.events.iter().filter(of_task).map(|e| &e["detail"]);
    events.map(|e| (e["lastStatus"].as_str().unwrap().to_owned(), e["version"].as_u64().unwrap())).collect()
}

#[test]
fn every_step_of_a_task_is_an_event_and_raises_its_version_by_one() {
    let mut bench = OneService::new(1, &spot());
    bench.forward_everything();
    bench.scale(2);
    bench.run(mins(3));
    let task = bench.wanted().last().expect("the second task").id.to_string();
    bench.scale(1);
    bench.run(mins(3));
    let mut steps = life(&bench, &task);
    steps.sort_by_key(|(_, version)| *version);
    let names: Vec<&str> = steps.iter().map(|(status, _)| status.as_str()).collect();
    let expected = "PROVISIONING PENDING ACTIVATING RUNNING RUNNING DEACTIVATING STOPPING DEPROVISIONING STOPPED";
    assert_eq!(names.join(" "), expected, "RUNNING once more when it is told to stop");
    assert!(steps.iter().map(|(_, version)| *version).eq(1..=9), "{steps:?}");
}

#[test]
fn steps_that_no_rule_looks_at_count_in_the_version_and_take_no_longer_without_their_events() {
    let mut heard = OneService::new(1, &spot());
    heard.forward_everything();
    let mut unheard = OneService::new(1, &spot());
    for bench in [&mut heard, &mut unheard] {
        bench.scale(2);
        bench.run(mins(3));
        bench.scale(1);
        bench.run(mins(3));
    }
    let shown = |bench: &OneService| {
        let shown = |e: &&Value| ["RUNNING", "STOPPED"].iter().any(|s| e["detail"]["lastStatus"] == *s);
        let tasks = bench.events.iter().filter(|e| e["detail-type"] == "ECS Task State Change").filter(shown);
        tasks.map(|e| e["detail"].to_string()).collect::<BTreeSet<_>>()
    };
    assert_eq!(shown(&heard), shown(&unheard));
    assert_eq!(shown(&unheard).len(), 3);
}

#[test]
fn an_interrupted_task_is_replaced_at_once_while_spot_has_room() {
    let mut bench = OneService::new(4, &mixed());
    bench.interrupt(2);
    bench.run(Duration::ZERO);
    assert_eq!(bench.counts(), (2, 2), "the replacements are under way before the tasks are gone");
    bench.run(mins(5));
    assert_eq!(bench.running(), 4);
    assert_eq!(bench.announced_failures(), 0);
    assert_eq!(bench.times(|h| matches!(h, Happening::SteadyState)).len(), 1);
}

#[test]
fn a_task_interrupted_before_it_runs_stops_without_serving() {
    let mut bench = OneService::new(1, &spot());
    bench.scale(4);
    bench.run(Duration::from_secs(1));
    assert_eq!(bench.running(), 1);
    bench.interrupt(4);
    bench.run(mins(5));
    assert_eq!((bench.running(), bench.markets().spot.used), (4, 4));
}

// ---- Quotas (aws-facts.md §4) ---------------------------------------------------------------------------------------

#[test]
fn the_vcpu_quotas_of_on_demand_and_spot_are_apart_and_a_task_over_them_is_refused_in_the_words_of_aws() {
    let mut bench = OneService::new(2, &mixed());
    bench.service_mut().cpu = 1024;
    bench.world.facts.on_demand_vcpu_quota = Some(2);
    bench.world.facts.spot_vcpu_quota = Some(3);
    bench.forward_everything();
    bench.scale(12);
    bench.run(mins(10));
    // The two tasks of the beginning were of 256 units each.
    assert_eq!(bench.counts(), (2, 3));
    assert!(bench.service().messages.iter().any(|message| message.text.ends_with(
        "was unable to place a task. Reason: You've reached the limit on the number of vCPUs you can run concurrently"
    )));
    let refused = bench.times(|h| matches!(h, Happening::PlacementFailure { over_quota: true, .. }));
    assert_eq!(refused.len(), 2, "one for each provider");
    let failure = bench.events.iter().find(|e| e["detail"]["eventName"] == "SERVICE_TASK_PLACEMENT_FAILURE");
    assert_eq!(failure.expect("an event")["detail"]["reason"], "RESOURCE:FARGATE");
}

#[test]
fn a_stopped_task_gives_its_vcpus_back() {
    let mut bench = OneService::new(4, &spot());
    bench.world.facts.spot_vcpu_quota = Some(1);
    bench.interrupt(2);
    bench.run(mins(10));
    assert_eq!(bench.running(), 4, "four tasks of a quarter of a vCPU, though the two could not be replaced at once");
}

#[test]
fn launches_beyond_the_accounts_rate_wait_and_are_told_as_throttled() {
    let mut bench = OneService::new(0, &mixed());
    bench.forward_everything();
    bench.world.facts.launch_bucket = Some((4, 1));
    bench.scale(16);
    bench.run(Duration::ZERO);
    assert!(bench.wanted().count() <= 8, "four of each provider");
    bench.run(mins(3));
    assert_eq!((bench.running(), bench.announced_failures()), (16, 0));
    let throttled = bench
        .service()
        .messages
        .iter()
        .filter(|message| message.text.ends_with("operations are being throttled. Will try again later."));
    assert_eq!(throttled.count(), 1, "said once");
    assert!(bench.events.iter().any(|e| e["detail"]["eventName"] == "ECS_OPERATION_THROTTLED"));
}

// ---- Messages (aws-facts.md §2.6) -----------------------------------------------------------------------------------

#[test]
fn a_service_says_periodically_that_it_is_in_a_steady_state() {
    let mut bench = OneService::new(3, &mixed());
    bench.run(mins(25 * 60));
    let steady =
        bench.service().messages.iter().filter(|message| message.text.ends_with("has reached a steady state."));
    assert_eq!(steady.count(), 4, "every six hours");
}

#[test]
fn the_event_of_a_steady_state_is_repeated_with_the_message_for_whoever_listens() {
    let steady =
        |bench: &OneService| bench.events.iter().filter(|e| e["detail"]["eventName"] == "SERVICE_STEADY_STATE").count();
    let mut bench = OneService::new(3, &mixed());
    bench.forward_everything();
    bench.run(mins(25 * 60));
    assert_eq!(steady(&bench), 4);
    let mut bench = OneService::new(3, &mixed());
    bench.run(mins(25 * 60));
    assert_eq!(steady(&bench), 0, "no rule of the product lets it pass");
}

#[test]
fn bounds_that_let_nothing_start_or_stop_are_told_and_not_repeated_within_six_hours() {
    let mut bench = OneService::with_bounds(3, &mixed(), 100, 125);
    bench.force();
    let stuck = |b: &OneService| {
        b.service().messages.iter().filter(|message| message.text.contains("deployment configuration")).count()
    };
    bench.run(mins(5 * 60));
    assert_eq!(stuck(&bench), 1);
    bench.run(mins(2 * 60));
    assert_eq!(stuck(&bench), 2);
    let mut bench = OneService::new(3, &mixed());
    bench.force();
    bench.run_watched(mins(20), |b| assert_eq!(stuck(b), 0, "a deployment that can move says nothing"));
}
