//! Invocations: what a function makes of its payload, of its deadline and of what fails, and what it answers Lambda.

use std::time::Duration;

use handlers::aws::config::Config;
use handlers::aws::lambda::{Function, Instance, InvocationError, WRAP_UP};
use handlers::event::Trust;
use handlers::policy::Policy;
use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use serde_json::{Value, json};
use wiremock::MockServer;

use crate::bench::{
    ASSUME, DESCRIBE, GET, PUT, PUT_EVENTS, QUERY, UPDATE, VISIBILITY, assumed, cell, described, error, late, now, ok,
    on, quick, sdk, sent, server_error,
};
use crate::common::{account, region};

/// A minute left.
const PLENTY: Duration = Duration::from_secs(60);

struct Lambda {
    server: MockServer,
    instance: Instance,
}

/// An instance of `function` in a world where everything answers, nothing is known of any service, and nothing is due.
async fn lambda(function: Function) -> Lambda {
    let server = MockServer::start().await;
    on(&server, ASSUME, [assumed(Duration::from_secs(3600))]).await;
    on(&server, PUT, [ok(json!({}))]).await;
    on(&server, PUT_EVENTS, [ok(json!({ "FailedEntryCount": 0, "Entries": [{ "EventId": "1" }] }))]).await;
    on(&server, VISIBILITY, [ok(json!({}))]).await;
    let trust = Trust { region: region("ap-south-1"), synthetic_from: vec![account("999999999999")] };
    let config = Config { cell: cell(), trust, policy: Policy::default() };
    let instance = Instance::new(function, config, &sdk(&server.uri()).await, quick());
    Lambda { server, instance }
}

impl Lambda {
    async fn invoke(&self, payload: Value, left: Duration) -> Result<Value, InvocationError> {
        let mut context = Context::default();
        context.request_id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd".into();
        context.deadline = u64::try_from((now() + left).as_millis()).unwrap();
        self.instance.invoke(LambdaEvent::new(payload, context)).await
    }

    async fn calls(&self, action: &str) -> usize {
        sent(&self.server, action).await.len()
    }
}

/// A Spot task of `service` started.
fn task_event(service: &str) -> String {
    json!({
        "version": "0", "id": "1", "detail-type": "ECS Task State Change", "source": "aws.ecs",
        "account": "111122223333", "time": "2026-05-28T20:26:40Z", "region": "ap-south-1",
        "resources": ["arn:aws:ecs:ap-south-1:111122223333:task/shop/1"],
        "detail": {
            "clusterArn": "arn:aws:ecs:ap-south-1:111122223333:cluster/shop",
            "capacityProviderName": "FARGATE_SPOT", "group": format!("service:{service}"), "lastStatus": "RUNNING",
        },
    })
    .to_string()
}

/// A message as Lambda hands it over (Lambda developer guide, "Using Lambda with Amazon SQS").
fn message(id: &str, body: &str) -> Value {
    json!({
        "messageId": id,
        "receiptHandle": format!("handle-{id}"),
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "2", "SentTimestamp": "1545082649183",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO", "ApproximateFirstReceiveTimestamp": "1545082649185",
        },
        "messageAttributes": {},
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:ap-south-1:999999999999:fargate-spot-interruption-queue",
        "awsRegion": "ap-south-1",
    })
}

fn failures(ids: &[&str]) -> Value {
    let items: Vec<Value> = ids.iter().map(|id| json!({ "itemIdentifier": id })).collect();
    json!({ "batchItemFailures": items })
}

async fn in_full(lambda: &Lambda) {
    on(&lambda.server, GET, [ok(json!({}))]).await;
    on(&lambda.server, DESCRIBE, [ok(json!({ "services": [described("checkout"), described("search")] }))]).await;
}

/// The receipt handle of a message that was received twice, and the seconds until it comes back.
fn delay(id: &str) -> (String, u64) {
    let delay = Policy::default().message_delay(id, 2);
    assert!(delay >= Duration::from_secs(1), "not at once");
    (format!("handle-{id}"), u64::try_from(delay.as_millis().div_ceil(1000)).unwrap())
}

/// What SQS was told, in one call: receipt handles, and seconds until their messages come back.
async fn delays(lambda: &Lambda) -> Vec<(String, u64)> {
    let calls = sent(&lambda.server, VISIBILITY).await;
    let [call] = &calls[..] else { panic!("{} calls", calls.len()) };
    let entries = call.body_json::<Value>().unwrap()["Entries"].take();
    let entry = |entry: &Value| {
        (entry["ReceiptHandle"].as_str().unwrap().to_owned(), entry["VisibilityTimeout"].as_u64().unwrap())
    };
    entries.as_array().unwrap().iter().map(entry).collect()
}

