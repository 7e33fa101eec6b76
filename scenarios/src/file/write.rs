//! Writes a scenario as the file it would be read from: so what was found by chance can be replayed and looked at.

use std::fmt::{self, Write as _};
use std::time::Duration;

use handlers::observation::Controller;
use handlers::policy::Policy;
use handlers::service::{AccountId, ServiceId};
use handlers::strategy::{CapacityProvider, Strategy, StrategyItem};
use simulator::facts::Facts;
use simulator::spec::{
    Autoscaling, BLUE_GREEN, BusPolicy, Capacity, Forwarding, FunctionName, FunctionState, Loss, QueueAccess,
    QueueName, Role, ServiceSpec, SpotShape, Terraform, TimedEvent, WorldEvent, WorldSpec,
};

use super::{Check, Expectation, FinalStrategy, Scenario};

type Get = fn(&Facts) -> u32;

/// The faults that are chances, in percent, by their keys.
const FAULTS: &[(&str, Get)] = &[
    ("duplicated_events_percent", |facts| facts.duplicate_percent),
    ("lost_events_percent", |facts| facts.lost_percent),
    ("late_events_percent", |facts| facts.late_percent),
    // A finer chance cannot be written; a little more is better than none.
    ("killed_calls_percent", |facts| facts.kill_per_myriad.div_ceil(100)),
    ("killed_invocations_percent", |facts| facts.kill_percent),
    ("cold_starts_percent", |facts| facts.cold_start_percent),
    ("failed_starts_percent", |facts| facts.failed_start_percent),
    ("lost_replies_percent", |facts| facts.lost_reply_percent),
    ("stale_reads_percent", |facts| facts.stale_read_percent),
    ("table_throttles_percent", |facts| facts.table_throttle_percent),
];

/// The scenario as TOML. Reading it gives the same scenario, as far as a file can say it: of `facts` only what
/// `[faults]` and `[quotas]` have, and a reserved concurrency above 0 becomes `running`.
pub fn write(scenario: &Scenario) -> String {
    let mut out = String::new();
    write_to(&mut out, scenario).expect("writing to a string does not fail");
    out
}

fn write_to(out: &mut String, scenario: &Scenario) -> fmt::Result {
    let Scenario { title, about, duration, world, facts, expectations } = scenario;
    writeln!(out, "title = {}", text(title))?;
    if !about.is_empty() {
        writeln!(out, "about = {}", text(about))?;
    }
    writeln!(out, "seed = {}\nduration = {}", world.seed, time(*duration))?;
    write_world(out, world)?;
    write_policy(out, &world.policy)?;
    write_quotas(out, facts)?;
    write_faults(out, facts)?;
    for service in &world.services {
        write_service(out, service)?;
    }
    for TimedEvent { at, event } in &world.events {
        writeln!(out, "\n[[at]]\ntime = {}\n{}", time(*at), action(event))?;
    }
    write_expectations(out, expectations)
}

fn write_world(out: &mut String, world: &WorldSpec) -> fmt::Result {
    let plain = (world.region.as_str(), world.central.as_str());
    if plain.0 != "eu-west-1" {
        writeln!(out, "region = {}", text(plain.0))?;
    }
    if plain.1 != "999999999999" {
        writeln!(out, "central = {}", text(plain.1))?;
    }
    writeln!(out, "accounts = {}", list(&world.accounts))?;
    if !world.synthetic_from.is_empty() {
        writeln!(out, "synthetic_from = {}", list(&world.synthetic_from))?;
    }
    writeln!(out, "restore_schedule = {}", time(world.restore_schedule))
}

/// The tunables that are not the default, as [`Policy`] prints them.
fn write_policy(out: &mut String, policy: &Policy) -> fmt::Result {
    let (all, defaults) = (policy.to_string(), Policy::default().to_string());
    let tunables = |text: &str| text.split("\" ").map(|one| one.trim_end_matches('"').to_owned()).collect::<Vec<_>>();
    let (all, defaults) = (tunables(&all), tunables(&defaults));
    let changed: Vec<&String> = all.iter().filter(|one| !defaults.contains(one)).collect();
    if !changed.is_empty() {
        writeln!(out, "\n[policy]")?;
    }
    for (name, value) in changed.iter().filter_map(|one| one.split_once("=\"")) {
        let bare = value.parse::<u32>().is_ok() || value.parse::<bool>().is_ok();
        writeln!(out, "{name} = {}", if bare { value.to_owned() } else { text(value) })?;
    }
    Ok(())
}

