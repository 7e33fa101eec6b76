use handlers::service::ServiceId;
use handlers::strategy::CapacityProvider;
use handlers::timestamp::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::ecs::api::fargate_alone;
use crate::engine::clock::GENESIS;
use crate::observers::ledger::Ledger;
use crate::prices::Rate;
use crate::spec::ServiceSpec;

/// A task of 1 vCPU costs 1.5 an hour on `FARGATE` and 0.75 on `FARGATE_SPOT`.
const PRICES: Prices = Prices {
    region: "nowhere",
    on_demand: Rate { vcpu_hour: 1.0, gb_hour: 0.25 },
    spot: Rate { vcpu_hour: 0.5, gb_hour: 0.125 },
};

fn near(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-12, "{a} is not {b}");
}

fn mins(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

fn at(minutes: u64) -> Timestamp {
    GENESIS + mins(minutes)
}

/// A service of the one account.
fn spec(desired: u32, cpu: u32) -> ServiceSpec {
    let id = ServiceId {
        account: "111111111111".parse().expect("an account"),
        region: "eu-west-1".parse().expect("a region"),
        cluster: "web".parse().expect("a cluster"),
        service: "service".parse().expect("a service"),
    };
    ServiceSpec { cpu, ..ServiceSpec::new(id, desired, fargate_alone()) }
}

/// A service whose tasks all serve on Spot from the start.
fn on_spot(spec: &ServiceSpec) -> Ledger {
    let mut ledger = Ledger::new(GENESIS, spec);
    for _ in 0..spec.desired {
        ledger.task_taken(GENESIS, &CapacityProvider::FargateSpot);
        ledger.task_serves(GENESIS, &CapacityProvider::FargateSpot);
    }
    ledger
}

fn ended(spec: ServiceSpec, mut ledger: Ledger, most_forced_in_a_day: u32) -> ServiceOutcome {
    ledger.close_books(at(60));
    ServiceOutcome {
        id: spec.id,
        original: spec.strategy.clone(),
        live: spec.strategy,
        owner_unknowable: false,
        active: true,
        controller: spec.controller,
        cpu: spec.cpu,
        desired: spec.desired,
        running: spec.desired,
        ledger,
        most_forced_in_a_day,
        record: None,
    }
}

fn outcome(services: Vec<ServiceOutcome>) -> Outcome {
    Outcome {
        happenings: 0,
        trace: Vec::new(),
        services,
        audits: Vec::new(),
        violations: Vec::new(),
        messages_left: 0,
        messages_dead: 0,
        events_dead: 0,
        calls: 0,
        most_looks: 0,
        throttled: 0,
        described: 0,
        update_bucket: (1, 1),
    }
}

/// Two tasks of 1 vCPU; one is lost at 10 minutes, replaced On-Demand at 20, Spot is back at 30, and the owner has it again at 40.
fn hit() -> ServiceOutcome {
    let spec = spec(2, 1024);
    let mut ledger = on_spot(&spec);
    ledger.loss(at(10));
    ledger.task_gone(at(10), &CapacityProvider::FargateSpot, true);
    ledger.episode_begins(at(11));
    ledger.failed_over(at(12));
    ledger.task_taken(at(20), &CapacityProvider::Fargate);
    ledger.task_serves(at(20), &CapacityProvider::Fargate);
    ledger.restored(at(40), Some(at(30)));
    ledger.forced = 2;
    ended(spec, ledger, 2)
}

/// One task of a quarter of a vCPU and more than it wants: three from 30 minutes on. It is failed over at 13 and not restored.
fn crowded() -> ServiceOutcome {
    let spec = spec(1, 256);
    let mut ledger = on_spot(&spec);
    for _ in 0..2 {
        ledger.task_taken(at(30), &CapacityProvider::FargateSpot);
        ledger.task_serves(at(30), &CapacityProvider::FargateSpot);
    }
    ledger.loss(at(10));
    ledger.episode_begins(at(10));
    ledger.failed_over(at(13));
    ledger.forced = 5;
    ended(spec, ledger, 4)
}

#[test]
fn the_figures_of_two_services_are_those_of_the_hand() {
    let figures = Figures::of(&outcome(vec![hit(), crowded()]), PRICES);
    // Wanted: 120 + 60 task-minutes. Missing: one task for 10 minutes; the surplus of the other makes up for nothing.
    assert_eq!(figures.task_time_missing, mins(10));
    assert_eq!(figures.time_short, mins(10));
    near(figures.availability, 170.0 / 180.0);
    // Spot: 2 tasks for 10 minutes and 1 for 50; 1 for 30 and 3 for 30. On-Demand: 1 for 40.
    near(figures.spot_task_hours, (70.0 + 120.0) / 60.0);
    near(figures.on_demand_task_hours, 40.0 / 60.0);
    near(figures.cost, 40.0 / 60.0 * 1.5 + 70.0 / 60.0 * 0.75 + 2.0 * 0.25 * 0.75);
    near(figures.cost_on_demand_alone, 2.0 * 1.5 + 0.25 * 1.5);
    let forced = DeploymentsForced { total: 7, mean: 3.5, most: 5, most_in_a_day: 4 };
    assert_eq!(figures.deployments_forced, forced);
    // Both of one account and lost at the same time: with one token there, the second waits a second at least.
    assert_eq!(figures.episodes, 2);
    let of = |count, p50, max| Some(Percentiles { count, p50, p99: max, max });
    assert_eq!(figures.time_to_failover, of(2, mins(2), mins(3)));
    assert_eq!(figures.time_to_failover_floor, of(2, Duration::ZERO, Duration::from_secs(1)));
    assert_eq!(figures.time_to_restore, of(1, mins(10), mins(10)));
}

#[test]
fn services_that_want_nothing_are_available_and_wait_for_nothing() {
    let spec = spec(0, 256);
    let ledger = Ledger::new(GENESIS, &spec);
    let figures = Figures::of(&outcome(vec![ended(spec, ledger, 0)]), PRICES);
    assert_eq!((figures.availability, figures.time_short, figures.cost), (1.0, Duration::ZERO, 0.0));
    assert_eq!((figures.time_to_failover, figures.time_to_failover_floor, figures.time_to_restore), (None, None, None));
}

#[test]
fn a_task_has_the_smallest_memory_of_its_size() {
    let Prices { on_demand, spot, .. } = Prices::US_EAST_1;
    near(on_demand.task_hour(256), 0.25 * 0.04048 + 0.5 * 0.004445);
    near(on_demand.task_hour(512), 0.5 * 0.04048 + 1.0 * 0.004445);
    near(on_demand.task_hour(16384), 16.0 * 0.04048 + 32.0 * 0.004445);
    near(spot.task_hour(2048), 2.0 * 0.01334053 + 4.0 * 0.00146489);
}

#[test]
fn percentiles_are_times_that_occurred_by_nearest_rank() {
    let of = |times: Vec<u64>| Percentiles::of(times.into_iter().map(Duration::from_secs));
    let is = |count, p50, p99, max| {
        let [p50, p99, max] = [p50, p99, max].map(Duration::from_secs);
        Some(Percentiles { count, p50, p99, max })
    };
    assert_eq!(of(Vec::new()), None);
    assert_eq!(of(vec![7]), is(1, 7, 7, 7));
    assert_eq!(of(vec![4, 1, 3, 2]), is(4, 2, 4, 4));
    assert_eq!(of((1..=100).rev().collect()), is(100, 50, 99, 100));
    assert_eq!(of((1..=201).collect()), is(201, 101, 199, 201));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn at_least_the_share_of_a_percentile_is_as_short_and_not_without_it(times in prop::collection::vec(0..50_u64, 1..300)) {
        let found = Percentiles::of(times.iter().copied().map(Duration::from_millis)).expect("there are times");
        for (percent, time) in [(50, found.p50), (99, found.p99), (100, found.max)] {
            let up_to = times.iter().filter(|t| Duration::from_millis(**t) <= time).count();
            let below = times.iter().filter(|t| Duration::from_millis(**t) < time).count();
            prop_assert!(up_to * 100 >= percent * times.len());
            prop_assert!(below * 100 < percent * times.len());
        }
    }
}
