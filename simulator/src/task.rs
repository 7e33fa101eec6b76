//! One task's life: PROVISIONING, PENDING, RUNNING, DEACTIVATING, STOPPED, each change an event (aws-facts.md §2.3).
//!
//! ACTIVATING, STOPPING and DEPROVISIONING are passed through without an event of their own: nothing here looks at them.

use std::time::Duration;

use handlers::strategy::CapacityProvider;
use handlers::timestamp::Timestamp;

use crate::agenda::{Action, Reclaim};
use crate::ecs::{ServiceKey, TaskKey};
use crate::trace::Happening;
use crate::world::World;

/// `stopCode` of a task that the scheduler itself stops.
pub(crate) const SCHEDULER: &str = "ServiceSchedulerInitiated";

#[derive(Debug)]
pub(crate) struct Task {
    /// 32 hexadecimal digits.
    pub(crate) id: String,
    /// Id of the deployment it belongs to.
    pub(crate) deployment: String,
    pub(crate) provider: CapacityProvider,
    pub(crate) status: Status,
    pub(crate) created_at: Timestamp,
    /// When it became RUNNING.
    pub(crate) running_since: Option<Timestamp>,
    /// Set once `desiredStatus` is STOPPED.
    pub(crate) stop: Option<Stop>,
    /// Counts the changes, as `detail.version` does.
    pub(crate) version: u32,
    /// When it takes its next step; a step planned for another time is void.
    step_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Provisioning,
    Pending,
    Running,
    Deactivating,
    Stopped,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Provisioning => "PROVISIONING",
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Deactivating => "DEACTIVATING",
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
    /// Whether ECS wants it to run: `desiredStatus` RUNNING.
    pub(crate) fn is_wanted(&self) -> bool {
        self.stop.is_none() && self.status != Status::Stopped
    }

    pub(crate) fn on_spot(&self) -> bool {
        self.provider == CapacityProvider::FargateSpot
    }

    pub(crate) fn is_running(&self) -> bool {
        self.status == Status::Running && self.stop.is_none()
    }

    /// Running for long enough to count in a deployment.
    pub(crate) fn is_healthy(&self, now: Timestamp, after: Duration) -> bool {
        self.is_running() && self.running_since.is_some_and(|since| now.since(since) >= after)
    }
}

impl World {
    /// Tasks of a new world, running and healthy since before it began.
    pub(crate) fn start_settled_tasks(&mut self, key: ServiceKey) {
        for _ in 0..self.ecs.service(key).desired {
            let provider = self.next_provider(key, 0, &[]);
            let task = self.add_task(key, 0, &provider);
            self.set_running(key, task, self.now - self.facts.healthy_after);
        }
    }

    /// A task in PROVISIONING; the caller has made sure that its market has room.
    pub(crate) fn add_task(&mut self, key: ServiceKey, deployment: usize, provider: &CapacityProvider) -> TaskKey {
        let step_at = self.now + self.dice.ecs.within(self.facts.provisioning);
        let id = self.dice.ecs.hex(32);
        let now = self.now;
        let service = self.ecs.service_mut(key);
        service.tasks_created += 1;
        let task = TaskKey(service.tasks_created);
        service.tasks.insert(
            task,
            Task {
                id,
                deployment: service.deployments[deployment].id.clone(),
                provider: provider.clone(),
                status: Status::Provisioning,
                created_at: now,
                running_since: None,
                stop: None,
                version: 0,
                step_at: Some(step_at),
            },
        );
        let account = service.id.account.clone();
        if let Some(markets) = self.ecs.markets.get_mut(&account) {
            markets.of(provider).used += 1;
        }
        self.ledgers[key.0].task_taken(now, provider);
        self.agenda.plan(step_at, Action::Task(key, task));
        self.emit_task(key, task);
        task
    }

