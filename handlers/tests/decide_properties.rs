//! Proves what holds of `decide` for any record, look, trigger and policy, and that its steps, taken one after another in a
//! tiny world, lead back to the owner's exact strategy.

#[path = "common/ask.rs"]
mod ask;
mod common;

use std::sync::Arc;

use ask::*;
use common::table::decide;
use common::*;
use handlers::decide::{Decision, Reason, Trigger};
use handlers::event::{Event, Signal};
use handlers::observation::{Controller, Deployment, Look, Message, Observation, Rollout};
use handlers::policy::{InterruptionPolicy, Policy};
use handlers::record::{Phase, Record};
use handlers::strategy::Strategy as Spread;
use handlers::timestamp::Timestamp;
use proptest::prelude::*;

// ---- any record, look, trigger and policy ---------------------------------------------------------------------------

/// Everything [`decide`] is given.
#[derive(Debug, Clone)]
struct Case {
    record: Option<Record>,
    look: Look,
    event: Option<Event>,
    policy: Policy,
    now: Timestamp,
}

impl Case {
    fn decide(&self) -> Decision {
        let trigger = self.event.as_ref().map_or(Trigger::Sweep, Trigger::Event);
        decide(&service(), self.record.as_ref(), &self.look, &ctx(trigger, &self.policy, self.now))
    }

    fn live(&self) -> Option<&Spread> {
        match &self.look {
            Look::Found(seen) => seen.strategy.as_ref(),
            _ => None,
        }
    }
}

fn any_policy() -> BoxedStrategy<Policy> {
    let wait = || prop_oneof![Just(1u64), 1u64..=3600, Just(3600)].prop_map(secs);
    let grace = || prop_oneof![Just(0u64), 0u64..=3600].prop_map(secs);
    let waits = (wait(), wait(), wait(), wait(), wait(), wait());
    let graces = (grace(), grace(), grace(), grace(), grace());
    let rest = (any::<bool>(), 1u32..=10, 0u32..=100, 1u32..=10, prop::bool::weighted(0.1), prop::bool::weighted(0.1));
    (waits, graces, rest)
        .prop_map(|(waits, graces, rest)| Policy {
            interruption_policy: if rest.0 { InterruptionPolicy::Immediate } else { InterruptionPolicy::Shortfall },
            event_max_age: waits.0,
            restore_after: waits.1,
            restore_timeout: waits.2,
            watch_interval: waits.3,
            active_interval: waits.4,
            held_interval: waits.5,
            shortfall_grace: graces.0,
            deployment_grace: graces.1,
            settle: graces.2,
            probation: graces.3,
            episode_memory: graces.4,
            restore_backoff_factor: rest.1,
            restore_jitter_percent: rest.2,
            restores_per_day: rest.3,
            restore_backoff_cap: hours(7 * 24),
            paused: rest.4,
            dry_run: rest.5,
            ..Policy::default()
        })
        .boxed()
}

