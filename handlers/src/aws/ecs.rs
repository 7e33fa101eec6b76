//! ECS in the workload accounts.

use std::slice;

use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::operation::describe_services::DescribeServicesOutput;
use aws_sdk_ecs::types::{CapacityProviderStrategyItem, ServiceField};

use super::clients::Aws;
use super::failure::Failure;
use super::observe::observation;
use crate::held::HeldReason;
use crate::observation::{Look, Observation};
use crate::ports::{Cluster, Ecs, EcsError, UpdateError};
use crate::service::{ServiceId, ServiceName};
use crate::strategy::{Strategy, StrategyItem};

impl Ecs for Aws {
    async fn describe_services(&self, cluster: &Cluster, services: &[ServiceName]) -> Result<Vec<Look>, EcsError> {
        let blocked = |reason| Ok(vec![Look::Blocked(reason); services.len()]);
        match self.describe(cluster, services).await {
            Ok(looks) => Ok(looks),
            Err(Failure::Refused { code, .. }) if code == "ClusterNotFoundException" => {
                Ok(vec![Look::Missing; services.len()])
            }
            // One service is enough for the whole call to fail: IAM denies all when it denies one ARN. Ask for each alone.
            Err(Failure::Denied(_) | Failure::Refused { .. }) if services.len() > 1 => {
                let mut looks = Vec::with_capacity(services.len());
                for service in services {
                    looks.extend(Box::pin(self.describe_services(cluster, slice::from_ref(service))).await?);
                }
                Ok(looks)
            }
            Err(Failure::NoSession(text)) => {
                tracing::warn!(account = %cluster.account, error = text, "no session");
                blocked(HeldReason::RoleMissing)
            }
            Err(Failure::Denied(text)) => {
                tracing::warn!(account = %cluster.account, error = text, "denied");
                blocked(HeldReason::AccessDenied("ecs:DescribeServices".into()))
            }
            Err(failure @ Failure::Refused { .. }) => {
                let problem = failure.text();
                Ok(services.iter().map(|service| unreadable(service, problem.clone())).collect())
            }
            Err(Failure::Throttled(text)) => Err(EcsError::Throttled(text)),
            Err(failure @ Failure::BadSession(_)) => {
                self.sessions.forget(&cluster.account);
                Err(EcsError::Unclear(failure.text()))
            }
            Err(failure @ (Failure::Passing(_) | Failure::Unclear(_))) => Err(EcsError::Unclear(failure.text())),
        }
    }

    async fn update_strategy(&self, service: &ServiceId, strategy: &Strategy) -> Result<Observation, UpdateError> {
        let items = items(strategy).map_err(|problem| UpdateError::Refused(HeldReason::Refused(problem)))?;
        // No client token, so never twice: the SDK would send it again after a 5xx or a timeout (aws-facts.md §4).
        let once = self
            .sessions
            .of(&service.account)
            .retry_config(RetryConfig::disabled())
            .timeout_config(self.limits.timeouts(self.limits.update, self.limits.update));
        let updated = self
            .sessions
            .ecs()
            .update_service()
            .cluster(service.cluster.as_str())
            .service(service.service.as_str())
            .set_capacity_provider_strategy(Some(items))
            .force_new_deployment(true)
            .customize()
            .config_override(once)
            .send()
            .await;
        match updated.map_err(|error| Failure::of(&error)) {
            Ok(answer) => {
                let unclear = |problem: String| UpdateError::Unclear(format!("answer to UpdateService: {problem}"));
                let updated = answer.service().ok_or_else(|| unclear("service is missing".into()))?;
                // Tags are not in it: a service whose owner opted out is not updated in the first place.
                observation(updated).map_err(|problem| unclear(problem.to_string()))
            }
            Err(failure) => {
                if matches!(failure, Failure::BadSession(_)) {
                    self.sessions.forget(&service.account);
                }
                Err(update_error(failure))
            }
        }
    }
}

impl Aws {
    async fn describe(&self, cluster: &Cluster, services: &[ServiceName]) -> Result<Vec<Look>, Failure> {
        let answer = self
            .sessions
            .ecs()
            .describe_services()
            .cluster(cluster.name.as_str())
            .set_services(Some(services.iter().map(ToString::to_string).collect()))
            .include(ServiceField::Tags)
            .customize()
            .config_override(self.sessions.of(&cluster.account))
            .send()
            .await
            .map_err(|error| Failure::of(&error))?;
        Ok(services.iter().map(|service| look(service, &answer)).collect())
    }
}

/// A service that is not in the answer as it should be blocks nobody but itself.
fn look(service: &ServiceName, answer: &DescribeServicesOutput) -> Look {
    if let Some(found) = answer.services().iter().find(|s| s.service_name() == Some(service.as_str())) {
        return match observation(found) {
            Ok(seen) => Look::found(seen),
            Err(problem) => unreadable(service, problem.to_string()),
        };
    }
    // A failure names the ARN, which ends in the name in its long form and in its short one.
    let named = |arn: &str| arn.rsplit('/').next() == Some(service.as_str());
    match answer.failures().iter().find(|f| f.arn().is_some_and(named)) {
        Some(failure) if failure.reason() == Some("MISSING") => Look::Missing,
        // A missing service is forgotten, so no other reason may mean the same.
        Some(failure) => {
            let [reason, detail] = [failure.reason(), failure.detail()].map(|text| text.unwrap_or("none"));
            unreadable(service, format!("{service} is in failures with the reason {reason}, detail {detail}"))
        }
        None => unreadable(service, format!("{service} is neither in services nor in failures")),
    }
}

fn unreadable(service: &ServiceName, problem: String) -> Look {
    tracing::error!(%service, problem, "answer to DescribeServices not understood");
    Look::Blocked(HeldReason::Unreadable(problem))
}

fn items(strategy: &Strategy) -> Result<Vec<CapacityProviderStrategyItem>, String> {
    let item = |item: &StrategyItem| {
        let number = |n: u32| i32::try_from(n).map_err(|error| error.to_string());
        CapacityProviderStrategyItem::builder()
            .capacity_provider(item.capacity_provider.as_str())
            .weight(number(item.weight)?)
            .base(number(item.base)?)
            .build()
            .map_err(|error| error.to_string())
    };
    strategy.items().iter().map(item).collect()
}

/// Whether the change may have happened, and if not, who can help. `Unclear` where in doubt: that costs a look, a wrong word
/// to the contrary a second deployment.
fn update_error(failure: Failure) -> UpdateError {
    match failure {
        Failure::Throttled(text) | Failure::Passing(text) | Failure::BadSession(text) => UpdateError::Throttled(text),
        Failure::NoSession(_) => UpdateError::Refused(HeldReason::RoleMissing),
        Failure::Denied(text) => {
            tracing::warn!(error = text, "denied");
            UpdateError::Refused(HeldReason::AccessDenied("ecs:UpdateService".into()))
        }
        Failure::Refused { code, message } => match code.as_str() {
            "ServiceNotFoundException" | "ServiceNotActiveException" | "ClusterNotFoundException" => {
                UpdateError::Gone(message)
            }
            // The text that users quote (aws-facts.md §1.4).
            "InvalidParameterException" if message.contains("not associated with the cluster") => {
                UpdateError::Refused(HeldReason::FargateNotAssociated)
            }
            _ => UpdateError::Refused(HeldReason::Refused(format!("{code}: {message}"))),
        },
        Failure::Unclear(text) => UpdateError::Unclear(text),
    }
}
