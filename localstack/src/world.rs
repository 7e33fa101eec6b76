//! The world beside LocalStack: the simulator's ECS, STS and Spot markets on loopback. Its ECS events are put on the default buses of
//! their accounts in LocalStack; what the functions write and announce there is told to its oracle.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use futures_util::future::ready;
use handlers::aws::{Aws, CallLimits, Cell as CellSettings, config::BUS};
use handlers::ports::StateStore;
use handlers::record::{Record, TABLE};
use handlers::service::{AccountId, ServiceId};
use handlers::timestamp::Timestamp;
use handlers::transition::Transition;
use serde_json::Value;
use simulator::facts::Facts;
use simulator::serve::{Served, Serving};
use simulator::spec::{WorldEvent, WorldSpec};
use simulator::{Outcome, Simulation};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::clients::{CallError, config, failed};
use error::RelayError;
pub use error::WorldError;
pub use gate::{Caught, Moment, Throttling};
use gate::{Throttled, Trap};

mod error;
mod gate;

/// How often the world is asked for new events. At speed 60 a second of the world passes in less.
const RELAY: Duration = Duration::from_millis(25);
/// Entries that one `PutEvents` takes (aws-facts.md §5).
const ENTRIES: usize = 10;

/// How long a transition that the bus hands over late may come after one that was announced with it or later.
const OUT_OF_ORDER: Duration = Duration::from_millis(600);

/// A world that is served, and all that goes between it and LocalStack.
#[derive(Debug)]
pub struct World {
    served: Served,
    services: Vec<ServiceId>,
    /// The handlers' own adapter, to read their records.
    table: Aws,
    buses: BTreeMap<AccountId, aws_sdk_eventbridge::Client>,
    /// What the functions announced, as it came.
    audits: RefCell<Vec<Transition>>,
    /// What of it the world has not been told, and when it came.
    unheard: RefCell<Vec<(Timestamp, Transition)>>,
    traps: RefCell<Vec<Trap>>,
    throttled: RefCell<Vec<Throttled>>,
    problems: RefCell<Vec<String>>,
    /// What goes on as long as the world does.
    tasks: RefCell<Vec<JoinHandle<()>>>,
}

impl World {
    /// Serves the world of `spec` at `speed` to `listener`, beside the LocalStack at `endpoint`. Nothing recovers in it but the functions
    /// there.
    ///
    /// # Errors
    /// [`WorldError`] when the world cannot be served.
    pub async fn start(
        spec: WorldSpec,
        facts: Facts,
        speed: u32,
        endpoint: &str,
        listener: TcpListener,
    ) -> Result<Rc<Self>, WorldError> {
        let (region, central) = (spec.region.clone(), spec.central.clone());
        let services = spec.services.iter().map(|service| service.id.clone()).collect();
        let mut buses = BTreeMap::new();
        for account in &spec.accounts {
            let client = aws_sdk_eventbridge::Client::new(&config(endpoint, &region, account).await);
            buses.insert(account.clone(), client);
        }
        let settings = CellSettings {
            region: region.clone(),
            table: TABLE.into(),
            bus: BUS.into(),
            function: "e2e".into(),
            queue: None,
            external_id: None,
        };
        let table = Aws::new(&config(endpoint, &region, &central).await, settings, CallLimits::default());
        let simulation = Simulation::for_handlers_outside(spec, facts)?;
        let serving = Serving { port: 0, speed, wall_clock: true };
        let served = Served::start(listener, simulation, serving)?;
        let world = Rc::new(Self {
            served,
            services,
            table,
            buses,
            audits: RefCell::default(),
            unheard: RefCell::default(),
            traps: RefCell::default(),
            throttled: RefCell::default(),
            problems: RefCell::default(),
            tasks: RefCell::default(),
        });
        let gate = Rc::downgrade(&world);
        world.served.set_gate(Rc::new(move |call| match gate.upgrade() {
            Some(world) => world.pass(call),
            None => Box::pin(ready(None)),
        }));
        let relay = tokio::task::spawn_local(Rc::clone(&world).relay());
        let telling = tokio::task::spawn_local(Rc::clone(&world).tell_as_they_ripen());
        world.tasks.borrow_mut().extend([relay, telling]);
        Ok(world)
    }

    /// Where it is served.
    pub fn address(&self) -> SocketAddr {
        self.served.address()
    }

    /// Makes something happen now.
    pub fn happen(&self, event: WorldEvent) {
        self.served.with(|simulation| simulation.happen(event));
    }

    /// A service as the control API of the simulator shows it.
    pub fn look(&self, service: &ServiceId) -> Option<Value> {
        self.served.with(|simulation| simulation.look(service))
    }

    /// How many deployments the recovery has forced on a service.
    pub fn forced(&self, service: &ServiceId) -> u32 {
        self.served.with(|simulation| simulation.forced(service))
    }

