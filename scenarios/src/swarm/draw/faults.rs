//! What is a number: the rate of what goes wrong by chance, and the limits of an account.

use simulator::dice::Span;
use simulator::facts::Facts;

/// A kind of trouble that is a number.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// For people.
    pub name: &'static str,
    /// The highest number that is drawn; the lowest is 1.
    pub most: u32,
    /// What it is counted in.
    pub unit: &'static str,
    /// Sets the number; 0 is off.
    pub set: fn(&mut Facts, u32),
    /// The number.
    pub get: fn(&Facts) -> u32,
}

/// Everything that goes wrong by chance, until all is calm.
pub const FAULTS: &[Fault] = &[
    fault("events come twice", 100, |facts, n| facts.duplicate_percent = n, |facts| facts.duplicate_percent),
    fault("events are lost", 60, |facts, n| facts.lost_percent = n, |facts| facts.lost_percent),
    fault("events come late", 60, |facts, n| facts.late_percent = n, |facts| facts.late_percent),
    fault("handlers die at a call", 3, |facts, n| facts.kill_per_myriad = n * 100, |facts| facts.kill_per_myriad / 100),
    fault("handlers die at any moment", 20, |facts, n| facts.kill_percent = n, |facts| facts.kill_percent),
    fault("cold starts", 100, |facts, n| facts.cold_start_percent = n, |facts| facts.cold_start_percent),
    fault("failed starts", 30, |facts, n| facts.failed_start_percent = n, |facts| facts.failed_start_percent),
    fault("replies are lost", 25, |facts, n| facts.lost_reply_percent = n, |facts| facts.lost_reply_percent),
    fault("reads are stale", 50, |facts, n| facts.stale_read_percent = n, |facts| facts.stale_read_percent),
    fault("the table throttles", 30, |facts, n| facts.table_throttle_percent = n, |facts| facts.table_throttle_percent),
    Fault {
        name: "the due index lags",
        most: 300,
        unit: "s",
        set: |facts, n| facts.index_lag = Span::secs(0, n.into()),
        get: |facts| facts.index_lag.max.as_secs() as u32,
    },
];

/// What every account may use at once and launch per second (aws-facts.md §4). No calm lifts these.
pub const LIMITS: &[Fault] = &[
    Fault {
        name: "On-Demand quota",
        most: 24,
        unit: "vCPU",
        set: |facts, n| facts.on_demand_vcpu_quota = (n > 0).then_some(n),
        get: |facts| facts.on_demand_vcpu_quota.unwrap_or(0),
    },
    Fault {
        name: "Spot quota",
        most: 24,
        unit: "vCPU",
        set: |facts, n| facts.spot_vcpu_quota = (n > 0).then_some(n),
        get: |facts| facts.spot_vcpu_quota.unwrap_or(0),
    },
    Fault {
        name: "launch rate",
        most: 5,
        unit: "tasks a second",
        set: |facts, n| facts.launch_bucket = (n > 0).then_some((n, n)),
        get: |facts| facts.launch_bucket.map_or(0, |(burst, _)| burst),
    },
];

/// Faults and limits.
pub fn numbers() -> impl Iterator<Item = &'static Fault> {
    FAULTS.iter().chain(LIMITS)
}

const fn fault(name: &'static str, most: u32, set: fn(&mut Facts, u32), get: fn(&Facts) -> u32) -> Fault {
    Fault { name, most, unit: "%", set, get }
}
