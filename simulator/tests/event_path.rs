//! The way of an event from a workload account to a handler, and what becomes of it when a part of that way is broken.

mod worlds;

use std::time::Duration;

use handlers::record::Phase;
use handlers::service::AccountId;
use serde_json::json;
use simulator::dice::{Dice, Span};
use simulator::facts::Facts;
use simulator::spec::{
    BusPolicy, Capacity, Forwarding, FunctionName, FunctionState, Loss, QueueAccess, QueueName, TimedEvent, WorldEvent,
    WorldSpec,
};
use simulator::trace::Happening;
use simulator::{Outcome, Simulation, run};

use worlds::{Owned, account, mins, strategy, world};

const HOUR: Duration = Duration::from_secs(3600);
const BOTH_QUEUES: [QueueName; 2] = [QueueName::PlacementFailure, QueueName::Interruption];

/// One service on Spot in each of the first `accounts` accounts, and what happens.
fn spec(accounts: usize, events: impl IntoIterator<Item = (u64, WorldEvent)>) -> WorldSpec {
    let owned = |account| Owned { account, desired: 3, strategy: strategy((0, 0), (0, 1)), bounds: (100, 200) };
    let services: Vec<Owned> = (0..accounts).map(owned).collect();
    let events = events.into_iter().map(|(minute, event)| TimedEvent { at: mins(minute), event }).collect();
    WorldSpec { events, ..world(1, mins(1), &services, &[]) }
}

fn spot(accounts: &[AccountId], capacity: Capacity) -> WorldEvent {
    WorldEvent::Spot { accounts: accounts.to_vec(), capacity, loss: Loss::Interrupt }
}

fn outage(n: usize) -> WorldEvent {
    spot(&[account(n)], Capacity::Tasks(0))
}

fn forwarding(n: usize, forwarding: Forwarding) -> WorldEvent {
    WorldEvent::Forwarding { accounts: vec![account(n)], forwarding }
}

fn access(queue: QueueName, access: QueueAccess) -> WorldEvent {
    WorldEvent::QueueAccess { queue, access }
}

fn function(function: FunctionName, state: FunctionState) -> WorldEvent {
    WorldEvent::Function { function, state }
}

fn play(spec: WorldSpec, facts: Facts, duration: Duration) -> Outcome {
    let outcome = run(spec, facts, duration).expect("the product's patterns are valid");
    assert!(outcome.violations.is_empty(), "{:?}", outcome.violations);
    outcome
}

/// When each of these happened, in order.
fn when(outcome: &Outcome, what: impl Fn(&Happening) -> bool) -> Vec<Duration> {
    outcome.trace.iter().filter(|entry| what(&entry.what)).map(|entry| entry.at).collect()
}

/// An event reaches a queue. Into the other one handlers put messages of their own.
fn queued(what: &Happening) -> bool {
    matches!(what, Happening::Queued { queue } if *queue == QueueName::Interruption.name())
}

fn invoked(what: &Happening) -> bool {
    matches!(what, Happening::Invoked { messages: 1.., .. })
}

fn event_dead(what: &Happening) -> bool {
    matches!(what, Happening::EventDead { .. })
}

/// The error codes in the DLQs of the rules, each once, with the retries made.
fn errors(outcome: &Outcome) -> Vec<(String, &'static str, u32)> {
    let mut errors: Vec<_> = outcome
        .trace
        .iter()
        .filter_map(|entry| match &entry.what {
            Happening::EventDead { account, code, retries, .. } => Some((account.to_string(), *code, *retries)),
            _ => None,
        })
        .collect();
    errors.sort();
    errors.dedup();
    errors
}

fn failover(outcome: &Outcome, n: usize) -> Option<Duration> {
    let fails_over = |what: &Happening| matches!(what, Happening::Phase { to: Some(Phase::FailingOver), .. });
    let service = &outcome.services[n].id;
    outcome.trace.iter().find(|e| e.service.as_deref() == Some(service) && fails_over(&e.what)).map(|e| e.at)
}

// EventBridge.

