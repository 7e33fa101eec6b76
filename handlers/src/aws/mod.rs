//! Production's side of the ports: ECS in the workload accounts, and the central account's table, bus and queues.
//!
//! | question | file |
//! | --- | --- |
//! | which clients are there? | `clients.rs` |
//! | how long may a call take, and how often is it made? | `limits.rs` |
//! | whose credentials does a call carry? | `session.rs` |
//! | what is sent to ECS, and what does an error mean? | `ecs.rs`, `failure.rs` |
//! | how does a service become an [`Observation`](crate::observation::Observation)? | `observe.rs` |
//! | how is a record stored? | `store.rs`, `attributes.rs` |
//! | where do audit events go? | `audit.rs` |
//! | when does a failed message come back, and how is work handed on? | `queue.rs` |
//! | what does a function read from its environment? | [`config`] |
//! | how does a function start? | [`lambda`] |
//! | what happens to an invocation? | `invocation.rs` |
//!
//! | call | in which account | repeated by the SDK |
//! | --- | --- | --- |
//! | `sts:AssumeRole` of [`ROLE`] | central | yes |
//! | `ecs:DescribeServices` | workload | yes |
//! | `ecs:UpdateService` | workload | never |
//! | `dynamodb:GetItem`, `PutItem`, `DeleteItem` on the table, `Query` on its index [`DUE_INDEX`] | central | yes, writes are conditional |
//! | `events:PutEvents` on the bus | central | yes, an event may come twice |
//! | `sqs:ChangeMessageVisibility` on the queues | central | yes |
//! | `sqs:SendMessage` on the placement-failure queue | central | yes, a message may come twice |

mod attributes;
mod audit;
mod cell;
mod clients;
mod clock;
pub mod config;
mod ecs;
mod failure;
mod invocation;
pub mod lambda;
mod limits;
mod logs;
mod observe;
mod queue;
mod session;
mod store;

pub use audit::{DETAIL_TYPE, SOURCE};
pub use cell::Cell;
pub use clients::Aws;
pub use limits::{
    ASSUME_TIMEOUT, ATTEMPT_TIMEOUT, ATTEMPTS, CONNECT_TIMEOUT, CallLimits, OPERATION_TIMEOUT, RETRY_PAUSE,
    UPDATE_TIMEOUT,
};
pub use queue::Backoff;
pub use session::ROLE;
pub use store::DUE_INDEX;
