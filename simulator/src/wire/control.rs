//! What no AWS API can do to a world: take Spot capacity away, interrupt, break a role, let time pass; and what none shows.
//! Plain JSON under `/_simulator/`; simulator/README.md documents it.

use std::time::Duration;

use handlers::service::{AccountId, Region, ServiceArn, ServiceId};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::answer::{Response, shortened};
use super::caller::role_of;
use super::learn::know_account;
use crate::ecs::Ecs;
use crate::eventbridge::log::EventLog;
use crate::ids::ServiceKey;
use crate::observers::trace::Clock;
use crate::runtime::simulation::Simulation;
use crate::spec::{Capacity, Loss, Role, WorldEvent};
use crate::world::World;

/// Every path of the control API begins so.
pub const CONTROL: &str = "/_simulator/";

/// What the control API answers instead of what was asked for: HTTP status and words.
type Mistake = (u16, String);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Market {
    accounts: Vec<AccountId>,
    capacity: TasksOrUnlimited,
    #[serde(default)]
    loss: LossName,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum TasksOrUnlimited {
    Tasks(u32),
    Word(String),
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum LossName {
    #[default]
    Interrupt,
    Silent,
    Keep,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Interruption {
    service: String,
    tasks: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleChange {
    accounts: Vec<AccountId>,
    role: RoleName,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RoleName {
    Present,
    Missing,
    ReadOnly,
}

/// Burst and refill per second.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    update: Option<(u32, u32)>,
    describe: Option<(u32, u32)>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Emission {
    account: AccountId,
    region: Option<Region>,
    source: Option<String>,
    #[serde(rename = "detail-type")]
    detail_type: String,
    #[serde(default)]
    resources: Vec<String>,
    detail: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: f64,
}

/// Longest time that one request may let pass, in seconds.
const LONGEST_ADVANCE: f64 = 7.0 * 86_400.0;
/// Entries of one answer.
const PAGE: usize = 1_000;

impl Simulation {
    /// From now on keeps the ECS events of the world for `events`. They take no time that they would not take otherwise, but a task's
    /// short steps, whose events nobody heard of before, now take theirs.
    pub fn keep_events(&mut self) {
        self.sim.with(|world| {
            world.bus.log.get_or_insert_with(EventLog::default);
        });
    }

    /// Answers a request of the control API. `path` begins with [`CONTROL`] and has its query.
    pub fn control(&mut self, method: &str, path: &str, body: &[u8]) -> Response {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let name = path.strip_prefix(CONTROL).unwrap_or_default();
        let (status, body) = match self.control_by_name(method, name, query, body) {
            Ok(body) => (200, body),
            Err((status, error)) => (status, json!({ "error": error })),
        };
        let headers = vec![("content-type", "application/json".to_owned())];
        Response { status, headers, body: body.to_string().into_bytes() }
    }

    fn control_by_name(&mut self, method: &str, name: &str, query: &str, body: &[u8]) -> Result<Value, Mistake> {
        if method == "POST" && name == "advance" {
            let Advance { seconds } = read(body)?;
            if !(0.0..=LONGEST_ADVANCE).contains(&seconds) {
                return Err((
                    400,
                    format!("{seconds} seconds are not within 0 to {LONGEST_ADVANCE}, which are 7 days"),
                ));
            }
            self.advance(Duration::from_millis((seconds * 1000.0) as u64));
            return Ok(self.sim.with(|world| state(world)));
        }
        self.sim.with(|world| match (method, name) {
            ("GET", "state") => Ok(state(world)),
            ("GET", "trace") => Ok(trace_after(world, number(query)?)),
            ("GET", "events") => {
                let after = number(query)?;
                let log = world.bus.log.as_ref().ok_or((409, "this world keeps no events".to_owned()))?;
                let page = log.after(after, PAGE);
                Ok(json!({ "next": page.next, "lost": page.lost, "events": page.events }))
            }
            ("POST", "spot") => set_market(world, read(body)?, true),
            ("POST", "on-demand") => set_market(world, read(body)?, false),
            ("POST", "interrupt") => interrupt_by_arn(world, &read(body)?),
            ("POST", "role") => {
                let RoleChange { accounts, role } = read(body)?;
                let role = match role {
                    RoleName::Present => Role::Present,
                    RoleName::Missing => Role::Missing,
                    RoleName::ReadOnly => Role::ReadOnly,
                };
                world.happen(WorldEvent::Role { accounts, role });
                Ok(state(world))
            }
            ("POST", "limits") => {
                let Limits { update, describe } = read(body)?;
                world.facts.update_bucket = update.unwrap_or(world.facts.update_bucket);
                world.facts.describe_bucket = describe.unwrap_or(world.facts.describe_bucket);
                Ok(state(world))
            }
            ("POST", "emit") => Ok(emit_by_hand(world, read(body)?)),
            (
                _,
                "state" | "trace" | "events" | "spot" | "on-demand" | "interrupt" | "role" | "limits" | "emit"
                | "advance",
            ) => Err((405, format!("{CONTROL}{name} is not for {method}"))),
            _ => Err((404, format!("no {CONTROL}{}; simulator/README.md lists what there is", shortened(name)))),
        })
    }
}

fn state(world: &World) -> Value {
    let services = (0..world.ecs.services.len()).map(|n| state_of(&world.ecs, ServiceKey(n)));
    let accounts = world.ecs.markets.iter().map(|(account, markets)| {
        json!({
            "account": account,
            "spot": capacity(markets.spot.capacity),
            "spotUsed": markets.spot.used,
            "onDemand": capacity(markets.on_demand.capacity),
            "onDemandUsed": markets.on_demand.used,
            "role": match role_of(world, account) {
                Role::Present => "present",
                Role::Missing => "missing",
                Role::ReadOnly => "read-only",
            },
        })
    });
    json!({
        "elapsed": Clock(crate::engine::clock::elapsed(world.now)).to_string(),
        "now": world.dial.shown(world.now).to_string(),
        "central": world.spec.central,
        "limits": { "update": world.facts.update_bucket, "describe": world.facts.describe_bucket },
        "accounts": accounts.collect::<Vec<_>>(),
        "services": services.collect::<Vec<_>>(),
        "trace": world.seen.trace.len(),
        "events": world.bus.log.as_ref().map(EventLog::newest),
    })
}

/// Lines of the trace after the first `after`.
fn trace_after(world: &World, after: u64) -> Value {
    let begin = usize::try_from(after).unwrap_or(usize::MAX).min(world.seen.trace.len());
    let lines: Vec<String> = world.seen.trace[begin..].iter().take(PAGE).map(ToString::to_string).collect();
    json!({ "next": begin + lines.len(), "trace": lines })
}

fn set_market(world: &mut World, market: Market, spot: bool) -> Result<Value, Mistake> {
    let Market { accounts, capacity, loss } = market;
    let capacity = match capacity {
        TasksOrUnlimited::Tasks(tasks) => Capacity::Tasks(tasks),
        TasksOrUnlimited::Word(word) if word == "unlimited" => Capacity::Unlimited,
        TasksOrUnlimited::Word(word) => {
            return Err((400, format!("capacity {word:?} is neither a number of tasks nor \"unlimited\"")));
        }
    };
    accounts.iter().for_each(|account| know_account(world, account));
    world.happen(if spot {
        let loss = match loss {
            LossName::Interrupt => Loss::Interrupt,
            LossName::Silent => Loss::Silent,
            LossName::Keep => Loss::Keep,
        };
        WorldEvent::Spot { accounts, capacity, loss }
    } else {
        WorldEvent::OnDemand { accounts, capacity }
    });
    Ok(state(world))
}

fn interrupt_by_arn(world: &mut World, interruption: &Interruption) -> Result<Value, Mistake> {
    let Interruption { service: arn, tasks } = interruption;
    let parsed: ServiceArn = arn.parse().map_err(|error| (400, format!("{error}")))?;
    let Some(cluster) = parsed.cluster else {
        return Err((400, format!("{arn:?} names no cluster: write service/CLUSTER/NAME")));
    };
    let ServiceArn { account, region, service, .. } = parsed;
    let service = ServiceId { account, region, cluster, service };
    if world.names.service(&service).is_none() {
        return Err((404, format!("no service {arn}")));
    }
    world.happen(WorldEvent::Interrupt { service, tasks: *tasks });
    Ok(state(world))
}

/// An event as if a service of AWS had put it on the default bus of the account.
fn emit_by_hand(world: &mut World, emission: Emission) -> Value {
    let Emission { account, region, source, detail_type, resources, detail } = emission;
    know_account(world, &account);
    let event = json!({
        "version": "0",
        "id": world.dice.bus.uuid(),
        "detail-type": detail_type,
        "source": source.as_deref().unwrap_or(handlers::event::ECS_SOURCE),
        "account": account,
        "time": humantime::format_rfc3339_seconds(world.env().wall_clock()).to_string(),
        "region": region.as_ref().unwrap_or(&world.spec.region),
        "resources": resources,
        "detail": detail,
    });
    world.on_ecs(|_, env| env.put_event(&account, &event));
    event
}

/// A service as the state has it.
pub(super) fn state_of(ecs: &Ecs, key: ServiceKey) -> Value {
    let (service, seen) = (ecs.service(key), ecs.shown(key));
    let on_spot = service.tasks.values().filter(|task| task.is_running() && task.on_spot()).count();
    json!({
        "service": service.id.arn(),
        "active": seen.active,
        "strategy": seen.strategy,
        "desired": seen.desired,
        "running": seen.running,
        "runningOnSpot": on_spot,
        "pending": seen.pending,
        "deployments": seen.deployments.len(),
    })
}

fn capacity(capacity: Capacity) -> Value {
    match capacity {
        Capacity::Tasks(tasks) => tasks.into(),
        Capacity::Unlimited => "unlimited".into(),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Mistake> {
    serde_json::from_slice(body).map_err(|error| (400, format!("the body is not what this takes: {error}")))
}

/// `after=N` of a query; 0 without it.
fn number(query: &str) -> Result<u64, Mistake> {
    let mut fields = form_urlencoded::parse(query.as_bytes());
    let Some((_, after)) = fields.find(|(name, _)| name == "after") else { return Ok(0) };
    after.parse().map_err(|_| (400, format!("after={} is not a number", shortened(&after))))
}
