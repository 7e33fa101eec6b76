//! Files that code generates, because of their size or their bytes, and paths that are not files.

use std::fs;
use std::path::{Path, PathBuf};

use insta::assert_snapshot;
use proptest::prelude::*;
use proptest::sample::Index;
use scenarios::file::{self, MAX_BYTES};

use super::{GOOD, INTERRUPTION, OUTAGE, SYNTHETIC};

/// What is printed for [`GOOD`] with the first `from` replaced by `to`.
fn shown(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from} is not in the good file");
    refused(&GOOD.replacen(from, to, 1))
}

fn refused(text: &str) -> String {
    super::refused(text).unwrap_or_else(|problem| panic!("{problem}"))
}

/// What is printed for a file of these bytes, without the directory it is in.
fn loaded(name: &str, bytes: &[u8]) -> String {
    let path = temporary(name);
    fs::write(&path, bytes).unwrap();
    let shown = file::load(&path).expect_err("the file is wrong").to_string();
    fs::remove_file(&path).unwrap();
    shown.replace(&path.display().to_string(), name)
}

pub(crate) fn temporary(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()))
}

#[test]
fn a_file_that_is_not_there() {
    assert_snapshot!(file::load(Path::new("no/such.toml")).unwrap_err(), @r#"
    error: cannot read no/such.toml: there is no such file
    help: check the path, or list the scenarios with --list
    "#);
}

#[test]
fn a_directory() {
    assert_snapshot!(file::load(Path::new("src")).unwrap_err(), @r#"
    error: cannot read src: it is a directory
    help: name one of the .toml files in it
    "#);
}

#[test]
fn a_file_of_ten_megabytes() {
    let line = "# a comment of this length is repeated until the file is large\n";
    assert_snapshot!(loaded("huge.toml", line.repeat(10_000_000 / line.len()).as_bytes()), @r#"
    error: the file is too large: a scenario is at most 1 MiB
         --> huge.toml:16645:5
          |
    16645 | # a c
          |     ^ 1 MiB ends here
    "#);
}

#[test]
fn ten_megabytes_on_one_line() {
    assert_snapshot!(loaded("huge-line.toml", &vec![b'x'; 10_000_000]), @r#"
    error: the file is too large: a scenario is at most 1 MiB
     --> huge-line.toml:1:1048577
      |
    1 | ...xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
      |                                                            ^ 1 MiB ends here
    "#);
}

#[test]
#[cfg(unix)]
fn a_file_that_never_ends() {
    assert!(file::load(Path::new("/dev/zero")).unwrap_err().to_string().contains("too large"));
}

#[test]
fn a_file_that_is_not_utf8() {
    let mut bytes = GOOD.as_bytes().to_vec();
    bytes[14] = 0xff;
    assert_snapshot!(loaded("latin.toml", &bytes), @r#"
    error: the file is not UTF-8 text
     --> latin.toml:1:15
      |
    1 | title    = "A �est"
      |               ^ this is not a character
      |
      = help: save the file as UTF-8
    "#);
}

#[test]
fn a_file_in_utf16() {
    let bytes: Vec<u8> = std::iter::once(0xfeff).chain(GOOD.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    assert_snapshot!(loaded("notepad.toml", &bytes), @r#"
    error: the file is not UTF-8 text
     --> notepad.toml:1:1
      |
    1 | ��t␀i␀t␀l␀e␀ ␀ ␀ ␀ ␀=␀ ␀"␀A␀ ␀t␀e␀s␀t␀"␀
      | ^ this is not a character
      |
      = help: save the file as UTF-8
    "#);
}

#[test]
fn a_mistake_in_a_line_of_500_kilobytes() {
    let item = r#"{ provider = "FARGATE", weight = 1 }, "#;
    let long = format!("[{}{{ provider = 'FARGATE', wieght = 1 }}, {}]", item.repeat(7_000), item.repeat(6_000));
    assert_snapshot!(shown(r#"[{ provider = "FARGATE", weight = 1 }]"#, &long), @r#"
    error: unknown key `wieght` in a strategy item
      --> test.toml:17:266037
       |
    17 | ... "FARGATE", weight = 1 }, { provider = 'FARGATE', wieght = 1 }, { provider = "FARGATE", weight = 1 }, { provider = "FARGATE", wei...
       |                                                      ^^^^^^ did you mean `weight`?
       |
       = help: known here: provider, weight, base
    "#);
}

#[test]
fn a_value_of_500_kilobytes() {
    assert_snapshot!(shown("3h", &"9".repeat(500_000)), @r#"
    error: `duration` = "999999999999999999999999999999999999999999999999999999999999..." is out of range
     --> test.toml:2:12
      |
    2 | duration = "9999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999...
      |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ allowed is 1s to 31d
    "#);
}

#[test]
fn a_key_of_500_kilobytes() {
    assert_snapshot!(shown("desired", &"d".repeat(500_000)), @"
    error: unknown key `dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd...` in [[service]]
     --> test.toml:9:1
      |
    9 | ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd...
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ not a key of this table
      |
      = help: known here: account, cluster, name, desired, cpu, strategy, launch_type, scheduling, minimum_healthy_percent, maximum_percent, stop_timeout, deregistration_delay, zones, zone_rebalancing, circuit_breaker, alarms, autoscaling, terraform, controller, cluster_providers
    ");
}

#[test]
fn two_places_far_apart_on_one_line() {
    let long = format!("'111111111111', {}'111111111111'", " ".repeat(200_000));
    assert_snapshot!(shown(r#""111111111111", "222222222222""#, &long), @r#"
    error: `accounts` = "111111111111" is listed twice
     --> test.toml:3:200029
      |
    3 | ...                                                  '111111111111']
      |                                                      ^^^^^^^^^^^^^^ the second one
    "#);
}

#[test]
fn brackets_nested_a_hundred_thousand_deep() {
    assert_snapshot!(refused(&format!("x = {}", "[".repeat(100_000))), @r#"
    error: the file is nested too deeply
     --> test.toml:1:85
      |
    1 | x = [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[...
      |                                                                                     ^ at most 80 levels are allowed
    "#);
    refused(&"[".repeat(100_000));
    refused(&format!("x = {}", "{a=".repeat(100_000)));
    refused(&format!("x = {}{}", "[".repeat(79), "]".repeat(79)));
}

#[test]
fn a_key_of_a_hundred_thousand_parts() {
    assert_snapshot!(refused(&format!("title = 'x'\na{} = 1", ".a".repeat(100_000))), @r#"
    error: the file is nested too deeply
     --> test.toml:2:1
      |
    2 | a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a...
      | ^ at most 80 levels are allowed
    "#);
    refused(&format!("[a{}]", ".a".repeat(100_000)));
}

#[test]
fn control_characters_never_reach_the_terminal() {
    for hostile in ["\u{1b}[2J", "\u{9b}2J", "\u{7}", "\0", "\u{202e}", "\r"] {
        for place in ["\"A test\"", "desired ", "\"3h\"", "\"checkout\"", "title"] {
            for text in [hostile.to_owned(), format!("\"{hostile}\""), format!("# {hostile}\n{hostile}")] {
                let Err(problem) = file::parse(hostile, &GOOD.replacen(place, &text, 1)) else { continue };
                let shown = problem.to_string();
                assert!(!shown.chars().any(|c| c.is_control() && c != '\n' || c == '\u{202e}'), "{shown:?}");
            }
        }
    }
}

#[test]
fn a_byte_order_mark_and_carriage_returns_are_accepted() {
    let windows = format!("\u{feff}{}", GOOD.replace('\n', "\r\n"));
    file::parse("windows.toml", &windows).unwrap();
    assert_snapshot!(refused(&windows.replacen("desired ", "desird ", 1)), @"
    error: unknown key `desird` in [[service]]
     --> test.toml:9:1
      |
    9 | desird  = 6
      | ^^^^^^ did you mean `desired`?
      |
      = help: known here: account, cluster, name, desired, cpu, strategy, launch_type, scheduling, minimum_healthy_percent, maximum_percent, stop_timeout, deregistration_delay, zones, zone_rebalancing, circuit_breaker, alarms, autoscaling, terraform, controller, cluster_providers
    ");
    assert_snapshot!(refused(&windows.replacen("title ", "titel ", 1)), @r#"
    error: unknown key `titel` in the scenario
     --> test.toml:1:1
      |
    1 | titel    = "A test"
      | ^^^^^ did you mean `title`?
      |
      = help: known here: title, about, seed, duration, region, central, accounts, synthetic_from, restore_schedule, policy, faults, quotas, service, fleet, at, expect
    "#);
}

#[test]
fn the_largest_file_is_read() {
    let text = format!("{GOOD}{}", "#".repeat(MAX_BYTES - GOOD.len()));
    assert!(file::parse("large.toml", &text).is_ok());
    assert!(file::parse("large.toml", &format!("{text}#")).is_err());
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_with_a_place(text in any::<String>()) {
        check(&text)?;
    }

    #[test]
    fn a_damaged_scenario_is_read_or_refused_with_a_place(
        file in prop::sample::select(&[OUTAGE, INTERRUPTION, SYNTHETIC]),
        damages in prop::collection::vec((any::<Index>(), 0..40_usize, damage()), 1..4),
    ) {
        let mut text: Vec<char> = file.chars().collect();
        for (at, length, inserted) in damages {
            let from = at.index(text.len() + 1);
            let to = (from + length).min(text.len());
            text.splice(from..to, inserted.chars());
        }
        check(&text.into_iter().collect::<String>())?;
    }
}

/// Noise, or a word of the real files: that gets past the TOML parser more often.
fn damage() -> impl Strategy<Value = String> {
    let words: Vec<String> = OUTAGE.split_whitespace().chain(SYNTHETIC.split_whitespace()).map(str::to_owned).collect();
    prop_oneof!["[\\[\\]{}=\"'.,\n\r\t0-9a-z-]{0,6}", any::<String>(), prop::sample::select(words)]
}

fn check(text: &str) -> Result<(), TestCaseError> {
    if let Err(problem) = file::parse("any.toml", text) {
        let (line, column) = problem.place().expect("a text always has a place");
        let shown = problem.to_string();
        prop_assert!(shown.contains(&format!("any.toml:{line}:{column}")), "{line}:{column} is not in\n{shown}");
        prop_assert!(shown.len() < 20_000);
        prop_assert!(!problem.coloured().is_empty());
    }
    Ok(())
}
