//! The README keeps its word: what it shows of a run is what a run prints.

use std::path::Path;

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
