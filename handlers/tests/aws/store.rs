//! The state table: what is read and written, under which conditions, and what each answer means.

use std::sync::{Arc, Mutex};

use handlers::aws::DUE_INDEX;
use handlers::market::Market;
use handlers::ports::{Put, StateStore, StoreError};
use handlers::record::Record;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use wiremock::matchers::header_regex;
use wiremock::{Mock, Request, Respond, ResponseTemplate};

use crate::bench::{Bench, DELETE, GET, PUT, QUERY, error, garbage, impatient, late, ok, server_error, throttled};
use crate::common::{NOW, any_record, any_service, on_demand, service, watching};

/// A JSON object as DynamoDB has it on the wire (API reference, `AttributeValue`).
fn stored(object: &Map<String, Value>) -> Value {
    fn attribute(value: &Value) -> Value {
        match value {
            Value::Null => json!({ "NULL": true }),
            Value::Bool(flag) => json!({ "BOOL": flag }),
            Value::Number(number) => json!({ "N": number.to_string() }),
            Value::String(text) => json!({ "S": text }),
            Value::Array(values) => json!({ "L": values.iter().map(attribute).collect::<Vec<_>>() }),
            Value::Object(object) => json!({ "M": stored(object) }),
        }
    }
    object.iter().map(|(name, value)| (name.clone(), attribute(value))).collect::<Map<_, _>>().into()
}

fn record() -> Arc<Record> {
    let event = json!({ "source": "aws.ecs", "detail": { "reason": "RESOURCE:FARGATE" } });
    Arc::new(Record { event: Some(event.into()), ..on_demand(NOW) })
}

/// A failed condition, with the item that is stored.
fn refused(item: Option<Value>) -> ResponseTemplate {
    let code = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
    let mut body = json!({ "__type": code, "message": "The conditional request failed" });
    if let Some(item) = item {
        body["Item"] = item;
    }
    ResponseTemplate::new(400).set_body_raw(body.to_string(), "application/x-amz-json-1.0")
}

async fn bench<const N: usize>(action: &str, answers: [ResponseTemplate; N]) -> Bench {
    let bench = Bench::new().await;
    bench.on(action, answers).await;
    bench
}

#[tokio::test]
async fn a_record_is_read_consistently_by_its_id() {
    let bench = bench(GET, [ok(json!({ "Item": stored(&record().to_item()) }))]).await;
    assert_eq!(bench.aws.get(&service()).await, Ok(Some(record())));
    let expected = json!({
        "TableName": "ecs_cp_restore_state",
        "Key": { "id": { "S": "111122223333::shop::checkout" } },
        "ConsistentRead": true,
    });
    assert_eq!(bench.bodies(GET).await, [expected]);
}

/// A table of one item: what was written is what is read.
#[derive(Clone, Default)]
struct OneItem(Arc<Mutex<Value>>);

impl Respond for OneItem {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let sent: Value = request.body_json().expect("a JSON body");
        let mut item = self.0.lock().expect("no test panics with it");
        match sent.get("Item") {
            Some(written) => {
                *item = written.clone();
                ok(json!({}))
            }
            None => ok(json!({ "Item": *item })),
        }
    }
}

#[tokio::test]
async fn any_record_comes_back_from_the_table_as_it_went() {
    let bench = Bench::new().await;
    Mock::given(header_regex("x-amz-target", "^DynamoDB_")).respond_with(OneItem::default()).mount(&bench.server).await;
    let mut runner = TestRunner::deterministic();
    for _ in 0..100 {
        let record = any_service().prop_flat_map(any_record).new_tree(&mut runner).expect("a record").current();
        let record = Arc::new(record);
        assert_eq!(bench.aws.put(&record, 0).await, Ok(Put::Written));
        assert_eq!(bench.aws.get(&record.service).await, Ok(Some(record)));
    }
}

