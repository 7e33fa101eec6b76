//! The Runtime API (Lambda developer guide, "Using the Lambda runtime API for custom runtimes"): hands out invocations one at a
//! time and keeps what the function answers.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use crate::http::{Request, Response, Server, response};

/// Every path begins so.
const VERSION: &str = "/2018-06-01/runtime/";
/// Says of what kind an error is, beside the body.
const ERROR_TYPE: &str = "lambda-runtime-function-error-type";

/// Where a function told something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `/invocation/ID/response`.
    Response,
    /// `/invocation/ID/error`.
    Error,
    /// `/init/error`.
    InitError,
}

/// What a function told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Where.
    pub kind: Kind,
    /// Of which invocation; empty for an init error.
    pub request_id: String,
    /// The error's type as the header has it.
    pub error_type: Option<String>,
    /// The body.
    pub body: Vec<u8>,
    /// From the moment the invocation was handed over; zero for an init error.
    pub took: Duration,
}

impl Answer {
    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// A Runtime API for one function.
#[derive(Debug)]
pub struct RuntimeApi {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    closed: bool,
    ready: Option<Instant>,
    waiting: VecDeque<(Vec<u8>, Duration)>,
    begun: Option<Instant>,
    handed_out: u64,
    answers: VecDeque<Answer>,
}

impl RuntimeApi {
    /// Starts on a free port of loopback.
    ///
    /// # Errors
    /// No port can be had.
    pub fn start() -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let served = Arc::clone(&shared);
        let server = Server::start(move |request| served.serve(&request))?;
        Ok(Self { server, shared })
    }

    /// For `AWS_LAMBDA_RUNTIME_API`.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Has the function invoked with `payload`, which need not be JSON, as soon as it asks for work; it has so much time.
    pub fn invoke(&self, payload: impl Into<Vec<u8>>, time: Duration) {
        self.shared.lock().waiting.push_back((payload.into(), time));
        self.shared.changed.notify_all();
    }

    /// When the function asked for work for the first time: its init is over. None if it did not within `patience`.
    pub fn ready(&self, patience: Duration) -> Option<Instant> {
        self.shared.wait(patience, |state| state.ready)
    }

    /// The next answer. None if there was none within `patience`.
    pub fn answer(&self, patience: Duration) -> Option<Answer> {
        self.shared.wait(patience, |state| state.answers.pop_front())
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<T>(&self, patience: Duration, mut found: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        let mut result = None;
        let pending = |state: &mut State| {
            result = found(state);
            result.is_none()
        };
        drop(self.changed.wait_timeout_while(self.lock(), patience, pending));
        result
    }

    fn serve(&self, request: &Request) -> Response {
        let (method, path) = (request.method().as_str(), request.uri().path());
        let below = path.strip_prefix(VERSION).unwrap_or_default();
        match (method, below.split('/').collect::<Vec<_>>().as_slice()) {
            ("GET", ["invocation", "next"]) => self.next(),
            ("POST", ["invocation", id, "response"]) => self.told(Kind::Response, id, request),
            ("POST", ["invocation", id, "error"]) => self.told(Kind::Error, id, request),
            ("POST", ["init", "error"]) => self.told(Kind::InitError, "", request),
            _ => response(404, "text/plain", format!("{method} {path} is not of the Runtime API")),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "deadlines and durations here are the real ones")]
    fn next(&self) -> Response {
        let mut state = self.lock();
        state.ready.get_or_insert_with(Instant::now);
        self.changed.notify_all();
        let idle = |state: &mut State| state.waiting.is_empty() && !state.closed;
        let mut state = self.changed.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
        let Some((payload, time)) = state.waiting.pop_front() else {
            return response(500, "text/plain", "the Runtime API has closed");
        };
        state.handed_out += 1;
        state.begun = Some(Instant::now());
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut response = response(200, "application/json", payload);
        for (name, value) in [
            ("lambda-runtime-aws-request-id", format!("00000000-0000-4000-8000-{:012}", state.handed_out)),
            ("lambda-runtime-deadline-ms", (since_1970 + time).as_millis().to_string()),
            ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:ap-south-1:999999999999:function:f".to_owned()),
        ] {
            response.headers_mut().insert(name, value.parse().expect("visible characters"));
        }
        response
    }

    fn told(&self, kind: Kind, id: &str, request: &Request) -> Response {
        let mut state = self.lock();
        let took = state.begun.take().map(|begun| begun.elapsed()).unwrap_or_default();
        state.answers.push_back(Answer {
            kind,
            request_id: id.to_owned(),
            error_type: request.headers().get(ERROR_TYPE).and_then(|kind| kind.to_str().ok()).map(ToOwned::to_owned),
            body: request.body().to_vec(),
            took,
        });
        self.changed.notify_all();
        response(202, "application/json", r#"{"status":"OK"}"#)
    }
}
