//! The program `serve`: what it listens to, what its control API does, how it stops.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use server::{Server, program};

mod server;

impl Server {
    /// Status and body of the answer.
    fn ask(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time above zero");
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
        );
        stream.write_all(head.as_bytes()).expect("it reads");
        // A body that is too large is answered before its end.
        let _ = stream.write_all(body);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }

    fn control(&self, method: &str, name: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let (status, answer) = self.ask(method, &format!("/_simulator/{name}"), "", &body);
        (status, serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error} in {answer:?}")))
    }

    fn get(&self, name: &str) -> Value {
        let (status, answer) = self.control("GET", name, &Value::Null);
        assert_eq!(status, 200, "{name}: {answer}");
        answer
    }

    fn post(&self, name: &str, body: &Value) -> Value {
        let (status, answer) = self.control("POST", name, body);
        assert_eq!(status, 200, "{name}: {answer}");
        answer
    }

    fn ecs(&self, operation: &str, input: &Value) -> (u16, Value) {
        let scope = "Credential=111111111111/20260101/eu-west-1/ecs/aws4_request";
        let target = format!("X-Amz-Target: AmazonEC2ContainerServiceV20141113.{operation}");
        let headers = format!("{target}\r\nAuthorization: AWS4-HMAC-SHA256 {scope}, Signature=0\r\n");
        let (status, answer) = self.ask("POST", "/", &headers, input.to_string().as_bytes());
        (status, serde_json::from_str(&answer).expect("ECS answers in JSON"))
    }
}

const CHECKOUT: &str = "arn:aws:ecs:eu-west-1:111111111111:service/web/checkout";

#[test]
fn the_world_of_a_scenario_is_served_and_moved_by_hand() {
    let server = Server::start(&["--scenario", "spot-outage", "--speed", "0"]);
    let before = server.get("state");
    assert_eq!((&before["elapsed"], &before["services"][0]["service"]), (&json!("0:00:00.000"), &json!(CHECKOUT)));
    assert_eq!(before["services"][0]["running"], before["services"][0]["desired"]);
    // The scenario takes Spot away after ten minutes, and nothing here fails over.
    let after = server.post("advance", &json!({ "seconds": 900 }));
    assert_eq!(after["elapsed"], "0:15:00.000");
    assert!(after["services"][0]["running"].as_u64() < after["services"][0]["desired"].as_u64(), "{after}");
    let shown = server.ecs("DescribeServices", &json!({ "cluster": "web", "services": ["checkout"] })).1;
    assert_eq!(shown["services"][0]["runningCount"], after["services"][0]["running"]);
    let trace = server.get("trace?after=0");
    let lines = trace["trace"].as_array().expect("lines").len() as u64;
    assert_eq!((trace["next"].as_u64(), after["trace"].as_u64()), (Some(lines), Some(lines)));
    assert_eq!(server.get(&format!("trace?after={lines}")), json!({ "next": lines, "trace": [] }));
    assert!(!trace.to_string().contains("FailingOver"), "no recovery runs inside");
}

#[test]
fn the_recovery_runs_inside_the_world_where_it_is_asked_for() {
    let server = Server::start(&["--scenario", "spot-outage", "--speed", "0", "--recovery"]);
    let after = server.post("advance", &json!({ "seconds": 1800 }));
    assert_eq!(after["services"][0]["running"], after["services"][0]["desired"], "failed over to On-Demand");
    assert_eq!(
        (&after["services"][0]["runningOnSpot"], &after["now"]),
        (&json!(0), &json!("2026-01-01T00:30:00.000Z"))
    );
}

#[test]
fn capacity_tasks_roles_and_events_are_in_the_hands_of_the_control_api() {
    let server = Server::start(&["--scenario", "spot-outage", "--speed", "0"]);
    server.post("advance", &json!({ "seconds": 60 }));
    let spot = |state: &Value| state["services"][0]["runningOnSpot"].as_u64().expect("a count");
    let all = spot(&server.get("state"));
    let begin = server.get("state")["events"].as_u64().expect("a count");

    server.post("interrupt", &json!({ "service": CHECKOUT, "tasks": 1 }));
    assert_eq!(spot(&server.post("advance", &json!({ "seconds": 1 }))), all - 1);
    let events = server.get(&format!("events?after={begin}"));
    let told =
        events["events"].as_array().expect("events").iter().find(|e| e["detail"]["stopCode"] == "SpotInterruption");
    let told = told.unwrap_or_else(|| panic!("no interruption in {events}"));
    assert_eq!(
        (&told["account"], &told["region"], &told["source"]),
        (&json!("111111111111"), &json!("eu-west-1"), &json!("aws.ecs"))
    );

    server.post("advance", &json!({ "seconds": 300 }));
    let lost = json!({ "accounts": ["111111111111"], "capacity": 0, "loss": "silent" });
    server.post("spot", &lost);
    let begin = server.get("state")["events"].as_u64().expect("a count");
    assert_eq!(spot(&server.post("advance", &json!({ "seconds": 60 }))), 0);
    let silent = server.get(&format!("events?after={begin}")).to_string();
    assert!(!silent.contains("SpotInterruption") && !silent.contains("PLACEMENT_FAILURE"), "{silent}");
    server.post("on-demand", &json!({ "accounts": ["111111111111"], "capacity": "unlimited" }));

    let state = server.post("role", &json!({ "accounts": ["111111111111"], "role": "read-only" }));
    assert_eq!(state["accounts"][0]["role"], "read-only");
    let emission = json!({ "account": "222222222222", "detail-type": "ECS Service Action", "resources": [CHECKOUT],
        "detail": { "eventName": "SERVICE_TASK_PLACEMENT_FAILURE" } });
    let event = server.post("emit", &emission);
    assert_eq!((&event["account"], &event["source"]), (&json!("222222222222"), &json!("aws.ecs")));
    let newest = server.get("state")["events"].as_u64().expect("a count");
    assert_eq!(server.get(&format!("events?after={}", newest - 1))["events"], json!([event]));
}

