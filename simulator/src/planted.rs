//! Classic mistakes of systems like this one, planted around the recovery one at a time, so that a test can show which check
//! finds each. The recovery itself is the production one: a mistake alters what it is told, what it decides, or what it sends.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use handlers::decide::{Context, Decision, Reason, Trigger, decide};
use handlers::event::{Event, Signal};
use handlers::held::HeldReason;
use handlers::market::Market;
use handlers::observation::{Controller, Look, Observation, Rollout};
use handlers::ports::{
    AuditError, AuditLog, Clock, Cluster, Ecs, EcsError, Page, PageToken, Put, Relay, RelayError, StateStore,
    StoreError, UpdateError,
};
use handlers::reconcile::{Decide, Reconciler};
use handlers::record::{Held, Phase, Record};
use handlers::service::{AccountId, Region, ServiceId, ServiceName};
use handlers::strategy::{Strategy, StrategyItem};
use handlers::timestamp::Timestamp;
use handlers::transition::Transition;
use handlers::turn::Turn;

use crate::ecs::api::UpdateService;
use crate::lambda::Invocation;
use crate::runtime::handlers::{Handled, Handlers, handle};
use crate::runtime::ports::SimPorts;
use crate::world::World;

const HALF_HOUR: Duration = Duration::from_secs(1800);

