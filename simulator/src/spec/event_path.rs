//! The parts of the way of an event, and how each can be.

use handlers::service::AccountId;

/// How the events of a workload account leave it (aws-facts.md §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forwarding {
    /// As onboarding made it.
    Present,
    /// The role of the rule's target is missing: every event goes to the DLQ of the rule.
    Missing,
    /// The role lacks `events:PutEvents` on the central bus: likewise.
    Denied,
    /// The central bus does not answer: events are tried again with growing pauses.
    Unreachable,
    /// The rule is disabled or gone: no event leaves the account, and nothing keeps it (aws-facts.md §2.6).
    Disabled,
}

/// Whom the resource policy of the central bus admits besides its own account (aws-facts.md §5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusPolicy {
    /// The accounts it admits when the world starts: those whose events it gets, and those that may send synthetic
    /// ones.
    Onboarded,
    /// These accounts.
    Accounts(Vec<AccountId>),
    /// Every account of the organization, by `aws:PrincipalOrgID`.
    Organization,
}

/// A queue of the cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum QueueName {
    /// `fargate-spot-placement-failure-queue`.
    PlacementFailure,
    /// `fargate-spot-interruption-queue`.
    Interruption,
}

/// How a queue is for the rules that target it (aws-facts.md §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueAccess {
    /// It takes events.
    Reachable,
    /// It does not answer: events are tried again.
    Unreachable,
    /// Its policy does not admit the rules, or it is gone: events go to the DLQ of the rule at once.
    Denied,
}

/// A function of the cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FunctionName {
    /// `fargate-spot-task-placement-failure-handler`.
    PlacementFailure,
    /// `fargate-spot-interruption-handler`.
    Interruption,
    /// `fargate-spot-restore-handler`.
    Restore,
}

/// Whether Lambda runs a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionState {
    /// It runs whenever it is invoked.
    Running,
    /// At most this many invocations at once; further ones are throttled. 0 stops the function: its messages are
    /// received in vain and end in the DLQ.
    Reserved(u32),
    /// Every start fails before the handler's first line.
    FailsToStart,
    /// Its event-source mapping, or for the restore handler its schedule, is disabled: messages wait.
    Detached,
}

impl QueueName {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::PlacementFailure, Self::Interruption];

    /// The queue's name in AWS.
    pub fn name(self) -> &'static str {
        match self {
            Self::PlacementFailure => "fargate-spot-placement-failure-queue",
            Self::Interruption => "fargate-spot-interruption-queue",
        }
    }

    /// The function that its event-source mapping invokes.
    pub fn function(self) -> FunctionName {
        match self {
            Self::PlacementFailure => FunctionName::PlacementFailure,
            Self::Interruption => FunctionName::Interruption,
        }
    }
}

impl FunctionName {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::PlacementFailure, Self::Interruption, Self::Restore];

    /// The function's name in AWS.
    pub fn name(self) -> &'static str {
        match self {
            Self::PlacementFailure => "fargate-spot-task-placement-failure-handler",
            Self::Interruption => "fargate-spot-interruption-handler",
            Self::Restore => "fargate-spot-restore-handler",
        }
    }

    /// The queue whose messages it handles.
    pub fn queue(self) -> Option<QueueName> {
        QueueName::ALL.into_iter().find(|queue| queue.function() == self)
    }
}
