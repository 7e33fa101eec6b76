//! Proves whose turn an account is: one handler at a time calls ECS, at its pace; what the others are told is marked and worked off;
//! a handler that dies, loses a reply or has no time left costs a moment.

mod common;
#[path = "common/fake.rs"]
mod fake;

use std::sync::Arc;
use std::time::Duration;

use common::*;
use fake::*;
use handlers::decide::Reason;
use handlers::event::{Event, Signal, Trust};
use handlers::handler::{Message, handle_placement_failures};
use handlers::policy::Policy;
use handlers::reconcile::{ReconcileError, Reconciler, SweepReport};
use handlers::record::{Mark, Phase, Record};
use handlers::service::AccountId;
use handlers::turn::{LOOKS, Pace, Rate, Turn};
use serde_json::{Value, json};

fn account() -> AccountId {
    service().account
}

fn turn_of(owner: &str, until: handlers::timestamp::Timestamp) -> Turn {
    let turn = Turn::new(account(), service().region);
    Turn { version: 1, ..turn.taken(owner, until, &Policy::default()) }
}

/// The account is the turn of another handler for ten seconds more.
fn in_anothers_turn(fake: Fake) -> Fake {
    fake.turns.borrow_mut().insert(account(), turn_of("another", NOW + secs(10)));
    fake
}

fn marked(signal: Signal) -> Record {
    Record { mark: Some(Mark::new(&event(signal, NOW), NOW)), ..watching() }
}

fn on_events(fake: &Fake, events: &[Event]) -> Vec<Result<Reason, ReconcileError>> {
    let policy = Policy::default();
    block_on(Reconciler::new(fake, &policy, ME).on_events(events))
}

// ---- the pace -------------------------------------------------------------------------------------------------------

#[test]
fn a_pace_allows_its_burst_at_once_and_then_one_call_after_each_pause() {
    let rate = Rate { burst: 3, pause: secs(2) };
    let mut pace = Pace::FULL;
    let waits: Vec<Duration> = (0..5).map(|_| pace.take(rate, NOW)).collect();
    assert_eq!(waits, [secs(0), secs(0), secs(0), secs(2), secs(4)]);
    assert_eq!(pace.take(rate, NOW + secs(6)), secs(0), "what was waited for is there");
    assert_eq!(pace.take(rate, NOW + secs(6)), secs(2));
    let rested: Vec<Duration> = (0..4).map(|_| pace.take(rate, NOW + hours(1))).collect();
    assert_eq!(rested, [secs(0), secs(0), secs(0), secs(2)], "a rest gives no more than the burst");
}

#[test]
fn the_pace_of_an_account_goes_on_from_one_turn_to_the_next() {
    let policy = Policy::default();
    let mut turn = turn_of("first", NOW + secs(40));
    for _ in 0..policy.update_burst {
        assert_eq!(turn.updates.take(Rate::updates(&policy), NOW), Duration::ZERO);
    }
    let mut next = turn.given_back().taken("second", NOW + mins(1), &policy);
    assert_eq!(next.updates.take(Rate::updates(&policy), NOW), policy.update_pause);
    assert_eq!(next.looks.take(LOOKS, NOW), Duration::ZERO, "looks have a pace of their own");
}

#[test]
fn after_a_handler_that_died_both_paces_begin_without_a_burst() {
    let policy = Policy::default();
    let died = NOW + secs(40);
    let mut turn = turn_of("dead", died).taken("next", died + secs(40), &policy);
    assert_eq!(turn.updates.take(Rate::updates(&policy), died), Duration::ZERO);
    assert_eq!(turn.updates.take(Rate::updates(&policy), died), policy.update_pause);
    assert_eq!(turn.looks.take(LOOKS, died), Duration::ZERO);
    assert_eq!(turn.looks.take(LOOKS, died), LOOKS.pause);
}

