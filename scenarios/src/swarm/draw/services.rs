//! Services, and what some owners do with theirs. Each such trait is on in a part of the worlds, and there in about half of
//! the services.

use std::time::Duration;

use handlers::observation::Controller;
use handlers::service::ServiceId;
use handlers::strategy::{CapacityProvider, Strategy, StrategyItem};
use simulator::fargate_alone;
use simulator::spec::{Autoscaling, BLUE_GREEN, ServiceSpec, Terraform};

use super::source::Draw;

/// Something that a service is or has.
#[derive(Debug, Clone, Copy)]
pub struct Trait {
    /// For people.
    pub name: &'static str,
    /// In how many worlds of 100 it is on.
    pub percent: u32,
    give: fn(&mut Draw, &mut ServiceSpec),
    /// Takes it away again.
    pub plain: fn(&mut ServiceSpec),
}

impl Trait {
    /// Whether the service has it.
    pub fn is_of(&self, service: &ServiceSpec) -> bool {
        let mut without = service.clone();
        (self.plain)(&mut without);
        format!("{without:?}") != format!("{service:?}")
    }
}

/// Minimum healthy and maximum percent. The last one lets a deployment move nothing while every task runs.
const BOUNDS: [(u32, u32); 9] =
    [(0, 100), (0, 100), (50, 100), (50, 100), (50, 200), (50, 200), (100, 125), (100, 150), (100, 100)];

/// Most tasks of an ordinary service: small numbers show as much and play faster.
const FEW: u32 = 6;
/// Most tasks of a large one.
const MANY: u32 = 500;

/// Every trait there is. Later ones overrule earlier ones.
pub const TRAITS: &[Trait] = &[
    Trait {
        name: "many tasks",
        percent: 3,
        give: |draw, service| {
            // Hundreds seldom: such a world takes as long as a hundred others.
            let most = draw.one(&[20, 20, 20, 20, 20, 60, 60, 60, 60, 60, 150, MANY]);
            service.desired = draw.from(FEW + 1, most);
        },
        plain: |service| {
            service.desired = service.desired.min(FEW);
            if let Some(bounds) = &mut service.autoscaling {
                (bounds.min, bounds.max) = (bounds.min.min(FEW), bounds.max.min(2 * FEW));
            }
        },
    },
    Trait {
        name: "no tasks",
        percent: 8,
        give: |_, service| service.desired = 0,
        plain: |service| service.desired = service.desired.max(1),
    },
    Trait {
        name: "load balancers that drain",
        percent: 40,
        give: |draw, service| {
            service.deregistration_delay = Duration::from_secs(draw.one(&[10, 60, 300, 300, 600, 900]));
        },
        plain: |service| service.deregistration_delay = Duration::ZERO,
    },
    Trait {
        name: "one or two zones",
        percent: 30,
        give: |draw, service| {
            service.zones = draw.one(&[1, 1, 2]);
            service.zone_rebalancing = draw.coin();
        },
        plain: |service| (service.zones, service.zone_rebalancing) = (3, true),
    },
    Trait {
        name: "bounds other than 100 and 200 percent",
        percent: 60,
        give: |draw, service| {
            (service.minimum_healthy_percent, service.maximum_percent) = draw.one(&BOUNDS);
        },
        plain: |service| (service.minimum_healthy_percent, service.maximum_percent) = (100, 200),
    },
    Trait {
        name: "circuit breakers",
        percent: 50,
        give: |_, service| service.circuit_breaker = true,
        plain: |service| service.circuit_breaker = false,
    },
    Trait {
        name: "deployment alarms",
        percent: 50,
        give: |_, service| service.alarms = true,
        plain: |service| service.alarms = false,
    },
    Trait {
        name: "auto scalers",
        percent: 50,
        give: |draw, service| {
            // Its bounds hold the count; and it moves one task at a time, so of a service of hundreds only a few.
            service.desired = service.desired.max(1);
            let least = service.desired.saturating_sub(FEW).max(1);
            let (min, max) = (draw.from(least, service.desired), service.desired + draw.from(0, 4));
            service.autoscaling = Some(Autoscaling { min, max });
        },
        plain: |service| service.autoscaling = None,
    },
    Trait {
        name: "Terraform on a schedule",
        percent: 50,
        give: |draw, service| {
            let every = Duration::from_secs(60 * u64::from(draw.from(10, 60)));
            service.terraform = Some(Terraform { every, force: draw.coin() });
        },
        plain: |service| service.terraform = None,
    },
    Trait {
        name: "large tasks",
        percent: 25,
        give: |draw, service| service.cpu = draw.one(&[512, 1024, 2048]),
        plain: |service| service.cpu = 256,
    },
    Trait {
        name: "other controllers",
        percent: 25,
        give: |draw, service| {
            service.controller = Controller::Other(draw.one(&["CODE_DEPLOY", "EXTERNAL", BLUE_GREEN]).into());
            // Both are for rolling deployments here.
            (service.circuit_breaker, service.alarms) = (false, false);
        },
        plain: |service| service.controller = Controller::Rolling,
    },
    Trait {
        name: "FARGATE not associated",
        percent: 25,
        give: |_, service| {
            service.associated = vec![CapacityProvider::FargateSpot];
            service.strategy = strategy_of(&[(CapacityProvider::FargateSpot, 0, 1)]);
        },
        plain: |service| service.associated = vec![CapacityProvider::Fargate, CapacityProvider::FargateSpot],
    },
    Trait {
        name: "launch types",
        percent: 25,
        give: |_, service| {
            service.launch_type = true;
            service.strategy = fargate_alone();
        },
        plain: |service| service.launch_type = false,
    },
];

impl Draw {
    /// A service with half of the traits that are on.
    pub(super) fn new_service(&mut self, n: u32, on: &[&Trait]) -> ServiceSpec {
        let id = ServiceId {
            account: self.account().remove(0),
            region: "eu-west-1".parse().expect("a region"),
            cluster: "web".parse().expect("a cluster"),
            service: format!("service-{n}").parse().expect("a service"),
        };
        let (desired, strategy) = (self.from(1, FEW), self.strategy());
        let mut service = ServiceSpec::new(id, desired, strategy);
        for one in on {
            if self.coin() {
                (one.give)(self, &mut service);
            }
        }
        service
    }

    pub(super) fn strategy(&mut self) -> Strategy {
        let (base, fargate, spot) = (self.from(0, 2), self.from(0, 4), self.from(1, 4));
        let (on_demand, on_spot) = (CapacityProvider::Fargate, CapacityProvider::FargateSpot);
        match self.from(0, 6) {
            0 => strategy_of(&[(on_demand, base, spot), (on_spot, 0, 0)]),
            1..=3 => strategy_of(&[(on_demand, base, fargate), (on_spot, 0, spot)]),
            4 => strategy_of(&[(on_spot, base, spot)]),
            _ => strategy_of(&[(on_spot, base, spot), (on_demand, 0, fargate)]),
        }
    }
}

fn strategy_of(items: &[(CapacityProvider, u32, u32)]) -> Strategy {
    let item = |(provider, base, weight): &(CapacityProvider, u32, u32)| StrategyItem {
        capacity_provider: provider.clone(),
        base: *base,
        weight: *weight,
    };
    Strategy::new(items.iter().map(item).collect()).expect("valid by construction")
}
