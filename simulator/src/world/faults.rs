//! What may go wrong between a caller and a service: throttling, a role, replies that get lost, reads that are stale, and the end
//! of the caller itself.

use std::sync::Arc;
use std::time::Duration;

use handlers::held::HeldReason;
use handlers::observation::Observation;
use handlers::service::AccountId;
use handlers::timestamp::Timestamp;

use crate::ecs::limits::Bucket;
use crate::ids::ServiceKey;
use crate::spec::Role;
use crate::world::World;

/// What will become of one call.
#[derive(Debug)]
pub(crate) struct Fate {
    pub(crate) there: Duration,
    pub(crate) back: Duration,
    /// The caller is killed: before the call takes effect, or after.
    pub(crate) kill: Option<bool>,
    pub(crate) reply_lost: bool,
}

impl World {
    /// Draws what becomes of the next call.
    pub(crate) fn fate_of_call(&mut self) -> Fate {
        self.calls += 1;
        let planned = self.facts.kills.iter().find(|kill| kill.call == self.calls).map(|kill| kill.after);
        let per_myriad = u64::from(self.facts.kill_per_myriad);
        let chance =
            (per_myriad > 0 && self.dice.faults.below(10_000) < per_myriad).then(|| self.dice.faults.below(2) == 1);
        let half = |time: Duration| Duration::from_millis(time.as_millis() as u64 / 2);
        Fate {
            there: half(self.dice.lambda.within(self.facts.call_latency)),
            back: half(self.dice.lambda.within(self.facts.call_latency)),
            kill: planned.or(chance),
            reply_lost: self.dice.faults.chance(self.facts.lost_reply_percent),
        }
    }

    /// Takes one token of an account's bucket, if there is one.
    pub(crate) fn take_token(&mut self, account: &AccountId, bucket: Bucket) -> bool {
        let granted = self.buckets.take(self.now, &self.facts, account, bucket);
        self.throttled += u64::from(!granted);
        self.described += u64::from(granted && bucket == Bucket::Describe);
        granted
    }

    /// Whether the state table throttles this call.
    pub(crate) fn table_throttles(&mut self) -> bool {
        self.dice.faults.chance(self.facts.table_throttle_percent)
    }

    /// From when the due index shows what is written now.
    pub(crate) fn shown_by_index(&mut self) -> Timestamp {
        let lag = self.facts.index_lag;
        if lag.max == Duration::ZERO { self.now } else { self.now + self.dice.faults.within(lag) }
    }

    /// Why `CentralSpotAutomationRole` of the account does not allow `action`, if it does not.
    pub(crate) fn role_refuses(&self, account: &AccountId, action: &str) -> Option<HeldReason> {
        match self.roles.get(account).copied().unwrap_or(Role::Present) {
            Role::Present => None,
            Role::Missing => Some(HeldReason::RoleMissing),
            Role::ReadOnly if action == "ecs:DescribeServices" => None,
            Role::ReadOnly => Some(HeldReason::AccessDenied(action.to_owned())),
        }
    }

    /// A service as `DescribeServices` shows it, which may be as it was before its last update.
    pub(crate) fn read_service(&mut self, key: ServiceKey) -> Arc<Observation> {
        let (now, stale_for) = (self.now, self.facts.stale_for);
        let stale = self.dice.faults.chance(self.facts.stale_read_percent);
        let before = if stale { self.ecs.service(key).before_update.as_ref() } else { None };
        match before {
            Some((at, before)) if now.since(*at) < stale_for => Arc::clone(before),
            _ => {
                self.seen.oracle.looked(now, self.ecs.service(key).name);
                self.ecs.shown(key)
            }
        }
    }
}
