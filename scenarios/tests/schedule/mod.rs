//! A random world and what was done to it, as a scenario file: so that a failure can be replayed and looked at.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use handlers::policy::Policy;
use handlers::service::{AccountId, ServiceId};
use handlers::strategy::{CapacityProvider, Strategy, StrategyItem};
use simulator::facts::Facts;
use simulator::spec::{Capacity, Loss, Role, ServiceSpec, TimedEvent, WorldEvent, WorldSpec};

const ACCOUNTS: [&str; 2] = ["111111111111", "222222222222"];

/// One service: its account, and what its owner chose.
#[derive(Debug, Clone)]
pub(crate) struct Owned {
    pub(crate) account: usize,
    pub(crate) desired: u32,
    pub(crate) strategy: Strategy,
    pub(crate) bounds: (u32, u32),
    pub(crate) circuit_breaker: bool,
}

/// `FARGATE` and `FARGATE_SPOT` with base and weight.
pub(crate) fn strategy(fargate: (u32, u32), spot: (u32, u32)) -> Strategy {
    let item = |capacity_provider, (base, weight)| StrategyItem { capacity_provider, base, weight };
    let items = vec![item(CapacityProvider::Fargate, fargate), item(CapacityProvider::FargateSpot, spot)];
    Strategy::new(items).expect("valid by construction")
}

pub(crate) fn world(seed: u64, minutes: u64, services: &[Owned], tune: impl FnOnce(&mut Policy)) -> WorldSpec {
    let service = |(n, owned): (usize, &Owned)| {
        let id = ServiceId {
            account: ACCOUNTS[owned.account].parse().expect("an account"),
            region: "eu-west-1".parse().expect("a region"),
            cluster: "web".parse().expect("a cluster"),
            service: format!("service-{n}").parse().expect("a service"),
        };
        ServiceSpec {
            minimum_healthy_percent: owned.bounds.0,
            maximum_percent: owned.bounds.1,
            circuit_breaker: owned.circuit_breaker,
            ..ServiceSpec::new(id, owned.desired, owned.strategy.clone())
        }
    };
    let mut policy = Policy::default();
    tune(&mut policy);
    WorldSpec {
        seed,
        region: "eu-west-1".parse().expect("a region"),
        central: "999999999999".parse().expect("an account"),
        accounts: ACCOUNTS.map(|account| account.parse().expect("an account")).to_vec(),
        synthetic_from: Vec::new(),
        restore_schedule: Duration::from_secs(minutes * 60),
        policy,
        services: services.iter().enumerate().map(service).collect(),
        events: Vec::new(),
    }
}

/// A world and everything that was done to it.
pub(crate) struct Schedule {
    pub(crate) world: WorldSpec,
    facts: Facts,
}

impl Schedule {
    pub(crate) fn new(world: WorldSpec, facts: Facts) -> Self {
        Self { world, facts }
    }

    pub(crate) fn note(&mut self, at: Duration, event: WorldEvent) {
        self.world.events.push(TimedEvent { at, event });
    }

    /// Fails with the schedule as a scenario file.
    pub(crate) fn fail(&self, why: &str) -> ! {
        panic!("{why}\nreplay: cargo xtask scenario {}", self.write().display());
    }

    /// Writes the scenario file; returns where.
    fn write(&self) -> PathBuf {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("failed-{}.toml", self.world.seed));
        std::fs::write(&path, self.toml()).expect("the target directory is writable");
        path
    }

    fn toml(&self) -> String {
        let mut out = String::new();
        self.write_toml(&mut out).expect("writing to a string does not fail");
        out
    }

    fn write_toml(&self, out: &mut String) -> std::fmt::Result {
        let world = &self.world;
        let end = world.events.iter().map(|e| e.at).max().unwrap_or_default() + super::CALM;
        let accounts: Vec<&str> = world.accounts.iter().map(AccountId::as_str).collect();
        writeln!(out, "title = \"A random world in trouble\"\nseed = {}", world.seed)?;
        writeln!(out, "duration = \"{}ms\"\naccounts = {accounts:?}", end.as_millis())?;
        writeln!(out, "restore_schedule = \"{}s\"\n", world.restore_schedule.as_secs())?;
        let interruptions = serde_json::to_string(&world.policy.interruption_policy).expect("a word");
        writeln!(out, "[policy]\ninterruption_policy = {interruptions}\n")?;
        let f = &self.facts;
        writeln!(out, "[faults]")?;
        for (key, percent) in [
            ("duplicated_events_percent", f.duplicate_percent),
            ("lost_events_percent", f.lost_percent),
            ("late_events_percent", f.late_percent),
            ("killed_calls_percent", f.kill_per_myriad / 100),
            ("lost_replies_percent", f.lost_reply_percent),
            ("stale_reads_percent", f.stale_read_percent),
            ("table_throttles_percent", f.table_throttle_percent),
        ] {
            writeln!(out, "{key} = {percent}")?;
        }
        writeln!(out, "index_lag = \"{}s\"", f.index_lag.max.as_secs())?;
        for s in &world.services {
            writeln!(out, "\n[[service]]\naccount = \"{}\"\ncluster = \"{}\"", s.id.account, s.id.cluster)?;
            writeln!(out, "name = \"{}\"\ndesired = {}\nstrategy = {}", s.id.service, s.desired, items(&s.strategy))?;
            writeln!(out, "minimum_healthy_percent = {}", s.minimum_healthy_percent)?;
            writeln!(out, "maximum_percent = {}\ncircuit_breaker = {}", s.maximum_percent, s.circuit_breaker)?;
        }
        for TimedEvent { at, event } in &world.events {
            writeln!(out, "\n[[at]]\ntime = \"{}ms\"\n{}", at.as_millis(), action(event))?;
        }
        writeln!(out, "\n[expect]\nfinal_strategy = \"original\"\n")
    }
}

