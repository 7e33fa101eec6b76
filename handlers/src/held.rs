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
    /// A deployment does not come up because the application fails, ours or a release of the owner's.
    #[error(
        "the application fails to start, so the service waits where it is; fix it, or deploy a release that starts"
    )]
    ApplicationFails,
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

impl HeldReason {
    /// Whether the cause is that there was no look at the service: a look that works is the cure.
    pub fn is_blindness(&self) -> bool {
        match self {
            Self::RoleMissing | Self::Unreadable(_) => true,
            Self::AccessDenied(action) => action == "ecs:DescribeServices",
            _ => false,
        }
    }

    /// Whether a look shows that the cause is gone. Of the others only a new try tells, so they wait for it.
    pub fn shows_in_a_look(&self) -> bool {
        let on_the_service = matches!(
            self,
            Self::Controller(_) | Self::Daemon | Self::Provider(_) | Self::ApplicationFails | Self::OnDemandShort
        );
        on_the_service || self.is_blindness()
    }
}
