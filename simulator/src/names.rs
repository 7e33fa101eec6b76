//! Every service that anybody in the world has named, by number. What the parts of the world keep of a service they keep under its
//! number: to look a name up among a hundred thousand costs a processor several trips to memory, a number one.

use std::sync::Arc;

use handlers::service::ServiceId;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use crate::ecs::ServiceKey;

/// A name's number, in the order in which they were first named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NameKey(pub(crate) usize);

#[derive(Debug, Default)]
pub(crate) struct Names(IndexMap<Arc<ServiceId>, Option<ServiceKey>, FxBuildHasher>);

impl Names {
    pub(crate) fn find(&self, id: &ServiceId) -> Option<NameKey> {
        self.0.get_index_of(id).map(NameKey)
    }

    /// The number of a name, from now on if it had none.
    pub(crate) fn number(&mut self, id: &ServiceId) -> NameKey {
        self.find(id).unwrap_or_else(|| NameKey(self.0.insert_full(Arc::new(id.clone()), None).0))
    }

    /// The name itself, shared with everyone who keeps it.
    pub(crate) fn shared(&self, name: NameKey) -> Arc<ServiceId> {
        let (id, _) = self.0.get_index(name.0).expect("a number is that of a name");
        Arc::clone(id)
    }

    /// ECS has created the service of this name.
    pub(crate) fn created(&mut self, name: NameKey, service: ServiceKey) {
        self.0[name.0] = Some(service);
    }

    /// The service of this name, if ECS ever created one.
    pub(crate) fn service(&self, id: &ServiceId) -> Option<ServiceKey> {
        self.0.get(id).copied().flatten()
    }
}
