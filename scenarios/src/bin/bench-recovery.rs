//! `bench-recovery`: how soon services are on On-Demand when many lose Spot at once, and what that costs in calls, as a table. A run is
//! that of its seed: the figures are the same on every machine.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use scenarios::file::{self, Problem};
use scenarios::play::play;
use simulator::figures::{Figures, Percentiles};
use simulator::pattern::PatternError;
use simulator::prices::Prices;

/// Plays fleets that lose Spot at once, of growing size, on both schedules, with and without a word
#[derive(Debug, Parser)]
#[command(name = "bench-recovery", bin_name = "cargo xtask bench recovery")]
struct Arguments {
    /// Services, and the accounts that they are spread over; by default 200, 1000, 10000:100 and 100000:1000
    #[arg(long, value_name = "N[:ACCOUNTS]", value_delimiter = ',', value_parser = fleet,
        default_values = ["200", "1000", "10000:100", "100000:1000"])]
    fleets: Vec<Fleet>,
}

/// So many services in so many accounts.
#[derive(Debug, Clone, Copy)]
struct Fleet {
    services: u32,
    accounts: u32,
}

/// How many services and accounts a bench may have.
const MOST: u32 = 1_000_000;

fn fleet(text: &str) -> Result<Fleet, String> {
    let (services, accounts) = text.split_once(':').unwrap_or((text, "1"));
    let number = |text: &str| text.parse().ok().filter(|n| (1..=MOST).contains(n));
    match (number(services), number(accounts)) {
        (Some(services), Some(accounts)) if accounts <= services => Ok(Fleet { services, accounts }),
        _ => Err(format!("say SERVICES or SERVICES:ACCOUNTS, each from 1 to {MOST}, such as 10000:100")),
    }
}

/// How Spot is lost.
#[derive(Debug, Clone, Copy)]
enum Loss {
    /// With the two-minute warning, and events.
    Warned,
    /// Without a word.
    Silent,
}

/// Why a fleet was not played; the program exits with code 2.
#[derive(Debug, thiserror::Error)]
enum BenchError {
    /// The scenario made for it is wrong.
    #[error(transparent)]
    File(#[from] Problem),
    /// An event pattern of the product is invalid.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

/// The scenario: a fleet with two tasks a service, all on Spot, that loses it after ten minutes.
fn scenario(fleet: Fleet, schedule: &str, loss: Loss) -> String {
    let Fleet { services, accounts } = fleet;
    let accounts = (0..accounts).map(|n| format!("\"{}\"", 100_000_000_000_u64 + u64::from(n)));
    let accounts = accounts.collect::<Vec<_>>().join(", ");
    let loss = match loss {
        Loss::Warned => "interrupt",
        Loss::Silent => "silent",
    };
    format!(
        "title = \"{services} services\"\nduration = \"50m\"\nseed = 1\naccounts = [{accounts}]\n\
         restore_schedule = \"{schedule}\"\n\
         [policy]\nrestore_after = \"3h\"\n\
         [[fleet]]\nname = \"shop\"\naccounts = [{accounts}]\ncluster = \"shop\"\nservices = {services}\ndesired = 2\n\
         strategy = [{{ provider = \"FARGATE_SPOT\", weight = 1 }}]\n\
         [[at]]\ntime = \"10m\"\nspot = {{ capacity = 0, loss = \"{loss}\" }}\n\
         [expect]\nfailover_within = \"40m\"\n"
    )
}

/// Plays one fleet, and prints its line.
fn row(fleet: Fleet, schedule: &str, loss: Loss) -> Result<(), BenchError> {
    let played = play(file::parse("bench", &scenario(fleet, schedule, loss))?)?;
    let outcome = &played.outcome;
    let figures = Figures::of(outcome, Prices::US_EAST_1);
    let services = outcome.services.len() as f64;
    let seconds = |time: Duration| format!("{:.1}s", time.as_secs_f64());
    let of = |times: &Option<Percentiles>, which: fn(&Percentiles) -> Duration| {
        times.as_ref().map_or("-".to_owned(), |times| seconds(which(times)))
    };
    let (times, floor) = (&figures.time_to_failover, &figures.time_to_failover_floor);
    let told = match loss {
        Loss::Warned => "warned",
        Loss::Silent => "silent",
    };
    println!(
        "{:>8}  {:>8}  {schedule:>8}  {told:>6}  {:>8}  {:>8}  {:>8}  {:>9}  {:>9}  {:>9}  {:>7}  {:>5.2}  {:>5.2}  {:>6.1}  {:>4}",
        outcome.services.len(),
        fleet.accounts,
        of(times, |times| times.p50),
        of(times, |times| times.p99),
        of(times, |times| times.max),
        of(floor, |floor| floor.p99),
        of(floor, |floor| floor.max),
        times.as_ref().map_or(0, |times| times.count),
        outcome.throttled,
        outcome.described as f64 / services,
        figures.deployments_forced.total as f64 / services,
        outcome.calls as f64 / services,
        outcome.messages_dead,
    );
    Ok(())
}

fn main() -> ExitCode {
    let Arguments { fleets } = Arguments::parse();
    println!("Services that lose Spot at once: from the loss to the fallback, and 50 minutes of calls\n");
    println!(
        "{:>8}  {:>8}  {:>8}  {:>6}  {:>8}  {:>8}  {:>8}  {:>9}  {:>9}  {:>9}  {:>7}  {:>5}  {:>5}  {:>6}  {:>4}",
        "services",
        "accounts",
        "schedule",
        "loss",
        "p50",
        "p99",
        "max",
        "floor p99",
        "floor max",
        "moved",
        "refused",
        "looks",
        "moves",
        "calls",
        "dead"
    );
    for fleet in fleets {
        for (schedule, loss) in [("1m", Loss::Warned), ("5m", Loss::Warned), ("1m", Loss::Silent), ("5m", Loss::Silent)]
        {
            if let Err(error) = row(fleet, schedule, loss) {
                eprintln!("error: {error}");
                return ExitCode::from(2);
            }
        }
    }
    println!(
        "\nlooks, moves and calls are a service's: DescribeServices, UpdateService, and all that handlers call, the state table too.\n\
         floor: every loss known at once, and UpdateService as fast as ECS takes it; a silent loss is known after the grace time and a\n\
         sweep. refused: calls that ECS throttled.\n\
         dead: messages in the dead-letter queues"
    );
    ExitCode::SUCCESS
}
