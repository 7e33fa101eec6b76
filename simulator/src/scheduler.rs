//! The ECS service scheduler: places tasks by base and weight, rolls deployments within their bounds, keeps retrying where
//! there is no capacity, and never puts On-Demand in the place of Spot (aws-facts.md §3).

use std::time::Duration;

use handlers::strategy::{CapacityProvider, Strategy, StrategyItem};

use crate::agenda::Action;
use crate::ecs::{ServiceKey, TaskKey};
use crate::task::{Status, Stop, Task};
use crate::trace::Happening;
use crate::world::World;

impl World {
    /// Looks at one service and does what is to be done now. Called whenever something about the service changes.
    pub(crate) fn schedule(&mut self, key: ServiceKey) {
        self.start_tasks(key);
        self.stop_surplus(key);
        self.stop_replaced(key);
        self.complete_deployment(key);
        self.note_steady_state(key);
    }

    fn start_tasks(&mut self, key: ServiceKey) {
        let service = self.ecs.service(key);
        if service.primary().failed || !service.active {
            return;
        }
        let desired = service.desired as usize;
        let most = desired * service.maximum_percent as usize / 100;
        let primary = self.primary_tasks(key).count();
        let all = service.tasks.values().filter(|t| t.is_wanted()).count();
        let mut room = most.saturating_sub(all);
        // Tasks that found no room keep their place in the ratio: the FARGATE share does not grow when Spot is short.
        let mut unplaced: Vec<CapacityProvider> = Vec::new();
        for _ in 0..desired.saturating_sub(primary) {
            // Only placed tasks take room: a provider without capacity does not hold up the other one's share.
            if room == 0 {
                break;
            }
            let provider = self.next_provider(key, &unplaced);
            if self.try_place(key, &provider, unplaced.contains(&provider)) {
                self.add_task(key, &provider);
                room -= 1;
            } else {
                unplaced.push(provider);
            }
        }
    }

    fn primary_tasks(&self, key: ServiceKey) -> impl Iterator<Item = (&TaskKey, &Task)> {
        let service = self.ecs.service(key);
        service.tasks.iter().filter(|(_, t)| t.is_wanted() && t.deployment == service.deployments[0].id)
    }

    /// Where the next task of the primary deployment belongs, given the tasks it has and those just found unplaceable: base
    /// first, then the provider that the task brings nearest to its share, `(tasks above the base + 1) / weight`. How AWS
    /// rounds is not known (aws-facts.md §12d); here the first listed wins a tie.
    pub(crate) fn next_provider(&self, key: ServiceKey, unplaced: &[CapacityProvider]) -> CapacityProvider {
        let strategy: &Strategy = &self.ecs.service(key).primary().strategy;
        let count = |provider: &CapacityProvider| {
            self.primary_tasks(key).filter(|(_, t)| t.provider == *provider).count()
                + unplaced.iter().filter(|p| *p == provider).count()
        };
        let items = strategy.items().iter().filter(|item| item.weight > 0);
        let items: Vec<_> = items.map(|item| (item, count(&item.capacity_provider))).collect();
        let below_base = items.iter().find(|(item, count)| *count < item.base as usize);
        // Fractions compared crosswise: a/b < c/d as a·d < c·b.
        let share = |(item, count): &(&StrategyItem, usize), other: &StrategyItem| {
            (count.saturating_sub(item.base as usize) + 1) * other.weight as usize
        };
        let nearest = || items.iter().min_by(|a, b| share(a, b.0).cmp(&share(b, a.0)));
        match below_base.or_else(nearest) {
            Some((item, _)) => item.capacity_provider.clone(),
            // A valid strategy has an item with a weight above 0.
            None => CapacityProvider::Fargate,
        }
    }

    /// Whether a task fits. After a failure the provider is left alone until its retry is due.
    fn try_place(&mut self, key: ServiceKey, provider: &CapacityProvider, failed_just_now: bool) -> bool {
        if failed_just_now {
            return false;
        }
        let now = self.now;
        let service = self.ecs.service(key);
        let placement = service.placement.get(provider).copied().unwrap_or_default();
        if placement.retry_at.is_some_and(|at| now < at) {
            return false;
        }
        let account = service.id.account.clone();
        let has_room = self.ecs.markets.get_mut(&account).is_some_and(|markets| {
            let market = markets.of(provider);
            market.capacity.has_room(market.used)
        });
        if has_room {
            self.ecs.service_mut(key).placement.remove(provider);
        } else {
            self.placement_failed(key, provider);
        }
        has_room
    }

    /// A task of the primary deployment did not become healthy. Three in a row are said to be the application's fault; the
    /// circuit breaker's threshold is half the desired count, at least 3 and at most 200 (aws-facts.md §1.6).
    pub(crate) fn task_failed(&mut self, key: ServiceKey) {
        let now = self.now;
        let service = self.ecs.service_mut(key);
        let threshold = service.desired.div_ceil(2).clamp(3, 200);
        let deployment = &mut service.deployments[0];
        deployment.failed_tasks += 1;
        let failed_tasks = deployment.failed_tasks;
        let trips = service.circuit_breaker && !deployment.completed && !deployment.failed && failed_tasks >= threshold;
        if service.application_fails && failed_tasks.is_multiple_of(3) {
            service.say(now, "is unable to consistently start tasks successfully.");
        }
        if trips {
            self.roll_back(key);
        }
    }

