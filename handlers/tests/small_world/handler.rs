//! A handler in flight: the real `Reconciler`, one port call at a time.
//!
//! A future can neither be copied nor compared, but what it was answered so far can. So a handler is kept as the
//! answers its calls have had. To go on, the real code runs again from its start: ports give the same answers at once,
//! and the first call beyond them is what the handler asks now. The world answers it, and the answer joins the others.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::pending;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem::discriminant;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use handlers::event::{Event, Signal};
use handlers::held::HeldReason;
use handlers::market::Market;
use handlers::observation::{Look, Observation};
use handlers::ports::{
    AuditError, AuditLog, Clock, Cluster, Ecs, EcsError, Page, PageToken, Put, Relay, RelayError, StateStore,
    StoreError, UpdateError,
};
use handlers::reconcile::Reconciler;
use handlers::record::Record;
use handlers::service::{AccountId, Region, ServiceId, ServiceName};
use handlers::strategy::Strategy;
use handlers::timestamp::Timestamp;
use handlers::transition::Transition;
use handlers::turn::Turn;

use crate::item::{Item, MarketItem, NOW, TICK, earlier};
use crate::model::SmallWorld;
use crate::world::{self, Live, Wanted, token};

/// Why a handler looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    Sweep,
    Event(Signal, Timestamp),
}

impl Hash for Why {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Sweep => 0_u8.hash(state),
            Self::Event(signal, at) => (1_u8, *signal as u8, at).hash(state),
        }
    }
}

/// A port call that waits for its answer.
#[derive(Debug, Clone, PartialEq, Hash)]
pub(crate) enum Call {
    Describe,
    Update(Live),
    /// The reason tells apart what a write is for.
    Put {
        item: Arc<Item>,
        replaces: u64,
        reason: String,
    },
    Delete(Arc<Item>),
    Market,
    PutMarket(MarketItem),
}

/// What a port answered.
#[derive(Debug, Clone, PartialEq, Hash)]
pub(crate) enum Answer {
    /// To an event, or to a sweep that asks what is due.
    Stored(Option<Arc<Item>>),
    Missing,
    Blocked,
    Found(world::Ecs),
    /// The put holds: this is stored now.
    Written(Arc<Item>),
    /// The put met what it was about to write.
    Same(Arc<Item>),
    /// The put or delete met another version.
    Conflict(Option<Arc<Item>>),
    Deleted,
    Throttled,
    Refused,
    Unclear,
    Market(MarketItem),
    /// Whether the market's put holds.
    Told(bool),
}

impl Answer {
    fn item(&self) -> Option<&Arc<Item>> {
        match self {
            Self::Written(item) | Self::Same(item) => Some(item),
            Self::Stored(item) | Self::Conflict(item) => item.as_ref(),
            _ => None,
        }
    }

    fn item_mut(&mut self) -> Option<&mut Arc<Item>> {
        match self {
            Self::Written(item) | Self::Same(item) => Some(item),
            Self::Stored(item) | Self::Conflict(item) => item.as_mut(),
            _ => None,
        }
    }
}

/// A handler in flight.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Handler {
    pub(crate) service: usize,
    pub(crate) why: Why,
    /// Its policy is what was deployed when it started.
    pub(crate) paused: bool,
    /// Ticks since it started.
    pub(crate) age: u8,
    /// Every answer so far, and the ticks since.
    pub(crate) answers: Vec<(Answer, u8)>,
    /// What it asks now, as the answers have it; `None` where they have changed and a replay must tell.
    pub(crate) call: Option<Call>,
    /// Whether it has created the record.
    pub(crate) created: bool,
    /// Whether handlers with different answers count as different, whatever their local variables.
    pub(crate) exact: bool,
    /// Truth, unknown to the handler: which service it looked at, what its owner wanted then,
    pub(crate) incarnation: u8,
    pub(crate) wanted: Wanted,
    /// and whether the owner, or ECS on the owner's behalf, changed it since.
    pub(crate) outrun: bool,
}

/// Two handlers are the same if they have the same local variables. Those cannot be seen, but `reconcile.rs` says which
/// there are: the record last read or written, and what follows from it; a look serves one decision, and the call shows
/// which. Where a market is kept there are more of them, and handlers are told apart by every answer.
impl Hash for Handler {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { service, why, paused, age, answers, call, created, exact, incarnation, wanted, outrun } = self;
        (service, why, paused, age, created, incarnation, wanted, outrun, answers.len(), call).hash(state);
        if *exact {
            return answers.hash(state);
        }
        let record = answers.iter().rposition(|(answer, _)| answer.item().is_some());
        for (n, (answer, ago)) in answers.iter().enumerate().skip(record.unwrap_or(0)) {
            match answer {
                // What is about to be written is in the call.
                answer if Some(n) == record && !matches!(call, Some(Call::Put { .. })) => (answer, ago).hash(state),
                answer => (discriminant(answer), ago).hash(state),
            }
        }
    }
}

