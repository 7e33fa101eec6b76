//! A deterministic model of the AWS that Spot Recovery lives in: many accounts' ECS services on Fargate and Fargate Spot,
//! EventBridge, SQS, Lambda and DynamoDB, under a virtual clock.
//!
//! One seed decides everything. The rules that keep it so: ordered maps only, no clock but the virtual one, no chance but
//! [`dice`]. The production handlers run in it unchanged, through their ports.
//!
//! | question | file |
//! | --- | --- |
//! | what is a world made of, what can happen to it? | [`spec`] |
//! | what does AWS not promise, and what do we assume? | [`facts`] |
//! | how are tasks placed and deployments rolled? | `scheduler.rs` |
//! | what does `UpdateService` accept? | `ecs.rs` |
//! | how does a deployment begin and end? | `deployment.rs` |
//! | in which zone, and what does AZ rebalancing move? | `zones.rs` |
//! | how does an event reach a handler? | `eventbridge.rs`, `sqs.rs`, `lambda.rs` |
//! | what must never happen? | `oracle.rs` |
//! | how are other handlers tried in the same world? | `runtime/handlers.rs` |
//! | how do the handlers call it through the AWS SDK? | `sdk` (feature `sdk`) |
//! | what does an AWS client see of it? | `wire.rs` (feature `wire`), `serve.rs` (feature `serve`) |
//! | what did a run cost and how fast was it? | [`figures`], [`prices`] |

mod chance;
mod dynamodb;
mod ecs;
mod engine;
mod env;
mod eventbridge;
pub mod facts;
pub mod figures;
mod ids;
mod lambda;
mod observers;
pub mod pattern;
#[cfg(feature = "planted")]
pub mod planted;
pub mod prices;
mod runtime;
#[cfg(feature = "sdk")]
pub mod sdk;
#[cfg(feature = "serve")]
pub mod serve;
pub mod spec;
mod sqs;
#[cfg(test)]
mod testing;
#[cfg(feature = "wire")]
pub mod wire;
mod workload;
mod world;

pub use ecs::api::{ApiError, UpdateService, fargate_alone};
pub use engine::dice;
pub use lambda::Invocation;
pub use observers::{ledger, trace};
pub use runtime::handlers::{Handled, Handlers, MakeHandlers, ProductionHandlers};
pub use runtime::ports::SimPorts;
pub use runtime::simulation::{Outcome, ServiceOutcome, Simulation, run};
