//! Short words for services, strategies, observations, records and events, and proptest strategies for them.
#![allow(dead_code, reason = "every test file uses its own part of it")]

pub(crate) mod table;

use std::sync::Arc;
use std::time::Duration;

use handlers::event::{Event, Signal};
use handlers::held::HeldReason;
use handlers::observation::{Controller, Deployment, Message, Observation, Rollout};
use handlers::record::{Change, Held, Lease, Mark, Phase, Record};
use handlers::service::{AccountId, Region, ServiceId};
use handlers::strategy::{CapacityProvider, Strategy as Spread, StrategyItem};
use handlers::timestamp::Timestamp;
use handlers::transition::Transition;
use proptest::prelude::*;
use serde_json::{Map, Number, Value, json};

/// The moment most tests happen at: 2026-05-28T20:26:40Z.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);
/// When the service of most tests was created: months before [`NOW`].
pub(crate) const CREATED: Timestamp = Timestamp::from_millis(1_770_000_000_000);
/// The token of the handler under test.
pub(crate) const ME: &str = "me";

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const fn mins(minutes: u64) -> Duration {
    secs(minutes * 60)
}

pub(crate) const fn hours(hours: u64) -> Duration {
    mins(hours * 60)
}

pub(crate) fn account(text: &str) -> AccountId {
    text.parse().unwrap()
}

pub(crate) fn region(text: &str) -> Region {
    text.parse().unwrap()
}

/// `checkout` of cluster `shop`.
pub(crate) fn service() -> ServiceId {
    service_named("111122223333", "shop", "checkout")
}

pub(crate) fn service_named(account: &str, cluster: &str, service: &str) -> ServiceId {
    ServiceId {
        account: account.parse().unwrap(),
        region: region("ap-south-1"),
        cluster: cluster.parse().unwrap(),
        service: service.parse().unwrap(),
    }
}

/// An item from provider, base and weight, in the order people say them.
pub(crate) fn item(provider: &str, base: u32, weight: u32) -> StrategyItem {
    StrategyItem { capacity_provider: CapacityProvider::from(provider.to_owned()), weight, base }
}

pub(crate) fn spread(items: &[(&str, u32, u32)]) -> Spread {
    Spread::new(items.iter().map(|&(provider, base, weight)| item(provider, base, weight)).collect()).unwrap()
}

/// The owner's strategy in most tests.
pub(crate) fn original() -> Spread {
    spread(&[("FARGATE", 1, 1), ("FARGATE_SPOT", 0, 3)])
}

/// What stands in for [`original`].
pub(crate) fn fallback() -> Spread {
    spread(&[("FARGATE_SPOT", 0, 0), ("FARGATE", 1, 10)])
}

/// A strategy that is neither.
pub(crate) fn somebody_elses() -> Spread {
    spread(&[("FARGATE_SPOT", 0, 7)])
}

/// Four of four tasks on `strategy`, deployed long ago.
pub(crate) fn full_on(strategy: Spread) -> Observation {
    Observation {
        created_at: CREATED,
        active: true,
        strategy: Some(strategy.clone()),
        controller: Controller::Rolling,
        replica: true,
        opted_out: false,
        minimum_healthy_percent: 100,
        desired: 4,
        running: 4,
        pending: 0,
        deployments: vec![Deployment {
            id: "ecs-svc/1".into(),
            primary: true,
            rollout: Rollout::Completed,
            rolls_back: false,
            strategy: Some(strategy),
            running: 4,
            created_at: CREATED,
        }],
        messages: Arc::default(),
    }
}

/// Two of four tasks on `strategy`, deployed long ago.
pub(crate) fn short_on(strategy: Spread) -> Observation {
    let mut seen = full_on(strategy);
    seen.running = 2;
    seen.deployments[0].running = 2;
    seen
}

/// A rollout of `strategy` begun at `since`, with two of four tasks of it and two of the deployment before.
pub(crate) fn deploying(strategy: Spread, since: Timestamp) -> Observation {
    let mut seen = full_on(strategy);
    seen.deployments[0].rollout = Rollout::InProgress;
    seen.deployments[0].created_at = since;
    seen.deployments[0].running = 2;
    seen
}

/// A rollout begun at `since` that is two tasks short.
pub(crate) fn deploying_short(strategy: Spread, since: Timestamp) -> Observation {
    Observation { running: 2, ..deploying(strategy, since) }
}

/// Short, and ECS says that the application does not start.
pub(crate) fn crash_looping(mut seen: Observation, at: Timestamp) -> Observation {
    Arc::make_mut(&mut seen.messages).insert(
        0,
        Message { at, text: "(service checkout) is unable to consistently start tasks successfully.".into() },
    );
    seen
}

/// A record in `phase` since five minutes, written three times and due now.
pub(crate) fn record(phase: Phase) -> Record {
    Record {
        version: 3,
        phase,
        phase_since: NOW - mins(5),
        service_created_at: Some(CREATED),
        next_check_at: NOW,
        ..Record::new(service(), NOW - hours(1))
    }
}

