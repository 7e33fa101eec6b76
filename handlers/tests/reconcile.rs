//! Proves in which order things are read, claimed and done, what a call that goes wrong leads to, and that two handlers at
//! once, or one killed at any call, never change a service twice for one outage.

mod common;
#[path = "common/fake.rs"]
mod fake;

use common::*;
use fake::*;
use handlers::decide::Reason;
use handlers::event::{Signal, Trust};
use handlers::handler::{Message, MessageError, handle_interruptions, handle_placement_failures};
use handlers::held::HeldReason;
use handlers::policy::Policy;
use handlers::reconcile::{Outcome, ReconcileError, Reconciler, SweepReport};
use handlers::record::{Phase, Record};

// ---- the order of things --------------------------------------------------------------------------------------------

#[test]
fn a_failover_is_five_calls() {
    let fake = short();
    assert_eq!(on_failure(&fake, ME), Ok(Reason::FallbackLive));
    assert_eq!(
        fake.calls_but_due(),
        [
            "get",
            "describe shop×1",
            "put FailingOver",
            "update FARGATE_SPOT weight 0, FARGATE base 1 weight 10",
            "put OnDemand",
        ]
    );
    assert_eq!(*fake.turn_calls.borrow(), ["turn", "take", "hand_on", "take", "give back"]);
    let record = fake.record(&service()).unwrap();
    assert_eq!((record.version, record.phase, record.original), (5, Phase::OnDemand, Some(original())));
    assert_eq!(fake.live(&service()), Some(fallback()));
}

#[test]
fn a_handler_that_was_held_up_looks_again_before_it_acts() {
    let fake = short().slow();
    assert_eq!(on_failure(&fake, ME), Ok(Reason::FallbackLive));
    let calls: Vec<String> = fake.calls.borrow().iter().take(5).cloned().collect();
    assert_eq!(calls[..4], ["get", "describe shop×1", "put FailingOver", "describe shop×1"]);
    assert!(calls[4].starts_with("update"), "{calls:?}");
}

#[test]
fn a_restore_reads_claims_acts_once_and_confirms() {
    let fake = restore_due();
    assert_eq!(sweep(&fake, ME), SweepReport { looked_at: 1, failed: 0 });
    assert_eq!(
        fake.calls_but_due(),
        [
            "describe shop×1",
            "market",
            "put Restoring",
            "update FARGATE base 1 weight 1, FARGATE_SPOT weight 3",
            "put Restoring",
            // The market is told last: the restore has begun, and here it runs in full at once.
            "market",
            "put_market",
            "market",
            "put_market",
        ]
    );
    assert_eq!(fake.updates.borrow()[0].1.items(), original().items());
}

#[test]
fn a_duplicate_event_costs_one_read() {
    let fake = short();
    on_failure(&fake, ME).unwrap();
    fake.calls.borrow_mut().clear();
    for owner in ["second", "third"] {
        assert_eq!(on_failure(&fake, owner), Ok(Reason::NothingNew));
        assert_eq!(*fake.calls.borrow(), ["get"]);
        fake.calls.borrow_mut().clear();
    }
}

#[test]
fn a_service_not_seen_before_is_failed_over_by_its_first_event() {
    let fake = Fake::new().with_service(service(), short_on(original()));
    assert_eq!(on_failure(&fake, ME), Ok(Reason::FallbackLive));
    let record = fake.record(&service()).unwrap();
    assert_eq!((record.original, record.unannounced[0].from), (Some(original()), None));
}

#[test]
fn an_event_about_a_service_that_does_not_exist_writes_nothing() {
    let fake = Fake::new();
    assert_eq!(on_failure(&fake, ME), Ok(Reason::Gone));
    assert_eq!(fake.calls_but_due(), ["get", "describe shop×1"]);
}