impl Handler {
    /// A handler begins, and reads the record or finds it due. Nothing can come between the two that makes a
    /// difference.
    pub(crate) fn new(service: usize, why: Why, paused: bool, exact: bool, read: Option<Arc<Item>>) -> Self {
        Self {
            service,
            why,
            paused,
            age: 0,
            answers: vec![(Answer::Stored(read), 0)],
            call: None,
            created: false,
            exact,
            incarnation: 0,
            wanted: Wanted::default(),
            outrun: false,
        }
    }

    pub(crate) fn sees(&mut self, service: &world::Service) {
        (self.incarnation, self.wanted, self.outrun) = (service.incarnations, service.wanted, false);
    }

    /// The last record it has written.
    pub(crate) fn written(&self) -> Option<&Record> {
        self.answers.iter().rev().find_map(|(answer, _)| match answer {
            Answer::Written(item) | Answer::Same(item) => Some(&item.record),
            _ => None,
        })
    }

    /// An order of handlers that their tokens have no part in.
    pub(crate) fn rank(&self) -> impl Ord + use<> {
        let mut hasher = DefaultHasher::new();
        (self.why, self.paused, self.outrun).hash(&mut hasher);
        for (answer, _) in &self.answers {
            match answer.item() {
                Some(item) => (item.record.version, item.record.phase as u8).hash(&mut hasher),
                None => answer.hash(&mut hasher),
            }
        }
        (self.service, self.age, self.answers.len(), hasher.finish())
    }

    pub(crate) fn items(&self) -> impl Iterator<Item = &Arc<Item>> {
        self.answers.iter().filter_map(|(answer, _)| answer.item())
    }

    pub(crate) fn markets(&self) -> impl Iterator<Item = &MarketItem> {
        self.answers.iter().filter_map(|(answer, _)| match answer {
            Answer::Market(market) => Some(market),
            _ => None,
        })
    }

    /// Puts other items in place of those it remembers, where `other` has any.
    pub(crate) fn revise(&mut self, other: impl Fn(&Arc<Item>) -> Option<Arc<Item>>) {
        for item in self.answers.iter_mut().filter_map(|(answer, _)| answer.item_mut()) {
            if let Some(other) = other(item) {
                *item = other;
                self.call = None;
            }
        }
    }

    pub(crate) fn revise_markets(&mut self, versions: &BTreeMap<u64, u64>) {
        for (answer, _) in &mut self.answers {
            if let Answer::Market(market) = answer
                && versions[&market.0.version] != market.0.version
            {
                market.0.version = versions[&market.0.version];
                self.call = None;
            }
        }
    }

    /// A minute passes: all that it remembers is further away, and nothing else about it changes.
    pub(crate) fn tick(&mut self) {
        self.age += 1;
        if let Why::Event(_, at) = &mut self.why {
            *at = earlier(*at);
        }
        for (answer, ago) in &mut self.answers {
            *ago += 1;
            match answer {
                Answer::Found(ecs) => ecs.since = earlier(ecs.since),
                Answer::Market(market) => *market = market.later(),
                _ => {}
            }
        }
        self.revise(|item| Some(item.later()));
        self.call = None;
    }
}

impl SmallWorld {
    /// What a handler with these answers asks next; `None` at its end.
    pub(crate) fn replay(&self, handler: &Handler, slot: usize) -> Option<Call> {
        let replay = Replay { model: self, handler, used: Cell::new(0), call: RefCell::default() };
        let owner = token(slot).trim_end_matches("/1");
        let reconciler = Reconciler::new(&replay, self.policy(handler.paused), owner);
        let mut context = Context::from_waker(Waker::noop());
        let ended = match handler.why {
            Why::Sweep => pin!(reconciler.sweep()).poll(&mut context).is_ready(),
            Why::Event(signal, at) => {
                let event = Event { service: self.ids[handler.service].clone(), signal, at, text: "null".into() };
                pin!(reconciler.on_event(&event)).poll(&mut context).is_ready()
            }
        };
        assert_eq!(
            replay.used.get(),
            handler.answers.len(),
            "a replay asks for all that was asked before: {handler:?}"
        );
        let call = replay.call.into_inner();
        assert_eq!(ended, call.is_none(), "a handler either ends or asks for something");
        call
    }
}

/// The ports of a replay.
struct Replay<'a> {
    model: &'a SmallWorld,
    handler: &'a Handler,
    used: Cell<usize>,
    call: RefCell<Option<Call>>,
}

impl Replay<'_> {
    /// The answer that this call had, or never one: then this is where the handler stands.
    async fn answer(&self, call: impl FnOnce() -> Call) -> &Answer {
        let Some((answer, _)) = self.handler.answers.get(self.used.get()) else {
            *self.call.borrow_mut() = Some(call());
            return pending().await;
        };
        self.used.set(self.used.get() + 1);
        answer
    }

    /// The first answer of all.
    async fn read(&self) -> Option<Record> {
        match self.answer(|| unreachable!("a handler begins with a record")).await {
            Answer::Stored(item) => item.as_ref().map(|item| item.record.clone()),
            other => strayed("a read", other),
        }
    }
}

