//! Many services in one account at once: ECS's token buckets are kept, siblings elsewhere do not wait, and a returning
//! market is not asked by everybody together.

use std::collections::BTreeSet;
use std::time::Duration;

use handlers::policy::Policy;
use handlers::record::Phase;
use handlers::service::{AccountId, ServiceId};
use handlers::strategy::{CapacityProvider, Strategy, StrategyItem};
use simulator::facts::Facts;
use simulator::spec::{Capacity, Loss, ServiceSpec, TimedEvent, WorldEvent, WorldSpec};
use simulator::trace::Happening;
use simulator::{Outcome, run};

const CROWDED: &str = "111111111111";
const QUIET: &str = "222222222222";

fn mins(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

fn account(text: &str) -> AccountId {
    text.parse().expect("an account")
}

fn spot_only() -> Strategy {
    let item = StrategyItem { capacity_provider: CapacityProvider::FargateSpot, weight: 1, base: 0 };
    Strategy::new(vec![item]).expect("valid")
}

/// `crowd` services of one account and one of another lose Spot at 10 minutes and get it back at `until`.
fn outage(crowd: usize, until: Duration, length: Duration, facts: Facts) -> Outcome {
    let service = |owner: &str, n: usize| {
        let id = ServiceId {
            account: account(owner),
            region: "eu-west-1".parse().expect("a region"),
            cluster: "web".parse().expect("a cluster"),
            service: format!("service-{n}").parse().expect("a service"),
        };
        ServiceSpec::new(id, 2, spot_only())
    };
    let accounts = vec![account(CROWDED), account(QUIET)];
    let spot = |capacity, loss| WorldEvent::Spot { accounts: accounts.clone(), capacity, loss };
    let spec = WorldSpec {
        seed: 1,
        region: "eu-west-1".parse().expect("a region"),
        central: account("999999999999"),
        accounts: accounts.clone(),
        synthetic_from: Vec::new(),
        restore_schedule: mins(1),
        policy: Policy::default(),
        services: (0..crowd).map(|n| service(CROWDED, n)).chain([service(QUIET, 0)]).collect(),
        events: vec![
            TimedEvent { at: mins(10), event: spot(Capacity::Tasks(0), Loss::Interrupt) },
            TimedEvent { at: until, event: spot(Capacity::Unlimited, Loss::Keep) },
        ],
    };
    run(spec, facts, length).expect("the product's patterns are valid")
}

/// Services of the crowded account in `Restoring`, the most at any one time, and entries into it before `before`.
fn restoring(outcome: &Outcome, before: Duration) -> (usize, usize) {
    let (mut now, mut most, mut entries) = (BTreeSet::new(), 0, 0);
    for entry in &outcome.trace {
        let (Some(service), Happening::Phase { to, .. }) = (&entry.service, &entry.what) else { continue };
        if service.account.as_str() != CROWDED {
            continue;
        }
        if *to == Some(Phase::Restoring) {
            entries += usize::from(entry.at < before);
            now.insert(service);
        } else {
            now.remove(service);
        }
        most = most.max(now.len());
    }
    (most, entries)
}

#[test]
fn a_throttled_account_is_failed_over_in_the_end_and_its_siblings_do_not_wait() {
    // A bucket that the owner's own deploys have half emptied.
    let facts = Facts { update_bucket: (20, 5), ..Facts::default() };
    let outcome = outage(150, mins(40), mins(30), facts);
    assert!(outcome.throttled > 0, "nothing was throttled, so nothing is proved");
    assert_eq!(outcome.messages_dead, 0);
    let slowest = |owner: &str| {
        let times = outcome.services.iter().filter(|s| s.id.account.as_str() == owner);
        times.map(|s| s.ledger.episodes[0].time_to_failover().expect("failed over")).max().expect("there are some")
    };
    assert!(slowest(QUIET) < Duration::from_secs(15), "the quiet account waited {:?}", slowest(QUIET));
    assert!(slowest(CROWDED) < mins(4), "the crowded account took {:?}", slowest(CROWDED));
    assert!(outcome.violations.is_empty(), "{:?}", outcome.violations);
}

#[test]
fn while_spot_is_gone_one_canary_at_a_time_tries_it_and_the_others_are_left_in_peace() {
    let outcome = outage(200, mins(130), mins(130), Facts::default());
    let (most, entries) = restoring(&outcome, mins(130));
    assert_eq!(most, 1, "{most} services tried a market that had nothing");
    // One canary each quarter of an hour, or all 200 twice each.
    assert!((2..=9).contains(&entries), "{entries} restores were tried");
}

#[test]
fn a_returning_market_is_asked_by_one_then_two_then_four() {
    let outcome = outage(200, mins(60), mins(5 * 60), Facts::default());
    let mut held = 0;
    for entry in &outcome.trace {
        if let (Some(service), Happening::Phase { to: Some(Phase::Restoring), .. }) = (&entry.service, &entry.what)
            && service.account.as_str() == CROWDED
            && entry.at > mins(60)
        {
            held += 1;
        }
    }
    assert_eq!(held, 200, "each was restored once");
    for service in &outcome.services {
        assert_eq!(service.live.items(), service.original.items(), "{}", service.id);
        assert_eq!(service.record.as_ref().map(|r| r.phase), Some(Phase::Watching), "{}", service.id);
    }
    assert!(outcome.violations.is_empty(), "{:?}", outcome.violations);
}
