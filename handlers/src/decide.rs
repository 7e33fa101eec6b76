//! The heart: from a record and a look at the service to the next step. No I/O, no clock, no randomness.
//!
//! One transition takes several calls of [`decide`], each on fresh facts: the first says [`Decision::Claim`]; once the
//! claim is written and the service looked at again, the next says [`Decision::Update`]; once ECS has answered, the last
//! says [`Decision::Write`], which confirms. A handler killed anywhere in between leaves a record from which the same
//! function goes on: level-triggered (DESIGN §3).

use std::fmt;

use crate::event::{Event, Signal};
use crate::held::HeldReason;
use crate::observation::{Look, Observation};
use crate::policy::{InterruptionPolicy, Policy};
use crate::record::{Held, Lease, Phase, Record};
use crate::service::ServiceId;
use crate::strategy::Strategy;
use crate::timestamp::Timestamp;

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
}

/// The next step.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Nothing to do and nothing to remember.
    Leave(Reason),
    /// Remember this; done.
    Write(Box<Record>, Reason),
    /// Write this claim; if it holds, look again and decide again.
    Claim(Box<Record>, Reason),
    /// The record is claimed by us: force a deployment on this strategy, then decide again.
    Update(Box<Record>, Strategy),
    /// The record has no subject any more: delete it.
    Forget(Reason),
}

/// Why a step is taken, for people: logs, audit events, timelines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A Spot service not seen before.
    FirstSeen,
    /// The service runs in full on what its owner chose.
    Healthy,
    /// Tasks are missing, not for long enough yet.
    Short,
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
    /// The service is gone, or going.
    Gone,
    /// A service of the same name was created anew.
    Recreated,
    /// Another handler is acting.
    Leased,
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
    /// A claim whose handler did not finish is taken over.
    TakenOver,
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
    /// The time on On-Demand is over.
    RestoreDue,
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
        f.write_str(match self {
            Self::FirstSeen => "a Spot service, seen for the first time",
            Self::Healthy => "runs in full",
            Self::Short => "tasks are missing, not for long enough to act",
            Self::ApplicationFails => "tasks are missing because the application fails to start",
            Self::Deploying => "tasks are missing because a deployment is under way",
            Self::AtFullCount => "a placement failure at full count is no loss",
            Self::Stale => "the event is about the past",
            Self::NoSpot => "the strategy has no Spot",
            Self::Gone => "the service is gone",
            Self::Recreated => "the service was deleted and created anew",
            Self::Leased => "another handler is acting",
            Self::Paused => "paused",
            Self::DryRun(reason) => return write!(f, "dry run: would act, {reason}"),
            Self::SpotPlacementFailure => "no Spot capacity for its tasks",
            Self::SyntheticPlacementFailure => "synthetic placement failure",
            Self::Interruption => "Spot interruption",
            Self::SilentLoss => "tasks are missing for longer than the grace time, and no event said so",
            Self::TakenOver => "taken over from a handler that did not finish",
            Self::ShortOnProbation => "tasks went missing on probation",
            Self::RestoreTimedOut => "the restored tasks did not come up in time",
            Self::RolledBack => "ECS rolled our change back",
            Self::FallbackLive => "On-Demand strategy is live",
            Self::AlreadyOnDemand => "is on On-Demand already",
            Self::NotDue => "restore is not due yet",
            Self::DailyCap => "the day's restores are used up",
            Self::RestoreDue => "time on On-Demand is over",
            Self::OnProbation => "original strategy is live, on probation",
            Self::Restored => "runs in full on the original strategy, episode closed",
            Self::OwnerChanged => "someone else changed the strategy, theirs stands",
            Self::Settling => "too soon after our change to trust what ECS shows",
            Self::Held(reason) => return write!(f, "{reason}"),
            Self::Cured => "what held it is cured",
        })
    }
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
        (Some(_), Look::Missing) => Decision::Forget(Reason::Gone),
        (record, Look::Blocked(reason)) => {
            hold(record.cloned().unwrap_or_else(|| Record::new(service.clone(), ctx.now)), reason.clone(), ctx)
        }
        (None, Look::Found(seen)) if !seen.active => Decision::Leave(Reason::Gone),
        (Some(_), Look::Found(seen)) if !seen.active => Decision::Forget(Reason::Gone),
        (None, Look::Found(seen)) => watching(Record::new(service.clone(), ctx.now), seen, ctx),
        (Some(record), Look::Found(seen)) => match record.service_created_at {
            // The name is the same, the service is not: nothing of the past applies, but the item's version does.
            Some(known) if known != seen.created_at => {
                let anew = Record { version: record.version, ..Record::new(service.clone(), ctx.now) };
                match watching(anew.clone(), seen, ctx) {
                    Decision::Leave(Reason::NoSpot) => Decision::Forget(Reason::Recreated),
                    Decision::Leave(_) => write(watch_again(anew, seen, ctx), Reason::Recreated),
                    other => other,
                }
            }
            _ => in_phase(record.clone(), seen, ctx),
        },
    }
}

