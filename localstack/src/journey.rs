//! Journeys: what may happen to a service, walked from end to end on LocalStack, every stage looked at.
//!
//! | question | file |
//! | --- | --- |
//! | failover and restore, by a synthetic event, an outage, an interruption, a silent loss | `failover.rs` |
//! | messages that come twice, are forged, or cannot be worked on | `messages.rs` |
//! | handlers that are killed, run out of time, are denied or throttled | `trouble.rs` |
//! | two hundred services at once | `crowd.rs` |
//! | what is looked at, and how long is waited for it? | `walk.rs`, `stretch.rs` |
//! | what is done? | `act.rs` |
//! | what can go wrong? | `error.rs` |

mod act;
mod crowd;
mod error;
mod failover;
mod messages;
mod stretch;
mod trouble;
mod walk;

use std::fmt::Write;
use std::time::{Duration, Instant};

use futures_util::future::{LocalBoxFuture, join_all};
use handlers::policy::Policy;
use handlers::service::{AccountId, Region, ServiceId};
use handlers::strategy::{CapacityProvider, Strategy, StrategyItem};
use simulator::facts::Facts;
use simulator::spec::{ServiceSpec, WorldSpec};
use tokio::sync::watch;

use crate::backend::Choice;
use crate::clients::config;
use crate::run::Running;
pub use error::JourneyError;
pub use walk::Walk;

/// Seconds of the world in one of the clock, where journeys are walked: a Spot task's two minutes are two seconds.
pub const SPEED: u32 = 60;

/// The cell's region.
pub fn region() -> Region {
    "eu-west-1".parse().expect("a region's name")
}

/// The central account.
pub fn central() -> AccountId {
    "000000000000".parse().expect("an account's number")
}

/// Accounts by what goes on in them, so that journeys do not meet: markets and roles are an account's.
mod account {
    /// Spot is as it should be.
    pub(super) const CALM: &str = "111111111111";
    /// Spot goes and comes back.
    pub(super) const OUTAGE: &str = "222222222222";
    /// Spot goes in silence.
    pub(super) const SILENT: &str = "333333333333";
    /// The role is missing at first.
    pub(super) const DENIED: &str = "444444444444";
    /// Many services.
    pub(super) const CROWD: &str = "555555555555";
    // A handler that dies or hangs keeps the turn of its account to its end, and the clock of the world runs fast: each has an account
    // of its own.
    /// A handler dies before its update.
    pub(super) const KILLED_BEFORE: &str = "616161616161";
    /// A handler dies after its update.
    pub(super) const KILLED_AFTER: &str = "626262626262";
    /// ECS does not answer.
    pub(super) const SLOW: &str = "636363636363";
    /// ECS throttles.
    pub(super) const THROTTLED: &str = "646464646464";
}

/// The workload accounts.
pub const ACCOUNTS: [&str; 9] = [
    account::CALM,
    account::OUTAGE,
    account::SILENT,
    account::DENIED,
    account::CROWD,
    account::KILLED_BEFORE,
    account::KILLED_AFTER,
    account::SLOW,
    account::THROTTLED,
];

/// When a journey is walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Before the others, until it lets them begin: it looks at what all of them change.
    First,
    /// Side by side with the others.
    Together,
    /// After the others, by itself: it takes all that LocalStack has, or must share a batch with nobody.
    Last,
}

/// One journey.
#[derive(Debug, Clone, Copy)]
pub struct Journey {
    /// As it is typed.
    pub name: &'static str,
    /// What is shown, in a few words.
    pub title: &'static str,
    /// When it is walked.
    pub turn: Turn,
    /// Whether it kills a function, which takes functions that are processes of this machine.
    pub kills: bool,
    services: fn(&Region) -> Vec<ServiceSpec>,
    walk: for<'a> fn(&'a Walk<'a>) -> LocalBoxFuture<'a, Result<(), JourneyError>>,
}

/// Every journey there is.
pub fn all() -> Vec<Journey> {
    [failover::JOURNEYS, messages::JOURNEYS, trouble::JOURNEYS, crowd::JOURNEYS].concat()
}

/// Splits journeys into those that can be walked on this LocalStack, and those that cannot: a function can be killed where it is a process
/// of this machine.
pub fn possible(journeys: Vec<Journey>, localstack: &Choice) -> (Vec<Journey>, Vec<Journey>) {
    let here = localstack.clone().settle() == Choice::Host;
    journeys.into_iter().partition(|journey| here || !journey.kills)
}

/// What journeys are walked on.
#[derive(Debug)]
pub struct Ground<'a> {
    /// The cell and the world.
    pub running: &'a Running,
    /// To reach the table beside the handlers.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// How many journeys the others still wait for.
    ahead: watch::Sender<usize>,
}

impl<'a> Ground<'a> {
    /// A ground on what runs.
    pub async fn new(running: &'a Running) -> Self {
        let config = config(&running.endpoint, &running.region, &running.central).await;
        Self { running, dynamodb: aws_sdk_dynamodb::Client::new(&config), ahead: watch::Sender::new(0) }
    }
}

