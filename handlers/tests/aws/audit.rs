//! `PutEvents`: what a transition looks like on the bus, and what counts as announced.

use handlers::aws::{DETAIL_TYPE, SOURCE};
use handlers::ports::{AuditError, AuditLog};
use handlers::record::Phase;
use handlers::transition::Transition;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::bench::{Bench, PUT_EVENTS, error, garbage, impatient, late, ok, quick, server_error, throttled};
use crate::common::{NOW, original, service};

fn transition() -> Transition {
    Transition {
        id: service().record_id(),
        service: service().arn(),
        account: service().account,
        from: Some(Phase::Watching),
        to: Some(Phase::FailingOver),
        episode: 1,
        original: Some(original()),
        reason: "Spot cannot be placed".into(),
        at: NOW,
    }
}

fn accepted() -> ResponseTemplate {
    ok(json!({ "FailedEntryCount": 0, "Entries": [{ "EventId": "11710aed-b79e-4468-a20b-bb3c0c3b4860" }] }))
}

async fn announced<const N: usize>(answers: [ResponseTemplate; N]) -> (Result<(), AuditError>, usize) {
    let bench = Bench::with(quick()).await;
    bench.on(PUT_EVENTS, answers).await;
    let announced = bench.aws.announce(&[transition()]).await;
    (announced, bench.sent(PUT_EVENTS).await.len())
}

#[tokio::test]
async fn a_transition_goes_to_the_central_bus_as_an_event_about_the_service() {
    let bench = Bench::new().await;
    bench.on(PUT_EVENTS, [accepted()]).await;
    assert_eq!(bench.aws.announce(&[transition()]).await, Ok(()));
    let mut sent = bench.bodies(PUT_EVENTS).await.remove(0);
    let detail = sent["Entries"][0]["Detail"].take();
    let detail: Value = serde_json::from_str(detail.as_str().expect("JSON in a string")).unwrap();
    assert_eq!(detail, serde_json::to_value(transition()).unwrap());
    let entry = json!({
        "Time": 1_780_000_000,
        "Source": SOURCE,
        "Resources": ["arn:aws:ecs:ap-south-1:111122223333:service/shop/checkout"],
        "DetailType": DETAIL_TYPE,
        "Detail": null,
        "EventBusName": "central",
    });
    assert_eq!(sent, json!({ "Entries": [entry] }));
}

#[tokio::test]
async fn transitions_go_in_one_call_in_their_order() {
    let bench = Bench::new().await;
    bench.on(PUT_EVENTS, [accepted()]).await;
    let all: Vec<_> = (1..=10).map(|episode| Transition { episode, ..transition() }).collect();
    assert_eq!(bench.aws.announce(&all).await, Ok(()));
    let sent = bench.bodies(PUT_EVENTS).await;
    assert_eq!(sent.len(), 1);
    let details = sent[0]["Entries"].as_array().expect("entries").iter().map(|entry| entry["Detail"].as_str().unwrap());
    let told: Vec<Transition> = details.map(|detail| serde_json::from_str(detail).unwrap()).collect();
    assert_eq!(told, all);
}

#[tokio::test]
async fn an_entry_that_failed_in_a_call_that_succeeded_is_an_error() {
    let failed = |entry: Value| ok(json!({ "FailedEntryCount": 1, "Entries": [entry] }));
    let (refused, _) = announced([failed(
        json!({ "ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": "Not authorized" }),
    )])
    .await;
    assert_eq!(refused, Err(AuditError("bus central: NotAuthorizedForSourceException: Not authorized".into())));
    let (refused, _) = announced([failed(json!({}))]).await;
    assert!(refused.is_err(), "the count alone says so too");
}

#[tokio::test]
async fn an_announcement_survives_two_bad_moments() {
    for bad in [server_error(), throttled(), ResponseTemplate::new(503)] {
        assert_eq!(announced([bad.clone(), bad, accepted()]).await, (Ok(()), 3));
    }
}

#[tokio::test]
async fn what_was_not_accepted_says_why() {
    for (answer, says) in [
        (server_error(), "HTTP 500"),
        (throttled(), "Rate exceeded"),
        (error(400, "AccessDeniedException", "not authorized to perform: events:PutEvents"), "events:PutEvents"),
        (error(400, "ExpiredTokenException", "expired"), "ExpiredTokenException"),
        (garbage(), ""),
    ] {
        let (announced, _) = announced([answer]).await;
        let text = announced.expect_err(says).to_string();
        assert!(text.contains(says), "{text}");
    }
    let bench = Bench::with(impatient()).await;
    bench.on(PUT_EVENTS, [late()]).await;
    assert!(bench.aws.announce(&[transition()]).await.is_err());
}
