//! Which service: account, region, cluster and name, parsed once at the edge and trusted afterwards.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Why a text does not name a service, account, region or cluster. Says the thing, the value and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {value:?} is not valid: {allowed}")]
pub struct NameError {
    what: &'static str,
    value: String,
    allowed: &'static str,
}

impl NameError {
    fn new(what: &'static str, value: &str, allowed: &'static str) -> Self {
        // A hostile name must not flood a log line.
        Self { what, value: value.chars().take(80).collect(), allowed }
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $allowed:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Eq, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        // Shared: a name is written once and passed on a thousand times.
        pub struct $type(Arc<str>);

        impl $type {
            /// The text as AWS writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq for $type {
            fn eq(&self, other: &Self) -> bool {
                // Most names that are compared are one name passed on: its text need not be read.
                Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
            }
        }

        impl Hash for $type {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.0.hash(state);
            }
        }

        impl PartialOrd for $type {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $type {
            fn cmp(&self, other: &Self) -> Ordering {
                if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.0.cmp(&other.0) }
            }
        }

        impl FromStr for $type {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { Ok(Self(text.into())) } else { Err(NameError::new($what, text, $allowed)) }
            }
        }

        as_text!($type);
    };
}

/// What a name is besides: a text.
macro_rules! as_text {
    ($type:ident) => {
        impl TryFrom<String> for $type {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.as_str().into()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }
    };
}

fn ecs_name(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// An AWS account: twelve digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId([u8; 12]);

impl AccountId {
    /// The digits as AWS writes them.
    pub fn as_str(&self) -> &str {
        // Digits are text.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for AccountId {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let digits = <[u8; 12]>::try_from(text.as_bytes()).ok().filter(|digits| digits.iter().all(u8::is_ascii_digit));
        digits.map(Self).ok_or_else(|| NameError::new("account", text, "an account is 12 digits"))
    }
}

as_text!(AccountId);

name!(
    /// An AWS region such as `eu-west-1`. Only the shape is checked; AWS adds regions.
    Region, "region", "a region looks like eu-west-1", |t| {
        let mut parts = t.split('-');
        let number = parts.next_back().unwrap_or_default();
        let mut before = 0;
        let words = parts.all(|word| {
            before += 1;
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        });
        words && before >= 2 && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) && t.len() <= 32
    }
);
name!(
    /// An ECS cluster's short name.
    ClusterName, "cluster", "1 to 255 letters, digits, hyphens and underscores", ecs_name
);
name!(
    /// An ECS service's short name.
    ServiceName, "service", "1 to 255 letters, digits, hyphens and underscores", ecs_name
);

impl Region {
    /// The ARN partition the region belongs to: `aws`, `aws-cn` or `aws-us-gov`.
    pub fn partition(&self) -> &'static str {
        if self.0.starts_with("cn-") {
            "aws-cn"
        } else if self.0.starts_with("us-gov-") {
            "aws-us-gov"
        } else {
            "aws"
        }
    }
}

/// One ECS service of one account and region.
///
/// The key of the state table has no region (`{account}::{cluster}::{service}`): a cell serves one region and refuses
/// events of others, so within a cell the key is unique.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServiceId {
    /// The workload account.
    pub account: AccountId,
    /// The region, the same for every service of a cell.
    pub region: Region,
    /// The cluster's short name.
    pub cluster: ClusterName,
    /// The service's short name.
    pub service: ServiceName,
}

impl ServiceId {
    /// The state table's key, `{account_id}::{cluster_name}::{service_name}`.
    pub fn record_id(&self) -> String {
        format!("{}::{}::{}", self.account, self.cluster, self.service)
    }

    /// The long service ARN, `arn:aws:ecs:REGION:ACCOUNT:service/CLUSTER/NAME`.
    pub fn arn(&self) -> String {
        let Self { account, region, cluster, service } = self;
        format!("arn:{}:ecs:{region}:{account}:service/{cluster}/{service}", region.partition())
    }

    /// The ARN of the service's cluster.
    pub fn cluster_arn(&self) -> String {
        let Self { account, region, cluster, .. } = self;
        format!("arn:{}:ecs:{region}:{account}:cluster/{cluster}", region.partition())
    }
}

/// `ACCOUNT/CLUSTER/SERVICE`, the form people read in logs and timelines.
impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.account, self.cluster, self.service)
    }
}

/// An ECS ARN taken apart. Its resource stays text; [`ServiceArn`] and the event parser read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EcsArn<'a> {
    /// Account of the resource.
    pub account: AccountId,
    /// Region of the resource.
    pub region: Region,
    /// `service`, `cluster`, `task`, `capacity-provider`…
    pub kind: &'a str,
    /// What follows the kind and its slash.
    pub path: &'a str,
}

impl<'a> EcsArn<'a> {
    /// Parses `arn:PARTITION:ecs:REGION:ACCOUNT:KIND/PATH`; the partition must be the region's.
    pub fn parse(arn: &'a str) -> Result<Self, NameError> {
        let error = || NameError::new("ECS ARN", arn, "expected arn:aws:ecs:REGION:ACCOUNT:KIND/NAME");
        let mut parts = arn.splitn(6, ':');
        let mut part = || parts.next().ok_or_else(error);
        let (scheme, partition, service) = (part()?, part()?, part()?);
        let (region, account, resource): (Region, AccountId, &str) = (part()?.parse()?, part()?.parse()?, part()?);
        let (kind, path) = resource.split_once('/').ok_or_else(error)?;
        if scheme != "arn" || service != "ecs" || partition != region.partition() || path.is_empty() {
            return Err(error());
        }
        Ok(Self { account, region, kind, path })
    }
}

/// A service ARN: the long form names the cluster, the old short form (`service/NAME`) does not (aws-facts.md §2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceArn {
    /// Account of the service.
    pub account: AccountId,
    /// Region of the service.
    pub region: Region,
    /// The cluster, where the ARN is of the long form.
    pub cluster: Option<ClusterName>,
    /// The service's short name.
    pub service: ServiceName,
}

impl FromStr for ServiceArn {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let arn = EcsArn::parse(text)?;
        if arn.kind != "service" {
            return Err(NameError::new(
                "service ARN",
                text,
                "expected arn:aws:ecs:REGION:ACCOUNT:service/CLUSTER/NAME",
            ));
        }
        let (cluster, service) = match arn.path.split_once('/') {
            Some((cluster, service)) => (Some(cluster.parse()?), service.parse()?),
            None => (None, arn.path.parse()?),
        };
        Ok(Self { account: arn.account, region: arn.region, cluster, service })
    }
}

impl fmt::Display for ServiceArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arn:{}:ecs:{}:{}:service/", self.region.partition(), self.region, self.account)?;
        if let Some(cluster) = &self.cluster {
            write!(f, "{cluster}/")?;
        }
        write!(f, "{}", self.service)
    }
}