fn write_quotas(out: &mut String, facts: &Facts) -> fmt::Result {
    let vcpu = [("on_demand_vcpu", facts.on_demand_vcpu_quota), ("spot_vcpu", facts.spot_vcpu_quota)];
    let mut quotas: Vec<String> =
        vcpu.iter().filter_map(|(key, quota)| quota.map(|quota| format!("{key} = {quota}"))).collect();
    if let Some((burst, per_second)) = facts.launch_bucket {
        quotas.push(format!("launch_burst = {burst}\nlaunches_per_second = {per_second}"));
    }
    if quotas.is_empty() { Ok(()) } else { writeln!(out, "\n[quotas]\n{}", quotas.join("\n")) }
}

fn write_faults(out: &mut String, facts: &Facts) -> fmt::Result {
    let mut faults: Vec<String> = FAULTS
        .iter()
        .map(|(key, percent)| (key, percent(facts)))
        .filter(|(_, percent)| *percent > 0)
        .map(|(key, percent)| format!("{key} = {percent}"))
        .collect();
    if facts.index_lag.max > Duration::ZERO {
        faults.push(format!("index_lag = {}", time(facts.index_lag.max)));
    }
    if faults.is_empty() { Ok(()) } else { writeln!(out, "\n[faults]\n{}", faults.join("\n")) }
}

fn write_service(out: &mut String, service: &ServiceSpec) -> fmt::Result {
    let ServiceSpec { id, desired, strategy, .. } = service;
    writeln!(
        out,
        "\n[[service]]\naccount = \"{}\"\ncluster = \"{}\"\nname = \"{}\"",
        id.account, id.cluster, id.service
    )?;
    match service.launch_type {
        true => writeln!(out, "desired = {desired}\nlaunch_type = \"FARGATE\"")?,
        false => writeln!(out, "desired = {desired}\nstrategy = {}", items(strategy))?,
    }
    let plain = ServiceSpec::new(id.clone(), *desired, strategy.clone());
    if service.minimum_healthy_percent != plain.minimum_healthy_percent {
        writeln!(out, "minimum_healthy_percent = {}", service.minimum_healthy_percent)?;
    }
    if service.maximum_percent != plain.maximum_percent {
        writeln!(out, "maximum_percent = {}", service.maximum_percent)?;
    }
    if service.stop_timeout != plain.stop_timeout {
        writeln!(out, "stop_timeout = {}", time(service.stop_timeout))?;
    }
    if service.deregistration_delay != plain.deregistration_delay {
        writeln!(out, "deregistration_delay = {}", time(service.deregistration_delay))?;
    }
    if service.zones != plain.zones {
        writeln!(out, "zones = {}", service.zones)?;
    }
    if !service.zone_rebalancing {
        writeln!(out, "zone_rebalancing = false")?;
    }
    if service.circuit_breaker {
        writeln!(out, "circuit_breaker = true")?;
    }
    if service.alarms {
        writeln!(out, "alarms = true")?;
    }
    if service.cpu != plain.cpu {
        writeln!(out, "cpu = {}", service.cpu)?;
    }
    if let Some(Autoscaling { min, max }) = service.autoscaling {
        writeln!(out, "autoscaling = {{ min = {min}, max = {max} }}")?;
    }
    if let Some(Terraform { every, force }) = service.terraform {
        writeln!(out, "terraform = {{ every = {}, force = {force} }}", time(every))?;
    }
    if service.controller != plain.controller {
        writeln!(out, "controller = {}", controller_name(&service.controller))?;
    }
    if service.associated != plain.associated {
        let providers: Vec<String> = service.associated.iter().map(CapacityProvider::to_string).collect();
        writeln!(out, "cluster_providers = {providers:?}")?;
    }
    Ok(())
}

