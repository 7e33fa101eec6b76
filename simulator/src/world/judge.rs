//! The invariants: at each step of the recovery, what the world knows is held against what the oracle remembers.

use std::time::Duration;

use handlers::reconcile::MOST_UNANNOUNCED;
use handlers::record::{Phase, Record};
use handlers::service::ServiceId;
use handlers::strategy::Strategy;
use handlers::timestamp::Timestamp;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use crate::ecs::api::UpdateService;
use crate::ecs::task::Task;
use crate::facts::Facts;
use crate::ids::{DeploymentId, NameKey, ServiceKey};
use crate::observers::oracle::{BESIDES_RESTORES, FROM_LOOK_TO_WRITE, LAST_WORD, PER_RESTORE, UNKNOWABLE};
use crate::observers::trace::{Entry, Happening};
use crate::world::World;

/// Whether nothing was decided: `after` is `before` once what it had to announce is announced, or to be looked at later because a look
/// failed, or marked.
fn is_kept(before: &Record, after: &Record) -> bool {
    let Record { version, next_check_at, unannounced, mark, .. } = after;
    let (version, next_check_at, mark) = (*version, *next_check_at, mark.clone());
    let kept = Record { version, next_check_at, mark, ..before.clone() };
    (unannounced.is_empty() || *unannounced == before.unannounced)
        && *after == Record { unannounced: unannounced.clone(), ..kept }
}

impl World {
    /// The saved original is the owner's strategy, always. An order of items says nothing to ECS, so it may be one that the
    /// owner changed since.
    /// A record that was only kept, its news announced or its look put off, says nothing new.
    pub(crate) fn judge_record(&mut self, before: Option<&Record>, record: &Record) {
        let full = |record: &Record| record.unannounced.len() >= MOST_UNANNOUNCED;
        if full(record) && before.is_some_and(full) {
            let name = self.names.number(&record.service);
            self.seen.oracle.drops_news(name);
        }
        let Some(saved) = &record.original else {
            if matches!(record.phase, Phase::FailingOver | Phase::OnDemand | Phase::Restoring) {
                self.violation(&record.service, format!("{} without a saved original", record.phase));
            }
            return;
        };
        // Whoever may not look cannot know; a held record is checked again before anything is done with it.
        if record.phase == Phase::Held {
            return;
        }
        let name = self.names.number(&record.service);
        let credible = self.seen.oracle.is_credible(name, self.now, |owners| owners == saved);
        if !credible && !before.is_some_and(|before| is_kept(before, record)) {
            let owners = self.seen.oracle.owners_strategy(name).map_or("none".to_owned(), Strategy::to_string);
            self.violation(&record.service, format!("saved original is {saved}, the owner's strategy is {owners}"));
        }
    }

    /// A forced deployment of ours changes the strategy, and only between the owner's, its fallback and its probe: so no
    /// strategy of someone else is ever overwritten.
    pub(crate) fn judge_forced_deployment(
        &mut self,
        key: ServiceKey,
        changed: Option<&Strategy>,
        deployment: DeploymentId,
    ) {
        let name = self.ecs.service(key).name;
        self.judge_pace(name);
        self.note_overrun(name);
        self.judge_interference(key);
        let now = self.now;
        let Some(strategy) = changed else {
            // An owner who puts the same in place just before, such as a pipeline that applies the original while we restore it,
            // cannot be seen in time, nor can a rollback by ECS; and ECS knows no update on a condition.
            let look = self.oldest_look();
            let oracle = &mut self.seen.oracle;
            if !(oracle.owner_just_acted(name, now) || oracle.changed_within(name, now, look)) {
                self.violation_of(key, format!("deployment {deployment} forced without a change of strategy"));
            }
            return;
        };
        let ours = |o: &Strategy| strategy == o || strategy.stands_in_for(o);
        if !self.seen.oracle.is_credible(name, now, ours) {
            self.violation_of(key, format!("{strategy} is neither the owner's strategy nor its fallback or probe"));
        }
    }

    /// A restore never stops a young deployment, most likely a release of its owner's: it can wait. One that began since the look,
    /// nobody could know of.
    fn judge_interference(&mut self, key: ServiceKey) {
        let service = self.ecs.service(key);
        let name = service.name;
        let restores = self.table.get(name).is_some_and(|record| {
            record.phase == Phase::Restoring && record.change.as_ref().is_some_and(|change| !change.from.uses_spot())
        });
        let under_way = service.deployments.get(1).filter(|replaced| !replaced.completed && !replaced.failed);
        let age = under_way.map(|replaced| self.now.since(replaced.created_at));
        let young = age.is_some_and(|age| age + FROM_LOOK_TO_WRITE < self.spec.policy.deployment_grace);
        if restores && young && !self.seen.oracle.owner_just_acted(name, self.now) {
            self.violation_of(key, "restore forced into a release".into());
        }
    }

    /// An owner's choice that no look showed in time is overrun, and lost where the answers to calls get lost.
    fn note_overrun(&mut self, service: NameKey) {
        let Facts { kill_per_myriad, kill_percent, lost_reply_percent, table_throttle_percent, .. } = self.facts;
        let answers_get_lost = kill_per_myriad + kill_percent + lost_reply_percent + table_throttle_percent > 0;
        let saved = self.table.get(service).and_then(|record| record.original.as_ref());
        self.seen.oracle.overrun(service, self.now, saved, answers_get_lost);
    }

