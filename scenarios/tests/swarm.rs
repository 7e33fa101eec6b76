//! The swarm itself: its worlds depend on their seeds alone, it finds what is planted, and what it writes replays.
//!
//! The ordinary run plays about a hundred worlds; `PROVE=deep` five thousand.

use std::collections::BTreeSet;
use std::process::{Command, Output};
use std::rc::Rc;
use std::sync::Mutex;
use std::time::Duration;

use handlers::observation::Controller;
use handlers::policy::Policy;
use handlers::service::ServiceId;
use handlers::strategy::{CapacityProvider, Strategy, StrategyItem};
use scenarios::file::{self, Check, Expectation, FinalStrategy, Scenario};
use scenarios::play;
use scenarios::swarm::draw::{
    FAULT_PERCENT, FAULTS, LARGE_ACCOUNT, LIMIT_PERCENT, LIMITS, LONG_QUIET, LONG_QUIET_PERCENT, PATTERNS, Plan,
    SOUND_PERCENT, TRAITS, TROUBLES,
};
use scenarios::swarm::{Failure, Swarm, check, draw, shrink, words};
use simulator::MakeHandlers;
use simulator::facts::Facts;
use simulator::planted::{Bug, PlantedHandlers};
use simulator::spec::{
    Autoscaling, BLUE_GREEN, BusPolicy, Capacity, FunctionName, FunctionState, Loss, QueueAccess, QueueName, Role,
    ServiceSpec, SpotShape, Terraform, TimedEvent, WorldEvent, WorldSpec,
};

/// A planted bug is found within so many seeds.
const SEEDS: u64 = 60;
/// Worlds played to shrink one: fewer than the program plays, and enough for these.
const REPLAYS: u32 = 100;

fn swarm(from: u64, seeds: u64, jobs: usize) -> Swarm {
    Swarm { from, seeds, shard: 1, shards: 1, jobs }
}

fn said(violation: Option<&String>) -> &str {
    violation.map_or("nothing", String::as_str)
}

fn deep() -> bool {
    std::env::var("PROVE").as_deref() == Ok("deep")
}

#[test]
fn random_worlds_hold() {
    let seeds = if deep() { 5000 } else { 40 };
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    match swarm(10_000, seeds, jobs).play(draw::plan, |_| ()) {
        Ok(tally) => {
            assert_eq!(tally.worlds, seeds);
            assert!(!deep() || tally.never().is_empty(), "never happened: {:?}", tally.never());
        }
        Err(failure) => {
            let Failure { plan, played } = *failure;
            let (seed, violation) = (plan.world.seed, said(played.violation.as_ref()));
            panic!("{violation}\nreplay: cargo xtask swarm --from {seed} --seeds 1");
        }
    }
}

#[test]
fn a_seed_gives_the_same_world_and_the_same_run_every_time() {
    for seed in 0..4 {
        assert_eq!(format!("{:?}", draw::plan(seed)), format!("{:?}", draw::plan(seed)));
        let run = || check::play(&draw::plan(seed));
        let (one, two) = (run(), run());
        assert_eq!(one.outcome.trace, two.outcome.trace, "seed {seed}");
        assert_eq!((one.duration, one.reasons), (two.duration, two.reasons), "seed {seed}");
    }
    assert_ne!(format!("{:?}", draw::plan(0).world.services), format!("{:?}", draw::plan(1).world.services));
}

#[test]
fn the_number_of_jobs_changes_nothing() {
    let play = |jobs| swarm(0, 6, jobs).play(draw::plan, |_| ()).ok();
    assert!(play(1).is_some_and(|tally| tally.worlds == 6));
    assert_eq!(play(1), play(3));
    let first = |jobs| swarm(12, SEEDS, jobs).play(planted(Bug::OverwritesOwners), |_| ()).unwrap_err().plan.world.seed;
    assert_eq!(first(1), first(4));
}

#[test]
fn shards_are_a_partition_of_the_seeds() {
    for (seeds, shards) in [(1, 1), (10, 3), (3, 7), (12, 4)] {
        let mut all = Vec::new();
        for shard in 1..=shards {
            let swarm = Swarm { from: 5, seeds, shard, shards, jobs: 1 };
            let own: Vec<u64> = (0..).map_while(|n| swarm.seed(n)).collect();
            assert_eq!(own.len() as u64, swarm.len(), "shard {shard}/{shards} of {seeds}");
            assert_eq!(own.is_empty(), swarm.is_empty());
            all.extend(own);
        }
        all.sort_unstable();
        assert_eq!(all, (5..5 + seeds).collect::<Vec<_>>());
    }
    // Every seed of a shard is played, and no other.
    let played = Mutex::new(BTreeSet::new());
    let swarm = Swarm { from: 5, seeds: 7, shard: 2, shards: 3, jobs: 2 };
    let plan = |seed| {
        played.lock().unwrap().insert(seed);
        draw::plan(seed)
    };
    // To the end, whatever they show.
    let (tally, kinds) = swarm.survey(plan, |_| ());
    assert_eq!(tally.worlds + kinds.values().map(|kind| kind.seeds.len() as u64).sum::<u64>(), 2);
    assert_eq!(*played.lock().unwrap(), BTreeSet::from([6, 9]));
}

