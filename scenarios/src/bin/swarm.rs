//! `swarm`: plays random worlds. Exit code 0 when every world holds, 1 when one does not or nothing happened that must
//! happen sometimes, 2 when the command line is wrong.

use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Instant;

use clap::Parser;
use clap::builder::PossibleValuesParser;
use scenarios::file;
use scenarios::swarm::check::good::RULES;
use scenarios::swarm::draw::faults::{Fault, numbers};
use scenarios::swarm::draw::{
    FAULT_PERCENT, FAULTS, LARGE_ACCOUNT, LIMIT_PERCENT, LIMITS, LONG_QUIET, LONG_QUIET_PERCENT, PATTERNS, TRAITS,
    TROUBLES,
};
use scenarios::swarm::sometimes::CONDITIONS;
use scenarios::swarm::{ENOUGH, Failure, Kind, NEAR_PERCENT, Nearest, Swarm, Tally, check, draw, shrink, words};

/// Most seeds of a kind that a survey lists.
const SOME: usize = 100;

/// Plays random worlds, each drawn from its seed alone: fleet, market, owners, and what breaks.
#[derive(Debug, Parser)]
#[command(name = "swarm", bin_name = "cargo xtask swarm")]
struct Arguments {
    /// How many worlds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    seeds: u64,

    /// The first seed
    #[arg(long, value_name = "SEED", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=1 << 62))]
    from: u64,

    /// Play only every N-th seed, beginning with the I-th
    #[arg(long, value_name = "I/N", default_value = "1/1")]
    shard: Shard,

    /// Worlds at once; as many as there are processors by default
    #[arg(long, value_name = "J", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,

    /// Do not stop at the first violation: count them by kind, and shrink the first of each
    #[arg(long)]
    survey: bool,

    /// Leave a trait, a trouble or a pattern out, by its name as listed; may be given several times
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(names()))]
    without: Vec<String>,
}

/// What `--without` may leave out.
fn names() -> impl Iterator<Item = &'static str> {
    let traits = TRAITS.iter().map(|one| one.name);
    traits.chain(TROUBLES.iter().map(|trouble| trouble.name)).chain(PATTERNS.iter().map(|pattern| pattern.name))
}

#[derive(Debug, Clone, Copy)]
struct Shard(u64, u64);

impl FromStr for Shard {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shard = text.split_once('/').and_then(|(i, n)| Some(Shard(i.parse().ok()?, n.parse().ok()?)));
        match shard {
            Some(Shard(i, n)) if 1 <= i && i <= n => Ok(Shard(i, n)),
            Some(_) => Err("the first number is at least 1 and at most the second, as in 1/4"),
            None => Err("write two whole numbers, as in 1/4"),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "worlds per second are a matter of the wall clock")]
fn main() -> ExitCode {
    let Arguments { seeds, from, shard: Shard(shard, shards), jobs, survey, without } = Arguments::parse();
    let jobs = jobs.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from);
    let swarm = Swarm { from, seeds, shard, shards, jobs };
    begin(&swarm);
    let plan = |seed| draw::plan_without(seed, &without);
    let began = Instant::now();
    let progress = Progress { total: swarm.len(), terminal: stderr().is_terminal() };
    if survey {
        let (tally, kinds) = swarm.survey(plan, |done| progress.show(done));
        progress.end();
        let code = end(&tally, began.elapsed().as_secs_f64(), jobs);
        for Kind { seeds, first } in kinds.values() {
            let violation = first.played.violation.as_deref().unwrap_or_default();
            let some: Vec<String> = seeds.iter().take(SOME).map(u64::to_string).collect();
            println!("\n{} worlds: {violation}\n  seeds {}", seeds.len(), some.join(" "));
        }
        let failed = !kinds.is_empty();
        kinds.into_values().for_each(|kind| _ = fail(kind.first));
        return if failed { ExitCode::FAILURE } else { code };
    }
    let result = swarm.play(plan, |done| progress.show(done));
    progress.end();
    match result {
        Ok(tally) => end(&tally, began.elapsed().as_secs_f64(), jobs),
        Err(failure) => fail(*failure),
    }
}

