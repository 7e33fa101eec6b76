//! Clusters, families of task definitions and tags: their keys, their ARNs, their form in JSON.

use std::collections::BTreeMap;

use handlers::service::{AccountId, ClusterName, Region};
use serde::Deserialize;
use serde_json::{Value, json};

/// A cluster's place: account, region, name.
pub(super) type ClusterKey = (AccountId, Region, ClusterName);
/// A family of task definitions: account, region, name.
pub(super) type FamilyKey = (AccountId, Region, String);

pub(super) fn cluster_arn((account, region, cluster): &ClusterKey) -> String {
    format!("arn:{}:ecs:{region}:{account}:cluster/{cluster}", region.partition())
}

pub(super) fn task_definition_arn((account, region, family): &FamilyKey, revision: usize) -> String {
    format!("arn:{}:ecs:{region}:{account}:task-definition/{family}:{revision}", region.partition())
}

#[derive(Debug, Deserialize)]
pub(super) struct Tag {
    pub(super) key: Option<String>,
    pub(super) value: Option<String>,
}

pub(super) fn show_tags(tags: Option<&BTreeMap<String, String>>) -> Vec<Value> {
    tags.into_iter().flatten().map(|(key, value)| json!({ "key": key, "value": value })).collect()
}