/// What the record becomes when ECS clearly refused the update of a claimed transition: held, to go on from where the
/// transition started.
pub fn refused(mut claimed: Record, reason: HeldReason, ctx: &Context) -> (Record, Reason) {
    if claimed.phase == Phase::Restoring {
        claimed.phase = Phase::OnDemand;
        claimed.confirmed = true;
    } else {
        claimed.phase = Phase::Watching;
        claimed.original = None;
        claimed.short_since = Some(ctx.now);
    }
    (on_hold(claimed, reason.clone(), ctx), Reason::Held(reason))
}

/// What the record becomes when the update of a claimed transition was throttled and so did not happen: the lease is given
/// back, the retried message need not wait for it.
pub fn postponed(mut claimed: Record, ctx: &Context) -> Record {
    claimed.lease = None;
    claimed.next_check_at = ctx.now + ctx.policy.active_interval;
    claimed
}

fn in_phase(record: Record, seen: &Observation, ctx: &Context) -> Decision {
    match record.phase {
        Phase::Watching => watching(record, seen, ctx),
        Phase::FailingOver => failing_over(record, seen, ctx),
        Phase::OnDemand => on_demand(record, seen, ctx),
        Phase::Restoring => restoring(record, seen, ctx),
        Phase::Held => held(record, seen, ctx),
    }
}

// ---- Watching -------------------------------------------------------------------------------------------------------

fn watching(record: Record, seen: &Observation, ctx: &Context) -> Decision {
    if !seen.uses_spot() {
        return if record.version == 0 { Decision::Leave(Reason::NoSpot) } else { Decision::Forget(Reason::NoSpot) };
    }
    if let Some(reason) = seen.unsupported() {
        return hold(record, reason, ctx);
    }
    match ctx.trigger {
        Trigger::Event(event) if is_stale(&record, event, ctx) => keep_watching(record, seen, Reason::Stale, ctx),
        Trigger::Event(event) => match event.signal {
            Signal::SyntheticPlacementFailure => start_episode(record, seen, Reason::SyntheticPlacementFailure, ctx),
            Signal::SpotPlacementFailure if seen.is_short() && seen.application_fails() => {
                keep_watching(record, seen, Reason::ApplicationFails, ctx)
            }
            Signal::SpotPlacementFailure if seen.is_short() => {
                start_episode(record, seen, Reason::SpotPlacementFailure, ctx)
            }
            Signal::SpotPlacementFailure => keep_watching(record, seen, Reason::AtFullCount, ctx),
            Signal::Interruption if ctx.policy.interruption_policy == InterruptionPolicy::Immediate => {
                start_episode(record, seen, Reason::Interruption, ctx)
            }
            _ => keep_watching(record, seen, Reason::Healthy, ctx),
        },
        Trigger::Sweep => {
            let since = record.short_since.unwrap_or(ctx.now);
            if !seen.is_short() || ctx.now.since(since) < ctx.policy.shortfall_grace || record.short_since.is_none() {
                keep_watching(record, seen, Reason::Healthy, ctx)
            } else if seen.application_fails() {
                keep_watching(record, seen, Reason::ApplicationFails, ctx)
            } else if seen.is_deploying(ctx.now, ctx.policy.deployment_grace) {
                keep_watching(record, seen, Reason::Deploying, ctx)
            } else {
                start_episode(record, seen, Reason::SilentLoss, ctx)
            }
        }
    }
}

