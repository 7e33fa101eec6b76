//! What will happen, in order: by time, then by the order in which it was planned.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};
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

/// How long a span is, in milliseconds: short enough that the entries of one fit into a processor's cache.
const SPAN: u64 = 64;

/// Only what is near is in order; what is further away waits unsorted with the rest of its span. One heap of all of it would be larger
/// than a processor's cache, and each step through it a miss.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    /// All that is due before `near_until`. Not empty unless all is.
    near: BinaryHeap<Entry>,
    near_until: u64,
    /// The rest, by the number of its span.
    later: BTreeMap<u64, Vec<Entry>>,
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
        let entry = Entry { due: Reverse((at, self.planned)), action };
        if at.as_millis() < self.near_until {
            self.near.push(entry);
        } else {
            self.later.entry(at.as_millis() / SPAN).or_default().push(entry);
        }
        self.come_nearer();
    }

    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.near.peek().map(|entry| entry.due.0.0)
    }

    /// The first action due at `now`.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Option<Action> {
        self.next_at().filter(|at| *at <= now)?;
        let entry = self.near.pop();
        self.come_nearer();
        entry.map(|entry| entry.action)
    }

    /// Puts the next span in order, once all before it is done.
    fn come_nearer(&mut self) {
        if self.near.is_empty()
            && let Some((span, entries)) = self.later.pop_first()
        {
            self.near = entries.into();
            self.near_until = (span + 1).saturating_mul(SPAN);
        }
    }
}

/// The moment every world begins.
pub(crate) const GENESIS: Timestamp = Timestamp::from_millis(1_767_225_600_000); // 2026-01-01T00:00:00Z

/// Time since the world began.
pub(crate) fn elapsed(at: Timestamp) -> Duration {
    at.since(GENESIS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that is due at `now`, by the numbers of its polls.
    fn taken(agenda: &mut Agenda, now: u64) -> Vec<usize> {
        let due = std::iter::from_fn(|| agenda.take_due(Timestamp::from_millis(now)));
        due.map(|action| if let Action::Poll(n) = action { n } else { unreachable!("only polls are planned") })
            .collect()
    }

    #[test]
    fn what_is_due_comes_by_time_and_then_in_the_order_it_was_planned() {
        let mut agenda = Agenda::default();
        let times = [5000, 10, 5000, 9, 1023, 1024, 0, 4_000_000, 5000];
        for (n, at) in times.into_iter().enumerate() {
            agenda.plan(Timestamp::from_millis(at), Action::Poll(n));
        }
        assert_eq!(agenda.next_at(), Some(Timestamp::from_millis(0)));
        assert_eq!(taken(&mut agenda, 1023), [6, 3, 1, 4]);
        assert_eq!(agenda.next_at(), Some(Timestamp::from_millis(1024)));
        assert_eq!(taken(&mut agenda, 4999), [5]);
        assert_eq!(taken(&mut agenda, u64::MAX), [0, 2, 8, 7]);
        assert_eq!(agenda.next_at(), None);
    }

    #[test]
    fn what_is_planned_late_has_its_turn_before_what_was_near() {
        let mut agenda = Agenda::default();
        agenda.plan(Timestamp::from_millis(900_000), Action::Poll(0));
        agenda.plan(Timestamp::from_millis(900_000), Action::Poll(1));
        assert_eq!(agenda.next_at(), Some(Timestamp::from_millis(900_000)));
        // Long before the span that is in order already, within it, and after it.
        agenda.plan(Timestamp::from_millis(901_999), Action::Poll(4));
        agenda.plan(Timestamp::from_millis(900_001), Action::Poll(3));
        agenda.plan(Timestamp::from_millis(7), Action::Poll(2));
        assert_eq!(taken(&mut agenda, u64::MAX), [2, 0, 1, 3, 4]);
    }
}
