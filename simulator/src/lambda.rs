//! Lambda: the functions, what invokes them, and how an invocation may end. How one runs is in `runtime/invocation.rs`.

use std::time::Duration;

use handlers::handler::Message;

use crate::spec::{FunctionName, QueueName};

pub(crate) mod action;
mod mapping;

pub(crate) use mapping::Lambda;

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
    Batch { queue: QueueName, receipts: Vec<u64>, messages: Vec<Message> },
    /// The schedule.
    Restore,
}

impl Work {
    pub(crate) fn function(&self) -> FunctionName {
        match self {
            Self::Batch { queue, .. } => queue.function(),
            Self::Restore => FunctionName::Restore,
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
