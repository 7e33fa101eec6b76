//! How many calls an account may make: a token bucket for each class of API actions (aws-facts.md §4).

use handlers::service::AccountId;
use handlers::timestamp::Timestamp;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use crate::facts::Facts;

/// An API action class with a bucket of its own (aws-facts.md §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bucket {
    Describe,
    Update,
}

/// Tokens in thousandths, so that a refill of a fraction counts.
#[derive(Debug, Clone, Copy)]
struct Level {
    at: Timestamp,
    milli_tokens: u64,
}

/// The buckets of every account, by [`Bucket`]; one that is missing is full.
#[derive(Debug, Default)]
pub(crate) struct Buckets(IndexMap<AccountId, [Option<Level>; 2], FxBuildHasher>);

impl Buckets {
    /// Takes one token of an account's bucket, if there is one.
    pub(crate) fn take(&mut self, now: Timestamp, facts: &Facts, account: &AccountId, bucket: Bucket) -> bool {
        let (burst, refill) = match bucket {
            Bucket::Describe => facts.describe_bucket,
            Bucket::Update => facts.update_bucket,
        };
        let full = u64::from(burst) * 1000;
        let of_account = match self.0.get_index_of(account) {
            Some(known) => &mut self.0[known],
            None => self.0.entry(account.clone()).or_default(),
        };
        let level = of_account[bucket as usize].get_or_insert(Level { at: now, milli_tokens: full });
        let refilled = now.since(level.at).as_millis() as u64 * u64::from(refill);
        level.milli_tokens = (level.milli_tokens + refilled).min(full);
        level.at = now;
        let granted = level.milli_tokens >= 1000;
        if granted {
            level.milli_tokens -= 1000;
        }
        granted
    }
}
