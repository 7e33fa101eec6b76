//! What a `[[fleet]]` means, and how a run of very many services is told.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use scenarios::file::{self, Check, Scenario};
use scenarios::report::Report;
use scenarios::timeline::Timeline;
use scenarios::{library, play};
use simulator::spec::{Capacity, Loss, Role, WorldEvent};
use simulator::trace::{Entry, Happening};

const FLEET: &str = r#"title = "A fleet"
duration = "2h"

[[service]]
account  = "101000000001"
cluster  = "web"
name     = "checkout"
desired  = 6
strategy = [{ provider = "FARGATE_SPOT", weight = 1 }]

[[fleet]]
name     = "shop"
accounts = 3
cluster  = "web"
clusters = 2
services = 1_00
desired  = [2, 5]
strategy = [{ provider = "FARGATE_SPOT", weight = 1 }]
minimum_healthy_percent = 50

[[fleet]]
name     = "steady"
accounts = ["222222222222"]
cluster  = "web"
services = 20
desired  = 2
launch_type = "FARGATE"

[[at]]
time = "10m"
spot = { capacity = 0, accounts = ["shop"] }

[[at]]
time = "20m"
deploy = { fleet = "steady" }

[expect]
failover_within = "10m"

[[expect.fleet]]
fleet = "shop"
min_availability = 0.9

[[expect.fleet]]
fleet = "steady"
failovers = 0
"#;

fn parsed(text: &str) -> Scenario {
    file::parse("fleet.toml", text).unwrap_or_else(|problem| panic!("{problem}"))
}

#[test]
fn a_fleet_is_as_many_services_spread_evenly_over_accounts_and_clusters_under_names_that_stay_the_same() {
    let scenario = parsed(FLEET);
    let services = &scenario.world.services;
    assert_eq!(services.len(), 121);
    let shop = &services[1..101];
    assert_eq!(shop[0].id.to_string(), "101000000001/web-1/shop-001");
    assert_eq!(shop[3].id.to_string(), "101000000001/web-2/shop-004");
    assert_eq!(shop[99].id.to_string(), "101000000001/web-2/shop-100");
    assert_eq!(services[101].id.to_string(), "222222222222/web/steady-01");

    let mut in_each: BTreeMap<String, usize> = BTreeMap::new();
    for service in shop {
        *in_each.entry(format!("{}/{}", service.id.account, service.id.cluster)).or_default() += 1;
        assert_eq!(service.minimum_healthy_percent, 50);
    }
    assert_eq!(in_each.len(), 6);
    assert!(in_each.values().all(|n| (16..=18).contains(n)), "{in_each:?}");

    let accounts: Vec<&str> = scenario.world.accounts.iter().map(|account| account.as_str()).collect();
    assert_eq!(accounts, ["101000000001", "101000000002", "101000000003", "222222222222"]);
}

#[test]
fn sizes_are_drawn_from_the_seed_of_the_file_over_the_whole_range() {
    let sizes = |text: &str| -> Vec<u32> {
        parsed(text).world.services[1..101].iter().map(|service| service.desired).collect()
    };
    let drawn = sizes(FLEET);
    assert_eq!(drawn.iter().copied().collect::<BTreeSet<u32>>(), BTreeSet::from([2, 3, 4, 5]));
    assert_eq!(drawn, sizes(FLEET));
    assert_ne!(drawn, sizes(&FLEET.replace("title", "seed = 2\ntitle")));
}

#[test]
fn events_and_expectations_speak_of_all_services_of_a_fleet() {
    let scenario = parsed(FLEET);
    let WorldEvent::Spot { accounts, .. } = &scenario.world.events[0].event else { panic!("Spot changes first") };
    assert_eq!(accounts[..], scenario.world.accounts[..3]);
    let deploys = scenario.world.events.iter().filter(|timed| match &timed.event {
        WorldEvent::Deploy { service } => service.service.as_str().starts_with("steady-"),
        _ => false,
    });
    assert_eq!((deploys.count(), scenario.world.events.len()), (20, 21));

    let checks = |name: &str| -> Vec<Check> {
        let of = scenario.expectations.iter().filter(|e| e.service.service.as_str() == name);
        of.map(|e| e.check.clone()).collect()
    };
    let failover = Check::FailoverWithin(Duration::from_secs(600));
    assert_eq!(checks("checkout"), std::slice::from_ref(&failover));
    assert_eq!(checks("shop-077"), [failover, Check::MinAvailability(0.9)]);
    assert_eq!(checks("steady-20"), [Check::Failovers(0)]);
}

