//! Whether anything in a scenario can make a service fail over: an expectation that waits for what cannot come would say nothing.

use std::collections::BTreeSet;

use handlers::service::{AccountId, ServiceId};
use simulator::facts::Facts;
use simulator::spec::{Capacity, TimedEvent, WorldEvent, WorldSpec};

/// What may take Spot from whom. Rather too many than one too few: what is here need not come true.
pub(super) struct Threats<'w> {
    /// Why nothing can fail over, whatever happens.
    nothing_moves: Option<&'static str>,
    /// An event on the bus may be about anybody; a quota binds every account.
    anybody: bool,
    accounts: BTreeSet<&'w AccountId>,
    services: BTreeSet<&'w ServiceId>,
}

impl<'w> Threats<'w> {
    pub(super) fn of(world: &'w WorldSpec, facts: &Facts) -> Self {
        let mut threats = Self {
            nothing_moves: None,
            anybody: facts.spot_vcpu_quota.is_some() || facts.launch_bucket.is_some(),
            accounts: BTreeSet::new(),
            services: BTreeSet::new(),
        };
        let is_lifted = |timed: &TimedEvent| matches!(timed.event, WorldEvent::Pause { paused: false });
        if world.policy.paused && !world.events.iter().any(is_lifted) {
            threats.nothing_moves = Some("the kill switch is on (`paused`)");
        } else if world.policy.dry_run {
            threats.nothing_moves = Some("nothing is done in a dry run (`dry_run`)");
        }
        for event in &world.events {
            match &event.event {
                WorldEvent::Spot { capacity: Capacity::Unlimited, .. } => {}
                WorldEvent::Spot { accounts, .. }
                | WorldEvent::SpotShape { accounts, .. }
                | WorldEvent::SpotRebalance { accounts, .. }
                | WorldEvent::SpotZone { accounts, .. } => threats.accounts.extend(accounts),
                WorldEvent::Interrupt { service, .. } => _ = threats.services.insert(service),
                WorldEvent::PutEvents { .. } => threats.anybody = true,
                _ => {}
            }
        }
        threats
    }

    /// Why `service` cannot fail over, if it cannot.
    pub(super) fn none_for(&self, service: &ServiceId) -> Option<String> {
        if let Some(why) = self.nothing_moves {
            return Some(why.to_owned());
        }
        let threatened = self.anybody || self.accounts.contains(&service.account) || self.services.contains(service);
        (!threatened).then(|| format!("nothing takes Spot away from {service}"))
    }
}
