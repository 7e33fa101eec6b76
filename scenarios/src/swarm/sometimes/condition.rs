//! The conditions, and which of them a change of phase says.

use std::collections::BTreeSet;

use handlers::decide::Reason;
use handlers::held::HeldReason;
use handlers::record::Phase;
use simulator::spec::BLUE_GREEN;

/// Every condition, in the order people read it.
pub const CONDITIONS: &[&str] = &[
    "failover by placement failure",
    "failover by interruption",
    "failover by silent loss",
    "failover by synthetic event",
    "failover while Spot flaps",
    "failover while Spot comes back slowly",
    "failover while Spot fails by chance",
    "failover by a used up Spot quota",
    "failover of what began on a launch type",
    "restore held",
    "restore failed",
    "restore failed in a market with a shape",
    "fallback while restoring",
    "probe held",
    "takeover of a dead handler's claim",
    "update reply lost, then read back",
    "owner's change adopted",
    "rollback recognised",
    "circuit breaker rolled a failover back",
    "circuit breaker rolled a restore back",
    "alarm rolled a failover back",
    "alarm rolled a restore back",
    "owner rolled a failover back",
    "owner rolled a restore back",
    "Terraform overwrote a fallback",
    "failover again after Terraform",
    "Terraform refused over a fallback",
    "scaled out on the fallback",
    "scaled while restoring",
    "Spot tasks moved, no failover",
    "recreated service recognised",
    "opt-out respected",
    "held: CODE_DEPLOY",
    "held: EXTERNAL",
    "held: blue/green",
    "held: FARGATE not associated",
    "held: role missing",
    "held: access denied",
    "held: rolled back",
    "held: On-Demand short too",
    "held: On-Demand quota used up",
    "held, then cured",
    "application fails, no failover",
    "daily cap",
    "market closed",
    "DLQ reached",
    "DLQ redriven",
    "DLQ of a rule reached",
    "invocation throttled",
    "invocation killed",
    "owner chose the fallback",
    "owner chose the probe",
    "owner applied soon after a failover",
    "released as a restore began",
    "application failed on the fallback",
    "restored through a drain of minutes",
    "failover of a hundred tasks",
    "failover in one zone",
    "failover of hundreds of services",
    "bounds that let nothing move",
    "quiet for a day",
    "held on the fallback: another controller",
    "recovery paused",
];

/// Notes that a condition was reached.
pub(super) fn add(reached: &mut BTreeSet<&'static str>, condition: &'static str) {
    debug_assert!(CONDITIONS.contains(&condition), "{condition}");
    reached.insert(condition);
}

/// What a change of phase and its reason say.
pub(super) fn of_phase(from: Option<Phase>, to: Option<Phase>, reason: &str) -> Option<&'static str> {
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
        (HeldReason::Controller("CODE_DEPLOY".into()), "held: CODE_DEPLOY"),
        (HeldReason::Controller("EXTERNAL".into()), "held: EXTERNAL"),
        (HeldReason::Controller(BLUE_GREEN.into()), "held: blue/green"),
        (HeldReason::FargateNotAssociated, "held: FARGATE not associated"),
        (HeldReason::RoleMissing, "held: role missing"),
        (HeldReason::AccessDenied("ecs:UpdateService".into()), "held: access denied"),
        (HeldReason::RolledBack, "held: rolled back"),
        (HeldReason::OnDemandShort, "held: On-Demand short too"),
    ];
    known.iter().find(|(known, _)| known.to_string() == reason).map(|(_, condition)| *condition)
}
