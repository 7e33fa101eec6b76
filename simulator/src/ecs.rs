//! ECS as callers see it: services, tasks, deployments, and what the API accepts. What the scheduler makes of it is in
//! `scheduler.rs`, how a deployment lives in `deployment.rs`, a task in `task.rs`.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use handlers::observation::{Controller, Message, Observation};
use handlers::service::{AccountId, ServiceId};
use handlers::strategy::{CapacityProvider, Strategy, StrategyError, StrategyItem};
use handlers::timestamp::Timestamp;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use crate::deployment::{Deployment, ServiceDeployment};
use crate::ecs_action::Action;
use crate::env::Env;
use crate::market::Markets;
use crate::names::NameKey;
use crate::ports::observe;
use crate::spec::ServiceSpec;
use crate::task::Task;
use crate::throttle::{Application, Starts};
use crate::trace::{Caller, Happening};
use crate::zones::{MAX_ZONES, Rebalancing};

/// A service's place in [`Ecs::services`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ServiceKey(pub(crate) usize);

/// A task's number within its service, in order of creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TaskKey(pub(crate) u64);

#[derive(Debug)]
pub(crate) struct Ecs {
    /// In the order of creation, each at its [`ServiceKey`].
    pub(crate) services: Vec<Service>,
    /// What `DescribeServices` shows of each, made when somebody looks and kept until something changes. Apart from the services, whose
    /// own lines in memory a look then need not touch.
    shown: Vec<OnceCell<Arc<Observation>>>,
    pub(crate) markets: IndexMap<AccountId, Markets, FxBuildHasher>,
}

#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) id: ServiceId,
    /// The number of its name.
    pub(crate) name: NameKey,
    pub(crate) created_at: Timestamp,
    pub(crate) desired: u32,
    pub(crate) strategy: Strategy,
    /// Whether it runs on the launch type `FARGATE`; `strategy` then says just that.
    pub(crate) launch_type: bool,
    /// Whether it was created with a launch type, to which an empty list brings it back (aws-facts.md §1.3).
    pub(crate) has_launch_type: bool,
    pub(crate) minimum_healthy_percent: u32,
    pub(crate) maximum_percent: u32,
    pub(crate) stop_timeout: Duration,
    pub(crate) deregistration_delay: Duration,
    /// Availability Zones it spans, the first ones of the Region.
    pub(crate) zones: u8,
    pub(crate) zone_rebalancing: bool,
    /// Set while its zones are uneven and that is to be mended.
    pub(crate) rebalancing: Option<Rebalancing>,
    pub(crate) circuit_breaker: bool,
    /// Whether deployment alarms are on, with rollback.
    pub(crate) alarms: bool,
    pub(crate) controller: Controller,
    /// Whether `status` is ACTIVE; a deleted service is not.
    pub(crate) active: bool,
    /// Whether the service carries the opt-out tag.
    pub(crate) opted_out: bool,
    pub(crate) application: Application,
    /// Tasks that failed to start since the last one that ran, and what the scheduler makes of it.
    pub(crate) starts: Starts,
    /// The strategy of the last deployment that was completed, where a rollback goes, and whether that is the launch type
    /// (aws-facts.md §1.6).
    pub(crate) last_completed: Option<(Strategy, bool)>,
    /// What the service looked like before its last update, for reads that are stale.
    pub(crate) before_update: Option<(Timestamp, Arc<Observation>)>,
    /// Providers associated with the service's cluster.
    pub(crate) associated: Vec<CapacityProvider>,
    /// The primary first; the others are being replaced.
    pub(crate) deployments: Vec<Deployment>,
    /// As `ListServiceDeployments` shows them, oldest first.
    pub(crate) service_deployments: Vec<ServiceDeployment>,
    pub(crate) tasks: BTreeMap<TaskKey, Task>,
    pub(crate) tasks_created: u64,
    /// Newest first, at most [`MAX_MESSAGES`].
    pub(crate) messages: Arc<Vec<Message>>,
    /// Per provider, what the scheduler knows of failed placements.
    pub(crate) placement: BTreeMap<CapacityProvider, Placement>,
    pub(crate) steady: bool,
    /// When its event log last said so.
    pub(crate) steady_told_at: Timestamp,
    /// When it last said that a deployment's bounds let nothing start or stop.
    pub(crate) stuck_told_at: Option<Timestamp>,
    /// Until when it launches nothing, because the account launches too fast.
    pub(crate) throttled_until: Option<Timestamp>,
    pub(crate) throttled_told_at: Option<Timestamp>,
    /// Begin of the running minute and tasks launched in it.
    pub(crate) launched: (Timestamp, u32),
    /// Size of a task in CPU units, 1024 to a vCPU.
    pub(crate) cpu: u32,
}

/// Failed placements on one provider since the last success.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Placement {
    pub(crate) failures: u32,
    pub(crate) retry_at: Option<Timestamp>,
    /// When the failure was last told; repeats are suppressed (aws-facts.md §2.6).
    pub(crate) told_at: Option<Timestamp>,
}

