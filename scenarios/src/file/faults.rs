//! The table `[faults]`: how often AWS and the network do what they are allowed to do.

use std::time::Duration;

use simulator::dice::Span;
use simulator::facts::Facts;

use super::cursor::{Result, Value};
use super::keys;

type Set = fn(&mut Facts, u32);

/// Every key that is a chance, in percent.
const FAULTS: &[(&str, Set)] = &[
    ("duplicated_events_percent", |facts, percent| facts.duplicate_percent = percent),
    ("lost_events_percent", |facts, percent| facts.lost_percent = percent),
    ("late_events_percent", |facts, percent| facts.late_percent = percent),
    ("killed_calls_percent", |facts, percent| facts.kill_per_myriad = percent * 100),
    ("killed_invocations_percent", |facts, percent| facts.kill_percent = percent),
    ("cold_starts_percent", |facts, percent| facts.cold_start_percent = percent),
    ("failed_starts_percent", |facts, percent| facts.failed_start_percent = percent),
    ("lost_replies_percent", |facts, percent| facts.lost_reply_percent = percent),
    ("stale_reads_percent", |facts, percent| facts.stale_read_percent = percent),
    ("table_throttles_percent", |facts, percent| facts.table_throttle_percent = percent),
];

/// Reads the table; what it does not mention does not happen.
pub(super) fn read(value: Option<Value<'_>>) -> Result<Facts> {
    let mut facts = Facts::default();
    let Some(value) = value else { return Ok(facts) };
    let table = value.table(&keys::FAULTS)?;
    for (key, set) in FAULTS {
        if let Some(percent) = table.get(key) {
            set(&mut facts, percent.integer(0..=100)?);
        }
    }
    if let Some(lag) = table.get("index_lag") {
        facts.index_lag = Span { min: Duration::ZERO, max: lag.duration(Duration::ZERO..=Duration::from_secs(3600))? };
    }
    Ok(facts)
}
