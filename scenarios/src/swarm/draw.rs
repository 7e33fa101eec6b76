//! Draws a random world from its seed alone. Each kind of trouble is off in about half of the worlds: trouble that is
//! everywhere hides what only its absence shows, and rare pairs meet more often (swarm testing).
//!
//! | question | file |
//! | --- | --- |
//! | what goes wrong by chance, and what limits an account? | [`faults`] |
//! | what is a service like? | [`services`] |
//! | what happens at times of its own? | [`troubles`] |

use std::collections::BTreeSet;
use std::time::Duration;

use handlers::policy::{InterruptionPolicy, Policy};
use handlers::service::{AccountId, ServiceId};
use simulator::dice::{Dice, Span};
use simulator::facts::Facts;
use simulator::spec::{ServiceSpec, TimedEvent, WorldSpec};

pub mod faults;
pub mod services;
pub mod troubles;

pub use faults::{FAULTS, LIMITS};
pub use services::TRAITS;
pub use troubles::TROUBLES;

/// How long things go wrong.
pub const CHAOS: Duration = Duration::from_secs(2 * 3600);
/// Nothing happens sooner.
const FIRST: Duration = Duration::from_secs(60);
/// Of 100 events, so many come soon after another one, to meet what it began half done.
const SOON_PERCENT: u32 = 30;
/// How soon.
const SOON: Span = Span::secs(1, 180);
/// In so many of 100 worlds a fault is on.
pub const FAULT_PERCENT: u32 = 50;
/// And a limit: fewer, for where it is less than what the owners ask for, the end of a world says nothing.
pub const LIMIT_PERCENT: u32 = 25;
/// Services of a world.
const SERVICES: u32 = 3;
/// The simulator's own streams have low numbers.
const STREAM: u64 = 100;
const ACCOUNTS: [&str; 3] = ["111111111111", "222222222222", "333333333333"];
const CENTRAL: &str = "999999999999";

/// A world and its trouble, before anything is mended.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The world; its events are those of the chaos, in order.
    pub world: WorldSpec,
    /// What goes wrong by chance.
    pub facts: Facts,
    /// When everything is mended.
    pub chaos: Duration,
    /// The kinds of trouble that are on, by name.
    pub on: BTreeSet<&'static str>,
}

/// The world of a seed.
pub fn plan(seed: u64) -> Plan {
    let mut draw = Draw { dice: Dice::new(seed, STREAM), accounts: Vec::new(), services: Vec::new() };
    let accounts = draw.from(1, ACCOUNTS.len() as u32) as usize;
    draw.accounts = ACCOUNTS[..accounts].iter().map(|account| account.parse().expect("an account")).collect();
    let traits: Vec<_> = TRAITS.iter().filter(|one| draw.dice.chance(one.percent)).collect();
    draw.services = (0..SERVICES).map(|n| draw.new_service(n, &traits)).collect();
    let central: AccountId = CENTRAL.parse().expect("an account");

    let mut on: BTreeSet<&str> = traits.iter().map(|one| one.name).collect();
    let mut facts = Facts::default();
    let faults = FAULTS.iter().map(|fault| (fault, FAULT_PERCENT));
    for (fault, percent) in faults.chain(LIMITS.iter().map(|limit| (limit, LIMIT_PERCENT))) {
        if draw.dice.chance(percent) {
            on.insert(fault.name);
            (fault.set)(&mut facts, draw.from(1, fault.most));
        }
    }
    let events = draw.events(&mut on);
    let world = WorldSpec {
        seed,
        region: "eu-west-1".parse().expect("a region"),
        central: central.clone(),
        accounts: draw.accounts.clone(),
        synthetic_from: if on.contains("synthetic events") { vec![central] } else { Vec::new() },
        // Production's more often: it plays faster too.
        restore_schedule: Duration::from_secs(60 * draw.one(&[1, 5, 5])),
        policy: draw.policy(),
        services: draw.services,
        events,
    };
    Plan { world, facts, chaos: CHAOS, on }
}

/// The dice, and what events may be about.
struct Draw {
    dice: Dice,
    accounts: Vec<AccountId>,
    services: Vec<ServiceSpec>,
}

impl Draw {
    /// A whole number, both ends included.
    fn from(&mut self, least: u32, most: u32) -> u32 {
        least + self.dice.below(u64::from(most - least) + 1) as u32
    }

    fn coin(&mut self) -> bool {
        self.dice.below(2) == 1
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.dice.below(of.len() as u64) as usize]
    }

    fn account(&mut self) -> Vec<AccountId> {
        let n = self.dice.below(self.accounts.len() as u64) as usize;
        vec![self.accounts[n].clone()]
    }

    fn service(&mut self) -> ServiceId {
        let n = self.dice.below(self.services.len() as u64) as usize;
        self.services[n].id.clone()
    }

    /// What happens, in order. Adds to `on` what kinds of trouble that is.
    fn events(&mut self, on: &mut BTreeSet<&'static str>) -> Vec<TimedEvent> {
        let mut events: Vec<TimedEvent> = Vec::new();
        for trouble in TROUBLES.iter().filter(|trouble| self.dice.chance(trouble.percent)).collect::<Vec<_>>() {
            on.insert(trouble.name);
            for _ in 0..self.from(1, trouble.most) {
                let earlier: Vec<Duration> = events.iter().map(|event| event.at).collect();
                let at = match self.dice.chance(SOON_PERCENT) && !earlier.is_empty() {
                    true => self.one(&earlier) + self.dice.within(SOON),
                    false => self.dice.within(Span { min: FIRST, max: CHAOS }),
                };
                let Some(event) = (trouble.draw)(self) else { continue };
                events.extend(self.return_of(&event, at));
                events.push(TimedEvent { at, event });
            }
        }
        events.retain(|event| event.at < CHAOS);
        events.sort_by_key(|event| event.at);
        events
    }

    /// Shorter waits and smaller caps than the product's, so that two hours are long enough to meet them.
    fn policy(&mut self) -> Policy {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let interruption_policy = self.one(&[InterruptionPolicy::Immediate, InterruptionPolicy::Shortfall]);
        let mut policy = Policy { interruption_policy, ..Policy::default() };
        if self.coin() {
            policy.restore_after = minutes(self.one(&[3, 5, 10]));
            policy.restore_backoff_factor = self.from(1, 2);
        }
        if self.coin() {
            policy.probation = minutes(self.one(&[1, 3]));
        }
        // Whoever has used up his restores needs a day of calm, so there are few of them.
        if self.dice.chance(25) {
            policy.restores_per_day = self.from(2, 5);
        }
        policy
    }
}