#[test]
fn every_kind_of_trouble_is_on_in_as_many_worlds_as_it_says() {
    let plans: Vec<Plan> = (0..400).map(draw::plan).collect();
    let share = |name| plans.iter().filter(|plan| plan.on.contains(name)).count() / 4;
    let unsound = |percent: u32| (percent * (100 - SOUND_PERCENT) / 100) as usize;
    let faults = FAULTS.iter().map(|fault| (fault, unsound(FAULT_PERCENT)));
    for (fault, wanted) in faults.chain(LIMITS.iter().map(|limit| (limit, LIMIT_PERCENT as usize))) {
        assert!((wanted - 10..=wanted + 10).contains(&share(fault.name)), "{}: {} %", fault.name, share(fault.name));
        for plan in &plans {
            assert_eq!((fault.get)(&plan.facts) > 0, plan.on.contains(fault.name), "{}", fault.name);
            assert!((fault.get)(&plan.facts) <= fault.most);
        }
    }
    for trouble in TROUBLES {
        let wanted = if trouble.of_the_cell { unsound(trouble.percent) } else { trouble.percent as usize };
        assert!((wanted - 10..=wanted + 10).contains(&share(trouble.name)), "{}", trouble.name);
    }
    let patterns = PATTERNS.iter().map(|pattern| (pattern.name, pattern.percent as usize));
    for (name, wanted) in patterns.chain([(LONG_QUIET, LONG_QUIET_PERCENT as usize)]) {
        assert!((wanted.saturating_sub(10)..=wanted + 10).contains(&share(name)), "{name}");
    }
    for one in TRAITS {
        let wanted = one.percent as usize;
        assert!((wanted.saturating_sub(10)..=wanted + 10).contains(&share(one.name)), "{}", one.name);
        let has = |plan: &&Plan| plan.world.services.iter().any(|service| one.is_of(service));
        assert!(plans.iter().filter(has).all(|plan| plan.on.contains(one.name)), "{}", one.name);
        assert!(plans.iter().filter(has).count() > 4 * wanted / 2, "{}", one.name);
    }
}

#[test]
fn one_world_of_hundreds_is_an_account_of_hundreds() {
    let large = (0..4000).filter(|seed| draw::plan(*seed).on.contains(LARGE_ACCOUNT)).count();
    assert!((4..=16).contains(&large), "{large} of 4000");
}

#[test]
fn nothing_that_a_world_can_do_is_never_drawn() {
    let plans: Vec<Plan> = (0..400).map(draw::plan).collect();
    let events = || plans.iter().flat_map(|plan| &plan.world.events).map(|event| format!("{:?}", event.event));
    // All but the end of the faults, which the mending brings.
    for kind in [
        "Spot {",
        "Flapping",
        "SlowReturn",
        "Random",
        "SpotRebalance",
        "OnDemand",
        "Interrupt",
        "PutEvents",
        "Role",
        "Forwarding",
        "BusPolicy",
        "Membership",
        "QueueAccess",
        "Redrive",
        "Function",
        "OptOut",
        "Pause",
        "Controller {",
        "Protect",
        "SpotZone",
        "CrashLoop",
        "Alarm",
        "RollBack",
        "Deploy",
        "DeleteService",
        "CreateService",
        "Application",
        "RebalancingFailure",
        "UpdateService",
    ] {
        assert!(events().any(|event| event.contains(kind)), "{kind}");
    }
    for Plan { world, chaos, .. } in &plans {
        assert!(world.events.is_sorted_by_key(|event| event.at) && world.events.iter().all(|event| event.at < *chaos));
    }
}

/// Worlds in which the handlers have this bug.
fn planted(bug: Bug) -> impl Fn(u64) -> Plan + Sync {
    move |seed| {
        let mut plan = draw::plan(seed);
        plan.handlers = MakeHandlers::new(move || PlantedHandlers(bug));
        plan
    }
}

