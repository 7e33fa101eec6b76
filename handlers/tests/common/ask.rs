//! Asks `decide`, with the check of `table.rs`, and takes its answers apart.
#![allow(dead_code, reason = "every test file uses its own part of it")]

use std::sync::Arc;

use handlers::decide::{Context, Decision, Reason, Trigger};
use handlers::event::{Event, Signal};
use handlers::observation::{Look, Observation};
use handlers::policy::Policy;
use handlers::record::Record;
use handlers::strategy::Strategy as Spread;
use handlers::timestamp::Timestamp;

use crate::common::table::decide;
use crate::common::{ME, NOW, event, service};

pub(crate) fn ctx<'a>(trigger: Trigger<'a>, policy: &'a Policy, now: Timestamp) -> Context<'a> {
    Context { trigger, policy, now, owner: ME, market: None }
}

pub(crate) fn on_sweep_with(policy: &Policy, record: &Record, seen: &Observation, now: Timestamp) -> Decision {
    decide(&service(), Some(record), &Look::found(seen.clone()), &ctx(Trigger::Sweep, policy, now))
}

pub(crate) fn on_sweep(record: &Record, seen: &Observation, now: Timestamp) -> Decision {
    on_sweep_with(&Policy::default(), record, seen, now)
}

pub(crate) fn on_event_with(policy: &Policy, record: Option<&Record>, seen: &Observation, event: &Event) -> Decision {
    decide(&service(), record, &Look::found(seen.clone()), &ctx(Trigger::Event(event), policy, NOW))
}

pub(crate) fn on_event(record: Option<&Record>, seen: &Observation, signal: Signal) -> Decision {
    on_event_with(&Policy::default(), record, seen, &event(signal, NOW))
}

#[track_caller]
pub(crate) fn claimed(decision: Decision) -> (Record, Reason) {
    match decision {
        Decision::Claim(record, reason) => (Arc::unwrap_or_clone(record), reason),
        other => panic!("expected a claim, got {other:?}"),
    }
}

#[track_caller]
pub(crate) fn written(decision: Decision) -> (Record, Reason) {
    match decision {
        Decision::Write(record, reason) => (Arc::unwrap_or_clone(record), reason),
        other => panic!("expected a write, got {other:?}"),
    }
}

#[track_caller]
pub(crate) fn updated(decision: Decision) -> Spread {
    match decision {
        Decision::Update(_, strategy) => strategy,
        other => panic!("expected an update, got {other:?}"),
    }
}

#[track_caller]
pub(crate) fn left(decision: Decision) -> Reason {
    match decision {
        Decision::Leave(reason) => reason,
        other => panic!("expected to be left alone, got {other:?}"),
    }
}

/// Why a record is left where it is: nothing written, or only when to look next.
#[track_caller]
pub(crate) fn stays(record: &Record, decision: Decision) -> Reason {
    match decision {
        Decision::Leave(reason) => reason,
        Decision::Write(next, reason) if (next.phase, &next.change) == (record.phase, &record.change) => reason,
        other => panic!("moved: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn forgotten(decision: Decision) -> Reason {
    match decision {
        Decision::Forget(reason) => reason,
        other => panic!("expected to be forgotten, got {other:?}"),
    }
}

pub(crate) const EVERY_SIGNAL: [Signal; 6] = [
    Signal::SpotPlacementFailure,
    Signal::OnDemandPlacementFailure,
    Signal::SyntheticPlacementFailure,
    Signal::Interruption,
    Signal::SpotTaskStopped,
    Signal::SpotTask,
];
