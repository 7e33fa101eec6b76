//! What a function reads from its environment, once, when it starts. What is wrong there is an error that names the variable, the
//! value and what to do.

use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::tls;

use super::cell::Cell;
use crate::event::Trust;
use crate::policy::{ENV_PREFIX, Policy, PolicyError};
use crate::record::TABLE;
use crate::service::AccountId;

/// The cell's region; Lambda sets it.
pub const REGION: &str = "AWS_REGION";
/// The function's name; Lambda sets it.
pub const FUNCTION: &str = "AWS_LAMBDA_FUNCTION_NAME";
/// The state table; default [`TABLE`].
pub const TABLE_NAME: &str = "SPOT_RECOVERY_TABLE";
/// The central bus; default [`BUS`].
pub const BUS_NAME: &str = "SPOT_RECOVERY_BUS";
/// URL of the queue by which a function hands work on; default none.
pub const QUEUE_URL: &str = "SPOT_RECOVERY_QUEUE";
/// Accounts whose synthetic events are accepted, separated by commas; default none.
pub const SYNTHETIC_FROM: &str = "SPOT_RECOVERY_SYNTHETIC_FROM";
/// External id that the roles' trust policies ask for; default none.
pub const EXTERNAL_ID: &str = "SPOT_RECOVERY_EXTERNAL_ID";
/// Endpoints in the place of AWS's own, for all services or for one; the SDK reads them.
pub const ENDPOINTS: [&str; 6] = [
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_ECS",
    "AWS_ENDPOINT_URL_EVENTBRIDGE",
    "AWS_ENDPOINT_URL_SQS",
    "AWS_ENDPOINT_URL_STS",
];

/// Name of the central bus, unless configured.
pub const BUS: &str = "fargate-spot-bus";

/// Everything a function is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// What the adapters work with.
    pub cell: Cell,
    /// Whom the cell believes.
    pub trust: Trust,
    /// The tunables.
    pub policy: Policy,
}

/// Why a function does not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A variable that must be there is not.
    #[error("{variable} is not set; {remedy}")]
    Missing {
        /// Which.
        variable: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// A variable with a value that cannot be right.
    #[error("{variable} = {value:?}: {problem}; set it to {allowed}")]
    Value {
        /// Which.
        variable: &'static str,
        /// Its value.
        value: String,
        /// What is wrong.
        problem: String,
        /// What would be right.
        allowed: &'static str,
    },
    /// A variable with our prefix that nobody reads.
    #[error("nothing reads {variable}; correct or remove it, known are {ENV_PREFIX} and one of {known}")]
    Unknown {
        /// Which.
        variable: String,
        /// What may follow the prefix.
        known: String,
    },
    /// A tunable.
    #[error(transparent)]
    Policy(PolicyError),
}

impl From<PolicyError> for ConfigError {
    fn from(error: PolicyError) -> Self {
        match error {
            PolicyError::Unknown { name, known } => {
                let ours = [TABLE_NAME, BUS_NAME, QUEUE_URL, SYNTHETIC_FROM, EXTERNAL_ID];
                let ours = ours.map(|variable| variable.trim_start_matches(ENV_PREFIX)).join(", ");
                let variable = format!("{ENV_PREFIX}{}", name.to_uppercase());
                Self::Unknown { variable, known: format!("{ours}, {}", known.to_uppercase()) }
            }
            error => Self::Policy(error),
        }
    }
}