/// Finds `bug`, shrinks the world that shows it, and replays the file that is written of it.
fn find(bug: Bug, most_events: usize, words: &str) {
    let failure = swarm(0, SEEDS, 2).play(planted(bug), |_| ()).expect_err("the bug is found");
    let Failure { plan, played } = *failure;
    let (seed, events) = (plan.world.seed, plan.world.events.len());
    let shrunk = shrink::shrink(&plan, played, REPLAYS);
    let violation = shrunk.played.violation.clone().expect("still there");
    assert!(violation.contains(words), "seed {seed}: {violation}");
    let left = &shrunk.plan.world;
    assert!(left.events.len() <= most_events, "seed {seed}: {events} events\n{}", words::words(&shrunk.plan));
    assert!(left.services.len() <= 2 && shrunk.replays <= REPLAYS, "{} replays", shrunk.replays);

    let text = file::write(&check::scenario(&shrunk.plan, shrunk.played.duration, &shrunk.played.free, &violation));
    let scenario = file::parse("written", &text).unwrap_or_else(|problem| panic!("{problem}\n{text}"));
    // A file holds no bug; without it the world holds.
    let healthy = play::play(scenario.clone()).unwrap();
    assert!(healthy.holds(), "seed {seed}: {:#?}\n{text}", healthy.outcome.violations);
    let replayed = play::play_with(scenario, Rc::new(PlantedHandlers(bug))).unwrap().outcome;
    assert_eq!(replayed.trace, shrunk.played.outcome.trace, "the file replays what was found\n{text}");
    assert_eq!(said(replayed.violations.first()), violation);
}

#[test]
fn an_overwritten_owner_is_found_shrunk_and_replayed() {
    find(Bug::OverwritesOwners, 4, "the owner's strategy");
}

#[test]
fn noise_taken_for_a_loss_is_found_shrunk_and_replayed() {
    find(Bug::NoiseIsLoss, 2, "failover of a service that lost nothing");
}

#[test]
fn a_kill_switch_that_is_not_read_is_found() {
    let failure = swarm(0, SEEDS, 2).play(planted(Bug::IgnoresKillSwitch), |_| ()).expect_err("the bug is found");
    let violation = said(failure.played.violation.as_ref());
    assert!(violation.contains("although the recovery is paused"), "{violation}");
}

/// A world of one service in trouble of this kind only.
fn quiet(service: impl Fn(&mut ServiceSpec), events: Vec<WorldEvent>) -> Plan {
    let mut plan = draw::plan(0);
    let ServiceSpec { id, .. } = plan.world.services.remove(0);
    let on_spot = StrategyItem { capacity_provider: CapacityProvider::FargateSpot, base: 0, weight: 1 };
    let strategy = Strategy::new(vec![on_spot]).expect("one item with a weight is valid");
    let mut spec = ServiceSpec::new(id, 4, strategy);
    service(&mut spec);
    let minutes = |n: usize| Duration::from_secs(600 + 60 * n as u64);
    let at = |(n, event)| TimedEvent { at: minutes(n), event };
    plan.world.events = events.into_iter().enumerate().map(at).collect();
    plan.world.services = vec![spec];
    plan.world.policy = Policy::default();
    Plan { facts: Facts::default(), chaos: Duration::from_secs(3600), on: BTreeSet::new(), ..plan }
}

#[test]
fn shapes_and_traits_that_a_violation_does_not_need_are_shrunk_away() {
    let plan = quiet(|_| (), Vec::new());
    let (id, accounts) = (plan.world.services[0].id.clone(), vec![plan.world.services[0].id.account.clone()]);
    let minutes = |n: u64| Duration::from_secs(60 * n);
    let everything = |service: &mut ServiceSpec| {
        (service.circuit_breaker, service.alarms, service.cpu) = (true, true, 1024);
        service.autoscaling = Some(Autoscaling { min: 4, max: 4 });
        service.terraform = Some(Terraform { every: minutes(20), force: true });
    };
    let flaps = SpotShape::Flapping { up: minutes(10), down: minutes(2) };
    let events = vec![
        WorldEvent::RebalancingFailure { service: id.clone() },
        WorldEvent::SpotShape { accounts: accounts.clone(), shape: flaps },
        WorldEvent::SpotRebalance { accounts, tasks: 3 },
        WorldEvent::Alarm { service: id.clone() },
        WorldEvent::RollBack { service: id },
    ];
    let mut plan = quiet(everything, events);
    plan.handlers = MakeHandlers::new(|| PlantedHandlers(Bug::NoiseIsLoss));
    let played = check::play(&plan);
    let shrunk = shrink::shrink(&plan, played, REPLAYS);
    let left = words::words(&shrunk.plan);
    assert!(said(shrunk.played.violation.as_ref()).contains("lost nothing"), "{left}");
    assert!(matches!(shrunk.plan.world.events[..], [TimedEvent { event: WorldEvent::RebalancingFailure { .. }, .. }]));
    assert!(!TRAITS.iter().any(|one| one.is_of(&shrunk.plan.world.services[0])), "{left}");
}

