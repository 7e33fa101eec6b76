//! The heart: from a record and a look at the service to the next step. No I/O, no clock, no randomness.
//!
//! One transition takes several calls of [`decide`], each on fresh facts: the first says [`Decision::Claim`]; once the
//! claim is written and the service looked at again, the next says [`Decision::Update`]; once ECS has answered, the last
//! says [`Decision::Write`], which confirms. A handler killed anywhere in between leaves a record from which the same
//! function goes on: level-triggered (DESIGN §3).

use std::sync::Arc;
use std::time::Duration;

use crate::event::{Event, SYNTHETIC_SOURCE, Signal};
use crate::held::HeldReason;
use crate::market::Market;
use crate::observation::{Look, Observation, Rollout};
use crate::policy::{InterruptionPolicy, Policy};
pub use crate::reason::Reason;
use crate::record::{Change, Held, Lease, Phase, Record};
use crate::service::ServiceId;
use crate::strategy::Strategy;
use crate::timestamp::Timestamp;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// No record is due again before this: a sweep never meets one twice.
const SOONEST: Duration = Duration::from_secs(1);
/// A restore ends after so many times the time that it should take at most (rule 12): tasks may come and go for ever.
const LONGEST_RESTORE: u32 = 4;
/// Nobody can look at the service: it is looked at again after this part of the time since when, so that a role that is missing for
/// seconds costs seconds, and one that is never made costs little.
const BLIND_PACE: u32 = 4;

/// Why anybody looks at the service now.
#[derive(Debug, Clone, Copy)]
pub enum Trigger<'a> {
    /// An event said so.
    Event(&'a Event),
    /// The record is due.
    Sweep,
}

/// What a decision depends on besides the record and the look.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Why we look.
    pub trigger: Trigger<'a>,
    /// The tunables.
    pub policy: &'a Policy,
    /// Now.
    pub now: Timestamp,
    /// Who would act: the token of this invocation.
    pub owner: &'a str,
    /// What is known of the service's Spot market, where it was read; an unknown market admits every restore.
    pub market: Option<&'a Market>,
}

/// The next step.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Nothing to do and nothing to remember.
    Leave(Reason),
    /// Remember this; done.
    Write(Arc<Record>, Reason),
    /// Write this claim; if it holds, decide again, on another look unless the last one is fresh.
    Claim(Arc<Record>, Reason),
    /// The record is claimed by us: force a deployment on this strategy, then decide again.
    Update(Arc<Record>, Strategy),
    /// The record has no subject any more: delete it.
    Forget(Reason),
}

