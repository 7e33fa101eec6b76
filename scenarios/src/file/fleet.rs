//! The tables `[[fleet]]`: thousands of services alike, each group of accounts in one table.
//!
//! ```toml
//! [[fleet]]
//! name     = "shop"     # shop-0001 to shop-6000; events and expectations speak of all of them by this name
//! accounts = 60         # as many of its own, or a list of accounts
//! cluster  = "web"      # in every account
//! clusters = 2          # web-1 and web-2 instead
//! services = 6_000      # in all, spread evenly
//! desired  = [1, 6]     # drawn for each from the seed of the file, or one number
//! strategy = [{ provider = "FARGATE_SPOT", weight = 1 }] # and what else a [[service]] may have
//! ```
//!
//! Reading one generates its services, so a [`Scenario`](super::Scenario) has no fleets: only an event or an expectation of the same
//! file can speak of one by its name.

use std::ops::{Range, RangeInclusive};

use handlers::service::{AccountId, ClusterName, Region, ServiceId, ServiceName};
use simulator::dice::Dice;
use simulator::spec::ServiceSpec;

use super::accounts::{self, MAX_ACCOUNTS};
use super::cursor::{Result, Table, Value};
use super::service::{self, MAX_DESIRED, Places};
use super::{keys, suggest};
use crate::diagnostic::Fault;

/// Most services that the fleets of a scenario generate.
const MAX_SERVICES: u32 = 1_000_000;
/// Most fleets: their number is two digits of the accounts made for them.
const MAX_FLEETS: usize = 99;
/// The default quota of ECS (<https://docs.aws.amazon.com/general/latest/gr/ecs-service.html>).
const SERVICES_PER_CLUSTER: u32 = 5_000;
/// Stream of the seed's dice from which sizes are drawn; the world's streams begin at 0, further fleets follow this one.
const STREAM: u64 = 0xf1ee_7000;

/// One `[[fleet]]`, after its services were generated.
#[derive(Debug)]
pub(super) struct Fleet {
    pub(super) name: ServiceName,
    pub(super) accounts: Vec<AccountId>,
    /// Which of the scenario's services are its.
    pub(super) services: Range<usize>,
}

/// What fleets are generated on.
pub(super) struct Ground<'a> {
    pub(super) region: &'a Region,
    pub(super) seed: u64,
    /// The scenario's list of accounts, if it has one, and what it lists.
    pub(super) accounts: Option<Value<'a>>,
    pub(super) listed: &'a [AccountId],
    /// How many services all fleets shall have, instead of what the file says.
    pub(super) generated: Option<u32>,
}

/// A fleet as the file has it.
struct Plan<'d> {
    table: Table<'d>,
    name: Value<'d>,
    accounts: Accounts,
    clusters: u32,
    services: u32,
}

enum Accounts {
    /// Named in the file.
    Listed(Vec<AccountId>),
    /// So many, of numbers that are the fleet's own.
    Own(u32),
}

/// Reads every `[[fleet]]` and adds its services to `services`.
pub(super) fn read_all<'d>(
    root: &Table<'d>,
    ground: &Ground<'_>,
    places: &mut Places<'d>,
    services: &mut Vec<ServiceSpec>,
) -> Result<Vec<Fleet>> {
    let tables = root.get("fleet").map(|fleet| fleet.tables(&keys::FLEET));
    let tables = tables.transpose()?.unwrap_or_default();
    if let Some(table) = tables.get(MAX_FLEETS) {
        return Err(table.fault(format!("a scenario has at most {MAX_FLEETS} [[fleet]]"), "one too many"));
    }
    let mut plans: Vec<Plan<'_>> = Vec::new();
    for table in tables {
        let plan = plan(table, ground)?;
        let same_name = |other: &&Plan<'_>| other.name.text().ok() == plan.name.text().ok();
        if let Some(first) = plans.iter().find(same_name) {
            return Err(plan.name.fault("names two fleets", "the second one").also(first.name.span(), "the first one"));
        }
        plans.push(plan);
    }
    let planned: u64 = plans.iter().map(|plan| u64::from(plan.services)).sum();
    if let Some(last) = plans.last().filter(|_| planned > u64::from(MAX_SERVICES)) {
        let message = format!("the fleets have {planned} services; at most {MAX_SERVICES} are allowed");
        return Err(last.table.fault(message, "the last one"));
    }
    if let Some(all) = ground.generated {
        if plans.is_empty() {
            return Err(root.fault("the scenario has no [[fleet]] to scale", "its services are named one by one"));
        }
        scale(&mut plans, all, planned);
    }
    plans.iter().enumerate().map(|(n, plan)| generate(n, plan, ground, places, services)).collect()
}

/// The fleet that `value` names.
pub(super) fn find<'f>(value: Value<'_>, fleets: &'f [Fleet]) -> Result<&'f Fleet> {
    let text = value.text()?;
    let names = || fleets.iter().map(|fleet| fleet.name.as_str());
    fleets.iter().find(|fleet| fleet.name.as_str() == text).ok_or_else(|| {
        let label = match suggest::closest(text, names()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "no such fleet".into(),
        };
        let fault = value.fault("is not a [[fleet]] of this scenario", label);
        if fleets.is_empty() { fault } else { fault.help(format!("fleets here: {}", suggest::list(names()))) }
    })
}

