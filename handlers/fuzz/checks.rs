//! What no input may bring about, whoever made it. One function per fuzz target; each takes any bytes and panics if a
//! promise is broken. `tests/events.rs` replays the corpus through the same functions, so that no fuzzer is needed for it.
#![allow(dead_code, reason = "every fuzz target uses its own part of it")]

use std::sync::LazyLock;
use std::time::Duration;

use handlers::decide::{Context, Decision, Reason, Trigger, decide};
use handlers::event::{Event, MAX_EVENT_BYTES, Parsed, Signal, Trust, parse};
use handlers::held::HeldReason;
use handlers::market::Market;
use handlers::observation::{Controller, Deployment, Look, Message, Observation, Rollout};
use handlers::policy::{InterruptionPolicy, Policy};
use handlers::record::{Change, Held, Lease, Phase, Record};
use handlers::service::{AccountId, ClusterName, EcsArn, Region, ServiceArn, ServiceId, ServiceName};
use handlers::strategy::{CapacityProvider, Strategy, StrategyItem};
use handlers::timestamp::Timestamp;
use serde_json::{Map, Value, json};

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
            step_is_sound(
                &record.service,
                Some(&record),
                &Look::Found(Box::new(seen)),
                &ctx(event.as_ref(), &policy, NOW),
            );
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
        _ => Look::Found(Box::new(any_seen(script, &original))),
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
        Ok(Parsed::Ignored(_)) => return,
        Err(refusal) => {
            let words = refusal.to_string();
            assert!(words.len() < 2000, "a refusal of {} bytes floods the log", words.len());
            return;
        }
    };
    assert!(text.len() <= MAX_EVENT_BYTES);
    let Event { service, signal, raw, .. } = &event;
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
        Signal::Interruption | Signal::SpotTask => raw["detail"]["group"].as_str().unwrap(),
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
        let replaced = seen.and_then(|seen| seen.replaced());
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

// ---- records and looks for an event ---------------------------------------------------------------------------------

const SIGNALS: [Signal; 5] = [
    Signal::SpotPlacementFailure,
    Signal::OnDemandPlacementFailure,
    Signal::SyntheticPlacementFailure,
    Signal::Interruption,
    Signal::SpotTask,
];
const PHASES: [Phase; 5] = [Phase::Watching, Phase::FailingOver, Phase::OnDemand, Phase::Restoring, Phase::Held];

