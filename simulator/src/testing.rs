//! One service in a world without handlers, moved by hand: the scheduler alone under the virtual clock.

use std::time::Duration;

pub(crate) use CapacityProvider::{Fargate, FargateSpot};
use handlers::policy::Policy;
use handlers::service::{AccountId, ServiceId};
use handlers::strategy::{CapacityProvider, Strategy, StrategyItem};
use handlers::timestamp::Timestamp;
use serde_json::Value;

use crate::ecs::Ecs;
use crate::ecs::api::{ApiError, UpdateService};
use crate::ecs::audience::Audience;
use crate::ecs::env::Env;
use crate::ecs::market::Markets;
use crate::ecs::service::Service;
use crate::ecs::task::Task;
use crate::engine::clock::GENESIS;
use crate::eventbridge::action;
use crate::facts::Facts;
use crate::ids::ServiceKey;
use crate::observers::trace::{Caller, Happening};
use crate::pattern::Pattern;
use crate::spec::{Capacity, Loss, ServiceSpec, WorldEvent, WorldSpec};
use crate::world::{Turn, World};

/// A valid strategy of `(provider, base, weight)`.
pub(crate) fn strategy(items: &[(CapacityProvider, u32, u32)]) -> Strategy {
    Strategy::new(self::items(items)).expect("the test's strategy is valid")
}

/// The same unchecked, as a caller of the API may send it.
pub(crate) fn items(items: &[(CapacityProvider, u32, u32)]) -> Vec<StrategyItem> {
    let item = |(provider, base, weight): &(CapacityProvider, u32, u32)| StrategyItem {
        capacity_provider: provider.clone(),
        base: *base,
        weight: *weight,
    };
    items.iter().map(item).collect()
}

/// `FARGATE` base 1 weight 1, `FARGATE_SPOT` weight 3.
pub(crate) fn mixed() -> Strategy {
    strategy(&[(Fargate, 1, 1), (FargateSpot, 0, 3)])
}

pub(crate) fn on_demand() -> Strategy {
    strategy(&[(Fargate, 0, 1)])
}

pub(crate) fn spot() -> Strategy {
    strategy(&[(FargateSpot, 0, 1)])
}

#[derive(Debug)]
pub(crate) struct OneService {
    pub(crate) world: World,
    /// Events that left the workload account, in order.
    pub(crate) events: Vec<Value>,
}

const KEY: ServiceKey = ServiceKey(0);

impl OneService {
    /// A settled service with ECS's default bounds of 100 and 200 percent.
    pub(crate) fn new(desired: u32, strategy: &Strategy) -> Self {
        Self::with_bounds(desired, strategy, 100, 200)
    }

    pub(crate) fn with_bounds(desired: u32, strategy: &Strategy, minimum: u32, maximum: u32) -> Self {
        Self::of(desired, strategy, |spec| {
            spec.minimum_healthy_percent = minimum;
            spec.maximum_percent = maximum;
        })
    }

    /// A settled service of any kind.
    pub(crate) fn of(desired: u32, strategy: &Strategy, shape: impl FnOnce(&mut ServiceSpec)) -> Self {
        let account: AccountId = "111111111111".parse().expect("an account");
        let id = ServiceId {
            account: account.clone(),
            region: "eu-west-1".parse().expect("a region"),
            cluster: "web".parse().expect("a cluster"),
            service: "checkout".parse().expect("a service"),
        };
        let mut service = ServiceSpec::new(id.clone(), desired, strategy.clone());
        shape(&mut service);
        let spec = WorldSpec {
            seed: 1,
            region: id.region.clone(),
            central: "999999999999".parse().expect("an account"),
            accounts: vec![account],
            synthetic_from: Vec::new(),
            restore_schedule: Duration::from_secs(60),
            policy: Policy::default(),
            services: vec![service],
            events: Vec::new(),
        };
        let mut bench = Self {
            world: World::new(spec, Facts::default()).expect("the product's patterns are valid"),
            events: Vec::new(),
        };
        // The starts of the settled tasks are of no interest.
        bench.run(Duration::from_secs(30));
        bench.events.clear();
        bench.world.seen.trace.clear();
        bench
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, time: Duration) {
        self.run_watched(time, |_| {});
    }

    /// Lets time pass and shows the service after every single step.
    pub(crate) fn run_watched(&mut self, time: Duration, mut watch: impl FnMut(&Self)) {
        let end = self.world.now + time;
        loop {
            let ((at, _), turn) = self.world.next();
            if at > end {
                break;
            }
            self.world.now = at;
            match turn {
                Turn::Ecs | Turn::Workload => self.world.take_turn(turn),
                Turn::EventBridge => self.keep_event(),
                // No queues, no handlers, no script here.
                Turn::Lambda => drop(self.world.lambda.agenda.take()),
                Turn::Script => unreachable!("the world has no script"),
            }
            watch(self);
        }
        self.world.now = end;
    }

