//! Draws a random world from its seed alone. Each kind of trouble is off in about half of the worlds: trouble that is
//! everywhere hides what only its absence shows, and rare pairs meet more often (swarm testing).

use std::collections::BTreeSet;
use std::time::Duration;

use handlers::observation::Controller;
use handlers::policy::{InterruptionPolicy, Policy};
use handlers::service::{AccountId, ServiceId};
use handlers::strategy::{CapacityProvider, Strategy, StrategyItem};
use serde_json::json;
use simulator::dice::{Dice, Span};
use simulator::facts::Facts;
use simulator::spec::{
    BusPolicy, Capacity, Forwarding, FunctionName, FunctionState, Loss, QueueAccess, QueueName, Role, ServiceSpec,
    TimedEvent, WorldEvent, WorldSpec,
};

/// How long things go wrong.
pub const CHAOS: Duration = Duration::from_secs(2 * 3600);
/// Services of a world.
const SERVICES: u32 = 3;
/// The simulator's own streams have low numbers.
const STREAM: u64 = 100;
const ACCOUNTS: [&str; 3] = ["111111111111", "222222222222", "333333333333"];
const CENTRAL: &str = "999999999999";
const QUEUES: [QueueName; 2] = [QueueName::PlacementFailure, QueueName::Interruption];
const FUNCTIONS: [FunctionName; 3] =
    [FunctionName::PlacementFailure, FunctionName::Interruption, FunctionName::Restore];

/// A world and its trouble, before anything is mended.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The world; its events are those of the chaos, in order.
    pub world: WorldSpec,
    /// What goes wrong by chance.
    pub facts: Facts,
    /// When everything is mended.
    pub chaos: Duration,
    /// The kinds of trouble that are on, by name.
    pub on: BTreeSet<&'static str>,
}

/// A kind of trouble that happens by chance, at a rate.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// For people.
    pub name: &'static str,
    /// The highest rate that is drawn; the lowest is 1.
    pub most: u32,
    /// What the rate is counted in.
    pub unit: &'static str,
    /// Sets the rate; 0 is off.
    pub set: fn(&mut Facts, u32),
    /// The rate.
    pub get: fn(&Facts) -> u32,
}

/// A kind of trouble that happens at times of its own.
#[derive(Debug, Clone, Copy)]
pub struct Trouble {
    /// For people.
    pub name: &'static str,
    /// In how many worlds of 100 it is on.
    pub percent: u32,
    /// How often it happens in a world at most; at least once.
    pub most: u32,
    draw: fn(&mut Draw) -> WorldEvent,
}

/// Every fault there is.
pub const FAULTS: &[Fault] = &[
    fault("events come twice", 100, |facts, n| facts.duplicate_percent = n, |facts| facts.duplicate_percent),
    fault("events are lost", 60, |facts, n| facts.lost_percent = n, |facts| facts.lost_percent),
    fault("events come late", 60, |facts, n| facts.late_percent = n, |facts| facts.late_percent),
    fault("handlers die at a call", 3, |facts, n| facts.kill_per_myriad = n * 100, |facts| facts.kill_per_myriad / 100),
    fault("handlers die at any moment", 20, |facts, n| facts.kill_percent = n, |facts| facts.kill_percent),
    fault("cold starts", 100, |facts, n| facts.cold_start_percent = n, |facts| facts.cold_start_percent),
    fault("failed starts", 30, |facts, n| facts.failed_start_percent = n, |facts| facts.failed_start_percent),
    fault("replies are lost", 25, |facts, n| facts.lost_reply_percent = n, |facts| facts.lost_reply_percent),
    fault("reads are stale", 50, |facts, n| facts.stale_read_percent = n, |facts| facts.stale_read_percent),
    fault("the table throttles", 10, |facts, n| facts.table_throttle_percent = n, |facts| facts.table_throttle_percent),
    Fault {
        name: "the due index lags",
        most: 300,
        unit: "s",
        set: |facts, n| facts.index_lag = Span::secs(0, n.into()),
        get: |facts| facts.index_lag.max.as_secs() as u32,
    },
];

const fn fault(name: &'static str, most: u32, set: fn(&mut Facts, u32), get: fn(&Facts) -> u32) -> Fault {
    Fault { name, most, unit: "%", set, get }
}