impl Config {
    /// Reads the configuration from environment variables. An absent one has its default, an empty one is none, and one with
    /// our prefix that nobody reads is refused, because it is misspelt.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn from_env(vars: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let mut tunables = Vec::new();
        let [mut region, mut function, mut table, mut bus, mut queue] = [const { None }; 5];
        let [mut synthetic_from, mut external_id] = [const { None }; 2];
        for (name, value) in vars {
            let known = match name.as_str() {
                REGION => &mut region,
                FUNCTION => &mut function,
                TABLE_NAME => &mut table,
                BUS_NAME => &mut bus,
                QUEUE_URL => &mut queue,
                SYNTHETIC_FROM => &mut synthetic_from,
                EXTERNAL_ID => &mut external_id,
                name if name.starts_with(ENV_PREFIX) => {
                    tunables.push((name.to_owned(), value));
                    continue;
                }
                name => {
                    if let Some(variable) = ENDPOINTS.iter().find(|endpoint| **endpoint == name) {
                        check_endpoint(variable, &value)?;
                    }
                    continue;
                }
            };
            *known = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        }
        let missing = |variable| ConfigError::Missing { variable, remedy: "Lambda sets it; elsewhere set it yourself" };
        let region = region.ok_or_else(|| missing(REGION))?;
        let region = parsed(REGION, &region, "a region such as eu-west-1")?;
        let cell = Cell {
            function: function.ok_or_else(|| missing(FUNCTION))?,
            table: table.map_or(Ok(TABLE.to_owned()), |name| resource(TABLE_NAME, name, "the name of a table"))?,
            bus: bus.map_or(Ok(BUS.to_owned()), |name| resource(BUS_NAME, name, "the name or ARN of an event bus"))?,
            queue: queue.map(checked_url).transpose()?,
            external_id: external_id.map(checked_external_id).transpose()?,
            region,
        };
        let synthetic_from = accounts(&synthetic_from.unwrap_or_default())?;
        let policy = Policy::from_env(tunables, &[])?;
        Ok(Self { trust: Trust { region: cell.region.clone(), synthetic_from }, cell, policy })
    }
}

fn wrong(variable: &'static str, value: &str, problem: impl ToString, allowed: &'static str) -> ConfigError {
    let value = value.chars().take(80).collect();
    ConfigError::Value { variable, value, problem: problem.to_string(), allowed }
}

fn parsed<T>(variable: &'static str, value: &str, allowed: &'static str) -> Result<T, ConfigError>
where
    T: std::str::FromStr<Err: ToString>,
{
    value.parse().map_err(|problem: T::Err| wrong(variable, value, problem, allowed))
}

fn accounts(list: &str) -> Result<Vec<AccountId>, ConfigError> {
    let accounts = list.split(',').map(str::trim).filter(|account| !account.is_empty());
    accounts.map(|account| parsed(SYNTHETIC_FROM, account, "account ids of 12 digits, separated by commas")).collect()
}

/// A table or bus by its name or ARN: the service knows best what exists, this catches what cannot be one.
fn resource(variable: &'static str, name: String, allowed: &'static str) -> Result<String, ConfigError> {
    let valid = |c: char| c.is_ascii_alphanumeric() || "._-/:".contains(c);
    match name.chars().find(|c| !valid(*c)) {
        None => Ok(name),
        Some(other) => Err(wrong(variable, &name, format!("{other:?} cannot be in it"), allowed)),
    }
}

fn is_url(url: &str) -> bool {
    let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")).unwrap_or_default();
    !host.is_empty() && !host.starts_with(['/', ':']) && !host.contains(char::is_whitespace)
}

fn checked_url(url: String) -> Result<String, ConfigError> {
    let allowed = "the URL of fargate-spot-placement-failure-queue, or remove it";
    if is_url(&url) { Ok(url) } else { Err(wrong(QUEUE_URL, &url, "not a URL", allowed)) }
}

/// The SDK would fail each call with a dump of it.
fn check_endpoint(variable: &'static str, url: &str) -> Result<(), ConfigError> {
    match is_url(url) || url.is_empty() {
        true => Ok(()),
        false => Err(wrong(variable, url, "not a URL", "one such as http://localhost:4566, or remove it")),
    }
}

/// What STS takes as an external id (aws-facts.md §8; API reference, `AssumeRole`).
fn checked_external_id(id: String) -> Result<String, ConfigError> {
    let valid = |c: char| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c);
    if (2..=1224).contains(&id.len()) && id.chars().all(valid) {
        return Ok(id);
    }
    let allowed = "2 to 1224 letters, digits and _+=,.@:/-, as in the trust policies";
    // Not the value itself: it is a secret shared with the workload accounts.
    Err(wrong(EXTERNAL_ID, &format!("({} characters)", id.chars().count()), "STS would refuse it", allowed))
}

