//! `DescribeServices`: a service as callers are shown it.

use std::sync::Arc;

use handlers::observation::{Deployment, Observation, Rollout};

use crate::ecs::service::Service;
use crate::ids::DeploymentId;

pub(crate) fn observe(service: &Service) -> Observation {
    let running = |deployment: &DeploymentId| {
        service.tasks.values().filter(|t| t.is_running() && t.deployment == *deployment).count() as u32
    };
    let deployments = service.deployments.iter().enumerate().map(|(n, d)| Deployment {
        id: d.id.to_string(),
        primary: n == 0,
        rollout: match (d.completed, d.failed) {
            (true, _) => Rollout::Completed,
            (false, true) => Rollout::Failed,
            (false, false) => Rollout::InProgress,
        },
        rolls_back: d.rolls_back.is_some() && !d.completed,
        strategy: (!d.launch_type).then(|| d.strategy.clone()),
        running: running(&d.id),
        created_at: d.created_at,
    });
    Observation {
        created_at: service.created_at,
        active: service.active,
        strategy: (!service.launch_type).then(|| service.strategy.clone()),
        controller: service.controller.clone(),
        replica: true,
        opted_out: service.opted_out,
        minimum_healthy_percent: service.minimum_healthy_percent,
        desired: service.desired,
        running: service.tasks.values().filter(|t| t.is_running()).count() as u32,
        pending: service.tasks.values().filter(|t| t.is_pending()).count() as u32,
        deployments: deployments.collect(),
        messages: Arc::clone(&service.messages),
    }
}
