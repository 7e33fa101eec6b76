//! `fargate-spot-task-placement-failure-handler`: ECS could not place a task.

use super::queue::{Failure, Message, handle};
use crate::event::{Signal, Trust};
use crate::ports::Ports;
use crate::reconcile::Reconciler;

/// Handles a batch of `fargate-spot-placement-failure-queue`; returns what must come back.
pub async fn handle_placement_failures<P: Ports>(
    reconciler: &Reconciler<'_, P>,
    trust: &Trust,
    messages: &[Message],
) -> Vec<Failure> {
    let concerns = |signal: Signal| {
        matches!(
            signal,
            Signal::SpotPlacementFailure | Signal::OnDemandPlacementFailure | Signal::SyntheticPlacementFailure
        )
    };
    handle(reconciler, trust, messages, concerns).await
}
