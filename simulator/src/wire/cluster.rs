//! Clusters: `CreateCluster`, `PutClusterCapacityProviders`, `DescribeClusters`, `ListClusters`.

use handlers::strategy::{CapacityProvider, Strategy, StrategyItem};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal};
use super::caller::Caller;
use super::endpoint::Endpoint;
use super::input::{Page, required};
use super::name::{DEFAULT_CLUSTER, is_of};
use super::resource::{ClusterKey, Tag, cluster_arn, show_tags};
use super::state::Cluster;
use crate::ecs::api::strategy_message;
use crate::ecs::service::Service;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateCluster {
    cluster_name: Option<String>,
    capacity_providers: Option<Vec<String>>,
    default_capacity_provider_strategy: Option<Vec<StrategyItem>>,
    tags: Option<Vec<Tag>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutClusterCapacityProviders {
    cluster: Option<String>,
    capacity_providers: Option<Vec<String>>,
    default_capacity_provider_strategy: Option<Vec<StrategyItem>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct DescribeClusters {
    clusters: Option<Vec<String>>,
    include: Option<Vec<String>>,
}

impl Endpoint<'_> {
    pub(super) fn create_cluster(&mut self, caller: &Caller, input: CreateCluster) -> Answer {
        let name = input.cluster_name.as_deref().unwrap_or(DEFAULT_CLUSTER);
        let Ok(name) = name.parse() else {
            return Err(Refusal::invalid("Invalid identifier: Unexpected number of separators or characters."));
        };
        let key = (caller.account.clone(), caller.region.clone(), name);
        // Creating a cluster that is there gives it back as it is.
        if !self.state.clusters.contains_key(&key) {
            let cluster = self.associate(
                input.capacity_providers.unwrap_or_default(),
                input.default_capacity_provider_strategy.unwrap_or_default(),
            )?;
            self.set_tags(&cluster_arn(&key), input.tags.unwrap_or_default())?;
            self.state.clusters.insert(key.clone(), cluster);
        }
        Ok(json!({ "cluster": self.show_cluster(&key, true) }))
    }

    pub(super) fn put_cluster_capacity_providers(
        &mut self,
        caller: &Caller,
        input: PutClusterCapacityProviders,
    ) -> Answer {
        let name = required(input.cluster, "cluster")?;
        let key = self.cluster(caller, Some(&name))?;
        let providers = required(input.capacity_providers, "capacityProviders")?;
        let strategy = required(input.default_capacity_provider_strategy, "defaultCapacityProviderStrategy")?;
        let cluster = self.associate(providers, strategy)?;
        let in_use = |service: &&Service| {
            let used = service.deployments.iter().flat_map(|d| d.strategy.items());
            !service.launch_type && used.into_iter().any(|item| !cluster.providers.contains(&item.capacity_provider))
        };
        if self.services_of(&key).find(in_use).is_some() {
            let message = "The specified capacity provider is in use and cannot be removed.";
            return Err(Refusal::new("ResourceInUseException", message));
        }
        for service in self.world.ecs.services.iter_mut().filter(|service| is_of(service, &key)) {
            service.associated.clone_from(&cluster.providers);
        }
        self.state.clusters.insert(key.clone(), cluster);
        Ok(json!({ "cluster": self.show_cluster(&key, false) }))
    }

    /// Providers and default strategy of a cluster. The words of the refusals are ours, but for those of aws-facts.md §1.4.
    fn associate(&self, providers: Vec<String>, strategy: Vec<StrategyItem>) -> Result<Cluster, Refusal> {
        let providers: Vec<CapacityProvider> = providers.into_iter().map(CapacityProvider::from).collect();
        if let Some(CapacityProvider::Other(name)) = providers.iter().find(|p| matches!(p, CapacityProvider::Other(_)))
        {
            return Err(Refusal::invalid(format!("The specified capacity provider '{name}' was not found.")));
        }
        if !strategy.is_empty() {
            Strategy::new(strategy.clone()).map_err(|error| Refusal::invalid(strategy_message(&error)))?;
        }
        if strategy.iter().any(|item| !providers.contains(&item.capacity_provider)) {
            return Err(Refusal::invalid(crate::ecs::api::NOT_ASSOCIATED));
        }
        Ok(Cluster { providers, default_strategy: strategy })
    }

    pub(super) fn describe_clusters(&mut self, caller: &Caller, input: DescribeClusters) -> Answer {
        let names =
            input.clusters.filter(|names| !names.is_empty()).unwrap_or_else(|| vec![DEFAULT_CLUSTER.to_owned()]);
        if names.len() > 100 {
            return Err(Refusal::invalid("clusters can have at most 100 items."));
        }
        let tags = input.include.is_some_and(|include| include.iter().any(|what| what == "TAGS"));
        let (mut clusters, mut failures) = (Vec::new(), Vec::new());
        for name in names {
            match self.cluster(caller, Some(&name)) {
                Ok(key) => clusters.push(self.show_cluster(&key, tags)),
                Err(refusal) if refusal.code == "ClusterNotFoundException" => {
                    let arn = if name.starts_with("arn:") { name } else { caller.arn_of("cluster", &name) };
                    failures.push(json!({ "arn": arn, "reason": "MISSING" }));
                }
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(json!({ "clusters": clusters, "failures": failures }))
    }

    pub(super) fn list_clusters(&mut self, caller: &Caller, page: Page) -> Answer {
        let own = self.state.clusters.keys().filter(|key| key.0 == caller.account && key.1 == caller.region);
        page.of("clusterArns", 100, own.map(cluster_arn).collect())
    }

    fn show_cluster(&self, key: &ClusterKey, with_tags: bool) -> Value {
        let cluster = &self.state.clusters[key];
        let tasks = || self.services_of(key).flat_map(|service| service.tasks.values());
        let arn = cluster_arn(key);
        let tags = if with_tags { show_tags(self.state.tags.get(&arn)) } else { Vec::new() };
        json!({
            "clusterArn": arn,
            "clusterName": key.2,
            "status": "ACTIVE",
            "registeredContainerInstancesCount": 0,
            "runningTasksCount": tasks().filter(|task| task.is_running()).count(),
            "pendingTasksCount": tasks().filter(|task| task.is_pending()).count(),
            "activeServicesCount": self.services_of(key).filter(|service| service.active).count(),
            "statistics": [],
            "tags": tags,
            "settings": [],
            "capacityProviders": cluster.providers,
            "defaultCapacityProviderStrategy": cluster.default_strategy,
        })
    }
}
