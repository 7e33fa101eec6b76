//! The turns of accounts that this invocation has, and the pace of its calls.

use std::time::Duration;

use super::{ReconcileError, Reconciler, store_error};
use crate::ports::{Ports, StoreError};
use crate::service::{AccountId, Region, ServiceId};
use crate::timestamp::Timestamp;
use crate::turn::{LOOKS, Pace, Rate, Turn};

/// Most times a turn is asked for while others write it, or replies are lost.
const TURN_TRIES: usize = 3;

/// What an invocation keeps of an account.
#[derive(Debug)]
pub(super) struct Account {
    /// Its turn, while it is ours.
    turn: Option<Turn>,
    updates: Pace,
    looks: Pace,
}

impl Default for Account {
    fn default() -> Self {
        Self { turn: None, updates: Pace::FULL, looks: Pace::FULL }
    }
}

/// The answer to one who asks for a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Ours,
    /// Somebody else's, until then at the latest.
    Held(Timestamp),
}

impl<P: Ports> Reconciler<'_, P> {
    /// Whether no new work may begin.
    pub(super) fn is_time_over(&self) -> bool {
        self.until.is_some_and(|until| self.ports.now() >= until)
    }

    /// Whether the turn of an account is ours.
    pub(super) fn has_turn(&self, account: &AccountId) -> bool {
        self.accounts.borrow().get(account).is_some_and(|known| known.turn.is_some())
    }

    /// Takes the turn of an account, if nobody else has it.
    pub(super) async fn take_turn(&self, account: &AccountId, region: &Region) -> Result<Asked, StoreError> {
        let mut last = None;
        for _ in 0..TURN_TRIES {
            if self.has_turn(account) {
                return Ok(Asked::Ours);
            }
            let stored = self.ports.turn(account, region).await?;
            let turn = stored.unwrap_or_else(|| Turn::new(account.clone(), region.clone()));
            let now = self.ports.now();
            if let Some(until) = turn.held_until(now) {
                // The reply to our own write was lost.
                if turn.owner.as_ref() == Some(&self.owner) {
                    return Ok(self.keep_turn(turn));
                }
                return Ok(Asked::Held(until));
            }
            let ends_at = self.ends_at.unwrap_or_else(|| now + self.policy.lease);
            let turn = turn.taken(&self.owner, ends_at, self.policy);
            match self.ports.put_turn(&turn).await {
                Ok(true) => return Ok(self.keep_turn(Turn { version: turn.version + 1, ..turn })),
                Ok(false) => last = None,
                Err(error) => last = Some(error),
            }
        }
        last.map_or_else(|| Ok(Asked::Held(self.ports.now())), Err)
    }

    fn keep_turn(&self, turn: Turn) -> Asked {
        let mut accounts = self.accounts.borrow_mut();
        let account = accounts.entry(turn.account.clone()).or_default();
        account.updates = account.updates.and(turn.updates);
        account.looks = account.looks.and(turn.looks);
        account.turn = Some(turn);
        Asked::Ours
    }

    /// Whether this invocation may change the service: only in its account's turn.
    pub(super) async fn may_change(&self, service: &ServiceId) -> Result<bool, ReconcileError> {
        let asked = self.take_turn(&service.account, &service.region).await;
        asked.map(|asked| asked == Asked::Ours).map_err(|error| store_error(service, error))
    }

    /// Until when somebody else has the turn of an account.
    pub(super) async fn turn_of_another(
        &self,
        account: &AccountId,
        region: &Region,
    ) -> Result<Option<Timestamp>, StoreError> {
        if self.has_turn(account) {
            return Ok(None);
        }
        let now = self.ports.now();
        Ok(self.ports.turn(account, region).await?.and_then(|turn| turn.held_until(now)))
    }

    /// Gives the turn of an account back, if it is ours. One that is not given back ends with this invocation.
    pub(super) async fn give_turn_back(&self, account: &AccountId) {
        let turn = {
            let mut accounts = self.accounts.borrow_mut();
            let Some(known) = accounts.get_mut(account) else { return };
            let Some(turn) = known.turn.take() else { return };
            Turn { updates: known.updates, looks: known.looks, ..turn.given_back() }
        };
        match self.ports.put_turn(&turn).await {
            Ok(true) => {}
            Ok(false) => tracing::warn!(%account, "somebody else has taken the turn of the account meanwhile"),
            Err(error) => tracing::warn!(%account, %error, "turn of the account not given back, it ends by itself"),
        }
    }

    /// Makes another invocation go on with an account whose turn is ours, after this time, unless one does so by then anyway.
    pub(super) async fn hand_on(&self, account: &AccountId, region: &Region, after: Duration) {
        let now = self.ports.now();
        let goes_on_at = |known: &Account| known.turn.as_ref().and_then(|turn| turn.goes_on_at);
        let planned = |known: &Account| goes_on_at(known).is_some_and(|at| now < at && at <= now + after);
        if self.accounts.borrow().get(account).is_some_and(planned) {
            return;
        }
        if let Err(error) = self.ports.hand_on(account, region, after).await {
            return tracing::warn!(%account, %error, "no time left for the account; the next event or sweep goes on");
        }
        if let Some(turn) = self.accounts.borrow_mut().get_mut(account).and_then(|known| known.turn.as_mut()) {
            turn.goes_on_at = Some(now + after);
        }
    }

    /// Waits until the account has a token of ours for `DescribeServices`.
    pub(super) async fn pace_look(&self, account: &AccountId) {
        self.pace(account, LOOKS, |account| &mut account.looks).await;
    }

    /// Waits until the account has a token of ours for `UpdateService`.
    pub(super) async fn pace_update(&self, account: &AccountId) {
        self.pace(account, Rate::updates(self.policy), |account| &mut account.updates).await;
    }

    async fn pace(&self, account: &AccountId, rate: Rate, pace: fn(&mut Account) -> &mut Pace) {
        let now = self.ports.now();
        let wait = pace(self.accounts.borrow_mut().entry(account.clone()).or_default()).take(rate, now);
        if !wait.is_zero() {
            self.ports.sleep(wait).await;
        }
    }
}
