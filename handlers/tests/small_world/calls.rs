//! How the small world answers the port calls of a handler, well or badly.

use std::sync::Arc;
use std::time::Duration;

use handlers::decide::Reason;
use handlers::market::Market;
use handlers::observation::{Controller, Deployment, Observation, Rollout};
use handlers::record::{Phase, Record};
use handlers::strategy::Strategy;

use crate::handler::{Answer, Call};
use crate::item::{Item, MarketItem, NOW};
use crate::model::{Flaw, SmallWorld};
use crate::reached::Reached;
use crate::table::{check_deleted, check_stored};
use crate::world::{Ecs, Live, Request, Service, Wanted, World, created_at};

/// Tasks every service wants.
const DESIRED: u32 = 2;

/// How a port answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Well,
    /// A look that shows the time before our own last change.
    Stale,
    /// A look that we are not allowed.
    Blocked,
    /// An update that was throttled: it did not happen.
    Throttled,
    /// An update that ECS clearly refused.
    Refused,
    /// An update with no clear answer, which happened,
    UnclearDone,
    /// did not happen,
    UnclearNot,
    /// or is still under way.
    UnclearYet,
}

impl SmallWorld {
    /// The handler in `slot` has its call answered.
    pub(crate) fn step(&self, world: &mut World, slot: usize, how: How) {
        let Some(handler) = &mut world.handlers[slot] else { return };
        let Some(call) = handler.call.take() else { return };
        let service = &world.services[handler.service];
        let answer = match call {
            Call::Describe => {
                handler.sees(service);
                let stale = service.stale.filter(|_| how == How::Stale || self.stays_stale());
                match stale.or(service.ecs) {
                    _ if how == How::Blocked => Answer::Blocked,
                    seen => seen.map_or(Answer::Missing, Answer::Found),
                }
            }
            Call::Update(to) => self.update(world, slot, to, how),
            Call::Put { item, replaces, .. } => self.put(world, slot, item, replaces),
            Call::Delete(item) => self.delete(world, slot, &item.record),
            Call::Market => world.market.clone().map_or(Answer::Told(false), Answer::Market),
            Call::PutMarket(MarketItem(market)) => {
                let holds = world.market.as_ref().is_some_and(|stored| stored.0.version == market.version);
                if holds {
                    world.market = Some(MarketItem::stored(Market { version: market.version + 1, ..market }));
                }
                Answer::Told(holds)
            }
        };
        world.handlers[slot].iter_mut().for_each(|handler| handler.answers.push((answer.clone(), 0)));
    }

    /// What a reader makes of the stored record.
    pub(crate) fn read(&self, service: &Service) -> Option<Arc<Item>> {
        let item = service.item.clone()?;
        if self.setup.flaw != Some(Flaw::ReadsFallbackAsOriginal) {
            return Some(item);
        }
        let original = item.record.original.as_ref().map(Strategy::fallback);
        Some(Item::new(Record { original, ..item.record.clone() }))
    }

    fn put(&self, world: &mut World, slot: usize, item: Arc<Item>, replaces: u64) -> Answer {
        let record = &item.record;
        let Some(handler) = &mut world.handlers[slot] else { return Answer::Conflict(None) };
        let service = &mut world.services[handler.service];
        let holds = service.version() == replaces || self.setup.flaw == Some(Flaw::PutsAlwaysHold);
        let mut next = Item::stored(record.clone());
        if !holds {
            // A conflict with what we write ourselves is no conflict.
            let same = service.item.as_ref() == Some(&next);
            if same {
                return Answer::Same(item);
            }
            self.reached.count(Reached::LostRace);
            return Answer::Conflict(self.read(service));
        }
        let before = service.item.as_ref().map(|item| &item.record);
        if self.setup.flaw.is_none() {
            check_stored(before, record);
        }
        self.reached.written(before, record);
        let saved = before.and_then(|before| before.original.as_ref());
        if let Some(original) = &record.original
            && saved != Some(original)
        {
            if saved.is_some() {
                self.reached.count(Reached::Overtaken);
            }
            if !handler.wanted.has(self.live(original)) {
                world.broken = Some("the saved original is what the owner wanted when the handler looked");
            }
        }
        if matches!(record.phase, Phase::FailingOver | Phase::OnDemand | Phase::Restoring) && record.original.is_none()
        {
            world.broken = Some("no episode without a saved original");
        }
        // A new claim, not an old one taken over, may make its change again.
        let claimed = record.lease.as_ref().is_some_and(|lease| lease.until == record.next_check_at);
        let other = before.is_none_or(|before| before.change != record.change);
        if other || claimed && record.reason != Reason::TakenOver.to_string() {
            service.made = false;
        }
        if self.setup.flaw == Some(Flaw::TableLosesLeases) {
            next = next.with_lease(None);
        }
        service.item = Some(next);
        handler.created |= replaces == 0;
        Answer::Written(item)
    }

    fn delete(&self, world: &mut World, slot: usize, record: &Record) -> Answer {
        let Some(handler) = &world.handlers[slot] else { return Answer::Deleted };
        let service = &mut world.services[handler.service];
        let holds = service.version() == record.version || self.setup.flaw == Some(Flaw::DeletesAlwaysHold);
        if !holds {
            self.reached.count(Reached::LostRace);
            return Answer::Conflict(self.read(service));
        }
        if self.setup.flaw.is_none() {
            check_deleted(record);
        }
        let before = service.item.take();
        self.reached.written(before.as_ref().map(|item| &item.record), record);
        Answer::Deleted
    }