#[test]
fn a_turn_comes_back_from_its_item_as_it_was() {
    let turn = Turn { goes_on_at: Some(NOW), ..turn_of("me", NOW) };
    assert_eq!(Turn::from_item(turn.to_item()), Ok(turn.clone()));
    assert_eq!(turn.to_item()["id"], json!(format!("turn::{}::{}", turn.account, turn.region)));
    assert!(turn.to_item().get("due_shard").is_none(), "a turn is never due");
    let problem = Turn::from_item(serde_json::Map::new()).unwrap_err().to_string();
    assert!(problem.contains("account"), "{problem}");
}

// ---- another's turn -------------------------------------------------------------------------------------------------

#[test]
fn in_anothers_turn_an_event_is_marked_and_nothing_is_looked_at() {
    let services = many("111122223333", "shop", 2);
    let fake = services.iter().fold(Fake::new(), |fake, id| fake.with_service(id.clone(), short_on(original())));
    let fake = in_anothers_turn(fake);
    let told: Vec<Event> = services.iter().map(|id| event_of(id.clone(), Signal::SpotPlacementFailure, NOW)).collect();
    let outcomes = on_events(&fake, &told);
    let until = NOW + secs(10);
    // One message comes back when the turn ends, in case its handler has died.
    assert_eq!(outcomes[0], Err(ReconcileError::Turn { service: services[0].clone(), until }));
    assert_eq!(outcomes[1], Ok(Reason::LeftToTurn));
    assert_eq!((fake.calls_of("describe"), fake.calls_of("update")), (0, 0));
    for id in &services {
        let record = fake.record(id).expect("a record for the mark");
        assert_eq!(record.mark.as_ref().map(|mark| mark.signal), Some(Signal::SpotPlacementFailure));
        assert_eq!((record.phase, record.due_at()), (Phase::Watching, NOW), "due at once");
        assert_eq!(Record::from_item(record.to_item()).as_ref(), Ok(&record));
    }
    // The same again costs no write.
    let writes = fake.calls_of("put");
    on_events(&fake, &told);
    assert_eq!(fake.calls_of("put"), writes);
}

#[test]
fn whoever_has_the_turn_works_the_marks_off() {
    let fake = short();
    let marked = Record { version: 3, ..marked(Signal::SpotPlacementFailure) };
    let fake = fake.with_record(marked);
    let policy = Policy::default();
    block_on(Reconciler::new(&fake, &policy, ME).go_on(&account(), &service().region));
    let record = fake.record(&service()).unwrap();
    assert_eq!((record.phase, record.mark, record.original), (Phase::OnDemand, None, Some(original())));
    assert_eq!(record.event.as_deref(), Some(&event(Signal::SpotPlacementFailure, NOW).value()));
    assert_eq!(fake.turns.borrow()[&account()].owner, None, "it was given back");
}

#[test]
fn the_handler_of_another_event_finds_the_marks_of_its_account() {
    let other = service_named("111122223333", "shop", "other");
    let fake =
        short().with_record(marked(Signal::SpotPlacementFailure)).with_service(other.clone(), short_on(original()));
    let told = event_of(other.clone(), Signal::SpotPlacementFailure, NOW);
    assert_eq!(on_events(&fake, &[told]), [Ok(Reason::FallbackLive)]);
    assert_eq!((fake.live(&other), fake.live(&service())), (Some(fallback()), Some(fallback())));
}

#[test]
fn a_mark_that_says_nothing_new_by_now_is_taken_off_without_a_look() {
    let old = Mark::new(&event(Signal::SpotPlacementFailure, NOW - hours(1)), NOW);
    let fake = Fake::new().with_service(service(), full_on(fallback()));
    let fake = fake.with_record(Record { mark: Some(old), next_check_at: NOW + mins(9), ..on_demand(NOW + hours(1)) });
    assert_eq!(sweep(&fake, ME), SweepReport { looked_at: 1, failed: 0 });
    let record = fake.record(&service()).unwrap();
    assert_eq!((record.mark, record.next_check_at, fake.calls_of("describe")), (None, NOW + mins(9), 0));
}

