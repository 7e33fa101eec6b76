//! `localstack-scenario`: plays a scenario on LocalStack. Exit codes as without: 0 when every expectation holds, 1 when one does not, 2 when
//! the file, the command line or LocalStack is wrong.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anstream::{eprintln, print};
use clap::Parser;
use localstack::run::{RunError, Wanted, start_localstack};
use localstack::scenario::{NotForLocalStack, check, play};
use scenarios::file::Problem;
use scenarios::library::Unknown;
use scenarios::report::Report;
use scenarios::{file, library};
use tokio::task::LocalSet;

/// Plays a scenario on LocalStack with the functions' own binaries: its world runs beside the clock, and faster.
#[derive(Debug, Parser)]
#[command(name = "localstack-scenario", bin_name = "cargo xtask scenario --backend localstack")]
struct Arguments {
    /// A scenario of the library, or a path to a .toml file
    #[arg(value_name = "NAME|PATH")]
    scenario: String,

    /// Seconds of the world in one of the clock; the policy's durations are divided by it
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=600))]
    speed: u32,

    /// docker, host, or the http:// URL of a LocalStack that runs; without it Docker where a daemon answers, else host
    #[arg(long, value_name = "WHICH", default_value = "auto")]
    localstack: String,

    /// Play with this seed instead of the file's
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Play with about N generated services in all, instead of as many as the fleets of the file have
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    services: Option<u32>,

    /// Print the whole run as JSON
    #[arg(long)]
    json: bool,

    /// Where the functions' zips are
    #[arg(long, value_name = "DIRECTORY", default_value = "target/package")]
    zips: PathBuf,
}

const MISTAKE: u8 = 2;

/// Why the scenario was not played to the end.
#[derive(Debug, thiserror::Error)]
enum Mistake {
    /// No scenario has this name.
    #[error("error: {0}")]
    Unknown(#[from] Unknown),
    /// The file is wrong; the message shows where, in colour.
    #[error("{}", .0.coloured())]
    File(#[from] Problem),
    /// The scenario has something that LocalStack cannot play.
    #[error("error: {0}")]
    NotForLocalStack(#[from] NotForLocalStack),
    /// LocalStack, the cell or the world did not start, or stopped on the way.
    #[error("error: {0}")]
    Run(#[from] RunError),
    /// The run cannot be written as JSON.
    #[error("error: {0}")]
    Json(#[from] serde_json::Error),
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok((text, holds)) => {
            print!("{text}");
            if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(MISTAKE)
        }
    }
}

/// What to print, and whether everything holds.
#[expect(clippy::disallowed_methods, reason = "how long a run takes is a matter of the wall clock")]
fn run(arguments: &Arguments) -> Result<(String, bool), Mistake> {
    let began = Instant::now();
    let path = library::find(&arguments.scenario)?;
    let loaded = match arguments.services {
        Some(services) => file::load_scaled(&path, services),
        None => file::load(&path),
    };
    let mut scenario = loaded?;
    if let Some(seed) = arguments.seed {
        scenario.world.seed = seed;
    }
    check(&scenario)?;
    let localstack = arguments.localstack.parse().map_err(RunError::Start)?;
    let zips = std::path::absolute(&arguments.zips).map_err(RunError::Zips)?;
    let wanted = Wanted { localstack, zips, speed: arguments.speed, onboarded_later: Vec::new() };
    let tell = |line: &str| eprintln!("{:5.1} s  {line}", began.elapsed().as_secs_f64());
    tell("starting LocalStack");
    let mut localstack = start_localstack(&wanted).map_err(RunError::Start)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RunError::Runtime)?;
    let played = runtime.block_on(LocalSet::new().run_until(play(&localstack, &wanted, scenario, tell)));
    if !played.as_ref().is_ok_and(scenarios::play::Play::holds) {
        localstack.keep_logs();
    }
    drop(localstack);
    let played = played?;
    let report = Report::of(&played);
    let text = match arguments.json {
        true => serde_json::to_string_pretty(&report)? + "\n",
        false => report.text(),
    };
    Ok((text, played.holds()))
}
