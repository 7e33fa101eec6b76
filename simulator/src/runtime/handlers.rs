//! What runs when Lambda invokes a function: the production handlers, or others in the same world. Everything around them is the
//! same: events, rules, queues, schedule, table, ECS, and the oracle that watches.

use std::fmt::{self, Debug};
use std::rc::Rc;
use std::sync::Arc;

use futures_util::future::LocalBoxFuture;
use handlers::event::Trust;
use handlers::handler::{Failure, handle_interruptions, handle_placement_failures, handle_restores};
use handlers::ports::Ports;
use handlers::reconcile::Reconciler;

use crate::lambda::Invocation;
use crate::runtime::ports::SimPorts;
use crate::spec::FunctionName;

/// The code of the three functions.
pub trait Handlers: Debug {
    /// Runs one invocation. What it returns is dropped where the invocation is killed or times out.
    fn invoke<'a>(&'a self, ports: SimPorts, invocation: &'a Invocation) -> LocalBoxFuture<'a, Handled>;

    /// Whether they announce their transitions, so that the oracle misses one that is not.
    fn announce(&self) -> bool {
        true
    }
}

/// What an invocation returned.
#[derive(Debug)]
pub enum Handled {
    /// Of a batch, the messages that failed.
    Batch(Vec<Failure>),
    /// Of a sweep, how many records could not be finished.
    Sweep(usize),
    /// An error, and no list of the messages that failed: to Lambda all of them did, and all come back with their visibility timeout
    /// (aws-facts.md §6).
    Raised,
}

/// The production handlers, on the simulator's own ports.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProductionHandlers;

impl Handlers for ProductionHandlers {
    fn invoke<'a>(&'a self, ports: SimPorts, invocation: &'a Invocation) -> LocalBoxFuture<'a, Handled> {
        Box::pin(async move {
            let reconciler = Reconciler::new(&ports, ports.policy(), invocation.request_id.clone());
            let reconciler = reconciler.ending(ports.ends_at());
            handle(&reconciler, ports.trust(), invocation).await
        })
    }
}

/// The production handler of the invocation's function.
pub(crate) async fn handle<P: Ports>(
    reconciler: &Reconciler<'_, P>,
    trust: &Trust,
    invocation: &Invocation,
) -> Handled {
    let messages = &invocation.messages;
    match invocation.function {
        FunctionName::PlacementFailure => Handled::Batch(handle_placement_failures(reconciler, trust, messages).await),
        FunctionName::Interruption => Handled::Batch(handle_interruptions(reconciler, trust, messages).await),
        FunctionName::Restore => Handled::Sweep(handle_restores(reconciler).await.map_or(1, |report| report.failed)),
    }
}

/// Makes handlers. They stay on one thread; this goes to many.
#[derive(Clone)]
pub struct MakeHandlers(Arc<dyn Fn() -> Rc<dyn Handlers> + Send + Sync>);

impl MakeHandlers {
    /// Handlers as `make` makes them.
    pub fn new<H: Handlers + 'static>(make: impl Fn() -> H + Send + Sync + 'static) -> Self {
        Self(Arc::new(move || Rc::new(make())))
    }

    /// Handlers for one world.
    pub fn make(&self) -> Rc<dyn Handlers> {
        (self.0)()
    }
}

impl Default for MakeHandlers {
    fn default() -> Self {
        Self::new(|| ProductionHandlers)
    }
}

impl Debug for MakeHandlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MakeHandlers")
    }
}
