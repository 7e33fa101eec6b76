//! What invocations wait for: times of the virtual clock, woken in order.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use handlers::timestamp::Timestamp;

/// The virtual clock and everyone who waits for a time of it.
#[derive(Debug, Clone)]
pub(crate) struct Timers(Rc<RefCell<State>>);

#[derive(Debug)]
struct State {
    now: Timestamp,
    /// Sleepers so far; those of the same moment are woken in the order in which they lay down.
    slept: u64,
    sleeping: BTreeMap<(Timestamp, u64), Waker>,
}

impl Timers {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self(Rc::new(RefCell::new(State { now, slept: 0, sleeping: BTreeMap::new() })))
    }

    /// Waits, from the first poll on.
    pub(crate) fn sleep(&self, time: Duration) -> Sleep {
        Sleep { timers: self.clone(), time, place: None }
    }

    /// The first moment somebody waits for.
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.0.borrow().sleeping.keys().next().map(|(at, _)| *at)
    }

    /// The clock goes on to `now`; whoever waited for it, or for an earlier moment, is woken.
    pub(crate) fn advance(&self, now: Timestamp) {
        self.0.borrow_mut().now = now;
        while let Some(waker) = self.0.borrow_mut().take_due() {
            waker.wake();
        }
    }
}

impl State {
    fn take_due(&mut self) -> Option<Waker> {
        let first = self.sleeping.first_entry()?;
        (first.key().0 <= self.now).then(|| first.remove())
    }
}

/// Resolves when its time is over.
#[derive(Debug)]
pub(crate) struct Sleep {
    timers: Timers,
    time: Duration,
    /// When it ends, and its number; none before the first poll.
    place: Option<(Timestamp, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let timers = self.timers.clone();
        let state = &mut *timers.0.borrow_mut();
        let time = self.time;
        let place = *self.place.get_or_insert_with(|| {
            state.slept += 1;
            (state.now + time, state.slept)
        });
        if place.0 <= state.now {
            return Poll::Ready(());
        }
        let waker = state.sleeping.entry(place).or_insert_with(|| cx.waker().clone());
        waker.clone_from(cx.waker());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.timers.0.borrow_mut().sleeping.remove(&place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_executor::LocalPool;
    use futures_util::future::{ready, select};
    use futures_util::task::LocalSpawnExt;

    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_780_000_000_000);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Runs sleepers of these lengths and tells, for each moment of `clock`, who is up by then.
    fn up_at(sleepers: &[u64], clock: &[u64]) -> Vec<Vec<usize>> {
        let (mut pool, timers) = (LocalPool::new(), Timers::new(START));
        let up = Rc::new(RefCell::new(Vec::new()));
        for (n, time) in sleepers.iter().enumerate() {
            let (sleep, up) = (timers.sleep(ms(*time)), Rc::clone(&up));
            let sleeper = async move {
                sleep.await;
                up.borrow_mut().push(n);
            };
            pool.spawner().spawn_local(sleeper).expect("the pool is there");
        }
        pool.run_until_stalled();
        let at = |time: &u64| {
            timers.advance(START + ms(*time));
            pool.run_until_stalled();
            up.borrow().clone()
        };
        clock.iter().map(at).collect()
    }

    #[test]
    fn sleepers_wake_at_their_time_and_not_before() {
        assert_eq!(up_at(&[20, 10, 0], &[0, 9, 10, 25]), [vec![2], vec![2], vec![2, 1], vec![2, 1, 0]]);
    }

    #[test]
    fn sleepers_of_one_moment_wake_in_the_order_in_which_they_lay_down() {
        assert_eq!(up_at(&[10, 10, 5, 10], &[10]), [vec![2, 0, 1, 3]]);
    }

    #[test]
    fn a_time_begins_when_somebody_begins_to_wait() {
        let (mut pool, timers) = (LocalPool::new(), Timers::new(START));
        let sleep = timers.sleep(ms(10));
        timers.advance(START + ms(100));
        let up = Rc::new(Cell::new(false));
        let told = Rc::clone(&up);
        let sleeper = async move {
            sleep.await;
            told.set(true);
        };
        pool.spawner().spawn_local(sleeper).expect("the pool is there");
        pool.run_until_stalled();
        assert_eq!(timers.next_at(), Some(START + ms(110)));
        assert!(!up.get());
        timers.advance(START + ms(110));
        pool.run_until_stalled();
        assert!(up.get());
    }

    #[test]
    fn whoever_no_longer_waits_is_forgotten() {
        let (mut pool, timers) = (LocalPool::new(), Timers::new(START));
        let (first, second) = (timers.sleep(ms(10)), timers.sleep(ms(20)));
        let both = async move {
            select(Box::pin(first), Box::pin(ready(()))).await;
            second.await;
        };
        pool.spawner().spawn_local(both).expect("the pool is there");
        pool.run_until_stalled();
        assert_eq!(timers.next_at(), Some(START + ms(20)));
    }
}