/// `DescribeServices` returns this many messages (aws-facts.md §2.6).
const MAX_MESSAGES: usize = 100;

/// An AWS error: code and message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// Such as `InvalidParameterException`.
    pub code: &'static str,
    /// As AWS words it.
    pub message: String,
}

/// The part of an `UpdateService` request this model reads.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UpdateService {
    /// `capacityProviderStrategy`, if given.
    pub strategy: Option<Vec<StrategyItem>>,
    /// `desiredCount`, if given.
    pub desired: Option<u32>,
    /// `forceNewDeployment`.
    pub force_new_deployment: bool,
}

/// What an update changes about where tasks run.
enum Change {
    None,
    Strategy(Strategy),
    /// Back to the launch type the service was created with.
    LaunchType,
}

/// The launch type `FARGATE`, as a strategy.
pub fn fargate_alone() -> Strategy {
    let item = StrategyItem { capacity_provider: CapacityProvider::Fargate, weight: 1, base: 0 };
    Strategy::new(vec![item]).expect("one item with a weight is a strategy")
}

impl Ecs {
    pub(crate) fn new(markets: IndexMap<AccountId, Markets, FxBuildHasher>) -> Self {
        Self { services: Vec::new(), shown: Vec::new(), markets }
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

impl Service {
    pub(crate) fn primary(&self) -> &Deployment {
        &self.deployments[0]
    }

    /// Whether ECS itself could put `strategy` in place now, by rolling the deployment that is under way back: who then sees it live
    /// cannot tell whether that or the owner did it.
    fn may_roll_back_to(&self, strategy: &Strategy) -> bool {
        let last = self.last_completed.as_ref();
        !self.primary().completed && last.is_some_and(|(completed, _)| completed == strategy)
    }

    pub(crate) fn say(&mut self, now: Timestamp, text: &str) {
        let messages = Arc::make_mut(&mut self.messages);
        messages.truncate(MAX_MESSAGES - 1);
        messages.insert(0, Message { at: now, text: format!("(service {}) {text}", self.id.service) });
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
        env.seen.oracle.owner_chose(env.now, env.names.number(&spec.id), &spec.strategy, None);
        env.record_named(&spec.id, Happening::Owner { what: "creates the service" });
        let key = self.create(env, &spec);
        env.spec.services.push(spec);
        let first = self.service(key).primary();
        let (id, earliest_completion) = (first.id.clone(), first.earliest_completion);
        env.agenda.plan(earliest_completion, Action::Schedule(key));
        self.begin_service_deployment(env, key, &id);
        self.emit_deployment(
            env,
            key,
            "SERVICE_DEPLOYMENT_IN_PROGRESS",
            &id,
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
        env.seen.ledgers.push(crate::ledger::Ledger::new(env.now, spec).keeping_series(env.facts.series));
        key
    }

    /// `UpdateService`.
    ///
    /// # Errors
    /// What AWS answers, with its own message where users have quoted it (aws-facts.md §1.1, §1.4).
    pub(crate) fn update_service(
        &mut self,
        env: &mut Env<'_>,
        caller: Caller,
        id: &ServiceId,
        update: &UpdateService,
    ) -> Result<Updated, ApiError> {
        let Some(key) = env.names.service(id) else {
            return Err(ApiError { code: "ServiceNotFoundException", message: "Service not found.".into() });
        };
        match self.check_update(env, key, update) {
            Err(error) => {
                env.record_named(id, Happening::UpdateRefused { caller, message: error.message.clone() });
                Err(error)
            }
            Ok(change) => Ok(self.apply_update(env, caller, key, change, update)),
        }
    }

    /// The new strategy if it changes, or the refusal; a refused call changes nothing (aws-facts.md §1.1).
    fn check_update(&self, env: &Env<'_>, key: ServiceKey, update: &UpdateService) -> Result<Change, ApiError> {
        let service = self.service(key);
        if !service.active {
            return Err(ApiError { code: "ServiceNotActiveException", message: "Service was not ACTIVE.".into() });
        }
        if update.desired.is_some_and(|desired| desired > env.facts.tasks_per_service) {
            return Err(invalid(TOO_MANY_TASKS));
        }
        if let Controller::Other(name) = &service.controller
            && !service.is_blue_green()
        {
            if update.force_new_deployment {
                return Err(invalid(if name == "CODE_DEPLOY" { CODE_DEPLOY } else { OTHER_CONTROLLER }));
            }
            if update.strategy.is_some() {
                return Err(invalid(OTHER_CONTROLLER));
            }
        }
        let Some(items) = &update.strategy else { return Ok(Change::None) };
        // An empty list would be a change too, and asks for force first (aws-facts.md §1.3).
        if items.is_empty() && !update.force_new_deployment {
            return Err(invalid(MUST_FORCE));
        }
        if items.is_empty() && service.has_launch_type {
            return Ok(if service.launch_type { Change::None } else { Change::LaunchType });
        }
        let strategy = Strategy::new(items.clone()).map_err(|error| invalid(strategy_message(&error)))?;
        if strategy.items().iter().any(|item| !service.associated.contains(&item.capacity_provider)) {
            return Err(invalid(NOT_ASSOCIATED));
        }
        // From a launch type every strategy is a change.
        if strategy == service.strategy && !service.launch_type {
            return Ok(Change::None);
        }
        if !update.force_new_deployment {
            return Err(invalid(MUST_FORCE));
        }
        Ok(Change::Strategy(strategy))
    }

    fn apply_update(
        &mut self,
        env: &mut Env<'_>,
        caller: Caller,
        key: ServiceKey,
        change: Change,
        update: &UpdateService,
    ) -> Updated {
        let launch_type = matches!(change, Change::LaunchType);
        let changed = match change {
            Change::None => None,
            Change::Strategy(strategy) => Some(strategy),
            Change::LaunchType => Some(fargate_alone()),
        };
        if update.force_new_deployment && env.facts.stale_read_percent > 0 {
            let before = self.shown(key);
            self.service_mut(key).before_update = Some((env.now, before));
        }
        // The desired count first, under the old strategy (aws-facts.md §1.2); omitted parameters keep their values.
        if let Some(desired) = update.desired {
            let service = self.service_mut(key);
            service.desired = desired;
            service.starts = Starts::default();
            env.seen.ledgers[key.0].set_desired(env.now, desired);
            if update.force_new_deployment {
                self.schedule(env, key);
            }
        }
        let like_a_rollback = changed.as_ref().is_some_and(|strategy| self.service(key).may_roll_back_to(strategy));
        if let Some(strategy) = changed.clone() {
            let service = self.service_mut(key);
            service.strategy = strategy;
            service.launch_type = launch_type;
        }
        let deployment = update.force_new_deployment.then(|| self.begin_deployment(env, key));
        env.record(
            Some(self.service(key).name),
            Happening::Updated {
                caller,
                strategy: changed.clone(),
                desired: update.desired,
                deployment: deployment.as_deref().map(str::to_owned),
            },
        );
        if deployment.is_some() && caller == Caller::Recovery {
            env.seen.ledgers[key.0].forced += 1;
        }
        if let Some(deployment) = &deployment {
            self.begin_service_deployment(env, key, deployment);
            let reason = format!("ECS deployment {deployment} in progress.");
            self.emit_deployment(env, key, "SERVICE_DEPLOYMENT_IN_PROGRESS", deployment, &reason);
        }
        env.agenda.plan(env.now, Action::Schedule(key));
        Updated { key, changed, deployment, like_a_rollback }
    }
}

/// What an `UpdateService` did.
pub(crate) struct Updated {
    pub(crate) key: ServiceKey,
    /// The new strategy, if it is another one.
    pub(crate) changed: Option<Strategy>,
    /// The deployment that was forced.
    pub(crate) deployment: Option<crate::deployment::DeploymentId>,
    /// Whether ECS itself could have gone back to the new strategy, by a rollback.
    pub(crate) like_a_rollback: bool,
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError { code: "InvalidParameterException", message: message.into() }
}

/// aws-facts.md §1.1.
const MUST_FORCE: &str = "When switching from launch type to capacity provider strategy on an existing service, or making a \
    change to a capacity provider strategy on a service that is already using one, you must force a new deployment.";

/// aws-facts.md §1.5.
const CODE_DEPLOY: &str = "Cannot force a new deployment on services with a CODE_DEPLOY deployment controller. Use AWS \
    CodeDeploy to trigger a new deployment.";

/// Our words; users have quoted none (aws-facts.md §1.5).
const OTHER_CONTROLLER: &str = "This operation is not supported for the service's deployment controller.";

/// Our words and our choice of the code; users have quoted none (aws-facts.md §4).
pub(crate) const TOO_MANY_TASKS: &str = "The desired count exceeds the quota of tasks per service.";

/// aws-facts.md §1.4.
pub(crate) const NOT_ASSOCIATED: &str = "The specified capacity provider strategy cannot contain a capacity provider that is not \
    associated with the cluster. Associate the capacity provider with the cluster or specify a valid capacity provider and \
    try again.";

/// AWS's own words where users have quoted them (aws-facts.md §1.4), ours where nobody has.
pub(crate) fn strategy_message(error: &StrategyError) -> String {
    match error {
        StrategyError::TwoBases(..) => {
            "There are multiple capacity providers in the specified capacity provider strategy with a base value defined"
        }
        StrategyError::NoWeight => {
            "There are no capacity providers in the capacity provider strategy with a weight value greater than zero"
        }
        StrategyError::Mixed(..) => {
            "A capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling groups and Fargate \
             providers. Specify one or the other and try again."
        }
        // Of a service that was created with a strategy (aws-facts.md §1.3).
        StrategyError::Empty => {
            "No launch type to fall back to for empty capacity provider strategy. Your service was not created with a launch \
             type."
        }
        other => return other.to_string(),
    }
    .to_owned()
}

#[cfg(test)]
mod tests;
