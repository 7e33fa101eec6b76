//! What a failover and a duplicate cost: every request that leaves the adapters is counted, by action.

use std::collections::BTreeMap;
use std::time::Duration;

use handlers::aws::config::Config;
use handlers::aws::lambda::{Function, Instance};
use handlers::event::Trust;
use handlers::policy::Policy;
use lambda_local::aws::{Aws, batch, interruption, placement_failure};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};

use crate::bench::{cell, now, quick, sdk};
use crate::common::region;

/// Nine calls in all, four of them about the turn of the account, which all services of a batch share. The sweep announces both
/// transitions, together with those of up to nine other services.
const PER_FAILOVER: [(&str, usize); 5] =
    [("DescribeServices", 1), ("GetItem", 2), ("PutItem", 4), ("Query", 1), ("UpdateService", 1)];
const PER_DUPLICATE: [(&str, usize); 1] = [("GetItem", 1)];

/// A function that takes messages, and the event that has it fail a service over.
type Trigger = (Function, fn(&str) -> Value);

const TRIGGERS: [Trigger; 2] =
    [(Function::Interruption, interruption), (Function::PlacementFailure, placement_failure)];

struct Warm {
    aws: Aws,
    instance: Instance,
    event: fn(&str) -> Value,
}

impl Warm {
    /// An instance with a session in the workload account: it has moved another service there.
    async fn new((function, event): Trigger) -> Self {
        let aws = Aws::start().expect("a port");
        let trust = Trust { region: region("ap-south-1"), synthetic_from: vec![] };
        let config = Config { cell: cell(), trust, policy: Policy::default() };
        let sdk = sdk(&format!("http://{}", aws.address())).await;
        let warm = Self { instance: Instance::new(function, config, &sdk, quick()), aws, event };
        let calls = warm.calls_of("search").await;
        assert_eq!(calls.get("AssumeRole"), Some(&1), "{calls:?}");
        warm
    }

    /// Has the event about `service` handled, and says how often each action was called for it.
    async fn calls_of(&self, service: &str) -> BTreeMap<String, usize> {
        let mut context = Context::default();
        context.deadline = u64::try_from((now() + Duration::from_secs(60)).as_millis()).unwrap();
        let payload = batch("m", &(self.event)(service).to_string());
        let answer = self.instance.invoke(LambdaEvent::new(payload, context)).await;
        assert_eq!(answer, Ok(json!({ "batchItemFailures": [] })));
        self.aws.calls()
    }
}

#[track_caller]
fn at_most(calls: &BTreeMap<String, usize>, table: &[(&str, usize)]) {
    for (action, count) in calls {
        let most = table.iter().find(|(known, _)| known == action).map_or(0, |(_, most)| *most);
        assert!(*count <= most, "{count} calls of {action} where {most} are allowed; in all {calls:?}");
    }
}

#[tokio::test]
async fn a_failover_with_a_warm_session_makes_no_call_too_many() {
    for trigger in TRIGGERS {
        let calls = Warm::new(trigger).await.calls_of("checkout").await;
        assert_eq!(calls.get("UpdateService"), Some(&1), "it is a failover: {calls:?}");
        at_most(&calls, &PER_FAILOVER);
    }
}

#[tokio::test]
async fn a_duplicate_makes_one_call_however_often_it_comes() {
    for trigger in TRIGGERS {
        let warm = Warm::new(trigger).await;
        warm.calls_of("checkout").await;
        for _ in 0..5 {
            let calls = warm.calls_of("checkout").await;
            at_most(&calls, &PER_DUPLICATE);
        }
    }
}
