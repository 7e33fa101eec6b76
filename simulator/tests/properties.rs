//! What holds in every world whose troubles end: every service is back on exactly what its owner chose, with one forced
//! deployment per transition, and nothing is lost or left over.

mod worlds;

use std::time::Duration;

use handlers::record::Phase;
use handlers::service::ServiceId;
use handlers::strategy::Strategy;
use proptest::prelude::*;
use proptest::strategy::Strategy as Draw;
use simulator::dice::Span;
use simulator::facts::Facts;
use simulator::spec::{Loss, WorldSpec};
use simulator::trace::Happening;
use simulator::{Outcome, run};

use worlds::{Owned, Trouble, mins, strategy, world};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn play(spec: WorldSpec, facts: Facts) -> Outcome {
    run(spec, facts, DAY).expect("the product's patterns are valid")
}

fn config() -> ProptestConfig {
    worlds::config(24)
}

// ---- Worlds ---------------------------------------------------------------------------------------------------------

/// Any valid strategy that can place tasks on Spot.
fn spot_strategy() -> impl Draw<Value = Strategy> {
    (0u32..=3, 0u32..=5, 1u32..=5, any::<bool>()).prop_map(|(base, fargate, spot, base_on_spot)| {
        if base_on_spot { strategy((0, fargate), (base, spot)) } else { strategy((base, fargate), (0, spot)) }
    })
}

/// A strategy that never places a task on Spot.
fn on_demand_strategy() -> impl Draw<Value = Strategy> {
    (0u32..=3, 1u32..=5).prop_map(|(base, weight)| strategy((base, weight), (0, 0)))
}

/// Bounds that let a deployment proceed whatever the desired count.
fn bounds() -> impl Draw<Value = (u32, u32)> {
    prop_oneof![3 => Just((100, 200)), 1 => Just((50, 200)), 1 => Just((0, 100)), 1 => Just((0, 150))]
}

fn service() -> impl Draw<Value = Owned> {
    let strategy = prop_oneof![4 => spot_strategy().boxed(), 1 => on_demand_strategy().boxed()];
    (0usize..3, 0u32..=6, strategy, bounds()).prop_map(|(account, desired, strategy, bounds)| Owned {
        account,
        desired,
        strategy,
        bounds,
    })
}

fn loss() -> impl Draw<Value = Loss> {
    prop_oneof![Just(Loss::Interrupt), Just(Loss::Silent), Just(Loss::Keep)]
}

/// An outage that ends within the first twelve hours.
fn outage() -> impl Draw<Value = Trouble> {
    let lengths = prop_oneof![3 => 1u64..=90, 1 => 90u64..=400];
    (0usize..3, 1_000u64..=300 * 60_000, lengths, 0u32..=5, loss()).prop_map(|(account, from, length, left, loss)| {
        let from = Duration::from_millis(from);
        Trouble::Outage { account, from, until: from + mins(length), left, loss }
    })
}

fn interruption() -> impl Draw<Value = Trouble> {
    (0usize..4, 1_000u64..=12 * 3_600_000, 1u32..=4).prop_map(|(service, at, tasks)| Trouble::Interruption {
        service,
        at: Duration::from_millis(at),
        tasks,
    })
}

fn troubled_world() -> impl Draw<Value = WorldSpec> {
    let troubles = prop::collection::vec(prop_oneof![outage().boxed(), interruption().boxed()], 1..=4);
    (any::<u64>(), 1u64..=5, prop::collection::vec(service(), 1..=4), troubles)
        .prop_map(|(seed, minutes, services, troubles)| world(seed, mins(minutes), &services, &troubles))
}

fn world_with_one_outage() -> impl Draw<Value = WorldSpec> {
    (any::<u64>(), 1u64..=5, prop::collection::vec(service(), 1..=4), outage())
        .prop_map(|(seed, minutes, services, outage)| world(seed, mins(minutes), &services, &[outage]))
}