/// The change of a failover.
pub(crate) fn failover() -> Option<Change> {
    Some(Change { from: original(), to: fallback() })
}

/// The change of a restore.
pub(crate) fn restore() -> Option<Change> {
    Some(Change { from: fallback(), to: original() })
}

pub(crate) fn watching() -> Record {
    record(Phase::Watching)
}

/// The first outage: original saved, claimed by `owner` until `until`.
pub(crate) fn failing_over(owner: &str, until: Timestamp) -> Record {
    Record {
        original: Some(original()),
        change: failover(),
        episode: 1,
        lease: Some(Lease { owner: owner.into(), until }),
        ..record(Phase::FailingOver)
    }
}

/// On the fallback since half an hour, the restore due at `restore_at`.
pub(crate) fn on_demand(restore_at: Timestamp) -> Record {
    Record {
        original: Some(original()),
        change: failover(),
        episode: 1,
        confirmed: true,
        phase_since: NOW - mins(30),
        restore_at: Some(restore_at),
        ..record(Phase::OnDemand)
    }
}

/// The original is back and confirmed, since five minutes; not seen in full yet.
pub(crate) fn restoring() -> Record {
    Record {
        original: Some(original()),
        change: restore(),
        episode: 1,
        confirmed: true,
        healthy_tasks: 4,
        ..record(Phase::Restoring)
    }
}

/// On probation, in full since `healthy_since`.
pub(crate) fn on_probation(healthy_since: Timestamp) -> Record {
    Record { healthy_since: Some(healthy_since), healthy_tasks: 4, ..restoring() }
}

/// `before`, held for `reason` and due now.
pub(crate) fn held(before: Record, reason: HeldReason) -> Record {
    let resume = before.phase;
    Record {
        phase: Phase::Held,
        phase_since: NOW - mins(30),
        held: Some(Held { reason, resume, since: Some(before.phase_since), rolled_back: false }),
        lease: None,
        next_check_at: NOW,
        ..before
    }
}

/// One that nobody has announced yet.
pub(crate) fn transition(service: &ServiceId, at: Timestamp) -> Transition {
    let begun = Record { service: service.clone(), ..failing_over(ME, at) };
    begun.transition_from(None, "because".into(), at).expect("it is one")
}

/// An event about [`service`].
pub(crate) fn event(signal: Signal, at: Timestamp) -> Event {
    event_of(service(), signal, at)
}

pub(crate) fn event_of(service: ServiceId, signal: Signal, at: Timestamp) -> Event {
    Event {
        text: json!({ "signal": format!("{signal:?}"), "service": service.record_id() }).to_string().into(),
        service,
        signal,
        at,
    }
}

// Boxed, because nested strategies of this size do not fit on a test thread's stack otherwise.
// ---- arbitrary values -----------------------------------------------------------------------------------------------

pub(crate) fn any_service() -> BoxedStrategy<ServiceId> {
    ("[0-9]{12}", any_region(), "[A-Za-z0-9_-]{1,40}", "[A-Za-z0-9_-]{1,255}")
        .prop_map(|(account, region, cluster, service)| ServiceId {
            account: account.parse().unwrap(),
            region: region.parse().unwrap(),
            cluster: cluster.parse().unwrap(),
            service: service.parse().unwrap(),
        })
        .boxed()
}

pub(crate) fn any_region() -> impl Strategy<Value = String> {
    prop_oneof![
        "(us|eu|ap|sa|af|me)-(east|west|south|northeast)-[1-9]",
        "cn-(north|northwest)-1",
        "us-gov-(east|west)-1",
    ]
}

/// Any valid strategy of Fargate providers that places tasks on Spot: repeated providers and up to 20 items included.
pub(crate) fn any_spot_spread() -> BoxedStrategy<Spread> {
    let items = prop::collection::vec((any::<bool>(), 0u32..=1000), 1..=20);
    (items, any::<prop::sample::Index>(), 1u32..=1000, any::<prop::sample::Index>(), 0u32..=100_000)
        .prop_map(|(items, spot, spot_weight, based, base)| {
            let mut items: Vec<StrategyItem> = items
                .into_iter()
                .map(|(spot, weight)| item(if spot { "FARGATE_SPOT" } else { "FARGATE" }, 0, weight))
                .collect();
            let spot = spot.index(items.len());
            items[spot] = item("FARGATE_SPOT", 0, spot_weight);
            let based = based.index(items.len());
            items[based].base = base;
            Spread::new(items).unwrap()
        })
        .boxed()
}

/// Any time within a month of [`NOW`].
pub(crate) fn any_time() -> impl Strategy<Value = Timestamp> {
    (0u64..60 * 24 * 3600 * 1000).prop_map(|millis| NOW - hours(30 * 24) + Duration::from_millis(millis))
}

/// Any time within an hour of [`NOW`], where leases, grace times and probations end.
pub(crate) fn any_time_near() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        Just(NOW),
        (0u64..2 * 3600 * 1000).prop_map(|millis| NOW - hours(1) + Duration::from_millis(millis)),
        any_time(),
    ]
}

