//! Several happenings that belong together: what chance alone brings about in one of a million worlds.

use std::time::Duration;

use handlers::service::{AccountId, ServiceId};
use handlers::strategy::{Strategy, StrategyItem};
use simulator::dice::Span;
use simulator::spec::{Capacity, Loss, Role, ServiceSpec, TimedEvent, WorldEvent};

use super::source::Draw;

const MINUTE: u64 = 60;

/// Several happenings around one time.
#[derive(Debug, Clone, Copy)]
pub struct Pattern {
    /// For people.
    pub name: &'static str,
    /// In how many worlds of 100 it is on.
    pub percent: u32,
    /// How often it happens in a world at most; at least once.
    pub most: u32,
    pub(super) draw: fn(&mut Draw, Duration) -> Vec<TimedEvent>,
}

/// Every pattern there is.
pub const PATTERNS: &[Pattern] = &[
    Pattern { name: "owners choose a shape of ours", percent: 30, most: 2, draw: Draw::shape_of_ours },
    Pattern { name: "owners apply after a failover", percent: 25, most: 2, draw: Draw::applied_after_a_failover },
    Pattern { name: "releases when a restore is due", percent: 25, most: 2, draw: Draw::release_when_due },
    Pattern { name: "roles missing as an outage begins", percent: 20, most: 1, draw: Draw::role_missing },
    Pattern { name: "chance faults end early", percent: 15, most: 1, draw: Draw::calm_early },
];

impl Draw {
    fn seconds(&mut self, least: u64, most: u64) -> Duration {
        self.dice.within(Span::secs(least, most))
    }

    fn spec(&mut self) -> ServiceSpec {
        let n = self.dice.below(self.services.len() as u64) as usize;
        self.services[n].clone()
    }

    /// All Spot capacity of an account goes, and comes back after `lasts`.
    fn outage(&mut self, at: Duration, account: &AccountId, lasts: Duration) -> Vec<TimedEvent> {
        let accounts = vec![account.clone()];
        let loss = self.one(&[Loss::Interrupt, Loss::Interrupt, Loss::Silent]);
        let gone = WorldEvent::Spot { accounts: accounts.clone(), capacity: Capacity::Tasks(0), loss };
        let back = WorldEvent::Spot { accounts, capacity: Capacity::Unlimited, loss: Loss::Keep };
        vec![TimedEvent { at, event: gone }, TimedEvent { at: at + lasts, event: back }]
    }

    /// An owner chooses just what the recovery puts in the place of the first choice, or nearly so; and perhaps that one again later.
    fn shape_of_ours(&mut self, at: Duration) -> Vec<TimedEvent> {
        let ServiceSpec { id, strategy: own, .. } = self.spec();
        let shapes =
            [own.fallback(), own.fallback(), own.probe(), reversed(&own), swapped(&own), swapped(&own.probe())];
        let shape = self.one(&[0, 1, 2, 3, 4, 5]);
        let mut events = vec![chooses(at, &id, shapes[shape].clone())];
        if self.coin() {
            events.push(chooses(at + self.seconds(30, 45 * MINUTE), &id, own));
        }
        events
    }

    /// A pipeline brings the owner's strategy back, with force, as soon as seconds after the failover.
    fn applied_after_a_failover(&mut self, at: Duration) -> Vec<TimedEvent> {
        let ServiceSpec { id, strategy, .. } = self.spec();
        let lasts = self.seconds(10 * MINUTE, 90 * MINUTE);
        let mut events = self.outage(at, &id.account, lasts);
        let soon = self.one(&[60, 180, 600]);
        events.push(chooses(at + self.seconds(20, soon), &id, strategy));
        events
    }

    /// An owner releases at about the time at which the first restore of a short outage is due; every other release fails.
    fn release_when_due(&mut self, at: Duration) -> Vec<TimedEvent> {
        let service = self.service();
        let wait = self.policy.restore_after;
        let lasts = self.dice.within(Span { min: wait / 4, max: wait });
        let mut events = self.outage(at, &service.account, lasts);
        let due = at + wait + wait * self.policy.restore_jitter_percent / 200;
        let release = (due + self.seconds(0, 4 * MINUTE)).saturating_sub(Duration::from_secs(2 * MINUTE));
        events.push(TimedEvent { at: release, event: WorldEvent::Deploy { service: service.clone() } });
        if self.coin() {
            let breaks = release + Duration::from_secs(1);
            let mended = breaks + self.seconds(5 * MINUTE, 90 * MINUTE);
            let application = |fails| WorldEvent::Application { service: service.clone(), fails };
            events.push(TimedEvent { at: breaks, event: application(true) });
            events.push(TimedEvent { at: mended, event: application(false) });
        }
        events
    }

    /// Nobody may look for seconds or a minute while the first events of an outage come.
    fn role_missing(&mut self, at: Duration) -> Vec<TimedEvent> {
        let account = self.account().remove(0);
        let lasts = self.seconds(10 * MINUTE, 90 * MINUTE);
        let mut events = self.outage(at, &account, lasts);
        let from = (at + self.seconds(0, 30)).saturating_sub(Duration::from_secs(20));
        let to = at + self.seconds(15, 90);
        let role = |role| WorldEvent::Role { accounts: vec![account.clone()], role };
        events.push(TimedEvent { at: from, event: role(Role::Missing) });
        events.push(TimedEvent { at: to, event: role(Role::Present) });
        events
    }

    /// What goes wrong by chance, a throttled table among it, ends soon after an outage has begun: from then on everything is in time.
    fn calm_early(&mut self, at: Duration) -> Vec<TimedEvent> {
        let account = self.account().remove(0);
        let lasts = self.seconds(10 * MINUTE, 60 * MINUTE);
        let mut events = self.outage(at, &account, lasts);
        events.push(TimedEvent { at: at + self.seconds(5, 60), event: WorldEvent::Calm });
        events
    }

    /// In an account of hundreds: everything is released at once, or Spot goes; and nothing else.
    pub(super) fn of_an_account(&mut self) -> Vec<TimedEvent> {
        let at = self.seconds(MINUTE, 10 * MINUTE);
        let lasts = self.seconds(5 * MINUTE, 20 * MINUTE);
        let account = self.accounts[0].clone();
        if self.dice.chance(60) {
            return self.outage(at, &account, lasts);
        }
        let services: Vec<ServiceId> = self.services.iter().map(|service| service.id.clone()).collect();
        let deploy = |service| TimedEvent { at, event: WorldEvent::Deploy { service } };
        services.into_iter().map(deploy).collect()
    }
}

fn chooses(at: Duration, service: &ServiceId, strategy: Strategy) -> TimedEvent {
    let event = WorldEvent::UpdateService { service: service.clone(), strategy: Some(strategy), desired: None };
    TimedEvent { at, event }
}

/// The same items in another order.
fn reversed(strategy: &Strategy) -> Strategy {
    let items: Vec<StrategyItem> = strategy.items().iter().rev().cloned().collect();
    Strategy::new(items).unwrap_or_else(|_| strategy.clone())
}

/// The same providers with each other's weights.
fn swapped(strategy: &Strategy) -> Strategy {
    let weights: Vec<u32> = strategy.items().iter().rev().map(|item| item.weight).collect();
    let items = strategy.items().iter().zip(weights).map(|(item, weight)| StrategyItem { weight, ..item.clone() });
    Strategy::new(items.collect()).unwrap_or_else(|_| strategy.clone())
}
