//! A deployment's life: it begins, is superseded, completes, fails, is rolled back (aws-facts.md §1.2, §1.6).

use handlers::service::ServiceId;
use handlers::strategy::Strategy;

use crate::ecs::Ecs;
use crate::ecs::action::Action;
use crate::ecs::deployment::{Deployment, ServiceDeployment, ServiceDeploymentState, rollback_reason};
use crate::ecs::env::Env;
use crate::ecs::service::Starts;
use crate::ecs::task::Status;
use crate::ids::{DeploymentId, ServiceKey};
use crate::observers::trace::{Happening, RollbackCause};

impl Ecs {
    /// A new primary deployment on the service's strategy; returns its id.
    pub(crate) fn begin_deployment(&mut self, env: &mut Env<'_>, key: ServiceKey) -> DeploymentId {
        let service = self.service(key);
        let (strategy, launch_type) = (service.strategy.clone(), service.launch_type);
        let deployment = Deployment { launch_type, ..self.new_deployment(env, &strategy) };
        let id = deployment.id;
        env.agenda.plan(deployment.earliest_completion, Action::Schedule(key));
        let service = self.service_mut(key);
        // What a complete deployment lacks now it had lost before.
        let wanted = service.tasks.values().filter(|task| task.is_wanted()).count() as u32;
        let replaced = &mut service.deployments[0];
        if replaced.completed {
            replaced.lost = service.desired.saturating_sub(wanted);
        }
        service.deployments.insert(0, deployment);
        // A service update resets the scheduler's patience (aws-facts.md §3).
        service.placement.clear();
        service.starts = Starts::default();
        service.steady = false;
        service.stuck_told_at = None;
        id
    }

    /// The service deployment of an accepted update: a running one is asked to stop (aws-facts.md §1.6).
    pub(crate) fn begin_service_deployment(&mut self, env: &mut Env<'_>, key: ServiceKey, deployment: DeploymentId) {
        use ServiceDeploymentState::{InProgress, RollbackInProgress, StopRequested};
        let created_at = env.now;
        let all = &mut self.service_mut(key).service_deployments;
        if let Some(running) = all.last_mut().filter(|d| matches!(d.state, InProgress | RollbackInProgress)) {
            running.state = StopRequested;
        }
        all.push(ServiceDeployment { deployment, state: InProgress, created_at, finished_at: None });
    }

    /// The scheduler has seen the request.
    pub(crate) fn stop_superseded(&mut self, env: &mut Env<'_>, key: ServiceKey) {
        let now = env.now;
        for superseded in self.service_mut(key).service_deployments.iter_mut().rev().skip(1) {
            match superseded.state {
                ServiceDeploymentState::StopRequested => {
                    superseded.state = ServiceDeploymentState::Stopped;
                    superseded.finished_at = Some(now);
                }
                _ => break,
            }
        }
    }

    pub(crate) fn new_deployment(&mut self, env: &mut Env<'_>, strategy: &Strategy) -> Deployment {
        let digits = 1_000_000_000_000_000_000 + env.dice.ecs.below(8_999_999_999_999_999_999);
        Deployment {
            id: DeploymentId(digits),
            strategy: strategy.clone(),
            launch_type: false,
            created_at: env.now,
            earliest_completion: env.now + env.dice.ecs.within(env.facts.empty_deployment),
            completed: false,
            failed_tasks: 0,
            failed: false,
            rolls_back: None,
            lost: 0,
            healthy: 0,
            baked_at: None,
        }
    }

    /// Whether the old tasks may go: at once in a rolling deployment, after the bake time in a blue/green one.
    pub(crate) fn has_baked(&mut self, env: &mut Env<'_>, key: ServiceKey) -> bool {
        let (now, healthy_after) = (env.now, env.facts.healthy_after);
        let baked_at = now + env.facts.bake_time;
        let service = self.service_mut(key);
        if !service.is_blue_green() {
            return true;
        }
        let healthy = service.tasks_of(0).filter(|t| t.is_healthy(now, healthy_after)).count();
        let all_healthy = healthy >= service.desired as usize;
        match service.deployments[0].baked_at {
            Some(at) => now >= at,
            None if all_healthy => {
                service.deployments[0].baked_at = Some(baked_at);
                env.agenda.plan(baked_at, Action::Schedule(key));
                false
            }
            None => false,
        }
    }

