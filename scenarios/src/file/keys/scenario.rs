//! The keys of the scenario itself, and of what concerns all of its services.

use super::event::AT;
use super::expect::EXPECT;
use super::group::Kind::{Account, Duration, Integer, Line, List, Policy, Table, Tables, Text};
use super::group::Need::{Else, Or, Required};
use super::group::{Group, Key, Rule, key};
use super::service::{FLEET, SERVICE};

/// A whole file.
pub static SCENARIO: Group = Group {
    what: "the scenario",
    about: "The file itself: these keys come before the first `[table]`.",
    keys: &[&[
        key("title", Line, Required, "\"Spot vanishes for 40 minutes\"", "One line for lists and reports"),
        key(
            "about",
            Text,
            Or("\"\""),
            "\"Two accounts lose all Spot capacity.\"",
            "What goes wrong in the world and what must happen",
        ),
        key("seed", Integer(0, i64::MAX as u64), Or("1"), "7", "Decides every draw: the same seed gives the same run"),
        key("duration", Duration("1s", "31d"), Required, "\"3h\"", "How long the world runs"),
        key("region", Line, Or("\"eu-west-1\""), "\"ap-south-1\"", "The Region of the cell and of everything in it"),
        key("central", Account, Or("\"999999999999\""), "\"888888888888\"", "The account that runs the recovery"),
        key(
            "accounts",
            List(&Account),
            Else("those of the services"),
            "[\"111111111111\", \"333333333333\"]",
            "The onboarded accounts. With this list, an account that is not in it is a typing error",
        ),
        key(
            "synthetic_from",
            List(&Account),
            Or("[]"),
            "[\"999999999999\"]",
            "Accounts whose synthetic events (source `test.aws.ecs`) the cell believes",
        ),
        key(
            "restore_schedule",
            Duration("1s", "1h"),
            Or("\"1m\""),
            "\"5m\"",
            "How often the restore handler runs: a minute in development, five in production",
        ),
        key("policy", Policy, Else("defaults"), "", "Tunables of the recovery (docs/policy.md)"),
        key("faults", Table(&FAULTS), Else("none"), "", "What goes wrong on the way, and how often"),
        key("quotas", Table(&QUOTAS), Else("none"), "", "What every account may use at once"),
        key("service", Tables(&SERVICE), Else("none"), "", "One service"),
        key("fleet", Tables(&FLEET), Else("none"), "", "Many services alike"),
        key("at", Tables(&AT), Else("nothing happens"), "", "Something that happens, and when"),
        key("expect", Table(&EXPECT), Required, "", "What must hold at the end"),
    ]],
    rule: Rule::SomeOf(&["service", "fleet"]),
};

const fn percent(name: &'static str, meaning: &'static str) -> Key {
    key(name, Integer(0, 100), Or("0"), "5", meaning)
}

pub(in super::super) static FAULTS: Group = Group {
    what: "[faults]",
    about: "How often AWS and the network do what they are allowed to do, until an event says `calm`.",
    keys: &[&[
        percent("duplicated_events_percent", "Events that come twice"),
        percent("lost_events_percent", "Events that never come"),
        percent("late_events_percent", "Events that come minutes late"),
        percent("killed_calls_percent", "Calls of a handler that are its last: it dies before the call or after it"),
        percent("killed_invocations_percent", "Invocations that die at a moment of their own"),
        percent("cold_starts_percent", "Invocations that start a new instance, which takes longer"),
        percent("failed_starts_percent", "Of these, instances that fail to start"),
        percent("lost_replies_percent", "Calls whose reply is lost: they may have taken effect"),
        percent("stale_reads_percent", "Looks at a service that show it as it was before its last change"),
        percent("table_throttles_percent", "Calls to the state table that it throttles"),
        key(
            "index_lag",
            Duration("0s", "1h"),
            Or("\"0s\""),
            "\"30s\"",
            "How far the due index may be behind the state table",
        ),
    ]],
    rule: Rule::Free,
};

pub(in super::super) static QUOTAS: Group = Group {
    what: "[quotas]",
    about: "Limits of every account (aws-facts.md §4); one that is not mentioned does not bind.",
    keys: &[&[
        key("on_demand_vcpu", Integer(0, 1_000_000), Else("no limit"), "6", "vCPU on `FARGATE` at once"),
        key("spot_vcpu", Integer(0, 1_000_000), Else("no limit"), "6", "vCPU on `FARGATE_SPOT` at once"),
        key("launch_burst", Integer(1, 10_000), Else("no limit"), "100", "Tasks that can be launched without a pause"),
        key("launches_per_second", Integer(1, 10_000), Else("no limit"), "20", "Tasks launched per second after that"),
    ]],
    rule: Rule::Together("launch_burst", "launches_per_second"),
};
