//! `DescribeServices`: what is asked, and what is made of the answer.

use handlers::aws::CallLimits;
use handlers::held::HeldReason;
use handlers::observation::{Controller, Look, Message, Observation, Rollout};
use handlers::ports::{Cluster, Ecs, EcsError};
use handlers::service::ServiceName;
use handlers::timestamp::Timestamp;
use serde_json::{Value, json};
use wiremock::matchers::header;
use wiremock::{Mock, Request, ResponseTemplate};

use crate::bench::{
    ASSUME, Bench, DESCRIBE, described, error, garbage, impatient, late, ok, quick, server_error, throttled,
};
use crate::common::{full_on, original, service, spread};

fn names(names: &[&str]) -> Vec<ServiceName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

async fn looks(bench: &Bench, asked: &[&str]) -> Result<Vec<Look>, EcsError> {
    bench.aws.describe_services(&Cluster::of(&service()), &names(asked)).await
}

/// What becomes of one service shown so.
async fn look(shown: Value) -> Look {
    let bench = Bench::new().await;
    bench.on(DESCRIBE, [ok(json!({ "services": [shown], "failures": [] }))]).await;
    looks(&bench, &["checkout"]).await.expect("an answer").remove(0)
}

async fn seen(shown: Value) -> Observation {
    match look(shown).await {
        Look::Found(seen) => (*seen).clone(),
        other => panic!("{other:?}"),
    }
}

/// What becomes of an answer, and how often it was asked for.
async fn outcome<const N: usize>(answers: [ResponseTemplate; N]) -> (Result<Vec<Look>, EcsError>, usize) {
    outcome_within(quick(), answers).await
}

async fn outcome_within<const N: usize>(
    limits: CallLimits,
    answers: [ResponseTemplate; N],
) -> (Result<Vec<Look>, EcsError>, usize) {
    let bench = Bench::with(limits).await;
    bench.on(DESCRIBE, answers).await;
    let looks = looks(&bench, &["checkout", "search"]).await;
    (looks, bench.sent(DESCRIBE).await.len())
}

#[tokio::test]
async fn services_are_asked_for_by_name_with_their_tags_in_the_session_of_their_account() {
    let bench = Bench::new().await;
    bench.on(DESCRIBE, [ok(json!({ "services": [described("checkout")], "failures": [] }))]).await;
    let answer = looks(&bench, &["checkout"]).await;
    assert_eq!(answer, Ok(vec![Look::found(full_on(original()))]));
    let asked = bench.sent(DESCRIBE).await;
    assert_eq!(
        bench.bodies(DESCRIBE).await,
        [json!({ "cluster": "shop", "services": ["checkout"], "include": ["TAGS"] })]
    );
    assert_eq!(asked[0].headers["content-type"], "application/x-amz-json-1.1");
    let signed = asked[0].headers["authorization"].to_str().unwrap();
    assert!(signed.contains("Credential=ASIAWORKLOAD/") && signed.contains("/ap-south-1/ecs/"), "{signed}");
    assert_eq!(asked[0].headers["x-amz-security-token"], "token");
}

#[tokio::test]
async fn the_answer_is_in_the_order_asked_and_says_who_is_missing() {
    let bench = Bench::new().await;
    let missing = json!({
        "arn": "arn:aws:ecs:ap-south-1:111122223333:service/shop/gone", "reason": "MISSING",
    });
    let shown = json!({ "services": [described("checkout"), described("search")], "failures": [missing] });
    bench.on(DESCRIBE, [ok(shown)]).await;
    let answer = looks(&bench, &["search", "gone", "checkout"]).await.unwrap();
    assert!(matches!(&answer[..], [Look::Found(_), Look::Missing, Look::Found(_)]), "{answer:?}");
}

