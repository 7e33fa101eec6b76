//! From one phase to another: what is announced on the bus, counted among the metrics, and searched for in the log.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::record::{Phase, Record};
use crate::service::AccountId;
use crate::strategy::Strategy;
use crate::timestamp::Timestamp;

/// One service moved from one phase to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// The service's record id.
    pub id: String,
    /// The service's ARN.
    pub service: String,
    /// Its account.
    pub account: AccountId,
    /// Phase before; absent for a service seen for the first time.
    pub from: Option<Phase>,
    /// Phase after; absent when the record was deleted.
    pub to: Option<Phase>,
    /// Outages of the service so far.
    pub episode: u32,
    /// The owner's strategy as saved, so that it can be read here even when the record is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<Strategy>,
    /// Why, in words.
    pub reason: Cow<'static, str>,
    /// When, in milliseconds since the epoch.
    pub at: Timestamp,
}

impl Transition {
    /// The transition from `before` to `after`, a record that was written or deleted at `at`, if that is one.
    pub fn between(
        before: Option<&Record>,
        after: Option<&Record>,
        reason: Cow<'static, str>,
        at: Timestamp,
    ) -> Option<Self> {
        let subject = after.or(before)?;
        after.is_none_or(|after| after.is_transition_from(before)).then(|| Self {
            id: subject.service.record_id(),
            service: subject.service.arn(),
            account: subject.service.account.clone(),
            from: before.map(|record| record.phase),
            to: after.map(|record| record.phase),
            episode: subject.episode,
            original: subject.original.clone(),
            reason,
            at,
        })
    }
}