pub(crate) fn any_phase() -> impl Strategy<Value = Phase> {
    prop::sample::select(vec![Phase::Watching, Phase::FailingOver, Phase::OnDemand, Phase::Restoring, Phase::Held])
}

pub(crate) fn any_held_reason() -> BoxedStrategy<HeldReason> {
    prop_oneof![
        "[A-Z_]{1,20}".prop_map(HeldReason::Controller),
        Just(HeldReason::Daemon),
        "[a-z]{1,20}".prop_map(HeldReason::Provider),
        Just(HeldReason::FargateNotAssociated),
        Just(HeldReason::RoleMissing),
        "ecs:[A-Za-z]{1,20}".prop_map(HeldReason::AccessDenied),
        Just(HeldReason::OnDemandShort),
        Just(HeldReason::RolledBack),
        any::<String>().prop_map(HeldReason::Refused),
    ]
    .boxed()
}

/// Any record of `service` that some history could have left behind, and some that only an editor could.
pub(crate) fn any_record(service: ServiceId) -> BoxedStrategy<Record> {
    let resume = prop::sample::select(vec![Phase::Watching, Phase::FailingOver, Phase::OnDemand, Phase::Restoring]);
    let held = (any_held_reason(), resume, any::<bool>());
    let held = held.prop_map(|(reason, resume, rolled_back)| Held { reason, resume, since: None, rolled_back });
    let held = prop::option::of(held);
    let lease = (prop::sample::select(vec![ME, "other"]), any_time_near())
        .prop_map(|(owner, until)| Lease { owner: owner.into(), until });
    let time = || prop::option::of(any_time_near());
    let known = (
        any_phase(),
        1u64..1_000_000,
        any_time_near(),
        any::<String>(),
        prop::option::weighted(0.9, any_spot_spread()),
    );
    let counts = (0u32..1000, 0u32..1000, prop::collection::vec(any_time_near(), 0..12), any::<bool>());
    let times = (time(), time(), time(), time(), any_time_near());
    let rest =
        (prop::option::of(lease), held, prop::option::of(any_object()), prop::option::weighted(0.9, Just(CREATED)));
    (known, counts, times, rest)
        .prop_map(move |(known, counts, times, rest)| {
            let (phase, version, phase_since, reason, original) = known;
            let (episode, failed_restores, mut restores, confirmed) = counts;
            let (short_since, healthy_since, restore_at, restored_at, next_check_at) = times;
            let (lease, held, event, service_created_at) = rest;
            restores.sort();
            // Most changes are those of the phase, between the original and what stands in for it.
            let change = original.as_ref().map(|original| match (phase, failed_restores % 3) {
                (Phase::Restoring, 0) => Change { from: original.probe(), to: original.clone() },
                (Phase::Restoring, 1) => Change { from: original.fallback(), to: original.probe() },
                (Phase::Restoring, _) => Change { from: original.fallback(), to: original.clone() },
                (_, 0) => Change { from: original.probe(), to: original.fallback() },
                _ => Change { from: original.clone(), to: original.fallback() },
            });
            let pins = phase == Phase::Watching && failed_restores % 3 == 1;
            let pinned = original.as_ref().filter(|_| pins).map(|original| original.fallback());
            // Being held ends a lease.
            let lease = lease.filter(|_| phase != Phase::Held);
            let event_of_mark = event.clone().unwrap_or_default();
            let unannounced = (0..failed_restores % 3).map(|n| transition(&service, phase_since + secs(n.into())));
            Record {
                service: service.clone(),
                version,
                phase,
                phase_since,
                reason: reason.into(),
                previous: original.clone().filter(|_| phase == Phase::Watching),
                original,
                change,
                event: event.map(Into::into),
                service_created_at,
                episode,
                failed_restores,
                restores,
                confirmed,
                short_since,
                healthy_since,
                healthy_tasks: episode % 8,
                probe_rolled_back: failed_restores % 7 == 1,
                not_ours_until: healthy_since.filter(|_| phase == Phase::Watching),
                pinned,
                missing_since: short_since.filter(|_| lease.is_none() && failed_restores % 5 == 1),
                restore_at,
                restored_at,
                next_check_at,
                mark: restored_at.filter(|_| failed_restores % 4 == 1).map(|at| Mark {
                    signal: Signal::SpotPlacementFailure,
                    at,
                    event: Arc::new(event_of_mark),
                    due: at,
                }),
                lease,
                held,
                unannounced: unannounced.collect(),
            }
        })
        .boxed()
}

/// Any JSON value, a few levels deep.
pub(crate) fn any_json() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|n| Value::Number(Number::from(n))),
        any::<String>().prop_map(Value::String),
        "arn:aws:ecs:ap-south-1:[12]{12}:(service|cluster|task)/[a-z/]{0,8}".prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::btree_map("[a-zA-Z-]{0,12}", inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
    .boxed()
}

/// Any JSON object.
pub(crate) fn any_object() -> BoxedStrategy<Value> {
    prop::collection::btree_map("[a-zA-Z-]{0,12}", any_json(), 0..6)
        .prop_map(|fields| Value::Object(fields.into_iter().collect()))
        .boxed()
}