#[tokio::test]
async fn only_the_reason_missing_makes_a_service_missing_any_other_blocks_it_alone() {
    let failure = |arn: &str, reason: Value| json!({ "arn": arn, "reason": reason, "detail": "why" });
    let checkout = "arn:aws:ecs:ap-south-1:111122223333:service/shop/checkout";
    let other = "arn:aws:ecs:ap-south-1:111122223333:service/shop/not-checkout";
    for (failures, says) in [
        (json!([]), "checkout is neither in services nor in failures"),
        (json!([failure(checkout, json!("ACCESS_DENIED"))]), "the reason ACCESS_DENIED, detail why"),
        (json!([failure(checkout, Value::Null)]), "the reason none, detail why"),
        (json!([failure(other, json!("MISSING"))]), "checkout is neither in services nor in failures"),
    ] {
        let (answer, asked) = outcome([ok(json!({ "services": [described("search")], "failures": failures }))]).await;
        let Ok([Look::Blocked(HeldReason::Unreadable(text)), Look::Found(_)]) = answer.as_deref() else {
            panic!("{failures}: {answer:?}")
        };
        assert!(text.contains(says), "{text}");
        assert_eq!(asked, 1);
    }
}

/// What becomes of ten services, `s0` to `s9`, when every call that names one of `trouble` gets `answer`, and how many were made.
async fn ten(trouble: &'static [&'static str], answer: ResponseTemplate) -> (Vec<Look>, usize) {
    let bench = Bench::new().await;
    let respond = move |request: &Request| {
        let asked = request.body_json::<Value>().unwrap()["services"].as_array().unwrap().clone();
        if asked.iter().any(|name| trouble.contains(&name.as_str().unwrap())) {
            return answer.clone();
        }
        let shown: Vec<Value> = asked.iter().map(|name| described(name.as_str().unwrap())).collect();
        ok(json!({ "services": shown }))
    };
    Mock::given(header("x-amz-target", DESCRIBE)).respond_with(respond).mount(&bench.server).await;
    let asked = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9"];
    (looks(&bench, &asked).await.expect("an answer"), bench.sent(DESCRIBE).await.len())
}

fn denied() -> ResponseTemplate {
    let text = "User: arn:aws:sts::111122223333:assumed-role/CentralSpotAutomationRole/x is not authorized to perform: \
                ecs:DescribeServices on resource: arn:aws:ecs:ap-south-1:111122223333:service/shop/s0 because no \
                identity-based policy allows the action";
    error(400, "AccessDeniedException", text)
}

#[tokio::test]
async fn a_denied_service_leaves_the_other_nine_their_looks() {
    let blocked = Look::Blocked(HeldReason::AccessDenied("ecs:DescribeServices".into()));
    for (trouble, calls) in [(&[][..], 1), (&["s0"], 11), (&["s0", "s7"], 11), (&["s9"], 11)] {
        let (looks, asked) = ten(trouble, denied()).await;
        for (n, look) in looks.iter().enumerate() {
            match trouble.contains(&format!("s{n}").as_str()) {
                true => assert_eq!(*look, blocked, "s{n}"),
                false => assert!(matches!(look, Look::Found(_)), "s{n}: {look:?}"),
            }
        }
        assert_eq!((looks.len(), asked), (10, calls), "{trouble:?}");
    }
}

#[tokio::test]
async fn a_name_that_ecs_rejects_leaves_the_other_nine_their_looks() {
    let (looks, asked) = ten(&["s3"], error(400, "InvalidParameterException", "Invalid identifier: s3")).await;
    let (found, other): (Vec<_>, Vec<_>) = looks.into_iter().partition(|look| matches!(look, Look::Found(_)));
    let blocked = HeldReason::Unreadable("InvalidParameterException: Invalid identifier: s3".into());
    assert_eq!((found.len(), other, asked), (9, vec![Look::Blocked(blocked)], 11));
}

#[tokio::test]
async fn a_batch_that_may_succeed_later_is_not_asked_service_by_service() {
    for (answer, calls) in [
        (throttled(), 3),
        (server_error(), 3),
        (error(400, "ExpiredTokenException", "expired"), 1),
        (error(400, "ClientException", "Please try again later."), 1),
        (error(400, "UpdateInProgressException", "The cluster is in a busy state."), 1),
    ] {
        let (answer, asked) = outcome([answer]).await;
        assert!(answer.is_err(), "{answer:?}");
        assert_eq!(asked, calls, "{answer:?}");
    }
}

