//! Availability Zones: a service's tasks are spread over its zones, each provider's apart; Spot can be short in one zone alone; and
//! AZ rebalancing moves tasks of a service in a steady state whose zones are uneven (aws-facts.md §1.6, §2.2, §3).
//!
//! It moves one task at a time: one more starts in the emptiest zone, and once that is healthy one of the fullest stops.

use std::time::Duration;

use handlers::service::{AccountId, Region};
use handlers::strategy::CapacityProvider;

use crate::ecs::Ecs;
use crate::ecs::action::{Action, Reclaim};
use crate::ecs::env::Env;
use crate::ecs::market::{Markets, Obstacle};
use crate::ecs::service::{MAX_ZONES, Rebalancing, Service};
use crate::ecs::task::Task;
use crate::ids::{ServiceKey, TaskKey};
use crate::observers::trace::Happening;
use crate::spec::Loss;

const STARTED: &str = "SERVICE_REBALANCING_STARTED";

const COMPLETED: &str = "SERVICE_REBALANCING_COMPLETED";

const STOPPED: &str = "SERVICE_REBALANCING_STOPPED";

/// As ECS names it, such as `eu-west-1a`.
pub(crate) fn zone_name(region: &Region, zone: u8) -> String {
    format!("{region}{}", char::from(b'a' + zone))
}

impl Markets {
    /// Whether one of a service's zones has capacity of this provider.
    pub(crate) fn has_a_zone(&self, provider: &CapacityProvider, zones: u8) -> bool {
        (0..zones).any(|zone| !self.is_short_in(provider, zone))
    }

    fn is_short_in(&self, provider: &CapacityProvider, zone: u8) -> bool {
        *provider == CapacityProvider::FargateSpot && self.short_zones >> zone & 1 == 1
    }
}

impl Service {
    /// Wanted tasks of a deployment on one provider, by zone.
    fn by_zone(&self, deployment: usize, provider: &CapacityProvider) -> [u32; MAX_ZONES] {
        let mut counts = [0; MAX_ZONES];
        let tasks = self.tasks_of(deployment).filter(|t| t.provider == *provider);
        tasks.for_each(|task| counts[usize::from(task.zone)] += 1);
        counts
    }

    /// A provider with two tasks more in one zone than in another, its fullest zone, and its emptiest.
    fn uneven(&self) -> Option<(CapacityProvider, u8, u8)> {
        let items = self.primary().strategy.items().iter().filter(|item| item.weight > 0);
        items.map(|item| &item.capacity_provider).find_map(|provider| {
            let counts = self.by_zone(0, provider);
            let count = |zone: &u8| counts[usize::from(*zone)];
            let (fullest, emptiest) = ((0..self.zones).max_by_key(count)?, (0..self.zones).min_by_key(count)?);
            (count(&fullest) > count(&emptiest) + 1).then(|| (provider.clone(), fullest, emptiest))
        })
    }

    /// Tasks that AZ rebalancing has on top of the desired count: one or none.
    pub(crate) fn being_moved(&self) -> usize {
        let extra = self.rebalancing.and_then(|state| state.extra);
        usize::from(extra.is_some_and(|task| self.tasks.get(&task).is_some_and(|t| t.is_wanted())))
    }

    /// `2 tasks in eu-west-1a, 0 tasks in eu-west-1b`.
    fn spread(&self) -> String {
        let tasks = |zone| self.tasks_of(0).filter(|t| t.zone == zone).count();
        let zones =
            (0..self.zones).map(|zone| format!("{} tasks in {}", tasks(zone), zone_name(&self.id.region, zone)));
        zones.collect::<Vec<_>>().join(", ")
    }
}

