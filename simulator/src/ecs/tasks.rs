//! One task's life: PROVISIONING, PENDING, ACTIVATING, RUNNING, DEACTIVATING, STOPPING, DEPROVISIONING, STOPPED, each change an
//! event (aws-facts.md §2.3).
//!
//! ACTIVATING, STOPPING and DEPROVISIONING take time of their own only where a rule could let their events pass; elsewhere they
//! are passed through at the end of the step before.

use std::time::Duration;

use handlers::strategy::CapacityProvider;
use handlers::timestamp::Timestamp;

use crate::ecs::Ecs;
use crate::ecs::action::{Action, Reclaim};
use crate::ecs::env::Env;
use crate::ecs::service::{Application, Starts};
use crate::ecs::task::{SCHEDULER, Status, Stop, Task};
use crate::ids::{ServiceKey, TaskId, TaskKey};
use crate::observers::trace::Happening;

impl Ecs {
    /// Tasks of a new world, running and healthy since before it began.
    pub(crate) fn start_settled_tasks(&mut self, env: &mut Env<'_>, key: ServiceKey) {
        for _ in 0..self.service(key).desired {
            let provider = self.next_provider(key, 0, &[]);
            let task = self.add_task(env, key, 0, &provider);
            self.set_running(env, key, task, env.now - env.facts.healthy_after);
        }
    }

    /// A task in PROVISIONING; the caller has made sure that its market has room.
    pub(crate) fn add_task(
        &mut self,
        env: &mut Env<'_>,
        key: ServiceKey,
        deployment: usize,
        provider: &CapacityProvider,
    ) -> TaskKey {
        let zone = self.next_zone(key, deployment, provider);
        self.add_task_in(env, zone, key, deployment, provider)
    }

    pub(crate) fn add_task_in(
        &mut self,
        env: &mut Env<'_>,
        zone: u8,
        key: ServiceKey,
        deployment: usize,
        provider: &CapacityProvider,
    ) -> TaskKey {
        let step_at = env.now + env.dice.ecs.within(env.facts.provisioning);
        let id = TaskId(env.dice.ecs.digits_32());
        let now = env.now;
        let service = self.service_mut(key);
        service.tasks_created += 1;
        let task = TaskKey(service.tasks_created);
        service.tasks.insert(
            task,
            Task {
                id,
                deployment: service.deployments[deployment].id,
                provider: provider.clone(),
                status: Status::Provisioning,
                created_at: now,
                running_since: None,
                stop: None,
                version: 0,
                zone,
                protected_until: None,
                step_at: Some(step_at),
                arrives_at: step_at,
            },
        );
        let (account, cpu) = (service.id.account.clone(), service.cpu);
        if let Some(markets) = self.markets.get_mut(&account) {
            markets.of(provider).take(cpu);
        }
        env.seen.ledgers[key.0].task_taken(now, provider);
        env.agenda.plan(step_at, Action::Task(key, task));
        self.emit_task(env, key, task);
        task
    }

    /// The step a task planned for now.
    pub(crate) fn step_task(&mut self, env: &mut Env<'_>, key: ServiceKey, task: TaskKey) {
        let now = env.now;
        let service = self.service_mut(key);
        let Some(state) = service.tasks.get_mut(&task) else { return };
        if state.step_at != Some(now) {
            return;
        }
        state.step_at = None;
        match state.status {
            Status::Provisioning => {
                state.status = Status::Pending;
                self.plan_steps(env, key, task, env.facts.pending);
                self.emit_task(env, key, task);
            }
            Status::Pending => self.pass(env, key, task, Status::Activating),
            Status::Activating if service.application == Application::FailsToStart => self.start_failed(env, key, task),
            Status::Activating => {
                service.starts = Starts::default();
                self.set_running(env, key, task, now);
                self.plan_failure(env, key, task);
                self.schedule(env, key);
            }
            Status::Running => self.end_containers(env, key, task),
            Status::Deactivating => self.pass(env, key, task, Status::Stopping),
            Status::Stopping => self.pass(env, key, task, Status::Deprovisioning),
            Status::Deprovisioning => {
                state.status = Status::Stopped;
                self.emit_task(env, key, task);
                self.service_mut(key).tasks.remove(&task);
                self.schedule(env, key);
            }
            Status::Stopped => {}
        }
    }

    /// A step on the way; if it takes no time of its own, the next one follows at once.
    fn pass(&mut self, env: &mut Env<'_>, key: ServiceKey, task: TaskKey, status: Status) {
        let now = env.now;
        let Some(state) = self.service_mut(key).tasks.get_mut(&task) else { return };
        state.status = status;
        let arrives_at = state.arrives_at;
        self.emit_task(env, key, task);
        self.plan_step(env, key, task);
        if arrives_at <= now {
            self.step_task(env, key, task);
        }
    }

