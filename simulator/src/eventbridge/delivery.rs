//! From the central bus to a queue: what cannot be delivered is tried again, with growing pauses, and at last goes to
//! the DLQ of the rule (aws-facts.md §5).

use std::time::Duration;

use handlers::timestamp::Timestamp;

use super::Failure;
use crate::engine::dice::{Dice, Span};
use crate::env::Env;
use crate::eventbridge::action::Action;
use crate::eventbridge::{Delivered, EventBridge};
use crate::facts::Facts;
use crate::observers::trace::Happening;
use crate::spec::{QueueAccess, QueueName};

/// How the queues are for EventBridge, by position.
#[derive(Debug)]
pub(super) struct Targets([QueueAccess; QueueName::ALL.len()]);

impl Default for Targets {
    fn default() -> Self {
        Self(QueueName::ALL.map(|_| QueueAccess::Reachable))
    }
}

/// An event on its way from a rule to its target.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    rule: &'static str,
    queue: QueueName,
    body: String,
    tries: Tries,
}

/// What the retry policy of a target counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tries {
    first_at: Timestamp,
    /// Retries so far.
    pub(super) retries: u32,
}

impl Delivery {
    pub(super) fn first(rule: &'static str, queue: QueueName, body: String, at: Timestamp) -> Action {
        Action::Deliver(Box::new(Self { rule, queue, body, tries: Tries::first(at) }))
    }
}

impl Tries {
    pub(super) fn first(at: Timestamp) -> Self {
        Self { first_at: at, retries: 0 }
    }

    /// When the next one is, after a failure now; or which limit forbids it.
    pub(super) fn again(&mut self, now: Timestamp, dice: &mut Dice, facts: &Facts) -> Result<Timestamp, &'static str> {
        let at = now + dice.within(pause(self.retries, facts));
        if let Some(limit) = self.exhausted(at, facts) {
            return Err(limit);
        }
        self.retries += 1;
        Ok(at)
    }

    /// Which limit of the retry policy forbids another try at `at`, in the words of the DLQ's attribute.
    fn exhausted(&self, at: Timestamp, facts: &Facts) -> Option<&'static str> {
        if self.retries >= facts.event_retries {
            return Some("MaximumRetryAttempts");
        }
        (at.since(self.first_at) > facts.event_max_age).then_some("MaximumEventAgeInSeconds")
    }
}

/// The pause before retry number `retries + 1`: doubled each time up to a cap, from half of that to the whole of it.
fn pause(retries: u32, facts: &Facts) -> Span {
    let doubled = facts.event_retry.saturating_mul(1_u32.checked_shl(retries).unwrap_or(u32::MAX));
    let longest = doubled.min(facts.event_retry_cap);
    Span { min: Duration::from_millis(longest.as_millis() as u64 / 2), max: longest }
}

impl EventBridge {
    /// A rule hands an event to its queue.
    pub(super) fn deliver(&mut self, env: &mut Env<'_>, mut delivery: Delivery) -> Option<Delivered> {
        let (rule, retries) = (delivery.rule, delivery.tries.retries);
        match self.targets.0[delivery.queue as usize] {
            QueueAccess::Reachable => return Some(Delivered { queue: delivery.queue, body: delivery.body }),
            QueueAccess::Denied => {
                let failure = Failure { code: "NO_PERMISSIONS", retries, exhausted: None };
                self.rule_gives_up(env, env.spec.central.clone(), rule, failure);
            }
            QueueAccess::Unreachable => match delivery.tries.again(env.now, &mut env.dice.retries, env.facts) {
                Ok(again) => self.agenda.plan(again, Action::Deliver(Box::new(delivery))),
                Err(limit) => {
                    let failure = Failure { code: "CONNECTION_FAILURE", retries, exhausted: Some(limit) };
                    self.rule_gives_up(env, env.spec.central.clone(), rule, failure);
                }
            },
        }
        None
    }

    pub(crate) fn set_queue_access(&mut self, env: &mut Env<'_>, queue: QueueName, access: QueueAccess) {
        self.targets.0[queue as usize] = access;
        env.record(None, Happening::QueueAccessChanged { queue: queue.name(), access });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_between_deliveries_double_up_to_a_cap_and_keep_half_of_themselves() {
        let facts = Facts::default();
        let seconds = |retries| {
            let span = pause(retries, &facts);
            (span.min.as_millis(), span.max.as_millis())
        };
        assert_eq!([0, 1, 2, 3].map(seconds), [(500, 1_000), (1_000, 2_000), (2_000, 4_000), (4_000, 8_000)]);
        assert_eq!([20, 31, 32, 184].map(seconds), [(300_000, 600_000); 4]);
    }
}