impl Ecs {
    /// One zone of some accounts runs out of Spot capacity, or has it again.
    pub(crate) fn set_spot_zone(
        &mut self,
        env: &mut Env<'_>,
        accounts: Vec<AccountId>,
        zone: u8,
        short: bool,
        loss: Loss,
    ) {
        if usize::from(zone) >= MAX_ZONES {
            return;
        }
        let (now, spread) = (env.now, env.facts.reclaim_spread);
        for account in &accounts {
            let Some(markets) = self.markets.get_mut(account) else { continue };
            if !short {
                markets.short_zones &= !(1 << zone);
                markets.spot_back_at = Some(now);
                continue;
            }
            markets.short_zones |= 1 << zone;
            markets.spot_is_silent = loss == Loss::Silent;
            let how = match loss {
                Loss::Interrupt => Reclaim::Warned,
                Loss::Silent => Reclaim::Silently,
                Loss::Keep => continue,
            };
            for (key, task) in self.spot_tasks(account) {
                if self.service(key).tasks.get(&task).is_some_and(|t| t.zone == zone) {
                    env.agenda.plan(now + env.dice.market.within(spread), Action::Reclaim(key, task, how));
                }
            }
        }
        env.record(None, Happening::SpotZone { accounts, zone, short, loss });
    }

    /// The zone of the next task of a deployment: that with the fewest of its tasks, among those with capacity. Where two have as few,
    /// services differ in which they take, or all services with one task would be in the same zone.
    pub(crate) fn next_zone(&self, key: ServiceKey, deployment: usize, provider: &CapacityProvider) -> u8 {
        let service = self.service(key);
        if service.zones == 1 {
            return 0;
        }
        let markets = self.markets.get(&service.id.account);
        let counts = service.by_zone(deployment, provider);
        let first = (key.0 % usize::from(service.zones)) as u8;
        let zones = (0..service.zones).map(|n| (first + n) % service.zones);
        let open = zones.filter(|zone| markets.is_none_or(|m| !m.is_short_in(provider, *zone)));
        open.min_by_key(|zone| counts[usize::from(*zone)]).unwrap_or(first)
    }

    /// A service has reached a steady state: from then on ECS looks at its zones.
    pub(crate) fn watch_zones(&mut self, env: &mut Env<'_>, key: ServiceKey) {
        let next_at = env.now + env.facts.rebalancing_delay;
        let service = self.service_mut(key);
        let applies = service.zone_rebalancing && service.maximum_percent > 100;
        match service.rebalancing {
            // It waited because the service was short.
            Some(state) => env.agenda.plan(env.now.max(state.next_at), Action::Schedule(key)),
            None if applies && service.uneven().is_some() => {
                service.rebalancing =
                    Some(Rebalancing { next_at, begun: false, extra: None, failures: 0, told_at: None });
                env.agenda.plan(next_at, Action::Schedule(key));
            }
            None => {}
        }
    }

    /// Takes AZ rebalancing a step further, where there is any. A deployment stops it; a service that is short waits.
    pub(crate) fn rebalance_zones(&mut self, env: &mut Env<'_>, key: ServiceKey) {
        let (now, healthy_after) = (env.now, env.facts.healthy_after);
        let service = self.service(key);
        let Some(mut state) = service.rebalancing else { return };
        if !service.active || !service.primary().completed {
            self.end_rebalancing(env, key, STOPPED);
            return;
        }
        if let Some(extra) = state.extra {
            match service.tasks.get(&extra).filter(|t| t.is_wanted()) {
                Some(task) if !task.is_healthy(now, healthy_after) => return,
                Some(_) => self.finish_move(env, key, extra),
                // Lost before it could take over.
                None => {}
            }
            let Some(goes_on) = &mut self.service_mut(key).rebalancing else { return };
            goes_on.extra = None;
            state = *goes_on;
        }
        let service = self.service(key);
        if now < state.next_at || !service.steady {
            return;
        }
        match service.uneven() {
            None => self.end_rebalancing(env, key, COMPLETED),
            Some(_) if service.tasks_of(0).count() >= service.most_tasks() => self.end_rebalancing(env, key, STOPPED),
            Some((provider, _, emptiest)) => self.start_move(env, key, state, &provider, emptiest),
        }
    }

