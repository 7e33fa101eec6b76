//! EventBridge: ECS events from a workload account's default bus through its forwarding rule to the central bus, and from
//! there by the cell's rules to the queues. The rules' patterns are the files that are deployed.

use handlers::service::AccountId;
use serde::Serialize;
use serde_json::{Value, json};

use crate::engine::agenda::{Agenda, Sequence};
use crate::env::Env;
use crate::eventbridge::action::Action;
use crate::observers::trace::Happening;
use crate::pattern::{Node, Pattern, PatternError};
use crate::spec::{QueueName, WorldSpec};

pub(crate) mod action;
mod delivery;
mod hop;
#[cfg(feature = "wire")]
pub(crate) mod log;
pub(crate) mod tree;

pub(crate) use delivery::Delivery;
use delivery::Targets;
use hop::Hop;
pub(crate) use hop::Reforward;

/// Bytes that nearly every event finds room in.
const USUAL_EVENT: usize = 1024;

/// The product's event patterns, by the name of their file in `handlers/event-patterns`.
mod patterns {
    pub(super) const WORKLOAD_FORWARDING: &str = include_str!("../../handlers/event-patterns/workload-forwarding.json");
    pub(super) const PLACEMENT_FAILURE: &str = include_str!("../../handlers/event-patterns/placement-failure.json");
    pub(super) const SYNTHETIC: &str = include_str!("../../handlers/event-patterns/synthetic-placement-failure.json");
    pub(super) const INTERRUPTION: &str = include_str!("../../handlers/event-patterns/interruption.json");
}

#[derive(Debug)]
pub(crate) struct EventBridge {
    pub(crate) agenda: Agenda<Action>,
    /// From every onboarded account to the central bus.
    hop: Hop,
    /// Rules on the central bus.
    central: Vec<Rule>,
    /// From the central bus to the queues.
    targets: Targets,
    /// Events that ended in the DLQ of a rule, in whatever account.
    pub(crate) dead: usize,
    /// Every event of every account, where somebody outside the world wants them.
    #[cfg(feature = "wire")]
    pub(crate) log: Option<log::EventLog>,
}

/// A rule on the central bus; its target is a queue.
#[derive(Debug)]
struct Rule {
    name: &'static str,
    pattern: Pattern,
    queue: QueueName,
}

/// What EventBridge hands to a queue.
pub(crate) struct Delivered {
    pub(crate) queue: QueueName,
    pub(crate) body: String,
}

/// An event under way: as text, which takes a fifth of the room of a tree.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    pub(crate) text: String,
    /// Which of [`EventBridge::central`] will take it, a bit each: neither it nor their patterns change any more.
    taken_by: u8,
}

/// Why a rule gave an event up, as the attributes of the message in its DLQ.
#[derive(Debug)]
struct Failure {
    /// `ERROR_CODE`; of these the guide gives a sample (eb-rule-dlq).
    code: &'static str,
    /// `RETRY_ATTEMPTS`.
    retries: u32,
    /// `EXHAUSTED_RETRY_CONDITION`; absent for what is never retried.
    exhausted: Option<&'static str>,
}

impl EventBridge {
    /// The rules of a cell; the one for synthetic events exists only where they are enabled.
    pub(crate) fn new(spec: &WorldSpec, sequence: &Sequence) -> Result<Self, PatternError> {
        let rule = |name, text, queue| Ok(Rule { name, pattern: Pattern::parse(text)?, queue });
        let mut central = vec![
            rule("placement-failure", patterns::PLACEMENT_FAILURE, QueueName::PlacementFailure)?,
            rule("interruption", patterns::INTERRUPTION, QueueName::Interruption)?,
        ];
        if !spec.synthetic_from.is_empty() {
            central.push(rule("synthetic-placement-failure", patterns::SYNTHETIC, QueueName::PlacementFailure)?);
        }
        let hop = Hop::new(Pattern::parse(patterns::WORKLOAD_FORWARDING)?, spec);
        Ok(Self {
            agenda: Agenda::new(sequence),
            hop,
            central,
            targets: Targets::default(),
            dead: 0,
            #[cfg(feature = "wire")]
            log: None,
        })
    }

