//! A deterministic model of the AWS that Spot Recovery lives in: many accounts' ECS services on Fargate and Fargate Spot,
//! EventBridge, SQS, Lambda and DynamoDB, under a virtual clock.
//!
//! One seed decides everything. The rules that keep it so: ordered maps only, no clock but the virtual one, no chance but
//! [`dice`]. The production handlers run in it unchanged, through their ports.
//!
//! The crate is a stack: each line below imports only lines above it (`handlers/tests/fence.rs`). Each AWS service keeps its own state and
//! what it plans; a step of one may use what is in its `Env`, and returns what the next one gets. The observers are told of every event
//! and asked by no part of the model.
//!
//! | part | what it is |
//! | --- | --- |
//! | `engine` | agenda, clocks, chance, timers: nothing of AWS |
//! | `ids`, [`facts`], [`spec`] | names and numbers; what AWS does not promise, and what we assume; what a world is made of and what will happen to it |
//! | `observers` | [`trace`], [`ledger`], and what the oracle remembers |
//! | `sqs`, `dynamodb` | a queue with its DLQ; the state table and its due index |
//! | `eventbridge`, [`pattern`] | from an account's bus to the central bus and to a queue |
//! | `lambda` | event-source mappings, functions, the schedule |
//! | `ecs` | services, tasks, deployments, capacity: see `ecs.rs` |
//! | `workload` | owners, auto scalers, Terraform, Spot markets: what acts on ECS from outside |
//! | `world` | all of it: whose turn it is, what one service hands to another, and what must never happen (`world/judge.rs`) |
//! | `runtime` | runs a world with handlers in it, which call it through their ports |
//! | [`figures`], [`prices`] | what a run cost and how fast it was |
//! | `planted` | handlers with a bug in them (feature `planted`) |
//! | `wire`, `serve` | what an AWS client sees of a world (features of these names) |
//! | `sdk` | the handlers call the world through the AWS SDK (feature `sdk`) |

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