/// Goes on watching. Writes only what changed: an event that adds nothing costs no write.
fn keep_watching(record: Record, seen: &Observation, reason: Reason, ctx: &Context) -> Decision {
    let reason = match reason {
        _ if record.version == 0 => Reason::FirstSeen,
        Reason::Healthy if seen.is_short() => Reason::Short,
        reason => reason,
    };
    let next = watch_again(record.clone(), seen, ctx);
    let due = matches!(ctx.trigger, Trigger::Sweep) && ctx.now >= record.next_check_at;
    if due || record.version == 0 || next.short_since != record.short_since {
        write(next, reason)
    } else {
        Decision::Leave(reason)
    }
}

fn watch_again(mut record: Record, seen: &Observation, ctx: &Context) -> Record {
    record.service_created_at = Some(seen.created_at);
    record.short_since = seen.is_short().then(|| record.short_since.unwrap_or(ctx.now));
    let interval = if seen.is_short() { ctx.policy.active_interval } else { ctx.policy.watch_interval };
    record.next_check_at = ctx.now + interval;
    record
}

/// Saves the original and claims the failover. Only called when the live strategy has Spot, so the fallback is never
/// saved as the original (aws-facts.md §11.1).
fn start_episode(mut record: Record, seen: &Observation, reason: Reason, ctx: &Context) -> Decision {
    let same_outage = record.restored_at.is_some_and(|at| ctx.now.since(at) < ctx.policy.episode_memory);
    if same_outage {
        record.failed_restores += 1;
    } else {
        record.episode += 1;
        record.failed_restores = 0;
    }
    record.original = seen.strategy.clone();
    record.service_created_at = Some(seen.created_at);
    record.event = match ctx.trigger {
        Trigger::Event(event) => Some(event.raw.clone()),
        Trigger::Sweep => None,
    };
    claim(record, Phase::FailingOver, reason, ctx)
}

/// Whether an event is about a time before what the record remembers, or too old to be acted on: duplicates and redriven
/// messages may come hours late (aws-facts.md §6). The service is looked at all the same.
fn is_stale(record: &Record, event: &Event, ctx: &Context) -> bool {
    let since = if record.phase == Phase::Watching { record.restored_at } else { Some(record.phase_since) };
    // Event times are whole seconds, rounded down.
    let outdated = since.is_some_and(|since| event.at.as_millis() / 1000 < since.as_millis() / 1000);
    outdated || ctx.now.since(event.at) > ctx.policy.event_max_age
}

// ---- FailingOver ----------------------------------------------------------------------------------------------------

fn failing_over(mut record: Record, seen: &Observation, ctx: &Context) -> Decision {
    let Some(original) = record.original.clone() else { return without_original(record, seen, ctx) };
    let fallback = original.fallback();
    match &seen.strategy {
        Some(live) if *live == fallback => {
            enter(&mut record, Phase::OnDemand, ctx);
            record.confirmed = true;
            record.restore_at = Some(ctx.now + record.restore_delay(ctx.policy));
            record.next_check_at = ctx.now + ctx.policy.active_interval;
            write(record, Reason::FallbackLive)
        }
        Some(live) if *live == original => {
            if record.leased_by(ctx.owner, ctx.now) {
                Decision::Update(Box::new(record), fallback)
            } else {
                claim(record, Phase::FailingOver, Reason::TakenOver, ctx)
            }
        }
        _ => adopt(record, seen, ctx),
    }
}

// ---- OnDemand -------------------------------------------------------------------------------------------------------

fn on_demand(record: Record, seen: &Observation, ctx: &Context) -> Decision {
    let Some(original) = record.original.clone() else { return without_original(record, seen, ctx) };
    let fallback = original.fallback();
    let live_is_fallback = seen.strategy.as_ref() == Some(&fallback);
    if !live_is_fallback && ctx.now.since(record.phase_since) < ctx.policy.settle {
        return postpone(record, Reason::Settling, ctx);
    }
    if !live_is_fallback {
        // ECS rolled the failover back, or the owner did: either way what is live is where we start from.
        return match seen.strategy.as_ref() == Some(&original) {
            true if seen.is_short() => fall_back(record, Reason::RolledBack, ctx),
            _ => adopt(record, seen, ctx),
        };
    }
    if matches!(ctx.trigger, Trigger::Event(_)) {
        return Decision::Leave(Reason::AlreadyOnDemand);
    }
    let complete = seen.runs_fully_on(&fallback);
    let due = record.restore_at.is_none_or(|at| ctx.now >= at);
    if complete {
        return if due { restore(record, ctx) } else { wait_for_restore(record, Reason::NotDue, ctx) };
    }
    // The fallback does not come up. Held is an alert, not an end: once the backoff allows, Spot is tried again, which
    // can only be better (DESIGN rule 8).
    let waited = ctx.now.since(record.phase_since) >= ctx.policy.restore_timeout;
    match (waited, due) {
        (true, true) => restore(record, ctx),
        (true, false) if seen.is_short() => hold(record, HeldReason::OnDemandShort, ctx),
        _ => postpone(record, Reason::NotDue, ctx),
    }
}