#[test]
fn without_the_forwarding_role_every_event_goes_to_the_dead_letter_queue_of_the_accounts_own_rule_at_once() {
    for (broken, code) in [(Forwarding::Missing, "FAILED_TO_ASSUME_ROLE"), (Forwarding::Denied, "NO_PERMISSIONS")] {
        let outcome = play(spec(2, [(5, forwarding(0, broken)), (10, outage(0))]), Facts::default(), mins(12));
        assert_eq!(errors(&outcome), [(account(0).to_string(), code, 0)]);
        assert_eq!(outcome.events_dead, when(&outcome, event_dead).len());
        assert!(when(&outcome, queued).iter().all(|at| *at < mins(5)), "none of its events came through");
        let latest = when(&outcome, event_dead)[0];
        assert!(latest < mins(10) + Duration::from_secs(20), "dead without a retry: {latest:?}");
    }
}

#[test]
fn a_central_bus_that_does_not_answer_for_a_while_costs_time_and_no_event() {
    let outcome = |broken: bool| {
        let down = broken.then(|| (5, forwarding(0, Forwarding::Unreachable)));
        let up = broken.then(|| (40, forwarding(0, Forwarding::Present)));
        let facts = Facts { event_retry_cap: mins(5), ..Facts::default() };
        play(spec(1, down.into_iter().chain(up).chain([(10, outage(0))])), facts, HOUR)
    };
    let (clean, late) = (outcome(false), outcome(true));
    assert_eq!((late.events_dead, late.messages_dead, late.messages_left), (0, 0, 0));
    assert!(when(&late, queued).iter().all(|at| !(mins(5)..mins(40)).contains(at)));
    let told = when(&clean, queued).iter().filter(|at| (mins(10)..mins(13)).contains(*at)).count();
    assert!(told > 0 && when(&late, queued).iter().filter(|at| **at >= mins(40)).count() >= told);
}

#[test]
fn retries_of_the_hop_to_the_central_bus_end_in_the_dead_letter_queue_of_the_accounts_own_rule() {
    let facts = Facts { event_retry_cap: mins(1), ..Facts::default() };
    let events = [(5, forwarding(0, Forwarding::Unreachable)), (10, outage(0))];
    let outcome = play(spec(1, events), facts, 6 * HOUR);
    assert_eq!(errors(&outcome), [(account(0).to_string(), "CONNECTION_FAILURE", 185)]);
    let facts = Facts { event_max_age: mins(30), ..Facts::default() };
    let events = [(5, forwarding(0, Forwarding::Unreachable)), (10, outage(0))];
    let outcome = play(spec(1, events), facts, 6 * HOUR);
    let first = when(&outcome, event_dead)[0] - mins(10);
    assert!(first > mins(15) && first <= mins(31), "{first:?}");
}

#[test]
fn a_hop_that_is_denied_while_it_is_retried_ends_at_once() {
    let broken = [(5, forwarding(0, Forwarding::Unreachable)), (12, forwarding(0, Forwarding::Denied))];
    let outcome = play(spec(1, broken.into_iter().chain([(10, outage(0))])), Facts::default(), HOUR);
    let errors = errors(&outcome);
    assert!(errors.iter().all(|(_, code, _)| *code == "NO_PERMISSIONS"), "{errors:?}");
    assert!(errors.iter().any(|(_, _, retries)| *retries > 3), "{errors:?}");
}

#[test]
fn a_disabled_forwarding_rule_loses_the_events_and_keeps_none() {
    let events = [(5, forwarding(0, Forwarding::Disabled)), (10, outage(0))];
    let outcome = play(spec(1, events), Facts::default(), mins(12));
    assert_eq!(outcome.events_dead, 0);
    assert!(when(&outcome, queued).iter().all(|at| *at < mins(5)));
}

#[test]
fn a_bus_policy_that_lists_accounts_admits_these_and_no_other() {
    let policy = WorldEvent::BusPolicy(BusPolicy::Accounts(vec![account(1)]));
    let both = spot(&[account(0), account(1)], Capacity::Tasks(0));
    let outcome = play(spec(2, [(5, policy), (10, both)]), Facts::default(), mins(12));
    assert_eq!(errors(&outcome), [(account(0).to_string(), "NO_PERMISSIONS", 0)]);
    assert_eq!(failover(&outcome, 0), None, "nothing was heard of it, and it is not overdue yet");
    assert!(failover(&outcome, 1).is_some_and(|at| at < mins(11)));
}

