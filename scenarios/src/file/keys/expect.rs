//! The keys of `[expect]` and its tables.

use super::group::Kind::{Duration, Integer, Line, Or as Either, Service, Share, Tables, Word};
use super::group::Need::{Else, Required};
use super::group::{Group, Key, Kind, Rule, key};
use super::service::STRATEGY;

const TIME: Kind = Duration("0s", "the duration");
const COUNT: Kind = Integer(0, 10_000);

/// What can be expected of a service.
pub(in super::super) const CHECKS: &[Key] = &[
    key("failover_within", TIME, Else("not checked"), "\"2m\"", "The fallback is live this soon after the first loss"),
    key(
        "restored_within",
        TIME,
        Else("not checked"),
        "\"45m\"",
        "The episode is closed this soon after Spot had room again",
    ),
    key("min_availability", Share, Else("not checked"), "0.97", "At least this share of the wanted tasks served"),
    key(
        "final_strategy",
        Either(&Word(&["original", "fallback"]), &STRATEGY),
        Else("not checked"),
        "\"original\"",
        "The strategy the service ends on: its owner's, the On-Demand stand-in, or this one",
    ),
    key("failovers", COUNT, Else("not checked"), "1", "Exactly so many failovers"),
    key(
        "max_deployments_forced",
        COUNT,
        Else("not checked"),
        "3",
        "At most so many deployments forced by the recovery",
    ),
];

/// A table of its own that expects nothing is a slip.
const SOME_CHECK: Rule = Rule::SomeOf(&[
    "failover_within",
    "restored_within",
    "min_availability",
    "final_strategy",
    "failovers",
    "max_deployments_forced",
]);

pub(in super::super) static EXPECT: Group = Group {
    what: "[expect]",
    about: "What must hold of every service that uses Spot. A fleet's own table overrides it key by key, a service's own table both.",
    keys: &[
        &[
            key("service", Tables(&EXPECT_SERVICE), Else("none"), "", "What must hold of one service"),
            key("fleet", Tables(&EXPECT_FLEET), Else("none"), "", "What must hold of every service of a fleet"),
        ],
        CHECKS,
    ],
    rule: Rule::Free,
};

pub(in super::super) static EXPECT_SERVICE: Group = Group {
    what: "[[expect.service]]",
    about: "All that is expected of a service that does not use Spot.",
    keys: &[&[key("service", Service, Required, "\"web/checkout\"", "Which service")], CHECKS],
    rule: SOME_CHECK,
};

pub(in super::super) static EXPECT_FLEET: Group = Group {
    what: "[[expect.fleet]]",
    about: "The same for each service of the fleet.",
    keys: &[&[key("fleet", Line, Required, "\"batch\"", "Which fleet")], CHECKS],
    rule: SOME_CHECK,
};