#[test]
fn a_mark_waits_where_no_look_is_possible() {
    let fake = short().with_record(marked(Signal::SpotPlacementFailure)).with_faults("describe", [Fault::Throttled]);
    assert_eq!(sweep(&fake, ME).failed, 1);
    let record = fake.record(&service()).unwrap();
    let mark = record.mark.clone().expect("it is not lost");
    assert_eq!((mark.signal, record.due_at()), (Signal::SpotPlacementFailure, NOW + Policy::default().retry_delay));
    fake.now.set(record.due_at());
    sweep(&fake, "the next");
    assert_eq!(fake.live(&service()), Some(fallback()));
}

#[test]
fn a_mark_that_cannot_be_read_is_none_and_one_of_a_large_event_does_without_it() {
    let mut item = marked(Signal::SpotPlacementFailure).to_item();
    item["mark"]["signal"] = json!("SolarFlare");
    assert_eq!(Record::from_item(item).unwrap().mark, None);
    let large =
        Event { text: format!("{{\"a\":\"{}\"}}", "x".repeat(70_000)).into(), ..event(Signal::Interruption, NOW) };
    let mark = Mark::new(&large, NOW);
    assert_eq!((mark.signal, &mark.event), (Signal::Interruption, &Arc::new(Value::Null)));
}

#[test]
fn a_sweep_leaves_an_account_in_anothers_turn_alone_unless_all_is_well_there() {
    let record = Record { short_since: Some(NOW - mins(5)), ..watching() };
    let fake = in_anothers_turn(Fake::new().with_service(service(), short_on(original())).with_record(record));
    assert_eq!(sweep(&fake, ME), SweepReport::default());
    assert_eq!((fake.calls_of("describe"), fake.calls_of("put")), (0, 0));
    let fake = in_anothers_turn(Fake::new().with_service(service(), full_on(original())).with_record(watching()));
    assert_eq!(sweep(&fake, ME), SweepReport { looked_at: 1, failed: 0 });
}

// ---- of several events ----------------------------------------------------------------------------------------------

#[test]
fn of_several_events_about_a_service_the_one_that_says_most_is_acted_on() {
    let told = [
        event(Signal::SpotTask, NOW),
        event(Signal::SpotPlacementFailure, NOW),
        event(Signal::SpotTaskStopped, NOW),
        // Too old to say anything.
        event(Signal::SyntheticPlacementFailure, NOW - hours(1)),
    ];
    let fake = short();
    assert_eq!(on_events(&fake, &told), vec![Ok(Reason::FallbackLive); 4]);
    assert_eq!(fake.calls_of("describe"), 1);
    let record = fake.record(&service()).unwrap();
    assert_eq!(record.event.as_deref(), Some(&told[1].value()));
}

#[test]
fn that_a_service_exists_need_not_be_looked_at_twice() {
    let fake = Fake::new().with_service(service(), full_on(original())).with_record(watching());
    assert_eq!(on_events(&fake, &[event(Signal::SpotTask, NOW)]), [Ok(Reason::NothingNew)]);
    assert_eq!(*fake.calls.borrow(), ["get"]);
    assert!(fake.turn_calls.borrow().is_empty());
}

// ---- what goes wrong ------------------------------------------------------------------------------------------------

#[test]
fn the_lost_reply_of_one_who_takes_a_turn_is_recognised() {
    let fake = short().with_faults("take", [Fault::UnclearButDone]);
    assert_eq!(on_failure(&fake, ME), Ok(Reason::FallbackLive));
    assert_eq!(*fake.turn_calls.borrow(), ["turn", "take", "turn", "hand_on", "take", "give back"]);
}

#[test]
fn the_lost_reply_of_one_who_writes_a_turn_again_does_not_keep_it() {
    let fake = short().with_faults("take", [Fault::None, Fault::UnclearButDone]);
    assert_eq!(on_failure(&fake, ME), Ok(Reason::FallbackLive));
    assert_eq!(fake.turn_calls.borrow()[4..], ["give back", "turn", "give back"]);
    assert_eq!(fake.turns.borrow()[&account()].owner, None);
}

