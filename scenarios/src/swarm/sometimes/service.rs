//! What one service went through, as its trace is read.

use std::collections::BTreeSet;
use std::time::Duration;

use handlers::decide::Reason;
use handlers::record::Phase;
use handlers::strategy::{CapacityProvider, Strategy};
use simulator::spec::{ServiceSpec, SpotShape, WorldEvent};
use simulator::trace::{Caller, Happening, RollbackCause};

use super::condition::{add, of_phase};
use crate::swarm::check::good::cannot_move;
use crate::swarm::draw::Plan;

/// Longest that the two ways of a call take together, twice: back from the update, and there with the record.
const DIRECT: Duration = Duration::from_millis(60);
/// As long as that with a look in between.
const READ_BACK: Duration = Duration::from_millis(120);

/// Moved tasks are gone and replaced within this.
const MOVED_AND_REPLACED: Duration = Duration::from_secs(300);

/// Sooner after a failover than this, the owner met it half done.
const SOON: Duration = Duration::from_secs(600);
/// A release and a restore that are no further apart meet.
const TOGETHER: Duration = Duration::from_secs(120);
/// A load balancer that drains for so long makes a restore slow.
const MINUTES: Duration = Duration::from_secs(300);

type Reached = BTreeSet<&'static str>;

/// What is remembered of a service while its trace is read.
pub(super) struct Service<'a> {
    plan: &'a Plan,
    spec: &'a ServiceSpec,
    phase: Option<Phase>,
    /// Tasks its owner wants.
    desired: u32,
    /// When the claim was written that is not carried out yet.
    claimed: Option<Duration>,
    /// When our last update was accepted.
    updated: Option<Duration>,
    /// Whether a deployment was completed since the last claim.
    completed: bool,
    /// Whether a quota was used up since the last claim: On-Demand's, Spot's.
    over_quota: [bool; 2],
    /// Whether Terraform put the owner's strategy in the place of a fallback.
    overwritten: bool,
    /// When Spot tasks of its account were last moved in silence.
    pub(super) moved: Option<Duration>,
    /// Whether one of its own tasks went then.
    lost_by_move: bool,
    /// Whether it was ever failed over.
    pub(super) failed_over: bool,
    /// When its phase began.
    since: Duration,
    /// When its owner last deployed.
    released: Option<Duration>,
    /// Strategies that its owner chose.
    chosen: Vec<&'a Strategy>,
}

impl<'a> Service<'a> {
    pub(super) fn new(plan: &'a Plan, spec: &'a ServiceSpec) -> Self {
        Self {
            plan,
            spec,
            phase: None,
            desired: spec.desired,
            claimed: None,
            updated: None,
            completed: false,
            over_quota: [false; 2],
            overwritten: false,
            moved: None,
            lost_by_move: false,
            failed_over: false,
            since: Duration::ZERO,
            released: None,
            chosen: vec![&spec.strategy],
        }
    }

    /// Something happened to it.
    pub(super) fn sees(&mut self, at: Duration, what: &'a Happening, reached: &mut Reached) {
        self.notes(at, what, reached);
        match what {
            Happening::Phase { from, to, reason } => {
                reached.extend(of_phase(*from, *to, reason));
                self.enters(at, *from, *to, reason, reached);
            }
            Happening::Updated { caller: Caller::Recovery, .. } => self.updated(at, reached),
            Happening::Updated { caller: Caller::AutoScaler, desired: Some(desired), .. } => {
                match self.phase {
                    Some(Phase::OnDemand) if *desired > self.desired => add(reached, "scaled out on the fallback"),
                    Some(Phase::Restoring) => add(reached, "scaled while restoring"),
                    _ => {}
                }
                self.desired = *desired;
            }
            Happening::Updated { caller: Caller::Owner, strategy, desired, .. } => {
                self.desired = desired.unwrap_or(self.desired);
                if strategy.is_some() && self.is_terraforms(at, true) && self.phase == Some(Phase::OnDemand) {
                    self.overwritten = true;
                    add(reached, "Terraform overwrote a fallback");
                }
            }
            Happening::UpdateRefused { caller: Caller::Owner, .. }
                if self.is_terraforms(at, false) && self.phase == Some(Phase::OnDemand) =>
            {
                add(reached, "Terraform refused over a fallback");
            }
            Happening::PlacementFailure { provider, over_quota: true, .. } => {
                self.over_quota[usize::from(*provider == CapacityProvider::FargateSpot)] = true;
            }
            Happening::RolledBack { cause, .. } => reached.extend(self.rolled_back(*cause)),
            Happening::DeploymentCompleted { .. } => self.completed = true,
            Happening::Vanished { .. } => {
                self.lost_by_move = self.moved.is_some_and(|moved| at.saturating_sub(moved) < MOVED_AND_REPLACED);
            }
            Happening::SteadyState if std::mem::take(&mut self.lost_by_move) => {
                let in_time = self.moved.is_some_and(|moved| at.saturating_sub(moved) < MOVED_AND_REPLACED);
                if in_time && self.phase == Some(Phase::Watching) {
                    add(reached, "Spot tasks moved, no failover");
                }
            }
            _ => {}
        }
    }

