//! The README keeps its word: what it shows of a run is what a run prints.

use std::path::Path;

use scenarios::{compare, file, library};

/// The scenarios whose comparison the README shows.
const COMPARED: [&str; 3] = ["spot-outage", "silent-loss", "restore-into-shortage"];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_transcript_in_the_readme_is_an_excerpt_of_the_reviewed_timeline() {
    let readme = read("../README.md");
    let (_, after) =
        readme.split_once("every expectation of the scenario holds:\n\n```text\n").expect("there is a transcript");
    let (transcript, _) = after.split_once("```").expect("the transcript ends");
    let story = read("tests/snapshots/spot-outage.snap");
    let mut story = story.lines();
    let mut lines = 0;
    for line in transcript.lines().filter(|line| *line != "…" && !line.is_empty()) {
        assert!(story.any(|told| told == line), "not in the timeline, or not in this order: {line}");
        lines += 1;
    }
    assert!(lines >= 10, "a transcript of {lines} lines shows nothing");
}

#[test]
fn every_file_the_readme_points_to_exists() {
    let readme = read("../README.md");
    let targets: Vec<&str> =
        readme.split("](").skip(1).filter_map(|rest| rest.split(')').next()).filter(|t| !t.contains("://")).collect();
    assert!(targets.len() > 5);
    for target in targets {
        let file = target.split('#').next().unwrap_or(target);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
        assert!(path.exists(), "{target} does not exist");
    }
}

/// `cargo xtask scenario --accept` writes it anew.
#[test]
fn the_comparison_in_the_readme_kept_as_a_file_is_what_the_scenarios_give() {
    let (begin, end) = ("<!-- compared: written by `cargo xtask scenario --accept` -->\n", "<!-- /compared -->");
    let comparisons: Vec<(&str, compare::Comparison)> = COMPARED
        .iter()
        .map(|name| {
            let path = library::find(name).expect("it is in the library");
            let scenario = file::load(&path).unwrap_or_else(|problem| panic!("{problem}"));
            (*name, compare::compare(&scenario).expect("the patterns are valid"))
        })
        .collect();
    let table = compare::markdown(&comparisons);
    let readme = read("../README.md");
    let (before, rest) = readme.split_once(begin).expect("the table has a place");
    let (shown, after) = rest.split_once(end).expect("the place has an end");
    if std::env::var("INSTA_UPDATE").as_deref() == Ok("always") {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
        std::fs::write(path, format!("{before}{begin}{table}{end}{after}")).expect("writable");
        return;
    }
    assert!(shown == table, "the README shows\n{shown}\nand the scenarios give\n{table}");
}
