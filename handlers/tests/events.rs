//! Proves which events are believed and what they mean: every fixture has its reading, every forgery its refusal, and
//! nothing an account can put on the bus makes the parser panic or speak of another account.

mod common;
#[path = "../fuzz/checks.rs"]
mod fuzz;

use std::path::Path;

use common::{account, any_json, region, service_named};
use handlers::event::{Event, MAX_EVENT_BYTES, Parsed, Refusal, Signal, Trust, hand_on, parse};
use handlers::timestamp::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../simulator/tests/event-fixtures/", $name, ".json"))
    };
}

const SPOT_FAILURE: &str = fixture!("placement-failure-fargate-spot");
const SPOT_TASK: &str = fixture!("task-running-spot");
const SYNTHETIC: &str = fixture!("synthetic-placement-failure");

/// Every fixture and what it says of its service; `None` is an event of no interest.
const FIXTURES: [(&str, &str, Option<Signal>); 16] = [
    ("deployment-completed", fixture!("deployment-completed"), None),
    ("interruption-deactivating", fixture!("interruption-deactivating"), Some(Signal::Interruption)),
    ("interruption-reason-only", fixture!("interruption-reason-only"), Some(Signal::Interruption)),
    ("interruption-spot-interruption", fixture!("interruption-spot-interruption"), Some(Signal::Interruption)),
    ("interruption-stopped", fixture!("interruption-stopped"), Some(Signal::Interruption)),
    ("interruption-termination-notice", fixture!("interruption-termination-notice"), Some(Signal::Interruption)),
    ("placement-failure-az-rebalance", fixture!("placement-failure-az-rebalance"), Some(Signal::SpotPlacementFailure)),
    ("placement-failure-container-instances", fixture!("placement-failure-container-instances"), None),
    ("placement-failure-fargate-spot", SPOT_FAILURE, Some(Signal::SpotPlacementFailure)),
    ("placement-failure-fargate", fixture!("placement-failure-fargate"), Some(Signal::OnDemandPlacementFailure)),
    ("steady-state", fixture!("steady-state"), None),
    ("synthetic-placement-failure", SYNTHETIC, Some(Signal::SyntheticPlacementFailure)),
    ("task-running-fargate", fixture!("task-running-fargate"), None),
    ("task-running-spot-standalone", fixture!("task-running-spot-standalone"), None),
    ("task-running-spot", SPOT_TASK, Some(Signal::SpotTask)),
    ("task-stopped-spot", fixture!("task-stopped-spot"), Some(Signal::SpotTask)),
];

fn trust() -> Trust {
    Trust { region: region("ap-south-1"), synthetic_from: vec![account("903558039761"), account("999999999999")] }
}

fn no_synthetic() -> Trust {
    Trust { synthetic_from: vec![], ..trust() }
}

/// `fixture` with the value at `pointer` replaced, or put there if the last step of it is missing.
fn with(fixture: &str, pointer: &str, value: Value) -> String {
    let mut event: Value = serde_json::from_str(fixture).unwrap();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match event.pointer_mut(parent).unwrap() {
        Value::Object(fields) => {
            fields.insert(key.into(), value);
        }
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        other => panic!("{pointer} leads to {other}"),
    }
    event.to_string()
}

fn without(fixture: &str, pointer: &str) -> String {
    let mut event: Value = serde_json::from_str(fixture).unwrap();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    event.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key).unwrap();
    event.to_string()
}

fn event(text: &str) -> Event {
    match parse(text, &trust()) {
        Ok(Parsed::Event(event)) => *event,
        other => panic!("expected an event, got {other:?}"),
    }
}

fn refusal(text: &str) -> Refusal {
    parse(text, &trust()).expect_err("expected a refusal")
}