#[test]
fn the_record_of_a_service_that_is_gone_is_deleted_and_that_is_said() {
    let fake = Fake::new().with_record(Record { missing_since: Some(NOW - mins(1)), ..on_demand(NOW) });
    assert_eq!(sweep(&fake, ME), SweepReport { looked_at: 1, failed: 0 });
    assert_eq!(fake.record(&service()), None);
    let announced = fake.announced.borrow();
    assert_eq!((announced.len(), announced[0].from, announced[0].to), (1, Some(Phase::OnDemand), None));
    assert_eq!(announced[0].reason, Reason::Gone.text());
    assert_eq!(fake.measured.borrow().len(), 1);
}

#[test]
fn a_service_that_goes_away_under_the_update_is_forgotten() {
    let fake = short().with_faults("update", [Fault::Gone]);
    assert_eq!(on_failure(&fake, ME), Ok(Reason::NotFound));
    assert_eq!(fake.record(&service()).unwrap().original, Some(original()));
    fake.now.set(NOW + mins(1));
    sweep(&fake, ME);
    assert_eq!(fake.record(&service()), None);
}

// ---- calls that go wrong --------------------------------------------------------------------------------------------

#[test]
fn the_lost_reply_of_an_own_write_is_recognised() {
    for lost in [vec![Fault::LostReply], vec![Fault::None, Fault::LostReply], vec![Fault::LostReply, Fault::LostReply]]
    {
        let fake = short().with_faults("put", lost);
        assert_eq!(on_failure(&fake, ME), Ok(Reason::FallbackLive));
        assert_eq!((fake.calls_of("put"), fake.calls_of("update")), (2, 1));
        let record = fake.record(&service()).unwrap();
        assert_eq!((record.phase, record.unannounced.len()), (Phase::OnDemand, 2));
    }
}

#[test]
fn a_claim_that_differs_from_our_own_only_in_its_lease_is_not_our_own() {
    let fake = short().with_faults("put", [Fault::Outclaimed]);
    assert_eq!(on_failure(&fake, ME), Ok(Reason::Leased));
    assert_eq!(
        (fake.record(&service()).unwrap().lease.unwrap().owner.as_str(), fake.calls_of("update")),
        ("another", 0)
    );
}

#[test]
fn each_change_after_the_burst_of_its_account_waits_for_the_pause() {
    let policy = Policy { update_burst: 2, ..Policy::default() };
    let lost = ["111122223333", "444455556666"].map(|account| many(account, "shop", 5)).concat();
    let fake = lost.into_iter().fold(Fake::new(), |fake, id| {
        let record = Record { service: id.clone(), short_since: Some(NOW - mins(5)), ..watching() };
        fake.with_service(id, short_on(original())).with_record(record)
    });
    sweep_with(&fake, &policy, ME);
    assert_eq!((fake.updates.borrow().len(), fake.slept.get()), (10, policy.update_pause * 6));
}

#[test]
fn an_unclear_update_that_happened_is_confirmed_by_reading_back() {
    let fake = short().with_faults("update", [Fault::UnclearButDone]);
    assert_eq!(on_failure(&fake, ME), Ok(Reason::FallbackLive));
    assert_eq!((fake.calls_of("update"), fake.calls_of("describe")), (1, 2));
    assert_eq!(phase(&fake), Phase::OnDemand);
}

#[test]
fn an_unclear_update_that_does_not_show_keeps_its_lease_and_is_not_sent_again_within_it() {
    let fake = short().with_faults("update", [Fault::Unclear]);
    assert!(matches!(on_failure(&fake, ME), Err(ReconcileError::Update { .. })));
    let record = fake.record(&service()).unwrap();
    assert_eq!((record.phase, record.lease.unwrap().owner), (Phase::FailingOver, format!("{ME}/1")));
    let until = NOW + Policy::default().lease;
    for second in [1, 20, 39] {
        fake.now.set(NOW + secs(second));
        assert_eq!(on_failure(&fake, "another"), Err(ReconcileError::Leased { service: service(), until }));
        assert_eq!(sweep(&fake, "sweep").failed, 0);
    }
    assert_eq!(fake.calls_of("update"), 1);
    fake.now.set(until);
    assert_eq!(sweep(&fake, "sweep"), SweepReport { looked_at: 1, failed: 0 });
    assert_eq!((fake.calls_of("update"), phase(&fake)), (2, Phase::OnDemand));
}

