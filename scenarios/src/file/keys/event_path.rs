//! The keys of actions that break and mend the way of an event: buses, queues, functions.

use super::group::Kind::{Account, Boolean, List, Or as Either, Word};
use super::group::Need::Required;
use super::group::{Group, Kind, Rule, key};
use super::scope::ACCOUNTS;

const QUEUE_NAME: Kind = Word(&["placement-failure", "interruption"]);

pub(in super::super) static FORWARDING: Group = Group {
    what: "`forwarding`",
    about: "The rule, its role, and the target in a workload account.",
    keys: &[&[
        key(
            "is",
            Word(&["present", "missing", "denied", "unreachable", "disabled"]),
            Required,
            "\"missing\"",
            "`missing`: its role is deleted; `disabled`: its rule is",
        ),
        ACCOUNTS,
    ]],
    rule: Rule::Free,
};

pub(in super::super) static BUS_POLICY: Group = Group {
    what: "`bus_policy`",
    about: "Whose events the central bus takes.",
    keys: &[&[key(
        "admits",
        Either(&Word(&["organization", "onboarded"]), &List(&Account)),
        Required,
        "[\"111111111111\"]",
        "The whole organization, the accounts of the scenario, or these",
    )]],
    rule: Rule::Free,
};

pub(in super::super) static ORGANIZATION: Group = Group {
    what: "`organization`",
    about: "What a bus policy on the organization depends on.",
    keys: &[&[key("member", Boolean, Required, "false", "Whether they belong to it from now on"), ACCOUNTS]],
    rule: Rule::Free,
};

pub(in super::super) static QUEUE: Group = Group {
    what: "`queue`",
    about: "What a rule cannot deliver goes to the rule's DLQ.",
    keys: &[&[
        key("name", QUEUE_NAME, Required, "\"placement-failure\"", "Which"),
        key(
            "is",
            Word(&["reachable", "unreachable", "denied"]),
            Required,
            "\"unreachable\"",
            "How it is from now on, to the rules",
        ),
    ]],
    rule: Rule::Free,
};

pub(in super::super) static REDRIVE: Group = Group {
    what: "`redrive`",
    about: "`StartMessageMoveTask`.",
    keys: &[&[key("queue", QUEUE_NAME, Required, "\"placement-failure\"", "The queue, not its DLQ")]],
    rule: Rule::Free,
};

pub(in super::super) static FUNCTION: Group = Group {
    what: "`function`",
    about: "The Lambda functions of the cell.",
    keys: &[&[
        key("name", Word(&["placement-failure", "interruption", "restore"]), Required, "\"restore\"", "Which"),
        key(
            "is",
            Word(&["running", "stopped", "failing", "detached"]),
            Required,
            "\"stopped\"",
            "`stopped`: its reserved concurrency is 0; `failing`: it cannot start; `detached`: nothing calls it",
        ),
    ]],
    rule: Rule::Free,
};
