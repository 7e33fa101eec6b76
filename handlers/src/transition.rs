//! From one phase to another: what is announced on the bus, counted among the metrics, and searched for in the log.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::phase::Phase;
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
