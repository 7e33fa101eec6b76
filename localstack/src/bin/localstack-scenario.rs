//! `localstack-scenario`: plays a scenario on LocalStack. Exit codes as without: 0 when every expectation holds, 1 when one does not, 2 when
//! the file, the command line or LocalStack is wrong.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anstream::{eprintln, print};
use clap::Parser;
use localstack::run::{Wanted, start_localstack};
use localstack::scenario::{check, play};
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
fn run(arguments: &Arguments) -> Result<(String, bool), String> {
    let began = Instant::now();
    let error = |error: &dyn std::fmt::Display| format!("error: {error}");
    let path = library::find(&arguments.scenario).map_err(|unknown| error(&unknown))?;
    let loaded = match arguments.services {
        Some(services) => file::load_scaled(&path, services),
        None => file::load(&path),
    };
    let mut scenario = loaded.map_err(|problem| problem.coloured())?;
    if let Some(seed) = arguments.seed {
        scenario.world.seed = seed;
    }
    check(&scenario).map_err(|refused| error(&refused))?;
    let localstack = arguments.localstack.parse().map_err(|wrong| error(&wrong))?;
    let zips = std::path::absolute(&arguments.zips).map_err(|wrong| format!("error: --zips: {wrong}"))?;
    let wanted = Wanted { localstack, zips, speed: arguments.speed, onboarded_later: Vec::new() };
    let tell = |line: &str| eprintln!("{:5.1} s  {line}", began.elapsed().as_secs_f64());
    tell("starting LocalStack");
    let mut localstack = start_localstack(&wanted).map_err(|wrong| error(&wrong))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|wrong| error(&wrong))?;
    let played = runtime.block_on(LocalSet::new().run_until(play(&localstack, &wanted, scenario, tell)));
    if !played.as_ref().is_ok_and(scenarios::play::Play::holds) {
        localstack.keep_logs();
    }
    drop(localstack);
    let played = played.map_err(|wrong| error(&wrong))?;
    let report = Report::of(&played);
    let text = match arguments.json {
        true => serde_json::to_string_pretty(&report).map_err(|wrong| error(&wrong))? + "\n",
        false => report.text(),
    };
    Ok((text, played.holds()))
}
