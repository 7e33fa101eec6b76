//! `bench-lambda`: what the three functions weigh, how fast they start and answer, and what they keep in memory. AWS is on loopback
//! without TLS, and timings are of this machine and of whatever else runs on it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use lambda_local::aws::{Aws, batch, interruption, placement_failure};
use lambda_local::bundle::{BOOTSTRAP, zip};
use lambda_local::function::{Function, command};
use lambda_local::runtime_api::{Answer, Kind, RuntimeApi};
use serde_json::{Value, json};

const USAGE: &str = "usage: cargo xtask bench lambda [--runs N]";

/// The payload that has a function look at the service of that name.
type Payload = fn(&str) -> Value;

/// The functions, and what each is asked to do.
const FUNCTIONS: [(&str, Payload); 3] = [
    ("fargate-spot-task-placement-failure-handler", |service| batch("m", &placement_failure(service).to_string())),
    ("fargate-spot-interruption-handler", |service| batch("m", &interruption(service).to_string())),
    ("fargate-spot-restore-handler", |_| json!({})),
];

/// Starts of each function, unless asked otherwise.
const RUNS: usize = 20;
/// Invocations after which memory is looked at again.
const INVOCATIONS: usize = 100;
/// Longest wait for a function to do anything.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time an invocation is told that it has: a function's timeout.
const TIMEOUT: Duration = Duration::from_secs(40);

const MIB: u64 = 1 << 20;
/// Most that a `bootstrap` may weigh.
const MAX_SIZE: u64 = 12 * MIB;
/// Most that a zip may weigh.
const MAX_ZIP: u64 = 6 * MIB;
/// Longest init, the median of all starts: the slowest tells more of the machine than of the function.
const MAX_INIT: Duration = Duration::from_millis(40);
/// Most resident memory, at any time.
const MAX_RESIDENT: u64 = 40 * MIB;
/// Most calls to AWS for a duplicate event; a sweep has one for each shard.
const MAX_CALLS: usize = 1;

/// What was measured of one function.
struct Measured {
    name: &'static str,
    size: u64,
    zipped: u64,
    inits: Vec<Duration>,
    idle: u64,
    after: u64,
    first: Duration,
    repeats: Vec<Duration>,
    calls: usize,
}

