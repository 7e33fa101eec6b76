//! Markets: one canary first, more after each that holds, none for a while after one that fails; and what of it a decision uses.

mod common;

use std::time::Duration;

use common::table::decide;
use common::{
    ME, NOW, account, fallback, full_on, hours, mins, on_demand, on_probation, original, region, restoring, secs,
    service, service_named,
};
use handlers::decide::{Context, Decision, Reason, Trigger};
use handlers::held::HeldReason;
use handlers::market::{Finding, Market};
use handlers::observation::Look;
use handlers::policy::Policy;
use handlers::record::{Phase, Record};
use proptest::prelude::*;

fn unknown() -> Market {
    Market::new(account("111122223333"), region("ap-south-1"))
}

fn numbered(n: usize) -> Record {
    Record { service: service_named("111122223333", "shop", &format!("service-{n}")), ..on_demand(NOW) }
}

/// How many of `records` a market admits, one after the other.
fn admitted(mut market: Market, records: usize, now: handlers::timestamp::Timestamp) -> usize {
    let policy = Policy::default();
    (0..records)
        .filter(|n| {
            let record = numbered(*n);
            let admits = market.admits(&record, &policy, now) <= now;
            if admits {
                market = market.clone().after(&record.service.record_id(), Finding::Begun, &policy, now);
            }
            admits
        })
        .count()
}

#[test]
fn a_market_nothing_is_known_of_admits_one_canary() {
    assert_eq!(admitted(unknown(), 1000, NOW), 1);
}

#[test]
fn after_each_restore_that_holds_twice_as_many_are_admitted() {
    let policy = Policy::default();
    let mut market = unknown();
    for expected in [2, 4, 8, 16, 32, 64, 64] {
        market = market.after("a::b::c", Finding::Held, &policy, NOW);
        assert_eq!(admitted(market.clone(), 1000, NOW), expected);
    }
}

#[test]
fn a_restore_that_fails_closes_the_market_and_then_one_canary_goes_first_again() {
    let policy = Policy::default();
    let market =
        unknown().after("a::b::c", Finding::Held, &policy, NOW).after("a::b::c", Finding::Failed, &policy, NOW);
    assert_eq!(admitted(market.clone(), 1000, NOW + policy.restore_after - secs(1)), 0);
    assert_eq!(admitted(market.clone(), 1000, NOW + policy.restore_after), 1);
    let (first, second) = (numbered(1), numbered(2));
    let asked_again = |record: &Record| market.admits(record, &policy, NOW);
    assert!(asked_again(&first) >= NOW + policy.restore_after);
    assert_ne!(asked_again(&first), asked_again(&second), "siblings do not come back in step");
}

#[test]
fn a_proof_of_capacity_goes_stale() {
    let policy = Policy::default();
    let market = (0..4).fold(unknown(), |market, _| market.after("a::b::c", Finding::Held, &policy, NOW));
    assert_eq!(admitted(market.clone(), 1000, NOW + policy.restore_after - secs(1)), 16);
    assert_eq!(admitted(market, 1000, NOW + policy.restore_after), 1);
}

#[test]
fn a_proof_after_a_stale_one_counts_from_the_first_canary_on() {
    let policy = Policy::default();
    let market = (0..4).fold(unknown(), |market, _| market.after("a::b::c", Finding::Held, &policy, NOW));
    let later = NOW + policy.restore_after;
    assert_eq!(admitted(market.after("a::b::c", Finding::Held, &policy, later), 1000, later), 2);
}

#[test]
fn a_restore_that_nobody_ended_does_not_hold_the_others_up_for_ever() {
    let policy = Policy::default();
    let market = unknown().after("a::b::c", Finding::Begun, &policy, NOW);
    assert_eq!(admitted(market.clone(), 10, NOW + policy.restore_timeout), 0);
    assert_eq!(admitted(market, 10, NOW + policy.restore_timeout + policy.lease), 1);
}

