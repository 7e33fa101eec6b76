//! What happened to one service, as plain data, read off the trace.

use std::collections::BTreeMap;
use std::time::Duration;

use handlers::record::Phase;
use handlers::service::ServiceId;
use handlers::strategy::{CapacityProvider, Strategy};
use simulator::Outcome;
use simulator::spec::ServiceSpec;
use simulator::trace::{Caller, Entry, Happening, TaskId};

use super::super::super::draw::Plan;

/// From one time to another.
pub(super) type Span = (Duration, Duration);

/// How long the record was in a phase.
#[derive(Debug, Clone)]
pub(super) struct Stay {
    pub(super) phase: Option<Phase>,
    pub(super) from: Duration,
    pub(super) to: Duration,
    /// Why it was entered.
    pub(super) reason: String,
    /// Failed restores of the episode by then.
    pub(super) failed: u32,
    /// The phase before.
    pub(super) before: Option<Phase>,
}

/// A forced deployment of ours.
#[derive(Debug, Clone)]
pub(super) struct Forced {
    pub(super) at: Duration,
    /// Whether it is to bring tasks to Spot.
    pub(super) to_spot: bool,
    /// Whether a task of the provider it is for has run since.
    pub(super) moved: bool,
    /// When we ourselves put another strategy in its place, if it was we who did.
    pub(super) replaced: Option<Duration>,
}

/// Everything the rules ask about.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) stays: Vec<Stay>,
    /// When fewer tasks ran or were on their way than wanted.
    pub(super) lacking: Vec<Span>,
    /// When fewer tasks ran than wanted.
    pub(super) short: Vec<Span>,
    /// When Spot refused a task for want of room, and whether an event said so.
    pub(super) refused: Vec<(Duration, bool)>,
    /// When a quota of the account refused a task.
    pub(super) over_quota: Vec<Duration>,
    /// When AZ rebalancing said that it could not place a task: the same event, at full count.
    pub(super) noise: Vec<Duration>,
    /// When the owner did something to it.
    pub(super) acts: Vec<Duration>,
    /// When its auto scaler set another count.
    pub(super) scaled: Vec<Duration>,
    /// When ECS rolled a deployment back.
    pub(super) rolled_back: Vec<Duration>,
    /// When Spot took a running task.
    pub(super) taken: Vec<Duration>,
    /// When its application failed, until it was steady again.
    pub(super) unsound: Vec<Span>,
    /// When it was deleted, opted out, or deployed by another controller.
    pub(super) out: Vec<Span>,
    pub(super) forced: Vec<Forced>,
    /// When restores began.
    pub(super) restores: Vec<Duration>,
}

/// Reads one service's history.
struct Reader<'a> {
    spec: &'a ServiceSpec,
    episode_memory: Duration,
    history: History,
    desired: u32,
    uses_spot: bool,
    /// Wanted tasks, on their way and running.
    alive: u32,
    running: u32,
    /// Known tasks: whether they run; `None` is a task on its way out.
    tasks: BTreeMap<TaskId, Option<bool>>,
    phase: Option<Phase>,
    since: Duration,
    reason: String,
    failed: u32,
    restored: Option<Duration>,
    lacking: Option<Duration>,
    short: Option<Duration>,
    unsound: Option<Duration>,
    sound_again: bool,
    out: Option<Duration>,
    unsupported: Option<Duration>,
}

/// The history of every service, in the order of the plan.
pub(super) fn histories(plan: &Plan, outcome: &Outcome, end: Duration) -> Vec<History> {
    let mut numbers: BTreeMap<&ServiceId, usize> = BTreeMap::new();
    let mut readers: Vec<Reader<'_>> = Vec::new();
    for (n, spec) in plan.world.services.iter().enumerate() {
        numbers.insert(&spec.id, n);
        readers.push(Reader::new(spec, plan.world.policy.episode_memory));
    }
    for Entry { at, service, what } in &outcome.trace {
        if let Some(n) = service.as_deref().and_then(|id| numbers.get(id)) {
            readers[*n].sees(*at, what);
        }
    }
    readers.into_iter().map(|reader| reader.end(end)).collect()
}

impl<'a> Reader<'a> {
    fn new(spec: &'a ServiceSpec, episode_memory: Duration) -> Self {
        Self {
            spec,
            episode_memory,
            history: History::default(),
            desired: spec.desired,
            uses_spot: spec.strategy.uses_spot(),
            alive: spec.desired,
            running: spec.desired,
            tasks: BTreeMap::new(),
            phase: None,
            since: Duration::ZERO,
            reason: String::new(),
            failed: 0,
            restored: None,
            lacking: None,
            short: None,
            unsound: None,
            sound_again: false,
            out: None,
            unsupported: None,
        }
    }

