//! What the table stores, as the small world keeps it: in time that stands still, and with versions that stay small.
//!
//! The clock stands still at [`NOW`] and the past moves away from it: a tick takes one minute off every time that is
//! kept. In the table, a time too old for any rule to tell apart from an older one is kept as the oldest that matters.
//! This is sound because `decide` only compares times with each other and with now, and every tunable of the policy is
//! a whole number of minutes. What a handler in flight was answered is never cut like that: a replay has to decide what
//! was decided before.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use handlers::market::Market;
use handlers::record::{Change, Lease, Mark, Record};
use handlers::strategy::Strategy;
use handlers::timestamp::Timestamp;

/// The moment everything happens at.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);
/// The unit of time.
pub(crate) const TICK: Duration = Duration::from_secs(60);
/// No rule tells older times apart: longer than every tunable of the policy, and than an event may be old.
const OLDEST: Duration = TICK.saturating_mul(3);
/// Nor these: the longest wait that starts with a shortfall, and the one that starts with a deployment or a recovery.
const OLDEST_SHORTFALL: Duration = TICK.saturating_mul(2);
pub(crate) const OLDEST_DEPLOYMENT: Duration = TICK;
/// How long a restore may count as under way: `restore_timeout` and `lease` together.
const OLDEST_RESTORE: Duration = TICK.saturating_mul(4);
/// A record created by a handler begins with the time as its version; every smaller version is one we gave it.
const CREATED_NOW: u64 = NOW.as_millis() / 2;

/// A record and its fingerprint.
pub(crate) struct Item {
    pub(crate) record: Record,
    fingerprint: u64,
}

impl Item {
    /// The record as it is.
    pub(crate) fn new(record: Record) -> Arc<Self> {
        let fingerprint = fingerprint(&record);
        Arc::new(Self { record, fingerprint })
    }

    /// The record as the table keeps it: without what makes no difference any more. That is old times, texts, and the
    /// counters that only drive the backoff and the daily cap, which the policy of this world makes constant and
    /// unreachable.
    pub(crate) fn stored(mut record: Record) -> Arc<Self> {
        record.reason = "".into();
        record.event = None;
        record.unannounced.clear();
        record.restores.clear();
        record.failed_restores = 0;
        record.restored_at = None;
        record.episode = record.episode.min(1);
        record.phase_since = past(record.phase_since);
        if let Some(held) = &mut record.held {
            held.since = held.since.map(past);
        }
        record.short_since = record.short_since.map(|at| at.max(NOW - OLDEST_SHORTFALL));
        record.healthy_since = record.healthy_since.map(|at| at.max(NOW - OLDEST_DEPLOYMENT));
        record.missing_since = record.missing_since.map(|at| at.max(NOW - OLDEST_DEPLOYMENT));
        record.not_ours_until = record.not_ours_until.map(past);
        record.restore_at = record.restore_at.map(|at| at.max(NOW));
        record.next_check_at = record.next_check_at.max(NOW);
        // A lease that has ended keeps nobody off.
        record.lease = record.lease.filter(|lease| NOW < lease.until);
        Self::new(record)
    }

    /// Whether a sweep finds it.
    pub(crate) fn is_due(&self) -> bool {
        self.record.next_check_at <= NOW
    }

    /// As a handler remembers it a minute later.
    pub(crate) fn later(&self) -> Arc<Self> {
        Self::new(later(self.record.clone()))
    }

    /// As the table keeps it a minute later.
    pub(crate) fn stored_later(&self) -> Arc<Self> {
        Self::stored(later(self.record.clone()))
    }

    pub(crate) fn with_version(&self, version: u64) -> Arc<Self> {
        Self::new(Record { version, ..self.record.clone() })
    }

    pub(crate) fn with_lease(&self, lease: Option<Lease>) -> Arc<Self> {
        Self::new(Record { lease, ..self.record.clone() })
    }
}

fn later(mut record: Record) -> Record {
    if record.version >= CREATED_NOW {
        record.version = earlier(Timestamp::from_millis(record.version)).as_millis();
    }
    record.phase_since = earlier(record.phase_since);
    if let Some(held) = &mut record.held {
        held.since = held.since.map(earlier);
    }
    record.short_since = record.short_since.map(earlier);
    record.healthy_since = record.healthy_since.map(earlier);
    record.missing_since = record.missing_since.map(earlier);
    record.not_ours_until = record.not_ours_until.map(earlier);
    record.restore_at = record.restore_at.map(earlier);
    record.restored_at = record.restored_at.map(earlier);
    record.restores.iter_mut().for_each(|at| *at = earlier(*at));
    record.next_check_at = earlier(record.next_check_at);
    record.unannounced.iter_mut().for_each(|transition| transition.at = earlier(transition.at));
    record.mark = record.mark.map(|mark| Mark { at: earlier(mark.at), due: earlier(mark.due), ..mark });
    record.lease = record.lease.map(|lease| Lease { until: earlier(lease.until), ..lease });
    record
}

