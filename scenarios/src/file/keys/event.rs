//! The keys of `[[at]]`: what can happen to a world from outside.

use super::event_path::{BUS_POLICY, FORWARDING, FUNCTION, ORGANIZATION, QUEUE, REDRIVE};
use super::group::Kind::{Account, Boolean, Duration, Integer, IntegerOr, Line, List, Object, Table, Word};
use super::group::Need::{Else, Or, Required};
use super::group::{Group, Key, Rule, key};
use super::market::{ON_DEMAND, SPOT, SPOT_ZONE};
use super::scope::{ACCOUNTS, FLEET_KEY, ONLY_SERVICE, SERVICE_KEY, SERVICE_OR_FLEET};
use super::service::{CONTROLLER_MEANING, CONTROLLERS, STRATEGY, STRATEGY_EXAMPLE};

const fn action(name: &'static str, group: &'static Group, meaning: &'static str) -> Key {
    key(name, Table(group), Else("-"), "", meaning)
}

pub(in super::super) static AT: Group = Group {
    what: "[[at]]",
    about: "Something that happens: a time and one action.",
    keys: &[
        &[key(
            "time",
            Duration("0s", "the duration"),
            Required,
            "\"10m\"",
            "When, counted from the start of the world",
        )],
        ACTIONS,
    ],
    rule: Rule::OneOf(&[
        "spot",
        "on_demand",
        "interrupt",
        "put_events",
        "update_service",
        "deploy",
        "roll_back",
        "alarm",
        "delete_service",
        "create_service",
        "opt_out",
        "controller",
        "application",
        "crash_loop",
        "protect",
        "spot_zone",
        "rebalancing_failure",
        "role",
        "forwarding",
        "bus_policy",
        "organization",
        "queue",
        "redrive",
        "function",
        "pause",
        "calm",
    ]),
};

const ACTIONS: &[Key] = &[
    action("spot", &SPOT, "The Spot market changes once, or takes a shape"),
    action("on_demand", &ON_DEMAND, "The On-Demand market changes"),
    action("interrupt", &INTERRUPT, "Spot tasks of a service get the two-minute warning; the market stays as it is"),
    action("put_events", &PUT_EVENTS, "Somebody puts an event on the central bus"),
    action("update_service", &UPDATE_SERVICE, "The owner changes the service"),
    action("deploy", &DEPLOY, "The owner deploys: a new deployment on the strategy as it is"),
    action("roll_back", &ROLL_BACK, "The owner has ECS roll the running deployment back"),
    action("alarm", &ALARM, "A deployment alarm of the service goes off"),
    action("delete_service", &DELETE_SERVICE, "The owner deletes the service"),
    action("create_service", &CREATE_SERVICE, "The owner creates the deleted service anew, as it was in the beginning"),
    action("opt_out", &OPT_OUT, "The owner tags the service `spot-recovery=off`, or takes the tag away"),
    action("controller", &CONTROLLER, "The owner changes the service's deployment controller or deployment strategy"),
    action("application", &APPLICATION, "The application cannot start from now on, or can again"),
    action("crash_loop", &CRASH_LOOP, "The application exits shortly after each start from now on, or runs again"),
    action("protect", &PROTECT, "The owner protects running tasks from scale-in and deployments"),
    action("spot_zone", &SPOT_ZONE, "One Availability Zone runs out of Spot, or has it again"),
    action(
        "rebalancing_failure",
        &REBALANCING_FAILURE,
        "AZ rebalancing cannot place a task: the event of a shortage, at full count",
    ),
    action("role", &ROLE, "`CentralSpotAutomationRole` changes"),
    action("forwarding", &FORWARDING, "The way of an account's events to the central bus breaks or is mended"),
    action("bus_policy", &BUS_POLICY, "The resource policy of the central bus changes"),
    action("organization", &ORGANIZATION, "Accounts leave the organization, or are taken in"),
    action("queue", &QUEUE, "The rules can no longer deliver to a queue, or can again"),
    action("redrive", &REDRIVE, "Somebody moves a DLQ's messages back to its queue"),
    action("function", &FUNCTION, "Somebody stops a function, breaks it, or lets it run again"),
    key("pause", Boolean, Else("-"), "true", "The operator sets the kill switch `paused` of the cell, or lifts it"),
    key("calm", Boolean, Else("-"), "true", "The `[faults]` end"),
];

const TASKS: Key = key("tasks", IntegerOr(1_000_000, "all"), Or("\"all\""), "2", "How many");

const fn of_service(what: &'static str, about: &'static str) -> Group {
    Group { what, about, keys: &[&[SERVICE_KEY, FLEET_KEY]], rule: SERVICE_OR_FLEET }
}

pub(in super::super) static DEPLOY: Group = of_service("`deploy`", "A new deployment on the strategy as it is.");
pub(in super::super) static ROLL_BACK: Group =
    of_service("`roll_back`", "`StopServiceDeployment` with `ROLLBACK`, by the owner.");
