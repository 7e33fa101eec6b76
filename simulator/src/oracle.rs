//! Knows the truth and checks at every step what must never be otherwise (DESIGN §3, invariants).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use handlers::record::{Phase, Record};
use handlers::service::ServiceId;
use handlers::strategy::Strategy;
use handlers::timestamp::Timestamp;

use crate::trace::Happening;
use crate::world::World;

/// A handler acts on a look that may be this old: its own longest run, and a stale read. What an owner chose within this time
/// before, it cannot know.
const UNKNOWABLE: Duration = Duration::from_secs(90);

/// The truth about whose strategy is whose, and every breach found.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    /// What each owner chose, and since when; the last is in force.
    owners: BTreeMap<ServiceId, Vec<(Timestamp, Strategy)>>,
    pub(crate) violations: Vec<String>,
    /// Services whose owner lost a choice to a rollback.
    pub(crate) owners_rolled_back: BTreeSet<ServiceId>,
}

impl Oracle {
    pub(crate) fn owner_chose(&mut self, now: Timestamp, service: &ServiceId, strategy: &Strategy) {
        self.owners.entry(service.clone()).or_default().push((now, strategy.clone()));
    }

    /// ECS rolled a deployment back. Which of several choices of its owner the service then stands for, nobody can tell: two of
    /// them may have the same fallback. From now on any of them is credible.
    pub(crate) fn rolled_back(&mut self, service: &ServiceId) {
        if self.owners.get(service).is_some_and(|chosen| chosen.len() > 1) {
            self.owners_rolled_back.insert(service.clone());
        }
    }

    pub(crate) fn owners_strategy(&self, service: &ServiceId) -> Option<&Strategy> {
        self.owners.get(service)?.last().map(|(_, strategy)| strategy)
    }

    /// What a handler may take for the owner's strategy now: the one in force, those replaced only just now, and after a rollback
    /// any.
    fn credible(&self, service: &ServiceId, now: Timestamp) -> impl Iterator<Item = &Strategy> {
        let chosen = self.owners.get(service).map_or(&[][..], Vec::as_slice);
        let any = self.owners_rolled_back.contains(service);
        let in_force =
            move |n: usize| any || chosen.get(n + 1).is_none_or(|(replaced, _)| now.since(*replaced) < UNKNOWABLE);
        chosen.iter().enumerate().filter(move |(n, _)| in_force(*n)).map(|(_, (_, strategy))| strategy)
    }
}

impl World {
    /// The saved original is the owner's strategy, item by item, always.
    pub(crate) fn judge_record(&mut self, record: &Record) {
        let Some(saved) = &record.original else {
            if matches!(record.phase, Phase::FailingOver | Phase::OnDemand | Phase::Restoring) {
                self.violation(&record.service, format!("{} without a saved original", record.phase));
            }
            return;
        };
        // Whoever may not look cannot know; a held record is checked again before anything is done with it.
        if record.phase == Phase::Held {
            return;
        }
        if !self.oracle.credible(&record.service, self.now).any(|owners| owners.items() == saved.items()) {
            let owners = self.oracle.owners_strategy(&record.service);
            let owners = owners.map_or("none".to_owned(), Strategy::to_string);
            self.violation(&record.service, format!("saved original is {saved}, the owner's strategy is {owners}"));
        }
    }

    /// A forced deployment of ours changes the strategy, and only between the owner's, its fallback and its probe: so no
    /// strategy of someone else is ever overwritten.
    pub(crate) fn judge_forced_deployment(
        &mut self,
        service: &ServiceId,
        changed: Option<&Strategy>,
        deployment: &str,
    ) {
        let Some(strategy) = changed else {
            self.violation(service, format!("deployment {deployment} forced without a change of strategy"));
            return;
        };
        let ours = |o: &Strategy| *strategy == *o || *strategy == o.fallback() || *strategy == o.probe();
        if !self.oracle.credible(service, self.now).any(ours) {
            self.violation(service, format!("{strategy} is neither the owner's strategy nor its fallback or probe"));
        }
    }

    fn violation(&mut self, service: &ServiceId, invariant: String) {
        self.oracle.violations.push(format!("{service}: {invariant}"));
        self.record(Some(service), Happening::Violation { invariant });
    }
}
