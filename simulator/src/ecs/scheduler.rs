//! The ECS service scheduler: places tasks by base and weight, rolls deployments within their bounds, keeps retrying where
//! there is no capacity, and never puts On-Demand in the place of Spot (aws-facts.md §3).

use std::time::Duration;

use handlers::strategy::{CapacityProvider, Strategy, StrategyItem};

use crate::ecs::Ecs;
use crate::ecs::action::Action;
use crate::ecs::env::Env;
use crate::ecs::market::Obstacle;
use crate::ecs::messages::{NO_CAPACITY, OVER_QUOTA};
use crate::ecs::task::{SCHEDULER, Stop, Task};
use crate::ids::{ServiceKey, TaskKey};
use crate::observers::trace::{Happening, RollbackCause};

impl Ecs {
    /// Looks at one service and does what is to be done now. Called whenever something about the service changes.
    pub(crate) fn schedule(&mut self, env: &mut Env<'_>, key: ServiceKey) {
        self.stop_superseded(env, key);
        self.start_tasks(env, key);
        self.stop_surplus(env, key);
        self.stop_replaced(env, key);
        self.complete_deployment(env, key);
        self.rebalance_zones(env, key);
        self.note_steady_state(env, key);
        self.note_stuck(env, key);
    }

    fn start_tasks(&mut self, env: &mut Env<'_>, key: ServiceKey) {
        let service = self.service(key);
        if !service.active {
            return;
        }
        let all = service.tasks.values().filter(|t| t.is_wanted()).count();
        let room = service.most_tasks().saturating_sub(all);
        let room = self.replace_lost(env, key, room);
        self.fill_primary(env, key, room);
    }

    /// A revision that is being replaced gets its lost tasks back, by its own strategy, while the lower bound needs them: the
    /// guide says that a task is replaced with its own revision (aws-facts.md §3). Returns the room that is left.
    fn replace_lost(&mut self, env: &mut Env<'_>, key: ServiceKey, mut room: usize) -> usize {
        let (now, healthy_after) = (env.now, env.facts.healthy_after);
        let service = self.service(key);
        let older = 1..service.deployments.len();
        if older.is_empty() {
            return room;
        }
        // A FAILED deployment launches no more tasks (aws-facts.md §1.6).
        let owed = |n: usize| if service.deployments[n].failed { 0 } else { service.deployments[n].lost };
        let owed: Vec<u32> = older.clone().map(owed).collect();
        if !env.facts.old_revision_replaces || owed.iter().all(|tasks| *tasks == 0) {
            return room;
        }
        let serving = service.tasks_of(0).filter(|t| t.is_healthy(now, healthy_after)).count();
        let kept: usize = older.clone().map(|n| service.tasks_of(n).count()).sum();
        let mut needed = service.least_healthy().saturating_sub(serving + kept);
        for n in older {
            let mut unplaced = Vec::new();
            for _ in 0..owed[n - 1] {
                if room == 0 || needed == 0 {
                    return room;
                }
                if self.start_task(env, key, n, &mut unplaced) {
                    self.service_mut(key).deployments[n].lost -= 1;
                    room -= 1;
                    needed -= 1;
                }
            }
        }
        room
    }

    fn fill_primary(&mut self, env: &mut Env<'_>, key: ServiceKey, mut room: usize) {
        let service = self.service(key);
        if service.primary().failed {
            return;
        }
        let missing = (service.desired as usize).saturating_sub(service.tasks_of(0).count());
        let mut unplaced = Vec::new();
        for _ in 0..missing {
            // Only placed tasks take room: a provider without capacity does not hold up the other one's share.
            if room == 0 {
                break;
            }
            if self.start_task(env, key, 0, &mut unplaced) {
                room -= 1;
            }
        }
    }

    /// Starts the next task of a deployment. Tasks that found no room keep their place in the ratio: the FARGATE share does not
    /// grow when Spot is short.
    fn start_task(
        &mut self,
        env: &mut Env<'_>,
        key: ServiceKey,
        deployment: usize,
        unplaced: &mut Vec<CapacityProvider>,
    ) -> bool {
        let provider = self.next_provider(key, deployment, unplaced);
        let placed = !unplaced.contains(&provider) && self.try_place(env, key, deployment, &provider);
        if placed {
            self.add_task(env, key, deployment, &provider);
        } else {
            unplaced.push(provider);
        }
        placed
    }

