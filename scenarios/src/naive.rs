//! The proof of concept, for comparison: the original design taken at its word, in the place of the production handlers.
//!
//! Each event saves the strategy that is live and switches the service to On-Demand. Each tick of the schedule puts back what is
//! saved and marks it complete. There is no phase, no probation, no backoff, no question whether tasks are missing or who set what
//! is live. It is given what is not its weakness: our reading of events, and a fallback that keeps the base.
//!
//! Its table is ours, so that the books and the oracle see the same of it as of the product. For this each item names the change it
//! is about to make, as a claim does; the proof of concept itself never looks at that.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use handlers::decide::Reason;
use handlers::event::{Event, Parsed, Signal, Trust, parse};
use handlers::handler::Message;
use handlers::observation::Look;
use handlers::ports::{Clock, Cluster, Ecs, Put, StateStore};
use handlers::record::{Change, DUE_SHARDS, Lease, Phase, Record};
use handlers::service::ServiceId;
use handlers::strategy::Strategy;
use simulator::spec::{FunctionName, WorldSpec};
use simulator::{Handled, Handlers, Invocation, SimPorts};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// The three handlers of the proof of concept.
#[derive(Debug)]
pub struct Naive {
    trust: Trust,
}

/// A function ends with an error: it knows no failure of a part of its batch.
struct Raised;

/// No handlers at all: events are taken from the queues, and nothing is done.
#[derive(Debug)]
pub struct Nobody;

impl Naive {
    /// The proof of concept in the cell of `world`. It asks nobody who sends it synthetic events.
    pub fn new(world: &WorldSpec) -> Self {
        let everyone = world.accounts.iter().chain([&world.central]).cloned().collect();
        Self { trust: Trust { region: world.region.clone(), synthetic_from: everyone } }
    }

    async fn messages(&self, ports: &SimPorts, messages: &[Message]) -> Result<(), Raised> {
        for message in messages {
            let parsed = parse(&message.body, &self.trust).map_err(|_| Raised)?;
            let Parsed::Event(event) = parsed else { continue };
            if matches!(
                event.signal,
                Signal::SpotPlacementFailure | Signal::SyntheticPlacementFailure | Signal::Interruption
            ) {
                self.fail_over(ports, &event).await?;
            }
        }
        Ok(())
    }

    /// A tick of the restore schedule; returns how many records could not be finished.
    async fn tick(&self, ports: &SimPorts) -> usize {
        let mut failed = 0;
        for shard in 0..DUE_SHARDS {
            let mut after = None;
            loop {
                let Ok(page) = ports.due(shard, ports.now(), after).await else { return failed + 1 };
                for pending in page.records.iter().filter(|record| is_pending(record)) {
                    failed += usize::from(self.restore(ports, pending).await.is_err());
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        failed
    }

    /// Sees what is live, saves it, switches to On-Demand.
    async fn fail_over(&self, ports: &SimPorts, event: &Event) -> Result<(), Raised> {
        let service = &event.service;
        let live = live(ports, service).await?;
        let fallback = live.fallback();
        let stored = stored(ports, service).await?;
        // To the books an event about a service that is on its fallback begins no second outage.
        let phase = if stored.as_ref().is_some_and(is_pending) { Phase::OnDemand } else { Phase::FailingOver };
        let saved = Record {
            phase,
            original: Some(live.clone()),
            event: Some(Arc::new(event.value())),
            ..item(ports, stored.as_ref(), service, Change { from: live, to: fallback.clone() })
        };
        let saved = Record { reason: "saved what is live".into(), ..saved };
        let saved = put(ports, saved).await?;
        ports.update_strategy(service, &fallback).await.map_err(|_| Raised)?;
        put(ports, Record { phase: Phase::OnDemand, reason: "switched to On-Demand".into(), ..saved }).await?;
        Ok(())
    }

    /// Puts back what is saved, marks it complete.
    async fn restore(&self, ports: &SimPorts, pending: &Record) -> Result<(), Raised> {
        let Some(original) = &pending.original else { return Ok(()) };
        let service = &pending.service;
        let from = pending.change.as_ref().map_or_else(|| original.fallback(), |change| change.to.clone());
        let restoring = item(ports, Some(pending), service, Change { from, to: original.clone() });
        let restoring = Record { phase: Phase::Restoring, reason: "the schedule ticks".into(), ..restoring };
        let restoring = put(ports, restoring).await?;
        ports.update_strategy(service, original).await.map_err(|_| Raised)?;
        // The words of the product for a restore that is done: the oracle holds it to them.
        let complete = Record { phase: Phase::Watching, reason: Reason::Restored.text(), lease: None, ..restoring };
        put(ports, complete).await?;
        Ok(())
    }
}

impl Handlers for Naive {
    fn invoke<'a>(&'a self, ports: SimPorts, invocation: &'a Invocation) -> Boxed<'a, Handled> {
        Box::pin(async move {
            match invocation.function {
                FunctionName::Restore => Handled::Sweep(self.tick(&ports).await),
                _ => match self.messages(&ports, &invocation.messages).await {
                    Ok(()) => Handled::Batch(Vec::new()),
                    Err(Raised) => Handled::Raised,
                },
            }
        })
    }

    fn announce(&self) -> bool {
        false
    }
}

impl Handlers for Nobody {
    fn invoke<'a>(&'a self, _: SimPorts, invocation: &'a Invocation) -> Boxed<'a, Handled> {
        let handled = match invocation.function {
            FunctionName::Restore => Handled::Sweep(0),
            _ => Handled::Batch(Vec::new()),
        };
        Box::pin(std::future::ready(handled))
    }

    fn announce(&self) -> bool {
        false
    }
}

/// `scheduled`: a restore is pending.
fn is_pending(record: &Record) -> bool {
    record.scheduled()
}

async fn live(ports: &SimPorts, service: &ServiceId) -> Result<Strategy, Raised> {
    let looks = ports.describe_services(&Cluster::of(service), std::slice::from_ref(&service.service)).await;
    match looks.map_err(|_| Raised)?.as_slice() {
        [Look::Found(seen)] => seen.strategy.clone().ok_or(Raised),
        _ => Err(Raised),
    }
}

async fn stored(ports: &SimPorts, service: &ServiceId) -> Result<Option<Record>, Raised> {
    let stored = ports.get(service).await.map_err(|_| Raised)?;
    Ok(stored.map(|record| (*record).clone()))
}

/// The item of `service` in the place of `stored`, due at the next tick.
fn item(ports: &SimPorts, stored: Option<&Record>, service: &ServiceId, change: Change) -> Record {
    let now = ports.now();
    let lease = Lease { owner: "the proof of concept".into(), until: now + Duration::from_secs(3600) };
    let before = stored.cloned().unwrap_or_else(|| Record::new(service.clone(), now));
    Record { phase_since: now, next_check_at: now, change: Some(change), lease: Some(lease), ..before }
}

/// `PutItem` without a condition: whatever is stored by now is overwritten.
async fn put(ports: &SimPorts, record: Record) -> Result<Record, Raised> {
    let mut replaces = record.version;
    loop {
        let record = Arc::new(Record { version: replaces, ..record.clone() }).written(ports.now());
        match ports.put(&record, replaces).await.map_err(|_| Raised)? {
            Put::Written => return Ok((*record).clone()),
            Put::Conflict(stored) => replaces = stored.map_or(0, |stored| stored.version),
        }
    }
}
