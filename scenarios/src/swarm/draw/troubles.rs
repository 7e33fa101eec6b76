//! What happens at times of its own: to markets, to services, and on the way of the events.

use std::time::Duration;

use handlers::observation::Controller;
use handlers::service::ServiceId;
use serde_json::json;
use simulator::spec::{
    BLUE_GREEN, BusPolicy, Capacity, Forwarding, FunctionName, FunctionState, Loss, QueueAccess, QueueName, Role,
    SpotShape, TimedEvent, WorldEvent,
};

use super::source::{CENTRAL, Draw};

const QUEUES: [QueueName; 2] = [QueueName::PlacementFailure, QueueName::Interruption];
const FUNCTIONS: [FunctionName; 3] =
    [FunctionName::PlacementFailure, FunctionName::Interruption, FunctionName::Restore];

/// A kind of trouble that happens at times of its own.
#[derive(Debug, Clone, Copy)]
pub struct Trouble {
    /// For people.
    pub name: &'static str,
    /// In how many worlds of 100 it is on.
    pub percent: u32,
    /// How often it happens in a world at most; at least once.
    pub most: u32,
    /// Whether it breaks the cell itself or the way of the events: then most waits are excused.
    pub of_the_cell: bool,
    /// Nothing, where nobody is there to whom it could happen.
    pub(super) draw: fn(&mut Draw) -> Option<WorldEvent>,
}

/// Every trouble there is.
pub const TROUBLES: &[Trouble] = &[
    Trouble { percent: 80, ..trouble("Spot markets", 5, |draw| Some(draw.spot())) },
    trouble("Spot markets with a shape", 2, |draw| {
        Some(WorldEvent::SpotShape { accounts: draw.account(), shape: draw.shape() })
    }),
    trouble("Spot tasks move in silence", 3, |draw| {
        Some(WorldEvent::SpotRebalance { accounts: draw.account(), tasks: draw.from(1, 4) })
    }),
    Trouble {
        percent: 40,
        ..trouble("On-Demand markets", 2, |draw| {
            Some(WorldEvent::OnDemand { accounts: draw.account(), capacity: draw.capacity() })
        })
    },
    trouble("zones without Spot", 2, |draw| {
        let (zone, short) = (draw.from(0, 2) as u8, draw.coin());
        Some(WorldEvent::SpotZone { accounts: draw.account(), zone, short, loss: draw.loss() })
    }),
    trouble("interruptions", 3, |draw| Some(WorldEvent::Interrupt { service: draw.service(), tasks: draw.from(1, 3) })),
    trouble("owners change the strategy", 2, |draw| {
        let strategy = Some(draw.strategy());
        Some(WorldEvent::UpdateService { service: draw.service(), strategy, desired: None })
    }),
    trouble("owners scale", 2, |draw| {
        let desired = Some(draw.from(0, 8));
        Some(WorldEvent::UpdateService { service: draw.service(), strategy: None, desired })
    }),
    trouble("owners deploy", 2, |draw| Some(WorldEvent::Deploy { service: draw.service() })),
    trouble("owners roll back", 4, |draw| Some(WorldEvent::RollBack { service: draw.service() })),
    trouble("alarms go off, if any", 6, |draw| {
        let with_alarms: Vec<ServiceId> =
            draw.services.iter().filter(|service| service.alarms).map(|service| service.id.clone()).collect();
        (!with_alarms.is_empty()).then(|| {
            let n = draw.dice.below(with_alarms.len() as u64) as usize;
            WorldEvent::Alarm { service: with_alarms[n].clone() }
        })
    }),
    trouble("owners delete and create", 3, |draw| {
        let service = draw.service();
        Some(if draw.coin() { WorldEvent::DeleteService { service } } else { WorldEvent::CreateService { service } })
    }),
    trouble("owners change the controller", 2, |draw| {
        let others = ["CODE_DEPLOY", "EXTERNAL", BLUE_GREEN, BLUE_GREEN];
        let other = Controller::Other(draw.one(&others).into());
        let controller = if draw.coin() { Controller::Rolling } else { other };
        Some(WorldEvent::Controller { service: draw.service(), controller })
    }),
    trouble("owners opt out", 2, |draw| Some(WorldEvent::OptOut { service: draw.service(), off: draw.coin() })),
    trouble("applications fail", 2, |draw| {
        Some(WorldEvent::Application { service: draw.service(), fails: draw.coin() })
    }),
    trouble("applications crash", 2, |draw| {
        Some(WorldEvent::CrashLoop { service: draw.service(), crashes: draw.coin() })
    }),
    trouble("tasks are protected", 2, |draw| {
        let time = Duration::from_secs(60 * u64::from(draw.from(1, 60)));
        Some(WorldEvent::Protect { service: draw.service(), tasks: draw.from(1, 4), time })
    }),
    trouble("AZ rebalancing", 2, |draw| Some(WorldEvent::RebalancingFailure { service: draw.service() })),
    trouble("synthetic events", 2, |draw| Some(draw.synthetic())),
    of_the_cell("kill switch", 2, |draw| Some(WorldEvent::Pause { paused: draw.coin() })),
    of_the_cell("roles", 2, |draw| {
        let role = draw.one(&[Role::Missing, Role::ReadOnly, Role::Present, Role::Present]);
        Some(WorldEvent::Role { accounts: draw.account(), role })
    }),
    of_the_cell("forwarding", 2, |draw| {
        let ways = [
            Forwarding::Present,
            Forwarding::Missing,
            Forwarding::Denied,
            Forwarding::Disabled,
            Forwarding::Unreachable,
        ];
        Some(WorldEvent::Forwarding { forwarding: draw.one(&ways), accounts: draw.account() })
    }),
    of_the_cell("bus policy", 2, |draw| {
        Some(WorldEvent::BusPolicy(match draw.from(0, 2) {
            0 => BusPolicy::Onboarded,
            1 => BusPolicy::Organization,
            _ => BusPolicy::Accounts(draw.account()),
        }))
    }),
    of_the_cell("organization", 2, |draw| {
        Some(WorldEvent::Membership { member: draw.coin(), accounts: draw.account() })
    }),
    of_the_cell("queues", 2, |draw| {
        let ways = [QueueAccess::Reachable, QueueAccess::Unreachable, QueueAccess::Denied];
        Some(WorldEvent::QueueAccess { queue: draw.one(&QUEUES), access: draw.one(&ways) })
    }),
    of_the_cell("functions", 3, |draw| {
        let ways =
            [FunctionState::Running, FunctionState::Reserved(0), FunctionState::FailsToStart, FunctionState::Detached];
        Some(WorldEvent::Function { function: draw.one(&FUNCTIONS), state: draw.one(&ways) })
    }),
    of_the_cell("redrives", 2, |draw| Some(WorldEvent::Redrive { queue: draw.one(&QUEUES) })),
];

