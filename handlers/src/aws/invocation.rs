//! One invocation of a function, with its deadline: what is done, and the answer that Lambda expects.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::SdkConfig;
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::clients::Aws;
use super::config::Config;
use super::limits::CallLimits;
use super::queue::{Backoff, queue_url};
use crate::handler::{Message, handle_interruptions, handle_placement_failures, handle_restores};
use crate::ports::{Clock, StoreError};
use crate::reconcile::Reconciler;
use crate::timestamp::Timestamp;

/// How long before the deadline work stops: time to tell SQS and to answer. What is stopped is as good as a crash, which every
/// step survives.
pub const WRAP_UP: Duration = Duration::from_secs(3);
/// How long before the deadline the answer must be on its way, whatever SQS does.
pub const ANSWER: Duration = Duration::from_millis(500);

/// Which function a binary is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// `fargate-spot-task-placement-failure-handler`.
    PlacementFailure,
    /// `fargate-spot-interruption-handler`.
    Interruption,
    /// `fargate-spot-restore-handler`.
    Restore,
}

/// Why an invocation fails as a whole. Lambda then gives the whole batch back to the queue: nothing is lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvocationError {
    /// Not what the function's trigger sends.
    #[error("payload is no SQS event: {0}; this function is for a queue with an event source mapping")]
    Payload(String),
    /// A message that could not be reported as failed: an empty identifier would fail the batch anyway, and hide why
    /// (aws-facts.md §6).
    #[error("record {0} of the batch has no messageId")]
    NoMessageId(usize),
    /// The due index cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<InvocationError> for Diagnostic {
    fn from(error: InvocationError) -> Self {
        let error_type = match error {
            InvocationError::Payload(_) => "InvalidPayload",
            InvocationError::NoMessageId(_) => "NoMessageId",
            InvocationError::Store(_) => "StateTable",
        };
        Self { error_type: error_type.into(), error_message: error.to_string() }
    }
}

/// A payload that may not be JSON. The runtime would answer with an error that has the name of one of its types.
#[derive(Debug)]
pub(super) struct Payload(Result<Value, String>);

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(payload: D) -> Result<Self, D::Error> {
        Ok(Self(Value::deserialize(payload).map_err(|error| error.to_string())))
    }
}

/// What an instance of a function keeps between invocations.
#[derive(Debug)]
pub struct Instance {
    function: Function,
    config: Config,
    ports: Aws,
    backoff: Backoff,
}

