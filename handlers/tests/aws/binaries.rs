//! The programs themselves, started as Lambda starts them: with an environment and a Runtime API.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use lambda_local::aws::{Aws, batch, interruption};
use lambda_local::function::{Function, command};
use lambda_local::runtime_api::{Answer, Kind, RuntimeApi};
use serde_json::{Value, json};
use wiremock::MockServer;

use crate::bench::{QUERY, ok, on};

pub(crate) const RESTORE: &str = env!("CARGO_BIN_EXE_fargate-spot-restore-handler");
pub(crate) const INTERRUPTION: &str = env!("CARGO_BIN_EXE_fargate-spot-interruption-handler");
pub(crate) const PLACEMENT_FAILURE: &str = env!("CARGO_BIN_EXE_fargate-spot-task-placement-failure-handler");

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A Runtime API with one invocation, of a function that has a minute.
pub(crate) fn runtime_api(payload: impl Into<Vec<u8>>) -> RuntimeApi {
    let runtime = RuntimeApi::start().expect("a port");
    runtime.invoke(payload, Duration::from_secs(60));
    runtime
}

pub(crate) fn start(
    program: &str,
    runtime_api: Option<&RuntimeApi>,
    endpoint: Option<&str>,
    vars: &[(&str, &str)],
) -> Function {
    let mut command = command(Path::new(program));
    if let Some(runtime_api) = runtime_api {
        command.env("AWS_LAMBDA_RUNTIME_API", runtime_api.address().to_string());
    }
    if let Some(endpoint) = endpoint {
        command.env("AWS_ENDPOINT_URL", endpoint);
    }
    Function::start(command.envs(vars.iter().copied())).expect("the program starts")
}

/// What the function told the Runtime API, which must be of that kind.
pub(crate) fn told(runtime_api: &RuntimeApi, kind: Kind) -> Answer {
    let answer = runtime_api.answer(PATIENCE).expect("an answer");
    assert_eq!(answer.kind, kind, "{}", String::from_utf8_lossy(&answer.body));
    answer
}

#[tokio::test]
async fn the_restore_function_sweeps_over_endpoints_from_the_environment() {
    let (runtime, aws) = (runtime_api("{}"), MockServer::start().await);
    on(&aws, QUERY, [ok(json!({ "Items": [], "Count": 0, "ScannedCount": 0 }))]).await;
    let _running = start(RESTORE, Some(&runtime), Some(&aws.uri()), &[]);
    assert_eq!(told(&runtime, Kind::Response).json(), json!({ "lookedAt": 0, "failed": 0 }));
}

#[test]
fn a_queue_function_gives_a_poison_message_back() {
    for program in [INTERRUPTION, PLACEMENT_FAILURE] {
        let batch = json!({ "Records": [{ "messageId": "m1", "body": "poison" }] });
        let runtime = runtime_api(batch.to_string());
        let running = start(program, Some(&runtime), None, &[]);
        let answer = told(&runtime, Kind::Response);
        assert_eq!(answer.json(), json!({ "batchItemFailures": [{ "itemIdentifier": "m1" }] }));

        let log = running.killed().expect("it runs");
        let line = log.lines().find(|line| line.contains("refused")).expect("the refusal is logged");
        let fields: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!((&fields["message_id"], &fields["level"]), (&json!("m1"), &json!("WARN")), "{line}");
        assert_eq!(fields["span"]["requestId"], answer.request_id);
        // A parser keeps one of two fields of the same name.
        for field in fields.as_object().expect("an object").keys() {
            assert_eq!(line.matches(&format!("\"{field}\":")).count(), 1, "{field} in {line}");
        }
    }
}

#[test]
fn a_failover_writes_a_metric_for_each_transition() {
    let aws = Aws::start().expect("a port");
    let runtime = runtime_api(batch("m1", &interruption("checkout").to_string()).to_string());
    let running = start(INTERRUPTION, Some(&runtime), Some(&format!("http://{}", aws.address())), &[]);
    assert_eq!(told(&runtime, Kind::Response).json(), json!({ "batchItemFailures": [] }));
    let log = running.killed().expect("it runs");
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let metric = |line: Value| Some(line.pointer("/_aws/CloudWatchMetrics/0/Metrics/0/Name")?.as_str()?.to_owned());
    assert_eq!(lines.filter_map(metric).collect::<Vec<_>>(), ["FailoversBegun", "FailedOver"], "{log}");
}

