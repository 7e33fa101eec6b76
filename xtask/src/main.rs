//! `cargo xtask`: the developer's commands. Thin and without dependencies: it starts programs and compiles in seconds.

use std::env;
use std::ffi::OsString;
use std::io::{IsTerminal, Read};
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};
use std::time::Instant;

mod bench;
mod browser;
mod cdk;
mod deploy;
mod e2e;
mod onboard;
mod operator;
mod package;

const USAGE: &str = "\
cargo xtask COMMAND

  scenario NAME|PATH [--seed N] [--services N] [--json] [--report FILE.html] [--via sdk]
                                           play a scenario on the embedded simulator; one with a [[fleet]] in an optimised build;
                                           --via sdk: through the AWS SDK and production's adapters
  scenario NAME|PATH --compare             the same world with no automation, with the proof of concept, and with Spot Recovery
  scenario NAME|PATH --watch [--speed 60]  show the run as it goes
  scenario NAME|PATH --backend localstack [--speed 60] [--localstack docker|host|URL]
                                           play it on LocalStack, with the functions' own binaries
  scenario --list                          name the scenarios
  scenario --all                           play the whole library, optimised, a line each
  scenario --new NAME|PATH                 write a commented scenario file to begin from
  scenario --accept                        take the timelines, and the pages made from code, as they are now; read the difference first
  swarm --seeds N [--from SEED] [--shard I/N] [--jobs J]
                                           play random worlds; the first that fails is shrunk and written as a scenario
  simulator serve [--port 4580] [--scenario NAME|PATH] [--speed 60]
                                           serve a world to AWS clients, as ECS and STS on loopback
  test                                     everything that must pass: format, lints, documentation, tests
  test cdk                                 the CDK app's tests alone: its types, its templates, cfn-lint
  prove [--deep]                           the tests that search, optimised; --deep searches for about an hour
  bench [--services N,N] [--worlds N]      how fast worlds are played, as a table; without arguments also the inner parts
  bench recovery [--fleets N[:ACCOUNTS],...]
                                           how soon fleets that lose Spot at once are on On-Demand, and with how many calls
  bench lambda [--runs N]                  what the Lambda functions weigh, how fast they start and answer, and the targets missed
  package [--arch arm64|x86_64] [--profile PROFILE]
                                           build the Lambda functions and their zips, target/package/ARCH/FUNCTION.zip
  deploy --cell NAME [--cells FILE] [-- ARGUMENTS OF cdk deploy]
                                           package, then deploy a cell of cdk/cells.json with the AWS CDK
  onboard check --account ID [--region R] [--profile P] [--endpoint-url URL] [--cells FILE]
                                           what of the onboarding is there in a workload account, and what is missing; only reads
  e2e [--localstack docker|host|URL] [--release] [JOURNEY...]
                                           walk what may happen to services from end to end on LocalStack, every stage looked at;
                                           --release: with the binaries that are shipped
  localstack [--localstack docker|host] [--port N]
                                           start LocalStack, until Ctrl-C
  inject placement-failure --service ARN [--endpoint-url URL] [--region R] [--profile P] [--bus NAME]
                                           send the synthetic event about a service to the central bus
  verify --service ARN [--endpoint-url URL] [--region R] [--profile P] [--since 15m] [--wait 1m] [--table NAME]
                                           look at the queues, function logs, table item and ECS strategy of a service
";

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<OsString> = arguments.collect();
    match command.to_str() {
        Some("scenario") => match e2e::without_backend(&rest) {
            Some(rest) => e2e::scenario(&rest),
            None => scenario(&rest),
        },
        Some("e2e") => e2e::e2e(&rest),
        Some("swarm") => swarm(&rest),
        Some("simulator") if rest.first().is_some_and(|what| what == "serve") => simulator(&rest[1..]),
        Some("test") if rest.is_empty() => test(),
        Some("test") if rest == ["cdk"] => deploy::test(),
        Some("prove") if rest.is_empty() => prove(false),
        Some("prove") if rest == ["--deep"] => prove(true),
        Some("bench") => bench::bench(&rest),
        Some("package") => package::package(&rest),
        Some("deploy") => deploy::deploy(&rest),
        Some("onboard") => onboard::onboard(&rest),
        Some(program @ ("inject" | "verify")) => operator::operator(program, &rest),
        Some("localstack") => operator::operator("localstack-up", &rest),
        Some("help" | "--help" | "-h") => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("error: no such command: {}\n\n{USAGE}", env::args().skip(1).collect::<Vec<_>>().join(" "));
            ExitCode::from(2)
        }
    }
}

