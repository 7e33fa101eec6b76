//! A cell at the pace of a world that runs faster than the clock: the policy's durations, divided.

use std::collections::BTreeMap;
use std::time::Duration;

use handlers::policy::{ENV_PREFIX, Policy, TUNABLES};

/// A claim must outlive the handler that made it, whose time is not divided: it calls LocalStack, which takes as long as it takes.
pub const SHORTEST_LEASE: Duration = Duration::from_secs(8);

/// Environment variables that give functions the tunables of `policy` in a world that runs at `speed`. A duration is divided by it, and is
/// never less than the least that its tunable allows; what is no duration stays.
pub fn variables(policy: &Policy, speed: u32) -> BTreeMap<String, String> {
    let variable = |tunable: &handlers::policy::Tunable| {
        let value = tunable.of(policy);
        let value = match humantime::parse_duration(&value) {
            Ok(time) => {
                let time = (time / speed.max(1)).max(least(tunable.allowed));
                let time = if tunable.name == "lease" { time.max(SHORTEST_LEASE) } else { time };
                humantime::format_duration(Duration::from_millis(time.as_millis() as u64)).to_string()
            }
            Err(_) => value,
        };
        (format!("{ENV_PREFIX}{}", tunable.name.to_ascii_uppercase()), value)
    };
    TUNABLES.iter().map(variable).collect()
}

/// The lower end of `1s to 1day`.
fn least(allowed: &str) -> Duration {
    let least = allowed.split(" to ").next().unwrap_or_default();
    humantime::parse_duration(least).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tunable_of_a_fast_world_is_one_that_a_function_accepts() {
        for speed in [1, 60, 10_000] {
            let variables = variables(&Policy::default(), speed);
            assert_eq!(variables.len(), TUNABLES.len());
            let policy = Policy::from_env(variables, &[]).unwrap_or_else(|error| panic!("at {speed}: {error}"));
            assert_eq!(speed == 1, policy == Policy::default(), "at {speed}");
            assert!(policy.lease >= SHORTEST_LEASE);
        }
    }

    #[test]
    fn durations_are_divided_and_nothing_else_is() {
        let variables = variables(&Policy::default(), 60);
        let value = |name: &str| variables[&format!("{ENV_PREFIX}{name}")].as_str();
        assert_eq!((value("RESTORE_AFTER"), value("SHORTFALL_GRACE")), ("15s", "3s"));
        // 50 s would be less than the second that the tunable allows.
        assert_eq!(value("ACTIVE_INTERVAL"), "1s");
        assert_eq!((value("RESTORES_PER_DAY"), value("INTERRUPTION_POLICY")), ("8", "immediate"));
    }
}