#[test]
fn a_bus_policy_for_the_organization_admits_its_accounts_until_they_leave_it() {
    let policy = WorldEvent::BusPolicy(BusPolicy::Organization);
    let leaves = WorldEvent::Membership { accounts: vec![account(0)], member: false };
    let both = spot(&[account(0), account(1)], Capacity::Tasks(0));
    let outcome = play(spec(2, [(1, policy), (5, leaves), (10, both)]), Facts::default(), mins(12));
    assert_eq!(errors(&outcome), [(account(0).to_string(), "NO_PERMISSIONS", 0)]);
    assert!(failover(&outcome, 1).is_some_and(|at| at < mins(11)));
}

#[test]
fn the_bus_policy_holds_for_put_events_too_and_never_for_the_buss_own_account() {
    let central: AccountId = "999999999999".parse().expect("an account");
    let put = |from: &AccountId| WorldEvent::PutEvents {
        from: from.clone(),
        source: "test.aws.ecs".into(),
        detail_type: "ECS Service Action".into(),
        resources: Vec::new(),
        detail: json!({}),
    };
    let closed = WorldEvent::BusPolicy(BusPolicy::Accounts(Vec::new()));
    let events = [(1, put(&account(0))), (2, closed), (3, put(&account(0))), (4, put(&central))];
    let outcome = play(spec(1, events), Facts::default(), mins(5));
    let accepted = when(&outcome, |what| matches!(what, Happening::EventPut { .. }));
    let refused = when(&outcome, |what| matches!(what, Happening::EventRefused { code: "AccessDeniedException", .. }));
    assert_eq!((accepted, refused), (vec![mins(1), mins(4)], vec![mins(3)]));
}

#[test]
fn what_is_mended_lets_later_events_through_and_brings_no_earlier_one_back() {
    let events = [
        (5, forwarding(0, Forwarding::Missing)),
        (10, outage(0)),
        (11, forwarding(0, Forwarding::Present)),
        (12, spot(&[account(0)], Capacity::Unlimited)),
    ];
    let outcome = play(spec(1, events), Facts::default(), HOUR);
    let dead = when(&outcome, event_dead);
    assert!(!dead.is_empty() && dead.iter().all(|at| *at < mins(11)));
    assert!(when(&outcome, queued).iter().any(|at| *at > mins(11)), "the end of the tasks is told");
}

#[test]
fn a_queue_that_cannot_be_reached_for_a_while_costs_time_and_no_event() {
    let down = BOTH_QUEUES.map(|queue| (5, access(queue, QueueAccess::Unreachable)));
    let up = BOTH_QUEUES.map(|queue| (40, access(queue, QueueAccess::Reachable)));
    let facts = Facts { event_retry_cap: mins(5), ..Facts::default() };
    let plan = |events: Vec<(u64, WorldEvent)>| spec(1, events.into_iter().chain([(10, outage(0))]));
    let clean = play(plan(Vec::new()), facts.clone(), HOUR);
    let late = play(plan(down.into_iter().chain(up).collect()), facts, HOUR);
    assert_eq!((late.events_dead, late.messages_dead, late.messages_left), (0, 0, 0));
    assert!(when(&late, queued).iter().all(|at| !(mins(5)..mins(40)).contains(at)));
    // The worlds part ways after the outage; what was on its way during it is the same and comes in the end.
    let told = when(&clean, queued).iter().filter(|at| (mins(10)..mins(13)).contains(*at)).count();
    assert!(when(&late, queued).iter().filter(|at| **at >= mins(40)).count() >= told);
}

