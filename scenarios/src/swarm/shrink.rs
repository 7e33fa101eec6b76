//! From a world that shows a violation to the smallest one found that shows the same (delta debugging): every candidate
//! is played.

use std::time::Duration;

use handlers::policy::Policy;
use handlers::service::ServiceId;
use simulator::dice::{Dice, Span};
use simulator::spec::{Capacity, Loss, ServiceSpec, WorldEvent, WorldSpec};

use super::check::{Played, play};
use super::draw::faults::numbers;
use super::draw::{Plan, TRAITS};

/// Enough worlds to shrink most: about two seconds.
pub const REPLAYS: u32 = 300;
/// How much sooner or later things may happen when luck is tried.
const LUCK: Duration = Duration::from_secs(900);
/// Neither the simulator's own streams nor that of the draw.
const STREAM: u64 = 101;

/// The smallest plan found that shows the same violation, and its run.
#[derive(Debug)]
pub struct Shrunk {
    /// What is left of the plan.
    pub plan: Plan,
    /// Its run.
    pub played: Played,
    /// Worlds played for it.
    pub replays: u32,
}

/// Shrinks `plan`, which showed a violation in `played`, with at most `replays` worlds.
pub fn shrink(plan: &Plan, played: Played, replays: u32) -> Shrunk {
    let kind = played.violation.as_deref().map(kind).unwrap_or_default();
    let best = Shrunk { plan: plan.clone(), played, replays: 0 };
    // What is left counts for more than how plain it is.
    let mut search = Search { best, kind, replays: replays - replays / 5 };
    loop {
        let mut smaller = search.turn_faults_off();
        smaller |= search.drop_services();
        smaller |= search.drop_events();
        if !smaller && !search.try_luck() {
            break;
        }
    }
    search.replays = replays;
    while search.plain_services() | search.shorten() | search.smaller_numbers() {}
    search.best
}

/// What a violation says, without the names and numbers of its world: another world may show the same.
pub fn kind(violation: &str) -> String {
    // Whose it is, and since when, goes too.
    let said = violation.split_once(": ").map_or(violation, |(_, said)| said);
    let plain = |word: &&str| {
        let letters = word.chars().all(|c| c.is_ascii_alphabetic() || ",':.".contains(c));
        letters && word.chars().any(|c| c.is_ascii_lowercase()) && !["weight", "base"].contains(word)
    };
    said.split(' ').filter(plain).collect::<Vec<_>>().join(" ")
}

struct Search {
    best: Shrunk,
    kind: String,
    /// Most worlds played so far that allow one more.
    replays: u32,
}

impl Search {
    /// Whether `candidate` shows the violation too; then it is the best so far.
    fn accepts(&mut self, candidate: Plan) -> bool {
        if self.best.replays >= self.replays {
            return false;
        }
        self.best.replays += 1;
        let played = play(&candidate);
        let same = played.violation.as_deref().is_some_and(|violation| kind(violation) == self.kind);
        if same {
            (self.best.plan, self.best.played) = (candidate, played);
        }
        same
    }

    /// Tries `change` on the best so far, unless it changes nothing.
    fn attempt(&mut self, change: impl FnOnce(&mut Plan) -> bool) -> bool {
        let mut candidate = self.best.plan.clone();
        change(&mut candidate) && self.accepts(candidate)
    }

    /// Halves, quarters, … single events are left out.
    fn drop_events(&mut self) -> bool {
        let mut smaller = false;
        let mut size = self.best.plan.world.events.len();
        while size > 0 {
            let mut from = 0;
            while from < self.best.plan.world.events.len() {
                let dropped = self.attempt(|plan| {
                    let to = (from + size).min(plan.world.events.len());
                    plan.world.events.drain(from..to);
                    true
                });
                smaller |= dropped;
                from += if dropped { 0 } else { size };
            }
            size /= 2;
        }
        smaller
    }

