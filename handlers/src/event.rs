//! ECS events, authenticated and reduced to the one thing the core wants to know: which service to look at, and why.
//!
//! `account` in the envelope is stamped by EventBridge; everything else an onboarded account can write (aws-facts.md §5).
//! So the source is pinned, and the account and region of every ECS ARN must be the envelope's. Unknown fields are
//! ignored, unknown shapes are refused with the reason, and an event that is merely of no interest says so.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::json::Json;
use crate::service::{AccountId, ClusterName, EcsArn, NameError, Region, ServiceArn, ServiceId, ServiceName};
use crate::strategy::CapacityProvider;
use crate::timestamp::{Timestamp, TimestampError};

/// Longest event accepted, in bytes. An event is kept in the record, and a DynamoDB item holds 400 KB (aws-facts.md §7).
pub const MAX_EVENT_BYTES: usize = 256 * 1024;
/// `source` of the ECS service itself; nobody else can send it (aws-facts.md §5).
pub const ECS_SOURCE: &str = "aws.ecs";
/// `source` of a synthetic event.
pub const SYNTHETIC_SOURCE: &str = "test.aws.ecs";

/// `source` of what we send ourselves.
pub const OWN_SOURCE: &str = "spot-recovery";
/// `detail-type` of the message that hands work on.
const HAND_ON: &str = "Account Turn";

/// Whom this cell believes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// The cell's region; events of other regions are refused.
    pub region: Region,
    /// Accounts whose synthetic events are accepted; empty means none.
    pub synthetic_from: Vec<AccountId>,
}

/// An authenticated event about one service.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The service it is about.
    pub service: ServiceId,
    /// What it says.
    pub signal: Signal,
    /// When it happened, from the envelope; whole seconds.
    pub at: Timestamp,
    /// The event as it came.
    pub text: Arc<str>,
}

