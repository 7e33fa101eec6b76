//! The report of a run of many services: the worst of them, and the figures of all.

use std::cmp::Reverse;
use std::fmt::Write as _;

use scenarios::report::Report;
use scenarios::{file, play};

/// `services` services of one account, whose tasks run on for two minutes when Spot takes them, and what happens to them.
fn played(services: usize, happens: &str) -> play::Play {
    let mut text = "title = \"many\"\nseed = 1\nduration = \"1h\"\n".to_owned();
    text += "[policy]\ninterruption_policy = \"immediate\"\n[expect]\nfinal_strategy = \"original\"\n";
    for n in 0..services {
        let desired = 1 + n % 3;
        write!(
            text,
            "[[service]]\naccount = \"111111111111\"\ncluster = \"web\"\nname = \"s{n}\"\ndesired = {desired}\n\
             stop_timeout = \"2m\"\nstrategy = [{{ provider = \"FARGATE_SPOT\", weight = 1 }}]\n"
        )
        .expect("writing to a string does not fail");
    }
    let scenario = file::parse("many.toml", &(text + happens)).unwrap_or_else(|problem| panic!("{problem}"));
    play::play(scenario).expect("the product's event patterns are valid")
}

/// Spot is gone for ten minutes. The bucket for `UpdateService` has 50 tokens and gets 5 a second.
fn outage(services: usize) -> play::Play {
    played(
        services,
        "[[at]]\ntime = \"10m\"\nspot = { capacity = 0 }\n[[at]]\ntime = \"20m\"\nspot = { capacity = \"unlimited\" }\n",
    )
}

fn text(play: &play::Play) -> String {
    anstream::adapter::strip_str(&Report::of(play).text()).to_string()
}

fn rows(text: &str) -> Vec<&str> {
    let (_, table) = text.split_once("\nservice ").expect("there is a table");
    table.lines().skip(1).take_while(|line| line.starts_with("111111111111/")).collect()
}

/// What stands after the label of a line.
fn line<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(label)).map(str::trim)
}

#[test]
fn of_many_services_the_ten_worst_are_listed_and_the_rest_is_counted() {
    let play = outage(150);
    let text = text(&play);
    let rows = rows(&text);
    assert_eq!(rows.len(), 10, "{text}");
    assert!(text.contains("the 10 least available; --json has the other 140 too"), "{text}");
    let mut availabilities: Vec<f64> = play.outcome.services.iter().map(|s| s.ledger.availability()).collect();
    availabilities.sort_by(f64::total_cmp);
    for (row, availability) in rows.iter().zip(availabilities) {
        let percent = scenarios::verdict::percent(availability);
        assert!(row.split_whitespace().any(|cell| cell == percent), "{percent} is not in {row}");
    }
    let json = serde_json::to_value(Report::of(&play)).expect("JSON");
    assert_eq!(json["services"].as_array().map(Vec::len), Some(150));
}

#[test]
fn of_equally_available_services_the_slowest_to_fail_over_are_listed() {
    let interrupted =
        |n: usize| format!("[[at]]\ntime = \"10m\"\ninterrupt = {{ service = \"web/s{n}\", tasks = 1 }}\n");
    let play = played(40, &(0..15).map(interrupted).collect::<String>());
    assert!(play.outcome.services.iter().all(|s| s.ledger.availability() == 1.0), "each was replaced in time");
    let mut slowest: Vec<_> = play.outcome.services.iter().collect();
    slowest.sort_by_key(|s| Reverse(s.ledger.episodes.first().and_then(|e| e.time_to_failover())));
    let slowest: Vec<String> = slowest.iter().take(10).map(|s| s.id.to_string()).collect();
    let text = text(&play);
    let listed: Vec<&str> = rows(&text).iter().filter_map(|row| row.split_whitespace().next()).collect();
    assert_eq!(listed, slowest);
}

#[test]
fn of_many_services_the_figures_of_all_are_printed_with_the_floor_of_the_time_to_failover() {
    let play = outage(150);
    let text = text(&play);
    let figures = &serde_json::to_value(Report::of(&play)).expect("JSON")["figures"];
    // The last waits for 100 tokens, and its loss came up to 10 s after the first.
    let floor = figures["time_to_failover_floor"]["max_ms"].as_u64().expect("a time");
    assert!((10_000..=20_000).contains(&floor), "{floor}");
    assert!(floor <= figures["time_to_failover"]["max_ms"].as_u64().expect("a time"));
    for label in
        ["availability", "short of tasks", "task-hours", "deployments forced", "time to failover", "  API floor"]
    {
        assert!(line(&text, label).is_some(), "no {label} in {text}");
    }
    assert!(line(&text, "time to failover").is_some_and(|line| line.ends_with("150 of 150 episodes")), "{text}");
    // What did not happen is not spoken of.
    assert_eq!(line(&text, "time to restore").is_some(), !figures["time_to_restore"].is_null());
}

#[test]
fn of_a_few_services_each_is_listed_and_two_lines_sum_them_up() {
    let play = outage(20);
    let text = text(&play);
    assert_eq!(rows(&text).len(), 20, "{text}");
    assert!(line(&text, "short of tasks").is_some() && line(&text, "task-hours").is_some(), "{text}");
    assert!(!text.contains("least available") && line(&text, "deployments forced").is_none(), "{text}");
}
