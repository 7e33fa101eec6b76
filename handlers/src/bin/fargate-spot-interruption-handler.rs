//! Lambda function `fargate-spot-interruption-handler`: a Spot task started, stopped or was interrupted.

use std::process::ExitCode;

use handlers::aws::lambda::{Function, main as run};

fn main() -> ExitCode {
    run(Function::Interruption)
}
