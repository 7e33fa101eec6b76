//! Simulated time: when it begins, and how much of it has passed.

use std::time::Duration;

use handlers::timestamp::Timestamp;

/// The moment every world begins.
pub(crate) const GENESIS: Timestamp = Timestamp::from_millis(1_767_225_600_000); // 2026-01-01T00:00:00Z

/// Time since the world began.
pub(crate) fn elapsed(at: Timestamp) -> Duration {
    at.since(GENESIS)
}
