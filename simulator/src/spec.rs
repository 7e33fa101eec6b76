//! What a world is made of and what will happen to it: plain data, written by scenario files and by property tests.

use std::fmt;
use std::time::Duration;

use handlers::observation::Controller;
use handlers::policy::Policy;
use handlers::service::{AccountId, Region, ServiceId};
use handlers::strategy::{CapacityProvider, Strategy};
use serde_json::Value;

mod event_path;

pub use event_path::{BusPolicy, Forwarding, FunctionName, FunctionState, QueueAccess, QueueName};

/// A world before its first moment.
#[derive(Debug, Clone)]
pub struct WorldSpec {
    /// Decides every draw: latencies, start times, jitters.
    pub seed: u64,
    /// Region of the cell and of everything in it.
    pub region: Region,
    /// The account that runs the recovery.
    pub central: AccountId,
    /// Accounts whose ECS events reach the central bus.
    pub accounts: Vec<AccountId>,
    /// Accounts whose `test.aws.ecs` events the cell accepts; empty switches synthetic events off.
    pub synthetic_from: Vec<AccountId>,
    /// How often the restore handler runs: 1 minute in development, 5 in production.
    pub restore_schedule: Duration,
    /// The tunables of the recovery.
    pub policy: Policy,
    /// The services, all at their desired count when the world starts.
    pub services: Vec<ServiceSpec>,
    /// What happens, in any order; equal times happen in the order given.
    pub events: Vec<TimedEvent>,
}

/// One ECS service.
#[derive(Debug, Clone)]
pub struct ServiceSpec {
    /// Account, region, cluster, name.
    pub id: ServiceId,
    /// Tasks the owner wants.
    pub desired: u32,
    /// The owner's strategy.
    pub strategy: Strategy,
    /// Lower bound of running tasks during a deployment, in percent of desired (aws-facts.md §3); ECS's default is 100.
    pub minimum_healthy_percent: u32,
    /// Upper bound of tasks during a deployment, in percent of desired; ECS's default is 200.
    pub maximum_percent: u32,
    /// Whether the deployment circuit breaker is on, with rollback.
    pub circuit_breaker: bool,
    /// Whether deployment alarms are on, with rollback (aws-facts.md §1.6).
    pub alarms: bool,
    /// Size of a task in CPU units, 1024 to a vCPU; counts against the account's vCPU quota (aws-facts.md §4).
    pub cpu: u32,
    /// Providers associated with the cluster.
    pub associated: Vec<CapacityProvider>,
    /// Who runs deployments.
    pub controller: Controller,
    /// Whether it was created with the launch type `FARGATE` instead of `strategy`, which then says just that.
    pub launch_type: bool,
    /// The auto scaler that sets the desired count, if there is one.
    pub autoscaling: Option<Autoscaling>,
    /// The schedule on which the owner applies Terraform, if there is one.
    pub terraform: Option<Terraform>,
    /// Time between SIGTERM and SIGKILL, 120 s at most on Fargate (aws-facts.md §3).
    pub stop_timeout: Duration,
}

impl ServiceSpec {
    /// A service with everything but its name, size and strategy as ECS has it by default.
    pub fn new(id: ServiceId, desired: u32, strategy: Strategy) -> Self {
        Self {
            id,
            desired,
            strategy,
            minimum_healthy_percent: 100,
            maximum_percent: 200,
            circuit_breaker: false,
            alarms: false,
            cpu: 256,
            associated: vec![CapacityProvider::Fargate, CapacityProvider::FargateSpot],
            controller: Controller::Rolling,
            launch_type: false,
            autoscaling: None,
            terraform: None,
            stop_timeout: Duration::from_secs(30),
        }
    }
}

/// How [`Controller::Other`] names ECS's own blue/green deployments (aws-facts.md §1.5).
pub const BLUE_GREEN: &str = "ECS with BLUE_GREEN";

