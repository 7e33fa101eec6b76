//! AWS clients as one account: LocalStack reads the account off the access key and checks no signature.

use aws_config::{BehaviorVersion, Region as SdkRegion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sqs::error::{DisplayErrorContext, SdkError};
use handlers::service::{AccountId, Region};

/// Something LocalStack was asked for did not work: what, and what it said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {said}")]
pub struct CallError {
    /// What was asked for.
    pub what: String,
    /// What came back.
    pub said: String,
}

/// For `map_err`: what was asked for, and all that the SDK knows of why it failed.
pub fn failed<E, R>(what: impl Into<String>) -> impl FnOnce(SdkError<E, R>) -> CallError
where
    E: std::error::Error + 'static,
    R: std::fmt::Debug,
{
    let what = what.into();
    move |error| CallError { what, said: DisplayErrorContext(&error).to_string() }
}

/// The configuration of an account's clients.
pub async fn config(endpoint: &str, region: &Region, account: &AccountId) -> SdkConfig {
    let credentials = Credentials::new(account.to_string(), "any", None, None, "e2e");
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .region(SdkRegion::new(region.to_string()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(endpoint)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .load()
        .await
}

/// The central account's clients.
#[derive(Debug, Clone)]
pub struct Clients {
    /// Queues.
    pub sqs: aws_sdk_sqs::Client,
    /// Buses and rules.
    pub events: aws_sdk_eventbridge::Client,
    /// Functions.
    pub lambda: aws_sdk_lambda::Client,
    /// Functions' logs.
    pub logs: aws_sdk_cloudwatchlogs::Client,
}

impl Clients {
    /// Clients on these settings.
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            sqs: aws_sdk_sqs::Client::new(config),
            events: aws_sdk_eventbridge::Client::new(config),
            lambda: aws_sdk_lambda::Client::new(config),
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
        }
    }

    /// Where a queue of the account is.
    ///
    /// # Errors
    /// [`CallError`], also when there is none of that name.
    pub async fn queue_url(&self, name: &str) -> Result<String, CallError> {
        let found = self.sqs.get_queue_url().queue_name(name).send().await;
        let found = found.map_err(failed(format!("GetQueueUrl of {name}")))?;
        Ok(found.queue_url.unwrap_or_default())
    }
}
