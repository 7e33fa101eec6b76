//! `e2e`: walks the journeys on LocalStack. Exit code 0 when every stage of each is as it should be, 1 when one is not, 2 when there is
//! nothing to walk on: no LocalStack, no cell, a mistake on the command line.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anstream::{eprintln, print, println};
use clap::Parser;
use localstack::backend::Choice;
use localstack::journey::{self, Ground, Journey, SPEED, Walked};
use localstack::run::{RunError, Running, Wanted, start_localstack};
use tokio::task::LocalSet;

/// Walks what may happen to services from end to end on LocalStack, with the functions' own binaries, and looks at every stage.
#[derive(Debug, Parser)]
#[command(name = "e2e", bin_name = "cargo xtask e2e")]
struct Arguments {
    /// Journeys by name; all of them without any
    #[arg(value_name = "JOURNEY")]
    journeys: Vec<String>,

    /// Name the journeys
    #[arg(long)]
    list: bool,

    /// docker, host, or the http:// URL of a LocalStack that runs; without it Docker where a daemon answers, else host
    #[arg(long, value_name = "WHICH", default_value = "auto")]
    localstack: String,

    /// Where the functions' zips are
    #[arg(long, value_name = "DIRECTORY", default_value = "target/package")]
    zips: PathBuf,
}

const MISTAKE: u8 = 2;

/// Why the journeys were not walked to the end.
#[derive(Debug, thiserror::Error)]
enum Mistake {
    /// No journey has this name.
    #[error("there is no journey {name:?}; known are {known}")]
    Journey {
        /// As it was typed.
        name: String,
        /// The names there are.
        known: String,
    },
    /// LocalStack, the cell or the world did not start, or stopped on the way.
    #[error(transparent)]
    Run(#[from] RunError),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list {
        journey::all().iter().for_each(|journey| println!("{:<20}  {}", journey.name, journey.title));
        return ExitCode::SUCCESS;
    }
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(MISTAKE)
        }
    }
}

/// Whether all went as it should.
#[expect(clippy::disallowed_methods, reason = "how long a run takes is a matter of the wall clock")]
fn run(arguments: &Arguments) -> Result<bool, Mistake> {
    let began = Instant::now();
    let localstack: Choice = arguments.localstack.parse().map_err(RunError::Start)?;
    let (journeys, impossible) = journey::possible(chosen(&arguments.journeys)?, &localstack);
    for journey in impossible {
        eprintln!("left out: {}; a function can be killed with --localstack host", journey.name);
    }
    let zips = std::path::absolute(&arguments.zips).map_err(RunError::Zips)?;
    let onboarded_later = journey::onboarded_later();
    let wanted = Wanted { localstack, zips, speed: SPEED, onboarded_later };
    let tell = |line: &str| eprintln!("{:5.1} s  {line}", began.elapsed().as_secs_f64());
    tell("starting LocalStack");
    let mut localstack = start_localstack(&wanted).map_err(RunError::Start)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(RunError::Runtime)?;
    let outcome = runtime.block_on(LocalSet::new().run_until(walk(&localstack, &wanted, &journeys, tell)));
    if !outcome.as_ref().is_ok_and(|(walked, problems)| problems.is_empty() && walked.iter().all(Walked::is_ok)) {
        localstack.keep_logs();
    }
    drop(localstack);
    let (walked, problems) = outcome?;
    let failed = walked.iter().filter(|walked| !walked.is_ok()).count();
    problems.iter().for_each(|problem| println!("FAILED  the oracle: {problem}"));
    println!(
        "{} journeys, {failed} failed, {} invariants broken, {:.0} s",
        walked.len(),
        problems.len(),
        began.elapsed().as_secs_f64()
    );
    Ok(failed == 0 && problems.is_empty())
}

async fn walk(
    localstack: &localstack::backend::LocalStack,
    wanted: &Wanted,
    journeys: &[Journey],
    tell: impl Fn(&str),
) -> Result<(Vec<Walked>, Vec<String>), RunError> {
    let region = journey::region();
    let spec = journey::world(journeys, &region, &journey::central());
    let running = Running::begin(localstack, wanted, spec, journey::facts(), &tell).await?;
    tell("walking the journeys");
    let ground = Ground::new(&running).await;
    let walked = running.while_it_runs(journey::walk(&ground, journeys, |walked| print!("{}", walked.text()))).await?;
    Ok((walked, running.world.problems()))
}

fn chosen(names: &[String]) -> Result<Vec<Journey>, Mistake> {
    let all = journey::all();
    if names.is_empty() {
        return Ok(all);
    }
    let find = |name: &String| {
        all.iter().find(|journey| journey.name == name).copied().ok_or_else(|| {
            let known: Vec<&str> = all.iter().map(|journey| journey.name).collect();
            Mistake::Journey { name: name.clone(), known: known.join(", ") }
        })
    };
    names.iter().map(find).collect()
}
