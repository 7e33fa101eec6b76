//! The heart: from a record and a look at the service to the next step. No I/O, no clock, no randomness.
//!
//! One transition takes several calls of [`decide()`], each on fresh facts: the first says [`Decision::Claim`]; once the
//! claim is written and the service looked at again, the next says [`Decision::Update`]; once ECS has answered, the last
//! says [`Decision::Write`], which confirms. A handler killed anywhere in between leaves a record from which the same
//! function goes on: level-triggered (docs/architecture.md).
//!
//! Each decision has a [`Reason`]. The table says which phase a service is in after it, by the phase before:
//!
//! | reason | no record | Watching | FailingOver | OnDemand | Restoring | Held |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | `AlreadyOnDemand` | | | | stays | stays | |
//! | `ApplicationFails` | | stays | | stays | | |
//! | `AtFullCount` | | stays | | | | |
//! | `Cured` | | | | | | Watching, FailingOver, OnDemand, Restoring |
//! | `DailyCap` | | | | stays | OnDemand | OnDemand |
//! | `Deploying` | | stays | | stays | OnDemand | OnDemand |
//! | `DryRun` | | stays | stays | stays | OnDemand, stays | Watching, OnDemand, stays |
//! | `FallbackLive` | | | OnDemand | | | OnDemand |
//! | `FirstSeen` | Watching | | | | | |
//! | `Gone` | stays | forgotten | forgotten | forgotten | forgotten | forgotten |
//! | `Healthy` | | stays | | | | |
//! | `Held` | Held | stays, Held | stays, Held | stays, Held | stays, Held | stays |
//! | `Interruption` | FailingOver | FailingOver | stays | FailingOver | FailingOver | FailingOver |
//! | `Leased` | | stays | stays | stays | stays | |
//! | `MarketBusy` | | | | stays | OnDemand | OnDemand |
//! | `NoSpot` | stays | forgotten, stays | | | | forgotten |
//! | `NotDue` | | | | stays | OnDemand | OnDemand |
//! | `NotFound` | | stays | stays | stays | stays | stays |
//! | `NotNeeded` | | | Watching | | | Watching |
//! | `OnProbation` | | | | | stays | |
//! | `OptedIn` | | OnDemand | | | | OnDemand |
//! | `OptedOut` | stays | forgotten, stays | forgotten, Watching, stays | forgotten, Watching, stays | forgotten, Watching, stays | forgotten, Watching |
//! | `OwnerChanged` | | | forgotten, Watching | forgotten, Watching | forgotten, Watching, stays | forgotten, Watching, Restoring |
//! | `Paused` | | stays | stays | stays | OnDemand, stays | Watching, OnDemand, stays |
//! | `ProbeHolds` | | | | | stays | Restoring |
//! | `Recreated` | | forgotten, stays | forgotten, Watching | forgotten, Watching | forgotten, Watching | forgotten, Watching |
//! | `Replacing` | | stays | | | | |
//! | `RestoreDue` | | | | Restoring | stays | Restoring |
//! | `RestoreTimedOut` | | | | | FailingOver | FailingOver |
//! | `Restored` | | | | | Watching | Watching |
//! | `RolledBack` | | OnDemand | forgotten, Watching, OnDemand | forgotten, Watching, stays | forgotten, Watching, FailingOver, OnDemand | forgotten, Watching, FailingOver, OnDemand |
//! | `Settling` | | stays | stays | stays | stays | |
//! | `Short` | | stays | | | | |
//! | `ShortOnProbation` | | | | | FailingOver | FailingOver |
//! | `SilentLoss` | | FailingOver | stays | FailingOver | FailingOver | FailingOver |
//! | `SpotPlacementFailure` | FailingOver | FailingOver | stays | FailingOver | FailingOver | FailingOver |
//! | `Stale` | | stays | | | | |
//! | `SyntheticPlacementFailure` | FailingOver | FailingOver | stays | FailingOver | FailingOver | FailingOver |
//! | `TakenOver` | | | stays | | stays | FailingOver, Restoring |
//!
//! - `stays`: the same phase, whether or not the record is written. `forgotten`: the record is deleted. Empty: the reason is never
//!   given in this phase.
//! - A step can go on in another phase: a restore that was claimed and not carried out as On-Demand, a held service in the phase
//!   before. Then the reason is one of that phase.
//! - `Held` and `DryRun` stand for every reason that they carry. A [`Decision::Update`] has no reason; the claim before it has.
//! - `LeftToTurn` and `NothingNew` are no answers of `decide`: [`reconcile`](crate::reconcile) leaves the service alone before or after.
//! - Some entries need a record that somebody edited, such as `Leased` in Watching.
//!
//! `handlers/tests/decide_table.rs` checks the table.
//!
//! Each phase has a file in `decide/`, with methods of `Step`: a file imports no other phase. A file calls the methods of the files
//! after it in this list, and of no other: `held.rs`, `in_phase.rs`, `restoring.rs`, `on_demand.rs`, `failing_over.rs`,
//! `close.rs`, `watching.rs`, `origin.rs`, `step.rs`, `decision.rs`.

use std::sync::Arc;

use crate::event::Signal;
use crate::held::HeldReason;
use crate::observation::Look;
use crate::phase::Phase;
pub use crate::reason::Reason;
use crate::record::Record;
use crate::service::ServiceId;

mod close;
mod decision;
mod failing_over;
mod held;
mod in_phase;
mod on_demand;
mod origin;
mod restoring;
mod step;
mod watching;

pub use decision::{Context, Decision, Trigger};
use step::{Step, hold, on_hold, write};