const fn mins(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

fn service() -> ServiceId {
    ServiceId {
        account: "111122223333".parse().unwrap(),
        region: REGION.parse().unwrap(),
        cluster: "shop".parse().unwrap(),
        service: "checkout".parse().unwrap(),
    }
}

fn ctx<'a>(event: Option<&'a Event>, policy: &'a Policy, now: Timestamp) -> Context<'a> {
    Context { trigger: event.map_or(Trigger::Sweep, Trigger::Event), policy, now, owner: ME, market: None }
}

fn about(service: &ServiceId, signal: Signal, at: Timestamp) -> Event {
    Event { service: service.clone(), signal, at, raw: json!({ "id": "1" }).into() }
}

fn item(provider: &str, base: u32, weight: u32) -> StrategyItem {
    StrategyItem { capacity_provider: CapacityProvider::from(provider.to_owned()), weight, base }
}

fn usual() -> Strategy {
    Strategy::new(vec![item("FARGATE", 1, 1), item("FARGATE_SPOT", 0, 3)]).unwrap()
}

fn seen_on(strategy: Option<Strategy>, running: u32) -> Observation {
    Observation {
        created_at: CREATED,
        active: true,
        strategy: strategy.clone(),
        controller: Controller::Rolling,
        replica: true,
        opted_out: false,
        minimum_healthy_percent: 100,
        desired: 4,
        running,
        deployments: vec![Deployment {
            id: "ecs-svc/1".into(),
            primary: true,
            rollout: Rollout::Completed,
            strategy,
            running,
            created_at: CREATED,
        }],
        messages: vec![],
    }
}

/// A record of the `n`th phase, or none.
fn some_record(service: &ServiceId, n: usize) -> Option<Record> {
    let phase = *PHASES.get(n)?;
    let original = (phase != Phase::Watching).then(usual);
    let change = original.as_ref().map(|original| match phase {
        Phase::Restoring => Change { from: original.fallback(), to: original.clone() },
        _ => Change { from: original.clone(), to: original.fallback() },
    });
    let held = Held { reason: HeldReason::RoleMissing, resume: Phase::FailingOver };
    Some(Record {
        version: 3,
        phase,
        original,
        change,
        service_created_at: Some(CREATED),
        held: (phase == Phase::Held).then_some(held),
        lease: (phase == Phase::FailingOver).then(|| Lease { owner: ME.into(), until: NOW + mins(2) }),
        confirmed: phase != Phase::FailingOver,
        ..Record::new(service.clone(), NOW - mins(30))
    })
}

fn some_look(n: usize) -> Look {
    let found = |strategy, running| Look::Found(Box::new(seen_on(Some(strategy), running)));
    match n {
        0 => found(usual(), 4),
        1 => found(usual(), 1),
        2 => found(usual().fallback(), 1),
        3 => found(Strategy::new(vec![item("FARGATE_SPOT", 0, 7)]).unwrap(), 1),
        4 => Look::Missing,
        _ => Look::Blocked(HeldReason::RoleMissing),
    }
}

// ---- bytes as decisions ---------------------------------------------------------------------------------------------

/// Bytes read as a series of small decisions; when they end, every further decision is the first choice.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn word(&mut self) -> u32 {
        u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }

    /// A number below `end`, which is at most 65,536.
    fn below(&mut self, end: usize) -> usize {
        let number = usize::from(self.byte());
        if end <= 256 { number % end } else { (number << 8 | usize::from(self.byte())) % end }
    }

    /// True in `n` of 8 cases.
    fn chance(&mut self, n: usize) -> bool {
        self.below(8) < n
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    /// Some of the bytes, as text.
    fn text(&mut self) -> String {
        let length = self.below(24).min(self.0.len());
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        String::from_utf8_lossy(text).into_owned()
    }

    /// A time near `NOW`, on the second or off it; sometimes the first or the last there is.
    fn time(&mut self) -> Timestamp {
        let millis = u64::from(self.word());
        match self.byte() % 16 {
            0 => Timestamp::from_millis(0),
            1 => Timestamp::from_millis(u64::MAX),
            2 => NOW,
            3..8 => NOW - mins(30) + Duration::from_millis(millis % 3_600_000),
            8..14 => NOW - mins(30) + Duration::from_secs(millis % 3_600),
            _ => NOW - mins(30 * 24 * 60) + Duration::from_millis(millis),
        }
    }

    fn maybe_time(&mut self) -> Option<Timestamp> {
        self.chance(5).then(|| self.time())
    }

    fn seconds(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_secs(from + u64::from(self.word()) % (to - from + 1))
    }
}

fn strategy(script: &mut Script<'_>) -> Strategy {
    let providers = ["FARGATE_SPOT", "FARGATE", "FARGATE_SPOT", "asg"];
    let items = (0..1 + script.below(5)).map(|_| {
        let base = if script.chance(2) { script.word() % 100_002 } else { 0 };
        item(script.pick(&providers), base, script.word() % 1002)
    });
    Strategy::new(items.collect()).unwrap_or_else(|_| usual())
}

fn near(script: &mut Script<'_>, original: &Strategy) -> Strategy {
    match script.below(8) {
        0..3 => original.clone(),
        3..6 => original.fallback(),
        6 => original.probe(),
        _ => strategy(script),
    }
}

fn held_reason(script: &mut Script<'_>) -> HeldReason {
    match script.below(6) {
        0 => HeldReason::OnDemandShort,
        1 => HeldReason::RolledBack,
        2 => HeldReason::Daemon,
        3 => HeldReason::Controller(script.text()),
        4 => HeldReason::Refused(script.text()),
        _ => HeldReason::RoleMissing,
    }
}

fn any_record(script: &mut Script<'_>, service: &ServiceId, original: &Strategy) -> Record {
    let phase = script.pick(&PHASES);
    let held = Held { reason: held_reason(script), resume: script.pick(&PHASES[..4]) };
    let owner = script.pick(&[ME, "other"]);
    Record {
        version: 1 + u64::from(script.byte()),
        phase,
        phase_since: script.time(),
        original: script.chance(7).then(|| original.clone()),
        change: script.chance(7).then(|| Change { from: near(script, original), to: near(script, original) }),
        service_created_at: script.chance(7).then_some(CREATED),
        episode: script.word(),
        failed_restores: script.word(),
        restores: (0..script.below(10)).map(|_| script.time()).collect(),
        confirmed: script.chance(4),
        short_since: script.maybe_time(),
        healthy_since: script.maybe_time(),
        healthy_tasks: script.below(6) as u32,
        restore_at: script.maybe_time(),
        restored_at: script.maybe_time(),
        next_check_at: script.time(),
        lease: script.maybe_time().filter(|_| phase != Phase::Held).map(|until| Lease { owner: owner.into(), until }),
        held: (phase == Phase::Held).then_some(held),
        ..Record::new(service.clone(), NOW)
    }
}