#[tokio::test]
async fn throttled_between_two_services_nothing_is_known_of_either() {
    let (answer, asked) = outcome([denied(), denied(), throttled()]).await;
    assert!(matches!(answer, Err(EcsError::Throttled(_))), "{answer:?}");
    assert_eq!(asked, 5, "the batch, the first service, and the second three times");
}

#[tokio::test]
async fn without_the_cluster_every_service_is_missing() {
    let (answer, asked) = outcome([error(400, "ClusterNotFoundException", "Cluster not found.")]).await;
    assert_eq!((answer, asked), (Ok(vec![Look::Missing; 2]), 1));
}

#[tokio::test]
async fn being_denied_is_an_answer_and_is_not_asked_again() {
    let bench = Bench::new().await;
    bench.on(DESCRIBE, [denied()]).await;
    let blocked = Look::Blocked(HeldReason::AccessDenied("ecs:DescribeServices".into()));
    assert_eq!(looks(&bench, &["checkout"]).await, Ok(vec![blocked]));
    assert_eq!(bench.sent(DESCRIBE).await.len(), 1);
}

#[tokio::test]
async fn a_throttled_look_is_tried_three_times_and_then_says_so() {
    let (answer, asked) = outcome([throttled()]).await;
    assert_eq!(asked, 3);
    assert_eq!(answer, Err(EcsError::Throttled("ThrottlingException: Rate exceeded".into())));
}

#[tokio::test]
async fn a_look_survives_two_bad_moments() {
    let found = || ok(json!({ "services": [described("checkout"), described("search")] }));
    for (limits, bad) in [
        (quick(), server_error()),
        (quick(), throttled()),
        (quick(), ResponseTemplate::new(503)),
        (impatient(), late()),
    ] {
        let (answer, asked) = outcome_within(limits, [bad.clone(), bad, found()]).await;
        assert!(matches!(answer.as_deref(), Ok([Look::Found(_), Look::Found(_)])), "{answer:?}");
        assert_eq!(asked, 3);
    }
}

#[tokio::test]
async fn no_clear_answer_is_an_error_that_says_what_came() {
    for (answer, says) in [
        (server_error(), "HTTP 500"),
        (garbage(), ""),
        (ResponseTemplate::new(403).set_body_string("blocked by a proxy"), "HTTP 403"),
        (error(400, "InvalidSignatureException", "Signature expired"), "Signature expired"),
        (error(400, "ServerException", "try it"), "HTTP 400, ServerException"),
        (error(400, "ConflictException", "another call"), "ConflictException: another call"),
    ] {
        let (answer, _) = outcome([answer]).await;
        let Err(EcsError::Unclear(text)) = &answer else { panic!("{says}: {answer:?}") };
        assert!(text.contains(says), "{text}");
    }
    let (answer, asked) = outcome_within(impatient(), [late()]).await;
    let Err(EcsError::Unclear(text)) = &answer else { panic!("{answer:?}") };
    assert!(text.contains("timed out") && !text.contains("VPC endpoints"), "it was reached: {text}");
    assert_eq!(asked, 3);
}

#[tokio::test]
async fn a_session_or_signature_that_ecs_rejects_is_dropped_and_the_next_look_succeeds() {
    for code in ["ExpiredTokenException", "UnrecognizedClientException", "InvalidSignatureException", "RequestExpired"]
    {
        let bench = Bench::new().await;
        let found = ok(json!({ "services": [described("checkout")] }));
        bench.on(DESCRIBE, [error(400, code, "The security token included in the request is expired"), found]).await;
        let first = looks(&bench, &["checkout"]).await;
        assert!(matches!(&first, Err(EcsError::Unclear(text)) if text.contains(code)), "{first:?}");
        assert!(looks(&bench, &["checkout"]).await.is_ok());
        assert_eq!((bench.sent(DESCRIBE).await.len(), bench.sent(ASSUME).await.len()), (2, 2));
    }
}

