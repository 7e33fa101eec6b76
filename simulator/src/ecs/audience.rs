//! Which of its events ECS need not even make, because no rule lets them pass: most of a fleet's.

use std::collections::BTreeSet;

use handlers::event::ECS_SOURCE;
use handlers::strategy::CapacityProvider;
use serde_json::json;

use crate::ecs::events::{SERVICE_ACTION, TASK_STATE_CHANGE};
use crate::ecs::task::Status;
use crate::eventbridge::EventBridge;

#[derive(Debug)]
pub(crate) struct Audience {
    /// Changes of tasks that the forwarding rule could let pass, by status and whether the task is on Spot.
    passing: BTreeSet<(Status, bool)>,
    /// Whether it could let a steady state pass.
    steady_states: bool,
}

impl Audience {
    pub(crate) fn of(bus: &EventBridge) -> Self {
        let kinds = Status::ALL.iter().flat_map(|status| [(*status, true), (*status, false)]);
        let could_pass = |(status, on_spot): &(Status, bool)| {
            let provider = if *on_spot { CapacityProvider::FargateSpot } else { CapacityProvider::Fargate };
            let detail = json!({ "lastStatus": status.name(), "capacityProviderName": provider });
            bus.could_forward(&json!({ "source": ECS_SOURCE, "detail-type": TASK_STATE_CHANGE, "detail": detail }))
        };
        let steady = json!({ "eventName": "SERVICE_STEADY_STATE" });
        Self {
            passing: kinds.filter(could_pass).collect(),
            steady_states: bus
                .could_forward(&json!({ "source": ECS_SOURCE, "detail-type": SERVICE_ACTION, "detail": steady })),
        }
    }

    /// Whether anybody could hear of a task that is now in this status.
    pub(super) fn hears_of(&self, bus: &EventBridge, status: Status, on_spot: bool) -> bool {
        bus.is_watched() || self.passing.contains(&(status, on_spot))
    }

    /// Whether anybody could hear of a steady state.
    pub(super) fn hears_of_steady_states(&self, bus: &EventBridge) -> bool {
        bus.is_watched() || self.steady_states
    }
}
