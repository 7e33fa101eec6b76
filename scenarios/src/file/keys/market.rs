//! The keys of actions that change what capacity there is.

use super::group::Kind::{Boolean, Duration, Integer, IntegerOr, Table, Word};
use super::group::Need::{Else, Or, Required};
use super::group::{Group, Kind, Rule, key};
use super::scope::ACCOUNTS;

const LOSS: Kind = Word(&["interrupt", "silent", "keep"]);

pub(in super::super) static SPOT: Group = Group {
    what: "`spot`",
    about: "Until the next change of the same account's market.",
    keys: &[&[
        key(
            "capacity",
            IntegerOr(1_000_000, "unlimited"),
            Else("-"),
            "0",
            "Tasks that can run on Spot at once, per account",
        ),
        key(
            "loss",
            LOSS,
            Or("\"interrupt\""),
            "\"silent\"",
            "With `capacity`: tasks above it get the warning, vanish without any event, or stay",
        ),
        key("flapping", Table(&FLAPPING), Else("-"), "", "It comes and goes"),
        key("slow_return", Table(&SLOW_RETURN), Else("-"), "", "It comes back little by little"),
        key("random", Table(&RANDOM), Else("-"), "", "Outages of random length at random times, from the seed"),
        key(
            "rebalance",
            Integer(1, 1_000_000),
            Else("-"),
            "2",
            "So many running Spot tasks per account vanish in silence and are replaced",
        ),
        ACCOUNTS,
    ]],
    rule: Rule::OneOf(&["capacity", "flapping", "slow_return", "random", "rebalance"]),
};

pub(in super::super) static FLAPPING: Group = Group {
    what: "`flapping`",
    about: "A market that is there and gone by turns.",
    keys: &[&[
        key("up", Duration("1s", "1d"), Required, "\"20m\"", "How long it is there"),
        key("down", Duration("1s", "1d"), Required, "\"10m\"", "How long it is gone"),
    ]],
    rule: Rule::Free,
};

pub(in super::super) static SLOW_RETURN: Group = Group {
    what: "`slow_return`",
    about: "A market that grows from nothing.",
    keys: &[&[
        key("per_minute", Integer(1, 1_000_000), Required, "2", "Tasks more each minute"),
        key("until", Integer(1, 1_000_000), Required, "40", "At so many tasks it is unlimited again"),
    ]],
    rule: Rule::Free,
};

pub(in super::super) static RANDOM: Group = Group {
    what: "`random`",
    about: "A market with a life of its own.",
    keys: &[&[
        key("every", Duration("1s", "31d"), Required, "\"6h\"", "Time between outages, on average"),
        key("shortest", Duration("1s", "31d"), Required, "\"2m\"", "Shortest outage"),
        key("longest", Duration("1s", "31d"), Required, "\"12h\"", "Longest outage"),
    ]],
    rule: Rule::Free,
};

pub(in super::super) static ON_DEMAND: Group = Group {
    what: "`on_demand`",
    about: "Running tasks stay, whatever the capacity.",
    keys: &[&[
        key(
            "capacity",
            IntegerOr(1_000_000, "unlimited"),
            Required,
            "4",
            "Tasks that can run On-Demand at once, per account",
        ),
        ACCOUNTS,
    ]],
    rule: Rule::Free,
};

pub(in super::super) static SPOT_ZONE: Group = Group {
    what: "`spot_zone`",
    about: "The other zones are as they were.",
    keys: &[&[
        key("zone", Word(&["a", "b", "c", "d", "e", "f"]), Required, "\"c\"", "Which"),
        key("short", Boolean, Or("true"), "false", "Whether it has no Spot from now on"),
        key(
            "loss",
            LOSS,
            Or("\"interrupt\""),
            "\"silent\"",
            "How its running tasks go: with the warning, without any event, or not",
        ),
        ACCOUNTS,
    ]],
    rule: Rule::Free,
};
