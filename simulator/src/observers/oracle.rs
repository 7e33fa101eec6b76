//! What the oracle remembers of every service: what its owner chose, what was lost, what the recovery forced. On plain data alone;
//! `world/judge.rs` collects the evidence and holds it against this.

use std::collections::VecDeque;
use std::time::Duration;

use handlers::event::SYNTHETIC_SOURCE;
use handlers::service::AccountId;
use handlers::strategy::{CapacityProvider, Strategy};
use handlers::timestamp::Timestamp;

use crate::ids::NameKey;
use crate::observers::trace::{Caller, Happening};

/// A handler acts on a look that may be this old: its own longest run, and a stale read. What an owner chose within this time
/// before, it cannot know.
pub(crate) const UNKNOWABLE: Duration = Duration::from_secs(90);

/// From a look to the write of what was decided from it: two calls on their way, and each takes a fraction of this.
pub(crate) const FROM_LOOK_TO_WRITE: Duration = Duration::from_secs(2);

/// The last event about a loss comes this long after it at most: a warned task runs on for two minutes and its end is told
/// too (aws-facts.md §2.3), and a handler takes its time.
pub(crate) const LAST_WORD: Duration = Duration::from_secs(300);

/// Deployments that one restore may cost: its probe, itself, and the way back.
pub(crate) const PER_RESTORE: usize = 3;

/// Deployments a day that no restore explains: the failover, and those that ECS rolled back.
pub(crate) const BESIDES_RESTORES: usize = 12;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The truth about whose strategy is whose, and every breach found.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    /// By [`NameKey`].
    lives: Vec<Life>,
    /// When a synthetic event that the cell must believe was last put.
    synthetic_at: Option<Timestamp>,
    /// Since when the recovery is paused.
    paused_since: Option<Timestamp>,
    pub(crate) violations: Vec<String>,
}

/// What the oracle remembers of one service.
#[derive(Debug, Default)]
struct Life {
    /// What its owner chose, and since when; the last is in force.
    chosen: Vec<(Timestamp, Strategy)>,
    /// Whether its owner lost a choice to a rollback, or to an update of ours whose answer nobody could keep.
    unknowable: bool,
    /// When Spot last took a task or refused one.
    lost_at: Option<Timestamp>,
    /// When ECS last rolled a deployment of it back, or its auto scaler set another count.
    changed_at: Option<Timestamp>,
    /// When its owner or a rollback last changed its strategy.
    replaced_at: Option<Timestamp>,
    /// When the recovery last saw it as it was.
    looked_at: Option<Timestamp>,
    /// When its owner last did something to it.
    owner_at: Option<Timestamp>,
    /// When the recovery forced deployments, within a day and since the owner's last act.
    forced: VecDeque<Timestamp>,
    /// Most of them that were ever counted.
    most_forced: usize,
    /// Whether its record had more news than it may keep.
    news_dropped: bool,
    /// The claim that the last deployment was made under: version of the record, token of the handler.
    claim: Option<(u64, String)>,
}

impl Oracle {
    /// Something has happened.
    pub(crate) fn saw(
        &mut self,
        now: Timestamp,
        service: Option<NameKey>,
        what: &Happening,
        synthetic_from: &[AccountId],
    ) {
        match (what, service) {
            (Happening::EventPut { account, source, .. }, _)
                if source == SYNTHETIC_SOURCE && synthetic_from.contains(account) =>
            {
                self.synthetic_at = Some(now);
            }
            (Happening::Paused { paused }, _) => self.pause(now, *paused),
            (
                Happening::Interrupted { .. }
                | Happening::Vanished { .. }
                | Happening::PlacementFailure { provider: CapacityProvider::FargateSpot, .. },
                Some(service),
            ) => self.life(service).lost_at = Some(now),
            (Happening::RolledBack { .. } | Happening::Updated { caller: Caller::AutoScaler, .. }, Some(service)) => {
                self.life(service).changed_at = Some(now);
            }
            (Happening::Owner { .. } | Happening::Updated { caller: Caller::Owner, .. }, Some(service)) => {
                let life = self.life(service);
                life.owner_at = Some(now);
                life.forced.clear();
            }
            _ => {}
        }
    }

    fn life(&mut self, service: NameKey) -> &mut Life {
        if self.lives.len() <= service.0 {
            self.lives.resize_with(service.0 + 1, Life::default);
        }
        &mut self.lives[service.0]
    }

    /// The kill switch is set, or not.
    pub(crate) fn pause(&mut self, now: Timestamp, paused: bool) {
        self.paused_since = paused.then(|| self.paused_since.unwrap_or(now));
    }

    /// Whether the recovery has been paused for longer than an invocation runs: each keeps the policy it began with.
    pub(crate) fn is_paused(&self, now: Timestamp, timeout: Duration) -> bool {
        self.paused_since.is_some_and(|since| now.since(since) > timeout)
    }

    /// `like_ours`: the recovery has applied the same, or may have, and would say that it is its own. It cannot know better either
    /// where an owner sets what the recovery would, after a change that no look showed.
    pub(crate) fn owner_chose(&mut self, now: Timestamp, service: NameKey, strategy: &Strategy, like_ours: bool) {
        let life = self.life(service);
        let unseen = life.replaced_at.is_some() && life.replaced_at >= life.looked_at;
        let stands_in = life.chosen.iter().any(|(_, earlier)| strategy.stands_in_for(earlier));
        life.unknowable |= like_ours || (unseen && stands_in);
        life.replaced_at = Some(now);
        life.chosen.push((now, strategy.clone()));
    }

