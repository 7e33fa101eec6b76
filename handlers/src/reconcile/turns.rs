//! The turns of accounts that this invocation has, and the pace of its calls.

use std::rc::Rc;
use std::time::Duration;

use futures_util::lock::Mutex;

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
    /// Of the services that go side by side one asks for the turn.
    asking: Rc<Mutex<()>>,
}

impl Default for Account {
    fn default() -> Self {
        Self { turn: None, updates: Pace::FULL, looks: Pace::FULL, asking: Rc::default() }
    }
}

/// The answer to one who asks for a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Ours,
    Held {
        /// Somebody else's, until then at the latest.
        until: Timestamp,
        /// Whether a message is under way for one who goes on after that.
        backed: bool,
    },
}

/// What a turn is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// To look.
    Looks,
    /// To claim services: should this invocation die, or lose a reply, another must go on soon. A message to that one is sent before.
    Claims,
}

/// So long after its end an invocation has nothing in force or under way: no claim, and no request that ECS may yet carry out.
pub(super) const AFTER_END: Duration = Duration::from_secs(5);

/// The message to the invocation that goes on comes so much later than that: whoever takes the turn within this time need not send
/// another.
const SLACK: Duration = Duration::from_secs(10);

impl<P: Ports> Reconciler<'_, P> {
    /// Whether no new work may begin.
    pub(super) fn is_time_over(&self) -> bool {
        self.until.is_some_and(|until| self.ports.now() >= until)
    }

    /// Whether the turn of an account is ours.
    pub(super) fn has_turn(&self, account: &AccountId) -> bool {
        self.accounts.borrow().get(account).is_some_and(|known| known.turn.is_some())
    }

    /// When this invocation ends at the latest.
    fn ends_at(&self) -> Timestamp {
        self.ends_at.unwrap_or_else(|| self.ports.now() + self.policy.lease)
    }

    /// Takes the turn of an account, if nobody else has it.
    pub(super) async fn take_turn(
        &self,
        account: &AccountId,
        region: &Region,
        purpose: For,
    ) -> Result<Asked, StoreError> {
        let asking = Rc::clone(&self.accounts.borrow_mut().entry(account.clone()).or_default().asking);
        let _one = asking.lock().await;
        let mut last = None;
        for _ in 0..TURN_TRIES {
            if let Some(turn) = self.turn_of(account) {
                let goes_on_at = self.back_up(&turn, purpose).await;
                if goes_on_at != turn.goes_on_at {
                    self.rewrite(Turn { goes_on_at, ..turn }).await;
                }
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
                return Ok(Asked::Held { until, backed: turn.goes_on_at.is_some_and(|at| now < at) });
            }
            let mut turn = turn.taken(&self.owner, self.ends_at(), self.policy);
            turn.goes_on_at = self.back_up(&turn, purpose).await;
            match self.ports.put_turn(&turn).await {
                Ok(true) => return Ok(self.keep_turn(Turn { version: turn.version + 1, ..turn })),
                Ok(false) => last = None,
                Err(error) => last = Some(error),
            }
        }
        last.map_or_else(|| Ok(Asked::Held { until: self.ports.now(), backed: false }), Err)
    }

    /// Sees to it that another invocation goes on, whatever becomes of this one: sends it a message, unless one that comes late enough
    /// is under way. Returns when that message comes.
    async fn back_up(&self, turn: &Turn, purpose: For) -> Option<Timestamp> {
        let free_at = self.ends_at() + AFTER_END;
        if purpose == For::Looks || turn.goes_on_at.is_some_and(|at| free_at <= at) {
            return turn.goes_on_at;
        }
        let at = free_at + SLACK;
        match self.ports.hand_on(&turn.account, &turn.region, at.since(self.ports.now())).await {
            Ok(()) => Some(at),
            Err(error) => {
                tracing::warn!(account = %turn.account, %error, "should this invocation die, the next event or sweep goes on");
                turn.goes_on_at
            }
        }
    }

    /// Writes a turn of ours again, so that others see that somebody goes on. If it cannot be written, they let a message of theirs come
    /// back; this invocation sends no second one.
    async fn rewrite(&self, turn: Turn) {
        self.keep_turn(turn.clone());
        match self.ports.put_turn(&turn).await {
            Ok(true) => _ = self.keep_turn(Turn { version: turn.version + 1, ..turn }),
            Ok(false) => {
                tracing::warn!(account = %turn.account, "somebody else has taken the turn of the account meanwhile")
            }
            Err(error) => tracing::warn!(account = %turn.account, %error, "turn of the account not written again"),
        }
    }

    fn turn_of(&self, account: &AccountId) -> Option<Turn> {
        self.accounts.borrow().get(account).and_then(|known| known.turn.clone())
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
        let asked = self.take_turn(&service.account, &service.region, For::Claims).await;
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
        let mut turn = {
            let mut accounts = self.accounts.borrow_mut();
            let Some(known) = accounts.get_mut(account) else { return };
            let Some(turn) = known.turn.take() else { return };
            Turn { updates: known.updates, looks: known.looks, ..turn.given_back() }
        };
        for _ in 0..TURN_TRIES {
            match self.ports.put_turn(&turn).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    return tracing::warn!(%account, %error, "turn of the account not given back, it ends by itself");
                }
            }
            match self.ports.turn(account, &turn.region).await {
                // The reply to our last write was lost.
                Ok(Some(stored)) if stored.owner.as_ref() == Some(&self.owner) => turn.version = stored.version,
                _ => return tracing::warn!(%account, "somebody else has taken the turn of the account meanwhile"),
            }
        }
    }

    /// Makes another invocation go on with an account whose turn is ours, after this time, unless one does so by then anyway.
    pub(super) async fn hand_on(&self, account: &AccountId, region: &Region, after: Duration) {
        let now = self.ports.now();
        let goes_on_at = |known: &Account| known.turn.as_ref().and_then(|turn| turn.goes_on_at);
        // At once is at once.
        let latest = now + after + if after.is_zero() { Duration::ZERO } else { SLACK };
        let planned = |known: &Account| goes_on_at(known).is_some_and(|at| now < at && at <= latest);
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

    /// Makes an invocation go on with an account after the turn of another, which ends at `until`.
    pub(super) async fn come_back(&self, account: &AccountId, region: &Region, until: Timestamp) {
        let after = until.since(self.ports.now()) + AFTER_END;
        if let Err(error) = self.ports.hand_on(account, region, after).await {
            tracing::warn!(%account, %error, "left to the next event or sweep");
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
