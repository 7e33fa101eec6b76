//! The phases of a service: lowest of what is stored, for records and transitions both name them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a service stands (docs/architecture.md, Phases).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    /// A Spot service we have seen.
    Watching,
    /// Original saved, `UpdateService` claimed but not confirmed.
    FailingOver,
    /// The fallback is live; a restore is due at `restore_at`.
    OnDemand,
    /// The original is claimed or applied, on probation.
    Restoring,
    /// A person is needed.
    Held,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
