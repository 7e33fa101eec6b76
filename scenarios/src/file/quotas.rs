//! The table `[quotas]`: what every account may use at once and launch per second (aws-facts.md §4).

use simulator::facts::Facts;

use super::cursor::{Result, Value};
use super::keys;
use super::output::Entries;

/// More vCPU than any account is known to have.
const MAX_VCPU: u32 = 1_000_000;
const MAX_LAUNCHES: u32 = 10_000;

/// Reads the table; a quota it does not mention is no limit.
pub(super) fn read(value: Option<Value<'_>>, facts: &mut Facts) -> Result<()> {
    let Some(value) = value else { return Ok(()) };
    let table = value.table(&keys::QUOTAS)?;
    let vcpu = |key| table.get(key).map(|value| value.integer(0..=MAX_VCPU)).transpose();
    facts.on_demand_vcpu_quota = vcpu("on_demand_vcpu")?;
    facts.spot_vcpu_quota = vcpu("spot_vcpu")?;
    if table.get("launch_burst").is_some() || table.get("launches_per_second").is_some() {
        let launches = |key| table.need(key)?.integer(1..=MAX_LAUNCHES);
        facts.launch_bucket = Some((launches("launch_burst")?, launches("launches_per_second")?));
    }
    Ok(())
}

/// The keys from which the quotas of `facts` are read.
pub(super) fn write(facts: &Facts) -> Entries {
    Entries::default()
        .with_some("on_demand_vcpu", facts.on_demand_vcpu_quota)
        .with_some("spot_vcpu", facts.spot_vcpu_quota)
        .with_some("launch_burst", facts.launch_bucket.map(|(burst, _)| burst))
        .with_some("launches_per_second", facts.launch_bucket.map(|(_, per_second)| per_second))
}
