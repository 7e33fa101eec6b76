//! What the two queue handlers share: a batch of messages in, those that must come back out.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;

use crate::event::{Event, Parsed, Refusal, Signal, Trust, parse};
use crate::ports::Ports;
use crate::reconcile::{Outcome, ReconcileError, Reconciler};

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

/// Receives after which an event is left to the next turn or sweep, if the table takes it: one more, and it would die of load.
const LAST_TRY: u32 = 4;

/// Takes a batch as a whole: the events of one service together, those of one account in its turn. A message that fails does not touch
/// the others.
pub(super) async fn handle<P: Ports>(
    reconciler: &Reconciler<'_, P>,
    trust: &Trust,
    messages: &[Message],
    concerns: fn(Signal) -> bool,
) -> Vec<Failure> {
    let (mut failures, mut events, mut of, mut go_on) = (Vec::new(), Vec::new(), Vec::new(), BTreeSet::new());
    for message in messages {
        match parse(&message.body, trust) {
            Ok(Parsed::Ignored(why)) => tracing::debug!(message_id = message.id, why, "ignored"),
            Ok(Parsed::GoOn(account, region)) => _ = go_on.insert((account, region)),
            Ok(Parsed::Event(event)) if !concerns(event.signal) => {
                tracing::warn!(message_id = message.id, signal = ?event.signal, "ignored: belongs into the other queue");
            }
            Ok(Parsed::Event(event)) => {
                events.push(*event);
                of.push(message);
            }
            Err(refusal) => failures.push(fail(reconciler, message, refusal.into())),
        }
    }
    let outcomes = reconciler.on_events(&events).await;
    for ((message, event), outcome) in of.into_iter().zip(&events).zip(outcomes) {
        failures.extend(end(reconciler, message, event, outcome).await);
    }
    join_all(go_on.iter().map(|(account, region)| reconciler.go_on(account, region))).await;
    failures
}

/// Ends one message: done, left to the next turn, or to come back.
async fn end<P: Ports>(
    reconciler: &Reconciler<'_, P>,
    message: &Message,
    event: &Event,
    outcome: Outcome,
) -> Option<Failure> {
    let error = match outcome {
        Ok(reason) => {
            tracing::info!(account = %event.service.account, service = %event.service, signal = ?event.signal, %reason, "event handled");
            return None;
        }
        Err(error) if message.receive_count < LAST_TRY => error,
        Err(error) => match reconciler.leave(event).await {
            Ok(()) => {
                tracing::warn!(message_id = message.id, %error, "event left to the next turn or sweep");
                return None;
            }
            Err(error) => error,
        },
    };
    Some(fail(reconciler, message, error.into()))
}

fn fail<P: Ports>(reconciler: &Reconciler<'_, P>, message: &Message, error: MessageError) -> Failure {
    let known = match &error {
        MessageError::Reconcile(error) => reconciler.retry_in(error),
        // No wait would make it better: with the defaults it is in the DLQ within two minutes.
        MessageError::Refused(_) => Some(reconciler.policy().retry_delay),
    };
    match &error {
        MessageError::Reconcile(_) if known.is_some() => {
            tracing::info!(message_id = message.id, %error, "message comes back")
        }
        _ => tracing::warn!(message_id = message.id, %error, "message failed"),
    }
    let retry_in = known.unwrap_or_else(|| reconciler.policy().message_delay(&message.id, message.receive_count));
    Failure { id: message.id.clone(), error, retry_in }
}