#[test]
fn deliveries_end_after_185_retries_or_24_hours_in_the_dead_letter_queue_of_the_central_rule() {
    let down = BOTH_QUEUES.map(|queue| (5, access(queue, QueueAccess::Unreachable)));
    let events = || down.clone().into_iter().chain([(10, outage(0))]);
    let gave_up = |facts: Facts, duration| {
        let outcome = play(spec(1, events()), facts, duration);
        let first = outcome.trace.iter().find_map(|entry| match &entry.what {
            Happening::EventDead { account, retries, exhausted, .. } => {
                Some((account.to_string(), *retries, *exhausted, entry.at - mins(10)))
            }
            _ => None,
        });
        first.expect("an event that could not be delivered")
    };
    // The pauses are drawn, so which limit comes first is too; with shorter ones it is always the count.
    let (account, retries, limit, after) = gave_up(Facts::default(), 26 * HOUR);
    assert_eq!(account, "999999999999");
    assert!(limit.is_some() && retries > 150, "{retries} retries, {limit:?}");
    assert!(after > 20 * HOUR && after <= 24 * HOUR + mins(1), "{after:?}");

    let facts = Facts { event_retry_cap: mins(1), ..Facts::default() };
    let (_, retries, limit, after) = gave_up(facts, 6 * HOUR);
    assert_eq!((retries, limit), (185, Some("MaximumRetryAttempts")));
    assert!(after < 3 * HOUR + mins(10), "{after:?}");

    let facts = Facts { event_max_age: mins(30), ..Facts::default() };
    let (_, retries, limit, after) = gave_up(facts, HOUR);
    assert_eq!(limit, Some("MaximumEventAgeInSeconds"));
    assert!(retries < 20 && after <= mins(31), "{retries} retries in {after:?}");
}

#[test]
fn a_queue_policy_without_the_rules_costs_every_event_at_once() {
    let denied = BOTH_QUEUES.map(|queue| (5, access(queue, QueueAccess::Denied)));
    let outcome = play(spec(1, denied.into_iter().chain([(10, outage(0))])), Facts::default(), mins(12));
    assert_eq!(errors(&outcome), [("999999999999".to_owned(), "NO_PERMISSIONS", 0)]);
}

#[test]
fn the_kill_switch_stops_the_next_invocation_and_lets_it_act_once_lifted() {
    let pause = |paused| WorldEvent::Pause { paused };
    let outcome = play(spec(1, [(5, pause(true)), (10, outage(0)), (40, pause(false))]), Facts::default(), HOUR);
    let failover = failover(&outcome, 0).expect("the service is still short when the kill switch is lifted");
    assert!((mins(40)..mins(45)).contains(&failover), "{failover:?}");
    assert_eq!(when(&outcome, |what| matches!(what, Happening::Paused { .. })), [mins(5), mins(40)]);
}

// SQS.

#[test]
fn a_redrive_brings_every_dead_message_back_once_and_as_a_new_one() {
    let stopped = function(FunctionName::PlacementFailure, FunctionState::Reserved(0));
    let events = [
        (5, stopped),
        (10, outage(0)),
        (50, spot(&[account(0)], Capacity::Unlimited)),
        (120, function(FunctionName::PlacementFailure, FunctionState::Running)),
        (300, WorldEvent::Redrive { queue: QueueName::PlacementFailure }),
    ];
    let outcome = play(spec(1, events), Facts::default(), 6 * HOUR);
    let dead = when(&outcome, |what| matches!(what, Happening::DeadLettered { .. })).len();
    let moved: Vec<usize> = outcome
        .trace
        .iter()
        .filter_map(|e| if let Happening::Redriven { messages, .. } = e.what { Some(messages) } else { None })
        .collect();
    assert!(dead > 0);
    assert_eq!(moved, [dead]);
    assert_eq!((outcome.messages_dead, outcome.messages_left), (0, 0), "received with a count of 1 and handled");
    let failovers = when(&outcome, |what| matches!(what, Happening::Phase { to: Some(Phase::FailingOver), .. }));
    assert!(failovers.iter().all(|at| *at < mins(300)), "old news is no news: {failovers:?}");
}

#[test]
fn a_redrive_moves_at_most_so_many_messages_a_second_and_only_one_runs_at_a_time() {
    let stopped = function(FunctionName::Interruption, FunctionState::Reserved(0));
    let redrive = || WorldEvent::Redrive { queue: QueueName::Interruption };
    let events = [(0, stopped), (10, outage(0)), (60, redrive()), (60, redrive())];
    let facts = Facts { redrive_per_second: 2, ..Facts::default() };
    let outcome = play(spec(2, events), facts, mins(61));
    let moves: Vec<(u128, usize)> = outcome
        .trace
        .iter()
        .filter_map(|e| match e.what {
            Happening::Redriven { messages, .. } => Some((e.at.as_millis(), messages)),
            _ => None,
        })
        .collect();
    assert!(moves.len() > 2, "{moves:?}");
    assert!(moves.iter().all(|(_, messages)| (1..=2).contains(messages)), "{moves:?}");
    assert!(moves.windows(2).all(|pair| pair[1].0 - pair[0].0 == 1_000), "{moves:?}");
    assert_eq!(when(&outcome, |what| matches!(what, Happening::RedriveRefused { .. })), [HOUR]);
}

