//! The item of the service, and the service itself, each read by production's own adapter.

use std::sync::Arc;

use handlers::aws::{Aws, ROLE};
use handlers::observation::{Look, Observation};
use handlers::ports::{Cluster, Ecs, StateStore};
use handlers::record::{Phase, Record};
use handlers::service::ServiceId;
use handlers::strategy::Strategy;

use super::super::report::{Check, Mark};

pub(super) async fn checks(aws: &Aws, service: &ServiceId, table: &str) -> [Check; 2] {
    let (item, record) = match aws.get(service).await {
        Ok(Some(record)) => (item(&record, table), Some(record)),
        Ok(None) => (Check::new(Mark::Fails, "table", table, format!("no item {:?}", service.record_id())), None),
        Err(error) => (Check::new(Mark::Unknown, "table", table, error.to_string()), None),
    };
    let cluster =
        Cluster { account: service.account.clone(), region: service.region.clone(), name: service.cluster.clone() };
    let looks = aws.describe_services(&cluster, std::slice::from_ref(&service.service)).await;
    let says = |mark, says| Check::new(mark, "ECS", ROLE, says);
    let ecs = match looks.map(|looks| looks.into_iter().next()) {
        Ok(Some(Look::Found(seen))) => live(&seen, record.as_deref()),
        Ok(Some(Look::Missing) | None) => says(Mark::Fails, "there is no such service or cluster".to_owned()),
        Ok(Some(Look::Blocked(reason))) => says(Mark::Unknown, reason.to_string()),
        Err(error) => says(Mark::Unknown, error.to_string()),
    };
    [item, ecs]
}

fn item(record: &Arc<Record>, table: &str) -> Check {
    let mark = if record.phase == Phase::Held { Mark::Fails } else { Mark::Holds };
    let mut check = Check::new(mark, "table", table, format!("{} since {}", record.phase, record.phase_since));
    if !record.reason.is_empty() {
        check.more.push(format!("reason     {}", record.reason));
    }
    let config = record.original.as_ref().map_or_else(|| "none, nothing is changed".to_owned(), Strategy::to_string);
    check.more.push(format!("config     {config}"));
    check.more.push(format!("scheduled  {}, next look {}", record.scheduled(), record.next_check_at));
    if let Some(at) = record.restore_at {
        check.more.push(format!("restore    due {at}"));
    }
    if let Some(held) = &record.held {
        check.more.push(format!("held       {}", held.reason));
    }
    check
}

/// The live service, and whether its strategy is the one that the item says.
fn live(seen: &Observation, record: Option<&Record>) -> Check {
    let strategy = seen.strategy.as_ref().map_or_else(|| "a launch type".to_owned(), Strategy::to_string);
    let mut check = Check::new(Mark::Holds, "ECS", ROLE, strategy);
    check.more.push(format!("tasks      {} of {} run, {} on their way", seen.running, seen.desired, seen.pending));
    if let Some(primary) = seen.primary() {
        check.more.push(format!("rollout    {:?} since {}", primary.rollout, primary.created_at));
    }
    if seen.is_short() {
        check.mark = Mark::Fails;
    }
    let change = record.filter(|record| record.phase != Phase::Watching).and_then(|record| record.change.as_ref());
    if let Some(change) = change.filter(|change| seen.strategy.as_ref() != Some(&change.to)) {
        check.mark = Mark::Fails;
        check.more.push(format!("expected   {}", change.to));
    }
    check
}
