//! What excuses a service that waits: each is a span of time, in which nothing is measured and after which the clock begins anew.

use std::collections::BTreeMap;
use std::time::Duration;

use handlers::service::AccountId;
use simulator::spec::{
    BusPolicy, Capacity, Forwarding, FunctionName, FunctionState, QueueAccess, QueueName, Role, ServiceSpec,
    WorldEvent, WorldSpec,
};
use simulator::trace::{Entry, Happening};

use super::super::super::draw::Plan;
use super::super::super::draw::faults::FAULTS;
use super::court::Court;
use super::history::{History, Span};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// When the cell could not see or act: role, event path, queues, functions, faults by chance.
pub(super) struct Broken(BTreeMap<AccountId, Vec<Span>>);

/// What is broken now, of one account.
#[derive(Default)]
struct Now {
    chance: bool,
    paused: bool,
    role: bool,
    forwarding: bool,
    bus: bool,
    left: bool,
    queues: [bool; 2],
    functions: [bool; 3],
}

impl Now {
    fn is_broken(&self) -> bool {
        let Self { chance, paused, role, forwarding, bus, left, queues, functions } = self;
        [chance, paused, role, forwarding, bus, left].into_iter().chain(queues).chain(functions).any(|broken| *broken)
    }

    fn sees(&mut self, account: &AccountId, event: &WorldEvent) {
        let theirs = |accounts: &[AccountId]| accounts.contains(account);
        match event {
            WorldEvent::Calm => self.chance = false,
            WorldEvent::Pause { paused } => self.paused = *paused,
            WorldEvent::Role { accounts, role } if theirs(accounts) => self.role = *role != Role::Present,
            WorldEvent::Forwarding { accounts, forwarding } if theirs(accounts) => {
                self.forwarding = *forwarding != Forwarding::Present;
            }
            WorldEvent::BusPolicy(policy) => self.bus = *policy != BusPolicy::Onboarded,
            WorldEvent::Membership { accounts, member } if theirs(accounts) => self.left = !member,
            WorldEvent::QueueAccess { queue, access } => {
                self.queues[usize::from(*queue == QueueName::Interruption)] = *access != QueueAccess::Reachable;
            }
            WorldEvent::Function { function, state } => {
                let n = match function {
                    FunctionName::PlacementFailure => 0,
                    FunctionName::Interruption => 1,
                    FunctionName::Restore => 2,
                };
                self.functions[n] = *state != FunctionState::Running;
            }
            _ => {}
        }
    }
}

impl Broken {
    pub(super) fn new(plan: &Plan, world: &WorldSpec, end: Duration) -> Self {
        let chance = FAULTS.iter().any(|fault| (fault.get)(&plan.facts) > 0);
        let of = |account: &AccountId| {
            let mut now = Now { chance, ..Now::default() };
            let (mut since, mut spans) = (now.is_broken().then_some(Duration::ZERO), Vec::new());
            let mut events: Vec<_> = world.events.iter().collect();
            events.sort_by_key(|event| event.at);
            for event in events {
                now.sees(account, &event.event);
                match (now.is_broken(), since) {
                    (true, None) => since = Some(event.at),
                    (false, Some(from)) => {
                        spans.push((from, event.at));
                        since = None;
                    }
                    _ => {}
                }
            }
            spans.extend(since.map(|from| (from, end)));
            (account.clone(), spans)
        };
        Self(world.accounts.iter().map(of).collect())
    }
}

/// When a market had less than everybody wanted, by account.
pub(super) struct Markets(BTreeMap<AccountId, Vec<Span>>);

impl Markets {
    pub(super) fn new(trace: &[Entry], end: Duration) -> Self {
        // Spot, On-Demand, and six zones.
        let mut short: BTreeMap<AccountId, [bool; 8]> = BTreeMap::new();
        let mut since: BTreeMap<AccountId, Duration> = BTreeMap::new();
        let mut spans: BTreeMap<AccountId, Vec<Span>> = BTreeMap::new();
        for Entry { at, what, .. } in trace {
            let (accounts, n, is_short) = match what {
                Happening::SpotCapacity { accounts, capacity, .. } => (accounts, 0, *capacity != Capacity::Unlimited),
                Happening::OnDemandCapacity { accounts, capacity } => (accounts, 1, *capacity != Capacity::Unlimited),
                Happening::SpotZone { accounts, zone, short, .. } => (accounts, 2 + usize::from(*zone).min(5), *short),
                _ => continue,
            };
            for account in accounts {
                let short = short.entry(account.clone()).or_default();
                short[n] = is_short;
                if short.contains(&true) {
                    since.entry(account.clone()).or_insert(*at);
                } else if let Some(from) = since.remove(account) {
                    spans.entry(account.clone()).or_default().push((from, *at));
                }
            }
        }
        for (account, from) in since {
            spans.entry(account).or_default().push((from, end));
        }
        Self(spans)
    }
}

