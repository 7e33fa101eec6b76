//! The gate that every call of the functions passes on its way to the world: single calls are held or throttled there, and before an update
//! the oracle is shown the record that it is made under.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use futures_util::future::{LocalBoxFuture, ready};
use handlers::service::ServiceId;
use serde_json::{Value, json};
use simulator::serve::Call;
use simulator::wire::{Request, Response};
use tokio::sync::oneshot;

use super::World;

/// Where a call is caught.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It has not taken effect, and does not as long as it is held.
    Before,
    /// It has taken effect, and its caller does not know yet.
    After,
}

#[derive(Debug)]
pub(super) struct Trap {
    service: ServiceId,
    operation: &'static str,
    moment: Moment,
    caught: oneshot::Sender<Caught>,
}

/// A call that is held until it is released; dropped, it is held for good.
#[derive(Debug)]
pub struct Caught {
    /// The caller's end of the connection.
    pub peer: SocketAddr,
    go: oneshot::Sender<()>,
}

impl Caught {
    /// Lets the call go on.
    pub fn release(self) {
        // A caller that is dead by now misses nothing.
        let _ = self.go.send(());
    }
}

/// Calls that ECS throttles.
#[derive(Debug)]
pub(super) struct Throttled {
    service: ServiceId,
    operation: &'static str,
    /// How many it has throttled.
    count: Rc<Cell<u32>>,
}

/// ECS throttles calls about a service as long as this lives.
#[derive(Debug)]
pub struct Throttling<'a> {
    world: &'a World,
    count: Rc<Cell<u32>>,
}

impl Throttling<'_> {
    /// How many calls have been throttled so far.
    pub fn count(&self) -> u32 {
        self.count.get()
    }
}

impl Drop for Throttling<'_> {
    fn drop(&mut self) {
        self.world.throttled.borrow_mut().retain(|one| !Rc::ptr_eq(&one.count, &self.count));
    }
}

impl World {
    /// Holds the next call of the recovery's `operation` about a service.
    pub fn catch(&self, service: &ServiceId, operation: &'static str, moment: Moment) -> oneshot::Receiver<Caught> {
        let (caught, receiver) = oneshot::channel();
        self.traps.borrow_mut().push(Trap { service: service.clone(), operation, moment, caught });
        receiver
    }

    /// From now on ECS throttles `operation` about a service.
    pub fn throttle(&self, service: &ServiceId, operation: &'static str) -> Throttling<'_> {
        let count = Rc::new(Cell::new(0));
        let throttled = Throttled { service: service.clone(), operation, count: Rc::clone(&count) };
        self.throttled.borrow_mut().push(throttled);
        Throttling { world: self, count }
    }

    /// The gate that every call of the functions passes.
    pub(super) fn pass(self: Rc<Self>, call: &Call<'_>) -> LocalBoxFuture<'static, Option<Response>> {
        let Some((operation, services)) = self.subject(call.request) else { return Box::pin(ready(None)) };
        let moment = if call.answered { Moment::After } else { Moment::Before };
        if moment == Moment::Before && self.is_throttled(&operation, &services) {
            return Box::pin(ready(Some(rate_exceeded())));
        }
        let trap = self.take_trap(&operation, &services, moment);
        let peer = call.peer;
        Box::pin(async move {
            if moment == Moment::Before && operation == "UpdateService" {
                for service in &services {
                    match self.record(service).await {
                        Ok(Some(record)) => self.served.with(|simulation| simulation.see_record(record)),
                        Ok(None) => {}
                        Err(error) => self.problems.borrow_mut().push(error.to_string()),
                    }
                }
            }
            if let Some(trap) = trap {
                let (go, released) = oneshot::channel();
                if trap.caught.send(Caught { peer, go }).is_ok() && released.await.is_err() {
                    // Its caller is dead, and the call never arrives.
                    std::future::pending::<()>().await;
                }
            }
            None
        })
    }

    /// The operation, and the services of the world that it may be about: the call has their names, but its account only in the session.
    fn subject(&self, request: &Request) -> Option<(String, Vec<ServiceId>)> {
        let operation = request.header("x-amz-target")?.split('.').nth(1)?.to_owned();
        let body: Value = serde_json::from_slice(&request.body).ok()?;
        let last = |name: &Value| name.as_str().and_then(|name| name.rsplit('/').next()).map(str::to_owned);
        let cluster = last(&body["cluster"])?;
        let one = std::slice::from_ref(&body["service"]);
        let names: Vec<String> =
            body["services"].as_array().map_or(one, Vec::as_slice).iter().filter_map(last).collect();
        let is_named =
            |id: &&ServiceId| id.cluster.as_str() == cluster && names.iter().any(|name| name == id.service.as_str());
        Some((operation, self.services.iter().filter(is_named).cloned().collect()))
    }

    fn is_throttled(&self, operation: &str, services: &[ServiceId]) -> bool {
        let throttled = self.throttled.borrow();
        let found = throttled.iter().find(|one| one.operation == operation && services.contains(&one.service));
        if let Some(one) = found {
            one.count.set(one.count.get() + 1);
        }
        found.is_some()
    }

    fn take_trap(&self, operation: &str, services: &[ServiceId], moment: Moment) -> Option<Trap> {
        let mut traps = self.traps.borrow_mut();
        let matches =
            |trap: &Trap| trap.operation == operation && trap.moment == moment && services.contains(&trap.service);
        traps.iter().position(matches).map(|n| traps.remove(n))
    }
}

/// What ECS answers a throttled call (aws-facts.md §4).
fn rate_exceeded() -> Response {
    let body = json!({ "__type": "ThrottlingException", "message": "Rate exceeded" });
    let headers = vec![("content-type", "application/x-amz-json-1.1".to_owned())];
    Response { status: 400, headers, body: body.to_string().into_bytes() }
}
