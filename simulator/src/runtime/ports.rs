//! The handlers' ports on the simulated AWS: what the adapters on the SDK are in production.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use handlers::event::{self, Trust};
use handlers::held::HeldReason;
use handlers::market::Market;
use handlers::observation::{Look, Observation};
use handlers::policy::Policy;
use handlers::ports::{
    AuditError, AuditLog, Clock, Cluster, Ecs, EcsError, Page, PageToken, Put, Relay, RelayError, StateStore,
    StoreError, UpdateError,
};
use handlers::record::Record;
use handlers::service::{AccountId, Region, ServiceId, ServiceName};
use handlers::strategy::Strategy;
use handlers::timestamp::Timestamp;
use handlers::transition::Transition;
use handlers::turn::Turn;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use crate::ecs::api::{ApiError, UpdateService};
use crate::ecs::limits::Bucket;
use crate::ids::{NameKey, ServiceKey};
use crate::observers::trace::Caller;
use crate::runtime::simulation::Sim;
use crate::spec::{QueueName, WorldSpec};
use crate::world::World;

/// The ports of one invocation. Each call takes its time on the way there and back, and may be the invocation's last.
#[derive(Debug)]
pub struct SimPorts {
    pub(crate) sim: Rc<Sim>,
    /// Whether one of the calls was the last.
    dead: Rc<Cell<bool>>,
    /// The environment of the function, as it was when the invocation began.
    policy: Policy,
    trust: Trust,
    /// When Lambda ends the invocation.
    ends_at: Timestamp,
    /// How often each service was looked at.
    looks: RefCell<IndexMap<ServiceKey, u32, FxBuildHasher>>,
}

/// A call whose reply is lost: it may have taken effect, the caller cannot know.
pub(crate) struct LostReply;

impl SimPorts {
    pub(crate) fn new(sim: Rc<Sim>) -> Self {
        let (policy, trust, ends_at) = sim.with(|world| {
            let WorldSpec { region, synthetic_from, policy, .. } = &world.spec;
            let trust = Trust { region: region.clone(), synthetic_from: synthetic_from.clone() };
            (policy.clone(), trust, world.now + world.facts.lambda_timeout)
        });
        Self { sim, dead: Rc::default(), policy, trust, ends_at, looks: RefCell::default() }
    }

    /// The tunables of the function.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whose events the function believes.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// When Lambda ends the invocation.
    pub fn ends_at(&self) -> Timestamp {
        self.ends_at
    }

    /// Whether the invocation was killed by one of its calls.
    pub(crate) fn is_dead(&self) -> Rc<Cell<bool>> {
        Rc::clone(&self.dead)
    }

    /// A call: `work` is its effect.
    pub(crate) async fn call<T>(&self, work: impl FnOnce(&mut World) -> T) -> Result<T, LostReply> {
        let fate = self.sim.with(World::fate_of_call);
        self.sim.sleep(fate.there).await;
        if fate.kill == Some(false) {
            self.die().await;
        }
        let result = self.sim.with(work);
        self.sim.sleep(fate.back).await;
        if fate.kill == Some(true) {
            self.die().await;
        }
        if fate.reply_lost { Err(LostReply) } else { Ok(result) }
    }

    /// How often this invocation has looked at the service, this time included.
    pub(crate) fn count_look(&self, service: ServiceKey) -> u32 {
        let mut looks = self.looks.borrow_mut();
        let count = looks.entry(service).or_default();
        *count += 1;
        *count
    }

    /// The invocation ends here; whoever runs it sees so at once.
    async fn die(&self) {
        self.dead.set(true);
        std::future::pending::<()>().await;
    }
}

pub(crate) const NO_REPLY: &str = "the connection was closed before the reply came";

impl Ecs for SimPorts {
    async fn describe_services(&self, cluster: &Cluster, services: &[ServiceName]) -> Result<Vec<Look>, EcsError> {
        let look = self.call(|world| {
            if !world.take_token(&cluster.account, Bucket::Describe) {
                return Err(EcsError::Throttled("Rate exceeded".into()));
            }
            if let Some(reason) = world.role_refuses(&cluster.account, "ecs:DescribeServices") {
                return Ok(vec![Look::Blocked(reason); services.len()]);
            }
            let mut look = |service: &ServiceName| {
                let Some(key) = world.names.service_in(cluster, service) else { return Look::Missing };
                world.most_looks = world.most_looks.max(self.count_look(key));
                Look::Found(world.read_service(key))
            };
            Ok(services.iter().map(&mut look).collect())
        });
        look.await.unwrap_or_else(|LostReply| Err(EcsError::Unclear(NO_REPLY.into())))
    }

    async fn update_strategy(&self, service: &ServiceId, strategy: &Strategy) -> Result<Observation, UpdateError> {
        let update =
            UpdateService { strategy: Some(strategy.items().to_vec()), desired: None, force_new_deployment: true };
        self.update(service, update).await
    }
}

