//! Lambda on loopback. The functions' binaries run here as Lambda runs them: with its environment, a Runtime API, and endpoints
//! from `AWS_ENDPOINT_URL`; what they need is measured, and they are packed into the zips that Lambda takes.
//!
//! This crate knows nothing of the other ones: a binary is a path, an event is JSON. So it builds without the AWS SDK, and
//! the binaries it measures are built as they are shipped, apart from it.
//!
//! | question | file |
//! | --- | --- |
//! | what does a function see of Lambda? | [`runtime_api`], [`function`] |
//! | what does it see of AWS? | [`aws`]: one table, services, a bus, as little as a failover needs |
//! | what is in a zip? | `bundle`, with the feature `zip` |
//! | would it start on Lambda? | [`executable`] |

pub mod aws;
#[cfg(feature = "zip")]
pub mod bundle;
pub mod executable;
pub mod function;
pub mod http;
pub mod runtime_api;