#[tokio::test]
async fn a_batch_that_was_handled_has_no_failures() {
    let lambda = lambda(Function::Interruption).await;
    in_full(&lambda).await;
    let batch = json!({ "Records": [message("a", &task_event("checkout")), message("b", &task_event("search"))] });
    assert_eq!(lambda.invoke(batch, PLENTY).await, Ok(failures(&[])));
    // Both are watched now, and the turn of their account was taken and given back.
    assert_eq!((lambda.calls(PUT).await, lambda.calls(VISIBILITY).await), (2 + 2, 0));
    assert_eq!(lambda.invoke(json!({ "Records": [] }), PLENTY).await, Ok(failures(&[])));
}

#[tokio::test]
async fn a_message_that_is_refused_comes_back_alone_and_soon() {
    let lambda = lambda(Function::Interruption).await;
    in_full(&lambda).await;
    let mut bodiless = message("bodiless", "");
    bodiless.as_object_mut().unwrap().remove("body");
    let forged = task_event("checkout").replace("\"aws.ecs\"", "\"not.ecs\"");
    let batch = json!({ "Records": [
        message("poison", "no event"), message("good", &task_event("checkout")), message("forged", &forged), bodiless,
    ]});
    assert_eq!(lambda.invoke(batch, PLENTY).await, Ok(failures(&["poison", "forged", "bodiless"])));
    let told: Value = sent(&lambda.server, VISIBILITY).await[0].body_json().unwrap();
    let queue = "https://sqs.ap-south-1.amazonaws.com/999999999999/fargate-spot-interruption-queue";
    assert_eq!(told["QueueUrl"], queue);
    let soon = Policy::default().retry_delay.as_secs();
    assert_eq!(delays(&lambda).await, ["poison", "forged", "bodiless"].map(|id| (format!("handle-{id}"), soon)));
}

#[tokio::test]
async fn a_table_that_does_not_answer_fails_every_message_and_loses_none() {
    let lambda = lambda(Function::Interruption).await;
    on(&lambda.server, GET, [server_error()]).await;
    let batch = json!({ "Records": [message("a", &task_event("checkout")), message("b", &task_event("search"))] });
    assert_eq!(lambda.invoke(batch, PLENTY).await, Ok(failures(&["a", "b"])));
}

#[tokio::test]
async fn a_message_without_an_id_fails_the_whole_invocation_before_anything_is_done() {
    let mut nameless = message("a", &task_event("checkout"));
    for id in [Value::Null, json!("")] {
        nameless["messageId"] = id;
        let lambda = lambda(Function::Interruption).await;
        let batch = json!({ "Records": [message("good", &task_event("search")), nameless] });
        let error = lambda.invoke(batch, PLENTY).await.unwrap_err();
        assert_eq!(error, InvocationError::NoMessageId(1));
        assert_eq!(lambda.calls(GET).await, 0);
        let diagnostic = Diagnostic::from(error);
        assert_eq!(diagnostic.error_type, "NoMessageId");
        assert!(diagnostic.error_message.contains("record 1"), "{}", diagnostic.error_message);
    }
}

#[tokio::test]
async fn a_payload_that_is_no_batch_is_an_error_of_its_own_type() {
    for function in [Function::Interruption, Function::PlacementFailure] {
        let lambda = lambda(function).await;
        for payload in [json!(null), json!("x"), json!({}), json!({ "Records": 1 }), json!({ "Records": [1] })] {
            let diagnostic = Diagnostic::from(lambda.invoke(payload, PLENTY).await.unwrap_err());
            assert_eq!(diagnostic.error_type, "InvalidPayload");
            assert!(diagnostic.error_message.contains("no SQS event"), "{}", diagnostic.error_message);
        }
    }
}

#[tokio::test]
async fn a_batch_cut_off_by_the_deadline_comes_back_each_message_after_its_delay() {
    let lambda = lambda(Function::Interruption).await;
    on(&lambda.server, GET, [ok(json!({})), late()]).await;
    on(&lambda.server, DESCRIBE, [ok(json!({ "services": [described("checkout")] }))]).await;
    let batch = json!({ "Records": [message("a", &task_event("checkout")), message("b", &task_event("checkout"))] });
    // Time for the record, and a little more: the answer about the turn is late.
    let answer = lambda.invoke(batch, WRAP_UP + Duration::from_millis(800)).await;
    assert_eq!(answer, Ok(failures(&["a", "b"])));
    assert_eq!(lambda.calls(GET).await, 2);
    assert_eq!(delays(&lambda).await, ["a", "b"].map(delay));
}

#[tokio::test]
async fn a_deadline_that_has_passed_begins_nothing() {
    let lambda = lambda(Function::PlacementFailure).await;
    let batch = json!({ "Records": [message("a", &task_event("checkout"))] });
    assert_eq!(lambda.invoke(batch.clone(), Duration::ZERO).await, Ok(failures(&["a"])));
    assert_eq!((lambda.calls(GET).await, lambda.calls(VISIBILITY).await), (0, 0), "only the answer is left");
    // Time to tell SQS, and for nothing else.
    assert_eq!(lambda.invoke(batch, WRAP_UP).await, Ok(failures(&["a"])));
    assert_eq!(lambda.calls(GET).await, 0);
    assert_eq!(delays(&lambda).await, ["a"].map(delay));
}