impl SimPorts {
    /// `UpdateService` by the recovery.
    pub(crate) async fn update(&self, service: &ServiceId, update: UpdateService) -> Result<Observation, UpdateError> {
        let updated = self.call(|world| {
            if !world.take_token(&service.account, Bucket::Update) {
                return Err(UpdateError::Throttled("Rate exceeded".into()));
            }
            if let Some(reason) = world.role_refuses(&service.account, "ecs:UpdateService") {
                return Err(UpdateError::Refused(reason));
            }
            world.judge_update(service, &update);
            world.update_service(Caller::Recovery, service, &update).map_err(update_error)?;
            match world.names.service(service) {
                Some(key) => Ok((*world.ecs.shown(key)).clone()),
                None => Err(UpdateError::Gone("Service not found.".into())),
            }
        });
        updated.await.unwrap_or_else(|LostReply| Err(UpdateError::Unclear(NO_REPLY.into())))
    }
}

/// Error classes come from the code, details from the message.
fn update_error(error: ApiError) -> UpdateError {
    match error.code {
        "ThrottlingException" => UpdateError::Throttled(error.message),
        "ServiceNotFoundException" | "ServiceNotActiveException" | "ClusterNotFoundException" => {
            UpdateError::Gone(error.message)
        }
        "InvalidParameterException" if error.message.contains("not associated with the cluster") => {
            UpdateError::Refused(HeldReason::FargateNotAssociated)
        }
        _ => UpdateError::Refused(HeldReason::Refused(error.message)),
    }
}

impl SimPorts {
    /// A call to the state table. A throttled one has no effect, after all the retries of the client.
    async fn store<T>(&self, work: impl FnOnce(&mut World) -> T) -> Result<T, StoreError> {
        let result = self.call(|world| (!world.table_throttles()).then(|| work(world)));
        match result.await {
            Ok(Some(result)) => Ok(result),
            Ok(None) => Err(StoreError::Unclear("ProvisionedThroughputExceededException".into())),
            Err(LostReply) => Err(StoreError::Unclear(NO_REPLY.into())),
        }
    }
}

fn to_put(result: Result<(), Option<Arc<Record>>>) -> Put {
    result.map_or_else(Put::Conflict, |()| Put::Written)
}

impl StateStore for SimPorts {
    async fn get(&self, id: &ServiceId) -> Result<Option<Arc<Record>>, StoreError> {
        self.store(|world| world.stored(id).cloned()).await
    }

    async fn put(&self, record: &Arc<Record>, replaces: u64) -> Result<Put, StoreError> {
        self.store(|world| to_put(world.put_record(record, replaces))).await
    }

    async fn delete(&self, record: &Record) -> Result<Put, StoreError> {
        self.store(|world| to_put(world.delete_record(record))).await
    }

    async fn market(&self, account: &AccountId, region: &Region) -> Result<Option<Market>, StoreError> {
        self.store(|world| world.table.market(account, region).cloned()).await
    }

    async fn put_market(&self, market: &Market) -> Result<bool, StoreError> {
        self.store(|world| world.table.put_market(market)).await
    }

    async fn turn(&self, account: &AccountId, region: &Region) -> Result<Option<Turn>, StoreError> {
        self.store(|world| world.table.turn(account, region).cloned()).await
    }

    async fn put_turn(&self, turn: &Turn) -> Result<bool, StoreError> {
        self.store(|world| world.table.put_turn(turn)).await
    }

    async fn due(&self, shard: u32, now: Timestamp, after: Option<PageToken>) -> Result<Page, StoreError> {
        self.store(|world| {
            let after = after.and_then(|token| {
                let (at, name) = token.0.split_once(' ')?;
                Some((Timestamp::from_millis(at.parse().ok()?), NameKey(name.parse().ok()?)))
            });
            // As the index is when it is read, not when the sweep began.
            world.table.catch_up(world.now);
            let records = world.table.due(shard, now, after, world.facts.page_size);
            let last = records.last().filter(|_| records.len() == world.facts.page_size);
            let next = last.map(|((at, name), _)| PageToken(format!("{} {}", at.as_millis(), name.0)));
            Page { records: records.into_iter().map(|(_, record)| record).collect(), next }
        })
        .await
    }
}

impl AuditLog for SimPorts {
    async fn announce(&self, transitions: &[Transition]) -> Result<(), AuditError> {
        self.call(|world| transitions.iter().for_each(|transition| world.audit(transition)))
            .await
            .map_err(|LostReply| AuditError(NO_REPLY.into()))
    }

    /// A log line; nothing here reads logs.
    fn measure(&self, _: &Transition) {}
}

impl Relay for SimPorts {
    async fn hand_on(&self, account: &AccountId, region: &Region, after: Duration) -> Result<(), RelayError> {
        let sent = self.call(|world| {
            let body = event::hand_on(account, region, world.now);
            let (lambda, mut env) = world.lambda();
            lambda.send(&mut env, QueueName::PlacementFailure, body, after);
        });
        sent.await.map_err(|LostReply| RelayError(NO_REPLY.into()))
    }
}

impl Clock for SimPorts {
    fn now(&self) -> Timestamp {
        self.sim.with(|world| world.now)
    }

    async fn sleep(&self, time: Duration) {
        self.sim.sleep(time).await;
    }
}