/// A journey that is over.
#[derive(Debug, Clone)]
pub struct Walked {
    /// Which.
    pub journey: Journey,
    /// Stages that were as they should be, in order.
    pub stages: Vec<String>,
    /// What was not, if anything.
    pub problem: Option<JourneyError>,
    /// How long it took.
    pub took: Duration,
}

impl Walked {
    /// Whether every stage was as it should be.
    pub fn is_ok(&self) -> bool {
        self.problem.is_none()
    }

    /// The journey's line, and below it the stages.
    pub fn text(&self) -> String {
        let Self { journey, stages, problem, took } = self;
        let verdict = if problem.is_none() { "ok    " } else { "FAILED" };
        let mut text = format!("{verdict}  {:<20}  {:>5.1} s  {}\n", journey.name, took.as_secs_f64(), journey.title);
        for stage in stages {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "          [x] {stage}");
        }
        if let Some(problem) = problem {
            let _ = writeln!(text, "          [ ] {problem}");
        }
        text
    }
}

/// The policy of the cell, in the world's time: production's, made shorter where journeys would wait.
pub fn policy() -> Policy {
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    Policy {
        probation: minutes(3),
        shortfall_grace: minutes(2),
        watch_interval: minutes(2),
        held_interval: minutes(3),
        ..Policy::default()
    }
}

/// The world of some journeys.
pub fn world(journeys: &[Journey], region: &Region, central: &AccountId) -> WorldSpec {
    WorldSpec {
        seed: 1,
        region: region.clone(),
        central: central.clone(),
        accounts: accounts(),
        synthetic_from: vec![central.clone()],
        restore_schedule: Duration::from_secs(60),
        policy: policy(),
        services: journeys.iter().flat_map(|journey| (journey.services)(region)).collect(),
        events: Vec::new(),
    }
}

/// The workload accounts, parsed.
pub fn accounts() -> Vec<AccountId> {
    ACCOUNTS.iter().filter_map(|account| account.parse().ok()).collect()
}

/// Workload accounts that are onboarded by a journey of theirs: the first tasks of so many services would keep all others waiting.
pub fn onboarded_later() -> Vec<AccountId> {
    account::CROWD.parse().into_iter().collect()
}

/// Facts of a world that journeys are walked in: AWS at its best.
pub fn facts() -> Facts {
    Facts { trace_details: true, ..Facts::default() }
}

/// Walks journeys, each in its turn. `tell` is told of each as it ends.
pub async fn walk(ground: &Ground<'_>, journeys: &[Journey], tell: impl Fn(&Walked)) -> Vec<Walked> {
    ground.ahead.send_replace(journeys.iter().filter(|journey| journey.turn == Turn::First).count());
    let one = async |journey: &Journey| {
        if journey.turn != Turn::First {
            // Fails only when the ground is gone.
            let _ = ground.ahead.subscribe().wait_for(|ahead| *ahead == 0).await;
        }
        let walked = walk_one(ground, *journey).await;
        tell(&walked);
        walked
    };
    let (last, others): (Vec<_>, Vec<_>) = journeys.iter().partition(|journey| journey.turn == Turn::Last);
    let mut walked = join_all(others.into_iter().map(&one)).await;
    for journey in last {
        walked.push(one(journey).await);
    }
    walked
}

#[expect(clippy::disallowed_methods, reason = "how long a journey takes is a matter of the wall clock")]
async fn walk_one(ground: &Ground<'_>, journey: Journey) -> Walked {
    let began = Instant::now();
    let walk = Walk::new(ground, journey.turn == Turn::First);
    let problem = (journey.walk)(&walk).await.err();
    walk.let_others_begin();
    Walked { journey, stages: walk.stages(), problem, took: began.elapsed() }
}

/// A service in cluster `web`.
fn service(region: &Region, account: &str, name: &str) -> ServiceId {
    let account = account.parse().expect("journeys name accounts of 12 digits");
    let (cluster, service) = ("web".parse(), name.parse());
    let (cluster, service) = (cluster.expect("a cluster's name"), service.expect("journeys name services"));
    ServiceId { account, region: region.clone(), cluster, service }
}

/// All on Spot.
fn spot() -> Strategy {
    strategy(&[(CapacityProvider::FargateSpot, 1, 0)])
}

/// One task on On-Demand, of the others four of five on Spot.
fn mixed() -> Strategy {
    strategy(&[(CapacityProvider::Fargate, 1, 1), (CapacityProvider::FargateSpot, 4, 0)])
}

/// Providers with weight and base.
fn strategy(items: &[(CapacityProvider, u32, u32)]) -> Strategy {
    let item = |(provider, weight, base): &(CapacityProvider, u32, u32)| StrategyItem {
        capacity_provider: provider.clone(),
        weight: *weight,
        base: *base,
    };
    Strategy::new(items.iter().map(item).collect()).expect("journeys have valid strategies")
}
