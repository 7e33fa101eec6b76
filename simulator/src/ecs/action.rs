//! What ECS plans for later.

use crate::ids::{ServiceKey, TaskKey};

#[derive(Debug)]
pub(crate) enum Action {
    /// A task takes its next step.
    Task(ServiceKey, TaskKey),
    /// Spot takes a task back.
    Reclaim(ServiceKey, TaskKey, Reclaim),
    /// A task's application fails.
    Fail(ServiceKey, TaskKey),
    /// The scheduler looks at a service.
    Schedule(ServiceKey),
}

/// How a task goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reclaim {
    Warned,
    Silently,
}
