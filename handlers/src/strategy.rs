//! Capacity provider strategies: what a service runs on, and what we put in its place.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Most items a strategy may have (aws-facts.md §1.4).
pub const MAX_ITEMS: usize = 20;
/// Largest weight of an item (aws-facts.md §1.4).
pub const MAX_WEIGHT: u32 = 1000;
/// Largest base of an item, in tasks (aws-facts.md §1.4).
pub const MAX_BASE: u32 = 100_000;
/// Weight of `FARGATE` in the fallback, a contract of the original design.
pub const FALLBACK_WEIGHT: u32 = 10;

/// A capacity provider by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum CapacityProvider {
    /// `FARGATE`, On-Demand.
    Fargate,
    /// `FARGATE_SPOT`.
    FargateSpot,
    /// An Auto Scaling group or managed-instance provider.
    Other(Box<str>),
}

impl CapacityProvider {
    /// The name as AWS writes it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Fargate => "FARGATE",
            Self::FargateSpot => "FARGATE_SPOT",
            Self::Other(name) => name,
        }
    }
}

impl From<String> for CapacityProvider {
    fn from(name: String) -> Self {
        match name.as_str() {
            "FARGATE" => Self::Fargate,
            "FARGATE_SPOT" => Self::FargateSpot,
            _ => Self::Other(name.into()),
        }
    }
}

impl From<CapacityProvider> for String {
    fn from(provider: CapacityProvider) -> String {
        provider.as_str().into()
    }
}

impl fmt::Display for CapacityProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One item of a strategy, in the spelling of ECS and of the record's `config`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StrategyItem {
    /// Whose capacity.
    pub capacity_provider: CapacityProvider,
    /// Share among the tasks above the base, 0 to 1000; absent means 0.
    #[serde(default)]
    pub weight: u32,
    /// Tasks placed here before any weight counts; absent means 0.
    #[serde(default)]
    pub base: u32,
}

/// A valid strategy, its items in the order the owner wrote them.
///
/// Two strategies are equal when they say the same whatever the order of their items; [`Strategy::items`] keeps the
/// owner's order so that a restore hands back exactly what was saved.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Vec<StrategyItem>", into = "Vec<StrategyItem>")]
pub struct Strategy(Arc<[StrategyItem]>);

/// Why ECS would refuse a strategy (aws-facts.md §1.4).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StrategyError {
    /// No items at all. To ECS an empty list means something else (aws-facts.md §1.3), never a strategy.
    #[error("a strategy needs at least one capacity provider")]
    Empty,
    /// More than [`MAX_ITEMS`].
    #[error("{0} capacity providers; at most {MAX_ITEMS} are allowed")]
    TooMany(usize),
    /// Weight above [`MAX_WEIGHT`].
    #[error("weight {weight} of {provider} is not within 0 to {MAX_WEIGHT}")]
    Weight {
        /// The item's provider.
        provider: CapacityProvider,
        /// What was asked.
        weight: u32,
    },
    /// Base above [`MAX_BASE`].
    #[error("base {base} of {provider} is not within 0 to {MAX_BASE}")]
    Base {
        /// The item's provider.
        provider: CapacityProvider,
        /// What was asked.
        base: u32,
    },
    /// Two items with a base.
    #[error("more than one capacity provider has a base ({0} and {1}); only one may")]
    TwoBases(CapacityProvider, CapacityProvider),
    /// Nothing could ever be placed.
    #[error("no capacity provider has a weight above 0")]
    NoWeight,
    /// Fargate and Auto Scaling group providers together.
    #[error("{0} and {1} cannot be in one strategy: Fargate and Auto Scaling group providers do not mix")]
    Mixed(CapacityProvider, CapacityProvider),
    /// A provider without a name.
    #[error("a capacity provider needs a name")]
    Unnamed,
}

