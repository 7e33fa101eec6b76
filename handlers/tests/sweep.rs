//! Proves which records a sweep comes to and in which order, what it announces, and what of it is left for the next sweep.

mod common;
#[path = "common/fake.rs"]
mod fake;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use common::*;
use fake::*;
use handlers::decide::Reason;
use handlers::event::Signal;
use handlers::held::HeldReason;
use handlers::market::{Finding, Market};
use handlers::observation::Observation;
use handlers::policy::Policy;
use handlers::reconcile::{Reconciler, SweepReport};
use handlers::record::{Phase, Record, due_shard};
use handlers::service::ServiceId;
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

fn watched(fake: Fake, services: &[ServiceId]) -> Fake {
    services.iter().fold(fake, |fake, id| {
        let record = Record { service: id.clone(), ..watching() };
        fake.with_service(id.clone(), full_on(original())).with_record(record)
    })
}

/// As often as a cell in production, each time with less than what is due.
fn sweep_every_five_minutes(fake: &Fake, policy: &Policy, sweeps: u64) {
    for n in 0..sweeps {
        fake.now.set(NOW + mins(5 * n));
        sweep_with(fake, policy, &format!("sweep {n}"));
    }
}

/// For how many minutes the look at it is overdue.
fn overdue(fake: &Fake, record: &Record) -> u64 {
    fake.now.get().since(record.next_check_at).as_secs() / 60
}

/// The services that were failed over.
fn failed_over(fake: &Fake) -> usize {
    fake.updates.borrow().iter().filter(|(_, strategy)| *strategy == fallback()).count()
}

