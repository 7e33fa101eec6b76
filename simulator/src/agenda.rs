//! What will happen, in order: by time, then by the order in which it was planned.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::time::Duration;

use handlers::service::AccountId;
use handlers::timestamp::Timestamp;

use crate::ecs::{ServiceKey, TaskKey};
use crate::eventbridge::{Delivery, Envelope, Reforward};
use crate::spec::WorldEvent;

/// A planned happening.
#[derive(Debug)]
pub(crate) enum Action {
    /// From the script.
    World(Box<WorldEvent>),
    /// A task takes its next step.
    Task(ServiceKey, TaskKey),
    /// Spot takes a task back.
    Reclaim(ServiceKey, TaskKey, Reclaim),
    /// A Spot market takes the next step of its shape, if it still has that one.
    Market(u64),
    /// An auto scaler looks at its service.
    Autoscale(ServiceKey),
    /// An owner's pipeline applies Terraform.
    Terraform(ServiceKey),
    /// A task's application fails.
    Fail(ServiceKey, TaskKey),
    /// The scheduler looks at a service.
    Schedule(ServiceKey),
    /// The forwarding rule of an account hands an event to the central bus.
    Forward(AccountId, Box<Envelope>),
    /// It tries again.
    Reforward(Box<Reforward>),
    /// An event reaches the central bus.
    CentralBus(Box<Envelope>),
    /// A rule of the central bus hands an event to a queue.
    Deliver(Box<Delivery>),
    /// The event-source mapping asks a queue for messages.
    Poll(usize),
    /// A received message's visibility timeout is over.
    Reappear(usize, u64),
    /// A queue's oldest message may have been kept for as long as it is kept.
    Expire(usize),
    /// The next part of a DLQ goes back to its queue.
    Redrive(usize),
    /// The schedule rule fires.
    RestoreTick,
}

/// How a task goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reclaim {
    Warned,
    Silently,
}

#[derive(Debug, Default)]
pub(crate) struct Agenda {
    entries: BinaryHeap<Entry>,
    planned: u64,
}

/// An action, when it is due, and how many were planned before it.
#[derive(Debug)]
struct Entry {
    due: Reverse<(Timestamp, u64)>,
    action: Action,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.due.cmp(&other.due)
    }
}

impl Agenda {
    pub(crate) fn plan(&mut self, at: Timestamp, action: Action) {
        self.planned += 1;
        self.entries.push(Entry { due: Reverse((at, self.planned)), action });
    }

    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.entries.peek().map(|entry| entry.due.0.0)
    }

    /// The first action due at `now`.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Option<Action> {
        self.next_at().filter(|at| *at <= now)?;
        self.entries.pop().map(|entry| entry.action)
    }
}

/// The moment every world begins.
pub(crate) const GENESIS: Timestamp = Timestamp::from_millis(1_767_225_600_000); // 2026-01-01T00:00:00Z

/// Time since the world began.
pub(crate) fn elapsed(at: Timestamp) -> Duration {
    at.since(GENESIS)
}