fn conflict(stored: Option<&Arc<Item>>) -> Put {
    Put::Conflict(stored.map(|item| Arc::new(item.record.clone())))
}

fn strayed(call: &str, answer: &Answer) -> ! {
    panic!("a replay asks what was asked before, not {call} where the answer was {answer:?}")
}

impl Ecs for Replay<'_> {
    async fn describe_services(&self, _: &Cluster, _: &[ServiceName]) -> Result<Vec<Look>, EcsError> {
        Ok(vec![match self.answer(|| Call::Describe).await {
            Answer::Missing => Look::Missing,
            Answer::Blocked => Look::Blocked(HeldReason::RoleMissing),
            Answer::Found(ecs) => Look::found(self.model.observation(ecs)),
            other => strayed("DescribeServices", other),
        }])
    }

    async fn update_strategy(&self, _: &ServiceId, strategy: &Strategy) -> Result<Observation, UpdateError> {
        match self.answer(|| Call::Update(self.model.live(strategy))).await {
            Answer::Found(ecs) => Ok(self.model.observation(ecs)),
            Answer::Missing => Err(UpdateError::Gone(String::new())),
            Answer::Throttled => Err(UpdateError::Throttled(String::new())),
            Answer::Refused => Err(UpdateError::Refused(HeldReason::FargateNotAssociated)),
            Answer::Unclear => Err(UpdateError::Unclear(String::new())),
            other => strayed("UpdateService", other),
        }
    }
}

impl StateStore for Replay<'_> {
    async fn get(&self, _: &ServiceId) -> Result<Option<Arc<Record>>, StoreError> {
        Ok(self.read().await.map(Arc::new))
    }

    async fn put(&self, record: &Arc<Record>, replaces: u64) -> Result<Put, StoreError> {
        let call = || Call::Put { item: Item::new((**record).clone()), replaces, reason: record.reason.to_string() };
        Ok(match self.answer(call).await {
            Answer::Written(item) | Answer::Same(item) if item.record != **record => {
                panic!("a replay writes what was written before, not {record:?} for {:?}", item.record)
            }
            Answer::Written(_) => Put::Written,
            Answer::Same(_) => Put::Conflict(Some(Arc::clone(record))),
            Answer::Conflict(item) => conflict(item.as_ref()),
            other => strayed("put", other),
        })
    }

    async fn delete(&self, record: &Record) -> Result<Put, StoreError> {
        Ok(match self.answer(|| Call::Delete(Item::new(record.clone()))).await {
            Answer::Deleted => Put::Written,
            Answer::Conflict(item) => conflict(item.as_ref()),
            other => strayed("delete", other),
        })
    }

    async fn market(&self, _: &AccountId, _: &Region) -> Result<Option<Market>, StoreError> {
        if !self.model.setup.market {
            return Ok(None);
        }
        match self.answer(|| Call::Market).await {
            Answer::Market(market) => Ok(Some(market.0.clone())),
            other => strayed("market", other),
        }
    }

    async fn put_market(&self, market: &Market) -> Result<bool, StoreError> {
        if !self.model.setup.market {
            return Ok(true);
        }
        match self.answer(|| Call::PutMarket(MarketItem(market.clone()))).await {
            Answer::Told(holds) => Ok(*holds),
            other => strayed("put_market", other),
        }
    }

    /// A turn makes things fast, not safe: here everyone who asks has it.
    async fn turn(&self, _: &AccountId, _: &Region) -> Result<Option<Turn>, StoreError> {
        Ok(None)
    }

    async fn put_turn(&self, _: &Turn) -> Result<bool, StoreError> {
        Ok(true)
    }

    /// One sweep is about one service here; that accounts are swept side by side is two handlers in flight. Of an event's handler, only
    /// the event is its work.
    async fn due(&self, shard: u32, _: Timestamp, _: Option<PageToken>) -> Result<Page, StoreError> {
        if shard > 0 || self.handler.why != Why::Sweep {
            return Ok(Page::default());
        }
        Ok(Page { records: self.read().await.into_iter().map(Arc::new).collect(), next: None })
    }
}

impl AuditLog for Replay<'_> {
    async fn announce(&self, _: &[Transition]) -> Result<(), AuditError> {
        Ok(())
    }

    fn measure(&self, _: &Transition) {}
}

impl Relay for Replay<'_> {
    async fn hand_on(&self, _: &AccountId, _: &Region, _: Duration) -> Result<(), RelayError> {
        Ok(())
    }
}

impl Clock for Replay<'_> {
    /// The time of the last answer: what follows from it, up to the next call, takes no time.
    fn now(&self) -> Timestamp {
        let last = self.used.get().checked_sub(1).and_then(|last| self.handler.answers.get(last));
        NOW - TICK * u32::from(last.map_or(self.handler.age, |(_, ago)| *ago))
    }

    async fn sleep(&self, _: Duration) {}
}
