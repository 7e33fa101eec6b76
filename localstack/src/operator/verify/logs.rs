//! What the functions last said of the service.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_cloudwatchlogs::Client;
use handlers::service::ServiceId;
use handlers::timestamp::Timestamp;
use serde_json::Value;

use super::super::report::{Check, Mark};
use super::super::text;

/// The cell's, a contract of the original design.
const FUNCTIONS: [&str; 3] = [
    "fargate-spot-task-placement-failure-handler",
    "fargate-spot-interruption-handler",
    "fargate-spot-restore-handler",
];
/// Lines shown of each.
const LINES: usize = 3;
/// Pages read of each: CloudWatch gives the oldest first, and empty ones too.
const PAGES: usize = 50;

pub(super) async fn checks(config: &SdkConfig, service: &ServiceId, now: Timestamp, since: Duration) -> Vec<Check> {
    let client = Client::new(config);
    let from = now.as_millis().saturating_sub(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
    let mut checks = Vec::new();
    for function in FUNCTIONS {
        checks.push(check(&client, function, service, from, since).await);
    }
    if checks.iter().all(|check| check.mark == Mark::Note) {
        // Any of them would do, and an event comes to this one.
        checks[0].mark = Mark::Fails;
    }
    checks
}

async fn check(client: &Client, function: &str, service: &ServiceId, from: u64, since: Duration) -> Check {
    let since = humantime::format_duration(since);
    let says = |mark, says: String| Check::new(mark, "log", function, says);
    match lines(client, function, service, from).await {
        Err(error) if error.is_missing => says(Mark::Note, "no log: it has not run yet".to_owned()),
        Err(error) => says(Mark::Unknown, error.text),
        Ok(lines) if lines.is_empty() => says(Mark::Note, format!("no word of the service in {since}")),
        Ok(lines) => {
            let more = lines.iter().skip(lines.len().saturating_sub(LINES)).map(|line| line.to_string()).collect();
            let number = match lines.len() {
                1 => "1 line about the service".to_owned(),
                number => format!("{number} lines about the service"),
            };
            Check { more, ..says(Mark::Holds, format!("{number} in {since}")) }
        }
    }
}

struct NoLines {
    is_missing: bool,
    text: String,
}

async fn lines(client: &Client, function: &str, service: &ServiceId, from: u64) -> Result<Vec<Line>, NoLines> {
    let mut lines = Vec::new();
    let mut token = None;
    for _ in 0..PAGES {
        let page = client
            .filter_log_events()
            .log_group_name(format!("/aws/lambda/{function}"))
            // In quotes: a term with slashes.
            .filter_pattern(format!("\"{service}\""))
            .start_time(from.cast_signed())
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| NoLines {
                is_missing: error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()),
                text: text(&error),
            })?;
        lines.extend(page.events().iter().filter_map(|event| {
            let time = Timestamp::from_millis(event.timestamp()?.unsigned_abs());
            Line::read(time, event.message()?, service)
        }));
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    Ok(lines)
}

/// A line of a function's log about the service.
struct Line {
    time: Timestamp,
    words: String,
}

impl Line {
    /// None for a line about another service whose name begins alike.
    fn read(time: Timestamp, message: &str, service: &ServiceId) -> Option<Self> {
        let Ok(line) = serde_json::from_str::<Value>(message) else {
            let words = message.trim().chars().take(160).collect();
            return message.contains(&service.to_string()).then_some(Self { time, words });
        };
        if line["service"].as_str() != Some(&service.to_string()) {
            return None;
        }
        let word = |name: &str| line[name].as_str().filter(|word| !word.is_empty());
        let mut words = word("message").unwrap_or("a line without a message").to_owned();
        // `Some(Watching)`, as the handlers write it.
        let phase = |name| word(name).map(|word| word.trim_start_matches("Some(").trim_end_matches(')'));
        if let (Some(from), Some(to)) = (phase("from"), phase("to")) {
            words.push_str(&format!(" {from} → {to}"));
        }
        for (name, before) in [("signal", " "), ("reason", ": "), ("error", ": ")] {
            if let Some(word) = word(name) {
                words.push_str(before);
                words.push_str(word);
            }
        }
        Some(Self { time, words })
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}  {}", self.time, self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> ServiceId {
        ServiceId {
            account: "111111111111".parse().expect("an account"),
            region: "eu-west-1".parse().expect("a region"),
            cluster: "web".parse().expect("a cluster"),
            service: "checkout".parse().expect("a service"),
        }
    }

    fn words(message: &str) -> Option<String> {
        Line::read(Timestamp::from_millis(0), message, &service()).map(|line| line.words)
    }

    #[test]
    fn a_line_is_told_in_the_words_that_matter() {
        let transition = r#"{"level":"INFO","message":"transition","service":"111111111111/web/checkout","from":"Some(Watching)","to":"Some(FailingOver)","reason":"Spot interruption"}"#;
        assert_eq!(words(transition).as_deref(), Some("transition Watching → FailingOver: Spot interruption"));
        let plain = "panicked at 111111111111/web/checkout\n";
        assert_eq!(words(plain).as_deref(), Some("panicked at 111111111111/web/checkout"));
    }

    #[test]
    fn a_service_whose_name_begins_alike_is_another() {
        assert_eq!(words(r#"{"message":"transition","service":"111111111111/web/checkout-2"}"#), None);
    }
}
