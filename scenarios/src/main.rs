//! `scenario`: plays scenario files. Exit code 0 when every expectation holds, 1 when one does not, 2 when a file or the
//! command line is wrong.

use std::process::ExitCode;

use anstream::{eprintln, print, println};
use clap::Parser;
use scenarios::report::Report;
use scenarios::{file, library, play};

/// Plays scenarios on the embedded simulator: what happens to ECS services on Fargate Spot, and what Spot Recovery makes of it.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask scenario", version)]
struct Arguments {
    /// A scenario of the library, or a path to a .toml file
    #[arg(required_unless_present = "list", value_name = "NAME|PATH")]
    scenario: Option<String>,

    /// Name the scenarios of the library with their titles
    #[arg(long, conflicts_with_all = ["scenario", "seed", "json"])]
    list: bool,

    /// Play with this seed instead of the file's
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Print the whole run as JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.scenario {
        Some(ref name) if !arguments.list => play_one(name, &arguments),
        _ => list(),
    }
}

fn list() -> ExitCode {
    let all = library::all();
    let width = all.iter().map(|named| named.name.len()).max().unwrap_or(0);
    for named in all {
        println!("{:width$}  {}", named.name, file::heading(&named.path).title);
    }
    ExitCode::SUCCESS
}

fn play_one(name: &str, arguments: &Arguments) -> ExitCode {
    let loaded = library::find(name)
        .map_err(|unknown| format!("error: {unknown}"))
        .and_then(|path| file::load(&path).map_err(|problem| problem.coloured()));
    let mut scenario = match loaded {
        Ok(scenario) => scenario,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::from(2);
        }
    };
    if let Some(seed) = arguments.seed {
        scenario.world.seed = seed;
    }
    let played = match play::play(scenario) {
        Ok(played) => played,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    let report = Report::of(&played);
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report).expect("a report has string keys only"));
    } else {
        print!("{}", report.text());
    }
    if played.holds() { ExitCode::SUCCESS } else { ExitCode::from(1) }
}
