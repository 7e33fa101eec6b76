//! The handlers' ports through production's adapters ([`handlers::aws`]) and the AWS SDK: what a handler sends is serialized, signed,
//! timed out and repeated as in production, and the world answers it. No socket, no thread, no runtime: the SDK's HTTP client, its
//! pauses and its clock are the simulation's.
//!
//! A request is one call of the world: it takes its time there and back and meets the fate that the native ports' call would have met. So
//! a run tells the same story byte for byte, as long as no call is repeated. What is not the same:
//!
//! - The SDK repeats what was throttled or got no reply, up to [`CallLimits::attempts`] times. The native ports do not: their fault is that
//!   of a call with all its repetitions. With one attempt the two are the same again.
//! - `AssumeRole` takes no time and is no call of the world: the native ports know no sessions. Each invocation assumes the roles it
//!   needs anew, so none outlives what its account does to the role.
//!
//! | question | file |
//! | --- | --- |
//! | how does the SDK send, wait and tell the time? | `network.rs` |
//! | how does ECS answer, and STS? | `wire.rs` |
//! | how does DynamoDB? | `dynamodb.rs` |
//! | how does EventBridge? | `events.rs` |

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region as SdkRegion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use futures_util::future::LocalBoxFuture;
pub use handlers::aws::CallLimits;
use handlers::aws::{Aws, Cell, config::BUS};
use handlers::market::Market;
use handlers::observation::{Look, Observation};
use handlers::ports::{
    AuditError, AuditLog, Clock, Cluster, Ecs, EcsError, Page, PageToken, Put, Relay, RelayError, StateStore,
    StoreError, UpdateError,
};
use handlers::reconcile::Reconciler;
use handlers::record::{Record, TABLE};
use handlers::service::{AccountId, Region, ServiceId, ServiceName};
use handlers::strategy::Strategy;
use handlers::timestamp::Timestamp;
use handlers::transition::Transition;
use handlers::turn::Turn;
use serde_json::Value;

use crate::lambda::Invocation;
use crate::runtime::handlers::{Handled, Handlers, handle};
use crate::runtime::ports::SimPorts;
use crate::spec::WorldSpec;
use crate::wire::{Endpoint, Request, Response, State};
use crate::world::World;
use dynamodb::Dynamodb;
use network::Network;

mod dynamodb;
mod events;
mod network;

/// The production handlers, which call AWS through production's adapters and the SDK.
#[derive(Debug)]
pub struct SdkHandlers(Rc<Services>);

impl SdkHandlers {
    /// Handlers for the world of `spec`, whose calls are made within `limits`.
    pub fn new(spec: &WorldSpec, limits: CallLimits) -> Self {
        Self(Rc::new(Services::new(spec, limits)))
    }
}

impl Handlers for SdkHandlers {
    fn invoke<'a>(&'a self, ports: SimPorts, invocation: &'a Invocation) -> LocalBoxFuture<'a, Handled> {
        let (policy, trust) = (ports.policy().clone(), ports.trust().clone());
        Box::pin(async move {
            let ends_at = ports.ends_at();
            let ports = SdkPorts::new(Rc::clone(&self.0), ports, invocation.function.name());
            let reconciler = Reconciler::new(&ports, &policy, invocation.request_id.clone()).ending(ends_at);
            handle(&reconciler, &trust, invocation).await
        })
    }
}

/// What the SDK talks to beside the world.
#[derive(Debug)]
struct Services {
    limits: CallLimits,
    dynamodb: Dynamodb,
    /// What ECS and STS remember.
    state: RefCell<State>,
}

impl Services {
    fn new(spec: &WorldSpec, limits: CallLimits) -> Self {
        // The SDK draws the length of its pauses from this thread's generator.
        fastrand::seed(spec.seed);
        Self { limits, dynamodb: Dynamodb::default(), state: RefCell::default() }
    }

    /// What ECS and STS answer.
    fn answer(&self, world: &mut World, request: &Request) -> Response {
        Endpoint::new(world, &mut self.state.borrow_mut()).answer(request)
    }
}

/// An answer of a service that speaks AWS JSON.
fn json_response(status: u16, body: &Value) -> Response {
    let headers = vec![("content-type", "application/x-amz-json-1.1".to_owned())];
    Response { status, headers, body: body.to_string().into_bytes() }
}

