//! A timeline of many services: what happens to many of them within some time is one line.
//!
//! Lines differ in what happens, not to whom: the service or accounts of a happening are counted, and what is each service's own, such
//! as its strategy, is listed by how often it occurs. One pass over the trace; the rest is work on lines.

mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use handlers::record::Phase;
use handlers::service::{AccountId, ServiceId};
use simulator::spec::{BusPolicy, Loss};
use simulator::trace::{Caller, Entry, Happening};

use super::Line;

/// A line goes on while no such time passes without another happening of its kind. The first of these with which the timeline has at
/// most [`LINES`] is taken, or the last.
const PAUSES: [Duration; 6] = [
    Duration::from_secs(2 * 60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(20 * 60),
    Duration::from_secs(3600),
    Duration::from_secs(6 * 3600),
    Duration::from_secs(24 * 3600),
];
/// What concerns the world is never put together over a longer pause: outages are what the rest is about.
const LONGEST_OF_WORLD: Duration = Duration::from_secs(3600);
/// Most changes of the world that also part the lines of services.
const CHANGES: usize = 12;
/// As many lines as people read.
const LINES: usize = 60;

/// What makes two happenings one kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// The capacity of Spot markets changed, in one way of losing tasks.
    Spot(&'static str),
    /// Something else that has accounts; the text is without them.
    OfAccounts(String),
    /// Something of the world, in these words.
    World(String),
    /// Spot tasks go, with a warning or without.
    Taken { warned: bool },
    /// Records change their phase.
    Phases(Option<Phase>, Option<Phase>),
    /// Somebody changes strategies, to ones that use Spot or not.
    Updated { by: &'static str, spot: bool },
    /// Deployments end, on strategies that use Spot or not.
    Completed { spot: bool },
    /// Something else of services, in these words.
    OfServices(String),
}

/// Happenings of one kind.
struct Group<'t> {
    kind: Kind,
    /// Whether they follow the try to restore a service, in the same outage: the first failover of all is another story than those
    /// of the few that try a market in vain.
    tried: bool,
    first: Duration,
    last: Duration,
    /// In order.
    times: Vec<Duration>,
    services: Vec<&'t ServiceId>,
    accounts: Vec<&'t AccountId>,
    /// What differs within the kind, and how often it was said.
    variants: BTreeMap<String, usize>,
    /// The first and the last that was said.
    ends: (String, String),
}

/// The lines of `trace`.
pub(super) fn lines(trace: &[Entry]) -> Vec<Line> {
    let mut groups = gather(trace);
    for pause in PAUSES {
        let (of_world, of_services) = groups.into_iter().partition(|group: &Group<'_>| group.kind.is_of_world());
        groups = join(of_world, pause.min(LONGEST_OF_WORLD), &[]);
        // What follows a change of the world is another story than what went before it, unless the world changes all the time.
        let mut changes: Vec<Duration> = groups.iter().map(|group| group.first).collect();
        changes.truncate(if changes.len() > CHANGES { 0 } else { CHANGES });
        groups.extend(join(of_services, pause, &changes));
        if groups.len() <= LINES {
            break;
        }
    }
    groups.sort_by(|a, b| (a.first, &a.kind, a.tried).cmp(&(b.first, &b.kind, b.tried)));
    groups.into_iter().map(Group::into_line).collect()
}

/// Happenings that follow each other within the shortest pause.
fn gather(trace: &[Entry]) -> Vec<Group<'_>> {
    let mut open: BTreeMap<(Kind, bool), Group<'_>> = BTreeMap::new();
    let mut closed = Vec::new();
    let mut restoring: BTreeSet<&ServiceId> = BTreeSet::new();
    for entry in trace.iter().filter(|entry| !entry.what.is_detail()) {
        let (kind, variant) = kind_of(entry);
        let tried = entry.service.as_ref().is_some_and(|service| tried(service, &entry.what, &mut restoring));
        let new = || Group {
            kind: kind.clone(),
            tried,
            first: entry.at,
            last: entry.at,
            times: Vec::new(),
            services: Vec::new(),
            accounts: Vec::new(),
            variants: BTreeMap::new(),
            ends: (variant.clone(), String::new()),
        };
        let group = open.entry((kind.clone(), tried)).or_insert_with(new);
        if entry.at.saturating_sub(group.last) > PAUSES[0] {
            closed.push(std::mem::replace(group, new()));
        }
        group.last = entry.at;
        group.times.push(entry.at);
        group.services.extend(entry.service.as_deref());
        group.accounts.extend(accounts_of(&entry.what));
        match group.variants.get_mut(&variant) {
            Some(count) => *count += 1,
            None => drop(group.variants.insert(variant.clone(), 1)),
        }
        group.ends.1 = variant;
    }
    closed.extend(open.into_values());
    closed
}

/// Whether `service` has tried to be restored in this outage; `restoring` has those that did.
fn tried<'t>(service: &'t ServiceId, what: &Happening, restoring: &mut BTreeSet<&'t ServiceId>) -> bool {
    match what {
        Happening::Phase { to: Some(Phase::Restoring), .. } => {
            restoring.insert(service);
            true
        }
        // The end of the outage belongs to it.
        Happening::Phase { to: Some(Phase::Watching) | None, .. } => restoring.remove(service),
        _ => restoring.contains(service),
    }
}

