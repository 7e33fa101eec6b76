//! Handlers that are killed, run out of time, are denied or throttled: what they began is finished, and done once.

use std::net::SocketAddr;
use std::time::Duration;

use handlers::record::Phase;
use handlers::service::ServiceId;
use simulator::spec::{Role, ServiceSpec, WorldEvent};
use tokio::sync::oneshot;

use super::JourneyError::Unmet;
use super::walk::{LATER, SOON, Walk};
use super::{Journey, JourneyError, Turn, account, mixed, service, spot};
use crate::functions::{PLACEMENT_FAILURE_HANDLER, invoke};
use crate::process;
use crate::world::{Caught, Moment};

/// Throttled calls that are waited for before ECS answers again.
const THROTTLED: u32 = 2;

pub(super) const JOURNEYS: &[Journey] = &[
    Journey {
        name: "role-missing",
        title: "the role is missing: the service is held, and goes on once it is there",
        turn: Turn::Together,
        kills: false,
        services: |region| vec![ServiceSpec::new(service(region, account::DENIED, "denied"), 2, mixed())],
        walk: |walk| Box::pin(role_missing(walk)),
    },
    Journey {
        name: "killed-before",
        title: "a handler is killed between its claim and its update",
        turn: Turn::Together,
        kills: true,
        services: |region| vec![ServiceSpec::new(service(region, account::KILLED_BEFORE, "killed-before"), 2, spot())],
        walk: |walk| Box::pin(killed(walk, account::KILLED_BEFORE, "killed-before", Moment::Before)),
    },
    Journey {
        name: "killed-after",
        title: "a handler is killed after its update, before it knows",
        turn: Turn::Together,
        kills: true,
        services: |region| vec![ServiceSpec::new(service(region, account::KILLED_AFTER, "killed-after"), 2, spot())],
        walk: |walk| Box::pin(killed(walk, account::KILLED_AFTER, "killed-after", Moment::After)),
    },
    Journey {
        name: "timeout",
        title: "a handler runs out of time, and its message comes back",
        turn: Turn::Together,
        kills: false,
        services: |region| vec![ServiceSpec::new(service(region, account::SLOW, "slow"), 2, spot())],
        walk: |walk| Box::pin(out_of_time(walk)),
    },
    Journey {
        name: "throttled",
        title: "ECS throttles the update, and its message comes back until it does not",
        // Beside the others its message may be in the batch that runs out of time.
        turn: Turn::Last,
        kills: false,
        services: |region| vec![ServiceSpec::new(service(region, account::THROTTLED, "throttled"), 2, spot())],
        walk: |walk| Box::pin(throttled(walk)),
    },
];

async fn role_missing(walk: &Walk<'_>) -> Result<(), JourneyError> {
    let service = walk.service(account::DENIED, "denied");
    let role = |role| WorldEvent::Role { accounts: vec![service.account.clone()], role };
    walk.watched(&service).await?;
    walk.world().happen(role(Role::Missing));
    walk.passed("STS: CentralSpotAutomationRole cannot be assumed any more");
    walk.put_synthetic(&service).await?;
    walk.announced(&service, Some(Phase::Watching), Phase::Held, "CentralSpotAutomationRole").await?;
    let held = walk.record(&service, "is held", SOON, |record| record.phase == Phase::Held).await?;
    walk.passed(format!("table: item is Held: {}", held.reason));
    walk.forced(&service, 0)?;
    walk.world().happen(role(Role::Present));
    walk.passed("STS: the role is there again");
    walk.record(&service, "is watched again", LATER, |record| record.phase == Phase::Watching).await?;
    walk.announced(&service, Some(Phase::Held), Phase::Watching, "cured").await?;
    walk.put_synthetic(&service).await?;
    walk.failed_over(&service, &mixed(), "synthetic placement failure").await?;
    walk.forced(&service, 1)
}

