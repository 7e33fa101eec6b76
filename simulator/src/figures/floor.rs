//! How fast the failovers of a run could have been at best.
//!
//! ECS takes `UpdateService` from a token bucket per account (aws-facts.md §4), and a failover needs one token, at its loss or
//! later. Nothing else counts here: no event, no handler, no network takes any time, every loss is known at once, and nobody
//! else uses the bucket. Looks are no bound: one `DescribeServices` call reads ten services.

use std::time::Duration;

/// A token, in the thousandths that a bucket counts.
const TOKEN: u64 = 1000;

/// The least time within which any recovery could have failed over `rank` of the losses, counted for each from its own.
///
/// `accounts` holds per account when its losses began, in order, and at least `rank` of them in all. So this is a bound for the
/// `rank`-th shortest time to failover, in whatever order the losses are taken, and some order reaches it.
pub(crate) fn floor(accounts: &[Vec<Duration>], bucket: (u32, u32), rank: usize) -> Duration {
    // A failover waits for as many tokens as there are losses at most, each of which is there at a full millisecond.
    let losses = accounts.iter().map(Vec::len).max().unwrap_or(0) as u64;
    let (mut low, mut high) = (0, losses * TOKEN.div_ceil(refill(bucket)));
    while low < high {
        let middle = low + (high - low) / 2;
        let done: usize = accounts.iter().map(|losses| failed_over_within(losses, bucket, middle)).sum();
        if done >= rank { high = middle } else { low = middle + 1 }
    }
    Duration::from_millis(low)
}

/// How many losses of an account can be failed over within `limit` milliseconds of each. To take them in order and to leave out
/// what would come too late is best: the limit is the same for all, so leaving out another one gains nothing.
fn failed_over_within(losses: &[Duration], bucket: (u32, u32), limit: u64) -> usize {
    let refill = refill(bucket);
    let spare = u64::from(bucket.0).saturating_sub(1) * TOKEN;
    // When the bucket will be full again, in thousandths of a token that flow in until then. It holds a token while no more
    // than the others are missing.
    let mut full_at: u64 = 0;
    let mut done = 0;
    for loss in losses {
        let loss = loss.as_millis() as u64;
        let at = loss.max(full_at.saturating_sub(spare).div_ceil(refill));
        if at - loss <= limit {
            full_at = full_at.max(at * refill) + TOKEN;
            done += 1;
        }
    }
    done
}

/// Thousandths of a token per millisecond, which is tokens a second. Of a bucket that is never refilled nobody gets more than
/// the burst; a slow one bounds that too.
fn refill(bucket: (u32, u32)) -> u64 {
    u64::from(bucket.1.max(1))
}

#[cfg(test)]
mod tests;
