//! ECS: services, tasks and deployments of every account.
//!
//! State is apart from what changes it: `service.rs`, `task.rs` and `deployment.rs` only keep it and answer questions.
//!
//! | question | file |
//! | --- | --- |
//! | what does `UpdateService` accept, and what `DescribeServices` show? | `api.rs`, `describe.rs` |
//! | when is a task started or stopped, and on which provider? | `scheduler.rs` |
//! | how does a task start, run, get its warning and end? | `tasks.rs` |
//! | how does a deployment begin, complete, fail and roll back? | `deployments.rs` |
//! | where is there capacity, and who loses it? | `market.rs`, `zones.rs` |
//! | what slows starts down? | `throttle.rs`, `limits.rs` |
//! | what does ECS say of it? | `events.rs` (EventBridge), `messages.rs` (the service's event log) |

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use handlers::observation::Observation;
use handlers::service::AccountId;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use crate::ecs::action::Action;
use crate::ecs::audience::Audience;
use crate::ecs::deployment::Deployment;
use crate::ecs::describe::observe;
use crate::ecs::env::Env;
use crate::ecs::market::Markets;
use crate::ecs::service::{Application, MAX_ZONES, Service, Starts};
use crate::ids::ServiceKey;
use crate::spec::ServiceSpec;

pub(crate) mod action;
pub(crate) mod api;
pub(crate) mod audience;
pub(crate) mod deployment;
mod deployments;
mod describe;
pub(crate) mod env;
pub(crate) mod events;
pub(crate) mod limits;
pub(crate) mod market;
mod messages;
mod scheduler;
pub(crate) mod service;
pub(crate) mod task;
mod tasks;
mod throttle;
pub(crate) mod zones;

#[derive(Debug)]
pub(crate) struct Ecs {
    /// In the order of creation, each at its [`ServiceKey`].
    pub(crate) services: Vec<Service>,
    /// What `DescribeServices` shows of each, made when somebody looks and kept until something changes. Apart from the services, whose
    /// own lines in memory a look then need not touch.
    shown: Vec<OnceCell<Arc<Observation>>>,
    pub(crate) markets: IndexMap<AccountId, Markets, FxBuildHasher>,
    pub(crate) audience: Audience,
}

impl Ecs {
    pub(crate) fn new(markets: IndexMap<AccountId, Markets, FxBuildHasher>, audience: Audience) -> Self {
        Self { services: Vec::new(), shown: Vec::new(), markets, audience }
    }

    pub(crate) fn service(&self, key: ServiceKey) -> &Service {
        &self.services[key.0]
    }

    pub(crate) fn service_mut(&mut self, key: ServiceKey) -> &mut Service {
        self.shown[key.0].take();
        &mut self.services[key.0]
    }

    /// What `DescribeServices` shows of a service now.
    pub(crate) fn shown(&self, key: ServiceKey) -> Arc<Observation> {
        Arc::clone(self.shown[key.0].get_or_init(|| Arc::new(observe(self.service(key)))))
    }

    /// Does what was planned.
    pub(crate) fn step(&mut self, env: &mut Env<'_>, action: Action) {
        match action {
            Action::Task(service, task) => self.step_task(env, service, task),
            Action::Reclaim(service, task, how) => self.reclaim_task(env, service, task, how),
            Action::Fail(service, task) => self.fail_task(env, service, task),
            Action::Schedule(service) => self.schedule(env, service),
        }
    }

    fn insert(&mut self, service: Service) -> ServiceKey {
        let key = ServiceKey(self.services.len());
        if let Some(markets) = self.markets.get_mut(&service.id.account) {
            markets.services.push(key);
        }
        self.services.push(service);
        self.shown.push(OnceCell::new());
        key
    }
}

impl Ecs {
    /// Creates a service at its desired count, as if it had been running for a while.
    pub(crate) fn create_settled(&mut self, env: &mut Env<'_>, spec: &ServiceSpec) {
        let key = self.create(env, spec);
        let service = self.service_mut(key);
        service.deployments[0].completed = true;
        service.last_completed = Some((spec.strategy.clone(), spec.launch_type));
        service.steady = true;
        self.start_settled_tasks(env, key);
    }

    /// Creates a service in a world that runs: it has a first deployment and no task yet.
    #[cfg(feature = "wire")]
    pub(crate) fn create_new(&mut self, env: &mut Env<'_>, spec: ServiceSpec) -> ServiceKey {
        let key = self.create(env, &spec);
        env.spec.services.push(spec);
        let first = self.service(key).primary();
        let (id, earliest_completion) = (first.id, first.earliest_completion);
        env.agenda.plan(earliest_completion, Action::Schedule(key));
        self.begin_service_deployment(env, key, id);
        self.emit_deployment(
            env,
            key,
            "SERVICE_DEPLOYMENT_IN_PROGRESS",
            id,
            &format!("ECS deployment {id} in progress."),
        );
        env.agenda.plan(env.now, Action::Schedule(key));
        key
    }

    fn create(&mut self, env: &mut Env<'_>, spec: &ServiceSpec) -> ServiceKey {
        let launch_type = spec.launch_type;
        let deployment = Deployment { launch_type, ..self.new_deployment(env, &spec.strategy) };
        let name = env.names.number(&spec.id);
        let key = self.insert(Service {
            id: spec.id.clone(),
            name,
            created_at: env.now,
            desired: spec.desired,
            strategy: spec.strategy.clone(),
            launch_type,
            has_launch_type: launch_type,
            minimum_healthy_percent: spec.minimum_healthy_percent,
            maximum_percent: spec.maximum_percent,
            stop_timeout: spec.stop_timeout,
            deregistration_delay: spec.deregistration_delay,
            zones: spec.zones.clamp(1, MAX_ZONES as u8),
            zone_rebalancing: spec.zone_rebalancing,
            rebalancing: None,
            circuit_breaker: spec.circuit_breaker,
            alarms: spec.alarms,
            controller: spec.controller.clone(),
            active: true,
            opted_out: false,
            application: Application::Sound,
            starts: Starts::default(),
            last_completed: None,
            before_update: None,
            associated: spec.associated.clone(),
            deployments: vec![deployment],
            service_deployments: Vec::new(),
            tasks: BTreeMap::new(),
            tasks_created: 0,
            messages: Arc::default(),
            placement: BTreeMap::new(),
            steady: false,
            steady_told_at: env.now,
            stuck_told_at: None,
            throttled_until: None,
            throttled_told_at: None,
            launched: (env.now, 0),
            cpu: spec.cpu,
        });
        env.names.created(name, key);
        env.agenda.plan(env.now + env.facts.steady_repeat, Action::Schedule(key));
        env.seen.ledgers.push(crate::observers::ledger::Ledger::new(env.now, spec).keeping_series(env.facts.series));
        key
    }
}

#[cfg(test)]
mod tests;
