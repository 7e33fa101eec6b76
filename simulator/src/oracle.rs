//! Knows the truth and checks at every step what must never be otherwise (DESIGN §3, invariants).

use std::collections::BTreeMap;

use handlers::record::{Phase, Record};
use handlers::service::ServiceId;
use handlers::strategy::Strategy;

use crate::trace::Happening;
use crate::world::World;

/// The truth about whose strategy is whose, and every breach found.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    owners: BTreeMap<ServiceId, Strategy>,
    pub(crate) violations: Vec<String>,
}

impl Oracle {
    pub(crate) fn owner_chose(&mut self, service: &ServiceId, strategy: &Strategy) {
        self.owners.insert(service.clone(), strategy.clone());
    }

    pub(crate) fn owners_strategy(&self, service: &ServiceId) -> Option<&Strategy> {
        self.owners.get(service)
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
        let owners = self.oracle.owners_strategy(&record.service);
        if owners.map(Strategy::items) != Some(saved.items()) {
            let owners = owners.map_or("none".to_owned(), Strategy::to_string);
            self.violation(&record.service, format!("saved original is {saved}, the owner's strategy is {owners}"));
        }
    }

    /// A forced deployment of ours changes the strategy, and only between the owner's and its fallback.
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
        let owners = self.oracle.owners_strategy(service).cloned();
        let allowed = owners.is_some_and(|o| *strategy == o || *strategy == o.fallback());
        if !allowed {
            self.violation(service, format!("{strategy} is neither the owner's strategy nor its fallback"));
        }
    }

    fn violation(&mut self, service: &ServiceId, invariant: String) {
        self.oracle.violations.push(format!("{service}: {invariant}"));
        self.record(Some(service), Happening::Violation { invariant });
    }
}