/// Every trouble there is.
pub const TROUBLES: &[Trouble] = &[
    Trouble { name: "Spot markets", percent: 90, most: 5, draw: Draw::spot },
    Trouble { name: "On-Demand markets", percent: 40, most: 2, draw: Draw::on_demand },
    trouble("interruptions", 3, |draw| WorldEvent::Interrupt { service: draw.service(), tasks: draw.from(1, 3) }),
    trouble("owners change the strategy", 2, Draw::strategy_change),
    trouble("owners scale", 2, |draw| {
        let desired = Some(draw.from(0, 8));
        WorldEvent::UpdateService { service: draw.service(), strategy: None, desired }
    }),
    trouble("owners deploy", 2, |draw| WorldEvent::Deploy { service: draw.service() }),
    trouble("owners delete and create", 3, |draw| match draw.coin() {
        true => WorldEvent::DeleteService { service: draw.service() },
        false => WorldEvent::CreateService { service: draw.service() },
    }),
    trouble("owners opt out", 2, |draw| WorldEvent::OptOut { service: draw.service(), off: draw.coin() }),
    trouble("applications fail", 2, |draw| WorldEvent::Application { service: draw.service(), fails: draw.coin() }),
    trouble("AZ rebalancing", 2, |draw| WorldEvent::RebalancingFailure { service: draw.service() }),
    trouble("synthetic events", 2, Draw::synthetic),
    trouble("roles", 2, |draw| {
        let role = draw.one(&[Role::Missing, Role::ReadOnly, Role::Present, Role::Present]);
        WorldEvent::Role { accounts: draw.account(), role }
    }),
    trouble("forwarding", 2, |draw| {
        let ways = [Forwarding::Present, Forwarding::Missing, Forwarding::Denied, Forwarding::Disabled];
        WorldEvent::Forwarding { forwarding: draw.one(&ways), accounts: draw.account() }
    }),
    trouble("bus policy", 2, |draw| {
        WorldEvent::BusPolicy(match draw.from(0, 2) {
            0 => BusPolicy::Onboarded,
            1 => BusPolicy::Organization,
            _ => BusPolicy::Accounts(draw.account()),
        })
    }),
    trouble("organization", 2, |draw| WorldEvent::Membership { member: draw.coin(), accounts: draw.account() }),
    trouble("queues", 2, |draw| {
        let ways = [QueueAccess::Reachable, QueueAccess::Unreachable, QueueAccess::Denied];
        WorldEvent::QueueAccess { queue: draw.one(&QUEUES), access: draw.one(&ways) }
    }),
    trouble("functions", 3, |draw| {
        let ways =
            [FunctionState::Running, FunctionState::Reserved(0), FunctionState::FailsToStart, FunctionState::Detached];
        WorldEvent::Function { function: draw.one(&FUNCTIONS), state: draw.one(&ways) }
    }),
    trouble("redrives", 2, |draw| WorldEvent::Redrive { queue: draw.one(&QUEUES) }),
];

const fn trouble(name: &'static str, most: u32, draw: fn(&mut Draw) -> WorldEvent) -> Trouble {
    Trouble { name, percent: 50, most, draw }
}

/// The world of a seed.
pub fn plan(seed: u64) -> Plan {
    let mut draw = Draw { dice: Dice::new(seed, STREAM), accounts: Vec::new(), services: Vec::new() };
    let accounts = draw.from(1, ACCOUNTS.len() as u32) as usize;
    draw.accounts = ACCOUNTS[..accounts].iter().map(|account| account.parse().expect("an account")).collect();
    draw.services = (0..SERVICES).map(|n| draw.new_service(n)).collect();
    let central: AccountId = CENTRAL.parse().expect("an account");

    let mut on = BTreeSet::new();
    let mut facts = Facts::default();
    for fault in FAULTS {
        if draw.coin() {
            on.insert(fault.name);
            (fault.set)(&mut facts, draw.from(1, fault.most));
        }
    }
    let mut events = Vec::new();
    for trouble in TROUBLES {
        if draw.dice.chance(trouble.percent) {
            on.insert(trouble.name);
            for _ in 0..draw.from(1, trouble.most) {
                let at = draw.dice.within(Span { min: Duration::from_secs(60), max: CHAOS });
                let event = (trouble.draw)(&mut draw);
                draw.return_of(&event, at, &mut events);
                events.push(TimedEvent { at, event });
            }
        }
    }
    events.sort_by_key(|event| event.at);
    let world = WorldSpec {
        seed,
        region: "eu-west-1".parse().expect("a region"),
        central: central.clone(),
        accounts: draw.accounts.clone(),
        synthetic_from: if on.contains("synthetic events") { vec![central] } else { Vec::new() },
        // Production's more often: it plays faster too.
        restore_schedule: Duration::from_secs(60 * draw.one(&[1, 5, 5])),
        policy: draw.policy(),
        services: draw.services,
        events,
    };
    Plan { world, facts, chaos: CHAOS, on }
}

/// The dice, and what events may be about.
struct Draw {
    dice: Dice,
    accounts: Vec<AccountId>,
    services: Vec<ServiceSpec>,
}

impl Draw {
    /// A whole number, both ends included.
    fn from(&mut self, least: u32, most: u32) -> u32 {
        least + self.dice.below(u64::from(most - least) + 1) as u32
    }

