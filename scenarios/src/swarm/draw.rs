//! Draws a random world from its seed alone. Each kind of trouble is off in about half of the worlds: trouble that is
//! everywhere hides what only its absence shows, and rare pairs meet more often (swarm testing).
//!
//! | question | file |
//! | --- | --- |
//! | what goes wrong by chance, and what limits an account? | [`faults`] |
//! | what is a service like? | [`services`] |
//! | what happens at times of its own? | [`troubles`] |
//! | what happens together? | [`patterns`] |

use std::collections::BTreeSet;
use std::time::Duration;

use handlers::policy::{InterruptionPolicy, Policy};
use handlers::service::AccountId;
use simulator::MakeHandlers;
use simulator::dice::{Dice, Span};
use simulator::facts::Facts;
use simulator::spec::{TimedEvent, WorldSpec};

pub mod faults;
pub mod patterns;
pub mod services;
mod source;
pub mod troubles;

pub use faults::{FAULTS, LIMITS};
pub use patterns::PATTERNS;
pub use services::TRAITS;
use source::{CENTRAL, Draw};
pub use troubles::TROUBLES;

/// How long things go wrong, a long quiet time not counted.
pub const CHAOS: Duration = Duration::from_secs(2 * 3600);
/// How long in an account of hundreds.
pub const SHORT_CHAOS: Duration = Duration::from_secs(45 * 60);
/// Nothing happens sooner.
const FIRST: Duration = Duration::from_secs(60);
/// Of 100 events, so many come soon after another one, to meet what it began half done.
const SOON_PERCENT: u32 = 30;
/// How soon.
const SOON: Span = Span::secs(1, 180);
/// In so many of 100 worlds nothing goes wrong by chance and the cell is sound: only in them is everybody handled in time.
pub const SOUND_PERCENT: u32 = 40;
/// In so many of 100 of the others a fault is on.
pub const FAULT_PERCENT: u32 = 50;
/// And a limit: fewer, for where it is less than what the owners ask for, the end of a world says nothing.
pub const LIMIT_PERCENT: u32 = 25;
/// Services of a world.
const SERVICES: u32 = 3;
/// And of one of so many worlds, all in one account.
const MANY_SERVICES: u32 = 400;
/// See there.
const ONE_OF: u64 = 500;
/// The name of that kind of world.
pub const LARGE_ACCOUNT: &str = "an account of 400 services";
/// The name of a world in which nothing happens for hours or days.
pub const LONG_QUIET: &str = "a long quiet time";
/// In how many worlds of 100.
pub const LONG_QUIET_PERCENT: u32 = 8;
/// The simulator's own streams have low numbers.
const STREAM: u64 = 100;
const ACCOUNTS: [&str; 3] = ["111111111111", "222222222222", "333333333333"];
const HOUR: u64 = 3600;
const A_DAY: Duration = Duration::from_secs(24 * HOUR);

/// A world and its trouble, before anything is mended.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The world; its events are those of the chaos, in order.
    pub world: WorldSpec,
    /// What goes wrong by chance.
    pub facts: Facts,
    /// What the functions run.
    pub handlers: MakeHandlers,
    /// When everything is mended.
    pub chaos: Duration,
    /// The kinds of trouble that are on, by name.
    pub on: BTreeSet<&'static str>,
}

/// The world of a seed.
pub fn plan(seed: u64) -> Plan {
    plan_without(seed, &[])
}