fn wait_for_restore(mut record: Record, reason: Reason, ctx: &Context) -> Decision {
    let look = ctx.now + ctx.policy.watch_interval;
    record.next_check_at = record.restore_at.map_or(look, |at| at.clamp(ctx.now, look));
    write(record, reason)
}

fn restore(mut record: Record, ctx: &Context) -> Decision {
    let day = std::time::Duration::from_secs(24 * 3600);
    record.restores.retain(|at| ctx.now.since(*at) < day);
    if let (true, Some(oldest)) =
        (record.restores.len() >= ctx.policy.restores_per_day as usize, record.restores.first())
    {
        record.restore_at = Some(*oldest + day);
        return wait_for_restore(record, Reason::DailyCap, ctx);
    }
    record.restores.push(ctx.now);
    claim(record, Phase::Restoring, Reason::RestoreDue, ctx)
}

// ---- Restoring ------------------------------------------------------------------------------------------------------

fn restoring(mut record: Record, seen: &Observation, ctx: &Context) -> Decision {
    let Some(original) = record.original.clone() else { return without_original(record, seen, ctx) };
    let live = seen.strategy.as_ref();
    if live == Some(&original) && record.confirmed {
        return on_probation(record, &original, seen, ctx);
    }
    if live == Some(&original) {
        record.confirmed = true;
        record.lease = None;
        record.next_check_at = ctx.now + ctx.policy.active_interval;
        return write(record, Reason::OnProbation);
    }
    let live_is_fallback = live == Some(&original.fallback());
    if live_is_fallback && !record.confirmed {
        return if record.leased_by(ctx.owner, ctx.now) {
            Decision::Update(Box::new(record), original)
        } else {
            claim(record, Phase::Restoring, Reason::TakenOver, ctx)
        };
    }
    if ctx.now.since(record.phase_since) < ctx.policy.settle {
        return postpone(record, Reason::Settling, ctx);
    }
    if live_is_fallback {
        // A circuit breaker brought the previous strategy back: a failed restore, and ECS did our work (aws-facts.md §1.6).
        record.failed_restores += 1;
        enter(&mut record, Phase::OnDemand, ctx);
        record.confirmed = true;
        record.restore_at = Some(ctx.now + record.restore_delay(ctx.policy));
        record.next_check_at = ctx.now + ctx.policy.active_interval;
        return write(record, Reason::RolledBack);
    }
    adopt(record, seen, ctx)
}

/// A restore is a probation, not a call (DESIGN rule 4).
fn on_probation(mut record: Record, original: &Strategy, seen: &Observation, ctx: &Context) -> Decision {
    let up = seen.runs_fully_on(original);
    if let Trigger::Event(event) = ctx.trigger {
        let stale = is_stale(&record, event, ctx);
        match event.signal {
            Signal::SpotPlacementFailure if !stale && !up => {
                return fall_back(record, Reason::SpotPlacementFailure, ctx);
            }
            Signal::SyntheticPlacementFailure if !stale => {
                return fall_back(record, Reason::SyntheticPlacementFailure, ctx);
            }
            Signal::Interruption if !stale && ctx.policy.interruption_policy == InterruptionPolicy::Immediate => {
                return fall_back(record, Reason::Interruption, ctx);
            }
            _ => {}
        }
    }
    let before = record.healthy_since;
    if up {
        let since = *record.healthy_since.get_or_insert(ctx.now);
        if ctx.now.since(since) >= ctx.policy.probation {
            return close(record, seen, Reason::Restored, ctx);
        }
    } else if before.is_some() && seen.is_short() {
        return fall_back(record, Reason::ShortOnProbation, ctx);
    } else if ctx.now.since(record.phase_since) >= ctx.policy.restore_timeout {
        return fall_back(record, Reason::RestoreTimedOut, ctx);
    } else {
        record.healthy_since = None;
    }
    if record.healthy_since != before || matches!(ctx.trigger, Trigger::Sweep) {
        postpone(record, Reason::OnProbation, ctx)
    } else {
        Decision::Leave(Reason::OnProbation)
    }
}

