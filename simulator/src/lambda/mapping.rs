//! What invokes the functions: an event-source mapping per queue, and the schedule of the restore handler (aws-facts.md
//! §6).

use std::time::Duration;

use handlers::handler::{Failure, Message};
use handlers::timestamp::Timestamp;

use super::{End, FUNCTIONS, Fate, Invocation, QUEUES, Work};
use crate::facts::Facts;
use crate::lambda::action::Action;
use crate::observers::trace::Happening;
use crate::spec::{FunctionName, FunctionState, QueueName};
use crate::world::World;

/// The event-source mapping of a queue.
#[derive(Debug, Default)]
pub(crate) struct Mapping {
    /// Batches in work.
    running: u32,
    /// Since when messages have waited although as many batches as it may have were in work.
    scaling_since: Option<Timestamp>,
    /// When it looks again because it may have more.
    grows_at: Option<Timestamp>,
    /// Whether a look at the oldest message is planned.
    expiry_planned: bool,
}

impl Mapping {
    /// How many batches it may have in work: 5 at first, 300 more each minute while messages wait, up to the maximum.
    fn limit(&self, now: Timestamp, facts: &Facts) -> u32 {
        let waited = self.scaling_since.map_or(Duration::ZERO, |since| now.since(since));
        let grown = waited.as_millis() as u64 * u64::from(facts.scaling_per_minute) / 60_000;
        facts.scaling_start.saturating_add(u32::try_from(grown).unwrap_or(u32::MAX)).min(facts.max_concurrency)
    }
}

/// The functions' states and running invocations, by [`FunctionName`].
#[derive(Debug)]
pub(crate) struct Functions {
    states: [FunctionState; FUNCTIONS.len()],
    running: [u32; FUNCTIONS.len()],
}

impl Default for Functions {
    fn default() -> Self {
        Self { states: [FunctionState::Running; FUNCTIONS.len()], running: [0; FUNCTIONS.len()] }
    }
}

impl Functions {
    fn throttles(&self, function: usize) -> bool {
        matches!(self.states[function], FunctionState::Reserved(most) if self.running[function] >= most)
    }

    fn is_detached(&self, function: usize) -> bool {
        self.states[function] == FunctionState::Detached
    }
}

impl World {
    /// A message reaches a queue.
    pub(crate) fn enqueue(&mut self, queue: usize, body: String) {
        let id = self.dice.lambda.uuid();
        self.queues[queue].send(id, body, self.now);
        self.record(None, Happening::Queued { queue: QUEUES[queue] });
        self.plan_poll(queue);
        self.plan_expiry(queue);
    }

    fn plan_poll(&mut self, queue: usize) {
        let at = self.now + self.dice.lambda.within(self.facts.poll_latency);
        self.lambda_agenda.plan(at, Action::Poll(queue));
    }

    /// The mapping takes a batch, if it may have one more in work. What Lambda then throttles comes back with its
    /// visibility timeout, one receive the poorer.
    pub(crate) fn poll(&mut self, queue: usize) {
        if self.queues[queue].is_empty() || self.functions.is_detached(queue) || !self.may_have_one_more(queue) {
            return;
        }
        let received = self.queues[queue].receive(self.facts.batch_size, self.facts.max_receive_count);
        for _ in 0..received.dead {
            self.record(None, Happening::DeadLettered { queue: QUEUES[queue] });
        }
        if received.messages.is_empty() {
            return;
        }
        let mut receipts = Vec::new();
        let mut messages = Vec::new();
        for (receipt, message) in received.messages {
            self.hide(queue, receipt, self.facts.visibility_timeout);
            receipts.push(receipt);
            messages.push(Message { id: message.id, body: message.body, receive_count: message.receive_count });
        }
        if self.functions.throttles(queue) {
            self.record(None, Happening::Throttled { function: FUNCTIONS[queue], messages: messages.len() });
        } else {
            self.mappings[queue].running += 1;
            self.invoke(Work::Batch { queue, receipts, messages });
        }
        if !self.queues[queue].is_empty() {
            self.plan_poll(queue);
        }
    }

    /// Whether the mapping is below its limit. If not, it scales, and looks again as soon as it may have more.
    fn may_have_one_more(&mut self, queue: usize) -> bool {
        let (now, mapping) = (self.now, &mut self.mappings[queue]);
        let limit = mapping.limit(now, &self.facts);
        if mapping.running < limit {
            return true;
        }
        mapping.scaling_since.get_or_insert(now);
        if limit < self.facts.max_concurrency && mapping.grows_at.is_none_or(|at| at <= now) {
            let step = 60_000_u64.div_ceil(u64::from(self.facts.scaling_per_minute.max(1)));
            let at = now + Duration::from_millis(step);
            mapping.grows_at = Some(at);
            self.lambda_agenda.plan(at, Action::Poll(queue));
        }
        false
    }

    /// `ChangeMessageVisibility`.
    fn hide(&mut self, queue: usize, receipt: u64, time: Duration) {
        let visible_at = self.now + time;
        self.queues[queue].hide(receipt, visible_at);
        self.lambda_agenda.plan(visible_at, Action::Reappear(queue, receipt));
    }

