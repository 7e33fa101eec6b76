//! An in-memory world behind the ports, single-threaded and under the test's own hand: it writes down every call, goes
//! wrong when told to, and can stop at every call so that a test chooses who goes on.
#![allow(dead_code, reason = "every test file uses its own part of it")]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{self, Poll, Waker};
use std::time::Duration;

use handlers::decide::Reason;
use handlers::event::Signal;
use handlers::handler::{Message, handle_restores};
use handlers::held::HeldReason;
use handlers::market::Market;
use handlers::metrics;
use handlers::observation::{Look, Observation};
use handlers::policy::Policy;
use handlers::ports::{
    AuditError, AuditLog, Clock, Cluster, DESCRIBE_LIMIT, Ecs, EcsError, Page, PageToken, Put, Relay, RelayError,
    StateStore, StoreError, UpdateError,
};
use handlers::reconcile::{ReconcileError, Reconciler, SweepReport};
use handlers::record::{Lease, Phase, Record, RecordError, due_shard};
use handlers::service::{AccountId, ClusterName, Region, ServiceId, ServiceName};
use handlers::strategy::Strategy;
use handlers::timestamp::Timestamp;
use handlers::transition::Transition;
use handlers::turn::Turn;
use serde_json::{Value, json};

use crate::common::table::check_stored;
use crate::common::{
    NOW, event, fallback, full_on, mins, on_demand, original, service, service_named, short_on, watching,
};

/// What goes wrong with one call.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// This one goes well; the next fault is for the next call.
    None,
    /// `ThrottlingException`: it did not happen.
    Throttled,
    /// No clear answer, and it did not happen.
    Unclear,
    /// No clear answer, and it happened.
    UnclearButDone,
    /// A write happened, its reply was lost, and the adapter's retry met it.
    LostReply,
    /// Somebody else writes the record first.
    Outrun,
    /// Somebody else writes first what was to be written, with a lease of its own.
    Outclaimed,
    /// ECS refuses for good.
    Refused(HeldReason),
    /// The service is gone.
    Gone,
    /// An answer with one service too few.
    Incomplete,
    /// An item that cannot be read.
    Unreadable,
}

/// The world.
pub(crate) struct Fake {
    pub(crate) now: Cell<Timestamp>,
    pub(crate) calls: RefCell<Vec<String>>,
    pub(crate) services: RefCell<BTreeMap<ServiceId, Observation>>,
    pub(crate) records: RefCell<BTreeMap<String, Record>>,
    pub(crate) updates: RefCell<Vec<(ServiceId, Strategy)>>,
    pub(crate) announced: RefCell<Vec<Transition>>,
    pub(crate) measured: RefCell<Vec<Value>>,
    pub(crate) markets: RefCell<BTreeMap<AccountId, Market>>,
    pub(crate) turns: RefCell<BTreeMap<AccountId, Turn>>,
    /// Calls about turns, apart from the others.
    pub(crate) turn_calls: RefCell<Vec<&'static str>>,
    pub(crate) handed_on: RefCell<Vec<(AccountId, Duration)>>,
    pub(crate) slept: Cell<Duration>,
    /// Clusters whose `DescribeServices` is throttled.
    pub(crate) broken: RefCell<BTreeSet<ClusterName>>,
    /// How long every call takes.
    pub(crate) takes: Cell<Duration>,
    /// Whether every call waits to be polled once more before it happens, and once more after.
    pub(crate) stops: Cell<(bool, bool)>,
    pub(crate) page_size: usize,
    /// `DescribeServices` under way, now and at most so far.
    pub(crate) looking: Cell<(usize, usize)>,
    faults: RefCell<BTreeMap<&'static str, VecDeque<Fault>>>,
}

impl Fake {
    pub(crate) fn new() -> Self {
        Self {
            now: Cell::new(NOW),
            calls: RefCell::default(),
            services: RefCell::default(),
            records: RefCell::default(),
            updates: RefCell::default(),
            announced: RefCell::default(),
            measured: RefCell::default(),
            markets: RefCell::default(),
            turns: RefCell::default(),
            turn_calls: RefCell::default(),
            handed_on: RefCell::default(),
            slept: Cell::default(),
            broken: RefCell::default(),
            takes: Cell::default(),
            stops: Cell::new((false, false)),
            page_size: 3,
            looking: Cell::default(),
            faults: RefCell::default(),
        }
    }

