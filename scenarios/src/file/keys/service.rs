//! The keys of services, one by one and by the thousand.

use super::group::Kind::{Account, Boolean, Duration, Integer, Line, List, Number, Or as Either, Table, Word};
use super::group::Need::{Else, Or, Required};
use super::group::{Group, Key, Kind, Rule, key};

/// Most tasks of a service (aws-facts.md §4).
const MAX_DESIRED: u64 = 5000;

pub(in super::super) const STRATEGY: Kind = List(&Table(&STRATEGY_ITEM));
pub(super) const STRATEGY_EXAMPLE: &str =
    "[{ provider = \"FARGATE\", base = 1, weight = 1 }, { provider = \"FARGATE_SPOT\", weight = 3 }]";

pub(super) const CONTROLLERS: Kind = Word(&["ECS", "BLUE_GREEN", "CODE_DEPLOY", "EXTERNAL"]);
pub(super) const CONTROLLER_MEANING: &str = "Who runs its deployments; `BLUE_GREEN` is ECS's own";

const PROVIDER: Kind = Word(&["FARGATE", "FARGATE_SPOT"]);

pub(in super::super) static STRATEGY_ITEM: Group = Group {
    what: "a strategy item",
    about: "One capacity provider of a strategy. ECS's own rules hold: some provider has a weight, at most one has a base.",
    keys: &[&[
        key("provider", PROVIDER, Required, "\"FARGATE_SPOT\"", "Whose capacity"),
        key("weight", Integer(0, 1000), Or("0"), "3", "Share of the tasks above the base"),
        key("base", Integer(0, 100_000), Or("0"), "2", "Tasks placed here first"),
    ]],
    rule: Rule::Free,
};

pub(in super::super) static SERVICE: Group = Group {
    what: "[[service]]",
    about: "A service, at its desired count when the world starts.",
    keys: &[
        &[
            key("account", Account, Required, "\"111111111111\"", "Its account"),
            key("cluster", Line, Required, "\"web\"", "Its cluster"),
            key("name", Line, Required, "\"checkout\"", "Its name; one account may have it once in a cluster"),
            key("desired", Integer(0, MAX_DESIRED), Required, "6", "Tasks wanted"),
        ],
        TRAITS,
    ],
    rule: Rule::OneOf(&["strategy", "launch_type"]),
};

pub(in super::super) static FLEET: Group = Group {
    what: "[[fleet]]",
    about: "Many services alike, generated from the seed. Events and expectations speak of all of them by the fleet's name.",
    keys: &[
        &[
            key("name", Line, Required, "\"batch\"", "Its services are called by it and a number: `batch-0001`"),
            key(
                "accounts",
                Either(&Integer(1, 1000), &List(&Account)),
                Required,
                "1",
                "As many accounts of its own, or a list of accounts",
            ),
            key("cluster", Line, Required, "\"jobs\"", "The cluster in every account"),
            key("clusters", Integer(1, 10_000), Or("1"), "2", "So many clusters instead, numbered"),
            key("services", Integer(1, 1_000_000), Required, "2", "Services in all, spread evenly"),
            key(
                "desired",
                Either(&Integer(0, MAX_DESIRED), &List(&Integer(0, MAX_DESIRED))),
                Required,
                "[1, 6]",
                "Tasks wanted of each service; of two numbers, drawn for each between them",
            ),
        ],
        TRAITS,
    ],
    rule: Rule::OneOf(&["strategy", "launch_type"]),
};

/// What a service may be given besides its name and size; a fleet gives it to all of its services.
const TRAITS: &[Key] = &[
    key("cpu", Number(&[256, 512, 1024, 2048, 4096, 8192, 16384]), Or("256"), "512", "Size of a task in CPU units"),
    key(
        "strategy",
        STRATEGY,
        Else("`launch_type` takes its place"),
        STRATEGY_EXAMPLE,
        "The owner's capacity provider strategy",
    ),
    key(
        "launch_type",
        Word(&["FARGATE"]),
        Else("`strategy` takes its place"),
        "\"FARGATE\"",
        "A launch type in the place of a strategy: On-Demand, and not the recovery's to move",
    ),
    key(
        "scheduling",
        Word(&["REPLICA"]),
        Or("\"REPLICA\""),
        "\"REPLICA\"",
        "`schedulingStrategy`; Fargate has no other",
    ),
    key(
        "minimum_healthy_percent",
        Integer(0, 100),
        Or("100"),
        "50",
        "Share of the tasks that ECS keeps running in a deployment",
    ),
    key(
        "maximum_percent",
        Integer(100, 400),
        Or("200"),
        "150",
        "Share of the tasks that ECS may run at once in a deployment",
    ),
    key(
        "stop_timeout",
        Duration("0s", "2m"),
        Or("\"30s\""),
        "\"2m\"",
        "How long an interrupted task runs on after its SIGTERM",
    ),
    key(
        "deregistration_delay",
        Duration("0s", "1h"),
        Or("\"0s\""),
        "\"5m\"",
        "How long a load balancer drains a task before it is stopped",
    ),
    key("zones", Integer(1, 6), Or("3"), "1", "Availability Zones that it spans, from `a` on"),
    key("zone_rebalancing", Boolean, Or("true"), "false", "Whether ECS rebalances it between zones"),
    key("circuit_breaker", Boolean, Or("false"), "true", "Whether the deployment circuit breaker rolls back"),
    key("alarms", Boolean, Or("false"), "true", "Whether it has deployment alarms that roll back"),
    key(
        "autoscaling",
        Table(&AUTOSCALING),
        Else("none"),
        "",
        "An auto scaler moves the desired count with the load of the day",
    ),
    key("terraform", Table(&TERRAFORM), Else("none"), "", "A pipeline brings the declared strategy back on a schedule"),
    key("controller", CONTROLLERS, Or("\"ECS\""), "\"CODE_DEPLOY\"", CONTROLLER_MEANING),
    key(
        "cluster_providers",
        List(&PROVIDER),
        Or("[\"FARGATE\", \"FARGATE_SPOT\"]"),
        "[\"FARGATE_SPOT\"]",
        "Capacity providers that its cluster has associated",
    ),
];

pub(in super::super) static AUTOSCALING: Group = Group {
    what: "`autoscaling`",
    about: "An auto scaler of a service, which looks every five minutes.",
    keys: &[&[
        key("min", Integer(0, MAX_DESIRED), Required, "1", "Fewest tasks"),
        key("max", Integer(0, MAX_DESIRED), Required, "10", "Most tasks; `desired` lies between"),
    ]],
    rule: Rule::Free,
};

pub(in super::super) static TERRAFORM: Group = Group {
    what: "`terraform`",
    about: "A pipeline of the service's owner.",
    keys: &[&[
        key("every", Duration("1m", "31d"), Required, "\"2h\"", "How often it applies"),
        key(
            "force",
            Boolean,
            Required,
            "true",
            "Whether it forces a deployment, without which AWS refuses a change of strategy",
        ),
    ]],
    rule: Rule::Free,
};
