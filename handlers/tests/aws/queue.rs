//! `ChangeMessageVisibilityBatch`: when failed messages come back.

use std::time::Duration;

use handlers::aws::Backoff;
use serde_json::{Value, json};
use wiremock::{MockServer, ResponseTemplate};

use crate::bench::{VISIBILITY, error, garbage, impatient, late, ok, on, quick, sdk, sent, server_error, throttled};

const QUEUE: &str = "https://sqs.ap-south-1.amazonaws.com/999999999999/fargate-spot-interruption-queue";

async fn applied<const N: usize>(answers: [ResponseTemplate; N], messages: &[(&str, Duration)]) -> Vec<Value> {
    let server = MockServer::start().await;
    on(&server, VISIBILITY, answers).await;
    Backoff::new(&sdk(&server.uri()).await, quick()).apply(QUEUE, messages).await;
    sent(&server, VISIBILITY).await.iter().map(|request| request.body_json().expect("a JSON body")).collect()
}

#[tokio::test]
async fn each_message_comes_back_after_its_own_time() {
    let messages = [("first", Duration::from_millis(7_250)), ("second", Duration::from_secs(900))];
    let sent = applied([ok(json!({ "Successful": [{ "Id": "0" }, { "Id": "1" }] }))], &messages).await;
    let expected = json!({ "QueueUrl": QUEUE, "Entries": [
        { "Id": "0", "ReceiptHandle": "first", "VisibilityTimeout": 8 },
        { "Id": "1", "ReceiptHandle": "second", "VisibilityTimeout": 900 },
    ]});
    assert_eq!(sent, [expected]);
}

#[tokio::test]
async fn more_than_ten_messages_go_in_several_calls() {
    let handles: Vec<String> = (0..23).map(|n| format!("handle-{n}")).collect();
    let messages: Vec<(&str, Duration)> = handles.iter().map(|h| (h.as_str(), Duration::from_secs(5))).collect();
    let sent = applied([ok(json!({ "Successful": [], "Failed": [] }))], &messages).await;
    let sizes: Vec<usize> = sent.iter().map(|call| call["Entries"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [10, 10, 3]);
}

#[tokio::test]
async fn a_queue_that_refuses_costs_nothing_but_the_backoff() {
    let failed = json!({ "Id": "0", "Code": "ReceiptHandleIsInvalid", "SenderFault": true, "Message": "expired" });
    for (answer, calls) in [
        (ok(json!({ "Successful": [], "Failed": [failed] })), 1),
        (error(400, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist."), 1),
        (error(403, "AccessDeniedException", "no"), 1),
        (error(403, "ExpiredToken", "expired"), 1),
        (garbage(), 1),
        (throttled(), 3),
        (server_error(), 3),
    ] {
        assert_eq!(applied([answer], &[("handle", Duration::from_secs(5))]).await.len(), calls);
    }
}

#[tokio::test]
async fn a_queue_that_does_not_answer_is_given_up() {
    let server = MockServer::start().await;
    on(&server, VISIBILITY, [late()]).await;
    let backoff = Backoff::new(&sdk(&server.uri()).await, impatient());
    backoff.apply(QUEUE, &[("handle", Duration::from_secs(5))]).await;
    assert_eq!(sent(&server, VISIBILITY).await.len(), 3);
}
