//! The sweep over due records: announces what became of them, looks at the services whose time has come, and takes each as far as it goes.
//!
//! A record that comes up must move back in the queue, also when it could not be worked on. Otherwise it would stay in front of the
//! others in every sweep.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt};

use super::{ReconcileError, Reconciler, Seen, SweepReport};
use crate::decide::{Reason, Trigger};
use crate::ports::{Cluster, DESCRIBE_LIMIT, Ports, StoreError};
use crate::record::{DUE_SHARDS, Record};
use crate::service::{AccountId, ServiceName};

/// Most accounts that are swept side by side. Each makes one call at a time, but may leave a connection open to ECS, DynamoDB and STS
/// each, and a function may have 1,024 files open (Lambda quotas). No fewer than that allows: a silent loss in a whole Region is
/// failed over account by account, and an account that hangs must not hold up the rest.
const ACCOUNTS_AT_ONCE: usize = 256;

/// Most pages that one sweep reads of each shard. A page has 1 MB, several hundred records: more is due in no cell.
const MOST_PAGES: usize = 250;

/// What is due of one account. Few clusters: to compare a name with each is faster than to make a name to search a map for.
type Clusters = Vec<(Cluster, Vec<Arc<Record>>)>;

impl<P: Ports> Reconciler<'_, P> {
    /// Looks at every record that is due. Accounts go side by side, 256 at most, the services of one account one after
    /// another, so that no account sees more than one `UpdateService` of ours at a time.
    ///
    /// # Errors
    /// [`StoreError`] when the due index cannot be read; single services that fail are counted and stay due.
    pub async fn sweep(&self) -> Result<SweepReport, StoreError> {
        let mut accounts: BTreeMap<AccountId, Clusters> = BTreeMap::new();
        for record in self.due().await? {
            let clusters = accounts.entry(record.service.account.clone()).or_default();
            match clusters.iter_mut().find(|(cluster, _)| cluster.holds(&record.service)) {
                Some((_, records)) => records.push(record),
                None => clusters.push((Cluster::of(&record.service), vec![record])),
            }
        }
        // The longest overdue first here too: a sweep may be stopped before it came to the last accounts.
        let mut accounts: Vec<Clusters> = accounts.into_values().collect();
        accounts.sort_by_key(|clusters| clusters.first().and_then(|(_, records)| Some(records.first()?.next_check_at)));
        // Boxed: a sweep of an account has a few KiB, which would be moved with it.
        let sweeps = stream::iter(accounts.into_iter().map(|clusters| Box::pin(self.sweep_account(clusters))));
        let add = async |a: SweepReport, b: SweepReport| SweepReport {
            looked_at: a.looked_at + b.looked_at,
            failed: a.failed + b.failed,
        };
        Ok(sweeps.buffer_unordered(ACCOUNTS_AT_ONCE).fold(SweepReport::default(), add).await)
    }

    /// The services that have waited longest for their look, `sweep_limit` at most, longest first. Then as many records that are
    /// due only to be announced: they wait for the bus, and must not take the place of a service.
    ///
    /// The shards are read a page each in turn. The index has a record where its oldest news is due. So while the bus takes none,
    /// records with news come first there, however late their look is, and do not end the reading.
    async fn due(&self) -> Result<Vec<Arc<Record>>, StoreError> {
        let now = self.ports.now();
        let limit = self.policy.sweep_limit as usize;
        let (mut looks, mut news) = (Vec::new(), Vec::new());
        let mut enough = 0;
        let mut shards: Vec<_> = (0..DUE_SHARDS).map(|shard| (shard, None)).collect();
        for _ in 0..MOST_PAGES {
            for (shard, after) in mem::take(&mut shards) {
                let page = self.ports.due(shard, now, after).await?;
                for record in page.records {
                    if now >= record.next_check_at {
                        enough += usize::from(record.due_at() == record.next_check_at);
                        looks.push(record);
                    } else if news.len() < limit {
                        news.push(record);
                    }
                }
                shards.extend(page.next.map(|next| (shard, Some(next))));
            }
            looks.sort_by_key(|record| record.next_check_at);
            looks.truncate(limit);
            if enough >= limit || shards.is_empty() {
                break;
            }
        }
        looks.append(&mut news);
        Ok(looks)
    }

    async fn sweep_account(&self, clusters: Clusters) -> SweepReport {
        let mut report = SweepReport::default();
        for (cluster, records) in clusters {
            let mut records = records.into_iter();
            loop {
                let batch: Vec<_> = records.by_ref().take(DESCRIBE_LIMIT).collect();
                if batch.is_empty() {
                    break;
                }
                report.looked_at += batch.len();
                report.failed += self.sweep_batch(&cluster, batch).await;
            }
        }
        report
    }

    /// Returns how many of the batch failed.
    async fn sweep_batch(&self, cluster: &Cluster, mut batch: Vec<Arc<Record>>) -> usize {
        self.announce_all(&mut batch).await;
        // What came up only to be announced is written as it is.
        let now = self.ports.now();
        let (batch, early): (Vec<_>, Vec<_>) = batch.into_iter().partition(|record| now >= record.next_check_at);
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

    /// Returns how many of the batch failed.
    async fn look_at(&self, cluster: &Cluster, batch: &[Arc<Record>]) -> usize {
        let names: Vec<ServiceName> = batch.iter().map(|r| r.service.service.clone()).collect();
        let at = self.ports.now();
        let looks = match self.ports.describe_services(cluster, &names).await {
            Ok(looks) if looks.len() == batch.len() => looks,
            Ok(looks) => {
                tracing::error!(account = %cluster.account, cluster = %cluster.name, asked = batch.len(), answered = looks.len(), "incomplete look");
                return self.put_off(batch).await;
            }
            Err(error) => {
                tracing::warn!(account = %cluster.account, cluster = %cluster.name, %error, "no look, stays due");
                return self.put_off(batch).await;
            }
        };
        let mut failed = 0;
        for (record, look) in batch.iter().zip(looks) {
            let settled = self.settle_due(record, Seen { look, at }).await;
            if let Err(error) = settled {
                tracing::warn!(account = %cluster.account, service = %record.service, %error, "stays due");
                failed += 1;
            }
        }
        failed
    }

    /// No look at these: others come first the next time, and what was announced is not announced again. Returns how many they are.
    async fn put_off(&self, batch: &[Arc<Record>]) -> usize {
        let next_check_at = self.ports.now() + self.policy.active_interval;
        for record in batch {
            self.keep(Arc::new(Record { next_check_at, ..Record::clone(record) })).await;
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
        let reason = self.settle(service, Trigger::Sweep, Some(Arc::clone(record)), seen, market.as_deref()).await?;
        if let Reason::DryRun(_) | Reason::Paused = reason {
            tracing::info!(account = %service.account, %service, %reason, "nothing changed");
        }
        Ok(reason)
    }
}