/// Handlers and calls that take no time: a duplicate in a batch then delays nobody, and two runs can be compared step by
/// step. With latencies a check can fall just before or just after a limit, with or without duplicates.
fn in_no_time(duplicate_percent: u32) -> Facts {
    let instant = Span::millis(0, 0);
    Facts { lambda_start: instant, call_latency: instant, duplicate_percent, ..Facts::default() }
}

// ---- What must hold -------------------------------------------------------------------------------------------------

type Step = (Option<Phase>, Option<Phase>);

fn transitions(outcome: &Outcome, service: &ServiceId) -> Vec<Step> {
    let of_service = outcome.trace.iter().filter(|entry| entry.service.as_deref() == Some(service));
    let step = |what: &Happening| if let Happening::Phase { from, to, .. } = what { Some((*from, *to)) } else { None };
    of_service.filter_map(|entry| step(&entry.what)).collect()
}

fn acts(steps: &[Step]) -> usize {
    steps.iter().filter(|(_, to)| matches!(to, Some(Phase::FailingOver | Phase::Restoring))).count()
}

fn story(outcome: &Outcome) -> String {
    outcome.trace.iter().filter(|e| !e.what.is_detail()).map(|entry| format!("{entry}\n")).collect()
}

/// Everything that must hold at the end of a world whose troubles ended twelve hours before.
fn all_is_well(outcome: &Outcome) -> Result<(), TestCaseError> {
    prop_assert_eq!(&outcome.violations, &Vec::<String>::new(), "{}", story(outcome));
    prop_assert_eq!((outcome.messages_left, outcome.messages_dead), (0, 0), "{}", story(outcome));
    for service in &outcome.services {
        let steps = transitions(outcome, &service.id);
        prop_assert_eq!(service.live.items(), service.original.items(), "{}\n{}", service.id, story(outcome));
        let phase = service.record.as_ref().map(|record| record.phase);
        prop_assert!(
            matches!(phase, None | Some(Phase::Watching)),
            "{} is {:?}\n{}",
            service.id,
            phase,
            story(outcome)
        );
        let forced = service.ledger.forced as usize;
        prop_assert_eq!(forced, acts(&steps), "{}\n{}", service.id, story(outcome));
        if !service.original.uses_spot() {
            prop_assert!(service.record.is_none() && forced == 0 && steps.is_empty(), "{} was touched", service.id);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn after_every_trouble_each_service_is_back_on_its_owners_strategy_with_one_deployment_per_transition(
        spec in troubled_world()
    ) {
        all_is_well(&play(spec, Facts::default()))?;
    }

    #[test]
    fn duplicated_events_change_nothing(spec in world_with_one_outage()) {
        let once = play(spec.clone(), in_no_time(0));
        let twice = play(spec, in_no_time(100));
        all_is_well(&once)?;
        all_is_well(&twice)?;
        for service in &once.services {
            prop_assert_eq!(
                transitions(&once, &service.id),
                transitions(&twice, &service.id),
                "{}\nonce:\n{}\ntwice:\n{}", service.id, story(&once), story(&twice)
            );
        }
    }

    #[test]
    fn in_worlds_of_many_troubles_duplicated_events_do_no_harm(spec in troubled_world()) {
        all_is_well(&play(spec, Facts { duplicate_percent: 100, ..Facts::default() }))?;
    }

    #[test]
    fn where_nothing_happens_nothing_is_forced(
        seed: u64,
        minutes in 1u64..=5,
        services in prop::collection::vec(service(), 1..=4),
    ) {
        let spec = world(seed, mins(minutes), &services, &[]);
        let outcome = run(spec, Facts { duplicate_percent: 50, ..Facts::default() }, mins(3 * 60)).expect("valid patterns");
        all_is_well(&outcome)?;
        for service in &outcome.services {
            prop_assert_eq!(service.ledger.forced, 0);
            prop_assert!(service.ledger.episodes.is_empty());
            prop_assert_eq!(service.ledger.availability(), 1.0);
        }
    }
}