#[test]
fn a_look_from_the_outage_before_does_not_confirm_an_unclear_update() {
    let fake = short().with_faults("update", [Fault::Unclear]);
    let failure = event(Signal::SpotPlacementFailure, NOW);
    let policy = Policy::default();
    fake.stops.set((true, false));
    // Until the update is sent, ECS shows the service as it is; after it, as it was during the outage before.
    let stale = async { fake.services.borrow_mut().insert(service(), full_on(fallback())) };
    let handler = Reconciler::new(&fake, &policy, ME);
    let (answer, _) = interleave(handler.on_event(&failure), stale, || fake.calls_of("update") == 1);
    assert!(matches!(answer, Err(ReconcileError::Update { .. })), "{answer:?}");
    let record = fake.record(&service()).unwrap();
    assert_eq!(record.phase, Phase::FailingOver);
    assert!(record.lease.is_some(), "the request may still be under way");
}

#[test]
fn an_unclear_update_that_shows_late_is_confirmed_and_not_sent_again() {
    let fake = short().with_faults("update", [Fault::Unclear]);
    on_failure(&fake, ME).unwrap_err();
    fake.services.borrow_mut().insert(service(), deploying_short(fallback(), NOW));
    fake.now.set(NOW + mins(2));
    sweep(&fake, "sweep");
    assert_eq!((fake.calls_of("update"), phase(&fake)), (1, Phase::OnDemand));
}

#[test]
fn a_throttled_update_gives_its_lease_back_and_the_returning_message_acts() {
    let fake = short().with_faults("update", [Fault::Throttled]);
    assert!(matches!(on_failure(&fake, ME), Err(ReconcileError::Update { .. })));
    let record = fake.record(&service()).unwrap();
    assert_eq!((record.phase, record.lease, record.original), (Phase::FailingOver, None, Some(original())));
    assert_eq!(fake.live(&service()), Some(original()));
    assert_eq!(on_failure(&fake, "the retry"), Ok(Reason::FallbackLive));
    assert_eq!((fake.calls_of("update"), fake.updates.borrow().len()), (2, 1));
}

#[test]
fn a_refused_update_is_held_with_the_reason_and_changes_nothing() {
    let fake = short().with_faults("update", [Fault::Refused(HeldReason::FargateNotAssociated)]);
    assert_eq!(on_failure(&fake, ME), Ok(Reason::Held(HeldReason::FargateNotAssociated)));
    let record = fake.record(&service()).unwrap();
    assert_eq!((record.phase, record.lease.clone(), record.scheduled()), (Phase::Held, None, true));
    assert_eq!(record.held.as_ref().unwrap().reason, HeldReason::FargateNotAssociated);
    assert_eq!(fake.live(&service()), Some(original()));
    assert_eq!(record.unannounced.last().unwrap().to, Some(Phase::Held));
    assert_eq!(on_failure(&fake, "again"), Ok(Reason::Held(HeldReason::FargateNotAssociated)));
    assert_eq!(fake.calls_of("update"), 1);
}

#[test]
fn without_a_record_or_a_look_nothing_is_done_and_the_message_comes_back() {
    let fake = short().with_faults("get", [Fault::Unclear]);
    assert!(matches!(on_failure(&fake, ME), Err(ReconcileError::Store { .. })));
    for fault in [Fault::Throttled, Fault::Unclear, Fault::Incomplete] {
        let fake = short().with_faults("describe", [fault.clone()]);
        assert!(matches!(on_failure(&fake, ME), Err(ReconcileError::Ecs { .. })), "{fault:?}");
        assert_eq!(fake.record(&service()), Some(watching()));
        // The look after the claim: nothing was changed, and nobody has to wait for the lease of a claim that did nothing.
        let fake = short().slow().with_faults("describe", [Fault::None, fault.clone()]);
        assert!(matches!(on_failure(&fake, ME), Err(ReconcileError::Ecs { .. })), "{fault:?}");
        assert_eq!((phase(&fake), fake.calls_of("update")), (Phase::FailingOver, 0));
        assert_eq!(on_failure(&fake, "the retry"), Ok(Reason::FallbackLive), "{fault:?}");
        assert_eq!(fake.updates.borrow().len(), 1);
    }
}

