//! What SQS is told: when failed messages come back, and that another invocation is to go on with an account. Lambda leaves a failed
//! message invisible for the whole visibility timeout, and no longer each time (aws-facts.md §6).

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::types::ChangeMessageVisibilityBatchRequestEntry;

use super::clients::Aws;
use super::failure::Failure;
use super::limits::CallLimits;
use crate::event;
use crate::ports::{Clock, Relay, RelayError};
use crate::service::{AccountId, Region};

/// Longest visibility timeout SQS allows (aws-facts.md §6).
const MAX_VISIBILITY: Duration = Duration::from_secs(12 * 60 * 60);
/// Longest delay of a message (API reference, `SendMessage`).
const MAX_DELAY: Duration = Duration::from_secs(15 * 60);
/// Most messages one call takes (API reference, `ChangeMessageVisibilityBatch`).
const BATCH: usize = 10;

/// Tells SQS when failed messages come back.
#[derive(Debug)]
pub struct Backoff {
    sqs: aws_sdk_sqs::Client,
}

impl Backoff {
    /// Nothing is called before [`Backoff::apply`] is.
    pub fn new(config: &SdkConfig, limits: CallLimits) -> Self {
        Self { sqs: aws_sdk_sqs::Client::new(&limits.apply(config)) }
    }

    /// Makes each message of the queue at `queue_url`, given by its receipt handle, come back after its time. Best effort: one
    /// that SQS does not take comes back after the queue's visibility timeout.
    pub async fn apply(&self, queue_url: &str, messages: &[(&str, Duration)]) {
        for batch in messages.chunks(BATCH) {
            let mut request = self.sqs.change_message_visibility_batch().queue_url(queue_url);
            for (n, (receipt_handle, time)) in batch.iter().enumerate() {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(n.to_string())
                    .receipt_handle(*receipt_handle)
                    .visibility_timeout(seconds(*time))
                    .build();
                match entry {
                    Ok(entry) => request = request.entries(entry),
                    Err(error) => tracing::warn!(%error, "message comes back when its visibility times out"),
                }
            }
            match request.send().await {
                Ok(answer) => {
                    for failed in answer.failed() {
                        let (code, message) = (failed.code(), failed.message().unwrap_or_default());
                        tracing::warn!(queue_url, code, message, "message comes back when its visibility times out");
                    }
                }
                Err(error) => {
                    let error = Failure::of(&error).text();
                    tracing::warn!(
                        queue_url,
                        error,
                        messages = batch.len(),
                        "messages come back when their visibility times out"
                    );
                }
            }
        }
    }
}

impl Relay for Aws {
    async fn hand_on(&self, account: &AccountId, region: &Region, after: Duration) -> Result<(), RelayError> {
        let queue = self.cell.queue.as_deref().ok_or_else(|| RelayError("the function knows no queue".into()))?;
        let body = event::hand_on(account, region, self.now());
        let message = self.sqs.send_message().queue_url(queue).message_body(body);
        let sent = message.delay_seconds(seconds(after.min(MAX_DELAY))).send().await;
        sent.map(|_| ()).map_err(|error| RelayError(format!("{queue}: {}", Failure::of(&error).text())))
    }
}

/// Whole seconds, rounded up: 0 would bring the message back at once.
fn seconds(time: Duration) -> i32 {
    let whole = time.min(MAX_VISIBILITY).as_millis().div_ceil(1000);
    i32::try_from(whole).unwrap_or(i32::MAX)
}

/// The URL of the queue with this ARN (`arn:aws:sqs:REGION:ACCOUNT:NAME`), if it is one.
pub(super) fn queue_url(arn: &str) -> Option<String> {
    let mut parts = arn.splitn(6, ':');
    let ("arn", partition, "sqs") = (parts.next()?, parts.next()?, parts.next()?) else { return None };
    let (region, account, name) = (parts.next()?, parts.next()?, parts.next()?);
    let suffix = if partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    let whole = [region, account, name].iter().all(|part| !part.is_empty());
    whole.then(|| format!("https://sqs.{region}.{suffix}/{account}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_has_the_url_that_its_arn_says() {
        let url = queue_url("arn:aws:sqs:eu-west-1:999999999999:fargate-spot-interruption-queue");
        let expected = "https://sqs.eu-west-1.amazonaws.com/999999999999/fargate-spot-interruption-queue";
        assert_eq!(url.as_deref(), Some(expected));
        let url = queue_url("arn:aws-cn:sqs:cn-north-1:999999999999:q");
        assert_eq!(url.as_deref(), Some("https://sqs.cn-north-1.amazonaws.com.cn/999999999999/q"));
        for arn in ["", "arn:aws:sqs", "arn:aws:sns:eu-west-1:999999999999:q", "arn:aws:sqs:eu-west-1::q"] {
            assert_eq!(queue_url(arn), None, "{arn}");
        }
    }

    #[test]
    fn a_time_is_rounded_up_to_seconds_and_kept_within_what_sqs_allows() {
        for (millis, expected) in [(0, 0), (1, 1), (5_000, 5), (5_001, 6), (u64::MAX, 43_200)] {
            assert_eq!(seconds(Duration::from_millis(millis)), expected, "{millis}");
        }
    }
}