    fn seal(&self, event: &(impl Node + Serialize)) -> Envelope {
        let takes = |(n, rule): (usize, &Rule)| u8::from(rule.pattern.fires_on(event)) << n;
        let mut text = Vec::with_capacity(USUAL_EVENT);
        // Not `to_string`, which begins with little room and moves the text as it grows.
        serde_json::to_writer(&mut text, event).expect("a value whose keys are strings is JSON");
        Envelope {
            text: String::from_utf8(text).expect("JSON is UTF-8"),
            taken_by: self.central.iter().enumerate().map(takes).sum(),
        }
    }

    /// An account that is new to the world: it has the forwarding rule, and the bus policy admits it.
    #[cfg(feature = "wire")]
    pub(crate) fn onboard(&mut self, account: &AccountId) {
        self.hop.onboard(account);
    }

    /// Another forwarding rule.
    #[cfg(test)]
    pub(crate) fn set_pattern(&mut self, pattern: Pattern) {
        self.hop.set_pattern(pattern);
    }

    /// Whether the forwarding rule could let an event pass of which this is known.
    pub(crate) fn could_forward(&self, known: &Value) -> bool {
        self.hop.could_pass(known)
    }

    /// Whether somebody outside the world hears of everything.
    pub(crate) fn is_watched(&self) -> bool {
        #[cfg(feature = "wire")]
        return self.log.is_some();
        #[cfg(not(feature = "wire"))]
        false
    }
}

impl EventBridge {
    /// Does what is planned next, and returns what a queue gets of it.
    pub(crate) fn step(&mut self, env: &mut Env<'_>) -> Option<Delivered> {
        match self.agenda.take()? {
            Action::CentralBus(event) => self.on_central_bus(env, &event),
            Action::Forward(account, event) => self.forward(env, &account, &event),
            Action::Reforward(forward) => self.reforward(env, *forward),
            Action::Deliver(delivery) => return self.deliver(env, *delivery),
        }
        None
    }

    /// An event has reached the central bus.
    fn on_central_bus(&mut self, env: &mut Env<'_>, event: &Envelope) {
        for n in (0..self.central.len()).filter(|n| event.taken_by >> n & 1 == 1) {
            let Rule { name, queue, .. } = self.central[n];
            let at = env.now + env.dice.bus.within(env.facts.event_latency);
            self.agenda.plan(at, Delivery::first(name, queue, event.text.clone(), at));
            if env.dice.faults.chance(env.facts.duplicate_percent) {
                let again = at + env.dice.faults.within(env.facts.duplicate_delay);
                self.agenda.plan(again, Delivery::first(name, queue, event.text.clone(), again));
            }
        }
    }

    /// `PutEvents` on the central bus by `account`, which the bus policy must admit; `aws.*` sources belong to AWS. The
    /// caller cannot say whose event it is: EventBridge stamps `account` (aws-facts.md §5).
    pub(crate) fn put_events(
        &mut self,
        env: &mut Env<'_>,
        account: &AccountId,
        source: &str,
        detail_type: &str,
        resources: &[String],
        detail: &Value,
    ) -> bool {
        let refusal = match (self.hop.admits(account), source.starts_with("aws.")) {
            (false, _) => Some("AccessDeniedException"),
            (true, true) => Some("NotAuthorizedForSourceException"),
            (true, false) => None,
        };
        if let Some(code) = refusal {
            env.record(None, Happening::EventRefused { account: account.clone(), code });
            return false;
        }
        let event = json!({
            "version": "0",
            "id": env.dice.bus.uuid(),
            "detail-type": detail_type,
            "source": source,
            "account": account,
            "time": humantime::format_rfc3339_seconds(env.wall_clock()).to_string(),
            "region": env.spec.region,
            "resources": resources,
            "detail": detail,
        });
        env.record(
            None,
            Happening::EventPut { account: account.clone(), source: source.into(), detail_type: detail_type.into() },
        );
        let at = env.now + env.dice.bus.within(env.facts.event_latency);
        let event = Box::new(self.seal(&event));
        self.agenda.plan(at, Action::CentralBus(event));
        true
    }

    /// An event ends in the DLQ of the rule that could not deliver it. That DLQ is no SQS source queue's, so there is
    /// no redrive of it (aws-facts.md §6).
    fn rule_gives_up(&mut self, env: &mut Env<'_>, account: AccountId, rule: &'static str, failure: Failure) {
        self.dead += 1;
        let Failure { code, retries, exhausted } = failure;
        env.record(None, Happening::EventDead { account, rule, code, retries, exhausted });
    }
}
