//! The programs in a world that is wrong: nobody answers, or somebody answers nonsense. Every message comes back, every sweep that
//! saw nothing says so, and the log names the thing, the value and what to do.

use lambda_local::aws::{Aws, batch, interruption};
use lambda_local::http::{Nobody, Server, response};
use lambda_local::runtime_api::Kind;
use serde_json::{Value, json};

use crate::binaries::{INTERRUPTION, RESTORE, runtime_api, start, told};

/// Lets the interruption function handle one message against `endpoint`; it must come back. Returns why it did, as logged.
fn comes_back(endpoint: &str, vars: &[(&str, &str)]) -> String {
    let runtime = runtime_api(batch("m1", &interruption("checkout").to_string()).to_string());
    let running = start(INTERRUPTION, Some(&runtime), Some(endpoint), vars);
    let answer = told(&runtime, Kind::Response).json();
    assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "m1" }] }));
    let log = running.killed().expect("it runs");
    let line = log.lines().find(|line| line.contains("message failed")).unwrap_or_else(|| panic!("{log}"));
    let line: Value = serde_json::from_str(line).expect("JSON");
    assert_eq!(line["message_id"], "m1", "{line}");
    line["error"].as_str().expect("a reason").to_owned()
}

/// Lets the restore function sweep against `endpoint`, which must fail. Returns what it tells Lambda.
fn sweep_fails(endpoint: &str, vars: &[(&str, &str)]) -> String {
    let runtime = runtime_api("{}");
    let _running = start(RESTORE, Some(&runtime), Some(endpoint), vars);
    let error = told(&runtime, Kind::Error).json();
    assert_eq!(error["errorType"], "StateTable");
    error["errorMessage"].as_str().expect("a reason").to_owned()
}

#[track_caller]
fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is missing in: {text}");
    }
}

#[test]
fn an_endpoint_nobody_listens_at_costs_no_message_and_is_named() {
    let nobody = Nobody::new().expect("a port");
    for text in [comes_back(nobody.endpoint(), &[]), sweep_fails(nobody.endpoint(), &[])] {
        says(&text, &["ecs_cp_restore_state", "VPC endpoints", "Connection refused"]);
    }
}

#[test]
fn without_credentials_a_function_says_so() {
    let vars = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", ""), ("AWS_EC2_METADATA_DISABLED", "true")];
    let nobody = Nobody::new().expect("a port");
    for text in [comes_back(nobody.endpoint(), &vars), sweep_fails(nobody.endpoint(), &vars)] {
        says(&text, &["no providers in chain provided credentials"]);
    }
}

#[test]
fn a_service_that_cannot_be_reached_is_named() {
    let (aws, nobody) = (Aws::start().expect("a port"), Nobody::new().expect("a port"));
    let endpoint = format!("http://{}", aws.address());
    for (variable, named) in [
        ("AWS_ENDPOINT_URL_DYNAMODB", "the state table"),
        ("AWS_ENDPOINT_URL_ECS", "ECS"),
        ("AWS_ENDPOINT_URL_STS", "AssumeRole of arn:aws:iam::111122223333:role/CentralSpotAutomationRole"),
    ] {
        let text = comes_back(&endpoint, &[(variable, nobody.endpoint())]);
        says(&text, &["111122223333/shop/checkout", named, "VPC endpoints", "Connection refused"]);
    }
}

#[test]
fn a_table_that_is_not_there_is_named() {
    let missing = r#"{"__type":"ResourceNotFoundException","message":"Requested resource not found"}"#;
    let server = Server::start(move |_| response(400, "application/x-amz-json-1.0", missing)).expect("a port");
    let endpoint = format!("http://{}", server.address());
    let vars = [("SPOT_RECOVERY_TABLE", "tabel")];
    for text in [comes_back(&endpoint, &vars), sweep_fails(&endpoint, &vars)] {
        says(&text, &["tabel", "ResourceNotFoundException"]);
    }
}

#[test]
fn nonsense_from_an_endpoint_costs_no_message() {
    let html = response(200, "text/html", "<html>Sign in to continue</html>");
    let json = |body: &'static str| response(200, "application/x-amz-json-1.0", body);
    let mut two_lengths = html.clone();
    two_lengths.headers_mut().insert("content-length", "32, 7".parse().expect("a header"));
    let nonsense = [
        (html, "text/html"),
        (json("[]"), "no answer of AWS"),
        (json(r#"{"Items": 7, "Item": 7}"#), "no answer of AWS"),
        (json(r#"{"Items": [{"id": {"S""#), "no answer of AWS"),
        (response(302, "text/html", "moved"), "HTTP 302"),
        (two_lengths, "content-length"),
    ];
    for (answer, why) in nonsense {
        let server = Server::start(move |_| answer.clone()).expect("a port");
        let endpoint = format!("http://{}", server.address());
        for text in [comes_back(&endpoint, &[]), sweep_fails(&endpoint, &[])] {
            says(&text, &["ecs_cp_restore_state", why]);
        }
    }
}
