//! What ECS shows of deployments: replaced, rolled back, released, opted out, and what its log tells.
#![allow(dead_code, reason = "every test file uses its own part of it")]

use std::sync::Arc;

use handlers::observation::{Deployment, Message, Observation, Rollout};
use handlers::strategy::Strategy;

use crate::common::{NOW, deploying, mins, secs};

/// A deployment of `strategy` under way since `age` seconds, in the place of one that was `rollout`.
pub(crate) fn replaced(strategy: Strategy, age: u64, rollout: Rollout, before: Strategy) -> Observation {
    let mut seen = deploying(strategy, NOW - secs(age));
    let primary = seen.deployments[0].clone();
    seen.deployments.push(Deployment {
        id: "ecs-svc/0".into(),
        primary: false,
        rollout,
        strategy: Some(before),
        created_at: NOW - secs(age) - mins(3),
        ..primary
    });
    seen
}

pub(crate) fn rolled_back(mut seen: Observation) -> Observation {
    seen.deployments[0].rolls_back = true;
    seen
}

pub(crate) fn telling(mut seen: Observation, age: u64, text: &str) -> Observation {
    Arc::make_mut(&mut seen.messages).push(Message { at: NOW - secs(age), text: format!("(service checkout) {text}") });
    seen
}

/// With a log that is full of what was said `age` seconds ago.
pub(crate) fn busy(seen: Observation, age: u64) -> Observation {
    (0..100).fold(seen, |seen, _| telling(seen, age, "has started 1 tasks: (task 1)."))
}

pub(crate) fn out(seen: Observation) -> Observation {
    Observation { opted_out: true, ..seen }
}

pub(crate) const ROLLING_BACK: &str = "rolling back to deployment ecs-svc/1.";
pub(crate) const ROLLING_BACK_TO_ANOTHER: &str = "rolling back to deployment ecs-svc/17.";
pub(crate) const FAILED: &str = "(deployment ecs-svc/1) deployment failed: tasks failed to start.";
pub(crate) const COMPLETED: &str = "(deployment ecs-svc/1) deployment completed.";

/// The same, and a release of the owner's begun just now.
pub(crate) fn released_after(mut seen: Observation) -> Observation {
    let release = Deployment {
        id: "ecs-svc/9".into(),
        rollout: Rollout::InProgress,
        rolls_back: false,
        created_at: NOW - secs(5),
        ..seen.deployments[0].clone()
    };
    seen.deployments[0].primary = false;
    seen.deployments.insert(0, release);
    seen
}
