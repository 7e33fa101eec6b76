//! The only caller of the ports: observe → decide → claim → look again, unless the look is fresh → act → confirm, and the sweep over
//! due records.
//!
//! Events are in `reconcile/events.rs`, the sweep in `reconcile/sweep.rs`, whose turn an account is in `reconcile/turns.rs`.
//!
//! A transition is stored in the record that it led to, by the same write. The sweep that next comes to the record announces it: none
//! is lost with a handler that is killed, and no fallback waits for the bus. One may be announced twice.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::decide::{self, Context, Decision, Reason, Trigger, decide};
use crate::market::{Finding, Market};
use crate::observation::{Look, Observation};
use crate::policy::Policy;
use crate::ports::{ANNOUNCE_LIMIT, Cluster, DESCRIBE_LIMIT, EcsError, Ports, Put, StoreError, UpdateError};
use crate::record::Record;
use crate::service::{AccountId, Region, ServiceId, ServiceName};
use crate::timestamp::Timestamp;
use crate::transition::Transition;

mod events;
mod sweep;
mod turns;

pub use events::Outcome;
use turns::{AFTER_END, Account};

/// Most steps one service takes in one go: claim, update, confirm, and a lost race or two. More would be a loop.
const MAX_STEPS: usize = 8;

/// A look this young is acted on without another: it was made after the record was read, and the claim then proves that none of us
/// acted meanwhile. An owner who did is found in the answer to the update.
const FRESH: Duration = Duration::from_secs(3);

/// So long before its end an invocation begins no more work: what it has begun, ten services of an account at most, it can finish. One
/// with less than twice that time works for half of it.
pub const WIND_UP: Duration = Duration::from_secs(10);

/// What a handler that has died held is free after this moment.
const MOMENT: Duration = Duration::from_secs(1);

/// What is wrong with an answer of `DescribeServices` that has fewer services than were asked for.
const INCOMPLETE: &str = "a service asked for is missing from the answer";

/// Most times a market is written again after somebody else's write came first. What it says is advice; a finding lost here
/// costs time, not correctness.
const MARKET_TRIES: usize = 4;

/// Most transitions that wait in a record while the bus takes none: an item must not grow for ever.
pub const MOST_UNANNOUNCED: usize = 20;

/// A service could not be brought to the end of its step; the message or the sweep comes back to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReconcileError {
    /// No look at the service.
    #[error("{service}: {error}")]
    Ecs {
        /// Which service.
        service: ServiceId,
        /// What ECS said.
        error: EcsError,
    },
    /// The update was throttled or its outcome is unknown.
    #[error("{service}: {error}")]
    Update {
        /// Which service.
        service: ServiceId,
        /// What ECS said.
        error: UpdateError,
    },
    /// The state table did not answer.
    #[error("{service}: {error}")]
    Store {
        /// Which service.
        service: ServiceId,
        /// What the table said.
        error: StoreError,
    },
    /// Another handler is acting on the service: the message comes back in case that one has died.
    #[error("{service}: another handler is acting, until {until} at the latest")]
    Leased {
        /// Which service.
        service: ServiceId,
        /// When its claim ends.
        until: Timestamp,
    },
    /// Another handler has the turn of the account, and the event is marked for it: the message comes back in case that one has died.
    #[error("{service}: left to the handler that has the turn of its account, until {until} at the latest")]
    Turn {
        /// Which service.
        service: ServiceId,
        /// When the turn ends.
        until: Timestamp,
    },
    /// No end was reached within the steps allowed.
    #[error("{0}: no end after {MAX_STEPS} steps; looked at again when due")]
    Unsettled(ServiceId),
}

/// What one sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Records that were due: to be looked at, or announced.
    pub looked_at: usize,
    /// Records whose step could not be finished; they stay due.
    pub failed: usize,
}

