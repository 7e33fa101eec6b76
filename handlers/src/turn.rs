//! The turn of an account: which invocation may change its services now, and how fast.
//!
//! ECS gives an account one bucket for `UpdateService` and one for `DescribeServices`, and its owner's tools draw from them too
//! (aws-facts.md §4). When a thousand services lose Spot together, handlers that each call on their own drain the buckets and are
//! throttled. So one at a time calls, just under the refill; what the others are told, they mark in the records, and the one whose
//! turn it is works the marks off.
//!
//! A turn makes things fast, not safe: what keeps two handlers from changing one service is the claim in its record.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::policy::Policy;
use crate::record::{RecordError, item_of, read_item};
use crate::service::{AccountId, Region};
use crate::timestamp::Timestamp;

/// `DescribeServices` of ours: half of what ECS refills, and a fifth of its bucket at once (aws-facts.md §4).
pub const LOOKS: Rate = Rate { burst: 20, pause: Duration::from_millis(100) };

/// How fast calls may follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// So many at once after a rest.
    pub burst: u32,
    /// One more after each such pause.
    pub pause: Duration,
}

impl Rate {
    /// `UpdateService` of ours.
    pub fn updates(policy: &Policy) -> Self {
        Self { burst: policy.update_burst, pause: policy.update_pause }
    }

    /// How long a bucket takes from its last token to the first of its burst.
    fn depth(self) -> Duration {
        self.pause * self.burst.saturating_sub(1)
    }
}

/// A bucket of tokens, as the time at which it is full again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pace {
    full_at: Timestamp,
}

impl Pace {
    /// A full bucket.
    pub const FULL: Pace = Pace { full_at: Timestamp::from_millis(0) };

    /// Takes a token: how long to wait until it is there.
    pub fn take(&mut self, rate: Rate, now: Timestamp) -> Duration {
        let at = now.max(self.full_at - rate.depth());
        self.full_at = self.full_at.max(at) + rate.pause;
        at.since(now)
    }

    /// A bucket with no more tokens than it has here and in `other`.
    #[must_use]
    pub fn and(self, other: Pace) -> Self {
        Self { full_at: self.full_at.max(other.full_at) }
    }

    /// A bucket without a token at `at`.
    fn empty(rate: Rate, at: Timestamp) -> Self {
        Self { full_at: at + rate.depth() }
    }
}

/// Who has the turn of an account, kept in the state table beside the records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// Counts writes, as a market's does; 0 has never been written.
    pub version: u64,
    /// The token of the invocation whose turn it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// When that invocation ends at the latest.
    pub until: Timestamp,
    /// When an invocation goes on with the account, for which a message is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goes_on_at: Option<Timestamp>,
    /// What is left of our share of `UpdateService`.
    pub updates: Pace,
    /// What is left of our share of `DescribeServices`.
    pub looks: Pace,
}

impl Turn {
    /// The turn of an account that nobody has had yet.
    pub fn new(account: AccountId, region: Region) -> Self {
        let until = Timestamp::from_millis(0);
        let (updates, looks) = (Pace::FULL, Pace::FULL);
        Self { account, region, version: 0, owner: None, until, goes_on_at: None, updates, looks }
    }

    /// Key of the turn's item: `turn::{account}::{region}`. No account is called `turn`, so it is no record's key.
    pub fn id(account: &AccountId, region: &Region) -> String {
        format!("turn::{account}::{region}")
    }

    /// Until when somebody has it.
    pub fn held_until(&self, now: Timestamp) -> Option<Timestamp> {
        (self.owner.is_some() && now < self.until).then_some(self.until)
    }

    /// The turn of `owner`, whose invocation ends at `until`. Of one who died with it nobody knows what was called last: both
    /// buckets are taken for empty.
    #[must_use]
    pub fn taken(mut self, owner: &str, until: Timestamp, policy: &Policy) -> Self {
        if self.owner.is_some() {
            self.updates = self.updates.and(Pace::empty(Rate::updates(policy), self.until));
            self.looks = self.looks.and(Pace::empty(LOOKS, self.until));
        }
        Self { owner: Some(owner.to_owned()), until, ..self }
    }

    /// Nobody's turn.
    #[must_use]
    pub fn given_back(self) -> Self {
        Self { owner: None, ..self }
    }

    /// The item as stored.
    pub fn to_item(&self) -> Map<String, Value> {
        item_of(self, Self::id(&self.account, &self.region))
    }

    /// Reads an item back.
    ///
    /// # Errors
    /// [`RecordError`] when attributes are missing or malformed.
    pub fn from_item(item: Map<String, Value>) -> Result<Self, RecordError> {
        read_item(item)
    }
}
