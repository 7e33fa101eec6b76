//! Other handlers in the place of the production ones, to compare what becomes of the same world. Everything around them is the
//! same: events, rules, queues, schedule, table, ECS, and the oracle that watches.

use std::fmt::Debug;

use futures_util::future::LocalBoxFuture;
use handlers::handler::Message;

use crate::runtime::ports::SimPorts;

/// What the three functions run.
pub trait StandIn: Debug {
    /// Handles a batch of either queue.
    ///
    /// # Errors
    /// [`Raised`]: all of its messages come back with their visibility timeout, those too that were handled.
    fn messages<'a>(&'a self, ports: &'a SimPorts, messages: &'a [Message]) -> LocalBoxFuture<'a, Result<(), Raised>>;

    /// Handles a tick of the restore schedule; returns how many records could not be finished.
    fn tick<'a>(&'a self, ports: &'a SimPorts) -> LocalBoxFuture<'a, usize>;
}

/// A function ended with an error and without a list of the messages that failed, so to Lambda all of them did (aws-facts.md §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raised;