    fn drop_services(&mut self) -> bool {
        let mut smaller = false;
        for n in (0..self.best.plan.world.services.len()).rev() {
            smaller |= self.attempt(|plan| drop_service(plan, n));
        }
        smaller
    }

    /// Whatever is left out changes what chance does to the rest, so that a moment may be missed that the violation
    /// needs. So, when nothing else helps: something is left out, and the rest happens sooner or later.
    fn try_luck(&mut self) -> bool {
        let mut dice = Dice::new(self.best.plan.world.seed, STREAM);
        (0..REPLAYS).any(|_| {
            self.attempt(|plan| {
                let less = leave_out(plan, &mut dice);
                let far = if dice.chance(50) { LUCK } else { plan.chaos };
                for event in &mut plan.world.events {
                    let later = event.at + dice.within(Span { min: Duration::ZERO, max: 2 * far });
                    event.at = later.saturating_sub(far).clamp(Duration::from_secs(60), plan.chaos);
                }
                plan.world.events.sort_by_key(|event| event.at);
                less
            })
        })
    }

    fn turn_faults_off(&mut self) -> bool {
        let mut smaller = self.attempt(all_faults_off);
        for fault in numbers() {
            smaller |= self.attempt(|plan| {
                let on = (fault.get)(&plan.facts) > 0;
                (fault.set)(&mut plan.facts, 0);
                on
            });
        }
        smaller
    }

    /// Policy, accounts and services as they are by default: all of a service, else trait by trait.
    fn plain_services(&mut self) -> bool {
        let mut smaller = self.attempt(|plan| {
            let plain = Policy::default();
            std::mem::replace(&mut plan.world.policy, plain.clone()) != plain
        });
        smaller |= self.attempt(|plan| !std::mem::take(&mut plan.world.synthetic_from).is_empty());
        for n in 0..self.best.plan.world.services.len() {
            smaller |= self.attempt(|plan| {
                let service = &mut plan.world.services[n];
                let plain = ServiceSpec::new(service.id.clone(), service.desired, service.strategy.clone());
                let before = std::mem::replace(service, plain);
                let changes = format!("{before:?}") != format!("{service:?}");
                drop_vain_alarms(plan);
                changes
            });
            for one in TRAITS {
                smaller |= self.attempt(|plan| {
                    let service = &mut plan.world.services[n];
                    let has = one.is_of(service);
                    (one.plain)(service);
                    drop_vain_alarms(plan);
                    has
                });
            }
        }
        smaller
    }

    /// The mending comes sooner, the events closer together, at whole minutes.
    fn shorten(&mut self) -> bool {
        const MINUTE: u64 = 60;
        let minutes = |time: Duration| Duration::from_secs(time.as_secs() / MINUTE * MINUTE);
        let mut smaller = self.attempt(|plan| {
            let last = plan.world.events.last().map_or(Duration::ZERO, |event| event.at);
            let chaos = minutes(last) + Duration::from_secs(10 * MINUTE);
            let changes = chaos < plan.chaos;
            plan.chaos = plan.chaos.min(chaos);
            changes
        });
        smaller |= self.attempt(|plan| {
            let whole = plan.world.events.iter().all(|event| minutes(event.at) == event.at);
            plan.world.events.iter_mut().for_each(|event| event.at = minutes(event.at));
            !whole
        });
        // The time before each event, and all after it with it.
        for n in 0..self.best.plan.world.events.len() {
            smaller |= self.attempt(|plan| {
                let before = n.checked_sub(1).map_or(Duration::ZERO, |n| plan.world.events[n].at);
                let cut = minutes((plan.world.events[n].at - before) / 2);
                plan.world.events[n..].iter_mut().for_each(|event| event.at -= cut);
                plan.chaos -= cut;
                cut > Duration::ZERO
            });
        }
        smaller
    }