fn write_expectations(out: &mut String, expectations: &[Expectation]) -> fmt::Result {
    let mut of: Option<&ServiceId> = None;
    for Expectation { service, check } in expectations {
        if of.replace(service) != Some(service) {
            writeln!(out, "\n[[expect.service]]\nservice = \"{service}\"")?;
        }
        match check {
            Check::FailoverWithin(limit) => writeln!(out, "failover_within = {}", time(*limit)),
            Check::RestoredWithin(limit) => writeln!(out, "restored_within = {}", time(*limit)),
            Check::MinAvailability(least) => writeln!(out, "min_availability = {least:?}"),
            Check::FinalStrategy(FinalStrategy::Original) => writeln!(out, "final_strategy = \"original\""),
            Check::FinalStrategy(FinalStrategy::Fallback) => writeln!(out, "final_strategy = \"fallback\""),
            Check::FinalStrategy(FinalStrategy::Exactly(strategy)) => {
                writeln!(out, "final_strategy = {}", items(strategy))
            }
            Check::Failovers(count) => writeln!(out, "failovers = {count}"),
            Check::MaxDeploymentsForced(most) => writeln!(out, "max_deployments_forced = {most}"),
        }?;
    }
    Ok(())
}

/// A TOML string. JSON escapes no more than TOML understands, but for DEL.
fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

fn time(time: Duration) -> String {
    format!("\"{}\"", humantime::format_duration(time))
}

fn items(strategy: &Strategy) -> String {
    let item = |i: &StrategyItem| {
        format!("{{ provider = \"{}\", base = {}, weight = {} }}", i.capacity_provider, i.base, i.weight)
    };
    format!("[{}]", strategy.items().iter().map(item).collect::<Vec<_>>().join(", "))
}

/// `controller` as a TOML string.
fn controller_name(controller: &Controller) -> String {
    match controller {
        Controller::Rolling => text("ECS"),
        Controller::Other(name) if name == BLUE_GREEN => text("BLUE_GREEN"),
        Controller::Other(name) => text(name),
    }
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

fn queue_name(queue: QueueName) -> &'static str {
    match queue {
        QueueName::PlacementFailure => "placement-failure",
        QueueName::Interruption => "interruption",
    }
}

