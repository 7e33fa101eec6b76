//! Names as callers write them, short or as an ARN, and what they name.

use handlers::service::{EcsArn, ServiceId};
use serde_json::{Map, Value};

use super::answer::{Refusal, shortened};
use super::caller::Caller;
use super::endpoint::Endpoint;
use super::resource::ClusterKey;
use crate::ecs::service::Service;
use crate::ids::ServiceKey;

/// The cluster that is meant where none is named.
pub(super) const DEFAULT_CLUSTER: &str = "default";

impl Caller {
    /// An ARN of the given kind, which must be of the caller's own account and region; a short name is `None`.
    pub(super) fn own_arn<'a>(&self, kind: &str, name: &'a str) -> Result<Option<EcsArn<'a>>, Refusal> {
        if !name.starts_with("arn:") {
            return Ok(None);
        }
        let arn = EcsArn::parse(name).ok().filter(|arn| arn.kind == kind);
        let arn = arn.ok_or_else(|| Refusal::invalid(format!("Invalid identifier: {}", shortened(name))))?;
        if arn.account != self.account {
            let (its, yours) = (&arn.account, &self.account);
            return Err(Refusal::invalid(format!(
                "Invalid identifier: Identifier is for {its}. Your accountId is {yours}"
            )));
        }
        if arn.region != self.region {
            let (its, yours) = (&arn.region, &self.region);
            return Err(Refusal::invalid(format!(
                "Invalid identifier: Identifier is for {its}. Your region is {yours}"
            )));
        }
        Ok(Some(arn))
    }

    /// `arn:…:ecs:REGION:ACCOUNT:KIND/PATH` in the caller's account and region.
    pub(super) fn arn_of(&self, kind: &str, path: &str) -> String {
        format!("arn:{}:ecs:{}:{}:{kind}/{path}", self.region.partition(), self.region, self.account)
    }
}

pub(super) fn cluster_not_found() -> Refusal {
    Refusal::new("ClusterNotFoundException", "Cluster not found.")
}

pub(super) fn service_not_found() -> Refusal {
    Refusal::new("ServiceNotFoundException", "Service not found.")
}

impl Endpoint<'_> {
    /// The key of a cluster by name or ARN, whether or not there is one.
    pub(super) fn cluster_key(&self, caller: &Caller, cluster: Option<&str>) -> Result<ClusterKey, Refusal> {
        let name = cluster.unwrap_or(DEFAULT_CLUSTER);
        let name = caller.own_arn("cluster", name)?.map_or(name, |arn| arn.path);
        // No cluster has a name that is none.
        let name = name.parse().map_err(|_| cluster_not_found())?;
        Ok((caller.account.clone(), caller.region.clone(), name))
    }

    /// The key of a cluster that is there.
    pub(super) fn cluster(&self, caller: &Caller, cluster: Option<&str>) -> Result<ClusterKey, Refusal> {
        let key = self.cluster_key(caller, cluster)?;
        if self.state.clusters.contains_key(&key) { Ok(key) } else { Err(cluster_not_found()) }
    }

    /// The service of that name or ARN in a cluster, deleted or not.
    pub(super) fn service_in(
        &self,
        caller: &Caller,
        cluster: &ClusterKey,
        service: &str,
    ) -> Result<Option<ServiceKey>, Refusal> {
        let name = match caller.own_arn("service", service)? {
            Some(arn) => match arn.path.split_once('/') {
                Some((of, _)) if of != cluster.2.as_str() => return Ok(None),
                Some((_, name)) => name,
                // The old short form names no cluster.
                None => arn.path,
            },
            None => service,
        };
        let (account, region, cluster) = cluster.clone();
        let id = name.parse().map(|service| ServiceId { account, region, cluster, service });
        Ok(id.ok().and_then(|id| self.world.names.service(&id)))
    }

    /// Services of a cluster that are not gone.
    pub(super) fn services_of<'a>(&'a self, key: &'a ClusterKey) -> impl Iterator<Item = &'a Service> {
        self.world.ecs.services.iter().filter(move |service| is_of(service, key) && !is_inactive(service))
    }

    /// By family, by `family:revision`, or by ARN; a family alone is its newest revision.
    pub(super) fn find_task_definition(&self, caller: &Caller, name: &str) -> Result<&Map<String, Value>, Refusal> {
        let name = caller.own_arn("task-definition", name)?.map_or(name, |arn| arn.path);
        let (family, revision) = match name.split_once(':') {
            Some((family, revision)) => (family, revision.parse::<usize>().ok().filter(|n| *n > 0)),
            None => (name, Some(0)),
        };
        let key = (caller.account.clone(), caller.region.clone(), family.to_owned());
        let revisions = self.state.task_definitions.get(&key).zip(revision);
        let definition =
            revisions.and_then(|(all, revision)| if revision == 0 { all.last() } else { all.get(revision - 1) });
        definition.ok_or_else(|| Refusal::new("ClientException", "Unable to describe task definition."))
    }
}

pub(super) fn is_of(service: &Service, (account, region, cluster): &ClusterKey) -> bool {
    service.id.account == *account && service.id.region == *region && service.id.cluster == *cluster
}

/// Deleted, and its last task gone.
pub(super) fn is_inactive(service: &Service) -> bool {
    !service.active && service.tasks.is_empty()
}
