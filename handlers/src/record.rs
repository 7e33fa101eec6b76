//! The record of one service: the DynamoDB item of table `ecs_cp_restore_state`.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::event::{Event, Signal};
use crate::held::HeldReason;
pub use crate::phase::Phase;
use crate::policy::{self, Policy};
use crate::service::{AccountId, ServiceId};
use crate::strategy::Strategy;
use crate::timestamp::Timestamp;
use crate::transition::Transition;

/// Name of the state table, a contract of the original design.
pub const TABLE: &str = "ecs_cp_restore_state";
/// Partitions of the due index. An account is in one of them, with few others: whoever has its turn reads what is due of it.
pub const DUE_SHARDS: u32 = 16;

/// Who is acting on the service, and until when nobody else may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Token of one invocation.
    pub owner: String,
    /// After this the claim is open to all.
    pub until: Timestamp,
}

/// A change of strategy that we claimed: the only strategies we ever replace, and the only ones we call our own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What was live when we claimed it.
    pub from: Strategy,
    /// What we apply.
    pub to: Strategy,
}

/// What a held service waits for, and where it goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Why.
    pub reason: HeldReason,
    /// The phase to go on from when the cause is cured.
    pub resume: Phase,
    /// Since when it was in that phase: what ECS did meanwhile is judged from then on. Absent in records of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Whether ECS had rolled the failover back before there was this reason.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rolled_back: bool,
}

impl Held {
    /// Whether ECS has rolled the failover back: nothing of ours is under way then.
    pub fn was_rolled_back(&self) -> bool {
        self.rolled_back || self.reason == HeldReason::RolledBack
    }
}

/// An event that nobody has acted on yet, because the account was somebody else's turn: whoever has the turn does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// What it says.
    pub signal: Signal,
    /// When it happened.
    pub at: Timestamp,
    /// The event as it came; null if it has more than 64 KiB.
    #[serde(default)]
    pub event: Arc<Value>,
    /// From when on the record is due for it.
    pub due: Timestamp,
}

/// Longest event that a mark holds, in bytes: with it and the event of the episode the item stays within DynamoDB's 400 KB.
const MOST_MARKED: usize = 64 * 1024;

impl Mark {
    /// A mark for `event`, made at `now`.
    pub fn new(event: &Event, now: Timestamp) -> Self {
        let kept = if event.text.len() > MOST_MARKED { Value::Null } else { event.value() };
        Self { signal: event.signal, at: event.at, event: Arc::new(kept), due: now }
    }

    /// The event again.
    pub fn of(&self, service: &ServiceId) -> Event {
        Event { service: service.clone(), signal: self.signal, at: self.at, text: self.event.to_string().into() }
    }

    /// Reads a mark. One that cannot be read only says that the service is to be looked at, which the next sweep does anyway.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        Ok(serde_json::from_value(Value::deserialize(deserializer)?).ok())
    }
}

/// Everything remembered of one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Which service; `id` is made of it.
    #[serde(flatten)]
    pub service: ServiceId,
    /// Differs with every write ([`Record::written`]); every write is conditional on the version it was decided from. 0
    /// has never been written.
    pub version: u64,
    /// Where the service stands.
    pub phase: Phase,
    /// Since when.
    pub phase_since: Timestamp,
    /// Why the last write was made, in words, for whoever reads the table.
    pub reason: Cow<'static, str>,
    /// The owner's strategy, saved before the first change and kept until the episode is closed.
    #[serde(rename = "config", default, skip_serializing_if = "Option::is_none")]
    pub original: Option<Strategy>,
    /// The original before this one, or of the last episode, for as long as ECS may roll back to a strategy of ours that stands for
    /// it, and as long as one is live (an owner opted the service out). Later, an owner may choose the very same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Strategy>,
    /// While `previous` is kept: the latest time at which the owner's own strategy is known to have been live. One of ours that is live
    /// came later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_ours_until: Option<Timestamp>,
    /// While `previous` is kept: what the owner chose as the last episode ended, though it looks like ours. It is the owner's; what ECS
    /// brings back in its place may be ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<Strategy>,
    /// The change of the present phase; kept while its result is live. While watching, only of a service that its owner opted out: what
    /// was live then, and the original that it stood for or may go back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// The event that started the episode, absent when the sweep did; or that told of a loss while nobody could look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Arc<Value>>,
    /// `createdAt` of the service; another value means a re-created service without a past.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_created_at: Option<Timestamp>,
    /// Outages so far.
    pub episode: u32,
    /// Failed restores of this episode; drives the backoff.
    pub failed_restores: u32,
    /// Restores begun within the last 24 hours, oldest first; bounded by the daily cap.
    #[serde(default)]
    pub restores: Vec<Timestamp>,
    /// Whether the change has been seen live since it was claimed.
    pub confirmed: bool,
    /// Since when tasks are missing: while watching those for which ECS finds no place, on probation any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short_since: Option<Timestamp>,
    /// Since when the restored service runs in full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy_since: Option<Timestamp>,
    /// How many tasks it ran then: fewer are a loss, more wanted are not. Before that, how many it wanted when the restore was
    /// claimed.
    #[serde(default)]
    pub healthy_tasks: u32,
    /// Whether ECS rolled the probe of the last restore back: then the next goes without one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub probe_rolled_back: bool,
    /// When ECS did not find the service: not found again, it is forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_since: Option<Timestamp>,
    /// When the next restore is due, while on On-Demand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_at: Option<Timestamp>,
    /// When the last episode was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_at: Option<Timestamp>,
    /// When the sweep looks at the service next. See [`Record::due_at`].
    pub next_check_at: Timestamp,
    /// What nobody has acted on yet.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "Mark::read")]
    pub mark: Option<Mark>,
    /// A claim in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// Why it is held, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// Transitions written with this record or before, oldest first, that nobody has announced yet: the next sweep does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unannounced: Vec<Transition>,
}

