//! What the pictures show of a run: how many tasks of a service ran, in which phase its record was, what happened to it, and what
//! the markets of its account had. All of it is read off the outcome; nothing is recorded for the pictures but the counts.

use std::collections::BTreeMap;

use handlers::record::Phase;
use handlers::service::{AccountId, ServiceId};
use serde::Serialize;
use simulator::spec::Capacity;
use simulator::trace::{Caller, Entry, Happening};
use simulator::{Outcome, ServiceOutcome};

use crate::timeline::each;
use crate::timeline::fleet::accounts_of;

/// The run of one service.
pub(super) struct Course<'o> {
    pub(super) service: &'o ServiceOutcome,
    /// Since when its record is in which phase, in milliseconds from the start; `None` is no record.
    pub(super) phases: Vec<(u64, Option<Phase>)>,
    pub(super) marks: Vec<Mark>,
}

/// Something that happened, as a mark on a picture.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mark {
    /// Milliseconds from the start.
    pub(super) at_ms: u64,
    pub(super) kind: Kind,
    /// The words of the timeline.
    pub(super) what: String,
    /// Whom it concerns, if it is not about one service; none is everybody.
    pub(super) accounts: Vec<AccountId>,
}

/// What a mark looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// Spot tasks got the two-minute warning.
    Interrupted,
    /// Spot tasks went without a warning.
    Vanished,
    /// Tasks could not be placed.
    Unplaced,
    /// Spot Recovery updated the service, which forces a deployment.
    Recovery,
    /// The owner did something.
    Owner,
    /// A deployment was completed.
    Completed,
    /// ECS rolled a deployment back, or an alarm went off.
    RolledBack,
    /// A call was refused, or an invariant broken.
    Refused,
    /// The record changed its phase.
    Phase,
    /// The capacity of markets changed.
    Market,
    /// Anything else.
    Other,
}

impl Kind {
    fn of(what: &Happening) -> Self {
        match what {
            Happening::Interrupted { .. } => Self::Interrupted,
            Happening::Vanished { .. } => Self::Vanished,
            Happening::PlacementFailure { .. } => Self::Unplaced,
            Happening::Updated { caller: Caller::Recovery, .. } => Self::Recovery,
            Happening::Updated { .. } | Happening::Owner { .. } => Self::Owner,
            Happening::DeploymentCompleted { .. } => Self::Completed,
            Happening::RolledBack { .. } | Happening::Alarm => Self::RolledBack,
            Happening::UpdateRefused { .. } | Happening::EventRefused { .. } | Happening::Violation { .. } => {
                Self::Refused
            }
            Happening::Phase { .. } => Self::Phase,
            Happening::SpotCapacity { .. }
            | Happening::SpotShape { .. }
            | Happening::SpotRebalance { .. }
            | Happening::SpotZone { .. }
            | Happening::OnDemandCapacity { .. } => Self::Market,
            _ => Self::Other,
        }
    }
}

/// The capacities of one account over time, in tasks: since when, in milliseconds from the start, and how many; `None` is unlimited.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct Markets {
    pub(super) spot: Vec<(u64, Option<u32>)>,
    pub(super) on_demand: Vec<(u64, Option<u32>)>,
}

/// The courses of `services`, in their order, and what happened to no single service.
pub(super) fn courses<'o>(outcome: &'o Outcome, services: &[&'o ServiceOutcome]) -> (Vec<Course<'o>>, Vec<Mark>) {
    let mut entries: BTreeMap<&ServiceId, Vec<&Entry>> = services.iter().map(|s| (&s.id, Vec::new())).collect();
    let mut of_world = Vec::new();
    for entry in &outcome.trace {
        match &entry.service {
            None => of_world.push(entry),
            Some(service) => entries.get_mut(service.as_ref()).into_iter().for_each(|entries| entries.push(entry)),
        }
    }
    let course = |service: &&'o ServiceOutcome| {
        let entries = entries.remove(&service.id).unwrap_or_default();
        let phases = entries.iter().filter_map(|entry| match entry.what {
            Happening::Phase { to, .. } => Some((entry.at.as_millis() as u64, to)),
            _ => None,
        });
        Course { service, phases: phases.collect(), marks: marks(entries) }
    };
    let courses = services.iter().map(course).collect();
    (courses, marks(of_world))
}

fn marks<'t>(entries: impl IntoIterator<Item = &'t Entry>) -> Vec<Mark> {
    let told = each::lines(entries);
    told.into_iter()
        .map(|(line, entry)| Mark {
            at_ms: line.at_ms,
            kind: Kind::of(&entry.what),
            what: line.phases().map(|phases| format!("{phases}: {}", line.what)).unwrap_or(line.what),
            accounts: accounts_of(&entry.what).cloned().collect(),
        })
        .collect()
}

/// The markets of every account that has one of `services`. Every market is unlimited at first.
pub(super) fn markets<'o>(outcome: &'o Outcome, services: &[&'o ServiceOutcome]) -> BTreeMap<&'o AccountId, Markets> {
    let unlimited = || Markets { spot: vec![(0, None)], on_demand: vec![(0, None)] };
    let mut markets: BTreeMap<&AccountId, Markets> = services.iter().map(|s| (&s.id.account, unlimited())).collect();
    for entry in &outcome.trace {
        let (accounts, capacity, of_spot) = match &entry.what {
            Happening::SpotCapacity { accounts, capacity, .. } => (accounts, capacity, true),
            Happening::OnDemandCapacity { accounts, capacity } => (accounts, capacity, false),
            _ => continue,
        };
        let tasks = match capacity {
            Capacity::Tasks(tasks) => Some(*tasks),
            Capacity::Unlimited => None,
        };
        for account in accounts {
            let Some(market) = markets.get_mut(account) else { continue };
            let room = if of_spot { &mut market.spot } else { &mut market.on_demand };
            room.push((entry.at.as_millis() as u64, tasks));
        }
    }
    markets
}