/// The next step for one service.
///
/// `record` is what the state table holds, `look` what ECS shows, taken after the record was read. Total: every
/// combination has an answer.
pub fn decide(service: &ServiceId, record: Option<&Record>, look: &Look, ctx: &Context) -> Decision {
    if record.is_some_and(|r| r.leased_by_other(ctx.owner, ctx.now)) {
        return Decision::Leave(Reason::Leased);
    }
    match (record, look) {
        (None, Look::Missing) => Decision::Leave(Reason::Gone),
        (Some(record), Look::Missing) => missing(record, ctx),
        (record, Look::Blocked(reason)) => {
            blocked(record.cloned().unwrap_or_else(|| Record::new(service.clone(), ctx.now)), reason.clone(), ctx)
        }
        (None, Look::Found(seen)) if !seen.active => Decision::Leave(Reason::Gone),
        (Some(_), Look::Found(seen)) if !seen.active => Decision::Forget(Reason::Gone),
        (None, Look::Found(seen)) => watching(Record::new(service.clone(), ctx.now), seen, ctx),
        (Some(record), Look::Found(seen)) => match record.service_created_at {
            // The name is the same, the service is not: nothing of the past applies, but the item's version does.
            Some(known) if known != seen.created_at => {
                let anew = Record { version: record.version, ..Record::new(service.clone(), ctx.now) };
                match watching(anew.clone(), seen, ctx) {
                    Decision::Forget(_) | Decision::Leave(Reason::OptedOut) => Decision::Forget(Reason::Recreated),
                    Decision::Leave(_) => write(watch_again(anew, seen, ctx), Reason::Recreated),
                    Decision::Write(next, _) if next.phase == Phase::Watching => {
                        write(Arc::unwrap_or_clone(next), Reason::Recreated)
                    }
                    other => other,
                }
            }
            _ => in_phase(Record { missing_since: None, ..record.clone() }, seen, ctx),
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
    match ctx.trigger {
        Trigger::Event(event)
            if resume == Phase::Watching
                && record.event.is_none()
                && matches!(
                    event.signal,
                    Signal::SpotPlacementFailure | Signal::Interruption | Signal::SyntheticPlacementFailure
                ) =>
        {
            record.event = Some(Arc::new(event.value()));
            write(on_hold(record, reason.clone(), ctx), Reason::Held(reason))
        }
        _ => hold(record, reason, ctx),
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

fn in_phase(record: Record, seen: &Observation, ctx: &Context) -> Decision {
    if seen.opted_out {
        return opted_out(record, seen, ctx);
    }
    let changes = matches!(record.phase, Phase::FailingOver | Phase::OnDemand | Phase::Restoring);
    if let Some(reason) = seen.undeployable().filter(|_| changes) {
        return hold(record, reason, ctx);
    }
    match record.phase {
        Phase::Watching => watching(record, seen, ctx),
        Phase::FailingOver => failing_over(record, seen, ctx),
        Phase::OnDemand => on_demand(record, seen, ctx),
        Phase::Restoring => restoring(record, seen, ctx),
        Phase::Held => held(record, seen, ctx),
    }
}

/// What is live is left live. As long as that is a strategy of ours, what it stands for is remembered: should the tag go again, it
/// must not be taken for the owner's.
fn opted_out(record: Record, seen: &Observation, ctx: &Context) -> Decision {
    let live = seen.strategy.as_ref();
    let stands_in = |original| live.is_some_and(|live| live.stands_in_for(original));
    if ![&record.original, &record.previous].into_iter().flatten().any(stands_in) {
        return Decision::Forget(Reason::OptedOut);
    }
    match record.phase {
        Phase::Watching => keep_watching(record, seen, Reason::OptedOut, ctx),
        _ => close(record, seen, Reason::OptedOut, ctx),
    }
}

// ---- Watching -------------------------------------------------------------------------------------------------------

fn watching(record: Record, seen: &Observation, ctx: &Context) -> Decision {
    if seen.opted_out {
        return Decision::Leave(Reason::OptedOut);
    }
    if let Some(decision) = ours_came_back(&record, seen, ctx) {
        return decision;
    }
    if !seen.uses_spot() {
        return match record.version {
            0 => Decision::Leave(Reason::NoSpot),
            _ if ours_may_come_back(&record, seen) => keep_watching(record, seen, Reason::NoSpot, ctx),
            _ => Decision::Forget(Reason::NoSpot),
        };
    }
    if let Some(reason) = seen.unsupported() {
        return hold(record, reason, ctx);
    }
    match ctx.trigger {
        Trigger::Event(event) if is_stale(&record, event, ctx) => keep_watching(record, seen, Reason::Stale, ctx),
        Trigger::Event(event) => match event.signal {
            Signal::SyntheticPlacementFailure => start_episode(record, seen, Reason::SyntheticPlacementFailure, ctx),
            Signal::SpotPlacementFailure if seen.lacks_capacity() && application_is_blamed(seen) => {
                keep_watching(record, seen, Reason::ApplicationFails, ctx)
            }
            Signal::SpotPlacementFailure if seen.lacks_capacity() => {
                start_episode(record, seen, Reason::SpotPlacementFailure, ctx)
            }
            Signal::SpotPlacementFailure if seen.is_short() => keep_watching(record, seen, Reason::Replacing, ctx),
            Signal::SpotPlacementFailure => keep_watching(record, seen, Reason::AtFullCount, ctx),
            Signal::Interruption if ctx.policy.interruption_policy == InterruptionPolicy::Immediate => {
                start_episode(record, seen, Reason::Interruption, ctx)
            }
            _ => keep_watching(record, seen, Reason::Healthy, ctx),
        },
        Trigger::Sweep => {
            let since = record.short_since.unwrap_or(ctx.now);
            let waits = record.short_since.is_none() || ctx.now.since(since) < ctx.policy.shortfall_grace;
            if waits || !seen.lacks_capacity() {
                keep_watching(record, seen, Reason::Healthy, ctx)
            } else if application_is_blamed(seen) {
                keep_watching(record, seen, Reason::ApplicationFails, ctx)
            } else if seen.is_deploying(ctx.now, ctx.policy.deployment_grace) {
                keep_watching(record, seen, Reason::Deploying, ctx)
            } else {
                start_episode(record, seen, Reason::SilentLoss, ctx)
            }
        }
    }
}

/// Whether the fallback would not help, because the application fails. A deployment that ECS gave up without a word may have failed for
/// want of Spot as well as by its application: the fallback is the test, and costs nothing, for nothing more is started otherwise.
fn application_is_blamed(seen: &Observation) -> bool {
    seen.blames_application() == Some(true)
}

/// A strategy of ours is live although the episode is closed, or has become that of another original: ECS rolled back, past a
/// restore or past an owner's own change. The service is on On-Demand again and must not be taken for one whose owner wants no
/// Spot.
fn ours_came_back(record: &Record, seen: &Observation, ctx: &Context) -> Option<Decision> {
    if !stands_for_previous(record, seen) {
        return None;
    }
    let (previous, live) = (record.previous.clone()?, seen.strategy.clone()?);
    let mut record = record.clone();
    on_fallback(&mut record, ctx);
    record.original = record.original.or(Some(previous.clone()));
    record.change = Some(Change { from: previous, to: live });
    Some(write(record, Reason::RolledBack))
}

/// Whether what is live stands for the previous original. An owner may choose the same as we do: then it stands for itself.
fn stands_for_previous(record: &Record, seen: &Observation) -> bool {
    let (Some(previous), Some(live)) = (&record.previous, &seen.strategy) else { return false };
    let since = record.phase_since;
    let owners = !seen.is_older_than(since) && seen.is_rollback(since) == Some(false);
    live.stands_in_for(previous) && !owners
}

/// Whether the previous original still matters.
fn ours_may_come_back(record: &Record, seen: &Observation) -> bool {
    let Some(previous) = &record.previous else { return false };
    match &seen.strategy {
        Some(live) if live.stands_in_for(previous) => stands_for_previous(record, seen),
        _ => may_be_rolled_back(seen),
    }
}

/// Until a deployment is complete, ECS may take the service back to what it was before (aws-facts.md §1.6): to a strategy of ours,
/// if an owner chose to do without Spot while it was on one.
fn may_be_rolled_back(seen: &Observation) -> bool {
    seen.primary().is_some_and(|primary| primary.rollout != Rollout::Completed)
}

/// Whether ECS, and not its owner, put what is live in the place of our last change. Where nothing shown tells: ECS rolls back only
/// what is not complete, so one that we saw complete was replaced by the owner (aws-facts.md §1.6).
fn by_ecs(record: &Record, seen: &Observation) -> bool {
    seen.is_rollback(record.phase_since).unwrap_or(record.healthy_since.is_none())
}

/// Goes on watching. Writes only what changed: an event that adds nothing costs no write.
fn keep_watching(record: Record, seen: &Observation, reason: Reason, ctx: &Context) -> Decision {
    let reason = match reason {
        _ if record.version == 0 => Reason::FirstSeen,
        Reason::Healthy if seen.lacks_capacity() => Reason::Short,
        Reason::Healthy if seen.is_short() => Reason::Replacing,
        reason => reason,
    };
    let due = matches!(ctx.trigger, Trigger::Sweep) && ctx.now >= record.next_check_at;
    let (first, short_since, had_past) = (record.version == 0, record.short_since, record.previous.is_some());
    let next = watch_again(record, seen, ctx);
    let changed = next.short_since != short_since || next.previous.is_some() != had_past;
    if due || first || changed { write(next, reason) } else { Decision::Leave(reason) }
}

fn watch_again(mut record: Record, seen: &Observation, ctx: &Context) -> Record {
    record.service_created_at = Some(seen.created_at);
    if !ours_may_come_back(&record, seen) {
        record.previous = None;
    }
    record.short_since = seen.lacks_capacity().then(|| record.short_since.unwrap_or(ctx.now));
    let interval = if seen.is_short() { ctx.policy.active_interval } else { ctx.policy.watch_interval };
    record.next_check_at = ctx.now + interval;
    record
}

/// Saves the original and claims the failover. Only called when the live strategy has Spot, so the fallback is never
/// saved as the original (aws-facts.md §11.1).
fn start_episode(mut record: Record, seen: &Observation, reason: Reason, ctx: &Context) -> Decision {
    let Some(original) = seen.strategy.clone() else { return Decision::Leave(Reason::NoSpot) };
    if let Some(why) = hands_off(&reason, ctx) {
        return keep_watching(record, seen, why, ctx);
    }
    let same_outage = record.restored_at.is_some_and(|at| ctx.now.since(at) < ctx.policy.episode_memory);
    if same_outage {
        record.failed_restores = record.failed_restores.saturating_add(1);
    } else {
        record.episode = record.episode.saturating_add(1);
        record.failed_restores = 0;
    }
    record.service_created_at = Some(seen.created_at);
    record.event = match ctx.trigger {
        Trigger::Event(event) => Some(Arc::new(event.value())),
        Trigger::Sweep => record.event,
    };
    let change = Change { to: original.fallback(), from: original.clone() };
    record.original = Some(original);
    record.previous = None;
    claim(record, Phase::FailingOver, change, reason, ctx)
}

/// Whether an event is about a time before what the record remembers, or too old to be acted on: duplicates and redriven
/// messages may come hours late (aws-facts.md §6). The service is looked at all the same.
fn is_stale(record: &Record, event: &Event, ctx: &Context) -> bool {
    // Before its first episode a service has no past that an event could be about.
    let since = (record.phase != Phase::Watching || record.episode > 0).then_some(record.phase_since);
    // Event times are whole seconds, rounded down.
    let outdated = since.is_some_and(|since| event.at.as_millis() / 1000 < since.as_millis() / 1000);
    outdated || ctx.now.since(event.at) > ctx.policy.event_max_age
}

// ---- FailingOver ----------------------------------------------------------------------------------------------------

fn failing_over(mut record: Record, seen: &Observation, ctx: &Context) -> Decision {
    let (Some(_), Some(change)) = (&record.original, record.change.clone()) else { return adopt(record, seen, ctx) };
    if seen.strategy.as_ref() == Some(&change.to) {
        if may_be_stale(&record, seen, ctx) {
            return settle(record, ctx);
        }
        if let Some(owners) = overtaken(&record, &change, seen) {
            record.previous = record.original.replace(owners);
        }
        on_fallback(&mut record, ctx);
        return write(record, Reason::FallbackLive);
    }
    if seen.strategy.as_ref() == Some(&change.from) {
        if !record.leased_by(ctx.owner, ctx.now) && !is_still_needed(&record, &change, seen, ctx) {
            return close(record, seen, Reason::NotNeeded, ctx);
        }
        return apply(record, change, ctx);
    }
    adopt(record, seen, ctx)
}

/// Whether a failover that was claimed and not carried out is still wanted: its handler died or was throttled, or everything was
/// paused, and that may be hours ago.
fn is_still_needed(record: &Record, change: &Change, seen: &Observation, ctx: &Context) -> bool {
    let age = ctx.now.since(record.phase_since);
    let fresh = |age| age < ctx.policy.event_max_age;
    let told = match ctx.trigger {
        Trigger::Event(event) if fresh(ctx.now.since(event.at)) => match event.signal {
            Signal::SyntheticPlacementFailure => true,
            Signal::Interruption => ctx.policy.interruption_policy == InterruptionPolicy::Immediate,
            _ => false,
        },
        _ => false,
    };
    let synthetic = record.event.as_ref().is_some_and(|event| event["source"] == SYNTHETIC_SOURCE);
    let just_claimed = age < ctx.policy.lease + ctx.policy.shortfall_grace;
    let missing = seen.is_short() && !seen.is_deploying(ctx.now, ctx.policy.deployment_grace);
    // From anything but the original it is the way back of a restore.
    let goes_back = record.original.as_ref() != Some(&change.from);
    goes_back || just_claimed || told || missing || (synthetic && fresh(age))
}

/// Whether a look that shows the change made may show a time before the claim, when the same strategy was live: its deployment
/// is older than the claim, and ECS may still answer from then.
fn may_be_stale(record: &Record, seen: &Observation, ctx: &Context) -> bool {
    !record.confirmed && seen.is_older_than(record.phase_since) && ctx.now.since(record.phase_since) < ctx.policy.settle
}

/// Gives the claim back and looks again soon.
fn settle(mut record: Record, ctx: &Context) -> Decision {
    record.lease = None;
    postpone(record, Reason::Settling, ctx)
}

/// What an owner chose so shortly before our change that no look showed it: reads may be stale. The answer to our change
/// lists the deployment it replaced, and that is the truth. So the owner's choice is not lost, it is what will be restored.
fn overtaken(record: &Record, change: &Change, seen: &Observation) -> Option<Strategy> {
    let replaced = seen.replaced().filter(|_| !record.confirmed)?.strategy.as_ref()?;
    let original = record.original.as_ref()?;
    // A fallback is its own: any is ours, also one that came too late for a service that was created anew meanwhile.
    let known = [&change.from, &change.to, original, &original.fallback(), &original.probe(), &replaced.fallback()];
    (!known.contains(&replaced)).then(|| replaced.clone())
}

/// The claimed change is still to be made: by whoever holds the claim.
fn apply(record: Record, change: Change, ctx: &Context) -> Decision {
    if let Some(why) = hands_off(&Reason::TakenOver, ctx) {
        return wait(record, why, ctx);
    }
    if record.leased_by(ctx.owner, ctx.now) {
        Decision::Update(Arc::new(record), change.to)
    } else {
        let (phase, since) = (record.phase, record.phase_since);
        match claim(record, phase, change, Reason::TakenOver, ctx) {
            // The same claim goes on: what was done under it counts.
            Decision::Claim(mut next, reason) => {
                Arc::make_mut(&mut next).phase_since = since;
                Decision::Claim(next, reason)
            }
            other => other,
        }
    }
}

/// On-Demand from now on, until the backoff is over.
fn on_fallback(record: &mut Record, ctx: &Context) {
    enter(record, Phase::OnDemand, ctx);
    record.confirmed = true;
    record.restore_at = Some(ctx.now + record.restore_delay(ctx.policy));
    record.next_check_at = ctx.now + ctx.policy.active_interval;
}

// ---- OnDemand -------------------------------------------------------------------------------------------------------

fn on_demand(record: Record, seen: &Observation, ctx: &Context) -> Decision {
    let (Some(original), Some(change)) = (record.original.clone(), record.change.clone()) else {
        return adopt(record, seen, ctx);
    };
    if seen.strategy.as_ref() != Some(&change.to) {
        return match &seen.strategy {
            _ if ctx.now.since(record.phase_since) < ctx.policy.settle => postpone(record, Reason::Settling, ctx),
            Some(live) if *live == change.from && by_ecs(&record, seen) => {
                failover_rolled_back(record, live, &original, seen, ctx)
            }
            _ => adopt(record, seen, ctx),
        };
    }
    if matches!(ctx.trigger, Trigger::Event(_)) {
        return Decision::Leave(Reason::AlreadyOnDemand);
    }
    let due = record.restore_at.is_none_or(|at| ctx.now >= at);
    if seen.runs_fully_on(&change.to) {
        let healthy_since = record.healthy_since.or(Some(ctx.now));
        let record = Record { healthy_since, ..record };
        return if due { restore(record, original, seen, ctx) } else { wait_for_restore(record, Reason::NotDue, ctx) };
    }
    // A release of the owner's is under way: to restore now would stop it.
    if due && seen.is_deploying(ctx.now, ctx.policy.deployment_grace) {
        return postpone(record, Reason::Deploying, ctx);
    }
    // The fallback does not come up. Held is an alert, not an end: once the backoff allows, Spot is tried again, which
    // can only be better (DESIGN rule 8).
    let waited = ctx.now.since(record.phase_since) >= ctx.policy.restore_timeout;
    // ECS starts no more tasks of a deployment that it gave up: a restore, later, is another try.
    let another_try =
        seen.gave_up() && record.restore_at.is_none_or(|at| ctx.now.since(at) >= ctx.policy.held_interval);
    match (waited, due) {
        (true, true) if seen.application_fails() && !another_try => hold(record, HeldReason::ApplicationFails, ctx),
        (true, true) => restore(record, original, seen, ctx),
        (true, false) if seen.application_fails() => postpone(record, Reason::ApplicationFails, ctx),
        (true, false) if seen.lacks_capacity() => hold(record, HeldReason::OnDemandShort, ctx),
        _ => postpone(record, Reason::NotDue, ctx),
    }
}

/// A circuit breaker or an alarm brought back what was live before (aws-facts.md §1.6). Doing the same again at once would
/// end the same way, so unless the service is well where it is, a person is told and it is tried again slowly.
fn failover_rolled_back(
    mut record: Record,
    live: &Strategy,
    original: &Strategy,
    seen: &Observation,
    ctx: &Context,
) -> Decision {
    if live == original {
        if !seen.is_short() {
            return close(record, seen, Reason::RolledBack, ctx);
        }
        // In the order of items that is live now, which may be an owner's new one.
        record.original = Some(live.clone());
    }
    record.phase = Phase::FailingOver;
    record.confirmed = false;
    record.failed_restores = record.failed_restores.saturating_add(1);
    let mut record = on_hold(record, HeldReason::RolledBack, ctx);
    record.next_check_at = ctx.now + record.restore_delay(ctx.policy).max(ctx.policy.held_interval);
    write(record, Reason::Held(HeldReason::RolledBack))
}

fn wait_for_restore(mut record: Record, reason: Reason, ctx: &Context) -> Decision {
    let look = ctx.now + ctx.policy.watch_interval;
    record.next_check_at = record.restore_at.map_or(look, |at| at.clamp(ctx.now + SOONEST, look));
    write(record, reason)
}

fn restore(mut record: Record, original: Strategy, seen: &Observation, ctx: &Context) -> Decision {
    if let Some(why) = hands_off(&Reason::RestoreDue, ctx) {
        return wait(record, why, ctx);
    }
    record.restores.retain(|at| ctx.now.since(*at) < DAY);
    if let (true, Some(oldest)) =
        (record.restores.len() >= ctx.policy.restores_per_day as usize, record.restores.first())
    {
        record.restore_at = Some(*oldest + DAY);
        return wait_for_restore(record, Reason::DailyCap, ctx);
    }
    // A service that wants no task asks nothing of the market, and proves nothing.
    let market = ctx.market.filter(|_| seen.desired > 0);
    let admitted = market.map_or(ctx.now, |market| market.admits(&record, ctx.policy, ctx.now));
    if admitted > ctx.now {
        record.restore_at = Some(admitted);
        return wait_for_restore(record, Reason::MarketBusy, ctx);
    }
    record.restores.push(ctx.now);
    record.healthy_tasks = seen.desired;
    let from = record.change.as_ref().map_or_else(|| original.fallback(), |change| change.to.clone());
    // With minimumHealthyPercent under 100, ECS stops On-Demand tasks before Spot ones run; one is tried first. Not where the
    // fallback never came up: a probe wants all other tasks on On-Demand, which is short, and could not hold however much Spot
    // there is. Nor where ECS rolled the last one back: it failed on what it had on On-Demand, or Spot fails without a word.
    let came_up = record.healthy_since.is_some();
    let skipped = std::mem::take(&mut record.probe_rolled_back);
    let probe = ctx.policy.probe_restores && came_up && !skipped && seen.stoppable() > 1 && from != original.probe();
    let to = if probe { original.probe() } else { original };
    claim(record, Phase::Restoring, Change { from, to }, Reason::RestoreDue, ctx)
}

// ---- Restoring ------------------------------------------------------------------------------------------------------

fn restoring(mut record: Record, seen: &Observation, ctx: &Context) -> Decision {
    let (Some(original), Some(change)) = (record.original.clone(), record.change.clone()) else {
        return adopt(record, seen, ctx);
    };
    let live = seen.strategy.as_ref();
    if live == Some(&change.to) {
        if may_be_stale(&record, seen, ctx) {
            return settle(record, ctx);
        }
        if let (Some(owners), None) = (overtaken(&record, &change, seen), hands_off(&Reason::OwnerChanged, ctx)) {
            record.previous = record.original.replace(owners.clone());
            return claim(record, Phase::Restoring, Change { from: change.to, to: owners }, Reason::OwnerChanged, ctx);
        }
        return on_probation(record, &original, change, seen, ctx);
    }
    if live == Some(&change.from) && !record.confirmed {
        return match record.leased_by(ctx.owner, ctx.now) {
            true => apply(record, change, ctx),
            false => restore_not_begun(record, original, change, seen, ctx),
        };
    }
    if ctx.now.since(record.phase_since) < ctx.policy.settle {
        return postpone(record, Reason::Settling, ctx);
    }
    if !by_ecs(&record, seen) {
        return adopt(record, seen, ctx);
    }
    let fallback = original.fallback();
    if live == Some(&fallback) {
        // A circuit breaker brought the previous strategy back: a failed restore, and ECS did our work (aws-facts.md §1.6).
        record.failed_restores = record.failed_restores.saturating_add(1);
        record.probe_rolled_back = change.to == original.probe();
        on_fallback(&mut record, ctx);
        record.change = Some(Change { from: change.to, to: fallback });
        return write(record, Reason::RolledBack);
    }
    if live == Some(&change.from) {
        return fall_back(record, &original, seen, Reason::RolledBack, ctx);
    }
    adopt(record, seen, ctx)
}

/// A restore that was claimed and not carried out, maybe hours ago: decided anew, by the market, the day's restores and what the
/// service is like now.
fn restore_not_begun(
    mut record: Record,
    original: Strategy,
    change: Change,
    seen: &Observation,
    ctx: &Context,
) -> Decision {
    if !change.from.uses_spot() {
        record.restores.pop();
        record.phase = Phase::OnDemand;
        record.confirmed = true;
        record.lease = None;
        record.restore_at = Some(record.phase_since);
        record.change = Some(Change { from: original, to: change.from });
        return on_demand(record, seen, ctx);
    }
    if change.from == original.probe() {
        record.confirmed = true;
        let change = Change { from: original.fallback(), to: change.from };
        record.change = Some(change.clone());
        return on_probation(record, &original, change, seen, ctx);
    }
    // In the place of a strategy of ours that an owner had changed just before.
    apply(record, change, ctx)
}

/// A restore is a probation, not a call (DESIGN rule 4).
fn on_probation(
    mut record: Record,
    original: &Strategy,
    change: Change,
    seen: &Observation,
    ctx: &Context,
) -> Decision {
    let up = seen.runs_fully_on(&change.to);
    let late = is_late(&record, &change, seen, ctx);
    if let Some(reason) = lost_on_probation(&record, up, late, seen, ctx) {
        return fall_back(record, original, seen, reason, ctx);
    }
    if !up && late {
        // The application fails, and would on the fallback.
        return hold(record, HeldReason::ApplicationFails, ctx);
    }
    if let (true, true, Some(why)) = (up, change.to != *original, hands_off(&Reason::ProbeHolds, ctx)) {
        return wait(record, why, ctx);
    }
    if up && change.to != *original {
        let change = Change { from: change.to, to: original.clone() };
        return claim(record, Phase::Restoring, change, Reason::ProbeHolds, ctx);
    }
    let (confirmed, before) = (record.confirmed, record.healthy_since);
    record.confirmed = true;
    record.lease = None;
    record.healthy_since = up.then(|| before.unwrap_or(ctx.now));
    if up {
        record.healthy_tasks = seen.running;
    }
    record.short_since = if up { None } else { record.short_since.or(Some(ctx.now)) };
    let passed = record.healthy_since.is_some_and(|since| ctx.now.since(since) >= ctx.policy.probation);
    if passed || (up && has_lasted(&record, ctx)) {
        return close(record, seen, Reason::Restored, ctx);
    }
    if !confirmed || record.healthy_since != before || matches!(ctx.trigger, Trigger::Sweep) {
        postpone(record, Reason::OnProbation, ctx)
    } else {
        Decision::Leave(Reason::OnProbation)
    }
}

/// Why the restore has failed, if it has.
fn lost_on_probation(record: &Record, up: bool, late: bool, seen: &Observation, ctx: &Context) -> Option<Reason> {
    if let Trigger::Event(event) = ctx.trigger
        && !is_stale(record, event, ctx)
    {
        match event.signal {
            Signal::SpotPlacementFailure if !up => return Some(Reason::SpotPlacementFailure),
            Signal::SyntheticPlacementFailure => return Some(Reason::SyntheticPlacementFailure),
            Signal::Interruption if ctx.policy.interruption_policy == InterruptionPolicy::Immediate => {
                return Some(Reason::Interruption);
            }
            _ => {}
        }
    }
    // An application that fails is no loss of capacity, and the fallback would not help it (DESIGN rule 7), unless ECS has given up
    // to start it.
    if up || (seen.application_fails() && !(late && seen.gave_up())) {
        None
    } else if record.healthy_since.is_some() && seen.is_short() && seen.running < record.healthy_tasks {
        Some(Reason::ShortOnProbation)
    } else if late {
        Some(Reason::RestoreTimedOut)
    } else {
        None
    }
}

/// Whether a restore that is not up should be. One of which only the end of the tasks before is missing is slow, not late.
fn is_late(record: &Record, change: &Change, seen: &Observation, ctx: &Context) -> bool {
    // Up once, tasks that are missing now have been missing since now: an owner who scales out is not a restore that is late.
    let missing_since = match record.healthy_since {
        Some(_) => ctx.now,
        // A claim that was taken over may have been made long before its deployment.
        None => {
            let began = seen.primary().map_or(record.phase_since, |primary| primary.created_at.max(record.phase_since));
            record.short_since.unwrap_or(began)
        }
    };
    let missing = ctx.now.since(missing_since) >= ctx.policy.restore_timeout && !seen.only_drains(&change.to);
    missing || has_lasted(record, ctx)
}

fn has_lasted(record: &Record, ctx: &Context) -> bool {
    ctx.now.since(record.phase_since) >= (ctx.policy.restore_timeout + ctx.policy.probation) * LONGEST_RESTORE
}

/// A failed restore: back to the fallback at once, and the next try later than this one.
fn fall_back(mut record: Record, original: &Strategy, seen: &Observation, reason: Reason, ctx: &Context) -> Decision {
    let Some(from) = seen.strategy.clone() else { return adopt(record, seen, ctx) };
    if let Some(why) = hands_off(&reason, ctx) {
        return wait(record, why, ctx);
    }
    record.failed_restores = record.failed_restores.saturating_add(1);
    claim(record, Phase::FailingOver, Change { from, to: original.fallback() }, reason, ctx)
}

// ---- Held -----------------------------------------------------------------------------------------------------------

/// Goes on from the phase before when the cause is gone: at any look where a look shows that, else at a slow pace.
fn held(record: Record, seen: &Observation, ctx: &Context) -> Decision {
    let Some(held) = record.held.clone() else { return adopt(record, seen, ctx) };
    let early = matches!(ctx.trigger, Trigger::Event(_)) || ctx.now < record.next_check_at;
    if early && !held.reason.shows_in_a_look() {
        return Decision::Leave(Reason::Held(held.reason));
    }
    // ECS refused the failover, or rolled it back. So if the fallback is live, and no later rollback brought it, its owner chose it.
    let to = record.change.as_ref().map(|change| &change.to);
    let refused = held.resume == Phase::FailingOver && !held.reason.shows_in_a_look();
    let by_ecs = seen.is_rollback(record.phase_since).unwrap_or(held.reason != HeldReason::RolledBack);
    if refused && seen.strategy.as_ref() == to && !by_ecs {
        return Decision::Forget(Reason::OwnerChanged);
    }
    // A failover that could not be made may not be needed any more.
    if held.resume == Phase::FailingOver && seen.strategy == record.original && !seen.is_short() {
        return close(record, seen, Reason::Cured, ctx);
    }
    let phase_since = held.since.unwrap_or(record.phase_since);
    let resumed = Record { phase: held.resume, phase_since, held: None, ..record.clone() };
    // Nobody could look when an event told of a loss, and the tasks are still missing.
    let told =
        held.resume == Phase::Watching && record.event.is_some() && !seen.opted_out && seen.unsupported().is_none();
    if told && seen.uses_spot() && seen.lacks_capacity() && !application_is_blamed(seen) {
        return start_episode(resumed, seen, Reason::SpotPlacementFailure, ctx);
    }
    let persists = match held.reason {
        // On-Demand that is still short is not cured by waiting for the next restore.
        HeldReason::OnDemandShort => seen.is_short(),
        HeldReason::ApplicationFails => seen.application_fails(),
        _ => false,
    };
    match in_phase(resumed.clone(), seen, ctx) {
        Decision::Write(next, reason) if next.phase == Phase::Held => {
            if early && reason == Reason::Held(held.reason) {
                return Decision::Leave(reason);
            }
            write(Record { phase_since: record.phase_since, ..Arc::unwrap_or_clone(next) }, reason)
        }
        Decision::Write(..) | Decision::Leave(_) if persists && early => Decision::Leave(Reason::Held(held.reason)),
        Decision::Write(next, _) if persists && next.phase == held.resume => {
            let next = Record { phase: Phase::Held, held: record.held, ..Arc::unwrap_or_clone(next) };
            write(on_hold(next, held.reason.clone(), ctx), Reason::Held(held.reason))
        }
        // Still in the phase it resumed: the cause is cured, and that is the news.
        Decision::Write(next, _) if next.phase == held.resume => {
            write(Record { phase_since: ctx.now, ..Arc::unwrap_or_clone(next) }, Reason::Cured)
        }
        Decision::Leave(_) => {
            let next_check_at = ctx.now + ctx.policy.active_interval;
            write(Record { phase_since: ctx.now, next_check_at, ..resumed }, Reason::Cured)
        }
        other => other,
    }
}

// ---- shared ---------------------------------------------------------------------------------------------------------

fn write(mut record: Record, reason: Reason) -> Decision {
    record.reason = reason.text();
    Decision::Write(Arc::new(record), reason)
}

/// Moves to `phase`, with nothing of the phase before left over.
fn enter(record: &mut Record, phase: Phase, ctx: &Context) {
    record.phase = phase;
    record.phase_since = ctx.now;
    record.confirmed = false;
    record.short_since = None;
    record.healthy_since = None;
    record.restore_at = None;
    record.lease = None;
    record.held = None;
}

/// Why nothing may be changed now, if so: what would have been done, and why.
fn hands_off(reason: &Reason, ctx: &Context) -> Option<Reason> {
    if ctx.policy.paused {
        Some(Reason::Paused)
    } else if ctx.policy.dry_run {
        Some(Reason::DryRun(Box::new(reason.clone())))
    } else {
        None
    }
}

/// Same phase, nothing done: a due record waits for its next look, an event leaves it as it is.
fn wait(record: Record, reason: Reason, ctx: &Context) -> Decision {
    match ctx.trigger {
        Trigger::Sweep => postpone(record, reason, ctx),
        Trigger::Event(_) => Decision::Leave(reason),
    }
}

/// The first step of every change to ECS. Callers have asked [`hands_off`]; so that none can forget, it is asked again.
fn claim(mut record: Record, phase: Phase, change: Change, reason: Reason, ctx: &Context) -> Decision {
    if let Some(why) = hands_off(&reason, ctx) {
        return Decision::Leave(why);
    }
    enter(&mut record, phase, ctx);
    record.change = Some(change);
    record.reason = reason.text();
    let until = ctx.now + ctx.policy.lease;
    record.lease = Some(Lease { owner: ctx.owner.to_owned(), until });
    record.next_check_at = until;
    Decision::Claim(Arc::new(record), reason)
}

/// Same phase, looked at again soon.
fn postpone(mut record: Record, reason: Reason, ctx: &Context) -> Decision {
    record.next_check_at = ctx.now + ctx.policy.active_interval;
    write(record, reason)
}

fn hold(record: Record, reason: HeldReason, ctx: &Context) -> Decision {
    let held_for_it = record.held.as_ref().is_some_and(|held| held.reason == reason);
    if held_for_it && (matches!(ctx.trigger, Trigger::Event(_)) || ctx.now < record.next_check_at) {
        return Decision::Leave(Reason::Held(reason));
    }
    write(on_hold(record, reason.clone(), ctx), Reason::Held(reason))
}

fn on_hold(mut record: Record, reason: HeldReason, ctx: &Context) -> Record {
    let (resume, since) =
        record.held.map_or((record.phase, Some(record.phase_since)), |held| (held.resume, held.since));
    if record.phase != Phase::Held {
        record.phase = Phase::Held;
        record.phase_since = ctx.now;
    }
    record.reason = reason.to_string().into();
    record.lease = None;
    let Policy { active_interval, held_interval, .. } = *ctx.policy;
    let wait = match reason.is_blindness() || reason == HeldReason::ApplicationFails {
        true => (ctx.now.since(record.phase_since) / BLIND_PACE).max(active_interval).min(held_interval),
        false => held_interval,
    };
    record.next_check_at = ctx.now + wait;
    record.held = Some(Held { reason, resume, since });
    record
}

/// Ends the episode: the service is its owner's again.
fn close(record: Record, seen: &Observation, reason: Reason, ctx: &Context) -> Decision {
    write(closed(record, seen, &reason, ctx), reason)
}

fn closed(mut record: Record, seen: &Observation, reason: &Reason, ctx: &Context) -> Record {
    enter(&mut record, Phase::Watching, ctx);
    record.previous = record.original.take();
    record.change = None;
    record.event = None;
    // What ECS or we brought back may fail again as the same outage; what an owner chose begins anew.
    record.restored_at = match reason {
        Reason::Restored | Reason::RolledBack => Some(ctx.now),
        Reason::NotNeeded => record.restored_at,
        _ => None,
    };
    watch_again(record, seen, ctx)
}

/// Someone else's strategy is live, or the record was edited by hand and lacks what it should hold: what is live stands, and our
/// claim on the service ends (DESIGN rule 6).
fn adopt(mut record: Record, seen: &Observation, ctx: &Context) -> Decision {
    if let Some(decision) = ours_came_back(&record, seen, ctx) {
        return decision;
    }
    let by_ecs = by_ecs(&record, seen);
    let theirs = if seen.strategy == record.original && by_ecs { Reason::RolledBack } else { Reason::OwnerChanged };
    // An owner who chose what we would: it stands for nothing else.
    let chosen = record
        .original
        .take_if(|original| !by_ecs && seen.strategy.as_ref().is_some_and(|live| live.stands_in_for(original)));
    if !seen.uses_spot() && (chosen.is_some() || !may_be_rolled_back(seen)) {
        return Decision::Forget(theirs);
    }
    let since = record.phase_since;
    let closed = closed(record, seen, &theirs, ctx);
    // What the event says of the service as it is now is not lost over what happened to it before.
    match watching(Record { phase_since: since, ..closed.clone() }, seen, ctx) {
        next @ Decision::Claim(..) => next,
        _ => write(closed, theirs),
    }
}
