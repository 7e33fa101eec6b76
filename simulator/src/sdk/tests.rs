//! The services beside ECS, request by request. That they answer the adapters right is in `scenarios/tests/via_sdk.rs`.

use std::sync::Arc;

use handlers::decide::Reason;
use handlers::record::{Phase, Record};
use serde_json::{Value, json};

use super::dynamodb::Dynamodb;
use super::events::put_events;
use crate::testing::{OneService, mixed};
use crate::wire::Response;
use crate::world::World;

fn world() -> World {
    OneService::new(2, &mixed()).world
}

fn read(response: &Response) -> (u16, Value) {
    (response.status, serde_json::from_slice(&response.body).expect("JSON"))
}

fn ask(dynamodb: &Dynamodb, world: &mut World, operation: &str, request: &Value) -> (u16, Value) {
    read(&dynamodb.answer(world, operation, request.to_string().as_bytes()))
}

/// JSON as DynamoDB has it.
fn attribute(value: &Value) -> Value {
    match value {
        Value::Null => json!({ "NULL": true }),
        Value::Bool(flag) => json!({ "BOOL": flag }),
        Value::Number(number) => json!({ "N": number.to_string() }),
        Value::String(text) => json!({ "S": text }),
        Value::Array(values) => json!({ "L": values.iter().map(attribute).collect::<Vec<_>>() }),
        Value::Object(_) => json!({ "M": attributes(value) }),
    }
}

fn attributes(object: &Value) -> Value {
    let members = object.as_object().expect("an object").iter();
    members.map(|(name, value)| (name.clone(), attribute(value))).collect::<serde_json::Map<_, _>>().into()
}

fn record_of(world: &World) -> Record {
    Record { version: 1, ..Record::new(world.spec.services[0].id.clone(), world.now) }
}

fn put(record: &Record) -> Value {
    json!({
        "TableName": "ecs_cp_restore_state",
        "Item": attributes(&record.to_item().into()),
        "ConditionExpression": "attribute_not_exists(id)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    })
}

#[test]
fn a_write_that_holds_is_the_worlds_own_and_one_that_does_not_shows_what_is_stored() {
    let (mut world, dynamodb) = (world(), Dynamodb::default());
    let record = record_of(&world);
    assert_eq!(ask(&dynamodb, &mut world, "PutItem", &put(&record)), (200, json!({})));
    assert_eq!(world.stored(&record.service).map(|stored| (**stored).clone()), Some(record.clone()));
    let (status, refusal) = ask(&dynamodb, &mut world, "PutItem", &put(&Record { version: 9, ..record.clone() }));
    assert_eq!(status, 400);
    assert!(refusal["__type"].as_str().is_some_and(|kind| kind.ends_with("#ConditionalCheckFailedException")));
    assert_eq!(refusal["Item"]["version"], json!({ "N": "1" }));
    assert_eq!(world.seen.oracle.violations, [""; 0]);
}

#[test]
fn a_table_of_ours_that_is_not_dynamodbs_is_a_violation() {
    let (mut world, dynamodb) = (world(), Dynamodb::default());
    let record = Arc::new(record_of(&world));
    world.put_record(&record, 0).expect("nothing is stored");
    let (status, _) = ask(&dynamodb, &mut world, "PutItem", &put(&record));
    assert_eq!(status, 200);
    let [violation] = world.seen.oracle.violations.as_slice() else { panic!("{:?}", world.seen.oracle.violations) };
    assert!(violation.starts_with("DynamoDB takes what the world's own table refuses"), "{violation}");
}

#[test]
fn what_dynamodb_is_not_asked_by_the_adapters_is_a_clear_refusal() {
    let (mut world, dynamodb) = (world(), Dynamodb::default());
    let (status, answer) = ask(&dynamodb, &mut world, "Scan", &json!({ "TableName": "ecs_cp_restore_state" }));
    assert_eq!(status, 501);
    assert!(answer["message"].as_str().is_some_and(|text| text.contains("Scan")), "{answer}");
    let (status, _) = ask(&dynamodb, &mut world, "GetItem", &json!({ "TableName": "other", "Key": {} }));
    assert_eq!(status, 400);
    let (status, answer) = read(&dynamodb.answer(&mut world, "PutItem", b"{"));
    assert_eq!((status, &answer["__type"]), (400, &json!("com.amazon.coral.service#SerializationException")));
}

#[test]
fn an_item_that_is_nothing_of_ours_is_a_violation() {
    let (mut world, dynamodb) = (world(), Dynamodb::default());
    let item = json!({ "TableName": "ecs_cp_restore_state", "Item": { "id": { "S": "x" }, "odd": { "B": "AAAA" } } });
    assert_eq!(ask(&dynamodb, &mut world, "PutItem", &item).0, 200);
    assert_eq!(world.seen.oracle.violations.len(), 1);
}

#[test]
fn an_entry_that_the_bus_does_not_take_fails_alone() {
    let mut world = world();
    let service = world.spec.services[0].id.clone();
    let detail = json!({
        "id": service.record_id(), "service": service.arn(), "account": service.account, "from": null,
        "to": Phase::Watching, "episode": 0, "reason": Reason::Restored.to_string(), "at": world.now,
    });
    let entry = |source: &str, bus: &str, detail: &str| json!({ "Source": source, "DetailType": "Spot Recovery Transition", "EventBusName": bus, "Detail": detail });
    let bus = handlers::aws::config::BUS;
    let request = json!({ "Entries": [
        entry("spot-recovery", bus, &detail.to_string()),
        entry("spot-recovery", "another", &detail.to_string()),
        entry("somebody", bus, &detail.to_string()),
        entry("spot-recovery", bus, "{}"),
    ]});
    let (status, answer) = read(&put_events(&mut world, request.to_string().as_bytes()));
    assert_eq!((status, &answer["FailedEntryCount"], world.audits.len()), (200, &json!(3), 1));
    assert!(answer["Entries"][0]["EventId"].is_string());
    let codes: Vec<_> = (1..4).map(|n| answer["Entries"][n]["ErrorCode"].as_str().unwrap_or_default()).collect();
    assert_eq!(codes, ["ResourceNotFoundException", "InvalidArgument", "MalformedDetail"]);
    assert_eq!(read(&put_events(&mut world, b"[]")).0, 400);
}
