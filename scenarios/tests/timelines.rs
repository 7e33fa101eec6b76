//! Every scenario of the library holds, and tells the story that was reviewed.
//!
//! The snapshots are the product's behaviour in prose: a transition that changes shows up as a diff. `cargo xtask scenario --accept`
//! accepts a new story.
//!
//! A fleet is played here with [`SCALED`] services instead of its thousands: all of them, in a build that is not optimised and with a
//! dozen seeds, would take an hour. `cargo xtask scenario fleet` plays it in full.

use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::path::Path;

use scenarios::file::Scenario;
use scenarios::report::Report;
use scenarios::{file, library, play};

/// Services of a fleet in these tests, whatever its file says. Enough for a timeline that speaks of many at once.
const SCALED: u32 = 60;

/// The scenario, and whether it is a fleet that was scaled.
fn load(named: &library::Named) -> (Scenario, bool) {
    let (scenario, scaled) = file::load_at_most(&named.path, SCALED).unwrap_or_else(|problem| panic!("{problem}"));
    (scenario, scaled.is_some())
}

#[test]
fn every_scenario_holds_and_tells_the_story_kept_as_a_file() {
    let all = library::all();
    assert!(!all.is_empty(), "the library is empty");
    // One after the other to the end: a change usually moves several stories, and all of them want review.
    let failed: Vec<String> =
        all.into_iter().filter(|named| catch_unwind(|| review(named)).is_err()).map(|named| named.name).collect();
    assert!(failed.is_empty(), "to be reviewed or mended: {failed:?}");
}

fn review(named: &library::Named) {
    let (scenario, scaled) = load(named);
    let note = if scaled { format!("\n\nPlayed with --services {SCALED}.") } else { String::new() };
    let about = scenario.about.clone() + &note;
    let played = play::play(scenario).expect("the product's event patterns are valid");
    let story = anstream::adapter::strip_str(&Report::of(&played).text()).to_string();
    insta::with_settings!({ description => about, omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(named.name.as_str(), story);
    });
    assert!(played.holds(), "{} does not hold:\n{story}", named.name);
}

#[test]
fn every_reviewed_story_has_its_scenario() {
    let names: BTreeSet<String> = library::all().into_iter().map(|named| named.name).collect();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    for entry in std::fs::read_dir(directory).expect("there are snapshots") {
        let name = entry.expect("readable").file_name().to_string_lossy().into_owned();
        let Some(name) = name.strip_suffix(".snap") else { continue };
        assert!(names.contains(name), "snapshot {name} has no scenario");
    }
}

#[test]
fn the_same_seed_tells_the_same_story_and_another_seed_another() {
    let story = |seed| {
        let path = library::find("spot-outage").expect("it exists");
        let mut scenario = file::load(&path).expect("it is valid");
        scenario.world.seed = seed;
        let played = play::play(scenario).expect("the patterns are valid");
        played.outcome.trace.iter().map(|entry| format!("{entry}\n")).collect::<String>()
    };
    assert_eq!(story(7), story(7));
    assert_ne!(story(7), story(8));
}

#[test]
fn every_scenario_holds_with_other_seeds_too() {
    for named in library::all() {
        for seed in 1..=12 {
            let (mut scenario, _) = load(&named);
            scenario.world.seed = seed;
            let played = play::play(scenario).expect("the patterns are valid");
            assert!(played.holds(), "{} with seed {seed}:\n{}", named.name, Report::of(&played).text());
        }
    }
}

#[test]
fn the_synthetic_event_of_the_original_design_drives_the_record_of_that_service() {
    let path = library::find("synthetic-placement-failure").expect("it exists");
    let played = play::play(file::load(&path).expect("it is valid")).expect("the patterns are valid");
    let first = played.outcome.audits.first().expect("a transition");
    assert_eq!(first.id, "903558039761::test-cluster2::test-cluster-service");
    assert_eq!(first.service, "arn:aws:ecs:ap-south-1:903558039761:service/test-cluster2/test-cluster-service");
}