#[test]
fn every_action_on_a_service_can_be_on_a_fleet() {
    for action in [
        "interrupt = { fleet = 'shop', tasks = 1 }",
        "update_service = { fleet = 'shop', desired = 1 }",
        "deploy = { fleet = 'shop' }",
        "roll_back = { fleet = 'shop' }",
        "alarm = { fleet = 'shop' }",
        "delete_service = { fleet = 'shop' }",
        "create_service = { fleet = 'shop' }",
        "opt_out = { fleet = 'shop' }",
        "controller = { fleet = 'shop', is = 'BLUE_GREEN' }",
        "application = { fleet = 'shop', fails = true }",
        "rebalancing_failure = { fleet = 'shop' }",
    ] {
        let text = FLEET.replace("clusters = 2", "alarms = true").replace("deploy = { fleet = \"steady\" }", action);
        assert_eq!(parsed(&text).world.events.len(), 101, "{action}");
    }
}

#[test]
fn a_fleet_is_written_as_the_services_that_it_is() {
    let scenario = parsed(FLEET);
    let read = parsed(&file::write(&scenario));
    assert_eq!(format!("{:?}", read.world), format!("{:?}", scenario.world));
    assert_eq!(read.expectations, scenario.expectations);
}

#[test]
fn scaling_keeps_the_proportions_and_what_the_file_names() {
    let path = library::find("fleet").expect("it exists");
    let scaled = |services| file::load_scaled(&path, services).unwrap_or_else(|problem| panic!("{problem}"));
    let full = file::load(&path).unwrap_or_else(|problem| panic!("{problem}"));
    assert_eq!((full.world.services.len(), full.world.accounts.len()), (10_000, 100));
    let tenth = scaled(1_000);
    assert_eq!((tenth.world.services.len(), tenth.world.accounts.len()), (1_000, 10));
    let fewest = scaled(1);
    assert_eq!((fewest.world.services.len(), fewest.world.accounts.len()), (3, 3));
    assert_eq!(scaled(20_000).world.services.len(), 20_000);

    let problem = file::load_scaled(&library::find("spot-outage").expect("it exists"), 10).expect_err("no fleet");
    assert!(problem.message().contains("no [[fleet]] to scale"), "{problem}");
}

#[test]
fn what_many_expect_is_one_verdict_that_names_the_worst_and_one_that_is_broken_counts_them() {
    let verdicts = |text: &str| {
        let played = play::play(parsed(text)).expect("the patterns are valid");
        assert_eq!(played.holds(), played.verdicts.iter().all(|verdict| verdict.holds));
        let lines = played.verdicts.iter().map(|v| format!("{}: {}: {}", v.service, v.expected, v.found));
        lines.collect::<Vec<String>>()
    };
    // The outage is of the fleet's accounts, and the one service is in the first of them.
    let holds = verdicts(FLEET);
    assert_eq!(holds.len(), 3, "{holds:?}");
    assert!(holds[0].starts_with("101 services: failover within 10m: worst "), "{holds:?}");
    assert!(holds[1].starts_with("100 services: availability at least 90%: worst "), "{holds:?}");
    assert_eq!(holds[2], "20 services: failovers: 0: 0, all of them");

    let broken = verdicts(
        &FLEET
            .replace("failovers = 0", "failovers = 1")
            // Where nothing takes Spot away, a failover cannot be expected.
            .replace("accounts = [\"shop\"] }", "accounts = [\"shop\", \"steady\"] }")
            .replace("failover_within = \"10m\"", "final_strategy = \"original\""),
    );
    assert!(broken[0].starts_with("101 services: ends on its original strategy: broken by 101 of them"), "{broken:?}");
    assert!(
        broken[2].starts_with("20 services: failovers: 1: broken by 20 of them, worst 0, 222222222222/web/steady-01")
    );
}

