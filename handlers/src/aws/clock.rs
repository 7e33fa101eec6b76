//! The system's clock.

use std::time::{Duration, SystemTime};

use super::clients::Aws;
use crate::ports::Clock;
use crate::timestamp::Timestamp;

impl Clock for Aws {
    #[expect(clippy::disallowed_methods, reason = "this is the Clock port that everything else takes the time from")]
    fn now(&self) -> Timestamp {
        // A clock before 1970 is as good as one that shows 1970.
        Timestamp::from_millis(0) + SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