async fn killed(walk: &Walk<'_>, account: &str, name: &str, moment: Moment) -> Result<(), JourneyError> {
    let service = walk.service(account, name);
    walk.watched(&service).await?;
    let caught = walk.world().catch(&service, "UpdateService", moment);
    // In a batch of its own: what else is in a batch of the queue comes back when its visibility timeout is over, in minutes.
    let batch = walk.synthetic_batch(&service, "killed");
    let invoked = invoke(&walk.running().clients, PLACEMENT_FAILURE_HANDLER, &batch);
    let (invoked, caught) = futures_util::future::join(invoked, async {
        let caught = arrives(walk, &service, caught).await?;
        kill(walk, caught.peer)?;
        Ok::<_, JourneyError>(caught)
    })
    .await;
    let caught = caught?;
    match invoked {
        Err(error) if error.said.contains("Runtime.ExitError") => walk.passed("function: Lambda says that it ended"),
        other => return Err(Unmet(format!("function: Lambda says {other:?} of one that was killed"))),
    }
    // The call of a dead process: one that did not take effect must not do so later.
    drop(caught);
    let record = walk.record(&service, "is claimed", SOON, |record| record.phase == Phase::FailingOver).await?;
    if record.lease.is_none() {
        return Err(Unmet("table: the claim has no lease".into()));
    }
    walk.passed("table: item is FailingOver, with the dead handler's lease");
    walk.forced(&service, if moment == Moment::After { 1 } else { 0 })?;
    // What the dead handler did is announced all the same: the claim says it.
    walk.saved(&service, &spot()).await?;
    walk.runs_on(&service, &spot().fallback(), SOON).await?;
    walk.announced(&service, Some(Phase::Watching), Phase::FailingOver, "synthetic placement failure").await?;
    walk.announced(&service, Some(Phase::FailingOver), Phase::OnDemand, "On-Demand strategy is live").await?;
    walk.forced(&service, 1)
}

async fn out_of_time(walk: &Walk<'_>) -> Result<(), JourneyError> {
    let service = walk.service(account::SLOW, "slow");
    walk.watched(&service).await?;
    let caught = walk.world().catch(&service, "UpdateService", Moment::Before);
    walk.put_synthetic(&service).await?;
    let caught = arrives(walk, &service, caught).await?;
    walk.passed("ECS: gives no answer");
    walk.log(PLACEMENT_FAILURE_HANDLER, &["no time left for the batch, it comes back"]).await?;
    drop(caught);
    walk.log(PLACEMENT_FAILURE_HANDLER, &["event handled", "web/slow"]).await?;
    walk.saved(&service, &spot()).await?;
    walk.runs_on(&service, &spot().fallback(), SOON).await?;
    walk.forced(&service, 1)
}

async fn throttled(walk: &Walk<'_>) -> Result<(), JourneyError> {
    let service = walk.service(account::THROTTLED, "throttled");
    walk.watched(&service).await?;
    let throttling = walk.world().throttle(&service, "UpdateService");
    walk.put_synthetic(&service).await?;
    walk.until("ECS: throttles UpdateService", LATER, async || match throttling.count() {
        THROTTLED.. => Ok(()),
        count => Err(Unmet(format!("{count} calls so far"))),
    })
    .await?;
    walk.passed(format!("ECS: throttled UpdateService {} times", throttling.count()));
    walk.log(PLACEMENT_FAILURE_HANDLER, &["message failed", "web/throttled", "Rate exceeded"]).await?;
    walk.forced(&service, 0)?;
    drop(throttling);
    walk.passed("ECS: throttles no more");
    walk.saved(&service, &spot()).await?;
    walk.runs_on(&service, &spot().fallback(), SOON).await?;
    walk.forced(&service, 1)
}

/// The call that is lain in wait for.
async fn arrives(
    walk: &Walk<'_>,
    service: &ServiceId,
    caught: oneshot::Receiver<Caught>,
) -> Result<Caught, JourneyError> {
    let caught = tokio::time::timeout(LATER + Duration::from_secs(10), caught).await;
    let caught = caught.map_err(|_| Unmet(format!("ECS: no UpdateService of {service} came within {LATER:?}")))?;
    let caught = caught.map_err(|_| Unmet("the world ended".into()))?;
    walk.passed("ECS: UpdateService is on its way, and held");
    Ok(caught)
}

/// SIGKILL to the function that called.
fn kill(walk: &Walk<'_>, caller: SocketAddr) -> Result<(), JourneyError> {
    let process = process::owner_of(caller, walk.world().address());
    let process = process.ok_or_else(|| Unmet(format!("no process of this machine called from {caller}")))?;
    process::kill(process)?;
    walk.passed(format!("function: process {process} is killed"));
    Ok(())
}
