//! Many random worlds, each drawn from its seed alone: what happens in worlds that nobody wrote?
//!
//! | question | file |
//! | --- | --- |
//! | what is a random world made of? | [`draw`] |
//! | what must hold at its end? | [`check`] |
//! | what is the least that shows a violation? | [`shrink`] |
//! | did anything interesting happen? | [`sometimes`] |
//! | what is a world in words? | [`words`] |

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

pub mod check;
pub mod draw;
pub mod shrink;
pub mod sometimes;
pub mod words;

use check::Played;
use check::good::Near;
use draw::Plan;

/// With so many worlds every condition must have been reached: the rarest is met in about one of five hundred.
pub const ENOUGH: u64 = 4000;
/// A world that comes as near to a limit is counted: so many percent of it.
pub const NEAR_PERCENT: u64 = 80;

/// Which worlds are played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swarm {
    /// The first seed.
    pub from: u64,
    /// How many seeds, over all shards.
    pub seeds: u64,
    /// Which shard, from 1.
    pub shard: u64,
    /// Of how many.
    pub shards: u64,
    /// Worlds at once; it changes nothing but the time it takes.
    pub jobs: usize,
}

/// What became of all of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Worlds played.
    pub worlds: u64,
    /// In how many of them the end of some service was not judged.
    pub free: u64,
    /// In how many worlds each kind of trouble was on.
    pub on: BTreeMap<&'static str, u64>,
    /// In how many worlds each condition was reached.
    pub reached: BTreeMap<&'static str, u64>,
    /// How near each rule of [`check::good`] came to its limit.
    pub near: BTreeMap<&'static str, Nearest>,
}

/// How near a rule came to its limit over all worlds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nearest {
    /// In the worst world.
    pub worst: Near,
    /// Its seed.
    pub seed: u64,
    /// Worlds at [`NEAR_PERCENT`] of the limit or above.
    pub close: u64,
}

/// Worlds that showed one kind of violation.
#[derive(Debug)]
pub struct Kind {
    /// Their seeds, in the order in which they were played.
    pub seeds: Vec<u64>,
    /// The one of the lowest seed.
    pub first: Failure,
}

/// A world that showed a violation.
#[derive(Debug)]
pub struct Failure {
    /// The world.
    pub plan: Plan,
    /// Its run.
    pub played: Played,
}

impl Swarm {
    /// The seed number `n` of this shard, from 0.
    pub fn seed(&self, n: u64) -> Option<u64> {
        let offset = n.checked_mul(self.shards)?.checked_add(self.shard - 1)?;
        (offset < self.seeds).then(|| self.from + offset)
    }

    /// How many seeds this shard has.
    pub fn len(&self) -> u64 {
        (self.seeds + self.shards - self.shard) / self.shards
    }

    /// Whether this shard has no seed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Plays every world of the shard, or finds the first of them that shows a violation. `plan` gives the world of a
    /// seed, `done` is told how many are done.
    ///
    /// # Errors
    /// [`Failure`] of the lowest seed that fails, whatever `jobs` is.
    pub fn play(&self, plan: impl Fn(u64) -> Plan + Sync, done: impl Fn(u64) + Sync) -> Result<Tally, Box<Failure>> {
        let (tally, failures) = self.run(plan, done, true);
        let first = failures.into_values().map(|kind| kind.first).min_by_key(|failure| failure.plan.world.seed);
        first.map_or(Ok(tally), |failure| Err(Box::new(failure)))
    }

    /// Plays every world of the shard, whatever they show: what became of those that hold, and each kind of violation, by its words
    /// without names and numbers.
    pub fn survey(
        &self,
        plan: impl Fn(u64) -> Plan + Sync,
        done: impl Fn(u64) + Sync,
    ) -> (Tally, BTreeMap<String, Kind>) {
        self.run(plan, done, false)
    }

    fn run(
        &self,
        plan: impl Fn(u64) -> Plan + Sync,
        done: impl Fn(u64) + Sync,
        to_the_first: bool,
    ) -> (Tally, BTreeMap<String, Kind>) {
        let (next, finished) = (AtomicU64::new(0), AtomicU64::new(0));
        // To the first: no world after the first failure counts; those before it are still played to the end.
        let failed = AtomicU64::new(u64::MAX);
        let all = Mutex::new((Tally::default(), BTreeMap::new()));
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.max(1) {
                scope.spawn(|| {
                    let mut tally = Tally::default();
                    loop {
                        let n = next.fetch_add(1, Ordering::Relaxed);
                        let Some(seed) = self.seed(n).filter(|_| n < failed.load(Ordering::Relaxed)) else { break };
                        let plan = plan(seed);
                        let played = check::play(&plan);
                        if let Some(violation) = &played.violation {
                            let kind = shrink::kind(violation);
                            note(&mut all.lock().expect("no thread panics with it").1, kind, Failure { plan, played });
                            if to_the_first {
                                failed.fetch_min(n, Ordering::Relaxed);
                                break;
                            }
                        } else {
                            tally.add(&plan, &played);
                        }
                        done(finished.fetch_add(1, Ordering::Relaxed) + 1);
                    }
                    all.lock().expect("no thread panics with it").0.merge(tally);
                });
            }
        });
        all.into_inner().expect("no thread panics with it")
    }
}

/// One more failure of a kind; the first is kept.
fn note(kinds: &mut BTreeMap<String, Kind>, kind: String, failure: Failure) {
    let seed = failure.plan.world.seed;
    match kinds.get_mut(&kind) {
        Some(known) => {
            known.seeds.push(seed);
            if seed < known.first.plan.world.seed {
                known.first = failure;
            }
        }
        None => _ = kinds.insert(kind, Kind { seeds: vec![seed], first: failure }),
    }
}

impl Tally {
    fn add(&mut self, plan: &Plan, played: &Played) {
        self.worlds += 1;
        self.free += u64::from(!played.free.is_empty());
        plan.on.iter().for_each(|kind| *self.on.entry(kind).or_default() += 1);
        for condition in sometimes::reached(plan, played) {
            *self.reached.entry(condition).or_default() += 1;
        }
        for near in &played.near {
            let close = u64::from(near.share() >= NEAR_PERCENT * 100);
            self.near_too(Nearest { worst: near.clone(), seed: plan.world.seed, close });
        }
    }

    /// Of two that are equally near the limit, the lower seed is the worst: so the number of jobs changes nothing.
    fn near_too(&mut self, other: Nearest) {
        match self.near.get_mut(other.worst.rule) {
            Some(known) => {
                known.close += other.close;
                if (other.worst.share(), known.seed) > (known.worst.share(), other.seed) {
                    *known = Nearest { close: known.close, ..other };
                }
            }
            None => _ = self.near.insert(other.worst.rule, other),
        }
    }

    fn merge(&mut self, other: Tally) {
        self.worlds += other.worlds;
        self.free += other.free;
        other.on.into_iter().for_each(|(kind, n)| *self.on.entry(kind).or_default() += n);
        other.reached.into_iter().for_each(|(condition, n)| *self.reached.entry(condition).or_default() += n);
        other.near.into_values().for_each(|near| self.near_too(near));
    }

    /// Conditions that no world reached.
    pub fn never(&self) -> Vec<&'static str> {
        sometimes::CONDITIONS.iter().filter(|condition| !self.reached.contains_key(*condition)).copied().collect()
    }
}
