//! What an exploration has met, so that one that never gets anywhere proves nothing.

use std::sync::atomic::{AtomicU64, Ordering};

use handlers::decide::Reason;
use handlers::record::{Phase, Record};

/// What an exploration must have met at least once to be worth its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reached {
    Failover,
    Restored,
    FallbackWhileRestoring,
    Adopted,
    Takeover,
    LostRace,
    /// The owner changed the service between our look and our update.
    OwnerOutrun,
    /// And the answer to the update showed what was lost.
    Overtaken,
    ArrivedLate,
    RolledBack,
    Recreated,
    Settling,
    SilentLoss,
    ProbeHolds,
    MarketBusy,
    Paused,
    Refused,
}

/// Counts of [`Reached`].
pub(crate) struct Counts {
    counts: [AtomicU64; Reached::Refused as usize + 1],
    reasons: Vec<(String, Reached)>,
}

impl Counts {
    pub(crate) fn new() -> Self {
        let reasons = [
            (Reason::FallbackLive, Reached::Failover),
            (Reason::Restored, Reached::Restored),
            (Reason::OwnerChanged, Reached::Adopted),
            (Reason::TakenOver, Reached::Takeover),
            (Reason::RolledBack, Reached::RolledBack),
            (Reason::Recreated, Reached::Recreated),
            (Reason::Settling, Reached::Settling),
            (Reason::SilentLoss, Reached::SilentLoss),
            (Reason::ProbeHolds, Reached::ProbeHolds),
            (Reason::MarketBusy, Reached::MarketBusy),
            (Reason::Paused, Reached::Paused),
        ];
        let reasons = reasons.map(|(reason, reached)| (reason.to_string(), reached)).into();
        Self { counts: Default::default(), reasons }
    }

    pub(crate) fn count(&self, what: Reached) {
        self.counts[what as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn of(&self, what: Reached) -> u64 {
        self.counts[what as usize].load(Ordering::Relaxed)
    }

    /// What a record that was written, or deleted, says of its reason.
    pub(crate) fn written(&self, before: Option<&Record>, after: &Record) {
        if let Some((_, reached)) = self.reasons.iter().find(|(reason, _)| *reason == after.reason) {
            self.count(*reached);
        }
        if after.phase == Phase::FailingOver && before.is_some_and(|before| before.phase == Phase::Restoring) {
            self.count(Reached::FallbackWhileRestoring);
        }
    }
}
