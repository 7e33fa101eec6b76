//! What no input may bring about, whoever made it. One function per fuzz target; each takes any bytes and panics if a
//! promise is broken. `tests/events.rs` replays the corpus through the same functions, so that no fuzzer is needed for it.
#![allow(dead_code, reason = "every fuzz target uses its own part of it")]

mod fixtures;
mod inputs;

use fixtures::changed_fixture;
use handlers::decide::{Context, Decision, Reason, decide};
use handlers::event::{Event, MAX_EVENT_BYTES, Parsed, Signal, Trust, parse};
use handlers::market::Market;
use handlers::observation::Look;
use handlers::policy::Policy;
use handlers::record::{Lease, Phase, Record};
use handlers::service::{AccountId, ClusterName, EcsArn, Region, ServiceArn, ServiceId, ServiceName};
use handlers::strategy::Strategy;
use handlers::timestamp::Timestamp;
use inputs::*;
use serde_json::{Map, Value};

const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);
const CREATED: Timestamp = Timestamp::from_millis(1_770_000_000_000);
const ME: &str = "me";
const REGION: &str = "ap-south-1";
const SYNTHETIC_FROM: [&str; 2] = ["903558039761", "999999999999"];

// ---- the targets ----------------------------------------------------------------------------------------------------

/// Any text as an event, and what the core does with it.
pub(crate) fn event(data: &[u8]) {
    believe(&String::from_utf8_lossy(data));
}

/// A real event, changed as `data` says: gets past the first checks far more often than any text does.
pub(crate) fn fixture(data: &[u8]) {
    believe(&changed_fixture(&mut Script(data)));
}

/// Any text as a name, an ARN or a time: refused, or printed back as it came.
pub(crate) fn name(data: &[u8]) {
    let text = &*String::from_utf8_lossy(data);
    if let Ok(account) = text.parse::<AccountId>() {
        assert_eq!(account.to_string(), text);
        assert_eq!(account.as_str().len(), 12);
    }
    if let Ok(region) = text.parse::<Region>() {
        assert_eq!(region.to_string(), text);
    }
    if let Ok(cluster) = text.parse::<ClusterName>() {
        assert_eq!(cluster.to_string(), text);
    }
    if let Ok(service) = text.parse::<ServiceName>() {
        assert_eq!(service.to_string(), text);
    }
    if let Ok(EcsArn { account, region, kind, path }) = EcsArn::parse(text) {
        assert_eq!(format!("arn:{}:ecs:{region}:{account}:{kind}/{path}", region.partition()), text);
    }
    if let Ok(arn) = text.parse::<ServiceArn>() {
        assert_eq!(arn.to_string(), text);
        if let ServiceArn { account, region, cluster: Some(cluster), service } = arn {
            let service = ServiceId { account, region, cluster, service };
            assert_eq!(service.arn(), text);
            assert_eq!(service.record_id().split("::").count(), 3, "another service could have the same key");
        }
    }
    if let Ok(time) = Timestamp::parse(text) {
        assert_eq!(Timestamp::parse(&time.to_string()), Ok(time), "{text}");
    }
}

/// Any JSON as an item of the state table, and what the core does with the record.
pub(crate) fn record(data: &[u8]) {
    let Ok(item) = serde_json::from_slice::<Map<String, Value>>(data) else { return };
    if let Ok(market) = Market::from_item(item.clone()) {
        assert_eq!(Market::from_item(market.to_item()).as_ref(), Ok(&market));
    }
    let id = item.get("id").cloned();
    let Ok(record) = Record::from_item(item) else { return };
    assert_eq!(id, Some(record.service.record_id().into()));
    assert_eq!(Record::from_item(record.to_item()).as_ref(), Ok(&record));
    let policy = Policy::default();
    for n in 0..6 {
        step_is_sound(&record.service, Some(&record), &some_look(n), &ctx(None, &policy, NOW));
    }
    let mut live = vec![None, record.original.clone(), record.original.as_ref().map(Strategy::fallback)];
    live.extend(record.change.clone().into_iter().flat_map(|change| [Some(change.from), Some(change.to)]));
    for strategy in live {
        for (running, signal) in [(4, None), (1, None), (1, Some(Signal::SpotPlacementFailure))] {
            let mut seen = seen_on(strategy.clone(), running);
            seen.created_at = record.service_created_at.unwrap_or(CREATED);
            let event = signal.map(|signal| about(&record.service, signal, NOW));
            step_is_sound(&record.service, Some(&record), &Look::found(seen), &ctx(event.as_ref(), &policy, NOW));
        }
    }
}

