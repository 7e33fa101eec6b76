//! Every tunable of the recovery in one table: name, default, range, meaning. Read from the environment and validated at start.

use std::fmt;
use std::ops::RangeBounds;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Environment variables are this prefix and the tunable's name in capitals: `SPOT_RECOVERY_RESTORE_AFTER`.
pub const ENV_PREFIX: &str = "SPOT_RECOVERY_";

/// A share of `span` that is the own of `id`, the same each time.
pub(crate) fn jitter(id: &str, span: Duration) -> Duration {
    span.saturating_mul(hash(id) % 1000) / 1000
}

/// FNV-1a: small, stable across releases and machines, which `std`'s hasher does not promise.
pub(crate) fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193))
}

/// When a Spot interruption alone moves a service to On-Demand (architecture.md rule 10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InterruptionPolicy {
    /// On the first interruption, before anything is short.
    Immediate,
    /// Only when the loss is not replaced within `shortfall_grace`.
    Shortfall,
}

/// One row of the table of tunables.
#[derive(Debug, Clone, Copy)]
pub struct Tunable {
    /// Name in scenario files; the environment variable is [`ENV_PREFIX`] and this in capitals.
    pub name: &'static str,
    /// Default, as it would be typed.
    pub default: &'static str,
    /// What may be typed.
    pub allowed: &'static str,
    /// What it does.
    pub meaning: &'static str,
    set: fn(&mut Policy, &str) -> Result<(), String>,
    get: fn(&Policy) -> String,
}

impl Tunable {
    /// Its value in `policy`, as it would be typed.
    pub fn of(&self, policy: &Policy) -> String {
        (self.get)(policy)
    }
}

/// Why a policy is refused: names the tunable, the value and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// No tunable of that name.
    #[error("there is no tunable {name:?}; known are: {known}")]
    Unknown {
        /// What was asked.
        name: String,
        /// All names.
        known: String,
    },
    /// A value that cannot be read or is out of range.
    #[error("{name} = {value:?}: {problem}; allowed is {allowed}")]
    Value {
        /// The tunable, or its environment variable.
        name: String,
        /// What was given.
        value: String,
        /// What is wrong.
        problem: String,
        /// What would be right.
        allowed: &'static str,
    },
    /// Two values that contradict each other.
    #[error("{0}")]
    Contradiction(String),
}

/// A type that tunables may have.
trait Value: Sized {
    fn read(text: &str) -> Result<Self, String>;
    fn write(&self) -> String;
}

impl Value for Duration {
    fn read(text: &str) -> Result<Self, String> {
        humantime::parse_duration(text).map_err(|e| format!("not a duration ({e})"))
    }
    fn write(&self) -> String {
        humantime::format_duration(*self).to_string()
    }
}

impl Value for u32 {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "not a whole number".into())
    }
    fn write(&self) -> String {
        self.to_string()
    }
}

impl Value for bool {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "neither true nor false".into())
    }
    fn write(&self) -> String {
        self.to_string()
    }
}

impl Value for InterruptionPolicy {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "immediate" => Ok(Self::Immediate),
            "shortfall" => Ok(Self::Shortfall),
            _ => Err("no such policy".into()),
        }
    }
    fn write(&self) -> String {
        match self {
            Self::Immediate => "immediate".into(),
            Self::Shortfall => "shortfall".into(),
        }
    }
}