    /// What its owner does, and what the recovery does to a service of its kind.
    fn notes(&mut self, at: Duration, what: &'a Happening, reached: &mut Reached) {
        match what {
            Happening::Updated { caller: Caller::Owner, strategy: Some(strategy), .. } => {
                let any =
                    |shape: fn(&Strategy) -> Strategy| self.chosen.iter().any(|chosen| shape(chosen) == *strategy);
                if !any(Strategy::clone) && any(Strategy::fallback) {
                    add(reached, "owner chose the fallback");
                }
                if !any(Strategy::clone) && any(Strategy::probe) {
                    add(reached, "owner chose the probe");
                }
                if self.phase == Some(Phase::OnDemand) && at.saturating_sub(self.since) < SOON {
                    add(reached, "owner applied soon after a failover");
                }
                self.chosen.push(strategy);
            }
            Happening::Updated { caller: Caller::Owner, strategy: None, desired: None, .. } => {
                self.released = Some(at);
                if self.phase == Some(Phase::Restoring) && at.saturating_sub(self.since) < TOGETHER {
                    add(reached, "released as a restore began");
                }
            }
            Happening::Owner { what: "ships an application that fails" } if self.phase == Some(Phase::OnDemand) => {
                add(reached, "application failed on the fallback");
            }
            Happening::Updated { caller: Caller::Recovery, .. } => {
                if cannot_move(self.spec, self.desired) {
                    add(reached, "bounds that let nothing move");
                }
                if self.desired >= 100 {
                    add(reached, "failover of a hundred tasks");
                }
                if self.spec.zones == 1 {
                    add(reached, "failover in one zone");
                }
            }
            Happening::Phase { from, to, reason } => {
                self.since = at;
                self.failed_over |= *to == Some(Phase::FailingOver);
                let released = self.released.is_some_and(|released| at.saturating_sub(released) < TOGETHER);
                if *to == Some(Phase::Restoring) && released {
                    add(reached, "released as a restore began");
                }
                let held = (*from, *to) == (Some(Phase::Restoring), Some(Phase::Watching));
                if held && *reason == Reason::Restored.text() && self.spec.deregistration_delay >= MINUTES {
                    add(reached, "restored through a drain of minutes");
                }
            }
            _ => {}
        }
    }

