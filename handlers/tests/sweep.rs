//! Proves which records a sweep comes to and in which order, what it announces, and what of it is left for the next sweep.

mod common;
#[path = "common/fake.rs"]
mod fake;

use common::*;
use fake::*;
use handlers::decide::Reason;
use handlers::event::Signal;
use handlers::held::HeldReason;
use handlers::policy::Policy;
use handlers::reconcile::{Reconciler, SweepReport};
use handlers::record::{Phase, Record};
use handlers::service::ServiceId;

fn watched(fake: Fake, services: &[ServiceId]) -> Fake {
    services.iter().fold(fake, |fake, id| {
        let record = Record { service: id.clone(), ..watching() };
        fake.with_service(id.clone(), full_on(original())).with_record(record)
    })
}

fn sizes(fake: &Fake, cluster: &str) -> Vec<usize> {
    let prefix = format!("describe {cluster}×");
    let calls = fake.calls.borrow();
    calls.iter().filter_map(|call| call.strip_prefix(prefix.as_str())).map(|n| n.parse().unwrap()).collect()
}

// ---- which records -------------------------------------------------------------------------------------------------

#[test]
fn the_sweep_asks_for_ten_services_of_a_cluster_at_a_time_and_reads_every_page() {
    let fake = watched(Fake::new(), &many("111122223333", "shop", 25));
    let fake = watched(fake, &many("111122223333", "search", 10));
    let fake = watched(fake, &many("444455556666", "shared", 3));
    assert_eq!(sweep(&fake, ME), SweepReport { looked_at: 38, failed: 0 });
    assert_eq!(sizes(&fake, "shop"), [10, 10, 5]);
    assert_eq!((sizes(&fake, "search"), sizes(&fake, "shared")), (vec![10], vec![3]));
    assert_eq!(fake.calls_of("get"), 0);
    assert!(fake.records.borrow().values().all(|r| r.version == 4 && r.next_check_at > NOW));
    assert_eq!(sweep(&fake, ME), SweepReport::default(), "nothing is due any more");
}

#[test]
fn many_accounts_are_swept_side_by_side_but_never_more_than_a_function_may_have_connections_for() {
    let accounts = (0..600).map(|n| format!("{n:012}"));
    let fake = accounts.fold(Fake::new(), |fake, account| watched(fake, &many(&account, "shop", 2)));
    fake.stops.set((true, true));
    assert_eq!(sweep(&fake, ME), SweepReport { looked_at: 1200, failed: 0 });
    assert_eq!(fake.looking.get(), (0, 256));
}

#[test]
fn a_cluster_that_cannot_be_read_does_not_stop_the_others() {
    let fake = watched(Fake::new(), &many("111122223333", "broken", 12));
    let fake = watched(fake, &many("111122223333", "shop", 3));
    let fake = watched(fake, &many("444455556666", "shared", 3));
    fake.broken.borrow_mut().insert("broken".parse().unwrap());
    assert_eq!(sweep(&fake, ME), SweepReport { looked_at: 18, failed: 12 });
    let records = fake.records.borrow();
    for record in records.values() {
        assert_eq!(record.version == 3, record.service.cluster.as_str() == "broken", "{}", record.service);
    }
}

#[test]
fn a_service_that_fails_does_not_stop_the_others_of_its_batch() {
    let fake = watched(Fake::new(), &many("111122223333", "shop", 5)).with_faults("put", [Fault::None, Fault::Unclear]);
    assert_eq!(sweep(&fake, ME), SweepReport { looked_at: 5, failed: 1 });
    assert_eq!(fake.records.borrow().values().filter(|r| r.next_check_at == NOW).count(), 1);
}

#[test]
fn an_incomplete_answer_is_attributed_to_no_service() {
    let fake = watched(Fake::new(), &many("111122223333", "shop", 5)).with_faults("describe", [Fault::Incomplete]);
    assert_eq!(sweep(&fake, ME), SweepReport { looked_at: 5, failed: 5 });
    assert_eq!(fake.calls_of("put") + fake.calls_of("delete"), 0);
}

#[test]
fn the_sweep_looks_at_no_more_records_than_its_limit_and_at_the_rest_the_next_time() {
    let policy = Policy { sweep_limit: 7, ..Policy::default() };
    let fake = watched(Fake::new(), &many("111122223333", "shop", 25));
    let looked_at: Vec<usize> = (0..5).map(|_| sweep_with(&fake, &policy, ME).looked_at).collect();
    assert_eq!(looked_at, [7, 7, 7, 4, 0]);
}

#[test]
fn a_due_index_that_cannot_be_read_is_an_error_of_the_sweep() {
    let fake = watched(Fake::new(), &many("111122223333", "shop", 3)).with_faults("due", [Fault::Unclear]);
    let policy = Policy::default();
    block_on(Reconciler::new(&fake, &policy, ME).sweep()).unwrap_err();
}

