//! Messages that can never be handled: each fails alone, comes back a few times, and ends in the dead-letter queue, while the
//! others are handled as if nothing had happened.

use std::time::Duration;

use handlers::policy::Policy;
use handlers::record::Phase;
use handlers::service::ServiceId;
use handlers::strategy::{CapacityProvider, Strategy, StrategyItem};
use serde_json::{Value, json};
use simulator::facts::Facts;
use simulator::spec::{ServiceSpec, TimedEvent, WorldEvent, WorldSpec};
use simulator::trace::Happening;
use simulator::{Outcome, run};

const CENTRAL: &str = "999999999999";
const WORKLOAD: &str = "111111111111";
const ARN: &str = "arn:aws:ecs:eu-west-1:111111111111:service/web/checkout";

fn service() -> ServiceId {
    ServiceId {
        account: WORKLOAD.parse().expect("an account"),
        region: "eu-west-1".parse().expect("a region"),
        cluster: "web".parse().expect("a cluster"),
        service: "checkout".parse().expect("a service"),
    }
}

fn put(from: &str, resource: &str, detail: Value) -> TimedEvent {
    let event = WorldEvent::PutEvents {
        from: from.parse().expect("an account"),
        source: "test.aws.ecs".into(),
        detail_type: "ECS Service Action".into(),
        resources: vec![resource.into()],
        detail,
    };
    TimedEvent { at: Duration::from_secs(300), event }
}

fn detail() -> Value {
    json!({
        "eventName": "SERVICE_TASK_PLACEMENT_FAILURE",
        "reason": "RESOURCE:FARGATE",
        "capacityProviderArns": ["arn:aws:ecs:eu-west-1:111111111111:capacity-provider/FARGATE_SPOT"],
    })
}

fn play(events: Vec<TimedEvent>) -> Outcome {
    let spot = StrategyItem { capacity_provider: CapacityProvider::FargateSpot, weight: 1, base: 0 };
    let strategy = Strategy::new(vec![spot]).expect("valid");
    let spec = WorldSpec {
        seed: 1,
        region: service().region,
        central: CENTRAL.parse().expect("an account"),
        accounts: vec![service().account],
        synthetic_from: vec![CENTRAL.parse().expect("an account")],
        restore_schedule: Duration::from_secs(60),
        policy: Policy::default(),
        services: vec![ServiceSpec::new(service(), 2, strategy)],
        events,
    };
    run(spec, Facts::default(), Duration::from_secs(1800)).expect("the product's patterns are valid")
}

fn failovers(outcome: &Outcome) -> usize {
    let to = |what: &Happening| matches!(what, Happening::Phase { to: Some(Phase::FailingOver), .. });
    outcome.trace.iter().filter(|entry| to(&entry.what)).count()
}

#[test]
fn a_poison_message_ends_in_the_dead_letter_queue_and_its_neighbours_are_handled() {
    let mut elsewhere = detail();
    elsewhere["clusterArn"] = "arn:aws:ecs:eu-west-1:222222222222:cluster/web".into();
    let outcome = play(vec![
        // Sent by an account that may not send synthetic events.
        put(WORKLOAD, ARN, detail()),
        // No service of ours, by its shape, by its region, by an ARN deep inside.
        put(CENTRAL, "arn:aws:ecs:eu-west-1:111111111111:service/", detail()),
        put(CENTRAL, "arn:aws:ecs:us-east-1:111111111111:service/web/checkout", detail()),
        put(CENTRAL, ARN, elsewhere),
        // The neighbour.
        put(CENTRAL, ARN, detail()),
    ]);
    assert_eq!((outcome.messages_dead, outcome.messages_left), (4, 0));
    assert_eq!(failovers(&outcome), 1);
    assert!(outcome.violations.is_empty(), "{:?}", outcome.violations);
}

#[test]
fn a_forged_event_moves_nothing() {
    let outcome = play(vec![put(WORKLOAD, ARN, detail())]);
    assert_eq!((outcome.messages_dead, failovers(&outcome)), (1, 0));
    assert_eq!(outcome.services[0].live.items(), outcome.services[0].original.items());
}

#[test]
fn an_account_that_the_bus_does_not_know_does_not_even_reach_a_queue() {
    let outcome = play(vec![put("333333333333", ARN, detail())]);
    assert_eq!((outcome.messages_dead, failovers(&outcome)), (0, 0));
    let refused = |what: &Happening| matches!(what, Happening::EventRefused { code: "AccessDeniedException", .. });
    assert!(outcome.trace.iter().any(|entry| refused(&entry.what)));
}
