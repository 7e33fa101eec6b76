//! The sweep over due records: announces what became of them, looks at the services whose time has come, and takes each as far as it goes.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt};

use super::{ReconcileError, Reconciler, Seen};
use crate::decide::{Reason, Trigger};
use crate::ports::{Cluster, DESCRIBE_LIMIT, Ports, StoreError};
use crate::record::{DUE_SHARDS, Record};
use crate::service::{AccountId, ServiceName};

/// Most accounts that are swept side by side. Each makes one call at a time, but may leave a connection open to ECS, DynamoDB and STS
/// each, and a function may have 1,024 files open (Lambda quotas). No fewer than that allows: a silent loss in a whole Region is
/// failed over account by account, and an account that hangs must not hold up the rest.
const ACCOUNTS_AT_ONCE: usize = 256;

/// What one sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Records that were due: to be looked at, or announced.
    pub looked_at: usize,
    /// Records whose step could not be finished; they stay due.
    pub failed: usize,
}

/// What is due of one account. Few clusters: to compare a name with each is faster than to make a name to search a map for.
type Clusters = Vec<(Cluster, Vec<Arc<Record>>)>;

impl<P: Ports> Reconciler<'_, P> {
    /// Looks at every record that is due. Accounts go side by side, 256 at most, the services of one account one after
    /// another, so that no account sees more than one `UpdateService` of ours at a time.
    ///
    /// # Errors
    /// [`StoreError`] when the due index cannot be read; single services that fail are counted and stay due.
    pub async fn sweep(&self) -> Result<SweepReport, StoreError> {
        let now = self.ports.now();
        let mut left = self.policy.sweep_limit as usize;
        let mut accounts: BTreeMap<AccountId, Clusters> = BTreeMap::new();
        for shard in 0..DUE_SHARDS {
            let mut after = None;
            while left > 0 {
                let page = self.ports.due(shard, now, after).await?;
                for record in page.records.into_iter().take(left) {
                    left -= 1;
                    let clusters = accounts.entry(record.service.account.clone()).or_default();
                    match clusters.iter_mut().find(|(cluster, _)| cluster.holds(&record.service)) {
                        Some((_, records)) => records.push(record),
                        None => clusters.push((Cluster::of(&record.service), vec![record])),
                    }
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        // Boxed: a sweep of an account has a few KiB, which would be moved with it.
        let sweeps = stream::iter(accounts.into_values().map(|clusters| Box::pin(self.sweep_account(clusters))));
        let add = async |a: SweepReport, b: SweepReport| SweepReport {
            looked_at: a.looked_at + b.looked_at,
            failed: a.failed + b.failed,
        };
        Ok(sweeps.buffer_unordered(ACCOUNTS_AT_ONCE).fold(SweepReport::default(), add).await)
    }

    async fn sweep_account(&self, mut clusters: Clusters) -> SweepReport {
        let mut report = SweepReport::default();
        clusters.sort_by(|(one, _), (other, _)| one.cmp(other));
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
            if let Err(error) = self.put(Arc::clone(&record)).await {
                tracing::warn!(account = %cluster.account, service = %record.service, %error, "stays due");
                failed += 1;
            }
        }
        failed + if batch.is_empty() { 0 } else { self.look_at(cluster, &batch).await }
    }

    /// Announces what the records of a batch have to announce; those that have are without it then.
    async fn announce_all(&self, batch: &mut [Arc<Record>]) {
        let now = self.ports.now();
        let speaks = |record: &Record| !record.unannounced.is_empty() && !record.is_leased(now);
        let speakers = batch.iter().filter(|record| speaks(record));
        let news: Vec<_> = speakers.flat_map(|record| record.unannounced.iter().cloned()).collect();
        if !news.is_empty() && !self.bus_fails.get() && self.announce(&news).await {
            for record in batch.iter_mut().filter(|record| speaks(record)) {
                Arc::make_mut(record).unannounced.clear();
            }
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
                return batch.len();
            }
            Err(error) => {
                tracing::warn!(account = %cluster.account, cluster = %cluster.name, %error, "no look, stays due");
                return batch.len();
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

    /// A due record: where a restore is due, the market is asked first.
    async fn settle_due(&self, record: &Arc<Record>, seen: Seen) -> Result<Reason, ReconcileError> {
        let service = &record.service;
        let restore_due = record.restore_at.is_some_and(|at| self.ports.now() >= at);
        let market = if restore_due { Some(self.known_market(&service.account, &service.region).await) } else { None };
        self.settle(service, Trigger::Sweep, Some(Arc::clone(record)), seen, market.as_deref()).await
    }
}
