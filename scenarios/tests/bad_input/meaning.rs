//! What a good file means.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use scenarios::file::keys::groups;
use scenarios::file::{self, Check, FinalStrategy};

use super::generated::temporary;
use super::{GOOD, OUTAGE};

const EVERY_KEY: &str = include_str!("good-every-key.toml");

#[test]
fn without_a_list_the_accounts_are_those_of_the_services() {
    let scenario = file::parse("good.toml", &GOOD.replace("accounts = ", "synthetic_from = ")).unwrap();
    assert_eq!(scenario.world.accounts, scenario.world.synthetic_from);
    assert_eq!((scenario.world.seed, scenario.world.region.as_str()), (1, "eu-west-1"));
}

#[test]
fn general_expectations_reach_spot_services_and_own_ones_override_them() {
    let checks = |text: &str| -> Vec<String> {
        let scenario = file::parse("good.toml", text).unwrap();
        scenario.expectations.iter().map(|e| format!("{}: {:?}", e.service.service, e.check)).collect()
    };
    assert_eq!(checks(GOOD), ["checkout: FailoverWithin(120s)", "checkout: FinalStrategy(Original)"]);

    let own = "[[expect.service]]\nservice = 'web/checkout'\nfailovers = 0\n\
               [[expect.service]]\nservice = 'back/ledger'\nmin_availability = 1\n";
    assert_eq!(
        checks(&format!("{GOOD}{own}")),
        ["checkout: FinalStrategy(Original)", "checkout: Failovers(0)", "ledger: MinAvailability(1.0)"]
    );

    let exact = GOOD.replace("\"original\"", "[{ provider = 'FARGATE', weight = 10 }]");
    let scenario = file::parse("good.toml", &exact).unwrap();
    let last = &scenario.expectations.last().unwrap().check;
    assert!(matches!(last, Check::FinalStrategy(FinalStrategy::Exactly(strategy)) if !strategy.uses_spot()));
}

#[test]
fn every_action_can_be_written() {
    let actions = r#"
[[at]]
time = "1m"
spot = { capacity = "unlimited", loss = "silent", accounts = ["222222222222"] }
[[at]]
time = "2m"
on_demand = { capacity = 3 }
[[at]]
time = "3m"
interrupt = { service = "111111111111/web/checkout", tasks = "all" }
[[at]]
time = "4m"
update_service = { service = "back/ledger", desired = 3, strategy = [{ provider = "FARGATE_SPOT", weight = 1 }] }
[[at]]
time = "5m"
[at.put_events]
from = "333333333333"
source = "test.aws.ecs"
detail_type = "x"
detail = { eventName = "y", list = [1, 0x10, 2.5, true], when = 2026-01-01 }
[[at]]
time = "6m"
forwarding = { is = "denied", accounts = ["222222222222"] }
[[at]]
time = "7m"
bus_policy = { admits = ["111111111111"] }
[[at]]
time = "8m"
bus_policy = { admits = "onboarded" }
[[at]]
time = "9m"
organization = { member = false }
[[at]]
time = "11m"
queue = { name = "interruption", is = "unreachable" }
[[at]]
time = "12m"
redrive = { queue = "placement-failure" }
[[at]]
time = "13m"
function = { name = "restore", is = "stopped" }
[[at]]
time = "14m"
spot_zone = { zone = "b", loss = "silent", accounts = ["111111111111"] }
[[at]]
time = "15m"
protect = { service = "back/ledger", tasks = 2 }
[[at]]
time = "16m"
crash_loop = { service = "back/ledger", crashes = true }
"#;
    let scenario = file::parse("good.toml", &GOOD.replace("[expect]", &format!("{actions}[expect]"))).unwrap();
    let events: Vec<String> = scenario.world.events.iter().map(|e| format!("{:?} {:?}", e.at, e.event)).collect();
    assert_snapshot!(events.join("\n"), @r#"
    600s Spot { accounts: ["111111111111", "222222222222"], capacity: Tasks(0), loss: Interrupt }
    60s Spot { accounts: ["222222222222"], capacity: Unlimited, loss: Silent }
    120s OnDemand { accounts: ["111111111111", "222222222222"], capacity: Tasks(3) }
    180s Interrupt { service: ServiceId { account: "111111111111", region: "eu-west-1", cluster: "web", service: "checkout" }, tasks: 4294967295 }
    240s UpdateService { service: ServiceId { account: "222222222222", region: "eu-west-1", cluster: "back", service: "ledger" }, strategy: Some(Strategy([StrategyItem { capacity_provider: FargateSpot, weight: 1, base: 0 }])), desired: Some(3) }
    300s PutEvents { from: "333333333333", source: "test.aws.ecs", detail_type: "x", resources: [], detail: Object {"eventName": String("y"), "list": Array [Number(1), Number(16), Number(2.5), Bool(true)], "when": String("2026-01-01")} }
    360s Forwarding { accounts: ["222222222222"], forwarding: Denied }
    420s BusPolicy(Accounts(["111111111111"]))
    480s BusPolicy(Onboarded)
    540s Membership { accounts: ["111111111111", "222222222222"], member: false }
    660s QueueAccess { queue: Interruption, access: Unreachable }
    720s Redrive { queue: PlacementFailure }
    780s Function { function: Restore, state: Reserved(0) }
    840s SpotZone { accounts: ["111111111111"], zone: 1, short: true, loss: Silent }
    900s Protect { service: ServiceId { account: "222222222222", region: "eu-west-1", cluster: "back", service: "ledger" }, tasks: 2, time: 7200s }
    960s CrashLoop { service: ServiceId { account: "222222222222", region: "eu-west-1", cluster: "back", service: "ledger" }, crashes: true }
    "#);
}

#[test]
fn a_list_of_scenarios_survives_broken_files() {
    let heading = |name: &str, text: &str| {
        let path = temporary(name);
        fs::write(&path, text).unwrap();
        let heading = file::heading(&path);
        fs::remove_file(&path).unwrap();
        format!("{}: {}", heading.title, heading.about)
    };
    assert!(heading("good.toml", OUTAGE).starts_with("Spot vanishes for 40 minutes: Two accounts lose all Spot"));
    assert_eq!(heading("broken.toml", "title = \"Broken\"\nabout = \"So\\u001b it is\"\nx ="), "Broken: So it is");
    assert_eq!(heading("empty.toml", ""), "(no title): ");
    assert_eq!(file::heading(Path::new("no/such.toml")).title, "(unreadable)");
}

#[test]
fn every_action_is_written_as_what_it_was_read_from() {
    let scenario = file::parse("good.toml", EVERY_KEY).unwrap_or_else(|problem| panic!("{problem}"));
    let written = file::write(&scenario);
    let read = file::parse("written.toml", &written).unwrap_or_else(|problem| panic!("{problem}\n{written}"));
    assert_eq!(format!("{read:?}"), format!("{scenario:?}"), "{written}");

    let at = groups().into_iter().find(|group| group.name() == "at").expect("there is a table of events");
    for action in at.keys().filter(|key| key.name != "time") {
        let starts = |line: &str| line.starts_with(&format!("{} = ", action.name));
        assert!(written.lines().any(starts), "no [[at]] of good-every-key.toml has `{}`", action.name);
    }
}