#[test]
fn an_event_about_a_claimed_service_costs_one_read_of_the_table() {
    let fake = short().with_faults("update", [Fault::Unclear]);
    on_failure(&fake, ME).unwrap_err();
    let before = (fake.calls_of("get"), fake.calls_of("describe"));
    assert!(matches!(on_failure(&fake, "a duplicate"), Err(ReconcileError::Leased { .. })));
    assert_eq!((fake.calls_of("get"), fake.calls_of("describe")), (before.0 + 1, before.1));
}

#[test]
fn a_claim_whose_write_is_unclear_changes_nothing_and_is_taken_over_when_it_was_written() {
    for (fault, written) in [(Fault::Unclear, false), (Fault::UnclearButDone, true)] {
        let fake = short().with_faults("put", [fault]);
        assert!(matches!(on_failure(&fake, ME), Err(ReconcileError::Store { .. })));
        assert_eq!(fake.calls_of("update"), 0);
        assert_eq!(phase(&fake) == Phase::FailingOver, written);
        fake.now.set(NOW + mins(2));
        on_failure(&fake, "another").unwrap();
        assert_eq!((phase(&fake), fake.updates.borrow().len()), (Phase::OnDemand, 1));
    }
}

#[test]
fn a_handler_outrun_each_time_gives_up_after_a_bounded_number_of_calls() {
    let fake = short().with_faults("put", vec![Fault::Outrun; 100]);
    assert_eq!(on_failure(&fake, ME), Err(ReconcileError::Unsettled(service())));
    assert_eq!(fake.calls_of("update"), 0);
    assert!(fake.calls_but_due().len() <= 18, "{:?}", fake.calls_but_due());
}

#[test]
fn a_handler_outrun_once_decides_again_on_what_is_stored_now() {
    let fake = short().with_faults("put", [Fault::Outrun]);
    assert_eq!(on_failure(&fake, ME), Ok(Reason::FallbackLive));
    assert_eq!((fake.calls_of("put"), fake.calls_of("update")), (3, 1));
}

#[test]
fn an_owner_who_changes_the_strategy_between_a_look_that_took_its_time_and_the_update_keeps_it() {
    let fake = short().slow();
    fake.stops.set((true, false));
    let policy = Policy::default();
    let failure = event(Signal::SpotPlacementFailure, NOW);
    let handler = Reconciler::new(&fake, &policy, ME);
    let owner = async { fake.services.borrow_mut().insert(service(), full_on(somebody_elses())) };
    // Four polls bring the handler past its claim, up to its second look.
    let mut polls = 0;
    let (reason, _) = interleave(handler.on_event(&failure), owner, || {
        polls += 1;
        polls > 4
    });
    assert_eq!(reason, Ok(Reason::OwnerChanged));
    assert_eq!((fake.calls_of("update"), fake.live(&service())), (0, Some(somebody_elses())));
}