#[tokio::test]
async fn every_field_a_decision_hangs_on_is_read() {
    let mut shown = described("checkout");
    shown["runningCount"] = 3.into();
    shown["deploymentConfiguration"]["minimumHealthyPercent"] = 50.into();
    shown["tags"] = json!([{ "key": "spot-recovery", "value": "off" }]);
    shown["events"] = json!([
        { "id": "b", "createdAt": 1_770_000_002.5, "message": "(service checkout) has reached a steady state." },
        { "id": "a", "createdAt": 1_770_000_001.0, "message": "(service checkout) has started 4 tasks." },
    ]);
    let mut old = shown["deployments"][0].clone();
    old["id"] = "ecs-svc/0".into();
    old["status"] = "ACTIVE".into();
    old["rolloutState"] = "FAILED".into();
    old["runningCount"] = 1.into();
    let mut older = old.clone();
    older["id"] = "ecs-svc/-1".into();
    older["status"] = "DRAINING".into();
    older["rolloutState"] = "SUPERSEDED".into();
    old["capacityProviderStrategy"] = json!([{ "capacityProvider": "FARGATE", "weight": 1, "base": 0 }]);
    let mut new = shown["deployments"][0].clone();
    new["rolloutState"] = "IN_PROGRESS".into();
    new["createdAt"] = json!(1_770_000_001.123);
    shown["deployments"] = json!([old, new, older]);

    let seen = seen(shown).await;
    assert_eq!((seen.desired, seen.running, seen.minimum_healthy_percent, seen.opted_out), (4, 3, 50, true));
    let deployments: Vec<_> =
        seen.deployments.iter().map(|d| (d.id.as_str(), d.primary, d.rollout, d.running)).collect();
    let expected = [
        ("ecs-svc/1", true, Rollout::InProgress, 4),
        ("ecs-svc/0", false, Rollout::Failed, 1),
        ("ecs-svc/-1", false, Rollout::InProgress, 1),
    ];
    assert_eq!(deployments, expected, "the primary first, and of the others no state is asked");
    assert_eq!(seen.deployments[0].created_at, Timestamp::from_millis(1_770_000_001_123));
    assert_eq!(seen.deployments[1].strategy, Some(spread(&[("FARGATE", 0, 1)])));
    let message = Message {
        at: Timestamp::from_millis(1_770_000_002_500),
        text: "(service checkout) has reached a steady state.".into(),
    };
    assert_eq!((seen.messages.len(), &seen.messages[0]), (2, &message));
}

#[tokio::test]
async fn the_rollout_of_a_replaced_deployment_is_read_too() {
    for (state, rollout) in [
        (json!("FAILED"), Rollout::Failed),
        (json!("COMPLETED"), Rollout::Completed),
        (json!("IN_PROGRESS"), Rollout::InProgress),
        (json!("SUPERSEDED"), Rollout::InProgress),
        (Value::Null, Rollout::InProgress),
    ] {
        let mut shown = described("checkout");
        let mut replaced = shown["deployments"][0].clone();
        replaced["id"] = "ecs-svc/0".into();
        replaced["status"] = "ACTIVE".into();
        replaced["rolloutState"] = state.clone();
        shown["deployments"].as_array_mut().unwrap().push(replaced);
        let seen = seen(shown).await;
        let rollouts: Vec<_> = seen.deployments.iter().map(|d| (d.primary, d.rollout)).collect();
        assert_eq!(rollouts, [(true, Rollout::Completed), (false, rollout)], "{state}");
    }
}

#[tokio::test]
async fn a_tag_of_another_value_is_no_opt_out() {
    let mut shown = described("checkout");
    shown["tags"] = json!([{ "key": "spot-recovery", "value": "on" }, { "key": "other", "value": "off" }]);
    assert!(!seen(shown).await.opted_out);
}