    pub(crate) fn complete_deployment(&mut self, env: &mut Env<'_>, key: ServiceKey) {
        let (now, healthy_after) = (env.now, env.facts.healthy_after);
        let service = self.service_mut(key);
        let healthy = service.tasks_of(0).filter(|t| t.is_healthy(now, healthy_after)).count();
        let primary = &mut service.deployments[0];
        if healthy > primary.healthy {
            primary.failed_tasks = 0;
        }
        primary.healthy = healthy;
        let unlisted = service.primary().created_at + env.facts.replaced_listed;
        if service.primary().completed && service.deployments.len() > 1 && now >= unlisted {
            service.deployments.truncate(1);
        }
        let primary = service.primary();
        if primary.completed || primary.failed || now < primary.earliest_completion {
            return;
        }
        let replaced = service.tasks.values().any(|t| t.deployment != primary.id && t.status != Status::Stopped);
        if healthy < service.desired as usize || replaced {
            return;
        }
        if service.alarms && !service.is_blue_green() {
            let until = *service.deployments[0].baked_at.get_or_insert(now + env.facts.alarm_bake_time);
            if now < until {
                env.agenda.plan(until, Action::Schedule(key));
                return;
            }
        }
        // Nothing was moved, or the replaced ones have been listed for long enough.
        if service.desired == 0 || now >= unlisted {
            service.deployments.truncate(1);
        } else {
            service.deployments.iter_mut().skip(1).for_each(|replaced| replaced.lost = 0);
            env.agenda.plan(unlisted, Action::Schedule(key));
        }
        service.deployments[0].completed = true;
        service.deployments[0].failed_tasks = 0;
        let (strategy, launch_type) = (service.deployments[0].strategy.clone(), service.deployments[0].launch_type);
        service.last_completed = Some((strategy, launch_type));
        if let Some(done) = service.service_deployments.last_mut() {
            done.state = match done.state {
                ServiceDeploymentState::RollbackInProgress => ServiceDeploymentState::RollbackSuccessful,
                _ => ServiceDeploymentState::Successful,
            };
            done.finished_at = Some(now);
        }
        let deployment = service.deployments[0].clone();
        service.say(now, &format!("(deployment {}) deployment completed.", deployment.id));
        env.record(Some(self.service(key).name), Happening::DeploymentCompleted { strategy: deployment.strategy });
        let reason = format!("ECS deployment {} completed.", deployment.id);
        self.emit_deployment(env, key, "SERVICE_DEPLOYMENT_COMPLETED", deployment.id, &reason);
    }

    /// A deployment alarm of the service goes off. Only a deployment under way is judged by it.
    pub(crate) fn alarm(&mut self, env: &mut Env<'_>, id: &ServiceId) {
        let Some(key) = env.names.service(id) else { return };
        env.record_named(id, Happening::Alarm);
        let service = self.service(key);
        let under_way = !service.primary().completed && !service.primary().failed;
        if service.alarms && service.active && under_way {
            self.roll_back(env, key, RollbackCause::Alarm);
        }
    }

    /// A rollback: a new deployment on the strategy of the last completed one, which a revision stores. `strategy` on the
    /// service goes back too (aws-facts.md §12h: not known, the worse case is assumed).
    pub(crate) fn roll_back(&mut self, env: &mut Env<'_>, key: ServiceKey, cause: RollbackCause) {
        let now = env.now;
        let service = self.service_mut(key);
        service.deployments[0].failed = true;
        let (failed, name) = (service.deployments[0].id, service.name);
        let (verdict, message) = match cause {
            RollbackCause::Breaker => {
                ("ECS deployment circuit breaker: task failed to start.", "tasks failed to start")
            }
            RollbackCause::Alarm => ("ECS deployment failed: alarm detected.", "alarm detected"),
            RollbackCause::Owner => ("ECS deployment stopped by request.", "stopped by request"),
        };
        service.say(now, &format!("(deployment {failed}) deployment failed: {message}."));
        self.emit_deployment(env, key, "SERVICE_DEPLOYMENT_FAILED", failed, verdict);
        let service = self.service_mut(key);
        let target = service.last_completed.take();
        if let Some(current) = service.service_deployments.last_mut() {
            current.state = match (current.state, &target) {
                (ServiceDeploymentState::RollbackInProgress, _) => ServiceDeploymentState::RollbackFailed,
                (_, Some(_)) => ServiceDeploymentState::RollbackInProgress,
                (state, None) => state,
            };
            if current.state == ServiceDeploymentState::RollbackFailed {
                current.finished_at = Some(now);
            }
        }
        // Without a completed deployment there is nothing to go back to, and the deployment just stalls.
        let Some((strategy, launch_type)) = target else { return };
        env.record(Some(self.service(key).name), Happening::RolledBack { strategy: strategy.clone(), cause });
        env.seen.oracle.rolled_back(now, name);
        let service = self.service_mut(key);
        service.strategy = strategy;
        service.launch_type = launch_type;
        let deployment = self.begin_deployment(env, key);
        let service = self.service_mut(key);
        service.deployments[0].rolls_back = Some(cause);
        service.say(now, &format!("rolling back to deployment {deployment}."));
        let reason = rollback_reason(cause, deployment);
        self.emit_deployment(env, key, "SERVICE_DEPLOYMENT_IN_PROGRESS", deployment, &reason);
        env.agenda.plan(env.now, Action::Schedule(key));
    }
}

#[cfg(test)]
mod tests;
