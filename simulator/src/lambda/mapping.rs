//! What invokes the functions: an event-source mapping per queue, and the schedule of the restore handler (aws-facts.md
//! §6).

use std::time::Duration;

use handlers::event::{Trust, parse};
use handlers::handler::Message;
use handlers::timestamp::Timestamp;

use super::action::Action;
use super::{End, Fate, Invocation};
use crate::engine::agenda::{Agenda, Sequence};
use crate::env::Env;
use crate::facts::Facts;
use crate::observers::trace::Happening;
use crate::spec::{FunctionName, FunctionState, QueueName};
use crate::sqs::{self, Queue};

/// The event-source mapping of a queue.
#[derive(Debug, Default)]
struct Mapping {
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
struct Functions {
    states: [FunctionState; FunctionName::ALL.len()],
    running: [u32; FunctionName::ALL.len()],
}

impl Default for Functions {
    fn default() -> Self {
        Self { states: [FunctionState::Running; FunctionName::ALL.len()], running: [0; FunctionName::ALL.len()] }
    }
}

impl Functions {
    fn throttles(&self, function: FunctionName) -> bool {
        matches!(self.states[function as usize], FunctionState::Reserved(most) if self.running[function as usize] >= most)
    }

    fn is_detached(&self, function: FunctionName) -> bool {
        self.states[function as usize] == FunctionState::Detached
    }
}

/// The queues, what reads them, and the functions that are invoked.
#[derive(Debug)]
pub(crate) struct Lambda {
    pub(crate) agenda: Agenda<Action>,
    /// By [`QueueName`], as the mappings are.
    pub(crate) queues: [Queue; QueueName::ALL.len()],
    mappings: [Mapping; QueueName::ALL.len()],
    functions: Functions,
    /// Invocations to be started by the driver.
    pub(crate) starting: Vec<Invocation>,
}

impl Lambda {
    pub(crate) fn new(sequence: &Sequence) -> Self {
        Self {
            agenda: Agenda::new(sequence),
            queues: QueueName::ALL.map(|_| Queue::default()),
            mappings: QueueName::ALL.map(|_| Mapping::default()),
            functions: Functions::default(),
            starting: Vec::new(),
        }
    }

    /// Does what is planned next.
    pub(crate) fn step(&mut self, env: &mut Env<'_>) {
        match self.agenda.take() {
            Some(Action::Poll(queue)) => self.poll(env, queue),
            Some(Action::Reappear(queue, receipt)) => self.reappear(env, queue, receipt),
            Some(Action::Expire(queue)) => self.expire(env, queue),
            Some(Action::Redrive(queue)) => self.redrive_on(env, queue),
            Some(Action::Send(queue, body)) => self.enqueue(env, queue, body),
            Some(Action::RestoreTick) => self.restore_tick(env),
            None => {}
        }
    }
}

/// No message dies of load: only poison does, and what handlers never had the time or the table for.
fn judge_death(env: &mut Env<'_>, message: &sqs::Message) {
    let trust = Trust { region: env.spec.region.clone(), synthetic_from: env.spec.synthetic_from.clone() };
    if !message.excused && parse(&message.body, &trust).is_ok() {
        let invariant = format!("message {} is no poison, and died", message.id);
        env.seen.oracle.violations.push(invariant.clone());
        env.record(None, Happening::Violation { invariant });
    }
}

impl Lambda {
    /// A message reaches a queue.
    pub(crate) fn enqueue(&mut self, env: &mut Env<'_>, queue: QueueName, body: String) {
        let id = env.dice.lambda.uuid();
        self.queues[queue as usize].send(id, body, env.now);
        env.record(None, Happening::Queued { queue: queue.name() });
        self.plan_poll(env, queue);
        self.plan_expiry(env, queue);
    }

    /// `SendMessage` by a function, with `DelaySeconds`.
    pub(crate) fn send(&mut self, env: &mut Env<'_>, queue: QueueName, body: String, after: Duration) {
        if after.is_zero() {
            self.enqueue(env, queue, body);
        } else {
            self.agenda.plan(env.now + after, Action::Send(queue, body));
        }
    }

    fn plan_poll(&mut self, env: &mut Env<'_>, queue: QueueName) {
        let at = env.now + env.dice.lambda.within(env.facts.poll_latency);
        self.agenda.plan(at, Action::Poll(queue));
    }

    /// The mapping takes a batch, if it may have one more in work. What Lambda then throttles comes back with its
    /// visibility timeout, one receive the poorer.
    pub(crate) fn poll(&mut self, env: &mut Env<'_>, queue: QueueName) {
        if self.queues[queue as usize].is_empty()
            || self.functions.is_detached(queue.function())
            || !self.may_have_one_more(env, queue)
        {
            return;
        }
        let received = self.queues[queue as usize].receive(env.facts.batch_size, env.facts.max_receive_count);
        for message in &received.dead {
            env.record(None, Happening::DeadLettered { queue: queue.name() });
            judge_death(env, message);
        }
        if received.messages.is_empty() {
            return;
        }
        let mut receipts = Vec::new();
        let mut messages = Vec::new();
        for (receipt, message) in received.messages {
            self.hide(env, queue, receipt, env.facts.visibility_timeout);
            receipts.push(receipt);
            messages.push(Message { id: message.id, body: message.body, receive_count: message.receive_count });
        }
        if self.functions.throttles(queue.function()) {
            env.record(None, Happening::Throttled { function: queue.function().name(), messages: messages.len() });
            receipts.iter().for_each(|receipt| self.queues[queue as usize].excuse(*receipt));
        } else {
            self.mappings[queue as usize].running += 1;
            self.invoke(env, queue.function(), messages, receipts);
        }
        if !self.queues[queue as usize].is_empty() {
            self.plan_poll(env, queue);
        }
    }

