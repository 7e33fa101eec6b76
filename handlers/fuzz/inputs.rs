//! Records, looks, policies and markets made of bytes: whatever the bytes are, they decide something.

use std::sync::Arc;
use std::time::Duration;

use handlers::decide::{Context, Trigger};
use handlers::event::{Event, Signal};
use handlers::held::HeldReason;
use handlers::market::Market;
use handlers::observation::{Controller, Deployment, Look, Message, Observation, Rollout};
use handlers::policy::{InterruptionPolicy, Policy};
use handlers::record::{Change, Held, Lease, Phase, Record};
use handlers::service::ServiceId;
use handlers::strategy::{CapacityProvider, Strategy, StrategyItem};
use handlers::timestamp::Timestamp;

use super::{CREATED, ME, NOW, REGION};

pub(super) const SIGNALS: [Signal; 6] = [
    Signal::SpotPlacementFailure,
    Signal::OnDemandPlacementFailure,
    Signal::SyntheticPlacementFailure,
    Signal::Interruption,
    Signal::SpotTaskStopped,
    Signal::SpotTask,
];
pub(super) const PHASES: [Phase; 5] =
    [Phase::Watching, Phase::FailingOver, Phase::OnDemand, Phase::Restoring, Phase::Held];

pub(super) const fn mins(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

pub(super) fn service() -> ServiceId {
    ServiceId {
        account: "111122223333".parse().unwrap(),
        region: REGION.parse().unwrap(),
        cluster: "shop".parse().unwrap(),
        service: "checkout".parse().unwrap(),
    }
}

pub(super) fn ctx<'a>(event: Option<&'a Event>, policy: &'a Policy, now: Timestamp) -> Context<'a> {
    Context { trigger: event.map_or(Trigger::Sweep, Trigger::Event), policy, now, owner: ME, market: None }
}

pub(super) fn about(service: &ServiceId, signal: Signal, at: Timestamp) -> Event {
    Event { service: service.clone(), signal, at, text: r#"{"id":"1"}"#.into() }
}

pub(super) fn item(provider: &str, base: u32, weight: u32) -> StrategyItem {
    StrategyItem { capacity_provider: CapacityProvider::from(provider.to_owned()), weight, base }
}

pub(super) fn usual() -> Strategy {
    Strategy::new(vec![item("FARGATE", 1, 1), item("FARGATE_SPOT", 0, 3)]).unwrap()
}

pub(super) fn seen_on(strategy: Option<Strategy>, running: u32) -> Observation {
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
        pending: 0,
        deployments: vec![Deployment {
            id: "ecs-svc/1".into(),
            primary: true,
            rollout: Rollout::Completed,
            rolls_back: false,
            strategy,
            running,
            created_at: CREATED,
        }],
        messages: Arc::default(),
    }
}

/// A record of the `n`th phase, or none.
pub(super) fn some_record(service: &ServiceId, n: usize) -> Option<Record> {
    let phase = *PHASES.get(n)?;
    let original = (phase != Phase::Watching).then(usual);
    let change = original.as_ref().map(|original| match phase {
        Phase::Restoring => Change { from: original.fallback(), to: original.clone() },
        _ => Change { from: original.clone(), to: original.fallback() },
    });
    let held = Held { reason: HeldReason::RoleMissing, resume: Phase::FailingOver, since: None, rolled_back: false };
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

pub(super) fn some_look(n: usize) -> Look {
    let found = |strategy, running| Look::found(seen_on(Some(strategy), running));
    match n {
        0 => found(usual(), 4),
        1 => found(usual(), 1),
        2 => found(usual().fallback(), 1),
        3 => found(Strategy::new(vec![item("FARGATE_SPOT", 0, 7)]).unwrap(), 1),
        4 => Look::Missing,
        _ => Look::Blocked(HeldReason::RoleMissing),
    }
}

/// Bytes read as a series of small decisions; when they end, every further decision is the first choice.
pub(super) struct Script<'a>(pub(super) &'a [u8]);

impl<'a> Script<'a> {
    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub(super) fn word(&mut self) -> u32 {
        u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }

    /// A number below `end`, which is at most 65,536.
    pub(super) fn below(&mut self, end: usize) -> usize {
        let number = usize::from(self.byte());
        if end <= 256 { number % end } else { (number << 8 | usize::from(self.byte())) % end }
    }

    /// True in `n` of 8 cases.
    pub(super) fn chance(&mut self, n: usize) -> bool {
        self.below(8) < n
    }

    pub(super) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    /// Some of the bytes, as text.
    pub(super) fn text(&mut self) -> String {
        let length = self.below(24).min(self.0.len());
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        String::from_utf8_lossy(text).into_owned()
    }

    /// A time near `NOW`, on the second or off it; sometimes the first or the last there is.
    pub(super) fn time(&mut self) -> Timestamp {
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

    pub(super) fn maybe_time(&mut self) -> Option<Timestamp> {
        self.chance(5).then(|| self.time())
    }

    pub(super) fn seconds(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_secs(from + u64::from(self.word()) % (to - from + 1))
    }
}

pub(super) fn strategy(script: &mut Script<'_>) -> Strategy {
    let providers = ["FARGATE_SPOT", "FARGATE", "FARGATE_SPOT", "asg"];
    let items = (0..1 + script.below(5)).map(|_| {
        let base = if script.chance(2) { script.word() % 100_002 } else { 0 };
        item(script.pick(&providers), base, script.word() % 1002)
    });
    Strategy::new(items.collect()).unwrap_or_else(|_| usual())
}

pub(super) fn near(script: &mut Script<'_>, original: &Strategy) -> Strategy {
    match script.below(8) {
        0..3 => original.clone(),
        3..6 => original.fallback(),
        6 => original.probe(),
        _ => strategy(script),
    }
}

pub(super) fn held_reason(script: &mut Script<'_>) -> HeldReason {
    match script.below(6) {
        0 => HeldReason::OnDemandShort,
        1 => HeldReason::RolledBack,
        2 => HeldReason::Daemon,
        3 => HeldReason::Controller(script.text()),
        4 => HeldReason::Refused(script.text()),
        _ => HeldReason::RoleMissing,
    }
}

pub(super) fn any_record(script: &mut Script<'_>, service: &ServiceId, original: &Strategy) -> Record {
    let phase = script.pick(&PHASES);
    let held = Held { reason: held_reason(script), resume: script.pick(&PHASES[..4]), since: None, rolled_back: false };
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

pub(super) fn any_seen(script: &mut Script<'_>, original: &Strategy) -> Observation {
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
        rolls_back: script.chance(5),
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
        pending: if script.chance(7) { script.below(3) as u32 } else { script.word() },
        deployments,
        messages: Arc::new(
            (0..script.below(3)).map(|_| Message { at: script.time(), text: script.pick(&texts).into() }).collect(),
        ),
        strategy: live,
    }
}

/// Any policy within the ranges that `Policy` itself allows.
pub(super) fn any_policy(script: &mut Script<'_>) -> Policy {
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

pub(super) fn any_market(script: &mut Script<'_>, service: &ServiceId) -> Market {
    Market {
        version: 1,
        wave: script.word(),
        held_at: script.maybe_time(),
        restoring: (0..script.below(4)).map(|n| (format!("{n}"), script.time())).collect(),
        closed_until: script.time(),
        ..Market::new(service.account.clone(), service.region.clone())
    }
}
