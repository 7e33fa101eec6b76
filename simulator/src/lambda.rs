//! Lambda: the functions, what invokes them, and how an invocation may end. How one runs is in `runtime/invocation.rs`.

use std::time::Duration;

use handlers::handler::{Failure, Message};

use crate::spec::FunctionName;

pub(crate) mod action;
mod mapping;

pub(crate) use mapping::Lambda;

/// One call of a function.
#[derive(Debug)]
pub struct Invocation {
    /// Lambda's request id, the token of the claims it makes.
    pub request_id: String,
    /// The function that is called.
    pub function: FunctionName,
    /// Messages of the function's queue; none for the schedule.
    pub messages: Vec<Message>,
    /// Receipts of the messages.
    receipts: Vec<u64>,
}

/// How an invocation ended.
#[derive(Debug)]
pub(crate) enum End {
    /// A batch is handled, but for these messages.
    Batch(Vec<Failure>),
    /// A sweep is done, but for so many records.
    Sweep(usize),
    TimedOut,
    Killed,
    /// It never came to the handler's first line.
    NotStarted,
    /// It gave up the whole batch.
    Raised,
}

impl End {
    /// In the words of the trace, with how many messages or records failed.
    fn outcome(&self) -> (&'static str, usize) {
        match self {
            Self::Batch(failures) => ("ends", failures.len()),
            Self::Sweep(failed) => ("ends", *failed),
            Self::TimedOut => ("is stopped at its timeout", 0),
            Self::Killed => ("is killed", 0),
            Self::NotStarted => ("fails to start", 0),
            Self::Raised => ("raises an error", 0),
        }
    }
}

/// What chance and the state of its function have in store for an invocation.
pub(crate) struct Fate {
    /// Until the handler's first line.
    pub(crate) start: Duration,
    pub(crate) fails_to_start: bool,
    /// Killed at this time after the handler's first line, wherever it waits then.
    pub(crate) killed_at: Option<Duration>,
}