/// One invocation of a handler: its ports, its policy and the token its claims carry.
pub struct Reconciler<'a, P> {
    ports: &'a P,
    policy: &'a Policy,
    owner: String,
    /// Services settled so far: each has a claim of its own, also when two messages of a batch are about the same one.
    settled: Cell<u32>,
    /// Turns and paces, by account.
    accounts: RefCell<BTreeMap<AccountId, Account>>,
    /// When the invocation ends at the latest, and when it begins no more work.
    ends_at: Option<Timestamp>,
    until: Option<Timestamp>,
    /// Markets of the cell's region as this invocation last read or wrote them: what they say is advice, and a minute old at most.
    markets: RefCell<BTreeMap<AccountId, Rc<Market>>>,
    /// Whether the bus has failed: the sweep does not wait for it again, services are more urgent.
    bus_fails: Cell<bool>,
    /// Most services of an account that are settled side by side.
    at_once: Cell<usize>,
    /// What decides in the place of [`decide()`].
    #[cfg(feature = "planted")]
    planted: Decide,
}

/// The type of [`decide()`], for a test that plants a bug around it.
#[cfg(feature = "planted")]
pub type Decide = Rc<dyn Fn(&ServiceId, Option<&Record>, &Look, &Context<'_>) -> Decision>;

impl<'a, P: Ports> Reconciler<'a, P> {
    /// `owner` must be unique to the attempt: it tells our own claim from another's. Lambda's request id alone is not, a retry
    /// of the same event has the same.
    pub fn new(ports: &'a P, policy: &'a Policy, owner: impl Into<String>) -> Self {
        Self {
            ports,
            policy,
            owner: owner.into(),
            settled: Cell::new(0),
            accounts: RefCell::default(),
            ends_at: None,
            until: None,
            markets: RefCell::default(),
            bus_fails: Cell::new(false),
            at_once: Cell::new(DESCRIBE_LIMIT),
            #[cfg(feature = "planted")]
            planted: Rc::new(decide),
        }
    }

    /// The invocation ends at `ends_at`: what is not done [`WIND_UP`] before that is handed on.
    #[must_use]
    pub fn ending(self, ends_at: Timestamp) -> Self {
        let wind_up = WIND_UP.min(ends_at.since(self.ports.now()) / 2);
        Self { ends_at: Some(ends_at), until: Some(ends_at - wind_up), ..self }
    }

    /// Lets `planted` decide from now on.
    #[cfg(feature = "planted")]
    #[must_use]
    pub fn planting(self, planted: Decide) -> Self {
        Self { planted, ..self }
    }

    /// The tunables in force.
    pub fn policy(&self) -> &Policy {
        self.policy
    }

    /// How long a message with this error waits for the end of what it met, if for anything.
    pub fn retry_in(&self, error: &ReconcileError) -> Option<Duration> {
        match error {
            ReconcileError::Leased { until, .. } | ReconcileError::Turn { until, .. } => {
                Some(until.since(self.ports.now()) + MOMENT)
            }
            _ => None,
        }
    }

    /// Takes the service as far as it goes now, and then tells its market: a fallback must not wait for that. A mark of the record
    /// that says no more than the trigger is acted on with it.
    async fn settle(
        &self,
        service: &ServiceId,
        trigger: Trigger<'_>,
        mut record: Option<Arc<Record>>,
        seen: Seen,
        market: Option<&Market>,
    ) -> Result<Reason, ReconcileError> {
        let mut unmarks = false;
        if let (Trigger::Event(event), Some(record)) = (trigger, &mut record)
            && record.mark.as_ref().is_some_and(|mark| self.rank(mark.signal) <= self.rank(event.signal))
        {
            Arc::make_mut(record).mark = None;
            unmarks = true;
        }
        let mut findings = Vec::new();
        let settled = self.take_steps(service, trigger, (record, unmarks), seen, market, &mut findings).await;
        for finding in findings {
            self.tell_market(service, finding).await;
        }
        settled
    }

    /// Decides and acts until nothing more is to be done now. Of a record that lost its mark, that is written at the latest then.
    async fn take_steps(
        &self,
        service: &ServiceId,
        trigger: Trigger<'_>,
        (mut record, mut unmarks): (Option<Arc<Record>>, bool),
        mut seen: Seen,
        market: Option<&Market>,
        findings: &mut Vec<Finding>,
    ) -> Result<Reason, ReconcileError> {
        self.settled.set(self.settled.get() + 1);
        let owner = [&*self.owner, &self.settled.get().to_string()].join("/");
        for _ in 0..MAX_STEPS {
            let ctx = Context { trigger, policy: self.policy, now: self.ports.now(), owner: &owner, market };
            #[cfg(feature = "planted")]
            let decide = &*self.planted;
            match decide(service, record.as_deref(), &seen.look, &ctx) {
                Decision::Leave(reason) => {
                    tracing::debug!(account = %service.account, %service, %reason, "left alone");
                    if let Some(record) = record.filter(|_| unmarks) {
                        // Somebody else's write has the mark still: it is acted on once more.
                        self.put(record).await?;
                    }
                    return Ok(reason);
                }
                Decision::Write(next, reason) => match self.write(record.as_deref(), next, &reason, findings).await? {
                    Write::Done(_) => return Ok(reason),
                    Write::Lost(stored) => {
                        (record, unmarks) = (stored, false);
                        seen = self.look(service).await?;
                    }
                },
                Decision::Claim(..) if !self.may_change(service).await? => {
                    if let Trigger::Event(event) = trigger {
                        self.mark(event, record).await?;
                    }
                    return Ok(Reason::LeftToTurn);
                }
                Decision::Claim(mut next, reason) => {
                    unmarks = false;
                    self.end_claim_with_us(Arc::make_mut(&mut next));
                    record = match self.write(record.as_deref(), next, &reason, findings).await? {
                        Write::Done(claimed) => {
                            // A pace that leaves the account's own deploys their share of the bucket (aws-facts.md §4).
                            self.pace_update(&service.account).await;
                            if !seen.is_fresh(self.ports.now()) {
                                match self.look(service).await {
                                    Ok(again) => seen = again,
                                    Err(error) => {
                                        self.give_back(&claimed, &ctx).await?;
                                        return Err(error);
                                    }
                                }
                            }
                            Some(claimed)
                        }
                        Write::Lost(stored) => {
                            seen = self.look(service).await?;
                            stored
                        }
                    };
                }
                Decision::Update(claimed, strategy) => match self.ports.update_strategy(service, &strategy).await {
                    Ok(answer) => seen.look = Look::found(answer),
                    Err(UpdateError::Gone(_)) => seen.look = Look::Missing,
                    Err(UpdateError::Refused(reason)) => {
                        let (next, reason) = decide::refused(Arc::unwrap_or_clone(claimed), reason, &ctx);
                        self.write(record.as_deref(), Arc::new(next), &reason, findings).await?;
                        return Ok(reason);
                    }
                    Err(error @ UpdateError::Throttled(_)) => {
                        self.give_back(&claimed, &ctx).await?;
                        return Err(ReconcileError::Update { service: service.clone(), error });
                    }
                    // It may have happened, or may yet: read back, never send it again. If it does not show, the lease
                    // keeps everyone off until the request can no longer be under way.
                    Err(error @ UpdateError::Unclear(_)) => {
                        seen = self.look(service).await?;
                        // A look from before the claim may show the same strategy, of another outage.
                        let made = |seen: &Observation| {
                            seen.strategy.as_ref() == Some(&strategy) && !seen.is_older_than(claimed.phase_since)
                        };
                        if !matches!(&seen.look, Look::Found(seen) if made(seen)) {
                            return Err(ReconcileError::Update { service: service.clone(), error });
                        }
                    }
                },
                Decision::Forget(reason) => {
                    let Some(subject) = record.as_deref() else { return Ok(reason) };
                    let subject = &Record { reason: reason.text(), ..subject.clone() };
                    // With the record goes what it still has to tell.
                    self.announce(&subject.unannounced).await;
                    match self.ports.delete(subject).await.map_err(|error| store_error(service, error))? {
                        Put::Written => {
                            self.forgotten(subject, &reason, findings).await;
                            return Ok(reason);
                        }
                        Put::Conflict(stored) => {
                            (record, unmarks) = (stored, false);
                            seen = self.look(service).await?;
                        }
                    }
                }
            }
        }
        Err(ReconcileError::Unsettled(service.clone()))
    }

    /// No claim outlives its invocation for long: whoever goes on after that finds the record due.
    fn end_claim_with_us(&self, claimed: &mut Record) {
        if let (Some(ends_at), Some(lease)) = (self.ends_at, &mut claimed.lease) {
            lease.until = lease.until.min(ends_at + AFTER_END);
            claimed.next_check_at = lease.until;
        }
    }

    /// Nothing was done under this claim: the message that comes back need not wait for its lease to run out.
    async fn give_back(&self, claimed: &Record, ctx: &Context<'_>) -> Result<(), ReconcileError> {
        self.put(Arc::new(decide::postponed(claimed.clone(), ctx))).await.map(|_| ())
    }

    /// The market, read once. It is advice: what must be done is done without it, and a restore that cannot have it waits a little.
    /// Only a restore whose market will never be readable goes on without.
    async fn known_market(&self, account: &AccountId, region: &Region) -> Rc<Market> {
        if let Some(market) = self.markets.borrow().get(account) {
            return Rc::clone(market);
        }
        let market = Rc::new(self.market(account, region).await.unwrap_or_else(|error| {
            tracing::warn!(%account, %region, %error, "market not read");
            let unknown = Market::new(account.clone(), region.clone());
            match error {
                StoreError::Item(_) => unknown,
                StoreError::Unclear(_) => {
                    Market { closed_until: self.ports.now() + self.policy.active_interval, ..unknown }
                }
            }
        }));
        self.markets.borrow_mut().insert(account.clone(), Rc::clone(&market));
        market
    }

    async fn market(&self, account: &AccountId, region: &Region) -> Result<Market, StoreError> {
        let market = self.ports.market(account, region).await?;
        Ok(market.unwrap_or_else(|| Market::new(account.clone(), region.clone())))
    }

    /// Tells the market of a service what became of its restore.
    async fn tell_market(&self, service: &ServiceId, finding: Finding) {
        for _ in 0..MARKET_TRIES {
            let market = match self.market(&service.account, &service.region).await {
                Ok(market) => market.after(&service.record_id(), finding, self.policy, self.ports.now()),
                Err(error) => return tracing::warn!(%service, ?finding, %error, "market not told"),
            };
            match self.ports.put_market(&market).await {
                Ok(true) => {
                    self.markets.borrow_mut().insert(service.account.clone(), Rc::new(market));
                    return;
                }
                Ok(false) => {}
                Err(error) => return tracing::warn!(%service, ?finding, %error, "market not told"),
            }
        }
        tracing::warn!(%service, ?finding, "market not told, others kept writing it");
    }

    async fn read(&self, service: &ServiceId) -> Result<Option<Arc<Record>>, ReconcileError> {
        self.ports.get(service).await.map_err(|error| store_error(service, error))
    }

    async fn look(&self, service: &ServiceId) -> Result<Seen, ReconcileError> {
        let failed = |error| ReconcileError::Ecs { service: service.clone(), error };
        let looks = self.look_at_all(&Cluster::of(service), std::slice::from_ref(&service.service)).await;
        let (mut looks, at) = looks.map_err(failed)?;
        let look = looks.pop().ok_or_else(|| failed(EcsError::Unclear(INCOMPLETE.into())))?;
        Ok(Seen { look, at })
    }

    /// One look at up to [`DESCRIBE_LIMIT`](crate::ports::DESCRIBE_LIMIT) services of a cluster, and when it was asked for.
    async fn look_at_all(
        &self,
        cluster: &Cluster,
        services: &[ServiceName],
    ) -> Result<(Vec<Look>, Timestamp), EcsError> {
        self.pace_look(&cluster.account).await;
        let at = self.ports.now();
        let looks = self.ports.describe_services(cluster, services).await?;
        // An answer that is not complete is attributed to no service.
        if looks.len() == services.len() { Ok((looks, at)) } else { Err(EcsError::Unclear(INCOMPLETE.into())) }
    }

    /// Writes `next`, with the transition that it is, if the stored version is still the one it was decided from.
    async fn write(
        &self,
        before: Option<&Record>,
        mut next: Arc<Record>,
        reason: &Reason,
        findings: &mut Vec<Finding>,
    ) -> Result<Write, ReconcileError> {
        let transition = next.transition_from(before, reason.text(), self.ports.now());
        // What is left of another service of that name is announced too.
        let unannounced = &mut Arc::make_mut(&mut next).unannounced;
        *unannounced = before.map(|before| before.unannounced.clone()).unwrap_or_default();
        let moved = transition.is_some();
        unannounced.extend(transition);
        let too_many = unannounced.len().saturating_sub(MOST_UNANNOUNCED);
        let dropped: Vec<_> = unannounced.drain(..too_many).collect();
        let next = match self.put(next).await? {
            Write::Done(written) => written,
            lost @ Write::Lost(_) => return Ok(lost),
        };
        for transition in dropped {
            tracing::error!(service = %next.service, ?transition, "transition not announced: too many before it were not");
        }
        findings.extend(Finding::of(before, Some(&next)));
        if let (true, Some(transition)) = (moved, next.unannounced.last()) {
            self.note(&next.service, transition);
        }
        Ok(Write::Done(next))
    }

    /// A record was deleted: none is left to keep the transition that this is.
    async fn forgotten(&self, subject: &Record, reason: &Reason, findings: &mut Vec<Finding>) {
        findings.extend(Finding::of(Some(subject), None));
        let transition = subject.end(reason.text(), self.ports.now());
        self.note(&subject.service, &transition);
        self.announce(&[transition]).await;
    }

    /// Writes `next` in place of the version it was decided from.
    async fn put(&self, next: Arc<Record>) -> Result<Write, ReconcileError> {
        let replaces = next.version;
        let written = next.written(self.ports.now());
        match self.ports.put(&written, replaces).await.map_err(|error| store_error(&written.service, error))? {
            Put::Written => Ok(Write::Done(written)),
            // The reply to our own write was lost and the retry met it: what is stored is what we wrote.
            Put::Conflict(Some(stored)) if stored == written => Ok(Write::Done(written)),
            Put::Conflict(stored) => Ok(Write::Lost(stored)),
        }
    }

    /// The line of a transition in the log, and its metric.
    fn note(&self, service: &ServiceId, transition: &Transition) {
        tracing::info!(
            account = %service.account,
            %service,
            episode = transition.episode,
            from = ?transition.from,
            to = ?transition.to,
            reason = %transition.reason,
            "transition"
        );
        self.ports.measure(transition);
    }

    /// Returns how many were accepted, from the first on.
    async fn announce(&self, transitions: &[Transition]) -> usize {
        let mut accepted = 0;
        for transitions in transitions.chunks(ANNOUNCE_LIMIT) {
            if let Err(error) = self.ports.announce(transitions).await {
                tracing::error!(transitions = transitions.len(), %error, "transitions not announced");
                self.bus_fails.set(true);
                break;
            }
            accepted += transitions.len();
        }
        accepted
    }
}

/// A look at a service, and when it was asked for.
struct Seen {
    look: Look,
    at: Timestamp,
}

impl Seen {
    fn is_fresh(&self, now: Timestamp) -> bool {
        now.since(self.at) < FRESH
    }
}

enum Write {
    Done(Arc<Record>),
    Lost(Option<Arc<Record>>),
}

fn store_error(service: &ServiceId, error: StoreError) -> ReconcileError {
    ReconcileError::Store { service: service.clone(), error }
}