#[test]
fn every_fixture_says_what_it_should_of_the_service_it_should() {
    for (name, text, expected) in FIXTURES {
        match (parse(text, &trust()), expected) {
            (Ok(Parsed::Ignored(_)), None) => {}
            (Ok(Parsed::Event(event)), Some(signal)) => {
                assert_eq!(event.signal, signal, "{name}");
                let service = match signal {
                    Signal::SyntheticPlacementFailure => {
                        service_named("903558039761", "test-cluster2", "test-cluster-service")
                    }
                    _ => service_named("111122223333", "shop", "checkout"),
                };
                assert_eq!(event.service, service, "{name}");
                assert_eq!(event.value(), serde_json::from_str::<Value>(text).unwrap(), "{name}");
                assert_eq!(Ok(event.at), Timestamp::parse(event.value()["time"].as_str().unwrap()), "{name}");
            }
            (got, expected) => panic!("{name}: expected {expected:?}, got {got:?}"),
        }
    }
}

#[test]
fn the_synthetic_event_of_the_original_design_reaches_the_service_its_arn_names() {
    let text = json!({
        "version": "0",
        "id": "c1f06a04-dabd-4d4f-bfdb-e7dfef67c31a",
        "detail-type": "ECS Service Action",
        "source": "test.aws.ecs",
        "account": "999999999999",
        "time": "2026-03-02T12:00:00Z",
        "region": "ap-south-1",
        "resources": ["arn:aws:ecs:ap-south-1:903558039761:service/test-cluster2/test-cluster-service"],
        "detail": {
            "eventName": "SERVICE_TASK_PLACEMENT_FAILURE",
            "reason": "RESOURCE:FARGATE",
            "capacityProviderArns": ["arn:aws:ecs:ap-south-1:903558039761:capacity-provider/FARGATE_SPOT"],
        },
    })
    .to_string();
    let event = event(&text);
    assert_eq!(event.signal, Signal::SyntheticPlacementFailure);
    assert_eq!(event.service.record_id(), "903558039761::test-cluster2::test-cluster-service");
    assert_eq!(event.service.region, region("ap-south-1"));
}

#[test]
fn a_synthetic_event_from_an_account_not_allowed_is_refused() {
    let forged = fixture!("synthetic-placement-failure-forged");
    assert_eq!(refusal(forged), Refusal::SyntheticNotAllowed(account("111122223333")));
}

#[test]
fn every_synthetic_event_is_refused_where_they_are_switched_off() {
    assert_eq!(parse(SYNTHETIC, &no_synthetic()), Err(Refusal::SyntheticNotAllowed(account("903558039761"))));
}

#[test]
fn a_synthetic_event_whose_arns_disagree_about_the_account_is_refused() {
    let other = json!(["arn:aws:ecs:ap-south-1:111122223333:capacity-provider/FARGATE_SPOT"]);
    let expected = Refusal::ForeignAccount { sender: account("903558039761"), named: account("111122223333") };
    assert_eq!(refusal(&with(SYNTHETIC, "/detail/capacityProviderArns", other)), expected);
}

#[test]
fn a_synthetic_task_event_is_no_signal() {
    let text = with(SYNTHETIC, "/detail-type", json!("ECS Task State Change"));
    assert!(matches!(parse(&text, &trust()), Ok(Parsed::Ignored(_))));
    let interrupted = fixture!("interruption-spot-interruption");
    let service = json!(["arn:aws:ecs:ap-south-1:111122223333:service/shop/checkout"]);
    let text = with(&with(interrupted, "/source", json!("test.aws.ecs")), "/resources", service);
    assert!(matches!(parse(&with(&text, "/account", json!("999999999999")), &trust()), Ok(Parsed::Ignored(_))));
}

#[test]
fn an_event_of_another_region_is_refused_whatever_it_is() {
    for (name, text, _) in FIXTURES {
        let expected = Refusal::ForeignRegion { expected: region("ap-south-1"), found: region("eu-west-1") };
        assert_eq!(refusal(&with(text, "/region", json!("eu-west-1"))), expected, "{name}");
    }
}

#[test]
fn an_arn_of_another_region_anywhere_is_refused() {
    for pointer in ["/resources/0", "/detail/clusterArn", "/detail/deep"] {
        let text = with(SPOT_FAILURE, pointer, json!("arn:aws:ecs:eu-west-1:111122223333:service/shop/checkout"));
        assert!(matches!(refusal(&text), Refusal::ForeignRegion { .. }), "{pointer}");
    }
}