#[tokio::test]
async fn a_service_that_is_not_handled_is_still_described() {
    let change = |change: fn(&mut Value)| {
        let mut shown = described("checkout");
        change(&mut shown);
        shown
    };
    let launch_type = seen(change(|s| {
        s.as_object_mut().unwrap().remove("capacityProviderStrategy");
        s["launchType"] = "FARGATE".into();
        s["deployments"][0].as_object_mut().unwrap().remove("capacityProviderStrategy");
        s["deployments"][0]["launchType"] = "FARGATE".into();
    }));
    let launch_type = launch_type.await;
    assert_eq!((launch_type.strategy, launch_type.deployments[0].strategy.clone()), (None, None));

    // Task sets in the place of deployments.
    let code_deploy = seen(change(|s| {
        s["deploymentController"]["type"] = "CODE_DEPLOY".into();
        s["deployments"] = json!([]);
        s.as_object_mut().unwrap().remove("deploymentConfiguration");
    }));
    assert_eq!(code_deploy.await.controller, Controller::Other("CODE_DEPLOY".into()));
    let blue_green = seen(change(|s| {
        s["deploymentConfiguration"]["strategy"] = "BLUE_GREEN".into();
        s["deployments"][0].as_object_mut().unwrap().remove("rolloutState");
    }));
    assert_eq!(blue_green.await.controller, Controller::Other("ECS with BLUE_GREEN".into()));
    let group = seen(change(|s| {
        s["capacityProviderStrategy"] = json!([{ "capacityProvider": "my-group", "weight": 1, "base": 0 }]);
        s["deployments"][0].as_object_mut().unwrap().remove("rolloutState");
    }));
    assert_eq!(group.await.unsupported(), Some(HeldReason::Provider("my-group".into())));
    let daemon = seen(change(|s| s["schedulingStrategy"] = "DAEMON".into()));
    assert_eq!(daemon.await.unsupported(), Some(HeldReason::Daemon));
    for status in ["DRAINING", "INACTIVE"] {
        let mut shown = described("checkout");
        shown["status"] = status.into();
        shown["deployments"] = json!([]);
        assert!(!seen(shown).await.active, "{status}");
    }
}

#[tokio::test]
async fn a_field_that_is_missing_or_strange_blocks_its_service_alone_and_is_named() {
    fn removed(pointer: &str) -> Value {
        let mut shown = described("checkout");
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        let parent = shown.pointer_mut(parent).and_then(Value::as_object_mut).unwrap();
        assert!(parent.remove(field).is_some(), "{pointer}");
        shown
    }
    fn set(pointer: &str, value: Value) -> Value {
        let mut shown = described("checkout");
        *shown.pointer_mut(pointer).unwrap() = value;
        shown
    }
    let unused = json!([{ "capacityProvider": "FARGATE", "weight": 0, "base": 0 }]);
    for (shown, named) in [
        (removed("/status"), "status is missing"),
        (removed("/createdAt"), "createdAt is missing"),
        (removed("/capacityProviderStrategy"), "capacityProviderStrategy and launchType are both missing"),
        (removed("/deployments"), "deployments have not exactly one PRIMARY"),
        (removed("/deploymentConfiguration/minimumHealthyPercent"), "minimumHealthyPercent is missing"),
        (removed("/deployments/0/id"), "deployments[0].id is missing"),
        (removed("/deployments/0/status"), "deployments[0].status is missing"),
        (removed("/deployments/0/createdAt"), "deployments[0].createdAt is missing"),
        (removed("/deployments/0/rolloutState"), "deployments[0].rolloutState is missing"),
        (set("/status", json!("SLEEPING")), "status \"SLEEPING\" is not known"),
        (set("/createdAt", json!(-1)), "createdAt lies before 1970"),
        (set("/desiredCount", json!(-1)), "desiredCount is -1"),
        (set("/runningCount", json!(-4)), "runningCount is -4"),
        (set("/capacityProviderStrategy/0/weight", json!(-1)), "capacityProviderStrategy[0].weight is -1"),
        (set("/capacityProviderStrategy", unused), "capacityProviderStrategy is not valid"),
        (set("/deployments/0/rolloutState", json!("PAUSED")), "deployments[0].rolloutState \"PAUSED\" is not known"),
        (set("/deployments/0/status", json!("ACTIVE")), "deployments have not exactly one PRIMARY"),
        (set("/events", json!([{ "message": "x" }])), "events[0].createdAt is missing"),
    ] {
        let bench = Bench::new().await;
        bench.on(DESCRIBE, [ok(json!({ "services": [shown, described("search")] }))]).await;
        let answer = looks(&bench, &["checkout", "search"]).await.unwrap();
        let [Look::Blocked(HeldReason::Unreadable(problem)), Look::Found(_)] = &answer[..] else {
            panic!("{named}: {answer:?}")
        };
        assert!(problem.contains(named), "{problem}");
    }
}
