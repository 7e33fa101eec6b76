//! Scenario files: TOML text in, a [`Scenario`] or a [`Problem`] that points at the mistake out.
//!
//! A file is refused for anything it says that would not be played: an unknown key, a service that does not exist, an
//! expectation that can never be checked. A scenario that passes because of a typing error proves nothing.

mod accounts;
mod cursor;
mod event;
mod expect;
mod faults;
mod fleet;
pub mod keys;
mod output;
mod policy;
mod quotas;
mod scenario;
mod service;
mod strategy;
mod suggest;
mod threat;
mod write;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use handlers::service::{AccountId, NameError};
use simulator::spec::WorldSpec;
use toml::de::DeTable;

use crate::diagnostic::Fault;
pub use crate::diagnostic::Problem;
use accounts::MAX_ACCOUNTS;
use cursor::{Result as Step, Table, Value};
use fleet::Fleet;
pub use scenario::{Check, Expectation, FinalStrategy, Scenario};
use scenario::{DEFAULT_CENTRAL, DEFAULT_REGION};
use threat::Threats;
pub use write::write;

/// Largest file that is read, 1 MiB: some thousand services, each written out; a `[[fleet]]` of any size takes a few lines.
pub const MAX_BYTES: usize = 1 << 20;
const LONGEST: Duration = Duration::from_secs(31 * 24 * 3600);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// What a list of scenarios shows of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// The title, or a remark in brackets if the file has none that can be read.
    pub title: String,
    /// The first line of `about`, or what is wrong with the file.
    pub about: String,
}

/// Reads the scenario at `path`.
pub fn load(path: &Path) -> Result<Scenario, Problem> {
    let name = path.display().to_string();
    parse(&name, &read(&name, path)?)
}

/// Reads the scenario at `path` with its fleets scaled to about `services` generated services in all, each fleet and the number of
/// its accounts by the same share, at least one of either. Services and accounts that the file names stay. A file without a fleet is
/// refused.
pub fn load_scaled(path: &Path, services: u32) -> Result<Scenario, Problem> {
    let name = path.display().to_string();
    parse_with(&name, &read(&name, path)?, Some(services))
}

/// Reads the scenario at `path`, and scales it to about `most` services if it has more, as [`load_scaled`] does. The second is how many it
/// has in full, where it was scaled.
pub fn load_at_most(path: &Path, most: u32) -> Result<(Scenario, Option<usize>), Problem> {
    let scenario = load(path)?;
    let services = scenario.world.services.len();
    if services <= most as usize {
        return Ok((scenario, None));
    }
    Ok((load_scaled(path, most)?, Some(services)))
}

/// Reads the scenario in `text`; `name` stands for the file in what is printed.
pub fn parse(name: &str, text: &str) -> Result<Scenario, Problem> {
    parse_with(name, text, None)
}

fn parse_with(name: &str, text: &str, generated: Option<u32>) -> Result<Scenario, Problem> {
    // Some editors begin a file with a byte order mark. It is not part of the first line, nor of its columns.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    scenario(text, generated).map_err(|fault| Problem::new(name, text, fault))
}

/// Title and first line of `about` of the file at `path`. Never fails, so that one broken file cannot hide the others: of a file
/// with mistakes it shows as much as can be made out.
pub fn heading(path: &Path) -> Heading {
    let name = path.display().to_string();
    let text = match read(&name, path) {
        Ok(text) => text,
        Err(problem) => return Heading { title: "(unreadable)".into(), about: problem.message().into() },
    };
    let (document, _) = DeTable::parse_recoverable(text.strip_prefix('\u{feff}').unwrap_or(&text));
    let first_line = |key: &str| {
        let text = document.get_ref().get(key)?.get_ref().as_str()?.trim().lines().next()?;
        Some(text.chars().filter(|c| !c.is_control()).take(200).collect::<String>())
    };
    let title = first_line("title").filter(|title| !title.is_empty()).unwrap_or_else(|| "(no title)".into());
    Heading { title, about: first_line("about").unwrap_or_default() }
}

