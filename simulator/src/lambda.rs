//! Lambda: event-source mappings that turn messages into invocations, the schedule of the restore handler, and the
//! handlers themselves, which are the production ones.

use std::rc::Rc;

use handlers::event::Trust;
use handlers::handler::{Message, handle_interruptions, handle_placement_failures, handle_restores};
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
        let visible_at = self.now + self.facts.visibility_timeout;
        let mut receipts = Vec::new();
        let mut messages = Vec::new();
        for (receipt, message) in received.messages {
            self.agenda.plan(visible_at, Action::Reappear(queue, receipt));
            receipts.push(receipt);
            messages.push(Message { id: message.id, body: message.body });
        }
        self.concurrency[queue] += 1;
        self.invoke(Work::Batch { queue, receipts, messages });
        if !self.queues[queue].is_empty() {
            self.plan_poll(queue);
        }
    }

    /// A message's visibility timeout is over.
    pub(crate) fn reappear(&mut self, queue: usize, receipt: u64) {
        if self.queues[queue].reappear(receipt) {
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

    /// A queue function has ended: what did not fail is deleted, the rest reappears. A function that timed out deletes
    /// nothing.
    fn batch_done(&mut self, queue: usize, receipts: &[u64], messages: &[Message], failed: &[String]) {
        for (receipt, message) in receipts.iter().zip(messages) {
            if !failed.contains(&message.id) {
                self.queues[queue].delete(*receipt);
            }
        }
        self.concurrency[queue] -= 1;
        if !self.queues[queue].is_empty() {
            self.plan_poll(queue);
        }
    }
}

/// Runs one invocation with the production handler, within its timeout.
pub(crate) async fn run(sim: Rc<Sim>, invocation: Invocation) {
    let Invocation { request_id, work } = invocation;
    let (start, timeout, policy, trust) = sim.with(|world| {
        let trust = Trust { region: world.spec.region.clone(), synthetic_from: world.spec.synthetic_from.clone() };
        (
            world.dice.lambda.within(world.facts.lambda_start),
            world.facts.lambda_timeout,
            world.spec.policy.clone(),
            trust,
        )
    });
    tokio::time::sleep(start).await;
    let ports = SimPorts::new(Rc::clone(&sim));
    let reconciler = Reconciler::new(&ports, &policy, request_id);
    let function = work.function();
    match work {
        Work::Batch { queue, receipts, messages } => {
            let handled = tokio::time::timeout(timeout, async {
                match queue {
                    PLACEMENT_FAILURE_QUEUE => handle_placement_failures(&reconciler, &trust, &messages).await,
                    _ => handle_interruptions(&reconciler, &trust, &messages).await,
                }
            });
            let (failed, timed_out): (Vec<String>, bool) = match handled.await {
                Ok(failures) => (failures.into_iter().map(|f| f.id).collect(), false),
                Err(_) => (messages.iter().map(|m| m.id.clone()).collect(), true),
            };
            sim.with(|world| {
                world.record(None, Happening::Finished { function, failed: failed.len(), timed_out });
                world.batch_done(queue, &receipts, &messages, &failed);
            });
        }
        Work::Restore => {
            let swept = tokio::time::timeout(timeout, handle_restores(&reconciler)).await;
            let (failed, timed_out) = match swept {
                Ok(Ok(report)) => (report.failed, false),
                Ok(Err(_)) => (1, false),
                Err(_) => (0, true),
            };
            sim.with(|world| world.record(None, Happening::Finished { function, failed, timed_out }));
        }
    }
}
