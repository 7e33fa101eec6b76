//! What AWS remembers and the model does not need: clusters and their names, task definitions, tags, sessions.

use std::collections::BTreeMap;

use handlers::service::AccountId;
use handlers::strategy::{CapacityProvider, StrategyItem};
use handlers::timestamp::Timestamp;
use serde_json::{Map, Value};

use super::resource::{ClusterKey, FamilyKey};
use crate::ids::{DeploymentId, ServiceKey};

/// What AWS remembers about one world between requests. The server, or whatever else answers for the world, keeps it.
#[derive(Debug, Default)]
pub struct State {
    /// Whether the clusters and task definitions of the world's own services are known.
    pub(super) learned: bool,
    pub(super) requests: u64,
    /// By access key.
    pub(super) sessions: BTreeMap<String, Session>,
    pub(super) sessions_made: u64,
    pub(super) clusters: BTreeMap<ClusterKey, Cluster>,
    /// `TaskDefinition` structures, revision 1 first.
    pub(super) task_definitions: BTreeMap<FamilyKey, Vec<Map<String, Value>>>,
    pub(super) services: BTreeMap<ServiceKey, Details>,
    /// By the resource's ARN. The opt-out tag of a service is the model's own.
    pub(super) tags: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Debug, Default)]
pub(super) struct Cluster {
    pub(super) providers: Vec<CapacityProvider>,
    pub(super) default_strategy: Vec<StrategyItem>,
}

/// Of one service.
#[derive(Debug, Default)]
pub(super) struct Details {
    /// ARN of the task definition of the newest deployment.
    pub(super) task_definition: String,
    /// The same of older deployments, by their id.
    pub(super) replaced: BTreeMap<DeploymentId, String>,
    pub(super) client_token: Option<String>,
    /// What the owner said about it that the model does nothing with, shown as it was said.
    pub(super) shown: Map<String, Value>,
}

/// A session of the central role in an account.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) account: AccountId,
    pub(super) name: String,
    pub(super) expires: Timestamp,
}
