//! The command line as a person or a script meets it: output, exit codes, errors.

mod player;

use std::path::{Path, PathBuf};

use player::{scenario, stderr, stdout};

/// A scenario file of this test's own, a base scenario with one text replaced.
fn changed(test: &str, from: &str, to: &str) -> PathBuf {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("spot-outage.toml")).expect("readable");
    assert!(text.contains(from), "{from} is not in the file");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}.toml"));
    std::fs::write(&path, text.replacen(from, to, 1)).expect("writable");
    path
}

#[test]
fn a_scenario_that_holds_exits_0_and_says_so_without_colour_when_piped() {
    let output = scenario(&["spot-outage"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("all 17 expectations hold"), "{}", stdout(&output));
    assert!(!stdout(&output).contains('\u{1b}'));
    assert!(output.stderr.is_empty());
}

#[test]
fn a_broken_expectation_exits_1_and_says_which_what_was_expected_and_what_was_found() {
    let path = changed("broken-expectation", "failover_within  = \"2m\"", "failover_within  = \"1s\"");
    let output = scenario(&[path.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    let broken: Vec<&str> = text.lines().filter(|line| line.starts_with("BROKEN")).collect();
    assert_eq!(broken.len(), 4, "{text}");
    assert!(broken[0].contains("111111111111/web/checkout"), "{text}");
    assert!(broken[0].contains("failover within 1s") && broken[0].contains("found: "), "{text}");
    assert!(text.contains("4 of 17 expectations are broken"), "{text}");
}

#[test]
fn a_mistake_in_the_file_exits_2_and_points_at_it() {
    let path = changed("mistake", "duration = \"3h\"", "duration = \"10 minuts\"");
    let output = scenario(&[path.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stdout(&output).is_empty());
    let error = stderr(&output);
    assert!(error.contains("mistake.toml:9:12") && error.contains("^^^") && error.contains("minutes"), "{error}");
}

#[test]
fn an_unknown_name_exits_2_and_suggests_the_nearest() {
    let output = scenario(&["spot-outge"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("did you mean \"spot-outage\"?"), "{}", stderr(&output));
    let output = scenario(&["no/such/file.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("no/such/file.toml"), "{}", stderr(&output));
    assert_eq!(scenario(&[]).status.code(), Some(2));
    assert_eq!(scenario(&["spot-outage", "--seed", "many"]).status.code(), Some(2));
}

#[test]
fn a_fleet_is_scaled_by_the_command_line_and_told_in_few_lines() {
    let output = scenario(&["fleet", "--services", "50", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let run: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!(run["expectations"].as_array().map(Vec::len), Some(4));
    assert_eq!(run["expectations"][0]["service"], "50 services");
    assert!(run["timeline"].as_array().is_some_and(|lines| lines.len() <= 60), "{}", run["timeline"]);

    let output = scenario(&["spot-outage", "--services", "50"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("the scenario has no [[fleet]] to scale"), "{}", stderr(&output));
    assert_eq!(scenario(&["fleet", "--services", "0"]).status.code(), Some(2));
}

#[test]
fn the_list_names_every_scenario_with_its_title() {
    let output = scenario(&["--list"]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    for (name, title) in [
        ("spot-outage", "Spot vanishes for 40 minutes"),
        ("spot-interruption", "Two Spot tasks are interrupted"),
        ("synthetic-placement-failure", "A synthetic placement failure drives the whole pipeline"),
    ] {
        assert!(text.lines().any(|line| line.starts_with(name) && line.ends_with(title)), "{text}");
    }
}

#[test]
fn json_holds_the_whole_run_and_the_seed_is_taken_from_the_command_line() {
    let run = |seed: &str| -> serde_json::Value {
        let output = scenario(&["spot-outage", "--json", "--seed", seed]);
        assert_eq!(output.status.code(), Some(0));
        serde_json::from_str(&stdout(&output)).expect("JSON")
    };
    let (one, two) = (run("5"), run("6"));
    assert_eq!(one["seed"], 5);
    assert_eq!(one["holds"], true);
    assert_eq!(one["services"].as_array().map(Vec::len), Some(5));
    assert_eq!(one["expectations"].as_array().map(Vec::len), Some(17));
    assert!(one["timeline"].as_array().is_some_and(|lines| lines.len() > 40));
    assert_ne!(one["timeline"], two["timeline"]);
    assert_eq!(one, run("5"));
}

#[cfg(feature = "sdk")]
#[test]
fn a_scenario_played_through_the_sdk_prints_the_same() {
    let output = scenario(&["spot-interruption", "--via", "sdk"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), stdout(&scenario(&["spot-interruption"])));
}

#[cfg(not(feature = "sdk"))]
#[test]
fn a_build_without_the_sdk_says_how_to_get_one_that_has_it() {
    let output = scenario(&["spot-interruption", "--via", "sdk"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("cargo xtask scenario NAME --via sdk"), "{}", stderr(&output));
}