    fn placement_failed(&mut self, key: ServiceKey, provider: &CapacityProvider) {
        if self.facts.breaker_counts_placement {
            self.task_failed(key);
        }
        let now = self.now;
        let pause = self.facts.placement_retry;
        let service = self.ecs.service_mut(key);
        let placement = service.placement.entry(provider.clone()).or_default();
        let pause = pause.saturating_mul(1 << placement.failures.min(10)).min(self.facts.placement_retry_cap);
        // Up to a tenth more, so that a fleet does not retry in step.
        let spread = pause.as_millis() as u64 / 10;
        let retry_at = now + pause + Duration::from_millis(self.dice.ecs.below(spread + 1));
        placement.failures += 1;
        let first = placement.failures == 1;
        placement.retry_at = Some(retry_at);
        let fresh = placement.told_at.is_none_or(|at| now.since(at) >= self.facts.suppress_repeats);
        let id = service.id.clone();
        let on_spot = *provider == CapacityProvider::FargateSpot;
        let silent = on_spot && self.ecs.markets.get(&id.account).is_some_and(|m| m.spot_is_silent);
        self.agenda.plan(retry_at, Action::Schedule(key));
        if on_spot {
            self.ledgers[key.0].loss(now);
        }
        if !fresh {
            return;
        }
        let service = self.ecs.service_mut(key);
        if let (Some(placement), false) = (service.placement.get_mut(provider), silent) {
            placement.told_at = Some(now);
        }
        if silent && !first {
            return;
        }
        self.record(Some(&id), Happening::PlacementFailure { provider: provider.clone(), announced: !silent });
        if !silent {
            self.ecs.service_mut(key).say(
                now,
                "was unable to place a task. Reason: Capacity is unavailable at this time. Please try again later or in a \
                 different availability zone.",
            );
            self.emit_placement_failure(key, provider);
        }
    }

    /// Scale-in. Which tasks go first is not known (aws-facts.md §12d); here the newest.
    fn stop_surplus(&mut self, key: ServiceKey) {
        let desired = self.ecs.service(key).desired as usize;
        let tasks: Vec<TaskKey> = self.primary_tasks(key).map(|(task, _)| *task).collect();
        for task in tasks.into_iter().skip(desired) {
            self.stop_by_scheduler(key, task, "Scaling activity initiated by");
        }
    }

    /// Stops tasks of replaced deployments, never below the lower bound of healthy tasks.
    fn stop_replaced(&mut self, key: ServiceKey) {
        let (now, healthy_after) = (self.now, self.facts.healthy_after);
        let service = self.ecs.service(key);
        if service.deployments.len() == 1 {
            return;
        }
        let least = (service.desired * service.minimum_healthy_percent).div_ceil(100) as usize;
        let primary = &service.deployments[0].id;
        let healthy = service.tasks.values().filter(|t| t.is_healthy(now, healthy_after)).count();
        let mut spare = healthy.saturating_sub(least);
        let mut going = Vec::new();
        for (task, state) in service.tasks.iter().filter(|(_, t)| t.is_wanted() && t.deployment != *primary) {
            if !state.is_healthy(now, healthy_after) {
                going.push(*task);
            } else if spare > 0 {
                spare -= 1;
                going.push(*task);
            }
        }
        if going.is_empty() {
            return;
        }
        for task in going {
            self.stop_by_scheduler(key, task, "Scaling activity initiated by");
        }
        self.start_tasks(key);
    }

    fn stop_by_scheduler(&mut self, key: ServiceKey, task: TaskKey, why: &str) {
        let drain = self.dice.ecs.within(self.facts.scheduler_stop);
        let service = self.ecs.service(key);
        let drain = drain.min(service.stop_timeout);
        let reason = format!("{why} (deployment {})", service.primary().id);
        self.stop_task(key, task, Stop { code: Some("ServiceSchedulerInitiated"), reason }, drain);
    }

    fn complete_deployment(&mut self, key: ServiceKey) {
        let (now, healthy_after) = (self.now, self.facts.healthy_after);
        let service = self.ecs.service(key);
        let primary = service.primary();
        if primary.completed || now < primary.earliest_completion {
            return;
        }
        let healthy = self.primary_tasks(key).filter(|(_, t)| t.is_healthy(now, healthy_after)).count();
        let replaced = service.tasks.values().any(|t| t.deployment != primary.id && t.status != Status::Stopped);
        if healthy < service.desired as usize || replaced {
            return;
        }
        let service = self.ecs.service_mut(key);
        service.deployments.truncate(1);
        service.deployments[0].completed = true;
        service.deployments[0].failed_tasks = 0;
        service.last_completed = Some(service.deployments[0].strategy.clone());
        let (id, deployment) = (service.id.clone(), service.deployments[0].clone());
        self.record(Some(&id), Happening::DeploymentCompleted { strategy: deployment.strategy });
        let reason = format!("ECS deployment {} completed.", deployment.id);
        self.emit_deployment(key, "SERVICE_DEPLOYMENT_COMPLETED", &deployment.id, &reason);
    }

    /// Steady says that counts match, nothing about the provider (aws-facts.md §2.6). Tasks count once they are healthy: those
    /// that fail soon after they run make no service steady.
    fn note_steady_state(&mut self, key: ServiceKey) {
        let (now, healthy_after) = (self.now, self.facts.healthy_after);
        let service = self.ecs.service(key);
        let healthy = service.tasks.values().filter(|t| t.is_healthy(now, healthy_after)).count();
        let steady = service.primary().completed && healthy == service.desired as usize;
        if steady && !service.steady {
            let service = self.ecs.service_mut(key);
            service.say(now, "has reached a steady state.");
            service.placement.clear();
            let id = service.id.clone();
            self.ledgers[key.0].steady();
            self.record(Some(&id), Happening::SteadyState);
            self.emit_steady_state(key);
        }
        self.ecs.service_mut(key).steady = steady;
    }
}

#[cfg(test)]
pub(crate) mod tests;
