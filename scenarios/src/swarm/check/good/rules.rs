//! The rules themselves. Each measures spans of a service's history, without what excuses them.

use std::time::Duration;

use handlers::decide::Reason;
use handlers::observation::Controller;
use handlers::record::Phase;
use handlers::strategy::CapacityProvider;
use simulator::spec::ServiceSpec;
use simulator::trace::Clock;

use super::court::{Court, FAILOVER_BY_EVENT, FAILOVER_UNTOLD, FALLBACK_SHORT, Near, RESTORE, TRANSIENT, VAIN, limit};
use super::excuses::{Excuses, longest};
use super::history::{History, Span, Stay};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// A record that was just written may be from a look a moment before the event.
const A_MOMENT: Duration = Duration::from_secs(2);

/// Whether the recovery moves it at all.
pub(super) fn is_supported(spec: &ServiceSpec) -> bool {
    spec.controller == Controller::Rolling && spec.associated.contains(&CapacityProvider::Fargate)
}

/// How near this service came to the limit of each rule.
pub(super) fn all(spec: &ServiceSpec, history: &History, excuses: &Excuses, court: &Court<'_>) -> Vec<Near> {
    let mut all = failovers(spec, history, excuses, court);
    all.extend(restores(spec, history, excuses, court));
    all.extend(vain(spec, history, excuses, court));
    all.extend(on_the_way(spec, history, excuses, court));
    all.extend(fallback_short(spec, history, excuses, court));
    all
}

fn near(spec: &ServiceSpec, rule: &'static str, (from, to): Span, limit: Duration) -> Near {
    Near::time(rule, to.saturating_sub(from), limit, format!("{}: since {}", spec.id, Clock(from)))
}

fn overlap(one: Span, other: Span) -> Option<Span> {
    let (from, to) = (one.0.max(other.0), one.1.min(other.1));
    (from < to).then_some((from, to))
}

/// One that is watched, or held for a role that is there again, while Spot refuses its tasks is failed over in time: within minutes
/// of an event, or a look, its grace and a few sweeps later where no event could say so. A service without a record is known only
/// by its events.
fn failovers(spec: &ServiceSpec, history: &History, excuses: &Excuses, court: &Court<'_>) -> Vec<Near> {
    let policy = court.policy;
    let by_event = limit::FAILOVER_BY_EVENT + limit::PER_NEIGHBOUR_IN_A_STORM * court.neighbours(spec);
    let sweeps = court.world.restore_schedule * 3;
    let untold = policy.watch_interval + policy.shortfall_grace + sweeps + by_event;
    let mut found = Vec::new();
    for stay in history.stays.iter().filter(|stay| waits_for_failover(stay)) {
        for lacking in history.lacking.iter().filter_map(|span| overlap(*span, (stay.from, stay.to))) {
            let refused = |told: bool| {
                let since = if told { lacking.0.max(stay.from + A_MOMENT) } else { lacking.0 };
                let mut times = history.refused.iter().filter(|(_, announced)| *announced || !told);
                times.find(|(at, _)| *at >= since && *at < lacking.1).map(|(at, _)| (*at, lacking.1))
            };
            let why: [&[Span]; 3] = [&excuses.broken, &excuses.own, &excuses.deploying];
            // An event that came while something explained the loss is used up; sweeps have to find it then.
            let unexplained = |(at, _): &Span| !why.iter().any(|spans| spans.iter().any(|(a, b)| a <= at && at <= b));
            if let Some(span) = refused(true).filter(unexplained) {
                found.extend(longest(span, &why).map(|span| near(spec, FAILOVER_BY_EVENT, span, by_event)));
            }
            if let (Some(span), Some(_)) = (refused(false), stay.phase) {
                found.extend(longest(span, &why).map(|span| near(spec, FAILOVER_UNTOLD, span, untold)));
            }
        }
    }
    found
}

fn waits_for_failover(stay: &Stay) -> bool {
    match stay.phase {
        None | Some(Phase::Watching) => true,
        Some(Phase::Held) => {
            let watched = matches!(stay.before, None | Some(Phase::Watching));
            watched && stay.reason.contains("CentralSpotAutomationRole")
        }
        _ => false,
    }
}

/// How long ECS may take to move every task, wave after wave as the bounds allow.
pub(crate) fn deployment(spec: &ServiceSpec) -> Duration {
    let desired = u64::from(spec.desired.max(spec.autoscaling.map_or(0, |bounds| bounds.max)).max(8));
    let kept = (desired * u64::from(spec.minimum_healthy_percent)).div_ceil(100);
    let room = desired * u64::from(spec.maximum_percent) / 100;
    let step = (desired - kept.min(desired)).max(room.saturating_sub(desired)).max(1);
    let waves = desired.div_ceil(step) as u32;
    let bake = if spec.alarms { Duration::from_secs(300) } else { Duration::ZERO };
    let out = spec.deregistration_delay + spec.stop_timeout;
    (limit::TASK_UP + out) * waves + bake
}