#[test]
fn what_nobody_handles_is_gone_after_four_days_and_from_the_dead_letter_queue_after_fourteen() {
    let day = 24 * 60;
    let events = [
        (0, function(FunctionName::PlacementFailure, FunctionState::Reserved(0))),
        (0, function(FunctionName::Interruption, FunctionState::Detached)),
        (10, outage(0)),
        (30, spot(&[account(0)], Capacity::Unlimited)),
    ];
    let outcome = play(spec(1, events), Facts::default(), mins(16 * day));
    let lost: Vec<(u64, usize, usize)> = outcome
        .trace
        .iter()
        .filter_map(|e| match e.what {
            Happening::Expired { waiting, dead, .. } => Some((e.at.as_secs() / 60 / day, waiting, dead)),
            _ => None,
        })
        .collect();
    assert!(lost.iter().any(|(days, waiting, _)| *days == 4 && *waiting > 0), "{lost:?}");
    assert!(lost.iter().any(|(days, _, dead)| *days == 14 && *dead > 0), "{lost:?}");
    assert!(lost.iter().all(|(days, waiting, dead)| (*waiting == 0 || *days == 4) && (*dead == 0 || *days == 14)));
}

// Lambda.

#[test]
fn a_stopped_functions_messages_are_received_in_vain_until_they_are_dead() {
    // Nothing is changed, so no handler puts a message of its own into the queue.
    let events = [
        (5, WorldEvent::Pause { paused: true }),
        (5, function(FunctionName::PlacementFailure, FunctionState::Reserved(0))),
        (10, outage(0)),
    ];
    let outcome = play(spec(1, events), Facts::default(), mins(60));
    let throttled = when(&outcome, |what| matches!(what, Happening::Throttled { messages: 1.., .. }));
    let visibility = Facts::default().visibility_timeout;
    assert!(throttled.len() >= 10 && throttled[..10].windows(2).all(|of| of[1] - of[0] >= visibility), "{throttled:?}");
    assert!(when(&outcome, |what| matches!(what, Happening::DeadLettered { .. }))[0] >= throttled[0] + 10 * visibility);
    assert_eq!((outcome.messages_dead, outcome.violations.len()), (1, 0));
}

#[test]
fn a_detached_functions_messages_wait_and_are_handled_when_it_is_back() {
    let events = [
        (5, function(FunctionName::Interruption, FunctionState::Detached)),
        (10, outage(0)),
        (60, function(FunctionName::Interruption, FunctionState::Running)),
    ];
    let outcome = play(spec(1, events), Facts::default(), mins(90));
    assert_eq!((outcome.messages_dead, outcome.messages_left), (0, 0));
    let before = when(&outcome, |what| {
        matches!(what, Happening::Invoked { function: "fargate-spot-interruption-handler", messages: 1.. })
    });
    assert!(before.iter().all(|at| !(mins(5)..HOUR).contains(at)));
    assert!(before.iter().any(|at| *at >= HOUR));
}

#[test]
fn invocations_beyond_the_reserved_concurrency_are_throttled_and_come_back_with_the_visibility_timeout() {
    let events = [(0, function(FunctionName::Interruption, FunctionState::Reserved(1))), (10, outage(0))];
    let facts = Facts { batch_size: 1, call_latency: Span::secs(2, 2), ..Facts::default() };
    let outcome = play(spec(1, events), facts, mins(20));
    assert!(!when(&outcome, |what| matches!(what, Happening::Throttled { .. })).is_empty());
    let mut running = 0_i32;
    for entry in &outcome.trace {
        match entry.what {
            Happening::Invoked { function: "fargate-spot-interruption-handler", .. } => running += 1,
            Happening::Finished { function: "fargate-spot-interruption-handler", .. } => running -= 1,
            _ => {}
        }
        assert!(running <= 1);
    }
    assert!(failover(&outcome, 0).is_some_and(|at| at < mins(11)));
}

