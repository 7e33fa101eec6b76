//! Service deployments: `ListServiceDeployments`, `DescribeServiceDeployments`.

use handlers::service::{EcsArn, ServiceId};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Refusal, extend, shortened};
use super::caller::Caller;
use super::endpoint::Endpoint;
use super::input::{Page, required};
use super::name::service_not_found;
use crate::ecs::deployment::{ServiceDeployment, ServiceDeploymentState};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeServiceDeployments {
    service_deployment_arns: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ListServiceDeployments {
    cluster: Option<String>,
    service: Option<String>,
    status: Option<Vec<String>>,
    #[serde(flatten)]
    page: Page,
}

impl Endpoint<'_> {
    pub(super) fn list_service_deployments(&mut self, caller: &Caller, input: ListServiceDeployments) -> Answer {
        let name = required(input.service, "service")?;
        let cluster = self.cluster(caller, input.cluster.as_deref())?;
        let key = self.service_in(caller, &cluster, &name)?.ok_or_else(service_not_found)?;
        let service = self.world.ecs.service(key);
        let wanted = |d: &&ServiceDeployment| {
            let status = input.status.as_ref().filter(|status| !status.is_empty());
            status.is_none_or(|status| status.iter().any(|name| name == d.state.name()))
        };
        // The newest first.
        let all = service.service_deployments.iter().rev().filter(wanted).map(|deployment| {
            (arn(&service.id, "service-deployment", deployment), self.service_deployment_brief(&service.id, deployment))
        });
        input.page.in_order("serviceDeployments", 20, all.collect())
    }

    pub(super) fn describe_service_deployments(
        &mut self,
        caller: &Caller,
        input: DescribeServiceDeployments,
    ) -> Answer {
        let arns = required(input.service_deployment_arns, "serviceDeploymentArns")?;
        if !(1..=20).contains(&arns.len()) {
            return Err(Refusal::invalid("serviceDeploymentArns must have 1 to 20 items."));
        }
        let (mut found, mut failures) = (Vec::new(), Vec::new());
        for arn in arns {
            let parsed = caller.own_arn("service-deployment", &arn)?;
            let parsed = parsed.ok_or_else(|| Refusal::invalid(format!("Invalid identifier: {}", shortened(&arn))))?;
            match self.find_service_deployment(&parsed) {
                Some(shown) => found.push(shown),
                None => failures.push(json!({ "arn": arn, "reason": "MISSING" })),
            }
        }
        Ok(json!({ "serviceDeployments": found, "failures": failures }))
    }

    fn find_service_deployment(&self, arn: &EcsArn<'_>) -> Option<Value> {
        let mut parts = arn.path.split('/');
        let (cluster, service, id) = (parts.next()?, parts.next()?, parts.next()?);
        let service = ServiceId {
            account: arn.account.clone(),
            region: arn.region.clone(),
            cluster: cluster.parse().ok()?,
            service: service.parse().ok()?,
        };
        let service = self.world.ecs.service(self.world.names.service(&service)?);
        let deployment = service.service_deployments.iter().find(|d| number(d).to_string() == id)?;
        let mut shown = Map::new();
        extend(&mut shown, self.service_deployment_brief(&service.id, deployment));
        let running = service.tasks.values().filter(|t| t.deployment == deployment.deployment);
        let revision = shown.remove("targetServiceRevisionArn");
        extend(
            &mut shown,
            json!({
                "updatedAt": self.seconds(deployment.finished_at.unwrap_or(self.world.now)),
                "sourceServiceRevisions": [],
                "targetServiceRevision": {
                    "arn": revision,
                    "requestedTaskCount": service.desired,
                    "runningTaskCount": running.clone().filter(|t| t.is_running()).count(),
                    "pendingTaskCount": running.filter(|t| t.is_pending()).count(),
                },
                "deploymentConfiguration": {
                    "maximumPercent": service.maximum_percent,
                    "minimumHealthyPercent": service.minimum_healthy_percent,
                },
            }),
        );
        Some(shown.into())
    }
}

/// The digits of the deployment it began as are its own id too.
fn number(deployment: &ServiceDeployment) -> u64 {
    deployment.deployment.0
}

fn arn(id: &ServiceId, kind: &str, deployment: &ServiceDeployment) -> String {
    let ServiceId { account, region, cluster, service } = id;
    format!("arn:{}:ecs:{region}:{account}:{kind}/{cluster}/{service}/{}", region.partition(), number(deployment))
}

impl Endpoint<'_> {
    /// `ServiceDeploymentBrief`.
    fn service_deployment_brief(&self, id: &ServiceId, deployment: &ServiceDeployment) -> Value {
        let mut brief = json!({
            "serviceDeploymentArn": arn(id, "service-deployment", deployment),
            "serviceArn": id.arn(),
            "clusterArn": id.cluster_arn(),
            "targetServiceRevisionArn": arn(id, "service-revision", deployment),
            "createdAt": self.seconds(deployment.created_at),
            "startedAt": self.seconds(deployment.created_at),
            "status": deployment.state.name(),
        });
        if let Some(at) = deployment.finished_at {
            brief["finishedAt"] = self.seconds(at).into();
            if deployment.state == ServiceDeploymentState::Stopped {
                brief["stoppedAt"] = self.seconds(at).into();
            }
        }
        brief
    }
}