    fn keep_event(&mut self) {
        if let Some(action::Action::Forward(_, event)) = self.world.bus.agenda.take() {
            let read: Value = serde_json::from_str(&event.text).expect("events are JSON");
            assert_eq!(read.to_string(), event.text, "the fields are in order");
            self.events.push(read);
        }
    }

    pub(crate) fn update(&mut self, update: &UpdateService) -> Result<(), ApiError> {
        let id = self.service().id.clone();
        self.world.update_service(Caller::Owner, &id, update)
    }

    /// Something is done to ECS.
    pub(crate) fn act<T>(&mut self, act: impl FnOnce(&mut Ecs, &mut Env<'_>) -> T) -> T {
        self.world.on_ecs(act)
    }

    /// A task of the primary deployment could not be started.
    pub(crate) fn task_failed(&mut self) {
        self.act(|ecs, env| ecs.task_failed(env, KEY, 0));
    }

    /// Forces a new deployment of what is live.
    pub(crate) fn force(&mut self) {
        let update = UpdateService { force_new_deployment: true, ..UpdateService::default() };
        self.update(&update).expect("forcing alone is always accepted");
    }

    /// Forces a deployment on another strategy.
    pub(crate) fn switch(&mut self, strategy: &Strategy) {
        let strategy = Some(strategy.items().to_vec());
        let update = UpdateService { strategy, force_new_deployment: true, ..UpdateService::default() };
        self.update(&update).expect("a valid strategy with force is accepted");
    }

    pub(crate) fn scale(&mut self, desired: u32) {
        let update = UpdateService { desired: Some(desired), ..UpdateService::default() };
        self.update(&update).expect("a desired count is always accepted");
    }

    pub(crate) fn set_spot(&mut self, capacity: Capacity, loss: Loss) {
        let accounts = self.world.spec.accounts.clone();
        self.world.happen(WorldEvent::Spot { accounts, capacity, loss });
    }

    pub(crate) fn set_on_demand(&mut self, capacity: Capacity) {
        let accounts = self.world.spec.accounts.clone();
        self.world.happen(WorldEvent::OnDemand { accounts, capacity });
    }

    /// From now on every event leaves the account.
    pub(crate) fn forward_everything(&mut self) {
        let pattern = Pattern::parse(r#"{ "source": ["aws.ecs"] }"#).expect("a valid pattern");
        self.world.bus.set_pattern(pattern);
        self.world.ecs.audience = Audience::of(&self.world.bus);
    }

    pub(crate) fn interrupt(&mut self, tasks: u32) {
        self.act(|ecs, env| ecs.interrupt(env, KEY, tasks));
    }

    pub(crate) fn service(&self) -> &Service {
        self.world.ecs.service(KEY)
    }

    pub(crate) fn service_mut(&mut self) -> &mut Service {
        self.world.ecs.service_mut(KEY)
    }

    pub(crate) fn markets(&self) -> &Markets {
        &self.world.ecs.markets[&self.service().id.account]
    }

    /// Tasks that ECS wants to run: pending or running, not told to stop.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = &Task> {
        self.service().tasks.values().filter(|t| t.is_wanted())
    }

    pub(crate) fn wanted_on(&self, provider: &CapacityProvider) -> usize {
        self.wanted().filter(|t| t.provider == *provider).count()
    }

    /// Wanted tasks on `FARGATE` and on `FARGATE_SPOT`.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.wanted_on(&Fargate), self.wanted_on(&FargateSpot))
    }

    pub(crate) fn running(&self) -> usize {
        self.service().tasks.values().filter(|t| t.is_running()).count()
    }

    pub(crate) fn healthy(&self) -> usize {
        let (now, after) = (self.world.now, self.world.facts.healthy_after);
        self.service().tasks.values().filter(|t| t.is_healthy(now, after)).count()
    }

    pub(crate) fn is_completed(&self) -> bool {
        self.service().primary().completed
    }

    pub(crate) fn since(&self, at: Timestamp) -> Duration {
        self.world.now.since(at)
    }

    /// When something of a kind happened, since the start of the world.
    pub(crate) fn times(&self, kind: impl Fn(&Happening) -> bool) -> Vec<Timestamp> {
        self.world.seen.trace.iter().filter(|e| kind(&e.what)).map(|e| GENESIS + e.at).collect()
    }

    /// Deployment events that left the account: type, name, deployment, reason.
    pub(crate) fn deployment_events(&self) -> Vec<String> {
        let text = |e: &Value, field: &str| e["detail"][field].as_str().unwrap_or_default().to_owned();
        let told = self.events.iter().filter(|e| e["detail-type"] == "ECS Deployment State Change");
        let line =
            |e: &Value| ["eventType", "eventName", "deploymentId", "reason"].map(|field| text(e, field)).join(" ");
        told.map(line).collect()
    }

    /// Placement failure events that left the account.
    pub(crate) fn announced_failures(&self) -> usize {
        self.events.iter().filter(|e| e["detail"]["eventName"] == "SERVICE_TASK_PLACEMENT_FAILURE").count()
    }
}