    pub(crate) fn with_service(self, id: ServiceId, seen: Observation) -> Self {
        self.services.borrow_mut().insert(id, seen);
        self
    }

    pub(crate) fn with_record(self, record: Record) -> Self {
        self.records.borrow_mut().insert(record.service.record_id(), record);
        self
    }

    pub(crate) fn slow(self) -> Self {
        self.takes.set(Duration::from_millis(2000));
        self
    }

    /// The next calls of `kind` (`get`, `put`, `delete`, `due`, `describe`, `update`, `announce`, `market`, `put_market`, `turn`, `take`,
    /// `give back`, `hand_on`) go wrong like this.
    pub(crate) fn with_faults(self, kind: &'static str, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.faults.borrow_mut().entry(kind).or_default().extend(faults);
        self
    }

    pub(crate) fn record(&self, id: &ServiceId) -> Option<Record> {
        self.records.borrow().get(&id.record_id()).cloned()
    }

    pub(crate) fn live(&self, id: &ServiceId) -> Option<Strategy> {
        self.services.borrow()[id].strategy.clone()
    }

    pub(crate) fn calls_of(&self, kind: &str) -> usize {
        self.calls.borrow().iter().filter(|call| call.split(' ').next() == Some(kind)).count()
    }

    async fn call(&self, kind: &'static str, what: impl AsRef<str>) -> Fault {
        // Reading the due index is no race worth trying: its copy may be old in any case.
        wait_if(self.stops.get().0 && kind != "due").await;
        self.now.set(self.now.get() + self.takes.get());
        self.calls.borrow_mut().push(format!("{kind} {}", what.as_ref()).trim_end().to_owned());
        self.faults.borrow_mut().get_mut(kind).and_then(VecDeque::pop_front).unwrap_or(Fault::None)
    }

    /// A call about a turn takes no time and stops nowhere.
    fn turn_call(&self, kind: &'static str) -> Fault {
        self.turn_calls.borrow_mut().push(kind);
        self.faults.borrow_mut().get_mut(kind).and_then(VecDeque::pop_front).unwrap_or(Fault::None)
    }

    /// The calls so far, but for those that read what is due.
    pub(crate) fn calls_but_due(&self) -> Vec<String> {
        self.calls.borrow().iter().filter(|call| *call != "due").cloned().collect()
    }

    async fn reply<T>(&self, reply: T) -> T {
        wait_if(self.stops.get().1).await;
        reply
    }

    fn look(&self, cluster: &Cluster, service: &ServiceName) -> Look {
        let id = ServiceId {
            account: cluster.account.clone(),
            region: cluster.region.clone(),
            cluster: cluster.name.clone(),
            service: service.clone(),
        };
        self.services.borrow().get(&id).map_or(Look::Missing, |seen| Look::found(seen.clone()))
    }

    /// The conditional write itself.
    fn store(&self, id: &ServiceId, replaces: u64, next: Option<Record>, fault: &Fault) -> Result<Put, StoreError> {
        let mut records = self.records.borrow_mut();
        let id = id.record_id();
        match fault {
            Fault::Unclear | Fault::Throttled => return Err(StoreError::Unclear("timed out".into())),
            Fault::Outrun => {
                if let Some(stored) = records.get_mut(&id) {
                    stored.version += 1;
                }
            }
            Fault::Outclaimed => {
                let lease = next.as_ref().and_then(|next| next.lease.clone());
                let lease = lease.map(|lease| Lease { owner: "another".into(), ..lease });
                records.extend(next.clone().map(|next| (id.clone(), Record { lease, ..next })));
            }
            _ => {}
        }
        let stored = records.get(&id).cloned();
        if stored.as_ref().map_or(0, |r| r.version) != replaces {
            return Ok(Put::Conflict(stored.map(Arc::new)));
        }
        if let Some(next) = &next {
            check_stored(stored.as_ref(), next);
        }
        match next.clone() {
            Some(next) => records.insert(id, next),
            None => records.remove(&id),
        };
        match fault {
            Fault::UnclearButDone => Err(StoreError::Unclear("timed out".into())),
            Fault::LostReply => Ok(Put::Conflict(next.map(Arc::new))),
            _ => Ok(Put::Written),
        }
    }
}

