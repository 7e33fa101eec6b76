//! ECS events, authenticated and reduced to the one thing the core wants to know: which service to look at, and why.
//!
//! `account` in the envelope is stamped by EventBridge; everything else an onboarded account can write (aws-facts.md §5).
//! So the source is pinned, and the account and region of every ECS ARN must be the envelope's. Unknown fields are
//! ignored, unknown shapes are refused with the reason, and an event that is merely of no interest says so.

use std::sync::Arc;

use serde_json::Value;

use crate::service::{AccountId, ClusterName, EcsArn, NameError, Region, ServiceArn, ServiceId, ServiceName};
use crate::strategy::CapacityProvider;
use crate::timestamp::{Timestamp, TimestampError};

/// Longest event accepted, in bytes. An event is kept in the record, and a DynamoDB item holds 400 KB (aws-facts.md §7).
pub const MAX_EVENT_BYTES: usize = 256 * 1024;
/// `source` of the ECS service itself; nobody else can send it (aws-facts.md §5).
pub const ECS_SOURCE: &str = "aws.ecs";
/// `source` of a synthetic event.
pub const SYNTHETIC_SOURCE: &str = "test.aws.ecs";

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
    /// The event as it came, kept in the record of an episode it starts.
    pub raw: Arc<Value>,
}

/// What an event says about a service. Never a command: the core looks at the service and decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// ECS could not place a task on `FARGATE_SPOT`.
    SpotPlacementFailure,
    /// ECS could not place a task on `FARGATE`: On-Demand is short too.
    OnDemandPlacementFailure,
    /// A person or a test wants the pipeline to act as if Spot could not be placed.
    SyntheticPlacementFailure,
    /// A Spot task of the service was interrupted.
    Interruption,
    /// A Spot task of the service started or stopped: a service worth watching.
    SpotTask,
}

