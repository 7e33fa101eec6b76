//! What AWS remembers and the model does not need: clusters and their names, task definitions, tags, sessions.

use std::collections::BTreeMap;

use handlers::service::{AccountId, ClusterName, Region};
use handlers::strategy::{CapacityProvider, StrategyItem};
use serde_json::{Map, Value};

use super::caller::Session;
use super::task_definition;
use crate::ecs::market::Markets;
use crate::ids::ServiceKey;
use crate::world::World;

/// A cluster's place: account, region, name.
pub(super) type ClusterKey = (AccountId, Region, ClusterName);
/// A family of task definitions: account, region, name.
pub(super) type FamilyKey = (AccountId, Region, String);

#[derive(Debug, Default)]
pub(crate) struct State {
    /// Whether the clusters and task definitions of the world's own services are known.
    learned: bool,
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
    pub(super) replaced: BTreeMap<String, String>,
    pub(super) client_token: Option<String>,
    /// What the owner said about it that the model does nothing with, shown as it was said.
    pub(super) shown: Map<String, Value>,
}

impl World {
    /// The clusters and task definitions that the services of the world's spec imply.
    pub(super) fn learn_the_world(&mut self) {
        if std::mem::replace(&mut self.wire.learned, true) {
            return;
        }
        for (n, service) in self.ecs.services.iter().enumerate() {
            let id = &service.id;
            let key = (id.account.clone(), id.region.clone(), id.cluster.clone());
            let cluster = self.wire.clusters.entry(key).or_default();
            let known = cluster.providers.clone();
            cluster.providers.extend(service.associated.iter().filter(|p| !known.contains(p)).cloned());
            let family = (id.account.clone(), id.region.clone(), id.service.to_string());
            let definition = task_definition::of_service(id, service.cpu, self.seconds(service.created_at));
            let task_definition = task_definition::arn(&family, 1);
            self.wire.task_definitions.entry(family).or_insert_with(|| vec![definition]);
            self.wire.services.insert(ServiceKey(n), Details { task_definition, ..Details::default() });
        }
    }

    /// An account is there as soon as somebody uses it: it has markets, and the cell admits its events.
    pub(super) fn know_account(&mut self, account: &AccountId) {
        if !self.ecs.markets.contains_key(account) {
            self.ecs.markets.insert(account.clone(), Markets::unlimited());
            self.spec.accounts.push(account.clone());
            self.bus.onboard(account);
        }
    }
}