fn any_seen(script: &mut Script<'_>, original: &Strategy) -> Observation {
    let texts = [
        "(service checkout) is unable to consistently start tasks successfully.",
        "(service checkout) was unable to place a task.",
        "(service checkout) has reached a steady state.",
    ];
    let live = script.chance(7).then(|| near(script, original));
    let deployments = (0..script.below(3)).map(|n| Deployment {
        id: format!("ecs-svc/{n}"),
        primary: n == 0,
        rollout: script.pick(&[Rollout::Completed, Rollout::InProgress, Rollout::Failed]),
        strategy: if script.chance(6) { live.clone() } else { Some(near(script, original)) },
        running: script.below(6) as u32,
        created_at: script.time(),
    });
    let deployments = deployments.collect();
    Observation {
        created_at: if script.chance(7) { CREATED } else { script.time() },
        active: script.chance(7),
        controller: if script.chance(7) { Controller::Rolling } else { Controller::Other(script.text()) },
        replica: script.chance(7),
        opted_out: !script.chance(7),
        minimum_healthy_percent: script.word() % 201,
        desired: if script.chance(7) { script.below(6) as u32 } else { script.word() },
        running: if script.chance(7) { script.below(6) as u32 } else { script.word() },
        deployments,
        messages: (0..script.below(3))
            .map(|_| Message { at: script.time(), text: script.pick(&texts).into() })
            .collect(),
        strategy: live,
    }
}

/// Any policy within the ranges that `Policy` itself allows.
fn any_policy(script: &mut Script<'_>) -> Policy {
    const DAY: u64 = 24 * 3600;
    let restore_after = script.seconds(1, DAY);
    Policy {
        interruption_policy: script.pick(&[InterruptionPolicy::Immediate, InterruptionPolicy::Shortfall]),
        shortfall_grace: script.seconds(0, 3600),
        deployment_grace: script.seconds(0, DAY),
        event_max_age: script.seconds(1, DAY),
        settle: script.seconds(0, 3600),
        restore_after,
        restore_backoff_factor: 1 + script.word() % 10,
        restore_backoff_cap: script.seconds(DAY, 7 * DAY),
        restore_jitter_percent: script.word() % 101,
        restores_per_day: 1 + script.word() % 100,
        restore_timeout: script.seconds(1, DAY),
        probation: script.seconds(0, DAY),
        episode_memory: script.seconds(0, 7 * DAY),
        watch_interval: script.seconds(1, DAY),
        active_interval: script.seconds(1, 3600),
        held_interval: script.seconds(1, DAY),
        lease: script.seconds(1, 3600),
        probe_restores: script.chance(4),
        paused: !script.chance(7),
        dry_run: !script.chance(7),
        ..Policy::default()
    }
}

fn any_market(script: &mut Script<'_>, service: &ServiceId) -> Market {
    Market {
        version: 1,
        wave: script.word(),
        held_at: script.maybe_time(),
        restoring: (0..script.below(4)).map(|n| (format!("{n}"), script.time())).collect(),
        closed_until: script.time(),
        ..Market::new(service.account.clone(), service.region.clone())
    }
}

// ---- changed fixtures -----------------------------------------------------------------------------------------------

macro_rules! fixtures {
    ($($name:literal)*) => {
        [$(include_str!(concat!("../../simulator/tests/event-fixtures/", $name, ".json"))),*]
    };
}

static FIXTURES: LazyLock<Vec<Value>> = LazyLock::new(|| {
    fixtures![
        "deployment-completed" "interruption-deactivating" "interruption-reason-only" "interruption-spot-interruption"
        "interruption-stopped" "interruption-termination-notice" "placement-failure-az-rebalance"
        "placement-failure-container-instances" "placement-failure-fargate-spot" "placement-failure-fargate" "steady-state"
        "synthetic-placement-failure" "synthetic-placement-failure-forged" "task-running-fargate"
        "task-running-spot-standalone" "task-running-spot" "task-stopped-spot"
    ]
    .iter()
    .map(|text| serde_json::from_str(text).unwrap())
    .collect()
});

