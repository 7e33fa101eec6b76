//! Writes a scenario as the file it would be read from: so what was found by chance can be replayed and looked at.

use simulator::spec::WorldSpec;

use super::output::{Entries, time};
use super::scenario::{DEFAULT_CENTRAL, DEFAULT_REGION, Scenario};
use super::{event, expect, faults, policy, quotas, service};

/// The scenario as TOML. Reading it gives the same scenario, as far as a file can say it: of `facts` only what
/// `[faults]` and `[quotas]` have, and a reserved concurrency above 0 becomes `running`.
pub fn write(scenario: &Scenario) -> String {
    let Scenario { world, facts, expectations, .. } = scenario;
    let tables = [("[policy]", policy::write(&world.policy)), ("[quotas]", quotas::write(facts))];
    let faults = ("[faults]", faults::write(facts));
    let services = world.services.iter().map(|spec| ("[[service]]", service::write(spec)));
    let events = world.events.iter().map(|timed| ("[[at]]", event::write(timed)));
    let expected = expect::write(expectations).map(|entries| ("[[expect.service]]", entries));
    let all = tables.into_iter().chain([faults]).chain(services).chain(events).chain(expected);
    head(scenario).lines() + &all.map(|(header, entries)| entries.section(header)).collect::<String>()
}

/// The keys before the first table.
fn head(scenario: &Scenario) -> Entries {
    let Scenario { title, about, duration, world, .. } = scenario;
    let WorldSpec { seed, region, central, accounts, synthetic_from, restore_schedule, .. } = world;
    Entries::default()
        .with("title", title)
        .with_changed("about", about.as_str(), "")
        .with("seed", seed)
        .with("duration", time(*duration))
        .with_changed("region", region.as_str(), DEFAULT_REGION)
        .with_changed("central", central.as_str(), DEFAULT_CENTRAL)
        .with("accounts", accounts)
        .with_changed("synthetic_from", synthetic_from.as_slice(), &[])
        .with("restore_schedule", time(*restore_schedule))
}