#[test]
fn a_handler_that_holds_a_deleted_record_does_not_touch_the_one_that_came_after_it() {
    let fake = Fake::new().with_service(service(), short_on(original()));
    let owner_sets = |seen| fake.services.borrow_mut().insert(service(), seen);
    on_failure(&fake, "first outage").unwrap();
    let first = fake.record(&service()).unwrap();
    fake.now.set(NOW + hours(1));
    owner_sets(full_on(spread(&[("FARGATE", 0, 1)])));
    // Four polls bring the first sweep past what it announces, its look and its market to where it has decided to forget the service.
    // There it stalls. Meanwhile another one forgets it, the owner comes back to Spot, and Spot fails again.
    fake.stops.set((true, false));
    let (policy, mut polls) = (Policy::default(), 0);
    let others = async {
        fake.stops.set((false, false));
        assert_eq!(fake.calls.borrow().last().map(String::as_str), Some("market"));
        sweep(&fake, "second sweep");
        assert_eq!(fake.record(&service()), None);
        fake.now.set(NOW + hours(1) + mins(1));
        owner_sets(short_on(original()));
        on_failure(&fake, "second outage").unwrap();
    };
    let stalled = Reconciler::new(&fake, &policy, "first sweep");
    let (report, ()) = interleave(stalled.sweep(), others, || {
        polls += 1;
        polls > 4
    });
    let second = fake.record(&service()).expect("the record of the second outage");
    assert_eq!((report.unwrap().failed, second.phase, second.original), (0, Phase::OnDemand, Some(original())));
    assert!(first.version < second.version);
    assert_eq!(fake.calls_of("delete"), 2);
}

// ---- two at once, and one killed ------------------------------------------------------------------------------------

/// Runs `world` under every order in which two handlers can take turns at port calls; returns how many there are.
fn in_every_order(mut world: impl FnMut(&mut dyn FnMut() -> bool)) -> usize {
    let mut plan: Vec<bool> = Vec::new();
    for orders in 1..1_000_000 {
        let mut asked = 0;
        world(&mut || {
            if asked == plan.len() {
                plan.push(false);
            }
            asked += 1;
            plan[asked - 1]
        });
        // The next order: the last turn of the first handler becomes the second's.
        plan.truncate(asked);
        while plan.last() == Some(&true) {
            plan.pop();
        }
        match plan.last_mut() {
            Some(last) => *last = true,
            None => return orders,
        }
    }
    panic!("too many orders to try");
}

#[test]
fn two_handlers_of_one_failure_never_update_twice_whatever_their_order() {
    let policy = Policy::default();
    let failure = event(Signal::SpotPlacementFailure, NOW);
    for known in [true, false] {
        let orders = in_every_order(|order| {
            let fake = if known { short() } else { Fake::new().with_service(service(), short_on(original())) };
            fake.stops.set((true, false));
            let (a, b) = (Reconciler::new(&fake, &policy, "a"), Reconciler::new(&fake, &policy, "b"));
            let (a, b) = interleave(a.on_event(&failure), b.on_event(&failure), order);
            let met = |outcome: &Outcome| matches!(outcome, Ok(_) | Err(ReconcileError::Leased { .. }));
            assert!(met(&a) && met(&b) && (a.is_ok() || b.is_ok()), "{a:?} {b:?}");
            assert_eq!(fake.calls_of("update"), 1, "{:?}", fake.calls.borrow());
            assert_eq!((phase(&fake), fake.live(&service())), (Phase::OnDemand, Some(fallback())));
            assert_eq!(fake.record(&service()).unwrap().original, Some(original()));
            assert_eq!(fake.record(&service()).unwrap().unannounced.len(), 2);
        });
        assert!(orders > 50, "only {orders} orders");
    }
}

#[test]
fn two_sweeps_of_one_due_restore_never_update_twice_whatever_their_order() {
    let policy = Policy::default();
    let orders = in_every_order(|order| {
        let fake = restore_due();
        let (a, b) = (Reconciler::new(&fake, &policy, "a"), Reconciler::new(&fake, &policy, "b"));
        fake.stops.set((true, false));
        let (a, b) = interleave(a.sweep(), b.sweep(), order);
        let (a, b) = (a.unwrap(), b.unwrap());
        assert!(a.failed == 0 && b.failed == 0);
        assert_eq!(fake.calls_of("update"), 1, "{:?}", fake.calls.borrow());
        assert_eq!((phase(&fake), fake.live(&service())), (Phase::Restoring, Some(original())));
    });
    assert!(orders > 50, "only {orders} orders");
}