#[test]
fn an_old_copy_of_a_record_in_the_due_index_changes_nothing() {
    // The sweep read the index before another handler failed the service over and confirmed it.
    let fake = short();
    fake.stops.set((true, false));
    let policy = Policy::default();
    let sweeping = Reconciler::new(&fake, &policy, "sweep");
    let failure = event(Signal::SpotPlacementFailure, NOW);
    let other = Reconciler::new(&fake, &policy, "other");
    let mut first = true;
    let (report, reason) = interleave(sweeping.sweep(), other.on_event(&failure), || !std::mem::take(&mut first));
    assert_eq!((report.unwrap().failed, reason), (0, Ok(Reason::FallbackLive)));
    assert_eq!((phase(&fake), fake.updates.borrow().len()), (Phase::OnDemand, 1));
    assert_eq!(fake.record(&service()).unwrap().original, Some(original()));
}

// ---- what is announced ---------------------------------------------------------------------------------------------

#[test]
fn every_transition_is_announced_with_what_people_ask_for() {
    let fake = short();
    on_failure(&fake, ME).unwrap();
    sweep_until_watching(&fake, NOW + hours(2));
    sweep(&fake, ME);
    let announced = fake.announced.borrow();
    let said: Vec<_> = announced.iter().map(|t| (t.from, t.to, t.episode)).collect();
    assert_eq!(
        said,
        [
            (Some(Phase::Watching), Some(Phase::FailingOver), 1),
            (Some(Phase::FailingOver), Some(Phase::OnDemand), 1),
            (Some(Phase::OnDemand), Some(Phase::Restoring), 1),
            (Some(Phase::Restoring), Some(Phase::Watching), 1),
        ]
    );
    assert!(announced.iter().all(|t| t.id == service().record_id() && t.service == service().arn()));
    assert_eq!(announced[0].reason, "no Spot capacity for its tasks");
    assert_eq!(fake.updates.borrow().len(), 2);
}

#[test]
fn the_next_sweep_announces_a_failover_and_looks_at_the_service_when_that_is_due() {
    let fake = short();
    on_failure(&fake, ME).unwrap();
    let look_at = fake.record(&service()).unwrap().next_check_at;
    let calls = |at| {
        fake.now.set(at);
        fake.calls.borrow_mut().clear();
        sweep(&fake, ME);
        fake.calls.borrow().iter().filter(|call| *call != "due").cloned().collect::<Vec<_>>()
    };
    let announced = "announce Watching→FailingOver FailingOver→OnDemand";
    assert_eq!(calls(NOW + secs(1)), [announced, "put OnDemand"]);
    assert_eq!(fake.record(&service()).unwrap().next_check_at, look_at);
    assert_eq!(calls(NOW + secs(2)), [""; 0], "it is said once");
    assert_eq!(calls(look_at), ["describe shop×1", "put OnDemand"]);
}

#[test]
fn what_the_bus_does_not_take_is_announced_by_a_later_sweep_and_holds_nothing_up() {
    let fake = short().with_faults("announce", [Fault::Unclear, Fault::Unclear]);
    on_failure(&fake, ME).unwrap();
    for at in [secs(1), mins(2)] {
        fake.now.set(NOW + at);
        sweep(&fake, ME);
        assert_eq!((fake.announced.borrow().len(), fake.record(&service()).unwrap().unannounced.len()), (0, 2));
    }
    assert_eq!(fake.calls_of("describe"), 2, "it was looked at when that was due");
    fake.now.set(NOW + mins(3));
    sweep(&fake, ME);
    assert_eq!((fake.announced.borrow().len(), fake.record(&service()).unwrap().unannounced.len()), (2, 0));
}

#[test]
fn a_handler_that_dies_after_its_claim_leaves_what_it_did_to_be_announced() {
    let fake = short().with_faults("update", [Fault::Unclear]);
    on_failure(&fake, ME).unwrap_err();
    let leased_until = NOW + Policy::default().lease;
    fake.now.set(NOW + secs(1));
    sweep(&fake, "another");
    assert_eq!(fake.calls_of("announce"), 0, "whoever holds the claim may have more to tell");
    fake.now.set(leased_until);
    sweep(&fake, "another");
    fake.now.set(leased_until + secs(1));
    sweep(&fake, "another");
    let said: Vec<_> = fake.announced.borrow().iter().map(|t| (t.from, t.to)).collect();
    let failing_over = Some(Phase::FailingOver);
    assert_eq!(said, [(Some(Phase::Watching), failing_over), (failing_over, Some(Phase::OnDemand))]);
}

#[test]
fn a_held_service_is_announced_at_once_and_looked_at_no_sooner() {
    let fake = short().with_faults("update", [Fault::Refused(HeldReason::FargateNotAssociated)]);
    on_failure(&fake, ME).unwrap();
    let held = fake.record(&service()).unwrap();
    fake.now.set(NOW + secs(1));
    sweep(&fake, ME);
    assert_eq!(fake.announced.borrow().last().unwrap().to, Some(Phase::Held));
    let after = fake.record(&service()).unwrap();
    assert_eq!((after.next_check_at, after.phase), (NOW + Policy::default().held_interval, Phase::Held));
    assert_eq!((after.unannounced.len(), fake.calls_of("describe")), (0, 1));
    assert!(held.due_at() < after.due_at());
}

