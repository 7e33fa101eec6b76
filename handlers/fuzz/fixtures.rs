//! Real events, changed step by step: they get past the first checks far more often than any text does.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::REGION;
use super::inputs::Script;

macro_rules! fixtures {
    ($($name:literal)*) => {
        [$(include_str!(concat!("../../simulator/tests/event-fixtures/", $name, ".json"))),*]
    };
}

static FIXTURES: LazyLock<Vec<Value>> = LazyLock::new(|| {
    fixtures![
        "deployment-completed" "interruption-deactivating" "interruption-reason-only" "interruption-spot-interruption"
        "interruption-stopped" "interruption-termination-notice" "placement-failure-az-rebalance"
        "placement-failure-container-instances" "placement-failure-fargate-spot" "placement-failure-fargate" "steady-state"
        "synthetic-placement-failure" "synthetic-placement-failure-forged" "task-running-fargate"
        "task-running-spot-standalone" "task-running-spot" "task-stopped-spot"
    ]
    .iter()
    .map(|text| serde_json::from_str(text).unwrap())
    .collect()
});

#[rustfmt::skip]
const WORDS: [&str; 40] = [
    "", "aws.ecs", "test.aws.ecs", "aws.ec2", "111122223333", "903558039761", "999999999999", "444455556666",
    "11112222333", "ap-south-1", "eu-west-1", "cn-north-1", "ECS Service Action", "ECS Task State Change",
    "SERVICE_TASK_PLACEMENT_FAILURE", "SERVICE_STEADY_STATE", "FARGATE_SPOT", "FARGATE", "service:checkout",
    "service:other", "service:", "service:a/b", "service:a::b", "SpotInterruption", "TerminationNotice",
    "Your Spot Task was interrupted.", "2026-03-02T09:14:32Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z",
    "9999-12-31T23:59:60.999999999Z", "2026-02-30T00:00:00Z", "2026-03-02T09:14:32+01:00", "arn:aws:ecs",
    "arn:aws:ecs:ap-south-1:111122223333:cluster/", "arn:aws:ecs:ap-south-1:111122223333:service/shop/checkout/x",
    "arn:aws:ecs:ap-south-1:111122223333:service/checkout",
    "arn:aws:iam::444455556666:role/CentralSpotAutomationRole", "ARN:aws:ecs:eu-west-1:444455556666:service/a/b",
    " arn:aws:ecs:eu-west-1:444455556666:service/a/b", "a::b",
];
/// Fields the parser reads, and one it does not.
#[rustfmt::skip]
const KEYS: [&str; 14] = [
    "account", "region", "source", "time", "detail-type", "resources", "detail", "eventName", "capacityProviderArns",
    "clusterArn", "capacityProviderName", "group", "stopCode", "unheard-of",
];

pub(super) fn changed_fixture(script: &mut Script<'_>) -> String {
    let mut event = script.pick(&FIXTURES);
    for _ in 0..script.below(8) {
        let nodes = count(&event);
        let value = any_value(script, &event, nodes, 3);
        let key = script.pick(&KEYS);
        let Some(place) = node(&mut event, &mut script.below(nodes)) else { continue };
        match (script.below(4), place) {
            (0, Value::Object(fields)) => drop(fields.remove(key)),
            (1, Value::Object(fields)) => drop(fields.insert(key.into(), value)),
            (0, Value::Array(items)) => drop(items.pop()),
            (1, Value::Array(items)) => items.push(value),
            (_, place) => *place = value,
        }
    }
    let mut text = event.to_string();
    // Last, scratches in the text itself.
    for _ in 0..script.below(4) {
        let at = boundary(&text, script.below(65_536) % (text.len() + 1));
        let end = boundary(&text, (at + script.below(8)).min(text.len()));
        text.replace_range(at..end, &script.text());
    }
    text
}

/// The last character boundary up to `at`.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or_default()
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Object(fields) => fields.values().map(count).sum::<usize>(),
        Value::Array(items) => items.iter().map(count).sum(),
        _ => 0,
    }
}

/// The `n`th value within `value`, itself the first.
fn node<'a>(value: &'a mut Value, n: &mut usize) -> Option<&'a mut Value> {
    if *n == 0 {
        return Some(value);
    }
    *n -= 1;
    match value {
        Value::Object(fields) => fields.values_mut().find_map(|value| node(value, n)),
        Value::Array(items) => items.iter_mut().find_map(|value| node(value, n)),
        _ => None,
    }
}

fn any_value(script: &mut Script<'_>, event: &Value, nodes: usize, depth: u8) -> Value {
    match script.below(10) {
        0..3 => script.pick(&WORDS).into(),
        3..5 => arn(script).into(),
        5 => node(&mut event.clone(), &mut script.below(nodes)).cloned().unwrap_or_default(),
        6 => script.text().into(),
        7 => script.pick(&[Value::Null, json!(true), json!(0), json!(-1), json!(1e300), json!({}), json!([])]),
        8 if depth > 0 => {
            let items = (0..script.below(4)).map(|_| any_value(script, event, nodes, depth - 1));
            Value::Array(items.collect())
        }
        9 if depth > 0 => {
            let fields = (0..script.below(4))
                .map(|_| (script.pick(&KEYS).to_owned(), any_value(script, event, nodes, depth - 1)));
            Value::Object(fields.collect())
        }
        _ => Value::Null,
    }
}

/// An ARN of parts that are each right or wrong.
fn arn(script: &mut Script<'_>) -> String {
    let partition = script.pick(&["aws", "aws", "aws", "aws-cn", ""]);
    let service = script.pick(&["ecs", "ecs", "ecs", "iam"]);
    let region = script.pick(&[REGION, REGION, REGION, "eu-west-1", "cn-north-1", ""]);
    let account = script.pick(&["111122223333", "111122223333", "903558039761", "444455556666", ""]);
    let kind = script.pick(&["service", "cluster", "capacity-provider", "task", ""]);
    let path =
        script.pick(&["shop/checkout", "shop", "checkout", "other", "FARGATE_SPOT", "FARGATE", "a/b/c", "", "gpu:1"]);
    format!("arn:{partition}:{service}:{region}:{account}:{kind}/{path}")
}
