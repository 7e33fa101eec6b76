//! Lambda: the functions, what invokes them, and how an invocation may end. How one runs is in `runtime/invocation.rs`.

use std::time::Duration;

use handlers::handler::Message;

use crate::spec::FunctionName;

pub(crate) mod action;
mod mapping;

pub(crate) use mapping::{Functions, Mapping};

/// Position of `fargate-spot-placement-failure-queue` in [`World::queues`].
pub(crate) const PLACEMENT_FAILURE_QUEUE: usize = 0;

/// Position of `fargate-spot-interruption-queue` in [`World::queues`].
pub(crate) const INTERRUPTION_QUEUE: usize = 1;

/// The queues' names, by position.
pub(crate) const QUEUES: [&str; 2] = ["fargate-spot-placement-failure-queue", "fargate-spot-interruption-queue"];

/// The functions' names, by [`FunctionName`]; the first two are those of the queues.
pub(crate) const FUNCTIONS: [&str; 3] = [
    "fargate-spot-task-placement-failure-handler",
    "fargate-spot-interruption-handler",
    "fargate-spot-restore-handler",
];

/// One call of a function.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// Lambda's request id, the token of the claims it makes.
    pub(crate) request_id: String,
    pub(crate) work: Work,
}

#[derive(Debug)]
pub(crate) enum Work {
    /// Messages of a queue with their receipts.
    Batch { queue: usize, receipts: Vec<u64>, messages: Vec<Message> },
    /// The schedule.
    Restore,
}

impl Work {
    /// Its function, as a position in [`FUNCTIONS`].
    pub(crate) fn function(&self) -> usize {
        match self {
            Self::Batch { queue, .. } => *queue,
            Self::Restore => FunctionName::Restore as usize,
        }
    }
}

/// How an invocation ended.
pub(crate) enum End<T> {
    Finished(T),
    TimedOut,
    Killed,
    /// It never came to the handler's first line.
    NotStarted,
    /// It gave up the whole batch; only a stand-in does.
    Raised,
}

/// What chance and the state of its function have in store for an invocation.
pub(crate) struct Fate {
    /// Until the handler's first line.
    pub(crate) start: Duration,
    pub(crate) fails_to_start: bool,
    /// Killed at this time after the handler's first line, wherever it waits then.
    pub(crate) killed_at: Option<Duration>,
}
