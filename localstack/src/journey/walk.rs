//! What a journey looks at, and how long it waits for it.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use handlers::record::{Phase, Record};
use handlers::service::ServiceId;
use handlers::strategy::Strategy;
use serde_json::Value;

use super::Ground;
use super::JourneyError::{self, Late, Unmet};
use crate::clients::failed;
use crate::functions;
use crate::run::Running;
use crate::world::{World, now};

/// How long a stage that follows by itself may take: LocalStack polls, functions start, two cores are shared.
pub(super) const SOON: Duration = Duration::from_secs(40);
/// How long anything may take that waits for a lease, a backoff or a probation as well.
pub(super) const LATER: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// The queue of placement failures, and of the messages that failed in it.
pub(super) const PLACEMENT_FAILURE_QUEUE: &str = "fargate-spot-placement-failure-queue";
pub(super) const PLACEMENT_FAILURE_DLQ: &str = "fargate-spot-placement-failure-dlq";

/// Where messages of interruptions end that failed.
pub(super) const INTERRUPTION_DLQ: &str = "fargate-spot-interruption-dlq";

/// A journey under way.
#[derive(Debug)]
pub struct Walk<'a> {
    pub(super) ground: &'a Ground<'a>,
    /// Whether the others wait for it.
    goes_ahead: Cell<bool>,
    stages: RefCell<Vec<String>>,
    /// When it began, in milliseconds since the epoch, to leave out of a log what was before.
    since: i64,
}

impl<'a> Walk<'a> {
    pub(super) fn new(ground: &'a Ground<'a>, goes_ahead: bool) -> Self {
        Self {
            ground,
            goes_ahead: Cell::new(goes_ahead),
            stages: RefCell::default(),
            since: i64::try_from(now().as_millis()).unwrap_or(0),
        }
    }

    /// The others need no longer wait for this one.
    pub(super) fn let_others_begin(&self) {
        if self.goes_ahead.replace(false) {
            self.ground.ahead.send_modify(|ahead| *ahead -= 1);
        }
    }