/// Application Auto Scaling on a service whose load follows the day: `desiredCount` moves between the bounds, one task at a time
/// (aws-facts.md §1.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Autoscaling {
    /// Fewest tasks, at the bottom of the day.
    pub min: u32,
    /// Most tasks, at its top, 6 hours after the start of the world.
    pub max: u32,
}

/// An owner whose pipeline applies Terraform again and again: it wants the declared strategy back wherever it finds another one
/// (aws-facts.md §1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terraform {
    /// Time between two runs; the first is this long after the start of the world.
    pub every: Duration,
    /// Whether it sends `forceNewDeployment`, without which AWS refuses the change.
    pub force: bool,
}

/// Something that happens at a time counted from the start of the world.
#[derive(Debug, Clone)]
pub struct TimedEvent {
    /// When.
    pub at: Duration,
    /// What.
    pub event: WorldEvent,
}

/// What can happen to a world from outside.
#[derive(Debug, Clone)]
pub enum WorldEvent {
    /// The Spot market of some accounts changes.
    Spot {
        /// Whose market.
        accounts: Vec<AccountId>,
        /// Tasks that can run on Spot at once, per account.
        capacity: Capacity,
        /// What becomes of running tasks above the new capacity, and whether the shortage is announced.
        loss: Loss,
    },
    /// The Spot market of some accounts takes a shape over time, until the next change of it.
    SpotShape {
        /// Whose market; they go up and down together.
        accounts: Vec<AccountId>,
        /// Which.
        shape: SpotShape,
    },
    /// Running Spot tasks of some accounts vanish without a warning while the market stays as it is; ECS replaces them.
    SpotRebalance {
        /// Whose tasks.
        accounts: Vec<AccountId>,
        /// How many per account; more than there are means all.
        tasks: u32,
    },
    /// The On-Demand market of some accounts changes; running tasks stay.
    OnDemand {
        /// Whose market.
        accounts: Vec<AccountId>,
        /// Tasks that can run On-Demand at once, per account.
        capacity: Capacity,
    },
    /// Spot tasks of one service get the two-minute warning; the market stays as it is.
    Interrupt {
        /// Whose tasks.
        service: ServiceId,
        /// How many; more than there are means all.
        tasks: u32,
    },
    /// Somebody calls `PutEvents` on the central bus.
    PutEvents {
        /// The caller, which EventBridge stamps as `account`.
        from: AccountId,
        /// `source`, not `aws.*` (aws-facts.md §5).
        source: String,
        /// `detail-type`.
        detail_type: String,
        /// `resources`.
        resources: Vec<String>,
        /// `detail`, an object.
        detail: Value,
    },
    /// `CentralSpotAutomationRole` of some accounts changes.
    Role {
        /// Whose.
        accounts: Vec<AccountId>,
        /// To what.
        role: Role,
    },
    /// The way of some accounts' events to the central bus breaks or is mended.
    Forwarding {
        /// Whose events.
        accounts: Vec<AccountId>,
        /// How it is from now on.
        forwarding: Forwarding,
    },
    /// The resource policy of the central bus changes.
    BusPolicy(BusPolicy),
    /// Accounts leave the organization, or are taken in.
    Membership {
        /// Which.
        accounts: Vec<AccountId>,
        /// Whether they belong to it from now on.
        member: bool,
    },
    /// The rules of the central bus can no longer deliver to a queue, or can again.
    QueueAccess {
        /// Which.
        queue: QueueName,
        /// How it is from now on.
        access: QueueAccess,
    },
    /// Somebody moves the messages of a queue's DLQ back to the queue (`StartMessageMoveTask`, aws-facts.md §6).
    Redrive {
        /// The queue, not its DLQ.
        queue: QueueName,
    },
    /// Somebody stops a function, breaks it, or lets it run again.
    Function {
        /// Which.
        function: FunctionName,
        /// How it is from now on.
        state: FunctionState,
    },
    /// The faults of [`crate::facts::Facts`] end.
    Calm,
    /// The owner tags the service `spot-recovery=off`, or takes the tag away.
    OptOut {
        /// Which service.
        service: ServiceId,
        /// Whether the tag is there from now on.
        off: bool,
    },
    /// A deployment alarm of the service goes off.
    Alarm {
        /// Whose.
        service: ServiceId,
    },
    /// The owner asks ECS to roll the running deployment back: `StopServiceDeployment` with `ROLLBACK`.
    RollBack {
        /// Of which service.
        service: ServiceId,
    },
    /// The owner deploys: a new deployment on the strategy as it is.
    Deploy {
        /// Which service.
        service: ServiceId,
    },
    /// The owner deletes the service; its tasks stop.
    DeleteService {
        /// Which service.
        service: ServiceId,
    },
    /// The owner creates a deleted service anew, under the same name, as it was in the beginning.
    CreateService {
        /// Which service.
        service: ServiceId,
    },
    /// From now on the application's new tasks fail shortly after they run, or run well again.
    Application {
        /// Whose tasks.
        service: ServiceId,
        /// Whether they fail.
        fails: bool,
    },
    /// AZ rebalancing cannot place a task in its zone: the same event as a shortage, at full count (aws-facts.md §2.2).
    RebalancingFailure {
        /// Whose task.
        service: ServiceId,
    },
    /// The owner changes the service; a change of strategy forces a new deployment, as ECS demands.
    UpdateService {
        /// Which service.
        service: ServiceId,
        /// The new strategy, if it changes.
        strategy: Option<Strategy>,
        /// The new desired count, if it changes.
        desired: Option<u32>,
    },
}