/// `Records` of an SQS event, as far as needed. Not from `aws_lambda_events`: of five fields, only a missing one may fail a batch.
#[derive(Debug, Deserialize)]
struct SqsEvent {
    #[serde(rename = "Records")]
    records: Vec<SqsRecord>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SqsRecord {
    message_id: Option<String>,
    receipt_handle: Option<String>,
    body: Option<String>,
    attributes: Option<Attributes>,
    #[serde(rename = "eventSourceARN")]
    event_source_arn: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Attributes {
    #[serde(rename = "ApproximateReceiveCount")]
    receive_count: Option<String>,
}

impl Instance {
    /// An instance of `function` on the services that `sdk` leads to.
    pub fn new(function: Function, config: Config, sdk: &SdkConfig, limits: CallLimits) -> Self {
        let (ports, backoff) = (Aws::new(sdk, config.cell.clone(), limits), Backoff::new(sdk, limits));
        Self { function, config, ports, backoff }
    }

    /// One invocation, whose payload may be no JSON.
    pub(super) async fn invoke_raw(&self, event: LambdaEvent<Payload>) -> Result<Value, InvocationError> {
        let payload = match (self.function, event.payload.0) {
            // A sweep looks at what is due, whatever started it.
            (Function::Restore, payload) => payload.unwrap_or_default(),
            (_, payload) => payload.map_err(InvocationError::Payload)?,
        };
        self.invoke(LambdaEvent::new(payload, event.context)).await
    }

    /// One invocation: for a queue, answers which messages must come back; for the schedule, what the sweep did.
    ///
    /// # Errors
    /// [`InvocationError`] when nothing of it can be answered for.
    pub async fn invoke(&self, event: LambdaEvent<Value>) -> Result<Value, InvocationError> {
        let deadline = Timestamp::from_millis(event.context.deadline);
        // A retry of an asynchronous invocation has the same request id, but begins a minute later.
        let owner = format!("{}@{}", event.context.request_id, self.ports.now().as_millis());
        let reconciler = Reconciler::new(&self.ports, &self.config.policy, owner).ending(deadline);
        match self.function {
            Function::Restore => self.sweep(&reconciler, deadline).await,
            Function::PlacementFailure | Function::Interruption => {
                self.batch(&reconciler, records(event.payload)?, deadline).await
            }
        }
    }

    async fn sweep(&self, reconciler: &Reconciler<'_, Aws>, deadline: Timestamp) -> Result<Value, InvocationError> {
        match timeout(self.left(deadline - WRAP_UP), handle_restores(reconciler)).await {
            Ok(report) => {
                let report = report?;
                Ok(json!({ "lookedAt": report.looked_at, "failed": report.failed }))
            }
            Err(_) => {
                tracing::warn!("sweep stopped before the deadline; what is left stays due");
                Ok(json!({ "stopped": true }))
            }
        }
    }

    async fn batch(
        &self,
        reconciler: &Reconciler<'_, Aws>,
        records: Vec<(SqsRecord, Message)>,
        deadline: Timestamp,
    ) -> Result<Value, InvocationError> {
        let messages: Vec<Message> = records.iter().map(|(_, message)| message.clone()).collect();
        let retries = self.handle(reconciler, &messages, deadline - WRAP_UP).await;
        let retry = |message: &Message| retries.get(&message.id).copied();
        let failed: Vec<_> =
            records.iter().filter_map(|(record, message)| Some((record, message, retry(message)?))).collect();
        let handles: Vec<(&str, Duration)> =
            failed.iter().filter_map(|(record, _, time)| Some((record.receipt_handle.as_deref()?, *time))).collect();
        // An event source mapping has one queue.
        let queue = records.first().and_then(|(record, _)| queue_url(record.event_source_arn.as_deref()?));
        if let (Some(queue), false) = (queue, handles.is_empty()) {
            let told = timeout(self.left(deadline - ANSWER), self.backoff.apply(&queue, &handles)).await;
            if told.is_err() {
                tracing::warn!("no time left to tell SQS when messages come back");
            }
        }
        let failures: Vec<Value> = failed.iter().map(|(_, m, _)| json!({ "itemIdentifier": m.id })).collect();
        Ok(json!({ "batchItemFailures": failures }))
    }

    /// Handles the messages of a batch; returns those that must come back, each with the time after which it should.
    async fn handle(
        &self,
        reconciler: &Reconciler<'_, Aws>,
        messages: &[Message],
        until: Timestamp,
    ) -> BTreeMap<String, Duration> {
        let handled = async {
            let trust = &self.config.trust;
            match self.function {
                Function::Interruption => handle_interruptions(reconciler, trust, messages).await,
                _ => handle_placement_failures(reconciler, trust, messages).await,
            }
        };
        let left = self.left(until);
        let failures = if left.is_zero() { None } else { timeout(left, handled).await.ok() };
        let delay = |message: &Message| self.config.policy.message_delay(&message.id, message.receive_count);
        match failures {
            Some(failures) => failures.into_iter().map(|failure| (failure.id, failure.retry_in)).collect(),
            // What was done of it is found done.
            None => {
                tracing::warn!(messages = messages.len(), "no time left for the batch, it comes back");
                messages.iter().map(|message| (message.id.clone(), delay(message))).collect()
            }
        }
    }

    fn left(&self, until: Timestamp) -> Duration {
        until.since(self.ports.now())
    }
}

/// The messages of a batch, each with the record it came in.
fn records(payload: Value) -> Result<Vec<(SqsRecord, Message)>, InvocationError> {
    let event: SqsEvent =
        serde_json::from_value(payload).map_err(|error| InvocationError::Payload(error.to_string()))?;
    let message = |(n, record): (usize, SqsRecord)| {
        let id = record.message_id.clone().filter(|id| !id.is_empty()).ok_or(InvocationError::NoMessageId(n))?;
        let received = record.attributes.as_ref().and_then(|a| a.receive_count.as_ref()?.parse().ok());
        // A message without a body is one that says nothing: refused alone, as any other that is no event.
        let body = record.body.clone().unwrap_or_default();
        Ok((record, Message { id, body, receive_count: received.unwrap_or(1) }))
    };
    event.records.into_iter().enumerate().map(message).collect()
}