impl Event {
    /// The event as JSON, kept in the record of an episode it starts.
    pub fn value(&self) -> Value {
        // Whoever made an event has read it.
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

/// What an event says about a service. Never a command: the core looks at the service and decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signal {
    /// ECS could not place a task on `FARGATE_SPOT`.
    SpotPlacementFailure,
    /// ECS could not place a task on `FARGATE`: On-Demand is short too.
    OnDemandPlacementFailure,
    /// A person or a test wants the pipeline to act as if Spot could not be placed.
    SyntheticPlacementFailure,
    /// A Spot task of the service was interrupted.
    Interruption,
    /// A Spot task of the service stopped, and neither Spot nor the scheduler is named as the cause: maybe a silent loss.
    SpotTaskStopped,
    /// A Spot task of the service started, or the scheduler stopped it: a service worth watching.
    SpotTask,
}

/// What became of an event that was understood.
#[derive(Debug, Clone, PartialEq)]
pub enum Parsed {
    /// Go on with what is due of this account ([`hand_on`]).
    GoOn(AccountId, Region),
    /// Look at this service.
    Event(Box<Event>),
    /// Genuine, but nothing for us; the reason is for the log.
    Ignored(&'static str),
}

/// Why an event is refused. A refused message fails alone and ends in the DLQ.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Longer than [`MAX_EVENT_BYTES`].
    #[error("event of {0} bytes; at most {MAX_EVENT_BYTES} are accepted")]
    TooLarge(usize),
    /// Not JSON, or nested too deeply.
    #[error("event is not JSON: {0}")]
    NotJson(String),
    /// A field is missing or of the wrong type.
    #[error("event has no usable {field}: expected {expected}")]
    Shape {
        /// Path of the field.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// A name or ARN in it is malformed.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Its time cannot be read.
    #[error(transparent)]
    Time(#[from] TimestampError),
    /// Neither ECS nor a synthetic source.
    #[error("source {0:?} is neither {ECS_SOURCE} nor {SYNTHETIC_SOURCE}")]
    Source(String),
    /// From another region.
    #[error("event of region {found}; this cell serves {expected}")]
    ForeignRegion {
        /// The cell's.
        expected: Region,
        /// The event's.
        found: Region,
    },
    /// An ARN of another account than the sender's.
    #[error("event of account {sender} speaks of account {named}")]
    ForeignAccount {
        /// Stamped by EventBridge.
        sender: AccountId,
        /// Found in an ARN.
        named: AccountId,
    },
    /// A synthetic event from an account that may not send any.
    #[error("synthetic event from account {0}, which this cell does not accept synthetic events from")]
    SyntheticNotAllowed(AccountId),
    /// The ARNs name different services or clusters.
    #[error("event names cluster {0} and cluster {1}")]
    TwoClusters(ClusterName, ClusterName),
}

/// The message by which a handler whose time is over makes another go on with what is due of an account. No rule sends events of
/// this source to a queue, and one who forged it would gain nothing: what is due is looked at anyway.
pub fn hand_on(account: &AccountId, region: &Region, now: Timestamp) -> String {
    json!({
        "source": OWN_SOURCE,
        "detail-type": HAND_ON,
        "account": account.as_str(),
        "region": region.as_str(),
        "time": now.to_string(),
        "detail": {},
    })
    .to_string()
}

/// Authenticates and reads one event.
///
/// # Errors
/// [`Refusal`], for anything that is not a well-formed event of an account and region this cell serves.
pub fn parse(text: &str, trust: &Trust) -> Result<Parsed, Refusal> {
    if text.len() > MAX_EVENT_BYTES {
        return Err(Refusal::TooLarge(text.len()));
    }
    let raw: Json<'_> = serde_json::from_str(text).map_err(|e| Refusal::NotJson(e.to_string()))?;
    let sender: AccountId = string(raw.get("account"), "account")?.parse()?;
    let region: Region = string(raw.get("region"), "region")?.parse()?;
    if region != trust.region {
        return Err(Refusal::ForeignRegion { expected: trust.region.clone(), found: region });
    }
    let at = Timestamp::parse(string(raw.get("time"), "time")?)?;
    let synthetic = match string(raw.get("source"), "source")? {
        OWN_SOURCE if raw.get("detail-type").and_then(Json::text) == Some(HAND_ON) => {
            return Ok(Parsed::GoOn(sender, region));
        }
        ECS_SOURCE => false,
        SYNTHETIC_SOURCE if trust.synthetic_from.contains(&sender) => true,
        SYNTHETIC_SOURCE => return Err(Refusal::SyntheticNotAllowed(sender)),
        other => return Err(Refusal::Source(other.chars().take(80).collect())),
    };
    let Some(detail @ Json::Object(_)) = raw.get("detail") else {
        return Err(Refusal::Shape { field: "detail", expected: "an object" });
    };
    // A synthetic event is about another account than its sender, so its ARNs must agree with each other instead.
    let owner = if synthetic { service_arn(&raw)?.account } else { sender };
    for part in raw.get("resources").into_iter().chain([detail]) {
        check_arns(part, &owner, &region)?;
    }
    let read = match string(raw.get("detail-type"), "detail-type")? {
        "ECS Service Action" => service_action(&raw, detail, synthetic)?,
        "ECS Task State Change" if !synthetic => task_state_change(detail, owner, region)?,
        _ => Read::Ignored("a detail-type that carries no capacity signal"),
    };
    Ok(match read {
        Read::Ignored(why) => Parsed::Ignored(why),
        Read::Signal(service, signal) => Parsed::Event(Box::new(Event { service, signal, at, text: text.into() })),
    })
}

enum Read {
    Signal(ServiceId, Signal),
    Ignored(&'static str),
}

/// `ECS Service Action`, aws-facts.md §2.2.
fn service_action(raw: &Json<'_>, detail: &Json<'_>, synthetic: bool) -> Result<Read, Refusal> {
    if string(detail.get("eventName"), "detail.eventName")? != "SERVICE_TASK_PLACEMENT_FAILURE" {
        return Ok(Read::Ignored("a service action that is no placement failure"));
    }
    let Some(providers) = detail.get("capacityProviderArns").and_then(Json::list) else {
        return Ok(Read::Ignored("a placement failure on container instances"));
    };
    let mut signal = None;
    for provider in providers {
        let arn = provider.text().ok_or(Refusal::Shape { field: "detail.capacityProviderArns", expected: "ARNs" })?;
        let arn = EcsArn::parse(arn)?;
        if arn.kind != "capacity-provider" {
            return Err(Refusal::Shape {
                field: "detail.capacityProviderArns",
                expected: "ARNs of capacity providers",
            });
        }
        match CapacityProvider::from(arn.path.to_owned()) {
            CapacityProvider::FargateSpot if synthetic => signal = Some(Signal::SyntheticPlacementFailure),
            CapacityProvider::FargateSpot => signal = Some(Signal::SpotPlacementFailure),
            CapacityProvider::Fargate if signal.is_none() => signal = Some(Signal::OnDemandPlacementFailure),
            _ => {}
        }
    }
    let Some(signal) = signal else {
        return Ok(Read::Ignored("a placement failure that names no Fargate capacity provider"));
    };
    let arn = service_arn(raw)?;
    let stated = match detail.get("clusterArn") {
        Some(_) => Some(cluster(detail)?),
        None => None,
    };
    let cluster = match (arn.cluster, stated) {
        (Some(a), Some(b)) if a != b => return Err(Refusal::TwoClusters(a, b)),
        (Some(cluster), _) | (None, Some(cluster)) => cluster,
        (None, None) => {
            return Err(Refusal::Shape {
                field: "detail.clusterArn",
                expected: "the cluster's ARN beside a short service ARN",
            });
        }
    };
    Ok(Read::Signal(ServiceId { account: arn.account, region: arn.region, cluster, service: arn.service }, signal))
}

/// `ECS Task State Change`, aws-facts.md §2.3: the service's name stands only in `group`.
fn task_state_change(detail: &Json<'_>, account: AccountId, region: Region) -> Result<Read, Refusal> {
    if detail.get("capacityProviderName").and_then(Json::text) != Some("FARGATE_SPOT") {
        return Ok(Read::Ignored("a task that is not on FARGATE_SPOT"));
    }
    let group = detail.get("group").and_then(Json::text).unwrap_or_default();
    let Some(service) = group.strip_prefix("service:") else {
        return Ok(Read::Ignored("a task of no service"));
    };
    let service: ServiceName = service.parse()?;
    let cluster = cluster(detail)?;
    let field = |key: &str| detail.get(key).and_then(Json::text).unwrap_or_default();
    let interrupted = matches!(field("stopCode"), "SpotInterruption" | "TerminationNotice")
        || field("stoppedReason").contains("Spot Task was interrupted");
    let signal = match field("desiredStatus") {
        _ if interrupted => Signal::Interruption,
        "STOPPED" if field("stopCode") != "ServiceSchedulerInitiated" => Signal::SpotTaskStopped,
        _ => Signal::SpotTask,
    };
    Ok(Read::Signal(ServiceId { account, region, cluster, service }, signal))
}

fn string<'a>(found: Option<&'a Json<'_>>, field: &'static str) -> Result<&'a str, Refusal> {
    found.and_then(Json::text).ok_or(Refusal::Shape { field, expected: "a string" })
}

fn service_arn(raw: &Json<'_>) -> Result<ServiceArn, Refusal> {
    Ok(string(raw.get("resources").and_then(Json::list).and_then(<[_]>::first), "resources[0]")?.parse()?)
}

fn cluster(detail: &Json<'_>) -> Result<ClusterName, Refusal> {
    let arn = EcsArn::parse(string(detail.get("clusterArn"), "detail.clusterArn")?)?;
    if arn.kind != "cluster" {
        return Err(Refusal::Shape { field: "detail.clusterArn", expected: "the ARN of a cluster" });
    }
    Ok(arn.path.parse()?)
}

/// Every ECS ARN below `value` must be of `account` and `region`. serde_json bounds the nesting to 128.
fn check_arns(value: &Json<'_>, account: &AccountId, region: &Region) -> Result<(), Refusal> {
    match value {
        Json::Text(text) if text.starts_with("arn:") && text.split(':').nth(2) == Some("ecs") => {
            let arn = EcsArn::parse(text)?;
            if arn.account != *account {
                return Err(Refusal::ForeignAccount { sender: account.clone(), named: arn.account });
            }
            if arn.region != *region {
                return Err(Refusal::ForeignRegion { expected: region.clone(), found: arn.region });
            }
            Ok(())
        }
        Json::List(items) => items.iter().try_for_each(|item| check_arns(item, account, region)),
        Json::Object(fields) => fields.iter().try_for_each(|(_, item)| check_arns(item, account, region)),
        _ => Ok(()),
    }
}