#[rustfmt::skip]
const WORDS: [&str; 40] = [
    "", "aws.ecs", "test.aws.ecs", "aws.ec2", "111122223333", "903558039761", "999999999999", "444455556666",
    "11112222333", "ap-south-1", "eu-west-1", "cn-north-1", "ECS Service Action", "ECS Task State Change",
    "SERVICE_TASK_PLACEMENT_FAILURE", "SERVICE_STEADY_STATE", "FARGATE_SPOT", "FARGATE", "service:checkout",
    "service:other", "service:", "service:a/b", "service:a::b", "SpotInterruption", "TerminationNotice",
    "Your Spot Task was interrupted.", "2026-03-02T09:14:32Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z",
    "9999-12-31T23:59:60.999999999Z", "2026-02-30T00:00:00Z", "2026-03-02T09:14:32+01:00", "arn:aws:ecs",
    "arn:aws:ecs:ap-south-1:111122223333:cluster/", "arn:aws:ecs:ap-south-1:111122223333:service/shop/checkout/x",
    "arn:aws:ecs:ap-south-1:111122223333:service/checkout",
    "arn:aws:iam::444455556666:role/CentralSpotAutomationRole", "ARN:aws:ecs:eu-west-1:444455556666:service/a/b",
    " arn:aws:ecs:eu-west-1:444455556666:service/a/b", "a::b",
];
/// Fields the parser reads, and one it does not.
#[rustfmt::skip]
const KEYS: [&str; 14] = [
    "account", "region", "source", "time", "detail-type", "resources", "detail", "eventName", "capacityProviderArns",
    "clusterArn", "capacityProviderName", "group", "stopCode", "unheard-of",
];

fn changed_fixture(script: &mut Script<'_>) -> String {
    let mut event = script.pick(&FIXTURES);
    for _ in 0..script.below(8) {
        let nodes = count(&event);
        let value = any_value(script, &event, nodes, 3);
        let key = script.pick(&KEYS);
        let Some(place) = node(&mut event, &mut script.below(nodes)) else { continue };
        match (script.below(4), place) {
            (0, Value::Object(fields)) => drop(fields.remove(key)),
            (1, Value::Object(fields)) => drop(fields.insert(key.into(), value)),
            (0, Value::Array(items)) => drop(items.pop()),
            (1, Value::Array(items)) => items.push(value),
            (_, place) => *place = value,
        }
    }
    let mut text = event.to_string();
    // Last, scratches in the text itself.
    for _ in 0..script.below(4) {
        let at = boundary(&text, script.below(65_536) % (text.len() + 1));
        let end = boundary(&text, (at + script.below(8)).min(text.len()));
        text.replace_range(at..end, &script.text());
    }
    text
}

/// The last character boundary up to `at`.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or_default()
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Object(fields) => fields.values().map(count).sum::<usize>(),
        Value::Array(items) => items.iter().map(count).sum(),
        _ => 0,
    }
}

/// The `n`th value within `value`, itself the first.
fn node<'a>(value: &'a mut Value, n: &mut usize) -> Option<&'a mut Value> {
    if *n == 0 {
        return Some(value);
    }
    *n -= 1;
    match value {
        Value::Object(fields) => fields.values_mut().find_map(|value| node(value, n)),
        Value::Array(items) => items.iter_mut().find_map(|value| node(value, n)),
        _ => None,
    }
}

fn any_value(script: &mut Script<'_>, event: &Value, nodes: usize, depth: u8) -> Value {
    match script.below(10) {
        0..3 => script.pick(&WORDS).into(),
        3..5 => arn(script).into(),
        5 => node(&mut event.clone(), &mut script.below(nodes)).cloned().unwrap_or_default(),
        6 => script.text().into(),
        7 => script.pick(&[Value::Null, json!(true), json!(0), json!(-1), json!(1e300), json!({}), json!([])]),
        8 if depth > 0 => {
            let items = (0..script.below(4)).map(|_| any_value(script, event, nodes, depth - 1));
            Value::Array(items.collect())
        }
        9 if depth > 0 => {
            let fields = (0..script.below(4))
                .map(|_| (script.pick(&KEYS).to_owned(), any_value(script, event, nodes, depth - 1)));
            Value::Object(fields.collect())
        }
        _ => Value::Null,
    }
}

/// An ARN of parts that are each right or wrong.
fn arn(script: &mut Script<'_>) -> String {
    let partition = script.pick(&["aws", "aws", "aws", "aws-cn", ""]);
    let service = script.pick(&["ecs", "ecs", "ecs", "iam"]);
    let region = script.pick(&[REGION, REGION, REGION, "eu-west-1", "cn-north-1", ""]);
    let account = script.pick(&["111122223333", "111122223333", "903558039761", "444455556666", ""]);
    let kind = script.pick(&["service", "cluster", "capacity-provider", "task", ""]);
    let path =
        script.pick(&["shop/checkout", "shop", "checkout", "other", "FARGATE_SPOT", "FARGATE", "a/b/c", "", "gpu:1"]);
    format!("arn:{partition}:{service}:{region}:{account}:{kind}/{path}")
}