/// One step of the core from any record, look, trigger and policy.
pub(crate) fn step(data: &[u8]) {
    let script = &mut Script(data);
    let service = service();
    let original = strategy(script);
    let record = script.chance(7).then(|| any_record(script, &service, &original));
    let look = match script.below(16) {
        0 => Look::Missing,
        1 => Look::Blocked(held_reason(script)),
        _ => Look::found(any_seen(script, &original)),
    };
    let policy = any_policy(script);
    let event = script.chance(4).then(|| {
        let signal = script.pick(&SIGNALS);
        about(&service, signal, script.time())
    });
    let market = script.chance(4).then(|| any_market(script, &service));
    let now = script.time();
    let ctx = Context { market: market.as_ref(), ..ctx(event.as_ref(), &policy, now) };
    step_is_sound(&service, record.as_ref(), &look, &ctx);
}

// ---- the promises ---------------------------------------------------------------------------------------------------

fn trust() -> Trust {
    Trust { region: REGION.parse().unwrap(), synthetic_from: SYNTHETIC_FROM.map(|a| a.parse().unwrap()).into() }
}

/// Whatever is accepted of `text` is about what its sender may speak of, worked out without the code under test, and takes the
/// core through a sound step from every phase.
fn believe(text: &str) {
    let event = match parse(text, &trust()) {
        Ok(Parsed::Event(event)) => *event,
        Ok(Parsed::Ignored(_) | Parsed::GoOn(..)) => return,
        Err(refusal) => {
            let words = refusal.to_string();
            assert!(words.len() < 2000, "a refusal of {} bytes floods the log", words.len());
            return;
        }
    };
    assert!(text.len() <= MAX_EVENT_BYTES);
    let Event { service, signal, .. } = &event;
    let raw = event.value();
    assert_eq!(raw["region"], REGION);
    assert_eq!(service.region.as_str(), REGION);
    let sender = raw["account"].as_str().unwrap();
    let named = raw["resources"][0].as_str().unwrap_or_default();
    match raw["source"].as_str().unwrap() {
        "aws.ecs" => {
            assert_eq!(service.account.as_str(), sender);
            assert_ne!(*signal, Signal::SyntheticPlacementFailure);
        }
        "test.aws.ecs" => {
            assert!(SYNTHETIC_FROM.contains(&sender), "synthetic from {sender}");
            assert_eq!(*signal, Signal::SyntheticPlacementFailure);
            assert_eq!(named.split(':').nth(4), Some(service.account.as_str()));
        }
        other => panic!("believed source {other}"),
    }
    // Task events name their service in `group` alone.
    let said_in = match signal {
        Signal::Interruption | Signal::SpotTaskStopped | Signal::SpotTask => raw["detail"]["group"].as_str().unwrap(),
        _ => named,
    };
    assert_eq!(said_in.rsplit(['/', ':']).next(), Some(service.service.as_str()));
    let clusters = [named, raw["detail"]["clusterArn"].as_str().unwrap_or_default()];
    assert!(clusters.iter().any(|arn| arn.split('/').nth(1) == Some(service.cluster.as_str())), "{clusters:?}");
    for part in [&raw["resources"], &raw["detail"]] {
        every_arn_is_of(part, service);
    }
    // The record keeps the event as JSON; read again it says the same.
    let kept = raw.to_string();
    if kept.len() <= MAX_EVENT_BYTES {
        let Ok(Parsed::Event(again)) = parse(&kept, &trust()) else { panic!("{kept} is refused the second time") };
        assert_eq!((&again.service, again.signal, again.at), (service, *signal, event.at));
    }
    // Every input takes the core through one of the many combinations, the same each time, or fuzzing would be slow.
    let number = text.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let record = some_record(service, number % 6);
    let look = some_look(number / 6 % 6);
    let now = [NOW, event.at, event.at + mins(20)][number / 36 % 3];
    step_is_sound(service, record.as_ref(), &look, &ctx(Some(&event), &Policy::default(), now));
}