#[test]
fn a_mapping_starts_with_five_batches_and_scales_by_three_hundred_a_minute_up_to_its_maximum() {
    let mut simulation = Simulation::new(
        spec(3, []),
        Facts { batch_size: 1, lambda_start: Span::secs(20, 20), max_concurrency: 8, ..Facts::default() },
    )
    .expect("the product's patterns are valid");
    simulation.happen(function(FunctionName::Interruption, FunctionState::Detached));
    simulation.advance(mins(5));
    simulation.happen(spot(&[account(0), account(1), account(2)], Capacity::Tasks(0)));
    simulation.advance(mins(5));
    simulation.happen(function(FunctionName::Interruption, FunctionState::Running));
    simulation.advance(mins(2));
    let outcome = simulation.finish();
    let from = mins(10);
    let starts: Vec<Duration> =
        when(&outcome, |what| matches!(what, Happening::Invoked { function: "fargate-spot-interruption-handler", .. }))
            .into_iter()
            .filter(|at| *at >= from)
            .collect();
    assert!(starts.len() > 8, "{starts:?}");
    // Five at once; after them one more each fifth of a second; the ninth waits for one of the first eight to end.
    assert!(starts[4] - starts[0] < Duration::from_secs(1), "{starts:?}");
    for n in 5..8 {
        assert!(starts[n] - starts[4] >= Duration::from_millis(200) * (n as u32 - 4), "{starts:?}");
    }
    assert!(starts[7] - starts[0] < Duration::from_secs(3), "{starts:?}");
    assert!(starts[8] - starts[0] >= Duration::from_secs(20), "{starts:?}");
}

#[test]
fn an_invocation_that_fails_to_start_leaves_its_messages_to_the_visibility_timeout() {
    // Nothing is changed, so no handler puts a message of its own into the queue.
    let events = [
        (5, WorldEvent::Pause { paused: true }),
        (5, function(FunctionName::PlacementFailure, FunctionState::FailsToStart)),
        (10, outage(0)),
        (16, function(FunctionName::PlacementFailure, FunctionState::Running)),
    ];
    let outcome = play(spec(1, events), Facts::default(), mins(30));
    let failed = when(&outcome, |what| matches!(what, Happening::Finished { outcome: "fails to start", .. }));
    assert_eq!(failed.len(), 2, "at once and after the visibility timeout: {failed:?}");
    assert!(failed[1] - failed[0] >= Facts::default().visibility_timeout);
    assert_eq!((outcome.messages_dead, outcome.messages_left), (0, 0));
}

#[test]
fn cold_starts_cost_time_and_nothing_else() {
    let slow = Facts { cold_start_percent: 100, cold_start: Span::secs(5, 5), ..Facts::default() };
    let warm = play(spec(1, [(10, outage(0))]), Facts::default(), mins(20));
    let cold = play(spec(1, [(10, outage(0))]), slow, mins(20));
    let time = |outcome: &Outcome| failover(outcome, 0).expect("a failover");
    assert!(time(&cold) >= time(&warm) + Duration::from_secs(4), "{:?} {:?}", time(&cold), time(&warm));
    assert_eq!(cold.messages_dead, 0);
}

#[test]
fn an_invocation_killed_at_any_moment_is_taken_up_again() {
    let facts =
        Facts { kill_percent: 60, failed_start_percent: 10, kill_after: Span::millis(0, 200), ..Facts::default() };
    let events = || [(10, outage(0)), (50, spot(&[account(0)], Capacity::Unlimited)), (240, WorldEvent::Calm)];
    let mut killed = 0;
    for seed in 0..20 {
        let outcome = play(WorldSpec { seed, ..spec(1, events()) }, facts.clone(), 8 * HOUR);
        killed += when(&outcome, |what| matches!(what, Happening::Finished { outcome: "is killed", .. })).len();
        let service = &outcome.services[0];
        assert_eq!(service.live.items(), service.original.items(), "seed {seed}");
    }
    assert!(killed > 100, "{killed} invocations were killed");
}

#[test]
fn without_a_batch_window_a_lone_message_is_handled_within_a_second() {
    let outcome = play(spec(1, [(10, outage(0))]), Facts::default(), mins(11));
    let arrived = when(&outcome, |what| matches!(what, Happening::Queued { .. }));
    let began = when(&outcome, invoked);
    assert!(began.iter().zip(&arrived).all(|(began, arrived)| *began - *arrived < Duration::from_secs(1)));
}

