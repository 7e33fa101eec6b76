//! `cargo xtask verify`: the original design's verification commands as one check list: queues, function logs, table, ECS.

mod logs;
mod queues;
mod service;

use std::time::Duration;

use aws_config::SdkConfig;
use handlers::aws::{Aws, CallLimits, Cell};
use handlers::ports::Clock;
use handlers::record::TABLE;

use super::report::{Mark, Report};
use super::{Problem, Target};

/// How often everything is looked at again with `--wait`.
const LOOK: Duration = Duration::from_secs(2);

/// Looks at every stage that an event about the service passes
#[derive(Debug, clap::Parser)]
#[command(bin_name = "cargo xtask verify", version = None)]
pub struct Arguments {
    /// Which service.
    #[command(flatten)]
    pub target: Target,
    /// How far back function logs are read
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = humantime::parse_duration)]
    pub since: Duration,
    /// Looks again until everything holds, at most for so long
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = humantime::parse_duration)]
    pub wait: Duration,
    /// Name or ARN of the state table
    #[arg(long, value_name = "NAME", default_value = TABLE)]
    pub table: String,
}

/// Looks at everything, until it holds or `--wait` is over.
///
/// # Errors
/// [`Problem`] with the arguments or the credentials. A stage that cannot be looked at is a check that says so.
pub async fn run(arguments: &Arguments) -> Result<Report, Problem> {
    let config = arguments.target.config().await?;
    let cell = Cell {
        region: arguments.target.region().clone(),
        table: arguments.table.clone(),
        bus: String::new(),
        function: "verify".to_owned(),
        queue: None,
        external_id: std::env::var(handlers::aws::config::EXTERNAL_ID).ok().filter(|id| !id.is_empty()),
    };
    let aws = Aws::new(&config, cell, CallLimits::default());
    let began = aws.now();
    loop {
        let report = look(arguments, &config, &aws).await;
        if report.mark() < Mark::Unknown || aws.now().since(began) + LOOK > arguments.wait {
            return Ok(report);
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn look(arguments: &Arguments, config: &SdkConfig, aws: &Aws) -> Report {
    let service = &arguments.target.service;
    let mut checks = queues::checks(config).await;
    checks.extend(logs::checks(config, service, aws.now(), arguments.since).await);
    checks.extend(service::checks(aws, service, &arguments.table).await);
    Report { title: format!("{service} in {}, {}", service.region, arguments.target.at()), checks }
}
