//! Runs a world under the virtual clock, with the handlers in it.

pub(crate) mod handlers;
pub(crate) mod invocation;
pub(crate) mod ports;
pub(crate) mod simulation;