fn cargo(arguments: &[&str]) -> Command {
    // Set by cargo for what it runs: the very cargo that built us.
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace")
}

/// A program of the crate `scenarios`, wherever the command was called.
fn program(name: &str) -> Command {
    let mut run = cargo(&["run", "--package", "scenarios", "--bin", name, "--manifest-path"]);
    run.arg(workspace().join("Cargo.toml"));
    run
}

/// An optimised build, with an allocator that keeps what it has: of a fleet's time a sixth goes into giving memory back to the system and
/// taking it again.
fn optimised(run: &mut Command) -> &mut Command {
    run.args(["--release", "--features", "mimalloc"]).env("MIMALLOC_PURGE_DELAY", "-1")
}

/// Whether the program at `path` within the target directory was built before: then cargo's progress tells nobody anything.
fn was_built(path: &str) -> bool {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), Into::into);
    target.join(path).exists()
}

/// Builds the player, with cargo's own progress while there is anything to build, and becomes it.
fn scenario(arguments: &[OsString]) -> ExitCode {
    if arguments == ["--accept"] {
        return accept();
    }
    let mut run = program("scenario");
    let fleet = arguments.iter().any(|argument| argument == "--all" || has_fleet(argument));
    if fleet {
        optimised(&mut run);
    }
    if through_the_sdk(arguments) {
        // Never quiet: the SDK takes minutes to build the first time.
        run.args(["--features", "sdk"]);
    } else if was_built(if fleet { "release/scenario" } else { "debug/scenario" }) {
        run.arg("--quiet");
    } else if fleet {
        eprintln!("thousands of services: the player is built with optimisations, once");
    }
    run.arg("--").args(arguments);
    become_it(run)
}

/// The tests whose expected texts are files of this repository.
const KEPT_TEXTS: [&str; 6] = ["timelines", "traces", "keys", "planted_bugs", "readme", "bad_input"];

/// Writes every text that is kept as a file and compared by a test: timelines, pages and tables made from code.
fn accept() -> ExitCode {
    let mut test = cargo(&["test", "--quiet", "--package", "scenarios"]);
    for name in KEPT_TEXTS {
        test.args(["--test", name]);
    }
    test.args(["--", "kept_as_a_file"]).env("INSTA_UPDATE", "always").current_dir(workspace());
    let status = test.status();
    if status.as_ref().is_ok_and(ExitStatus::success) {
        eprintln!("written; `git diff` shows what changed");
    }
    exit(status)
}

/// Whether `--via sdk` is among the arguments.
fn through_the_sdk(arguments: &[OsString]) -> bool {
    arguments.iter().any(|argument| argument == "--via=sdk")
        || arguments.windows(2).any(|pair| pair == ["--via", "sdk"])
}

/// Whether the scenario `name`, of the library or at a path, generates services. Thousands of them are played ten times faster by an
/// optimised build, which for a handful takes longer to make than it saves.
fn has_fleet(name: &OsString) -> bool {
    let in_library = workspace().join("scenarios").join(name).with_extension("toml");
    let file = if in_library.is_file() { in_library } else { name.into() };
    // A file that cannot be read is the player's to complain about. It reads no more than 1 MiB either.
    let mut text = String::new();
    let read = std::fs::File::open(file).and_then(|file| file.take(1 << 20).read_to_string(&mut text));
    read.is_ok() && text.lines().any(|line| line.trim_start().starts_with("[[fleet]]"))
}

/// Builds the swarm, optimised, and becomes it.
fn swarm(arguments: &[OsString]) -> ExitCode {
    let mut run = program("swarm");
    optimised(&mut run);
    if was_built("release/swarm") {
        run.arg("--quiet");
    }
    let commit = Command::new("git").args(["rev-parse", "--short", "HEAD"]).current_dir(workspace()).output();
    if let Some(commit) = commit.ok().filter(|output| output.status.success()) {
        run.env("SWARM_COMMIT", String::from_utf8_lossy(&commit.stdout).trim());
    }
    exit(run.arg("--").args(arguments).status())
}

/// Builds the server and becomes it, so that a signal to this process is one to the server.
fn simulator(arguments: &[OsString]) -> ExitCode {
    let mut run = program("serve");
    run.args(["--features", "serve"]);
    if was_built("debug/serve") {
        run.arg("--quiet");
    }
    run.arg("--").args(arguments);
    become_it(run)
}