#[tokio::test]
async fn a_placement_failure_moves_the_service_and_leaves_it_to_the_sweep_to_say_so() {
    let lambda = lambda(Function::PlacementFailure).await;
    on(&lambda.server, GET, [ok(json!({}))]).await;
    let mut short = described("checkout");
    short["runningCount"] = 2.into();
    short["deployments"][0]["runningCount"] = 2.into();
    let mut moved = short.clone();
    let fallback = json!([
        { "capacityProvider": "FARGATE_SPOT", "weight": 0, "base": 0 },
        { "capacityProvider": "FARGATE", "weight": 10, "base": 1 },
    ]);
    moved["capacityProviderStrategy"] = fallback.clone();
    moved["deployments"][0]["capacityProviderStrategy"] = fallback.clone();
    moved["deployments"][0]["rolloutState"] = "IN_PROGRESS".into();
    moved["deployments"][0]["createdAt"] = now().as_secs().into();
    on(&lambda.server, DESCRIBE, [ok(json!({ "services": [short] }))]).await;
    on(&lambda.server, UPDATE, [ok(json!({ "service": moved }))]).await;
    let time = humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + now()).to_string();
    let event = json!({
        "version": "0", "id": "1", "detail-type": "ECS Service Action", "source": "aws.ecs",
        "account": "111122223333", "time": time, "region": "ap-south-1",
        "resources": ["arn:aws:ecs:ap-south-1:111122223333:service/shop/checkout"],
        "detail": {
            "eventType": "ERROR", "eventName": "SERVICE_TASK_PLACEMENT_FAILURE",
            "clusterArn": "arn:aws:ecs:ap-south-1:111122223333:cluster/shop",
            "capacityProviderArns": ["arn:aws:ecs:ap-south-1:111122223333:capacity-provider/FARGATE_SPOT"],
            "reason": "RESOURCE:FARGATE", "createdAt": time,
        },
    });
    let batch = json!({ "Records": [message("a", &event.to_string())] });
    assert_eq!(lambda.invoke(batch, PLENTY).await, Ok(failures(&[])));
    let update: Value = sent(&lambda.server, UPDATE).await.remove(0).body_json().unwrap();
    assert_eq!(update["capacityProviderStrategy"][1]["capacityProvider"], "FARGATE");
    // Before the claim the turn of the account is taken.
    let claim: Value = sent(&lambda.server, PUT).await.remove(1).body_json().unwrap();
    assert_eq!(claim["Item"]["phase"], json!({ "S": "FailingOver" }));
    let owner = claim["Item"]["lease"]["M"]["owner"]["S"].as_str().unwrap();
    assert!(owner.starts_with("8476a536-e9f4-11e8-9739-2dfe598c3fcd@"), "{owner}");
    let confirmed: Value = sent(&lambda.server, PUT).await.remove(2).body_json().unwrap();
    assert_eq!(confirmed["Item"]["unannounced"]["L"].as_array().map(Vec::len), Some(2), "begun and done");
    assert_eq!((lambda.calls(UPDATE).await, lambda.calls(PUT_EVENTS).await), (1, 0));
}

#[tokio::test]
async fn the_sweep_looks_at_every_shard_whatever_the_schedule_sends() {
    let lambda = lambda(Function::Restore).await;
    on(&lambda.server, QUERY, [ok(json!({ "Items": [], "Count": 0, "ScannedCount": 0 }))]).await;
    for payload in [json!({ "source": "aws.events", "detail-type": "Scheduled Event" }), json!(null)] {
        assert_eq!(lambda.invoke(payload, PLENTY).await, Ok(json!({ "lookedAt": 0, "failed": 0 })));
    }
    assert_eq!(lambda.calls(QUERY).await, 2 * 16);
}

#[tokio::test]
async fn a_sweep_that_cannot_read_what_is_due_fails() {
    let lambda = lambda(Function::Restore).await;
    on(&lambda.server, QUERY, [error(400, "ResourceNotFoundException", "Requested resource not found")]).await;
    let diagnostic = Diagnostic::from(lambda.invoke(json!({}), PLENTY).await.unwrap_err());
    assert_eq!(diagnostic.error_type, "StateTable");
    assert!(diagnostic.error_message.contains("Requested resource not found"), "{}", diagnostic.error_message);
}

#[tokio::test]
async fn a_sweep_stops_before_the_deadline_and_leaves_the_rest_due() {
    let lambda = lambda(Function::Restore).await;
    on(&lambda.server, QUERY, [late()]).await;
    let answer = lambda.invoke(json!({}), WRAP_UP + Duration::from_millis(200)).await;
    assert_eq!(answer, Ok(json!({ "stopped": true })));
}

#[tokio::test]
async fn a_sweep_that_has_only_the_time_to_answer_stops_at_once() {
    let lambda = lambda(Function::Restore).await;
    on(&lambda.server, QUERY, [ok(json!({ "Items": [], "Count": 0, "ScannedCount": 0 }))]).await;
    assert_eq!(lambda.invoke(json!({}), WRAP_UP).await, Ok(json!({ "stopped": true })));
}
