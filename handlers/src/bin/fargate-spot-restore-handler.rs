//! Lambda function `fargate-spot-restore-handler`: the scheduled sweep.

use std::process::ExitCode;

use handlers::aws::lambda::{Function, main as run};

fn main() -> ExitCode {
    run(Function::Restore)
}
