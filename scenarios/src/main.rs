//! `scenario`: plays scenario files. Exit code 0 when every expectation holds, 1 when one does not, 2 when a file or the
//! command line is wrong.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc;

use anstream::eprintln;
use clap::{Parser, ValueEnum};
use pictures::PageError;
use scenarios::all::{self, Score};
use scenarios::compare::{self, Comparison};
use scenarios::file::{Problem, Scenario};
use scenarios::library::Unknown;
use scenarios::new::NewError;
use scenarios::play::{self, Play};
use scenarios::report::{Report, html, strips};
use scenarios::verdict::seconds;
use scenarios::watch::{self, Shown};
use scenarios::{file, library, new};
use simulator::pattern::PatternError;

mod pictures;

/// Plays scenarios on the embedded simulator: what happens to ECS services on Fargate Spot, and what Spot Recovery makes of it.
#[derive(Debug, Parser)]
#[command(name = "scenario", bin_name = "cargo xtask scenario")]
struct Arguments {
    /// A scenario of the library, or a path to a .toml file
    #[arg(required_unless_present_any = ["list", "all", "new"], value_name = "NAME|PATH")]
    scenario: Option<String>,

    /// Name the scenarios of the library with their titles
    #[arg(long, conflicts_with_all = ["scenario", "seed", "services", "json", "via", "all", "new"])]
    list: bool,

    /// Play every scenario of the library, a line each; a fleet in full only in an optimised build
    #[arg(long, conflicts_with_all = ["scenario", "services", "json", "via", "new"])]
    all: bool,

    /// Write a commented scenario file to begin from, in the library or at a path that ends in .toml
    #[arg(long, value_name = "NAME|PATH", conflicts_with_all = ["scenario", "seed", "services", "json", "via"])]
    new: Option<String>,

    /// Play with this seed instead of the file's
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Play with about N generated services in all, instead of as many as the fleets of the file have
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    services: Option<u32>,

    /// How the handlers call AWS: straight into the simulator, or through production's adapters and the AWS SDK
    #[arg(long, value_enum, default_value_t = Via::Native)]
    via: Via,

    /// Play it three times, with no automation, with the proof of concept and with Spot Recovery, and compare
    #[arg(long, requires = "scenario", conflicts_with = "via")]
    compare: bool,

    /// Show the run as it goes, --speed times as fast
    #[arg(long, requires = "scenario", conflicts_with_all = ["compare", "json"])]
    watch: bool,

    /// Seconds of the world to a second of --watch
    #[arg(long, value_name = "N", requires = "watch", default_value_t = 60.0, value_parser = speed)]
    speed: f64,

    /// Where it is played; `localstack` takes the options --speed N and --localstack docker|host|URL as well
    #[arg(long, value_enum, default_value_t = Backend::Simulator)]
    backend: Backend,

    /// Print the whole run as JSON
    #[arg(long)]
    json: bool,

