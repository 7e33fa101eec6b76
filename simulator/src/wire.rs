//! The world on the AWS wire: a request as an AWS SDK makes it in, the answer as AWS gives it out. No socket, no thread, no
//! runtime: virtual time stands still while a request is answered.
//!
//! ECS speaks AWS JSON 1.1, STS the query protocol with XML answers; names and types of the fields are those of the service
//! models (botocore, `ecs` 2014-11-13 and `sts` 2011-06-15). An operation that is not served is HTTP 501, never a made-up answer.
//! Signatures are not checked: who calls is what the access key says (`caller.rs`).
//!
//! | question | file |
//! | --- | --- |
//! | request, response, refusal; members and pages of an input; keys, ARNs and tags | `answer.rs`, `input.rs`, `resource.rs` |
//! | how does a request reach the world? | `endpoint.rs`; what AWS must know before: `learn.rs` |
//! | who calls, and what may they do? | `caller.rs`, `sts.rs` |
//! | what does a service look like? | `service.rs` |
//! | create, update, delete a service | `create.rs`, `change.rs` |
//! | clusters, tasks, task definitions, service deployments, tags | the file of that name |
//! | take Spot capacity away, interrupt, let time pass, read the events | `control.rs` |
//! | what do handlers outside do that the oracle must know? | `outside.rs` |
//! | what does AWS remember that the model does not need? | `state.rs` |

use handlers::timestamp::Timestamp;
use serde_json::json;

use crate::ecs::limits::Bucket;
use crate::engine::dial::Dial;
use crate::runtime::simulation::Simulation;

mod answer;
mod caller;
mod change;
mod cluster;
mod control;
mod create;
mod endpoint;
mod input;
mod learn;
mod name;
mod outside;
mod resource;
mod service;
mod service_deployment;
mod state;
mod sts;
mod tag;
mod task;
mod task_definition;

use answer::{Answer, Refusal, shortened};
pub use answer::{Request, Response};
use caller::Caller;
pub use control::CONTROL;
pub(crate) use endpoint::Endpoint;
use input::read;
use learn::know_account;
pub use state::State;

const ECS: &str = "AmazonEC2ContainerServiceV20141113.";

impl Simulation {
    /// Answers an AWS request on the world as it stands. What the request begins, such as a deployment, goes on with
    /// [`Simulation::advance`]. `state` is what AWS remembers between requests: the caller keeps one for each world.
    pub fn answer(&mut self, state: &mut State, request: &Request) -> Response {
        self.sim.with(|world| Endpoint::new(world, state).answer(request))
    }

    /// From now on shows callers the time `begins` for the beginning of the world, and a second for every `speed` seconds of it:
    /// whoever reads a real clock can then compare. To be used where no handler runs inside the world.
    pub fn show_times(&mut self, begins: Timestamp, speed: u32) {
        self.sim.with(|world| world.dial = Dial::new(begins, speed));
    }
}

impl Endpoint<'_> {
    /// See [`Simulation::answer`].
    pub(crate) fn answer(&mut self, request: &Request) -> Response {
        self.learn_the_world();
        self.state.requests += 1;
        let number = self.state.requests;
        let id = format!("{:08x}-0000-4000-8000-{:012x}", number >> 48, number & 0xffff_ffff_ffff);
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
        know_account(self.world, &caller.account);
        if operation.bucket.is_some_and(|bucket| !self.world.take_token(&caller.account, bucket)) {
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
    answer: fn(&mut Endpoint<'_>, &Caller, &[u8]) -> Answer,
}

macro_rules! operations {
    ($($name:literal $method:ident $bucket:expr;)*) => {
        &[$(Operation {
            name: $name,
            bucket: $bucket,
            answer: |endpoint, caller, body| endpoint.$method(caller, read(body)?),
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

#[cfg(test)]
mod tests;
