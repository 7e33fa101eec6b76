//! A service as ECS describes it → an [`Observation`].
//!
//! A field that a decision hangs on has no default: where it is missing, the service is not understood, and nothing is done to it.
//! The counts are the exception. The SDK's model has them as plain numbers, so that an absent one reads 0; ECS always sends them.

use std::sync::Arc;

use aws_sdk_ecs::primitives::DateTime;
use aws_sdk_ecs::types::{
    CapacityProviderStrategyItem, Deployment as SdkDeployment, DeploymentControllerType, DeploymentRolloutState,
    DeploymentStrategy, SchedulingStrategy, Service, ServiceEvent,
};

use crate::observation::{Controller, Deployment, Message, OPT_OUT, Observation, Rollout};
use crate::strategy::{Strategy, StrategyItem};
use crate::timestamp::Timestamp;

/// A field of a service that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub(super) struct Unreadable {
    field: String,
    problem: String,
}

fn missing(field: &str) -> Unreadable {
    wrong(field, "is missing")
}

fn wrong(field: &str, problem: impl ToString) -> Unreadable {
    Unreadable { field: field.to_owned(), problem: problem.to_string() }
}

/// What `service` looks like. Tags are only in the answer to `DescribeServices`.
pub(super) fn observation(service: &Service) -> Result<Observation, Unreadable> {
    let controller = controller(service);
    let active = match service.status() {
        Some("ACTIVE") => true,
        // Gone for us: what is remembered of the service will be deleted, so no other value may mean the same.
        Some("DRAINING" | "INACTIVE") => false,
        Some(other) => return Err(wrong("status", format!("{other:?} is not known"))),
        None => return Err(missing("status")),
    };
    // ECS defaults to REPLICA, and DAEMON does not exist on Fargate (aws-facts.md §1.5).
    let replica = service.scheduling_strategy().is_none_or(|kind| *kind == SchedulingStrategy::Replica);
    let strategy = strategy("capacityProviderStrategy", service.capacity_provider_strategy())?;
    let rolling = controller == Controller::Rolling;
    if active && rolling && strategy.is_none() && service.launch_type().is_none() {
        return Err(wrong("capacityProviderStrategy", "and launchType are both missing"));
    }
    // Of a service that is not handled anyway, what does not apply to it need not be there (aws-facts.md §1.6).
    let handled = active && rolling && replica && strategy.as_ref().is_some_and(|s| s.other_provider().is_none());
    let minimum = service.deployment_configuration().and_then(|c| c.minimum_healthy_percent());
    let minimum = match minimum {
        None if handled => return Err(missing("deploymentConfiguration.minimumHealthyPercent")),
        minimum => minimum.unwrap_or_default(),
    };
    let mut deployments = service
        .deployments()
        .iter()
        .enumerate()
        .map(|(n, d)| deployment(&format!("deployments[{n}]"), d, handled))
        .collect::<Result<Vec<_>, _>>()?;
    if handled && deployments.iter().filter(|d| d.primary).count() != 1 {
        return Err(wrong("deployments", "have not exactly one PRIMARY"));
    }
    deployments.sort_by_key(|d| !d.primary);
    let messages = service.events().iter().enumerate().map(|(n, e)| message(&format!("events[{n}]"), e));
    let (tag, off) = OPT_OUT;
    Ok(Observation {
        created_at: timestamp("createdAt", service.created_at())?,
        active,
        strategy,
        controller,
        replica,
        opted_out: service.tags().iter().any(|t| t.key() == Some(tag) && t.value() == Some(off)),
        minimum_healthy_percent: count("deploymentConfiguration.minimumHealthyPercent", minimum)?,
        desired: count("desiredCount", service.desired_count())?,
        running: count("runningCount", service.running_count())?,
        pending: count("pendingCount", service.pending_count())?,
        deployments,
        messages: Arc::new(messages.collect::<Result<_, _>>()?),
    })
}

