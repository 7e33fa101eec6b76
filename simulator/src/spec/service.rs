//! One service, and what works on it by itself.

use std::time::Duration;

use handlers::observation::Controller;
use handlers::service::ServiceId;
use handlers::strategy::{CapacityProvider, Strategy};

/// One ECS service.
#[derive(Debug, Clone)]
pub struct ServiceSpec {
    /// Account, region, cluster, name.
    pub id: ServiceId,
    /// Tasks the owner wants.
    pub desired: u32,
    /// The owner's strategy.
    pub strategy: Strategy,
    /// Lower bound of running tasks during a deployment, in percent of desired (aws-facts.md §3); ECS's default is 100.
    pub minimum_healthy_percent: u32,
    /// Upper bound of tasks during a deployment, in percent of desired; ECS's default is 200.
    pub maximum_percent: u32,
    /// Whether the deployment circuit breaker is on, with rollback.
    pub circuit_breaker: bool,
    /// Whether deployment alarms are on, with rollback (aws-facts.md §1.6).
    pub alarms: bool,
    /// Size of a task in CPU units, 1024 to a vCPU; counts against the account's vCPU quota (aws-facts.md §4).
    pub cpu: u32,
    /// Providers associated with the cluster.
    pub associated: Vec<CapacityProvider>,
    /// Who runs deployments.
    pub controller: Controller,
    /// Whether it was created with the launch type `FARGATE` instead of `strategy`, which then says just that.
    pub launch_type: bool,
    /// The auto scaler that sets the desired count, if there is one.
    pub autoscaling: Option<Autoscaling>,
    /// The schedule on which the owner applies Terraform, if there is one.
    pub terraform: Option<Terraform>,
    /// Time between SIGTERM and SIGKILL, 120 s at most on Fargate (aws-facts.md §3).
    pub stop_timeout: Duration,
    /// How long the load balancer drains a task before SIGTERM; zero is a service without one (aws-facts.md §3).
    pub deregistration_delay: Duration,
    /// In how many Availability Zones its subnets lie, 1 to 6: the first ones of the Region.
    pub zones: u8,
    /// `availabilityZoneRebalancing`; works only with a maximum above 100 percent (aws-facts.md §1.6).
    pub zone_rebalancing: bool,
}

impl ServiceSpec {
    /// A service with everything but its name, size and strategy as ECS has it by default.
    pub fn new(id: ServiceId, desired: u32, strategy: Strategy) -> Self {
        Self {
            id,
            desired,
            strategy,
            minimum_healthy_percent: 100,
            maximum_percent: 200,
            circuit_breaker: false,
            alarms: false,
            cpu: 256,
            associated: vec![CapacityProvider::Fargate, CapacityProvider::FargateSpot],
            controller: Controller::Rolling,
            launch_type: false,
            autoscaling: None,
            terraform: None,
            stop_timeout: Duration::from_secs(30),
            deregistration_delay: Duration::ZERO,
            zones: 3,
            zone_rebalancing: true,
        }
    }
}

/// How [`Controller::Other`] names ECS's own blue/green deployments (aws-facts.md §1.5).
pub const BLUE_GREEN: &str = "ECS with BLUE_GREEN";

/// Application Auto Scaling on a service whose load follows the day: `desiredCount` moves between the bounds, one task at a time
/// (aws-facts.md §1.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Autoscaling {
    /// Fewest tasks, at the bottom of the day.
    pub min: u32,
    /// Most tasks, at its top, 6 hours after the start of the world.
    pub max: u32,
}

/// An owner whose pipeline applies Terraform again and again: it wants the declared strategy back wherever it finds another one
/// (aws-facts.md §1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terraform {
    /// Time between two runs; the first is this long after the start of the world.
    pub every: Duration,
    /// Whether it sends `forceNewDeployment`, without which AWS refuses the change.
    pub force: bool,
}