/// What excuses one service.
pub(super) struct Excuses {
    /// The cell could not see or act.
    pub(super) broken: Vec<Span>,
    /// Spot, a zone of it, or On-Demand had no room.
    pub(super) market: Vec<Span>,
    /// Its application failed, it was deleted or opted out.
    pub(super) own: Vec<Span>,
    /// A deployment of its owner, or of ECS itself, explained what was missing.
    pub(super) deploying: Vec<Span>,
    /// Its owner did something, its auto scaler did, Spot took a task, or ECS rolled back: the clock begins anew.
    pub(super) acts: Vec<Span>,
    /// AZ rebalancing said that it could not place a task, or somebody put a synthetic event that says so: either fails a restore that
    /// is under way.
    pub(super) noise: Vec<Span>,
    /// A quota of the account refused one of its tasks: the clock begins anew.
    pub(super) over_quota: Vec<Span>,
    /// The day's restores were used up.
    pub(super) capped: Vec<Span>,
    /// Its owner protected tasks, so that no deployment could end.
    pub(super) protected: Vec<Span>,
}

impl Excuses {
    pub(super) fn new(
        spec: &ServiceSpec,
        history: &History,
        broken: &Broken,
        markets: &Markets,
        court: &Court<'_>,
    ) -> Self {
        let of = |all: &BTreeMap<AccountId, Vec<Span>>| all.get(&spec.id.account).cloned().unwrap_or_default();
        let deployments = history.acts.iter().chain(&history.rolled_back);
        let protected = court.world.events.iter().filter_map(|event| match &event.event {
            WorldEvent::Protect { service, time, .. } if *service == spec.id => Some((event.at, event.at + *time)),
            _ => None,
        });
        let arn = spec.id.arn();
        let synthetic = court.world.events.iter().filter_map(|event| match &event.event {
            WorldEvent::PutEvents { resources, .. } if resources.contains(&arn) => Some(event.at),
            _ => None,
        });
        Self {
            broken: of(&broken.0),
            market: of(&markets.0),
            own: history.unsound.iter().chain(&history.out).copied().collect(),
            deploying: deployments.clone().map(|at| (*at, *at + court.policy.deployment_grace)).collect(),
            acts: deployments.chain(&history.taken).chain(&history.scaled).map(|at| (*at, *at)).collect(),
            noise: history.noise.iter().copied().chain(synthetic).map(|at| (at, at)).collect(),
            over_quota: history.over_quota.iter().map(|at| (*at, *at)).collect(),
            capped: capped(&history.restores, court.policy.restores_per_day as usize),
            protected: protected.collect(),
        }
    }
}

/// From the last restore that a day allows until the first of them is a day old.
fn capped(restores: &[Duration], per_day: usize) -> Vec<Span> {
    let full = restores.windows(per_day.max(1)).filter(|window| window[window.len() - 1] < window[0] + DAY);
    full.map(|window| (window[window.len() - 1], window[0] + DAY)).collect()
}

/// What is left of `span` without `excuses`, its longest piece.
pub(super) fn longest(span: Span, excuses: &[&[Span]]) -> Option<Span> {
    let mut pieces = vec![span];
    for (from, to) in excuses.iter().flat_map(|spans| spans.iter().copied()) {
        let mut rest = Vec::with_capacity(pieces.len() + 1);
        for (start, end) in pieces {
            if to < start || from >= end {
                rest.push((start, end));
                continue;
            }
            rest.extend((start < from).then_some((start, from)));
            rest.extend((to < end).then_some((to, end)));
        }
        pieces = rest;
    }
    pieces.into_iter().max_by_key(|(start, end)| (end.saturating_sub(*start), std::cmp::Reverse(*start)))
}
