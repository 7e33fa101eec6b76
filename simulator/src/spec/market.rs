//! How much capacity there is, and how it comes and goes.

use std::fmt;
use std::time::Duration;

/// How much a market has, in tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capacity {
    /// At most this many tasks at once.
    Tasks(u32),
    /// As much as anyone asks for.
    Unlimited,
}

impl Capacity {
    /// Whether one more task fits when `running` are there.
    pub fn has_room(self, running: u32) -> bool {
        match self {
            Self::Tasks(most) => running < most,
            Self::Unlimited => true,
        }
    }
}

impl fmt::Display for Capacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tasks(n) => write!(f, "{n}"),
            Self::Unlimited => f.write_str("unlimited"),
        }
    }
}

/// How a Spot market goes on. AWS publishes nothing about lengths and rates of shortages (aws-facts.md §3, §10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpotShape {
    /// Gone, back, gone again; begins with a gap.
    Flapping {
        /// How long it is unlimited.
        up: Duration,
        /// How long it has nothing.
        down: Duration,
    },
    /// Nothing, then some tasks more with every minute, from the first one on; unlimited once it has `until` tasks.
    SlowReturn {
        /// Tasks more per minute, at least 1.
        per_minute: u32,
        /// Tasks at which the shortage is over.
        until: u32,
    },
    /// Outages by chance, with lengths of a heavy tail: bounded Pareto with exponent 1, so that half of the outages are shorter
    /// than about twice `shortest` and the longest are as long as `longest`.
    Random {
        /// Mean time from the end of an outage to the begin of the next; drawn uniformly from 0 to twice that.
        every: Duration,
        /// Shortest outage, above zero.
        shortest: Duration,
        /// Longest outage.
        longest: Duration,
    },
}

/// How Spot takes tasks away when its capacity falls below what runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Two-minute warning, then the task stops; failed placements are announced (aws-facts.md §2.2, §2.3).
    Interrupt,
    /// The tasks go without an interruption, and failed placements are not announced (aws-facts.md §2.6).
    Silent,
    /// Running tasks stay; only new ones find no room.
    Keep,
}
