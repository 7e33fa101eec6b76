//! `UpdateService`: what it accepts, what it changes, and what it answers.

use handlers::observation::Controller;
use handlers::service::ServiceId;
use handlers::strategy::{CapacityProvider, Strategy, StrategyError, StrategyItem};

use crate::ecs::Ecs;
use crate::ecs::action::Action;
use crate::ecs::env::Env;
use crate::ecs::service::Starts;
use crate::ids::{DeploymentId, ServiceKey};
use crate::observers::trace::{Caller, Happening};

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
                deployment: deployment.map(|deployment| deployment.to_string()),
            },
        );
        if deployment.is_some() && caller == Caller::Recovery {
            env.seen.ledgers[key.0].forced += 1;
        }
        if let Some(deployment) = deployment {
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
    pub(crate) deployment: Option<DeploymentId>,
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
