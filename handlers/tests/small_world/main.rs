//! Proves what holds in small worlds whatever happens in whatever order: a service or two, two handlers in flight at
//! once, outages, owners, crashes, lost answers, each as often as the budget allows. `stateright` explores every state
//! there is.
//!
//! What runs is the real `Reconciler` with the real `decide` (`handler.rs`). `cargo test -p handlers --test
//! small_world` explores the smallest worlds; with `--release` and `PROVE=deep` in the environment it explores wider
//! ones, for some minutes. A world that breaks a property prints the shortest way there.

mod calls;
mod handler;
mod item;
mod model;
mod quiet;
mod reached;
#[path = "../common/table.rs"]
mod table;
mod world;

use handlers::policy::InterruptionPolicy;
use model::{COMES_TO_REST, Flaw, ONE_AT_A_TIME, PROMISES, Setup, SmallWorld};
use reached::Reached;
use stateright::{Checker, HasDiscoveries, Model};
use world::Budget;

const NOTHING: Budget = Budget {
    crashes: 0,
    faults: 0,
    outages: 0,
    interruptions: 0,
    owner_changes: 0,
    rollbacks: 0,
    recreations: 0,
    pauses: 0,
};
const OUTAGE: Budget = Budget { outages: 1, ..NOTHING };

/// One watched service, moved and restored by sweeps alone.
const SWEPT: Setup = Setup {
    services: 1,
    handlers: 2,
    interruption_policy: InterruptionPolicy::Immediate,
    stops_first: false,
    market: false,
    restore_due: false,
    events: false,
    slow_handlers: false,
    budget: OUTAGE,
    flaw: None,
    exact: false,
};
/// One service nobody knows of yet, and events that come at any time, any number of times.
const WITH_EVENTS: Setup = Setup { events: true, ..SWEPT };

/// Whether to explore wider worlds.
fn deep() -> bool {
    std::env::var("PROVE").is_ok_and(|prove| prove == "deep")
}

/// Explores a world to its end, or until this is found.
#[expect(clippy::disallowed_methods, reason = "how long an exploration takes is a matter of the wall clock")]
fn explore(name: &str, setup: Setup, until: HasDiscoveries) -> impl Checker<SmallWorld> + use<> {
    let started = std::time::Instant::now();
    let checker = SmallWorld::new(setup).checker().threads(2).finish_when(until);
    let checker = checker.spawn_bfs().join();
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    println!("{name}: {states} states explored, depth {depth}, {:.1} s", started.elapsed().as_secs_f32());
    checker
}

/// Explores a world in which every property must hold, and which must have met all this.
fn prove(name: &str, setup: Setup, reached: &[Reached]) {
    let checker = explore(name, setup, HasDiscoveries::AnyFailures);
    let model = checker.model();
    for property in [PROMISES, ONE_AT_A_TIME, COMES_TO_REST] {
        let Some(path) = checker.discovery(property) else { continue };
        for (state, action) in path.into_vec() {
            match action {
                Some(action) => println!("  {action:?}"),
                None => println!("{state:?}\nthen, in quiet: {:?}", model.quiet_way(&state)),
            }
        }
        panic!("{name}: {property}: this is the shortest way to where it does not hold");
    }
    for what in reached {
        assert!(model.reached.of(*what) > 0, "{name} has never met {what:?}");
    }
}

// ---- one service ----------------------------------------------------------------------------------------------------

#[test]
fn an_outage() {
    let outages = if deep() { 2 } else { 1 };
    let setup = Setup { budget: Budget { outages, ..NOTHING }, ..WITH_EVENTS };
    prove(
        "an outage",
        setup,
        &[Reached::Failover, Reached::Restored, Reached::FallbackWhileRestoring, Reached::LostRace],
    );
}

#[test]
fn an_outage_and_an_owner_change() {
    let budget = Budget { owner_changes: 1, ..OUTAGE };
    let reached = [Reached::Failover, Reached::Restored, Reached::Adopted, Reached::OwnerOutrun, Reached::Overtaken];
    if deep() {
        let setup = Setup { budget: Budget { crashes: 1, ..budget }, ..WITH_EVENTS };
        prove("an outage, an owner change, a crash", setup, &reached);
        let setup = Setup { budget: Budget { faults: 1, ..budget }, ..WITH_EVENTS };
        prove("an outage, an owner change, a fault", setup, &reached);
    } else {
        prove("an outage and an owner change", Setup { budget, ..SWEPT }, &reached);
    }
}

#[test]
fn crashes() {
    let reached = [Reached::Failover, Reached::Restored, Reached::Takeover, Reached::LostRace];
    let budget = if deep() { Budget { crashes: 2, ..OUTAGE } } else { Budget { crashes: 1, ..OUTAGE } };
    prove("crashes", Setup { budget, ..WITH_EVENTS }, &reached);
}

#[test]
fn unclear_updates() {
    let reached = [Reached::Restored, Reached::Takeover, Reached::ArrivedLate, Reached::Settling, Reached::Refused];
    let budget = Budget { faults: if deep() { 2 } else { 1 }, ..OUTAGE };
    prove("unclear updates", Setup { budget, ..if deep() { WITH_EVENTS } else { SWEPT } }, &reached);
}

