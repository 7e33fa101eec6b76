//! Every scenario of the library, with three seeds, leaves the trace whose hash is kept as a file: every line of it, details included.
//!
//! A timeline shows a reader the course of a run; a hash shows that nothing else moved either. A change that is meant to leave
//! behaviour as it is leaves these files as they are. `cargo xtask scenario --accept` takes new ones.

use std::fmt::Write;

use scenarios::file::{self, Scenario};
use scenarios::library;
use sha2::{Digest, Sha256};
use simulator::facts::Facts;

/// The most services of a scenario here: of a larger fleet about as many are played.
const SCALED: u32 = 500;

fn load(named: &library::Named, seed: u64) -> Scenario {
    let (mut scenario, _) = file::load_at_most(&named.path, SCALED).unwrap_or_else(|problem| panic!("{problem}"));
    scenario.world.seed = seed;
    scenario
}

/// How many lines the trace of the scenario has, and their SHA-256.
fn trace(scenario: Scenario) -> (usize, String) {
    let facts = Facts { trace_details: true, ..scenario.facts };
    let outcome = simulator::run(scenario.world, facts, scenario.duration).expect("the patterns are valid");
    let (mut hash, mut line) = (Sha256::new(), String::new());
    for entry in &outcome.trace {
        line.clear();
        writeln!(line, "{entry}").expect("a string takes it");
        hash.update(&line);
    }
    let hash = hash.finalize().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    (outcome.trace.len(), hash)
}

fn review(seed: u64) {
    let mut table = String::new();
    for named in library::all() {
        let (lines, hash) = trace(load(&named, seed));
        writeln!(table, "{} {lines} {hash}", named.name).expect("a string takes it");
    }
    let name = format!("seed_{seed}");
    insta::with_settings!({ snapshot_path => "snapshots/traces", omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, table);
    });
}

// A test for each, so that they are played beside each other.
#[test]
fn every_trace_of_seed_1_has_the_hash_kept_as_a_file() {
    review(1);
}

#[test]
fn every_trace_of_seed_2_has_the_hash_kept_as_a_file() {
    review(2);
}

#[test]
fn every_trace_of_seed_3_has_the_hash_kept_as_a_file() {
    review(3);
}
