//! `cargo xtask inject placement-failure`: the original design's synthetic event, which drives the whole pipeline although the
//! service is healthy.

use std::io::Write;

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use handlers::aws::config::BUS;
use handlers::event::SYNTHETIC_SOURCE;
use handlers::service::ServiceId;

use super::{Problem, Target, text};

/// Of ECS's own placement failures too.
const DETAIL_TYPE: &str = "ECS Service Action";

/// Sends an event to the central bus.
#[derive(Debug, clap::Parser)]
#[command(bin_name = "cargo xtask inject", version = None)]
pub struct Arguments {
    /// What happens
    #[command(subcommand)]
    pub what: What,
}

/// What can be injected.
#[derive(Debug, clap::Subcommand)]
pub enum What {
    /// ECS cannot place a task of the service on Fargate Spot: the service moves to On-Demand
    PlacementFailure {
        /// About which service.
        #[command(flatten)]
        target: Target,
        /// Name or ARN of the central bus
        #[arg(long, value_name = "NAME", default_value = BUS)]
        bus: String,
    },
}

/// `detail` of the event about `service`, as the original design writes it.
pub fn detail(service: &ServiceId) -> String {
    let ServiceId { account, region, .. } = service;
    let provider = format!("arn:{}:ecs:{region}:{account}:capacity-provider/FARGATE_SPOT", region.partition());
    // Names are of letters, digits and hyphens: nothing to escape.
    format!(
        r#"{{"eventName":"SERVICE_TASK_PLACEMENT_FAILURE","reason":"RESOURCE:FARGATE","capacityProviderArns":["{provider}"]}}"#
    )
}

/// Sends it and says what was sent.
///
/// # Errors
/// [`Problem`]; the event was not sent then.
pub async fn run(arguments: Arguments, out: &mut impl Write) -> Result<(), Problem> {
    let What::PlacementFailure { target, bus } = arguments.what;
    let client = Client::new(&target.config().await?);
    let not_sent = |problem: String| Problem::NotSent { bus: bus.clone(), problem };
    // PutEvents takes events for a bus that is not there, and loses them (aws-facts.md §5).
    match client.describe_event_bus().name(&bus).send().await {
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {
            return Err(Problem::NoBus { bus, region: target.region().to_string() });
        }
        // Whoever may put events need not be allowed to look.
        Err(_) | Ok(_) => {}
    }
    let detail = detail(&target.service);
    let entry = PutEventsRequestEntry::builder()
        .event_bus_name(&bus)
        .source(SYNTHETIC_SOURCE)
        .detail_type(DETAIL_TYPE)
        .resources(target.service.arn())
        .detail(&detail)
        .build();
    let answer = client.put_events().entries(entry).send().await.map_err(|error| not_sent(text(&error)))?;
    // HTTP 200 says only that the request was read.
    let first = answer.entries().first();
    let id = match first.and_then(|entry| entry.event_id()) {
        Some(id) if answer.failed_entry_count() == 0 => id,
        _ => {
            let code = first.and_then(|entry| entry.error_code()).unwrap_or("no code");
            let message = first.and_then(|entry| entry.error_message()).unwrap_or("no message");
            return Err(not_sent(format!("{code}: {message}")));
        }
    };
    let arn = target.service.arn();
    writeln!(
        out,
        "sent to the bus {bus} of {region}, {at}\n\n  source       {SYNTHETIC_SOURCE}\n  detail-type  {DETAIL_TYPE}\n  resources    \
         {arn}\n  detail       {detail}\n\nevent id {id}; see what became of it: cargo xtask verify --service {arn}{endpoint}",
        region = target.region(),
        at = target.at(),
        endpoint = target.endpoint_url.as_deref().map(|url| format!(" --endpoint-url {url}")).unwrap_or_default(),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use handlers::event::{Parsed, Signal, Trust, parse};
    use serde_json::{Value, json};

    #[test]
    fn the_handlers_believe_the_event_and_act_on_it() {
        let service: ServiceId = ServiceId {
            account: "903558039761".parse().expect("an account"),
            region: "ap-south-1".parse().expect("a region"),
            cluster: "test-cluster2".parse().expect("a cluster"),
            service: "test-cluster-service".parse().expect("a service"),
        };
        let detail: Value = serde_json::from_str(&detail(&service)).expect("JSON");
        let event = json!({
            "account": "000000000000", "region": "ap-south-1", "time": "2026-01-01T00:00:00Z", "source": SYNTHETIC_SOURCE,
            "detail-type": DETAIL_TYPE, "resources": [service.arn()], "detail": detail,
        });
        let central = "000000000000".parse().expect("an account");
        let trust = Trust { region: service.region.clone(), synthetic_from: vec![central] };
        let Ok(Parsed::Event(parsed)) = parse(&event.to_string(), &trust) else { panic!("not an event: {event}") };
        assert_eq!((parsed.signal, &parsed.service), (Signal::SyntheticPlacementFailure, &service));
    }
}
