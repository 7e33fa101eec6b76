//! What AWS must know before it can answer: the clusters and task definitions of the world's own services, and the accounts.

use handlers::service::AccountId;

use super::endpoint::Endpoint;
use super::resource::task_definition_arn;
use super::state::Details;
use super::task_definition;
use crate::ecs::market::Markets;
use crate::ids::ServiceKey;
use crate::world::World;

impl Endpoint<'_> {
    /// The clusters and task definitions that the services of the world's spec imply.
    pub(super) fn learn_the_world(&mut self) {
        if std::mem::replace(&mut self.state.learned, true) {
            return;
        }
        for (n, service) in self.world.ecs.services.iter().enumerate() {
            let id = &service.id;
            let key = (id.account.clone(), id.region.clone(), id.cluster.clone());
            let cluster = self.state.clusters.entry(key).or_default();
            let known = cluster.providers.clone();
            cluster.providers.extend(service.associated.iter().filter(|p| !known.contains(p)).cloned());
            let family = (id.account.clone(), id.region.clone(), id.service.to_string());
            let definition = task_definition::of_service(id, service.cpu, self.seconds(service.created_at));
            let task_definition = task_definition_arn(&family, 1);
            self.state.task_definitions.entry(family).or_insert_with(|| vec![definition]);
            self.state.services.insert(ServiceKey(n), Details { task_definition, ..Details::default() });
        }
    }
}

/// An account exists as soon as somebody uses it: it has markets, and the cell admits its events.
pub(super) fn know_account(world: &mut World, account: &AccountId) {
    if !world.ecs.markets.contains_key(account) {
        world.ecs.markets.insert(account.clone(), Markets::unlimited());
        world.spec.accounts.push(account.clone());
        world.bus.onboard(account);
    }
}
