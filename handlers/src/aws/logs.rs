//! Logs: one JSON object a line on stdout, which CloudWatch Logs Insights searches by field.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Where Lambda says how much to log: the function's `ApplicationLogLevel`. Default INFO.
const LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";

/// Starts logging. Our own level is the function's; of the libraries only warnings are of interest, and the runtime's span, which
/// puts the request id on every line.
pub(super) fn init() {
    let level = std::env::var(LEVEL).map_or(LevelFilter::INFO, |level| level_of(&level));
    let targets = Targets::new()
        .with_default(LevelFilter::WARN.min(level))
        .with_target("handlers", level)
        .with_target("lambda_runtime", LevelFilter::INFO.min(level));
    let lines =
        tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false);
    // Fails only where logging has started before; then it goes on as it is.
    let _ = tracing_subscriber::registry().with(lines).with(targets).try_init();
}

fn level_of(name: &str) -> LevelFilter {
    match name {
        "FATAL" => LevelFilter::ERROR,
        name => name.parse().unwrap_or(LevelFilter::INFO),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_of_lambda_is_known() {
        for (name, level) in [
            ("TRACE", LevelFilter::TRACE),
            ("DEBUG", LevelFilter::DEBUG),
            ("INFO", LevelFilter::INFO),
            ("WARN", LevelFilter::WARN),
            ("ERROR", LevelFilter::ERROR),
            ("FATAL", LevelFilter::ERROR),
            ("loud", LevelFilter::INFO),
        ] {
            assert_eq!(level_of(name), level, "{name}");
        }
    }
}
