//! Why the world beside LocalStack cannot be served, and why an event of it does not reach LocalStack.

use std::io;

use handlers::service::{AccountId, NameError};
use simulator::pattern::PatternError;
use simulator::serve::ServeError;

use crate::clients::CallError;

/// Why the world beside LocalStack cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The address at which functions reach the world cannot be listened on.
    #[error(transparent)]
    Listen(#[from] io::Error),
    /// An event pattern of the product is invalid.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The server does not start.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// Why an event of the world did not reach LocalStack.
#[derive(Debug, thiserror::Error)]
pub(super) enum RelayError {
    /// The account of the event is not 12 digits.
    #[error("an event of {account:?}: {source}")]
    Account {
        /// What the event has there.
        account: String,
        /// What is wrong with it.
        source: NameError,
    },
    /// The world has no such account, so there is no bus to put the event on.
    #[error("an event of {0}, which is no account of the world")]
    UnknownAccount(AccountId),
    /// The bus of the account did not take the event.
    #[error(transparent)]
    Call(#[from] CallError),
}