fn main() -> ExitCode {
    let done = arguments(std::env::args().skip(1).collect()).and_then(|(directory, runs)| {
        let measured: Result<Vec<Measured>, String> =
            FUNCTIONS.into_iter().map(|(name, payload)| measure(&directory.join(name), name, payload, runs)).collect();
        measured.map(|measured| print(&measured, runs))
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// `DIRECTORY [--runs N]`; xtask names the directory of the binaries.
fn arguments(arguments: Vec<String>) -> Result<(PathBuf, usize), String> {
    let runs = |n: &str| {
        let runs = n.parse().ok().filter(|runs| (1..=1000).contains(runs));
        runs.ok_or_else(|| format!("--runs {n}: not a number from 1 to 1000\n{USAGE}"))
    };
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [directory] => Ok((directory.into(), RUNS)),
        [directory, "--runs", n] => Ok((directory.into(), runs(n)?)),
        _ => Err(format!("no such arguments: {}\n{USAGE}", arguments.join(" "))),
    }
}

fn measure(program: &Path, name: &'static str, payload: Payload, runs: usize) -> Result<Measured, String> {
    eprintln!("{name}: {runs} starts, {INVOCATIONS} invocations");
    let bytes = std::fs::read(program).map_err(|error| format!("{}: {error}", program.display()))?;
    let zipped = zip(&[(BOOTSTRAP, &bytes)]).map_err(|error| format!("{name}: {error}"))?;
    let mut inits = Vec::new();
    for _ in 0..runs {
        inits.push(start(program)?.init);
    }
    inits.sort();

    let mut running = start(program)?;
    let idle = running.resident()?;
    // Begins and completes a failover, which makes a duplicate of what comes after it.
    let first = running.invoke(&payload("checkout"))?.took;
    let updates = running.aws.calls().get("UpdateService").copied().unwrap_or_default();
    if updates != usize::from(is_queue(name)) {
        return Err(format!("{name}: the first event made {updates} calls of UpdateService"));
    }
    let mut repeats = Vec::new();
    for _ in 1..INVOCATIONS {
        repeats.push(running.invoke(&payload("checkout"))?.took);
    }
    repeats.sort();
    let calls = running.aws.calls().values().sum::<usize>().div_ceil(repeats.len());
    let after = running.resident()?;
    let (size, zipped) = (bytes.len() as u64, zipped.len() as u64);
    Ok(Measured { name, size, zipped, inits, idle, after, first, repeats, calls })
}

/// Whether the function takes messages from a queue, and no schedule starts it.
fn is_queue(name: &str) -> bool {
    name != FUNCTIONS[2].0
}

/// A function that has started, with its Lambda and its AWS.
struct Running {
    function: Function,
    runtime_api: RuntimeApi,
    aws: Aws,
    init: Duration,
}

#[expect(clippy::disallowed_methods, reason = "how long a start takes is a matter of the wall clock")]
fn start(program: &Path) -> Result<Running, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", program.display());
    let runtime_api = RuntimeApi::start().map_err(failed)?;
    let aws = Aws::start().map_err(failed)?;
    let mut command = command(program);
    command.env("AWS_LAMBDA_RUNTIME_API", runtime_api.address().to_string());
    command.env("AWS_ENDPOINT_URL", format!("http://{}", aws.address()));
    let began = Instant::now();
    let function = Function::start(&mut command).map_err(failed)?;
    match runtime_api.ready(PATIENCE) {
        Some(ready) => Ok(Running { function, runtime_api, aws, init: ready.saturating_duration_since(began) }),
        None => {
            Err(format!("{} did not ask for work; it says:\n{}", program.display(), function.killed().map_err(failed)?))
        }
    }
}

impl Running {
    fn invoke(&self, payload: &Value) -> Result<Answer, String> {
        self.runtime_api.invoke(payload.to_string(), TIMEOUT);
        let answer = self.runtime_api.answer(PATIENCE).ok_or_else(|| format!("no answer within {PATIENCE:?}"))?;
        let complete = [json!({ "batchItemFailures": [] }), json!({ "lookedAt": 0, "failed": 0 })];
        if answer.kind != Kind::Response || !complete.contains(&answer.json()) {
            return Err(format!("the function did not succeed: {}", String::from_utf8_lossy(&answer.body)));
        }
        Ok(answer)
    }

    fn resident(&mut self) -> Result<u64, String> {
        self.function.resident().ok_or_else(|| "resident memory is read from /proc/PID/status, as on Linux".to_owned())
    }
}

/// Prints the table; returns whether every target is met.
fn print(measured: &[Measured], runs: usize) -> bool {
    let mut rows = vec![
        ["", "bootstrap", "zip", "init", "slowest", "resident", "after", "first", "duplicate", "slowest", "calls"]
            .map(ToOwned::to_owned),
    ];
    let mut all_met = true;
    let mut cell = |text: String, met: bool| {
        all_met &= met;
        if met { text } else { format!("MISSED {text}") }
    };
    for m in measured {
        let init = m.inits[m.inits.len() / 2];
        rows.push([
            m.name.to_owned(),
            cell(mib(m.size), m.size <= MAX_SIZE),
            cell(mib(m.zipped), m.zipped <= MAX_ZIP),
            cell(ms(init), init <= MAX_INIT),
            ms(m.inits[m.inits.len() - 1]),
            cell(mib(m.idle), m.idle <= MAX_RESIDENT),
            cell(mib(m.after), m.after <= MAX_RESIDENT),
            ms(m.first),
            ms(m.repeats[m.repeats.len() / 2]),
            ms(m.repeats[m.repeats.len() - 1]),
            cell(m.calls.to_string(), !is_queue(m.name) || m.calls <= MAX_CALLS),
        ]);
    }
    let [size, zipped, resident] = [MAX_SIZE, MAX_ZIP, MAX_RESIDENT].map(|most| format!("≤ {}", mib(most)));
    let (init, calls, none) = (format!("≤ {}", ms(MAX_INIT)), format!("≤ {MAX_CALLS}"), String::new);
    let targets = [size, zipped, init, none(), resident.clone(), resident, none(), none(), none(), calls];
    rows.push(std::array::from_fn(|n| if n == 0 { "target".to_owned() } else { targets[n - 1].clone() }));

    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; 11] = std::array::from_fn(width);
    for row in &rows {
        print!("{:<1$}", row[0], widths[0]);
        for (text, width) in row.iter().zip(widths).skip(1) {
            print!("  {text:>width$}");
        }
        println!();
    }
    println!(
        "\ninit: from the start of the process to its first `next`, the median of {runs}. after: {INVOCATIONS} invocations.\n\
         first: a whole failover, AssumeRole included. duplicate: the same event again; of the restore function, a sweep with\n\
         nothing due, one call for each shard. AWS is on loopback, without TLS."
    );
    if !all_met {
        println!("\na target is MISSED");
    }
    all_met
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / MIB as f64)
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
