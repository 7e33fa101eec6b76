//! What [`decide`](super::decide) is given besides a record and an observation, and what it answers. Lowest of `decide/`, so that
//! every file here can use it.

use std::sync::Arc;

use crate::event::Event;
use crate::market::Market;
use crate::policy::Policy;
use crate::reason::Reason;
use crate::record::Record;
use crate::strategy::Strategy;
use crate::timestamp::Timestamp;

/// Why anybody looks at the service now.
#[derive(Debug, Clone, Copy)]
pub enum Trigger<'a> {
    /// An event said so.
    Event(&'a Event),
    /// The record is due.
    Sweep,
}

/// What a decision depends on besides the record and the look.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Why we look.
    pub trigger: Trigger<'a>,
    /// The tunables.
    pub policy: &'a Policy,
    /// Now.
    pub now: Timestamp,
    /// Who would act: the token of this invocation.
    pub owner: &'a str,
    /// What is known of the service's Spot market, where it was read; an unknown market admits every restore.
    pub market: Option<&'a Market>,
}

impl Context<'_> {
    /// Whether an event brought us here, and not the sweep.
    pub(super) fn is_event(&self) -> bool {
        matches!(self.trigger, Trigger::Event(_))
    }
}

/// The next step.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Nothing to do and nothing to remember.
    Leave(Reason),
    /// Remember this; done.
    Write(Arc<Record>, Reason),
    /// Write this claim; if it holds, decide again, on another look unless the last one is fresh.
    Claim(Arc<Record>, Reason),
    /// The record is claimed by us: force a deployment on this strategy, then decide again.
    Update(Arc<Record>, Strategy),
    /// The record has no subject any more: delete it.
    Forget(Reason),
}
