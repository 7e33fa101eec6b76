//! Lambda function `fargate-spot-task-placement-failure-handler`: ECS could not place a task.

use std::process::ExitCode;

use handlers::aws::lambda::{Function, main as run};

fn main() -> ExitCode {
    run(Function::PlacementFailure)
}