fn begin(swarm: &Swarm) {
    let Swarm { from, seeds, shard, shards, jobs } = swarm;
    println!("seeds {from} to {}, shard {shard}/{shards}: {} worlds, {jobs} at once", from + seeds - 1, swarm.len());
    let number = |fault: &Fault| println!("  {:28} 1 to {} {}", fault.name, fault.most, fault.unit);
    println!("\ngoes wrong by chance, each in {FAULT_PERCENT} % of the worlds, at a rate of");
    FAULTS.iter().for_each(number);
    println!("\nlimits every account, each in {LIMIT_PERCENT} % of the worlds");
    LIMITS.iter().for_each(number);
    println!("\nis so with half of the services, in so many worlds");
    for one in TRAITS {
        println!("  {:28} {:3} %", one.name, one.percent);
    }
    println!("\nhappens, in so many worlds, so often");
    let troubles = TROUBLES.iter().map(|trouble| (trouble.name, trouble.percent, trouble.most));
    for (name, percent, most) in troubles.chain(PATTERNS.iter().map(|one| (one.name, one.percent, one.most))) {
        println!("  {name:34} {percent:3} %  1 to {most} times");
    }
    println!("  {LONG_QUIET:34} {LONG_QUIET_PERCENT:3} %  1 hour to 3 days\n\none of 500 worlds is {LARGE_ACCOUNT}\n");
}

/// A line that counts, where somebody sees it; else now and then a line of its own.
struct Progress {
    total: u64,
    terminal: bool,
}

impl Progress {
    fn show(&self, done: u64) {
        let Self { total, terminal } = self;
        if *terminal && (done.is_multiple_of(20) || done == *total) {
            let filled = (done * 40 / total) as usize;
            eprint!("\r[{:40}] {done}/{total} worlds", "#".repeat(filled));
        } else if !terminal && done.is_multiple_of((total / 10).max(100)) {
            eprintln!("{done} of {total} worlds");
        }
    }

    fn end(&self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }
}

fn end(tally: &Tally, seconds: f64, jobs: usize) -> ExitCode {
    let Tally { worlds, free, on, reached, near } = tally;
    let rate = *worlds as f64 / seconds;
    println!(
        "{worlds} worlds hold: {rate:.0} a second, {:.0} a second and job\n{free} of them have services that a quota \
         left no room for: their end is not judged\n\nwas on, in worlds",
        rate / jobs as f64
    );
    for name in numbers().map(|fault| fault.name).chain(names()).chain([LONG_QUIET, LARGE_ACCOUNT]) {
        println!("  {name:36} {:>7}", on.get(name).unwrap_or(&0));
    }
    println!("\nhappened, in worlds");
    for name in CONDITIONS {
        println!("  {name:36} {:>7}", reached.get(name).unwrap_or(&0));
    }
    println!("\nhow near to its limit the worst world came, and how many came to {NEAR_PERCENT} % of it");
    for rule in RULES {
        let Some(Nearest { worst, seed, close }) = near.get(rule) else {
            println!("  {rule:28} never");
            continue;
        };
        let (value, limit) = (worst.say(worst.value), worst.say(worst.limit));
        println!("  {rule:28} {value} of {limit}, seed {seed}; {close} worlds");
    }
    let never = tally.never();
    if never.is_empty() {
        return ExitCode::SUCCESS;
    }
    let enough = *worlds >= ENOUGH;
    for condition in never {
        eprintln!("{}: never happened: {condition}", if enough { "error" } else { "warning" });
    }
    if enough { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn fail(failure: Failure) -> ExitCode {
    let Failure { plan, played } = failure;
    let seed = plan.world.seed;
    println!("VIOLATION  {}", played.violation.as_deref().unwrap_or_default());
    let commit = std::env::var("SWARM_COMMIT").ok().filter(|commit| !commit.is_empty());
    println!("seed {seed}, commit {}", commit.as_deref().unwrap_or("unknown"));
    eprintln!("shrinking…");
    let shrunk = shrink::shrink(&plan, played, shrink::REPLAYS);
    let violation = shrunk.played.violation.clone().unwrap_or_default();
    println!("\nshrunk with {} replays: {violation}\n{}", shrunk.replays, words::words(&shrunk.plan));
    let scenario = check::scenario(&shrunk.plan, shrunk.played.duration, &shrunk.played.free, &violation);
    match save(seed, &file::write(&scenario)) {
        Ok(path) => println!("replay: cargo xtask scenario {}", path.display()),
        Err(error) => eprintln!("error: cannot write the scenario: {error}"),
    }
    ExitCode::FAILURE
}

/// Where builds go, as a path that holds in every directory.
fn save(seed: u64, text: &str) -> std::io::Result<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    let directory = target.join("swarm");
    std::fs::create_dir_all(&directory)?;
    let path = directory.join(format!("failed-{seed}.toml"));
    std::fs::write(&path, text)?;
    Ok(path)
}
