//! What happened, one readable line each, virtual time first: the raw material of timelines, reports and failure output.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use handlers::record::Phase;
use handlers::service::{AccountId, ServiceId};
use handlers::strategy::{CapacityProvider, Strategy};
use serde::Serialize;

pub use crate::ids::TaskId;
use crate::spec::{BusPolicy, Capacity, Forwarding, FunctionState, Loss, QueueAccess, Role, SpotShape};

/// One happening.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Since the start of the world.
    pub at: Duration,
    /// Whom it is about; `None` is the world or the central account.
    pub service: Option<Arc<ServiceId>>,
    /// What happened.
    pub what: Happening,
}

/// Who asked for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Caller {
    /// The service's owner.
    Owner,
    /// Application Auto Scaling, on the owner's behalf.
    AutoScaler,
    /// Spot Recovery, through `CentralSpotAutomationRole`.
    Recovery,
}

/// Why ECS rolls a deployment back (aws-facts.md §1.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RollbackCause {
    /// The deployment circuit breaker.
    Breaker,
    /// A deployment alarm.
    Alarm,
    /// `StopServiceDeployment` with `ROLLBACK`, by the owner.
    Owner,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    /// A Spot market changed.
    SpotCapacity {
        /// Whose.
        accounts: Vec<AccountId>,
        /// To what.
        capacity: Capacity,
        /// How tasks above it go.
        loss: Loss,
    },
    /// A Spot market took a shape.
    SpotShape {
        /// Whose.
        accounts: Vec<AccountId>,
        /// Which.
        shape: SpotShape,
    },
    /// Running Spot tasks are about to vanish, though there is capacity.
    SpotRebalance {
        /// Whose.
        accounts: Vec<AccountId>,
        /// How many per account at most.
        tasks: u32,
    },
    /// One zone's Spot market changed.
    SpotZone {
        /// Whose.
        accounts: Vec<AccountId>,
        /// Which zone: 0 is `a`.
        zone: u8,
        /// Whether it has no capacity now.
        short: bool,
        /// How its tasks go.
        loss: Loss,
    },
    /// AZ rebalancing of a service began, ended, or could not start a task.
    Rebalancing {
        /// `eventName` of the event that says so.
        what: &'static str,
    },
    /// An On-Demand market changed.
    OnDemandCapacity {
        /// Whose.
        accounts: Vec<AccountId>,
        /// To what.
        capacity: Capacity,
    },
    /// Somebody put an event of their own on the central bus.
    EventPut {
        /// Stamped by EventBridge.
        account: AccountId,
        /// `source`.
        source: String,
        /// `detail-type`.
        detail_type: String,
    },
    /// EventBridge did not accept an entry of PutEvents.
    EventRefused {
        /// The caller.
        account: AccountId,
        /// The entry's error code.
        code: &'static str,
    },
    /// A Spot task got the two-minute warning.
    Interrupted {
        /// Task id.
        task: TaskId,
    },
    /// A Spot task went without a warning.
    Vanished {
        /// Task id.
        task: TaskId,
    },
    /// A task changed its `lastStatus`.
    Task {
        /// Task id.
        task: TaskId,
        /// Where it runs.
        provider: CapacityProvider,
        /// New `lastStatus`.
        status: &'static str,
    },
    /// ECS could not place tasks.
    PlacementFailure {
        /// Whose capacity is missing.
        provider: CapacityProvider,
        /// Whether an event says so.
        announced: bool,
        /// Whether it is the account's vCPU quota that is used up, not AWS's capacity.
        over_quota: bool,
    },
    /// `UpdateService` was accepted.
    Updated {
        /// Who asked.
        caller: Caller,
        /// The new strategy, if it changed.
        strategy: Option<Strategy>,
        /// The new desired count, if it changed.
        desired: Option<u32>,
        /// The deployment this began, if any.
        deployment: Option<String>,
    },
    /// `UpdateService` was refused.
    UpdateRefused {
        /// Who asked.
        caller: Caller,
        /// ECS's message.
        message: String,
    },
    /// The owner did something to the service other than `UpdateService`.
    Owner {
        /// What, as the rest of a sentence.
        what: &'static str,
    },
    /// A role changed.
    RoleChanged {
        /// Whose.
        accounts: Vec<AccountId>,
        /// To what.
        role: Role,
    },
    /// The way of some accounts' events to the central bus changed.
    ForwardingChanged {
        /// Whose.
        accounts: Vec<AccountId>,
        /// To what.
        forwarding: Forwarding,
    },
    /// The resource policy of the central bus changed.
    BusPolicyChanged {
        /// To what.
        policy: BusPolicy,
    },
    /// Accounts left the organization or were taken in.
    MembershipChanged {
        /// Which.
        accounts: Vec<AccountId>,
        /// Whether they belong to it now.
        member: bool,
    },
    /// A queue changed for the rules that target it.
    QueueAccessChanged {
        /// Which.
        queue: &'static str,
        /// To what.
        access: QueueAccess,
    },
    /// An event could not be delivered and went to the DLQ of its rule.
    EventDead {
        /// The account of the rule and of its DLQ.
        account: AccountId,
        /// The rule's name.
        rule: &'static str,
        /// `ERROR_CODE`.
        code: &'static str,
        /// `RETRY_ATTEMPTS`.
        retries: u32,
        /// `EXHAUSTED_RETRY_CONDITION`, if it was retried at all.
        exhausted: Option<&'static str>,
    },
    /// A function was stopped, broken, or let run again.
    FunctionChanged {
        /// Which.
        function: &'static str,
        /// To what.
        state: FunctionState,
    },
    /// Lambda refused an invocation because as many as are allowed were running.
    Throttled {
        /// Which.
        function: &'static str,
        /// Messages in its batch, which come back with their visibility timeout.
        messages: usize,
    },
    /// Messages of a DLQ went back to their queue.
    Redriven {
        /// Which.
        queue: &'static str,
        /// How many.
        messages: usize,
    },
    /// A redrive was asked for while one was under way.
    RedriveRefused {
        /// Which.
        queue: &'static str,
    },
    /// Messages were kept for as long as they are kept, and are gone.
    Expired {
        /// Which.
        queue: &'static str,
        /// In the queue.
        waiting: usize,
        /// In its DLQ.
        dead: usize,
    },
    /// The operator set the kill switch `paused`, or lifted it.
    Paused {
        /// Whether it is set now.
        paused: bool,
    },
    /// Faults end.
    Calm,
    /// ECS brought back the last deployment that was completed.
    RolledBack {
        /// Its strategy.
        strategy: Strategy,
        /// Why.
        cause: RollbackCause,
    },
    /// A deployment alarm of the service went off.
    Alarm,
    /// A deployment reached COMPLETED.
    DeploymentCompleted {
        /// Its strategy.
        strategy: Strategy,
    },
    /// Running and desired are equal again.
    SteadyState,
    /// A message reached a queue.
    Queued {
        /// Which.
        queue: &'static str,
    },
    /// A message was received too often and moved to the DLQ.
    DeadLettered {
        /// Which.
        queue: &'static str,
    },
    /// A handler began.
    Invoked {
        /// Which.
        function: &'static str,
        /// Messages in its batch.
        messages: usize,
    },
    /// A handler ended.
    Finished {
        /// Which.
        function: &'static str,
        /// How.
        outcome: &'static str,
        /// Messages that must come back, or records that stay due.
        failed: usize,
    },
    /// The record changed its phase.
    Phase {
        /// Before; `None` for a new record.
        from: Option<Phase>,
        /// After; `None` for a deleted one.
        to: Option<Phase>,
        /// Why, from the record.
        reason: Cow<'static, str>,
    },
    /// An audit event reached the central bus.
    Audited,
    /// The oracle found an invariant broken.
    Violation {
        /// Which, and how.
        invariant: String,
    },
}

