//! Sessions in the workload accounts: role `CentralSpotAutomationRole`, assumed once per account and kept until shortly before
//! it expires.
//!
//! There is one ECS client for all accounts; what an account has of its own is its session, which goes with each call. A client and
//! an `AssumeRoleProvider` for each would do the same at 70 KB an account in the place of 3, and a cell may have thousands.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_ecs::config::IdentityCache;
use aws_sdk_ecs::config::retry::RetryPartition;
use aws_sdk_sts::config::http::HttpResponse;
use aws_sdk_sts::error::SdkError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role::builders::AssumeRoleFluentBuilder;

use super::cell::Cell;
use crate::service::AccountId;

/// The role in every workload account, a contract of the original design.
pub const ROLE: &str = "CentralSpotAutomationRole";

/// How long before its end a session is no longer used: longer than any invocation that may still hold it, also after the SDK has
/// taken off up to half of it at random. A session lasts an hour, the most that role chaining allows (aws-facts.md §8).
const BEFORE_EXPIRY: Duration = Duration::from_secs(5 * 60);

/// Longest `RoleSessionName` (aws-facts.md §8).
const MAX_SESSION_NAME: usize = 64;

/// The way into the workload accounts.
#[derive(Debug)]
pub(super) struct Sessions {
    ecs: aws_sdk_ecs::Client,
    sts: aws_sdk_sts::Client,
    cell: Cell,
    roles: RefCell<BTreeMap<AccountId, SharedCredentialsProvider>>,
}

impl Sessions {
    pub(super) fn new(config: &SdkConfig, cell: &Cell, timeout: Duration) -> Self {
        // Keeps the credentials of each role apart from the others', and has one call at a time fetch them.
        let sessions = IdentityCache::lazy().buffer_time(BEFORE_EXPIRY).load_timeout(timeout).build();
        let ecs = aws_sdk_ecs::config::Builder::from(config).identity_cache(sessions).build();
        Self {
            ecs: aws_sdk_ecs::Client::from_conf(ecs),
            sts: aws_sdk_sts::Client::new(config),
            cell: cell.clone(),
            roles: RefCell::default(),
        }
    }

    /// ECS, for calls that carry [`Sessions::of`] an account.
    pub(super) fn ecs(&self) -> &aws_sdk_ecs::Client {
        &self.ecs
    }

    /// What makes a call one of `account`'s. The role is assumed when the call needs it and has no session yet.
    pub(super) fn of(&self, account: &AccountId) -> aws_sdk_ecs::config::Builder {
        let mut roles = self.roles.borrow_mut();
        let role = roles.entry(account.clone()).or_insert_with(|| {
            let assume = self.sts.assume_role().role_arn(role_arn(&self.cell, account));
            let assume = assume.role_session_name(session_name(&self.cell));
            SharedCredentialsProvider::new(Role(assume.set_external_id(self.cell.external_id.clone())))
        });
        let mut config = aws_sdk_ecs::Config::builder();
        // Not `credentials_provider`, which would take it for a new one each time: the cache knows a role by its provider.
        config.set_credentials_provider(Some(role.clone()));
        // A budget of retries per account: one that is throttled must not use up the others'.
        config.retry_partition(RetryPartition::new(format!("ecs-{account}")))
    }

    /// Assumes the role anew next time, because ECS no longer accepts the session.
    pub(super) fn forget(&self, account: &AccountId) {
        self.roles.borrow_mut().remove(account);
    }
}

/// The role of one account.
#[derive(Debug)]
struct Role(AssumeRoleFluentBuilder);

/// Why a call had no session, in the middle of what the SDK says of that call.
#[derive(Debug, thiserror::Error)]
#[error("AssumeRole of {role}")]
struct NotAssumed {
    role: String,
    source: SdkError<AssumeRoleError, HttpResponse>,
}

impl Role {
    async fn assume(&self) -> provider::Result {
        let answer = self.0.clone().send().await.map_err(|source| {
            let role = self.0.get_role_arn().clone().unwrap_or_default();
            CredentialsError::provider_error(NotAssumed { role, source })
        })?;
        let incomplete = || CredentialsError::provider_error("AssumeRole answered without credentials");
        let session = answer.credentials.ok_or_else(incomplete)?;
        let ends = SystemTime::try_from(session.expiration).map_err(CredentialsError::provider_error)?;
        let token = Some(session.session_token);
        Ok(Credentials::new(session.access_key_id, session.secret_access_key, token, Some(ends), "AssumeRole"))
    }
}

impl ProvideCredentials for Role {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.assume())
    }
}

/// The role is built from the account alone, never from a text in an event (aws-facts.md §5).
fn role_arn(cell: &Cell, account: &AccountId) -> String {
    format!("arn:{}:iam::{account}:role/{ROLE}", cell.region.partition())
}

/// `FUNCTION@REGION`, which the workload account's CloudTrail shows with every call: which handler of which cell acted. Not the
/// service: a session is shared by all services of the account, and the call's own parameters name it.
fn session_name(cell: &Cell) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || "_+=,.@-".contains(c) { c } else { '-' };
    format!("{}@{}", cell.function, cell.region).chars().map(allowed).take(MAX_SESSION_NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(function: &str, region: &str) -> Cell {
        Cell {
            region: region.parse().unwrap(),
            table: String::new(),
            bus: String::new(),
            function: function.into(),
            queue: None,
            external_id: None,
        }
    }

    #[test]
    fn a_session_name_says_which_handler_of_which_cell_and_is_one_that_sts_accepts() {
        let name = session_name(&cell("fargate-spot-task-placement-failure-handler", "ap-southeast-2"));
        assert_eq!(name, "fargate-spot-task-placement-failure-handler@ap-southeast-2");
        assert_eq!(session_name(&cell("my function/é:1", "eu-west-1")), "my-function---1@eu-west-1");
        assert_eq!(session_name(&cell(&"x".repeat(140), "eu-west-1")).len(), MAX_SESSION_NAME);
    }

    #[test]
    fn the_role_is_in_the_partition_of_the_region() {
        let account = "111111111111".parse().unwrap();
        for (region, partition) in [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")] {
            let arn = role_arn(&cell("f", region), &account);
            assert_eq!(arn, format!("arn:{partition}:iam::111111111111:role/CentralSpotAutomationRole"));
        }
    }
}