    /// A message's visibility timeout is over, unless it was changed meanwhile.
    pub(crate) fn reappear(&mut self, queue: usize, receipt: u64) {
        if self.queues[queue].reappear(receipt, self.now) {
            self.plan_poll(queue);
        }
    }

    /// The schedule rule fires.
    pub(crate) fn restore_tick(&mut self) {
        self.lambda_agenda.plan(self.now + self.spec.restore_schedule, Action::RestoreTick);
        let function = FunctionName::Restore as usize;
        if self.functions.throttles(function) {
            self.record(None, Happening::Throttled { function: FUNCTIONS[function], messages: 0 });
        } else if !self.functions.is_detached(function) {
            self.invoke(Work::Restore);
        }
    }

    fn invoke(&mut self, work: Work) {
        let request_id = self.dice.lambda.uuid();
        let messages = if let Work::Batch { messages, .. } = &work { messages.len() } else { 0 };
        self.functions.running[work.function()] += 1;
        self.record(None, Happening::Invoked { function: FUNCTIONS[work.function()], messages });
        self.starting.push(Invocation { request_id, work });
    }

    pub(crate) fn fate_of_invocation(&mut self, function: usize) -> Fate {
        let Self { dice, facts, functions, .. } = self;
        let mut start = dice.lambda.within(facts.lambda_start);
        if dice.starts.chance(facts.cold_start_percent) {
            start += dice.starts.within(facts.cold_start);
        }
        let broken = functions.states[function] == FunctionState::FailsToStart;
        Fate {
            start,
            fails_to_start: dice.starts.chance(facts.failed_start_percent) || broken,
            killed_at: dice.starts.chance(facts.kill_percent).then(|| dice.starts.within(facts.kill_after)),
        }
    }

    pub(crate) fn invocation_ended(&mut self, function: usize, outcome: &'static str, failed: usize) {
        self.functions.running[function] -= 1;
        self.record(None, Happening::Finished { function: FUNCTIONS[function], outcome, failed });
    }

    /// A queue function has ended: what did not fail is deleted, what failed comes back when it asked to. A function
    /// that was cut short says nothing, and all of its messages come back with their visibility timeout.
    pub(crate) fn batch_done(&mut self, queue: usize, receipts: &[u64], messages: &[Message], end: &End<Vec<Failure>>) {
        self.mappings[queue].running -= 1;
        if let End::Finished(failures) = end {
            for (receipt, message) in receipts.iter().zip(messages) {
                match failures.iter().find(|failure| failure.id == message.id) {
                    Some(failure) => self.hide(queue, *receipt, failure.retry_in),
                    None => self.queues[queue].delete(*receipt),
                }
            }
        }
        if self.queues[queue].is_empty() {
            self.mappings[queue].scaling_since = None;
        } else {
            self.plan_poll(queue);
        }
    }

    pub(crate) fn set_function(&mut self, function: FunctionName, state: FunctionState) {
        let function = function as usize;
        self.functions.states[function] = state;
        self.record(None, Happening::FunctionChanged { function: FUNCTIONS[function], state });
        if self.queues.get(function).is_some_and(|queue| !queue.is_empty()) {
            self.plan_poll(function);
        }
    }

    /// `StartMessageMoveTask` from the DLQ of a queue to the queue.
    pub(crate) fn redrive(&mut self, queue: QueueName) {
        let queue = queue as usize;
        if std::mem::replace(&mut self.queues[queue].redriving, true) {
            self.record(None, Happening::RedriveRefused { queue: QUEUES[queue] });
        } else {
            self.redrive_on(queue);
        }
    }

    /// Moves as many messages as may be moved in a second. To the queue they are new: with a new id and a new time, but
    /// their old body (aws-facts.md §6; the SQS guide on redrive).
    pub(crate) fn redrive_on(&mut self, queue: usize) {
        let taken = self.queues[queue].take_dead(self.facts.redrive_per_second.max(1));
        self.record(None, Happening::Redriven { queue: QUEUES[queue], messages: taken.len() });
        for message in taken {
            self.enqueue(queue, message.body);
        }
        self.queues[queue].redriving = !self.queues[queue].dead.is_empty();
        if self.queues[queue].redriving {
            self.lambda_agenda.plan(self.now + Duration::from_secs(1), Action::Redrive(queue));
        }
    }

    /// One look at a time is planned, for the message that is oldest then.
    fn plan_expiry(&mut self, queue: usize) {
        let Facts { retention, dead_retention, .. } = self.facts;
        let mapping = &mut self.mappings[queue];
        if mapping.expiry_planned {
            return;
        }
        if let Some(at) = self.queues[queue].expires_at(retention, dead_retention) {
            mapping.expiry_planned = true;
            self.lambda_agenda.plan(at, Action::Expire(queue));
        }
    }

    /// What was kept for as long as it is kept goes.
    pub(crate) fn expire(&mut self, queue: usize) {
        let Facts { retention, dead_retention, .. } = self.facts;
        self.mappings[queue].expiry_planned = false;
        let (waiting, dead) = self.queues[queue].expire(self.now, retention, dead_retention);
        if waiting + dead > 0 {
            self.record(None, Happening::Expired { queue: QUEUES[queue], waiting, dead });
        }
        self.plan_expiry(queue);
    }
}
