//! What invocations wait for: times of the virtual clock, woken in order.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
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
    /// When each bed is left: time, number of the sleeper, bed. Whoever got up early still stands here.
    leaving: BinaryHeap<Reverse<(Timestamp, u64, usize)>>,
    /// Whom to wake; nobody, where the sleeper got up early.
    beds: Vec<Option<Waker>>,
    /// Beds that nobody is to leave any more.
    free: Vec<usize>,
}

impl Timers {
    pub(crate) fn new(now: Timestamp) -> Self {
        let (leaving, beds, free) = (BinaryHeap::new(), Vec::new(), Vec::new());
        Self(Rc::new(RefCell::new(State { now, slept: 0, leaving, beds, free })))
    }

    /// Waits, from the first poll on.
    pub(crate) fn sleep(&self, time: Duration) -> Sleep {
        Sleep { timers: self.clone(), time, until: None, bed: None }
    }

    /// The first moment somebody waits for.
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.0.borrow_mut().next_at()
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
    fn next_at(&mut self) -> Option<Timestamp> {
        while let Some(Reverse((at, _, bed))) = self.leaving.peek() {
            if self.beds[*bed].is_some() {
                return Some(*at);
            }
            self.free.push(*bed);
            self.leaving.pop();
        }
        None
    }

    fn take_due(&mut self) -> Option<Waker> {
        if self.next_at()? > self.now {
            return None;
        }
        let Reverse((_, _, bed)) = self.leaving.pop()?;
        self.free.push(bed);
        self.beds[bed].take()
    }

    /// A bed until `at`, which lies ahead.
    fn lie_down(&mut self, at: Timestamp) -> usize {
        self.slept += 1;
        let bed = self.free.pop().unwrap_or_else(|| {
            self.beds.push(None);
            self.beds.len() - 1
        });
        self.leaving.push(Reverse((at, self.slept, bed)));
        bed
    }
}

/// Resolves when its time is over.
#[derive(Debug)]
pub(crate) struct Sleep {
    timers: Timers,
    time: Duration,
    /// When it ends; none before the first poll.
    until: Option<Timestamp>,
    /// Where it is slept until then.
    bed: Option<usize>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut state = this.timers.0.borrow_mut();
        let until = *this.until.get_or_insert(state.now + this.time);
        if until <= state.now {
            return Poll::Ready(());
        }
        let bed = *this.bed.get_or_insert_with(|| state.lie_down(until));
        match &mut state.beds[bed] {
            Some(waker) => waker.clone_from(cx.waker()),
            empty => *empty = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let mut state = self.timers.0.borrow_mut();
        // Whose time is over left the bed when woken.
        if let Some(bed) = self.bed.filter(|_| self.until.is_some_and(|until| until > state.now)) {
            state.beds[bed] = None;
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
