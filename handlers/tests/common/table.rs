//! The table at the top of `decide.rs`, *phase × reason → phase*, and whether an answer of `decide` is in it.
#![allow(dead_code, reason = "every test file uses its own part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use handlers::decide::{self, Context, Decision, Reason};
use handlers::observation::Look;
use handlers::record::{Phase, Record};
use handlers::service::ServiceId;

/// The columns of the table: the phase before, or none for a service without a record.
pub(crate) const COLUMNS: [Option<Phase>; 6] = [
    None,
    Some(Phase::Watching),
    Some(Phase::FailingOver),
    Some(Phase::OnDemand),
    Some(Phase::Restoring),
    Some(Phase::Held),
];

/// One answer of `decide`: phase before, reason, phase after. No phase is no record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Move {
    pub(crate) reason: String,
    pub(crate) before: Option<Phase>,
    pub(crate) after: Option<Phase>,
}

impl Move {
    pub(crate) fn new(before: Option<Phase>, reason: &Reason, after: Option<Phase>) -> Self {
        let reason = format!("{reason:?}");
        let reason = reason.split('(').next().unwrap_or_default().to_owned();
        Self { reason, before, after }
    }

    /// What `decision` does to a service in phase `before`. An update of ECS is no move: the claim before it was.
    pub(crate) fn of(before: Option<Phase>, decision: &Decision) -> Option<Self> {
        match decision {
            Decision::Leave(reason) => Some(Self::new(before, reason, before)),
            Decision::Write(next, reason) | Decision::Claim(next, reason) => {
                Some(Self::new(before, reason, Some(next.phase)))
            }
            Decision::Update(..) => None,
            Decision::Forget(reason) => Some(Self::new(before, reason, None)),
        }
    }

    #[track_caller]
    fn check(&self) {
        assert!(TABLE.contains(self), "not in the table of decide.rs: {self:?}");
    }

    /// The entry of the table that this is.
    pub(crate) fn entry(&self) -> String {
        match self.after {
            after if after == self.before => "stays".into(),
            Some(phase) => phase.to_string(),
            None => "forgotten".into(),
        }
    }
}

/// The moves of the table in `decide.rs`: a row for each reason, a column for each phase before.
pub(crate) static TABLE: LazyLock<BTreeSet<Move>> = LazyLock::new(|| {
    let rows = include_str!("../../src/decide.rs").lines().filter_map(|line| line.strip_prefix("//! | `"));
    rows.flat_map(|row| {
        let mut cells = row.split('|').map(|cell| cell.trim().trim_matches('`'));
        let reason = cells.next().unwrap_or_default();
        COLUMNS.into_iter().zip(cells).flat_map(move |(before, cell)| {
            cell.split(", ").filter(|entry| !entry.is_empty()).map(move |entry| Move {
                reason: reason.to_owned(),
                before,
                after: after(before, entry),
            })
        })
    })
    .collect()
});

fn after(before: Option<Phase>, entry: &str) -> Option<Phase> {
    match entry {
        "stays" => before,
        "forgotten" => None,
        phase => Some(
            COLUMNS.into_iter().flatten().find(|known| known.to_string() == phase).expect("the table names phases"),
        ),
    }
}

/// [`decide::decide`], and its answer is in the table.
#[track_caller]
pub(crate) fn decide(service: &ServiceId, record: Option<&Record>, look: &Look, ctx: &Context) -> Decision {
    let decision = decide::decide(service, record, look, ctx);
    if let Some(found) = Move::of(record.map(|record| record.phase), &decision) {
        found.check();
    }
    decision
}

/// A record is about to be stored in the place of `before`, by a handler: if `decide` said so, its reason is in the table.
#[track_caller]
pub(crate) fn check_stored(before: Option<&Record>, after: &Record) {
    let same_phase = before.is_some_and(|before| before.phase == after.phase);
    // Without `decide`: what was announced is taken out of the record.
    let same_reason = before.is_some_and(|before| before.reason == after.reason);
    // Without `decide`: a claim is given back. The small world keeps no reasons, so there it cannot be told by the reason.
    let claimable = matches!(after.phase, Phase::FailingOver | Phase::Restoring);
    let may_be_given_back = claimable && !after.confirmed && after.lease.is_none();
    if !(same_phase && (same_reason || may_be_given_back)) {
        let before = before.map(|record| record.phase);
        Move { reason: reason_of(after), before, after: Some(after.phase) }.check();
    }
}

/// The record `last` is about to be deleted, by a handler that asked `decide`: its reason is in the table.
#[track_caller]
pub(crate) fn check_deleted(last: &Record) {
    Move { reason: reason_of(last), before: Some(last.phase), after: None }.check();
}

/// The reasons that are the same each time, by their text, from `Reason::text`.
static REASONS: LazyLock<BTreeMap<&str, &str>> = LazyLock::new(|| {
    let lines = include_str!("../../src/reason.rs").lines();
    let arms = lines.filter_map(|line| line.trim().strip_prefix("Self::")?.split_once(" => \""));
    arms.map(|(reason, text)| (text.trim_end_matches("\","), reason)).collect()
});

/// The reason that a record tells in words.
fn reason_of(record: &Record) -> String {
    match REASONS.get(&*record.reason) {
        Some(reason) => (*reason).to_owned(),
        None if record.reason.starts_with("dry run: ") => "DryRun".into(),
        None if record.held.is_some() => "Held".into(),
        None => panic!("no reason has the text {:?}", record.reason),
    }
}
