//! Lambda: event-source mappings that turn messages into invocations, the schedule of the restore handler, and the
//! handlers themselves, which are the production ones.

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};
use handlers::event::Trust;
use handlers::handler::{Failure, Message, handle_interruptions, handle_placement_failures, handle_restores};
use handlers::reconcile::Reconciler;

use crate::agenda::Action;
use crate::ports::SimPorts;
use crate::run::Sim;
use crate::trace::Happening;
use crate::world::World;

/// Position of `fargate-spot-placement-failure-queue` in [`World::queues`].
pub(crate) const PLACEMENT_FAILURE_QUEUE: usize = 0;
/// Position of `fargate-spot-interruption-queue` in [`World::queues`].
pub(crate) const INTERRUPTION_QUEUE: usize = 1;
/// The queues' names, by position.
pub(crate) const QUEUES: [&str; 2] = ["fargate-spot-placement-failure-queue", "fargate-spot-interruption-queue"];
const QUEUE_FUNCTIONS: [&str; 2] = ["fargate-spot-task-placement-failure-handler", "fargate-spot-interruption-handler"];
const RESTORE_FUNCTION: &str = "fargate-spot-restore-handler";

/// One call of a function.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// Lambda's request id, the token of the claims it makes.
    request_id: String,
    work: Work,
}

#[derive(Debug)]
enum Work {
    /// Messages of a queue with their receipts.
    Batch { queue: usize, receipts: Vec<u64>, messages: Vec<Message> },
    /// The schedule.
    Restore,
}

impl Work {
    fn function(&self) -> &'static str {
        match self {
            Self::Batch { queue, .. } => QUEUE_FUNCTIONS[*queue],
            Self::Restore => RESTORE_FUNCTION,
        }
    }
}

impl World {
    /// A message reaches a queue.
    pub(crate) fn enqueue(&mut self, queue: usize, body: String) {
        let id = self.dice.lambda.uuid();
        self.queues[queue].send(id, body);
        self.record(None, Happening::Queued { queue: QUEUES[queue] });
        self.plan_poll(queue);
    }

    fn plan_poll(&mut self, queue: usize) {
        let at = self.now + self.dice.lambda.within(self.facts.poll_latency);
        self.agenda.plan(at, Action::Poll(queue));
    }

    /// The mapping takes a batch, if its function may run once more.
    pub(crate) fn poll(&mut self, queue: usize) {
        if self.concurrency[queue] >= self.facts.max_concurrency {
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
        self.concurrency[queue] += 1;
        self.invoke(Work::Batch { queue, receipts, messages });
        if !self.queues[queue].is_empty() {
            self.plan_poll(queue);
        }
    }

    /// `ChangeMessageVisibility`.
    fn hide(&mut self, queue: usize, receipt: u64, time: Duration) {
        let visible_at = self.now + time;
        self.queues[queue].hide(receipt, visible_at);
        self.agenda.plan(visible_at, Action::Reappear(queue, receipt));
    }

    /// A message's visibility timeout is over, unless it was changed meanwhile.
    pub(crate) fn reappear(&mut self, queue: usize, receipt: u64) {
        if self.queues[queue].reappear(receipt, self.now) {
            self.plan_poll(queue);
        }
    }

    /// The schedule rule fires.
    pub(crate) fn restore_tick(&mut self) {
        self.agenda.plan(self.now + self.spec.restore_schedule, Action::RestoreTick);
        self.invoke(Work::Restore);
    }

    fn invoke(&mut self, work: Work) {
        let request_id = self.dice.lambda.uuid();
        let messages = if let Work::Batch { messages, .. } = &work { messages.len() } else { 0 };
        self.record(None, Happening::Invoked { function: work.function(), messages });
        self.starting.push(Invocation { request_id, work });
    }

    /// A queue function has ended: what did not fail is deleted, what failed comes back when it asked to. A function that
    /// was cut short says nothing, and all of its messages come back with their visibility timeout.
    fn batch_done(&mut self, queue: usize, receipts: &[u64], messages: &[Message], end: &End<Vec<Failure>>) {
        self.concurrency[queue] -= 1;
        if let End::Finished(failures) = end {
            for (receipt, message) in receipts.iter().zip(messages) {
                match failures.iter().find(|failure| failure.id == message.id) {
                    Some(failure) => self.hide(queue, *receipt, failure.retry_in),
                    None => self.queues[queue].delete(*receipt),
                }
            }
        }
        if !self.queues[queue].is_empty() {
            self.plan_poll(queue);
        }
    }
}

/// How an invocation ended.
enum End<T> {
    Finished(T),
    TimedOut,
    Killed,
}

/// What a handler is given.
#[cfg(not(feature = "planted"))]
type Ports = SimPorts;
#[cfg(feature = "planted")]
type Ports = crate::planted::Planted;

/// Runs `work` until it is done, its time is over, or one of its calls kills it.
async fn until_the_end<T>(ports: &Ports, timeout: Duration, work: impl Future<Output = T>) -> End<T> {
    // Biased towards the end: polled first, so that the order does not depend on chance.
    match select(pin!(ports.killed()), pin!(tokio::time::timeout(timeout, work))).await {
        Either::Left(_) => End::Killed,
        Either::Right((Ok(done), _)) => End::Finished(done),
        Either::Right((Err(_), _)) => End::TimedOut,
    }
}

/// Runs one invocation with the production handler, within its timeout.
pub(crate) async fn run(sim: Rc<Sim>, invocation: Invocation) {
    let Invocation { request_id, work } = invocation;
    let (start, timeout, policy, trust) = sim.with(|world| {
        let trust = Trust { region: world.spec.region.clone(), synthetic_from: world.spec.synthetic_from.clone() };
        let start = world.dice.lambda.within(world.facts.lambda_start);
        (start, world.facts.lambda_timeout, world.spec.policy.clone(), trust)
    });
    tokio::time::sleep(start).await;
    let ports = SimPorts::new(Rc::clone(&sim));
    #[cfg(feature = "planted")]
    let (ports, policy, trust) = crate::planted::plant(ports, policy, trust);
    let reconciler = Reconciler::new(&ports, &policy, request_id);
    #[cfg(feature = "planted")]
    let reconciler = ports.plant_in(reconciler);
    let function = work.function();
    let (outcome, failed) = match work {
        Work::Batch { queue, receipts, messages } => {
            let end = until_the_end(&ports, timeout, async {
                match queue {
                    PLACEMENT_FAILURE_QUEUE => handle_placement_failures(&reconciler, &trust, &messages).await,
                    _ => handle_interruptions(&reconciler, &trust, &messages).await,
                }
            });
            let end = end.await;
            sim.with(|world| world.batch_done(queue, &receipts, &messages, &end));
            end.outcome(Vec::len)
        }
        Work::Restore => {
            let end = until_the_end(&ports, timeout, handle_restores(&reconciler)).await;
            end.outcome(|swept| swept.as_ref().map_or(1, |report| report.failed))
        }
    };
    sim.with(|world| world.record(None, Happening::Finished { function, outcome, failed }));
}

impl<T> End<T> {
    fn outcome(&self, failed: impl FnOnce(&T) -> usize) -> (&'static str, usize) {
        match self {
            Self::Finished(done) => ("ends", failed(done)),
            Self::TimedOut => ("is stopped at its timeout", 0),
            Self::Killed => ("is killed", 0),
        }
    }
}