/// What happens, as the line of an `[[at]]`.
fn action(event: &WorldEvent) -> String {
    let on = |key: &str, service: &ServiceId, more: String| format!("{key} = {{ service = \"{service}\"{more} }}");
    match event {
        WorldEvent::Spot { accounts, capacity: c, loss } => {
            let loss = loss_name(*loss);
            format!("spot = {{ capacity = {}, loss = \"{loss}\", accounts = {} }}", capacity(c), list(accounts))
        }
        WorldEvent::SpotShape { accounts, shape } => {
            let shape = match shape {
                SpotShape::Flapping { up, down } => {
                    format!("flapping = {{ up = {}, down = {} }}", time(*up), time(*down))
                }
                SpotShape::SlowReturn { per_minute, until } => {
                    format!("slow_return = {{ per_minute = {per_minute}, until = {until} }}")
                }
                SpotShape::Random { every, shortest, longest } => format!(
                    "random = {{ every = {}, shortest = {}, longest = {} }}",
                    time(*every),
                    time(*shortest),
                    time(*longest)
                ),
            };
            format!("spot = {{ {shape}, accounts = {} }}", list(accounts))
        }
        WorldEvent::SpotRebalance { accounts, tasks } => {
            format!("spot = {{ rebalance = {tasks}, accounts = {} }}", list(accounts))
        }
        WorldEvent::OnDemand { accounts, capacity: c } => {
            format!("on_demand = {{ capacity = {}, accounts = {} }}", capacity(c), list(accounts))
        }
        WorldEvent::Interrupt { service, tasks: u32::MAX } => on("interrupt", service, ", tasks = \"all\"".into()),
        WorldEvent::Interrupt { service, tasks } => on("interrupt", service, format!(", tasks = {tasks}")),
        WorldEvent::PutEvents { from, source, detail_type, resources, detail } => {
            let resources: Vec<String> = resources.iter().map(|resource| text(resource)).collect();
            format!(
                "put_events = {{ from = \"{from}\", source = {}, detail_type = {}, resources = [{}], detail = {} }}",
                text(source),
                text(detail_type),
                resources.join(", "),
                text(&detail.to_string())
            )
        }
        WorldEvent::Role { accounts, role } => {
            let role = match role {
                Role::Present => "present",
                Role::Missing => "missing",
                Role::ReadOnly => "read-only",
            };
            format!("role = {{ is = \"{role}\", accounts = {} }}", list(accounts))
        }
        WorldEvent::Forwarding { accounts, forwarding } => {
            let forwarding = match forwarding {
                Forwarding::Present => "present",
                Forwarding::Missing => "missing",
                Forwarding::Denied => "denied",
                Forwarding::Unreachable => "unreachable",
                Forwarding::Disabled => "disabled",
            };
            format!("forwarding = {{ is = \"{forwarding}\", accounts = {} }}", list(accounts))
        }
        WorldEvent::BusPolicy(policy) => {
            let admits = match policy {
                BusPolicy::Onboarded => "\"onboarded\"".into(),
                BusPolicy::Organization => "\"organization\"".into(),
                BusPolicy::Accounts(accounts) => list(accounts),
            };
            format!("bus_policy = {{ admits = {admits} }}")
        }
        WorldEvent::Membership { accounts, member } => {
            format!("organization = {{ member = {member}, accounts = {} }}", list(accounts))
        }
        WorldEvent::QueueAccess { queue, access } => {
            let access = match access {
                QueueAccess::Reachable => "reachable",
                QueueAccess::Unreachable => "unreachable",
                QueueAccess::Denied => "denied",
            };
            format!("queue = {{ name = \"{}\", is = \"{access}\" }}", queue_name(*queue))
        }
        WorldEvent::Redrive { queue } => format!("redrive = {{ queue = \"{}\" }}", queue_name(*queue)),
        WorldEvent::Function { function, state } => {
            let function = match function {
                FunctionName::PlacementFailure => "placement-failure",
                FunctionName::Interruption => "interruption",
                FunctionName::Restore => "restore",
            };
            let state = match state {
                FunctionState::Running | FunctionState::Reserved(1..) => "running",
                FunctionState::Reserved(0) => "stopped",
                FunctionState::FailsToStart => "failing",
                FunctionState::Detached => "detached",
            };
            format!("function = {{ name = \"{function}\", is = \"{state}\" }}")
        }
        WorldEvent::Pause { paused } => format!("pause = {paused}"),
        WorldEvent::Calm => "calm = true".into(),
        WorldEvent::OptOut { service, off } => on("opt_out", service, format!(", off = {off}")),
        WorldEvent::Controller { service, controller } => {
            on("controller", service, format!(", is = {}", controller_name(controller)))
        }
        WorldEvent::Deploy { service } => on("deploy", service, String::new()),
        WorldEvent::RollBack { service } => on("roll_back", service, String::new()),
        WorldEvent::Alarm { service } => on("alarm", service, String::new()),
        WorldEvent::DeleteService { service } => on("delete_service", service, String::new()),
        WorldEvent::CreateService { service } => on("create_service", service, String::new()),
        WorldEvent::Application { service, fails } => on("application", service, format!(", fails = {fails}")),
        WorldEvent::CrashLoop { service, crashes } => on("crash_loop", service, format!(", crashes = {crashes}")),
        WorldEvent::Protect { service, tasks, time: t } => {
            let tasks = if *tasks == u32::MAX { "\"all\"".to_owned() } else { tasks.to_string() };
            on("protect", service, format!(", tasks = {tasks}, time = {}", time(*t)))
        }
        WorldEvent::SpotZone { accounts, zone, short, loss } => format!(
            "spot_zone = {{ zone = \"{}\", short = {short}, loss = \"{}\", accounts = {} }}",
            char::from(b'a' + zone),
            loss_name(*loss),
            list(accounts)
        ),
        WorldEvent::RebalancingFailure { service } => on("rebalancing_failure", service, String::new()),
        WorldEvent::UpdateService { service, strategy, desired } => {
            let strategy = strategy.as_ref().map_or_else(String::new, |s| format!(", strategy = {}", items(s)));
            let desired = desired.map_or_else(String::new, |n| format!(", desired = {n}"));
            on("update_service", service, strategy + &desired)
        }
    }
}

fn loss_name(loss: Loss) -> &'static str {
    match loss {
        Loss::Interrupt => "interrupt",
        Loss::Silent => "silent",
        Loss::Keep => "keep",
    }
}