#[test]
fn ten_transitions_are_announced_at_once() {
    let mut fake = Fake::new();
    let services: Vec<_> = (0..10).map(|n| service_named("111122223333", "shop", &format!("due-{n}"))).collect();
    for id in &services {
        let unannounced = vec![transition(id, NOW), transition(id, NOW + secs(1))];
        let record = Record { service: id.clone(), next_check_at: NOW + mins(9), unannounced, ..on_demand(NOW) };
        fake = fake.with_service(id.clone(), full_on(fallback())).with_record(record);
    }
    assert_eq!(sweep(&fake, ME), SweepReport { looked_at: 10, failed: 0 });
    assert_eq!((fake.calls_of("announce"), fake.announced.borrow().len(), fake.calls_of("describe")), (2, 20, 0));
    assert!(services.iter().all(|id| fake.record(id).unwrap().unannounced.is_empty()));
}

#[test]
fn a_sweep_does_not_wait_again_for_a_bus_that_failed() {
    let mut fake = Fake::new().with_faults("announce", vec![Fault::Unclear; 9]);
    for id in many("111122223333", "shop", 30) {
        let record =
            Record { service: id.clone(), unannounced: vec![transition(&id, NOW)], ..on_demand(NOW + mins(9)) };
        fake = fake.with_service(id, full_on(fallback())).with_record(record);
    }
    assert_eq!(sweep(&fake, ME), SweepReport { looked_at: 30, failed: 0 });
    assert_eq!(
        (fake.calls_of("announce"), fake.calls_of("describe")),
        (1, 3),
        "every service is looked at all the same"
    );
    assert!(fake.records.borrow().values().all(|record| record.unannounced.len() == 1));
    fake.now.set(NOW + mins(1));
    sweep(&fake, ME);
    assert_eq!(fake.calls_of("announce"), 2, "the next one tries again");
}

#[test]
fn an_item_does_not_grow_for_ever_while_the_bus_takes_nothing() {
    let unannounced: Vec<_> = (0..20).map(|n| transition(&service(), NOW - secs(60 - n))).collect();
    let fake = short().with_record(Record { unannounced, ..watching() });
    on_failure(&fake, ME).unwrap();
    let left = fake.record(&service()).unwrap().unannounced;
    assert_eq!((left.len(), left[0].at, left[19].to), (20, NOW - secs(58), Some(Phase::OnDemand)));
}

// ---- the market ----------------------------------------------------------------------------------------------------

#[test]
fn many_restores_that_are_due_ask_the_market_once_and_see_what_their_own_canary_told_it() {
    let account = service().account;
    let mut fake = Fake::new();
    for n in 0..5 {
        let id = service_named(account.as_str(), "shop", &format!("due-{n}"));
        let seen = full_on(fallback());
        fake = fake.with_service(id.clone(), seen).with_record(Record { service: id, ..on_demand(NOW) });
    }
    assert_eq!(sweep(&fake, ME), SweepReport { looked_at: 5, failed: 0 });
    // Each restore here runs in full at once, so each admits more. It is told as it begins and as it holds, and each time read anew.
    let restored = fake.updates.borrow().len();
    assert_eq!((restored, fake.calls_of("market")), (5, 1 + 2 * restored));
}

/// Five services of an account whose restores are due.
fn five_due(fake: Fake, account: &str) -> Fake {
    many(account, "shop", 5).into_iter().fold(fake, |fake, id| {
        fake.with_service(id.clone(), full_on(fallback())).with_record(Record { service: id, ..on_demand(NOW) })
    })
}

#[test]
fn a_change_of_the_owners_is_noticed_although_the_market_cannot_be_read() {
    for fault in [Fault::Unclear, Fault::Unreadable] {
        let fake = Fake::new().with_service(service(), full_on(somebody_elses())).with_record(on_demand(NOW));
        let fake = fake.with_faults("market", [fault]);
        assert_eq!(sweep(&fake, ME), SweepReport { looked_at: 1, failed: 0 });
        assert_eq!(fake.record(&service()).unwrap().reason, Reason::OwnerChanged.text());
    }
}

#[test]
fn a_market_that_gives_no_clear_answer_is_asked_again_soon_and_no_restore_begins() {
    let fake = five_due(Fake::new(), "111122223333").with_faults("market", [Fault::Unclear]);
    assert_eq!(sweep(&fake, ME), SweepReport { looked_at: 5, failed: 0 });
    assert_eq!((fake.calls_of("market"), fake.calls_of("update")), (1, 0));
    let soon = Policy::default().active_interval;
    assert!(fake.records.borrow().values().all(|record| record.restore_at.unwrap() < NOW + soon * 2));
    fake.now.set(NOW + mins(2));
    sweep(&fake, "the next");
    assert!(fake.calls_of("update") > 0);
}

#[test]
fn a_market_that_can_never_be_read_keeps_no_restore_from_beginning() {
    let fake = restore_due().with_faults("market", vec![Fault::Unreadable; 100]);
    assert_eq!(sweep(&fake, ME), SweepReport { looked_at: 1, failed: 0 });
    assert_eq!(phase(&fake), Phase::Restoring);
}