/// Puts groups of one kind together that no more than `pause` parts, and none of `changes`.
fn join<'t>(mut groups: Vec<Group<'t>>, pause: Duration, changes: &[Duration]) -> Vec<Group<'t>> {
    let go_on = |before: &Group<'_>, after: &Group<'_>| {
        (&before.kind, before.tried) == (&after.kind, after.tried)
            && after.first.saturating_sub(before.last) <= pause
            && !changes.iter().any(|change| before.last < *change && *change <= after.first)
    };
    groups.sort_by(|a, b| (&a.kind, a.tried, a.first).cmp(&(&b.kind, b.tried, b.first)));
    let mut joined: Vec<Group<'_>> = Vec::new();
    for group in groups {
        match joined.last_mut() {
            Some(before) if go_on(before, &group) => before.take_in(group),
            _ => joined.push(group),
        }
    }
    joined
}

fn kind_of(entry: &Entry) -> (Kind, String) {
    let text = |what: &Happening| what.to_string();
    let after = |what: &Happening, prefix: &str| {
        let text = what.to_string();
        text.strip_prefix(prefix).map(str::to_owned).unwrap_or(text)
    };
    match &entry.what {
        Happening::SpotCapacity { capacity, loss, .. } => {
            let loss = match loss {
                Loss::Interrupt => "",
                Loss::Silent => ", tasks above it vanish in silence",
                Loss::Keep => ", running tasks stay",
            };
            (Kind::Spot(loss), capacity.to_string())
        }
        Happening::Interrupted { .. } => (Kind::Taken { warned: true }, String::new()),
        Happening::Vanished { .. } => (Kind::Taken { warned: false }, String::new()),
        Happening::Phase { from, to, reason } => (Kind::Phases(*from, *to), reason.to_string()),
        Happening::Updated { caller, strategy: Some(strategy), .. } => {
            let by = match caller {
                Caller::Owner => "owner updates the service: ",
                Caller::AutoScaler => "auto scaler updates the service: ",
                Caller::Recovery => "UpdateService: ",
            };
            (Kind::Updated { by, spot: strategy.uses_spot() }, after(&entry.what, by))
        }
        Happening::DeploymentCompleted { strategy } => {
            (Kind::Completed { spot: strategy.uses_spot() }, strategy.to_string())
        }
        what if accounts_of(what).next().is_some() => {
            let accounts: Vec<&str> = accounts_of(what).map(AccountId::as_str).collect();
            (Kind::OfAccounts(text(what).replacen(&accounts.join(", "), ACCOUNTS, 1)), String::new())
        }
        what if entry.service.is_some() => (Kind::OfServices(text(what)), String::new()),
        what => (Kind::World(text(what)), String::new()),
    }
}

/// Stands for the accounts in the text of a kind.
const ACCOUNTS: &str = "{accounts}";

/// The accounts that a happening lists at its end or beginning.
pub(crate) fn accounts_of(what: &Happening) -> impl Iterator<Item = &AccountId> {
    let accounts: &[AccountId] = match what {
        Happening::SpotCapacity { accounts, .. }
        | Happening::SpotShape { accounts, .. }
        | Happening::SpotRebalance { accounts, .. }
        | Happening::OnDemandCapacity { accounts, .. }
        | Happening::RoleChanged { accounts, .. }
        | Happening::ForwardingChanged { accounts, .. }
        | Happening::MembershipChanged { accounts, .. }
        | Happening::BusPolicyChanged { policy: BusPolicy::Accounts(accounts) } => accounts,
        Happening::EventDead { account, .. } => std::slice::from_ref(account),
        _ => &[],
    };
    accounts.iter()
}

impl Kind {
    fn is_of_world(&self) -> bool {
        matches!(self, Self::Spot(_) | Self::OfAccounts(_) | Self::World(_))
    }
}

impl<'t> Group<'t> {
    fn take_in(&mut self, later: Group<'t>) {
        self.last = later.last;
        self.times.extend(later.times);
        self.services.extend(later.services);
        self.accounts.extend(later.accounts);
        for (variant, count) in later.variants {
            *self.variants.entry(variant).or_default() += count;
        }
        self.ends.1 = later.ends.1;
    }
}