#[test]
fn an_arn_of_another_account_anywhere_is_refused() {
    let expected = Refusal::ForeignAccount { sender: account("111122223333"), named: account("444455556666") };
    let service = "arn:aws:ecs:ap-south-1:444455556666:service/shop/checkout";
    let cluster = "arn:aws:ecs:ap-south-1:444455556666:cluster/shop";
    for (text, pointer, value) in [
        (SPOT_FAILURE, "/resources/0", json!(service)),
        (SPOT_FAILURE, "/resources", json!(["arn:aws:ecs:ap-south-1:111122223333:service/shop/checkout", service])),
        (SPOT_FAILURE, "/detail/clusterArn", json!(cluster)),
        (
            SPOT_FAILURE,
            "/detail/capacityProviderArns/0",
            json!("arn:aws:ecs:ap-south-1:444455556666:capacity-provider/FARGATE_SPOT"),
        ),
        (SPOT_FAILURE, "/detail/unheard-of", json!({ "a": [[{ "b": service }]] })),
        (SPOT_TASK, "/detail/clusterArn", json!(cluster)),
        (SPOT_TASK, "/detail/containers/0/taskArn", json!("arn:aws:ecs:ap-south-1:444455556666:task/shop/1")),
        (SPOT_TASK, "/resources/0", json!("arn:aws:ecs:ap-south-1:444455556666:task/shop/1")),
    ] {
        assert_eq!(refusal(&with(text, pointer, value)), expected, "{pointer}");
    }
}

#[test]
fn a_malformed_ecs_arn_anywhere_is_refused() {
    for arn in [
        "arn:aws:ecs:ap-south-1:44445555666:service/shop/checkout",
        "arn:aws-cn:ecs:ap-south-1:111122223333:service/shop/checkout",
        "arn:aws:ecs:ap-south-1:111122223333:service",
        "arn:aws:ecs",
    ] {
        assert!(matches!(refusal(&with(SPOT_FAILURE, "/detail/deep", json!([arn]))), Refusal::Name(_)), "{arn}");
    }
}

#[test]
fn an_arn_of_another_aws_service_may_be_of_any_account() {
    let role = json!("arn:aws:iam::444455556666:role/shared");
    assert_eq!(event(&with(SPOT_TASK, "/detail/roleArn", role)).signal, Signal::SpotTask);
}

#[test]
fn a_text_that_only_resembles_an_ecs_arn_says_nothing() {
    for text in ["arn:", "arn", "see arn:aws:ecs:eu-west-1:444455556666:service/a/b", "urn:aws:ecs:x", "a:b:ecs"] {
        assert_eq!(event(&with(SPOT_TASK, "/detail/reason", json!(text))).signal, Signal::SpotTask, "{text}");
    }
}

#[test]
fn an_event_of_any_other_source_is_refused() {
    for source in ["aws.ec2", "AWS.ECS", "aws.ecs ", "", "custom", "test.aws.ecs.evil"] {
        assert_eq!(refusal(&with(SPOT_FAILURE, "/source", json!(source))), Refusal::Source(source.into()));
    }
    let Refusal::Source(shown) = refusal(&with(SPOT_FAILURE, "/source", json!("x".repeat(100_000)))) else { panic!() };
    assert_eq!(shown.len(), 80);
}

#[test]
fn a_short_service_arn_needs_the_cluster_arn_beside_it() {
    let short = with(SPOT_FAILURE, "/resources/0", json!("arn:aws:ecs:ap-south-1:111122223333:service/checkout"));
    assert_eq!(event(&short).service, service_named("111122223333", "shop", "checkout"));
    let alone = without(&short, "/detail/clusterArn");
    assert!(matches!(refusal(&alone), Refusal::Shape { field: "detail.clusterArn", .. }));
}

#[test]
fn two_clusters_in_one_event_are_refused() {
    let text = with(SPOT_FAILURE, "/detail/clusterArn", json!("arn:aws:ecs:ap-south-1:111122223333:cluster/other"));
    assert_eq!(refusal(&text), Refusal::TwoClusters("shop".parse().unwrap(), "other".parse().unwrap()));
}