    fn sees(&mut self, at: Duration, what: &Happening) {
        match what {
            Happening::Phase { from, to, reason } => self.enters(at, *from, *to, reason),
            Happening::Task { task, provider, status } => self.task(*task, provider, status),
            Happening::Interrupted { task } | Happening::Vanished { task } => {
                self.history.taken.push(at);
                self.goes(*task);
            }
            Happening::PlacementFailure { over_quota: true, .. } => self.history.over_quota.push(at),
            // Of a deployment that was replaced by one without Spot, nothing is to be done.
            Happening::PlacementFailure { provider: CapacityProvider::FargateSpot, announced, .. }
                if self.uses_spot =>
            {
                self.history.refused.push((at, *announced));
            }
            Happening::Rebalancing { what: "SERVICE_TASK_PLACEMENT_FAILURE" } => self.history.noise.push(at),
            Happening::Updated { caller, strategy, desired, .. } => {
                self.updated(at, *caller, strategy.as_ref(), *desired);
            }
            Happening::RolledBack { strategy, .. } => {
                self.uses_spot = strategy.uses_spot();
                self.history.rolled_back.push(at);
                self.replaced(None);
            }
            Happening::Owner { what } => self.owner(at, what),
            Happening::SteadyState | Happening::DeploymentCompleted { .. } if self.sound_again => {
                self.history.unsound.extend(self.unsound.take().map(|from| (from, at)));
                self.sound_again = false;
            }
            _ => {}
        }
        self.count(at);
    }

    fn updated(&mut self, at: Duration, caller: Caller, strategy: Option<&Strategy>, desired: Option<u32>) {
        self.desired = desired.unwrap_or(self.desired);
        match caller {
            Caller::Owner => self.history.acts.push(at),
            Caller::AutoScaler => self.history.scaled.push(at),
            Caller::Recovery => {}
        }
        let Some(strategy) = strategy else { return };
        self.uses_spot = strategy.uses_spot();
        let ours = caller == Caller::Recovery;
        self.replaced(ours.then_some(at));
        if ours {
            let to_spot = strategy.uses_spot();
            if to_spot {
                self.carries_out_restore(at);
            }
            self.history.forced.push(Forced { at, to_spot, moved: false, replaced: None });
        }
    }

    /// A restore that nobody carried out when it was claimed counts from when somebody does.
    fn carries_out_restore(&mut self, at: Duration) {
        if let Some(began) = self.history.restores.last_mut()
            && self.history.forced.last().is_none_or(|forced| forced.at < *began)
        {
            *began = at;
        }
    }

    fn replaced(&mut self, by_us: Option<Duration>) {
        match self.history.forced.last_mut() {
            Some(last) if last.replaced.is_none() => match by_us {
                Some(at) => last.replaced = Some(at),
                // What others do to it is not ours to answer for.
                None => last.moved = true,
            },
            _ => {}
        }
    }

    fn owner(&mut self, at: Duration, what: &str) {
        self.history.acts.push(at);
        match what {
            "deletes the service" => {
                (self.desired, self.alive, self.running) = (0, 0, 0);
                self.tasks.values_mut().for_each(|task| *task = None);
                self.out = self.out.or(Some(at));
            }
            "creates the service anew" => {
                (self.desired, self.uses_spot) = (self.spec.desired, self.spec.strategy.uses_spot());
                self.history.out.extend(self.out.take().map(|from| (from, at)));
                self.history.out.extend(self.unsupported.take().map(|from| (from, at)));
                // ECS may give its first deployment up for good: it has nothing to go back to.
                if self.spec.circuit_breaker {
                    self.unsound = self.unsound.or(Some(at));
                }
                self.sound_again = self.unsound.is_some();
            }
            "tags the service spot-recovery=off" => self.out = self.out.or(Some(at)),
            "takes the tag spot-recovery=off away" => {
                self.history.out.extend(self.out.take().map(|from| (from, at)));
            }
            "changes the service to rolling deployments" => {
                self.history.out.extend(self.unsupported.take().map(|from| (from, at)));
            }
            _ if what.starts_with("changes the ") => self.unsupported = self.unsupported.or(Some(at)),
            "mends the application" => self.sound_again = self.unsound.is_some(),
            _ if what.starts_with("ships an application") => {
                self.unsound = self.unsound.or(Some(at));
                self.sound_again = false;
            }
            _ => {}
        }
    }

