//! What the handlers' own port shows of a service is what a client reads from `DescribeServices`.

use std::sync::Arc;

use handlers::observation::{Controller, Deployment, Message, Observation, Rollout};
use handlers::strategy::{CapacityProvider, Strategy, StrategyItem};
use handlers::timestamp::Timestamp;

use super::*;
use crate::ids::ServiceKey;
use crate::spec::{BLUE_GREEN, ServiceSpec, WorldEvent};
use crate::testing::{Fargate, FargateSpot, on_demand, spot, strategy};

/// A second reading of the API reference: nothing here is shared with what writes the answer.
fn decoded(service: &Value) -> Observation {
    let controller = service["deploymentController"]["type"].as_str().expect("a type");
    let how = service["deploymentConfiguration"]["strategy"].as_str().expect("a strategy");
    Observation {
        created_at: time(&service["createdAt"]),
        active: service["status"] == "ACTIVE",
        strategy: placed_on(service),
        controller: match (controller, how) {
            ("ECS", "ROLLING") => Controller::Rolling,
            ("ECS", how) => Controller::Other(format!("ECS with {how}")),
            (other, _) => Controller::Other(other.to_owned()),
        },
        replica: service["schedulingStrategy"] == "REPLICA",
        opted_out: service["tags"]
            .as_array()
            .expect("tags")
            .contains(&json!({ "key": "spot-recovery", "value": "off" })),
        minimum_healthy_percent: number(&service["deploymentConfiguration"]["minimumHealthyPercent"]),
        desired: number(&service["desiredCount"]),
        running: number(&service["runningCount"]),
        pending: number(&service["pendingCount"]),
        deployments: service["deployments"].as_array().expect("deployments").iter().map(deployment).collect(),
        messages: Arc::new(service["events"].as_array().expect("events").iter().map(message).collect()),
    }
}

fn deployment(shown: &Value) -> Deployment {
    Deployment {
        id: shown["id"].as_str().expect("an id").to_owned(),
        primary: shown["status"] == "PRIMARY",
        rollout: match shown["rolloutState"].as_str().expect("a rollout state") {
            "COMPLETED" => Rollout::Completed,
            "FAILED" => Rollout::Failed,
            "IN_PROGRESS" => Rollout::InProgress,
            other => panic!("no rollout state: {other}"),
        },
        rolls_back: shown["rolloutStateReason"].as_str().expect("a reason").contains("rolling back"),
        strategy: placed_on(shown),
        running: number(&shown["runningCount"]),
        created_at: time(&shown["createdAt"]),
    }
}

fn placed_on(shown: &Value) -> Option<Strategy> {
    if shown.get("launchType").is_some() {
        assert!(shown.get("capacityProviderStrategy").is_none(), "either a launch type or a strategy: {shown}");
        return None;
    }
    let item = |item: &Value| StrategyItem {
        capacity_provider: CapacityProvider::from(item["capacityProvider"].as_str().expect("a name").to_owned()),
        weight: number(&item["weight"]),
        base: number(&item["base"]),
    };
    let items = shown["capacityProviderStrategy"].as_array().expect("a strategy").iter().map(item);
    Some(Strategy::new(items.collect()).expect("a valid strategy"))
}

fn message(shown: &Value) -> Message {
    assert_eq!(shown["id"].as_str().map(str::len), Some(36), "{shown}");
    Message { at: time(&shown["createdAt"]), text: shown["message"].as_str().expect("a text").to_owned() }
}

fn number(value: &Value) -> u32 {
    value.as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or_else(|| panic!("no count: {value}"))
}

fn time(value: &Value) -> Timestamp {
    Timestamp::from_millis((value.as_f64().expect("seconds since 1970") * 1000.0).round() as u64)
}

/// Looks through both, at every step of a time. Returns how often something had changed.
fn compare(bench: &mut Bench, steps: u32, step: Duration) -> usize {
    let mut seen = Vec::new();
    for _ in 0..steps {
        bench.run(step);
        let native = bench.world.ecs.shown(ServiceKey(0));
        let shown = described(bench, "checkout");
        assert_eq!(*native, decoded(&shown));
        if seen.last() != Some(&native) {
            seen.push(native);
        }
        assert!(shown["events"].as_array().is_some_and(|events| events.len() <= 100));
    }
    seen.len()
}