#[test]
fn a_cluster_arn_that_is_none_is_refused() {
    for value in [json!("arn:aws:ecs:ap-south-1:111122223333:service/shop"), json!("shop"), json!(7), Value::Null] {
        for text in [SPOT_FAILURE, SPOT_TASK] {
            assert!(parse(&with(text, "/detail/clusterArn", value.clone()), &trust()).is_err(), "{value}");
        }
    }
}

#[test]
fn a_missing_or_mistyped_field_is_refused_by_its_name() {
    for (text, pointer, field) in [
        (SPOT_FAILURE, "/account", "account"),
        (SPOT_FAILURE, "/region", "region"),
        (SPOT_FAILURE, "/time", "time"),
        (SPOT_FAILURE, "/source", "source"),
        (SPOT_FAILURE, "/detail", "detail"),
        (SPOT_FAILURE, "/detail-type", "detail-type"),
        (SPOT_FAILURE, "/resources", "resources[0]"),
        (SPOT_FAILURE, "/detail/eventName", "detail.eventName"),
        (SPOT_TASK, "/detail/clusterArn", "detail.clusterArn"),
        (SYNTHETIC, "/resources", "resources[0]"),
    ] {
        for text in [without(text, pointer), with(text, pointer, json!(1))] {
            match refusal(&text) {
                Refusal::Shape { field: named, .. } => assert_eq!(named, field),
                other => panic!("{pointer}: {other:?}"),
            }
        }
    }
    assert!(matches!(refusal(&with(SPOT_FAILURE, "/time", json!("yesterday"))), Refusal::Time(_)));
    assert!(matches!(refusal(&with(SPOT_FAILURE, "/account", json!("1234"))), Refusal::Name(_)));
    let provider = with(SPOT_FAILURE, "/detail/capacityProviderArns/0", json!(1));
    assert!(matches!(refusal(&provider), Refusal::Shape { field: "detail.capacityProviderArns", .. }));
}

#[test]
fn an_unknown_field_is_ignored() {
    let text = with(SPOT_FAILURE, "/replay-name", json!("archive-1"));
    assert_eq!(event(&with(&text, "/detail/version", json!(7))).signal, Signal::SpotPlacementFailure);
}

#[test]
fn a_placement_failure_that_names_both_providers_is_one_of_spot_in_any_order() {
    let arn = |name: &str| format!("arn:aws:ecs:ap-south-1:111122223333:capacity-provider/{name}");
    for order in [["FARGATE", "FARGATE_SPOT"], ["FARGATE_SPOT", "FARGATE"]] {
        let text = with(SPOT_FAILURE, "/detail/capacityProviderArns", json!(order.map(arn)));
        assert_eq!(event(&text).signal, Signal::SpotPlacementFailure, "{order:?}");
    }
    let text = with(SPOT_FAILURE, "/detail/capacityProviderArns", json!([arn("gpu-asg")]));
    assert!(matches!(parse(&text, &trust()), Ok(Parsed::Ignored(_))));
}

/// What the scheduler itself stopped, for a deployment or a smaller count, is no loss.
#[test]
fn a_task_that_stopped_may_be_lost_unless_the_scheduler_stopped_it() {
    let stopped = fixture!("task-stopped-spot");
    for (code, signal) in [
        (json!("ServiceSchedulerInitiated"), Signal::SpotTask),
        (json!("EssentialContainerExited"), Signal::SpotTaskStopped),
        (json!("TaskFailedToStart"), Signal::SpotTaskStopped),
        (json!("UserInitiated"), Signal::SpotTaskStopped),
        (json!(null), Signal::SpotTaskStopped),
    ] {
        assert_eq!(event(&with(stopped, "/detail/stopCode", code.clone())).signal, signal, "{code}");
    }
    assert_eq!(event(SPOT_TASK).signal, Signal::SpotTask);
}

