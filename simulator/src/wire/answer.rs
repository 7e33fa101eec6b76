//! A request, its response, and the refusal that an operation may answer with.

use serde_json::{Map, Value};

use crate::ecs::api::ApiError;

/// An HTTP request, as far as the answer depends on it. The method is POST and the path `/` for every operation served.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// Names in any case, with their values. Read are `x-amz-target` and `authorization`.
    pub headers: Vec<(String, String)>,
    /// JSON for ECS, a form for STS.
    pub body: Vec<u8>,
}

/// An HTTP response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Names in lower case, with their values.
    pub headers: Vec<(&'static str, String)>,
    /// JSON from ECS, XML from STS.
    pub body: Vec<u8>,
}

impl Request {
    /// The first header of that name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// What a caller gets instead of what was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Refusal {
    /// An error that AWS answers with HTTP 400, which ECS does even where it denies access (aws-facts.md §4).
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into() }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterException", message)
    }

    /// What AWS could do and this model cannot. No SDK takes 501 for a reason to try again.
    pub(super) fn not_modelled(what: &str) -> Self {
        Self {
            status: 501,
            code: "NotImplemented",
            message: format!("the simulator does not serve {what}; simulator/README.md lists what it serves"),
        }
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self::new(error.code, error.message)
    }
}

pub(super) type Answer = Result<Value, Refusal>;

/// A hostile text must not flood a message.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Adds the members of an object.
pub(super) fn extend(map: &mut Map<String, Value>, more: Value) {
    if let Value::Object(more) = more {
        map.extend(more);
    }
}