    pub(super) fn running(&self) -> &'a Running {
        self.ground.running
    }

    pub(super) fn world(&self) -> &'a World {
        &self.ground.running.world
    }

    pub(super) fn stages(&self) -> Vec<String> {
        self.stages.borrow().clone()
    }

    /// A stage is as it should be.
    pub(super) fn passed(&self, stage: impl Into<String>) {
        self.stages.borrow_mut().push(stage.into());
    }

    /// A service of the cell's region.
    pub(super) fn service(&self, account: &str, name: &str) -> ServiceId {
        super::service(&self.running().region, account, name)
    }

    /// Looks again and again until `probe` finds what it looks for; what it says instead is the problem once `limit` is over.
    #[expect(clippy::disallowed_methods, reason = "LocalStack lives by the wall clock")]
    pub(super) async fn until<T>(
        &self,
        what: &str,
        limit: Duration,
        mut probe: impl AsyncFnMut() -> Result<T, JourneyError>,
    ) -> Result<T, JourneyError> {
        let began = Instant::now();
        loop {
            match probe().await {
                Ok(found) => return Ok(found),
                Err(seen) if began.elapsed() > limit => {
                    return Err(Late { what: what.to_owned(), limit, source: Box::new(seen) });
                }
                Err(_) => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// The record of a service, once `holds`.
    pub(super) async fn record(
        &self,
        service: &ServiceId,
        what: &str,
        limit: Duration,
        holds: impl Fn(&Record) -> bool,
    ) -> Result<Record, JourneyError> {
        let what = format!("table: {service} {what}");
        self.until(&what, limit, async || match self.world().record(service).await {
            Ok(Some(record)) if holds(&record) => Ok(record),
            Ok(Some(record)) => Err(Unmet(format!("it is {}: {}", record.phase, record.reason))),
            Ok(None) => Err(Unmet("there is no item".into())),
            Err(error) => Err(error.into()),
        })
        .await
    }

    /// A line in a function's log since the journey began, with all of `words`.
    pub(super) async fn log(&self, function: &str, words: &[&str]) -> Result<(), JourneyError> {
        let what = format!("log of {function}: a line with {words:?}");
        self.until(&what, SOON, async || {
            let lines = functions::log_lines(&self.running().clients, function, self.since, words).await;
            match lines {
                Ok(lines) if lines.is_empty() => Err(Unmet("none yet".into())),
                Ok(_) => Ok(()),
                Err(error) => Err(error.into()),
            }
        })
        .await?;
        self.passed(format!("log: {function} says {}", words.join(", ")));
        Ok(())
    }

    /// The same in the log of any function: a transition is made by whichever has the turn of the account.
    pub(super) async fn log_of_any(&self, words: &[&str]) -> Result<(), JourneyError> {
        let clients = &self.running().clients;
        let what = format!("log of any function: a line with {words:?}");
        let function = self
            .until(&what, SOON, async || {
                for function in functions::HANDLERS {
                    if !functions::log_lines(clients, function, self.since, words).await?.is_empty() {
                        return Ok(function);
                    }
                }
                Err(Unmet("none yet".into()))
            })
            .await?;
        self.passed(format!("log: {function} says {}", words.join(", ")));
        Ok(())
    }

    /// So many messages about a service have been handled.
    pub(super) async fn handled(&self, service: &ServiceId, count: usize) -> Result<(), JourneyError> {
        let (clients, name) = (&self.running().clients, service.to_string());
        let what = format!("log: {count} messages about {service} are handled");
        self.until(&what, SOON, async || {
            let words = ["event handled", &name];
            let lines = functions::log_lines(clients, functions::PLACEMENT_FAILURE_HANDLER, self.since, &words).await;
            match lines?.len() {
                found if found >= count => Ok(()),
                found => Err(Unmet(format!("{found} are"))),
            }
        })
        .await?;
        self.passed(what);
        Ok(())
    }

    /// A queue without messages, visible or in flight.
    pub(super) async fn drained(&self, queue: &str, limit: Duration) -> Result<(), JourneyError> {
        let what = format!("queue: {queue} is drained");
        self.until(&what, limit, async || match functions::depth(&self.running().clients, queue).await {
            Ok((0, 0)) => Ok(()),
            Ok((visible, in_flight)) => Err(Unmet(format!("{visible} visible, {in_flight} in flight"))),
            Err(error) => Err(error.into()),
        })
        .await?;
        self.passed(format!("{what}: 0 visible, 0 in flight"));
        Ok(())
    }

    /// A transition of a service that was announced on the central bus.
    pub(super) async fn announced(
        &self,
        service: &ServiceId,
        from: Option<Phase>,
        to: Phase,
        reason: &str,
    ) -> Result<(), JourneyError> {
        let name = |phase: Option<Phase>| phase.map_or("(none)".to_owned(), |phase| phase.to_string());
        let what = format!("audit: {} → {to}, {reason}", name(from));
        self.until(&what, SOON, async || {
            let audits = self.world().audits(service);
            let found = audits.iter().any(|t| (t.from, t.to) == (from, Some(to)) && t.reason.contains(reason));
            let seen = || audits.iter().map(|t| format!("{} → {}: {}", name(t.from), name(t.to), t.reason));
            if found { Ok(()) } else { Err(Unmet(format!("announced was {:?}", seen().collect::<Vec<_>>()))) }
        })
        .await?;
        self.passed(what);
        Ok(())
    }

    /// ECS shows a service on `strategy`, running in full, on Spot or not.
    pub(super) async fn runs_on(
        &self,
        service: &ServiceId,
        strategy: &Strategy,
        limit: Duration,
    ) -> Result<(), JourneyError> {
        let what = format!("ECS: {service} runs in full on {strategy}");
        self.until(&what, limit, async || {
            let seen = self.world().look(service).ok_or_else(|| Unmet("there is no such service".into()))?;
            let live: Option<Strategy> = serde_json::from_value(seen["strategy"].clone()).ok();
            let number = |name: &str| seen[name].as_u64().unwrap_or(0);
            let on_spot = number("runningOnSpot");
            let right = live.as_ref() == Some(strategy) && (strategy.uses_spot() || on_spot == 0);
            let full = number("running") == number("desired") && number("deployments") == 1;
            if right && full { Ok((number("running"), on_spot)) } else { Err(Unmet(format!("it shows {seen}"))) }
        })
        .await
        .map(|(running, on_spot)| self.passed(format!("{what}: {running} tasks, {on_spot} of them on Spot")))
    }

    /// The recovery forced just so many deployments on a service so far.
    pub(super) fn forced(&self, service: &ServiceId, count: u32) -> Result<(), JourneyError> {
        let found = self.world().forced(service);
        if found != count {
            return Err(Unmet(format!("ECS: UpdateService of {service} took effect {found} times, not {count}")));
        }
        let times = ["never", "once", "twice"][count.min(2) as usize];
        self.passed(format!("ECS: UpdateService of {service} took effect {times}"));
        Ok(())
    }

    /// A message of a DLQ that has `words` in it.
    pub(super) async fn dead_letter(&self, dlq: &str, words: &str, limit: Duration) -> Result<Value, JourneyError> {
        let clients = &self.running().clients;
        let url = clients.queue_url(dlq).await?;
        let what = format!("queue: a message with {words} in {dlq}");
        let found = self.until(&what, limit, async || {
            // Looked at and left there.
            let some = clients.sqs.receive_message().queue_url(&url).max_number_of_messages(10).visibility_timeout(0);
            let some = some.send().await.map_err(failed(dlq))?;
            let body = some.messages().iter().filter_map(|message| message.body()).find(|body| body.contains(words));
            body.map(str::to_owned).ok_or_else(|| Unmet(format!("{} others are there", some.messages().len())))
        });
        let body = found.await?;
        self.passed(what);
        Ok(serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }
}
