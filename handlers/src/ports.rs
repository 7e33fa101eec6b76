//! What the core needs from outside. Production, LocalStack and the simulator differ only behind these traits.
//!
//! Futures need not be `Send`: a Lambda instance and the simulator both run on one thread.
#![allow(async_fn_in_trait, reason = "the traits are for generics inside this product, never for trait objects")]

use std::sync::Arc;
use std::time::Duration;

use crate::held::HeldReason;
use crate::market::Market;
use crate::observation::{Look, Observation};
use crate::record::{Record, RecordError};
use crate::service::{AccountId, ClusterName, Region, ServiceId, ServiceName};
use crate::strategy::Strategy;
use crate::timestamp::Timestamp;
use crate::transition::Transition;
use crate::turn::Turn;

/// Most services one `DescribeServices` call takes (aws-facts.md §4).
pub const DESCRIBE_LIMIT: usize = 10;
/// Most transitions announced at once: entries that one `PutEvents` takes (aws-facts.md §5).
pub const ANNOUNCE_LIMIT: usize = 10;

/// ECS in the workload accounts, reached through `CentralSpotAutomationRole`.
pub trait Ecs {
    /// `DescribeServices` for up to [`DESCRIBE_LIMIT`] services of one cluster, answered in the order asked. Being denied
    /// is an answer ([`Look::Blocked`]), not an error.
    ///
    /// # Errors
    /// [`EcsError`] when nothing is known: throttled, or no clear answer.
    async fn describe_services(&self, cluster: &Cluster, services: &[ServiceName]) -> Result<Vec<Look>, EcsError>;

    /// `UpdateService` with this strategy and `forceNewDeployment`, and nothing else. Called once per claim, never retried
    /// below this port: the call has no client token (aws-facts.md §1.1, §4).
    ///
    /// # Errors
    /// [`UpdateError`], which says whether the change may have happened.
    async fn update_strategy(&self, service: &ServiceId, strategy: &Strategy) -> Result<Observation, UpdateError>;
}

/// Table `ecs_cp_restore_state`. Records are shared, not copied, on their way through a step.
pub trait StateStore {
    /// The record of a service, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn get(&self, id: &ServiceId) -> Result<Option<Arc<Record>>, StoreError>;

    /// Writes `record` as it is, on condition that the stored version is `replaces`, 0 meaning absent.
    ///
    /// # Errors
    /// [`StoreError`]; a failed condition is no error but [`Put::Conflict`].
    async fn put(&self, record: &Arc<Record>, replaces: u64) -> Result<Put, StoreError>;

    /// Deletes `record` on condition that the stored version is its own.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn delete(&self, record: &Record) -> Result<Put, StoreError>;

    /// The market of an account and region, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn market(&self, account: &AccountId, region: &Region) -> Result<Option<Market>, StoreError>;

    /// Writes a market on condition that the stored version is `market.version`, 0 meaning absent; the stored version is
    /// one higher. Returns whether it holds.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn put_market(&self, market: &Market) -> Result<bool, StoreError>;

    /// The turn of an account, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn turn(&self, account: &AccountId, region: &Region) -> Result<Option<Turn>, StoreError>;

    /// Writes a turn on condition that the stored version is `turn.version`, 0 meaning absent; the stored version is one higher.
    /// Returns whether it holds.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn put_turn(&self, turn: &Turn) -> Result<bool, StoreError>;

    /// Records of one partition of the due index with [`Record::due_at`] `<= now`, earliest first, one page. The index lags
    /// behind the table: what it shows may be out of date, which the version condition catches.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn due(&self, shard: u32, now: Timestamp, after: Option<PageToken>) -> Result<Page, StoreError>;
}

/// Where transitions are announced: the bus, source `spot-recovery`.
pub trait AuditLog {
    /// Announces up to [`ANNOUNCE_LIMIT`] transitions, those of one service in their order. Recovery goes on without it; what was not
    /// accepted is announced again by a later sweep, so one may be announced twice.
    ///
    /// # Errors
    /// [`AuditError`], if any of them was not accepted.
    async fn announce(&self, transitions: &[Transition]) -> Result<(), AuditError>;

    /// Counts a transition among the metrics.
    fn measure(&self, transition: &Transition);
}

/// Where an invocation whose time is over leaves its work.
pub trait Relay {
    /// Makes another invocation go on with what is due of this account, after this time, 15 minutes at most. The sweep does so too,
    /// later.
    ///
    /// # Errors
    /// [`RelayError`], if that is not certain.
    async fn hand_on(&self, account: &AccountId, region: &Region, after: Duration) -> Result<(), RelayError>;
}

/// The time.
pub trait Clock {
    /// Now.
    fn now(&self) -> Timestamp;

    /// Waits.
    async fn sleep(&self, time: Duration);
}

/// All ports in one.
pub trait Ports: Ecs + StateStore + AuditLog + Relay + Clock {}
impl<T: Ecs + StateStore + AuditLog + Relay + Clock> Ports for T {}

/// One ECS cluster: what a `DescribeServices` call is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cluster {
    /// The workload account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// The cluster's short name.
    pub name: ClusterName,
}

impl Cluster {
    /// The cluster a service is in.
    pub fn of(service: &ServiceId) -> Self {
        Self { account: service.account.clone(), region: service.region.clone(), name: service.cluster.clone() }
    }

    /// Whether it is the cluster a service is in.
    pub fn holds(&self, service: &ServiceId) -> bool {
        (&self.account, &self.region, &self.name) == (&service.account, &service.region, &service.cluster)
    }
}

/// What became of a conditional write.
#[derive(Debug, Clone, PartialEq)]
pub enum Put {
    /// It holds.
    Written,
    /// The stored version is another; this is what is stored, which comes with the refusal at no extra call
    /// (aws-facts.md §7).
    Conflict(Option<Arc<Record>>),
}

/// One page of due records.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The records; an empty page may have a next one (aws-facts.md §7).
    pub records: Vec<Arc<Record>>,
    /// Where the next page begins, if there is one.
    pub next: Option<PageToken>,
}

/// Where a page begins, meaningful to the store that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageToken(pub String);

/// ECS gave no answer to a read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EcsError {
    /// `ThrottlingException`.
    #[error("ECS throttled the account: {0}")]
    Throttled(String),
    /// A timeout, a 5xx, a broken reply.
    #[error("no clear answer from ECS: {0}")]
    Unclear(String),
}

/// `UpdateService` did not succeed, as far as we know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// It certainly did not happen, and a later try may succeed: `ThrottlingException`, another change under way, an expired
    /// session.
    #[error("ECS did not make the change, a later try may succeed: {0}")]
    Throttled(String),
    /// It did not happen and will not by trying again; a person is needed.
    #[error("{0}")]
    Refused(HeldReason),
    /// `ServiceNotFoundException`, `ServiceNotActiveException`: it did not happen, and the service is gone.
    #[error("the service is gone: {0}")]
    Gone(String),
    /// A timeout, a 5xx, a broken reply: it may have happened. Read back.
    #[error("no clear answer from ECS: {0}")]
    Unclear(String),
}

/// The state table could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Throttled, timed out or unreachable; a write may have happened.
    #[error("the state table gave no clear answer: {0}")]
    Unclear(String),
    /// An item that is no record.
    #[error(transparent)]
    Item(#[from] RecordError),
}

/// A transition could not be announced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("audit event not accepted: {0}")]
pub struct AuditError(pub String);

/// Work could not be handed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("work not handed on: {0}")]
pub struct RelayError(pub String);