/// Once Spot can take it and nothing else is in the way, a service is back on it within its backoff, the turns of its neighbours, a
/// probe, a deployment and the probation.
fn restores(spec: &ServiceSpec, history: &History, excuses: &Excuses, court: &Court<'_>) -> Vec<Near> {
    let policy = court.policy;
    let mut found = Vec::new();
    let away = |stay: &Stay| matches!(stay.phase, Some(Phase::FailingOver | Phase::OnDemand | Phase::Restoring));
    let Excuses { broken, market, own, acts, noise, over_quota, capped, protected, .. } = excuses;
    let why: [&[Span]; 8] = [broken, market, own, acts, noise, over_quota, capped, protected];
    let mut n = 0;
    while n < history.stays.len() {
        let stays = history.stays[n..].iter().take_while(|stay| away(stay)).count();
        if stays == 0 {
            n += 1;
            continue;
        }
        let episode = &history.stays[n..n + stays];
        n += stays;
        let Some(span) = longest((episode[0].from, episode[stays - 1].to), &why) else { continue };
        let begins_in = episode.iter().rev().find(|stay| stay.from <= span.0);
        // A restore that began before there was room, or before whatever else was in the way went, may still fail.
        let goes_on = |stay: &Stay| stay.before == Some(Phase::Held) && stay.reason == Reason::Cured.text();
        let under_way =
            |stay: &Stay| u32::from(stay.phase == Some(Phase::Restoring) && (stay.from < span.0 || goes_on(stay)));
        let failed = begins_in.map_or(0, |stay| stay.failed + under_way(stay));
        let wait = policy.backoff(failed);
        let turn = policy.restore_timeout + policy.lease + policy.restore_after;
        let turns = turn * court.turns(spec, span.0, span.1);
        let restore = (deployment(spec) + policy.lease + court.world.restore_schedule * 2) * 2 + policy.probation;
        let spread = wait * policy.restore_jitter_percent / 100;
        let limit = wait + spread + turns + restore + court.world.restore_schedule * 2 + limit::MARGIN;
        found.push(near(spec, RESTORE, span, limit));
    }
    found
}

/// A deployment that we forced and replaced ourselves before one task of the provider it was for ran, though there was room for
/// it, was in vain. Counted over a day of one record: a service created anew, or taken back by its owner, begins a new one.
pub(super) fn vain(spec: &ServiceSpec, history: &History, excuses: &Excuses, court: &Court<'_>) -> Option<Near> {
    let why: [&[Span]; 4] = [&excuses.market, &excuses.own, &excuses.broken, &excuses.acts];
    let excused = |span: Span| why.iter().any(|spans| spans.iter().any(|(from, to)| *from <= span.1 && span.0 <= *to));
    let vain = history.forced.iter().filter_map(|forced| {
        let replaced = forced.replaced.filter(|_| !forced.moved)?;
        (!excused((forced.at, replaced))).then_some(forced.at)
    });
    let times: Vec<Duration> = vain.collect();
    let forgotten = |from: Duration| history.stays.iter().find(|stay| stay.phase.is_none() && from < stay.from);
    let within_a_day = |from: &Duration| {
        let end = forgotten(*from).map_or(*from + DAY, |stay| stay.from.min(*from + DAY));
        times.iter().filter(|at| *from <= **at && **at < end).count() as u64
    };
    let (most, from) = times.iter().map(|from| (within_a_day(from), *from)).max_by_key(|(most, _)| *most)?;
    let words = format!("{}: since {}", spec.id, Clock(from));
    let limit = limit::VAIN + limit::VAIN_PER_RESTORE * court.policy.restores_per_day;
    Some(Near { rule: VAIN, value: most, limit: limit.into(), words })
}

/// No record stays in a phase that only leads to another one.
fn on_the_way(spec: &ServiceSpec, history: &History, excuses: &Excuses, court: &Court<'_>) -> Vec<Near> {
    let policy = court.policy;
    let reached = policy.lease * 2 + policy.settle + court.world.restore_schedule * 3 + limit::MARGIN;
    let limit = |phase| match phase {
        Some(Phase::FailingOver) => Some(reached),
        Some(Phase::Restoring) => {
            let slow = policy.restore_timeout.max(deployment(spec));
            Some(reached + slow + policy.probation + policy.deployment_grace)
        }
        _ => None,
    };
    let stays = history.stays.iter().filter_map(|stay| Some((stay, limit(stay.phase)?)));
    let longest = |(stay, limit): (&Stay, Duration)| {
        let span = longest((stay.from, stay.to), &[&excuses.broken, &excuses.acts, &excuses.protected])?;
        Some(near(spec, TRANSIENT, span, limit))
    };
    stays.filter_map(longest).collect()
}

/// A fallback that does not come up is told to a person, unless the application itself fails.
fn fallback_short(spec: &ServiceSpec, history: &History, excuses: &Excuses, court: &Court<'_>) -> Vec<Near> {
    let policy = court.policy;
    let slow = policy.restore_timeout.max(deployment(spec));
    // One that ran in full is looked at again only so often.
    let limit = slow + policy.watch_interval + court.world.restore_schedule * 3 + policy.lease + limit::MARGIN;
    let mut found = Vec::new();
    for stay in history.stays.iter().filter(|stay| stay.phase == Some(Phase::OnDemand)) {
        for short in history.short.iter().filter_map(|span| overlap(*span, (stay.from, stay.to))) {
            let why: [&[Span]; 3] = [&excuses.broken, &excuses.own, &excuses.acts];
            found.extend(longest(short, &why).map(|span| near(spec, FALLBACK_SHORT, span, limit)));
        }
    }
    found
}
