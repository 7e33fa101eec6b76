//! Which time a caller is shown for a time of the world.

use std::time::Duration;

use handlers::timestamp::Timestamp;

use crate::engine::clock::GENESIS;

/// Shows the world's own time, unless a server lets the world run beside a real clock: then its beginning is shown as the time
/// at which that was, and its hours as the time they take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dial {
    begins: Timestamp,
    /// Seconds of the world in one that is shown, at least 1.
    speed: u32,
}

impl Default for Dial {
    fn default() -> Self {
        Self { begins: GENESIS, speed: 1 }
    }
}

impl Dial {
    #[cfg(feature = "wire")]
    pub(crate) fn new(begins: Timestamp, speed: u32) -> Self {
        Self { begins, speed: speed.max(1) }
    }

    pub(crate) fn shown(self, at: Timestamp) -> Timestamp {
        let shown = |time: Duration| time / self.speed;
        if at < GENESIS { self.begins - shown(GENESIS.since(at)) } else { self.begins + shown(at.since(GENESIS)) }
    }

    /// The time of the world for which a caller is shown this one.
    #[cfg(feature = "wire")]
    pub(crate) fn read(self, shown: Timestamp) -> Timestamp {
        if shown < self.begins {
            GENESIS - self.takes(self.begins.since(shown))
        } else {
            GENESIS + self.takes(shown.since(self.begins))
        }
    }

    /// How long the world takes for a time that is shown.
    #[cfg(feature = "wire")]
    pub(crate) fn takes(self, shown: Duration) -> Duration {
        shown * self.speed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_server_the_worlds_own_time_is_shown() {
        for at in [GENESIS, GENESIS + Duration::from_millis(12_345), GENESIS - Duration::from_secs(40)] {
            assert_eq!(Dial::default().shown(at), at);
        }
    }

    #[cfg(feature = "wire")]
    #[test]
    fn beside_a_real_clock_a_minute_of_a_fast_world_is_shown_as_a_second() {
        let begins = Timestamp::from_millis(1_800_000_000_000);
        let dial = Dial::new(begins, 60);
        assert_eq!(dial.shown(GENESIS + Duration::from_secs(600)), begins + Duration::from_secs(10));
        assert_eq!(dial.shown(GENESIS - Duration::from_secs(60)), begins - Duration::from_secs(1));
        assert_eq!(dial.takes(Duration::from_secs(10)), Duration::from_secs(600));
        for at in [GENESIS + Duration::from_secs(600), GENESIS - Duration::from_secs(60)] {
            assert_eq!(dial.read(dial.shown(at)), at);
        }
    }
}
