//! The log of all events on the default buses of the accounts, for readers outside the world.

use std::collections::VecDeque;

use serde_json::Value;

/// Events kept; older ones are dropped.
const KEPT: usize = 100_000;

/// The events in order, numbered from 1.
#[derive(Debug, Default)]
pub(crate) struct EventLog {
    events: VecDeque<Value>,
    /// Events that are no longer kept.
    dropped: u64,
}

/// Events in a row.
#[derive(Debug, PartialEq)]
pub(crate) struct Page<'a> {
    pub(crate) events: Vec<&'a Value>,
    /// The number of the last event read: the next page comes after it.
    pub(crate) next: u64,
    /// Events that were dropped before they were read.
    pub(crate) lost: u64,
}

impl EventLog {
    pub(crate) fn push(&mut self, event: Value) {
        self.events.push_back(event);
        if self.events.len() > KEPT {
            self.events.pop_front();
            self.dropped += 1;
        }
    }

    /// The number of the newest event.
    pub(crate) fn newest(&self) -> u64 {
        self.dropped + self.events.len() as u64
    }

    /// Up to `most` events after the one with the number `after`.
    pub(crate) fn after(&self, after: u64, most: usize) -> Page<'_> {
        let after = after.min(self.newest());
        let begin = after.max(self.dropped);
        let events: Vec<&Value> = self.events.iter().skip((begin - self.dropped) as usize).take(most).collect();
        Page { next: begin + events.len() as u64, lost: begin - after, events }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_page_by_page_and_dropped_events_are_counted_as_lost() {
        let mut log = EventLog::default();
        for n in 1..=KEPT + 5 {
            log.push(n.into());
        }
        let page = log.after(0, 1_000);
        assert_eq!((page.lost, page.next, page.events[0]), (5, 1_005, &Value::from(6)));
        let end = log.newest();
        assert_eq!(log.after(end - 1, 1_000), Page { events: vec![&end.into()], next: end, lost: 0 });
        assert_eq!(log.after(u64::MAX, 1_000), Page { events: vec![], next: end, lost: 0 });
    }
}
