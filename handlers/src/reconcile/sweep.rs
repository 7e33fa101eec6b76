//! The sweep over due records: announces what became of them, looks at the services whose time has come, and takes each as far as it goes.
//!
//! A sweep leaves out an account that is another handler's turn: that one works off what is due of it (`work_off`), marks of events
//! too, and hands on what it has no time for.
//!
//! A record that comes up must move back in the queue, also when it could not be worked on. Otherwise it would stay in front of the
//! others in every sweep.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};

use super::turns::{AFTER_END, Asked, For};
use super::{ReconcileError, Reconciler, Seen, SweepReport};
use crate::decide::{Reason, Trigger};
use crate::observation::Look;
use crate::ports::{Cluster, DESCRIBE_LIMIT, Ports, StoreError};
use crate::record::{DUE_SHARDS, Mark, Record, due_shard};
use crate::service::{AccountId, Region, ServiceName};
use crate::timestamp::Timestamp;

/// Most accounts that are swept side by side, and most services: the fewer accounts, the more services of each. A service makes one
/// call at a time, but may leave a connection open to ECS, DynamoDB and STS each, and a function may have 1,024 files open (Lambda
/// quotas). No fewer accounts than that allows: one that hangs must not hold up the rest.
const ACCOUNTS_AT_ONCE: usize = 256;

/// Most pages that one sweep reads of each shard. A page has 1 MB, several hundred records: more is due in no cell.
const MOST_PAGES: usize = 250;

/// So many due records of one account are read at a time, and worked off before the next are read.
const MOST_OF_ACCOUNT: usize = 1000;

/// What is due of one account. Few clusters: to compare a name with each is faster than to make a name to search a map for.
type Clusters = Vec<(Cluster, Vec<Arc<Record>>)>;

/// Which due records of an account are worked off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WorkOff {
    /// All, as soon as one of them has a mark.
    Marked,
    /// All.
    Due,
}

/// The order of two records that are due at two times. The index keeps none of what is due at the same time.
fn by_time(of_a: Timestamp, of_b: Timestamp, a: &Record, b: &Record) -> Ordering {
    of_a.cmp(&of_b).then_with(|| a.service.cmp(&b.service))
}

/// Adds a record to what is due of its account.
fn add(clusters: &mut Clusters, record: Arc<Record>) {
    match clusters.iter_mut().find(|(cluster, _)| cluster.holds(&record.service)) {
        Some((_, records)) => records.push(record),
        None => clusters.push((Cluster::of(&record.service), vec![record])),
    }
}

