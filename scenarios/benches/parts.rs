//! What the parts of a run cost on their own.

use std::sync::Arc;
use std::time::Duration;

use divan::{Bencher, black_box};
use handlers::decide::{Context, Trigger, decide};
use handlers::event::{Trust, parse};
use handlers::observation::{Controller, Deployment, Look, Observation, Rollout};
use handlers::policy::Policy;
use handlers::record::Record;
use handlers::service::ServiceId;
use handlers::strategy::{CapacityProvider, Strategy, StrategyItem};
use handlers::timestamp::Timestamp;
use scenarios::swarm::{check, draw};
use scenarios::{file, library, play};
use serde_json::{Value, json};
use simulator::pattern::Pattern;

fn main() {
    divan::main();
}

const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

fn service() -> ServiceId {
    ServiceId {
        account: "111111111111".parse().expect("an account"),
        region: "eu-west-1".parse().expect("a region"),
        cluster: "web".parse().expect("a cluster"),
        service: "checkout".parse().expect("a service"),
    }
}

fn strategy() -> Strategy {
    let item = |capacity_provider, base, weight| StrategyItem { capacity_provider, base, weight };
    Strategy::new(vec![item(CapacityProvider::Fargate, 1, 1), item(CapacityProvider::FargateSpot, 0, 3)])
        .expect("valid")
}

fn full() -> Observation {
    Observation {
        created_at: NOW,
        active: true,
        strategy: Some(strategy()),
        controller: Controller::Rolling,
        replica: true,
        opted_out: false,
        minimum_healthy_percent: 100,
        desired: 4,
        running: 4,
        pending: 0,
        deployments: vec![Deployment {
            id: "ecs-svc/1".into(),
            primary: true,
            rollout: Rollout::Completed,
            rolls_back: false,
            strategy: Some(strategy()),
            running: 4,
            created_at: NOW,
        }],
        messages: Arc::default(),
    }
}

fn watched() -> Record {
    Record { version: 1, service_created_at: Some(NOW), ..Record::new(service(), NOW) }
}

/// As EventBridge writes it.
fn interruption() -> Value {
    json!({
        "version": "0",
        "id": "9bcdac79-b31f-4d3d-9410-fbd727c29fab",
        "detail-type": "ECS Task State Change",
        "source": "aws.ecs",
        "account": "111111111111",
        "time": "2026-01-01T00:00:00Z",
        "region": "eu-west-1",
        "resources": ["arn:aws:ecs:eu-west-1:111111111111:task/web/b99d40b3-5176-4f71-9a52-9dbd6f1cebef"],
        "detail": {
            "clusterArn": "arn:aws:ecs:eu-west-1:111111111111:cluster/web",
            "taskArn": "arn:aws:ecs:eu-west-1:111111111111:task/web/b99d40b3-5176-4f71-9a52-9dbd6f1cebef",
            "group": "service:checkout",
            "capacityProviderName": "FARGATE_SPOT",
            "launchType": "FARGATE",
            "lastStatus": "RUNNING",
            "desiredStatus": "STOPPED",
            "stopCode": "SpotInterruption",
            "stoppedReason": "Your Spot Task was interrupted.",
            "version": 4,
            "createdAt": "2026-01-01T00:00:00Z",
            "updatedAt": "2026-01-01T00:00:00Z",
        },
    })
}

#[divan::bench]
fn decide_about_a_watched_service(bencher: Bencher) {
    let (service, policy, record, look) = (service(), Policy::default(), watched(), Look::found(full()));
    let ctx = Context { trigger: Trigger::Sweep, policy: &policy, now: NOW, owner: "bench", market: None };
    bencher.bench_local(|| decide(black_box(&service), black_box(Some(&record)), black_box(&look), &ctx));
}

#[divan::bench]
fn parse_an_event(bencher: Bencher) {
    let body = interruption().to_string();
    let trust = Trust { region: "eu-west-1".parse().expect("a region"), synthetic_from: Vec::new() };
    bencher.bench_local(|| parse(black_box(&body), &trust).expect("an event of ECS"));
}

#[divan::bench]
fn match_an_event_pattern(bencher: Bencher) {
    let pattern = Pattern::parse(include_str!("../../handlers/event-patterns/interruption.json")).expect("a pattern");
    let event = interruption();
    assert!(pattern.matches(&event), "else the bench measures a miss");
    bencher.bench_local(|| pattern.matches(black_box(&event)));
}

#[divan::bench]
fn write_an_item_and_read_it(bencher: Bencher) {
    let record = watched();
    bencher.bench_local(|| Record::from_item(black_box(&record).to_item()).expect("what was written"));
}

#[divan::bench]
fn draw_and_check_a_random_world(bencher: Bencher) {
    let mut seed = 0;
    bencher.bench_local(|| {
        seed += 1;
        check::play(&draw::plan(seed)).violation.is_some()
    });
}

#[divan::bench]
fn read_a_scenario_file(bencher: Bencher) {
    let path = library::find("spot-outage").expect("in the library");
    bencher.bench_local(|| file::load(black_box(&path)).is_ok());
}

#[divan::bench(max_time = Duration::from_secs(5))]
fn play_spot_outage(bencher: Bencher) {
    let path = library::find("spot-outage").expect("in the library");
    let load = || file::load(&path).unwrap_or_else(|problem| panic!("{problem}"));
    bencher.with_inputs(load).bench_local_values(|scenario| play::play(scenario).expect("valid patterns").holds());
}