    fn task(&mut self, task: TaskId, provider: &CapacityProvider, status: &str) {
        match status {
            "PROVISIONING" => {
                self.alive += 1;
                self.tasks.insert(task, Some(false));
            }
            "RUNNING" if self.tasks.get(&task) == Some(&Some(false)) => {
                self.running += 1;
                self.tasks.insert(task, Some(true));
                let on_spot = *provider == CapacityProvider::FargateSpot;
                if let Some(last) = self.history.forced.last_mut().filter(|last| last.to_spot == on_spot) {
                    last.moved = true;
                }
            }
            "PENDING" | "ACTIVATING" => {}
            // Told again as it begins to drain, or further on its way out.
            _ => self.goes(task),
        }
    }

    /// A task is wanted no longer. One that nobody has heard of is from before the world began.
    fn goes(&mut self, task: TaskId) {
        match self.tasks.insert(task, None) {
            Some(None) => {}
            Some(Some(false)) => self.alive = self.alive.saturating_sub(1),
            Some(Some(true)) | None => {
                self.alive = self.alive.saturating_sub(1);
                self.running = self.running.saturating_sub(1);
            }
        }
    }

    fn enters(&mut self, at: Duration, from: Option<Phase>, to: Option<Phase>, reason: &str) {
        self.stay_ends(at);
        match (from, to) {
            (Some(Phase::Restoring), Some(Phase::FailingOver | Phase::OnDemand)) => self.failed += 1,
            (None | Some(Phase::Watching), Some(Phase::FailingOver)) => self.begins_episode(at),
            (Some(Phase::Held), Some(Phase::FailingOver)) => match self.was_held_in() {
                // From On-Demand: ECS rolled the failover back while the service was held.
                Some(Phase::Restoring | Phase::OnDemand) => self.failed += 1,
                None | Some(Phase::Watching) => self.begins_episode(at),
                _ => {}
            },
            // From `Held` too: a restore that was rolled back while nobody could look.
            (_, Some(Phase::Held)) | (Some(Phase::Held), Some(Phase::OnDemand)) if reason.starts_with("ECS rolled") => {
                self.failed += 1;
            }
            (Some(Phase::Restoring), Some(Phase::Watching)) => self.restored = Some(at),
            (Some(_), Some(Phase::Watching)) if reason.starts_with("ECS rolled") => self.restored = Some(at),
            _ => {}
        }
        if to == Some(Phase::Restoring) && from != Some(Phase::Restoring) {
            self.history.restores.push(at);
        }
        (self.phase, self.since, self.reason) = (to, at, reason.to_owned());
    }

    /// One that begins soon after a restore is the same outage.
    fn begins_episode(&mut self, at: Duration) {
        let same = self.restored.is_some_and(|restored| at.saturating_sub(restored) < self.episode_memory);
        self.failed = if same { self.failed + 1 } else { 0 };
    }

    /// The phase before the stay in `Held` that has just ended.
    fn was_held_in(&self) -> Option<Phase> {
        self.history.stays.last().and_then(|held| held.before)
    }

    fn stay_ends(&mut self, at: Duration) {
        let reason = std::mem::take(&mut self.reason);
        let before = self.history.stays.last().and_then(|stay| stay.phase);
        let stay = Stay { phase: self.phase, from: self.since, to: at, reason, failed: self.failed, before };
        self.history.stays.push(stay);
    }

    fn count(&mut self, at: Duration) {
        let begins_or_ends = |is: bool, since: &mut Option<Duration>, spans: &mut Vec<Span>| match (is, *since) {
            (true, None) => *since = Some(at),
            (false, Some(from)) => {
                spans.push((from, at));
                *since = None;
            }
            _ => {}
        };
        begins_or_ends(self.alive < self.desired, &mut self.lacking, &mut self.history.lacking);
        begins_or_ends(self.running < self.desired, &mut self.short, &mut self.history.short);
    }

    fn end(mut self, end: Duration) -> History {
        self.stay_ends(end);
        let open = |since: Option<Duration>| since.map(|from| (from, end));
        self.history.lacking.extend(open(self.lacking));
        self.history.short.extend(open(self.short));
        self.history.unsound.extend(open(self.unsound));
        self.history.out.extend(open(self.out));
        self.history.out.extend(open(self.unsupported));
        self.history
    }
}

/// Whether the bounds of a deployment let it neither stop a task nor start one while `desired` run.
pub(crate) fn cannot_move(spec: &ServiceSpec, desired: u32) -> bool {
    let (desired, percent) = (u64::from(desired), |percent: u32| u64::from(percent));
    let least = (desired * percent(spec.minimum_healthy_percent)).div_ceil(100);
    let most = desired * percent(spec.maximum_percent) / 100;
    desired > 0 && least >= desired && most <= desired
}