#[test]
fn whoever_asks_for_more_than_the_quota_is_not_judged_at_the_end_and_nobody_else() {
    // Four tasks of a quarter vCPU: twice while they are deployed, and once more on their way out.
    let free = |on_demand, spot| {
        let mut plan = quiet(|_| (), Vec::new());
        (plan.facts.on_demand_vcpu_quota, plan.facts.spot_vcpu_quota) = (on_demand, spot);
        check::play(&plan).free.len()
    };
    assert_eq!((free(None, None), free(None, Some(3)), free(None, Some(2))), (0, 0, 1));
    // The fallback may find no room; that excuses nothing.
    assert_eq!(free(Some(1), None), 0);
}

#[test]
fn whom_the_fallback_of_others_crowds_out_of_the_quota_must_deploy_again_and_is_not_judged() {
    let free = |circuit_breaker| {
        let mut plan = quiet(|service| service.cpu = 1024, Vec::new());
        let spot = plan.world.services[0].clone();
        let fargate = StrategyItem { capacity_provider: CapacityProvider::Fargate, base: 0, weight: 1 };
        let id = ServiceId { service: "on-demand".parse().expect("a name"), ..spot.id.clone() };
        let strategy = Strategy::new(vec![fargate]).expect("one item with a weight is valid");
        let on_demand = ServiceSpec { circuit_breaker, cpu: 1024, ..ServiceSpec::new(id.clone(), 1, strategy) };
        plan.world.services.push(on_demand);
        plan.facts.on_demand_vcpu_quota = Some(4);
        let accounts = vec![spot.id.account.clone()];
        let at = |minute: u64, event| TimedEvent { at: Duration::from_secs(60 * minute), event };
        plan.world.events = vec![
            at(10, WorldEvent::DeleteService { service: id }),
            at(20, WorldEvent::Spot { accounts, capacity: Capacity::Tasks(0), loss: Loss::Interrupt }),
        ];
        let played = check::play(&plan);
        assert_eq!(played.violation, None);
        played.free.into_iter().map(|id| id.service.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(free(true), ["on-demand"]);
    assert!(free(false).is_empty(), "without a breaker ECS tries until there is room");
}

#[test]
fn a_service_without_all_of_its_tasks_is_wrong_but_for_the_one_that_an_auto_scaler_asked_for() {
    let plan = quiet(|_| (), Vec::new());
    let mut service = check::play(&plan).outcome.services.remove(0);
    let mut spec = plan.world.services[0].clone();
    assert_eq!(check::wrong(&spec, &service), None);
    service.running -= 1;
    assert!(check::wrong(&spec, &service).is_some_and(|why| why.contains("runs 3 of 4 tasks")));
    spec.autoscaling = Some(Autoscaling { min: 1, max: 4 });
    assert_eq!(check::wrong(&spec, &service), None);
    service.running -= 1;
    assert!(check::wrong(&spec, &service).is_some_and(|why| why.contains("runs 2 of 4 tasks")));
}

fn none() -> BTreeSet<ServiceId> {
    BTreeSet::new()
}

/// Everything a file can say of the world and its facts.
fn said_of(world: &WorldSpec, scenario: &Scenario) -> String {
    format!("{world:?} {:?} {:?} {:?}", scenario.facts, scenario.duration, scenario.expectations)
}

#[test]
fn what_is_written_reads_back_as_the_same_scenario() {
    let seeds = if deep() { 5000 } else { 300 };
    for seed in 0..seeds {
        let plan = draw::plan(seed);
        let scenario =
            check::scenario(&plan, plan.chaos + Duration::from_millis(7_200_001), &none(), "why \"so\"\nand\tthen\\");
        round_trip(&scenario);
    }
}

#[test]
fn what_random_worlds_never_say_reads_back_too() {
    let mut plans = (0..).map(draw::plan);
    let plan = plans.find(|plan| plan.world.services[0].strategy.uses_spot()).expect("most are");
    let mut scenario = check::scenario(&plan, Duration::from_secs(9000), &none(), "");
    scenario.world.central = "888888888888".parse().unwrap();
    scenario.world.region = "us-east-1".parse().unwrap();
    scenario.world.services.iter_mut().for_each(|service| service.id.region = scenario.world.region.clone());
    scenario.world.services[0].stop_timeout = Duration::from_millis(1500);
    let first = scenario.world.services[0].id.clone();
    scenario.world.policy = Policy { lease: Duration::from_millis(90_500), ..Policy::default() };
    scenario.world.events = [
        WorldEvent::Interrupt { service: first.clone(), tasks: u32::MAX },
        WorldEvent::BusPolicy(BusPolicy::Accounts(Vec::new())),
        WorldEvent::Role { accounts: Vec::new(), role: Role::ReadOnly },
        WorldEvent::QueueAccess { queue: QueueName::Interruption, access: QueueAccess::Denied },
        WorldEvent::Function { function: FunctionName::Restore, state: FunctionState::Reserved(0) },
        WorldEvent::Pause { paused: true },
        WorldEvent::Pause { paused: false },
        WorldEvent::Controller { service: first.clone(), controller: Controller::Rolling },
        WorldEvent::Controller { service: first.clone(), controller: Controller::Other(BLUE_GREEN.into()) },
        WorldEvent::Controller { service: first.clone(), controller: Controller::Other("EXTERNAL".into()) },
    ]
    .map(|event| TimedEvent { at: Duration::from_millis(1), event })
    .to_vec();
    let limit = Duration::from_secs(61);
    let strategy = scenario.world.services[0].strategy.clone();
    scenario.expectations = [
        Check::FailoverWithin(limit),
        Check::RestoredWithin(limit),
        Check::MinAvailability(0.97),
        Check::FinalStrategy(FinalStrategy::Exactly(strategy)),
        Check::Failovers(1),
        Check::MaxDeploymentsForced(2),
    ]
    .map(|check| Expectation { service: first.clone(), check })
    .to_vec();
    round_trip(&scenario);

    // Where nothing may move, nothing that waits for a failover can be said.
    scenario.world.policy.paused = true;
    scenario.world.events.retain(|timed| !matches!(timed.event, WorldEvent::Pause { .. }));
    scenario.expectations.retain(|expected| matches!(expected.check, Check::MinAvailability(_)));
    round_trip(&scenario);
}

fn round_trip(scenario: &Scenario) {
    let text = file::write(scenario);
    let read = file::parse("written", &text).unwrap_or_else(|problem| panic!("{problem}\n{text}"));
    assert_eq!(said_of(&read.world, &read), said_of(&scenario.world, scenario), "{text}");
    assert_eq!((read.title, read.about), (scenario.title.clone(), scenario.about.clone()));
}

fn program(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_swarm")).args(arguments).output().expect("the swarm starts")
}

#[test]
fn the_program_says_what_it_plays_and_what_happened() {
    let output = program(&["--seeds", "6", "--from", "3", "--shard", "2/3", "--jobs", "1"]);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stdout.contains("seeds 3 to 8, shard 2/3: 2 worlds, 1 at once"), "{stdout}");
    assert!(stdout.contains("events come twice            1 to 100 %"), "{stdout}");
    assert!(stdout.contains("Spot quota                   1 to 24 vCPU"), "{stdout}");
    assert!(stdout.contains("Terraform on a schedule       50 %"), "{stdout}");
    assert!(stdout.contains("2 worlds hold: "), "{stdout}");
    // Two worlds are not enough to miss anything.
    assert!(stderr.contains("warning: never happened: "), "{stderr}");
    assert!(!stdout.contains('\u{1b}') && !stderr.contains(['\r', '\u{1b}']), "plain lines where nobody watches");
}

#[test]
fn a_wrong_command_line_exits_2_and_says_what_is_wrong() {
    for (arguments, message) in [
        (&["--seed", "5"][..], "--seed"),
        (&["--seeds", "0"], "0 is not in 1..="),
        (&["--seeds", "many"], "invalid digit"),
        (&["--seeds", "5", "--shard", "3/2"], "at most the second"),
        (&["--seeds", "5", "--shard", "0/2"], "at least 1"),
        (&["--seeds", "5", "--shard", "half"], "two whole numbers"),
        (&["--seeds", "5", "--jobs", "0"], "0 is not in 1..="),
        (&["--seeds", "5", "--from", "-1"], "-1"),
        (&["--seeds", "5", "6"], "unexpected argument"),
        (&[], "--seeds"),
    ] {
        let output = program(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(message) && output.stdout.is_empty(), "{arguments:?}: {stderr}");
    }
}
