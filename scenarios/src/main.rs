//! `scenario`: plays scenario files. Exit code 0 when every expectation holds, 1 when one does not, 2 when a file or the
//! command line is wrong.

use std::io::{self, Write};
use std::process::ExitCode;

use anstream::eprintln;
use clap::{Parser, ValueEnum};
use scenarios::file::Scenario;
use scenarios::play::{self, Play};
use scenarios::report::Report;
use scenarios::{file, library};

/// Plays scenarios on the embedded simulator: what happens to ECS services on Fargate Spot, and what Spot Recovery makes of it.
#[derive(Debug, Parser)]
#[command(name = "scenario", bin_name = "cargo xtask scenario")]
struct Arguments {
    /// A scenario of the library, or a path to a .toml file
    #[arg(required_unless_present = "list", value_name = "NAME|PATH")]
    scenario: Option<String>,

    /// Name the scenarios of the library with their titles
    #[arg(long, conflicts_with_all = ["scenario", "seed", "services", "json", "via"])]
    list: bool,

    /// Play with this seed instead of the file's
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Play with about N generated services in all, instead of as many as the fleets of the file have
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    services: Option<u32>,

    /// How the handlers call AWS: straight into the simulator, or through production's adapters and the AWS SDK
    #[arg(long, value_enum, default_value_t = Via::Native)]
    via: Via,

    /// Where it is played; `localstack` takes the options --speed N and --localstack docker|host|URL as well
    #[arg(long, value_enum, default_value_t = Backend::Simulator)]
    backend: Backend,

    /// Print the whole run as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Via {
    Native,
    Sdk,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Backend {
    Simulator,
    Localstack,
}

const MISTAKE: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.scenario {
        Some(name) => play_one(name, &arguments),
        None => Ok((list(), true)),
    };
    let (text, holds) = match done {
        Ok(done) => done,
        Err(mistake) => {
            eprintln!("{mistake}");
            return ExitCode::from(MISTAKE);
        }
    };
    match anstream::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads has seen enough; the verdict stands.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("error: cannot write the report: {error}");
            ExitCode::from(MISTAKE)
        }
        _ if holds => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn list() -> String {
    let all = library::all();
    let width = all.iter().map(|named| named.name.len()).max().unwrap_or(0);
    all.iter().map(|named| format!("{:width$}  {}\n", named.name, file::heading(&named.path).title)).collect()
}

/// What to print, and whether everything holds; or what is wrong with the request.
fn play_one(name: &str, arguments: &Arguments) -> Result<(String, bool), String> {
    if arguments.backend == Backend::Localstack {
        // Another program, of the crate `localstack`, which builds on this one.
        return Err("error: this program plays on the simulator alone; `cargo xtask scenario NAME --backend localstack` starts the \
                    other"
            .into());
    }
    let path = library::find(name).map_err(|unknown| format!("error: {unknown}"))?;
    let loaded = match arguments.services {
        Some(services) => file::load_scaled(&path, services),
        None => file::load(&path),
    };
    let mut scenario = loaded.map_err(|problem| problem.coloured())?;
    if let Some(seed) = arguments.seed {
        scenario.world.seed = seed;
    }
    let played = played(scenario, arguments.via).map_err(|error| format!("error: {error}"))?;
    let report = Report::of(&played);
    let text = if arguments.json {
        serde_json::to_string_pretty(&report).map_err(|error| format!("error: {error}"))? + "\n"
    } else {
        report.text()
    };
    Ok((text, played.holds()))
}

fn played(scenario: Scenario, via: Via) -> Result<Play, String> {
    let played = match via {
        Via::Native => play::play(scenario),
        #[cfg(feature = "sdk")]
        Via::Sdk => play::play_via_sdk(scenario, simulator::sdk::CallLimits::default()),
        #[cfg(not(feature = "sdk"))]
        Via::Sdk => {
            return Err("this build has no AWS SDK in it; `cargo xtask scenario NAME --via sdk` makes one that has, and so does \
                        `--features sdk`"
                .into());
        }
    };
    played.map_err(|error| error.to_string())
}
