//! The handlers' ports on the simulated AWS: what the adapters on the SDK are in production.

use std::rc::Rc;

use handlers::held::HeldReason;
use handlers::observation::{Controller, Deployment, Look, Message, Observation, Rollout};
use handlers::ports::{
    AuditError, AuditLog, Clock, Cluster, Ecs, EcsError, Page, PageToken, Put, StateStore, StoreError, UpdateError,
};
use handlers::reconcile::Transition;
use handlers::record::Record;
use handlers::service::{ServiceId, ServiceName};
use handlers::strategy::Strategy;
use handlers::timestamp::Timestamp;

use crate::ecs::{ApiError, Service, UpdateService};
use crate::run::Sim;
use crate::table::Item;
use crate::trace::Caller;
use crate::world::World;

/// The ports of one invocation. Each call takes its time on the way there and back.
#[derive(Debug)]
pub(crate) struct SimPorts(Rc<Sim>);

impl SimPorts {
    pub(crate) fn new(sim: Rc<Sim>) -> Self {
        Self(sim)
    }

    async fn call<T>(&self, work: impl FnOnce(&mut World) -> T) -> T {
        let latency = || self.0.with(|world| world.dice.lambda.within(world.facts.call_latency) / 2);
        tokio::time::sleep(whole_millis(latency())).await;
        let result = self.0.with(work);
        tokio::time::sleep(whole_millis(latency())).await;
        result
    }
}

/// Virtual time counts whole milliseconds.
fn whole_millis(time: std::time::Duration) -> std::time::Duration {
    std::time::Duration::from_millis(time.as_millis() as u64)
}

impl Ecs for SimPorts {
    async fn describe_services(&self, cluster: &Cluster, services: &[ServiceName]) -> Result<Vec<Look>, EcsError> {
        self.call(|world| {
            let look = |service: &ServiceName| {
                let id = ServiceId {
                    account: cluster.account.clone(),
                    region: cluster.region.clone(),
                    cluster: cluster.name.clone(),
                    service: service.clone(),
                };
                match world.ecs.find(&id) {
                    Some(key) => Look::Found(Box::new(observe(world.ecs.service(key)))),
                    None => Look::Missing,
                }
            };
            Ok(services.iter().map(look).collect())
        })
        .await
    }

    async fn update_strategy(&self, service: &ServiceId, strategy: &Strategy) -> Result<Observation, UpdateError> {
        let update =
            UpdateService { strategy: Some(strategy.items().to_vec()), desired: None, force_new_deployment: true };
        self.call(|world| {
            world.update_service(Caller::Recovery, service, &update).map_err(update_error)?;
            match world.ecs.find(service) {
                Some(key) => Ok(observe(world.ecs.service(key))),
                None => Err(UpdateError::Gone("Service not found.".into())),
            }
        })
        .await
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

fn observe(service: &Service) -> Observation {
    let running = |deployment: &str| {
        service.tasks.values().filter(|t| t.is_running() && t.deployment == deployment).count() as u32
    };
    let deployments = service.deployments.iter().enumerate().map(|(n, d)| Deployment {
        id: d.id.clone(),
        primary: n == 0,
        rollout: if d.completed { Rollout::Completed } else { Rollout::InProgress },
        strategy: Some(d.strategy.clone()),
        running: running(&d.id),
        created_at: d.created_at,
    });
    Observation {
        created_at: service.created_at,
        active: true,
        strategy: Some(service.strategy.clone()),
        controller: Controller::Rolling,
        replica: true,
        desired: service.desired,
        running: service.tasks.values().filter(|t| t.is_running()).count() as u32,
        deployments: deployments.collect(),
        messages: service.messages.iter().map(|(at, text)| Message { at: *at, text: text.clone() }).collect(),
    }
}

fn to_record(item: &Item) -> Result<Record, StoreError> {
    Ok(Record::from_item(item.clone())?)
}

fn to_put(result: Result<(), Option<Item>>) -> Result<Put, StoreError> {
    Ok(match result {
        Ok(()) => Put::Written,
        Err(None) => Put::Conflict(None),
        Err(Some(item)) => Put::Conflict(Some(Box::new(to_record(&item)?))),
    })
}

impl StateStore for SimPorts {
    async fn get(&self, id: &ServiceId) -> Result<Option<Record>, StoreError> {
        self.call(|world| world.table.get(&id.record_id()).map(to_record).transpose()).await
    }

    async fn put(&self, record: &Record) -> Result<Put, StoreError> {
        let written = Record { version: record.version + 1, ..record.clone() };
        self.call(|world| to_put(world.put_record(record.version, &written))).await
    }

    async fn delete(&self, record: &Record) -> Result<Put, StoreError> {
        self.call(|world| to_put(world.delete_record(record))).await
    }

    async fn due(&self, shard: u32, now: Timestamp, after: Option<PageToken>) -> Result<Page, StoreError> {
        self.call(|world| {
            let after = after.and_then(|token| {
                let (at, id) = token.0.split_once(' ')?;
                Some((at.parse().ok()?, id.to_owned()))
            });
            let items = world.table.due(shard, now, after, world.facts.page_size);
            let full = items.len() == world.facts.page_size;
            let records = items.into_iter().map(to_record).collect::<Result<Vec<_>, _>>()?;
            let last = records.last().filter(|_| full);
            let next = last.map(|r| PageToken(format!("{} {}", r.next_check_at.as_millis(), r.service.record_id())));
            Ok(Page { records, next })
        })
        .await
    }
}

impl AuditLog for SimPorts {
    async fn announce(&self, transition: &Transition) -> Result<(), AuditError> {
        self.call(|world| world.audit(transition)).await;
        Ok(())
    }
}

impl Clock for SimPorts {
    fn now(&self) -> Timestamp {
        self.0.with(|world| world.now)
    }
}