/// Becomes `run`, so that a signal to this process is one to that.
fn become_it(mut run: Command) -> ExitCode {
    #[cfg(unix)]
    return exit(Err(std::os::unix::process::CommandExt::exec(&mut run)));
    #[cfg(not(unix))]
    exit(run.status())
}

/// One step of `test`: what it is for, and the cargo command.
type Step = (&'static str, Vec<&'static str>);

#[expect(clippy::disallowed_methods, reason = "how long a build takes is a matter of the wall clock")]
fn test() -> ExitCode {
    if let Err(missing) = browser::ensure_chromium() {
        eprintln!("error: {missing}");
        return ExitCode::FAILURE;
    }
    let nextest = cargo(&["nextest", "--version"]).output().is_ok_and(|output| output.status.success());
    let tests = if nextest {
        vec!["nextest", "run", "--workspace", "--all-features", "--no-fail-fast"]
    } else {
        // No benches: what they print is no summary of tests.
        vec!["test", "--workspace", "--all-features", "--lib", "--bins", "--tests", "--no-fail-fast"]
    };
    let steps: [Step; 5] = [
        ("format", vec!["fmt", "--all", "--check"]),
        ("lints", vec!["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"]),
        ("documentation", vec!["doc", "--workspace", "--all-features", "--no-deps"]),
        (
            "determinism in an optimised build",
            vec!["test", "--release", "--quiet", "--package", "simulator", "--test", "determinism"],
        ),
        ("tests", tests),
    ];
    for (what, arguments) in steps {
        // The last step's summary is the last thing said, so the app of the deployment goes before it.
        if what == "tests" {
            eprintln!("==> deployment: cargo xtask test cdk");
            let tested = deploy::test();
            if tested != ExitCode::SUCCESS {
                eprintln!("error: deployment failed");
                return tested;
            }
        }
        eprintln!("==> {what}: cargo {}", arguments.join(" "));
        let began = Instant::now();
        let mut step = cargo(&arguments);
        step.current_dir(workspace()).env("RUSTDOCFLAGS", "-D warnings");
        if !std::io::stderr().is_terminal() {
            step.env("CARGO_TERM_PROGRESS_WHEN", "never");
        }
        let status = step.status();
        if !status.as_ref().is_ok_and(ExitStatus::success) {
            eprintln!("error: {what} failed");
            return exit(status);
        }
        // The tests' own summary is the last thing said.
        if what != "tests" {
            eprintln!("    {what} passed in {:.0?}", began.elapsed());
        }
    }
    ExitCode::SUCCESS
}

/// The tests that search for a way to break the product. `test` has all of them, with a small budget each.
const PROOFS: [(&str, &[&str]); 5] = [
    ("small worlds, explored to the end", &["--package", "handlers", "--test", "small_world"]),
    ("crashes at every call", &["--package", "scenarios", "--test", "crash_points"]),
    ("random worlds, schedules and owners", &["--package", "scenarios", "--test", "model"]),
    ("random worlds by the thousand, from their seeds", &["--package", "scenarios", "--test", "swarm"]),
    ("random worlds, with and without us", &["--package", "simulator", "--test", "properties", "--test", "no_worse"]),
];

#[expect(clippy::disallowed_methods, reason = "how long a proof takes is a matter of the wall clock")]
fn prove(deep: bool) -> ExitCode {
    for (what, proof) in PROOFS {
        eprintln!("==> {what}");
        let began = Instant::now();
        let mut run = cargo(&["test", "--release", "--quiet"]);
        run.args(proof).args(["--", "--nocapture"]).current_dir(workspace());
        if deep {
            run.env("PROVE", "deep").env("PROPTEST_CASES", "5000");
        }
        let status = run.status();
        if !status.as_ref().is_ok_and(ExitStatus::success) {
            eprintln!("error: {what}: a proof failed; the message above says what was found and how to replay it");
            return exit(status);
        }
        eprintln!("    {what}: proved in {:.0?}", began.elapsed());
    }
    ExitCode::SUCCESS
}

fn exit(status: std::io::Result<ExitStatus>) -> ExitCode {
    match status {
        Ok(status) => status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from),
        Err(error) => {
            eprintln!("error: cannot start cargo: {error}");
            ExitCode::FAILURE
        }
    }
}