    /// The step a task planned for now.
    pub(crate) fn step_task(&mut self, key: ServiceKey, task: TaskKey) {
        let now = self.now;
        let Some(state) = self.ecs.service_mut(key).tasks.get_mut(&task) else { return };
        if state.step_at != Some(now) {
            return;
        }
        state.step_at = None;
        match state.status {
            Status::Provisioning => {
                state.status = Status::Pending;
                self.plan_step(key, task, self.facts.pending);
                self.emit_task(key, task);
            }
            Status::Pending => {
                self.set_running(key, task, now);
                self.plan_failure(key, task);
                self.schedule(key);
            }
            Status::Running => self.end_containers(key, task),
            Status::Deactivating => {
                state.status = Status::Stopped;
                self.emit_task(key, task);
                self.ecs.service_mut(key).tasks.remove(&task);
                self.schedule(key);
            }
            Status::Stopped => {}
        }
    }

    fn set_running(&mut self, key: ServiceKey, task: TaskKey, since: Timestamp) {
        let Some(state) = self.ecs.service_mut(key).tasks.get_mut(&task) else { return };
        state.status = Status::Running;
        state.running_since = Some(since);
        state.step_at = None;
        self.ledgers[key.0].task_serves(self.now);
        self.agenda.plan(since + self.facts.healthy_after, Action::Schedule(key));
        self.emit_task(key, task);
    }

    /// Sets `desiredStatus` to STOPPED; the containers get SIGTERM and end after `drain`.
    pub(crate) fn stop_task(&mut self, key: ServiceKey, task: TaskKey, stop: Stop, drain: Duration) {
        let at = self.now + drain;
        let Some(state) = self.ecs.service_mut(key).tasks.get_mut(&task) else { return };
        if state.stop.is_some() {
            return;
        }
        let lost = stop.code != Some(SCHEDULER);
        state.stop = Some(stop);
        let (deployment, running) = (state.deployment.clone(), state.status == Status::Running);
        if lost {
            let replaced = self.ecs.service_mut(key).deployments.iter_mut().skip(1);
            replaced.filter(|d| d.id == deployment).for_each(|d| d.lost += 1);
        }
        let Some(state) = self.ecs.service_mut(key).tasks.get_mut(&task) else { return };
        if running && !drain.is_zero() {
            state.step_at = Some(at);
            self.agenda.plan(at, Action::Task(key, task));
            self.emit_task(key, task);
        } else {
            self.end_containers(key, task);
        }
    }

    /// The containers are gone: the task serves nobody and gives its capacity back.
    fn end_containers(&mut self, key: ServiceKey, task: TaskKey) {
        let service = self.ecs.service_mut(key);
        let account = service.id.account.clone();
        let Some(state) = service.tasks.get_mut(&task) else { return };
        let served = state.status == Status::Running;
        let provider = state.provider.clone();
        state.status = Status::Deactivating;
        if let Some(markets) = self.ecs.markets.get_mut(&account) {
            markets.of(&provider).used -= 1;
        }
        self.ledgers[key.0].task_gone(self.now, &provider, served);
        self.plan_step(key, task, self.facts.deprovisioning);
        self.emit_task(key, task);
    }

    fn plan_step(&mut self, key: ServiceKey, task: TaskKey, span: crate::dice::Span) {
        let at = self.now + self.dice.ecs.within(span);
        if let Some(state) = self.ecs.service_mut(key).tasks.get_mut(&task) {
            state.step_at = Some(at);
            self.agenda.plan(at, Action::Task(key, task));
        }
    }

    /// Spot takes one task back. The scheduler hears of it at once and tries to replace it (aws-facts.md §3).
    pub(crate) fn reclaim_task(&mut self, key: ServiceKey, task: TaskKey, how: Reclaim) {
        let service = self.ecs.service(key);
        let (id, stop_timeout) = (service.id.clone(), service.stop_timeout);
        let Some(state) = service.tasks.get(&task).filter(|t| t.is_wanted()) else { return };
        let name = state.id.clone();
        self.ledgers[key.0].loss(self.now);
        match how {
            Reclaim::Warned => {
                self.record(Some(&id), Happening::Interrupted { task: name });
                let reason = "Your Spot Task was interrupted.".to_owned();
                self.stop_task(key, task, Stop { code: Some("SpotInterruption"), reason }, stop_timeout);
            }
            Reclaim::Silently => {
                self.record(Some(&id), Happening::Vanished { task: name });
                self.stop_task(key, task, Stop { code: None, reason: String::new() }, Duration::ZERO);
            }
        }
        self.ecs.service_mut(key).steady = false;
        self.schedule(key);
    }
}