/// The file's text. Reads one byte more than is allowed, never a file of any size.
fn read(name: &str, path: &Path) -> Result<String, Problem> {
    let bytes = read_bounded(path).map_err(|error| Problem::unreadable(name, &error))?;
    let refused = |fault| Problem::new(name, &String::from_utf8_lossy(&bytes), fault);
    if bytes.len() > MAX_BYTES {
        return Err(refused(too_large()));
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => Err(refused(not_utf8(error.valid_up_to()))),
    }
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn too_large() -> Fault {
    Fault::new(MAX_BYTES..MAX_BYTES, "the file is too large: a scenario is at most 1 MiB", "1 MiB ends here")
}

fn not_utf8(at: usize) -> Fault {
    Fault::new(at..at + 1, "the file is not UTF-8 text", "this is not a character").help("save the file as UTF-8")
}

fn scenario(text: &str, generated: Option<u32>) -> Step<Scenario> {
    if text.len() > MAX_BYTES {
        return Err(too_large());
    }
    let document = DeTable::parse(text).map_err(|error| not_toml(text, &error))?;
    if document.get_ref().is_empty() {
        return Err(Fault::new(0..0, "the file is empty", "a scenario begins with a title")
            .help("needed are: title, duration, one [[service]] or more, and [expect]"));
    }
    let root = Table::document(&document, &keys::SCENARIO)?;
    let title = root.need("title")?.line()?.trim().to_owned();
    let about = root.get("about").map_or(Ok(""), Value::text)?.trim().replace("\r\n", "\n");
    let end = root.need("duration")?;
    let duration = end.duration(SECOND..=LONGEST)?;
    let (world, fleets) = world(&root, end, duration, generated)?;
    let mut facts = faults::read(root.get("faults"))?;
    quotas::read(root.get("quotas"), &mut facts)?;
    let threats = Threats::of(&world, &facts);
    let expectations = expect::read_all(&root, &world.services, &fleets, &threats, duration)?;
    Ok(Scenario { title, about, duration, world, facts, expectations })
}

fn world(
    root: &Table<'_>,
    end: Value<'_>,
    duration: Duration,
    generated: Option<u32>,
) -> Step<(WorldSpec, Vec<Fleet>)> {
    let seed = root.get("seed").map_or(Ok(1), |seed| seed.integer(0..=i64::MAX as u64))?;
    let region = name_or(root.get("region"), DEFAULT_REGION)?;
    let central = name_or(root.get("central"), DEFAULT_CENTRAL)?;
    let synthetic_from = root.get("synthetic_from").map_or(Ok(Vec::new()), accounts::read)?;
    let restore_schedule = root.get("restore_schedule").map_or(Ok(MINUTE), |value| value.duration(SECOND..=HOUR))?;
    let policy = policy::read(root.get("policy"))?;

    let list = root.get("accounts");
    let mut listed = list.map_or(Ok(Vec::new()), accounts::read)?;
    let mut places = service::Places::new();
    let mut services = service::read_all(root, &region, list, &listed, &mut places)?;
    let ground = fleet::Ground { region: &region, seed, accounts: list, listed: &listed, generated };
    let fleets = fleet::read_all(root, &ground, &mut places, &mut services)?;
    if services.is_empty() {
        return Err(root
            .fault("the scenario has no service", "`[[service]]` is missing")
            .help("add a [[service]] with account, cluster, name, desired and strategy, or a [[fleet]] of many"));
    }
    // With a list, what is not in it yet are the accounts that fleets made for themselves.
    let mut seen: BTreeSet<AccountId> = listed.iter().cloned().collect();
    let of_fleets = fleets.iter().flat_map(|fleet| &fleet.accounts);
    let further = services.iter().map(|service| &service.id.account).chain(of_fleets);
    listed.extend(further.filter(|account| seen.insert((*account).clone())).cloned());
    if listed.len() > MAX_ACCOUNTS {
        let message = format!("the services are of {} accounts; at most {MAX_ACCOUNTS} are allowed", listed.len());
        return Err(root.fault(message, ""));
    }
    let scope = event::Scope { accounts: &listed, services: &services, fleets: &fleets, each: None, duration, end };
    let events = event::read_all(root, &scope)?;
    let world = WorldSpec {
        seed,
        region,
        central,
        accounts: listed,
        synthetic_from,
        restore_schedule,
        policy,
        services,
        events,
    };
    Ok((world, fleets))
}

fn name_or<T: FromStr<Err = NameError>>(value: Option<Value<'_>>, default: &str) -> Step<T> {
    value.map_or_else(|| Ok(default.parse().expect("a default is valid")), Value::name)
}

/// The TOML parser's complaint in our words, where we have some.
fn not_toml(text: &str, error: &toml::de::Error) -> Fault {
    let span = error.span().unwrap_or_else(|| {
        // Only a key of too many parts has no place; it is the first line with that many dots.
        let at = text.split_inclusive('\n').take_while(|line| line.matches('.').count() < 80).map(str::len).sum();
        at..at
    });
    match error.message() {
        "duplicate key" => {
            let key = text.get(span.clone()).unwrap_or_default();
            Fault::new(span, format!("{} is given twice", cursor::quoted(key, '`')), "the second one")
        }
        message if message.contains("recursion") => {
            Fault::new(span, "the file is nested too deeply", "at most 80 levels are allowed")
        }
        message => Fault::new(span, "this is not valid TOML", message),
    }
}
