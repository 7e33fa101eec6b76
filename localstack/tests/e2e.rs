//! The run from end to end, on LocalStack as the machine allows it: every journey, and that scenarios go there as they go in the simulator.
//! One test, so that LocalStack is started once and nothing of it runs side by side.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use handlers::record::Phase;
use localstack::backend::{Choice, LocalStack};
use localstack::journey::{self, Ground};
use localstack::run::{RunError, Running, Wanted, start_localstack};
use localstack::scenario;
use scenarios::file::{self, Check, Scenario};
use scenarios::play::{Play, play};
use simulator::trace::Happening;
use tokio::task::LocalSet;

/// How much faster than the clock the scenarios' world runs.
const SPEED: u32 = 60;
/// The scenarios that must go the same way.
const SAME: [&str; 3] = ["spot-outage", "spot-interruption", "synthetic-placement-failure"];

/// How long the scenarios are played, in the world's time.
const LONG_ENOUGH: Duration = Duration::from_secs(105 * 60);

/// The functions as `cargo xtask package` packs them. Not those of this build: it has all features, and they have not.
fn package() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace");
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    let mut package = Command::new(env!("CARGO"));
    package.args(["run", "--quiet", "--package", "xtask", "--", "package", "--profile", "dev", "--arch", architecture]);
    let packaged = package.current_dir(workspace).output().expect("cargo starts");
    assert!(packaged.status.success(), "cargo xtask package: {}", String::from_utf8_lossy(&packaged.stderr));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    std::path::absolute(target.join("package")).expect("the directory has a name")
}

/// Ends with an error instead of a panic: what went wrong is the last thing that is printed.
#[test]
fn every_journey_goes_as_it_should_and_scenarios_go_as_in_the_simulator() -> Result<(), String> {
    let wanted = Wanted {
        localstack: Choice::Auto,
        zips: package(),
        speed: journey::SPEED,
        onboarded_later: journey::onboarded_later(),
    };
    let mut localstack = start_localstack(&wanted).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    // A run that ended, by an error or by Ctrl-C, is not followed by another.
    let run = runtime.block_on(LocalSet::new().run_until(journeys(&localstack, &wanted))).and_then(|mut problems| {
        let wanted = Wanted { speed: SPEED, onboarded_later: Vec::new(), ..wanted };
        problems.extend(runtime.block_on(LocalSet::new().run_until(scenarios(&localstack, &wanted)))?);
        Ok(problems)
    });
    let problems = run.unwrap_or_else(|error| vec![format!("the run ended: {error}")]);
    if problems.is_empty() {
        return Ok(());
    }
    localstack.keep_logs();
    drop(localstack);
    problems.iter().for_each(|problem| eprintln!("{problem}"));
    Err(format!("{} problems, as above", problems.len()))
}

async fn journeys(localstack: &LocalStack, wanted: &Wanted) -> Result<Vec<String>, RunError> {
    let (journeys, _) = journey::possible(journey::all(), &wanted.localstack);
    let spec = journey::world(&journeys, &journey::region(), &journey::central());
    let running = Running::begin(localstack, wanted, spec, journey::facts(), |_| {}).await?;
    let ground = Ground::new(&running).await;
    let walked = running.while_it_runs(journey::walk(&ground, &journeys, |walked| print!("{}", walked.text()))).await?;
    assert_eq!(walked.len(), journeys.len());
    let failed = walked.iter().filter(|walked| !walked.is_ok()).map(|walked| walked.text());
    Ok(failed.chain(running.world.problems()).collect())
}

/// Plays the scenarios in one world, here and there, and holds the steps of each service against each other.
async fn scenarios(localstack: &LocalStack, wanted: &Wanted) -> Result<Vec<String>, RunError> {
    let scenario = together();
    scenario::check(&scenario).unwrap_or_else(|refused| panic!("{refused}"));
    let there = play(scenario.clone()).expect("the product's event patterns are valid");
    let here = scenario::play(localstack, wanted, scenario, |_| {}).await?;
    let mut problems: Vec<String> = [("here", &here), ("in the simulator", &there)]
        .into_iter()
        .flat_map(|(place, play)| {
            let broken = play.verdicts.iter().filter(|verdict| !verdict.holds);
            let broken = broken.map(move |v| format!("{place}: {} {}: {}", v.service, v.expected, v.found));
            broken.chain(play.outcome.violations.iter().map(move |violation| format!("{place}: {violation}")))
        })
        .collect();
    let (steps_here, steps_there) = (steps(&here), steps(&there));
    assert!(!steps_there.is_empty(), "nothing happened in the simulator");
    for (service, there) in &steps_there {
        let here = steps_here.get(service).cloned().unwrap_or_default();
        if here != *there {
            problems.push(format!("{service}: on LocalStack {here:?}, in the simulator {there:?}"));
        }
    }
    Ok(problems)
}

/// From phase to phase, per service.
type Steps = BTreeMap<String, Vec<(Option<Phase>, Option<Phase>)>>;

fn steps(play: &Play) -> Steps {
    let mut steps = Steps::new();
    for entry in &play.outcome.trace {
        if let (Some(service), Happening::Phase { from, to, .. }) = (&entry.service, &entry.what) {
            steps.entry(service.to_string()).or_default().push((*from, *to));
        }
    }
    steps
}

fn is_about_time(check: &Check) -> bool {
    matches!(check, Check::FailoverWithin(_) | Check::RestoredWithin(_) | Check::MinAvailability(_))
}

/// The scenarios side by side in one world: each in accounts of its own, all in one region under one central account.
fn together() -> Scenario {
    let texts = SAME.iter().enumerate().map(|(n, name)| {
        let path = scenarios::library::find(name).expect("it is in the library");
        let text = std::fs::read_to_string(path).expect("it can be read");
        // Not those of the journeys, which are onboarded to another cell.
        let own = |account: &str| format!("{}{}", n + 6, &account[1..]);
        ["111111111111", "222222222222", "903558039761"]
            .iter()
            .fold(text, |text, account| text.replace(account, &own(account)))
            .replace("ap-south-1", "eu-west-1")
    });
    let mut all = texts.map(|text| file::parse("scenario", &text).unwrap_or_else(|problem| panic!("{problem}")));
    let first = all.next().expect("there are some");
    let mut all = all.fold(first, |mut all, scenario| {
        let (world, more) = (&mut all.world, scenario.world);
        assert_eq!((&world.policy, &world.region, &world.central), (&more.policy, &more.region, &more.central));
        world.accounts.extend(more.accounts);
        world.synthetic_from.extend(more.synthetic_from);
        world.services.extend(more.services);
        world.events.extend(more.events);
        all.expectations.extend(scenario.expectations);
        all
    });
    // How soon something happens is a matter of how busy this machine is: a second of its clock is a minute of the world.
    all.expectations.retain(|expectation| !is_about_time(&expectation.check));
    // Everything is over by then.
    all.duration = LONG_ENOUGH;
    all
}