/// A failed restore: back to the fallback at once, and the next try later than this one.
fn fall_back(mut record: Record, reason: Reason, ctx: &Context) -> Decision {
    record.failed_restores += 1;
    claim(record, Phase::FailingOver, reason, ctx)
}

// ---- Held -----------------------------------------------------------------------------------------------------------

/// Looks again at a slow pace; goes on from the phase before when the cause is gone.
fn held(record: Record, seen: &Observation, ctx: &Context) -> Decision {
    let Some(held) = record.held.clone() else { return without_original(record, seen, ctx) };
    if matches!(ctx.trigger, Trigger::Event(_)) || ctx.now < record.next_check_at {
        return Decision::Leave(Reason::Held(held.reason));
    }
    let resumed = Record { phase: held.resume, phase_since: record.phase_since, held: None, ..record.clone() };
    match in_phase(resumed.clone(), seen, ctx) {
        Decision::Leave(_) => {
            write(Record { next_check_at: ctx.now + ctx.policy.active_interval, ..resumed }, Reason::Cured)
        }
        Decision::Write(next, reason) if next.phase == Phase::Held => {
            write(Record { phase_since: record.phase_since, ..*next }, reason)
        }
        // Still in the phase it resumed: the cause is cured, and that is the news.
        Decision::Write(next, _) if next.phase == held.resume => {
            write(Record { phase_since: ctx.now, ..*next }, Reason::Cured)
        }
        other => other,
    }
}

// ---- shared ---------------------------------------------------------------------------------------------------------

fn write(mut record: Record, reason: Reason) -> Decision {
    record.reason = reason.to_string();
    Decision::Write(Box::new(record), reason)
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

/// The first step of every change to ECS, and so the one place where the kill switch and the dry run stop it.
fn claim(mut record: Record, phase: Phase, reason: Reason, ctx: &Context) -> Decision {
    if ctx.policy.hands_off() {
        return Decision::Leave(if ctx.policy.paused { Reason::Paused } else { Reason::DryRun(Box::new(reason)) });
    }
    enter(&mut record, phase, ctx);
    record.reason = reason.to_string();
    let until = ctx.now + ctx.policy.lease;
    record.lease = Some(Lease { owner: ctx.owner.to_owned(), until });
    record.next_check_at = until;
    Decision::Claim(Box::new(record), reason)
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
    let resume = record.held.map_or(record.phase, |held| held.resume);
    if record.phase != Phase::Held {
        record.phase = Phase::Held;
        record.phase_since = ctx.now;
    }
    record.reason = reason.to_string();
    record.held = Some(Held { reason, resume });
    record.lease = None;
    record.next_check_at = ctx.now + ctx.policy.held_interval;
    record
}

/// Ends the episode: the service is its owner's again.
fn close(mut record: Record, seen: &Observation, reason: Reason, ctx: &Context) -> Decision {
    enter(&mut record, Phase::Watching, ctx);
    record.original = None;
    record.event = None;
    record.restored_at = Some(ctx.now);
    write(watch_again(record, seen, ctx), reason)
}

/// Someone else's strategy is live: it stands, and our claim on the service ends (DESIGN rule 6).
fn adopt(record: Record, seen: &Observation, ctx: &Context) -> Decision {
    let theirs = if seen.strategy == record.original { Reason::RolledBack } else { Reason::OwnerChanged };
    if seen.uses_spot() { close(record, seen, theirs, ctx) } else { Decision::Forget(theirs) }
}

/// A record that should hold the original and does not, such as one edited by hand: only what is live can be trusted.
fn without_original(record: Record, seen: &Observation, ctx: &Context) -> Decision {
    adopt(record, seen, ctx)
}
