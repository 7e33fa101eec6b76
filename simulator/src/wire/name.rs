//! Names as callers write them, short or as an ARN, and how they are paged through.

use handlers::service::{EcsArn, ServiceId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::caller::Caller;
use super::state::ClusterKey;
use super::{Refusal, shortened};
use crate::ids::ServiceKey;
use crate::world::World;

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

fn invalid_token() -> Refusal {
    Refusal::invalid("Invalid token.")
}

/// A member of the input that must be there.
pub(super) fn required<T>(value: Option<T>, name: &str) -> Result<T, Refusal> {
    value.ok_or_else(|| Refusal::invalid(format!("{name} can not be null.")))
}

impl World {
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
        if self.wire.clusters.contains_key(&key) { Ok(key) } else { Err(cluster_not_found()) }
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
        Ok(id.ok().and_then(|id| self.names.service(&id)))
    }
}

/// Where a list goes on.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    next_token: Option<String>,
    max_results: Option<i64>,
}

impl Page {
    /// One page of ARNs, sorted, under `field`; `usual` is the size of a page where none is asked for.
    pub(super) fn of(&self, field: &str, usual: usize, mut arns: Vec<String>) -> Result<Value, Refusal> {
        arns.sort();
        if let Some(after) = &self.next_token {
            if !after.starts_with("arn:") {
                return Err(invalid_token());
            }
            // Also where that one has gone meanwhile.
            arns.retain(|arn| arn > after);
        }
        self.cut(field, usual, arns.into_iter().map(|arn| (arn.clone(), arn.into())).collect())
    }

    /// The same of structures with their ARNs that keep their order and never go.
    pub(super) fn in_order(&self, field: &str, usual: usize, all: Vec<(String, Value)>) -> Result<Value, Refusal> {
        let begin = match &self.next_token {
            None => 0,
            Some(after) => 1 + all.iter().position(|(arn, _)| arn == after).ok_or_else(invalid_token)?,
        };
        self.cut(field, usual, all.into_iter().skip(begin).collect())
    }

    /// The last ARN of a page is the token of the next one.
    fn cut(&self, field: &str, usual: usize, mut items: Vec<(String, Value)>) -> Result<Value, Refusal> {
        let size = match self.max_results {
            None => usual,
            Some(size @ 1..=100) => size as usize,
            Some(_) => return Err(Refusal::invalid("maxResults must be between 1 and 100.")),
        };
        let more = items.len() > size;
        items.truncate(size);
        let next = items.last().filter(|_| more).map(|(arn, _)| arn.clone());
        let mut page = json!({ field: items.into_iter().map(|(_, item)| item).collect::<Vec<_>>() });
        if let Some(next) = next {
            page["nextToken"] = next.into();
        }
        Ok(page)
    }
}