#[test]
fn a_turn_that_cannot_be_written_again_sends_no_second_message() {
    let services = many("111122223333", "shop", 3);
    let fake = services.iter().fold(Fake::new(), |fake, id| fake.with_service(id.clone(), short_on(original())));
    let fake = fake.with_faults("take", [Fault::None, Fault::Unclear, Fault::Unclear, Fault::Unclear]);
    let told: Vec<Event> = services.iter().map(|id| event_of(id.clone(), Signal::SpotPlacementFailure, NOW)).collect();
    assert!(on_events(&fake, &told).iter().all(|outcome| *outcome == Ok(Reason::FallbackLive)));
    assert_eq!(fake.handed_on.borrow().len(), 1);
}

#[test]
fn a_turn_that_cannot_be_read_lets_the_message_come_back() {
    let fake = short().with_faults("turn", [Fault::Unclear]);
    assert!(matches!(on_failure(&fake, ME), Err(ReconcileError::Store { .. })));
    assert_eq!(fake.calls_of("describe"), 0);
}

#[test]
fn the_turn_of_a_handler_that_died_is_over_at_its_end() {
    let fake = in_anothers_turn(short());
    assert!(matches!(on_failure(&fake, ME), Err(ReconcileError::Turn { .. })));
    fake.now.set(NOW + secs(10));
    assert_eq!(on_failure(&fake, ME), Ok(Reason::FallbackLive));
}

#[test]
fn a_handler_that_acts_has_sent_a_message_to_the_one_that_goes_on() {
    let (policy, ends_at) = (Policy::default(), NOW + secs(30));
    // Whether it dies after its claim or the reply to its change is lost, the claim is left.
    let fake = short().with_faults("update", [Fault::Unclear]);
    let handler = Reconciler::new(&fake, &policy, "dead").ending(ends_at);
    let outcome = block_on(handler.on_event(&event(Signal::SpotPlacementFailure, NOW)));
    assert!(matches!(outcome, Err(ReconcileError::Update { .. })));
    assert_eq!(*fake.handed_on.borrow(), [(account(), secs(45))]);
    // No claim outlives it for long, and that message comes after it.
    let claimed = fake.record(&service()).expect("it was claimed");
    assert_eq!(claimed.lease.as_ref().map(|lease| lease.until), Some(ends_at + secs(5)));
    assert_eq!(claimed.due_at(), ends_at + secs(5));
    // So nobody else need come back for what is told meanwhile.
    let other = service_named("111122223333", "shop", "other");
    let fake = fake.with_service(other.clone(), short_on(original()));
    let died = Turn { goes_on_at: Some(NOW + secs(45)), ..turn_of("dead", ends_at) };
    fake.turns.borrow_mut().insert(account(), died.clone());
    let told = event_of(other.clone(), Signal::SpotPlacementFailure, NOW);
    assert_eq!(on_events(&fake, std::slice::from_ref(&told)), [Ok(Reason::LeftToTurn)]);
    // One that finds the account in another's turn comes once more.
    let goes_on = |now| {
        fake.now.set(now);
        block_on(Reconciler::new(&fake, &policy, "next").ending(now + secs(40)).go_on(&account(), &service().region));
    };
    fake.turns.borrow_mut().insert(account(), turn_of("another", NOW + secs(60)));
    goes_on(NOW + secs(45));
    assert_eq!(fake.handed_on.borrow()[1..], [(account(), secs(20))]);
    fake.turns.borrow_mut().insert(account(), died);
    goes_on(NOW + secs(45));
    assert_eq!((fake.live(&service()), fake.live(&other)), (Some(fallback()), Some(fallback())));
}

#[test]
fn a_message_that_cannot_be_sent_lets_that_of_an_event_come_back() {
    let fake = short().with_faults("hand_on", [Fault::Unclear]);
    assert_eq!(on_failure(&fake, ME), Ok(Reason::FallbackLive));
    let fake = in_anothers_turn(short());
    assert!(matches!(on_failure(&fake, ME), Err(ReconcileError::Turn { .. })), "its holder has sent none");
}

