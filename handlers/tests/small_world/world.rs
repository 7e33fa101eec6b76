//! The state of the small world: services, the state table, the handlers in flight, and what the truth is.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use handlers::record::Lease;
use handlers::strategy::{CapacityProvider, Strategy, StrategyItem};
use handlers::timestamp::Timestamp;

use crate::handler::{Call, Handler};
use crate::item::{Item, MarketItem, NOW, OLDEST_DEPLOYMENT, earlier, past, sunk};

/// When the first service of a name was created; the next one was a millisecond later, which is enough to differ.
const CREATED: u64 = 1_770_000_000_000;
/// The token of a handler that is no more.
const NOBODY: &str = "nobody";

/// Every strategy that can be live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Live {
    /// What the owner began with.
    Original,
    /// Another one with Spot.
    Another,
    /// The owner's, without Spot.
    NoSpot,
    /// What stands in for [`Live::Original`].
    Fallback,
    /// What stands in for [`Live::Another`].
    AnotherFallback,
    /// One task on Spot.
    Probe,
}

impl Live {
    pub(crate) const ALL: [Live; 6] =
        [Self::Original, Self::Another, Self::NoSpot, Self::Fallback, Self::AnotherFallback, Self::Probe];

    /// Whether only owners set it.
    pub(crate) fn is_owners(self) -> bool {
        matches!(self, Self::Original | Self::Another | Self::NoSpot)
    }

    pub(crate) fn uses_spot(self) -> bool {
        matches!(self, Self::Original | Self::Another | Self::Probe)
    }

    pub(crate) fn strategy(self) -> Strategy {
        let item = |capacity_provider, base, weight| StrategyItem { capacity_provider, weight, base };
        let (od, spot) = (CapacityProvider::Fargate, CapacityProvider::FargateSpot);
        let items = match self {
            Self::Original => vec![item(od, 1, 1), item(spot, 0, 3)],
            Self::Another => vec![item(spot, 0, 7)],
            Self::NoSpot => vec![item(od, 0, 1)],
            Self::Fallback => return Self::Original.strategy().fallback(),
            Self::AnotherFallback => return Self::Another.strategy().fallback(),
            Self::Probe => return Self::Original.strategy().probe(),
        };
        Strategy::new(items).unwrap()
    }
}

/// A set of strategies: those the owner could be said to want.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Wanted(u8);

impl Wanted {
    pub(crate) fn only(live: Live) -> Self {
        Self(1 << live as u8)
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn has(self, live: Live) -> bool {
        self.0 & Self::only(live).0 != 0
    }
}

impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(Live::ALL.into_iter().filter(|live| self.has(*live))).finish()
    }
}

/// One service as ECS has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Ecs {
    /// Which service of this name.
    pub(crate) incarnation: u8,
    pub(crate) live: Live,
    /// Whether tasks are missing.
    pub(crate) short: bool,
    /// Whether the primary deployment is complete.
    pub(crate) complete: bool,
    /// When it began.
    pub(crate) since: Timestamp,
    /// What the deployment before places tasks on, as long as the primary one is not complete.
    pub(crate) replaced: Option<Live>,
    /// What a circuit breaker goes back to: the last deployment that completed.
    pub(crate) before: Live,
}

pub(crate) fn created_at(incarnation: u8) -> Timestamp {
    Timestamp::from_millis(CREATED + u64::from(incarnation))
}

/// An `UpdateService`, with the truth about the handler that sent it. One without an answer may still be under way, but
/// not for longer than the lease of its claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Request {
    /// What the record's change says it replaces.
    pub(crate) from: Live,
    pub(crate) to: Live,
    /// When the lease ends.
    pub(crate) until: Timestamp,
    pub(crate) paused: bool,
    pub(crate) incarnation: u8,
    pub(crate) wanted: Wanted,
    pub(crate) outrun: bool,
}

/// One service: what ECS has, what the table holds, and what is true.
#[derive(Debug, Clone, PartialEq, Hash)]
pub(crate) struct Service {
    pub(crate) ecs: Option<Ecs>,
    pub(crate) incarnations: u8,
    /// What a look may still show instead: the time before our own last change.
    pub(crate) stale: Option<Ecs>,
    pub(crate) item: Option<Arc<Item>>,
    pub(crate) under_way: Option<Request>,
    /// The last placement failure on Spot, which may be delivered at any time, as often as it likes, or never.
    pub(crate) failed_at: Option<Timestamp>,
    /// The last interruption, likewise.
    pub(crate) interrupted_at: Option<Timestamp>,
    pub(crate) wanted: Wanted,
    /// What the owner wanted when the last deployment completed: a rollback takes the owner back there.
    pub(crate) wanted_before: Wanted,
    /// Whether the claimed change has been made, and nobody undid it since.
    pub(crate) made: bool,
}

impl Service {
    /// Notes when ECS fails to place tasks on Spot.
    pub(crate) fn note_failure(&mut self, spot: bool) {
        if self.ecs.is_some_and(|ecs| !spot && ecs.live.uses_spot() && (ecs.short || !ecs.complete)) {
            self.failed_at = Some(NOW);
        }
    }

    pub(crate) fn version(&self) -> u64 {
        self.item.as_ref().map_or(0, |item| item.record.version)
    }
}

/// How often each thing may still go wrong or change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Budget {
    /// Handlers killed.
    pub(crate) crashes: u8,
    /// Calls that ECS answers badly or with old news.
    pub(crate) faults: u8,
    /// Spot goes.
    pub(crate) outages: u8,
    pub(crate) interruptions: u8,
    /// Strategies set by the owner.
    pub(crate) owner_changes: u8,
    pub(crate) rollbacks: u8,
    pub(crate) recreations: u8,
    /// `paused` set.
    pub(crate) pauses: u8,
}