/// Ten services of another account that are short, and no event said so.
fn ten_short(fake: Fake) -> Fake {
    many("444455556666", "shop", 10).into_iter().fold(fake, |fake, id| {
        let record = Record { service: id.clone(), ..watching() };
        fake.with_service(id, short_on(original())).with_record(record)
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
fn many_accounts_are_swept_side_by_side_but_no_more_than_256() {
    let accounts = (0..600).map(|n| format!("{n:012}"));
    let fake = accounts.fold(Fake::new(), |fake, account| watched(fake, &many(&account, "shop", 2)));
    fake.stops.set((true, true));
    assert_eq!(sweep(&fake, ME), SweepReport { looked_at: 1200, failed: 0 });
    assert_eq!(fake.looking.get(), (0, 256));
}

#[test]
fn services_of_an_account_go_side_by_side_but_restores_one_after_another() {
    let services = many("111122223333", "shop", 3);
    let with = |shows: &Observation, record: &Record| {
        services.iter().fold(Fake::new(), |fake, id| {
            fake.with_service(id.clone(), shows.clone()).with_record(Record { service: id.clone(), ..record.clone() })
        })
    };
    let changes = |fake: &Fake| {
        fake.stops.set((true, false));
        sweep(fake, ME);
        let calls = fake.calls.borrow();
        let kinds = calls.iter().map(|call| call.split(' ').take(2).collect::<Vec<_>>().join(" "));
        kinds.filter(|call| call.starts_with("put ") || call.starts_with("update ")).collect::<Vec<_>>()
    };
    let missing = Record { short_since: Some(NOW - mins(10)), next_check_at: NOW, ..watching() };
    let failovers = changes(&with(&short_on(original()), &missing));
    let claims = failovers.iter().take_while(|call| *call == "put FailingOver").count();
    assert_eq!((claims, failovers.len()), (3, 9), "{failovers:?}");
    // The second is decided on when the market knows of the first.
    let restores = changes(&with(&full_on(fallback()), &on_demand(NOW)));
    assert!(restores.chunks(3).all(|of| of[0] == "put Restoring" && of[1].starts_with("update ")), "{restores:?}");
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
        let put_off = Record { version: 4, next_check_at: NOW + Policy::default().active_interval, ..watching() };
        let put_off = Record { service: record.service.clone(), ..put_off };
        assert_eq!(*record == put_off, record.service.cluster.as_str() == "broken", "{}", record.service);
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
    assert_eq!((fake.calls_of("put"), fake.calls_of("delete")), (5, 0));
    let next_check_at = NOW + Policy::default().active_interval;
    for record in fake.records.borrow().values() {
        let service = record.service.clone();
        assert_eq!(*record, Record { version: 4, service, next_check_at, ..watching() }, "looked at again, no more");
    }
}

#[test]
fn no_shard_waits_longer_than_another_when_more_is_due_than_the_limit() {
    let policy = Policy { sweep_limit: 40, ..Policy::default() };
    let accounts = (0..16).map(|n| format!("11112222{n:04}"));
    let fake = accounts.fold(Fake::new(), |fake, account| watched(fake, &many(&account, "shop", 10)));
    sweep_every_five_minutes(&fake, &policy, 48);
    let mut shards: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for record in fake.records.borrow().values() {
        let (fewest_looks, longest) = shards.entry(due_shard(&record.service.account)).or_insert((u64::MAX, 0));
        *fewest_looks = (record.version - 3).min(*fewest_looks);
        *longest = overdue(&fake, record).max(*longest);
    }
    assert!(shards.len() > 8, "{shards:?}");
    // 48 sweeps of 40 are twelve looks at each of 160, and of two that are due together one comes first.
    assert!(shards.values().all(|(looks, longest)| *looks >= 11 && *longest <= 5), "{shards:?}");
}

#[test]
fn the_service_that_waits_longest_is_swept_first_whatever_it_is_called() {
    let due = |fake: Fake, account, cluster, minutes| {
        let id = service_named(account, cluster, "checkout");
        let record = Record { service: id.clone(), next_check_at: NOW - mins(minutes), ..watching() };
        fake.with_service(id, full_on(original())).with_record(record)
    };
    let fake = due(Fake::new(), "111122223333", "a", 1);
    let fake = due(due(fake, "444455556666", "b", 2), "444455556666", "c", 3);
    sweep(&fake, ME);
    assert_eq!((sizes(&fake, "a"), sizes(&fake, "b"), sizes(&fake, "c")), (vec![1], vec![1], vec![1]));
    let calls = fake.calls.borrow();
    let looks: Vec<_> = calls.iter().filter(|call| call.starts_with("describe")).collect();
    assert_eq!(looks, ["describe c×1", "describe b×1", "describe a×1"]);
}

#[test]
fn services_that_cannot_be_looked_at_do_not_keep_the_others_from_being_looked_at() {
    let policy = Policy { sweep_limit: 20, ..Policy::default() };
    let fake = many("111122223333", "broken", 400).into_iter().fold(Fake::new(), |fake, id| {
        fake.with_record(Record { service: id, next_check_at: NOW - hours(1), ..watching() })
    });
    let fake = ten_short(fake);
    fake.broken.borrow_mut().insert("broken".parse().unwrap());
    for n in 0..60 {
        fake.now.set(NOW + mins(n));
        sweep_with(&fake, &policy, &format!("sweep {n}"));
    }
    assert_eq!(failed_over(&fake), 10);
}

#[test]
fn the_sweep_looks_at_no_more_records_than_its_limit_and_at_the_rest_the_next_time() {
    let policy = Policy { sweep_limit: 7, ..Policy::default() };
    let fake = watched(Fake::new(), &many("111122223333", "shop", 25));
    let looked_at: Vec<usize> = (0..5).map(|_| sweep_with(&fake, &policy, ME).looked_at).collect();
    assert_eq!(looked_at, [7, 7, 7, 4, 0]);
}

#[test]
fn a_sweep_reads_a_page_of_each_shard_and_no_more_when_that_is_enough() {
    let policy = Policy { sweep_limit: 7, ..Policy::default() };
    let fake = watched(Fake::new(), &many("111122223333", "shop", 100));
    sweep_with(&fake, &policy, ME);
    // The first page of each shard is empty here, the second has three records.
    assert_eq!(fake.calls_of("due"), 2 * 16 + 2);
}

#[test]
fn a_due_index_without_an_end_does_not_keep_a_sweep_from_ending() {
    let mut fake = watched(Fake::new(), &many("111122223333", "shop", 25));
    fake.page_size = 0;
    assert_eq!(sweep(&fake, ME), SweepReport::default());
    assert_eq!(fake.calls_of("due"), 250 + 2 * 15);
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
    assert_eq!(fake.measured.borrow().len(), announced.len());
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

#[test]
fn news_that_the_bus_refuses_do_not_keep_services_from_being_looked_at() {
    let policy = Policy { sweep_limit: 20, ..Policy::default() };
    let fake = many("111122223333", "shop", 400).into_iter().fold(Fake::new(), |fake, id| {
        let unannounced = vec![transition(&id, NOW - hours(1))];
        let record = Record { service: id, next_check_at: NOW + hours(9), unannounced, ..on_demand(NOW + hours(9)) };
        fake.with_record(record)
    });
    let fake = ten_short(fake).with_faults("announce", vec![Fault::Unclear; 1000]);
    for n in 0..5 {
        fake.now.set(NOW + mins(n));
        assert!(sweep_with(&fake, &policy, &format!("sweep {n}")).looked_at <= 30, "and no more news than the limit");
    }
    assert_eq!(failed_over(&fake), 10);
}

#[test]
fn services_with_news_that_the_bus_refuses_take_turns_with_the_others() {
    let policy = Policy { sweep_limit: 40, ..Policy::default() };
    let fake = watched(Fake::new(), &many("111122223333", "shop", 240));
    for (n, record) in fake.records.borrow_mut().values_mut().enumerate() {
        let news = (n % 6 != 0).then(|| transition(&record.service, NOW - hours(1)));
        record.unannounced.extend(news);
    }
    let fake = fake.with_faults("announce", vec![Fault::Unclear; 1000]);
    sweep_every_five_minutes(&fake, &policy, 48);
    let records = fake.records.borrow();
    assert_eq!(records.values().map(|record| overdue(&fake, record)).max(), Some(15));
    assert!(records.values().all(|record| record.version == 3 + 8), "48 sweeps of 40 are eight looks at each of 240");
}

#[test]
fn news_are_announced_once_although_every_look_fails() {
    let unannounced = vec![transition(&service(), NOW - mins(1))];
    let fake = Fake::new().with_record(Record { unannounced, ..on_demand(NOW + hours(9)) });
    fake.broken.borrow_mut().insert("shop".parse().unwrap());
    for n in 0..60 {
        fake.now.set(NOW + mins(n));
        assert_eq!(sweep(&fake, &format!("sweep {n}")).failed, 1);
    }
    assert_eq!((fake.announced.borrow().len(), fake.record(&service()).unwrap().unannounced.len()), (1, 0));
}

#[test]
fn what_the_bus_took_of_a_batch_is_not_announced_again() {
    let fake = many("111122223333", "shop", 8).into_iter().fold(Fake::new(), |fake, id| {
        let unannounced = vec![transition(&id, NOW), transition(&id, NOW + secs(1))];
        fake.with_record(Record { service: id, next_check_at: NOW + mins(9), unannounced, ..on_demand(NOW) })
    });
    let fake = fake.with_faults("announce", [Fault::None, Fault::Unclear]);
    let left = || fake.records.borrow().values().filter(|record| !record.unannounced.is_empty()).count();
    sweep(&fake, ME);
    assert_eq!((fake.announced.borrow().len(), left()), (10, 3));
    sweep(&fake, "the next");
    assert_eq!((fake.announced.borrow().len(), left()), (16, 0));
}

#[test]
fn while_a_claim_runs_the_news_of_its_record_waits() {
    let unannounced = vec![transition(&service(), NOW)];
    let record = Record { next_check_at: NOW, unannounced, ..failing_over("other", NOW + mins(1)) };
    let fake = Fake::new().with_service(service(), short_on(original())).with_record(record);
    sweep(&fake, ME);
    assert_eq!((fake.announced.borrow().len(), fake.record(&service()).unwrap().unannounced.len()), (0, 1));
    fake.now.set(NOW + mins(1));
    sweep(&fake, ME);
    assert_eq!(fake.announced.borrow().len(), 1);
}

#[test]
fn a_record_that_cannot_be_written_after_its_news_were_announced_has_failed() {
    let unannounced = vec![transition(&service(), NOW)];
    let record = Record { next_check_at: NOW + mins(9), unannounced, ..on_demand(NOW) };
    let fake = Fake::new().with_record(record).with_faults("put", [Fault::Unclear]);
    assert_eq!(sweep(&fake, ME), SweepReport { looked_at: 1, failed: 1 });
    assert_eq!(sweep(&fake, ME), SweepReport { looked_at: 1, failed: 0 });
}

// ---- what is logged ------------------------------------------------------------------------------------------------

/// Keeps what is logged: the fields of each event.
#[derive(Clone, Default)]
struct Logs(Arc<Mutex<Vec<String>>>);

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        *self.0 += &format!("{field}={value:?} ");
    }
}

impl Subscriber for Logs {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut text = format!("{} ", event.metadata().level());
        event.record(&mut Fields(&mut text));
        self.0.lock().unwrap().push(text);
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[test]
fn a_sweep_logs_what_it_would_have_done_under_dry_run_and_while_paused() {
    let lost = || {
        let record = Record { short_since: Some(NOW - mins(5)), ..watching() };
        Fake::new().with_service(service(), short_on(original())).with_record(record)
    };
    let well = || watched(Fake::new(), &[service()]);
    let dry_run = Policy { dry_run: true, ..Policy::default() };
    let paused = Policy { paused: true, ..Policy::default() };
    for (fake, policy, expected) in [
        (lost(), &dry_run, Some("dry run: would act, tasks are missing for longer than the grace time")),
        (restore_due(), &dry_run, Some("dry run: would act, time on On-Demand is over")),
        (lost(), &paused, Some("paused")),
        (well(), &dry_run, None),
    ] {
        let logs = Logs::default();
        let logging = tracing::subscriber::set_default(logs.clone());
        sweep_with(&fake, policy, ME);
        drop(logging);
        let logs = logs.0.lock().unwrap();
        let said: Vec<_> = logs.iter().filter(|line| line.contains("message=nothing changed ")).collect();
        assert_eq!(said.len(), usize::from(expected.is_some()), "{logs:?}");
        for (said, expected) in said.iter().zip(expected) {
            assert!(said.starts_with("INFO ") && said.contains(&format!(" reason={expected}")), "{said}");
            assert!(said.contains(" account=111122223333 ") && said.contains("checkout"), "{said}");
        }
    }
}

// ---- the market ----------------------------------------------------------------------------------------------------

/// Five services of an account whose restores are due.
fn five_due(fake: Fake, account: &str) -> Fake {
    many(account, "shop", 5).into_iter().fold(fake, |fake, id| {
        fake.with_service(id.clone(), full_on(fallback())).with_record(Record { service: id, ..on_demand(NOW) })
    })
}

/// The market of an account in which a restore of `service` is under way.
fn with_restore_under_way(fake: Fake, service: &ServiceId) -> Fake {
    let market = Market::new(service.account.clone(), service.region.clone());
    let market = market.after(&service.record_id(), Finding::Begun, &Policy::default(), NOW);
    fake.markets.borrow_mut().insert(service.account.clone(), market);
    fake
}

/// The services whose restores are under way, as the market of the account has them.
fn under_way(fake: &Fake) -> Vec<String> {
    fake.markets.borrow()[&service().account].restoring.keys().cloned().collect()
}

#[test]
fn a_market_is_read_once_in_a_sweep_for_all_services_of_its_account() {
    let fake = ["111122223333", "444455556666"].into_iter().fold(Fake::new(), |fake, account| {
        with_restore_under_way(five_due(fake, account), &service_named(account, "shop", "another"))
    });
    assert_eq!(sweep(&fake, ME), SweepReport { looked_at: 10, failed: 0 });
    assert_eq!((fake.calls_of("market"), fake.calls_of("put_market"), fake.calls_of("update")), (2, 0, 0));
}

#[test]
fn a_restore_that_failed_in_its_first_step_has_begun_and_the_others_wait_for_it() {
    let fake = five_due(Fake::new(), "111122223333").with_faults("update", [Fault::Throttled]);
    assert_eq!(sweep(&fake, ME), SweepReport { looked_at: 5, failed: 1 });
    assert_eq!((fake.calls_of("update"), under_way(&fake).len()), (1, 1));
}

/// ECS did not find the service a minute ago either.
fn not_found(record: Record) -> Record {
    Record { missing_since: Some(NOW - mins(1)), ..record }
}

#[test]
fn a_service_that_is_gone_or_held_has_no_restore_under_way() {
    let gone = with_restore_under_way(Fake::new().with_record(not_found(restoring())), &service());
    assert_eq!(under_way(&gone), [service().record_id()]);
    sweep(&gone, ME);
    assert_eq!((gone.record(&service()), under_way(&gone)), (None, vec![]));
    let held = restore_due().with_faults("update", [Fault::Refused(HeldReason::FargateNotAssociated)]);
    sweep(&held, ME);
    assert_eq!((phase(&held), under_way(&held)), (Phase::Held, vec![]));
    assert_eq!(held.markets.borrow()[&service().account].version, 2, "it was told of both");
}

#[test]
fn a_market_that_others_keep_writing_is_told_in_four_tries_or_not_at_all() {
    for (outrun, told) in [(3, true), (4, false)] {
        let fake = with_restore_under_way(Fake::new().with_record(not_found(restoring())), &service());
        let fake = fake.with_faults("put_market", vec![Fault::Outrun; outrun]);
        sweep(&fake, ME);
        assert_eq!((fake.calls_of("put_market"), under_way(&fake).is_empty()), (4, told));
    }
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

#[test]
fn due_restores_ask_the_market_once_and_see_what_their_own_canary_told_it() {
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
