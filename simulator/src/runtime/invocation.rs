//! One invocation, until it ends: its start, its handler, and its end by itself, by its timeout or by a kill.

use crate::lambda::{End, Fate, Invocation, Work};
use crate::runtime::ports::SimPorts;
use crate::runtime::simulation::Sim;
use crate::runtime::stand_in::Raised;
use crate::spec::{FunctionName, QueueName};
use crate::world::World;
use handlers::event::Trust;
use handlers::handler::{Failure, Message, handle_interruptions, handle_placement_failures, handle_restores};
use handlers::ports::Ports;
use handlers::reconcile::Reconciler;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

/// Runs `work` until it is done, its time is over, or it is killed, by one of its calls or at a time of its own.
async fn until_the_end<T>(sim: &Sim, is_dead: impl Fn() -> bool, fate: &Fate, work: impl Future<Output = T>) -> End<T> {
    if fate.fails_to_start {
        return End::NotStarted;
    }
    let timeout = sim.with(|world| world.facts.lambda_timeout);
    let killed = fate.killed_at.is_some_and(|at| at < timeout);
    let limit = fate.killed_at.map_or(timeout, |at| at.min(timeout));
    let mut work = pin!(work);
    let mut time_is_up = pin!(sim.sleep(limit));
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(End::Finished(done)),
        Poll::Pending if is_dead() => Poll::Ready(End::Killed),
        Poll::Pending => time_is_up.as_mut().poll(cx).map(|()| if killed { End::Killed } else { End::TimedOut }),
    })
    .await
}

/// Runs one invocation with the production handler, within its timeout.
pub(crate) async fn run(sim: Rc<Sim>, invocation: Invocation) {
    let Invocation { request_id, work } = invocation;
    let (fate, policy, trust) = sim.with(|world| {
        let trust = Trust { region: world.spec.region.clone(), synthetic_from: world.spec.synthetic_from.clone() };
        (
            {
                let (lambda, mut env) = world.lambda();
                lambda.fate_of_invocation(&mut env, work.function())
            },
            world.spec.policy.clone(),
            trust,
        )
    });
    sim.sleep(fate.start).await;
    let ports = SimPorts::new(Rc::clone(&sim));
    if let Some(stand_in) = &sim.stand_in {
        let is_dead = || ports.is_dead();
        return match work {
            Work::Batch { queue, receipts, messages } => {
                let end = until_the_end(&sim, is_dead, &fate, stand_in.messages(&ports, &messages)).await;
                sim.with(|world| world.batch_ended(queue, &receipts, &messages, &end.all_or_nothing()));
            }
            Work::Restore => {
                let end = until_the_end(&sim, is_dead, &fate, stand_in.tick(&ports)).await;
                sim.with(|world| world.tick_ended(&end));
            }
        };
    }
    #[cfg(feature = "sdk")]
    if let Some(services) = &sim.sdk {
        let ports = crate::sdk::SdkPorts::new(services, ports, work.function().name());
        let reconciler = Reconciler::new(&ports, &policy, request_id);
        return handle(&sim, &reconciler, || ports.is_dead(), &fate, &trust, work).await;
    }
    #[cfg(feature = "planted")]
    let (ports, policy, trust) = crate::planted::plant(ports, policy, trust);
    let reconciler = Reconciler::new(&ports, &policy, request_id);
    #[cfg(feature = "planted")]
    let reconciler = ports.plant_in(reconciler);
    handle(&sim, &reconciler, || ports.is_dead(), &fate, &trust, work).await;
}

async fn handle<P: Ports>(
    sim: &Sim,
    reconciler: &Reconciler<'_, P>,
    is_dead: impl Fn() -> bool,
    fate: &Fate,
    trust: &Trust,
    work: Work,
) {
    match work {
        Work::Batch { queue, receipts, messages } => {
            let end = until_the_end(sim, is_dead, fate, async {
                match queue {
                    QueueName::PlacementFailure => handle_placement_failures(reconciler, trust, &messages).await,
                    QueueName::Interruption => handle_interruptions(reconciler, trust, &messages).await,
                }
            });
            let end = end.await;
            sim.with(|world| world.batch_ended(queue, &receipts, &messages, &end));
        }
        Work::Restore => {
            let swept = async { handle_restores(reconciler).await.map_or(1, |report| report.failed) };
            let end = until_the_end(sim, is_dead, fate, swept).await;
            sim.with(|world| world.tick_ended(&end));
        }
    }
}

impl World {
    fn batch_ended(&mut self, queue: QueueName, receipts: &[u64], messages: &[Message], end: &End<Vec<Failure>>) {
        let (lambda, mut env) = self.lambda();
        lambda.batch_done(&mut env, queue, receipts, messages, end);
        let (outcome, failed) = end.outcome(Vec::len);
        lambda.invocation_ended(&mut env, queue.function(), outcome, failed);
    }

    /// The end of a tick of the schedule, with the number of records that could not be finished.
    fn tick_ended(&mut self, end: &End<usize>) {
        let (outcome, failed) = end.outcome(|failed| *failed);
        let (lambda, mut env) = self.lambda();
        lambda.invocation_ended(&mut env, FunctionName::Restore, outcome, failed);
    }
}

impl End<Result<(), Raised>> {
    /// The end of a function that knows no failure of a part of its batch.
    fn all_or_nothing(self) -> End<Vec<Failure>> {
        match self {
            Self::Finished(Ok(())) => End::Finished(Vec::new()),
            Self::Finished(Err(Raised)) => End::Raised,
            Self::TimedOut => End::TimedOut,
            Self::Killed => End::Killed,
            Self::NotStarted => End::NotStarted,
            Self::Raised => End::Raised,
        }
    }
}

impl<T> End<T> {
    fn outcome(&self, failed: impl FnOnce(&T) -> usize) -> (&'static str, usize) {
        match self {
            Self::Finished(done) => ("ends", failed(done)),
            Self::TimedOut => ("is stopped at its timeout", 0),
            Self::Killed => ("is killed", 0),
            Self::NotStarted => ("fails to start", 0),
            Self::Raised => ("raises an error", 0),
        }
    }
}
