//! The events of a batch: of each service the one that says most, of each account in its turn.
//!
//! While an account is somebody else's turn, what an event says is marked in the record, and whoever has the turn works the marks
//! off. So a storm of events costs reads and writes of the table, and calls to ECS only by one handler at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;

use super::sweep::WorkOff;
use super::turns::{Asked, For};
use super::{MAX_STEPS, ReconcileError, Reconciler, Seen, Write};
use crate::decide::{Reason, Trigger};
use crate::event::{Event, Signal};
use crate::policy::InterruptionPolicy;
use crate::ports::{Cluster, DESCRIBE_LIMIT, Ports};
use crate::record::{Mark, Phase, Record};
use crate::service::{AccountId, Region, ServiceId, ServiceName};
use crate::timestamp::Timestamp;

/// What an event came to, or why its message comes back.
pub type Outcome = Result<Reason, ReconcileError>;

/// A service, and the event that says most about it.
#[derive(Debug)]
struct Told<'e> {
    event: &'e Event,
    record: Option<Arc<Record>>,
}

impl<P: Ports> Reconciler<'_, P> {
    /// Looks at the services that the events speak of, and takes each as far as it goes now. One outcome for each event, in their
    /// order; events about one service share it.
    pub async fn on_events(&self, events: &[Event]) -> Vec<Outcome> {
        let mut accounts: BTreeMap<(&AccountId, &Region), BTreeMap<&ServiceId, Vec<&Event>>> = BTreeMap::new();
        for event in events {
            let services = accounts.entry((&event.service.account, &event.service.region)).or_default();
            services.entry(&event.service).or_default().push(event);
        }
        let accounts =
            accounts.into_iter().map(|((account, region), services)| self.on_account(account, region, services));
        let outcomes: BTreeMap<&ServiceId, Outcome> = join_all(accounts).await.into_iter().flatten().collect();
        let unsettled = |event: &Event| Err(ReconcileError::Unsettled(event.service.clone()));
        events.iter().map(|event| outcomes.get(&event.service).cloned().unwrap_or_else(|| unsettled(event))).collect()
    }

    /// The same for one event.
    ///
    /// # Errors
    /// [`ReconcileError`]: the message should come back.
    pub async fn on_event(&self, event: &Event) -> Outcome {
        let unsettled = Err(ReconcileError::Unsettled(event.service.clone()));
        self.on_events(std::slice::from_ref(event)).await.pop().unwrap_or(unsettled)
    }

    /// Goes on with what is due of an account, unless somebody else has its turn.
    pub async fn go_on(&self, account: &AccountId, region: &Region) {
        self.work_off(account, region, WorkOff::Due).await;
    }

    async fn on_account<'e>(
        &self,
        account: &AccountId,
        region: &Region,
        services: BTreeMap<&'e ServiceId, Vec<&'e Event>>,
    ) -> Vec<(&'e ServiceId, Outcome)> {
        let (mut outcomes, mut told) = (Vec::new(), Vec::new());
        let read = services.into_iter().map(async |(service, events)| (service, self.told(service, &events).await));
        for (service, read) in join_all(read).await {
            match read {
                Ok(found) => told.push(found),
                Err(outcome) => outcomes.push((service, outcome)),
            }
        }
        if told.is_empty() {
            return outcomes;
        }
        match self.take_turn(account, region, For::Looks).await {
            Ok(Asked::Ours) => {
                outcomes.extend(self.settle_told(told).await);
                self.give_turn_back(account).await;
                self.work_off(account, region, WorkOff::Marked).await;
            }
            Ok(Asked::Held { until, backed }) => outcomes.extend(self.mark_told(told, until, backed).await),
            Err(error) => outcomes.extend(told.iter().map(|told| {
                let service = &told.event.service;
                (service, Err(ReconcileError::Store { service: service.clone(), error: error.clone() }))
            })),
        }
        outcomes
    }

    /// The event about a service that says most, if any of them asks for a look.
    async fn told<'e>(&self, service: &ServiceId, events: &[&'e Event]) -> Result<Told<'e>, Outcome> {
        // The record first: a claim then proves that nobody of ours acted since before the look.
        let record = self.read(service).await.map_err(Err)?;
        let now = self.ports.now();
        if let Some(lease) = record.as_ref().and_then(|record| record.lease.as_ref()).filter(|lease| now < lease.until)
        {
            return Err(Err(ReconcileError::Leased { service: service.clone(), until: lease.until }));
        }
        let news = |event: &&&Event| record.as_ref().is_none_or(|record| self.is_news(record, event, now));
        let strongest = events.iter().filter(news).max_by_key(|event| (self.rank(event.signal), event.at));
        let Some(event) = strongest.copied() else { return Err(Ok(Reason::NothingNew)) };
        Ok(Told { event, record })
    }

    /// Whether an event asks for a look at a service with this record.
    pub(super) fn is_news(&self, record: &Record, event: &Event, now: Timestamp) -> bool {
        let only_exists = event.signal == Signal::SpotTask && record.is_at_peace();
        // ECS winds down what was replaced.
        let winds_down = record.phase == Phase::OnDemand && event.at < record.phase_since + self.policy.settle;
        !only_exists && !winds_down && !record.outdates(event, self.policy, now)
    }

    /// Which of two events about one service says more.
    pub(super) fn rank(&self, signal: Signal) -> u8 {
        match signal {
            Signal::SyntheticPlacementFailure => 5,
            Signal::Interruption if self.policy.interruption_policy == InterruptionPolicy::Immediate => 4,
            Signal::SpotPlacementFailure => 3,
            Signal::Interruption => 2,
            Signal::OnDemandPlacementFailure | Signal::SpotTaskStopped => 1,
            Signal::SpotTask => 0,
        }
    }

    /// Ten services of a cluster are looked at with one call.
    async fn settle_told<'e>(&self, mut told: Vec<Told<'e>>) -> Vec<(&'e ServiceId, Outcome)> {
        let mut outcomes = Vec::new();
        while let Some(first) = told.first() {
            let cluster = Cluster::of(&first.event.service);
            let (here, elsewhere): (Vec<_>, Vec<_>) =
                told.into_iter().partition(|told| cluster.holds(&told.event.service));
            told = elsewhere;
            for batch in here.chunks(DESCRIBE_LIMIT) {
                outcomes.extend(self.settle_batch(&cluster, batch).await);
            }
        }
        outcomes
    }

    async fn settle_batch<'e>(&self, cluster: &Cluster, batch: &[Told<'e>]) -> Vec<(&'e ServiceId, Outcome)> {
        let names: Vec<ServiceName> = batch.iter().map(|told| told.event.service.service.clone()).collect();
        let (looks, at) = match self.look_at_all(cluster, &names).await {
            Ok(looks) => looks,
            Err(error) => {
                let failed =
                    |service: &ServiceId| ReconcileError::Ecs { service: service.clone(), error: error.clone() };
                return batch.iter().map(|told| (&told.event.service, Err(failed(&told.event.service)))).collect();
            }
        };
        let settles = batch.iter().zip(looks).map(async |(Told { event, record }, look)| {
            let (service, trigger, seen) = (&event.service, Trigger::Event(event), Seen { look, at });
            (service, self.settle(service, trigger, record.clone(), seen, None).await)
        });
        join_all(settles).await
    }

    /// The account is somebody else's turn, until `until`. In case that handler has died one message comes back then, unless it has
    /// sent one itself.
    async fn mark_told<'e>(
        &self,
        told: Vec<Told<'e>>,
        until: Timestamp,
        backed: bool,
    ) -> Vec<(&'e ServiceId, Outcome)> {
        let marks = told.into_iter().map(async |Told { event, record }| {
            (&event.service, self.mark(event, record).await.map(|()| Reason::LeftToTurn))
        });
        let mut outcomes = join_all(marks).await;
        if !backed && let Some((service, outcome)) = outcomes.iter_mut().find(|(_, outcome)| outcome.is_ok()) {
            *outcome = Err(ReconcileError::Turn { service: (*service).clone(), until });
        }
        outcomes
    }

    /// Leaves an event to whoever has the account's turn next.
    ///
    /// # Errors
    /// [`ReconcileError`]: it is not marked.
    pub async fn leave(&self, event: &Event) -> Result<(), ReconcileError> {
        let record = self.read(&event.service).await?;
        if record.as_ref().is_some_and(|record| !self.is_news(record, event, self.ports.now())) {
            return Ok(());
        }
        self.mark(event, record).await
    }

    /// Marks in the record what an event says, unless it says as much already.
    pub(super) async fn mark(&self, event: &Event, mut record: Option<Arc<Record>>) -> Result<(), ReconcileError> {
        for _ in 0..MAX_STEPS {
            let now = self.ports.now();
            let reason = Reason::FirstSeen;
            let new = || Arc::new(Record { reason: reason.text(), ..Record::new(event.service.clone(), now) });
            let mut next = record.clone().unwrap_or_else(new);
            let says_as_much = |mark: &Mark| (self.rank(mark.signal), mark.at) >= (self.rank(event.signal), event.at);
            // Whoever has claimed it meanwhile looks at it.
            if next.is_leased(now) || next.mark.as_ref().is_some_and(says_as_much) {
                return Ok(());
            }
            // Who has waited longest comes first, whatever was told since.
            let waits_since = next.mark.as_ref().map_or(now, |mark| mark.due.min(now));
            Arc::make_mut(&mut next).mark = Some(Mark { due: waits_since, ..Mark::new(event, now) });
            match self.write(record.as_deref(), next, &reason, &mut Vec::new()).await? {
                Write::Done(_) => return Ok(()),
                Write::Lost(stored) => record = stored,
            }
        }
        Err(ReconcileError::Unsettled(event.service.clone()))
    }
}