impl Strategy {
    /// Checks `items` against the rules of ECS and keeps them as they are.
    pub fn new(items: Vec<StrategyItem>) -> Result<Self, StrategyError> {
        if items.is_empty() {
            return Err(StrategyError::Empty);
        }
        if items.len() > MAX_ITEMS {
            return Err(StrategyError::TooMany(items.len()));
        }
        for StrategyItem { capacity_provider: provider, weight, base } in &items {
            if provider.as_str().is_empty() {
                return Err(StrategyError::Unnamed);
            }
            if *weight > MAX_WEIGHT {
                return Err(StrategyError::Weight { provider: provider.clone(), weight: *weight });
            }
            if *base > MAX_BASE {
                return Err(StrategyError::Base { provider: provider.clone(), base: *base });
            }
        }
        let mut based = items.iter().filter(|i| i.base > 0).map(|i| &i.capacity_provider);
        if let (Some(first), Some(second)) = (based.next(), based.next()) {
            return Err(StrategyError::TwoBases(first.clone(), second.clone()));
        }
        if items.iter().all(|i| i.weight == 0) {
            return Err(StrategyError::NoWeight);
        }
        let other = items.iter().find(|i| matches!(i.capacity_provider, CapacityProvider::Other(_)));
        let fargate = items.iter().find(|i| !matches!(i.capacity_provider, CapacityProvider::Other(_)));
        if let (Some(fargate), Some(other)) = (fargate, other) {
            return Err(StrategyError::Mixed(fargate.capacity_provider.clone(), other.capacity_provider.clone()));
        }
        Ok(Self(items.into()))
    }

    /// The items, in the owner's order.
    pub fn items(&self) -> &[StrategyItem] {
        &self.0
    }

    /// Whether tasks can land on `FARGATE_SPOT`: an item of weight 0 places none (aws-facts.md §1.4).
    pub fn uses_spot(&self) -> bool {
        self.0.iter().any(|i| i.capacity_provider == CapacityProvider::FargateSpot && i.weight > 0)
    }

    /// Whether any item is neither `FARGATE` nor `FARGATE_SPOT`.
    pub fn other_provider(&self) -> Option<&CapacityProvider> {
        self.0.iter().map(|i| &i.capacity_provider).find(|p| matches!(p, CapacityProvider::Other(_)))
    }

    /// The On-Demand strategy that stands in for this one: `FARGATE_SPOT` weight 0, `FARGATE` weight 10 with the base
    /// it had.
    pub fn fallback(&self) -> Strategy {
        let base = self.0.iter().filter(|i| i.capacity_provider == CapacityProvider::Fargate).map(|i| i.base).sum();
        Strategy(Arc::new([
            StrategyItem { capacity_provider: CapacityProvider::FargateSpot, weight: 0, base: 0 },
            StrategyItem { capacity_provider: CapacityProvider::Fargate, weight: FALLBACK_WEIGHT, base },
        ]))
    }

    /// The On-Demand strategy with one task on Spot: tries the market at the risk of that one. `FARGATE` outweighs Spot so
    /// far that no rounding (aws-facts.md §12d) puts a second task of an ordinary service there.
    pub fn probe(&self) -> Strategy {
        Strategy(Arc::new([
            StrategyItem { capacity_provider: CapacityProvider::FargateSpot, weight: 1, base: 1 },
            StrategyItem { capacity_provider: CapacityProvider::Fargate, weight: MAX_WEIGHT, base: 0 },
        ]))
    }

    /// Whether this is what we put in the place of `original`: its fallback or its probe. An owner may have chosen the very
    /// same; then it stands for nothing but itself.
    pub fn stands_in_for(&self, original: &Strategy) -> bool {
        self != original && (*self == original.fallback() || *self == original.probe())
    }

    fn normalised(&self) -> Vec<&StrategyItem> {
        let mut items: Vec<&StrategyItem> = self.0.iter().collect();
        items.sort();
        items
    }
}

impl PartialEq for Strategy {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.normalised() == other.normalised()
    }
}

impl Eq for Strategy {}

impl TryFrom<Vec<StrategyItem>> for Strategy {
    type Error = StrategyError;
    fn try_from(items: Vec<StrategyItem>) -> Result<Self, StrategyError> {
        Self::new(items)
    }
}

impl From<Strategy> for Vec<StrategyItem> {
    fn from(strategy: Strategy) -> Self {
        strategy.0.to_vec()
    }
}

/// `FARGATE base 1 weight 1, FARGATE_SPOT weight 3`: a base of 0 is left out.
impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, item) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{}", item.capacity_provider)?;
            if item.base > 0 {
                write!(f, " base {}", item.base)?;
            }
            write!(f, " weight {}", item.weight)?;
        }
        Ok(())
    }
}
