use proptest::prelude::*;

use super::*;

fn ms(times: &[u64]) -> Vec<Duration> {
    times.iter().copied().map(Duration::from_millis).collect()
}

fn floors(accounts: &[Vec<Duration>], bucket: (u32, u32)) -> Vec<Duration> {
    let count = accounts.iter().map(Vec::len).sum();
    (1..=count).map(|rank| floor(accounts, bucket, rank)).collect()
}

#[test]
fn what_the_burst_covers_waits_for_nothing_and_the_rest_for_the_refill() {
    // Four tokens are there, two come each second.
    let at_once = [ms(&[0; 10])];
    assert_eq!(floors(&at_once, (4, 2)), ms(&[0, 0, 0, 0, 500, 1000, 1500, 2000, 2500, 3000]));
}

#[test]
fn a_percentile_may_leave_out_the_losses_that_it_is_not_about() {
    // One token is there, one comes each second. Two of three within 900 ms: the second is left out. All: in order.
    assert_eq!(floors(&[ms(&[0, 0, 100])], (1, 1)), ms(&[0, 900, 1900]));
}

#[test]
fn between_two_outages_the_bucket_fills_again_and_not_beyond_its_burst() {
    assert_eq!(floors(&[ms(&[0, 0, 1000, 1000])], (2, 1)), ms(&[0, 0, 0, 1000]));
    assert_eq!(floors(&[ms(&[0, 3_600_000, 3_600_000, 3_600_000])], (2, 1)), ms(&[0, 0, 0, 1000]));
}

#[test]
fn every_account_has_a_bucket_of_its_own() {
    assert_eq!(floors(&[ms(&[0, 0]), ms(&[0])], (1, 1)), ms(&[0, 0, 1000]));
}

#[test]
fn a_bucket_that_is_never_refilled_gives_its_burst() {
    assert_eq!(floors(&[ms(&[0, 0])], (2, 0)), ms(&[0, 0]));
}

/// The times to failover when the losses are taken in `order`, with a bucket that is looked at every millisecond.
fn taken_in(order: &[u64], (burst, refill): (u32, u32)) -> Vec<u64> {
    let full = u64::from(burst) * TOKEN;
    let (mut now, mut level) = (0, full);
    let mut waited: Vec<u64> = order
        .iter()
        .map(|lost_at| {
            while now < *lost_at || level < TOKEN {
                now += 1;
                level = (level + u64::from(refill)).min(full);
            }
            level -= TOKEN;
            now - lost_at
        })
        .collect();
    waited.sort_unstable();
    waited
}

/// Every order of `rest` behind `taken`.
fn orders(taken: &mut Vec<u64>, rest: &[u64], each: &mut impl FnMut(&[u64])) {
    if rest.is_empty() {
        each(taken);
    }
    for n in 0..rest.len() {
        let mut others = rest.to_vec();
        taken.push(others.remove(n));
        orders(taken, &others, each);
        taken.pop();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_order_beats_the_floor_and_some_order_reaches_it(
        mut losses in prop::collection::vec(0..3000_u64, 1..=5),
        bucket in (1..=3_u32, 1..=4_u32),
    ) {
        losses.sort_unstable();
        let mut best = vec![u64::MAX; losses.len()];
        orders(&mut Vec::new(), &losses, &mut |order| {
            for (best, waited) in best.iter_mut().zip(taken_in(order, bucket)) {
                *best = waited.min(*best);
            }
        });
        prop_assert_eq!(floors(&[ms(&losses)], bucket), ms(&best));
    }
}