#[test]
fn a_payload_that_is_no_batch_fails_the_invocation_by_name() {
    let runtime = runtime_api(r#"{"hello": "world"}"#);
    let _running = start(INTERRUPTION, Some(&runtime), None, &[]);
    let error = told(&runtime, Kind::Error).json();
    assert_eq!(error["errorType"], "InvalidPayload");
    assert!(error["errorMessage"].as_str().unwrap().contains("no SQS event"), "{error}");
}

#[test]
fn a_payload_that_is_not_json_fails_the_invocation_and_the_function_lives_on() {
    let nested = "[".repeat(100_000);
    for payload in [&b"not JSON"[..], b"", b"{\"Records\": [", b"\xff\xfe", nested.as_bytes()] {
        let runtime = runtime_api(payload);
        let mut running = start(INTERRUPTION, Some(&runtime), None, &[]);
        let error = told(&runtime, Kind::Error).json();
        assert_eq!(error["errorType"], "InvalidPayload");
        runtime.invoke(r#"{"Records": []}"#, PATIENCE);
        assert_eq!(told(&runtime, Kind::Response).json(), json!({ "batchItemFailures": [] }));
        assert!(running.is_running().expect("it can be asked"));
    }
}

#[test]
fn the_sweep_sweeps_whatever_starts_it() {
    let aws = Aws::start().expect("a port");
    let runtime = runtime_api("not JSON");
    let _running = start(RESTORE, Some(&runtime), Some(&format!("http://{}", aws.address())), &[]);
    assert_eq!(told(&runtime, Kind::Response).json(), json!({ "lookedAt": 0, "failed": 0 }));
}

#[test]
fn a_wrong_environment_is_an_init_error_that_says_what_to_do() {
    for (variable, value, says) in [
        ("SPOT_RECOVERY_PROBATION", "soon", "0s to 1day"),
        ("SPOT_RECOVERY_PAUSE", "true", "PAUSED"),
        ("SPOT_RECOVERY_TABLE", "my table", "name of a table"),
        ("AWS_REGION", "europe", "eu-west-1"),
        ("AWS_REGION", "", "AWS_REGION is not set; Lambda sets it"),
        ("AWS_ENDPOINT_URL", "table.local", "http://localhost:4566"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "", "AWS_LAMBDA_FUNCTION_VERSION is not set; Lambda sets it"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "much", "a number of MiB"),
        ("AWS_LAMBDA_FUNCTION_NAME", "", "AWS_LAMBDA_FUNCTION_NAME is not set; Lambda sets it"),
    ] {
        let runtime = runtime_api("{}");
        let (status, log) =
            start(RESTORE, Some(&runtime), None, &[(variable, value)]).ended().expect("the function ends");
        assert!(!status.success());
        let answer = told(&runtime, Kind::InitError);
        let error = answer.json();
        assert_eq!(answer.error_type.as_deref(), Some("Runtime.InvalidConfiguration"));
        assert_eq!(error["errorType"], "Runtime.InvalidConfiguration");
        let message = error["errorMessage"].as_str().unwrap();
        assert!(message.contains(says), "{message}");
        let line: Value = serde_json::from_str(log.lines().last().expect("a line")).expect("JSON");
        assert_eq!((line["level"].as_str(), line["error"].as_str()), (Some("ERROR"), Some(message)), "{log}");
    }
}

#[test]
fn a_value_that_is_no_text_does_not_pass_for_unset() {
    let runtime = runtime_api("{}");
    let mut command = command(Path::new(RESTORE));
    command.env("AWS_LAMBDA_RUNTIME_API", runtime.address().to_string());
    command.env("SPOT_RECOVERY_PAUSED", OsStr::from_bytes(b"tru\xe9"));
    let _running = Function::start(&mut command).expect("the program starts");
    let error = told(&runtime, Kind::InitError).json();
    assert!(error["errorMessage"].as_str().unwrap().contains("SPOT_RECOVERY_PAUSED"), "{error}");
}

#[test]
pub(crate) fn started_by_hand_a_function_says_where_it_belongs() {
    let (status, log) = start(RESTORE, None, None, &[]).ended().expect("the function ends");
    assert!(!status.success());
    assert!(log.contains("AWS_LAMBDA_RUNTIME_API is not set") && log.contains("AWS Lambda function"), "{log}");
}