    /// One task more, in the emptiest zone. Without capacity there it is the event of a shortage, though every task runs
    /// (aws-facts.md §2.2).
    fn start_move(
        &mut self,
        env: &mut Env<'_>,
        key: ServiceKey,
        mut state: Rebalancing,
        provider: &CapacityProvider,
        zone: u8,
    ) {
        let now = env.now;
        if !std::mem::replace(&mut state.begun, true) {
            let spread = self.service(key).spread();
            self.tell_rebalancing(
                env,
                key,
                STARTED,
                &format!("is not AZ balanced with {spread}. AZ Rebalancing in progress."),
            );
        }
        let service = self.service(key);
        let markets = self.markets.get(&service.id.account);
        let short = markets.is_none_or(|m| m.is_short_in(provider, zone));
        let silent = markets.is_some_and(|m| m.spot_is_silent);
        let launched = if short { Err(Obstacle::Capacity) } else { self.launch(env, key, provider) };
        if launched.is_ok() {
            state.failures = 0;
            state.extra = Some(self.add_task_in(env, zone, key, 0, provider));
            self.service_mut(key).rebalancing = Some(state);
            return;
        }
        let pause = env.facts.placement_retry.saturating_mul(1 << state.failures.min(10));
        let pause = pause.min(env.facts.placement_retry_cap);
        state.failures += 1;
        state.next_at = now + pause;
        let fresh = state.told_at.is_none_or(|at| now.since(at) >= env.facts.suppress_repeats);
        if fresh && !silent {
            state.told_at = Some(now);
        }
        self.service_mut(key).rebalancing = Some(state);
        env.agenda.plan(now + pause.max(Duration::from_millis(1)), Action::Schedule(key));
        if fresh && !silent {
            self.rebalancing_failed(env, key, provider);
        }
    }

    /// AZ rebalancing could not start a task.
    pub(crate) fn rebalancing_failed(&mut self, env: &mut Env<'_>, key: ServiceKey, provider: &CapacityProvider) {
        let now = env.now;
        let service = self.service_mut(key);
        service.say(now, "is unable to place a task in Availability Zone.");
        env.record(Some(self.service(key).name), Happening::Rebalancing { what: "SERVICE_TASK_PLACEMENT_FAILURE" });
        self.emit_placement_failure(env, key, provider);
    }

    /// The extra task is healthy: the newest of the fullest zone goes, unless the extra one has meanwhile made up for a lost task.
    /// Where only protected tasks could go, the extra one does, and that was all.
    fn finish_move(&mut self, env: &mut Env<'_>, key: ServiceKey, extra: TaskKey) {
        let now = env.now;
        let service = self.service(key);
        let Some(moved) = service.tasks.get(&extra) else { return };
        if service.tasks_of(0).count() <= service.desired as usize {
            return;
        }
        let counts = service.by_zone(0, &moved.provider);
        let count = |task: &Task| counts[usize::from(task.zone)];
        let may_go = |task: &Task| {
            task.is_wanted()
                && task.provider == moved.provider
                && task.deployment == moved.deployment
                && count(task) > count(moved)
                && !task.is_protected(now)
        };
        // Of several, the last is the newest.
        let goes = service.tasks.iter().filter(|(_, t)| may_go(t)).max_by_key(|(_, t)| count(t)).map(|(task, _)| *task);
        self.stop_by_scheduler(env, key, goes.unwrap_or(extra), "Availability-zone rebalancing initiated by");
        if goes.is_none() {
            self.end_rebalancing(env, key, STOPPED);
        }
    }

    fn end_rebalancing(&mut self, env: &mut Env<'_>, key: ServiceKey, event_name: &'static str) {
        let service = self.service_mut(key);
        let begun = service.rebalancing.take().is_some_and(|state| state.begun);
        if begun && service.active {
            let text = match event_name {
                COMPLETED => format!("is AZ balanced with {}.", service.spread()),
                _ => "has stopped AZ rebalancing.".to_owned(),
            };
            self.tell_rebalancing(env, key, event_name, &text);
        }
    }

    fn tell_rebalancing(&mut self, env: &mut Env<'_>, key: ServiceKey, event_name: &'static str, text: &str) {
        let now = env.now;
        let service = self.service_mut(key);
        service.say(now, text);
        env.record(Some(self.service(key).name), Happening::Rebalancing { what: event_name });
        self.emit_rebalancing(env, key, event_name);
    }
}

#[cfg(test)]
mod tests;