/// The first polls of it are not ready, if `wait`.
async fn wait_if(wait: bool) {
    let mut waits = wait;
    poll_fn(|cx| {
        if std::mem::take(&mut waits) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}

impl Ecs for Fake {
    async fn describe_services(&self, cluster: &Cluster, services: &[ServiceName]) -> Result<Vec<Look>, EcsError> {
        assert!((1..=DESCRIBE_LIMIT).contains(&services.len()), "{} services in one call", services.len());
        let (looking, most) = self.looking.get();
        self.looking.set((looking + 1, most.max(looking + 1)));
        let fault = self.call("describe", format!("{}×{}", cluster.name, services.len())).await;
        let mut looks: Vec<Look> = services.iter().map(|service| self.look(cluster, service)).collect();
        let answer = match fault {
            _ if self.broken.borrow().contains(&cluster.name) => Err(EcsError::Throttled("Rate exceeded".into())),
            Fault::Throttled => Err(EcsError::Throttled("Rate exceeded".into())),
            Fault::Unclear => Err(EcsError::Unclear("timed out".into())),
            Fault::Incomplete => {
                looks.pop();
                Ok(looks)
            }
            _ => Ok(looks),
        };
        let answer = self.reply(answer).await;
        let (looking, most) = self.looking.get();
        self.looking.set((looking - 1, most));
        answer
    }

    async fn update_strategy(&self, service: &ServiceId, strategy: &Strategy) -> Result<Observation, UpdateError> {
        let answer = match self.call("update", strategy.to_string()).await {
            Fault::Throttled => Err(UpdateError::Throttled("Rate exceeded".into())),
            Fault::Unclear => Err(UpdateError::Unclear("timed out".into())),
            Fault::Refused(reason) => Err(UpdateError::Refused(reason)),
            Fault::Gone => {
                self.services.borrow_mut().remove(service);
                Err(UpdateError::Gone("ServiceNotFoundException".into()))
            }
            fault => {
                let mut seen = full_on(strategy.clone());
                seen.deployments[0].created_at = self.now.get();
                self.services.borrow_mut().insert(service.clone(), seen.clone());
                self.updates.borrow_mut().push((service.clone(), strategy.clone()));
                match fault {
                    Fault::UnclearButDone => Err(UpdateError::Unclear("timed out".into())),
                    _ => Ok(seen),
                }
            }
        };
        self.reply(answer).await
    }
}

impl StateStore for Fake {
    async fn get(&self, id: &ServiceId) -> Result<Option<Arc<Record>>, StoreError> {
        let answer = match self.call("get", "").await {
            Fault::None => Ok(self.record(id).map(Arc::new)),
            _ => Err(StoreError::Unclear("timed out".into())),
        };
        self.reply(answer).await
    }

    async fn put(&self, record: &Arc<Record>, replaces: u64) -> Result<Put, StoreError> {
        let fault = self.call("put", record.phase.to_string()).await;
        let answer = self.store(&record.service, replaces, Some((**record).clone()), &fault);
        self.reply(answer).await
    }

    async fn delete(&self, record: &Record) -> Result<Put, StoreError> {
        let fault = self.call("delete", "").await;
        let answer = self.store(&record.service, record.version, None, &fault);
        self.reply(answer).await
    }

    async fn market(&self, account: &AccountId, _: &Region) -> Result<Option<Market>, StoreError> {
        let answer = match self.call("market", "").await {
            Fault::None => Ok(self.markets.borrow().get(account).cloned()),
            Fault::Unreadable => {
                let problem = "missing field `wave`".into();
                Err(StoreError::Item(RecordError { id: account.to_string(), problem }))
            }
            _ => Err(StoreError::Unclear("timed out".into())),
        };
        self.reply(answer).await
    }

    async fn put_market(&self, market: &Market) -> Result<bool, StoreError> {
        let answer = match self.call("put_market", "").await {
            Fault::None => {
                let mut markets = self.markets.borrow_mut();
                let holds = markets.get(&market.account).map_or(0, |stored| stored.version) == market.version;
                if holds {
                    let next = Market { version: market.version + 1, ..market.clone() };
                    markets.insert(market.account.clone(), next);
                }
                Ok(holds)
            }
            Fault::Outrun => Ok(false),
            _ => Err(StoreError::Unclear("timed out".into())),
        };
        self.reply(answer).await
    }

    /// A turn makes things fast, not safe: where a test chooses who goes on, everyone has it.
    async fn turn(&self, account: &AccountId, _: &Region) -> Result<Option<Turn>, StoreError> {
        if self.stops.get() != (false, false) {
            return Ok(None);
        }
        match self.turn_call("turn") {
            Fault::None => Ok(self.turns.borrow().get(account).cloned()),
            _ => Err(StoreError::Unclear("timed out".into())),
        }
    }

    async fn put_turn(&self, turn: &Turn) -> Result<bool, StoreError> {
        if self.stops.get() != (false, false) {
            return Ok(true);
        }
        let fault = self.turn_call(if turn.owner.is_some() { "take" } else { "give back" });
        let mut turns = self.turns.borrow_mut();
        let holds = turns.get(&turn.account).map_or(0, |stored| stored.version) == turn.version;
        let happens = holds && matches!(fault, Fault::None | Fault::UnclearButDone);
        if happens {
            turns.insert(turn.account.clone(), Turn { version: turn.version + 1, ..turn.clone() });
        }
        match fault {
            Fault::None | Fault::Outrun => Ok(happens),
            _ => Err(StoreError::Unclear("timed out".into())),
        }
    }

    async fn due(&self, shard: u32, now: Timestamp, after: Option<PageToken>) -> Result<Page, StoreError> {
        if !matches!(self.call("due", "").await, Fault::None) {
            return Err(StoreError::Unclear("timed out".into()));
        }
        let records = self.records.borrow();
        let is_due = |r: &&Record| r.due_at() <= now && due_shard(&r.service.account) == shard;
        let mut due: Vec<&Record> = records.values().filter(is_due).collect();
        due.sort_by_key(|r| r.due_at());
        // The first page of every shard is empty and has a next one, as DynamoDB's may be.
        let Some(PageToken(start)) = after else {
            return Ok(Page { records: vec![], next: Some(PageToken("0".into())) });
        };
        let start: usize = start.parse().unwrap();
        let end = start + self.page_size;
        let next = (end < due.len()).then(|| PageToken(end.to_string()));
        let records = due.into_iter().skip(start).take(self.page_size).cloned().map(Arc::new).collect();
        Ok(Page { records, next })
    }
}

impl AuditLog for Fake {
    async fn announce(&self, transitions: &[Transition]) -> Result<(), AuditError> {
        let name = |phase: Option<_>| phase.map_or("-".to_owned(), |p| format!("{p:?}"));
        let said = transitions.iter().map(|t| format!("{}→{}", name(t.from), name(t.to)));
        let fault = self.call("announce", said.collect::<Vec<_>>().join(" ")).await;
        self.reply(()).await;
        if !matches!(fault, Fault::None) {
            return Err(AuditError("bus is gone".into()));
        }
        self.announced.borrow_mut().extend(transitions.iter().cloned());
        Ok(())
    }

    fn measure(&self, transition: &Transition) {
        self.measured.borrow_mut().push(metrics::line(transition));
    }
}

impl Relay for Fake {
    async fn hand_on(&self, account: &AccountId, _: &Region, after: Duration) -> Result<(), RelayError> {
        if !matches!(self.turn_call("hand_on"), Fault::None) {
            return Err(RelayError("the queue is gone".into()));
        }
        self.handed_on.borrow_mut().push((account.clone(), after));
        Ok(())
    }
}

impl Clock for Fake {
    fn now(&self) -> Timestamp {
        self.now.get()
    }

    async fn sleep(&self, time: Duration) {
        self.slept.set(self.slept.get() + time);
        self.now.set(self.now.get() + time);
    }
}

/// Runs a future of this thread to its end.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut cx = task::Context::from_waker(Waker::noop());
    for _ in 0..1_000_000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
    panic!("the future does not end");
}

/// Polls a future at most `polls` times, then drops it: a handler killed at that point.
pub(crate) fn kill_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut cx = task::Context::from_waker(Waker::noop());
    (0..polls).find_map(|_| match future.as_mut().poll(&mut cx) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}

/// Runs two futures step by step in the order that `second` tells: whether the second of them goes on, asked only while
/// neither has ended.
pub(crate) fn interleave<A: Future, B: Future>(a: A, b: B, mut second: impl FnMut() -> bool) -> (A::Output, B::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let mut cx = task::Context::from_waker(Waker::noop());
    let (mut of_a, mut of_b) = (None, None);
    for _ in 0..10_000 {
        let second = match (&of_a, &of_b) {
            (None, None) => second(),
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(_), Some(_)) => break,
        };
        if second {
            if let Poll::Ready(output) = b.as_mut().poll(&mut cx) {
                of_b = Some(output);
            }
        } else if let Poll::Ready(output) = a.as_mut().poll(&mut cx) {
            of_a = Some(output);
        }
    }
    (of_a.expect("the first ends"), of_b.expect("the second ends"))
}

