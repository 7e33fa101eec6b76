//! Metrics in CloudWatch's embedded metric format (aws-facts.md §9): a log line that CloudWatch counts.

use serde_json::{Value, json};

use crate::phase::Phase;
use crate::transition::Transition;

/// Namespace of every metric.
pub const NAMESPACE: &str = "SpotRecovery";

/// The line for one transition: a count under the transition's name, per account and in all; the rest are searchable fields.
pub fn line(transition: &Transition) -> Value {
    let name = name(transition.from, transition.to);
    let mut line = json!({
        "_aws": {
            "Timestamp": transition.at.as_millis(),
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [["account"], []],
                "Metrics": [{ "Name": name, "Unit": "Count" }],
            }],
        },
        "account": transition.account,
        "id": transition.id,
        "episode": transition.episode,
        "reason": transition.reason,
    });
    line[name] = 1.into();
    line
}

/// The metric a transition counts under.
fn name(from: Option<Phase>, to: Option<Phase>) -> &'static str {
    match (from, to) {
        (Some(Phase::Restoring), Some(Phase::FailingOver)) => "RestoresFailed",
        (Some(Phase::Restoring), Some(Phase::OnDemand)) => "RestoresRolledBack",
        (Some(Phase::Restoring), Some(Phase::Watching)) => "Restored",
        (Some(Phase::Restoring), Some(Phase::Restoring)) => "ProbesHeld",
        (_, Some(Phase::FailingOver)) => "FailoversBegun",
        (_, Some(Phase::OnDemand)) => "FailedOver",
        (_, Some(Phase::Restoring)) => "RestoresBegun",
        (_, Some(Phase::Held)) => "Held",
        (None, Some(Phase::Watching)) => "Discovered",
        (_, Some(Phase::Watching)) => "Closed",
        (_, None) => "Forgotten",
    }
}
