//! `fargate-spot-interruption-handler`: a Spot task started, stopped or was interrupted.

use super::queue::{Failure, Message, handle};
use crate::event::{Signal, Trust};
use crate::ports::Ports;
use crate::reconcile::Reconciler;

/// Handles a batch of `fargate-spot-interruption-queue`; returns what must come back.
pub async fn handle_interruptions<P: Ports>(
    reconciler: &Reconciler<'_, P>,
    trust: &Trust,
    messages: &[Message],
) -> Vec<Failure> {
    let concerns = |signal: Signal| matches!(signal, Signal::Interruption | Signal::SpotTaskStopped | Signal::SpotTask);
    handle(reconciler, trust, messages, concerns).await
}
