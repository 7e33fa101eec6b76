//! How Spot markets go up and down by themselves.

use std::time::Duration;

use crate::engine::dice::Dice;
use crate::observers::trace::Happening;
use crate::spec::{Capacity, Loss, SpotShape, WorldEvent};
use crate::testing::{OneService, spot};

fn mins(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

fn begin(bench: &mut OneService, shape: SpotShape) {
    let accounts = bench.world.spec.accounts.clone();
    bench.world.happen(WorldEvent::SpotShape { accounts, shape });
}

/// When Spot changed, in minutes since `from`, and to what.
fn changes(bench: &OneService, from: Duration) -> Vec<(u64, Capacity)> {
    let change = |e: &crate::observers::trace::Entry| match &e.what {
        Happening::SpotCapacity { capacity, .. } => Some(((e.at - from).as_secs() / 60, *capacity)),
        _ => None,
    };
    bench.world.seen.trace.iter().filter_map(change).collect()
}

#[test]
fn a_flapping_market_goes_and_comes_back_until_it_is_set() {
    let mut bench = OneService::new(4, &spot());
    let from = crate::engine::clock::elapsed(bench.world.now);
    begin(&mut bench, SpotShape::Flapping { up: mins(10), down: mins(5) });
    bench.run(mins(31));
    assert_eq!(bench.counts(), (0, 0), "gone for the third time");
    bench.set_spot(Capacity::Unlimited, Loss::Keep);
    bench.run(mins(120));
    let (none, all) = (Capacity::Tasks(0), Capacity::Unlimited);
    assert_eq!(changes(&bench, from), [(0, none), (5, all), (15, none), (20, all), (30, none), (31, all)]);
    assert_eq!(bench.running(), 4);
}

#[test]
fn a_slow_return_adds_tasks_every_minute_until_it_is_unlimited() {
    let mut bench = OneService::new(6, &spot());
    let from = crate::engine::clock::elapsed(bench.world.now);
    begin(&mut bench, SpotShape::SlowReturn { per_minute: 2, until: 6 });
    bench.run_watched(mins(30), |b| {
        assert!(b.since(crate::engine::clock::GENESIS) < from + mins(1) || b.healthy() <= 6)
    });
    let tasks = Capacity::Tasks;
    assert_eq!(changes(&bench, from), [(0, tasks(0)), (1, tasks(2)), (2, tasks(4)), (3, Capacity::Unlimited)]);
    assert_eq!(bench.running(), 6);
    assert!(bench.world.workload.shapes.is_empty());
}

#[test]
fn a_new_shape_takes_the_place_of_the_one_before() {
    let mut bench = OneService::new(2, &spot());
    begin(&mut bench, SpotShape::Flapping { up: mins(1), down: mins(1) });
    begin(&mut bench, SpotShape::SlowReturn { per_minute: 1, until: 1 });
    bench.world.seen.trace.clear();
    bench.run(mins(60));
    assert_eq!(changes(&bench, Duration::ZERO).len(), 1);
}

#[test]
fn tasks_moved_in_silence_are_replaced_on_spot_and_announce_nothing() {
    let mut bench = OneService::new(5, &spot());
    let accounts = bench.world.spec.accounts.clone();
    bench.world.happen(WorldEvent::SpotRebalance { accounts, tasks: 2 });
    bench.run(mins(5));
    assert_eq!((bench.counts(), bench.running()), ((0, 5), 5));
    assert_eq!(bench.times(|h| matches!(h, Happening::Vanished { .. })).len(), 2);
    assert_eq!(bench.announced_failures(), 0);
    assert!(bench.events.iter().all(|e| e["detail"]["stoppedReason"].is_null()));
}

#[test]
fn a_random_market_fails_as_often_and_as_long_as_it_was_told_the_same_for_the_same_seed() {
    let run = || {
        let mut bench = OneService::new(1, &spot());
        let shape = SpotShape::Random { every: mins(60), shortest: mins(2), longest: mins(600) };
        begin(&mut bench, shape);
        bench.run(mins(60 * 24 * 31));
        changes(&bench, Duration::ZERO)
    };
    let changes = run();
    assert_eq!(changes, run());
    let outages: Vec<u64> = changes.chunks_exact(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!((300..=800).contains(&outages.len()), "{} outages in 31 days", outages.len());
    assert!(outages.iter().all(|minutes| (1..=600).contains(minutes)));
}

#[test]
fn most_heavy_tailed_times_are_short_and_a_few_very_long() {
    let mut dice = Dice::new(1, 4);
    let mut times: Vec<Duration> = (0..10_000).map(|_| dice.heavy_tailed(mins(2), mins(2000))).collect();
    times.sort();
    assert!(times[0] >= mins(2) && times[9_999] <= mins(2000));
    assert!(times[5_000] < mins(5), "half are shorter than about twice the shortest: {:?}", times[5_000]);
    let long = times.iter().filter(|time| **time > mins(200)).count();
    assert!((50..=150).contains(&long), "about one in a hundred is a hundred times as long: {long}");
    assert_eq!(dice.heavy_tailed(mins(3), mins(3)), mins(3));
}
