//! Spot and On-Demand capacity per account, and the account's quotas (aws-facts.md §4).

use std::cmp::Ordering;

use handlers::service::AccountId;
use handlers::strategy::CapacityProvider;
use handlers::timestamp::Timestamp;

use crate::ecs::Ecs;
use crate::ecs::action::{Action, Reclaim};
use crate::ecs::env::Env;
use crate::ids::{ServiceKey, TaskKey};
use crate::observers::trace::Happening;
use crate::spec::{Capacity, Loss};

/// The two markets of one account.
#[derive(Debug)]
pub(crate) struct Markets {
    pub(crate) spot: Market,
    pub(crate) on_demand: Market,
    /// Whether failed Spot placements are told (aws-facts.md §2.6).
    pub(crate) spot_is_silent: bool,
    /// Availability Zones without Spot capacity, a bit each.
    pub(crate) short_zones: u8,
    /// When Spot first got more capacity after it last lost some.
    pub(crate) spot_back_at: Option<Timestamp>,
    /// The account's services.
    pub(crate) services: Vec<ServiceKey>,
}

/// Capacity and what is taken of it, in tasks; the account's own limits on top.
#[derive(Debug)]
pub(crate) struct Market {
    pub(crate) capacity: Capacity,
    pub(crate) used: u32,
    /// CPU units of the running tasks, 1024 to a vCPU.
    used_cpu: u64,
    /// Launches left in the bucket, in thousandths, as of the time beside it; `None` is a full one.
    launches: Option<(Timestamp, u64)>,
}

/// What speaks against one more task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// AWS has no room.
    Capacity,
    /// The account's vCPU quota is used up (aws-facts.md §4).
    Quota,
    /// The account launches tasks too fast (aws-facts.md §4).
    LaunchRate,
}

impl Market {
    fn unlimited() -> Self {
        Self { capacity: Capacity::Unlimited, used: 0, used_cpu: 0, launches: None }
    }

    /// Whether a task of this size can start now; if so its launch is booked.
    pub(crate) fn launch(
        &mut self,
        now: Timestamp,
        cpu: u32,
        vcpu_quota: Option<u32>,
        rate: Option<(u32, u32)>,
    ) -> Result<(), Obstacle> {
        if vcpu_quota.is_some_and(|vcpu| self.used_cpu + u64::from(cpu) > u64::from(vcpu) * 1024) {
            return Err(Obstacle::Quota);
        }
        if !self.capacity.has_room(self.used) {
            return Err(Obstacle::Capacity);
        }
        let Some((burst, per_second)) = rate else { return Ok(()) };
        let full = u64::from(burst) * 1000;
        let (at, level) = self.launches.unwrap_or((now, full));
        let level = (level + now.since(at).as_millis() as u64 * u64::from(per_second)).min(full);
        self.launches = Some((now, level.saturating_sub(if level >= 1000 { 1000 } else { 0 })));
        if level >= 1000 { Ok(()) } else { Err(Obstacle::LaunchRate) }
    }

    pub(crate) fn take(&mut self, cpu: u32) {
        self.used += 1;
        self.used_cpu += u64::from(cpu);
    }

    pub(crate) fn give_back(&mut self, cpu: u32) {
        self.used -= 1;
        self.used_cpu -= u64::from(cpu);
    }
}

impl Markets {
    pub(crate) fn unlimited() -> Self {
        Self {
            spot: Market::unlimited(),
            on_demand: Market::unlimited(),
            spot_is_silent: false,
            short_zones: 0,
            spot_back_at: None,
            services: Vec::new(),
        }
    }

    pub(crate) fn of(&mut self, provider: &CapacityProvider) -> &mut Market {
        match provider {
            CapacityProvider::FargateSpot => &mut self.spot,
            _ => &mut self.on_demand,
        }
    }
}

impl Ecs {
    pub(crate) fn move_spot(&mut self, env: &mut Env<'_>, accounts: &[AccountId], capacity: Capacity, loss: Loss) {
        env.record(None, Happening::SpotCapacity { accounts: accounts.to_vec(), capacity, loss });
        for account in accounts {
            let Some(markets) = self.markets.get_mut(account) else { continue };
            match capacity.cmp(&markets.spot.capacity) {
                Ordering::Greater => _ = markets.spot_back_at.get_or_insert(env.now),
                Ordering::Less => markets.spot_back_at = None,
                Ordering::Equal => {}
            }
            markets.spot.capacity = capacity;
            markets.spot_is_silent = loss == Loss::Silent;
            match (capacity, loss) {
                (Capacity::Tasks(most), Loss::Interrupt) => self.reclaim(env, account, most, Reclaim::Warned),
                (Capacity::Tasks(most), Loss::Silent) => self.reclaim(env, account, most, Reclaim::Silently),
                _ => {}
            }
        }
    }

    pub(crate) fn set_on_demand(&mut self, env: &mut Env<'_>, accounts: &[AccountId], capacity: Capacity) {
        env.record(None, Happening::OnDemandCapacity { accounts: accounts.to_vec(), capacity });
        for account in accounts {
            if let Some(markets) = self.markets.get_mut(account) {
                markets.on_demand.capacity = capacity;
            }
        }
    }

    /// Takes Spot tasks of an account back until `most` are left, each at its own moment.
    fn reclaim(&mut self, env: &mut Env<'_>, account: &AccountId, most: u32, how: Reclaim) {
        let mut tasks = self.spot_tasks(account);
        while tasks.len() > most as usize {
            let pick = env.dice.ecs.below(tasks.len() as u64) as usize;
            let (service, task) = tasks.swap_remove(pick);
            let at = env.now + env.dice.ecs.within(env.facts.reclaim_spread);
            env.agenda.plan(at, Action::Reclaim(service, task, how));
        }
    }

    pub(crate) fn spot_tasks(&self, account: &AccountId) -> Vec<(ServiceKey, TaskKey)> {
        let mut tasks = Vec::new();
        for key in self.markets.get(account).into_iter().flat_map(|markets| &markets.services) {
            let spot = self.service(*key).tasks.iter().filter(|(_, t)| t.is_wanted() && t.on_spot());
            tasks.extend(spot.map(|(task, _)| (*key, *task)));
        }
        tasks
    }

    /// Takes running Spot tasks away without a warning, each at its own moment; the market has room for new ones.
    pub(crate) fn rebalance_spot(&mut self, env: &mut Env<'_>, accounts: &[AccountId], most: u32) {
        env.record(None, Happening::SpotRebalance { accounts: accounts.to_vec(), tasks: most });
        for account in accounts {
            let mut tasks = self.spot_tasks(account);
            tasks.retain(|(key, task)| self.service(*key).tasks.get(task).is_some_and(|t| t.is_running()));
            for _ in 0..(most as usize).min(tasks.len()) {
                let pick = env.dice.market.below(tasks.len() as u64) as usize;
                let (service, task) = tasks.swap_remove(pick);
                let at = env.now + env.dice.market.within(env.facts.reclaim_spread);
                env.agenda.plan(at, Action::Reclaim(service, task, Reclaim::Silently));
            }
        }
    }

    /// Warns some Spot tasks of one service, at once.
    pub(crate) fn interrupt(&mut self, env: &mut Env<'_>, service: ServiceKey, tasks: u32) {
        let spot = self.service(service).tasks.iter().filter(|(_, t)| t.is_wanted() && t.on_spot());
        let picked: Vec<TaskKey> = spot.map(|(task, _)| *task).take(tasks as usize).collect();
        for task in picked {
            env.agenda.plan(env.now, Action::Reclaim(service, task, Reclaim::Warned));
        }
    }
}