    fn enters(&mut self, at: Duration, from: Option<Phase>, to: Option<Phase>, reason: &str, reached: &mut Reached) {
        let shape = self.shape(at);
        match (from, to) {
            (None | Some(Phase::Watching | Phase::OnDemand), Some(Phase::FailingOver)) => {
                match shape {
                    Some(SpotShape::Flapping { .. }) => add(reached, "failover while Spot flaps"),
                    Some(SpotShape::SlowReturn { .. }) => add(reached, "failover while Spot comes back slowly"),
                    Some(SpotShape::Random { .. }) => add(reached, "failover while Spot fails by chance"),
                    None => {}
                }
                if self.over_quota[1] && reason == Reason::SpotPlacementFailure.to_string() {
                    add(reached, "failover by a used up Spot quota");
                }
                if self.spec.launch_type {
                    add(reached, "failover of what began on a launch type");
                }
                if std::mem::take(&mut self.overwritten) {
                    add(reached, "failover again after Terraform");
                }
                self.lost_by_move = false;
            }
            (Some(Phase::Restoring), Some(Phase::FailingOver)) => {
                if shape.is_some() {
                    add(reached, "restore failed in a market with a shape");
                }
                if !self.completed {
                    add(reached, "fallback while restoring");
                }
            }
            (Some(Phase::FailingOver), Some(Phase::OnDemand))
                if self.updated.is_some_and(|updated| is_read_back(at.saturating_sub(updated), self.plan)) =>
            {
                add(reached, "update reply lost, then read back");
            }
            (Some(Phase::OnDemand), Some(Phase::Held)) if reason.starts_with("deployment controller") => {
                add(reached, "held on the fallback: another controller");
            }
            (Some(Phase::OnDemand), Some(Phase::Held)) if self.over_quota[0] => {
                add(reached, "held: On-Demand quota used up");
            }
            _ => {}
        }
        self.phase = to;
        self.updated = None;
        self.claimed = matches!(to, Some(Phase::FailingOver | Phase::Restoring)).then_some(at);
        if self.claimed.is_some() {
            self.completed = false;
            self.over_quota = [false; 2];
        }
    }

    fn updated(&mut self, at: Duration, reached: &mut Reached) {
        // Nobody else may act before the lease is over, and the handler that made the claim does not take so long.
        if self.claimed.take().is_some_and(|claimed| at.saturating_sub(claimed) >= self.plan.world.policy.lease) {
            add(reached, "takeover of a dead handler's claim");
        }
        self.updated = Some(at);
        self.completed = false;
    }

    /// What ECS rolled back, by the phase: our deployment is under way, or none of ours.
    fn rolled_back(&self, cause: RollbackCause) -> Option<&'static str> {
        Some(match (self.phase?, cause) {
            _ if self.completed => return None,
            (Phase::FailingOver | Phase::OnDemand, RollbackCause::Breaker) => "circuit breaker rolled a failover back",
            (Phase::FailingOver | Phase::OnDemand, RollbackCause::Alarm) => "alarm rolled a failover back",
            (Phase::FailingOver | Phase::OnDemand, RollbackCause::Owner) => "owner rolled a failover back",
            (Phase::Restoring, RollbackCause::Breaker) => "circuit breaker rolled a restore back",
            (Phase::Restoring, RollbackCause::Alarm) => "alarm rolled a restore back",
            (Phase::Restoring, RollbackCause::Owner) => "owner rolled a restore back",
            _ => return None,
        })
    }

    /// Whether what the owner does is a run of Terraform, with force or without. It runs to the millisecond.
    fn is_terraforms(&self, at: Duration, force: bool) -> bool {
        let runs = |every: Duration| at.as_millis().is_multiple_of(every.as_millis());
        self.spec.terraform.is_some_and(|terraform| terraform.force == force && runs(terraform.every))
    }

    /// The shape that the market of its account has.
    fn shape(&self, at: Duration) -> Option<SpotShape> {
        let theirs = self.plan.world.events.iter().take_while(|event| event.at <= at && at < self.plan.chaos);
        let last = theirs.filter_map(|event| match &event.event {
            WorldEvent::Spot { accounts, .. } => Some((accounts, None)),
            WorldEvent::SpotShape { accounts, shape } => Some((accounts, Some(*shape))),
            _ => None,
        });
        last.filter(|(accounts, _)| accounts.contains(&self.spec.id.account)).last()?.1
    }
}

/// Whether a fallback confirmed so long after its update was read back. A handler that gets its answer is faster; and
/// much later it may also be that the handler died, or that the table did not take the answer.
fn is_read_back(took: Duration, plan: &Plan) -> bool {
    let facts = &plan.facts;
    let only_replies = facts.kill_per_myriad + facts.kill_percent + facts.table_throttle_percent == 0;
    facts.lost_reply_percent > 0 && took > DIRECT && (took < READ_BACK || only_replies)
}