    fn update(&self, world: &mut World, slot: usize, to: Live, how: How) -> Answer {
        let Some(handler) = &world.handlers[slot] else { return Answer::Missing };
        let index = handler.service;
        // Only who has written a claim sends an update.
        let claim = handler.written().and_then(|record| Some((record.change.as_ref()?, record.lease.as_ref()?)));
        let Some((change, lease)) = claim else {
            world.broken = Some("nothing is updated without a claim");
            return Answer::Missing;
        };
        let request = Request {
            from: self.live(&change.from),
            to,
            until: lease.until,
            paused: handler.paused,
            incarnation: handler.incarnation,
            wanted: handler.wanted,
            outrun: handler.outrun,
        };
        match how {
            How::Throttled => return Answer::Throttled,
            How::Refused => {
                self.reached.count(Reached::Refused);
                return Answer::Refused;
            }
            How::UnclearNot => return Answer::Unclear,
            How::UnclearYet => {
                world.services[index].under_way = Some(request);
                return Answer::Unclear;
            }
            _ => self.arrive(world, index, request),
        }
        if self.setup.flaw == Some(Flaw::ClientSendsTwice) {
            self.arrive(world, index, request);
        }
        if how == How::UnclearDone {
            return Answer::Unclear;
        }
        let service = &world.services[index];
        world.handlers[slot].iter_mut().for_each(|handler| handler.sees(service));
        service.ecs.map_or(Answer::Missing, Answer::Found)
    }

    /// An `UpdateService` reaches ECS: where the promises about the owner are kept or broken.
    pub(crate) fn arrive(&self, world: &mut World, service: usize, request: Request) {
        let spot = world.spot;
        let others = world.handlers_of(service).filter(|handler| handler.outrun);
        let others = others.fold(Wanted::default(), |wanted, handler| wanted.or(handler.wanted));
        let service = &mut world.services[service];
        let Some(ecs) = &mut service.ecs else { return };
        // A request that was long under way may belong to a claim of the past.
        let change = service.item.as_ref().and_then(|item| item.record.change.as_ref());
        let of_claim = change.is_some_and(|c| (self.live(&c.from), self.live(&c.to)) == (request.from, request.to));
        if request.paused {
            world.broken = Some("nothing is updated while paused");
        }
        if service.made && of_claim {
            world.broken = Some("a change that was made, and that nobody undid, is never made again");
        }
        let expected = ecs.live == request.from || ecs.live == request.to;
        let same = ecs.incarnation == request.incarnation;
        if !(expected && same) {
            // The one window nobody can close: the owner, or a rollback of the owner's deployment, came after our look
            // and before our request. What was set there may be lost: the service then ends on what was wanted when we
            // looked, and a new service of the same name on what we applied, because a record of the old one is worth
            // nothing.
            if request.outrun {
                self.reached.count(Reached::OwnerOutrun);
                let lost = if same { request.wanted } else { Wanted::only(request.to) };
                // And whoever else looked before may still save what was wanted then.
                service.wanted = service.wanted.or(lost).or(others);
            } else if ecs.live.is_owners() {
                world.broken = Some("nothing of an owner's is replaced but what the record's change says");
            }
        }
        service.made = of_claim;
        // What ECS may still show is bounded by `settle`, which runs from the claim.
        let claimed_now = request.until >= NOW + self.policy(false).lease;
        // Within one moment nothing is older than anything else, which the rules rely on: two changes are never as
        // close.
        service.stale = Some(*ecs).filter(|ecs| claimed_now && ecs.since < NOW);
        self.deploy(ecs, request.to);
        service.note_failure(spot);
    }

    pub(crate) fn deploy(&self, ecs: &mut Ecs, to: Live) {
        ecs.short |= self.setup.stops_first;
        (ecs.replaced, ecs.live, ecs.complete, ecs.since) = (Some(ecs.live), to, false, NOW);
    }

    /// What `DescribeServices` shows of a service.
    pub(crate) fn observation(&self, ecs: &Ecs) -> Observation {
        let strategy = Some(self.strategies[ecs.live as usize].clone());
        let primary = Deployment {
            id: String::new(),
            primary: true,
            rollout: if ecs.complete { Rollout::Completed } else { Rollout::InProgress },
            rolls_back: false,
            strategy: strategy.clone(),
            running: if ecs.complete && !ecs.short { DESIRED } else { 0 },
            created_at: ecs.since,
        };
        let replaced = ecs.replaced.map(|live| Deployment {
            primary: false,
            strategy: Some(self.strategies[live as usize].clone()),
            running: if ecs.short { 0 } else { DESIRED },
            created_at: ecs.since - Duration::from_millis(1),
            ..primary.clone()
        });
        Observation {
            created_at: created_at(ecs.incarnation),
            active: true,
            strategy,
            controller: Controller::Rolling,
            replica: true,
            opted_out: false,
            // Under 100, ECS may stop both tasks first; then one is tried on Spot before the rest.
            minimum_healthy_percent: if self.setup.stops_first { 0 } else { 100 },
            desired: DESIRED,
            running: if ecs.short { 0 } else { DESIRED },
            pending: 0,
            deployments: [primary].into_iter().chain(replaced).collect(),
            messages: Arc::default(),
        }
    }

    /// Which of ours a strategy is.
    pub(crate) fn live(&self, strategy: &Strategy) -> Live {
        let found = Live::ALL.into_iter().find(|live| self.strategies[*live as usize].items() == strategy.items());
        found.unwrap_or_else(|| panic!("nobody ever set {strategy}"))
    }
}
