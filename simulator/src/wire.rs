//! The world on the AWS wire: a request as an AWS SDK makes it in, the answer as AWS gives it out. No socket, no thread, no
//! runtime: virtual time stands still while a request is answered.
//!
//! ECS speaks AWS JSON 1.1, STS the query protocol with XML answers; names and types of the fields are those of the service
//! models (botocore, `ecs` 2014-11-13 and `sts` 2011-06-15). An operation that is not served is HTTP 501, never a made-up answer.
//! Signatures are not checked: who calls is what the access key says (`caller.rs`).
//!
//! | question | file |
//! | --- | --- |
//! | who calls, and what may they do? | `caller.rs`, `sts.rs` |
//! | what does a service look like? | `service.rs` |
//! | create, update, delete a service | `create.rs`, `change.rs` |
//! | clusters, tasks, task definitions, service deployments, tags | the file of that name |
//! | take Spot capacity away, interrupt, let time pass, read the events | `control.rs`, `feed.rs` |
//! | what do handlers outside do that the oracle must know? | `outside.rs` |
//! | what is remembered that the model itself does not need? | `state.rs` |

use handlers::timestamp::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::ecs::api::ApiError;
use crate::ecs::limits::Bucket;
use crate::engine::dial::Dial;
use crate::runtime::simulation::Simulation;
use crate::world::World;

mod caller;
mod change;
mod cluster;
mod control;
mod create;
mod feed;
mod name;
mod outside;
mod service;
mod service_deployment;
mod state;
mod sts;
mod tag;
mod task;
mod task_definition;

pub use control::CONTROL;
pub(crate) use feed::Feed;
pub(crate) use state::State;

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
pub(crate) struct Refusal {
    status: u16,
    code: &'static str,
    message: String,
}

impl Refusal {
    /// An error that AWS answers with HTTP 400, which ECS does even where it denies access (aws-facts.md §4).
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into() }
    }

    fn invalid(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterException", message)
    }

    /// What AWS could do and this model cannot. No SDK takes 501 for a reason to try again.
    fn not_modelled(what: &str) -> Self {
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

type Answer = Result<Value, Refusal>;

const ECS: &str = "AmazonEC2ContainerServiceV20141113.";

impl Simulation {
    /// Answers an AWS request on the world as it stands. What the request begins, such as a deployment, goes on with
    /// [`Simulation::advance`].
    pub fn answer(&mut self, request: &Request) -> Response {
        self.sim.with(|world| world.answer(request))
    }
}

impl Simulation {
    /// From now on shows callers the time `begins` for the beginning of the world, and a second for every `speed` seconds of it:
    /// whoever reads a real clock can then compare. To be used where no handler runs inside the world.
    pub fn show_times(&mut self, begins: Timestamp, speed: u32) {
        self.sim.with(|world| world.dial = Dial::new(begins, speed));
    }
}

impl World {
    /// See [`Simulation::answer`].
    pub(crate) fn answer(&mut self, request: &Request) -> Response {
        self.learn_the_world();
        self.wire.requests += 1;
        let id =
            format!("{:08x}-0000-4000-8000-{:012x}", self.wire.requests >> 48, self.wire.requests & 0xffff_ffff_ffff);
        match request.header("x-amz-target") {
            Some(target) => to_json(self.answer_ecs(target, request), id),
            None => self.answer_sts(request, id),
        }
    }

    fn answer_ecs(&mut self, target: &str, request: &Request) -> Answer {
        let Some(operation) = target.strip_prefix(ECS) else {
            return Err(Refusal::not_modelled(&format!("the target {:?}", shortened(target))));
        };
        let Some(operation) = OPERATIONS.iter().find(|known| known.name == operation) else {
            return Err(Refusal::not_modelled(&format!("the ECS operation {:?}", shortened(operation))));
        };
        let caller = self.caller(request)?;
        self.know_account(&caller.account);
        if operation.bucket.is_some_and(|bucket| !self.take_token(&caller.account, bucket)) {
            return Err(Refusal::new("ThrottlingException", "Rate exceeded"));
        }
        self.authorize(&caller, operation.name)?;
        (operation.answer)(self, &caller, &request.body)
    }
}

/// An operation of ECS: its name, the token bucket it takes from, what answers it.
struct Operation {
    name: &'static str,
    /// The classes of aws-facts.md §4 that the model has; the others are never throttled here.
    bucket: Option<Bucket>,
    answer: fn(&mut World, &caller::Caller, &[u8]) -> Answer,
}

macro_rules! operations {
    ($($name:literal $method:ident $bucket:expr;)*) => {
        &[$(Operation {
            name: $name,
            bucket: $bucket,
            answer: |world, caller, body| world.$method(caller, read(body)?),
        }),*]
    };
}

const OPERATIONS: &[Operation] = operations! {
    "CreateCluster" create_cluster None;
    "CreateService" create_service Some(Bucket::Update);
    "DeleteService" delete_service Some(Bucket::Update);
    "DescribeClusters" describe_clusters None;
    "DescribeServiceDeployments" describe_service_deployments None;
    "DescribeServices" describe_services Some(Bucket::Describe);
    "DescribeTaskDefinition" describe_task_definition None;
    "DescribeTasks" describe_tasks None;
    "ListClusters" list_clusters None;
    "ListServiceDeployments" list_service_deployments None;
    "ListServices" list_services Some(Bucket::Describe);
    "ListTagsForResource" list_tags_for_resource None;
    "ListTasks" list_tasks None;
    "PutClusterCapacityProviders" put_cluster_capacity_providers None;
    "RegisterTaskDefinition" register_task_definition None;
    "StopTask" stop_task_of_caller None;
    "TagResource" tag_resource None;
    "UntagResource" untag_resource None;
    "UpdateService" update_service_of_caller Some(Bucket::Update);
};

/// The input of an operation. The messages are ours; AWS's name the types of its own parser.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let malformed = |error: serde_json::Error| Refusal::new("SerializationException", error.to_string());
    // Structures only: serde would take a list for one too.
    let input: Value = serde_json::from_slice(body).map_err(malformed)?;
    if !input.is_object() {
        return Err(Refusal::new("SerializationException", "Start of structure expected"));
    }
    serde_json::from_value(input).map_err(malformed)
}

fn to_json(answer: Answer, id: String) -> Response {
    let (status, body, error) = match answer {
        Ok(body) => (200, body, None),
        Err(refusal) => {
            (refusal.status, json!({ "__type": refusal.code, "message": refusal.message }), Some(refusal.code))
        }
    };
    let mut headers = vec![("content-type", "application/x-amz-json-1.1".to_owned()), ("x-amzn-requestid", id)];
    headers.extend(error.map(|code| ("x-amzn-errortype", code.to_owned())));
    Response { status, headers, body: body.to_string().into_bytes() }
}

/// A hostile text must not flood a message.
fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests;
