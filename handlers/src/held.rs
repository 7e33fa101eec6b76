//! Why a service needs a person: one reason per cause, each with its remedy.

use serde::{Deserialize, Serialize};

/// Why a service is held: one reason per cause, each with its remedy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum HeldReason {
    /// Deployments are not ECS's own rolling ones.
    #[error("deployment controller {0} is not supported; only ECS rolling deployments are")]
    Controller(String),
    /// A daemon service.
    #[error("DAEMON services are not supported")]
    Daemon,
    /// A provider that is not Fargate's.
    #[error("capacity provider {0} is not supported; only FARGATE and FARGATE_SPOT are")]
    Provider(String),
    /// The cluster has no `FARGATE`.
    #[error("FARGATE is not associated with the cluster; add it with PutClusterCapacityProviders")]
    FargateNotAssociated,
    /// `AssumeRole` was denied: the role is missing, or does not trust the central account.
    #[error("role CentralSpotAutomationRole cannot be assumed; create it or fix its trust policy (onboarding step 1)")]
    RoleMissing,
    /// The role may not do what is needed.
    #[error("role CentralSpotAutomationRole is denied {0}; attach the permissions (onboarding step 2)")]
    AccessDenied(String),
    /// ECS rolled the failover back: its circuit breaker or an alarm judged the deployment.
    #[error("ECS rolled the failover back; check why the service's tasks do not become healthy on FARGATE")]
    RolledBack,
    /// The fallback does not come up either.
    #[error("On-Demand capacity is short too; check the account's Fargate vCPU quota and the region's health")]
    OnDemandShort,
    /// ECS describes the service in a way that this release does not understand.
    #[error(
        "the answer to DescribeServices is not understood: {0}; see whether there is a newer release, or report it"
    )]
    Unreadable(String),
    /// ECS refused the change for a reason of its own.
    #[error("ECS refused the change: {0}")]
    Refused(String),
}
