//! What holds launches back besides capacity: tasks that repeatedly fail to start, and the scheduler's own pace
//! (aws-facts.md §3, §4).

use std::time::Duration;

use crate::ecs::Ecs;
use crate::ecs::action::Action;
use crate::ecs::env::Env;
use crate::ecs::service::{Application, Starts};
use crate::ecs::task::Stop;
use crate::engine::dice::Span;
use crate::ids::{ServiceKey, TaskKey};

/// How long an application that crashes runs: not long enough to count as healthy (aws-facts.md §3).
const FAILS_AFTER: Span = Span::secs(5, 30);

const MINUTE: Duration = Duration::from_secs(60);

impl Ecs {
    /// A task goes from PENDING to STOPPED. Once this has happened repeatedly, the pause before the next launches grows; a task that
    /// runs, or a service update, ends that. Tasks that stop after they have run do neither (aws-facts.md §3).
    pub(crate) fn start_failed(&mut self, env: &mut Env<'_>, key: ServiceKey, task: TaskKey) {
        let now = env.now;
        let stop = Stop {
            code: Some("TaskFailedToStart"),
            reason: "CannotPullContainerError: pull image manifest has been retried 7 time(s)".into(),
        };
        let service = self.service_mut(key);
        service.steady = false;
        service.starts.failed += 1;
        let Starts { failed, pauses, throttled_until } = service.starts;
        // Tasks of one round fail one after the other and make one pause.
        let paused = throttled_until.is_some_and(|until| now < until);
        if failed >= env.facts.start_throttle_after && !paused {
            let pause = env.facts.start_throttle.saturating_mul(1 << pauses.min(10)).min(env.facts.start_throttle_cap);
            service.starts.pauses += 1;
            service.starts.throttled_until = Some(now + pause);
            // Said with every pause: a try lies between, so it is no repeat of the message before.
            service.say(now, "is unable to consistently start tasks successfully.");
            env.agenda.plan(now + pause, Action::Schedule(key));
            self.emit_start_impaired(env, key);
        }
        let service = self.service(key);
        let of = service.tasks.get(&task).map(|t| t.deployment);
        let deployment = service.deployments.iter().position(|d| Some(d.id) == of);
        self.stop_task(env, key, task, stop, Duration::ZERO);
        if let Some(deployment) = deployment {
            self.task_failed(env, key, deployment);
        }
        self.schedule(env, key);
    }

    /// Whether the scheduler has launched as many tasks of the service as it does within a minute (aws-facts.md §4). It goes on when
    /// the minute is over.
    pub(crate) fn launches_too_fast(&mut self, env: &mut Env<'_>, key: ServiceKey) -> bool {
        let (now, most) = (env.now, env.facts.service_launches_per_minute);
        let service = self.service_mut(key);
        if now.since(service.launched.0) >= MINUTE || service.launched.1 == 0 {
            service.launched = (now, 0);
        }
        let too_fast = service.launched.1 >= most;
        if too_fast {
            let until = service.launched.0 + MINUTE;
            service.throttled_until = Some(until);
            env.agenda.plan(until, Action::Schedule(key));
        }
        too_fast
    }
}

impl Ecs {
    /// A task that has just begun to run may be one of a failing application.
    pub(crate) fn plan_failure(&mut self, env: &mut Env<'_>, key: ServiceKey, task: TaskKey) {
        if self.service(key).application == Application::Crashes {
            let at = env.now + env.dice.ecs.within(FAILS_AFTER);
            env.agenda.plan(at, Action::Fail(key, task));
        }
    }

    /// A task's essential container exits.
    pub(crate) fn fail_task(&mut self, env: &mut Env<'_>, key: ServiceKey, task: TaskKey) {
        let service = self.service_mut(key);
        if service.application == Application::Sound || !service.tasks.get(&task).is_some_and(|t| t.is_running()) {
            return;
        }
        let stop = Stop { code: Some("EssentialContainerExited"), reason: "Essential container in task exited".into() };
        service.steady = false;
        let of = service.tasks.get(&task).map(|t| t.deployment);
        let deployment = service.deployments.iter().position(|d| Some(d.id) == of);
        self.stop_task(env, key, task, stop, Duration::ZERO);
        if let Some(deployment) = deployment {
            self.task_failed(env, key, deployment);
        }
        self.schedule(env, key);
    }
}

#[cfg(test)]
mod tests;
