//! A random world and what was done to it, as a scenario file: so that a failure can be replayed and looked at.

use std::path::PathBuf;
use std::time::Duration;

use handlers::policy::Policy;
use handlers::service::ServiceId;
use handlers::strategy::{CapacityProvider, Strategy, StrategyItem};
use scenarios::file::{self, Check, Expectation, FinalStrategy, Scenario};
use simulator::facts::Facts;
use simulator::spec::{ServiceSpec, TimedEvent, WorldEvent, WorldSpec};

const ACCOUNTS: [&str; 2] = ["111111111111", "222222222222"];

/// One service: its account, and what its owner chose.
#[derive(Debug, Clone)]
pub(crate) struct Owned {
    pub(crate) account: usize,
    pub(crate) desired: u32,
    pub(crate) strategy: Strategy,
    pub(crate) bounds: (u32, u32),
    pub(crate) circuit_breaker: bool,
}

/// `FARGATE` and `FARGATE_SPOT` with base and weight.
pub(crate) fn strategy(fargate: (u32, u32), spot: (u32, u32)) -> Strategy {
    let item = |capacity_provider, (base, weight)| StrategyItem { capacity_provider, base, weight };
    let items = vec![item(CapacityProvider::Fargate, fargate), item(CapacityProvider::FargateSpot, spot)];
    Strategy::new(items).expect("valid by construction")
}

pub(crate) fn world(seed: u64, minutes: u64, services: &[Owned], tune: impl FnOnce(&mut Policy)) -> WorldSpec {
    let service = |(n, owned): (usize, &Owned)| {
        let id = ServiceId {
            account: ACCOUNTS[owned.account].parse().expect("an account"),
            region: "eu-west-1".parse().expect("a region"),
            cluster: "web".parse().expect("a cluster"),
            service: format!("service-{n}").parse().expect("a service"),
        };
        ServiceSpec {
            minimum_healthy_percent: owned.bounds.0,
            maximum_percent: owned.bounds.1,
            circuit_breaker: owned.circuit_breaker,
            ..ServiceSpec::new(id, owned.desired, owned.strategy.clone())
        }
    };
    let mut policy = Policy::default();
    tune(&mut policy);
    WorldSpec {
        seed,
        region: "eu-west-1".parse().expect("a region"),
        central: "999999999999".parse().expect("an account"),
        accounts: ACCOUNTS.map(|account| account.parse().expect("an account")).to_vec(),
        synthetic_from: Vec::new(),
        restore_schedule: Duration::from_secs(minutes * 60),
        policy,
        services: services.iter().enumerate().map(service).collect(),
        events: Vec::new(),
    }
}

/// A world and everything that was done to it.
pub(crate) struct Schedule {
    pub(crate) world: WorldSpec,
    facts: Facts,
}

impl Schedule {
    pub(crate) fn new(world: WorldSpec, facts: Facts) -> Self {
        Self { world, facts }
    }

    pub(crate) fn note(&mut self, at: Duration, event: WorldEvent) {
        self.world.events.push(TimedEvent { at, event });
    }

    /// Fails with the schedule as a scenario file.
    pub(crate) fn fail(&self, why: &str) -> ! {
        panic!("{why}\nreplay: cargo xtask scenario {}", self.write().display());
    }

    /// Writes the scenario file; returns where.
    fn write(&self) -> PathBuf {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("failed-{}.toml", self.world.seed));
        std::fs::write(&path, file::write(&self.scenario())).expect("the target directory is writable");
        path
    }

    fn scenario(&self) -> Scenario {
        let world = self.world.clone();
        let duration = world.events.iter().map(|e| e.at).max().unwrap_or_default() + super::CALM;
        let expectation = |service: &ServiceSpec| Expectation {
            service: service.id.clone(),
            check: Check::FinalStrategy(FinalStrategy::Original),
        };
        Scenario {
            title: "A random world in trouble".into(),
            about: String::new(),
            duration,
            expectations: world.services.iter().map(expectation).collect(),
            world,
            facts: self.facts.clone(),
        }
    }
}