#[test]
fn an_event_and_a_sweep_of_a_silent_loss_never_update_twice_whatever_their_order() {
    let policy = Policy::default();
    let failure = event(Signal::SpotPlacementFailure, NOW);
    in_every_order(|order| {
        let record = Record { short_since: Some(NOW - mins(5)), ..watching() };
        let fake = Fake::new().with_service(service(), short_on(original())).with_record(record);
        fake.stops.set((true, false));
        let (a, b) = (Reconciler::new(&fake, &policy, "a"), Reconciler::new(&fake, &policy, "b"));
        let (a, b) = interleave(a.on_event(&failure), b.sweep(), order);
        assert!(matches!(a, Ok(_) | Err(ReconcileError::Leased { .. })) && b.unwrap().failed == 0, "{a:?}");
        assert_eq!((fake.calls_of("update"), phase(&fake)), (1, Phase::OnDemand), "{:?}", fake.calls.borrow());
        assert_eq!(fake.record(&service()).unwrap().episode, 1);
    });
}

#[test]
fn a_handler_killed_before_or_after_any_call_of_a_failover_costs_time_and_nothing_else() {
    let policy = Policy::default();
    let failure = event(Signal::SpotPlacementFailure, NOW);
    for polls in 1..100 {
        let fake = short();
        fake.stops.set((true, true));
        let ended = kill_after(polls, Reconciler::new(&fake, &policy, "killed").on_event(&failure)).is_some();
        fake.stops.set((false, false));
        // The message comes back once it is visible again.
        fake.now.set(NOW + mins(3));
        block_on(Reconciler::new(&fake, &policy, "retry").on_event(&failure)).unwrap();
        assert_eq!((phase(&fake), fake.live(&service())), (Phase::OnDemand, Some(fallback())), "after {polls} polls");
        assert_eq!(fake.updates.borrow().len(), 1, "after {polls} polls");
        sweep_until_watching(&fake, NOW + hours(2));
        assert_eq!(fake.live(&service()).unwrap().items(), original().items());
        assert_eq!(fake.updates.borrow().len(), 2, "after {polls} polls");
        sweep(&fake, "the last");
        for phase in [Phase::FailingOver, Phase::OnDemand, Phase::Restoring, Phase::Watching] {
            let told = fake.announced.borrow().iter().any(|transition| transition.to == Some(phase));
            assert!(told, "{phase} was not announced after {polls} polls");
        }
        if ended {
            assert!(polls > 9, "only {polls} polls");
            return;
        }
    }
    panic!("the failover does not end");
}

#[test]
fn a_sweep_killed_before_or_after_any_call_of_a_restore_costs_time_and_nothing_else() {
    let policy = Policy::default();
    for polls in 1..100 {
        let fake = restore_due();
        fake.stops.set((true, true));
        let ended = kill_after(polls, Reconciler::new(&fake, &policy, "killed").sweep()).is_some();
        fake.stops.set((false, false));
        sweep_until_watching(&fake, NOW + hours(1));
        assert_eq!(fake.live(&service()).unwrap().items(), original().items(), "after {polls} polls");
        assert_eq!(fake.updates.borrow().len(), 1, "after {polls} polls");
        if ended {
            return;
        }
    }
    panic!("the restore does not end");
}

// ---- messages -------------------------------------------------------------------------------------------------------

fn trust() -> Trust {
    Trust { region: region("ap-south-1"), synthetic_from: vec![] }
}

#[test]
fn a_poison_message_fails_alone_and_under_its_own_id() {
    let services = many("111122223333", "shop", 3);
    let fake = services.iter().fold(Fake::new(), |fake, id| fake.with_service(id.clone(), short_on(original())));
    let policy = Policy::default();
    let forged = message("forged", &services[0]).body.replace("\"aws.ecs\"", "\"test.aws.ecs\"");
    let batch = [
        Message { id: "poison".into(), body: "{".repeat(100_000), receive_count: 1 },
        message("first", &services[0]),
        Message { id: "forged".into(), body: forged, receive_count: 1 },
        message("second", &services[1]),
        Message { id: "empty".into(), body: String::new(), receive_count: 1 },
        message("third", &services[2]),
    ];
    let failures = block_on(handle_placement_failures(&Reconciler::new(&fake, &policy, ME), &trust(), &batch));
    let ids: Vec<&str> = failures.iter().map(|f| f.id.as_str()).collect();
    assert_eq!(ids, ["poison", "forged", "empty"]);
    assert!(failures.iter().all(|f| matches!(f.error, MessageError::Refused(_))));
    assert!(services.iter().all(|id| fake.live(id) == Some(original().fallback())));
}

