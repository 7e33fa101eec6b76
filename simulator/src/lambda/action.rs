//! What Lambda and its queues plan for later.

#[derive(Debug)]
pub(crate) enum Action {
    Poll(usize),
    Reappear(usize, u64),
    Expire(usize),
    Redrive(usize),
    RestoreTick,
}
