//! A task: its state, and what can be asked of it. How it changes is in `tasks.rs`.

use std::time::Duration;

use handlers::service::ServiceId;
use handlers::strategy::CapacityProvider;
use handlers::timestamp::Timestamp;

use crate::ids::{DeploymentId, TaskId};

/// `stopCode` of a task that the scheduler itself stops.
pub(crate) const SCHEDULER: &str = "ServiceSchedulerInitiated";

#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) id: TaskId,
    /// The deployment it belongs to.
    pub(crate) deployment: DeploymentId,
    pub(crate) provider: CapacityProvider,
    pub(crate) status: Status,
    pub(crate) created_at: Timestamp,
    /// When it became RUNNING.
    pub(crate) running_since: Option<Timestamp>,
    /// Set once `desiredStatus` is STOPPED.
    pub(crate) stop: Option<Stop>,
    /// Counts the changes, as `detail.version` does.
    pub(crate) version: u32,
    /// Its Availability Zone: 0 is `a`.
    pub(crate) zone: u8,
    /// Until when neither scale-in nor a deployment stops it.
    pub(crate) protected_until: Option<Timestamp>,
    /// When it takes its next step; a step planned for another time is void.
    pub(super) step_at: Option<Timestamp>,
    /// When it runs, or is STOPPED, after the steps on the way there.
    pub(super) arrives_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Status {
    Provisioning,
    Pending,
    Activating,
    Running,
    Deactivating,
    Stopping,
    Deprovisioning,
    Stopped,
}

impl Status {
    pub(crate) const ALL: [Self; 8] = [
        Self::Provisioning,
        Self::Pending,
        Self::Activating,
        Self::Running,
        Self::Deactivating,
        Self::Stopping,
        Self::Deprovisioning,
        Self::Stopped,
    ];

    /// Whether it only leads from one that matters to the next.
    pub(crate) fn is_passing(self) -> bool {
        matches!(self, Self::Activating | Self::Stopping | Self::Deprovisioning)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Provisioning => "PROVISIONING",
            Self::Pending => "PENDING",
            Self::Activating => "ACTIVATING",
            Self::Running => "RUNNING",
            Self::Deactivating => "DEACTIVATING",
            Self::Stopping => "STOPPING",
            Self::Deprovisioning => "DEPROVISIONING",
            Self::Stopped => "STOPPED",
        }
    }
}

/// Why a task stops: `stopCode` and `stoppedReason`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) code: Option<&'static str>,
    pub(crate) reason: String,
}

impl Task {
    /// The long ARN of a task of `service`.
    pub(crate) fn arn(&self, service: &ServiceId) -> String {
        let ServiceId { account, region, cluster, .. } = service;
        let (account, cluster) = (account.as_str(), cluster.as_str());
        // Not `format!`, which makes room as it goes: nearly every event has one.
        [
            "arn:",
            region.partition(),
            ":ecs:",
            region.as_str(),
            ":",
            account,
            ":task/",
            cluster,
            "/",
            &self.id.to_string(),
        ]
        .concat()
    }

    /// Whether ECS wants it to run: `desiredStatus` RUNNING.
    pub(crate) fn is_wanted(&self) -> bool {
        self.stop.is_none() && self.status != Status::Stopped
    }

    pub(crate) fn on_spot(&self) -> bool {
        self.provider == CapacityProvider::FargateSpot
    }

    pub(crate) fn is_protected(&self, now: Timestamp) -> bool {
        self.protected_until.is_some_and(|until| now < until)
    }

    /// Counted in `pendingCount`. That PROVISIONING counts too is not documented; a service that has just begun to start tasks is
    /// seen to have them pending.
    pub(crate) fn is_pending(&self) -> bool {
        self.is_wanted() && self.status < Status::Running
    }

    pub(crate) fn is_running(&self) -> bool {
        self.status == Status::Running && self.stop.is_none()
    }

    /// Running for long enough to count in a deployment.
    pub(crate) fn is_healthy(&self, now: Timestamp, after: Duration) -> bool {
        self.is_running() && self.running_since.is_some_and(|since| now.since(since) >= after)
    }
}
