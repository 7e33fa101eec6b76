//! Small random worlds: a few accounts and services, and what happens to their Spot capacity.
#![allow(dead_code, reason = "every test file uses its own part of it")]

use std::time::Duration;

use handlers::policy::Policy;
use handlers::service::{AccountId, ServiceId};
use handlers::strategy::{CapacityProvider, Strategy, StrategyItem};
use proptest::test_runner::{Config as ProptestConfig, RngSeed};
use simulator::spec::{Capacity, Loss, ServiceSpec, TimedEvent, WorldEvent, WorldSpec};

/// A few worlds on every run, always the same ones, so that a change is judged by what it changes; `PROPTEST_CASES=1000` for a
/// long look at new ones.
pub(crate) fn config(cases: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let rng_seed = if asked.is_some() { RngSeed::Random } else { RngSeed::Fixed(2026) };
    ProptestConfig {
        cases: asked.unwrap_or(cases),
        rng_seed,
        max_shrink_iters: 500,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Accounts that exist.
pub(crate) const ACCOUNTS: [&str; 3] = ["111111111111", "222222222222", "333333333333"];

pub(crate) fn account(n: usize) -> AccountId {
    ACCOUNTS[n].parse().expect("an account")
}

pub(crate) fn mins(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

/// One service: its account, and what its owner chose.
#[derive(Debug, Clone)]
pub(crate) struct Owned {
    pub(crate) account: usize,
    pub(crate) desired: u32,
    pub(crate) strategy: Strategy,
    /// Lower and upper bound of deployments, in percent; such that a deployment can proceed.
    pub(crate) bounds: (u32, u32),
}

/// One thing that happens to Spot.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// Capacity of an account falls to `left` at `from` and is unlimited again at `until`.
    Outage { account: usize, from: Duration, until: Duration, left: u32, loss: Loss },
    /// Tasks of a service get the two-minute warning.
    Interruption { service: usize, at: Duration, tasks: u32 },
}

pub(crate) fn strategy(fargate: (u32, u32), spot: (u32, u32)) -> Strategy {
    let item = |capacity_provider, (base, weight)| StrategyItem { capacity_provider, base, weight };
    let items = vec![item(CapacityProvider::Fargate, fargate), item(CapacityProvider::FargateSpot, spot)];
    Strategy::new(items).expect("valid by construction")
}

/// The world of some services and what happens to them.
pub(crate) fn world(seed: u64, restore_schedule: Duration, services: &[Owned], troubles: &[Trouble]) -> WorldSpec {
    let services: Vec<ServiceSpec> = services
        .iter()
        .enumerate()
        .map(|(n, owned)| {
            let id = ServiceId {
                account: account(owned.account),
                region: "eu-west-1".parse().expect("a region"),
                cluster: "web".parse().expect("a cluster"),
                service: format!("service-{n}").parse().expect("a service"),
            };
            ServiceSpec {
                minimum_healthy_percent: owned.bounds.0,
                maximum_percent: owned.bounds.1,
                ..ServiceSpec::new(id, owned.desired, owned.strategy.clone())
            }
        })
        .collect();
    let mut events = Vec::new();
    for trouble in troubles {
        match trouble {
            Trouble::Outage { account: n, from, until, left, loss } => {
                let spot = |capacity, loss| WorldEvent::Spot { accounts: vec![account(*n)], capacity, loss };
                events.push(TimedEvent { at: *from, event: spot(Capacity::Tasks(*left), *loss) });
                events.push(TimedEvent { at: *until, event: spot(Capacity::Unlimited, Loss::Keep) });
            }
            Trouble::Interruption { service, at, tasks } => {
                if let Some(service) = services.get(*service) {
                    let event = WorldEvent::Interrupt { service: service.id.clone(), tasks: *tasks };
                    events.push(TimedEvent { at: *at, event });
                }
            }
        }
    }
    WorldSpec {
        seed,
        region: "eu-west-1".parse().expect("a region"),
        central: "999999999999".parse().expect("an account"),
        accounts: (0..ACCOUNTS.len()).map(account).collect(),
        synthetic_from: Vec::new(),
        restore_schedule,
        policy: Policy::default(),
        services,
        events,
    }
}
