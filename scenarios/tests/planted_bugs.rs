//! The checks can fail: each classic mistake of systems like this one, planted around the production handlers, is found by a
//! scenario of the library that holds without it. The table of who finds what is `docs/planted-bugs.md`.

use std::fmt::Write;

use std::rc::Rc;

use scenarios::file::Scenario;
use scenarios::play::{Play, play, play_with};
use scenarios::{file, library};
use simulator::planted::{Bug, PlantedHandlers};

/// Which scenario finds a bug, and the first check that does. Each bug is here at least once.
const FOUND_BY: &[(Bug, &str, &str)] = &[
    (Bug::SavesWhatIsLive, "silent-rebalance", "saved original is"),
    (Bug::RestoresOnEveryTick, "on-demand-short-too", "deployments forced"),
    (Bug::SteadyMeansSpotIsBack, "restore-into-shortage", "more than"),
    (Bug::DoneWhenUpdateReturns, "restore-into-shortage", "restore is under way"),
    (Bug::BackoffNeverGrows, "restore-into-shortage", "more than"),
    (Bug::BackoffGrowsPerEvent, "restore-that-only-drains", "restored within"),
    (Bug::DeafDuringDeployments, "restore-min-healthy-zero", "availability"),
    (Bug::WatchesNothing, "silent-loss", "failover within"),
    (Bug::BaseIsLost, "spot-outage", "neither the owner's"),
    (Bug::KeyWithoutAccount, "same-name-other-account", "saved original is"),
    (Bug::BelievesAnyone, "forged-event", "lost nothing"),
    (Bug::BelievesOldEvents, "stale-events", "lost nothing"),
    (Bug::NoiseIsLoss, "az-rebalancing", "lost nothing"),
    (Bug::CrashesAreLoss, "crash-looping-application", "failovers: 0"),
    (Bug::RetriesUpdate, "event-storm", "second UpdateService"),
    (Bug::WritesUnconditionally, "becomes-blue-green-on-the-fallback", "without a claim in force"),
    (Bug::IgnoresLeases, "many-events-one-failover", "without a claim in force"),
    (Bug::ForgetsForce, "spot-outage", "does not force"),
    (Bug::ForcesWhatIsRight, "spot-interruption", "without a claim in force"),
    (Bug::SendsDesiredCount, "spot-outage", "desired count"),
    (Bug::OverwritesOwners, "owner-changes-strategy", "neither the owner's"),
    (Bug::RecreatedHasAPast, "recreated-service", "failovers"),
    (Bug::NeverProbes, "restore-into-silence", "availability"),
    (Bug::TakesEveryController, "unsupported-services", "failovers: 0"),
    (Bug::DropsTheForbidden, "role-missing", "failover within"),
    (Bug::IgnoresOptOut, "owner-changes-strategy", "opted out"),
    (Bug::ForgetsTheOptedOut, "opted-out-for-a-while", "ends on its original strategy"),
    (Bug::IgnoresKillSwitch, "kill-switch", "failovers: 0"),
    (Bug::AnnouncesToNobody, "spot-outage", "never announced"),
    (Bug::OursForEver, "owner-pins-on-demand", "neither the owner's"),
    (Bug::GuessesRollbacks, "owner-applies-after-a-failover", "availability"),
    (Bug::DeafWhileHeld, "role-missing-for-seconds", "failover within"),
    (Bug::CarriesOutOldClaims, "claim-never-carried-out", "failover within"),
    (Bug::RestoresIntoReleases, "restore-during-a-release", "into a release"),
    (Bug::RestoresNeverEnd, "restore-during-a-release", "restored within"),
    (Bug::TakesEveryController, "becomes-blue-green-on-the-fallback", "deployments forced"),
    (Bug::SlowIsFailed, "restore-that-only-drains", "deployments forced"),
    (Bug::OursBeforeTheFirst, "pinned-while-refused", "ends on the strategy given"),
    (Bug::ForgetsPins, "pin-rolled-back", "ends on the strategy given"),
    (Bug::ForgetsTheOptedOutAndHeld, "opted-out-and-out-of-sight", "ends on its original strategy"),
    (Bug::ForgetsTheRollback, "blue-green-after-a-rollback", "ends on the strategy given"),
    (Bug::ForgetsWhatWasLive, "opted-out-and-chosen-unseen", "ends on the strategy given"),
    (Bug::WaitsThoughShort, "on-demand-short-spot-soon-back", "restored within"),
    (Bug::ScaledIsLate, "scale-out-during-a-drain", "deployments forced"),
    (Bug::LosesMarks, "account-loses-spot", "failover within"),
    (Bug::KeepsItsTurn, "account-loses-spot", "failover within"),
    (Bug::TakesEveryTurn, "account-loses-spot", "failover within"),
    (Bug::HandsNothingOn, "account-loses-spot", "failover within"),
    // The same once more, for the scenarios that are there for what these bugs do to them.
    (Bug::DoneWhenUpdateReturns, "restore-probation-fails", "failovers: 1"),
    (Bug::WatchesNothing, "silent-rebalance", "failover within"),
    (Bug::BaseIsLost, "base-and-blend-survive", "neither the owner's"),
    (Bug::SendsDesiredCount, "duplicate-event-keeps-baseline", "desired count"),
    (Bug::BackoffNeverGrows, "deployment-never-completes", "deployments forced"),
    (Bug::SendsDesiredCount, "autoscaling-during-failover", "desired count"),
    (Bug::SteadyMeansSpotIsBack, "scaled-to-zero", "deployments forced"),
    (Bug::RestoresOnEveryTick, "large-service-by-shortfall", "deployments forced"),
    (Bug::KeyWithoutCluster, "same-name-other-cluster", "saved original is"),
    (Bug::WatchesNothing, "forwarding-broken", "failovers: 2"),
    (Bug::WatchesNothing, "crash-loop", "failover within"),
    (Bug::NoiseIsLoss, "one-zone-short", "failovers: 0"),
    (Bug::TakesEveryController, "other-controllers", "deployments forced"),
    (Bug::BackoffNeverGrows, "spot-flapping", "deployments forced"),
    (Bug::SavesWhatIsLive, "spot-interruption", "saved original is"),
    (Bug::ForgetsForce, "synthetic-placement-failure", "does not force"),
    (Bug::DoneWhenUpdateReturns, "rollback-behind-our-back", "restore is under way"),
    (Bug::SendsDesiredCount, "terraform-re-applies", "desired count"),
    (Bug::DeafDuringDeployments, "terraform-during-an-outage", "failover within"),
    (Bug::SendsDesiredCount, "scale-out-during-probation", "desired count"),
];

