//! What the command line does besides playing one scenario: all of them, three at a time, as it goes, and a new one.

mod player;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use player::{scenario, stderr, stdout};
use scenarios::all::{Score, play_all};
use scenarios::library::Named;
use scenarios::report::Report;
use scenarios::watch::{self, Shown};
use scenarios::{file, library, new, play};

fn temporary(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// A scenario file of these tests: one of the library with one text replaced.
fn changed(name: &str, from: &str, to: &str) -> Named {
    let text = std::fs::read_to_string(library::find("spot-interruption").expect("it exists")).expect("readable");
    assert!(text.contains(from), "{from} is not in the file");
    let path = temporary(&format!("{name}.toml"));
    std::fs::write(&path, text.replacen(from, to, 1)).expect("writable");
    Named { name: name.into(), path }
}

fn played(all: &[Named]) -> (Score, String) {
    let mut lines = String::new();
    let score = play_all(all, None, |line| lines += &format!("{}\n", anstream::adapter::strip_str(line)));
    (score, lines)
}

#[test]
fn all_are_played_and_told_in_their_order_whichever_ends_first() {
    let slow = Named { name: "slow".into(), path: library::find("event-storm").expect("it exists") };
    let quick = changed("quick", "title", "title");
    let (score, lines) = played(&[slow, quick.clone(), quick]);
    assert_eq!(score, Score::AllHold, "{lines}");
    let names: Vec<&str> = lines.lines().filter_map(|line| line.split("  ").next()).collect();
    assert_eq!(names[..3], ["slow ", "quick", "quick"].map(str::trim), "{lines}");
    assert!(lines.lines().take(3).all(|line| line.contains("holds") && line.contains("forced")), "{lines}");
    assert!(lines.contains("3 of 3 scenarios hold"), "{lines}");
}

#[test]
fn of_one_that_is_broken_the_reason_is_told_at_the_end() {
    let broken = changed("broken", "failovers       = 1", "failovers       = 3");
    let (score, lines) = played(&[broken, changed("sound", "title", "title")]);
    assert_eq!(score, Score::SomeBroken);
    let (_, reason) = lines.split_once("sound ").expect("the other is played all the same");
    assert!(reason.contains("expected failovers: 3, found 1"), "{lines}");
    assert!(lines.contains("1 of 2 scenarios hold"), "{lines}");
}

#[test]
fn of_one_that_cannot_be_read_the_mistake_is_shown_with_its_line() {
    let wrong = changed("wrong", "duration", "durations");
    let (score, lines) = played(&[wrong, changed("sound-too", "title", "title")]);
    assert_eq!(score, Score::SomeUnreadable);
    assert!(lines.contains("did you mean `duration`?") && lines.contains("sound-too  holds"), "{lines}");
}

#[test]
fn a_comparison_shows_three_runs_of_one_world_and_exits_as_the_third_deserves() {
    let output = scenario(&["spot-outage", "--compare"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("no automation  proof of concept     Spot Recovery"), "{text}");
    assert!(text.contains("with Spot Recovery the scenario holds") && !text.contains('\u{1b}'), "{text}");
    let output = scenario(&["spot-outage", "--compare", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let of = |run: usize, what: &str| json["runs"][run].pointer(what).expect("it is there").clone();
    assert_eq!(of(0, "/automation"), "none");
    assert_eq!(of(0, "/figures/deployments_forced/total"), 0);
    assert_eq!(of(0, "/violations").as_array().map(Vec::len), Some(0));
    let availability = |run| of(run, "/figures/availability").as_f64().expect("a number");
    assert!(availability(0) < 0.9 && availability(2) > 0.99);
    // It keeps the services up, and forgets what it has to restore.
    assert!(availability(1) > 0.99 && of(1, "/left_behind") == 4 && of(2, "/left_behind") == 0);
    assert!(!of(1, "/violations").as_array().expect("a list").is_empty());
    assert!(of(1, "/slowest_way_back_ms").is_null() && of(2, "/slowest_way_back_ms").is_u64());

    let broken = changed("compared", "failovers       = 1", "failovers       = 3");
    let output = scenario(&[broken.path.to_str().expect("UTF-8"), "--compare"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("with Spot Recovery the scenario does not hold"), "{}", stdout(&output));
}

#[test]
fn what_the_comparison_says_of_spot_recovery_is_what_a_run_says() {
    let run = |arguments: &[&str]| -> serde_json::Value {
        serde_json::from_str(&stdout(&scenario(arguments))).expect("JSON")
    };
    let compared = run(&["spot-outage", "--compare", "--json"]);
    assert_eq!(compared["runs"][2]["figures"], run(&["spot-outage", "--json"])["figures"]);
}

#[test]
fn a_run_is_shown_line_by_line_at_its_times_and_ends_with_what_became_of_it() {
    #[expect(clippy::disallowed_methods, reason = "a showing goes by the wall clock")]
    let began = Instant::now();
    let output = scenario(&["spot-interruption", "--watch", "--speed", "14400"]);
    // Two hours at 14,400 seconds a second.
    assert!(began.elapsed() >= Duration::from_millis(500));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let (shown, whole) = (stdout(&output), stdout(&scenario(&["spot-interruption"])));
    // Piped, nothing is drawn over.
    assert!(!shown.contains(['\r', '\u{1b}']));
    let after_the_head = |text: &str| text.split_once("\n\n").expect("a head").1.to_owned();
    assert_eq!(after_the_head(&shown), after_the_head(&whole));
}

#[test]
fn a_showing_that_is_stopped_says_so_and_leaves_no_half_line() {
    let scenario = file::load(&library::find("spot-interruption").expect("it exists")).expect("it is valid");
    let duration = scenario.duration;
    let report = Report::of(&play::play(scenario).expect("the patterns are valid"));
    let (sender, stop) = std::sync::mpsc::channel();
    sender.send(()).expect("somebody listens");
    let mut out = Vec::new();
    let shown = watch::show(&report, duration, 1.0, true, &stop, &mut out).expect("memory can be written");
    assert_eq!(shown, Shown::Stopped);
    assert!(out.ends_with(b"\r\x1b[2K"), "the clock is taken away");
}

#[test]
fn a_new_file_plays_and_holds_and_is_never_overwritten() {
    let path = temporary("new-outage.toml");
    let _ = std::fs::remove_file(&path);
    let text = path.to_str().expect("UTF-8");
    let output = scenario(&["--new", text]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("new-outage.toml"), "{}", stdout(&output));
    let written = std::fs::read_to_string(&path).expect("readable");
    assert!(written.contains("title = \"new outage\""), "{written}");
    let schema = written.lines().next().and_then(|line| line.strip_prefix("#:schema ")).expect("the first line");
    assert!(Path::new(schema).is_file(), "{schema}");
    let output = scenario(&[text]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));

    let output = scenario(&["--new", text]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("is there already and is left as it is"), "{}", stderr(&output));
    assert_eq!(std::fs::read_to_string(&path).expect("readable"), written);
}

#[test]
fn a_name_that_no_scenario_can_have_is_refused() {
    for name in ["", "Spot", "../up", "spot outage", "cargo", "insta", "-x", "1st", "ümlaut", ".toml"] {
        assert!(matches!(new::create(name), Err(new::NewError::Name(_))), "{name:?}");
    }
    let output = scenario(&["--new", "no/such/directory/x.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("cannot write no/such/directory/x.toml"), "{}", stderr(&output));
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    for arguments in [
        &["--all", "spot-outage"][..],
        &["--all", "--json"],
        &["--all", "--services", "5"],
        &["--list", "--all"],
        &["--compare"],
        &["--watch"],
        &["spot-outage", "--compare", "--watch"],
        &["spot-outage", "--watch", "--json"],
        &["spot-outage", "--speed", "2"],
        &["spot-outage", "--watch", "--speed", "0"],
        &["spot-outage", "--watch", "--speed", "inf"],
        &["spot-outage", "--new", "x"],
        &["--new"],
    ] {
        let output = scenario(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}