macro_rules! bugs {
    ($($(#[doc = $mistake:literal])+ $name:ident, $source:literal;)*) => {
        /// A mistake that somebody made.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Bug {
            $($(#[doc = $mistake])+ $name,)*
        }

        impl Bug {
            /// All of them.
            pub const ALL: &[Bug] = &[$(Bug::$name,)*];

            /// What is done wrong.
            pub fn mistake(self) -> &'static str {
                match self {
                    $(Bug::$name => concat!($($mistake,)+).trim_ascii(),)*
                }
            }

            /// Where it was seen.
            pub fn source(self) -> &'static str {
                match self {
                    $(Bug::$name => $source,)*
                }
            }
        }
    };
}

bugs! {
    /// Every event saves the strategy that is live, the fallback too
    SavesWhatIsLive, "aws-facts.md §11.1";
    /// A restore begins on every tick of the schedule
    RestoresOnEveryTick, "the proof of concept";
    /// A steady service is taken for the return of Spot
    SteadyMeansSpotIsBack, "aws-facts.md §11.3";
    /// A restore counts as done when `UpdateService` returns
    DoneWhenUpdateReturns, "aws-facts.md §11.26";
    /// A failed restore does not lengthen the wait for the next
    BackoffNeverGrows, "aws-facts.md §11.6";
    /// Every event of an outage lengthens the wait
    BackoffGrowsPerEvent, "Spot Guard";
    /// Failures during a deployment are ignored, and a restore is one
    DeafDuringDeployments, "Spot Guard";
    /// Only events are believed, nothing is watched
    WatchesNothing, "aws-facts.md §11.2";
    /// The fallback and the restore lose the `base`
    BaseIsLost, "aws-facts.md §11.12";
    /// One state for all services of a name, whatever their account
    KeyWithoutAccount, "aws-facts.md §11.18";
    /// One state for all services of a name, whatever their cluster
    KeyWithoutCluster, "aws-facts.md §11.18";
    /// A synthetic event is believed whoever sent it
    BelievesAnyone, "aws-facts.md §11.14";
    /// An event is acted on however old it is
    BelievesOldEvents, "aws-facts.md §11.22";
    /// A placement failure is acted on at full count, as AZ rebalancing causes it
    NoiseIsLoss, "aws-facts.md §11.9";
    /// A crash-looping application is taken for a loss of capacity
    CrashesAreLoss, "architecture.md rule 7";
    /// An `UpdateService` without an answer is sent again
    RetriesUpdate, "aws-facts.md §11.8";
    /// Records are written whatever is stored by now
    WritesUnconditionally, "architecture.md rule 2";
    /// The claim of another handler is not respected
    IgnoresLeases, "architecture.md rule 2";
    /// `forceNewDeployment` is forgotten
    ForgetsForce, "aws-facts.md §11.4";
    /// A deployment is forced although the strategy is right already
    ForcesWhatIsRight, "aws-facts.md §11.4";
    /// `desiredCount` is sent along
    SendsDesiredCount, "aws-facts.md §11.11";
    /// The strategy that an owner set meanwhile is not looked at
    OverwritesOwners, "aws-facts.md §11.7";
    /// What was saved of a deleted service is applied to the new one of its name
    RecreatedHasAPast, "aws-facts.md §11.28";
    /// A restore stops every task first, whatever Spot has
    NeverProbes, "aws-facts.md §11.6";
    /// Services of other deployment controllers are treated like rolling ones
    TakesEveryController, "aws-facts.md §11.21";
    /// A service whose role cannot be assumed is dropped
    DropsTheForbidden, "aws-facts.md §11.23";
    /// The owner's opt-out is not read
    IgnoresOptOut, "architecture.md rule 6";
    /// What a service stood for is forgotten when its owner opts it out
    ForgetsTheOptedOut, "Spot Recovery itself";
    /// The kill switch is not read
    IgnoresKillSwitch, "docs/policy.md";
    /// An audit event counts as sent whatever the bus says of it
    AnnouncesToNobody, "aws-facts.md §5";
    /// A strategy that was ours once counts as ours for ever
    OursForEver, "Spot Recovery itself";
    /// What tells a rollback by ECS from an owner's change is not read
    GuessesRollbacks, "Spot Recovery itself";
    /// Events and looks that work again change nothing for a held service before its time
    DeafWhileHeld, "Spot Recovery itself";
    /// A claim that was never carried out is carried out whenever it is taken up
    CarriesOutOldClaims, "Spot Recovery itself";
    /// A restore is forced into the owner's release
    RestoresIntoReleases, "aws-facts.md §11.15";
    /// A restore whose deployment ECS gave up is waited for
    RestoresNeverEnd, "Spot Recovery itself";
    /// A restore that only drains its old tasks counts as failed
    SlowIsFailed, "Spot Recovery itself";
    /// A change of the owner's counts as a rollback by ECS before anything was changed that ECS could go back to
    OursBeforeTheFirst, "Spot Recovery itself";
    /// What an owner pinned is forgotten at once, although ECS may still go back behind it
    ForgetsPins, "Spot Recovery itself";
    /// What an opted-out service stood for is forgotten when it was held meanwhile
    ForgetsTheOptedOutAndHeld, "Spot Recovery itself";
    /// That ECS rolled the failover back is forgotten once the service is held for another reason
    ForgetsTheRollback, "Spot Recovery itself";
    /// That something else was live since is forgotten, so that an owner who chooses our fallback is not seen
    ForgetsWhatWasLive, "Spot Recovery itself";
    /// A service short of On-Demand tasks too waits as long as any other that is held
    WaitsThoughShort, "Spot Recovery itself";
    /// A task that is wanted since the restore began makes the restore late
    ScaledIsLate, "Spot Recovery itself";
    /// What is left to the handler that has the turn of the account is not written
    LosesMarks, "Spot Recovery itself";
    /// The turn of an account is never given back
    KeepsItsTurn, "Spot Recovery itself";
    /// Every handler takes the turn of an account for free
    TakesEveryTurn, "Spot Recovery itself";
    /// The message to the handler that is to go on is not sent
    HandsNothingOn, "Spot Recovery itself";
}

/// The production handlers with a bug in them.
#[derive(Debug, Clone, Copy)]
pub struct PlantedHandlers(pub Bug);

impl Handlers for PlantedHandlers {
    fn invoke<'a>(&'a self, ports: SimPorts, invocation: &'a Invocation) -> LocalBoxFuture<'a, Handled> {
        let bug = self.0;
        let (mut policy, mut trust) = (ports.policy().clone(), ports.trust().clone());
        match bug {
            Bug::DoneWhenUpdateReturns => policy.probation = Duration::ZERO,
            Bug::BelievesOldEvents => policy.event_max_age = Duration::MAX,
            Bug::NeverProbes => policy.probe_restores = false,
            Bug::IgnoresKillSwitch => policy.paused = false,
            Bug::BelievesAnyone => trust.synthetic_from = ports.sim.with(|world| world.spec.accounts.clone()),
            _ => {}
        }
        let ends_at = ports.ends_at();
        let ports = Planted { ports, bug };
        Box::pin(async move {
            let decide: Decide = Rc::new(move |service, record, look, ctx| misled(bug, service, record, look, ctx));
            let reconciler = Reconciler::new(&ports, &policy, invocation.request_id.clone());
            let reconciler = reconciler.ending(ends_at).planting(decide);
            handle(&reconciler, &trust, invocation).await
        })
    }
}

// ---- what is decided ------------------------------------------------------------------------------------------------

/// [`decide`] as `bug` has it.
fn misled(bug: Bug, service: &ServiceId, record: Option<&Record>, look: &Look, ctx: &Context<'_>) -> Decision {
    let event = match ctx.trigger {
        Trigger::Event(event) => Some(event),
        Trigger::Sweep => None,
    };
    let phase = record.map(|record| record.phase);
    let decide_on = |record: Option<&Record>, look: &Look| decide(service, record, look, ctx);
    let seen_as = |change: &dyn Fn(&mut Observation)| decide_on(record, &seen_as(look, change));
    match (bug, record) {
        (Bug::SavesWhatIsLive, Some(record)) if event.is_some() && phase == Some(Phase::OnDemand) => {
            let Look::Found(seen) = look else { return decide_on(Some(record), look) };
            let saved = Record { original: seen.strategy.clone(), ..record.clone() };
            Decision::Write(Arc::new(saved), Reason::AlreadyOnDemand)
        }
        (Bug::RestoresOnEveryTick, Some(record)) if phase == Some(Phase::OnDemand) => {
            decide_on(Some(&due_now(record, ctx.now)), look)
        }
        (Bug::SteadyMeansSpotIsBack, Some(record)) if phase == Some(Phase::OnDemand) => match look {
            Look::Found(seen) if !seen.is_short() => decide_on(Some(&due_now(record, ctx.now)), look),
            _ => decide_on(Some(record), look),
        },
        (Bug::DoneWhenUpdateReturns, Some(Record { change: Some(change), .. })) if phase == Some(Phase::Restoring) => {
            seen_as(&|seen| {
                if seen.strategy.as_ref() == Some(&change.to) {
                    seen.running = seen.desired;
                    for deployment in &mut seen.deployments {
                        deployment.rollout = Rollout::Completed;
                        deployment.running = seen.desired;
                    }
                }
            })
        }
        (Bug::BackoffNeverGrows, Some(record)) => {
            decide_on(Some(&Record { failed_restores: 0, restores: vec![], ..record.clone() }), look)
        }
        (Bug::BackoffGrowsPerEvent, Some(record)) if event.is_some() && phase == Some(Phase::OnDemand) => {
            let failed_restores = record.failed_restores + 1;
            let restore_at = Some(ctx.now + ctx.policy.backoff(failed_restores));
            Decision::Write(Arc::new(Record { failed_restores, restore_at, ..record.clone() }), Reason::AlreadyOnDemand)
        }
        (Bug::DeafDuringDeployments, _) => match look {
            Look::Found(seen) if event.is_some() && seen.is_deploying(ctx.now, Duration::MAX) => {
                Decision::Leave(Reason::Deploying)
            }
            _ => decide_on(record, look),
        },
        (Bug::BaseIsLost, _) => match decide_on(record, look) {
            Decision::Claim(mut next, reason) => {
                if let Some(change) = &mut Arc::make_mut(&mut next).change {
                    change.to = without_base(&change.to);
                }
                Decision::Claim(next, reason)
            }
            other => other,
        },
        (Bug::NoiseIsLoss, _) => match event {
            Some(event) if event.signal == Signal::SpotPlacementFailure => {
                let event = Event { signal: Signal::SyntheticPlacementFailure, ..event.clone() };
                decide(service, record, look, &Context { trigger: Trigger::Event(&event), ..*ctx })
            }
            _ => decide_on(record, look),
        },
        (Bug::CrashesAreLoss, _) => seen_as(&|seen| seen.messages = Arc::default()),
        (Bug::IgnoresLeases, Some(record)) => {
            let lease = record.lease.clone().filter(|lease| lease.owner == ctx.owner);
            decide_on(Some(&Record { lease, ..record.clone() }), look)
        }
        (Bug::ForcesWhatIsRight, Some(record)) => match (decide_on(Some(record), look), &record.change) {
            (Decision::Leave(Reason::AlreadyOnDemand), Some(change)) => {
                Decision::Update(Arc::new(record.clone()), change.to.clone())
            }
            (other, _) => other,
        },
        (Bug::OverwritesOwners, Some(Record { change: Some(change), .. })) => seen_as(&|seen| {
            let known = [&change.from, &change.to];
            if !seen.strategy.as_ref().is_some_and(|live| known.contains(&live)) {
                let ours = if phase == Some(Phase::OnDemand) { &change.to } else { &change.from };
                seen.strategy = Some(ours.clone());
            }
        }),
        (Bug::RecreatedHasAPast, Some(Record { service_created_at: Some(known), .. })) => {
            seen_as(&|seen| seen.created_at = *known)
        }
        (Bug::TakesEveryController, _) => seen_as(&|seen| seen.controller = Controller::Rolling),
        (Bug::DropsTheForbidden, _) => match look {
            Look::Blocked(_) => decide_on(record, &Look::Missing),
            _ => decide_on(record, look),
        },
        (Bug::IgnoresOptOut, _) => seen_as(&|seen| seen.opted_out = false),
        (Bug::ForgetsTheOptedOut, Some(_)) => match decide_on(record, look) {
            Decision::Write(_, reason @ Reason::OptedOut) => Decision::Forget(reason),
            other => other,
        },
        (Bug::OursBeforeTheFirst, Some(record)) if matches!(phase, Some(Phase::FailingOver | Phase::Held)) => {
            let failed_restores = record.failed_restores.max(1);
            decide_on(Some(&Record { failed_restores, ..record.clone() }), look)
        }
        (Bug::ForgetsPins, Some(_)) => match decide_on(record, look) {
            Decision::Write(next, reason) if next.pinned.is_some() => Decision::Forget(reason),
            other => other,
        },
        (Bug::ForgetsTheOptedOutAndHeld, Some(_)) if phase == Some(Phase::Held) => match decide_on(record, look) {
            Decision::Write(_, reason @ Reason::OptedOut) => Decision::Forget(reason),
            other => other,
        },
        (Bug::ForgetsTheRollback, Some(record)) => {
            let held = record.held.clone().map(|held| Held { rolled_back: false, ..held });
            decide_on(Some(&Record { held, ..record.clone() }), look)
        }
        (Bug::ForgetsWhatWasLive, Some(record)) => {
            decide_on(Some(&Record { not_ours_until: None, ..record.clone() }), look)
        }
        (Bug::WaitsThoughShort, Some(_)) => match decide_on(record, look) {
            Decision::Write(mut next, reason @ Reason::Held(HeldReason::OnDemandShort)) => {
                Arc::make_mut(&mut next).next_check_at = ctx.now + ctx.policy.held_interval;
                Decision::Write(next, reason)
            }
            other => other,
        },
        (Bug::ScaledIsLate, Some(_)) if phase == Some(Phase::Restoring) => seen_as(&|seen| seen.pending = 0),
        (Bug::OursForEver, Some(record)) => match decide_on(Some(record), &seen_as_before(look)) {
            Decision::Write(mut next, reason) if next.phase == Phase::Watching => {
                let previous = record.original.clone().or_else(|| record.previous.clone());
                Arc::make_mut(&mut next).previous = previous;
                Decision::Write(next, reason)
            }
            other => other,
        },
        (Bug::GuessesRollbacks, _) => decide_on(record, &seen_as_before(look)),
        (Bug::DeafWhileHeld, Some(record))
            if phase == Some(Phase::Held) && ctx.now < record.phase_since + HALF_HOUR =>
        {
            Decision::Leave(Reason::Settling)
        }
        (Bug::CarriesOutOldClaims, Some(record @ Record { change: Some(change), .. })) => match (phase, look) {
            (Some(Phase::FailingOver), Look::Found(seen)) if seen.strategy.as_ref() == Some(&change.from) => {
                // As if it had been claimed just now.
                decide_on(Some(&Record { phase_since: ctx.now, ..record.clone() }), look)
            }
            _ => decide_on(Some(record), look),
        },
        (Bug::RestoresIntoReleases, _) if phase == Some(Phase::OnDemand) => {
            seen_as(&|seen| seen.deployments.iter_mut().for_each(|deployment| deployment.created_at = seen.created_at))
        }
        (Bug::RestoresNeverEnd, Some(_)) if phase == Some(Phase::Restoring) => match look {
            Look::Found(seen) if seen.gave_up() => Decision::Leave(Reason::ApplicationFails),
            _ => decide_on(record, look),
        },
        (Bug::SlowIsFailed, Some(_)) if phase == Some(Phase::Restoring) => seen_as(&|seen| {
            for deployment in seen.deployments.iter_mut().filter(|d| d.rollout == Rollout::InProgress) {
                deployment.running = 0;
            }
        }),
        _ => decide_on(record, look),
    }
}

fn seen_as(look: &Look, change: &dyn Fn(&mut Observation)) -> Look {
    let mut look = look.clone();
    if let Look::Found(seen) = &mut look {
        change(Arc::make_mut(seen));
    }
    look
}

/// Without what tells who made the last deployment.
fn seen_as_before(look: &Look) -> Look {
    seen_as(look, &|seen| {
        seen.deployments.retain(|deployment| deployment.primary);
        seen.deployments.iter_mut().for_each(|deployment| deployment.rolls_back = false);
        seen.messages = Arc::default();
    })
}

fn due_now(record: &Record, now: Timestamp) -> Record {
    Record { restore_at: Some(now), next_check_at: now, restores: vec![], ..record.clone() }
}

fn without_base(strategy: &Strategy) -> Strategy {
    let items = strategy.items().iter().map(|item| StrategyItem { base: 0, ..item.clone() });
    Strategy::new(items.collect()).unwrap_or_else(|_| strategy.clone())
}

// ---- what is read and sent ------------------------------------------------------------------------------------------

/// The ports of an invocation, with the world's bug in them.
#[derive(Debug)]
pub(crate) struct Planted {
    ports: SimPorts,
    bug: Bug,
}

impl Ecs for Planted {
    async fn describe_services(&self, cluster: &Cluster, services: &[ServiceName]) -> Result<Vec<Look>, EcsError> {
        self.ports.describe_services(cluster, services).await
    }

    async fn update_strategy(&self, service: &ServiceId, strategy: &Strategy) -> Result<Observation, UpdateError> {
        let desired = match self.bug {
            Bug::SendsDesiredCount => self.ports.sim.with(|world| {
                let key = world.names.service(service)?;
                Some(world.ecs.service(key).desired)
            }),
            _ => None,
        };
        let force_new_deployment = self.bug != Bug::ForgetsForce;
        let update = || UpdateService { strategy: Some(strategy.items().to_vec()), desired, force_new_deployment };
        match self.ports.update(service, update()).await {
            Err(UpdateError::Unclear(_)) if self.bug == Bug::RetriesUpdate => {
                self.ports.update(service, update()).await
            }
            answer => answer,
        }
    }
}

impl Planted {
    /// Whose record stands for this service.
    fn key(&self, id: &ServiceId) -> ServiceId {
        let alike = |other: &&ServiceId| match self.bug {
            Bug::KeyWithoutAccount => other.cluster == id.cluster && other.service == id.service,
            Bug::KeyWithoutCluster => other.account == id.account && other.service == id.service,
            _ => false,
        };
        let namesakes = |world: &mut World| {
            let ids = world.spec.services.iter().map(|service| &service.id);
            ids.filter(alike).min().cloned()
        };
        self.ports.sim.with(namesakes).unwrap_or_else(|| id.clone())
    }
}

impl StateStore for Planted {
    async fn get(&self, id: &ServiceId) -> Result<Option<Arc<Record>>, StoreError> {
        let found = self.ports.get(&self.key(id)).await?;
        let forgets = self.bug == Bug::IgnoresLeases;
        Ok(found.map(|record| {
            let lease = record.lease.clone().filter(|_| !forgets);
            Arc::new(Record { service: id.clone(), lease, ..(*record).clone() })
        }))
    }

    async fn put(&self, record: &Arc<Record>, replaces: u64) -> Result<Put, StoreError> {
        let mark = record.mark.clone().filter(|_| self.bug != Bug::LosesMarks);
        let record = Arc::new(Record { service: self.key(&record.service), mark, ..(**record).clone() });
        match self.ports.put(&record, replaces).await? {
            Put::Conflict(Some(stored)) if self.bug == Bug::WritesUnconditionally => {
                self.ports.put(&record, stored.version).await
            }
            put => Ok(put),
        }
    }

    async fn delete(&self, record: &Record) -> Result<Put, StoreError> {
        self.ports.delete(record).await
    }

    async fn market(&self, account: &AccountId, region: &Region) -> Result<Option<Market>, StoreError> {
        self.ports.market(account, region).await
    }

    async fn put_market(&self, market: &Market) -> Result<bool, StoreError> {
        self.ports.put_market(market).await
    }

    async fn turn(&self, account: &AccountId, region: &Region) -> Result<Option<Turn>, StoreError> {
        let free = self.bug == Bug::TakesEveryTurn;
        Ok(self.ports.turn(account, region).await?.map(|turn| if free { turn.given_back() } else { turn }))
    }

    async fn put_turn(&self, turn: &Turn) -> Result<bool, StoreError> {
        if self.bug == Bug::KeepsItsTurn && turn.owner.is_none() {
            return Ok(true);
        }
        self.ports.put_turn(turn).await
    }

    async fn due(&self, shard: u32, now: Timestamp, after: Option<PageToken>) -> Result<Page, StoreError> {
        let mut page = self.ports.due(shard, now, after).await?;
        if self.bug == Bug::WatchesNothing {
            page.records.retain(|record| record.phase != Phase::Watching);
        }
        Ok(page)
    }
}

impl AuditLog for Planted {
    async fn announce(&self, transitions: &[Transition]) -> Result<(), AuditError> {
        match self.bug {
            Bug::AnnouncesToNobody => Ok(()),
            _ => self.ports.announce(transitions).await,
        }
    }

    fn measure(&self, transition: &Transition) {
        self.ports.measure(transition);
    }
}

impl Relay for Planted {
    async fn hand_on(&self, account: &AccountId, region: &Region, after: Duration) -> Result<(), RelayError> {
        match self.bug {
            Bug::HandsNothingOn => Ok(()),
            _ => self.ports.hand_on(account, region, after).await,
        }
    }
}

impl Clock for Planted {
    fn now(&self) -> Timestamp {
        self.ports.now()
    }

    async fn sleep(&self, time: Duration) {
        self.ports.sleep(time).await;
    }
}
