//! The simulator's own ports and production's adapters on the AWS SDK are the same to the handlers: a scenario tells the same story,
//! line by line and to the millisecond, whichever way they call.
//!
//! Where calls fail by chance, that holds for calls that are made once. The SDK makes them again, so that a run takes another
//! course; then everything that the scenario expects must hold.

use std::time::Duration;

use scenarios::file::{self, Scenario};
use scenarios::library;
use scenarios::play::{Play, play, play_via_sdk};
use simulator::dice::Span;
use simulator::facts::Facts;
use simulator::sdk::CallLimits;
use simulator::trace::{Entry, Happening};

/// The most services of a scenario in these tests: a larger fleet is played with about as many. A call costs the SDK milliseconds in a
/// build that is not optimised, and a day of a fleet has thousands; `cargo xtask scenario fleet --via sdk` plays it in full.
const SCALED: u32 = 20;

/// The scenario with the most services.
const FLEET: &str = "fleet";

/// Every call is made once.
fn once() -> CallLimits {
    CallLimits { attempts: 1, ..CallLimits::default() }
}

fn load(name: &str) -> Scenario {
    let path = library::find(name).expect("it is in the library");
    file::load_at_most(&path, SCALED).unwrap_or_else(|problem| panic!("{problem}")).0
}

/// Whether calls to AWS fail by chance, which the SDK notices.
fn calls_fail(scenario: &Scenario) -> bool {
    scenario.facts.lost_reply_percent > 0 || scenario.facts.table_throttle_percent > 0
}

fn natively(scenario: &Scenario) -> Play {
    play(scenario.clone()).expect("the product's event patterns are valid")
}

fn via_sdk(scenario: &Scenario, limits: CallLimits) -> Play {
    play_via_sdk(scenario.clone(), limits).expect("the product's event patterns are valid")
}

/// `DeleteItem` carries no reason: the audit event does, and those are compared.
fn is_same(one: &Entry, other: &Entry) -> bool {
    let forgets = |entry: &Entry| match &entry.what {
        Happening::Phase { from, to: None, .. } => Some((entry.at, entry.service.clone(), *from)),
        _ => None,
    };
    one == other || (forgets(one).is_some() && forgets(one) == forgets(other))
}

fn assert_same(name: &str, one: &Play, other: &Play) {
    let (told, retold) = (&one.outcome.trace, &other.outcome.trace);
    if let Some((line, (told, retold))) = told.iter().zip(retold).enumerate().find(|(_, (a, b))| !is_same(a, b)) {
        panic!("{name}, line {line}:\n  {told}\n  {retold}");
    }
    assert_eq!(told.len(), retold.len(), "{name}: one story goes on where the other ends");
    // What is in no line of it.
    assert_eq!(one.outcome.audits, other.outcome.audits, "{name}");
    assert_eq!((one.outcome.calls, one.outcome.most_looks), (other.outcome.calls, other.outcome.most_looks), "{name}");
    assert_eq!((&one.outcome.violations, one.holds()), (&other.outcome.violations, other.holds()), "{name}");
}

fn assert_holds(name: &str, play: &Play) {
    let failed: Vec<_> = play.verdicts.iter().filter(|verdict| !verdict.holds).collect();
    assert!(play.holds(), "{name}: {failed:?}, {:?}", play.outcome.violations);
}

fn assert_same_either_way(name: &str) {
    let scenario = load(name);
    let limits = if calls_fail(&scenario) { once() } else { CallLimits::default() };
    assert_same(name, &natively(&scenario), &via_sdk(&scenario, limits));
}

#[test]
fn every_scenario_tells_the_same_story_through_the_sdk() {
    let all: Vec<_> = library::all().into_iter().filter(|named| named.name != FLEET).collect();
    assert!(!all.is_empty(), "the library is empty");
    all.iter().for_each(|named| assert_same_either_way(&named.name));
}

// By itself, so that it is played beside the others.
#[test]
fn a_fleet_tells_the_same_story_through_the_sdk() {
    assert_same_either_way(FLEET);
}

type Change = fn(&mut Facts);

/// `spot-interruption` with something changed.
fn changed(change: Change) -> Scenario {
    let mut scenario = load("spot-interruption");
    change(&mut scenario.facts);
    scenario
}

#[test]
fn the_table_has_its_faults_and_pages_through_the_sdk_too() {
    let faults: [(&str, Change); 3] = [
        ("an index that lags", |facts| facts.index_lag = Span::secs(0, 90)),
        ("a table that throttles", |facts| facts.table_throttle_percent = 5),
        ("pages of one record", |facts| facts.page_size = 1),
    ];
    let without = natively(&load("spot-interruption"));
    for (name, change) in faults {
        let scenario = changed(change);
        let native = natively(&scenario);
        assert_ne!(native.outcome.trace, without.outcome.trace, "{name} makes no difference");
        assert_same(name, &native, &via_sdk(&scenario, once()));
    }
}

#[test]
fn calls_that_the_sdk_makes_again_lead_to_the_same_end_and_the_same_way_each_time() {
    let scenario = load("event-storm");
    assert!(calls_fail(&scenario), "the scenario lost its faults");
    let (first, again) = [(); 2].map(|()| via_sdk(&scenario, CallLimits::default())).into();
    assert_holds("event-storm", &first);
    assert_same("event-storm, twice", &first, &again);
    assert_ne!(first.outcome.trace, via_sdk(&scenario, once()).outcome.trace, "nothing was made again");
}

#[test]
fn a_call_without_an_answer_is_given_up_at_its_limit_in_virtual_time() {
    // Longer there and back than the SDK waits for an attempt.
    let mut scenario = changed(|facts| facts.call_latency = Span::secs(14, 14));
    scenario.duration = Duration::from_secs(12 * 60);
    let limits = CallLimits::default();
    let played = via_sdk(&scenario, limits);
    let trace = &played.outcome.trace;
    let begun = trace.iter().find(|entry| matches!(entry.what, Happening::Invoked { messages: 1.., .. }));
    let begun = begun.expect("an event is handled");
    let ended = trace.iter().find(|entry| matches!(entry.what, Happening::Finished { failed: 1.., .. }));
    let took = ended.expect("and fails").at - begun.at;
    // Its first call is a read, with all its attempts; the start is up to 60 ms.
    assert!(took >= limits.operation && took < limits.operation + Duration::from_millis(61), "took {took:?}");
}
