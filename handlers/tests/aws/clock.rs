//! The clock: what time it shows, and that it waits.

use std::time::Duration;

use handlers::aws::Aws;
use handlers::ports::Clock;
use handlers::timestamp::Timestamp;

use crate::bench::{cell, now, quick, sdk};

#[tokio::test]
async fn the_clock_shows_the_time_of_the_system_and_waits_as_long_as_told() {
    let aws = Aws::new(&sdk("http://localhost").await, cell(), quick());
    let before = Timestamp::from_millis(0) + now();
    aws.sleep(Duration::from_millis(20)).await;
    let waited = aws.now().since(before);
    assert!((Duration::from_millis(20)..Duration::from_secs(10)).contains(&waited), "{waited:?}");
}