    /// Write the run as a page with pictures, to be opened in a browser
    #[arg(long, value_name = "FILE.html", requires = "scenario", conflicts_with = "watch")]
    report: Option<PathBuf>,
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

/// Why the command was not carried out; the program exits with code 2.
#[derive(Debug, thiserror::Error)]
enum Mistake {
    /// `--speed` is out of range.
    #[error("allowed is 0.1 to 100000")]
    Speed,
    /// `--backend localstack`: another program plays there, of the crate `localstack`, which builds on this one.
    #[error(
        "this program plays on the simulator alone; `cargo xtask scenario NAME --backend localstack` starts the other"
    )]
    Backend,
    /// `--via sdk` in a build without the feature `sdk`.
    #[cfg(not(feature = "sdk"))]
    #[error(
        "this build has no AWS SDK in it; `cargo xtask scenario NAME --via sdk` makes one that has, and so does `--features sdk`"
    )]
    NoSdk,
    /// No scenario has this name.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// The file is wrong; the message shows where.
    #[error(transparent)]
    File(#[from] Problem),
    /// `--new` wrote no file.
    #[error(transparent)]
    New(#[from] NewError),
    /// An event pattern of the product is invalid.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The page of `--report` cannot be written.
    #[error(transparent)]
    Page(#[from] PageError),
    /// The run cannot be written as JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// Standard output cannot be written.
    #[error("cannot write the report: {0}")]
    Output(#[source] io::Error),
}

/// 128 and the number of SIGINT, as shells have it.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.scenario {
        Some(name) if arguments.watch => return watch(name, &arguments).unwrap_or_else(mistaken),
        Some(name) => play_one(name, &arguments),
        None if arguments.all => return play_all(arguments.seed),
        None => match &arguments.new {
            Some(name) => new(name),
            None => Ok((list(), true)),
        },
    };
    let (text, holds) = match done {
        Ok(done) => done,
        Err(mistake) => return mistaken(mistake),
    };
    match anstream::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads has seen enough; the verdict stands.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => mistaken(Mistake::Output(error)),
        _ if holds => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn mistaken(mistake: Mistake) -> ExitCode {
    match mistake {
        // It begins with `error` itself.
        Mistake::File(problem) => eprintln!("{}", problem.coloured()),
        other => eprintln!("error: {other}"),
    }
    ExitCode::from(MISTAKE)
}

fn play_all(seed: Option<u64>) -> ExitCode {
    let mut written = Ok(());
    let score = all::play_all(&library::all(), seed, |line| {
        if written.is_ok() {
            written = writeln!(anstream::stdout(), "{line}");
        }
    });
    match (written, score) {
        (Err(error), _) if error.kind() != io::ErrorKind::BrokenPipe => mistaken(Mistake::Output(error)),
        (_, Score::AllHold) => ExitCode::SUCCESS,
        (_, Score::SomeBroken) => ExitCode::FAILURE,
        (_, Score::SomeUnreadable) => ExitCode::from(MISTAKE),
    }
}

fn new(name: &str) -> Result<(String, bool), Mistake> {
    let path = new::create(name)?;
    Ok((format!("wrote {}; play it with: cargo xtask scenario {name}\n", path.display()), true))
}

fn speed(text: &str) -> Result<f64, Mistake> {
    let speed = text.parse().ok().filter(|speed| (0.1..=100_000.0).contains(speed));
    speed.ok_or(Mistake::Speed)
}

/// Shows the run as it goes, then what became of it. Ctrl-C ends it.
fn watch(name: &str, arguments: &Arguments) -> Result<ExitCode, Mistake> {
    let played = played(load(name, arguments)?, arguments.via)?;
    let report = Report::of(&played);
    let (stopped, stop) = mpsc::channel();
    // Without it Ctrl-C ends the program all the same, only less tidily.
    let _ = ctrlc::set_handler(move || _ = stopped.send(()));
    let mut out = anstream::stdout();
    let (duration, status) = (played.scenario.duration, io::stdout().is_terminal());
    let head = format!(
        "{}\n{} of virtual time, {} times as fast; Ctrl-C ends it\n",
        played.scenario.title,
        seconds(duration),
        arguments.speed
    );
    let shown =
        writeln!(out, "{head}").and_then(|()| watch::show(&report, duration, arguments.speed, status, &stop, &mut out));
    let shown = shown.and_then(|shown| match shown {
        Shown::Whole => write!(out, "\n{}", report.outcome()).map(|()| u8::from(!played.holds())),
        Shown::Stopped => writeln!(out, "stopped").map(|()| INTERRUPTED),
    });
    match shown {
        Ok(code) => Ok(ExitCode::from(code)),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(Mistake::Output(error)),
    }
}

fn list() -> String {
    let all = library::all();
    let width = all.iter().map(|named| named.name.len()).max().unwrap_or(0);
    all.iter().map(|named| format!("{:width$}  {}\n", named.name, file::heading(&named.path).title)).collect()
}

/// The scenario as the command line wants it.
fn load(name: &str, arguments: &Arguments) -> Result<Scenario, Mistake> {
    if arguments.backend == Backend::Localstack {
        return Err(Mistake::Backend);
    }
    let path = library::find(name)?;
    let loaded = match arguments.services {
        Some(services) => file::load_scaled(&path, services),
        None => file::load(&path),
    };
    let mut scenario = loaded?;
    if let Some(seed) = arguments.seed {
        scenario.world.seed = seed;
    }
    Ok(scenario)
}

/// What to print, and whether everything holds; or what is wrong with the request.
fn play_one(name: &str, arguments: &Arguments) -> Result<(String, bool), Mistake> {
    let mut scenario = load(name, arguments)?;
    let page = arguments.report.as_deref().map(pictures::Page::open).transpose()?;
    let terminal = pictures::terminal().filter(|_| !arguments.json && !arguments.compare);
    scenario.facts.series = page.is_some() || terminal.is_some();
    if arguments.compare {
        return compared(name, &scenario, page, arguments);
    }
    let played = played(scenario, arguments.via)?;
    let report = Report::of(&played);
    if let Some(page) = page {
        page.write(&html::page(&played, &report, None, &replay(name, &played.scenario, arguments)))?;
    }
    if arguments.json {
        return Ok((json(&report)?, played.holds()));
    }
    let strips = terminal.map(|terminal| strips(&played, &report, terminal.width, terminal.colour));
    Ok((report.text_with(&strips.unwrap_or_default()), played.holds()))
}

fn compared(
    name: &str,
    scenario: &Scenario,
    page: Option<pictures::Page>,
    arguments: &Arguments,
) -> Result<(String, bool), Mistake> {
    let plays = compare::plays(scenario)?;
    let comparison = Comparison::of(&plays);
    if let Some(page) = page {
        let [others @ .., (_, ours)] = &plays;
        page.write(&html::page(
            ours,
            &Report::of(ours),
            Some((&comparison, others)),
            &replay(name, scenario, arguments),
        ))?;
    }
    let text = if arguments.json { json(&comparison)? } else { comparison.text() };
    Ok((text, comparison.holds))
}

/// The command that plays the same run.
fn replay(name: &str, scenario: &Scenario, arguments: &Arguments) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let name = if name.chars().all(plain) { name.to_owned() } else { format!("'{}'", name.replace('\'', r"'\''")) };
    let mut command = format!("cargo xtask scenario {name} --seed {}", scenario.world.seed);
    if let Some(services) = arguments.services {
        command += &format!(" --services {services}");
    }
    if arguments.via == Via::Sdk {
        command += " --via sdk";
    }
    if arguments.compare {
        command += " --compare";
    }
    command
}

fn json(value: &impl serde::Serialize) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(value).map(|json| json + "\n")
}

fn played(scenario: Scenario, via: Via) -> Result<Play, Mistake> {
    let played = match via {
        Via::Native => play::play(scenario),
        #[cfg(feature = "sdk")]
        Via::Sdk => play::play_via_sdk(scenario, simulator::sdk::CallLimits::default()),
        #[cfg(not(feature = "sdk"))]
        Via::Sdk => return Err(Mistake::NoSdk),
    };
    Ok(played?)
}