    fn coin(&mut self) -> bool {
        self.dice.below(2) == 1
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.dice.below(of.len() as u64) as usize]
    }

    fn account(&mut self) -> Vec<AccountId> {
        let n = self.dice.below(self.accounts.len() as u64) as usize;
        vec![self.accounts[n].clone()]
    }

    fn service(&mut self) -> ServiceId {
        let n = self.dice.below(self.services.len() as u64) as usize;
        self.services[n].id.clone()
    }

    fn capacity(&mut self) -> Capacity {
        match self.from(0, 4) {
            0 | 1 => Capacity::Tasks(0),
            2 => Capacity::Tasks(self.from(1, 5)),
            _ => Capacity::Unlimited,
        }
    }

    fn new_service(&mut self, n: u32) -> ServiceSpec {
        let id = ServiceId {
            account: self.account().remove(0),
            region: "eu-west-1".parse().expect("a region"),
            cluster: "web".parse().expect("a cluster"),
            service: format!("service-{n}").parse().expect("a service"),
        };
        let (desired, strategy) = (self.from(1, 6), self.strategy());
        let bounds = self.one(&[(100, 200), (100, 200), (100, 200), (50, 200), (0, 100)]);
        let mut service = ServiceSpec {
            minimum_healthy_percent: bounds.0,
            maximum_percent: bounds.1,
            circuit_breaker: self.dice.chance(25),
            ..ServiceSpec::new(id, desired, strategy)
        };
        match self.from(0, 19) {
            0 => {
                // The circuit breaker is for rolling deployments only.
                service.controller = Controller::Other("CODE_DEPLOY".into());
                service.circuit_breaker = false;
            }
            1 => {
                service.associated = vec![CapacityProvider::FargateSpot];
                service.strategy = strategy_of(&[(CapacityProvider::FargateSpot, 0, 1)]);
            }
            _ => {}
        }
        service
    }

    fn strategy(&mut self) -> Strategy {
        let (base, fargate, spot) = (self.from(0, 2), self.from(0, 4), self.from(1, 4));
        let (on_demand, on_spot) = (CapacityProvider::Fargate, CapacityProvider::FargateSpot);
        match self.from(0, 6) {
            0 => strategy_of(&[(on_demand, base, spot), (on_spot, 0, 0)]),
            1..=3 => strategy_of(&[(on_demand, base, fargate), (on_spot, 0, spot)]),
            4 => strategy_of(&[(on_spot, base, spot)]),
            _ => strategy_of(&[(on_spot, base, spot), (on_demand, 0, fargate)]),
        }
    }

    /// Shorter waits and smaller caps than the product's, so that two hours are long enough to meet them.
    fn policy(&mut self) -> Policy {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let interruption_policy = self.one(&[InterruptionPolicy::Immediate, InterruptionPolicy::Shortfall]);
        let mut policy = Policy { interruption_policy, ..Policy::default() };
        if self.coin() {
            policy.restore_after = minutes(self.one(&[3, 5, 10]));
            policy.restore_backoff_factor = self.from(1, 2);
        }
        if self.coin() {
            policy.probation = minutes(self.one(&[1, 3]));
        }
        // Whoever has used up his restores needs a day of calm, so there are few of them.
        if self.dice.chance(25) {
            policy.restores_per_day = self.from(1, 4);
        }
        policy
    }

    fn spot(&mut self) -> WorldEvent {
        let loss = self.one(&[Loss::Interrupt, Loss::Silent, Loss::Keep]);
        WorldEvent::Spot { accounts: self.account(), capacity: self.capacity(), loss }
    }

    fn on_demand(&mut self) -> WorldEvent {
        WorldEvent::OnDemand { accounts: self.account(), capacity: self.capacity() }
    }

    fn strategy_change(&mut self) -> WorldEvent {
        let strategy = Some(self.strategy());
        WorldEvent::UpdateService { service: self.service(), strategy, desired: None }
    }

    fn synthetic(&mut self) -> WorldEvent {
        let service = self.service();
        let spot = format!("arn:aws:ecs:{}:{}:capacity-provider/FARGATE_SPOT", service.region, service.account);
        WorldEvent::PutEvents {
            from: CENTRAL.parse().expect("an account"),
            source: "test.aws.ecs".into(),
            detail_type: "ECS Service Action".into(),
            resources: vec![service.arn()],
            detail: json!({
                "eventName": "SERVICE_TASK_PLACEMENT_FAILURE",
                "reason": "RESOURCE:FARGATE",
                "capacityProviderArns": [spot],
            }),
        }
    }

    /// What was taken often comes back.
    fn return_of(&mut self, event: &WorldEvent, at: Duration, events: &mut Vec<TimedEvent>) {
        let back = at + self.dice.within(Span::secs(300, 3600));
        let accounts = match event {
            WorldEvent::Spot { accounts, capacity: Capacity::Tasks(_), .. } => accounts.clone(),
            _ => return,
        };
        if back < CHAOS && self.dice.chance(60) {
            let event = WorldEvent::Spot { accounts, capacity: Capacity::Unlimited, loss: Loss::Keep };
            events.push(TimedEvent { at: back, event });
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
