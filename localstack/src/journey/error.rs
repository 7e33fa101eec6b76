//! Why a journey fails.

use std::time::Duration;

use crate::clients::CallError;
use crate::process::KillError;

/// Why a journey ended before its last stage. It reads as the line of the stage that failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JourneyError {
    /// A call to LocalStack failed; its log says more.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A function could not be killed.
    #[error(transparent)]
    Kill(#[from] KillError),
    /// A stage is not as it should be.
    #[error("{0}")]
    Unmet(String),
    /// A stage was not as it should be within its time limit.
    #[error("{what}: not within {limit:?}; {source}")]
    Late {
        /// The stage.
        what: String,
        /// The time limit.
        limit: Duration,
        /// What the last look found instead.
        source: Box<JourneyError>,
    },
}
