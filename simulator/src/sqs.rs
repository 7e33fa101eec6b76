//! A queue with its dead-letter queue: at least once, visibility timeout, receive count, retention, redrive
//! (aws-facts.md §6).

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use handlers::timestamp::Timestamp;

/// Messages of a standard queue that are received and not yet deleted; a receive beyond that gets nothing: "about 120 000", `OverLimit`
/// (aws-facts.md §6).
const MOST_IN_FLIGHT: usize = 120_000;

/// A queue and its DLQ.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: VecDeque<Message>,
    /// Received and not yet deleted, by receipt.
    in_flight: BTreeMap<u64, Hidden>,
    receipts: u64,
    /// Messages received more often than allowed.
    pub(crate) dead: VecDeque<Message>,
    /// Whether the DLQ is being moved back; there is one such task at a time.
    pub(crate) redriving: bool,
}

/// One message.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) body: String,
    pub(crate) receive_count: u32,
    /// Retention counts from here, in the DLQ too: moving a message there leaves this as it was.
    sent_at: Timestamp,
    /// Whether an invocation that had it was cut off or throttled, or failed it while the table fails by chance: handlers cannot help it
    /// if the message dies.
    pub(crate) excused: bool,
}

/// A received message and when it is visible again.
#[derive(Debug)]
struct Hidden {
    message: Message,
    visible_at: Timestamp,
}

/// What a receive gave.
#[derive(Debug, Default)]
pub(crate) struct Received {
    /// Receipt and message.
    pub(crate) messages: Vec<(u64, Message)>,
    /// What went to the DLQ instead.
    pub(crate) dead: Vec<Message>,
}