    /// Whether the mapping is below its limit. If not, it scales, and looks again as soon as it may have more.
    fn may_have_one_more(&mut self, env: &mut Env<'_>, queue: QueueName) -> bool {
        let (now, mapping) = (env.now, &mut self.mappings[queue as usize]);
        let limit = mapping.limit(now, env.facts);
        if mapping.running < limit {
            return true;
        }
        mapping.scaling_since.get_or_insert(now);
        if limit < env.facts.max_concurrency && mapping.grows_at.is_none_or(|at| at <= now) {
            let step = 60_000_u64.div_ceil(u64::from(env.facts.scaling_per_minute.max(1)));
            let at = now + Duration::from_millis(step);
            mapping.grows_at = Some(at);
            self.agenda.plan(at, Action::Poll(queue));
        }
        false
    }

    /// `ChangeMessageVisibility`.
    fn hide(&mut self, env: &mut Env<'_>, queue: QueueName, receipt: u64, time: Duration) {
        let visible_at = env.now + time;
        self.queues[queue as usize].hide(receipt, visible_at);
        self.agenda.plan(visible_at, Action::Reappear(queue, receipt));
    }

    /// A message's visibility timeout is over, unless it was changed meanwhile.
    pub(crate) fn reappear(&mut self, env: &mut Env<'_>, queue: QueueName, receipt: u64) {
        if self.queues[queue as usize].reappear(receipt, env.now) {
            self.plan_poll(env, queue);
        }
    }

    /// The schedule rule fires.
    pub(crate) fn restore_tick(&mut self, env: &mut Env<'_>) {
        self.agenda.plan(env.now + env.spec.restore_schedule, Action::RestoreTick);
        let function = FunctionName::Restore;
        if self.functions.throttles(function) {
            env.record(None, Happening::Throttled { function: function.name(), messages: 0 });
        } else if !self.functions.is_detached(function) {
            self.invoke(env, function, Vec::new(), Vec::new());
        }
    }

    fn invoke(&mut self, env: &mut Env<'_>, function: FunctionName, messages: Vec<Message>, receipts: Vec<u64>) {
        let request_id = env.dice.lambda.uuid();
        self.functions.running[function as usize] += 1;
        env.record(None, Happening::Invoked { function: function.name(), messages: messages.len() });
        self.starting.push(Invocation { request_id, function, messages, receipts });
    }

    pub(crate) fn fate_of_invocation(&mut self, env: &mut Env<'_>, function: FunctionName) -> Fate {
        let Env { dice, facts, .. } = env;
        let mut start = dice.lambda.within(facts.lambda_start);
        if dice.starts.chance(facts.cold_start_percent) {
            start += dice.starts.within(facts.cold_start);
        }
        let broken = self.functions.states[function as usize] == FunctionState::FailsToStart;
        Fate {
            start,
            fails_to_start: dice.starts.chance(facts.failed_start_percent) || broken,
            killed_at: dice.starts.chance(facts.kill_percent).then(|| dice.starts.within(facts.kill_after)),
        }
    }

    pub(crate) fn invocation_ended(&mut self, env: &mut Env<'_>, invocation: &Invocation, end: End) {
        let function = invocation.function;
        let (outcome, failed) = end.outcome();
        if let Some(queue) = function.queue() {
            self.batch_done(env, queue, invocation, end);
        }
        self.functions.running[function as usize] -= 1;
        env.record(None, Happening::Finished { function: function.name(), outcome, failed });
    }

    /// A queue function has ended: what did not fail is deleted, what failed comes back when it asked to. A function
    /// that was cut short says nothing, and all of its messages come back with their visibility timeout.
    fn batch_done(&mut self, env: &mut Env<'_>, queue: QueueName, invocation: &Invocation, end: End) {
        self.mappings[queue as usize].running -= 1;
        let table_fails = env.facts.table_throttle_percent > 0 || env.facts.lost_reply_percent > 0;
        if let End::Batch(failures) = end {
            for (receipt, message) in invocation.receipts.iter().zip(&invocation.messages) {
                match failures.iter().find(|failure| failure.id == message.id) {
                    Some(failure) => {
                        self.hide(env, queue, *receipt, failure.retry_in);
                        if table_fails {
                            self.queues[queue as usize].excuse(*receipt);
                        }
                    }
                    None => self.queues[queue as usize].delete(*receipt),
                }
            }
        } else {
            invocation.receipts.iter().for_each(|receipt| self.queues[queue as usize].excuse(*receipt));
        }
        if self.queues[queue as usize].is_empty() {
            self.mappings[queue as usize].scaling_since = None;
        } else {
            self.plan_poll(env, queue);
        }
    }