// ---- what most tests begin with --------------------------------------------------------------------------------------

/// A watched service that Spot left short.
pub(crate) fn short() -> Fake {
    Fake::new().with_service(service(), short_on(original())).with_record(watching())
}

/// A service on the fallback whose restore is due.
pub(crate) fn restore_due() -> Fake {
    Fake::new().with_service(service(), full_on(fallback())).with_record(on_demand(NOW))
}

pub(crate) fn on_failure(fake: &Fake, owner: &str) -> Result<Reason, ReconcileError> {
    let policy = Policy::default();
    let failure = event(Signal::SpotPlacementFailure, fake.now.get());
    block_on(Reconciler::new(fake, &policy, owner).on_event(&failure))
}

pub(crate) fn sweep_with(fake: &Fake, policy: &Policy, owner: &str) -> SweepReport {
    block_on(handle_restores(&Reconciler::new(fake, policy, owner))).unwrap()
}

pub(crate) fn sweep(fake: &Fake, owner: &str) -> SweepReport {
    sweep_with(fake, &Policy::default(), owner)
}

pub(crate) fn phase(fake: &Fake) -> Phase {
    fake.record(&service()).unwrap().phase
}

/// Sweeps once a minute until the service is watched again.
pub(crate) fn sweep_until_watching(fake: &Fake, until: Timestamp) {
    while phase(fake) != Phase::Watching || fake.record(&service()).unwrap().lease.is_some() {
        assert!(fake.now.get() < until, "still {:?}", fake.record(&service()));
        fake.now.set(fake.now.get() + mins(1));
        sweep(fake, &format!("sweep at {}", fake.now.get()));
    }
}

pub(crate) fn many(account: &str, cluster: &str, count: usize) -> Vec<ServiceId> {
    (0..count).map(|n| service_named(account, cluster, &format!("service-{n}"))).collect()
}

/// A placement failure of `service`, as a message.
pub(crate) fn message(id: &str, service: &ServiceId) -> Message {
    let provider = format!("arn:aws:ecs:ap-south-1:{}:capacity-provider/FARGATE_SPOT", service.account);
    let body = json!({
        "detail-type": "ECS Service Action",
        "source": "aws.ecs",
        "account": service.account.as_str(),
        "time": NOW.to_string(),
        "region": "ap-south-1",
        "resources": [service.arn()],
        "detail": {
            "eventName": "SERVICE_TASK_PLACEMENT_FAILURE",
            "clusterArn": service.cluster_arn(),
            "capacityProviderArns": [provider],
        },
    });
    Message { id: id.into(), body: body.to_string(), receive_count: 1 }
}