impl Queue {
    pub(crate) fn send(&mut self, id: String, body: String, sent_at: Timestamp) {
        self.waiting.push_back(Message { id, body, receive_count: 0, sent_at, excused: false });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Up to `most` messages; each must be hidden or deleted.
    pub(crate) fn receive(&mut self, most: usize, max_receive_count: u32) -> Received {
        let mut received = Received::default();
        while received.messages.len() < most && self.in_flight.len() < MOST_IN_FLIGHT {
            let Some(mut message) = self.waiting.pop_front() else { break };
            if message.receive_count >= max_receive_count {
                received.dead.push(message.clone());
                self.dead.push_back(message);
                continue;
            }
            message.receive_count += 1;
            self.receipts += 1;
            let hidden = Hidden { message: message.clone(), visible_at: Timestamp::from_millis(0) };
            self.in_flight.insert(self.receipts, hidden);
            received.messages.push((self.receipts, message));
        }
        received
    }

    pub(crate) fn delete(&mut self, receipt: u64) {
        self.in_flight.remove(&receipt);
    }

    /// The invocation that has a message cannot help it if it dies.
    pub(crate) fn excuse(&mut self, receipt: u64) {
        if let Some(hidden) = self.in_flight.get_mut(&receipt) {
            hidden.message.excused = true;
        }
    }

    /// A received message stays invisible until `visible_at`.
    pub(crate) fn hide(&mut self, receipt: u64, visible_at: Timestamp) {
        if let Some(hidden) = self.in_flight.get_mut(&receipt) {
            hidden.visible_at = visible_at;
        }
    }

    /// Makes a received message visible again if its time has come. Returns whether it is.
    pub(crate) fn reappear(&mut self, receipt: u64, now: Timestamp) -> bool {
        let due = self.in_flight.get(&receipt).is_some_and(|hidden| hidden.visible_at <= now);
        if due {
            self.waiting.extend(self.in_flight.remove(&receipt).map(|hidden| hidden.message));
        }
        due
    }

    /// Removes what was sent longer ago than it is kept, in whatever hands it is: how many of the queue, how many of
    /// its DLQ.
    pub(crate) fn expire(&mut self, now: Timestamp, kept: Duration, kept_dead: Duration) -> (usize, usize) {
        let before = (self.left(), self.dead.len());
        self.waiting.retain(|message| message.sent_at + kept > now);
        self.in_flight.retain(|_, hidden| hidden.message.sent_at + kept > now);
        self.dead.retain(|message| message.sent_at + kept_dead > now);
        (before.0 - self.left(), before.1 - self.dead.len())
    }

    /// When the next message expires.
    pub(crate) fn expires_at(&self, kept: Duration, kept_dead: Duration) -> Option<Timestamp> {
        let in_flight = self.in_flight.values().map(|hidden| &hidden.message);
        let alive = self.waiting.iter().chain(in_flight).map(|message| message.sent_at + kept);
        alive.chain(self.dead.iter().map(|message| message.sent_at + kept_dead)).min()
    }

    /// Takes up to `most` messages out of the DLQ, the oldest first.
    pub(crate) fn take_dead(&mut self, most: usize) -> Vec<Message> {
        self.dead.drain(..most.min(self.dead.len())).collect()
    }

    /// Messages neither handled nor dead.
    pub(crate) fn left(&self) -> usize {
        self.waiting.len() + self.in_flight.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(0);

    fn queue_of(ids: &[&str]) -> Queue {
        let mut queue = Queue::default();
        ids.iter().for_each(|id| queue.send((*id).to_owned(), format!("body of {id}"), START));
        queue
    }

    fn ids(received: &Received) -> Vec<&str> {
        received.messages.iter().map(|(_, message)| message.id.as_str()).collect()
    }

    #[test]
    fn a_received_message_is_invisible_until_it_reappears_and_then_comes_with_a_higher_count() {
        let mut queue = queue_of(&["a"]);
        for count in 1..=3 {
            let received = queue.receive(10, 5);
            let (receipt, message) = &received.messages[0];
            assert_eq!((message.receive_count, message.body.as_str()), (count, "body of a"));
            assert!(queue.is_empty() && queue.receive(10, 5).messages.is_empty());
            assert_eq!(queue.left(), 1, "in flight is not handled");
            assert!(queue.reappear(*receipt, START));
            assert!(!queue.reappear(*receipt, START), "a receipt brings its message back once");
        }
    }

    #[test]
    fn a_deleted_message_never_comes_back() {
        let mut queue = queue_of(&["a"]);
        let (receipt, _) = queue.receive(10, 5).messages[0];
        queue.delete(receipt);
        assert!(!queue.reappear(receipt, START));
        assert_eq!((queue.left(), queue.dead.len()), (0, 0));
    }

    #[test]
    fn a_receipt_from_before_a_reappearance_deletes_nothing() {
        let mut queue = queue_of(&["a"]);
        let (old, _) = queue.receive(10, 5).messages[0];
        queue.reappear(old, START);
        let (new, _) = queue.receive(10, 5).messages[0];
        queue.delete(old);
        assert!(queue.reappear(new, START));
    }

    #[test]
    fn a_message_goes_to_the_dead_letter_queue_on_the_receive_after_the_allowed_ones() {
        let mut queue = queue_of(&["a"]);
        for _ in 0..5 {
            let received = queue.receive(10, 5);
            assert_eq!((received.messages.len(), received.dead.len()), (1, 0));
            queue.reappear(received.messages[0].0, START);
        }
        let received = queue.receive(10, 5);
        assert_eq!((received.messages.len(), received.dead.len()), (0, 1));
        assert_eq!((queue.left(), queue.dead.len()), (0, 1));
        assert_eq!(queue.dead[0].id, "a");
    }

    #[test]
    fn a_poison_message_does_not_cost_the_others_their_place_in_the_batch() {
        let mut queue = queue_of(&["poison"]);
        for _ in 0..2 {
            let (receipt, _) = queue.receive(10, 2).messages[0];
            queue.reappear(receipt, START);
        }
        queue.send("a".into(), String::new(), START);
        queue.send("b".into(), String::new(), START);
        let received = queue.receive(2, 2);
        assert_eq!((ids(&received), received.dead.len()), (vec!["a", "b"], 1));
    }

    #[test]
    fn a_message_is_kept_for_the_retention_whether_it_waits_or_is_in_flight() {
        let day = |days: u64| START + Duration::from_secs(days * 24 * 3600);
        let (kept, kept_dead) = (day(4).since(START), day(14).since(START));
        let mut queue = queue_of(&["in flight", "waits"]);
        let (receipt, _) = queue.receive(1, 5).messages[0];
        queue.send("younger".into(), String::new(), day(1));
        let just_before = Timestamp::from_millis(day(4).as_millis() - 1);
        assert_eq!(queue.expire(just_before, kept, kept_dead), (0, 0));
        assert_eq!(queue.expires_at(kept, kept_dead), Some(day(4)));
        assert_eq!(queue.expire(day(4), kept, kept_dead), (2, 0));
        assert!(!queue.reappear(receipt, day(4)), "a message in flight is gone too");
        assert_eq!(ids(&queue.receive(10, 5)), ["younger"]);
    }

    #[test]
    fn a_dead_message_expires_by_the_time_it_was_first_sent() {
        let day = |days: u64| START + Duration::from_secs(days * 24 * 3600);
        let (kept, kept_dead) = (day(4).since(START), day(14).since(START));
        let mut queue = queue_of(&["a"]);
        // Three days later it moves to the DLQ, which makes it no younger.
        let (receipt, _) = queue.receive(1, 1).messages[0];
        queue.reappear(receipt, day(3));
        assert_eq!(queue.receive(1, 1).dead.len(), 1);
        assert_eq!(queue.expire(day(13), kept, kept_dead), (0, 0));
        assert_eq!(queue.expires_at(kept, kept_dead), Some(day(14)));
        assert_eq!(queue.expire(day(14), kept, kept_dead), (0, 1));
        assert_eq!(queue.expires_at(kept, kept_dead), None);
    }

    #[test]
    fn with_120_000_messages_in_flight_a_receive_gets_nothing_until_one_is_handled() {
        let mut queue = Queue::default();
        (0..=MOST_IN_FLIGHT).for_each(|n| queue.send(n.to_string(), String::new(), START));
        let received = queue.receive(usize::MAX, 5);
        assert_eq!((received.messages.len(), received.dead.len()), (120_000, 0));
        assert!(queue.receive(10, 5).messages.is_empty());
        assert_eq!(queue.left(), 120_001, "the one that waits is not lost");
        queue.delete(received.messages[0].0);
        assert_eq!(queue.receive(10, 5).messages.len(), 1);
    }

    #[test]
    fn a_batch_takes_no_more_than_asked_for_and_the_rest_stays() {
        let mut queue = queue_of(&["a", "b", "c"]);
        assert_eq!(ids(&queue.receive(2, 5)), ["a", "b"]);
        assert!(!queue.is_empty());
        assert_eq!(queue.left(), 3);
    }
}
