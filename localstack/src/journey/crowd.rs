//! Two hundred services lose their Spot capacity at once.

use handlers::record::{Phase, Record};
use handlers::service::{Region, ServiceId};
use handlers::transition::Transition;
use simulator::spec::{Capacity, Loss, ServiceSpec, WorldEvent};

use super::JourneyError::Unmet;
use super::walk::{LATER, Walk};
use super::{Journey, JourneyError, Turn, account, service, spot};
use crate::onboarding::onboard;

const SERVICES: usize = 200;

pub(super) const JOURNEYS: &[Journey] = &[Journey {
    name: "crowd",
    title: "200 services of an account lose Spot at once: each fails over, once",
    turn: Turn::Last,
    kills: false,
    services: |region| ids(region).map(|id| ServiceSpec::new(id, 1, spot())).collect(),
    walk: |walk| Box::pin(crowd(walk)),
}];

fn ids(region: &Region) -> impl Iterator<Item = ServiceId> {
    (0..SERVICES).map(|n| service(region, account::CROWD, &format!("crowd-{n:03}")))
}

async fn crowd(walk: &Walk<'_>) -> Result<(), JourneyError> {
    let services: Vec<ServiceId> = ids(&walk.running().region).collect();
    let accounts = vec![services[0].account.clone()];
    let running = walk.running();
    onboard(&running.endpoint, &running.region, &running.central, &accounts[0]).await?;
    walk.passed(format!("event: {} is onboarded, its rule forwards to the central bus", accounts[0]));
    walk.world().happen(WorldEvent::Spot { accounts, capacity: Capacity::Tasks(0), loss: Loss::Interrupt });
    walk.passed("market: Spot capacity is 0");
    // The limit is for one more service: a slow machine takes long for all of them.
    let mut left = SERVICES;
    while left > 0 {
        left = walk
            .until("ECS: UpdateService of one more service", LATER, async || {
                let waiting: Vec<_> = services.iter().filter(|service| walk.world().forced(service) == 0).collect();
                let same = || Unmet(format!("{left} of {SERVICES} wait for it, the first is {}", waiting[0]));
                if waiting.len() < left { Ok(waiting.len()) } else { Err(same()) }
            })
            .await?;
    }
    walk.passed(format!("ECS: UpdateService took effect for {SERVICES} services"));
    for service in &services {
        let saved = |record: &Record| record.original.as_ref() == Some(&spot()) && record.scheduled();
        walk.record(service, "has its original strategy", LATER, saved).await?;
        // The first may be trying Spot again by now, which is no failover of its own.
        let begun = |t: &&Transition| t.to == Some(Phase::FailingOver) && t.from != Some(Phase::Restoring);
        let audits = walk.until("audit: the failover is announced", LATER, async || {
            let audits = walk.world().audits(service);
            if audits.iter().any(|t| begun(&t)) { Ok(audits) } else { Err(Unmet(format!("of {service}: {audits:?}"))) }
        });
        let audits = audits.await?;
        if audits.iter().filter(begun).count() > 1 {
            return Err(Unmet(format!("audit: more than one failover of {service}: {audits:?}")));
        }
    }
    walk.passed(format!("table: {SERVICES} items, each with its original strategy, scheduled is true"));
    walk.passed("audit: every service failed over once");
    Ok(())
}
