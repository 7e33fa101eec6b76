//! What a world is made of and what will happen to it: plain data, written by scenario files and by property tests.

use std::time::Duration;

use handlers::observation::Controller;
use handlers::policy::Policy;
use handlers::service::{AccountId, Region, ServiceId};
use handlers::strategy::Strategy;
use serde_json::Value;

mod event_path;
mod market;
mod service;

pub use event_path::{BusPolicy, Forwarding, FunctionName, FunctionState, QueueAccess, QueueName};
pub use market::{Capacity, Loss, SpotShape};
pub use service::{Autoscaling, BLUE_GREEN, ServiceSpec, Terraform};

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
    /// One Availability Zone of some accounts runs out of Spot capacity, or has it again; the other zones are as they were.
    SpotZone {
        /// Whose.
        accounts: Vec<AccountId>,
        /// Which: 0 is `a`. A zone that no service spans changes nothing.
        zone: u8,
        /// Whether it has no Spot capacity from now on.
        short: bool,
        /// How its running tasks go when it becomes short.
        loss: Loss,
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
    /// The operator sets the kill switch `paused` of the cell, or lifts it; an invocation under way keeps the policy it began with.
    Pause {
        /// Whether it is set from now on.
        paused: bool,
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
    /// The owner changes the deployment controller or the deployment strategy of the service, which by itself deploys nothing. ECS
    /// refuses it during a deployment (aws-facts.md §1.5).
    Controller {
        /// Which service.
        service: ServiceId,
        /// Who runs its deployments from now on.
        controller: Controller,
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
    /// From now on the application cannot start: what runs exits within a minute, and new tasks never reach RUNNING, which
    /// ECS says and throttles (aws-facts.md §3). Or it runs well again.
    Application {
        /// Whose tasks.
        service: ServiceId,
        /// Whether they fail.
        fails: bool,
    },
    /// From now on the application's tasks exit shortly after they run, which ECS neither says nor throttles (aws-facts.md §3).
    /// Or it runs well again.
    CrashLoop {
        /// Whose tasks.
        service: ServiceId,
        /// Whether they exit.
        crashes: bool,
    },
    /// The owner sets task scale-in protection on running tasks (`UpdateTaskProtection`): neither scale-in nor a deployment
    /// stops them meanwhile (aws-facts.md §1.6).
    Protect {
        /// Whose tasks.
        service: ServiceId,
        /// How many, the oldest first; more than there are means all.
        tasks: u32,
        /// For how long: AWS takes 1 minute to 48 hours, by default 2 hours.
        time: Duration,
    },
    /// AZ rebalancing cannot place a task in its zone: the same event as a shortage, at full count (aws-facts.md §2.2). Nothing
    /// happens to a service that is short.
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