#[tokio::test]
async fn no_item_is_no_record() {
    assert_eq!(bench(GET, [ok(json!({}))]).await.aws.get(&service()).await, Ok(None));
}

#[tokio::test]
async fn a_damaged_item_is_an_error_that_names_it() {
    let mut damaged = stored(&record().to_item());
    damaged["phase"] = json!({ "S": "Asleep" });
    let mut binary = stored(&record().to_item());
    binary["reason"] = json!({ "B": "AAEC" });
    for item in [damaged, binary, json!({ "id": { "S": "111122223333::shop::checkout" } })] {
        let read = bench(GET, [ok(json!({ "Item": item }))]).await.aws.get(&service()).await;
        let Err(StoreError::Item(error)) = &read else { panic!("{read:?}") };
        assert_eq!(error.id, "111122223333::shop::checkout");
    }
}

#[tokio::test]
async fn a_table_without_a_clear_answer_says_what_came() {
    for (answer, says, calls) in [
        (error(400, "ProvisionedThroughputExceededException", "slow down"), "slow down", 3),
        (throttled(), "Rate exceeded", 3),
        (server_error(), "HTTP 500", 3),
        (garbage(), "", 1),
        (error(400, "AccessDeniedException", "not authorized to perform: dynamodb:GetItem"), "dynamodb:GetItem", 1),
        (error(400, "ExpiredTokenException", "expired"), "ExpiredTokenException", 1),
        (error(400, "ResourceNotFoundException", "Requested resource not found"), "ResourceNotFoundException", 1),
    ] {
        let bench = bench(GET, [answer]).await;
        let read = bench.aws.get(&service()).await;
        assert!(matches!(&read, Err(StoreError::Unclear(text)) if text.contains(says)), "{says}: {read:?}");
        assert_eq!(bench.sent(GET).await.len(), calls, "{says}");
    }
    let bench = Bench::with(impatient()).await;
    for action in [GET, PUT, DELETE, QUERY] {
        bench.on(action, [late()]).await;
    }
    assert!(matches!(bench.aws.get(&service()).await, Err(StoreError::Unclear(_))));
    assert!(matches!(bench.aws.put(&record(), 0).await, Err(StoreError::Unclear(_))));
    assert!(matches!(bench.aws.delete(&record()).await, Err(StoreError::Unclear(_))));
    assert!(matches!(bench.aws.due(0, NOW, None).await, Err(StoreError::Unclear(_))));
}

#[tokio::test]
async fn every_write_that_fails_for_another_reason_is_unclear() {
    for answer in [throttled(), server_error(), error(400, "ValidationException", "Item size has exceeded"), garbage()]
    {
        let bench = Bench::new().await;
        bench.on(PUT, [answer.clone()]).await;
        bench.on(DELETE, [answer]).await;
        let market = Market::new(service().account, service().region);
        assert!(matches!(bench.aws.put(&record(), 3).await, Err(StoreError::Unclear(_))));
        assert!(matches!(bench.aws.delete(&record()).await, Err(StoreError::Unclear(_))));
        assert!(matches!(bench.aws.put_market(&market).await, Err(StoreError::Unclear(_))));
    }
}

