//! Capacity provider strategies as a scenario writes them: `[{ provider = "FARGATE_SPOT", weight = 1 }]`.

use handlers::strategy::{CapacityProvider, MAX_BASE, MAX_WEIGHT, Strategy, StrategyError, StrategyItem};

use super::cursor::{Result, Value};
use super::keys;
use super::output::{Entries, list};

/// Reads a strategy; ECS's own rules are the handlers' [`Strategy::new`], this adds the place.
pub(super) fn read(value: Value<'_>) -> Result<Strategy> {
    let mut items = Vec::new();
    let mut bases = Vec::new();
    for item in value.list()? {
        let table = item.table(&keys::STRATEGY_ITEM)?;
        let base = match table.get("base") {
            Some(base) => {
                let tasks = base.integer(0..=MAX_BASE)?;
                bases.extend((tasks > 0).then_some(base));
                tasks
            }
            None => 0,
        };
        items.push(StrategyItem {
            capacity_provider: provider(table.need("provider")?)?,
            weight: table.get("weight").map_or(Ok(0), |weight| weight.integer(0..=MAX_WEIGHT))?,
            base,
        });
    }
    Strategy::new(items).map_err(|error| match (&error, bases.as_slice()) {
        (StrategyError::TwoBases(..), [first, second, ..]) => second
            .fault("is the second base of this strategy", "only one provider may have a base")
            .also(first.span(), "the first one"),
        _ => value.fault(format_args!("is not a strategy: {error}"), "ECS would refuse this"),
    })
}

/// A capacity provider that the simulator knows.
pub(super) fn provider(value: Value<'_>) -> Result<CapacityProvider> {
    match CapacityProvider::from(value.text()?.to_owned()) {
        // ECS has others; the simulator does not model them.
        CapacityProvider::Other(_) => {
            Err(value.fault("is a provider the simulator does not know", "allowed: \"FARGATE\", \"FARGATE_SPOT\""))
        }
        known => Ok(known),
    }
}

/// The strategy as TOML.
pub(super) fn write(strategy: &Strategy) -> String {
    list(strategy.items().iter().map(|item| {
        let entries = Entries::default().with("provider", item.capacity_provider.to_string());
        entries.with("base", item.base).with("weight", item.weight)
    }))
}