    fn set_running(&mut self, env: &mut Env<'_>, key: ServiceKey, task: TaskKey, since: Timestamp) {
        let Some(state) = self.service_mut(key).tasks.get_mut(&task) else { return };
        state.status = Status::Running;
        state.running_since = Some(since);
        state.step_at = None;
        env.seen.ledgers[key.0].task_serves(env.now, &state.provider);
        env.agenda.plan(since + env.facts.healthy_after, Action::Schedule(key));
        self.emit_task(env, key, task);
    }

    /// Sets `desiredStatus` to STOPPED; the containers get SIGTERM and end after `drain`.
    pub(crate) fn stop_task(&mut self, env: &mut Env<'_>, key: ServiceKey, task: TaskKey, stop: Stop, drain: Duration) {
        let at = env.now + drain;
        let Some(state) = self.service_mut(key).tasks.get_mut(&task) else { return };
        if state.stop.is_some() {
            return;
        }
        let lost = stop.code != Some(SCHEDULER);
        state.stop = Some(stop);
        let (deployment, running) = (state.deployment, state.status == Status::Running);
        if lost {
            let replaced = self.service_mut(key).deployments.iter_mut().skip(1);
            replaced.filter(|d| d.id == deployment).for_each(|d| d.lost += 1);
        }
        let Some(state) = self.service_mut(key).tasks.get_mut(&task) else { return };
        if running && !drain.is_zero() {
            state.step_at = Some(at);
            env.agenda.plan(at, Action::Task(key, task));
            self.emit_task(env, key, task);
        } else {
            self.end_containers(env, key, task);
        }
    }

    /// The containers are gone: the task serves nobody and gives its capacity back.
    fn end_containers(&mut self, env: &mut Env<'_>, key: ServiceKey, task: TaskKey) {
        let service = self.service_mut(key);
        let (account, cpu) = (service.id.account.clone(), service.cpu);
        let Some(state) = service.tasks.get_mut(&task) else { return };
        let served = state.status == Status::Running;
        let provider = state.provider.clone();
        state.status = Status::Deactivating;
        if let Some(markets) = self.markets.get_mut(&account) {
            markets.of(&provider).give_back(cpu);
        }
        env.seen.ledgers[key.0].task_gone(env.now, &provider, served);
        self.plan_steps(env, key, task, env.facts.deprovisioning);
        self.emit_task(env, key, task);
    }

    /// Draws how long the steps from here to RUNNING or STOPPED take together, and plans the first.
    fn plan_steps(&mut self, env: &mut Env<'_>, key: ServiceKey, task: TaskKey, span: crate::engine::dice::Span) {
        let arrives_at = env.now + env.dice.ecs.within(span);
        if let Some(state) = self.service_mut(key).tasks.get_mut(&task) {
            state.arrives_at = arrives_at;
            self.plan_step(env, key, task);
        }
    }

    /// Steps that somebody could hear of share what is left of the time; the others take none.
    fn plan_step(&mut self, env: &mut Env<'_>, key: ServiceKey, task: TaskKey) {
        let now = env.now;
        let Some(state) = self.service_mut(key).tasks.get_mut(&task) else { return };
        let (arrives_at, on_spot, status) = (state.arrives_at, state.on_spot(), state.status);
        let ahead: &[Status] = match status {
            Status::Pending => &[Status::Activating],
            Status::Deactivating => &[Status::Stopping, Status::Deprovisioning],
            Status::Stopping => &[Status::Deprovisioning],
            _ => &[],
        };
        let heard = ahead.iter().filter(|status| self.audience.hears_of(env.bus, **status, on_spot)).count() as u64;
        let left = arrives_at.since(now).as_millis() as u64;
        let at = now + Duration::from_millis(left / (heard + 1));
        if let Some(state) = self.service_mut(key).tasks.get_mut(&task) {
            state.step_at = Some(at);
        }
        let follows_at_once = arrives_at <= now && status.is_passing();
        if !follows_at_once {
            env.agenda.plan(at, Action::Task(key, task));
        }
    }

    /// Spot takes one task back. The scheduler hears of it at once and tries to replace it (aws-facts.md §3).
    pub(crate) fn reclaim_task(&mut self, env: &mut Env<'_>, key: ServiceKey, task: TaskKey, how: Reclaim) {
        let service = self.service(key);
        let deregistration = if env.facts.spot_deregisters { service.deregistration_delay } else { Duration::ZERO };
        let drain = (deregistration + service.stop_timeout).min(env.facts.spot_warning);
        let Some(state) = service.tasks.get(&task).filter(|t| t.is_wanted()) else { return };
        let name = state.id;
        env.seen.ledgers[key.0].loss(env.now);
        match how {
            Reclaim::Warned => {
                env.record(Some(self.service(key).name), Happening::Interrupted { task: name });
                let reason = "Your Spot Task was interrupted.".to_owned();
                self.stop_task(env, key, task, Stop { code: Some("SpotInterruption"), reason }, drain);
            }
            Reclaim::Silently => {
                env.record(Some(self.service(key).name), Happening::Vanished { task: name });
                self.stop_task(env, key, task, Stop { code: None, reason: String::new() }, Duration::ZERO);
            }
        }
        self.service_mut(key).steady = false;
        self.schedule(env, key);
    }
}
