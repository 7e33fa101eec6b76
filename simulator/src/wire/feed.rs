//! The ECS events of the world, for whoever puts them on a real bus.

use std::collections::VecDeque;

use serde_json::{Value, json};

/// Events kept for readers that come later; older ones are lost to them.
const KEPT: usize = 100_000;
/// Entries of one answer.
pub(super) const PAGE: usize = 1_000;

/// Everything on the default buses of the accounts, in order, each event with its number from 1 on.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    events: VecDeque<Value>,
    /// Events that are no longer kept.
    dropped: u64,
}

impl Feed {
    pub(crate) fn push(&mut self, event: Value) {
        self.events.push_back(event);
        if self.events.len() > KEPT {
            self.events.pop_front();
            self.dropped += 1;
        }
    }

    /// The number of the newest event.
    pub(super) fn newest(&self) -> u64 {
        self.dropped + self.events.len() as u64
    }

    /// Up to [`PAGE`] events after the one with the number `after`. `next` is where to go on; `lost` were asked for too late.
    pub(super) fn after(&self, after: u64) -> Value {
        let after = after.min(self.newest());
        let begin = after.max(self.dropped);
        let events: Vec<&Value> = self.events.iter().skip((begin - self.dropped) as usize).take(PAGE).collect();
        json!({ "next": begin + events.len() as u64, "lost": begin - after, "events": events })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_page_by_page_and_what_came_too_long_ago_is_counted_as_lost() {
        let mut feed = Feed::default();
        for n in 1..=KEPT + 5 {
            feed.push(n.into());
        }
        let page = feed.after(0);
        assert_eq!((&page["lost"], &page["next"], &page["events"][0]), (&json!(5), &json!(1_005), &json!(6)));
        let end = feed.newest();
        assert_eq!(feed.after(end - 1), json!({ "next": end, "lost": 0, "events": [end] }));
        assert_eq!(feed.after(u64::MAX), json!({ "next": end, "lost": 0, "events": [] }));
    }
}
