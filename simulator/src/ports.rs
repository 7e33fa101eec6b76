//! The handlers' ports on the simulated AWS: what the adapters on the SDK are in production.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use handlers::held::HeldReason;
use handlers::market::Market;
use handlers::observation::{Deployment, Look, Message, Observation, Rollout};
use handlers::ports::{
    AuditError, AuditLog, Clock, Cluster, Ecs, EcsError, Page, PageToken, Put, StateStore, StoreError, UpdateError,
};
use handlers::reconcile::Transition;
use handlers::record::Record;
use handlers::service::{AccountId, Region, ServiceId, ServiceName};
use handlers::strategy::Strategy;
use handlers::timestamp::Timestamp;
use serde_json::Value;
use tokio::sync::Notify;

use crate::ecs::{ApiError, Service, UpdateService};
use crate::limits::Bucket;
use crate::run::Sim;
use crate::trace::Caller;
use crate::world::World;

/// The ports of one invocation. Each call takes its time on the way there and back, and may be the invocation's last.
#[derive(Debug)]
pub(crate) struct SimPorts {
    pub(crate) sim: Rc<Sim>,
    killed: Notify,
    /// How often each service was looked at.
    looks: RefCell<BTreeMap<ServiceId, u32>>,
}

/// A call whose reply is lost: it may have taken effect, the caller cannot know.
struct LostReply;

impl SimPorts {
    pub(crate) fn new(sim: Rc<Sim>) -> Self {
        Self { sim, killed: Notify::new(), looks: RefCell::default() }
    }

    /// Resolves when the invocation is killed.
    pub(crate) async fn killed(&self) {
        self.killed.notified().await;
    }

    async fn call<T>(&self, work: impl FnOnce(&mut World) -> T) -> Result<T, LostReply> {
        let fate = self.sim.with(World::fate_of_call);
        tokio::time::sleep(fate.there).await;
        if fate.kill == Some(false) {
            self.die().await;
        }
        let result = self.sim.with(work);
        tokio::time::sleep(fate.back).await;
        if fate.kill == Some(true) {
            self.die().await;
        }
        if fate.reply_lost { Err(LostReply) } else { Ok(result) }
    }

    fn count_look(&self, service: &ServiceId) -> u32 {
        let mut looks = self.looks.borrow_mut();
        let count = looks.entry(service.clone()).or_default();
        *count += 1;
        *count
    }

    /// The invocation ends here; whoever waits for it is told.
    async fn die(&self) {
        self.killed.notify_one();
        std::future::pending::<()>().await;
    }
}

const NO_REPLY: &str = "the connection was closed before the reply came";

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
                let id = ServiceId {
                    account: cluster.account.clone(),
                    region: cluster.region.clone(),
                    cluster: cluster.name.clone(),
                    service: service.clone(),
                };
                world.most_looks = world.most_looks.max(self.count_look(&id));
                match world.ecs.find(&id) {
                    Some(key) => Look::Found(Box::new(world.read_service(key))),
                    None => Look::Missing,
                }
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
            match world.ecs.find(service) {
                Some(key) => Ok(observe(world.ecs.service(key))),
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

pub(crate) fn observe(service: &Service) -> Observation {
    let running = |deployment: &str| {
        service.tasks.values().filter(|t| t.is_running() && t.deployment == deployment).count() as u32
    };
    let deployments = service.deployments.iter().enumerate().map(|(n, d)| Deployment {
        id: d.id.clone(),
        primary: n == 0,
        rollout: match (d.completed, d.failed) {
            (true, _) => Rollout::Completed,
            (false, true) => Rollout::Failed,
            (false, false) => Rollout::InProgress,
        },
        strategy: (!d.launch_type).then(|| d.strategy.clone()),
        running: running(&d.id),
        created_at: d.created_at,
    });
    Observation {
        created_at: service.created_at,
        active: service.active,
        strategy: (!service.launch_type).then(|| service.strategy.clone()),
        controller: service.controller.clone(),
        replica: true,
        opted_out: service.opted_out,
        minimum_healthy_percent: service.minimum_healthy_percent,
        desired: service.desired,
        running: service.tasks.values().filter(|t| t.is_running()).count() as u32,
        deployments: deployments.collect(),
        messages: service.messages.iter().map(|(at, text)| Message { at: *at, text: text.clone() }).collect(),
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

fn to_put(result: Result<(), Option<Rc<Record>>>) -> Put {
    match result {
        Ok(()) => Put::Written,
        Err(stored) => Put::Conflict(stored.map(|stored| Box::new((*stored).clone()))),
    }
}

impl StateStore for SimPorts {
    async fn get(&self, id: &ServiceId) -> Result<Option<Record>, StoreError> {
        self.store(|world| world.table.get(id).map(|record| (**record).clone())).await
    }

    async fn put(&self, record: &Record, replaces: u64) -> Result<Put, StoreError> {
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

    async fn due(&self, shard: u32, now: Timestamp, after: Option<PageToken>) -> Result<Page, StoreError> {
        self.store(|world| {
            let after = after.and_then(|token| {
                let (at, id) = token.0.split_once(' ')?;
                Some((at.parse().ok()?, id.to_owned()))
            });
            let records = world.table.due(shard, now, after, world.facts.page_size);
            let last = records.last().filter(|_| records.len() == world.facts.page_size);
            let next = last.map(|r| PageToken(format!("{} {}", r.next_check_at.as_millis(), r.service.record_id())));
            Page { records: records.iter().map(|record| (**record).clone()).collect(), next }
        })
        .await
    }
}

impl AuditLog for SimPorts {
    async fn announce(&self, transition: &Transition) -> Result<(), AuditError> {
        self.call(|world| world.audit(transition)).await.map_err(|LostReply| AuditError(NO_REPLY.into()))
    }

    fn measure(&self, line: &Value) {
        self.sim.with(|world| world.metrics.push(line.clone()));
    }
}

impl Clock for SimPorts {
    fn now(&self) -> Timestamp {
        self.sim.with(|world| world.now)
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