/// What became of an event that was understood.
#[derive(Debug, Clone, PartialEq)]
pub enum Parsed {
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

/// Authenticates and reads one event.
///
/// # Errors
/// [`Refusal`], for anything that is not a well-formed event of an account and region this cell serves.
pub fn parse(text: &str, trust: &Trust) -> Result<Parsed, Refusal> {
    if text.len() > MAX_EVENT_BYTES {
        return Err(Refusal::TooLarge(text.len()));
    }
    let raw: Value = serde_json::from_str(text).map_err(|e| Refusal::NotJson(e.to_string()))?;
    let sender: AccountId = string(&raw, "/account", "account")?.parse()?;
    let region: Region = string(&raw, "/region", "region")?.parse()?;
    if region != trust.region {
        return Err(Refusal::ForeignRegion { expected: trust.region.clone(), found: region });
    }
    let at = Timestamp::parse(string(&raw, "/time", "time")?)?;
    let synthetic = match string(&raw, "/source", "source")? {
        ECS_SOURCE => false,
        SYNTHETIC_SOURCE if trust.synthetic_from.contains(&sender) => true,
        SYNTHETIC_SOURCE => return Err(Refusal::SyntheticNotAllowed(sender)),
        other => return Err(Refusal::Source(other.chars().take(80).collect())),
    };
    if !raw.get("detail").is_some_and(Value::is_object) {
        return Err(Refusal::Shape { field: "detail", expected: "an object" });
    }
    // A synthetic event is about another account than its sender, so its ARNs must agree with each other instead.
    let owner = if synthetic { service_arn(&raw)?.account } else { sender };
    for part in ["resources", "detail"] {
        check_arns(raw.get(part).unwrap_or(&Value::Null), &owner, &region)?;
    }
    let read = match string(&raw, "/detail-type", "detail-type")? {
        "ECS Service Action" => service_action(&raw, synthetic)?,
        "ECS Task State Change" if !synthetic => task_state_change(&raw, owner, region)?,
        _ => Read::Ignored("a detail-type that carries no capacity signal"),
    };
    Ok(match read {
        Read::Ignored(why) => Parsed::Ignored(why),
        Read::Signal(service, signal) => Parsed::Event(Box::new(Event { service, signal, at, raw: Arc::new(raw) })),
    })
}

enum Read {
    Signal(ServiceId, Signal),
    Ignored(&'static str),
}

/// `ECS Service Action`, aws-facts.md §2.2.
fn service_action(raw: &Value, synthetic: bool) -> Result<Read, Refusal> {
    if string(raw, "/detail/eventName", "detail.eventName")? != "SERVICE_TASK_PLACEMENT_FAILURE" {
        return Ok(Read::Ignored("a service action that is no placement failure"));
    }
    let Some(providers) = raw.pointer("/detail/capacityProviderArns").and_then(Value::as_array) else {
        return Ok(Read::Ignored("a placement failure on container instances"));
    };
    let mut signal = None;
    for provider in providers {
        let arn = provider.as_str().ok_or(Refusal::Shape { field: "detail.capacityProviderArns", expected: "ARNs" })?;
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
    let stated = match raw.pointer("/detail/clusterArn") {
        Some(_) => Some(cluster(raw)?),
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
fn task_state_change(raw: &Value, account: AccountId, region: Region) -> Result<Read, Refusal> {
    if raw.pointer("/detail/capacityProviderName").and_then(Value::as_str) != Some("FARGATE_SPOT") {
        return Ok(Read::Ignored("a task that is not on FARGATE_SPOT"));
    }
    let group = raw.pointer("/detail/group").and_then(Value::as_str).unwrap_or_default();
    let Some(service) = group.strip_prefix("service:") else {
        return Ok(Read::Ignored("a task of no service"));
    };
    let service: ServiceName = service.parse()?;
    let cluster = cluster(raw)?;
    let detail = |key: &str| raw["detail"].get(key).and_then(Value::as_str).unwrap_or_default();
    let interrupted = matches!(detail("stopCode"), "SpotInterruption" | "TerminationNotice")
        || detail("stoppedReason").contains("Spot Task was interrupted");
    let signal = if interrupted { Signal::Interruption } else { Signal::SpotTask };
    Ok(Read::Signal(ServiceId { account, region, cluster, service }, signal))
}

fn string<'a>(raw: &'a Value, pointer: &str, field: &'static str) -> Result<&'a str, Refusal> {
    raw.pointer(pointer).and_then(Value::as_str).ok_or(Refusal::Shape { field, expected: "a string" })
}

fn service_arn(raw: &Value) -> Result<ServiceArn, Refusal> {
    Ok(string(raw, "/resources/0", "resources[0]")?.parse()?)
}

fn cluster(raw: &Value) -> Result<ClusterName, Refusal> {
    let arn = EcsArn::parse(string(raw, "/detail/clusterArn", "detail.clusterArn")?)?;
    if arn.kind != "cluster" {
        return Err(Refusal::Shape { field: "detail.clusterArn", expected: "the ARN of a cluster" });
    }
    Ok(arn.path.parse()?)
}

/// Every ECS ARN below `value` must be of `account` and `region`. serde_json bounds the nesting to 128.
fn check_arns(value: &Value, account: &AccountId, region: &Region) -> Result<(), Refusal> {
    match value {
        Value::String(text) if text.starts_with("arn:") && text.split(':').nth(2) == Some("ecs") => {
            let arn = EcsArn::parse(text)?;
            if arn.account != *account {
                return Err(Refusal::ForeignAccount { sender: account.clone(), named: arn.account });
            }
            if arn.region != *region {
                return Err(Refusal::ForeignRegion { expected: region.clone(), found: arn.region });
            }
            Ok(())
        }
        Value::Array(items) => items.iter().try_for_each(|item| check_arns(item, account, region)),
        Value::Object(fields) => fields.values().try_for_each(|item| check_arns(item, account, region)),
        _ => Ok(()),
    }
}