fn items(strategy: &Strategy) -> String {
    let item = |i: &StrategyItem| {
        format!("{{ provider = \"{}\", base = {}, weight = {} }}", i.capacity_provider, i.base, i.weight)
    };
    format!("[{}]", strategy.items().iter().map(item).collect::<Vec<_>>().join(", "))
}

fn capacity(capacity: &Capacity) -> String {
    match capacity {
        Capacity::Tasks(n) => n.to_string(),
        Capacity::Unlimited => "\"unlimited\"".into(),
    }
}

fn list(accounts: &[AccountId]) -> String {
    format!("{:?}", accounts.iter().map(AccountId::as_str).collect::<Vec<_>>())
}

fn action(event: &WorldEvent) -> String {
    let on = |key: &str, service: &ServiceId, more: String| format!("{key} = {{ service = \"{service}\"{more} }}");
    match event {
        WorldEvent::Spot { accounts, capacity: c, loss } => {
            let loss = match loss {
                Loss::Interrupt => "interrupt",
                Loss::Silent => "silent",
                Loss::Keep => "keep",
            };
            format!("spot = {{ capacity = {}, loss = \"{loss}\", accounts = {} }}", capacity(c), list(accounts))
        }
        WorldEvent::SpotShape { .. } | WorldEvent::SpotRebalance { .. } => {
            unreachable!("random worlds change Spot step by step")
        }
        WorldEvent::OnDemand { accounts, capacity: c } => {
            format!("on_demand = {{ capacity = {}, accounts = {} }}", capacity(c), list(accounts))
        }
        WorldEvent::Role { accounts, role } => {
            let role = match role {
                Role::Present => "present",
                Role::Missing => "missing",
                Role::ReadOnly => "read-only",
            };
            format!("role = {{ is = \"{role}\", accounts = {} }}", list(accounts))
        }
        WorldEvent::Interrupt { service, tasks } => on("interrupt", service, format!(", tasks = {tasks}")),
        WorldEvent::UpdateService { service, strategy, desired } => {
            let strategy = strategy.as_ref().map_or_else(String::new, |s| format!(", strategy = {}", items(s)));
            let desired = desired.map_or_else(String::new, |n| format!(", desired = {n}"));
            on("update_service", service, strategy + &desired)
        }
        WorldEvent::Deploy { service } => on("deploy", service, String::new()),
        WorldEvent::Alarm { service } => on("alarm", service, String::new()),
        WorldEvent::RollBack { service } => on("roll_back", service, String::new()),
        WorldEvent::DeleteService { service } => on("delete_service", service, String::new()),
        WorldEvent::CreateService { service } => on("create_service", service, String::new()),
        WorldEvent::OptOut { service, off } => on("opt_out", service, format!(", off = {off}")),
        WorldEvent::Application { service, fails } => on("application", service, format!(", fails = {fails}")),
        WorldEvent::RebalancingFailure { service } => on("rebalancing_failure", service, String::new()),
        WorldEvent::Calm => "calm = true".into(),
        WorldEvent::PutEvents { .. }
        | WorldEvent::Forwarding { .. }
        | WorldEvent::BusPolicy(_)
        | WorldEvent::Membership { .. }
        | WorldEvent::QueueAccess { .. }
        | WorldEvent::Redrive { .. }
        | WorldEvent::Function { .. } => unreachable!("random worlds have no such events"),
    }
}