    pub(crate) fn set_function(&mut self, env: &mut Env<'_>, function: FunctionName, state: FunctionState) {
        self.functions.states[function as usize] = state;
        env.record(None, Happening::FunctionChanged { function: function.name(), state });
        if let Some(queue) = function.queue().filter(|queue| !self.queues[*queue as usize].is_empty()) {
            self.plan_poll(env, queue);
        }
    }

    /// `StartMessageMoveTask` from the DLQ of a queue to the queue.
    pub(crate) fn redrive(&mut self, env: &mut Env<'_>, queue: QueueName) {
        if std::mem::replace(&mut self.queues[queue as usize].redriving, true) {
            env.record(None, Happening::RedriveRefused { queue: queue.name() });
        } else {
            self.redrive_on(env, queue);
        }
    }

    /// Moves as many messages as may be moved in a second. To the queue they are new: with a new id and a new time, but
    /// their old body (aws-facts.md §6; the SQS guide on redrive).
    pub(crate) fn redrive_on(&mut self, env: &mut Env<'_>, queue: QueueName) {
        let taken = self.queues[queue as usize].take_dead(env.facts.redrive_per_second.max(1));
        env.record(None, Happening::Redriven { queue: queue.name(), messages: taken.len() });
        for message in taken {
            self.enqueue(env, queue, message.body);
        }
        self.queues[queue as usize].redriving = !self.queues[queue as usize].dead.is_empty();
        if self.queues[queue as usize].redriving {
            self.agenda.plan(env.now + Duration::from_secs(1), Action::Redrive(queue));
        }
    }

    /// One look at a time is planned, for the message that is oldest then.
    fn plan_expiry(&mut self, env: &mut Env<'_>, queue: QueueName) {
        let Facts { retention, dead_retention, .. } = *env.facts;
        let mapping = &mut self.mappings[queue as usize];
        if mapping.expiry_planned {
            return;
        }
        if let Some(at) = self.queues[queue as usize].expires_at(retention, dead_retention) {
            mapping.expiry_planned = true;
            self.agenda.plan(at, Action::Expire(queue));
        }
    }

    /// What was kept for as long as it is kept goes.
    pub(crate) fn expire(&mut self, env: &mut Env<'_>, queue: QueueName) {
        let Facts { retention, dead_retention, .. } = *env.facts;
        self.mappings[queue as usize].expiry_planned = false;
        let (waiting, dead) = self.queues[queue as usize].expire(env.now, retention, dead_retention);
        if waiting + dead > 0 {
            env.record(None, Happening::Expired { queue: queue.name(), waiting, dead });
        }
        self.plan_expiry(env, queue);
    }
}

#[cfg(test)]
mod tests {
    use handlers::event::{Refusal, hand_on};
    use handlers::handler::Failure;

    use super::*;
    use crate::testing::{OneService, spot};

    #[test]
    fn a_message_that_handlers_let_die_is_a_violation_unless_they_cannot_help_it() {
        let queue = QueueName::Interruption;
        let violations = |body: &str, end: End, table_throttle_percent: u32| {
            let mut bench = OneService::new(1, &spot());
            bench.world.facts.table_throttle_percent = table_throttle_percent;
            let (lambda, mut env) = bench.world.lambda();
            lambda.queues[queue as usize].send("m".into(), body.into(), env.now);
            let (receipt, message) = lambda.queues[queue as usize].receive(1, 1).messages.remove(0);
            let messages = vec![Message { id: message.id, body: message.body, receive_count: 1 }];
            let (request_id, function) = (String::new(), queue.function());
            let invocation = Invocation { request_id, function, messages, receipts: vec![receipt] };
            lambda.mappings[queue as usize].running = 1;
            lambda.batch_done(&mut env, queue, &invocation, end);
            // Whatever the trouble was, it is over when the message dies.
            bench.world.facts.table_throttle_percent = 0;
            let (lambda, mut env) = bench.world.lambda();
            lambda.queues[queue as usize].reappear(receipt, env.now + env.facts.visibility_timeout);
            let died = lambda.queues[queue as usize].receive(1, 1).dead.remove(0);
            judge_death(&mut env, &died);
            bench.world.seen.oracle.violations.len()
        };
        let failure =
            || Failure { id: "m".into(), error: Refusal::NotJson(String::new()).into(), retry_in: Duration::ZERO };
        let failed = || End::Batch(vec![failure()]);
        let bench = OneService::new(1, &spot());
        let sound = hand_on(&bench.world.spec.accounts[0], &bench.world.spec.region, bench.world.now);
        assert_eq!(violations(&sound, failed(), 0), 1);
        assert_eq!((violations(&sound, End::Killed, 0), violations(&sound, failed(), 1)), (0, 0));
        assert_eq!(violations("poison", failed(), 0), 0);
    }
}