#[test]
fn mistakes_in_a_control_request_are_explained() {
    let server = Server::start(&["--speed", "0"]);
    let cases = [
        ("GET", "nothing", json!(null), 404, "simulator/README.md"),
        ("GET", "spot", json!(null), 405, "not for GET"),
        ("GET", "trace?after=x", json!(null), 400, "not a number"),
        ("POST", "spot", json!({}), 400, "accounts"),
        ("POST", "spot", json!({ "accounts": ["1"], "capacity": 0 }), 400, "12 digits"),
        ("POST", "spot", json!({ "accounts": [], "capacity": "much" }), 400, "unlimited"),
        ("POST", "spot", json!({ "accounts": [], "capacity": 0, "lost": 1 }), 400, "unknown field"),
        ("POST", "interrupt", json!({ "service": "checkout", "tasks": 1 }), 400, "arn:aws:ecs"),
        ("POST", "interrupt", json!({ "service": CHECKOUT, "tasks": 1 }), 404, "no service"),
        ("POST", "advance", json!({ "seconds": -1 }), 400, "7 days"),
        ("POST", "advance", json!({ "seconds": 1e9 }), 400, "7 days"),
        ("POST", "role", json!({ "accounts": [], "role": "gone" }), 400, "read-only"),
        ("POST", "emit", json!([]), 400, "the body"),
    ];
    for (method, name, body, status, words) in cases {
        let (answered, answer) = server.control(method, name, &body);
        assert_eq!(answered, status, "{method} {name} {body}: {answer}");
        assert!(
            answer["error"].as_str().is_some_and(|error| error.contains(words)),
            "{method} {name} {body}: {answer}"
        );
    }
    let (status, answer) = server.ask("POST", "/", "", &vec![b' '; 2 << 20]);
    assert!(status == 413 && answer.contains("1 MiB"), "{status} {answer}");
    let (status, answer) = server.ask("GET", "/", "", b"");
    assert!(status == 403 && answer.contains("MissingAuthenticationToken"), "{status} {answer}");
    let moved = Server::start(&["--speed", "60"]);
    assert_eq!(moved.control("POST", "advance", &json!({ "seconds": 1 })).0, 409);
}

#[expect(clippy::disallowed_methods, reason = "the wall clock is what is looked at")]
#[test]
fn the_wall_clock_moves_the_world_as_fast_as_it_is_told() {
    let server = Server::start(&["--speed", "600"]);
    let elapsed = || server.get("state")["elapsed"].as_str().expect("a time").to_owned();
    let began = Instant::now();
    while *elapsed() < *"0:01:00.000" {
        assert!(began.elapsed() < Duration::from_secs(20), "a minute of the world is a tenth of a second");
    }
    assert!(began.elapsed() >= Duration::from_millis(50));
}

#[cfg(unix)]
#[test]
fn it_stops_at_a_signal_although_a_client_keeps_its_connection_open() {
    for signal in ["-INT", "-TERM"] {
        let mut server = Server::start(&[]);
        let _open = TcpStream::connect(&server.address).expect("it listens");
        let sent = Command::new("kill").args([signal, &server.process.id().to_string()]).status();
        assert!(sent.expect("there is a kill").success());
        let ended = server.process.wait().expect("a child");
        assert_eq!(ended.code(), Some(0), "{signal}");
        assert!(TcpStream::connect(&server.address).is_err(), "{signal}: the port is free");
    }
}

#[test]
fn a_port_that_is_taken_and_a_scenario_that_is_not_there_end_it_with_2() {
    let server = Server::start(&[]);
    let port = server.address.rsplit_once(':').map(|(_, port)| port.to_owned()).unwrap_or_default();
    let cases = [
        (vec!["--port", port.as_str()], "choose another port with --port"),
        (vec!["--scenario", "no-such-scenario"], "no-such-scenario"),
        (vec!["--speed", "fast"], "--speed"),
        (vec!["--central", "1"], "12 digits"),
    ];
    for (arguments, words) in cases {
        let output = program().args(&arguments).output().expect("it starts");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains(words), "{arguments:?}: {told}");
    }
}