    /// The recovery sees the service as it is.
    pub(crate) fn looked(&mut self, now: Timestamp, service: NameKey) {
        self.life(service).looked_at = Some(now);
    }

    /// ECS rolled a deployment back, or an owner did what looks just like it. Which of several choices of its owner the service then
    /// stands for, nobody can tell: two of them may have the same fallback. From now on any of them is credible.
    pub(crate) fn rolled_back(&mut self, now: Timestamp, service: NameKey) {
        let Life { chosen, unknowable, replaced_at, .. } = self.life(service);
        *replaced_at = Some(now);
        *unknowable |= chosen.iter().any(|(_, strategy)| strategy.items() != chosen[0].1.items());
    }

    pub(crate) fn owners_strategy(&self, service: NameKey) -> Option<&Strategy> {
        self.lives.get(service.0)?.chosen.last().map(|(_, strategy)| strategy)
    }

    pub(crate) fn is_unknowable(&self, service: NameKey) -> bool {
        self.lives.get(service.0).is_some_and(|life| life.unknowable)
    }

    /// Whether a handler may take a strategy for which `is` holds for the owner's.
    pub(crate) fn is_credible(&mut self, service: NameKey, now: Timestamp, is: impl Fn(&Strategy) -> bool) -> bool {
        self.life(service).credible(now).any(is)
    }

    /// Whether the owner did something that a handler may not have seen.
    pub(crate) fn owner_just_acted(&mut self, service: NameKey, now: Timestamp) -> bool {
        self.life(service).owner_just_acted(now)
    }

    /// Whether ECS, by a rollback, or an auto scaler changed the service within `time`.
    pub(crate) fn changed_within(&mut self, service: NameKey, now: Timestamp, time: Duration) -> bool {
        self.life(service).changed_at.is_some_and(|at| now.since(at) < time)
    }

    /// Whether the service lost a Spot task within `time`, or a synthetic event that must be believed was put.
    pub(crate) fn lost_within(&mut self, service: NameKey, now: Timestamp, time: Duration) -> bool {
        let recently = |at: Option<Timestamp>| at.is_some_and(|at| now.since(at) < time);
        recently(self.synthetic_at) || recently(self.life(service).lost_at)
    }

    /// The recovery forces a deployment, with `saved` as the original. An owner's choice that it overruns is lost where answers to its
    /// calls get lost: the answer lists the deployment it replaced, but whoever cannot keep the answer, because it dies, or its
    /// reply or its write is lost, leaves nobody who could know. And one that is just what we would set looks like ours.
    pub(crate) fn overrun(
        &mut self,
        service: NameKey,
        now: Timestamp,
        saved: Option<&Strategy>,
        answers_get_lost: bool,
    ) {
        let life = self.life(service);
        life.unknowable |= life.chosen.last().is_some_and(|(at, owners)| {
            let like_ours = saved.is_some_and(|saved| owners.stands_in_for(saved));
            now.since(*at) < UNKNOWABLE && saved != Some(owners) && (answers_get_lost || like_ours)
        });
    }

    /// The recovery forces a deployment: how many it has forced within a day, since the owner last did something.
    pub(crate) fn forces(&mut self, service: NameKey, now: Timestamp) -> usize {
        let Life { forced, most_forced, .. } = self.life(service);
        forced.push_back(now);
        while forced.front().is_some_and(|at| now.since(*at) >= DAY) {
            forced.pop_front();
        }
        *most_forced = forced.len().max(*most_forced);
        forced.len()
    }

    /// The recovery updates under this claim: whether the last update was made under the same one.
    pub(crate) fn repeats_claim(&mut self, service: NameKey, version: u64, owner: &str) -> bool {
        let claim = Some((version, owner.to_owned()));
        let last = std::mem::replace(&mut self.life(service).claim, claim);
        self.life(service).claim == last
    }

    /// The record of the service had to drop some of its news.
    pub(crate) fn drops_news(&mut self, service: NameKey) {
        self.life(service).news_dropped = true;
    }

    pub(crate) fn has_dropped_news(&self, service: NameKey) -> bool {
        self.lives.get(service.0).is_some_and(|life| life.news_dropped)
    }

    /// Most deployments that [`Oracle::forces`] counted.
    pub(crate) fn most_forced_in_a_day(&self, service: NameKey) -> u32 {
        self.lives.get(service.0).map_or(0, |life| life.most_forced as u32)
    }
}

impl Life {
    /// What a handler may take for the owner's strategy now: the one in force, those replaced only just now, and after a rollback
    /// any.
    fn credible(&self, now: Timestamp) -> impl Iterator<Item = &Strategy> {
        let in_force = move |n: usize| {
            let replaced = self.chosen.get(n + 1);
            self.unknowable || replaced.is_none_or(|(replaced, _)| now.since(*replaced) < UNKNOWABLE)
        };
        self.chosen.iter().enumerate().filter(move |(n, _)| in_force(*n)).map(|(_, (_, strategy))| strategy)
    }

    /// Whether its owner did something that a handler may not have seen.
    fn owner_just_acted(&self, now: Timestamp) -> bool {
        self.owner_at.is_some_and(|at| now.since(at) < UNKNOWABLE)
    }
}
