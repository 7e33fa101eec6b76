//! Numbers for services, tasks and names.
//!
//! [`Names`] has every service that anybody in the world has named, by number. What the parts of the world keep of a service they keep under its
//! number: to look a name up among a hundred thousand costs a processor several trips to memory, a number one.

use std::fmt;
use std::sync::Arc;

use handlers::ports::Cluster;
use handlers::service::{AccountId, ClusterName, Region, ServiceId, ServiceName};
use indexmap::{Equivalent, IndexMap};
use rustc_hash::FxBuildHasher;

use crate::engine::dice::hex;

/// A service's number in ECS, in order of creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ServiceKey(pub(crate) usize);

/// A task's number within its service, in order of creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TaskKey(pub(crate) u64);

/// What AWS calls a task: 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskId(pub(crate) u128);

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(self.0))
    }
}

/// What AWS calls a deployment: `ecs-svc/` and 19 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DeploymentId(pub(crate) u64);

impl DeploymentId {
    /// From what it is called.
    #[cfg(feature = "wire")]
    pub(crate) fn named(text: &str) -> Option<Self> {
        text.strip_prefix("ecs-svc/")?.parse().ok().map(Self)
    }
}

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ecs-svc/{}", self.0)
    }
}

/// A name's number, in the order in which they were first named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NameKey(pub(crate) usize);

#[derive(Debug, Default)]
pub(crate) struct Names(IndexMap<ServiceId, Named, FxBuildHasher>);

/// A name put together from its parts, to be looked up.
#[derive(Hash)]
struct Parts<'a> {
    account: &'a AccountId,
    region: &'a Region,
    cluster: &'a ClusterName,
    service: &'a ServiceName,
}

impl Equivalent<ServiceId> for Parts<'_> {
    fn equivalent(&self, id: &ServiceId) -> bool {
        let Self { account, region, cluster, service } = *self;
        (account, region, cluster, service) == (&id.account, &id.region, &id.cluster, &id.service)
    }
}

#[derive(Debug)]
struct Named {
    /// The name once more, to be shared: the map's own is read where it lies, without a trip to memory.
    name: Arc<ServiceId>,
    /// The service of this name, if ECS ever created one.
    service: Option<ServiceKey>,
}

impl Names {
    pub(crate) fn find(&self, id: &ServiceId) -> Option<NameKey> {
        self.0.get_index_of(id).map(NameKey)
    }

    /// The number of a name, from now on if it had none.
    pub(crate) fn number(&mut self, id: &ServiceId) -> NameKey {
        self.find(id).unwrap_or_else(|| {
            let named = Named { name: Arc::new(id.clone()), service: None };
            NameKey(self.0.insert_full(id.clone(), named).0)
        })
    }

    /// The name itself, shared with everyone who keeps it.
    pub(crate) fn shared(&self, name: NameKey) -> Arc<ServiceId> {
        Arc::clone(&self.0[name.0].name)
    }

    /// ECS has created the service of this name.
    pub(crate) fn created(&mut self, name: NameKey, service: ServiceKey) {
        self.0[name.0].service = Some(service);
    }

    /// The service of this name in a cluster, if ECS ever created one.
    pub(crate) fn service_in(&self, cluster: &Cluster, service: &ServiceName) -> Option<ServiceKey> {
        let Cluster { account, region, name } = cluster;
        self.0.get(&Parts { account, region, cluster: name, service })?.service
    }

    /// The service of this name, if ECS ever created one.
    pub(crate) fn service(&self, id: &ServiceId) -> Option<ServiceKey> {
        self.0.get(id)?.service
    }
}
