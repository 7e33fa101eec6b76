//! The report as a page, and the strips in a terminal, without a browser: what is embedded, how much of it, and where it goes.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use scenarios::file::Scenario;
use scenarios::play::{Play, play};
use scenarios::report::{Report, html, strips};
use scenarios::{file, library};

/// `services` services of one account on Spot alone, and what happens to them.
fn scenario(services: usize, desired: usize, happens: &str) -> Scenario {
    let mut text =
        "title = \"</script> & <b>\"\nseed = 1\nduration = \"30m\"\n[expect]\nmin_availability = 0.1\n".to_owned();
    for n in 0..services {
        write!(
            text,
            "[[service]]\naccount = \"111111111111\"\ncluster = \"web\"\nname = \"s{n}\"\ndesired = {desired}\n\
             strategy = [{{ provider = \"FARGATE_SPOT\", weight = 1 }}]\n"
        )
        .expect("writing to a string does not fail");
    }
    file::parse("drawn.toml", &(text + happens)).unwrap_or_else(|problem| panic!("{problem}"))
}

const OUTAGE: &str = "[[at]]\ntime = \"2m\"\nspot = { capacity = 0, loss = \"silent\" }\n\
                      [[at]]\ntime = \"6m\"\nspot = { capacity = \"unlimited\" }\n";

fn drawn(mut scenario: Scenario) -> Play {
    scenario.facts.series = true;
    play(scenario).expect("the product's event patterns are valid")
}

fn library(name: &str) -> Play {
    let path = library::find(name).expect("a scenario of the library");
    drawn(file::load(&path).unwrap_or_else(|problem| panic!("{problem}")))
}

#[test]
fn the_numbers_of_a_small_run_are_embedded_as_json() {
    let play = drawn(scenario(1, 2, OUTAGE));
    let report = Report::of(&play);
    let data: serde_json::Value =
        serde_json::from_str(&html::data(&play, &report, None, "cargo xtask scenario small --seed 1")).expect("JSON");
    // `run` is what --json prints, which has its own tests.
    let run =
        serde_json::to_string(&report).and_then(|run| serde_json::from_str::<serde_json::Value>(&run)).expect("JSON");
    assert_eq!(data["run"], run);
    let mut text = String::new();
    for key in ["replay", "services_in_all", "accounts", "world", "texts"] {
        writeln!(text, "{key}: {}", data[key]).expect("writing to a string does not fail");
    }
    for key in ["account", "counts", "phases", "marks"] {
        writeln!(text, "courses[0].{key}: {}", data["courses"][0][key]).expect("writing to a string does not fail");
    }
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false, snapshot_path => "snapshots/html" }, {
        insta::assert_snapshot!("small", text.replace("],[", "],\n  ["));
    });
}

#[test]
fn no_text_of_a_scenario_ends_the_element_it_stands_in() {
    let play = drawn(scenario(1, 1, ""));
    let page = html::page(&play, &Report::of(&play), None, "cargo xtask scenario '</script><!--' --seed 1");
    assert!(page.contains("<title>&lt;/script&gt; &amp; &lt;b&gt;</title>"));
    let (_, data) = page.split_once("id=\"data\">").expect("the data are embedded");
    let (data, _) = data.split_once("</script>").expect("their element ends");
    let data: serde_json::Value =
        serde_json::from_str(data).expect("all of the JSON comes before the end of its element");
    assert_eq!(data["run"]["title"], "</script> & <b>");
    assert_eq!(data["replay"], "cargo xtask scenario '</script><!--' --seed 1");
    assert_eq!(page.matches("</script>").count(), 2, "one ends the data, one the scripts");
}

#[test]
fn a_page_asks_for_nothing() {
    let play = drawn(scenario(1, 1, ""));
    let page = html::page(&play, &Report::of(&play), None, "");
    for fetched in ["http:", "https:", "//cdn", "<link", "src=", "@import", "url(\"", "fetch("] {
        let known = if fetched == "http:" { page.matches("http://www.w3.org/2000/svg").count() } else { 0 };
        assert_eq!(page.matches(fetched).count(), known, "{fetched} is in the page");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn a_page_of_five_hundred_services_stays_small() {
    let play = drawn(scenario(500, 6, OUTAGE));
    let page = html::page(&play, &Report::of(&play), None, "");
    assert!(page.len() > 500_000 && page.len() < 3 << 20, "{} bytes", page.len());
}

#[test]
fn of_very_many_services_the_least_available_are_drawn_and_the_others_counted() {
    let happens = "[[at]]\ntime = \"2m\"\ninterrupt = { service = \"web/s1003\", tasks = 1 }\n";
    let play = drawn(scenario(html::DRAWN + 5, 1, happens));
    let data = html::data(&play, &Report::of(&play), None, "");
    let data: serde_json::Value = serde_json::from_str(&data).expect("JSON");
    assert_eq!(data["services_in_all"], html::DRAWN + 5);
    let (courses, services) = (data["courses"].as_array(), data["run"]["services"].as_array());
    assert_eq!(courses.map(Vec::len), Some(html::DRAWN));
    let names = services.expect("services").iter().map(|service| service["service"].as_str().unwrap_or_default());
    assert!(names.clone().any(|name| name == "111111111111/web/s1003"), "the only one that lost a task is left out");
    assert!(!names.clone().any(|name| name == "111111111111/web/s1004"), "one too many is drawn");
}

#[test]
fn the_strips_of_a_run_tell_spot_from_on_demand_without_colour() {
    let play = library("spot-outage");
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false, snapshot_path => "snapshots/html" }, {
        insta::assert_snapshot!("strips", strips(&play, &Report::of(&play), 110, false));
    });
}

