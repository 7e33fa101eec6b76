//! Small worlds, fully explored.
mod calls;
mod handler;
mod item;
mod model;
mod world;

use handlers::policy::InterruptionPolicy;
use model::{Setup, SmallWorld};
use stateright::{Checker, HasDiscoveries, Model};
use world::Budget;

const SMALL: Setup = Setup {
    services: 1,
    interruption_policy: InterruptionPolicy::Immediate,
    stops_first: false,
    market: false,
    events: true,
    slow_handlers: false,
    owner_leaves_spot: true,
    budget: Budget { crashes: 0, faults: 0, outages: 1, interruptions: 0, owner_changes: 0, rollbacks: 0, recreations: 0, pauses: 0 },
    flaw: None,
};

fn explore(name: &str, setup: Setup) {
    let started = std::time::Instant::now();
    let checker = SmallWorld::new(setup).checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let model = checker.model();
    if let Ok(_) = std::env::var("REST") { println!("rest worlds {}", model.rest.lock().unwrap().len()); }
    println!("{name}: {} states, depth {}, {:?}", checker.unique_state_count(), checker.max_depth(), started.elapsed());
    for property in model.properties() {
        if let Some(path) = checker.discovery(property.name) {
            println!("BROKEN: {}", property.name);
            for (state, action) in path.into_vec() {
                println!("  {action:?}");
                if action.is_none() {
                    println!("{state:?}");
                    if let Err((way, stuck)) = model.quiet_way(&state) {
                        println!("quiet way: {:?}\n{stuck:?}", &way[way.len().saturating_sub(30)..]);
                    }
                }
            }
        }
    }
}

#[test]
fn probe_sizes() {
    let var = std::env::var("B").unwrap_or_else(|_| "0,0,1,0,0,0,0,0".into());
    let n: Vec<u8> = var.split(',').map(|x| x.parse().unwrap()).collect();
    let budget = Budget { crashes: n[0], faults: n[1], outages: n[2], interruptions: n[3], owner_changes: n[4], rollbacks: n[5], recreations: n[6], pauses: n[7] };
    let o = std::env::var("O").unwrap_or_default();
    if o.contains('X') { handler::EXACT.store(true, std::sync::atomic::Ordering::Relaxed); }
    let services = if o.contains('2') {2} else {1};
    let setup = Setup { budget, services, events: !o.contains('e'), stops_first: o.contains('p'), market: o.contains('m'), slow_handlers: o.contains('s'), owner_leaves_spot: !o.contains('n'), interruption_policy: if o.contains('f') { InterruptionPolicy::Shortfall } else { InterruptionPolicy::Immediate }, ..SMALL };
    explore("probe", setup);
}
