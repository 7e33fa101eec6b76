//! What the two queue handlers share: messages in, failures out, each message on its own.

use std::time::Duration;

use crate::event::{Parsed, Refusal, Signal, Trust, parse};
use crate::ports::Ports;
use crate::reconcile::{ReconcileError, Reconciler};

/// One SQS message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `messageId`.
    pub id: String,
    /// The event, as EventBridge wrote it.
    pub body: String,
    /// `ApproximateReceiveCount`: how often it has come, this time included.
    pub receive_count: u32,
}

/// A message that must come back: it goes into `batchItemFailures`, and after `maxReceiveCount` tries to the DLQ.
#[derive(Debug)]
pub struct Failure {
    /// `messageId`.
    pub id: String,
    /// Why.
    pub error: MessageError,
    /// How long it should stay invisible before it comes back: longer each time, so that a throttled account is left in
    /// peace (aws-facts.md §6).
    pub retry_in: Duration,
}

/// Why a message failed.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// Poison: it will fail each time.
    #[error("refused: {0}")]
    Refused(#[from] Refusal),
    /// It may succeed later.
    #[error(transparent)]
    Reconcile(#[from] ReconcileError),
}

/// Takes each message to its end before the next; one that fails does not touch the others.
pub(super) async fn handle<P: Ports>(
    reconciler: &Reconciler<'_, P>,
    trust: &Trust,
    messages: &[Message],
    concerns: fn(Signal) -> bool,
) -> Vec<Failure> {
    let mut failures = Vec::new();
    for message in messages {
        if let Err(error) = handle_one(reconciler, trust, message, concerns).await {
            tracing::warn!(message_id = message.id, %error, "message failed");
            let retry_in = reconciler.policy().message_delay(&message.id, message.receive_count);
            failures.push(Failure { id: message.id.clone(), error, retry_in });
        }
    }
    failures
}

async fn handle_one<P: Ports>(
    reconciler: &Reconciler<'_, P>,
    trust: &Trust,
    message: &Message,
    concerns: fn(Signal) -> bool,
) -> Result<(), MessageError> {
    match parse(&message.body, trust)? {
        Parsed::Ignored(why) => tracing::debug!(message_id = message.id, why, "ignored"),
        Parsed::Event(event) if !concerns(event.signal) => {
            tracing::warn!(message_id = message.id, signal = ?event.signal, "ignored: belongs into the other queue");
        }
        Parsed::Event(event) => {
            let reason = reconciler.on_event(&event).await?;
            tracing::info!(account = %event.service.account, service = %event.service, signal = ?event.signal, %reason, "event handled");
        }
    }
    Ok(())
}
