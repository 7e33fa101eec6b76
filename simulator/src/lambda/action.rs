//! What Lambda and its queues plan for later.

use crate::spec::QueueName;

#[derive(Debug)]
pub(crate) enum Action {
    Poll(QueueName),
    Reappear(QueueName, u64),
    Expire(QueueName),
    Redrive(QueueName),
    /// A message that a function sent with a delay.
    Send(QueueName, String),
    RestoreTick,
}
