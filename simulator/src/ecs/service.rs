//! A service as ECS keeps it: its state, and what can be asked of it. How it changes is in the files beside.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use handlers::observation::{Controller, Message, Observation};
use handlers::service::ServiceId;
use handlers::strategy::{CapacityProvider, Strategy};
use handlers::timestamp::Timestamp;

use crate::ecs::deployment::{Deployment, DeploymentStatus, ServiceDeployment};
use crate::ecs::task::Task;
use crate::ids::{NameKey, TaskKey};
use crate::spec::BLUE_GREEN;

#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) id: ServiceId,
    /// The number of its name.
    pub(crate) name: NameKey,
    pub(crate) created_at: Timestamp,
    pub(crate) desired: u32,
    pub(crate) strategy: Strategy,
    /// Whether it runs on the launch type `FARGATE`; `strategy` then says just that.
    pub(crate) launch_type: bool,
    /// Whether it was created with a launch type, to which an empty list brings it back (aws-facts.md §1.3).
    pub(crate) has_launch_type: bool,
    pub(crate) minimum_healthy_percent: u32,
    pub(crate) maximum_percent: u32,
    pub(crate) stop_timeout: Duration,
    pub(crate) deregistration_delay: Duration,
    /// Availability Zones it spans, the first ones of the Region.
    pub(crate) zones: u8,
    pub(crate) zone_rebalancing: bool,
    /// Set while its zones are uneven and that is to be mended.
    pub(crate) rebalancing: Option<Rebalancing>,
    pub(crate) circuit_breaker: bool,
    /// Whether deployment alarms are on, with rollback.
    pub(crate) alarms: bool,
    pub(crate) controller: Controller,
    /// Whether `status` is ACTIVE; a deleted service is not.
    pub(crate) active: bool,
    /// Whether the service carries the opt-out tag.
    pub(crate) opted_out: bool,
    pub(crate) application: Application,
    /// Tasks that failed to start since the last one that ran, and what the scheduler makes of it.
    pub(crate) starts: Starts,
    /// The strategy of the last deployment that was completed, where a rollback goes, and whether that is the launch type
    /// (aws-facts.md §1.6).
    pub(crate) last_completed: Option<(Strategy, bool)>,
    /// What the service looked like before its last update, for reads that are stale.
    pub(crate) before_update: Option<(Timestamp, Arc<Observation>)>,
    /// Providers associated with the service's cluster.
    pub(crate) associated: Vec<CapacityProvider>,
    /// The primary first; the others are being replaced.
    pub(crate) deployments: Vec<Deployment>,
    /// As `ListServiceDeployments` shows them, oldest first.
    pub(crate) service_deployments: Vec<ServiceDeployment>,
    pub(crate) tasks: BTreeMap<TaskKey, Task>,
    pub(crate) tasks_created: u64,
    /// Newest first, at most [`MAX_MESSAGES`].
    pub(crate) messages: Arc<Vec<Message>>,
    /// Per provider, what the scheduler knows of failed placements.
    pub(crate) placement: BTreeMap<CapacityProvider, Placement>,
    pub(crate) steady: bool,
    /// When its event log last said so.
    pub(crate) steady_told_at: Timestamp,
    /// When it last said that a deployment's bounds let nothing start or stop.
    pub(crate) stuck_told_at: Option<Timestamp>,
    /// Until when it launches nothing, because the account launches too fast.
    pub(crate) throttled_until: Option<Timestamp>,
    pub(crate) throttled_told_at: Option<Timestamp>,
    /// Begin of the running minute and tasks launched in it.
    pub(crate) launched: (Timestamp, u32),
    /// Size of a task in CPU units, 1024 to a vCPU.
    pub(crate) cpu: u32,
}

/// Failed placements on one provider since the last success.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Placement {
    pub(crate) failures: u32,
    pub(crate) retry_at: Option<Timestamp>,
    /// When the failure was last told; repeats are suppressed (aws-facts.md §2.6).
    pub(crate) told_at: Option<Timestamp>,
}

/// `DescribeServices` returns this many messages (aws-facts.md §2.6).
const MAX_MESSAGES: usize = 100;

impl Service {
    pub(crate) fn primary(&self) -> &Deployment {
        &self.deployments[0]
    }

    /// Whether ECS itself could put `strategy` in place now, by rolling the deployment that is under way back: who then sees it live
    /// cannot tell whether that or the owner did it.
    pub(super) fn may_roll_back_to(&self, strategy: &Strategy) -> bool {
        let last = self.last_completed.as_ref();
        !self.primary().completed && last.is_some_and(|(completed, _)| completed == strategy)
    }

    pub(crate) fn say(&mut self, now: Timestamp, text: &str) {
        let messages = Arc::make_mut(&mut self.messages);
        messages.truncate(MAX_MESSAGES - 1);
        messages.insert(0, Message { at: now, text: format!("(service {}) {text}", self.id.service) });
    }
}

impl Service {
    #[cfg_attr(
        not(any(test, feature = "wire")),
        expect(dead_code, reason = "the recovery asks only which deployment is the primary")
    )]
    pub(crate) fn deployment_status(&self, n: usize) -> DeploymentStatus {
        match n {
            0 => DeploymentStatus::Primary,
            _ if self.tasks_of(n).next().is_some() => DeploymentStatus::Active,
            _ => DeploymentStatus::Draining,
        }
    }

    /// Wanted tasks of a deployment.
    pub(crate) fn tasks_of(&self, n: usize) -> impl Iterator<Item = &Task> {
        let deployment = &self.deployments[n].id;
        self.tasks.values().filter(move |task| task.is_wanted() && task.deployment == *deployment)
    }

    /// Healthy tasks below which a deployment must not go: rounds up (aws-facts.md §3).
    pub(crate) fn least_healthy(&self) -> usize {
        (self.desired * self.minimum_healthy_percent).div_ceil(100) as usize
    }

    pub(crate) fn is_blue_green(&self) -> bool {
        matches!(&self.controller, Controller::Other(name) if name == BLUE_GREEN)
    }

    /// Tasks above which a deployment must not go: rounds down (aws-facts.md §3). A blue/green one starts all of its tasks at once
    /// (aws-facts.md §1.5).
    pub(crate) fn most_tasks(&self) -> usize {
        if self.is_blue_green() {
            return usize::MAX;
        }
        self.desired as usize * self.maximum_percent as usize / 100
    }
}

/// How the tasks of a service's application fare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Application {
    Sound,
    /// They go from PENDING to STOPPED.
    FailsToStart,
    /// They exit soon after they run.
    Crashes,
}

/// Tasks that failed to start since the last one that ran, and the pauses for it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Starts {
    pub(super) failed: u32,
    pub(super) pauses: u32,
    /// Until when the service launches nothing.
    pub(crate) throttled_until: Option<Timestamp>,
}

/// No Region has more.
pub(crate) const MAX_ZONES: usize = 6;

/// How far AZ rebalancing of one service has come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rebalancing {
    /// Before this it starts no task.
    pub(super) next_at: Timestamp,
    /// Whether it has begun and said so.
    pub(super) begun: bool,
    /// Its task in the emptiest zone, on top of the desired count.
    pub(super) extra: Option<TaskKey>,
    /// Failed placements since the last one that succeeded.
    pub(super) failures: u32,
    /// When a failure was last told; repeats are suppressed (aws-facts.md §2.6).
    pub(super) told_at: Option<Timestamp>,
}