impl<P: Ports> Reconciler<'_, P> {
    /// Looks at every record that is due. Accounts go side by side, 256 at most, and of each account up to ten services, at the pace
    /// of its turn.
    ///
    /// # Errors
    /// [`StoreError`] when a part of the due index cannot be read, after what could be read was worked on; single services that fail
    /// are counted and stay due.
    pub async fn sweep(&self) -> Result<SweepReport, StoreError> {
        let mut accounts: BTreeMap<(AccountId, Region), Clusters> = BTreeMap::new();
        let (due, unread) = self.due().await;
        for record in due {
            let service = &record.service;
            add(accounts.entry((service.account.clone(), service.region.clone())).or_default(), record);
        }
        // The longest overdue first here too: a sweep may be stopped before it came to the last accounts.
        let mut accounts: Vec<_> = accounts.into_iter().collect();
        let oldest = |clusters: &Clusters| Some(clusters.first()?.1.first()?.look_due_at());
        accounts.sort_by_key(|(_, clusters)| oldest(clusters));
        // Boxed: a sweep of an account has a few KiB, which would be moved with it.
        self.at_once.set((ACCOUNTS_AT_ONCE / accounts.len().max(1)).clamp(1, DESCRIBE_LIMIT));
        let sweep = async |((account, region), clusters)| self.sweep_of(&account, &region, clusters).await;
        let sweeps = stream::iter(accounts.into_iter().map(|due| Box::pin(sweep(due))));
        let add = async |a: SweepReport, b: SweepReport| SweepReport {
            looked_at: a.looked_at + b.looked_at,
            failed: a.failed + b.failed,
        };
        let report = sweeps.buffer_unordered(ACCOUNTS_AT_ONCE).fold(SweepReport::default(), add).await;
        unread.map_or(Ok(report), Err)
    }

    /// The services that have waited longest for their look, `sweep_limit` at most, longest first. Then as many records that are
    /// due only to be announced: they wait for the bus, and must not take the place of a service.
    ///
    /// A page of each shard is read at a time; what is read of a shard that fails is kept, and its error returned with it. The index has a record where its oldest news is due. So while the bus takes none,
    /// records with news come first there, however late their look is, and do not end the reading.
    async fn due(&self) -> (Vec<Arc<Record>>, Option<StoreError>) {
        let now = self.ports.now();
        let limit = self.policy.sweep_limit as usize;
        let (mut looks, mut news, mut unread) = (Vec::new(), Vec::new(), None);
        let mut enough = 0;
        let mut shards: Vec<_> = (0..DUE_SHARDS).map(|shard| (shard, None)).collect();
        for _ in 0..MOST_PAGES {
            let pages = mem::take(&mut shards)
                .into_iter()
                .map(async |(shard, after)| self.ports.due(shard, now, after).await.map(|page| (shard, page)));
            for page in join_all(pages).await {
                let (shard, page) = match page {
                    Ok(page) => page,
                    Err(error) => {
                        unread = Some(error);
                        continue;
                    }
                };
                for record in page.records {
                    if now >= record.look_due_at() {
                        enough += usize::from(record.due_at() == record.look_due_at());
                        looks.push(record);
                    } else if news.len() < limit {
                        news.push(record);
                    }
                }
                shards.extend(page.next.map(|next| (shard, Some(next))));
            }
            looks.sort_by(|a, b| by_time(a.look_due_at(), b.look_due_at(), a, b));
            looks.truncate(limit);
            if enough >= limit || shards.is_empty() {
                break;
            }
        }
        news.sort_by(|a, b| by_time(a.due_at(), b.due_at(), a, b));
        looks.append(&mut news);
        (looks, unread)
    }

    /// The sweep of an account, unless that is another handler's turn. A service that is well may be looked at by anyone.
    async fn sweep_of(&self, account: &AccountId, region: &Region, clusters: Clusters) -> SweepReport {
        let open = clusters.iter().flat_map(|(_, records)| records).any(|record| !record.is_at_peace());
        if open {
            match self.turn_of_another(account, region).await {
                Ok(None) => {}
                Ok(Some(until)) => {
                    tracing::debug!(%account, %until, "left to the handler that has the turn of the account");
                    return SweepReport::default();
                }
                Err(error) => tracing::warn!(%account, %error, "turn of the account not read"),
            }
        }
        let (report, left) = self.sweep_account(clusters).await;
        self.end_turn(account, region, &report, left).await;
        report
    }

    /// Gives the turn of an account back, if it is ours. Another invocation goes on at once with what there was no time for, and
    /// with what failed as soon as its claims have ended.
    async fn end_turn(&self, account: &AccountId, region: &Region, report: &SweepReport, left: bool) {
        if self.has_turn(account) {
            if left {
                self.hand_on(account, region, Duration::ZERO).await;
            } else if report.failed > 0 {
                self.hand_on(account, region, self.policy.lease + AFTER_END).await;
            }
            self.give_turn_back(account).await;
        }
    }

    /// Works off what is due of an account in its turn, unless another handler has that. What there is no time for is handed on.
    pub(super) async fn work_off(&self, account: &AccountId, region: &Region, what: WorkOff) {
        // The index may still show what was done, and what failed is due again: a version comes up once.
        let mut met = BTreeSet::new();
        loop {
            // Read while the turn is free: what others left until then, nobody else may come to.
            let due = match self.due_of(account, region).await {
                Ok(due) => due,
                Err(error) => return tracing::warn!(%account, %error, "what is due of the account not read"),
            };
            let fresh = due.into_iter().filter(|record| met.insert((record.service.clone(), record.version)));
            let fresh: Vec<_> = fresh.collect();
            if !fresh.iter().any(|record| what == WorkOff::Due || record.mark.is_some()) {
                return;
            }
            let told = fresh.iter().any(|record| record.mark.is_some());
            let purpose = if told { For::Claims } else { For::Looks };
            match self.take_turn(account, region, purpose).await {
                Ok(Asked::Ours) => {}
                Ok(Asked::Held { until, backed }) => {
                    // Our message may have been the one that was to go on after that.
                    if !backed && what == WorkOff::Due {
                        self.come_back(account, region, until).await;
                    }
                    return;
                }
                Err(error) => return tracing::warn!(%account, %error, "turn of the account not taken"),
            }
            let mut clusters = Clusters::new();
            fresh.into_iter().for_each(|record| add(&mut clusters, record));
            let (report, left) = self.sweep_account(clusters).await;
            self.end_turn(account, region, &report, left).await;
            if left {
                return;
            }
        }
    }

    /// What is due of one account.
    async fn due_of(&self, account: &AccountId, region: &Region) -> Result<Vec<Arc<Record>>, StoreError> {
        let (now, shard) = (self.ports.now(), due_shard(account));
        let (mut due, mut after): (Vec<Arc<Record>>, _) = (Vec::new(), None);
        for _ in 0..MOST_PAGES {
            let page = self.ports.due(shard, now, after).await?;
            due.extend(
                page.records
                    .into_iter()
                    .filter(|record| (&record.service.account, &record.service.region) == (account, region)),
            );
            after = page.next;
            if after.is_none() || due.len() >= MOST_OF_ACCOUNT {
                break;
            }
        }
        due.sort_by(|a, b| by_time(a.due_at(), b.due_at(), a, b));
        Ok(due)
    }

    /// Whether some are left, for want of time, is returned too.
    async fn sweep_account(&self, clusters: Clusters) -> (SweepReport, bool) {
        let mut report = SweepReport::default();
        for (cluster, records) in clusters {
            let mut records = records.into_iter();
            loop {
                let batch: Vec<_> = records.by_ref().take(DESCRIBE_LIMIT).collect();
                if batch.is_empty() {
                    break;
                }
                if self.is_time_over() {
                    return (report, true);
                }
                report.looked_at += batch.len();
                report.failed += self.sweep_batch(&cluster, batch).await;
            }
        }
        (report, false)
    }

    /// Returns how many of the batch failed.
    async fn sweep_batch(&self, cluster: &Cluster, mut batch: Vec<Arc<Record>>) -> usize {
        self.announce_all(&mut batch).await;
        // What came up only to be announced is written as it is.
        let now = self.ports.now();
        let (batch, early): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .map(|record| self.unmarked_if_old(record, now))
            .partition(|record| now >= record.look_due_at());
        let mut failed = 0;
        for record in early.into_iter().filter(|record| record.unannounced.is_empty()) {
            failed += usize::from(!self.keep(record).await);
        }
        failed + if batch.is_empty() { 0 } else { self.look_at(cluster, &batch).await }
    }

    /// Announces what the records of a batch have to announce; those that have are without it then.
    async fn announce_all(&self, batch: &mut [Arc<Record>]) {
        let now = self.ports.now();
        let speaks = |record: &Record| !record.unannounced.is_empty() && !record.is_leased(now);
        let speakers = batch.iter().filter(|record| speaks(record));
        let news: Vec<_> = speakers.flat_map(|record| record.unannounced.iter().cloned()).collect();
        if news.is_empty() || self.bus_fails.get() {
            return;
        }
        let mut accepted = self.announce(&news).await;
        for record in batch.iter_mut().filter(|record| speaks(record)) {
            let Some(others) = accepted.checked_sub(record.unannounced.len()) else { break };
            accepted = others;
            Arc::make_mut(record).unannounced.clear();
        }
    }

    /// Without a mark that says nothing new by now: then nothing need be looked at for it.
    fn unmarked_if_old(&self, record: Arc<Record>, now: Timestamp) -> Arc<Record> {
        let Some(event) = record.mark.as_ref().map(|mark| mark.of(&record.service)) else { return record };
        let unmarked = Record { mark: None, ..Record::clone(&record) };
        if self.is_news(&unmarked, &event, now) { record } else { Arc::new(unmarked) }
    }

    /// Returns how many of the batch failed.
    async fn look_at(&self, cluster: &Cluster, batch: &[Arc<Record>]) -> usize {
        let names: Vec<ServiceName> = batch.iter().map(|r| r.service.service.clone()).collect();
        let (looks, at) = match self.look_at_all(cluster, &names).await {
            Ok(looks) => looks,
            Err(error) => {
                tracing::warn!(account = %cluster.account, cluster = %cluster.name, %error, "no look, stays due");
                return self.put_off(batch).await;
            }
        };
        let settle = async |(record, look): (&Arc<Record>, Look)| {
            let settled = self.settle_due(record, Seen { look, at }).await;
            if let Err(error) = &settled {
                tracing::warn!(account = %cluster.account, service = %record.service, %error, "stays due");
            }
            usize::from(settled.is_err())
        };
        let now = self.ports.now();
        let (restores, others): (Vec<_>, Vec<_>) =
            batch.iter().zip(looks).partition(|(record, _)| record.may_restore(now));
        let mut failed = 0;
        for group in others.chunks(self.at_once.get()) {
            failed += join_all(group.iter().cloned().map(settle)).await.into_iter().sum::<usize>();
        }
        // One after another: the next knows from the market that this one has begun.
        for restore in restores {
            failed += settle(restore).await;
        }
        failed
    }

    /// No look at these: others come first the next time, and what was announced is not announced again. Returns how many they are.
    async fn put_off(&self, batch: &[Arc<Record>]) -> usize {
        let now = self.ports.now();
        let next_check_at = now + self.policy.active_interval;
        for record in batch {
            let mut record = Record { next_check_at, ..Record::clone(record) };
            record.mark = record.mark.map(|mark| Mark { due: now + self.policy.retry_delay, ..mark });
            self.keep(Arc::new(record)).await;
        }
        batch.len()
    }

    /// Writes a record about which nothing was decided, unless somebody else wrote it first. Returns whether the table answered.
    async fn keep(&self, record: Arc<Record>) -> bool {
        let put = self.put(Arc::clone(&record)).await;
        if let Err(error) = &put {
            tracing::warn!(account = %record.service.account, service = %record.service, %error, "stays due");
        }
        put.is_ok()
    }

    /// A due record: where a restore is due, the market is asked first.
    async fn settle_due(&self, record: &Arc<Record>, seen: Seen) -> Result<Reason, ReconcileError> {
        let service = &record.service;
        let market = match record.may_restore(self.ports.now()) {
            true => Some(self.known_market(&service.account, &service.region).await),
            false => None,
        };
        let event = record.mark.as_ref().map(|mark| mark.of(service));
        let trigger = event.as_ref().map_or(Trigger::Sweep, Trigger::Event);
        let reason = self.settle(service, trigger, Some(Arc::clone(record)), seen, market.as_deref()).await?;
        if let Reason::DryRun(_) | Reason::Paused = reason {
            tracing::info!(account = %service.account, %service, %reason, "nothing changed");
        }
        Ok(reason)
    }
}
