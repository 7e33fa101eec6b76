//! What is read off the answer of `DescribeServices`.

mod common;
#[path = "common/shown.rs"]
mod shown;

use std::time::Duration;

use common::*;
use handlers::observation::{Observation, Rollout};
use shown::*;

#[test]
fn what_ecs_says_of_a_deployment_tells_a_rollback_from_an_owner() {
    use Rollout::{Completed, Failed, InProgress};
    let since = NOW - mins(4);
    let seen = |rollout| replaced(original(), 30, rollout, fallback());
    let complete = |mut seen: Observation| {
        seen.deployments[0].rollout = Completed;
        seen
    };
    for (seen, told) in [
        (seen(Completed), Some(false)),
        (seen(InProgress), Some(false)),
        (seen(Failed), Some(false)),
        (complete(seen(Failed)), Some(true)),
        (complete(seen(InProgress)), None),
        (rolled_back(seen(Failed)), Some(true)),
        (rolled_back(seen(InProgress)), Some(true)),
        (full_on(original()), None),
        (deploying(original(), NOW - secs(30)), None),
        // The log is left when the deployments are not listed any more; the first word since our change counts.
        (telling(deploying(original(), NOW - secs(30)), 30, ROLLING_BACK), Some(true)),
        (telling(telling(full_on(original()), 60, COMPLETED), 200, ROLLING_BACK), Some(true)),
        (telling(deploying(original(), NOW - secs(30)), 60, COMPLETED), Some(false)),
        // A log that goes back that far and knows of no rollback.
        (telling(full_on(original()), 600, "has reached a steady state."), Some(false)),
        (telling(telling(full_on(original()), 60, FAILED), 600, "has reached a steady state."), Some(false)),
        // Of one that ECS gave up long ago and could not roll back, and one that an owner set after a rollback to another.
        (telling(complete(seen(Failed)), 600, FAILED), Some(false)),
        (busy(complete(seen(Failed)), 40), Some(false)),
        (busy(complete(seen(Failed)), 20), Some(true)),
        (telling(complete(seen(Failed)), 30, ROLLING_BACK_TO_ANOTHER), Some(false)),
        (telling(deploying(original(), NOW - secs(30)), 60, ROLLING_BACK_TO_ANOTHER), None),
        (telling(telling(deploying(original(), NOW - secs(30)), 60, COMPLETED), 200, ROLLING_BACK_TO_ANOTHER), None),
        // One that ECS rolled back to a moment before our change was there already.
        (
            telling(telling(deploying(original(), NOW - secs(30)), 60, COMPLETED), 240, ROLLING_BACK_TO_ANOTHER),
            Some(false),
        ),
        (
            telling(telling(deploying(original(), NOW - secs(30)), 60, COMPLETED), 241, ROLLING_BACK_TO_ANOTHER),
            Some(false),
        ),
        // Clocks may differ by a second, and a log that is full must reach back further than that.
        (telling(deploying(original(), NOW - secs(30)), 241, ROLLING_BACK), Some(true)),
        (telling(deploying(original(), NOW - secs(30)), 242, ROLLING_BACK), Some(false)),
        (busy(full_on(original()), 240), None),
        (busy(full_on(original()), 241), None),
        (busy(full_on(original()), 242), Some(false)),
        // Whoever deploys again after a rollback does not choose its strategy.
        (released_after(rolled_back(seen(Failed))), Some(true)),
        (released_after(complete(seen(Failed))), Some(true)),
        (released_after(complete(seen(Completed))), Some(false)),
        (released_after(full_on(original())), None),
        // Its own completion, or one from before our change, says nothing of what was replaced; a log that is whole does.
        (telling(busy(deploying(original(), NOW - secs(90)), 40), 60, COMPLETED), None),
        (telling(deploying(original(), NOW - secs(90)), 60, COMPLETED), Some(false)),
    ] {
        assert_eq!(seen.is_rollback(since), told, "{seen:?}");
    }
}

#[test]
fn before_and_after_are_told_only_where_clocks_that_differ_by_a_second_agree() {
    let (seen, moment) = (deploying(original(), NOW), Duration::from_millis(1));
    assert!(!seen.was_live_before(NOW) && !seen.was_live_before(NOW + secs(1)));
    assert!(seen.was_live_before(NOW + secs(1) + moment));
    assert!(!seen.came_after(NOW) && !seen.came_after(NOW - secs(1)));
    assert!(seen.came_after(NOW - secs(1) - moment));
    assert!(seen.lists(&original(), NOW + secs(1)) && !seen.lists(&original(), NOW + secs(1) + moment));
    assert!(!seen.is_older_than(NOW + secs(1)) && seen.is_older_than(NOW + secs(1) + moment));
}

#[test]
fn a_deployment_only_drains_while_all_its_tasks_run_and_it_is_not_complete() {
    let of = |rollout, running| {
        let mut seen = deploying(original(), NOW);
        seen.deployments[0].rollout = rollout;
        seen.deployments[0].running = running;
        seen
    };
    let desired = full_on(original()).desired;
    let only_drains = |rollout, running| of(rollout, running).only_drains(&original(), desired);
    assert!(only_drains(Rollout::InProgress, desired));
    assert!(!of(Rollout::InProgress, desired).only_drains(&fallback(), desired));
    assert!(!only_drains(Rollout::InProgress, desired - 1));
    assert!(!only_drains(Rollout::Completed, desired));
    // A task that is wanted since is on its way, but not one that was wanted from the beginning.
    let scaled = |running, pending| Observation { desired: desired + 1, pending, ..of(Rollout::InProgress, running) };
    assert!(scaled(desired, 1).only_drains(&original(), desired));
    assert!(!scaled(desired, 0).only_drains(&original(), desired));
    assert!(!scaled(desired - 1, 2).only_drains(&original(), desired));
}