/// What each scenario of the library is there for, and where the need was seen.
const NEEDS: &[(&str, &str, &str)] = &[
    (
        "owner-applies-after-a-failover",
        "A rollback by ECS is known by what ECS says, not guessed",
        "Spot Recovery itself",
    ),
    (
        "becomes-blue-green-on-the-fallback",
        "A service that became unsupported is left where it is, and that is told",
        "aws-facts.md §11.21",
    ),
    ("claim-never-carried-out", "A claim that was not carried out is decided anew", "Spot Recovery itself"),
    ("pinned-while-refused", "Before the first failover nothing of ours can come back", "Spot Recovery itself"),
    ("pin-rolled-back", "What ECS brings back in the place of an owner's choice may be ours", "Spot Recovery itself"),
    ("opted-out-and-out-of-sight", "A service that was left alone is not forgotten unseen", "Spot Recovery itself"),
    ("blue-green-after-a-rollback", "What ECS undid is not ours, also later", "Spot Recovery itself"),
    (
        "opted-out-and-chosen-unseen",
        "What one look showed counts when the next look comes late",
        "Spot Recovery itself",
    ),
    ("scale-out-during-a-drain", "A task that is on its way is not late", "aws-facts.md §11.11"),
    ("opted-out-for-a-while", "A service that was left alone is taken up again", "Spot Recovery itself"),
    ("owner-pins-on-demand", "An owner may choose what the recovery would", "Spot Recovery itself"),
    ("restore-during-a-release", "A release is waited for; a broken one is told, and ends", "aws-facts.md §11.15"),
    ("restore-that-only-drains", "Slow is not failed", "Spot Recovery itself"),
    ("role-missing-for-seconds", "A look that works again is the cure", "Spot Recovery itself"),
    ("account-loses-spot", "A storm of events is worked off at the pace that ECS allows", "aws-facts.md §4"),
    ("az-rebalancing", "The event of a shortage without a shortage changes nothing", "aws-facts.md §2.2"),
    (
        "autoscaling-during-failover",
        "The desired count is the auto scaler's, before, during and after",
        "aws-facts.md §11.11",
    ),
    ("base-and-blend-survive", "Base, weights and order come back to the letter", "aws-facts.md §11.12"),
    ("crash-loop", "Tasks that run and crash are the owner's matter", "architecture.md rule 7"),
    ("crash-looping-application", "So is an application that cannot start", "architecture.md rule 7"),
    ("deployment-never-completes", "Every wait has an end", "aws-facts.md §11.27"),
    ("duplicate-event-keeps-baseline", "A second event never overwrites what was saved", "aws-facts.md §11.1"),
    ("event-storm", "Events lost, late, twice; crashes; stale reads: the same end", "aws-facts.md §1.2, §2.5"),
    ("fleet", "Ten thousand restores pending, none forgotten, none at once", "aws-facts.md §7"),
    ("forged-event", "Nobody acts on a service of somebody else", "aws-facts.md §11.14"),
    ("forwarding-broken", "A lost event costs time, not correctness", "aws-facts.md §2.6"),
    ("kill-switch", "All changes stop at once, and nothing is forgotten", "docs/policy.md"),
    ("large-service-by-shortfall", "One interrupted task of many moves nobody", "architecture.md rule 10"),
    ("many-events-one-failover", "Handlers at once, one deployment", "architecture.md rule 2"),
    ("on-demand-quota-used-up", "No quota for On-Demand: held with the reason", "aws-facts.md §11.19"),
    ("on-demand-short-too", "Spot gone, then On-Demand: no ping-pong", "aws-facts.md §11.19"),
    (
        "on-demand-short-spot-soon-back",
        "Who is short everywhere tries Spot as soon as it may be",
        "Spot Recovery itself",
    ),
    ("one-zone-short", "One zone without Spot is an outage to whom it hits alone", "aws-facts.md §2.2"),
    ("other-controllers", "Services deployed by others are left alone", "architecture.md rule 11"),
    ("owner-changes-strategy", "What an owner sets, deploys, scales or opts out stands", "aws-facts.md §11.7"),
    ("recreated-service", "A service created anew has no past", "aws-facts.md §11.28"),
    (
        "restore-into-shortage",
        "The wait grows once per failed restore; steady on the fallback is not recovery",
        "aws-facts.md §11.3, §11.6; Spot Guard",
    ),
    ("restore-into-silence", "A restore that fails in silence costs one task", "aws-facts.md §11.6"),
    (
        "restore-min-healthy-zero",
        "Nor do failures during the deployment of the restore go unheard",
        "aws-facts.md §11.6; Spot Guard",
    ),
    ("restore-probation-fails", "A restore is done when it has held", "aws-facts.md §11.26"),
    ("role-missing", "No role: held, with what to do; the neighbour is not held up", "aws-facts.md §11.23"),
    ("rollback-behind-our-back", "A rollback by ECS is seen for what it is", "aws-facts.md §11.5"),
    ("same-name-other-account", "One state for each account's service", "aws-facts.md §11.18"),
    ("same-name-other-cluster", "And for each cluster's", "aws-facts.md §11.18"),
    ("scale-out-during-probation", "More tasks wanted is no loss", "aws-facts.md §11.11"),
    ("scaled-to-zero", "A restore of nothing proves nothing, and counts as failed", "aws-facts.md §11.26"),
    ("silent-loss", "Tasks gone without an event are missed all the same", "aws-facts.md §2.6"),
    ("silent-rebalance", "What comes back by itself needs no failover", "aws-facts.md §2.6"),
    ("spot-flapping", "The service does not follow the market up and down", "aws-facts.md §11.6"),
    (
        "spot-interruption",
        "Only the service that was interrupted moves, before its tasks stop",
        "a public failback script",
    ),
    ("spot-outage", "The base case: out, over, back", "the original design"),
    ("stale-events", "Old news changes nothing", "aws-facts.md §11.22"),
    ("stale-redrive", "Nor does a DLQ redriven hours later", "aws-facts.md §11.22"),
    (
        "synthetic-placement-failure",
        "The event of the original design drives the whole pipeline",
        "the original design",
    ),
    (
        "terraform-during-an-outage",
        "A forced apply in the outage is the owner's right, and no rollback",
        "aws-facts.md §11.7",
    ),
    ("terraform-re-applies", "A pipeline on a schedule and the recovery do not fight", "aws-facts.md §11.7"),
    ("unsupported-services", "What cannot be moved is held, each with its reason", "architecture.md rule 11"),
];

