//! Failover and restore: by a synthetic event, an outage, an interruption, a silent loss.

use std::time::Duration;

use simulator::spec::{Capacity, Loss, ServiceSpec, WorldEvent};

use super::JourneyError::Unmet;
use super::walk::{PLACEMENT_FAILURE_DLQ, PLACEMENT_FAILURE_QUEUE, SOON, Walk};
use super::{Journey, JourneyError, Turn, account, mixed, service, spot};
use crate::functions::{INTERRUPTION_HANDLER, PLACEMENT_FAILURE_HANDLER};

pub(super) const JOURNEYS: &[Journey] = &[
    Journey {
        name: "synthetic",
        title: "the synthetic placement failure of the original design, and the way back",
        turn: Turn::First,
        kills: false,
        services: |region| vec![ServiceSpec::new(service(region, account::CALM, "synthetic"), 2, mixed())],
        walk: |walk| Box::pin(synthetic(walk)),
    },
    Journey {
        name: "outage",
        title: "Spot is gone for a while, and comes back",
        turn: Turn::Together,
        kills: false,
        services: |region| vec![ServiceSpec::new(service(region, account::OUTAGE, "outage"), 4, mixed())],
        walk: |walk| Box::pin(outage(walk)),
    },
    Journey {
        name: "interruption",
        title: "two of four Spot tasks are interrupted, the neighbour's are not",
        turn: Turn::Together,
        kills: false,
        services: |region| {
            let stop_timeout = Duration::from_secs(120);
            let interrupted = ServiceSpec::new(service(region, account::CALM, "interrupted"), 4, spot());
            let neighbour = ServiceSpec::new(service(region, account::CALM, "neighbour"), 2, spot());
            vec![ServiceSpec { stop_timeout, ..interrupted }, neighbour]
        },
        walk: |walk| Box::pin(interruption(walk)),
    },
    Journey {
        name: "silent-loss",
        title: "Spot takes every task and no event says so: the sweep finds it",
        turn: Turn::Together,
        kills: false,
        services: |region| vec![ServiceSpec::new(service(region, account::SILENT, "silent"), 3, mixed())],
        walk: |walk| Box::pin(silent_loss(walk)),
    },
];

async fn synthetic(walk: &Walk<'_>) -> Result<(), JourneyError> {
    let service = walk.service(account::CALM, "synthetic");
    walk.watched(&service).await?;
    walk.put_synthetic(&service).await?;
    walk.failed_over(&service, &mixed(), "synthetic placement failure").await?;
    let record = walk.record(&service, "has the event", SOON, |record| record.event.is_some()).await?;
    let source = record.event.as_ref().and_then(|event| event["source"].as_str()).unwrap_or_default().to_owned();
    if source != "test.aws.ecs" {
        return Err(Unmet(format!("table: the event's source is {source:?}")));
    }
    walk.passed("table: event is the one that was put, source test.aws.ecs");
    walk.log(PLACEMENT_FAILURE_HANDLER, &["event handled", "web/synthetic", "SyntheticPlacementFailure"]).await?;
    walk.drained(PLACEMENT_FAILURE_QUEUE, SOON).await?;
    walk.drained(PLACEMENT_FAILURE_DLQ, SOON).await?;
    walk.let_others_begin();
    walk.forced(&service, 1)?;
    walk.restored(&service, &mixed()).await?;
    walk.log_of_any(&["transition", "web/synthetic", "episode closed"]).await?;
    walk.forced(&service, 2)
}

async fn outage(walk: &Walk<'_>) -> Result<(), JourneyError> {
    let service = walk.service(account::OUTAGE, "outage");
    let accounts = vec![service.account.clone()];
    let world = walk.world();
    walk.watched(&service).await?;
    world.happen(WorldEvent::Spot { accounts: accounts.clone(), capacity: Capacity::Tasks(0), loss: Loss::Interrupt });
    walk.passed("market: Spot capacity is 0");
    // The warning or the failed placement, whichever comes first.
    walk.failed_over(&service, &mixed(), "Spot").await?;
    walk.forced(&service, 1)?;
    world.happen(WorldEvent::Spot { accounts, capacity: Capacity::Unlimited, loss: Loss::Keep });
    walk.passed("market: Spot capacity is unlimited");
    walk.restored(&service, &mixed()).await
}

async fn interruption(walk: &Walk<'_>) -> Result<(), JourneyError> {
    let service = walk.service(account::CALM, "interrupted");
    let neighbour = walk.service(account::CALM, "neighbour");
    walk.watched(&service).await?;
    walk.world().happen(WorldEvent::Interrupt { service: service.clone(), tasks: 2 });
    walk.passed("market: two of its Spot tasks get the two-minute warning");
    walk.failed_over(&service, &spot(), "Spot interruption").await?;
    walk.log(INTERRUPTION_HANDLER, &["event handled", "web/interrupted", "Interruption"]).await?;
    walk.restored(&service, &spot()).await?;
    walk.forced(&service, 2)?;
    walk.forced(&neighbour, 0)
}

async fn silent_loss(walk: &Walk<'_>) -> Result<(), JourneyError> {
    let service = walk.service(account::SILENT, "silent");
    let accounts = vec![service.account.clone()];
    walk.watched(&service).await?;
    let world = walk.world();
    world.happen(WorldEvent::Spot { accounts: accounts.clone(), capacity: Capacity::Tasks(0), loss: Loss::Silent });
    walk.passed("market: Spot takes its tasks and announces nothing");
    walk.failed_over(&service, &mixed(), "no event said so").await?;
    walk.log_of_any(&["transition", "web/silent", "no event said so"]).await?;
    walk.forced(&service, 1)?;
    world.happen(WorldEvent::Spot { accounts, capacity: Capacity::Unlimited, loss: Loss::Keep });
    walk.restored(&service, &mixed()).await
}
