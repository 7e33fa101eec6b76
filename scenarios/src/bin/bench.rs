//! `bench`: how fast worlds are played, as a table. Sizes are measured in processes of their own, so that each shows its own peak of
//! memory. Timings are of this machine and of whatever else runs on it.

use std::io;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::Parser;
use scenarios::file::Problem;
use scenarios::library::Unknown;
use scenarios::play::play;
use scenarios::swarm::{Swarm, draw};
use scenarios::{file, library};
use serde::{Deserialize, Serialize};
use simulator::figures::Figures;
use simulator::pattern::PatternError;
use simulator::prices::Prices;

/// Plays the fleet scenario in growing sizes, and random worlds on one processor.
#[derive(Debug, Parser)]
#[command(name = "bench", bin_name = "cargo xtask bench")]
struct Arguments {
    /// How many services, one size after the other
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1_000, 10_000, 100_000])]
    services: Vec<u32>,

    /// How many random worlds
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    worlds: u64,

    /// Play the fleet once, with as many services, and print what was measured as JSON
    #[arg(long, value_name = "N", conflicts_with_all = ["services", "worlds"], hide = true)]
    only: Option<u32>,
}

/// What a fleet may take, with two processors.
struct Goal {
    services: usize,
    wall: Duration,
    peak: u64,
}

const GOALS: [Goal; 2] = [
    Goal { services: 10_000, wall: Duration::from_secs(10), peak: 1 << 30 },
    Goal { services: 100_000, wall: Duration::from_secs(100), peak: 10 << 30 },
];

/// Random worlds a second and processor that are the least.
const WORLDS: f64 = 200.0;

/// Why a measurement was not finished; the program exits with code 2.
#[derive(Debug, thiserror::Error)]
enum BenchError {
    /// The library has no fleet scenario.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// Its file is wrong; the message shows where.
    #[error(transparent)]
    File(#[from] Problem),
    /// An event pattern of the product is invalid.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The process of a size cannot be started.
    #[error(transparent)]
    Start(#[from] io::Error),
    /// The process of a size failed.
    #[error("{services} services: {said}")]
    Size {
        /// The size.
        services: u32,
        /// What the process said.
        said: String,
    },
    /// What was measured cannot be written or read.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A random world broke a rule; `cargo xtask swarm` shows which.
    #[error("seed {0} fails")]
    World(u64),
}

/// One run of the fleet scenario.
#[derive(Debug, Serialize, Deserialize)]
struct Measured {
    services: usize,
    hours: u64,
    wall: Duration,
    happenings: u64,
    calls: u64,
    /// Peak of resident memory, in bytes; 0 where the system does not tell.
    peak: u64,
    p99_to_failover: Duration,
    p99_floor: Duration,
    holds: bool,
}

#[expect(clippy::disallowed_methods, reason = "how long a run takes is a matter of the wall clock")]
fn measure(services: u32) -> Result<Measured, BenchError> {
    let scenario = file::load_scaled(&library::find("fleet")?, services)?;
    let began = Instant::now();
    let played = play(scenario)?;
    let wall = began.elapsed();
    let figures = Figures::of(&played.outcome, Prices::US_EAST_1);
    Ok(Measured {
        services: played.outcome.services.len(),
        hours: played.scenario.duration.as_secs() / 3600,
        wall,
        happenings: played.outcome.happenings,
        calls: played.outcome.calls,
        peak: peak(),
        p99_to_failover: figures.time_to_failover.map_or(Duration::ZERO, |times| times.p99),
        p99_floor: figures.time_to_failover_floor.map_or(Duration::ZERO, |times| times.p99),
        holds: played.holds(),
    })
}

/// The highest resident memory of this process so far, as Linux tells it.
fn peak() -> u64 {
    let status = std::fs::read_to_string(Path::new("/proc/self/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse::<u64>().ok());
    kib.map_or(0, |kib| kib * 1024)
}

fn in_a_process_of_its_own(services: u32) -> Result<Measured, BenchError> {
    let run = Command::new(std::env::current_exe()?).args(["--only", &services.to_string()]).output()?;
    if !run.status.success() {
        let said = String::from_utf8_lossy(&run.stderr).trim().to_owned();
        return Err(BenchError::Size { services, said });
    }
    Ok(serde_json::from_slice(&run.stdout)?)
}

fn print_sizes(sizes: &[u32]) -> Result<bool, BenchError> {
    println!("A fleet through a regional outage (scenarios/fleet.toml)\n");
    println!(
        "{:>9}  {:>6}  {:>8}  {:>10}  {:>11}  {:>9}  {:>9}  {:>9}  {:>13}  {:>9}",
        "services",
        "hours",
        "wall",
        "services/s",
        "happenings/s",
        "calls/s",
        "memory",
        "B/service",
        "p99 failover",
        "floor"
    );
    let mut all_hold = true;
    let mut smaller: Option<(f64, f64)> = None;
    for size in sizes {
        let m = in_a_process_of_its_own(*size)?;
        let wall = m.wall.as_secs_f64();
        let services = m.services as f64;
        println!(
            "{:>9}  {:>6}  {:>7.2}s  {:>10.0}  {:>12.0}  {:>9.0}  {:>5.0} MiB  {:>9.0}  {:>12.1}s  {:>8.1}s{}",
            m.services,
            m.hours,
            wall,
            services / wall,
            m.happenings as f64 / wall,
            m.calls as f64 / wall,
            m.peak as f64 / f64::from(1 << 20),
            m.peak as f64 / services,
            m.p99_to_failover.as_secs_f64(),
            m.p99_floor.as_secs_f64(),
            if m.holds { "" } else { "  AN EXPECTATION IS BROKEN" },
        );
        all_hold &= m.holds;
        if let Some((before, then)) = smaller.replace((services, wall)) {
            println!("{:>9}  {:.0} times the services take {:.1} times as long", "", services / before, wall / then);
        }
        if let Some(goal) = GOALS.iter().find(|goal| goal.services == m.services) {
            let met = if m.wall <= goal.wall && m.peak <= goal.peak { "met" } else { "missed" };
            println!("{:>9}  goal: {:.0} s and {} GiB, {met}", "", goal.wall.as_secs_f64(), goal.peak >> 30);
        }
    }
    Ok(all_hold)
}

#[expect(clippy::disallowed_methods, reason = "worlds per second are a matter of the wall clock")]
fn print_worlds(worlds: u64) -> Result<(), BenchError> {
    let swarm = Swarm { from: 0, seeds: worlds, shard: 1, shards: 1, jobs: 1 };
    let began = Instant::now();
    let tally = swarm.play(draw::plan, |_| ()).map_err(|failure| BenchError::World(failure.plan.world.seed))?;
    let rate = tally.worlds as f64 / began.elapsed().as_secs_f64();
    let met = if rate >= WORLDS { "met" } else { "missed" };
    println!("\nRandom worlds (at most 3 services, 2 hours) on one processor: {rate:.0} a second, of {}", tally.worlds);
    println!("goal: {WORLDS:.0} a second, {met}");
    Ok(())
}

fn main() -> ExitCode {
    let Arguments { services, worlds, only } = Arguments::parse();
    let done = match only {
        Some(services) => measure(services).and_then(|measured| {
            println!("{}", serde_json::to_string(&measured)?);
            Ok(true)
        }),
        None => print_sizes(&services).and_then(|all_hold| print_worlds(worlds).map(|()| all_hold)),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