const MINUTE: Duration = Duration::from_secs(60);

fn capacity(bench: &mut Bench, capacity: Capacity, loss: Loss) {
    let accounts = vec![OWNER.parse().expect("an account")];
    bench.world.happen(WorldEvent::Spot { accounts, capacity, loss });
}

#[test]
fn a_service_looks_the_same_through_the_port_and_on_the_wire_all_through_an_outage_and_back() {
    let mut bench = Bench::new(6, &mixed());
    assert_eq!(compare(&mut bench, 2, MINUTE), 1);
    capacity(&mut bench, Capacity::Tasks(0), Loss::Interrupt);
    assert!(compare(&mut bench, 40, Duration::from_secs(5)) >= 2);
    let forced = |strategy: &Strategy| {
        json!({ "cluster": "web", "service": "checkout", "forceNewDeployment": true,
        "capacityProviderStrategy": strategy.items() })
    };
    ask(&mut bench, "UpdateService", forced(&mixed().fallback()));
    assert!(compare(&mut bench, 60, Duration::from_secs(5)) >= 3);
    capacity(&mut bench, Capacity::Unlimited, Loss::Keep);
    ask(&mut bench, "UpdateService", forced(&mixed()));
    assert!(compare(&mut bench, 60, Duration::from_secs(5)) >= 3);
    assert_eq!(described(&mut bench, "checkout")["capacityProviderStrategy"], json!(mixed().items()));
}

#[test]
fn every_kind_of_service_looks_the_same_through_the_port_and_on_the_wire() {
    let rounded = strategy(&[(Fargate, 2, 0), (FargateSpot, 0, 1000)]);
    type Shape = fn(&mut ServiceSpec);
    let kinds: [(&Strategy, Shape); 6] = [
        (&rounded, |spec| spec.minimum_healthy_percent = 0),
        (&spot(), |spec| spec.controller = Controller::Other(BLUE_GREEN.to_owned())),
        (&spot(), |spec| spec.controller = Controller::Other("CODE_DEPLOY".to_owned())),
        (&on_demand(), |spec| spec.launch_type = true),
        (&mixed(), |spec| spec.circuit_breaker = true),
        (&mixed(), |spec| (spec.minimum_healthy_percent, spec.maximum_percent) = (50, 150)),
    ];
    for (strategy, shape) in kinds {
        let mut bench = Bench::of(5, strategy, shape);
        let id = bench.world.ecs.service(ServiceKey(0)).id.clone();
        bench.world.happen(WorldEvent::OptOut { service: id.clone(), off: true });
        bench.world.happen(WorldEvent::Deploy { service: id.clone() });
        compare(&mut bench, 10, Duration::from_secs(20));
        bench.world.happen(WorldEvent::Application { service: id.clone(), fails: true });
        bench.world.happen(WorldEvent::Deploy { service: id.clone() });
        compare(&mut bench, 30, MINUTE);
        bench.world.happen(WorldEvent::OptOut { service: id.clone(), off: false });
        bench.world.happen(WorldEvent::DeleteService { service: id.clone() });
        compare(&mut bench, 10, Duration::from_secs(20));
        assert_eq!(described(&mut bench, "checkout")["status"], "INACTIVE");
    }
}

#[test]
fn a_stale_read_is_stale_on_the_wire_too() {
    let mut bench = Bench::new(3, &spot());
    bench.world.facts.stale_read_percent = 100;
    let update = json!({ "cluster": "web", "service": "checkout", "forceNewDeployment": true,
        "capacityProviderStrategy": on_demand().items() });
    let answered = ask(&mut bench, "UpdateService", update)["service"].take();
    assert_eq!(answered["capacityProviderStrategy"], json!(on_demand().items()), "the answer itself is never stale");
    let shown = described(&mut bench, "checkout");
    assert_eq!(decoded(&shown).strategy, Some(spot()));
    assert_eq!(shown["deployments"].as_array().map(Vec::len), Some(1));
}