fn every_arn_is_of(value: &Value, service: &ServiceId) {
    match value {
        Value::String(text) => {
            let parts: Vec<&str> = text.split(':').collect();
            if let ["arn", _, "ecs", region, account, ..] = parts[..] {
                assert_eq!((region, account), (REGION, service.account.as_str()), "{text}");
            }
        }
        Value::Array(items) => items.iter().for_each(|item| every_arn_is_of(item, service)),
        Value::Object(fields) => fields.values().for_each(|item| every_arn_is_of(item, service)),
        _ => {}
    }
}

/// What holds of every decision: only an own claim is carried out, exactly as claimed; under the kill switch nothing is claimed;
/// what is written keeps its service and version, can be read back, and is looked at again, later than now.
fn step_is_sound(service: &ServiceId, record: Option<&Record>, look: &Look, ctx: &Context<'_>) {
    let decision = decide(service, record, look, ctx);
    let leased = record.is_some_and(|r| r.lease.as_ref().is_some_and(|l| l.owner != ctx.owner && ctx.now < l.until));
    if leased {
        assert_eq!(decision, Decision::Leave(Reason::Leased));
    }
    let seen = match look {
        Look::Found(seen) => Some(seen),
        _ => None,
    };
    let live = seen.and_then(|seen| seen.strategy.as_ref());
    if let Decision::Claim(next, _) = &decision {
        assert!(!ctx.policy.paused && !ctx.policy.dry_run, "claimed under the kill switch");
        assert_eq!(next.lease, Some(Lease { owner: ctx.owner.into(), until: ctx.now + ctx.policy.lease }));
        assert!(matches!(next.phase, Phase::FailingOver | Phase::Restoring));
        assert!(next.change.is_some());
        let original = next.original.as_ref().unwrap();
        let saved = record.and_then(|r| r.original.as_ref());
        // The owner's strategy: saved before, live now, or replaced by our own change before any look showed it.
        let replaced = seen.and_then(|seen| seen.replaced()?.strategy.as_ref());
        assert!([saved, live, replaced].contains(&Some(original)), "an original from nowhere: {original}");
    }
    match &decision {
        Decision::Write(next, _) | Decision::Claim(next, _) => {
            assert_eq!(&next.service, service);
            assert_eq!(next.version, record.map_or(0, |r| r.version));
            assert!(next.next_check_at > ctx.now || ctx.now.as_millis() == u64::MAX, "due at once again");
            assert!(next.next_check_at <= ctx.now + mins(14 * 24 * 60), "not looked at for two weeks");
            assert!(next.phase != Phase::Held || next.held.is_some());
            assert_eq!(
                Record::from_item(next.to_item()).as_ref(),
                Ok(next.as_ref()),
                "written and not to be read back"
            );
            assert!(!next.reason.is_empty());
        }
        Decision::Update(next, to) => {
            assert!(!ctx.policy.paused && !ctx.policy.dry_run, "updated under the kill switch");
            assert_eq!(Some(next.as_ref()), record);
            assert!(next.leased_by(ctx.owner, ctx.now));
            let change = next.change.as_ref().unwrap();
            assert_eq!(to.items(), change.to.items());
            assert_eq!(live, Some(&change.from));
        }
        Decision::Forget(_) => assert!(record.is_some()),
        Decision::Leave(_) => {}
    }
}
