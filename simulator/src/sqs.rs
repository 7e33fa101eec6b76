//! A queue with its dead-letter queue: at least once, visibility timeout, receive count (aws-facts.md §6).

use std::collections::{BTreeMap, VecDeque};

/// A queue and its DLQ.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: VecDeque<Message>,
    /// Received and not yet deleted, by receipt.
    in_flight: BTreeMap<u64, Message>,
    receipts: u64,
    /// Messages received more often than allowed.
    pub(crate) dead: Vec<Message>,
}

/// One message.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) body: String,
    pub(crate) receive_count: u32,
}

/// What a receive gave.
#[derive(Debug, Default)]
pub(crate) struct Received {
    /// Receipt and message.
    pub(crate) messages: Vec<(u64, Message)>,
    /// How many went to the DLQ instead.
    pub(crate) dead: usize,
}

impl Queue {
    pub(crate) fn send(&mut self, id: String, body: String) {
        self.waiting.push_back(Message { id, body, receive_count: 0 });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Up to `most` messages; each stays invisible until deleted or released.
    pub(crate) fn receive(&mut self, most: usize, max_receive_count: u32) -> Received {
        let mut received = Received::default();
        while received.messages.len() < most {
            let Some(mut message) = self.waiting.pop_front() else { break };
            if message.receive_count >= max_receive_count {
                received.dead += 1;
                self.dead.push(message);
                continue;
            }
            message.receive_count += 1;
            self.receipts += 1;
            self.in_flight.insert(self.receipts, message.clone());
            received.messages.push((self.receipts, message));
        }
        received
    }

    pub(crate) fn delete(&mut self, receipt: u64) {
        self.in_flight.remove(&receipt);
    }

    /// The visibility timeout of a receipt is over. Returns whether the message is back.
    pub(crate) fn reappear(&mut self, receipt: u64) -> bool {
        self.in_flight.remove(&receipt).map(|message| self.waiting.push_back(message)).is_some()
    }

    /// Messages neither handled nor dead.
    pub(crate) fn left(&self) -> usize {
        self.waiting.len() + self.in_flight.len()
    }
}