/// Spells the record out field by field, so that a new one cannot be forgotten here: either a decision depends on it,
/// then it belongs into the fingerprint, or it does not, then [`Item::stored`] must leave it out.
fn fingerprint(record: &Record) -> u64 {
    let Record {
        service: _,
        version,
        phase,
        phase_since,
        reason: _,
        original,
        previous,
        change,
        // Only whether there is one, while nobody can look; nothing here is synthetic.
        event,
        service_created_at,
        episode,
        failed_restores: _,
        restores: _,
        confirmed,
        short_since,
        healthy_since,
        healthy_tasks,
        probe_rolled_back,
        missing_since,
        not_ours_until,
        pinned,
        restore_at,
        restored_at: _,
        next_check_at,
        mark,
        lease,
        held,
        unannounced: _,
    } = record;
    let mut hasher = DefaultHasher::new();
    (version, *phase as u8, phase_since, service_created_at, episode, confirmed).hash(&mut hasher);
    (short_since, healthy_since, healthy_tasks, probe_rolled_back, missing_since).hash(&mut hasher);
    (not_ours_until, restore_at, next_check_at).hash(&mut hasher);
    (held.is_some() && event.is_some()).hash(&mut hasher);
    original.as_ref().map(Strategy::items).hash(&mut hasher);
    previous.as_ref().map(Strategy::items).hash(&mut hasher);
    pinned.as_ref().map(Strategy::items).hash(&mut hasher);
    change.as_ref().map(|Change { from, to }| (from.items(), to.items())).hash(&mut hasher);
    mark.as_ref().map(|mark| (mark.signal as u8, mark.at, mark.due)).hash(&mut hasher);
    lease.as_ref().map(|Lease { owner, until }| (owner, until)).hash(&mut hasher);
    held.as_ref().map(|held| (held.reason.to_string(), held.resume as u8, held.since)).hash(&mut hasher);
    hasher.finish()
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Hash for Item {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fingerprint.hash(state);
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Record { version, phase, original, change, lease, held, .. } = &self.record;
        let change = change.as_ref().map(|change| format!("{} → {}", change.from, change.to));
        let (original, lease) = (original.as_ref().map(Strategy::to_string), lease.as_ref().map(|lease| &lease.owner));
        write!(f, "v{version} {phase} original {original:?} change {change:?} lease {lease:?} held {held:?}")
    }
}

/// The market of the account.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MarketItem(pub(crate) Market);

impl MarketItem {
    /// As a handler remembers it a minute later.
    pub(crate) fn later(&self) -> Self {
        let mut market = self.0.clone();
        market.closed_until = earlier(market.closed_until);
        market.held_at = market.held_at.map(earlier);
        market.restoring.values_mut().for_each(|since| *since = earlier(*since));
        Self(market)
    }

    /// As the table keeps it.
    pub(crate) fn stored(mut market: Market) -> Self {
        market.closed_until = market.closed_until.max(NOW);
        market.held_at = market.held_at.map(past);
        market.restoring.values_mut().for_each(|since| *since = (*since).max(NOW - OLDEST_RESTORE));
        Self(market)
    }
}

impl Hash for MarketItem {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Market { account: _, region: _, version, wave, held_at, restoring, closed_until } = &self.0;
        (version, wave, held_at, restoring, closed_until).hash(state);
    }
}

/// What each version of one record becomes, so that versions stay small: only whether two of them are equal matters,
/// now and after the next writes, each of which adds one. So their order is kept, and which of them are neighbours.
/// `created`: a handler in flight has created the record, and its own copy of it carries the time as its version; until
/// it ends, such versions stay as they are.
pub(crate) fn sunk(versions: BTreeSet<u64>, created: bool) -> BTreeMap<u64, u64> {
    let mut sunk = BTreeMap::new();
    let mut last: Option<(u64, u64)> = None;
    for version in versions.into_iter().filter(|version| !created || *version < CREATED_NOW) {
        let small = last.map_or(1, |(before, small)| small + (version - before).min(2));
        last = Some((version, small));
        sunk.insert(version, small);
    }
    sunk
}

pub(crate) fn earlier(at: Timestamp) -> Timestamp {
    at - TICK
}

pub(crate) fn past(at: Timestamp) -> Timestamp {
    at.max(NOW - OLDEST)
}