/// An item that is no record of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("item {id:?} of {TABLE} cannot be read: {problem}")]
pub struct RecordError {
    /// Its `id`.
    pub id: String,
    /// What is wrong.
    pub problem: String,
}

impl Record {
    /// A service seen for the first time, not written yet.
    pub fn new(service: ServiceId, now: Timestamp) -> Self {
        Self {
            service,
            version: 0,
            phase: Phase::Watching,
            phase_since: now,
            reason: Cow::Borrowed(""),
            original: None,
            previous: None,
            not_ours_until: None,
            pinned: None,
            change: None,
            event: None,
            service_created_at: None,
            episode: 0,
            failed_restores: 0,
            restores: Vec::new(),
            confirmed: false,
            short_since: None,
            healthy_since: None,
            healthy_tasks: 0,
            probe_rolled_back: false,
            missing_since: None,
            restore_at: None,
            restored_at: None,
            next_check_at: now,
            mark: None,
            lease: None,
            held: None,
            unannounced: Vec::new(),
        }
    }

    /// What a write at `now` stores, as decided from the version that `self` still carries. The first version of a record is
    /// the time, so that no version of a record that was deleted ever comes back: a handler that still holds the old record
    /// can neither overwrite nor delete the new one.
    pub fn written(mut self: Arc<Self>, now: Timestamp) -> Arc<Self> {
        let record = Arc::make_mut(&mut self);
        record.version = if record.version == 0 { now.as_millis() } else { record.version + 1 };
        self
    }

    /// Whether `self` is another step of the service's way than `before`: another phase, or the restore after its probe.
    pub fn is_transition_from(&self, before: Option<&Record>) -> bool {
        before.is_none_or(|before| {
            before.phase != self.phase || (self.phase == Phase::Restoring && before.change != self.change)
        })
    }

    /// The transition to `self` from `before`, by a write at `at`, if the write is one.
    pub fn transition_from(
        &self,
        before: Option<&Record>,
        reason: Cow<'static, str>,
        at: Timestamp,
    ) -> Option<Transition> {
        let (from, to) = (before.map(|before| before.phase), Some(self.phase));
        self.is_transition_from(before).then(|| self.transition(from, to, reason, at))
    }

    /// The last transition of `self`, a record that was deleted at `at`.
    pub fn end(&self, reason: Cow<'static, str>, at: Timestamp) -> Transition {
        self.transition(Some(self.phase), None, reason, at)
    }

    fn transition(
        &self,
        from: Option<Phase>,
        to: Option<Phase>,
        reason: Cow<'static, str>,
        at: Timestamp,
    ) -> Transition {
        Transition {
            id: self.service.record_id(),
            service: self.service.arn(),
            account: self.service.account.clone(),
            from,
            to,
            episode: self.episode,
            original: self.original.clone(),
            reason,
            at,
        }
    }

    /// Whether a restore is pending: the `scheduled` attribute.
    pub fn scheduled(&self) -> bool {
        match self.phase {
            Phase::Watching => false,
            Phase::FailingOver | Phase::OnDemand | Phase::Restoring => true,
            Phase::Held => self.held.as_ref().is_some_and(|h| h.resume != Phase::Watching),
        }
    }

    /// When the sweep comes to the record next: to look at the service, or before that to announce what became of it. While
    /// somebody holds the claim, what there is to announce is still growing.
    pub fn due_at(&self) -> Timestamp {
        match (self.unannounced.first(), &self.lease) {
            (Some(first), None) => first.at.min(self.look_due_at()),
            _ => self.look_due_at(),
        }
    }

    /// When the service is looked at next.
    pub fn look_due_at(&self) -> Timestamp {
        self.mark.as_ref().map_or(self.next_check_at, |mark| mark.due.min(self.next_check_at))
    }

