//! A deployment, and the service deployment that it is shown as: their state. How they change is in `deployments.rs`.

use handlers::strategy::Strategy;
use handlers::timestamp::Timestamp;

use crate::ids::DeploymentId;
use crate::observers::trace::RollbackCause;

#[derive(Debug, Clone)]
pub(crate) struct Deployment {
    pub(crate) id: DeploymentId,
    pub(crate) strategy: Strategy,
    /// Whether that is the launch type `FARGATE`.
    pub(crate) launch_type: bool,
    pub(crate) created_at: Timestamp,
    /// Not COMPLETED before this, even with nothing to move (aws-facts.md §1.2).
    pub(crate) earliest_completion: Timestamp,
    pub(crate) completed: bool,
    /// Tasks that did not become healthy, tasks that could not be placed included, since the last one that did
    /// (aws-facts.md §1.6).
    pub(crate) failed_tasks: u32,
    /// The circuit breaker or an alarm has judged it; it launches no more tasks.
    pub(crate) failed: bool,
    /// Who judged the deployment that this one rolls back.
    pub(crate) rolls_back: Option<RollbackCause>,
    /// Tasks it has lost since it is no longer the primary, other than by the scheduler's own hand.
    pub(crate) lost: u32,
    /// Its healthy tasks when the scheduler last looked.
    pub(crate) healthy: usize,
    /// A blue/green deployment stops the old tasks then: set once all of its own are healthy. One with alarms is completed then:
    /// set once the old tasks are gone.
    pub(crate) baked_at: Option<Timestamp>,
}

/// `status` of a deployment in `DescribeServices`; DRAINING is not documented but was seen (aws-facts.md §1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeploymentStatus {
    Primary,
    /// Being replaced, with tasks that are still wanted.
    Active,
    /// Being replaced, its last tasks on their way out or gone.
    Draining,
}

/// One entry of `ListServiceDeployments`: the rollout of one revision, and of the rollback that ended it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ServiceDeployment {
    /// The deployment it began as.
    pub(crate) deployment: DeploymentId,
    pub(crate) state: ServiceDeploymentState,
    pub(crate) created_at: Timestamp,
    pub(crate) finished_at: Option<Timestamp>,
}

/// States of a service deployment (aws-facts.md §1.6). PENDING and ROLLBACK_REQUESTED last no time here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServiceDeploymentState {
    InProgress,
    /// A newer update was accepted; the scheduler has not yet looked at it.
    StopRequested,
    Stopped,
    Successful,
    RollbackInProgress,
    RollbackSuccessful,
    RollbackFailed,
}

#[cfg(feature = "wire")]
impl ServiceDeploymentState {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::StopRequested => "STOP_REQUESTED",
            Self::Stopped => "STOPPED",
            Self::Successful => "SUCCESSFUL",
            Self::RollbackInProgress => "ROLLBACK_IN_PROGRESS",
            Self::RollbackSuccessful => "ROLLBACK_SUCCESSFUL",
            Self::RollbackFailed => "ROLLBACK_FAILED",
        }
    }
}

/// `rolloutStateReason` of the deployment of a rollback, and the reason of the event that announces it (aws-facts.md §2.4).
pub(crate) fn rollback_reason(cause: RollbackCause, deployment: DeploymentId) -> String {
    let judge = match cause {
        RollbackCause::Breaker => "circuit breaker",
        RollbackCause::Alarm => "alarm",
        RollbackCause::Owner => "rollback request",
    };
    format!("ECS deployment {judge}: rolling back to deploymentId {deployment}.")
}