#[tokio::test]
async fn a_new_record_is_written_only_where_there_is_none() {
    let bench = bench(PUT, [ok(json!({}))]).await;
    assert_eq!(bench.aws.put(&record(), 0).await, Ok(Put::Written));
    let expected = json!({
        "TableName": "ecs_cp_restore_state",
        "Item": stored(&record().to_item()),
        "ConditionExpression": "attribute_not_exists(id)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    });
    let sent = bench.bodies(PUT).await.remove(0);
    assert_eq!(sent, expected);
    // What the original design, the due index and the conditions rely on.
    for (attribute, kind) in [
        ("id", "S"),
        ("scheduled", "BOOL"),
        ("config", "L"),
        ("event", "M"),
        ("due_shard", "N"),
        ("next_check_at", "N"),
    ] {
        assert!(sent["Item"][attribute].get(kind).is_some(), "{attribute}: {}", sent["Item"][attribute]);
    }
}

#[tokio::test]
async fn a_later_version_is_written_only_in_the_place_of_the_one_it_was_decided_from() {
    let bench = bench(PUT, [ok(json!({}))]).await;
    assert_eq!(bench.aws.put(&record(), 2).await, Ok(Put::Written));
    let sent = bench.bodies(PUT).await.remove(0);
    assert_eq!(sent["ConditionExpression"], "#version = :version");
    assert_eq!(sent["ExpressionAttributeNames"], json!({ "#version": "version" }));
    assert_eq!(sent["ExpressionAttributeValues"], json!({ ":version": { "N": "2" } }));
}

#[tokio::test]
async fn a_conflict_shows_what_is_stored() {
    let other = Record { version: 9, reason: "somebody else".into(), ..(*record()).clone() };
    let bench = bench(PUT, [refused(Some(stored(&other.to_item()))), refused(None), refused(Some(json!({})))]).await;
    assert_eq!(bench.aws.put(&record(), 2).await, Ok(Put::Conflict(Some(Arc::new(other)))));
    assert_eq!(bench.aws.put(&record(), 2).await, Ok(Put::Conflict(None)));
    assert_eq!(bench.aws.put(&record(), 2).await, Ok(Put::Conflict(None)), "an empty item is none");
    assert_eq!(bench.sent(PUT).await.len(), 3, "a conflict is not retried");
}

#[tokio::test]
async fn a_write_whose_first_reply_was_lost_is_known_as_our_own() {
    let ours = refused(Some(stored(&record().to_item())));
    let bench = bench(PUT, [server_error(), ours]).await;
    assert_eq!(bench.aws.put(&record(), 2).await, Ok(Put::Written));
    assert_eq!(bench.sent(PUT).await.len(), 2);
}

#[tokio::test]
async fn a_number_that_dynamodb_writes_another_way_does_not_make_our_own_write_anothers() {
    let written = Record { event: Some(json!({ "share": 1.0 }).into()), ..(*record()).clone() };
    let mut item = stored(&written.to_item());
    item["event"] = json!({ "M": { "share": { "N": "1" } } });
    let bench = bench(PUT, [refused(Some(item))]).await;
    assert_eq!(bench.aws.put(&Arc::new(written), 2).await, Ok(Put::Written));
}

#[tokio::test]
async fn a_damaged_item_in_the_way_of_a_write_is_an_error() {
    let bench = bench(PUT, [refused(Some(json!({ "id": { "S": "x" } })))]).await;
    let put = bench.aws.put(&record(), 2).await;
    assert!(matches!(&put, Err(StoreError::Item(error)) if error.id == "x"), "{put:?}");
}

#[tokio::test]
async fn a_record_is_deleted_only_in_its_own_version() {
    let other = Record { version: 9, ..(*record()).clone() };
    let bench = bench(DELETE, [ok(json!({})), refused(Some(stored(&other.to_item()))), refused(None)]).await;
    assert_eq!(bench.aws.delete(&record()).await, Ok(Put::Written));
    assert_eq!(bench.aws.delete(&record()).await, Ok(Put::Conflict(Some(Arc::new(other)))));
    assert_eq!(bench.aws.delete(&record()).await, Ok(Put::Conflict(None)));
    let expected = json!({
        "TableName": "ecs_cp_restore_state",
        "Key": { "id": { "S": "111122223333::shop::checkout" } },
        "ConditionExpression": "#version = :version",
        "ExpressionAttributeNames": { "#version": "version" },
        "ExpressionAttributeValues": { ":version": { "N": "3" } },
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    });
    assert_eq!(bench.bodies(DELETE).await[0], expected);
}

#[tokio::test]
async fn a_market_lives_beside_the_records_one_version_up_with_each_write() {
    let market = Market { version: 4, wave: 8, ..Market::new(service().account, service().region) };
    let next = Market { version: 5, ..market.clone() };
    let bench = Bench::new().await;
    bench.on(GET, [ok(json!({ "Item": stored(&market.to_item()) })), ok(json!({}))]).await;
    let (account, region) = (service().account, service().region);
    assert_eq!(bench.aws.market(&account, &region).await, Ok(Some(market.clone())));
    assert_eq!(bench.aws.market(&account, &region).await, Ok(None));
    assert_eq!(bench.bodies(GET).await[0]["Key"], json!({ "id": { "S": "111122223333::ap-south-1" } }));

    let others = Market { wave: 16, ..next.clone() };
    let answers = [
        ok(json!({})),
        refused(Some(stored(&others.to_item()))),
        refused(Some(stored(&next.to_item()))),
        refused(None),
    ];
    bench.on(PUT, answers).await;
    let mut holds = Vec::new();
    for _ in 0..4 {
        holds.push(bench.aws.put_market(&market).await.unwrap());
    }
    assert_eq!(holds, [true, false, true, false], "written, another's, our own, gone");
    let sent = &bench.bodies(PUT).await[0];
    assert_eq!(sent["Item"], stored(&next.to_item()));
    assert_eq!(sent["ExpressionAttributeValues"], json!({ ":version": { "N": "4" } }));
    assert!(sent["Item"].get("due_shard").is_none(), "a market is never due");
}

#[tokio::test]
async fn the_due_index_is_read_page_by_page_to_its_end() {
    let key = json!({ "id": { "S": "a::b::c" }, "due_shard": { "N": "2" }, "next_check_at": { "N": "1779999999999" } });
    let (first, last) = (stored(&record().to_item()), stored(&watching().to_item()));
    let bench = bench(
        QUERY,
        [
            ok(json!({ "Items": [first], "Count": 1, "ScannedCount": 1, "LastEvaluatedKey": key })),
            // Nothing on a page, and yet there is another (aws-facts.md §7).
            ok(json!({ "Items": [], "Count": 0, "ScannedCount": 0, "LastEvaluatedKey": key })),
            ok(json!({ "Items": [last], "Count": 1, "ScannedCount": 1 })),
        ],
    )
    .await;
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = bench.aws.due(2, NOW, after).await.unwrap();
        found.extend(page.records);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, [record(), Arc::new(watching())]);
    let asked = bench.bodies(QUERY).await;
    let mut expected = json!({
        "TableName": "ecs_cp_restore_state",
        "IndexName": DUE_INDEX,
        "KeyConditionExpression": "due_shard = :shard AND next_check_at <= :now",
        "ExpressionAttributeValues": { ":shard": { "N": "2" }, ":now": { "N": "1780000000000" } },
    });
    assert_eq!(asked[0], expected);
    expected["ExclusiveStartKey"] = key;
    assert_eq!(asked[1..], [expected.clone(), expected]);
}

#[tokio::test]
async fn a_damaged_item_does_not_hide_the_others_on_its_page() {
    let damaged = json!({ "id": { "S": "111122223333::shop::broken" }, "phase": { "S": "Asleep" } });
    let good = stored(&record().to_item());
    let bench = bench(QUERY, [ok(json!({ "Items": [damaged, good], "Count": 2, "ScannedCount": 2 }))]).await;
    let page = bench.aws.due(0, NOW, None).await.unwrap();
    assert_eq!((page.records, page.next), (vec![record()], None));
}

#[tokio::test]
async fn a_due_index_that_cannot_be_read_is_an_error() {
    for answer in [throttled(), server_error(), garbage(), error(400, "AccessDeniedException", "no")] {
        let due = bench(QUERY, [answer]).await.aws.due(0, NOW, None).await;
        assert!(matches!(&due, Err(StoreError::Unclear(_))), "{due:?}");
    }
}