/// The ports of one invocation.
#[derive(Debug)]
struct SdkPorts {
    aws: Aws,
    native: Rc<SimPorts>,
}

impl SdkPorts {
    /// The ports that the invocation's function has in production, on a network that leads to the world of `native`.
    fn new(services: Rc<Services>, native: SimPorts, function: &str) -> Self {
        let native = Rc::new(native);
        let (region, central) = native.sim.with(|world| (world.spec.region.clone(), world.spec.central.clone()));
        // The simulator reads the account off the access key.
        let credentials = Credentials::new(central.to_string(), "secret", None, None, "simulator");
        let limits = services.limits;
        let network = Network::new(services, Rc::clone(&native));
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(SdkRegion::new(region.to_string()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(network.clone())
            .sleep_impl(network.clone())
            .time_source(network)
            .build();
        let (table, bus, function) = (TABLE.into(), BUS.into(), function.into());
        let cell = Cell { region, table, bus, queue: None, function, external_id: None };
        Self { aws: Aws::new(&config, cell, limits), native }
    }
}

// The SDK's futures are large and deep: each is boxed, or the compiler gives up on the layout of a handler.

impl Ecs for SdkPorts {
    async fn describe_services(&self, cluster: &Cluster, services: &[ServiceName]) -> Result<Vec<Look>, EcsError> {
        let looks = Box::pin(self.aws.describe_services(cluster, services)).await?;
        for (service, look) in services.iter().zip(&looks) {
            if matches!(look, Look::Found(_)) {
                let Cluster { account, region, name } = cluster.clone();
                let id = ServiceId { account, region, cluster: name, service: service.clone() };
                self.native.sim.with(|world| {
                    let Some(key) = world.names.service(&id) else { return };
                    world.most_looks = world.most_looks.max(self.native.count_look(key));
                });
            }
        }
        Ok(looks)
    }

    async fn update_strategy(&self, service: &ServiceId, strategy: &Strategy) -> Result<Observation, UpdateError> {
        Box::pin(self.aws.update_strategy(service, strategy)).await
    }
}

impl StateStore for SdkPorts {
    async fn get(&self, id: &ServiceId) -> Result<Option<Arc<Record>>, StoreError> {
        Box::pin(self.aws.get(id)).await
    }

    async fn put(&self, record: &Arc<Record>, replaces: u64) -> Result<Put, StoreError> {
        Box::pin(self.aws.put(record, replaces)).await
    }

    async fn delete(&self, record: &Record) -> Result<Put, StoreError> {
        Box::pin(self.aws.delete(record)).await
    }

    async fn market(&self, account: &AccountId, region: &Region) -> Result<Option<Market>, StoreError> {
        Box::pin(self.aws.market(account, region)).await
    }

    async fn put_market(&self, market: &Market) -> Result<bool, StoreError> {
        Box::pin(self.aws.put_market(market)).await
    }

    async fn turn(&self, account: &AccountId, region: &Region) -> Result<Option<Turn>, StoreError> {
        Box::pin(self.aws.turn(account, region)).await
    }

    async fn put_turn(&self, turn: &Turn) -> Result<bool, StoreError> {
        Box::pin(self.aws.put_turn(turn)).await
    }

    async fn due(&self, shard: u32, now: Timestamp, after: Option<PageToken>) -> Result<Page, StoreError> {
        Box::pin(self.aws.due(shard, now, after)).await
    }
}

impl AuditLog for SdkPorts {
    async fn announce(&self, transitions: &[Transition]) -> Result<(), AuditError> {
        Box::pin(self.aws.announce(transitions)).await
    }

    /// A log line; nothing here reads logs.
    fn measure(&self, _: &Transition) {}
}

/// The simulation answers no SQS: a message that a handler sends is put into its queue.
impl Relay for SdkPorts {
    async fn hand_on(&self, account: &AccountId, region: &Region, after: Duration) -> Result<(), RelayError> {
        self.native.hand_on(account, region, after).await
    }
}

/// The virtual clock; production's is the system's.
impl Clock for SdkPorts {
    fn now(&self) -> Timestamp {
        self.native.now()
    }

    async fn sleep(&self, time: Duration) {
        self.native.sleep(time).await;
    }
}

#[cfg(test)]
mod tests;
