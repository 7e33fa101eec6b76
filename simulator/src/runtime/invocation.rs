//! One invocation, until it ends: its start, its handler, and its end by itself, by its timeout or by a kill.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use crate::lambda::{End, Fate, Invocation};
use crate::runtime::handlers::Handled;
use crate::runtime::ports::SimPorts;
use crate::runtime::simulation::Sim;

/// Runs one invocation, within its timeout.
pub(crate) async fn run(sim: Rc<Sim>, invocation: Invocation) {
    let fate = sim.with(|world| {
        let (lambda, mut env) = world.lambda();
        lambda.fate_of_invocation(&mut env, invocation.function)
    });
    let ports = SimPorts::new(Rc::clone(&sim));
    sim.sleep(fate.start).await;
    let is_dead = ports.is_dead();
    let end = until_the_end(&sim, || is_dead.get(), &fate, sim.handlers.invoke(ports, &invocation)).await;
    sim.with(|world| {
        let (lambda, mut env) = world.lambda();
        lambda.invocation_ended(&mut env, &invocation, end);
    });
}

/// Runs `work` until it is done, its time is over, or it is killed, by one of its calls or at a time of its own.
async fn until_the_end(sim: &Sim, is_dead: impl Fn() -> bool, fate: &Fate, work: impl Future<Output = Handled>) -> End {
    if fate.fails_to_start {
        return End::NotStarted;
    }
    let timeout = sim.with(|world| world.facts.lambda_timeout);
    let killed = fate.killed_at.is_some_and(|at| at < timeout);
    let limit = fate.killed_at.map_or(timeout, |at| at.min(timeout));
    let mut work = pin!(work);
    let mut time_is_up = pin!(sim.sleep(limit));
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(Handled::Batch(failures)) => Poll::Ready(End::Batch(failures)),
        Poll::Ready(Handled::Sweep(failed)) => Poll::Ready(End::Sweep(failed)),
        Poll::Ready(Handled::Raised) => Poll::Ready(End::Raised),
        Poll::Pending if is_dead() => Poll::Ready(End::Killed),
        Poll::Pending => time_is_up.as_mut().poll(cx).map(|()| if killed { End::Killed } else { End::TimedOut }),
    })
    .await
}