fn plan<'d>(table: Table<'d>, ground: &Ground<'_>) -> Result<Plan<'d>> {
    let name = table.need_like("name", "\"shop\"")?;
    name.name::<ServiceName>()?;
    if name.name::<AccountId>().is_ok() {
        return Err(name.fault("is an account", "a fleet's name has a letter in it"));
    }
    let value = table.need_like("accounts", "20")?;
    let accounts = if value.raw().is_array() {
        let listed = accounts::read(value)?;
        if let Some(list) = ground.accounts {
            let unknown = listed.iter().zip(value.list()?).find(|(account, _)| !ground.listed.contains(account));
            if let Some((_, item)) = unknown {
                return Err(accounts::unlisted(item, ground.listed).also(list.span(), "the accounts of this scenario"));
            }
        }
        if listed.is_empty() {
            return Err(value.fault("is empty", "a fleet needs at least one account"));
        }
        Accounts::Listed(listed)
    } else {
        Accounts::Own(value.integer(1..=MAX_ACCOUNTS as u32)?)
    };
    table.need_like("cluster", "\"web\"")?.name::<ClusterName>()?;
    let clusters = table.get("clusters").map_or(Ok(1), |clusters| clusters.integer(1..=10_000))?;
    let services = table.need_like("services", "10_000")?.integer(1..=MAX_SERVICES)?;
    Ok(Plan { name, accounts, clusters, services, table })
}

impl Accounts {
    fn count(&self) -> u32 {
        match self {
            Self::Listed(accounts) => accounts.len() as u32,
            Self::Own(count) => *count,
        }
    }

    /// The accounts; those made for fleet number `fleet` are `1`, two digits of its number, and nine of the account's.
    fn ids(&self, fleet: usize) -> Vec<AccountId> {
        match self {
            Self::Listed(accounts) => accounts.clone(),
            Self::Own(count) => (1..=*count)
                .map(|n| format!("1{:02}{n:09}", fleet + 1).parse().expect("twelve digits are an account"))
                .collect(),
        }
    }
}

/// Gives the fleets, `planned` services in all, their share of `all` instead, and made-up accounts in proportion.
fn scale(plans: &mut [Plan<'_>], all: u32, planned: u64) {
    let share = |n: u32| (u64::from(n) * u64::from(all)).div_ceil(planned).clamp(1, u64::from(MAX_SERVICES)) as u32;
    for plan in plans {
        plan.services = share(plan.services);
        if let Accounts::Own(count) = &mut plan.accounts {
            *count = share(*count).min(MAX_ACCOUNTS as u32);
        }
    }
}

/// Adds the services of fleet number `n`: spread evenly over its accounts, in each of these over its clusters, numbered from 1.
fn generate<'d>(
    n: usize,
    plan: &Plan<'d>,
    ground: &Ground<'_>,
    places: &mut Places<'d>,
    services: &mut Vec<ServiceSpec>,
) -> Result<Fleet> {
    let accounts = plan.accounts.ids(n);
    let in_each = plan.services.div_ceil(plan.accounts.count().saturating_mul(plan.clusters));
    if in_each > SERVICES_PER_CLUSTER {
        let allowed = format!("ECS allows {SERVICES_PER_CLUSTER}");
        return Err(plan
            .table
            .need("services")?
            .fault(format_args!("puts {in_each} into one cluster"), allowed)
            .help("give the fleet more `accounts` or `clusters`"));
    }
    let cluster = plan.table.need("cluster")?;
    let clusters: Vec<ClusterName> = match plan.clusters {
        1 => vec![cluster.name()?],
        many => numbered(cluster, many)?,
    };
    let names: Vec<ServiceName> = numbered(plan.name, plan.services)?;
    let range = desired(&plan.table)?;
    let id = |i: usize| ServiceId {
        account: accounts[i % accounts.len()].clone(),
        region: ground.region.clone(),
        cluster: clusters[i / accounts.len() % clusters.len()].clone(),
        service: names[i].clone(),
    };
    // Whatever is wrong with either end of the range is wrong with the table.
    service::read(&plan.table, id(0), *range.end())?;
    let model = service::read(&plan.table, id(0), *range.start())?;
    let mut dice = Dice::new(ground.seed, STREAM + n as u64);
    let first = services.len();
    for i in 0..names.len() {
        let drawn = dice.below(u64::from(range.end() - range.start()) + 1) as u32;
        let service = ServiceSpec { id: id(i), desired: range.start() + drawn, ..model.clone() };
        service::take_place(places, &service.id, plan.name)?;
        services.push(service);
    }
    Ok(Fleet { name: plan.name.name()?, accounts, services: first..services.len() })
}

/// `shop-0001` to `shop-1200`: as many digits as the last one needs.
fn numbered<T: std::str::FromStr<Err = handlers::service::NameError>>(prefix: Value<'_>, count: u32) -> Result<Vec<T>> {
    let digits = count.to_string().len();
    let text = prefix.text()?;
    (1..=count)
        .map(|n| {
            let name = format!("{text}-{n:0digits$}").parse();
            name.map_err(|_| prefix.fault("is too long", format!("`-` and {digits} digits follow, 255 in all")))
        })
        .collect()
}

/// `desired = 4`, or `[1, 8]` for a number drawn for each service.
fn desired(table: &Table<'_>) -> Result<RangeInclusive<u32>> {
    let value = table.need_like("desired", "4")?;
    if !value.raw().is_array() {
        return value.integer(0..=MAX_DESIRED).map(|desired| desired..=desired);
    }
    let [least, most] = value.list()?[..] else {
        return Err(value.fault("is not a range", "write the least and the most, as in [1, 8]"));
    };
    let low = least.integer(0..=MAX_DESIRED)?;
    let high: u32 = most.integer(0..=MAX_DESIRED)?;
    if high < low {
        return Err(Fault::new(value.span(), "`desired` ends before it begins", format!("write [{high}, {low}]")));
    }
    Ok(low..=high)
}