#[test]
fn what_there_is_no_time_for_is_handed_on() {
    let services = many("111122223333", "shop", 25);
    let fake = services.iter().fold(Fake::new(), |fake, id| {
        let mark = Some(Mark::new(&event(Signal::SpotPlacementFailure, NOW), NOW));
        let record = Record { service: id.clone(), mark, ..watching() };
        fake.with_service(id.clone(), short_on(original())).with_record(record)
    });
    // That somebody goes on later, with what failed, does not keep this from being handed on at once.
    let later = Turn { goes_on_at: Some(NOW + hours(1)), ..turn_of("before", NOW).given_back() };
    fake.turns.borrow_mut().insert(account(), later);
    // Each call takes half a second: there is time for some tens of them.
    fake.takes.set(Duration::from_millis(500));
    let policy = Policy::default();
    let mut rounds = 0;
    while services.iter().any(|id| fake.live(id) != Some(fallback())) {
        rounds += 1;
        assert!(rounds < 9, "the work does not end");
        let at_once = || fake.handed_on.borrow().iter().filter(|(_, after)| after.is_zero()).count();
        let handed_on = at_once();
        let reconciler = Reconciler::new(&fake, &policy, format!("round {rounds}"));
        let reconciler = reconciler.ending(fake.now.get() + secs(20));
        block_on(reconciler.go_on(&account(), &service().region));
        let done = services.iter().all(|id| fake.live(id) == Some(fallback()));
        // What is only to be announced may be left as well.
        let handed_on = at_once() - handed_on;
        assert!(handed_on == 1 || done && handed_on == 0, "round {rounds}");
    }
    assert!(rounds > 1, "one was enough");
    assert!(fake.handed_on.borrow().iter().all(|(to, _)| *to == account()));
    assert_eq!(fake.updates.borrow().len(), 25);
}

#[test]
fn what_failed_in_a_turn_is_gone_on_with_when_its_claim_has_ended() {
    let fake = short().with_record(marked(Signal::SpotPlacementFailure)).with_faults("update", [Fault::Unclear]);
    let policy = Policy::default();
    block_on(Reconciler::new(&fake, &policy, ME).go_on(&account(), &service().region));
    assert_eq!(*fake.handed_on.borrow(), [(account(), policy.lease + secs(15))]);
    // Others that fail meanwhile send no further message.
    let again = Record { version: 9, ..marked(Signal::SpotPlacementFailure) };
    let other = service_named("111122223333", "shop", "other");
    let fake = fake.with_record(Record { service: other.clone(), ..again }).with_service(other, short_on(original()));
    let fake = fake.with_faults("update", [Fault::Unclear]);
    block_on(Reconciler::new(&fake, &policy, "next").go_on(&account(), &service().region));
    assert_eq!(fake.handed_on.borrow().len(), 1);
    fake.now.set(NOW + policy.lease + secs(15));
    block_on(Reconciler::new(&fake, &policy, "handed on").go_on(&account(), &service().region));
    assert_eq!(fake.live(&service()), Some(fallback()));
}

#[test]
fn an_event_that_fails_at_its_fourth_receive_is_left_as_a_mark() {
    let message = |receive_count| Message { receive_count, ..message("m", &service()) };
    let trust = Trust { region: service().region, synthetic_from: vec![] };
    for (receives, comes_back) in [(1, true), (3, true), (4, false), (9, false)] {
        let fake = short().with_faults("describe", [Fault::Throttled]);
        let policy = Policy::default();
        let handler = Reconciler::new(&fake, &policy, ME);
        let failures = block_on(handle_placement_failures(&handler, &trust, &[message(receives)]));
        assert_eq!(failures.len(), usize::from(comes_back), "after {receives} receives");
        assert_eq!(fake.record(&service()).unwrap().mark.is_some(), !comes_back);
    }
    // If the table does not take the mark, the message is all that is left of the event.
    let fake = short().with_faults("describe", [Fault::Throttled]).with_faults("put", vec![Fault::Unclear; 9]);
    let policy = Policy::default();
    let handler = Reconciler::new(&fake, &policy, ME);
    assert_eq!(block_on(handle_placement_failures(&handler, &trust, &[message(9)])).len(), 1);
}
