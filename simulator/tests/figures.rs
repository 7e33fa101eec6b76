//! The figures of whole runs: what no run can beat, it does not, and what can be counted another way comes out the same.

use std::time::Duration;

use proptest::prelude::*;
use simulator::facts::Facts;
use simulator::figures::Figures;
use simulator::prices::Prices;
use simulator::spec::Loss;
use simulator::trace::{Caller, Happening};
use simulator::{Outcome, run};

mod worlds;

use worlds::{Owned, Trouble, config, mins, strategy, world};

fn outage(account: usize, from: u64, until: u64, loss: Loss) -> Trouble {
    Trouble::Outage { account, from: Duration::from_secs(from), until: Duration::from_secs(until), left: 0, loss }
}

/// The services of two accounts, each of one or two tasks on Spot alone.
fn on_spot(crowd: usize, elsewhere: usize) -> Vec<Owned> {
    let owned = |account, n: usize| Owned {
        account,
        desired: 1 + n as u32 % 2,
        strategy: strategy((0, 0), (0, 1)),
        bounds: (100, 200),
    };
    (0..crowd).map(|n| owned(0, n)).chain((0..elsewhere).map(|n| owned(1, n))).collect()
}

fn play(seed: u64, services: &[Owned], troubles: &[Trouble], update_bucket: (u32, u32)) -> (Outcome, Figures) {
    let facts = Facts { update_bucket, series: true, ..Facts::default() };
    let spec = world(seed, mins(1), services, troubles);
    let outcome = run(spec, facts, mins(90)).expect("the product's patterns are valid");
    let figures = Figures::of(&outcome, Prices::US_EAST_1);
    (outcome, figures)
}

#[test]
fn a_crowd_is_failed_over_no_faster_than_its_bucket_allows_and_its_floor_says_how_fast() {
    let (outcome, figures) = play(1, &on_spot(60, 2), &[outage(0, 600, 3000, Loss::Interrupt)], (10, 2));
    let actual = figures.time_to_failover.expect("there were failovers");
    let floor = figures.time_to_failover_floor.expect("there were failovers");
    assert_eq!((figures.episodes, actual.count, floor.count), (60, 60, 60));
    // The 60th waits for 50 tokens at two a second; its loss came at most 10 seconds after the first.
    assert!(floor.max >= Duration::from_secs(15) && floor.max <= Duration::from_secs(25), "{floor:?}");
    assert!(floor.p50 < floor.p99 && floor.p99 <= floor.max, "{floor:?}");
    assert!(floor.p50 <= actual.p50 && floor.p99 <= actual.p99 && floor.max <= actual.max, "{floor:?} {actual:?}");
    // The trace counts the same.
    let forced = outcome.trace.iter().filter(|entry| {
        matches!(&entry.what, Happening::Updated { caller: Caller::Recovery, deployment: Some(_), .. })
    });
    assert_eq!(figures.deployments_forced.total, forced.count() as u64);
    assert!(figures.deployments_forced.total >= 60);
    assert_eq!(
        figures.deployments_forced.most, figures.deployments_forced.most_in_a_day,
        "the run is shorter than a day"
    );
    assert!(figures.time_short > Duration::ZERO && figures.task_time_missing >= figures.time_short);
}

#[test]
fn a_run_without_trouble_is_short_of_nothing_and_costs_its_spot_tasks() {
    let (_, figures) = play(1, &on_spot(2, 0), &[], (50, 5));
    assert_eq!((figures.availability, figures.time_short, figures.episodes), (1.0, Duration::ZERO, 0));
    assert_eq!(figures.deployments_forced.total, 0);
    // One task and two, of 0.25 vCPU, for an hour and a half.
    assert_eq!((figures.on_demand_task_hours, figures.spot_task_hours), (0.0, 4.5));
    let expected = 4.5 * (0.25 * 0.01334053 + 0.5 * 0.00146489);
    assert!((figures.cost - expected).abs() < 1e-9, "{} is not {expected}", figures.cost);
}

fn any_outage() -> impl Strategy<Value = Trouble> {
    let loss = prop_oneof![Just(Loss::Interrupt), Just(Loss::Silent)];
    (0..2_usize, 60..2400_u64, 60..1800_u64, loss)
        .prop_map(|(account, from, long, loss)| outage(account, from, from + long, loss))
}

proptest! {
    #![proptest_config(config(16))]

    #[test]
    fn no_run_beats_its_floor(
        seed in any::<u64>(),
        (crowd, elsewhere) in (1..16_usize, 0..6_usize),
        bucket in (1..6_u32, 1..3_u32),
        troubles in prop::collection::vec(any_outage(), 1..4),
    ) {
        let (_, figures) = play(seed, &on_spot(crowd, elsewhere), &troubles, bucket);
        if let (Some(actual), Some(floor)) = (figures.time_to_failover, figures.time_to_failover_floor) {
            prop_assert_eq!(actual.count, floor.count);
            prop_assert!(floor.p50 <= actual.p50 && floor.p99 <= actual.p99 && floor.max <= actual.max,
                "floor {:?}, actual {:?}", floor, actual);
        }
    }

    #[test]
    fn the_series_of_counts_adds_up_to_the_books(
        seed in any::<u64>(),
        services in 1..8_usize,
        troubles in prop::collection::vec(any_outage(), 1..4),
    ) {
        let (outcome, _) = play(seed, &on_spot(services, 2), &troubles, (50, 5));
        for service in &outcome.services {
            let (ledger, end) = (&service.ledger, mins(90));
            let until = ledger.series.iter().skip(1).map(|next| next.at).chain([end]);
            let mut added = (0, 0, Duration::ZERO);
            for (counts, until) in ledger.series.iter().zip(until) {
                let (ms, running) = ((until - counts.at).as_millis(), counts.spot + counts.on_demand);
                added.0 += ms * u128::from(counts.desired);
                added.1 += ms * u128::from(counts.desired.saturating_sub(running));
                added.2 += if running < counts.desired { until - counts.at } else { Duration::ZERO };
            }
            let booked = (ledger.task_time_wanted().as_millis(), ledger.task_time_missing().as_millis(), ledger.time_short());
            prop_assert_eq!(added, booked, "{}", service.id);
            prop_assert_eq!(ledger.series.last().map(|counts| counts.spot + counts.on_demand), Some(service.running));
        }
    }
}