/// `CentralSpotAutomationRole` of a workload account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// As onboarding made it.
    Present,
    /// Missing, or it does not trust the central account: `AssumeRole` is denied.
    Missing,
    /// It lacks `ecs:UpdateService`.
    ReadOnly,
}

/// How much a market has, in tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capacity {
    /// At most this many tasks at once.
    Tasks(u32),
    /// As much as anyone asks for.
    Unlimited,
}

impl Capacity {
    /// Whether one more task fits when `running` are there.
    pub fn has_room(self, running: u32) -> bool {
        match self {
            Self::Tasks(most) => running < most,
            Self::Unlimited => true,
        }
    }
}

impl fmt::Display for Capacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tasks(n) => write!(f, "{n}"),
            Self::Unlimited => f.write_str("unlimited"),
        }
    }
}

/// How a Spot market goes on. AWS publishes nothing about lengths and rates of shortages (aws-facts.md §3, §10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpotShape {
    /// Gone, back, gone again; begins with a gap.
    Flapping {
        /// How long it is unlimited.
        up: Duration,
        /// How long it has nothing.
        down: Duration,
    },
    /// Nothing, then some tasks more with every minute, from the first one on; unlimited once it has `until` tasks.
    SlowReturn {
        /// Tasks more per minute, at least 1.
        per_minute: u32,
        /// Tasks at which the shortage is over.
        until: u32,
    },
    /// Outages by chance, with lengths of a heavy tail: bounded Pareto with exponent 1, so that half of the outages are shorter
    /// than about twice `shortest` and the longest are as long as `longest`.
    Random {
        /// Mean time from the end of an outage to the begin of the next; drawn uniformly from 0 to twice that.
        every: Duration,
        /// Shortest outage, above zero.
        shortest: Duration,
        /// Longest outage.
        longest: Duration,
    },
}

/// How Spot takes tasks away when its capacity falls below what runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Two-minute warning, then the task stops; failed placements are announced (aws-facts.md §2.2, §2.3).
    Interrupt,
    /// The tasks go without an interruption, and failed placements are not announced (aws-facts.md §2.6).
    Silent,
    /// Running tasks stay; only new ones find no room.
    Keep,
}
