//! A cell at the pace of a world that runs faster than the clock: the policy's durations, divided.

use std::collections::BTreeMap;
use std::time::Duration;

use handlers::policy::{Policy, TUNABLES};

/// Timeout of the functions, in seconds, and the tunable `lease`, which must be no shorter. Neither is divided: a function calls LocalStack,
/// which takes as long as it takes. Both are less than the template's, or whoever waits for one would wait for that long. The timeout is
/// less than an `UpdateService` without an answer and the time to wrap up, 13 s.
pub const TIMEOUT: i32 = 12;
/// See [`TIMEOUT`].
pub const LEASE: Duration = Duration::from_secs(12);

/// The tunables of `policy`, by name, for functions beside a world that runs at `speed`. A duration is divided by it, and is never less
/// than the least that its tunable allows; what is no duration stays. `lease` is not among them, it is [`LEASE`].
pub fn tunables(policy: &Policy, speed: u32) -> BTreeMap<&'static str, String> {
    let tunable = |tunable: &handlers::policy::Tunable| {
        let value = tunable.of(policy);
        let value = match humantime::parse_duration(&value) {
            Ok(time) => {
                let time = (time / speed.max(1)).max(least(tunable.allowed));
                humantime::format_duration(Duration::from_millis(time.as_millis() as u64)).to_string()
            }
            Err(_) => value,
        };
        (tunable.name, value)
    };
    TUNABLES.iter().filter(|tunable| tunable.name != "lease").map(tunable).collect()
}

/// The lower end of `1s to 1day`.
fn least(allowed: &str) -> Duration {
    let least = allowed.split(" to ").next().unwrap_or_default();
    humantime::parse_duration(least).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use handlers::policy::ENV_PREFIX;

    use super::*;

    #[test]
    fn every_tunable_of_a_fast_world_is_one_that_a_function_accepts() {
        for speed in [1, 60, 10_000] {
            let tunables = tunables(&Policy::default(), speed);
            assert_eq!(tunables.len(), TUNABLES.len() - 1);
            let variables =
                tunables.iter().map(|(name, value)| (format!("{ENV_PREFIX}{}", name.to_uppercase()), value));
            let policy = Policy::from_env(variables, &[]).unwrap_or_else(|error| panic!("at {speed}: {error}"));
            assert_eq!(speed == 1, policy == Policy::default(), "at {speed}");
        }
    }

    #[test]
    fn durations_are_divided_and_nothing_else_is() {
        let tunables = tunables(&Policy::default(), 60);
        assert_eq!((tunables["restore_after"].as_str(), tunables["shortfall_grace"].as_str()), ("15s", "3s"));
        // 50 s would be less than the second that the tunable allows.
        assert_eq!(tunables["active_interval"], "1s");
        let others = (tunables["restores_per_day"].as_str(), tunables["interruption_policy"].as_str());
        assert_eq!(others, ("8", "immediate"));
    }
}