/// Without a controller or a strategy named, ECS rolls (API reference, `DeploymentController` and `DeploymentConfiguration`);
/// should it not, it refuses our change.
fn controller(service: &Service) -> Controller {
    let controller = service.deployment_controller().map(|c| c.r#type());
    let strategy = service.deployment_configuration().and_then(|c| c.strategy());
    match (controller, strategy) {
        (None | Some(DeploymentControllerType::Ecs), None | Some(DeploymentStrategy::Rolling)) => Controller::Rolling,
        (None | Some(DeploymentControllerType::Ecs), Some(other)) => Controller::Other(format!("ECS with {other}")),
        (Some(other), _) => Controller::Other(other.to_string()),
    }
}

fn deployment(field: &str, deployment: &SdkDeployment, handled: bool) -> Result<Deployment, Unreadable> {
    let at = |name: &str| format!("{field}.{name}");
    // An open string (aws-facts.md §1.2): anything but PRIMARY is being replaced.
    let primary = deployment.status().ok_or_else(|| missing(&at("status")))? == "PRIMARY";
    let rollout = match deployment.rollout_state() {
        Some(DeploymentRolloutState::InProgress) => Rollout::InProgress,
        Some(DeploymentRolloutState::Completed) => Rollout::Completed,
        Some(DeploymentRolloutState::Failed) => Rollout::Failed,
        // How far one has come that is being replaced decides nothing.
        _ if !(handled && primary) => Rollout::InProgress,
        Some(other) => return Err(wrong(&at("rolloutState"), format!("{:?} is not known", other.as_str()))),
        None => return Err(missing(&at("rolloutState"))),
    };
    Ok(Deployment {
        id: deployment.id().ok_or_else(|| missing(&at("id")))?.to_owned(),
        primary,
        rollout,
        // As reported for the circuit breaker (aws-facts.md §1.6); taken to be the same for alarms and StopServiceDeployment.
        rolls_back: deployment.rollout_state_reason().is_some_and(|reason| reason.contains("rolling back")),
        strategy: strategy(&at("capacityProviderStrategy"), deployment.capacity_provider_strategy())?,
        running: count(&at("runningCount"), deployment.running_count())?,
        created_at: timestamp(&at("createdAt"), deployment.created_at())?,
    })
}

/// No items mean a launch type: ECS leaves the list out then (aws-facts.md §1.3).
fn strategy(field: &str, items: &[CapacityProviderStrategyItem]) -> Result<Option<Strategy>, Unreadable> {
    if items.is_empty() {
        return Ok(None);
    }
    let item = |(n, item): (usize, &CapacityProviderStrategyItem)| {
        Ok(StrategyItem {
            capacity_provider: item.capacity_provider().to_owned().into(),
            weight: count(&format!("{field}[{n}].weight"), item.weight())?,
            base: count(&format!("{field}[{n}].base"), item.base())?,
        })
    };
    let items = items.iter().enumerate().map(item).collect::<Result<_, _>>()?;
    Strategy::new(items).map(Some).map_err(|problem| wrong(field, format!("is not valid: {problem}")))
}

fn message(field: &str, event: &ServiceEvent) -> Result<Message, Unreadable> {
    let text = event.message().ok_or_else(|| missing(&format!("{field}.message")))?;
    Ok(Message { at: timestamp(&format!("{field}.createdAt"), event.created_at())?, text: text.to_owned() })
}

fn count(field: &str, value: i32) -> Result<u32, Unreadable> {
    u32::try_from(value).map_err(|_| wrong(field, format!("is {value}")))
}

/// ECS sends seconds as a decimal fraction, which is a little less or more than the millisecond that is meant.
fn timestamp(field: &str, time: Option<&DateTime>) -> Result<Timestamp, Unreadable> {
    let nanos = time.ok_or_else(|| missing(field))?.as_nanos();
    let millis = u64::try_from((nanos + 500_000).div_euclid(1_000_000));
    Ok(Timestamp::from_millis(millis.map_err(|_| wrong(field, "lies before 1970"))?))
}
