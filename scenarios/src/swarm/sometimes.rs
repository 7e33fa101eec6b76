//! What must happen in some world: a swarm in which nothing interesting happens proves nothing. Read off the trace, and
//! off the reasons that records gave.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use handlers::decide::Reason;
use handlers::held::HeldReason;
use handlers::record::Phase;
use handlers::service::ServiceId;
use simulator::trace::{Caller, Happening};

use super::check::Played;
use super::draw::Plan;

/// Every condition, in the order people read it.
pub const CONDITIONS: &[&str] = &[
    "failover by placement failure",
    "failover by interruption",
    "failover by silent loss",
    "failover by synthetic event",
    "restore held",
    "restore failed",
    "fallback while restoring",
    "probe held",
    "takeover of a dead handler's claim",
    "update reply lost, then read back",
    "owner's change adopted",
    "rollback recognised",
    "recreated service recognised",
    "opt-out respected",
    "held: deployment controller",
    "held: FARGATE not associated",
    "held: role missing",
    "held: access denied",
    "held: rolled back",
    "held: On-Demand short too",
    "held, then cured",
    "application fails, no failover",
    "daily cap",
    "market closed",
    "DLQ reached",
    "DLQ redriven",
    "DLQ of a rule reached",
    "invocation throttled",
    "invocation killed",
];

/// Longest that the two ways of a call take together, twice: back from the update, and there with the record.
const DIRECT: Duration = Duration::from_millis(60);
/// As long as that with a look in between.
const READ_BACK: Duration = Duration::from_millis(120);

/// Which conditions `played` reached.
pub fn reached(plan: &Plan, played: &Played) -> BTreeSet<&'static str> {
    let mut reached = BTreeSet::new();
    let mut services: BTreeMap<&ServiceId, Service> = BTreeMap::new();
    for entry in &played.outcome.trace {
        match (&entry.what, &entry.service) {
            (Happening::Phase { from, to, reason }, Some(id)) => {
                let service = services.entry(id).or_default();
                reached.extend(of_phase(*from, *to, reason));
                service.enters(entry.at, *from, *to, plan, &mut reached);
            }
            (Happening::Updated { caller: Caller::Recovery, .. }, Some(id)) => {
                services.entry(id).or_default().updated(entry.at, plan, &mut reached);
            }
            (Happening::DeploymentCompleted { .. }, Some(id)) => services.entry(id).or_default().completed = true,
            (Happening::DeadLettered { .. }, _) => add(&mut reached, "DLQ reached"),
            (Happening::Redriven { messages: 1.., .. }, _) => add(&mut reached, "DLQ redriven"),
            (Happening::EventDead { .. }, _) => add(&mut reached, "DLQ of a rule reached"),
            (Happening::Throttled { .. }, _) => add(&mut reached, "invocation throttled"),
            (Happening::Finished { outcome: "is killed", .. }, _) => add(&mut reached, "invocation killed"),
            _ => {}
        }
    }
    // These change no phase.
    for (reason, condition) in [
        (Reason::DailyCap, "daily cap"),
        (Reason::MarketBusy, "market closed"),
        (Reason::ApplicationFails, "application fails, no failover"),
    ] {
        if played.reasons.contains(&reason.to_string()) {
            add(&mut reached, condition);
        }
    }
    reached
}

fn add(reached: &mut BTreeSet<&'static str>, condition: &'static str) {
    debug_assert!(CONDITIONS.contains(&condition), "{condition}");
    reached.insert(condition);
}

/// What a change of phase and its reason say.
fn of_phase(from: Option<Phase>, to: Option<Phase>, reason: &str) -> Option<&'static str> {
    let is = |known: Reason| known.to_string() == reason;
    let begins = matches!((from, to), (None | Some(Phase::Watching), Some(Phase::FailingOver)));
    Some(match (from, to) {
        _ if begins && is(Reason::SpotPlacementFailure) => "failover by placement failure",
        _ if begins && is(Reason::Interruption) => "failover by interruption",
        _ if begins && is(Reason::SilentLoss) => "failover by silent loss",
        _ if begins && is(Reason::SyntheticPlacementFailure) => "failover by synthetic event",
        (Some(Phase::Restoring), Some(Phase::Watching)) if is(Reason::Restored) => "restore held",
        (Some(Phase::Restoring), Some(Phase::OnDemand)) => "rollback recognised",
        (Some(Phase::Restoring), Some(Phase::Restoring)) if is(Reason::ProbeHolds) => "probe held",
        (Some(Phase::Restoring), Some(Phase::FailingOver)) => "restore failed",
        _ if is(Reason::OwnerChanged) => "owner's change adopted",
        _ if is(Reason::RolledBack) => "rollback recognised",
        _ if is(Reason::Recreated) => "recreated service recognised",
        _ if is(Reason::OptedOut) => "opt-out respected",
        (_, Some(Phase::Held)) => return held(reason),
        (Some(Phase::Held), Some(_)) if is(Reason::Cured) => "held, then cured",
        _ => return None,
    })
}

fn held(reason: &str) -> Option<&'static str> {
    let known = [
        (HeldReason::Controller("CODE_DEPLOY".into()), "held: deployment controller"),
        (HeldReason::FargateNotAssociated, "held: FARGATE not associated"),
        (HeldReason::RoleMissing, "held: role missing"),
        (HeldReason::AccessDenied("ecs:UpdateService".into()), "held: access denied"),
        (HeldReason::RolledBack, "held: rolled back"),
        (HeldReason::OnDemandShort, "held: On-Demand short too"),
    ];
    known.iter().find(|(known, _)| known.to_string() == reason).map(|(_, condition)| *condition)
}

/// What is remembered of a service while its trace is read.
#[derive(Default)]
struct Service {
    /// When the claim was written that is not carried out yet.
    claimed: Option<Duration>,
    /// When our last update was accepted.
    updated: Option<Duration>,
    /// Whether a deployment was completed since the last claim.
    completed: bool,
}

impl Service {
    fn enters(
        &mut self,
        at: Duration,
        from: Option<Phase>,
        to: Option<Phase>,
        plan: &Plan,
        reached: &mut BTreeSet<&'static str>,
    ) {
        if (from, to) == (Some(Phase::Restoring), Some(Phase::FailingOver)) && !self.completed {
            add(reached, "fallback while restoring");
        }
        if (from, to) == (Some(Phase::FailingOver), Some(Phase::OnDemand))
            && self.updated.is_some_and(|updated| is_read_back(at.saturating_sub(updated), plan))
        {
            add(reached, "update reply lost, then read back");
        }
        self.updated = None;
        self.claimed = matches!(to, Some(Phase::FailingOver | Phase::Restoring)).then_some(at);
        self.completed &= self.claimed.is_none();
    }

    fn updated(&mut self, at: Duration, plan: &Plan, reached: &mut BTreeSet<&'static str>) {
        // Nobody else may act before the lease is over, and the handler that made the claim does not take so long.
        if self.claimed.take().is_some_and(|claimed| at.saturating_sub(claimed) >= plan.world.policy.lease) {
            add(reached, "takeover of a dead handler's claim");
        }
        self.updated = Some(at);
        self.completed = false;
    }
}

/// Whether a fallback confirmed so long after its update was read back. A handler that gets its answer is faster; and
/// much later it may also be that the handler died, or that the table did not take the answer.
fn is_read_back(took: Duration, plan: &Plan) -> bool {
    let facts = &plan.facts;
    let only_replies = facts.kill_per_myriad + facts.kill_percent + facts.table_throttle_percent == 0;
    facts.lost_reply_percent > 0 && took > DIRECT && (took < READ_BACK || only_replies)
}