const fn m(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

const fn h(hours: u64) -> Duration {
    m(hours * 60)
}

macro_rules! tunables {
    ($($name:ident: $type:ty = $default:expr, $default_text:literal, $allowed:literal, $range:expr, $meaning:literal;)*) => {
        /// The values a cell runs with. Build one with [`Policy::default`], [`Policy::from_env`] or [`Policy::set`].
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Policy {
            $(#[doc = $meaning] pub $name: $type,)*
        }

        impl Default for Policy {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        /// The table: every tunable there is, in the order people read it.
        pub const TUNABLES: &[Tunable] = &[$(Tunable {
            name: stringify!($name),
            default: $default_text,
            allowed: $allowed,
            meaning: $meaning,
            set: |policy, text| {
                let value = <$type as Value>::read(text)?;
                if !RangeBounds::<$type>::contains(&$range, &value) {
                    return Err("out of range".into());
                }
                policy.$name = value;
                Ok(())
            },
            get: |policy| policy.$name.write(),
        },)*];
    };
}

/// Nothing waits longer than this (architecture.md rule 12).
const WEEK: Duration = h(7 * 24);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = m(1);
const HOUR: Duration = h(1);
const DAY: Duration = h(24);

tunables! {
    interruption_policy: InterruptionPolicy = InterruptionPolicy::Immediate, "immediate", "immediate or shortfall", ..,
        "Whether an interruption moves the service at once, or only when the loss is not replaced within `shortfall_grace`";
    shortfall_grace: Duration = m(3), "3m", "0s to 1h", Duration::ZERO..=HOUR,
        "How long a watched service may run short, with no failure event, before the sweep moves it";
    deployment_grace: Duration = m(10), "10m", "0s to 1day", Duration::ZERO..=DAY,
        "How long a deployment of the owner's may explain a shortfall";
    event_max_age: Duration = m(15), "15m", "1s to 1day", SECOND..=DAY,
        "An older interruption or synthetic event, such as one redriven from a DLQ, only has the service looked at";
    settle: Duration = m(1), "1m", "0s to 1h", Duration::ZERO..=HOUR,
        "How long after our own change ECS may still show the strategy from before it";
    restore_after: Duration = m(15), "15m", "1s to 1day", SECOND..=DAY,
        "Time on On-Demand before the first restore of an episode";
    restore_backoff_factor: u32 = 2, "2", "1 to 10", 1..=10,
        "Each failed restore of the episode multiplies the time on On-Demand by this";
    restore_backoff_cap: Duration = h(6), "6h", "1s to 7days", SECOND..=WEEK,
        "Longest time on On-Demand between two restores";
    restore_jitter_percent: u32 = 20, "20", "0 to 100", 0..=100,
        "Spreads restores: up to this much is added to the time on On-Demand, the same for a service each time";
    restores_per_day: u32 = 8, "8", "1 to 100", 1..=100,
        "Most restores of one service within 24 hours; further ones wait";
    restore_timeout: Duration = m(10), "10m", "1s to 1day", SECOND..=DAY,
        "How long a restore may take until its tasks run and its deployment is complete";
    probation: Duration = m(10), "10m", "0s to 1day", Duration::ZERO..=DAY,
        "How long the restored service must run in full before the episode is closed";
    episode_memory: Duration = h(6), "6h", "0s to 7days", Duration::ZERO..=WEEK,
        "A failover this soon after a restore counts as a failed restore of the same episode";
    watch_interval: Duration = m(10), "10m", "1s to 1day", SECOND..=DAY,
        "How often the sweep looks at a watched service that runs in full";
    active_interval: Duration = Duration::from_secs(50), "50s", "1s to 1h", SECOND..=HOUR,
        "How often the sweep looks at a service that is short, moving or on probation; a little less than its schedule, or it looks every other time";
    held_interval: Duration = m(30), "30m", "1s to 1day", SECOND..=DAY,
        "How often a held service is looked at again; while nobody can look, or the application fails, sooner at first";
    lease: Duration = Duration::from_secs(40), "40s", "1s to 1h", SECOND..=HOUR,
        "How long a claim keeps other handlers off; no shorter than a handler may run";
    update_burst: u32 = 45, "45", "1 to 50", 1..=50,
        "Changes to services of one account that are made without a pause (ECS: a bucket of 50, for everybody in the account)";
    update_pause: Duration = Duration::from_millis(202), "202ms", "0s to 1m", Duration::ZERO..=MINUTE,
        "Pause before each further change; ECS refills 5 a second";
    retry_delay: Duration = Duration::from_secs(5), "5s", "1s to 1h", SECOND..=HOUR,
        "How long a failed message waits before it comes back, and up to half as long again; doubles each time, up to 15 minutes";
    probe_restores: bool = true, "true", "true or false", ..,
        "Whether a service whose minimumHealthyPercent lets ECS stop several tasks first tries one task on Spot before a full restore";
    sweep_limit: u32 = 10_000, "10000", "1 to 1000000", 1..=1_000_000,
        "Most records one sweep looks at; the rest wait for the next";
    paused: bool = false, "false", "true or false", ..,
        "Kill switch: nothing is changed in ECS while true; records are kept up to date";
    dry_run: bool = false, "false", "true or false", ..,
        "Says what would be done and does not do it";
}

impl Policy {
    /// Reads every tunable from variables such as `SPOT_RECOVERY_PROBATION`. An absent or empty one keeps its default. An unknown
    /// one with our prefix is refused, because a misspelt kill switch must not start a handler.
    ///
    /// `known_elsewhere` lists variables with the prefix that other parts of the configuration read.
    pub fn from_env<K: AsRef<str>, V: AsRef<str>>(
        vars: impl IntoIterator<Item = (K, V)>,
        known_elsewhere: &[&str],
    ) -> Result<Policy, PolicyError> {
        let mut policy = Policy::default();
        for (key, value) in vars {
            let Some(name) = key.as_ref().strip_prefix(ENV_PREFIX) else { continue };
            if known_elsewhere.contains(&key.as_ref()) || value.as_ref().trim().is_empty() {
                continue;
            }
            policy.set(&name.to_ascii_lowercase(), value.as_ref()).map_err(|error| match error {
                PolicyError::Value { value, problem, allowed, .. } => {
                    PolicyError::Value { name: key.as_ref().into(), value, problem, allowed }
                }
                other => other,
            })?;
        }
        policy.check()?;
        Ok(policy)
    }

    /// Sets one tunable by its name. Call [`Policy::check`] when all are set.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), PolicyError> {
        let tunable = TUNABLES.iter().find(|t| t.name == name).ok_or_else(|| PolicyError::Unknown {
            name: name.chars().take(60).collect(),
            known: TUNABLES.iter().map(|t| t.name).collect::<Vec<_>>().join(", "),
        })?;
        (tunable.set)(self, value).map_err(|problem| PolicyError::Value {
            name: name.into(),
            value: value.chars().take(60).collect(),
            problem,
            allowed: tunable.allowed,
        })
    }

    /// Refuses values that contradict each other.
    pub fn check(&self) -> Result<(), PolicyError> {
        if self.restore_backoff_cap < self.restore_after {
            return Err(PolicyError::Contradiction(format!(
                "restore_backoff_cap ({}) is shorter than restore_after ({}); raise the cap or lower the first wait",
                self.restore_backoff_cap.write(),
                self.restore_after.write()
            )));
        }
        Ok(())
    }

    /// How long to wait after `failures` failed restores: `restore_after × factorⁿ`, capped.
    pub fn backoff(&self, failures: u32) -> Duration {
        let factor = self.restore_backoff_factor.saturating_pow(failures);
        self.restore_after.saturating_mul(factor).min(self.restore_backoff_cap)
    }

    /// How long the message with this id waits before it comes back after it was received `times` times. Messages that
    /// failed together do not come back together.
    pub fn message_delay(&self, id: &str, times: u32) -> Duration {
        let factor = 2_u32.saturating_pow(times.saturating_sub(1));
        let delay = self.retry_delay.saturating_mul(factor).min(m(15).max(self.retry_delay));
        delay + jitter(id, delay / 2)
    }

    /// Whether nothing may be changed in ECS.
    pub fn hands_off(&self) -> bool {
        self.paused || self.dry_run
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, tunable) in TUNABLES.iter().enumerate() {
            let separator = if n > 0 { " " } else { "" };
            write!(f, "{separator}{}={:?}", tunable.name, (tunable.get)(self))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_in_the_table_is_the_default_in_force() {
        for tunable in TUNABLES {
            let mut policy = Policy::default();
            (tunable.set)(&mut policy, tunable.default).unwrap_or_else(|e| panic!("{}: {e}", tunable.name));
            assert_eq!(policy, Policy::default(), "{}", tunable.name);
        }
    }

    #[test]
    fn an_environment_error_names_the_variable_the_value_and_the_range() {
        let error = Policy::from_env([("SPOT_RECOVERY_PROBATION", "10 minuts")], &[]).unwrap_err().to_string();
        assert!(
            error.contains("SPOT_RECOVERY_PROBATION") && error.contains("10 minuts") && error.contains("0s to 1day"),
            "{error}"
        );
        let error = Policy::from_env([("SPOT_RECOVERY_PAUSE", "true")], &[]).unwrap_err().to_string();
        assert!(error.contains("pause") && error.contains("paused"), "{error}");
        let error = Policy::from_env([("SPOT_RECOVERY_RESTORES_PER_DAY", "0")], &[]).unwrap_err().to_string();
        assert!(error.contains("1 to 100"), "{error}");
        assert!(Policy::from_env([("PATH", "/bin"), ("SPOT_RECOVERY_PAUSED", "true")], &[]).unwrap().hands_off());
    }

    #[test]
    fn an_empty_variable_counts_as_absent_for_every_tunable() {
        for tunable in TUNABLES {
            let variable = format!("{ENV_PREFIX}{}", tunable.name.to_uppercase());
            for empty in ["", " "] {
                assert_eq!(Policy::from_env([(&variable, empty)], &[]), Ok(Policy::default()), "{variable}");
            }
        }
    }

    #[test]
    fn values_that_contradict_each_other_are_refused() {
        let vars = [("SPOT_RECOVERY_RESTORE_AFTER", "2h"), ("SPOT_RECOVERY_RESTORE_BACKOFF_CAP", "1h")];
        assert!(matches!(Policy::from_env(vars, &[]), Err(PolicyError::Contradiction(_))));
    }
}
