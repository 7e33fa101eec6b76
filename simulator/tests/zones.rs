//! The recovery in worlds whose Availability Zones are not alike: short in one zone alone, and rebalanced afterwards.

mod worlds;

use std::time::Duration;

use handlers::policy::{InterruptionPolicy, Policy};
use handlers::record::Phase;
use simulator::dice::Dice;
use simulator::facts::Facts;
use simulator::spec::{Loss, TimedEvent, WorldEvent, WorldSpec};
use simulator::trace::{Caller, Happening};
use simulator::{Outcome, run};

use worlds::{Owned, account, mins, strategy, world};

const HOUR: Duration = Duration::from_secs(3600);

/// Services of six Spot tasks each in the first account, each in so many zones, and what happens.
fn spec(zones: &[u8], events: impl IntoIterator<Item = (u64, WorldEvent)>) -> WorldSpec {
    let owned = Owned { account: 0, desired: 6, strategy: strategy((0, 0), (0, 1)), bounds: (100, 200) };
    let mut spec = world(1, mins(1), &vec![owned; zones.len()], &[]);
    for (service, zones) in spec.services.iter_mut().zip(zones) {
        service.zones = *zones;
    }
    spec.events = events.into_iter().map(|(minute, event)| TimedEvent { at: mins(minute), event }).collect();
    spec
}

fn zone(zone: u8, short: bool, loss: Loss) -> WorldEvent {
    WorldEvent::SpotZone { accounts: vec![account(0)], zone, short, loss }
}

fn play(spec: WorldSpec, duration: Duration) -> Outcome {
    let outcome = run(spec, Facts::default(), duration).expect("the product's patterns are valid");
    assert!(outcome.violations.is_empty(), "{:?}", outcome.violations);
    for service in &outcome.services {
        assert_eq!(service.live.items(), service.original.items(), "{}", service.id);
        assert_eq!(service.running, service.desired, "{}", service.id);
    }
    outcome
}

fn happened(outcome: &Outcome, what: impl Fn(&Happening) -> bool) -> usize {
    outcome.trace.iter().filter(|entry| what(&entry.what)).count()
}

fn updated(what: &Happening) -> bool {
    matches!(what, Happening::Updated { caller: Caller::Recovery, .. })
}

#[test]
fn what_ecs_makes_up_for_in_other_zones_is_left_to_it_where_the_policy_says_so() {
    let policy = Policy { interruption_policy: InterruptionPolicy::Shortfall, ..Policy::default() };
    let spec =
        WorldSpec { policy, ..spec(&[3], [(10, zone(2, true, Loss::Interrupt)), (300, zone(2, false, Loss::Keep))]) };
    let outcome = play(spec, 6 * HOUR);
    let told = |name| happened(&outcome, |h| matches!(h, Happening::Rebalancing { what } if *what == name));
    assert!(told("SERVICE_TASK_PLACEMENT_FAILURE") > 0, "rebalancing failed at full count");
    assert!(happened(&outcome, |h| matches!(h, Happening::Queued { .. })) > 0, "and the recovery heard of it");
    assert_eq!(told("SERVICE_REBALANCING_COMPLETED"), 1, "until the zone was back");
    assert_eq!(happened(&outcome, updated), 0, "nothing was short, so nothing was done");
}

#[test]
fn a_shortage_in_one_zone_moves_the_services_that_have_no_other() {
    let spec = spec(&[1, 3], [(10, zone(0, true, Loss::Keep)), (240, zone(0, false, Loss::Keep))]);
    let interrupt = |n: usize| WorldEvent::Interrupt { service: spec.services[n].id.clone(), tasks: u32::MAX };
    let mut spec = WorldSpec { events: spec.events.clone(), ..spec.clone() };
    spec.policy.interruption_policy = InterruptionPolicy::Shortfall;
    for n in 0..2 {
        spec.events.push(TimedEvent { at: mins(11), event: interrupt(n) });
    }
    let outcome = play(spec, 12 * HOUR);
    let episodes: Vec<usize> = outcome.services.iter().map(|s| s.ledger.episodes.len()).collect();
    assert_eq!(episodes, [1, 0]);
    let episode = outcome.services[0].ledger.episodes[0];
    assert!(episode.time_to_failover().is_some_and(|time| time < mins(1)), "{episode:?}");
}

#[test]
fn whatever_the_zones_do_every_service_is_its_owners_again_once_they_are_back() {
    let mut rebalanced = 0;
    for seed in 0..20 {
        let mut dice = Dice::new(seed, 97);
        let mut events: Vec<(u64, WorldEvent)> = Vec::new();
        for _ in 0..6 {
            let loss = [Loss::Interrupt, Loss::Silent, Loss::Keep][dice.below(3) as usize];
            events.push((1 + dice.below(200), zone(dice.below(3) as u8, dice.below(3) > 0, loss)));
        }
        events.extend((0..3).map(|n| (210, zone(n, false, Loss::Keep))));
        let outcome = play(WorldSpec { seed, ..spec(&[1, 2, 3], events) }, 16 * HOUR);
        let completed = |h: &Happening| matches!(h, Happening::Rebalancing { what: "SERVICE_REBALANCING_COMPLETED" });
        rebalanced += happened(&outcome, completed);
        assert_eq!(outcome.messages_left, 0, "seed {seed}");
    }
    assert!(rebalanced > 5, "{rebalanced} times rebalanced");
}

#[test]
fn a_restore_holds_in_the_zones_that_have_capacity_though_rebalancing_fails_during_its_probation() {
    let outcome = play(spec(&[3], [(10, zone(2, true, Loss::Interrupt))]), 6 * HOUR);
    let first = |what: &dyn Fn(&Happening) -> bool| {
        outcome.trace.iter().find(|entry| what(&entry.what)).map(|entry| entry.at).expect("it happened")
    };
    let to = |phase| move |h: &Happening| matches!(h, Happening::Phase { to: Some(to), .. } if *to == phase);
    let restoring = first(&to(Phase::Restoring));
    let restored = first(&|h: &Happening| {
        matches!(h, Happening::Phase { from: Some(Phase::Restoring), to: Some(Phase::Watching), .. })
    });
    let failed = outcome.trace.iter().any(|entry| {
        (restoring..restored).contains(&entry.at)
            && matches!(entry.what, Happening::Rebalancing { what: "SERVICE_TASK_PLACEMENT_FAILURE" })
    });
    assert!(failed, "nothing failed in the probation, so nothing is proved");
    let episodes = &outcome.services[0].ledger.episodes;
    assert_eq!((episodes.len(), episodes[0].failed_restores), (1, 0));
    assert_eq!(happened(&outcome, updated), 2, "there and back");
}

#[test]
fn services_with_one_task_are_not_all_in_the_same_zone() {
    let mut spec = spec(&[3, 3, 3], [(10, zone(0, true, Loss::Interrupt))]);
    spec.services.iter_mut().for_each(|service| service.desired = 1);
    let outcome = run(spec, Facts::default(), mins(11)).expect("the product's patterns are valid");
    assert_eq!(happened(&outcome, |h| matches!(h, Happening::Interrupted { .. })), 1);
}
