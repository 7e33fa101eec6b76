//! The table `[expect]` and the tables `[[expect.fleet]]` and `[[expect.service]]`: from what people write to one flat list of checks.
//!
//! `[expect]` speaks of every service that uses Spot. The table of a service's fleet overrides it key by key, the service's own table
//! both, and these are all there is for a service that does not use Spot: such a service has no failover to wait for.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use handlers::service::ServiceId;
use simulator::spec::ServiceSpec;

use super::cursor::{Result, Table, Value};
use super::fleet::{self, Fleet};
use super::output::{Entries, time};
use super::scenario::{Check, Expectation, FinalStrategy};
use super::threat::Threats;
use super::{keys, service, strategy, suggest};
use crate::diagnostic::Fault;

/// No scenario is long enough for more failovers or deployments than this.
const MAX_COUNT: RangeInclusive<u32> = 0..=10_000;

/// The keys of one table. What is absent is not expected.
#[derive(Default, Clone)]
struct Keys<'d> {
    failover_within: Option<(Value<'d>, Duration)>,
    restored_within: Option<(Value<'d>, Duration)>,
    min_availability: Option<f64>,
    final_strategy: Option<FinalStrategy>,
    failovers: Option<(Value<'d>, u32)>,
    max_deployments_forced: Option<u32>,
}

/// Reads what is expected: services in the order of the file, the checks of each in the order of [`Check`].
pub(super) fn read_all(
    root: &Table<'_>,
    services: &[ServiceSpec],
    fleets: &[Fleet],
    threats: &Threats<'_>,
    duration: Duration,
) -> Result<Vec<Expectation>> {
    let Some(expect) = root.get("expect") else {
        return Err(root
            .fault("the scenario expects nothing, so it cannot fail", "`[expect]` is missing")
            .help("add for example: [expect] with final_strategy = \"original\""));
    };
    let table = expect.table(&keys::EXPECT)?;
    let general = Keys::read(&table, duration)?;
    let tables = table.get("service").map(|tables| tables.tables(&keys::EXPECT_SERVICE));
    let own = keys_of(tables, "service", duration, |name| Ok(&service::find(name, services)?.id))?;
    let tables = table.get("fleet").map(|tables| tables.tables(&keys::EXPECT_FLEET));
    let of_fleets = keys_of(tables, "fleet", duration, |name| Ok(&fleet::find(name, fleets)?.name))?;

    let mut expectations = Vec::new();
    for (n, ServiceSpec { id, strategy, .. }) in services.iter().enumerate() {
        let own = own.get(id).cloned().unwrap_or_default();
        let fleet = fleets.iter().find(|fleet| fleet.services.contains(&n));
        let of_fleet = fleet.and_then(|fleet| of_fleets.get(&fleet.name)).cloned().unwrap_or_default();
        let keys = match strategy.uses_spot() {
            true => own.over(&of_fleet.over(&general)?)?,
            false => own.over(&of_fleet)?.without_spot(id)?,
        };
        if let Some(why) = threats.none_for(id) {
            keys.refuse_failovers(&why)?;
        }
        expectations.extend(keys.checks().map(|check| Expectation { service: id.clone(), check }));
    }
    if expectations.is_empty() {
        return Err(Fault::new(
            expect.span(),
            "the scenario expects nothing, so it cannot fail",
            "no check results from this",
        )
        .help("[expect] speaks of services that use Spot; give others an [[expect.service]]"));
    }
    Ok(expectations)
}

/// The keys of each of `tables`, by what its `key` names.
fn keys_of<'d, 'n, N: Ord>(
    tables: Option<Result<Vec<Table<'d>>>>,
    key: &str,
    duration: Duration,
    find: impl Fn(Value<'d>) -> Result<&'n N>,
) -> Result<BTreeMap<&'n N, Keys<'d>>> {
    let mut places: BTreeMap<&N, Value<'_>> = BTreeMap::new();
    let mut all = BTreeMap::new();
    let mut silent = None;
    for table in tables.transpose()?.unwrap_or_default() {
        let name = table.need(key)?;
        let named = find(name)?;
        if let Some(first) = places.insert(named, name) {
            return Err(name
                .fault(format_args!("has two [[expect.{key}]]"), "put its keys into one table")
                .also(first.span(), "the first one"));
        }
        let keys = Keys::read(&table, duration)?;
        if keys.clone().checks().next().is_none() {
            silent.get_or_insert(name);
        }
        all.insert(named, keys);
    }
    match silent {
        Some(name) => Err(name
            .fault("has an expectation that expects nothing", "no check results from this")
            .help(format!("checks are: {}", suggest::list(keys::CHECKS.iter().map(|check| check.name))))),
        None => Ok(all),
    }
}

impl<'d> Keys<'d> {
    fn read(table: &Table<'d>, longest: Duration) -> Result<Self> {
        let within = |key| {
            let read = |value: Value<'d>| Ok((value, value.duration(Duration::ZERO..=longest)?));
            table.get(key).map(read).transpose()
        };
        let count = |key| table.get(key).map(|value| value.integer(MAX_COUNT)).transpose();
        Ok(Self {
            failover_within: within("failover_within")?,
            restored_within: within("restored_within")?,
            min_availability: table.get("min_availability").map(Value::share).transpose()?,
            final_strategy: table.get("final_strategy").map(final_strategy).transpose()?,
            failovers: table.get("failovers").map(|value| Ok((value, value.integer(MAX_COUNT)?))).transpose()?,
            max_deployments_forced: count("max_deployments_forced")?,
        })
    }

    /// These keys, and those of `general` for what they do not mention.
    fn over(mut self, general: &Self) -> Result<Self> {
        self.failovers = self.failovers.or(general.failovers);
        if self.failovers.is_some_and(|(_, count)| count == 0) {
            // Waiting for a failover that must not happen is dropped when it was meant for all, refused when meant for this service.
            self.refuse_waiting("cannot be checked: `failovers` is 0 for this service")?;
        } else {
            self.failover_within = self.failover_within.or(general.failover_within);
            self.restored_within = self.restored_within.or(general.restored_within);
        }
        self.min_availability = self.min_availability.or(general.min_availability);
        self.final_strategy = self.final_strategy.or_else(|| general.final_strategy.clone());
        self.max_deployments_forced = self.max_deployments_forced.or(general.max_deployments_forced);
        Ok(self)
    }

    /// These keys for a service that has nothing to lose.
    fn without_spot(self, id: &ServiceId) -> Result<Self> {
        self.refuse_waiting(&format!("cannot be checked: the strategy of {id} does not use Spot"))?;
        Ok(self)
    }

    fn refuse_waiting(&self, why: &str) -> Result<()> {
        match self.failover_within.or(self.restored_within) {
            Some((value, _)) => Err(value.fault(why, "there will be no failover to wait for")),
            None => Ok(()),
        }
    }

    /// Nothing may wait for a failover, nor count on one.
    fn refuse_failovers(&self, why: &str) -> Result<()> {
        let counted = self.failovers.filter(|(_, count)| *count > 0).map(|(value, _)| value);
        let waiting = self.failover_within.or(self.restored_within).map(|(value, _)| value);
        let Some(value) = waiting.or(counted) else { return Ok(()) };
        Err(value
            .fault(format_args!("cannot be checked: {why}"), "there will be no failover")
            .help("let something happen to its Spot capacity, or write failovers = 0 in its [[expect.service]]"))
    }

    fn checks(self) -> impl Iterator<Item = Check> {
        let checks = [
            self.failover_within.map(|(_, within)| Check::FailoverWithin(within)),
            self.restored_within.map(|(_, within)| Check::RestoredWithin(within)),
            self.min_availability.map(Check::MinAvailability),
            self.final_strategy.map(Check::FinalStrategy),
            self.failovers.map(|(_, count)| Check::Failovers(count)),
            self.max_deployments_forced.map(Check::MaxDeploymentsForced),
        ];
        checks.into_iter().flatten()
    }
}

fn final_strategy(value: Value<'_>) -> Result<FinalStrategy> {
    if value.raw().is_array() {
        return strategy::read(value).map(FinalStrategy::Exactly);
    }
    let fallback = value
        .choice(&[("original", false), ("fallback", true)])
        .map_err(|fault| fault.help("or a list of items, like the `strategy` of a service"))?;
    Ok(if fallback { FinalStrategy::Fallback } else { FinalStrategy::Original })
}

/// The tables `[[expect.service]]` from which `expectations` are read.
pub(super) fn write(expectations: &[Expectation]) -> impl Iterator<Item = Entries> {
    expectations.chunk_by(|one, next| one.service == next.service).map(|of_one| {
        let service = Entries::default().with_some("service", of_one.first().map(|first| first.service.to_string()));
        of_one.iter().fold(service, |entries, expectation| write_check(entries, &expectation.check))
    })
}

fn write_check(entries: Entries, check: &Check) -> Entries {
    match check {
        Check::FailoverWithin(limit) => entries.with("failover_within", time(*limit)),
        Check::RestoredWithin(limit) => entries.with("restored_within", time(*limit)),
        Check::MinAvailability(least) => entries.with("min_availability", least),
        Check::FinalStrategy(FinalStrategy::Original) => entries.with("final_strategy", "original"),
        Check::FinalStrategy(FinalStrategy::Fallback) => entries.with("final_strategy", "fallback"),
        Check::FinalStrategy(FinalStrategy::Exactly(strategy)) => {
            entries.with_toml("final_strategy", strategy::write(strategy))
        }
        Check::Failovers(count) => entries.with("failovers", count),
        Check::MaxDeploymentsForced(most) => entries.with("max_deployments_forced", most),
    }
}