#[test]
fn faults_of_the_path_that_are_off_leave_the_story_as_it_was() {
    let story = |facts| {
        let outcome = play(spec(2, [(10, outage(0)), (50, spot(&[account(0)], Capacity::Unlimited))]), facts, 3 * HOUR);
        outcome.trace.iter().map(|entry| format!("{entry}\n")).collect::<String>()
    };
    let off = Facts {
        event_retry: Duration::from_secs(7),
        cold_start: Span::secs(1, 9),
        kill_after: Span::secs(2, 3),
        redrive_per_second: 1,
        ..Facts::default()
    };
    assert_eq!(story(off), story(Facts::default()));
}

/// Anything that can happen to the way of an event.
fn breakage(dice: &mut Dice) -> WorldEvent {
    let n = dice.below(2) as usize;
    let queue = BOTH_QUEUES[dice.below(2) as usize];
    match dice.below(5) {
        0 => {
            let ways = [
                Forwarding::Present,
                Forwarding::Missing,
                Forwarding::Denied,
                Forwarding::Unreachable,
                Forwarding::Disabled,
            ];
            forwarding(n, ways[dice.below(5) as usize])
        }
        1 => {
            let policies = [BusPolicy::Accounts(vec![account(n)]), BusPolicy::Organization, BusPolicy::Onboarded];
            WorldEvent::BusPolicy(policies[dice.below(3) as usize].clone())
        }
        2 => {
            let ways = [QueueAccess::Reachable, QueueAccess::Unreachable, QueueAccess::Denied];
            access(queue, ways[dice.below(3) as usize])
        }
        3 => WorldEvent::Redrive { queue },
        _ => {
            let functions = [FunctionName::PlacementFailure, FunctionName::Interruption, FunctionName::Restore];
            let states = [
                FunctionState::Running,
                FunctionState::Reserved(dice.below(3) as u32),
                FunctionState::FailsToStart,
                FunctionState::Detached,
            ];
            function(functions[dice.below(3) as usize], states[dice.below(4) as usize])
        }
    }
}

#[test]
fn whatever_breaks_on_the_way_once_it_is_mended_every_service_is_its_owners_again() {
    let mut failed_over = 0;
    for seed in 0..25 {
        let mut dice = Dice::new(seed, 98);
        let mut events: Vec<(u64, WorldEvent)> = (0..12).map(|_| (1 + dice.below(170), breakage(&mut dice))).collect();
        for n in 0..2 {
            let from = 5 + dice.below(120);
            let loss = [Loss::Interrupt, Loss::Silent][dice.below(2) as usize];
            let capacity = Capacity::Tasks(dice.below(3) as u32);
            events.push((from, WorldEvent::Spot { accounts: vec![account(n)], capacity, loss }));
            events.push((from + 5 + dice.below(60), spot(&[account(n)], Capacity::Unlimited)));
        }
        // All is mended, and then all that was given up comes back.
        events.extend((0..2).map(|n| (190, forwarding(n, Forwarding::Present))));
        events.push((190, WorldEvent::BusPolicy(BusPolicy::Onboarded)));
        events.extend(BOTH_QUEUES.map(|queue| (190, access(queue, QueueAccess::Reachable))));
        let all = [FunctionName::PlacementFailure, FunctionName::Interruption, FunctionName::Restore];
        events.extend(all.map(|name| (190, function(name, FunctionState::Running))));
        events.extend(BOTH_QUEUES.map(|queue| (200 + dice.below(60), WorldEvent::Redrive { queue })));
        let outcome = play(WorldSpec { seed, ..spec(2, events) }, Facts::default(), 16 * HOUR);
        for service in &outcome.services {
            assert_eq!(service.live.items(), service.original.items(), "seed {seed}: {}", service.id);
            assert_eq!(service.running, service.desired, "seed {seed}: {}", service.id);
            failed_over += service.ledger.episodes.len();
        }
        assert_eq!(outcome.messages_left, 0, "seed {seed}");
    }
    assert!(failed_over > 20, "{failed_over} failovers");
}
