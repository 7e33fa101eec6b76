//! Runs a world under the virtual clock, with the handlers in it.

pub(crate) mod invocation;
pub(crate) mod ports;
pub(crate) mod simulation;
pub(crate) mod stand_in;
