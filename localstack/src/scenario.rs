//! Plays a scenario file on LocalStack: its world runs beside the clock, faster by the speed; the functions' own binaries recover in it, and
//! the same oracle and verdicts judge what they did.

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use futures_util::future::join_all;
use handlers::aws::config::BUS;
use scenarios::file::Scenario;
use scenarios::play::{Play, judged};
use simulator::facts::Facts;
use simulator::spec::{TimedEvent, WorldEvent};

use crate::backend::LocalStack;
use crate::clients::{CallError, config, failed};
use crate::functions::depth;
use crate::run::{RunError, Running, Wanted};

/// More services than that take LocalStack longer than their world gives them.
const MOST_SERVICES: usize = 200;
/// The queues, each with its DLQ.
const QUEUES: [[&str; 2]; 2] = [
    ["fargate-spot-placement-failure-queue", "fargate-spot-placement-failure-dlq"],
    ["fargate-spot-interruption-queue", "fargate-spot-interruption-dlq"],
];

/// Why a scenario is not one for LocalStack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotForLocalStack {
    /// Something happens to what is LocalStack's.
    #[error(
        "at {at} the scenario has {what} happen, which is the event path's: LocalStack's, and it breaks nothing; play it without --backend"
    )]
    Event {
        /// When, as a person writes it.
        at: String,
        /// What.
        what: &'static str,
    },
    /// The kill switch is set or lifted while the world runs.
    #[error(
        "at {at} the scenario has `pause`, and the functions on LocalStack keep the environment they were created with; play it without --backend"
    )]
    Pause {
        /// When, as a person writes it.
        at: String,
    },
    /// Faults by chance.
    #[error(
        "the scenario has [faults]; LocalStack plays none by chance, `cargo xtask e2e` has journeys with faults; play it without --backend"
    )]
    Faults,
    /// Too much.
    #[error(
        "the scenario has {0} services, and LocalStack keeps up with {MOST_SERVICES} at most; play it without --backend, or fewer with --services N"
    )]
    Services(usize),
}

/// Whether all that the scenario says can be played on LocalStack.
///
/// # Errors
/// [`NotForLocalStack`].
pub fn check(scenario: &Scenario) -> Result<(), NotForLocalStack> {
    let services = scenario.world.services.len();
    if services > MOST_SERVICES {
        return Err(NotForLocalStack::Services(services));
    }
    let facts = &scenario.facts;
    let faults = [
        facts.duplicate_percent,
        facts.lost_percent,
        facts.late_percent,
        facts.kill_per_myriad,
        facts.kill_percent,
        facts.cold_start_percent,
        facts.failed_start_percent,
        facts.lost_reply_percent,
        facts.stale_read_percent,
        facts.table_throttle_percent,
    ];
    if faults.iter().any(|percent| *percent > 0) || !facts.index_lag.max.is_zero() {
        return Err(NotForLocalStack::Faults);
    }
    let mut events = scenario.world.events.iter();
    if let Some(TimedEvent { at, .. }) = events.find(|timed| matches!(timed.event, WorldEvent::Pause { .. })) {
        return Err(NotForLocalStack::Pause { at: humantime::format_duration(*at).to_string() });
    }
    let event_path = |event: &WorldEvent| match event {
        WorldEvent::Forwarding { .. } => Some("forwarding"),
        WorldEvent::BusPolicy(_) => Some("bus_policy"),
        WorldEvent::Membership { .. } => Some("membership"),
        WorldEvent::QueueAccess { .. } => Some("queue_access"),
        WorldEvent::Redrive { .. } => Some("redrive"),
        WorldEvent::Function { .. } => Some("function"),
        _ => None,
    };
    let mut events = scenario.world.events.iter();
    match events.find_map(|TimedEvent { at, event }| event_path(event).map(|what| (*at, what))) {
        Some((at, what)) => Err(NotForLocalStack::Event { at: humantime::format_duration(at).to_string(), what }),
        None => Ok(()),
    }
}

/// Plays a scenario that [`check`] has nothing against. Takes its duration, divided by the speed.
///
/// # Errors
/// [`RunError`].
pub async fn play(
    localstack: &LocalStack,
    wanted: &Wanted,
    scenario: Scenario,
    tell: impl Fn(&str),
) -> Result<Play, RunError> {
    let facts = Facts { trace_details: true, ..scenario.facts.clone() };
    let running = Running::begin(localstack, wanted, scenario.world.clone(), facts, &tell).await?;
    tell(&format!("playing {:?} of the world in {:?}", scenario.duration, scenario.duration / wanted.speed));
    let puts = scenario.world.events.iter().filter(|event| matches!(event.event, WorldEvent::PutEvents { .. }));
    let puts = join_all(puts.map(|event| put_in_time(&running, wanted.speed, event)));
    let ends = tokio::time::sleep(scenario.duration / wanted.speed);
    let (put, ()) = running.while_it_runs(futures_util::future::join(puts, ends)).await?;
    put.into_iter().collect::<Result<Vec<()>, CallError>>()?;
    let problems = running.world.problems();
    let mut outcome = running.world.finish().await?;
    // What the world itself had of queues nobody looked at.
    let mut left = [0, 0];
    for queue in QUEUES {
        for (count, queue) in left.iter_mut().zip(queue) {
            let (visible, in_flight) = depth(&running.clients, queue).await?;
            *count += (visible + in_flight) as usize;
        }
    }
    [outcome.messages_left, outcome.messages_dead] = left;
    outcome.events_dead = 0;
    outcome.violations = problems;
    Ok(judged(scenario, outcome))
}

/// An event that somebody puts on the central bus, put there when its time has come. The world has it too, for its oracle.
async fn put_in_time(running: &Running, speed: u32, event: &TimedEvent) -> Result<(), CallError> {
    let WorldEvent::PutEvents { from, source, detail_type, resources, detail } = &event.event else { return Ok(()) };
    // AWS takes such a source from nobody, LocalStack does.
    if source.starts_with("aws.") {
        return Ok(());
    }
    tokio::time::sleep(event.at / speed).await;
    let Running { endpoint, region, central, .. } = running;
    let events = aws_sdk_eventbridge::Client::new(&config(endpoint, region, from).await);
    let bus = format!("arn:{}:events:{region}:{central}:event-bus/{BUS}", region.partition());
    let entry = PutEventsRequestEntry::builder().event_bus_name(bus).source(source).detail_type(detail_type);
    let entry = entry.set_resources(Some(resources.clone())).detail(detail.to_string()).build();
    events.put_events().entries(entry).send().await.map_err(failed(format!("PutEvents of {from}")))?;
    Ok(())
}