    /// The record of a service in LocalStack's table.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn record(&self, service: &ServiceId) -> Result<Option<Record>, CallError> {
        let record = self.table.get(service).await;
        let record =
            record.map_err(|error| CallError { what: format!("{service}: record"), said: error.to_string() })?;
        Ok(record.map(|record| (*record).clone()))
    }

    /// Transitions of a service that were announced, in order.
    pub fn audits(&self, service: &ServiceId) -> Vec<Transition> {
        let id = service.record_id();
        self.audits.borrow().iter().filter(|transition| transition.id == id).cloned().collect()
    }

    /// A transition has come off the bus.
    pub fn hear(&self, transition: Transition) {
        // A bus may hand an event over twice (aws-facts.md §5).
        if self.audits.borrow().contains(&transition) {
            return;
        }
        self.audits.borrow_mut().push(transition.clone());
        self.unheard.borrow_mut().push((now(), transition));
    }

    /// Tells the world, in their order, of transitions that came before `until`: the bus hands them over in any.
    fn tell(&self, until: Timestamp) {
        let mut unheard = self.unheard.borrow_mut();
        let mut ripe: Vec<_> = unheard.extract_if(.., |(came, _)| *came < until).collect();
        ripe.sort_by_key(|(_, transition)| transition.at);
        for (_, transition) in ripe {
            self.served.with(|simulation| simulation.hear(&transition));
        }
    }

    async fn tell_as_they_ripen(self: Rc<Self>) {
        loop {
            tokio::time::sleep(OUT_OF_ORDER / 4).await;
            self.tell(now() - OUT_OF_ORDER);
        }
    }

    /// What went wrong between the world and LocalStack, and invariants that the oracle found broken.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.problems.borrow().clone();
        problems.extend(self.served.with(|simulation| simulation.violations()));
        problems
    }

    /// The world's end. The records of its services are told to it first.
    ///
    /// # Errors
    /// [`CallError`] when a record cannot be read.
    pub async fn finish(&self) -> Result<Outcome, CallError> {
        self.tasks.borrow_mut().drain(..).for_each(|task| task.abort());
        for service in &self.services {
            if let Some(record) = self.record(service).await? {
                // The sweep that would announce it comes after the end.
                record.unannounced.iter().cloned().for_each(|transition| self.hear(transition));
                self.served.with(|simulation| simulation.see_record(record));
            }
        }
        self.tell(now() + OUT_OF_ORDER);
        Ok(self.served.finish())
    }

    fn control(&self, method: &str, name: &str, body: &Value) -> Value {
        let path = format!("/_simulator/{name}");
        let response = self.served.with(|simulation| simulation.control(method, &path, body.to_string().as_bytes()));
        serde_json::from_slice(&response.body).unwrap_or_default()
    }

    /// Takes the world's ECS events to LocalStack, each to the default bus of its account, in order.
    async fn relay(self: Rc<Self>) {
        let mut after = 0;
        loop {
            let news = self.control("GET", &format!("events?after={after}"), &Value::Null);
            after = news["next"].as_u64().unwrap_or(after);
            let events = news["events"].as_array().map_or(&[][..], Vec::as_slice);
            let mut by_account: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
            for event in events {
                by_account.entry(event["account"].as_str().unwrap_or_default()).or_default().push(event);
            }
            for (account, events) in by_account {
                for some in events.chunks(ENTRIES) {
                    if let Err(problem) = self.put(account, some).await {
                        self.problems.borrow_mut().push(problem.to_string());
                    }
                }
            }
            if events.is_empty() {
                tokio::time::sleep(RELAY).await;
            }
        }
    }

    async fn put(&self, account: &str, events: &[&Value]) -> Result<(), RelayError> {
        let parsed = account.parse();
        let account = parsed.map_err(|source| RelayError::Account { account: account.to_owned(), source })?;
        let client = self.buses.get(&account).ok_or_else(|| RelayError::UnknownAccount(account.clone()))?;
        let call = format!("PutEvents of {account}");
        let entries = events.iter().map(|event| entry(event)).collect();
        let put = client.put_events().set_entries(Some(entries)).send().await;
        let put = put.map_err(failed(&call))?;
        match put.entries().iter().find_map(|entry| entry.error_code()) {
            None => Ok(()),
            Some(code) => Err(CallError { what: call, said: format!("an entry failed with {code}") }.into()),
        }
    }
}

/// The functions' clock.
#[expect(clippy::disallowed_methods, reason = "the functions' transitions have times of the wall clock")]
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// An event of ECS as `PutEvents` takes it: LocalStack stamps account, region and id, and accepts the source `aws.ecs`, which AWS
/// does from ECS alone.
fn entry(event: &Value) -> PutEventsRequestEntry {
    let text = |name: &str| event[name].as_str().unwrap_or_default();
    let resources = event["resources"].as_array().map_or(&[][..], Vec::as_slice);
    let time = Timestamp::parse(text("time")).map_or(0, |time| time.as_millis());
    PutEventsRequestEntry::builder()
        .source(text("source"))
        .detail_type(text("detail-type"))
        .time(aws_sdk_eventbridge::primitives::DateTime::from_millis(i64::try_from(time).unwrap_or(0)))
        .set_resources(Some(resources.iter().filter_map(Value::as_str).map(str::to_owned).collect()))
        .detail(event["detail"].to_string())
        .build()
}