    /// Whether an event is about a time before what the record remembers, or too old to be acted on: duplicates and redriven
    /// messages may come hours late (aws-facts.md §6).
    pub fn outdates(&self, event: &Event, policy: &Policy, now: Timestamp) -> bool {
        // Before its first episode a service has no past that an event could be about.
        let has_past = self.phase != Phase::Watching || self.episode > 0;
        // Event times are whole seconds, rounded down.
        let before_it = event.at.as_millis() / 1000 < self.phase_since.as_millis() / 1000;
        (has_past && before_it) || now.since(event.at) > policy.event_max_age
    }

    /// Whether the service was well when it was last looked at, and nothing about it is open.
    pub fn is_at_peace(&self) -> bool {
        let open = self.mark.is_some() || self.short_since.is_some() || self.previous.is_some();
        self.phase == Phase::Watching && !open && self.missing_since.is_none()
    }

    /// Whether anybody holds a lease that still runs.
    pub fn is_leased(&self, now: Timestamp) -> bool {
        self.lease.as_ref().is_some_and(|l| now < l.until)
    }

    /// Whether someone other than `owner` holds a lease that still runs.
    pub fn leased_by_other(&self, owner: &str, now: Timestamp) -> bool {
        self.is_leased(now) && !self.leased_by(owner, now)
    }

    /// Whether `owner` holds a lease that still runs.
    pub fn leased_by(&self, owner: &str, now: Timestamp) -> bool {
        self.lease.as_ref().is_some_and(|l| l.owner == owner && now < l.until)
    }

    /// Whether the claimed change may have been sent and not be shown yet: an update arrives within the lease of its claim, and
    /// reads may be stale for [`Policy::settle`] after that.
    pub fn may_be_under_way(&self, policy: &Policy, now: Timestamp) -> bool {
        let claimed = matches!(self.phase, Phase::FailingOver | Phase::Restoring) && !self.confirmed;
        let from_claim = self.phase_since + policy.lease;
        let latest = self.lease.as_ref().map_or(from_claim, |lease| lease.until.max(from_claim));
        claimed && now < latest + policy.settle
    }

    /// Whether a sweep may begin a restore of this record: the market is to be asked.
    pub fn may_restore(&self, now: Timestamp) -> bool {
        self.restore_at.is_some_and(|at| now >= at) || (self.phase == Phase::Restoring && !self.confirmed)
    }

    /// How long to stay on On-Demand before the next restore: the backoff and the service's own jitter.
    pub fn restore_delay(&self, policy: &Policy) -> Duration {
        let wait = policy.backoff(self.failed_restores);
        wait + self.jitter(wait * policy.restore_jitter_percent / 100)
    }

    /// A share of `span` that is the service's own, the same each time.
    pub fn jitter(&self, span: Duration) -> Duration {
        policy::jitter(&self.service.record_id(), span)
    }

    /// The item as stored: this record's fields and the attributes that others read (`id`, `scheduled`, `due_shard`). The due index
    /// finds it by `next_check_at`, so that is [`Record::due_at`] there; when the service is looked at, if later, is `look_at`.
    pub fn to_item(&self) -> Map<String, Value> {
        let id = self.service.record_id();
        let mut item = item_of(self, id);
        item.insert("scheduled".into(), self.scheduled().into());
        item.insert("due_shard".into(), due_shard(&self.service.account).into());
        if self.due_at() < self.next_check_at {
            item.insert("next_check_at".into(), self.due_at().as_millis().into());
            item.insert("look_at".into(), self.next_check_at.as_millis().into());
        }
        item
    }

    /// Reads an item back.
    ///
    /// # Errors
    /// [`RecordError`] when attributes are missing or malformed, or `id` is not the service's.
    pub fn from_item(mut item: Map<String, Value>) -> Result<Self, RecordError> {
        let id = item.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Some(look_at) = item.remove("look_at") {
            item.insert("next_check_at".into(), look_at);
        }
        let record: Record = read_item(item)?;
        if record.service.record_id() != id {
            return Err(RecordError { id, problem: format!("it is about {}", record.service) });
        }
        Ok(record)
    }
}

/// `value` as an item of the state table, with its key.
pub(crate) fn item_of(value: &impl Serialize, id: String) -> Map<String, Value> {
    let mut item = match serde_json::to_value(value) {
        Ok(Value::Object(map)) => map,
        // A struct with string keys always serializes to an object.
        _ => Map::new(),
    };
    item.insert("id".into(), id.into());
    item
}

/// Reads an item back that [`item_of`] made.
///
/// # Errors
/// [`RecordError`] when attributes are missing or malformed.
pub(crate) fn read_item<T: DeserializeOwned>(item: Map<String, Value>) -> Result<T, RecordError> {
    let id = item.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    serde_json::from_value(Value::Object(item)).map_err(|e| RecordError { id, problem: e.to_string() })
}

/// The partition of the due index that the records of an account are in, `0..DUE_SHARDS`.
pub fn due_shard(account: &AccountId) -> u32 {
    policy::hash(account.as_str()) % DUE_SHARDS
}