/// The SDK's configuration: credentials and endpoints from the environment, one HTTPS client for all services.
pub async fn sdk_config(cell: &Cell) -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build_https();
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .region(aws_config::Region::new(cell.region.to_string()))
        .http_client(http)
        .load()
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let lambda = [(REGION, "eu-west-1"), (FUNCTION, "fargate-spot-restore-handler")];
        Config::from_env(lambda.iter().chain(vars).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
    }

    #[test]
    fn what_lambda_sets_is_enough() {
        let config = read(&[("PATH", "/bin"), (EXTERNAL_ID, ""), (SYNTHETIC_FROM, " ")]).unwrap();
        assert_eq!((config.cell.table.as_str(), config.cell.bus.as_str()), ("ecs_cp_restore_state", BUS));
        assert_eq!(config.trust, Trust { region: "eu-west-1".parse().unwrap(), synthetic_from: vec![] });
        assert_eq!((config.cell.external_id, config.policy), (None, Policy::default()));
    }

    #[test]
    fn every_variable_is_read() {
        let config = read(&[
            (TABLE_NAME, "other"),
            (BUS_NAME, "arn:aws:events:eu-west-1:999999999999:event-bus/central"),
            (SYNTHETIC_FROM, "999999999999, 111111111111,"),
            (EXTERNAL_ID, "a:b/c=1"),
            (QUEUE_URL, "https://sqs.eu-west-1.amazonaws.com/999999999999/q"),
            ("SPOT_RECOVERY_PAUSED", "true"),
        ])
        .unwrap();
        assert_eq!(config.cell.table, "other");
        assert!(config.cell.bus.ends_with("event-bus/central"));
        assert_eq!(config.trust.synthetic_from.len(), 2);
        assert_eq!(config.cell.external_id.as_deref(), Some("a:b/c=1"));
        assert_eq!(config.cell.queue.as_deref(), Some("https://sqs.eu-west-1.amazonaws.com/999999999999/q"));
        assert!(config.policy.paused);
    }

    #[test]
    fn an_error_names_the_variable_the_value_and_what_to_do() {
        for (variable, value, remedy) in [
            (REGION, "europe", "eu-west-1"),
            (SYNTHETIC_FROM, "999999999999,12345", "12 digits"),
            (TABLE_NAME, "a table", "name of a table"),
            (BUS_NAME, "bus!", "event bus"),
            (QUEUE_URL, "fargate-spot-placement-failure-queue", "the URL of"),
            ("AWS_ENDPOINT_URL", "table.local", "http://localhost:4566"),
            ("AWS_ENDPOINT_URL_ECS", "http://", "http://localhost:4566"),
            ("SPOT_RECOVERY_PROBATION", "soon", "0s to 1day"),
            ("SPOT_RECOVERY_TABEL", "x", "one of TABLE, BUS"),
        ] {
            let error = read(&[(variable, value)]).unwrap_err().to_string();
            let named = variable.strip_prefix(ENV_PREFIX).unwrap_or(variable).to_lowercase();
            let value = value.rsplit(',').next().unwrap_or_default();
            let names_it = error.to_lowercase().contains(&named);
            assert!(names_it && error.contains(remedy), "{error}");
            assert!(error.contains(value) || variable.ends_with("TABEL"), "{error}");
        }
        let error = Config::from_env([]).unwrap_err().to_string();
        assert!(error.contains("AWS_REGION is not set") && error.contains("Lambda sets it"), "{error}");
    }

    #[test]
    fn an_external_id_that_sts_would_refuse_is_not_repeated_in_the_log() {
        let error = read(&[(EXTERNAL_ID, "secret with spaces")]).unwrap_err().to_string();
        assert!(error.contains(EXTERNAL_ID) && !error.contains("secret"), "{error}");
    }
}
