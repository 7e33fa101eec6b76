//! The programs themselves, started as Lambda starts them: with an environment and a Runtime API.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use wiremock::matchers::{method, path, path_regex};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::bench::{LATE, QUERY, now, ok, on};

const RESTORE: &str = env!("CARGO_BIN_EXE_fargate-spot-restore-handler");
const INTERRUPTION: &str = env!("CARGO_BIN_EXE_fargate-spot-interruption-handler");
const PLACEMENT_FAILURE: &str = env!("CARGO_BIN_EXE_fargate-spot-task-placement-failure-handler");

/// The Runtime API (Lambda developer guide, "Using the Lambda runtime API"): hands out one invocation, then lets wait.
async fn runtime_api(payload: &str) -> MockServer {
    let server = MockServer::start().await;
    let deadline = (now() + Duration::from_secs(60)).as_millis().to_string();
    let invocation = ResponseTemplate::new(200)
        .insert_header("lambda-runtime-aws-request-id", "156cb537-e2d4-11e8-9b34-d36013741fb9")
        .insert_header("lambda-runtime-deadline-ms", deadline.as_str())
        .insert_header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:ap-south-1:999999999999:function:f")
        .set_body_raw(payload, "application/json");
    let next = || Mock::given(method("GET")).and(path("/2018-06-01/runtime/invocation/next"));
    next().respond_with(invocation).up_to_n_times(1).mount(&server).await;
    next().respond_with(ResponseTemplate::new(200).set_delay(LATE * 12)).mount(&server).await;
    let accepted = ResponseTemplate::new(202).set_body_json(json!({ "status": "OK" }));
    Mock::given(method("POST")).and(path_regex("^/2018-06-01/runtime/")).respond_with(accepted).mount(&server).await;
    server
}

/// A function that is ended with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Ends the program; returns what it wrote.
    fn killed(mut self) -> String {
        self.0.kill().expect("it runs");
        self.ended().1
    }

    /// Waits for the program to end by itself; returns what it wrote.
    fn ended(mut self) -> (ExitStatus, String) {
        let mut text = String::new();
        self.0.stdout.take().expect("piped").read_to_string(&mut text).expect("text");
        (self.0.wait().expect("it ran"), text)
    }
}

fn start(
    program: &str,
    runtime_api: Option<&MockServer>,
    endpoint: Option<&MockServer>,
    vars: &[(&str, &str)],
) -> Running {
    let mut command = Command::new(program);
    command.env_clear().stdout(Stdio::piped()).envs([
        ("AWS_REGION", "ap-south-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDCENTRAL"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_SESSION_TOKEN", "token"),
        ("AWS_LAMBDA_FUNCTION_NAME", "the-function"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ]);
    if let Some(server) = runtime_api {
        command.env("AWS_LAMBDA_RUNTIME_API", server.address().to_string());
    }
    if let Some(server) = endpoint {
        command.env("AWS_ENDPOINT_URL", server.uri());
    }
    Running(command.envs(vars.iter().copied()).spawn().expect("the program starts"))
}

/// What the function told the Runtime API at a path that ends so.
async fn told(server: &MockServer, end: &str) -> Value {
    for _ in 0..200 {
        let requests = server.received_requests().await.expect("requests are recorded");
        if let Some(request) = requests.iter().find(|r| r.url.path().ends_with(end)) {
            return request.body_json().expect("JSON");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nothing at {end} within 10 seconds");
}

#[tokio::test]
async fn the_restore_function_sweeps_over_endpoints_from_the_environment() {
    let (runtime, aws) = (runtime_api("{}").await, MockServer::start().await);
    on(&aws, QUERY, [ok(json!({ "Items": [], "Count": 0, "ScannedCount": 0 }))]).await;
    let _running = start(RESTORE, Some(&runtime), Some(&aws), &[]);
    assert_eq!(told(&runtime, "/response").await, json!({ "lookedAt": 0, "failed": 0 }));
}

#[tokio::test]
async fn a_queue_function_gives_a_poison_message_back() {
    for program in [INTERRUPTION, PLACEMENT_FAILURE] {
        let batch = json!({ "Records": [{ "messageId": "m1", "body": "poison" }] });
        let (runtime, aws) = (runtime_api(&batch.to_string()).await, MockServer::start().await);
        let running = start(program, Some(&runtime), Some(&aws), &[]);
        let expected = json!({ "batchItemFailures": [{ "itemIdentifier": "m1" }] });
        assert_eq!(told(&runtime, "/response").await, expected);

        let log = running.killed();
        let line = log.lines().find(|line| line.contains("refused")).expect("the refusal is logged");
        let fields: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!((&fields["message_id"], &fields["level"]), (&json!("m1"), &json!("WARN")), "{line}");
        assert_eq!(fields["span"]["requestId"], "156cb537-e2d4-11e8-9b34-d36013741fb9");
        // A parser keeps one of two fields of the same name.
        for field in fields.as_object().expect("an object").keys() {
            assert_eq!(line.matches(&format!("\"{field}\":")).count(), 1, "{field} in {line}");
        }
    }
}

#[tokio::test]
async fn a_payload_that_is_no_batch_fails_the_invocation_by_name() {
    let (runtime, aws) = (runtime_api(r#"{"hello": "world"}"#).await, MockServer::start().await);
    let _running = start(INTERRUPTION, Some(&runtime), Some(&aws), &[]);
    let error = told(&runtime, "/error").await;
    assert_eq!(error["errorType"], "InvalidPayload");
    assert!(error["errorMessage"].as_str().unwrap().contains("no SQS event"), "{error}");
}

#[tokio::test]
async fn a_payload_that_is_not_json_fails_the_invocation_and_the_function_lives_on() {
    let (runtime, aws) = (runtime_api("not JSON").await, MockServer::start().await);
    let mut running = start(INTERRUPTION, Some(&runtime), Some(&aws), &[]);
    let error = told(&runtime, "/error").await;
    assert!(error["errorMessage"].as_str().unwrap().contains("expected"), "{error}");
    assert!(running.0.try_wait().expect("it can be asked").is_none(), "still running");
}

#[tokio::test]
async fn a_wrong_environment_is_an_init_error_that_says_what_to_do() {
    for (variable, value, says) in [
        ("SPOT_RECOVERY_PROBATION", "soon", "0s to 1day"),
        ("SPOT_RECOVERY_PAUSE", "true", "paused"),
        ("AWS_REGION", "europe", "eu-west-1"),
    ] {
        let runtime = runtime_api("{}").await;
        let (status, log) = start(RESTORE, Some(&runtime), None, &[(variable, value)]).ended();
        assert!(!status.success());
        let error = told(&runtime, "/init/error").await;
        assert_eq!(error["errorType"], "Runtime.InvalidConfiguration");
        let message = error["errorMessage"].as_str().unwrap();
        assert!(message.contains(says), "{message}");
        let line: Value = serde_json::from_str(log.lines().last().expect("a line")).expect("JSON");
        assert_eq!((line["level"].as_str(), line["error"].as_str()), (Some("ERROR"), Some(message)), "{log}");
    }
}

#[tokio::test]
async fn started_by_hand_a_function_says_where_it_belongs() {
    let (status, log) = start(RESTORE, None, None, &[]).ended();
    assert!(!status.success());
    assert!(log.contains("AWS_LAMBDA_RUNTIME_API is not set") && log.contains("AWS Lambda function"), "{log}");
}