/// A message that hands work on names an account of the cell's region, and nothing else.
#[test]
fn work_is_handed_on_by_a_message_that_no_account_can_send() {
    let (account, region) = (account("903558039761"), region("ap-south-1"));
    let text = hand_on(&account, &region, Timestamp::from_millis(1_780_000_000_000));
    assert_eq!(parse(&text, &trust()), Ok(Parsed::GoOn(account.clone(), region)));
    let elsewhere = hand_on(&account, &"eu-west-1".parse().unwrap(), Timestamp::from_millis(0));
    assert!(matches!(parse(&elsewhere, &trust()), Err(Refusal::ForeignRegion { .. })));
    let other = text.replace("Account Turn", "Service Transition");
    assert!(matches!(parse(&other, &trust()), Err(Refusal::Source(_))), "what we announce is no event for us");
}

#[test]
fn an_interruption_is_known_by_either_stop_code_or_by_the_reason_alone() {
    let stopped = fixture!("task-stopped-spot");
    assert_eq!(event(stopped).signal, Signal::SpotTask);
    for (pointer, value) in [
        ("/detail/stopCode", "SpotInterruption"),
        ("/detail/stopCode", "TerminationNotice"),
        ("/detail/stoppedReason", "Your Spot Task was interrupted."),
    ] {
        assert_eq!(event(&with(stopped, pointer, json!(value))).signal, Signal::Interruption, "{value}");
    }
}

#[test]
fn an_interruption_of_a_task_on_demand_or_of_no_service_is_ignored() {
    let interrupted = fixture!("interruption-spot-interruption");
    for (pointer, value) in
        [("/detail/capacityProviderName", "FARGATE"), ("/detail/group", "family:nightly"), ("/detail/group", "")]
    {
        let parsed = parse(&with(interrupted, pointer, json!(value)), &trust());
        assert!(matches!(parsed, Ok(Parsed::Ignored(_))), "{value}: {parsed:?}");
    }
    assert!(matches!(refusal(&with(interrupted, "/detail/group", json!("service:"))), Refusal::Name(_)));
    assert!(matches!(refusal(&with(interrupted, "/detail/group", json!("service:a/b"))), Refusal::Name(_)));
}

#[test]
fn an_event_of_more_than_256_kib_is_refused_unread() {
    let fill = MAX_EVENT_BYTES - with(SPOT_FAILURE, "/detail/fill", json!("")).len();
    let largest = with(SPOT_FAILURE, "/detail/fill", json!("x".repeat(fill)));
    assert_eq!(largest.len(), MAX_EVENT_BYTES);
    assert_eq!(event(&largest).signal, Signal::SpotPlacementFailure);
    let larger = with(SPOT_FAILURE, "/detail/fill", json!("x".repeat(fill + 1)));
    assert_eq!(refusal(&larger), Refusal::TooLarge(MAX_EVENT_BYTES + 1));
    assert_eq!(refusal(&"[".repeat(MAX_EVENT_BYTES + 1)), Refusal::TooLarge(MAX_EVENT_BYTES + 1));
}

#[test]
fn deep_nesting_is_refused_and_does_not_exhaust_the_stack() {
    assert!(matches!(refusal(&"[".repeat(100_000)), Refusal::NotJson(_)));
    let deep =
        SPOT_FAILURE.replacen("\"RESOURCE:FARGATE\"", &format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)), 1);
    assert!(matches!(refusal(&deep), Refusal::NotJson(_)));
}

#[test]
fn json_that_is_no_event_is_refused() {
    for text in ["", "null", "[]", "{}", "7", "\"aws.ecs\"", "{\"account\":", "{} {}"] {
        assert!(parse(text, &trust()).is_err(), "{text}");
    }
}

