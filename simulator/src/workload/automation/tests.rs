//! What auto scalers and pipelines do, each fact with its row of aws-facts.md.

use std::time::Duration;

use crate::observers::trace::{Caller, Happening};
use crate::spec::{Autoscaling, Capacity, Loss, Terraform};
use crate::testing::{OneService, on_demand, spot};

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

fn scaled() -> OneService {
    OneService::of(6, &spot(), |spec| spec.autoscaling = Some(Autoscaling { min: 2, max: 10 }))
}

fn refusals(bench: &OneService) -> usize {
    bench.times(|h| matches!(h, Happening::UpdateRefused { caller: Caller::Owner, .. })).len()
}

#[test]
fn an_auto_scaler_follows_the_day_one_task_at_a_time_and_begins_no_deployment() {
    let mut bench = scaled();
    let (mut least, mut most, mut last) = (u32::MAX, 0, bench.service().desired);
    bench.run_watched(hours(48), |b| {
        let desired = b.service().desired;
        assert!(desired.abs_diff(last) <= 1);
        (least, most, last) = (least.min(desired), most.max(desired), desired);
    });
    assert_eq!((least, most), (2, 10));
    assert_eq!(bench.service().deployments.len(), 1);
    let updates = bench.times(|h| matches!(h, Happening::Updated { caller: Caller::AutoScaler, .. }));
    assert!((32..=400).contains(&updates.len()), "{} updates in two days", updates.len());
}

#[test]
fn an_auto_scaler_is_highest_after_six_hours_and_lowest_after_eighteen() {
    let mut bench = scaled();
    bench.run(hours(6));
    assert!(bench.service().desired >= 9, "{}", bench.service().desired);
    bench.run(hours(12));
    assert!(bench.service().desired <= 3, "{}", bench.service().desired);
}

#[test]
fn an_auto_scaler_adds_nothing_to_a_service_that_is_short() {
    let mut bench = scaled();
    bench.set_spot(Capacity::Tasks(3), Loss::Interrupt);
    bench.run_watched(hours(5), |b| assert!(b.service().desired <= 7));
}

#[test]
fn an_auto_scaler_takes_nothing_away_while_a_deployment_runs() {
    let mut bench = scaled();
    bench.set_on_demand(Capacity::Tasks(0));
    bench.switch(&on_demand());
    bench.run_watched(hours(18), |b| assert!(b.service().desired >= 6));
}

#[test]
fn terraform_without_force_is_refused_each_time_it_finds_another_strategy() {
    let mut bench =
        OneService::of(3, &spot(), |spec| spec.terraform = Some(Terraform { every: hours(1), force: false }));
    bench.run(hours(3));
    assert_eq!(refusals(&bench), 0, "nothing differs");
    bench.service_mut().strategy = on_demand();
    bench.run(hours(3));
    assert_eq!((refusals(&bench), &bench.service().strategy), (3, &on_demand()));
}

#[test]
fn terraform_with_force_brings_the_declared_strategy_back() {
    let mut bench =
        OneService::of(3, &spot(), |spec| spec.terraform = Some(Terraform { every: hours(1), force: true }));
    bench.service_mut().strategy = on_demand();
    bench.run(hours(2));
    assert_eq!((refusals(&bench), bench.counts(), &bench.service().strategy), (0, (0, 3), &spot()));
    assert!(bench.is_completed());
    bench.switch(&on_demand());
    bench.run(hours(3));
    assert_eq!(bench.service().strategy, on_demand(), "what the owner declared since is what it wants");
}
