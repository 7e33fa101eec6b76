//! The table `[faults]`: how often AWS and the network do what they are allowed to do.

use std::time::Duration;

use simulator::dice::Span;
use simulator::facts::Facts;

use super::cursor::{Result, Value};
use super::keys;
use super::output::{Entries, time};

type Set = fn(&mut Facts, u32);
type Get = fn(&Facts) -> u32;

/// Every key that is a chance, in percent.
const FAULTS: &[(&str, Set, Get)] = &[
    ("duplicated_events_percent", |facts, percent| facts.duplicate_percent = percent, |facts| facts.duplicate_percent),
    ("lost_events_percent", |facts, percent| facts.lost_percent = percent, |facts| facts.lost_percent),
    ("late_events_percent", |facts, percent| facts.late_percent = percent, |facts| facts.late_percent),
    // A finer chance cannot be written; a little more is better than none.
    (
        "killed_calls_percent",
        |facts, percent| facts.kill_per_myriad = percent * 100,
        |facts| facts.kill_per_myriad.div_ceil(100),
    ),
    ("killed_invocations_percent", |facts, percent| facts.kill_percent = percent, |facts| facts.kill_percent),
    ("cold_starts_percent", |facts, percent| facts.cold_start_percent = percent, |facts| facts.cold_start_percent),
    (
        "failed_starts_percent",
        |facts, percent| facts.failed_start_percent = percent,
        |facts| facts.failed_start_percent,
    ),
    ("lost_replies_percent", |facts, percent| facts.lost_reply_percent = percent, |facts| facts.lost_reply_percent),
    ("stale_reads_percent", |facts, percent| facts.stale_read_percent = percent, |facts| facts.stale_read_percent),
    (
        "table_throttles_percent",
        |facts, percent| facts.table_throttle_percent = percent,
        |facts| facts.table_throttle_percent,
    ),
];

/// Reads the table; what it does not mention does not happen.
pub(super) fn read(value: Option<Value<'_>>) -> Result<Facts> {
    let mut facts = Facts::default();
    let Some(value) = value else { return Ok(facts) };
    let table = value.table(&keys::FAULTS)?;
    for (key, set, _) in FAULTS {
        if let Some(percent) = table.get(key) {
            set(&mut facts, percent.integer(0..=100)?);
        }
    }
    if let Some(lag) = table.get("index_lag") {
        facts.index_lag = Span { min: Duration::ZERO, max: lag.duration(Duration::ZERO..=Duration::from_secs(3600))? };
    }
    Ok(facts)
}

/// The keys from which as much of `facts` is read as this table can say.
pub(super) fn write(facts: &Facts) -> Entries {
    let percents = FAULTS.iter().map(|(key, _, get)| (*key, get(facts)));
    percents.fold(Entries::default(), |entries, (key, percent)| entries.with_changed(key, percent, 0)).with_changed(
        "index_lag",
        time(facts.index_lag.max),
        time(Duration::ZERO),
    )
}
