//! Why a step is taken, as a value to compare and in words.

use std::borrow::Cow;
use std::fmt;

use crate::held::HeldReason;

/// Why a step is taken, for people: logs, audit events, timelines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A Spot service not seen before.
    FirstSeen,
    /// The service runs in full on what its owner chose.
    Healthy,
    /// Tasks are missing, not for long enough yet.
    Short,
    /// Tasks are missing, and others are on their way in their place.
    Replacing,
    /// Tasks are missing and the application itself fails.
    ApplicationFails,
    /// Tasks are missing and a deployment explains it.
    Deploying,
    /// A placement failure at full count, as AZ rebalancing causes (aws-facts.md §2.2).
    AtFullCount,
    /// An event from before the present phase, or too old to act on.
    Stale,
    /// The live strategy has no Spot.
    NoSpot,
    /// The owner tagged the service `spot-recovery=off`.
    OptedOut,
    /// The tag is gone, and what is live is still ours.
    OptedIn,
    /// The service is gone, or going.
    Gone,
    /// ECS does not show the service; it is looked at once more before what was saved of it is forgotten.
    NotFound,
    /// A service of the same name was created anew.
    Recreated,
    /// Another handler is acting.
    Leased,
    /// The account is another handler's turn, which is told by a mark in the record, or finds it due.
    LeftToTurn,
    /// An event that says nothing beyond what the record holds.
    NothingNew,
    /// `paused` is set.
    Paused,
    /// `dry_run` is set: this is what would have been done.
    DryRun(Box<Reason>),
    /// ECS could not place tasks on Spot.
    SpotPlacementFailure,
    /// A synthetic placement failure.
    SyntheticPlacementFailure,
    /// A Spot task was interrupted.
    Interruption,
    /// Tasks are missing for longer than the grace time, and no event said so.
    SilentLoss,
    /// A claim that was not carried out is taken up again: its handler died, was throttled, or was refused.
    TakenOver,
    /// A claim that was not carried out has no cause any more.
    NotNeeded,
    /// Spot did not hold during probation.
    ShortOnProbation,
    /// The restored service did not come up in time.
    RestoreTimedOut,
    /// ECS itself went back to the strategy from before our change.
    RolledBack,
    /// The fallback is live.
    FallbackLive,
    /// The fallback is live already, an event adds nothing.
    AlreadyOnDemand,
    /// The restore is not due.
    NotDue,
    /// The day's restores are used up.
    DailyCap,
    /// Other services of the account try the Spot market first, or it has just failed one.
    MarketBusy,
    /// The time on On-Demand is over.
    RestoreDue,
    /// The one task on Spot holds.
    ProbeHolds,
    /// The original is live, probation runs.
    OnProbation,
    /// Probation is passed, the episode is closed.
    Restored,
    /// Someone else set another strategy; theirs stands.
    OwnerChanged,
    /// DescribeServices may still show the time before our own change.
    Settling,
    /// A person is needed.
    Held(HeldReason),
    /// What held the service is cured.
    Cured,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl Reason {
    /// In words. Most are the same each time and cost nothing.
    pub fn text(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::FirstSeen => "a Spot service, seen for the first time",
            Self::Healthy => "runs in full",
            Self::Short => "tasks are missing, not for long enough to act",
            Self::Replacing => "tasks are missing, others are on their way",
            Self::ApplicationFails => "tasks are missing because the application fails to start",
            Self::Deploying => "tasks are missing because a deployment is under way",
            Self::AtFullCount => "a placement failure at full count is no loss",
            Self::Stale => "the event is about the past",
            Self::NoSpot => "the strategy has no Spot",
            Self::OptedOut => "its owner opted it out",
            Self::OptedIn => "its owner took the opt-out back, it is still on our strategy",
            Self::Gone => "the service is gone",
            Self::NotFound => "ECS does not find the service; looked at once more before it is forgotten",
            Self::Recreated => "the service was deleted and created anew",
            Self::Leased => "another handler is acting",
            Self::LeftToTurn => "left to the handler that has the turn of its account",
            Self::NothingNew => "the event says nothing new",
            Self::Paused => "paused",
            Self::DryRun(reason) => return format!("dry run: would act, {reason}").into(),
            Self::SpotPlacementFailure => "no Spot capacity for its tasks",
            Self::SyntheticPlacementFailure => "synthetic placement failure",
            Self::Interruption => "Spot interruption",
            Self::SilentLoss => "tasks are missing for longer than the grace time, and no event said so",
            Self::TakenOver => "a change that was not carried out is taken up again",
            Self::NotNeeded => "a change that was not carried out is not needed any more",
            Self::ShortOnProbation => "tasks went missing on probation",
            Self::RestoreTimedOut => "the restored tasks did not come up in time",
            Self::RolledBack => "ECS rolled our change back",
            Self::FallbackLive => "On-Demand strategy is live",
            Self::AlreadyOnDemand => "is on On-Demand already",
            Self::NotDue => "restore is not due yet",
            Self::DailyCap => "the day's restores are used up",
            Self::MarketBusy => "other restores try the Spot market first",
            Self::RestoreDue => "time on On-Demand is over",
            Self::ProbeHolds => "one task runs on Spot, now all of them",
            Self::OnProbation => "original strategy is live, on probation",
            Self::Restored => "runs in full on the original strategy, episode closed",
            Self::OwnerChanged => "someone else changed the strategy, theirs stands",
            Self::Settling => "too soon after our change to trust what ECS shows",
            Self::Held(reason) => return reason.to_string().into(),
            Self::Cured => "what held it is cured",
        })
    }
}