/// What is live: the original of the record or what would be saved as one, the fallback of it, another's, or a launch type.
fn any_seen(original: Spread) -> BoxedStrategy<Observation> {
    let fallback = original.fallback();
    let strategy = prop_oneof![
        4 => Just(Some(original.clone())),
        4 => Just(Some(fallback.clone())),
        2 => Just(Some(original.probe())),
        1 => any_spot_spread().prop_map(Some),
        1 => Just(Some(spread(&[("gpu-asg", 0, 1)]))),
        1 => Just(None),
    ];
    let primary = prop_oneof![Just(Some(original)), Just(Some(fallback)), Just(None)];
    let deployments = prop::option::weighted(
        0.9,
        (
            primary,
            prop::sample::select(vec![Rollout::InProgress, Rollout::Completed, Rollout::Failed]),
            0u32..6,
            any_time_near(),
        ),
    );
    let text = prop::sample::select(vec![
        "(service checkout) is unable to consistently start tasks successfully.",
        "(service checkout) was unable to place a task. Reason: Capacity is unavailable at this time.",
        "(service checkout) has reached a steady state.",
        "",
    ]);
    let messages = prop::collection::vec((any_time_near(), text), 0..4);
    let created = prop_oneof![9 => Just(CREATED), 1 => any_time()];
    let kind = (prop::bool::weighted(0.9), prop::bool::weighted(0.9), prop::bool::weighted(0.9));
    (strategy, deployments, messages, created, kind, 0u32..6, 0u32..6)
        .prop_map(|(strategy, primary, messages, created_at, (active, rolling, replica), desired, running)| {
            Observation {
                created_at,
                active,
                strategy,
                controller: if rolling { Controller::Rolling } else { Controller::Other("EXTERNAL".into()) },
                replica,
                opted_out: created_at == CREATED && desired == 5 && running == 5,
                minimum_healthy_percent: if running % 2 == 0 { 100 } else { 0 },
                desired,
                running,
                pending: running / 3,
                deployments: primary
                    .map(|(strategy, rollout, running, created_at)| Deployment {
                        id: "ecs-svc/1".into(),
                        primary: true,
                        rollout,
                        rolls_back: rollout == Rollout::InProgress && running % 2 == 1,
                        strategy,
                        running,
                        created_at,
                    })
                    .into_iter()
                    .collect(),
                messages: Arc::new(messages.into_iter().map(|(at, text)| Message { at, text: text.into() }).collect()),
            }
        })
        .boxed()
}

/// Whether what is live is its owner's choice, even if it is a shape of ours: ECS rolls back nothing that is complete.
fn is_owners(record: &Record, seen: &Observation) -> bool {
    seen.is_rollback(record.phase_since).map_or(record.healthy_since.is_some(), |by_ecs| !by_ecs)
}

