//! The hop from a workload account to the central bus: the forwarding rule, the role it uses, and the policy of the bus
//! (aws-facts.md §5).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use handlers::service::AccountId;
use serde::Serialize;
use serde_json::Value;

use super::delivery::Tries;
use super::{Envelope, EventBridge, Failure};
use crate::env::Env;
use crate::eventbridge::action::Action;
use crate::observers::trace::Happening;
use crate::pattern::{Node, Pattern};
use crate::spec::{BusPolicy, Forwarding, WorldSpec};

/// The rule's name.
const RULE: &str = "workload-forwarding";

/// An event that the forwarding rule of an account could not hand to the central bus yet.
#[derive(Debug)]
pub(crate) struct Reforward {
    account: AccountId,
    event: Envelope,
    tries: Tries,
}

#[derive(Debug)]
pub(super) struct Hop {
    /// Pattern of the rule on the default bus of every onboarded account; its target is the central bus.
    pattern: Pattern,
    /// Accounts whose rule or role is not as onboarding made it.
    broken: BTreeMap<AccountId, Forwarding>,
    central: AccountId,
    /// Accounts that the world knows when it starts.
    onboarded: BTreeSet<AccountId>,
    /// Accounts that the bus policy lists; unused while it admits the organization.
    listed: BTreeSet<AccountId>,
    by_organization: bool,
    /// Accounts of the organization.
    members: BTreeSet<AccountId>,
}

impl Hop {
    /// The bus policy lists every account that the world knows, and all of them are of one organization.
    pub(super) fn new(pattern: Pattern, spec: &WorldSpec) -> Self {
        let known: BTreeSet<AccountId> = spec.accounts.iter().chain(&spec.synthetic_from).cloned().collect();
        Self {
            pattern,
            broken: BTreeMap::new(),
            central: spec.central.clone(),
            members: known.clone(),
            listed: known.clone(),
            onboarded: known,
            by_organization: false,
        }
    }

    #[cfg(feature = "wire")]
    pub(super) fn onboard(&mut self, account: &AccountId) {
        for known in [&mut self.onboarded, &mut self.listed, &mut self.members] {
            known.insert(account.clone());
        }
    }

    #[cfg(test)]
    pub(super) fn set_pattern(&mut self, pattern: Pattern) {
        self.pattern = pattern;
    }

    /// Whether the rule could let an event pass of which this is known.
    pub(super) fn could_pass(&self, known: &Value) -> bool {
        self.pattern.could_match(known)
    }

    /// Whether the policy of the central bus lets `account` put events; its own account needs no leave.
    pub(super) fn admits(&self, account: &AccountId) -> bool {
        let admitted = if self.by_organization { &self.members } else { &self.listed };
        *account == self.central || admitted.contains(account)
    }

    /// Why EventBridge cannot deliver to the central bus, as the `ERROR_CODE` in the rule's DLQ. Neither is retried.
    fn refuses(&self, account: &AccountId) -> Option<&'static str> {
        match self.broken.get(account) {
            Some(Forwarding::Missing) => Some("FAILED_TO_ASSUME_ROLE"),
            Some(Forwarding::Denied) => Some("NO_PERMISSIONS"),
            _ => (!self.admits(account)).then_some("NO_PERMISSIONS"),
        }
    }
}

impl EventBridge {
    /// An event on the default bus of `account`, which its forwarding rule hands on if it lets it pass.
    pub(crate) fn put(&mut self, env: &mut Env<'_>, account: &AccountId, event: &(impl Node + Serialize)) {
        #[cfg(feature = "wire")]
        if let Some(log) = &mut self.log {
            log.push(serde_json::to_value(event).expect("an event is JSON"));
        }
        if self.hop.broken.get(account) == Some(&Forwarding::Disabled) || !self.hop.pattern.fires_on(event) {
            return;
        }
        let event = Box::new(self.seal(event));
        let hops = env.dice.bus.within(env.facts.event_latency) + env.dice.bus.within(env.facts.event_latency);
        if env.dice.faults.chance(env.facts.lost_percent) {
            return;
        }
        let late = env.dice.faults.chance(env.facts.late_percent);
        let delay = if late { env.dice.faults.within(env.facts.late_by) } else { Duration::ZERO };
        self.agenda.plan(env.now + hops + delay, Action::Forward(account.clone(), event));
    }

    /// The forwarding rule of `account` hands an event to the central bus.
    pub(super) fn forward(&mut self, env: &mut Env<'_>, account: &AccountId, event: &Envelope) {
        if self.hop.broken.get(account) == Some(&Forwarding::Unreachable) {
            let (account, event, tries) = (account.clone(), event.clone(), Tries::first(env.now));
            self.reforward(env, Reforward { account, event, tries });
            return;
        }
        self.hand_over(env, account, event, 0);
    }

    /// It tries once more, by the same retry policy as any target (aws-facts.md §5).
    pub(super) fn reforward(&mut self, env: &mut Env<'_>, mut forward: Reforward) {
        let retries = forward.tries.retries;
        if self.hop.broken.get(&forward.account) != Some(&Forwarding::Unreachable) {
            self.hand_over(env, &forward.account, &forward.event, retries);
            return;
        }
        match forward.tries.again(env.now, &mut env.dice.retries, env.facts) {
            Ok(again) => self.agenda.plan(again, Action::Reforward(Box::new(forward))),
            Err(limit) => {
                let failure = Failure { code: "CONNECTION_FAILURE", retries, exhausted: Some(limit) };
                self.rule_gives_up(env, forward.account, RULE, failure);
            }
        }
    }

    fn hand_over(&mut self, env: &mut Env<'_>, account: &AccountId, event: &Envelope, retries: u32) {
        match self.hop.refuses(account) {
            Some(code) => self.rule_gives_up(env, account.clone(), RULE, Failure { code, retries, exhausted: None }),
            None => self.on_central_bus(env, event),
        }
    }

    pub(crate) fn set_forwarding(&mut self, env: &mut Env<'_>, accounts: Vec<AccountId>, forwarding: Forwarding) {
        for account in &accounts {
            match forwarding {
                Forwarding::Present => self.hop.broken.remove(account),
                broken => self.hop.broken.insert(account.clone(), broken),
            };
        }
        env.record(None, Happening::ForwardingChanged { accounts, forwarding });
    }

    pub(crate) fn set_bus_policy(&mut self, env: &mut Env<'_>, policy: BusPolicy) {
        let hop = &mut self.hop;
        hop.by_organization = policy == BusPolicy::Organization;
        match &policy {
            BusPolicy::Organization => {}
            BusPolicy::Onboarded => hop.listed = hop.onboarded.clone(),
            BusPolicy::Accounts(accounts) => hop.listed = accounts.iter().cloned().collect(),
        }
        env.record(None, Happening::BusPolicyChanged { policy });
    }

    pub(crate) fn set_membership(&mut self, env: &mut Env<'_>, accounts: Vec<AccountId>, member: bool) {
        let members = &mut self.hop.members;
        if member {
            members.extend(accounts.iter().cloned());
        } else {
            members.retain(|account| !accounts.contains(account));
        }
        env.record(None, Happening::MembershipChanged { accounts, member });
    }
}