/// A fixture with one value somewhere replaced by another, of which many are ARNs and names of other accounts.
fn mutated() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        any_json(),
        Just(Value::Null),
        prop::sample::select(vec![
            "arn:aws:ecs:ap-south-1:444455556666:service/shop/checkout",
            "arn:aws:ecs:ap-south-1:444455556666:cluster/shop",
            "arn:aws:ecs:eu-west-1:111122223333:service/shop/checkout",
            "arn:aws:ecs:ap-south-1:111122223333:service/other",
            "service:other",
            "FARGATE_SPOT",
            "SERVICE_TASK_PLACEMENT_FAILURE",
            "ECS Task State Change",
            "ECS Service Action",
            "aws.ecs",
            "444455556666",
            "903558039761",
        ])
        .prop_map(|text| json!(text)),
    ];
    let change = (any::<prop::sample::Index>(), value);
    (0..FIXTURES.len(), prop::collection::vec(change, 1..4)).prop_map(|(fixture, changes)| {
        let mut event: Value = serde_json::from_str(FIXTURES[fixture].1).unwrap();
        for (at, value) in changes {
            let mut pointers = Vec::new();
            collect_pointers(&event, String::new(), &mut pointers);
            *event.pointer_mut(&pointers[at.index(pointers.len())]).unwrap() = value;
        }
        event.to_string()
    })
}

fn collect_pointers(value: &Value, here: String, pointers: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| collect_pointers(value, format!("{here}/{key}"), pointers));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, value)| collect_pointers(value, format!("{here}/{n}"), pointers));
        }
        _ => {}
    }
    pointers.push(here);
}

/// What an account may never achieve: that the core looks at a service of another account or region than it sent from.
fn speaks_only_of_its_sender(text: &str) {
    let Ok(Parsed::Event(event)) = parse(text, &trust()) else { return };
    assert_eq!(event.service.region, trust().region);
    let raw = event.value();
    match raw["source"].as_str().unwrap() {
        "aws.ecs" => {
            assert_eq!(event.service.account.as_str(), raw["account"].as_str().unwrap());
            assert_ne!(event.signal, Signal::SyntheticPlacementFailure);
        }
        "test.aws.ecs" => {
            let sender = raw["account"].as_str().unwrap();
            assert!(trust().synthetic_from.iter().any(|a| a.as_str() == sender));
            assert!(raw["resources"][0].as_str().unwrap().contains(event.service.account.as_str()));
        }
        other => panic!("believed source {other}"),
    }
}

proptest! {
    #[test]
    fn any_text_is_refused_without_a_panic(text in any::<String>()) {
        prop_assert!(parse(&text, &trust()).is_err());
    }

    #[test]
    fn any_json_is_refused_without_a_panic(value in any_json()) {
        prop_assert!(parse(&value.to_string(), &trust()).is_err());
    }

    #[test]
    fn a_cut_or_scratched_fixture_speaks_only_of_its_sender(
        fixture in 0..FIXTURES.len(),
        at in any::<prop::sample::Index>(),
        cut in 0usize..40,
        with in "[\\PC]{0,4}",
    ) {
        let mut text: Vec<char> = FIXTURES[fixture].1.chars().collect();
        let at = at.index(text.len());
        let end = (at + cut).min(text.len());
        text.splice(at..end, with.chars());
        speaks_only_of_its_sender(&text.into_iter().collect::<String>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]
    #[test]
    fn a_fixture_with_values_replaced_speaks_only_of_its_sender(text in mutated()) {
        speaks_only_of_its_sender(&text);
    }
}

/// Runs `check` on every input that `handlers/fuzz` keeps for it, and on every beginning of each.
#[track_caller]
fn replay(target: &str, check: fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 10, "{} inputs for {target}", files.len());
    for file in files {
        // Shown when the check fails.
        println!("{}", file.display());
        let data = std::fs::read(&file).unwrap();
        check(&data);
        (0..data.len()).step_by(data.len().div_ceil(16)).for_each(|end| check(&data[..end]));
    }
}

#[test]
fn no_event_the_fuzzer_found_is_believed_wrongly() {
    replay("event", fuzz::event);
    replay("fixture", fuzz::fixture);
}

#[test]
fn no_name_the_fuzzer_found_prints_back_otherwise() {
    replay("name", fuzz::name);
}

#[test]
fn no_record_or_step_the_fuzzer_found_breaks_a_promise_of_the_core() {
    replay("record", fuzz::record);
    replay("step", fuzz::step);
}
