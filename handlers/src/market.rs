//! The Spot market of one account and region, as our own restores have found it.
//!
//! Nothing announces returning Spot (aws-facts.md §2.6), so the first restore of an outage is a canary. A thousand services due
//! at once neither ask a returning market together nor fail on their own one by one: a market admits few restores at a
//! time, twice as many after each that holds, and none for a while after one that fails.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::phase::Phase;
use crate::policy::Policy;
use crate::record::{Record, RecordError, item_of, read_item};
use crate::service::{AccountId, Region};
use crate::timestamp::Timestamp;

/// Most restores under way at once, so that the list of them stays short.
const MAX_WAVE: u32 = 64;

/// What is remembered of a market, in the state table beside the records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Market {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// Counts writes, as a record's does; 0 has never been written.
    pub version: u64,
    /// Restores that may be under way at once while `held_at` is recent.
    pub wave: u32,
    /// When a restore last held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_at: Option<Timestamp>,
    /// Restores under way that have not yet held or failed, by record id, with the time they began.
    pub restoring: BTreeMap<String, Timestamp>,
    /// No restore begins before this.
    pub closed_until: Timestamp,
}

/// What a written record says about its market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// A restore begins.
    Begun,
    /// A restored service runs in full on Spot, with at least one task.
    Held,
    /// A restore did not hold.
    Failed,
    /// A restore ended without saying anything about the market.
    Ended,
}

impl Market {
    /// A market nothing is known of.
    pub fn new(account: AccountId, region: Region) -> Self {
        let closed_until = Timestamp::from_millis(0);
        Self { account, region, version: 0, wave: 1, held_at: None, restoring: BTreeMap::new(), closed_until }
    }

    /// Key of the market's item: `{account}::{region}`, two parts where a record's key has three.
    pub fn id(account: &AccountId, region: &Region) -> String {
        format!("{account}::{region}")
    }

    /// When a restore of `record` may begin: `now`, or the earliest time to ask again.
    pub fn admits(&self, record: &Record, policy: &Policy, now: Timestamp) -> Timestamp {
        let id = record.service.record_id();
        if now < self.closed_until {
            // Each a little later than the other, as `restore_delay` spreads them.
            return self.closed_until + record.jitter(policy.active_interval);
        }
        let others = self.under_way(policy, now).filter(|other| **other != id).count();
        if others < self.wave_now(policy, now) as usize { now } else { now + policy.active_interval }
    }

    /// A proof of capacity goes stale: then one canary goes first again.
    fn wave_now(&self, policy: &Policy, now: Timestamp) -> u32 {
        let proved = self.held_at.is_some_and(|at| now.since(at) < policy.restore_after);
        if proved { self.wave } else { 1 }
    }

    /// Restores under way; one that was forgotten ends by itself.
    fn under_way(&self, policy: &Policy, now: Timestamp) -> impl Iterator<Item = &String> {
        let longest = policy.restore_timeout + policy.lease;
        self.restoring.iter().filter(move |(_, since)| now.since(**since) < longest).map(|(id, _)| id)
    }

    /// The market after `finding` about the record with this id.
    pub fn after(mut self, id: &str, finding: Finding, policy: &Policy, now: Timestamp) -> Self {
        let kept: Vec<String> = self.under_way(policy, now).cloned().collect();
        self.restoring.retain(|id, _| kept.contains(id));
        self.restoring.remove(id);
        match finding {
            Finding::Begun => {
                self.restoring.insert(id.to_owned(), now);
            }
            Finding::Held => {
                self.wave = self.wave_now(policy, now).saturating_mul(2).min(MAX_WAVE);
                self.held_at = Some(now);
            }
            Finding::Failed => {
                // Always the same pause: every service has a growing backoff of its own, so each canary is another one.
                self.closed_until = now + policy.restore_after;
                self.held_at = None;
            }
            Finding::Ended => {}
        }
        self
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

impl Finding {
    /// What the step from `before` to `after` says about the market, if anything. `after` is `None` for a deleted record.
    pub fn of(before: Option<&Record>, after: Option<&Record>) -> Option<Finding> {
        let before = before?;
        let was_restoring = before.phase == Phase::Restoring;
        match after.map(|r| r.phase) {
            Some(Phase::Restoring) if !was_restoring => after.filter(|r| r.healthy_tasks > 0).map(|_| Finding::Begun),
            Some(Phase::Restoring) => {
                let up = after.filter(|r| r.healthy_since.is_some() && before.healthy_since.is_none())?;
                // A service that wants no task runs in full wherever Spot is.
                Some(if up.healthy_tasks > 0 { Finding::Held } else { Finding::Ended })
            }
            // It was claimed and never carried out.
            Some(Phase::OnDemand) if was_restoring && !before.confirmed => Some(Finding::Ended),
            // Held once, it was counted then; what ends the probation later is no news of the market's capacity at large.
            Some(Phase::FailingOver | Phase::OnDemand) if was_restoring => Some(Finding::Failed),
            _ if was_restoring && before.healthy_since.is_none() => Some(Finding::Ended),
            _ => None,
        }
    }
}