/// The whole of it.
#[derive(Clone, PartialEq, Hash)]
pub(crate) struct World {
    pub(crate) services: Vec<Service>,
    pub(crate) handlers: [Option<Handler>; 2],
    pub(crate) market: Option<MarketItem>,
    pub(crate) spot: bool,
    pub(crate) paused: bool,
    pub(crate) budget: Budget,
    /// The promise that was broken on the way here.
    pub(crate) broken: Option<&'static str>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "spot: {}, paused: {}, {:?}", self.spot, self.paused, self.budget)?;
        for service in &self.services {
            writeln!(f, "{service:?}")?;
        }
        for handler in self.handlers.iter().flatten() {
            writeln!(f, "{handler:?}")?;
        }
        writeln!(f, "{:?}, broken: {:?}", self.market, self.broken)
    }
}

impl World {
    /// The handlers in flight that are about this service.
    pub(crate) fn handlers_of(&mut self, service: usize) -> impl Iterator<Item = &mut Handler> {
        self.handlers.iter_mut().flatten().filter(move |handler| handler.service == service)
    }

    /// One minute passes.
    pub(crate) fn tick(&mut self, stays_stale: bool) {
        for service in &mut self.services {
            service.stale = service.stale.filter(|_| stays_stale);
            service.item = service.item.as_ref().map(|item| item.stored_later());
            service.failed_at = service.failed_at.map(|at| past(earlier(at)));
            service.interrupted_at = service.interrupted_at.map(|at| past(earlier(at)));
            if let Some(ecs) = &mut service.ecs {
                ecs.since = earlier(ecs.since).max(NOW - OLDEST_DEPLOYMENT);
            }
            service.under_way = service
                .under_way
                .map(|request| Request { until: earlier(request.until), ..request })
                .filter(|request| NOW < request.until);
            service.note_failure(self.spot);
        }
        self.handlers.iter_mut().flatten().for_each(Handler::tick);
        self.market = self.market.as_ref().map(|market| MarketItem::stored(market.later().0));
    }

    /// The handler in `slot` is no more, and whoever comes next there is somebody else.
    pub(crate) fn end(&mut self, slot: usize) {
        self.handlers[slot] = None;
        self.rename(|owner| if owner == token(slot) { NOBODY } else { owner });
    }

    /// Which handler stands left and which right makes no difference: of two worlds that differ in nothing else, only
    /// one is kept.
    pub(crate) fn order(&mut self) {
        let [left, right] = self.handlers.each_ref().map(|handler| handler.as_ref().map(Handler::rank));
        if left.is_none() && right.is_some() || left.is_some() && right.is_some() && left > right {
            self.handlers.swap(0, 1);
            // The tokens a replay hands out go by slot.
            self.handlers.iter_mut().flatten().for_each(|handler| handler.call = None);
            self.rename(|owner| match owner {
                _ if owner == token(0) => token(1),
                _ if owner == token(1) => token(0),
                _ => owner,
            });
        }
    }

    /// Gives every lease another owner.
    fn rename(&mut self, name: impl Fn(&str) -> &str) {
        let other = |item: &Arc<Item>| {
            let lease = item.record.lease.as_ref()?;
            let owner = name(&lease.owner);
            (owner != lease.owner).then(|| item.with_lease(Some(Lease { owner: owner.into(), ..lease.clone() })))
        };
        for item in self.services.iter_mut().flat_map(|service| service.item.iter_mut()) {
            *item = other(item).unwrap_or_else(|| item.clone());
        }
        self.handlers.iter_mut().flatten().for_each(|handler| handler.revise(other));
    }

    /// Forgets what can matter no more.
    pub(crate) fn forget(&mut self, stays_stale: bool) {
        let Budget { faults, rollbacks, .. } = self.budget;
        for service in &mut self.services {
            if faults == 0 && !stays_stale {
                service.stale = None;
            }
            if rollbacks == 0 {
                service.wanted_before = Wanted::default();
                if let Some(ecs) = &mut service.ecs {
                    ecs.before = ecs.live;
                }
            }
        }
        for handler in self.handlers.iter_mut().flatten() {
            // The next look tells.
            if matches!(handler.call, Some(Call::Describe)) {
                (handler.incarnation, handler.wanted, handler.outrun) = Default::default();
            }
        }
    }

    /// Keeps the versions of everything that is remembered small.
    pub(crate) fn sink_versions(&mut self) {
        for index in 0..self.services.len() {
            let mut versions: BTreeSet<u64> =
                self.services[index].item.iter().map(|item| item.record.version).collect();
            let mut created = false;
            for handler in self.handlers_of(index) {
                versions.extend(handler.items().map(|item| item.record.version));
                created |= handler.created;
            }
            let sunk = sunk(versions, created);
            let other = |item: &Arc<Item>| {
                let version = sunk.get(&item.record.version).filter(|version| **version != item.record.version)?;
                Some(item.with_version(*version))
            };
            if let Some(item) = &mut self.services[index].item {
                *item = other(item).unwrap_or_else(|| item.clone());
            }
            self.handlers_of(index).for_each(|handler| handler.revise(other));
        }
        if let Some(market) = &mut self.market {
            let remembered = self.handlers.iter().flatten().flat_map(Handler::markets).map(|market| market.0.version);
            let sunk = sunk(remembered.chain([market.0.version]).collect(), false);
            market.0.version = sunk[&market.0.version];
            self.handlers.iter_mut().flatten().for_each(|handler| handler.revise_markets(&sunk));
        }
    }
}

/// The token of the handler in `slot`, which settles one service.
pub(crate) fn token(slot: usize) -> &'static str {
    ["left/1", "right/1"][slot]
}