/// The next step for one service.
///
/// `record` is what the state table holds, `look` what ECS shows, taken after the record was read. Total: every
/// combination has an answer.
pub fn decide(service: &ServiceId, record: Option<&Record>, look: &Look, ctx: &Context) -> Decision {
    if record.is_some_and(|r| r.leased_by_other(ctx.owner, ctx.now)) {
        return Decision::Leave(Reason::Leased);
    }
    let new = || Record::new(service.clone(), ctx.now);
    match (record, look) {
        (None, Look::Missing) => Decision::Leave(Reason::Gone),
        (Some(record), Look::Missing) => missing(record, ctx),
        (record, Look::Blocked(reason)) => blocked(record.cloned().unwrap_or_else(new), reason.clone(), ctx),
        (None, Look::Found(seen)) if !seen.active => Decision::Leave(Reason::Gone),
        (Some(_), Look::Found(seen)) if !seen.active => Decision::Forget(Reason::Gone),
        (None, Look::Found(seen)) => Step { record: new(), seen, ctx }.watching(),
        (Some(record), Look::Found(seen)) => match record.service_created_at {
            // Our change of the service before may still reach the one that has its name now.
            Some(known) if known != seen.created_at && record.may_be_under_way(ctx.policy, ctx.now) => {
                Step { record: record.clone(), seen, ctx }.wait(Reason::Settling)
            }
            // The name is the same, the service is not: nothing of the past applies, but the item's version does.
            Some(known) if known != seen.created_at => {
                recreated(Step { record: Record { version: record.version, ..new() }, seen, ctx })
            }
            _ => known(Step { record: Record { missing_since: None, ..record.clone() }, seen, ctx }),
        },
    }
}

/// ECS does not find the service. What was saved of it is forgotten only when a later look does not find it either.
fn missing(record: &Record, ctx: &Context) -> Decision {
    let keeps = record.original.is_some() || record.previous.is_some();
    match record.missing_since {
        None if keeps => {
            let next_check_at = ctx.now + ctx.policy.active_interval;
            let missing_since = Some(ctx.now);
            write(Record { missing_since, lease: None, next_check_at, ..record.clone() }, Reason::NotFound)
        }
        Some(since) if keeps && ctx.now.since(since) < ctx.policy.active_interval => Decision::Leave(Reason::NotFound),
        _ => Decision::Forget(Reason::Gone),
    }
}

/// Nobody may look. What an event says of a loss meanwhile is kept for the look that works again.
fn blocked(mut record: Record, reason: HeldReason, ctx: &Context) -> Decision {
    let resume = record.held.as_ref().map_or(record.phase, |held| held.resume);
    if resume == Phase::Watching
        && record.event.is_none()
        && let Trigger::Event(event) = ctx.trigger
        && matches!(
            event.signal,
            Signal::SpotPlacementFailure | Signal::Interruption | Signal::SyntheticPlacementFailure
        )
    {
        record.event = Some(Arc::new(event.value()));
        return write(on_hold(record, reason.clone(), ctx), Reason::Held(reason));
    }
    hold(record, reason, ctx)
}

/// A service of a name that we know was created anew. `step` has a record without a past.
fn recreated(step: Step<'_>) -> Decision {
    match step.clone().watching() {
        Decision::Forget(_) | Decision::Leave(Reason::OptedOut) => Decision::Forget(Reason::Recreated),
        Decision::Leave(_) => {
            let mut step = step;
            step.watch_again();
            step.write(Reason::Recreated)
        }
        Decision::Write(next, _) if next.phase == Phase::Watching => {
            write(Arc::unwrap_or_clone(next), Reason::Recreated)
        }
        other => other,
    }
}

fn known(step: Step<'_>) -> Decision {
    if step.seen.opted_out {
        opted_out(step)
    } else if step.record.phase == Phase::Held {
        step.held()
    } else {
        step.in_phase()
    }
}

/// What is live is left live. As long as that is a strategy of ours, or ECS may bring one back, what it stands for is remembered:
/// should the tag go again, it must not be taken for the owner's.
fn opted_out(mut step: Step<'_>) -> Decision {
    if step.shows_before_the_phase() {
        return step.wait(Reason::OptedOut);
    }
    let held = step.record.held.clone().filter(|held| held.resume == Phase::Watching);
    if step.record.phase == Phase::Watching || held.is_some() {
        if !step.ours_may_come_back() {
            return Decision::Forget(Reason::OptedOut);
        }
        let Some(held) = held else { return step.keep_watching(Reason::OptedOut) };
        step = step.resumed(&held);
        step.record.event = None;
        step.watch_again();
        return step.write(Reason::OptedOut);
    }
    if step.record.held.as_ref().is_some_and(|held| step.owner_chose_since(held)) {
        return Decision::Forget(Reason::OptedOut);
    }
    match step.stands_for() {
        Some(original) => {
            step.record.original = Some(original);
            step.close(Reason::OptedOut)
        }
        // The owner's own strategy, in the place of which ECS may bring ours back.
        None if !step.looks_like_ours() && step.seen.may_be_rolled_back() => step.close(Reason::OptedOut),
        None => Decision::Forget(Reason::OptedOut),
    }
}

/// What the record becomes when ECS clearly refused the update of a claimed transition: held. The claim is tried again when
/// the held service is looked at.
pub fn refused(claimed: Record, reason: HeldReason, ctx: &Context) -> (Record, Reason) {
    (on_hold(claimed, reason.clone(), ctx), Reason::Held(reason))
}

/// What the record becomes when the update of a claimed transition certainly did not happen, because it was throttled or never
/// sent: the lease is given back.
pub fn postponed(mut claimed: Record, ctx: &Context) -> Record {
    claimed.lease = None;
    claimed.next_check_at = ctx.now + ctx.policy.active_interval;
    claimed
}
