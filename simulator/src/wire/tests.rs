//! The codec, request by request. What a real client makes of it is in `tests/boto3.rs`.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use handlers::strategy::Strategy;
use serde_json::{Value, json};

use super::{ECS, Endpoint, OPERATIONS, Request, Response, State};
use crate::runtime::simulation::Simulation;
use crate::spec::{Capacity, Loss, Role, ServiceSpec, WorldEvent};
use crate::testing::{OneService, mixed};

mod fidelity;
mod garbage;
mod lifecycle;
mod roles;

const OWNER: &str = "111111111111";
const CENTRAL: &str = "999999999999";

/// One service and what AWS remembers about its world.
struct Bench {
    service: OneService,
    state: State,
}

impl Bench {
    fn new(desired: u32, strategy: &Strategy) -> Self {
        Self { service: OneService::new(desired, strategy), state: State::default() }
    }

    fn of(desired: u32, strategy: &Strategy, shape: impl FnOnce(&mut ServiceSpec)) -> Self {
        Self { service: OneService::of(desired, strategy, shape), state: State::default() }
    }

    fn answer(&mut self, request: &Request) -> Response {
        Endpoint::new(&mut self.service.world, &mut self.state).answer(request)
    }
}

impl Deref for Bench {
    type Target = OneService;

    fn deref(&self) -> &OneService {
        &self.service
    }
}

impl DerefMut for Bench {
    fn deref_mut(&mut self) -> &mut OneService {
        &mut self.service
    }
}

/// A signed request, as an SDK sends it.
fn signed(key: &str, service: &str) -> (String, String) {
    let scope = format!("{key}/20260101/eu-west-1/{service}/aws4_request");
    let value = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature=00");
    ("Authorization".to_owned(), value)
}

fn ecs_request(key: &str, operation: &str, body: &[u8]) -> Request {
    let target = ("X-Amz-Target".to_owned(), format!("{ECS}{operation}"));
    Request { headers: vec![target, signed(key, "ecs")], body: body.to_vec() }
}

fn status_and_json(response: &Response) -> (u16, Value) {
    (response.status, serde_json::from_slice(&response.body).expect("ECS answers in JSON"))
}

/// What ECS answers the account `key`.
fn ask_as(bench: &mut Bench, key: &str, operation: &str, input: Value) -> (u16, Value) {
    status_and_json(&bench.answer(&ecs_request(key, operation, input.to_string().as_bytes())))
}

fn ask(bench: &mut Bench, operation: &str, input: Value) -> Value {
    let (status, answer) = ask_as(bench, OWNER, operation, input);
    assert_eq!(status, 200, "{operation}: {answer}");
    answer
}

/// The code and the message of a refusal.
fn refused(bench: &mut Bench, operation: &str, input: Value) -> (String, String) {
    let (status, answer) = ask_as(bench, OWNER, operation, input);
    assert_eq!(status, 400, "{operation}: {answer}");
    let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
    (text("__type"), text("message"))
}

fn described(bench: &mut Bench, service: &str) -> Value {
    let input = json!({ "cluster": "web", "services": [service], "include": ["TAGS"] });
    ask(bench, "DescribeServices", input)["services"][0].take()
}
