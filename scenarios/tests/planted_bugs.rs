//! The checks can fail: each classic mistake of systems like this one, planted around the production handlers, is found by a
//! scenario of the library that holds without it. The table of who finds what is `docs/planted-bugs.md`.

use std::fmt::Write;

use scenarios::file::Scenario;
use scenarios::play::{Play, play};
use scenarios::{file, library};
use simulator::planted::Bug;

/// Which scenario finds a bug, and the first check that does.
const FOUND_BY: &[(Bug, &str, &str)] = &[
    (Bug::SavesWhatIsLive, "event-storm", "saved original is"),
    (Bug::RestoresOnEveryTick, "on-demand-short-too", "deployments forced"),
    (Bug::SteadyMeansSpotIsBack, "restore-into-shortage", "more than"),
    (Bug::DoneWhenUpdateReturns, "restore-into-shortage", "restore is under way"),
    (Bug::BackoffNeverGrows, "restore-into-shortage", "more than"),
    (Bug::BackoffGrowsPerEvent, "event-storm", "ends on its original strategy"),
    (Bug::DeafDuringDeployments, "restore-min-healthy-zero", "availability"),
    (Bug::WatchesNothing, "silent-loss", "failover within"),
    (Bug::BaseIsLost, "spot-outage", "neither the owner's"),
    (Bug::KeyWithoutAccount, "same-name-other-account", "saved original is"),
    (Bug::BelievesAnyone, "forged-event", "lost nothing"),
    (Bug::BelievesOldEvents, "stale-events", "lost nothing"),
    (Bug::NoiseIsLoss, "az-rebalancing", "lost nothing"),
    (Bug::CrashesAreLoss, "crash-looping-application", "failovers: 0"),
    (Bug::RetriesUpdate, "event-storm", "second UpdateService"),
    (Bug::WritesUnconditionally, "many-events-one-failover", "forced without a change"),
    (Bug::IgnoresLeases, "many-events-one-failover", "forced without a change"),
    (Bug::ForgetsForce, "spot-outage", "does not force"),
    (Bug::ForcesWhatIsRight, "event-storm", "without a change of strategy"),
    (Bug::SendsDesiredCount, "spot-outage", "desired count"),
    (Bug::OverwritesOwners, "owner-changes-strategy", "neither the owner's"),
    (Bug::RecreatedHasAPast, "recreated-service", "failovers"),
    (Bug::NeverProbes, "restore-into-silence", "availability"),
    (Bug::TakesEveryController, "unsupported-services", "failovers: 0"),
    (Bug::DropsTheForbidden, "role-missing", "failover within"),
    (Bug::IgnoresOptOut, "owner-changes-strategy", "opted out"),
    (Bug::IgnoresKillSwitch, "kill-switch", "failovers: 0"),
];

/// A bug that takes bad luck to show is found with one of so many seeds.
const SEEDS: u64 = 40;

fn scenario(name: &str) -> Scenario {
    file::load(&library::find(name).unwrap()).unwrap()
}

fn played_with(bug: Bug, seed: u64, mut scenario: Scenario) -> Play {
    scenario.facts.planted = Some(bug);
    scenario.world.seed = seed;
    play(scenario).unwrap()
}

/// Every check that fails: the oracle's first, each in words.
fn failures(played: &Play) -> Vec<String> {
    let verdicts = played.verdicts.iter().filter(|v| !v.holds);
    let verdicts = verdicts.map(|v| format!("{}: {}, found {}", v.service, v.expected, v.found));
    played.outcome.violations.iter().cloned().chain(verdicts).collect()
}

#[test]
fn every_planted_bug_is_found_by_the_check_that_is_there_for_it() {
    let mut wrong = String::new();
    for bug in Bug::ALL {
        let Some((_, name, check)) = FOUND_BY.iter().find(|(found, ..)| found == bug) else {
            writeln!(wrong, "{bug:?} is in no scenario").unwrap();
            continue;
        };
        assert!(play(scenario(name)).unwrap().holds(), "{name} does not hold without a bug");
        let found = |seed| failures(&played_with(*bug, seed, scenario(name)));
        if !(1..=SEEDS).any(|seed| found(seed).iter().any(|failure| failure.contains(check))) {
            writeln!(wrong, "{bug:?} in {name}: no {check:?} in {:#?}", found(1)).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Bug, where it was seen, what finds it: made from the code, so that it cannot drift. `cargo xtask scenario --accept` writes it anew.
#[test]
fn the_table_of_planted_bugs_kept_as_a_file_says_what_is_tested() {
    let mut table = String::from(
        "# Planted bugs\n\n\
         Can the checks fail? Each of these mistakes was made by somebody. `simulator/src/planted.rs` plants them around the \
         production handlers, one\nat a time; no program that is built or shipped contains them. \
         `scenarios/tests/planted_bugs.rs` plays the scenario named with the bug in place and\nwants it found by this check: \
         an expectation of the scenario file, or an invariant of the oracle (`simulator/src/oracle.rs`). Without the bug the\n\
         scenario holds.\n\n\
         | the mistake | seen in | found by the scenario | with the words |\n| --- | --- | --- | --- |\n",
    );
    for (bug, name, check) in FOUND_BY {
        writeln!(table, "| {} | {} | `{name}` | {check} |", bug.mistake(), bug.source()).unwrap();
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/planted-bugs.md");
    if std::env::var("INSTA_UPDATE").as_deref() == Ok("always") {
        std::fs::write(path, &table).unwrap();
    }
    assert!(std::fs::read_to_string(path).is_ok_and(|page| page == table), "docs/planted-bugs.md is out of date");
}