/// The world of a seed in which these traits, troubles and patterns are off: what they hide is seen then.
pub fn plan_without(seed: u64, without: &[String]) -> Plan {
    let dice = Dice::new(seed, STREAM);
    let mut draw =
        Draw { dice, policy: Policy::default(), accounts: Vec::new(), services: Vec::new(), without: without.to_vec() };
    let large = draw.dice.below(ONE_OF) == 0;
    let (accounts, services) = match large {
        true => (1, MANY_SERVICES),
        false => (draw.from(1, ACCOUNTS.len() as u32) as usize, SERVICES),
    };
    draw.accounts = ACCOUNTS[..accounts].iter().map(|account| account.parse().expect("an account")).collect();
    draw.policy = draw.new_policy();
    let traits: Vec<_> = TRAITS.iter().filter(|one| draw.is_on(one.name, one.percent)).collect();
    // A large account is large enough with ordinary services.
    let theirs: &[_] = if large { &[] } else { &traits };
    draw.services = (0..services).map(|n| draw.new_service(n, theirs)).collect();
    let central: AccountId = CENTRAL.parse().expect("an account");

    let mut on: BTreeSet<&str> = theirs.iter().map(|one| one.name).collect();
    on.extend(large.then_some(LARGE_ACCOUNT));
    let sound = large || draw.dice.chance(SOUND_PERCENT);
    let facts = if large { Facts::default() } else { draw.facts(sound, &mut on) };
    let mut events = if large { draw.of_an_account() } else { draw.events(sound, &mut on) };
    let quiet = if large { Duration::ZERO } else { draw.quiet(&mut events, &mut on) };
    // Production's more often: it plays faster too. Days are played with it alone.
    let schedules: &[u64] = if quiet >= A_DAY { &[5] } else { &[1, 5, 5] };
    let world = WorldSpec {
        seed,
        region: "eu-west-1".parse().expect("a region"),
        central: central.clone(),
        accounts: draw.accounts.clone(),
        synthetic_from: if on.contains("synthetic events") { vec![central] } else { Vec::new() },
        restore_schedule: Duration::from_secs(60 * draw.one(schedules)),
        policy: draw.policy,
        services: draw.services,
        events,
    };
    let chaos = if large { SHORT_CHAOS } else { CHAOS + quiet };
    Plan { world, facts, handlers: MakeHandlers::default(), chaos, on }
}

impl Draw {
    /// What goes wrong by chance, and what limits an account. Adds to `on` which of it.
    fn facts(&mut self, sound: bool, on: &mut BTreeSet<&'static str>) -> Facts {
        let mut facts = Facts::default();
        let faults = FAULTS.iter().filter(|_| !sound).map(|fault| (fault, FAULT_PERCENT));
        for (fault, percent) in faults.chain(LIMITS.iter().map(|limit| (limit, LIMIT_PERCENT))) {
            if self.dice.chance(percent) {
                on.insert(fault.name);
                (fault.set)(&mut facts, self.from(1, fault.most));
            }
        }
        facts
    }

    /// Now and then nothing happens for hours, or for days, and then the rest of what happens. Gives how long.
    fn quiet(&mut self, events: &mut [TimedEvent], on: &mut BTreeSet<&'static str>) -> Duration {
        if !self.dice.chance(LONG_QUIET_PERCENT) {
            return Duration::ZERO;
        }
        on.insert(LONG_QUIET);
        let (least, most) = self.one(&[(1, 6), (1, 6), (1, 6), (6, 24), (6, 24), (24, 72)]);
        let quiet = self.dice.within(Span::secs(least * HOUR, most * HOUR));
        let from = self.dice.within(Span { min: FIRST, max: CHAOS });
        events.iter_mut().filter(|event| event.at >= from).for_each(|event| event.at += quiet);
        quiet
    }

    /// What happens, in order. Adds to `on` what kinds of trouble that is.
    fn events(&mut self, sound: bool, on: &mut BTreeSet<&'static str>) -> Vec<TimedEvent> {
        let mut events: Vec<TimedEvent> = Vec::new();
        let troubles = TROUBLES.iter().filter(|trouble| !(sound && trouble.of_the_cell));
        for trouble in troubles.filter(|trouble| self.is_on(trouble.name, trouble.percent)).collect::<Vec<_>>() {
            on.insert(trouble.name);
            for _ in 0..self.from(1, trouble.most) {
                let at = self.time_for(&events);
                let Some(event) = (trouble.draw)(self) else { continue };
                events.extend(self.return_of(&event, at));
                events.push(TimedEvent { at, event });
            }
        }
        for pattern in PATTERNS.iter().filter(|pattern| self.is_on(pattern.name, pattern.percent)).collect::<Vec<_>>() {
            on.insert(pattern.name);
            for _ in 0..self.from(1, pattern.most) {
                let at = self.time_for(&events);
                events.extend((pattern.draw)(self, at));
            }
        }
        events.retain(|event| event.at < CHAOS);
        events.sort_by_key(|event| event.at);
        events
    }

    /// Soon after something else, or at any time.
    fn time_for(&mut self, earlier: &[TimedEvent]) -> Duration {
        match self.dice.chance(SOON_PERCENT) && !earlier.is_empty() {
            true => earlier[self.dice.below(earlier.len() as u64) as usize].at + self.dice.within(SOON),
            false => self.dice.within(Span { min: FIRST, max: CHAOS }),
        }
    }

    /// Shorter waits and smaller caps than the product's, so that two hours are long enough to meet them.
    fn new_policy(&mut self) -> Policy {
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