pub(in super::super) static ALARM: Group =
    of_service("`alarm`", "For a service with `alarms = true`; what is being deployed then is rolled back.");
pub(in super::super) static DELETE_SERVICE: Group = of_service("`delete_service`", "Its tasks stop.");
pub(in super::super) static CREATE_SERVICE: Group = of_service("`create_service`", "After `delete_service`.");
pub(in super::super) static REBALANCING_FAILURE: Group =
    of_service("`rebalancing_failure`", "Nothing happens to a service that is short.");

pub(in super::super) static INTERRUPT: Group = Group {
    what: "`interrupt`",
    about: "Running Spot tasks of one service, or of each service of a fleet.",
    keys: &[&[SERVICE_KEY, FLEET_KEY, TASKS]],
    rule: SERVICE_OR_FLEET,
};

pub(in super::super) static PUT_EVENTS: Group = Group {
    what: "`put_events`",
    about: "`PutEvents` on the central bus. EventBridge stamps the caller as `account`; the rest is the caller's to write.",
    keys: &[&[
        key("from", Account, Required, "\"999999999999\"", "The caller"),
        key(
            "source",
            Line,
            Required,
            "\"test.aws.ecs\"",
            "`source`; those that begin with `aws.` are reserved for AWS",
        ),
        key("detail_type", Line, Required, "\"ECS Service Action\"", "`detail-type`"),
        key(
            "resources",
            List(&Line),
            Or("[]"),
            "[\"arn:aws:ecs:eu-west-1:111111111111:service/web/checkout\"]",
            "`resources`: the service's ARN",
        ),
        key(
            "detail",
            Object,
            Required,
            "{ eventName = \"SERVICE_TASK_PLACEMENT_FAILURE\" }",
            "`detail`, as a table or as JSON text",
        ),
    ]],
    rule: Rule::Free,
};

pub(in super::super) static UPDATE_SERVICE: Group = Group {
    what: "`update_service`",
    about: "`UpdateService` by the owner. A change of strategy forces a deployment, as ECS demands.",
    keys: &[&[
        SERVICE_KEY,
        FLEET_KEY,
        key("strategy", STRATEGY, Else("as it is"), STRATEGY_EXAMPLE, "The new strategy"),
        key("desired", Integer(0, 5000), Else("as it is"), "8", "The new desired count"),
    ]],
    rule: SERVICE_OR_FLEET,
};

pub(in super::super) static OPT_OUT: Group = Group {
    what: "`opt_out`",
    about: "Nothing of ours touches a service with the tag.",
    keys: &[&[
        SERVICE_KEY,
        FLEET_KEY,
        key("off", Boolean, Or("true"), "false", "Whether the tag is there from now on"),
    ]],
    rule: SERVICE_OR_FLEET,
};

pub(in super::super) static CONTROLLER: Group = Group {
    what: "`controller`",
    about: "`UpdateService` by the owner. It deploys nothing; ECS refuses it during a deployment (aws-facts.md §1.5).",
    keys: &[&[SERVICE_KEY, FLEET_KEY, key("is", CONTROLLERS, Required, "\"BLUE_GREEN\"", CONTROLLER_MEANING)]],
    rule: SERVICE_OR_FLEET,
};

pub(in super::super) static APPLICATION: Group = Group {
    what: "`application`",
    about: "What runs exits within a minute and new tasks never run, which ECS says and throttles (aws-facts.md §3).",
    keys: &[&[SERVICE_KEY, FLEET_KEY, key("fails", Boolean, Required, "true", "Whether it fails")]],
    rule: SERVICE_OR_FLEET,
};

pub(in super::super) static CRASH_LOOP: Group = Group {
    what: "`crash_loop`",
    about: "Tasks run and exit, which ECS neither says nor throttles (aws-facts.md §3).",
    keys: &[&[ONLY_SERVICE, key("crashes", Boolean, Required, "true", "Whether they exit")]],
    rule: Rule::Free,
};

pub(in super::super) static PROTECT: Group = Group {
    what: "`protect`",
    about: "`UpdateTaskProtection` (aws-facts.md §1.6).",
    keys: &[&[
        ONLY_SERVICE,
        key("tasks", IntegerOr(1_000_000, "all"), Or("\"all\""), "2", "How many, the oldest first"),
        key("time", Duration("1m", "2d"), Or("\"2h\""), "\"30m\"", "For how long"),
    ]],
    rule: Rule::Free,
};

pub(in super::super) static ROLE: Group = Group {
    what: "`role`",
    about: "The role that the recovery assumes in a workload account.",
    keys: &[&[
        key(
            "is",
            Word(&["present", "missing", "read-only"]),
            Required,
            "\"missing\"",
            "`read-only`: without `ecs:UpdateService`",
        ),
        ACCOUNTS,
    ]],
    rule: Rule::Free,
};