#[test]
fn strips_keep_to_the_width_and_colour_changes_no_column() {
    let play = library("owner-changes-strategy");
    let report = Report::of(&play);
    for width in [0, 20, 70, 80, 120, 300] {
        let (plain, coloured) = (strips(&play, &report, width, false), strips(&play, &report, width, true));
        assert!(!plain.contains('\u{1b}') && (plain.is_empty() || coloured.contains('\u{1b}')));
        assert_eq!(plain.is_empty(), width < 60, "{width}");
        let pictures = |text: &str| {
            let lines = text.lines().filter(|line| !line.contains("On-Demand,") && !line.contains("rollback"));
            lines.map(|line| anstream::adapter::strip_str(line).to_string().chars().count()).collect::<Vec<_>>()
        };
        assert_eq!(pictures(&plain), pictures(&coloured));
        assert!(pictures(&plain).into_iter().all(|length| length <= width), "wider than {width}:\n{plain}");
    }
}

#[test]
fn of_a_fleet_the_few_least_available_are_strips() {
    let play = drawn(scenario(60, 3, "[[at]]\ntime = \"2m\"\ninterrupt = { service = \"web/s59\", tasks = 3 }\n"));
    let strips = strips(&play, &Report::of(&play), 100, false);
    let drawn: Vec<&str> = strips.lines().filter_map(|line| line.split_once("/web/").map(|(_, rest)| rest)).collect();
    assert_eq!(drawn.len(), 5, "{strips}");
    assert!(drawn[0].starts_with("s59 "), "{strips}");
}

fn player(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_scenario")).args(arguments).output().expect("the player starts")
}

/// A path of the test's own, where nothing is.
fn fresh(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_file(&path);
    path
}

#[test]
fn a_report_is_written_beside_the_output_which_stays_as_it_is() {
    let path = fresh("written.html");
    let output = player(&["spot-interruption", "--report", path.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stdout, player(&["spot-interruption"]).stdout);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.starts_with("report: ") && said.contains("written.html"), "{said}");
    let first = std::fs::read_to_string(&path).expect("a page");
    assert!(first.starts_with("<!doctype html>") && first.trim_end().ends_with("</html>"));
    // A longer page of another run is replaced, not overwritten in part; the same run is the same page.
    std::fs::write(&path, first.repeat(2)).expect("writable");
    player(&["spot-interruption", "--report", path.to_str().expect("UTF-8")]);
    assert_eq!(std::fs::read_to_string(&path).expect("a page"), first);
}

#[test]
fn a_report_that_cannot_be_written_is_refused_before_the_run() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).to_str().expect("UTF-8");
    let missing = format!("{directory}/no-such-directory/run.html");
    let text = format!("{directory}/run.txt");
    let mut wrong = vec![
        (missing.as_str(), "make the directory"),
        (directory, "is a directory"),
        (text.as_str(), "must end in .html"),
        ("scenarios/spot-outage.toml", "must end in .html"),
    ];
    // Nobody may make files there, not even root.
    if cfg!(target_os = "linux") {
        wrong.push(("/proc/run.html", "name another file"));
    }
    for (path, remedy) in wrong {
        let output = player(&["spot-interruption", "--report", path]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{path}: {said}");
        assert!(output.stdout.is_empty(), "{path} was played");
        assert!(said.contains(path) && said.contains(remedy), "{path}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn a_run_that_is_refused_leaves_no_empty_report() {
    let path = fresh("refused.html");
    let output = player(&["no-such-scenario", "--report", path.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(!path.exists());
}

/// What somebody at a terminal of 100 columns sees.
#[cfg(target_os = "linux")]
fn at_a_terminal(before: &str, arguments: &str) -> String {
    let command = format!("stty cols 100 rows 40; {before} {} {arguments}", env!("CARGO_BIN_EXE_scenario"));
    let mut script = Command::new("script");
    script
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .env_remove("NO_COLOR")
        .env("TERM", "xterm");
    let output = script.output().expect("script of util-linux runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[cfg(target_os = "linux")]
#[test]
fn the_strips_are_for_terminals_in_colour_unless_no_color_says_otherwise() {
    let strip = |text: &str| text.lines().find(|line| line.contains("Spot room")).map(str::to_owned);
    let coloured = at_a_terminal("", "spot-outage");
    let plain = at_a_terminal("NO_COLOR=1", "spot-outage");
    assert!(strip(&coloured).is_some_and(|line| line.contains('\u{1b}')), "{coloured}");
    assert!(strip(&plain).is_some_and(|line| !line.contains('\u{1b}') && line.contains("xxx")), "{plain}");
    assert!(!plain.contains('\u{1b}') && plain.contains("░░░"), "{plain}");
    let json = at_a_terminal("", "spot-outage --json").replace("\r\n", "\n");
    assert_eq!(json.as_bytes(), player(&["spot-outage", "--json"]).stdout);
    // A pipe has the text as it always was.
    assert_eq!(strip(&String::from_utf8_lossy(&player(&["spot-outage"]).stdout)), None);
}
