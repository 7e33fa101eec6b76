//! Spot Recovery in production: keeps ECS services on Fargate Spot alive.
//!
//! Events and a schedule make [`handler`] look at services through [`reconcile`], the only caller of the [`ports`]; what
//! to do is decided by the pure function [`decide::decide`]. Only `aws`, behind the feature of that name, knows of AWS SDKs;
//! nothing here knows of the simulator.
//!
//! | question | file |
//! | --- | --- |
//! | what happens to a service, and when? | [`decide`] |
//! | in which order are things read, claimed and done? | [`reconcile`] |
//! | what is remembered of a service? | [`record`] |
//! | which events are believed? | [`event`] |
//! | what can be tuned? | [`policy`] |
//! | what is sent to AWS, and what does each answer mean? | `aws`, with the feature `aws` |

#[cfg(feature = "aws")]
pub mod aws;
pub mod decide;
pub mod event;
pub mod handler;
pub mod held;
mod json;
pub mod market;
pub mod metrics;
pub mod observation;
pub mod phase;
pub mod policy;
pub mod ports;
mod reason;
pub mod reconcile;
pub mod record;
pub mod service;
pub mod strategy;
pub mod timestamp;
pub mod transition;
pub mod turn;
