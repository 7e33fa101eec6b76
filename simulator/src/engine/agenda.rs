//! What will happen, in order: by time, then by the order in which it was planned.

use std::cell::Cell;
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};
use std::rc::Rc;

use handlers::timestamp::Timestamp;

/// Numbers what is planned, over all agendas of a world: of two things due in the same millisecond, the one planned first comes first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sequence(Rc<Cell<u64>>);

impl Sequence {
    fn next(&self) -> u64 {
        self.0.set(self.0.get() + 1);
        self.0.get()
    }
}

/// When something is due, and its number.
pub(crate) type Due = (Timestamp, u64);

/// After everything that is planned.
pub(crate) const NEVER: Due = (Timestamp::from_millis(u64::MAX), u64::MAX);

/// How long a span is, in milliseconds: short enough that the entries of one fit into a processor's cache.
const SPAN: u64 = 64;

/// Only what is near is in order; what is further away waits unsorted with the rest of its span. One heap of all of it would be larger
/// than a processor's cache, and each step through it a miss.
#[derive(Debug)]
pub(crate) struct Agenda<A> {
    /// All that is due before `near_until`. Not empty unless all is.
    near: BinaryHeap<Entry<A>>,
    near_until: u64,
    /// The rest, by the number of its span.
    later: BTreeMap<u64, Vec<Entry<A>>>,
    sequence: Sequence,
    /// What is first in `near`.
    head: Due,
}

/// An action, when it is due, and how many were planned before it.
#[derive(Debug)]
struct Entry<A> {
    due: Reverse<Due>,
    action: A,
}

impl<A> PartialEq for Entry<A> {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl<A> Eq for Entry<A> {}

impl<A> PartialOrd for Entry<A> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<A> Ord for Entry<A> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.due.cmp(&other.due)
    }
}

impl<A> Agenda<A> {
    pub(crate) fn new(sequence: &Sequence) -> Self {
        let (near, later, sequence) = (BinaryHeap::new(), BTreeMap::new(), sequence.clone());
        Self { near, near_until: 0, later, sequence, head: NEVER }
    }

    pub(crate) fn plan(&mut self, at: Timestamp, action: A) {
        let entry = Entry { due: Reverse((at, self.sequence.next())), action };
        if at.as_millis() < self.near_until {
            self.near.push(entry);
        } else {
            self.later.entry(at.as_millis() / SPAN).or_default().push(entry);
        }
        self.come_nearer();
    }

    /// What comes first: when it is due, and its number; [`NEVER`] when nothing is planned.
    #[inline]
    pub(crate) fn next(&self) -> Due {
        self.head
    }

    /// Takes what comes first.
    pub(crate) fn take(&mut self) -> Option<A> {
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
        self.head = self.near.peek().map_or(NEVER, |entry| entry.due.0);
    }
}