    /// Where the next task of a deployment belongs, given the tasks it has and those just found unplaceable: base
    /// first, then the provider that the task brings nearest to its share, `(tasks above the base + 1) / weight`. How AWS
    /// rounds is not known (aws-facts.md §12d); here the first listed wins a tie.
    pub(crate) fn next_provider(
        &self,
        key: ServiceKey,
        deployment: usize,
        unplaced: &[CapacityProvider],
    ) -> CapacityProvider {
        let service = self.service(key);
        let strategy: &Strategy = &service.deployments[deployment].strategy;
        let count = |provider: &CapacityProvider| {
            service.tasks_of(deployment).filter(|t| t.provider == *provider).count()
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
    fn try_place(
        &mut self,
        env: &mut Env<'_>,
        key: ServiceKey,
        deployment: usize,
        provider: &CapacityProvider,
    ) -> bool {
        let now = env.now;
        let service = self.service(key);
        let placement = service.placement.get(provider).copied().unwrap_or_default();
        if placement.retry_at.is_some_and(|at| now < at) {
            return false;
        }
        if service.throttled_until.max(service.starts.throttled_until).is_some_and(|until| now < until) {
            return false;
        }
        if self.launches_too_fast(env, key) {
            return false;
        }
        let launched = self.launch(env, key, provider);
        match launched {
            Ok(()) => {
                self.service_mut(key).placement.remove(provider);
            }
            Err(Obstacle::LaunchRate) => self.launch_throttled(env, key),
            Err(obstacle) => self.placement_failed(env, key, deployment, provider, obstacle),
        }
        launched.is_ok()
    }

    /// Books the launch of a task of this service with its market, if nothing speaks against it.
    pub(crate) fn launch(
        &mut self,
        env: &mut Env<'_>,
        key: ServiceKey,
        provider: &CapacityProvider,
    ) -> Result<(), Obstacle> {
        let now = env.now;
        let service = self.service(key);
        let (account, cpu) = (service.id.account.clone(), service.cpu);
        let quota = match provider {
            CapacityProvider::FargateSpot => env.facts.spot_vcpu_quota,
            _ => env.facts.on_demand_vcpu_quota,
        };
        let (rate, zones) = (env.facts.launch_bucket, service.zones);
        let markets = self.markets.get_mut(&account).filter(|m| m.has_a_zone(provider, zones));
        markets.map_or(Err(Obstacle::Capacity), |m| m.of(provider).launch(now, cpu, quota, rate))?;
        self.service_mut(key).launched.1 += 1;
        Ok(())
    }

    /// A task of a deployment did not become healthy. The circuit breaker judges the primary deployment, its threshold is half the
    /// desired count, at least 3 and at most 200 (aws-facts.md §1.6).
    pub(crate) fn task_failed(&mut self, env: &mut Env<'_>, key: ServiceKey, deployment: usize) {
        let service = self.service_mut(key);
        let threshold = service.desired.div_ceil(2).clamp(3, 200);
        let judged = service.circuit_breaker && deployment == 0;
        let deployment = &mut service.deployments[deployment];
        deployment.failed_tasks += 1;
        let failed_tasks = deployment.failed_tasks;
        let trips = judged && !deployment.completed && !deployment.failed && failed_tasks >= threshold;
        if trips {
            self.roll_back(env, key, RollbackCause::Breaker);
        }
    }

    fn placement_failed(
        &mut self,
        env: &mut Env<'_>,
        key: ServiceKey,
        deployment: usize,
        provider: &CapacityProvider,
        obstacle: Obstacle,
    ) {
        if env.facts.breaker_counts_placement {
            self.task_failed(env, key, deployment);
        }
        let now = env.now;
        let pause = env.facts.placement_retry;
        let service = self.service_mut(key);
        let placement = service.placement.entry(provider.clone()).or_default();
        let pause = pause.saturating_mul(1 << placement.failures.min(10)).min(env.facts.placement_retry_cap);
        // Up to a tenth more, so that a fleet does not retry in step.
        let spread = pause.as_millis() as u64 / 10;
        let retry_at = now + pause + Duration::from_millis(env.dice.ecs.below(spread + 1));
        placement.failures += 1;
        let first = placement.failures == 1;
        placement.retry_at = Some(retry_at);
        let fresh = placement.told_at.is_none_or(|at| now.since(at) >= env.facts.suppress_repeats);
        let on_spot = *provider == CapacityProvider::FargateSpot;
        let silent = on_spot
            && obstacle == Obstacle::Capacity
            && self.markets.get(&self.service(key).id.account).is_some_and(|m| m.spot_is_silent);
        env.agenda.plan(retry_at, Action::Schedule(key));
        if on_spot {
            env.seen.ledgers[key.0].loss(now);
        }
        if !fresh {
            return;
        }
        let service = self.service_mut(key);
        if let (Some(placement), false) = (service.placement.get_mut(provider), silent) {
            placement.told_at = Some(now);
        }
        if silent && !first {
            return;
        }
        let over_quota = obstacle == Obstacle::Quota;
        let announced = !silent;
        env.record(
            Some(self.service(key).name),
            Happening::PlacementFailure { provider: provider.clone(), announced, over_quota },
        );
        if !silent {
            self.service_mut(key).say(now, if over_quota { OVER_QUOTA } else { NO_CAPACITY });
            self.emit_placement_failure(env, key, provider);
        }
    }

    /// Scale-in. Which tasks go first is not known (aws-facts.md §12d); here the newest that are not protected.
    fn stop_surplus(&mut self, env: &mut Env<'_>, key: ServiceKey) {
        let now = env.now;
        let service = self.service(key);
        let (most, primary) = (service.desired as usize + service.being_moved(), &service.primary().id);
        let of_primary = || service.tasks.iter().filter(|(_, t)| t.is_wanted() && t.deployment == *primary);
        let surplus = of_primary().count().saturating_sub(most);
        if surplus == 0 {
            return;
        }
        let tasks: Vec<TaskKey> = of_primary().filter(|(_, t)| !t.is_protected(now)).map(|(task, _)| *task).collect();
        let stay = tasks.len().saturating_sub(surplus);
        for task in tasks.into_iter().skip(stay) {
            self.stop_by_scheduler(env, key, task, "Scaling activity initiated by");
        }
    }

    /// Stops tasks of replaced deployments, never below the lower bound of healthy tasks. One that is not healthy goes at once
    /// unless that bound waits for it.
    fn stop_replaced(&mut self, env: &mut Env<'_>, key: ServiceKey) {
        let (now, healthy_after) = (env.now, env.facts.healthy_after);
        if self.service(key).deployments.len() == 1 || !self.has_baked(env, key) {
            return;
        }
        let service = self.service(key);
        let least = service.least_healthy();
        let primary = &service.deployments[0].id;
        let healthy = service.tasks.values().filter(|t| t.is_healthy(now, healthy_after)).count();
        let mut spare = healthy.saturating_sub(least);
        let mut awaited = if env.facts.old_revision_replaces { least.saturating_sub(healthy) } else { 0 };
        let mut going = Vec::new();
        let replaced = |t: &Task| t.is_wanted() && t.deployment != *primary && !t.is_protected(now);
        for (task, state) in service.tasks.iter().filter(|(_, t)| replaced(t)) {
            let left = if state.is_healthy(now, healthy_after) { &mut spare } else { &mut awaited };
            let stays = if state.is_healthy(now, healthy_after) { *left == 0 } else { *left > 0 };
            *left = left.saturating_sub(1);
            if !stays {
                going.push(*task);
            }
        }
        if going.is_empty() {
            return;
        }
        for task in going {
            self.stop_by_scheduler(env, key, task, "Scaling activity initiated by");
        }
        self.start_tasks(env, key);
    }

    pub(crate) fn stop_by_scheduler(&mut self, env: &mut Env<'_>, key: ServiceKey, task: TaskKey, why: &str) {
        let drain = env.dice.ecs.within(env.facts.scheduler_stop);
        let service = self.service(key);
        let drain = service.deregistration_delay + drain.min(service.stop_timeout);
        let reason = format!("{why} (deployment {})", service.primary().id);
        self.stop_task(env, key, task, Stop { code: Some(SCHEDULER), reason }, drain);
    }
}

#[cfg(test)]
mod tests;
