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
//! | how are other handlers tried in the same world? | `stand_in.rs` |
//! | how do the handlers call it through the AWS SDK? | `sdk` (feature `sdk`) |
//! | what does an AWS client see of it? | `wire.rs` (feature `wire`), `serve.rs` (feature `serve`) |
//! | what did a run cost and how fast was it? | [`figures`], [`prices`] |

mod agenda;
mod automation;
mod bus_action;
mod deployment;
mod dial;
pub mod dice;
mod ecs;
mod ecs_action;
mod env;
mod eventbridge;
pub mod facts;
pub mod figures;
mod lambda;
mod lambda_action;
pub mod ledger;
mod limits;
mod market;
mod messages;
mod names;
mod oracle;
mod owner;
pub mod pattern;
#[cfg(feature = "planted")]
pub mod planted;
mod ports;
pub mod prices;
mod run;
mod scheduler;
#[cfg(feature = "sdk")]
pub mod sdk;
#[cfg(feature = "serve")]
pub mod serve;
mod shape;
pub mod spec;
mod sqs;
mod stand_in;
mod table;
mod task;
mod throttle;
mod timers;
pub mod trace;
#[cfg(feature = "wire")]
pub mod wire;
mod workload_action;
mod world;
mod zones;

pub use ecs::{ApiError, UpdateService, fargate_alone};
pub use ports::SimPorts;
#[cfg(feature = "sdk")]
pub use run::run_via_sdk;
pub use run::{Outcome, ServiceOutcome, Simulation, run};
pub use stand_in::{Raised, StandIn};