#[test]
fn a_rollback() {
    let budget = Budget { rollbacks: 1, faults: u8::from(deep()), crashes: u8::from(deep()), ..OUTAGE };
    let reached = [Reached::Restored, Reached::RolledBack];
    prove("a rollback", Setup { budget, ..if deep() { WITH_EVENTS } else { SWEPT } }, &reached);
    if deep() {
        let budget = Budget { rollbacks: 1, owner_changes: 1, ..OUTAGE };
        prove("a rollback and an owner change", Setup { budget, ..WITH_EVENTS }, &reached);
    }
}

#[test]
fn a_recreation() {
    let budget = Budget { recreations: 1, crashes: u8::from(deep()), ..OUTAGE };
    let reached = [Reached::Failover, Reached::Restored, Reached::Recreated, Reached::OwnerOutrun];
    prove("a recreation", Setup { budget, ..if deep() { WITH_EVENTS } else { SWEPT } }, &reached);
    if deep() {
        let budget = Budget { recreations: 1, owner_changes: 1, ..OUTAGE };
        prove("a recreation and an owner change", Setup { budget, ..SWEPT }, &reached);
        let budget = Budget { recreations: 1, faults: 1, ..OUTAGE };
        prove("a recreation and a fault", Setup { budget, ..WITH_EVENTS }, &reached);
    }
}

#[test]
fn a_pause() {
    let budget = Budget { pauses: 1, ..OUTAGE };
    let reached = [Reached::Failover, Reached::Restored, Reached::Paused];
    prove("a pause", Setup { budget, ..if deep() { WITH_EVENTS } else { SWEPT } }, &reached);
}

#[test]
fn an_interruption() {
    let budget = Budget { interruptions: 1, outages: u8::from(deep()), ..NOTHING };
    prove("an interruption", Setup { budget, ..WITH_EVENTS }, &[Reached::Failover, Reached::Restored]);
    let setup = Setup { budget, interruption_policy: InterruptionPolicy::Shortfall, ..WITH_EVENTS };
    prove("an interruption without a shortfall", setup, &[]);
}

#[test]
fn silent_loss_without_events() {
    let outages = if deep() { 3 } else { 1 };
    let reached = [Reached::SilentLoss, Reached::Failover, Reached::Restored, Reached::FallbackWhileRestoring];
    prove("silent loss", Setup { budget: Budget { outages, ..NOTHING }, ..SWEPT }, &reached);
}

#[test]
fn a_probe() {
    let reached = [Reached::Failover, Reached::ProbeHolds, Reached::Restored, Reached::FallbackWhileRestoring];
    let budget = Budget { owner_changes: u8::from(deep()), ..OUTAGE };
    prove("a probe", Setup { budget, stops_first: true, ..SWEPT }, &reached);
}

#[test]
fn slow_handlers() {
    let reached = [Reached::Restored, Reached::LostRace];
    let setup = Setup { slow_handlers: true, restore_due: true, budget: NOTHING, ..SWEPT };
    prove("slow handlers", setup, &reached);
    if deep() {
        prove("slow handlers and an outage", Setup { slow_handlers: true, ..WITH_EVENTS }, &reached);
    }
}

// ---- two services ---------------------------------------------------------------------------------------------------

#[test]
fn two_services_one_market() {
    let reached = [Reached::Restored, Reached::MarketBusy];
    let market = Setup { services: 2, market: true, restore_due: true, budget: NOTHING, ..SWEPT };
    if deep() {
        prove("two services, one market, two handlers", market, &reached);
    } else {
        prove("two services, one market", Setup { handlers: 1, ..market }, &reached);
    }
}

// ---- the proof itself -----------------------------------------------------------------------------------------------

/// Handlers with the same local variables are taken for the same. Told apart by all that they were ever answered, there
/// are more of them, but they lead nowhere else.
#[test]
fn taking_handlers_for_the_same_loses_no_state_of_the_world() {
    for setup in [Setup { budget: Budget { faults: 1, ..NOTHING }, restore_due: true, ..SWEPT }, SWEPT] {
        let one = explore("same handlers taken together", setup, HasDiscoveries::AnyFailures);
        let setup = Setup { exact: true, ..setup };
        let other = explore("all handlers told apart", setup, HasDiscoveries::AnyFailures);
        assert!(one.unique_state_count() < other.unique_state_count());
        assert_eq!(*one.model().calm.lock().unwrap(), *other.model().calm.lock().unwrap());
    }
}

#[test]
fn every_flaw_is_found() {
    let crash = Budget { crashes: 1, ..OUTAGE };
    let recreation = Budget { recreations: 1, ..OUTAGE };
    for (flaw, budget, property) in [
        (Flaw::PutsAlwaysHold, OUTAGE, ONE_AT_A_TIME),
        (Flaw::DeletesAlwaysHold, recreation, COMES_TO_REST),
        (Flaw::TableLosesLeases, crash, ONE_AT_A_TIME),
        (Flaw::LooksStayStale, OUTAGE, COMES_TO_REST),
        (Flaw::ClientSendsTwice, OUTAGE, PROMISES),
        (Flaw::ReadsFallbackAsOriginal, OUTAGE, PROMISES),
    ] {
        let setup = Setup { flaw: Some(flaw), budget, ..WITH_EVENTS };
        let found = explore(&format!("{flaw:?}"), setup, HasDiscoveries::AnyOf([property].into()));
        assert!(found.discovery(property).is_some(), "{flaw:?} breaks the property: {property}");
    }
}
