//! `serve`: serves a world to AWS clients on loopback. Exit code 0 after SIGINT or SIGTERM, 2 when the command line or the
//! scenario is wrong or the port is taken.

use std::process::ExitCode;
use std::time::Duration;

use anstream::{eprintln, println};
use clap::Parser;
use handlers::policy::Policy;
use handlers::service::{AccountId, Region};
use scenarios::file::Problem;
use scenarios::library::Unknown;
use scenarios::{file, library};
use simulator::Simulation;
use simulator::facts::Facts;
use simulator::pattern::PatternError;
use simulator::serve::{ServeError, Serving, serve};
use simulator::spec::{FunctionName, FunctionState, WorldEvent, WorldSpec};

/// Serves a simulated AWS as ECS and STS on loopback: to boto3, the AWS CLI, the SDKs, LocalStack's Lambda functions.
#[derive(Debug, Parser)]
#[command(name = "serve", bin_name = "cargo xtask simulator serve")]
struct Arguments {
    /// Port on 127.0.0.1; 0 takes any that is free
    #[arg(long, default_value_t = 4580)]
    port: u16,

    /// Serve the world of a scenario, by name or path, with all that happens in it; without one the world is empty
    #[arg(long, value_name = "NAME|PATH")]
    scenario: Option<String>,

    /// Seconds of the world in one of the wall clock; 0 lets time pass only when the control API says so
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    speed: u32,

    /// Account that runs the recovery: the role in every account trusts it alone
    #[arg(long, value_name = "ACCOUNT", default_value = "000000000000", conflicts_with = "scenario")]
    central: AccountId,

    /// Region of an empty world
    #[arg(long, default_value = "eu-west-1", conflicts_with = "scenario")]
    region: Region,

    /// Let Spot Recovery run inside the world too; callers are then shown the world's own time, which begins with 2026
    #[arg(long)]
    recovery: bool,
}

const MISTAKE: u8 = 2;

/// Why no world is served; the program exits with code 2.
#[derive(Debug, thiserror::Error)]
enum Mistake {
    /// No scenario has this name.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// The file is wrong; the message shows where.
    #[error(transparent)]
    File(#[from] Problem),
    /// An event pattern of the product is invalid.
    #[error("error: {0}")]
    Pattern(#[from] PatternError),
    /// The port is taken, or the server does not start.
    #[error("error: {0}")]
    Serve(#[from] ServeError),
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(mistake) => {
            eprintln!("{mistake}");
            ExitCode::from(MISTAKE)
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Mistake> {
    let (spec, facts) = match &arguments.scenario {
        Some(name) => {
            let scenario = file::load(&library::find(name)?)?;
            (scenario.world, scenario.facts)
        }
        None => (empty(&arguments), Facts::default()),
    };
    let central = spec.central.clone();
    let mut simulation = Simulation::new(spec, facts)?;
    if !arguments.recovery {
        for function in [FunctionName::PlacementFailure, FunctionName::Interruption, FunctionName::Restore] {
            simulation.happen(WorldEvent::Function { function, state: FunctionState::Detached });
        }
    }
    let Arguments { port, speed, recovery, .. } = arguments;
    let serving = Serving { port, speed, wall_clock: !recovery };
    serve(simulation, serving, |address| {
        println!(
            "ECS and STS on http://{address}

  export AWS_ENDPOINT_URL_ECS=http://{address} AWS_ENDPOINT_URL_STS=http://{address}
  export AWS_REGION=eu-west-1 AWS_SECRET_ACCESS_KEY=any AWS_ACCESS_KEY_ID=111111111111
  aws ecs list-clusters                                # the access key is the account
  curl http://{address}/_simulator/state               # simulator/README.md: the control API

The account {central} may assume CentralSpotAutomationRole in every other. Stop with Ctrl-C."
        );
    })?;
    Ok(())
}

/// A world without services. Accounts appear as soon as somebody uses them.
fn empty(arguments: &Arguments) -> WorldSpec {
    WorldSpec {
        seed: 1,
        region: arguments.region.clone(),
        central: arguments.central.clone(),
        accounts: Vec::new(),
        synthetic_from: vec![arguments.central.clone()],
        restore_schedule: Duration::from_secs(60),
        policy: Policy::default(),
        services: Vec::new(),
        events: Vec::new(),
    }
}