#[test]
fn a_message_whose_service_cannot_be_handled_now_comes_back_and_the_others_do_not() {
    let services = many("111122223333", "shop", 3);
    let fake = services.iter().fold(Fake::new(), |fake, id| fake.with_service(id.clone(), short_on(original())));
    let fake = fake.with_faults("update", [Fault::None, Fault::Throttled]);
    let policy = Policy { retry_delay: secs(7), ..Policy::default() };
    let batch = [message("first", &services[0]), message("second", &services[1]), message("third", &services[2])];
    let failures = block_on(handle_placement_failures(&Reconciler::new(&fake, &policy, ME), &trust(), &batch));
    assert_eq!((failures.len(), failures[0].id.as_str()), (1, "second"));
    assert_eq!(failures[0].retry_in, policy.message_delay("second", 1));
    assert!(matches!(failures[0].error, MessageError::Reconcile(ReconcileError::Update { .. })));
    assert_eq!(fake.updates.borrow().len(), 2);
}

#[test]
fn a_message_of_the_other_queue_is_ignored_and_not_acted_upon() {
    let fake = short();
    let policy = Policy::default();
    let batch = [message("astray", &service())];
    assert!(block_on(handle_interruptions(&Reconciler::new(&fake, &policy, ME), &trust(), &batch)).is_empty());
    assert!(fake.calls.borrow().is_empty());
}

#[test]
fn a_claim_that_one_message_of_a_batch_left_unfinished_is_not_the_next_messages_own() {
    // The claim holds, the update is made, and the write that confirms it fails. Then a look is stale.
    let fake = short().with_faults("put", [Fault::None, Fault::Throttled]);
    let policy = Policy::default();
    let reconciler = Reconciler::new(&fake, &policy, ME);
    let failure = event(Signal::SpotPlacementFailure, NOW);
    assert!(block_on(reconciler.on_event(&failure)).is_err());
    assert_eq!((fake.calls_of("update"), phase(&fake)), (1, Phase::FailingOver));
    fake.services.borrow_mut().insert(service(), short_on(original()));
    assert!(matches!(block_on(reconciler.on_event(&failure)), Err(ReconcileError::Leased { .. })));
    assert_eq!(fake.calls_of("update"), 1);
}

#[test]
fn ten_copies_of_one_message_in_a_batch_cause_one_update() {
    let fake = short();
    let policy = Policy::default();
    let batch: Vec<Message> = (0..10).map(|n| message(&format!("copy {n}"), &service())).collect();
    assert!(block_on(handle_placement_failures(&Reconciler::new(&fake, &policy, ME), &trust(), &batch)).is_empty());
    assert_eq!(fake.updates.borrow().len(), 1);
    assert_eq!((fake.calls_of("get"), fake.calls_of("describe")), (1, 1));
}

#[test]
fn under_the_kill_switch_no_handler_changes_anything_in_ecs() {
    for policy in [Policy { paused: true, ..Policy::default() }, Policy { dry_run: true, ..Policy::default() }] {
        let fake = short();
        let handler = Reconciler::new(&fake, &policy, ME);
        assert!(block_on(handle_placement_failures(&handler, &trust(), &[message("m", &service())])).is_empty());
        sweep_with(&fake, &policy, ME);
        let due = restore_due();
        sweep_with(&due, &policy, ME);
        assert_eq!(fake.calls_of("update") + due.calls_of("update"), 0);
    }
}