impl Happening {
    /// Whether people want to read it; the rest is for digging.
    pub fn is_detail(&self) -> bool {
        matches!(
            self,
            Self::Task { .. }
                | Self::Updated { caller: Caller::AutoScaler, .. }
                | Self::SteadyState
                | Self::Queued { .. }
                | Self::Invoked { .. }
                | Self::Throttled { .. }
                | Self::Finished { .. }
                | Self::Audited
        )
    }
}

/// `web/checkout in 111111111111` needs no account when there is one; callers choose the short or the long form.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>12} ", Clock(self.at))?;
        match &self.service {
            Some(service) => write!(f, "{service} ")?,
            None => write!(f, "- ")?,
        }
        write!(f, "{}", self.what)
    }
}

/// A time since the start, as `1:05:09.250`.
#[derive(Debug, Clone, Copy)]
pub struct Clock(pub Duration);

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self.0.as_secs();
        let text = format!("{}:{:02}:{:02}.{:03}", s / 3600, s / 60 % 60, s % 60, self.0.subsec_millis());
        f.pad(&text)
    }
}

fn list(accounts: &[AccountId]) -> String {
    accounts.iter().map(AccountId::as_str).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SpotCapacity { accounts, capacity, loss } => {
                write!(f, "Spot capacity is now {capacity} in {}", list(accounts))?;
                match loss {
                    Loss::Interrupt => Ok(()),
                    Loss::Silent => f.write_str(", tasks above it vanish in silence"),
                    Loss::Keep => f.write_str(", running tasks stay"),
                }
            }
            Self::SpotShape { accounts, shape } => {
                let time = |time: &Duration| humantime::format_duration(*time).to_string();
                match shape {
                    SpotShape::Flapping { up, down } => {
                        write!(f, "Spot flaps: {} gone, {} there", time(down), time(up))?;
                    }
                    SpotShape::SlowReturn { per_minute, until } => {
                        write!(f, "Spot goes, to come back by {per_minute} tasks a minute up to {until}")?;
                    }
                    SpotShape::Random { every, shortest, longest } => {
                        let (shortest, longest) = (time(shortest), time(longest));
                        write!(f, "Spot fails by chance: about every {}, for {shortest} to {longest}", time(every))?;
                    }
                }
                write!(f, " in {}", list(accounts))
            }
            Self::SpotRebalance { accounts, tasks } => {
                write!(f, "up to {tasks} running Spot tasks are moved in silence in {}", list(accounts))
            }
            Self::OnDemandCapacity { accounts, capacity } => {
                write!(f, "On-Demand capacity is now {capacity} in {}", list(accounts))
            }
            Self::EventPut { account, source, detail_type } => {
                write!(f, "event put on the central bus by {account}: {source}, {detail_type}")
            }
            Self::EventRefused { account, code } => write!(f, "event of {account} refused by the central bus: {code}"),
            Self::SpotZone { accounts, zone, short, loss } => {
                let zone = char::from(b'a' + zone);
                let capacity = match (short, loss) {
                    (false, _) => "there again",
                    (true, Loss::Interrupt) => "gone",
                    (true, Loss::Silent) => "gone, its tasks vanish in silence",
                    (true, Loss::Keep) => "gone, running tasks stay",
                };
                write!(f, "Spot capacity of zone {zone} in {} is {capacity}", list(accounts))
            }
            Self::Rebalancing { what } => write!(f, "AZ rebalancing: {what}"),
            Self::Interrupted { task } => write!(f, "Spot task {task} gets the two-minute warning"),
            Self::Vanished { task } => write!(f, "Spot task {task} vanishes"),
            Self::Task { task, provider, status } => write!(f, "task {task} on {provider} is {status}"),
            Self::PlacementFailure { provider, over_quota: true, .. } => {
                write!(f, "the account's vCPU quota on {provider} is used up")
            }
            Self::PlacementFailure { provider, announced, .. } => {
                let silence = if *announced { "" } else { " (no event)" };
                write!(f, "{provider} has no capacity for its tasks{silence}")
            }
            Self::Updated { caller: Caller::Owner, strategy: None, desired: None, .. } => f.write_str("owner deploys"),
            Self::Updated { caller, strategy, desired, .. } => {
                f.write_str(match caller {
                    Caller::Owner => "owner updates the service:",
                    Caller::AutoScaler => "auto scaler updates the service:",
                    Caller::Recovery => "UpdateService:",
                })?;
                if let Some(strategy) = strategy {
                    write!(f, " {strategy}")?;
                }
                if let Some(desired) = desired {
                    write!(f, " desired {desired}")?;
                }
                Ok(())
            }
            Self::UpdateRefused { caller, message } => {
                let who = match caller {
                    Caller::Owner => "owner's ",
                    Caller::AutoScaler => "auto scaler's ",
                    Caller::Recovery => "",
                };
                write!(f, "{who}UpdateService refused: {message}")
            }
            Self::DeploymentCompleted { strategy } => write!(f, "deployment completed on {strategy}"),
            Self::SteadyState => f.write_str("steady state"),
            Self::Queued { queue } => write!(f, "message in {queue}"),
            Self::DeadLettered { queue } => write!(f, "message of {queue} moved to its DLQ"),
            Self::Invoked { function, messages } => write!(f, "{function} starts with {messages} messages"),
            Self::Finished { function, outcome, failed } => write!(f, "{function} {outcome}, {failed} failed"),
            Self::Owner { what } => write!(f, "owner {what}"),
            Self::RoleChanged { accounts, role } => {
                let role = match role {
                    Role::Present => "is as onboarding made it",
                    Role::Missing => "is missing",
                    Role::ReadOnly => "may not update services",
                };
                write!(f, "role CentralSpotAutomationRole {role} in {}", list(accounts))
            }
            Self::ForwardingChanged { accounts, forwarding } => {
                let forwarding = match forwarding {
                    Forwarding::Present => "rule and role are as onboarding made them",
                    Forwarding::Missing => "its role is missing",
                    Forwarding::Denied => "its role may not put events on the central bus",
                    Forwarding::Unreachable => "the central bus cannot be reached",
                    Forwarding::Disabled => "its rule is disabled",
                };
                write!(f, "forwarding of events: {forwarding} in {}", list(accounts))
            }
            Self::BusPolicyChanged { policy: BusPolicy::Onboarded } => {
                f.write_str("policy of the central bus admits every onboarded account")
            }
            Self::BusPolicyChanged { policy: BusPolicy::Organization } => {
                f.write_str("policy of the central bus admits the organization")
            }
            Self::BusPolicyChanged { policy: BusPolicy::Accounts(accounts) } if accounts.is_empty() => {
                f.write_str("policy of the central bus admits no account")
            }
            Self::BusPolicyChanged { policy: BusPolicy::Accounts(accounts) } => {
                write!(f, "policy of the central bus admits {}", list(accounts))
            }
            Self::MembershipChanged { accounts, member: true } => write!(f, "{} in the organization", list(accounts)),
            Self::MembershipChanged { accounts, member: false } => {
                write!(f, "{} no longer in the organization", list(accounts))
            }
            Self::QueueAccessChanged { queue, access } => {
                let access = match access {
                    QueueAccess::Reachable => "can be reached",
                    QueueAccess::Unreachable => "cannot be reached",
                    QueueAccess::Denied => "does not admit the rules",
                };
                write!(f, "{queue} {access}")
            }
            Self::EventDead { account, rule, code, retries, exhausted } => {
                write!(f, "event in the DLQ of rule {rule} in {account}: {code}")?;
                exhausted.map_or(Ok(()), |limit| write!(f, " after {retries} retries, {limit}"))
            }
            Self::FunctionChanged { function, state } => {
                write!(f, "{function} ")?;
                match state {
                    FunctionState::Running => f.write_str("runs again"),
                    FunctionState::Reserved(0) => f.write_str("is stopped, its reserved concurrency is 0"),
                    FunctionState::Reserved(most) => write!(f, "has a reserved concurrency of {most}"),
                    FunctionState::FailsToStart => f.write_str("fails at every start"),
                    FunctionState::Detached => f.write_str("is no longer invoked, its messages wait"),
                }
            }
            Self::Throttled { function, messages } => write!(f, "{function} is throttled with {messages} messages"),
            Self::Redriven { queue, messages } => write!(f, "{messages} messages moved from the DLQ back to {queue}"),
            Self::RedriveRefused { queue } => write!(f, "redrive to {queue} refused: one is under way"),
            Self::Expired { queue, waiting, dead } => {
                write!(f, "retention is over for {waiting} messages of {queue} and {dead} of its DLQ")
            }
            Self::Paused { paused: true } => f.write_str("recovery paused by the operator"),
            Self::Paused { paused: false } => f.write_str("recovery no longer paused"),
            Self::Calm => f.write_str("faults end"),
            Self::RolledBack { strategy, cause } => {
                let who = match cause {
                    RollbackCause::Breaker => "circuit breaker rolls",
                    RollbackCause::Alarm => "alarm rolls",
                    RollbackCause::Owner => "ECS rolls",
                };
                write!(f, "{who} back to {strategy}")
            }
            Self::Alarm => f.write_str("deployment alarm goes off"),
            Self::Phase { from, to, reason } => {
                let name = |phase: &Option<Phase>| phase.map_or("-".to_owned(), |p| p.to_string());
                write!(f, "{} → {}: {reason}", name(from), name(to))
            }
            Self::Audited => f.write_str("audit event"),
            Self::Violation { invariant } => write!(f, "VIOLATION: {invariant}"),
        }
    }
}
