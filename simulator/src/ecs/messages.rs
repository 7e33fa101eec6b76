//! What the scheduler says about a service, in its event log and as events (aws-facts.md §2.6).

use std::time::Duration;

use crate::ecs::Ecs;
use crate::ecs::action::Action;
use crate::ecs::env::Env;
use crate::ids::ServiceKey;
use crate::observers::trace::Happening;

pub(crate) const NO_CAPACITY: &str = "was unable to place a task. Reason: Capacity is unavailable at this time. Please try \
    again later or in a different availability zone.";
pub(crate) const OVER_QUOTA: &str =
    "was unable to place a task. Reason: You've reached the limit on the number of vCPUs you can run concurrently";
const STEADY: &str = "has reached a steady state.";
const THROTTLED: &str = "operations are being throttled. Will try again later.";
const STUCK: &str = "was unable to stop or start tasks during a deployment because of the service deployment configuration. \
    Update the minimumHealthyPercent or maximumPercent value and try again.";

/// Pause of a service whose launch was throttled.
const THROTTLED_FOR: Duration = Duration::from_secs(1);

impl Ecs {
    /// Steady says that counts match, nothing about the provider (aws-facts.md §2.6). Tasks count once they are healthy: those
    /// that fail soon after they run make no service steady. It is said again while nothing changes.
    pub(crate) fn note_steady_state(&mut self, env: &mut Env<'_>, key: ServiceKey) {
        let (now, healthy_after) = (env.now, env.facts.healthy_after);
        let again = env.facts.steady_repeat;
        let service = self.service_mut(key);
        let healthy = service.tasks.values().filter(|t| t.is_healthy(now, healthy_after)).count();
        let steady = service.primary().completed && healthy == service.desired as usize;
        if steady && !service.steady {
            service.say(now, STEADY);
            service.steady_told_at = now;
            service.placement.clear();
            env.agenda.plan(now + again, Action::Schedule(key));
            env.seen.ledgers[key.0].steady();
            env.record(Some(self.service(key).name), Happening::SteadyState);
            self.emit_steady_state(env, key);
            self.watch_zones(env, key);
        } else if steady && service.active && now.since(service.steady_told_at) >= again {
            service.say(now, STEADY);
            service.steady_told_at = now;
            env.agenda.plan(now + again, Action::Schedule(key));
            // A fleet says it all the time, and no rule of the product looks at it.
            if self.audience.hears_of_steady_states(env.bus) {
                self.emit_steady_state(env, key);
            }
        }
        self.service_mut(key).steady = steady;
    }

    /// The bounds of a deployment let nothing start and nothing stop (aws-facts.md §3).
    pub(crate) fn note_stuck(&mut self, env: &mut Env<'_>, key: ServiceKey) {
        let (now, healthy_after) = (env.now, env.facts.healthy_after);
        let again = env.facts.suppress_repeats;
        let service = self.service_mut(key);
        if service.deployments.len() == 1 || service.primary().failed || service.tasks_of(0).next().is_some() {
            return;
        }
        let wanted = service.tasks.values().filter(|t| t.is_wanted());
        let (all, healthy) =
            wanted.fold((0, 0), |(all, healthy), t| (all + 1, healthy + usize::from(t.is_healthy(now, healthy_after))));
        let stuck =
            service.desired > 0 && all == healthy && all >= service.most_tasks() && healthy <= service.least_healthy();
        if stuck && service.stuck_told_at.is_none_or(|at| now.since(at) >= again) {
            service.say(now, STUCK);
            service.stuck_told_at = Some(now);
            env.agenda.plan(now + again, Action::Schedule(key));
        }
    }

    /// The account launches tasks faster than it may; the service tries again soon (aws-facts.md §4).
    pub(crate) fn launch_throttled(&mut self, env: &mut Env<'_>, key: ServiceKey) {
        let now = env.now;
        // Services of a fleet do not all come back in the same moment.
        let until = now + THROTTLED_FOR + Duration::from_millis(key.0 as u64 % 500);
        let again = env.facts.suppress_repeats;
        let service = self.service_mut(key);
        service.throttled_until = Some(until);
        let fresh = service.throttled_told_at.is_none_or(|at| now.since(at) >= again);
        env.agenda.plan(until, Action::Schedule(key));
        if fresh {
            let service = self.service_mut(key);
            service.throttled_told_at = Some(now);
            service.say(now, THROTTLED);
            self.emit_throttled(env, key);
        }
    }
}
