//! A handler may die at any call, before the call takes effect or after, and so may the one that comes after it. For every such
//! point of the three base scenarios: no service is changed once more than in the undisturbed run, none is lost, no message
//! is, and nobody needs more than one look more to go on.
//!
//! The ordinary run tries a sample; `PROVE=deep` tries them all, and pairs of them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use handlers::record::Phase;
use scenarios::file::Scenario;
use scenarios::play::{Play, play};
use scenarios::{file, library};
use simulator::facts::Kill;

/// How much of a scenario's crash points is tried.
struct Budget {
    /// One of so many in the ordinary run.
    sample: usize,
    /// With `PROVE=deep`, the second crash of a pair comes within so many calls of the first.
    pairs_within: u64,
}

fn scenario(name: &str) -> Scenario {
    file::load(&library::find(name).unwrap()).unwrap()
}

fn played(scenario: &Scenario, kills: &[Kill]) -> Play {
    let mut scenario = scenario.clone();
    scenario.facts.kills = kills.to_vec();
    play(scenario).unwrap()
}

/// The two points at one call.
fn at(call: u64) -> [Kill; 2] {
    [false, true].map(|after| Kill { call, after })
}

fn prove(name: &str, budget: &Budget) {
    let scenario = scenario(name);
    let calm = played(&scenario, &[]);
    assert!(calm.holds(), "{name} does not hold without a crash");
    let deep = std::env::var("PROVE").as_deref() == Ok("deep");
    let ones = (1..=calm.outcome.calls).flat_map(at);
    let schedules: Vec<Vec<Kill>> = if deep {
        let pairs = |first: Kill| {
            (first.call + 1..=first.call + budget.pairs_within).flat_map(at).map(move |second| vec![first, second])
        };
        ones.clone().map(|one| vec![one]).chain(ones.flat_map(pairs)).collect()
    } else {
        ones.step_by(budget.sample).map(|one| vec![one]).collect()
    };
    let next = AtomicUsize::new(0);
    let worker = || {
        while let Some(kills) = schedules.get(next.fetch_add(1, Ordering::Relaxed)) {
            judge(&played(&scenario, kills), &calm, kills);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(worker);
        }
    });
    println!("{name}: {} calls, {} schedules of crashes, all converge", calm.outcome.calls, schedules.len());
}

fn judge(crashed: &Play, calm: &Play, kills: &[Kill]) {
    let (found, undisturbed) = (&crashed.outcome, &calm.outcome);
    let killed = found.trace.iter().filter(|entry| entry.to_string().contains("is killed")).count();
    assert!(killed == kills.len() || killed == 1, "{killed} handlers died: {kills:?}");
    assert_eq!(found.violations, Vec::<String>::new(), "{kills:?}");
    assert_eq!((found.messages_left, found.messages_dead), (0, 0), "{kills:?}");
    for (service, undisturbed) in found.services.iter().zip(&undisturbed.services) {
        assert_eq!(service.live.items(), service.original.items(), "{}: {kills:?}", service.id);
        let phases = [service, undisturbed].map(|s| s.record.as_ref().map(|record| record.phase));
        assert_eq!(phases[0], phases[1], "{}: {kills:?}", service.id);
        assert!(matches!(phases[0], None | Some(Phase::Watching)));
        // One that dies in a short outage may even save a failover that would have been too late.
        assert!(service.ledger.forced <= undisturbed.ledger.forced, "deployments of {}: {kills:?}", service.id);
    }
    assert!(found.most_looks <= undisturbed.most_looks + 1, "{} looks: {kills:?}", found.most_looks);
}

#[test]
fn a_crash_at_any_call_of_spot_outage_costs_time_and_nothing_else() {
    prove("spot-outage", &Budget { sample: 40, pairs_within: 6 });
}

#[test]
fn a_crash_at_any_call_of_synthetic_placement_failure_costs_time_and_nothing_else() {
    prove("synthetic-placement-failure", &Budget { sample: 3, pairs_within: 40 });
}

#[test]
fn a_crash_at_any_call_of_spot_interruption_costs_time_and_nothing_else() {
    prove("spot-interruption", &Budget { sample: 3, pairs_within: 40 });
}