    /// What the recovery sends to ECS: force and a strategy, nothing else (aws-facts.md §11.4, §11.11), under a claim that is in
    /// force, once per claim, never to a service whose owner opted it out, and never while the recovery is paused.
    pub(crate) fn judge_update(&mut self, service: &ServiceId, update: &UpdateService) {
        if update.desired.is_some() {
            self.violation(service, "UpdateService sets the desired count".into());
        }
        if !update.force_new_deployment {
            self.violation(service, "UpdateService does not force a deployment".into());
        }
        if self.seen.oracle.is_paused(self.now, self.facts.lambda_timeout) {
            self.violation(service, "UpdateService although the recovery is paused".into());
        }
        let name = self.names.number(service);
        let key = self.names.service(service);
        let opted_out = key.is_some_and(|key| self.ecs.service(key).opted_out);
        if opted_out && !self.seen.oracle.owner_just_acted(name, self.now) {
            self.violation(service, "UpdateService for a service that its owner opted out".into());
        }
        let stored = self.table.get(name).cloned();
        let lease = stored.as_ref().and_then(|record| record.lease.as_ref()).filter(|lease| self.now < lease.until);
        let sent = update.strategy.as_deref();
        let claimed = stored.as_ref().and_then(|record| record.change.as_ref()).map(|change| change.to.items());
        let (Some(record), Some(lease)) = (&stored, lease.filter(|_| sent == claimed)) else {
            return self.violation(service, "UpdateService without a claim in force".into());
        };
        if self.seen.oracle.repeats_claim(name, record.version, &lease.owner) {
            self.violation(service, "a second UpdateService under the same claim".into());
        }
    }

    /// A failover begins: only on a service whose tasks find no place or did not just now, that lost a Spot task as lately as an
    /// event may still say, or for a synthetic event of someone who may send one. So nothing is done that an event of another
    /// account, an old one, or one about no loss asks for.
    pub(crate) fn judge_cause(&mut self, key: ServiceKey) {
        let now = self.now;
        let recently = |at: Option<Timestamp>, limit| at.is_some_and(|at| now.since(at) < limit);
        let service = self.ecs.service(key);
        let name = service.name;
        let seen = self.ecs.shown(key);
        let look = self.oldest_look();
        let arrived = |task: &Task| recently(task.running_since, look) || recently(Some(task.created_at), look);
        let was_short = service.tasks.values().any(arrived);
        let told = self.spec.policy.event_max_age + LAST_WORD;
        // A deployment that ECS gave up tries no more; it may have been for want of a place.
        let no_place = seen.lacks_capacity() && (!service.placement.is_empty() || service.primary().failed);
        let oracle = &mut self.seen.oracle;
        let unseen = oracle.owner_just_acted(name, now) || oracle.changed_within(name, now, look);
        if !(no_place || was_short || unseen || oracle.lost_within(name, now, told)) {
            self.violation_of(key, "failover of a service that lost nothing".into());
        }
    }

    /// How old a look may be that something is decided from: from before the last update of the service, where such reads occur at all.
    fn oldest_look(&self) -> Duration {
        if self.facts.stale_read_percent > 0 { UNKNOWABLE } else { FROM_LOOK_TO_WRITE }
    }

    /// A restore holds only once its deployment is complete (aws-facts.md §11.26), unless an owner has just begun another.
    pub(crate) fn judge_success(&mut self, key: ServiceKey) {
        let (now, service) = (self.now, self.ecs.service(key));
        let (name, complete) = (service.name, service.deployments.first().is_none_or(|primary| primary.completed));
        if !complete && !self.seen.oracle.owner_just_acted(name, now) {
            self.violation_of(key, "episode closed while the restore is under way".into());
        }
    }

    /// Deployments of ours on one service within a day are bounded, whatever happens to it: an owner who does something to the
    /// service begins a new count.
    fn judge_pace(&mut self, service: NameKey) {
        let most = self.spec.policy.restores_per_day as usize * PER_RESTORE + BESIDES_RESTORES;
        // Said once, not with every further one.
        if self.seen.oracle.forces(service, self.now) == most + 1 {
            let service = self.names.shared(service);
            self.violation(&service, format!("more than {most} deployments forced within a day"));
        }
    }

    /// At the end: every transition was announced, or is kept to be. That a record was deleted is said once, by whoever did it.
    pub(crate) fn judge_announcements(&mut self) {
        let kept = self.table.records().flat_map(|record| &record.unannounced);
        let mut told: IndexMap<&str, Vec<_>, FxBuildHasher> = IndexMap::default();
        for transition in self.audits.iter().chain(kept) {
            let (told, step) =
                (told.entry(&transition.id).or_default(), (transition.at, transition.from, transition.to));
            // One may be announced twice.
            if !told.contains(&step) {
                told.push(step);
            }
        }
        let mut untold = Vec::new();
        for Entry { service, what, .. } in &self.seen.trace {
            let (Some(service), Happening::Phase { from, to: Some(to), .. }) = (service, what) else { continue };
            let told = told.get_mut(service.record_id().as_str());
            let said = told.and_then(|told| {
                let said = told.iter().position(|(_, was, is)| (was, is) == (from, &Some(*to)))?;
                Some(told.swap_remove(said))
            });
            if said.is_none() {
                untold.push((ServiceId::clone(service), *to));
            }
        }
        // A bus or a sweep that does nothing for days makes a record forget its oldest news, which the log says.
        let is_full =
            |service: &ServiceId| self.names.find(service).is_some_and(|name| self.seen.oracle.has_dropped_news(name));
        untold.retain(|(service, _)| !is_full(service));
        for (service, to) in untold {
            self.violation(&service, format!("its transition to {to} was never announced"));
        }
    }

    fn violation_of(&mut self, key: ServiceKey, invariant: String) {
        let id = self.ecs.service(key).id.clone();
        self.violation(&id, invariant);
    }

    fn violation(&mut self, service: &ServiceId, invariant: String) {
        self.seen.oracle.violations.push(format!("{service}: {invariant}"));
        self.record(Some(service), Happening::Violation { invariant });
    }
}