#[test]
fn a_record_tells_what_became_of_its_restore() {
    let (before, watching) = (on_demand(NOW), common::watching());
    let failing = common::failing_over(ME, NOW);
    assert_eq!(Finding::of(Some(&before), Some(&restoring())), Some(Finding::Begun));
    assert_eq!(Finding::of(Some(&restoring()), Some(&on_probation(NOW))), Some(Finding::Held));
    assert_eq!(Finding::of(Some(&on_probation(NOW)), Some(&on_probation(NOW))), None);
    assert_eq!(Finding::of(Some(&restoring()), Some(&failing)), Some(Finding::Failed));
    assert_eq!(Finding::of(Some(&restoring()), Some(&before)), Some(Finding::Failed));
    assert_eq!(Finding::of(Some(&restoring()), Some(&watching)), Some(Finding::Ended));
    assert_eq!(Finding::of(Some(&restoring()), None), Some(Finding::Ended));
    assert_eq!(Finding::of(Some(&on_probation(NOW)), Some(&watching)), None, "it was counted when it held");
    assert_eq!(Finding::of(Some(&watching), Some(&failing)), None, "a failover says nothing about a restore");
    assert_eq!(Finding::of(None, Some(&watching)), None);
}

#[test]
fn a_restore_that_is_held_is_not_under_way_until_it_is_resumed() {
    let held = common::held(restoring(), HeldReason::FargateNotAssociated);
    assert_eq!(Finding::of(Some(&restoring()), Some(&held)), Some(Finding::Ended));
    assert_eq!(Finding::of(Some(&held), Some(&held)), None);
    assert_eq!(Finding::of(Some(&held), Some(&restoring())), Some(Finding::Begun));
    assert_eq!(Finding::of(Some(&on_probation(NOW)), Some(&held)), None, "it was counted when it held");
}

#[test]
fn a_service_that_wants_no_task_proves_nothing_of_the_market() {
    let nothing = Record { healthy_tasks: 0, ..on_probation(NOW) };
    assert_eq!(Finding::of(Some(&restoring()), Some(&nothing)), Some(Finding::Ended));
    let one = Record { healthy_tasks: 1, ..nothing };
    assert_eq!(Finding::of(Some(&restoring()), Some(&one)), Some(Finding::Held));
}

fn decide_in(market: &Market, record: &Record) -> Decision {
    let policy = Policy::default();
    let ctx = Context { trigger: Trigger::Sweep, policy: &policy, now: NOW, owner: ME, market: Some(market) };
    decide(&service(), Some(record), &Look::found(full_on(fallback())), &ctx)
}

#[test]
fn a_due_restore_waits_for_its_market_and_loses_nothing_by_it() {
    let policy = Policy::default();
    let due = on_demand(NOW);
    assert!(matches!(decide_in(&unknown(), &due), Decision::Claim(record, _) if record.phase == Phase::Restoring));
    let busy = unknown().after("111122223333::shop::another", Finding::Begun, &policy, NOW);
    let Decision::Write(next, Reason::MarketBusy) = decide_in(&busy, &due) else { panic!("it did not wait") };
    assert_eq!((next.phase, next.failed_restores, next.restores.len()), (Phase::OnDemand, 0, 0));
    assert_eq!(next.restore_at, Some(NOW + policy.active_interval));
    let closed = unknown().after("111122223333::shop::another", Finding::Failed, &policy, NOW);
    let Decision::Write(next, Reason::MarketBusy) = decide_in(&closed, &due) else { panic!("it did not wait") };
    assert!(next.restore_at >= Some(NOW + policy.restore_after));
    assert_eq!(next.original, Some(original()));
}

#[test]
fn the_item_of_a_market_is_no_record_and_not_in_the_due_index() {
    let item = unknown().after("a::b::c", Finding::Begun, &Policy::default(), NOW).to_item();
    assert_eq!(item["id"], "111122223333::ap-south-1");
    assert!(!item.contains_key("due_shard") && !item.contains_key("next_check_at"));
    assert!(Record::from_item(item).is_err());
    assert!(Market::from_item(on_demand(NOW).to_item()).is_err());
}

fn any_finding() -> impl Strategy<Value = Finding> {
    prop::sample::select(vec![Finding::Begun, Finding::Held, Finding::Failed, Finding::Ended])
}

proptest! {
    #[test]
    fn any_history_round_trips_and_never_shuts_a_market_for_good(
        history in prop::collection::vec((0usize..5, any_finding(), 0u64..7200), 0..60),
    ) {
        let policy = Policy::default();
        let (mut market, mut now) = (unknown(), NOW);
        for (n, finding, seconds) in history {
            now = now + Duration::from_secs(seconds);
            market = market.after(&numbered(n).service.record_id(), finding, &policy, now);
            prop_assert!(market.restoring.len() <= 5);
            prop_assert_eq!(Market::from_item(market.to_item()).unwrap(), market.clone());
        }
        let later = now + hours(24);
        prop_assert_eq!(market.admits(&numbered(9), &policy, later), later);
        prop_assert!(market.closed_until <= now + policy.restore_after + mins(1));
    }
}