const fn trouble(name: &'static str, most: u32, draw: fn(&mut Draw) -> Option<WorldEvent>) -> Trouble {
    Trouble { name, percent: 50, most, of_the_cell: false, draw }
}

const fn of_the_cell(name: &'static str, most: u32, draw: fn(&mut Draw) -> Option<WorldEvent>) -> Trouble {
    Trouble { of_the_cell: true, ..trouble(name, most, draw) }
}

impl Draw {
    fn capacity(&mut self) -> Capacity {
        match self.from(0, 4) {
            0 | 1 => Capacity::Tasks(0),
            2 => Capacity::Tasks(self.from(1, 5)),
            _ => Capacity::Unlimited,
        }
    }

    fn spot(&mut self) -> WorldEvent {
        WorldEvent::Spot { loss: self.loss(), accounts: self.account(), capacity: self.capacity() }
    }

    fn loss(&mut self) -> Loss {
        self.one(&[Loss::Interrupt, Loss::Silent, Loss::Keep])
    }

    /// As fast as two hours allow.
    fn shape(&mut self) -> SpotShape {
        let mut minutes = |least, most| Duration::from_secs(60 * u64::from(self.from(least, most)));
        let (up, down) = (minutes(2, 20), minutes(1, 15));
        let (every, shortest, longest) = (minutes(5, 30), minutes(1, 5), minutes(10, 120));
        match self.from(0, 2) {
            0 => SpotShape::Flapping { up, down },
            1 => SpotShape::SlowReturn { per_minute: self.from(1, 3), until: self.from(2, 24) },
            _ => SpotShape::Random { every, shortest, longest },
        }
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

    /// What was taken often comes back, and its shape ends.
    pub(super) fn return_of(&mut self, event: &WorldEvent, at: Duration) -> Option<TimedEvent> {
        let accounts = match event {
            WorldEvent::Spot { accounts, capacity: Capacity::Tasks(_), .. }
            | WorldEvent::SpotShape { accounts, .. } => accounts.clone(),
            _ => return None,
        };
        let at = at + Duration::from_secs(u64::from(self.from(300, 3600)));
        let back = WorldEvent::Spot { accounts, capacity: Capacity::Unlimited, loss: Loss::Keep };
        self.dice.chance(60).then_some(TimedEvent { at, event: back })
    }
}