fn any_case() -> BoxedStrategy<Case> {
    let event = prop::option::of(
        (prop::sample::select(EVERY_SIGNAL.to_vec()), any_time_near()).prop_map(|(signal, at)| event(signal, at)),
    );
    (prop::option::weighted(0.9, any_record(service())), any_spot_spread(), event, any_policy(), any_time_near())
        .prop_flat_map(|(record, other, event, policy, now)| {
            let original = record.as_ref().and_then(|r| r.original.clone()).unwrap_or(other);
            let look = prop_oneof![
                18 => any_seen(original).prop_map(Look::found),
                1 => Just(Look::Missing),
                1 => any_held_reason().prop_map(Look::Blocked),
            ];
            (Just(record), look, Just(event), Just(policy), Just(now))
        })
        .prop_map(|(record, look, event, policy, now)| Case { record, look, event, policy, now })
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_record_and_look_has_an_answer_and_the_same_one_each_time(case in any_case()) {
        prop_assert_eq!(case.decide(), case.decide());
    }

    #[test]
    fn an_update_follows_only_an_own_unexpired_claim_and_makes_exactly_the_claimed_change(case in any_case()) {
        if let Decision::Update(record, strategy) = case.decide() {
            prop_assert_eq!(Some(record.as_ref()), case.record.as_ref());
            prop_assert!(record.leased_by(ME, case.now));
            prop_assert!(record.original.is_some());
            prop_assert!(matches!(record.phase, Phase::FailingOver | Phase::Restoring), "updated in {}", record.phase);
            let change = record.change.as_ref().unwrap();
            prop_assert_eq!(strategy.items(), change.to.items());
            prop_assert_eq!(case.live(), Some(&change.from));
        }
    }

    #[test]
    fn a_claim_keeps_the_saved_original_or_saves_the_live_spot_strategy(case in any_case()) {
        if let Decision::Claim(next, _) = case.decide() {
            let items = |s: Option<&Spread>| s.map(|s| s.items().to_vec());
            let original = items(next.original.as_ref());
            prop_assert!(next.original.as_ref().is_some_and(Spread::uses_spot));
            let saved = items(case.record.as_ref().and_then(|r| r.original.as_ref()));
            prop_assert!(original == saved || original == items(case.live()), "{:?}", next.original);
            // During an episode only by what an owner set meanwhile: nothing that is ours.
            if let Some(record) = case.record.as_ref().filter(|r| {
                matches!(r.phase, Phase::FailingOver | Phase::OnDemand | Phase::Restoring)
                    && r.original.is_some()
                    && matches!(&case.look, Look::Found(seen) if r.service_created_at.is_none_or(|at| at == seen.created_at))
            }) {
                let ours = [record.original.as_ref().unwrap().fallback(), record.original.as_ref().unwrap().probe()];
                let replaced = original != items(record.original.as_ref());
                let Look::Found(seen) = &case.look else { unreachable!() };
                prop_assert!(!replaced || is_owners(record, seen) || !case.live().is_some_and(|live| ours.contains(live)));
            }
            prop_assert!(next.leased_by(ME, case.now));
        }
    }

    #[test]
    fn nothing_is_claimed_or_taken_to_be_settled_while_another_holds_the_lease(case in any_case()) {
        if case.record.as_ref().is_some_and(|r| r.leased_by_other(ME, case.now)) {
            prop_assert_eq!(case.decide(), Decision::Leave(Reason::Leased));
        }
    }

    #[test]
    fn nothing_is_claimed_under_the_kill_switch_or_in_a_dry_run(case in any_case(), paused in any::<bool>()) {
        let mut case = case;
        (case.policy.paused, case.policy.dry_run) = (paused, !paused);
        prop_assert!(!matches!(case.decide(), Decision::Claim(..)));
    }

    #[test]
    fn every_write_keeps_the_service_and_the_version_it_was_decided_from(case in any_case()) {
        if let Decision::Write(next, _) | Decision::Claim(next, _) = case.decide() {
            prop_assert_eq!(&next.service, &service());
            prop_assert_eq!(next.version, case.record.as_ref().map_or(0, |r| r.version));
        }
    }

    #[test]
    fn every_wait_has_an_end(case in any_case()) {
        if let Decision::Write(next, _) | Decision::Claim(next, _) = case.decide() {
            prop_assert!(next.next_check_at > case.now, "due at once again: a sweep would turn on the spot");
            prop_assert!(next.next_check_at <= case.now + hours(14 * 24));
        }
    }

    #[test]
    fn a_lease_outlives_only_a_claim(case in any_case()) {
        if let Decision::Write(next, _) = case.decide() {
            let before = case.record.as_ref().and_then(|r| r.lease.clone());
            prop_assert!(next.lease.is_none() || next.lease == before);
        }
    }

    #[test]
    fn only_a_record_of_a_gone_recreated_or_spotless_service_is_forgotten(case in any_case()) {
        if let Decision::Forget(_) = case.decide() {
            prop_assert!(case.record.is_some());
            if let Look::Found(seen) = &case.look {
                prop_assert!(!seen.active || !seen.uses_spot() || seen.opted_out);
                // Its own fallback is no strategy of its owner's: the original must not be lost.
                let record = case.record.as_ref().unwrap();
                let ours = matches!(record.phase, Phase::FailingOver | Phase::OnDemand | Phase::Restoring)
                    && !is_owners(record, seen)
                    && record.original.as_ref().map(Spread::fallback) == seen.strategy
                    && record.original.is_some();
                prop_assert!(!seen.active || seen.opted_out || !ours || record.service_created_at.is_some_and(|at| at != seen.created_at));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn nothing_is_updated_under_the_kill_switch_or_in_a_dry_run(case in any_case(), paused in any::<bool>()) {
        let mut case = case;
        (case.policy.paused, case.policy.dry_run) = (paused, !paused);
        prop_assert!(!matches!(case.decide(), Decision::Update(..)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Rule 12, over whatever ECS may show, in whatever order: no restore lasts for ever.
    #[test]
    fn every_restore_ends_whatever_ecs_shows(
        (record, looks) in any_record(service()).prop_flat_map(|record| {
            let original = record.original.clone().unwrap_or_else(original);
            (Just(record), prop::collection::vec(any_seen(original), 1..4))
        })
    ) {
        let mut record = Record { phase: Phase::Restoring, held: None, lease: None, phase_since: NOW, ..record };
        record.service_created_at = Some(CREATED);
        let policy = Policy::default();
        // Four times its full length, once for the probe and once for what follows it, and a first look.
        let longest = (policy.restore_timeout + policy.probation) * 4 * 2 + mins(2);
        for (n, seen) in looks.iter().cycle().enumerate().take(24 * 60) {
            let now = NOW + mins(n as u64);
            let seen = Observation { created_at: CREATED, ..seen.clone() };
            match decide(&service(), Some(&record), &Look::found(seen), &ctx(Trigger::Sweep, &policy, now)) {
                // Handlers that die one after another end nothing.
                Decision::Claim(_, Reason::TakenOver | Reason::RestoreDue) => return Ok(()),
                Decision::Write(next, _) | Decision::Claim(next, _) if next.phase == Phase::Restoring => {
                    // Whoever claimed it dies at once.
                    record = Record { lease: None, ..Arc::unwrap_or_clone(next) };
                }
                Decision::Leave(_) | Decision::Update(..) => {}
                Decision::Write(..) | Decision::Claim(..) | Decision::Forget(_) => return Ok(()),
            }
            prop_assert!(now.since(NOW) < longest, "still restoring after {n} minutes: {}", record.reason);
        }
    }
}

// ---- a tiny world ---------------------------------------------------------------------------------------------------

/// One service in which every update happens at once and every task runs, and the record of it.
struct World {
    record: Option<Record>,
    seen: Observation,
    now: Timestamp,
    policy: Policy,
    updates: Vec<Spread>,
}

impl World {
    fn new(strategy: Spread, policy: Policy) -> Self {
        Self { record: None, seen: full_on(strategy), now: NOW, policy, updates: vec![] }
    }

    /// Decides and applies until nothing more is to be done now, as `reconcile` does.
    fn settle(&mut self, event: Option<&Event>) -> Reason {
        for _ in 0..8 {
            let trigger = event.map_or(Trigger::Sweep, Trigger::Event);
            let look = Look::found(self.seen.clone());
            match decide(&service(), self.record.as_ref(), &look, &ctx(trigger, &self.policy, self.now)) {
                Decision::Leave(reason) => return reason,
                Decision::Write(next, reason) => {
                    self.record = Some(Record { version: next.version + 1, ..Arc::unwrap_or_clone(next) });
                    return reason;
                }
                Decision::Claim(next, _) => {
                    self.record = Some(Record { version: next.version + 1, ..Arc::unwrap_or_clone(next) })
                }
                Decision::Update(_, strategy) => {
                    let messages = std::mem::take(&mut self.seen.messages);
                    self.seen = Observation { messages, ..full_on(strategy.clone()) };
                    self.seen.deployments[0].created_at = self.now;
                    self.updates.push(strategy);
                }
                Decision::Forget(reason) => {
                    self.record = None;
                    return reason;
                }
            }
        }
        panic!("no end after 8 steps");
    }

    fn phase(&self) -> Phase {
        self.record.as_ref().unwrap().phase
    }

    /// Sweeps once, when the record is due.
    fn sweep_next(&mut self) {
        let next = self.record.as_ref().unwrap().next_check_at;
        self.sweep_until(next, |w| w.now == next);
        assert_eq!(self.now, next, "the sweep turns on the spot");
        assert!(self.record.as_ref().is_none_or(|r| r.next_check_at > next), "the sweep turns on the spot");
    }

    /// Sweeps at every `next_check_at` until `time` or until `enough`.
    fn sweep_until(&mut self, time: Timestamp, enough: impl Fn(&World) -> bool) -> Vec<Reason> {
        let mut reasons = vec![];
        while !enough(self) {
            let next = self.record.as_ref().unwrap().next_check_at;
            assert!(next > self.now, "the sweep turns on the spot");
            if next > time {
                break;
            }
            self.now = next;
            reasons.push(self.settle(None));
        }
        reasons
    }
}

proptest! {
    // A world that goes wrong runs for long: the first counterexample will do.
    #![proptest_config(ProptestConfig { max_shrink_iters: 16, ..ProptestConfig::default() })]
    #[test]
    fn failover_then_restore_gives_any_spot_strategy_back_item_by_item(
        strategy in any_spot_spread(),
        policy in any_policy(),
        signal in prop::sample::select(vec![Signal::SpotPlacementFailure, Signal::SyntheticPlacementFailure]),
    ) {
        let policy = Policy { paused: false, dry_run: false, ..policy };
        let mut world = World::new(strategy.clone(), policy);
        world.seen.running = 1;
        world.settle(Some(&event(signal, NOW)));
        prop_assert_eq!(world.phase(), Phase::OnDemand);
        world.sweep_until(NOW + hours(12), |w| w.phase() == Phase::Watching);
        prop_assert_eq!(world.phase(), Phase::Watching);
        let (fallback, live) = (strategy.fallback(), world.seen.strategy.unwrap());
        prop_assert_eq!(live.items(), strategy.items());
        prop_assert_eq!(world.updates.len(), 2);
        prop_assert_eq!(world.updates[0].items(), fallback.items());
        prop_assert_eq!(world.updates[1].items(), strategy.items());
        let record = world.record.unwrap();
        prop_assert_eq!((record.original, record.event, record.episode), (None, None, 1));
    }

    #[test]
    fn events_repeated_at_any_time_add_no_update(
        strategy in any_spot_spread(),
        again in prop::collection::vec((0u64..15 * 60, prop::sample::select(EVERY_SIGNAL.to_vec())), 0..12),
    ) {
        let mut world = World::new(strategy.clone(), Policy::default());
        world.seen.running = 1;
        world.settle(Some(&event(Signal::SpotPlacementFailure, NOW)));
        let mut again = again;
        again.sort_by_key(|(after, _)| *after);
        for (after, signal) in again {
            world.sweep_until(NOW + secs(after), |_| false);
            world.now = NOW + secs(after);
            world.settle(Some(&event(signal, NOW)));
        }
        world.sweep_until(NOW + hours(2), |w| w.phase() == Phase::Watching);
        prop_assert_eq!(world.updates.len(), 2);
        let live = world.seen.strategy.unwrap();
        prop_assert_eq!(live.items(), strategy.items());
    }
}

#[test]
fn a_day_without_spot_costs_a_bounded_number_of_updates_and_ends_on_the_original() {
    let mut world = World::new(original(), Policy::default());
    world.seen.running = 1;
    world.settle(Some(&event(Signal::SpotPlacementFailure, NOW)));
    let day = NOW + hours(24);
    while world.record.as_ref().unwrap().next_check_at <= day {
        // No Spot task ever comes up.
        if world.phase() == Phase::Restoring {
            world.seen.running = 1;
            world.seen.deployments[0].rollout = Rollout::InProgress;
        }
        world.sweep_next();
    }
    // 15 min, 30 min, 1 h, 2 h, 4 h, 6 h, 6 h with up to 20 % jitter: at most seven tries, each undone.
    assert!((11..=15).contains(&world.updates.len()), "{} updates", world.updates.len());
    world.sweep_until(day + hours(24), |w| w.phase() == Phase::Watching);
    assert_eq!(world.seen.strategy.unwrap().items(), original().items());
}

#[test]
fn a_failover_that_ecs_rolls_back_each_time_is_not_repeated_without_end() {
    let mut world = World::new(original(), Policy::default());
    world.seen.running = 1;
    world.settle(Some(&event(Signal::SpotPlacementFailure, NOW)));
    while world.now < NOW + hours(24) {
        // The circuit breaker brings the strategy of before back, and its tasks are still missing.
        world.seen = short_on(original());
        if world.record.is_none() {
            break;
        }
        world.sweep_next();
    }
    assert!(world.updates.len() <= 24, "{} forced deployments in a day", world.updates.len());
}