#[test]
fn a_timeline_of_many_services_is_short_and_adds_up() {
    let path = library::find("fleet").expect("it exists");
    let scenario = file::load_scaled(&path, 60).unwrap_or_else(|problem| panic!("{problem}"));
    let played = play::play(scenario).expect("the patterns are valid");
    let timeline = Timeline::of(&played.outcome.trace);
    assert!((10..=60).contains(&timeline.0.len()), "{timeline}");
    assert!(timeline.0.iter().is_sorted_by_key(|line| line.at_ms));
    assert!(timeline.0.iter().all(|line| line.until_ms.is_some_and(|until| until >= line.at_ms)));

    // The very first failover is of everybody, and told once.
    let failed_over: Vec<_> =
        timeline.0.iter().filter(|line| line.what.starts_with("On-Demand strategy is live")).collect();
    assert_eq!(failed_over[0].service.as_deref(), Some("60 services"), "{timeline}");
    let told = |line: &&scenarios::timeline::Line| line.what.contains("get the two-minute warning");
    let warned =
        played.outcome.trace.iter().filter(|entry| entry.what.to_string().contains("two-minute warning")).count();
    let lines: Vec<_> = timeline.0.iter().filter(told).collect();
    assert_eq!(lines.len(), 1, "{timeline}");
    assert!(lines[0].what.starts_with(&format!("{warned} Spot tasks")), "{warned}: {}", lines[0].what);
    assert!(Report::of(&played).text().contains("all 4 expectations hold"));
}

/// A trace in which each of 50 services of five accounts is in a steady state, so that the timeline is one of many services, and `more`
/// happens.
fn of_many(more: impl IntoIterator<Item = (u64, Happening)>) -> String {
    let scenario = parsed(&FLEET.replace("accounts = 3", "accounts = 5"));
    let entry = |seconds, service, what| Entry { at: Duration::from_secs(seconds), service, what };
    let services = scenario.world.services.iter().map(|s| entry(0, Some(s.id.clone().into()), Happening::SteadyState));
    let trace: Vec<Entry> = services.chain(more.into_iter().map(|(at, what)| entry(at, None, what))).collect();
    Timeline::of(&trace).to_string()
}

fn spot(accounts: Range<u64>, capacity: Capacity) -> Happening {
    let accounts = accounts.map(|n| format!("10100000000{n}").parse().expect("an account")).collect();
    Happening::SpotCapacity { accounts, capacity, loss: Loss::Keep }
}

#[test]
fn accounts_are_listed_while_they_are_few_and_counted_when_they_are_many() {
    let few = of_many([(60, spot(1..4, Capacity::Tasks(7)))]);
    assert_eq!(
        few.trim(),
        "0:01:00  *  Spot capacity is now 7 in 101000000001, 101000000002, 101000000003, running tasks stay"
    );
    let many = of_many([(60, spot(1..6, Capacity::Tasks(7)))]);
    assert_eq!(many.trim(), "0:01:00  *  Spot capacity is now 7 in 5 accounts, running tasks stay");
    let missing = of_many((1..6).map(|n| {
        let accounts = vec![format!("10100000000{n}").parse().expect("an account")];
        (60 * n, Happening::RoleChanged { accounts, role: Role::Missing })
    }));
    assert_eq!(missing.trim(), "0:01:00–0:05:00  *  role CentralSpotAutomationRole is missing in 5 accounts, 5 times");
}

#[test]
fn a_market_that_moves_in_steps_is_one_line_and_a_later_one_another() {
    let steps = (0..4)
        .map(|n| (60 * n, spot(1..2, Capacity::Tasks(n as u32))))
        .chain([(300, spot(1..2, Capacity::Unlimited)), (2 * 3600, spot(1..2, Capacity::Tasks(3)))]);
    let told = of_many(steps);
    let lines: Vec<&str> = told.lines().map(str::trim).collect();
    assert_eq!(
        lines,
        [
            "0:00:00–0:05:00  *  Spot capacity goes from 0 to unlimited in 5 steps in 101000000001, running tasks stay",
            "2:00:00  *  Spot capacity is now 3 in 101000000001, running tasks stay"
        ]
    );
}

#[test]
fn a_trace_of_endless_changes_is_still_a_short_timeline() {
    // Every account's market comes and goes every half hour, for a month.
    let endless =
        (0..1488).flat_map(|n| (1..6).map(move |a| (1800 * n + a, spot(a..a + 1, Capacity::Tasks(n as u32 % 2)))));
    let told = of_many(endless);
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("Spot capacity goes from 0 to 1 in 7,440 steps in 5 accounts"), "{told}");
}
