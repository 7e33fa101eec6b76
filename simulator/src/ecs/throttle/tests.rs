//! What holds launches back, each fact with its row of aws-facts.md.

use std::time::Duration;

use crate::ecs::api::UpdateService;
use crate::ecs::service::Application;
use crate::observers::trace::{Happening, RollbackCause};
use crate::testing::{OneService, mixed, on_demand, spot};
use crate::workload::owner;

fn mins(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

fn ship(bench: &mut OneService, application: Application) {
    let id = bench.service().id.clone();
    bench.act(|ecs, env| owner::change_application(ecs, env, &id, application));
}

fn impaired(bench: &OneService) -> usize {
    bench.events.iter().filter(|e| e["detail"]["eventName"] == "SERVICE_TASK_START_IMPAIRED").count()
}

fn said(bench: &OneService) -> usize {
    let messages = &bench.service().messages;
    messages
        .iter()
        .filter(|message| message.text.ends_with("is unable to consistently start tasks successfully."))
        .count()
}

// ---- Start throttle (aws-facts.md §3) -------------------------------------------------------------------------------

#[test]
fn tasks_that_repeatedly_fail_to_start_are_retried_with_pauses_that_double_up_to_27_minutes() {
    let mut bench = OneService::new(1, &spot());
    bench.forward_everything();
    ship(&mut bench, Application::FailsToStart);
    let mut pauses: Vec<Duration> = Vec::new();
    let mut known = None;
    bench.run_watched(mins(5 * 60), |b| {
        let until = b.service().starts.throttled_until;
        if until.is_some() && until != known {
            known = until;
            pauses.extend(until.map(|until| until.since(b.world.now)));
        }
        assert!(!b.service().tasks.values().any(|t| t.is_running()) || pauses.is_empty(), "none ever runs");
    });
    let doubled = |n: u32| Duration::from_secs(30 << n).min(mins(27));
    let expected: Vec<Duration> = (0..pauses.len() as u32).map(doubled).collect();
    assert_eq!(pauses, expected);
    assert!(pauses.len() > 8 && pauses.last() == Some(&mins(27)), "the cap is reached: {pauses:?}");
    assert_eq!((impaired(&bench), said(&bench)), (pauses.len(), pauses.len()), "each pause is told");
    let failed = bench.events.iter().find(|e| e["detail"]["stopCode"] == "TaskFailedToStart").expect("an event");
    assert_eq!(failed["detail"]["lastStatus"], "DEACTIVATING");
}

#[test]
fn tasks_of_one_round_make_one_pause() {
    let mut bench = OneService::new(6, &spot());
    ship(&mut bench, Application::FailsToStart);
    bench.run_watched(mins(30), |b| {
        let round = b.service().starts;
        assert!(round.throttled_until.is_none_or(|until| until.since(b.world.now) <= mins(27)));
    });
    assert!((3..=7).contains(&said(&bench)), "{} pauses in half an hour", said(&bench));
}

#[test]
fn a_task_that_runs_ends_the_throttle() {
    let mut bench = OneService::new(2, &spot());
    ship(&mut bench, Application::FailsToStart);
    bench.run(mins(60));
    let paused_until = bench.service().starts.throttled_until.expect("throttled");
    ship(&mut bench, Application::Sound);
    bench.run(paused_until.since(bench.world.now) - Duration::from_secs(1));
    assert_eq!(bench.wanted().count(), 0, "that it is mended changes nothing by itself");
    bench.run(mins(3));
    assert_eq!((bench.running(), bench.service().starts.throttled_until), (2, None));
}

#[test]
fn a_service_update_ends_the_throttle() {
    let mut bench = OneService::new(2, &spot());
    ship(&mut bench, Application::FailsToStart);
    bench.run(mins(60));
    assert!(bench.service().starts.throttled_until.is_some_and(|until| until.since(bench.world.now) > mins(2)));
    ship(&mut bench, Application::Sound);
    bench.switch(&on_demand());
    bench.run(mins(2));
    assert_eq!(bench.counts(), (2, 0));
}

#[test]
fn tasks_that_stop_after_they_have_run_are_neither_throttled_nor_told() {
    let mut bench = OneService::new(3, &spot());
    bench.forward_everything();
    ship(&mut bench, Application::Crashes);
    bench.run(mins(2));
    let mut most_idle = Duration::ZERO;
    let mut last = bench.world.now;
    bench.run_watched(mins(60), |b| {
        if b.wanted().count() > 0 {
            most_idle = most_idle.max(b.world.now.since(last));
            last = b.world.now;
        }
    });
    assert!(most_idle < mins(2), "it is started again at once, always");
    assert_eq!((impaired(&bench), said(&bench)), (0, 0));
    assert!(bench.events.iter().any(|e| e["detail"]["stopCode"] == "EssentialContainerExited"));
}

#[test]
fn a_task_that_fails_to_start_counts_for_the_breaker() {
    let mut bench = OneService::new(4, &spot());
    bench.service_mut().circuit_breaker = true;
    ship(&mut bench, Application::FailsToStart);
    bench.switch(&on_demand());
    bench.run(mins(10));
    let rolled_back = |h: &Happening| matches!(h, Happening::RolledBack { cause: RollbackCause::Breaker, .. });
    assert_eq!(bench.times(rolled_back).len(), 1);
}

// ---- The scheduler's own pace and size (aws-facts.md §4) ------------------------------------------------------------

#[test]
fn the_scheduler_launches_no_more_than_so_many_tasks_of_a_service_within_a_minute() {
    let mut bench = OneService::new(0, &mixed());
    bench.world.facts.service_launches_per_minute = 20;
    bench.scale(50);
    for launched in [20, 40, 50] {
        bench.run(Duration::ZERO);
        assert_eq!(bench.wanted().count(), launched);
        bench.run(Duration::from_secs(59));
        assert_eq!(bench.wanted().count(), launched, "the minute is not over");
        bench.run(Duration::from_secs(1));
    }
    bench.run(mins(2));
    assert_eq!(bench.running(), 50);
    assert_eq!(bench.announced_failures(), 0);
}

#[test]
fn a_service_has_at_most_5000_tasks() {
    let mut bench = OneService::new(2, &mixed());
    let to = |desired| UpdateService { desired: Some(desired), ..UpdateService::default() };
    let error = bench.update(&to(5001)).expect_err("a refusal");
    assert_eq!((error.code, bench.service().desired), ("InvalidParameterException", 2));
    bench.update(&to(5000)).expect("accepted");
}