    fn smaller_numbers(&mut self) -> bool {
        let mut smaller = false;
        for n in 0..self.best.plan.world.services.len() {
            smaller |= self.attempt(|plan| {
                let service = &mut plan.world.services[n];
                let less = halve(&mut service.desired);
                if let Some(bounds) = &mut service.autoscaling {
                    bounds.min = bounds.min.min(service.desired);
                }
                less
            });
            smaller |= self.attempt(|plan| match &mut plan.world.services[n] {
                ServiceSpec { desired, autoscaling: Some(bounds), .. } if bounds.max > *desired + 1 => {
                    bounds.max = *desired + 1;
                    true
                }
                _ => false,
            });
        }
        for n in 0..self.best.plan.world.events.len() {
            smaller |= self.attempt(|plan| match &mut plan.world.events[n].event {
                WorldEvent::Interrupt { tasks, .. } | WorldEvent::SpotRebalance { tasks, .. } => halve(tasks),
                WorldEvent::UpdateService { desired: Some(desired), .. } => halve(desired),
                WorldEvent::Spot { capacity, .. } | WorldEvent::OnDemand { capacity, .. } => {
                    let changes = matches!(capacity, Capacity::Tasks(1..));
                    *capacity = Capacity::Tasks(0);
                    changes
                }
                _ => false,
            });
            smaller |= self.attempt(|plan| without_shape(&mut plan.world.events[n].event));
        }
        smaller
    }
}

/// A market with a shape just goes, if that is enough; whether it had one.
fn without_shape(event: &mut WorldEvent) -> bool {
    let WorldEvent::SpotShape { accounts, .. } = event else { return false };
    *event = WorldEvent::Spot { accounts: accounts.clone(), capacity: Capacity::Tasks(0), loss: Loss::Interrupt };
    true
}

fn all_faults_off(plan: &mut Plan) -> bool {
    let on = numbers().filter(|fault| (fault.get)(&plan.facts) > 0).count();
    numbers().for_each(|fault| (fault.set)(&mut plan.facts, 0));
    on > 0
}

/// Leaves out all faults, a service or an event; whether there was anything to leave out.
fn leave_out(plan: &mut Plan, dice: &mut Dice) -> bool {
    match dice.below(3) {
        0 => all_faults_off(plan),
        1 => drop_service(plan, dice.below(plan.world.services.len() as u64) as usize),
        _ => {
            let n = dice.below(plan.world.events.len() as u64) as usize;
            let any = n < plan.world.events.len();
            plan.world.events.drain(n..n + usize::from(any));
            any
        }
    }
}

/// Drops a service, if it is not the last, and what happens to it.
fn drop_service(plan: &mut Plan, n: usize) -> bool {
    let world = &mut plan.world;
    if world.services.len() == 1 {
        return false;
    }
    let gone = world.services.remove(n).id;
    world.events.retain(|event| service_of(&event.event) != Some(&gone));
    true
}

/// A scenario file refuses the alarm of a service without alarms.
fn drop_vain_alarms(plan: &mut Plan) {
    let WorldSpec { services, events, .. } = &mut plan.world;
    let has_alarms = |id: &ServiceId| services.iter().any(|service| service.id == *id && service.alarms);
    events.retain(|event| !matches!(&event.event, WorldEvent::Alarm { service } if !has_alarms(service)));
}

/// Whether the number became smaller; 1 is the smallest.
fn halve(number: &mut u32) -> bool {
    let before = *number;
    *number = before.div_ceil(2);
    *number < before
}

/// Whom an event is about.
fn service_of(event: &WorldEvent) -> Option<&ServiceId> {
    match event {
        WorldEvent::Interrupt { service, .. }
        | WorldEvent::OptOut { service, .. }
        | WorldEvent::Deploy { service }
        | WorldEvent::RollBack { service }
        | WorldEvent::Alarm { service }
        | WorldEvent::DeleteService { service }
        | WorldEvent::CreateService { service }
        | WorldEvent::Application { service, .. }
        | WorldEvent::CrashLoop { service, .. }
        | WorldEvent::Protect { service, .. }
        | WorldEvent::RebalancingFailure { service }
        | WorldEvent::UpdateService { service, .. } => Some(service),
        _ => None,
    }
}