/// A bug that takes bad luck to show is found with one of so many seeds.
const SEEDS: u64 = 40;

fn scenario(name: &str) -> Scenario {
    file::load(&library::find(name).unwrap()).unwrap()
}

fn played_with(bug: Bug, seed: u64, mut scenario: Scenario) -> Play {
    scenario.world.seed = seed;
    play_with(scenario, Rc::new(PlantedHandlers(bug))).unwrap()
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
        if !FOUND_BY.iter().any(|(found, ..)| found == bug) {
            writeln!(wrong, "{bug:?} is in no scenario").unwrap();
        }
    }
    for (bug, name, check) in FOUND_BY {
        assert!(play(scenario(name)).unwrap().holds(), "{name} does not hold without a bug");
        let found = |seed| failures(&played_with(*bug, seed, scenario(name)));
        if !(1..=SEEDS).any(|seed| found(seed).iter().any(|failure| failure.contains(check))) {
            writeln!(wrong, "{bug:?} in {name}: no {check:?} in {:#?}", found(1)).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_scenario_of_the_library_is_there_for_a_need() {
    let needed: Vec<&str> = NEEDS.iter().map(|(name, ..)| *name).collect();
    let mut names: Vec<String> = library::all().into_iter().map(|named| named.name).collect();
    for name in &needed {
        assert!(names.iter().any(|known| known == name), "there is no scenario {name}");
    }
    names.retain(|name| !needed.contains(&name.as_str()));
    assert!(names.is_empty(), "not in the table of needs: {names:?}");
}

/// Bug, where it was seen, what finds it: made from the code, so that it cannot drift. `cargo xtask scenario --accept` writes it anew.
#[test]
fn the_table_of_planted_bugs_kept_as_a_file_says_what_is_tested() {
    let mut table = String::from(
        "# Planted bugs\n\n\
         Can the checks fail? Each of these mistakes was made by somebody. `simulator/src/planted.rs` plants them around the \
         production handlers, one\nat a time; no program that is built or shipped contains them. \
         `scenarios/tests/planted_bugs.rs` plays the scenario named with the bug in place and\nwants it found by this check: \
         an expectation of the scenario file, or an invariant of the oracle (`simulator/src/world/judge.rs`). Without the bug the\n\
         scenario holds.\n\n\
         | the mistake | seen in | found by the scenario | with the words |\n| --- | --- | --- | --- |\n",
    );
    for (bug, name, check) in FOUND_BY {
        writeln!(table, "| {} | {} | `{name}` | {check} |", bug.mistake(), bug.source()).unwrap();
    }
    table += "\n## What each scenario is there for\n\n\
              The last column has the bugs of the table above that it finds; a scenario without one is there for what it shows.\n\n\
              | scenario | need | seen in | fails with the planted bug |\n| --- | --- | --- | --- |\n";
    for (name, need, source) in NEEDS {
        let bugs: Vec<&str> =
            FOUND_BY.iter().filter(|(_, found_by, _)| found_by == name).map(|(bug, ..)| bug.mistake()).collect();
        let file = format!("[`{name}`](../scenarios/{name}.toml)");
        writeln!(table, "| {file} | {need} | {source} | {} |", bugs.join("; ")).unwrap();
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/planted-bugs.md");
    if std::env::var("INSTA_UPDATE").as_deref() == Ok("always") {
        std::fs::write(path, &table).unwrap();
    }
    assert!(std::fs::read_to_string(path).is_ok_and(|page| page == table), "docs/planted-bugs.md is out of date");
}
