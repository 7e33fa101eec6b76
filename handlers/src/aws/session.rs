//! Sessions in the workload accounts: role `CentralSpotAutomationRole`, assumed once per account and kept until shortly before
//! it expires.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_sdk_ecs::config::IdentityCache;
use aws_sdk_ecs::config::retry::RetryPartition;

use super::Cell;
use crate::service::AccountId;

/// The role in every workload account, a contract of the original design.
pub const ROLE: &str = "CentralSpotAutomationRole";

/// How long before its end a session is no longer used: longer than any invocation that may still hold it. A session lasts an
/// hour, the most that role chaining allows (aws-facts.md §8).
const BEFORE_EXPIRY: Duration = Duration::from_secs(5 * 60);

/// Longest `RoleSessionName` (aws-facts.md §8).
const MAX_SESSION_NAME: usize = 64;

/// ECS clients, one per workload account, each with the session it assumed.
#[derive(Debug)]
pub(super) struct Sessions {
    config: SdkConfig,
    cell: Cell,
    timeout: Duration,
    clients: RefCell<BTreeMap<AccountId, aws_sdk_ecs::Client>>,
}

impl Sessions {
    pub(super) fn new(config: &SdkConfig, cell: &Cell, timeout: Duration) -> Self {
        Self { config: config.clone(), cell: cell.clone(), timeout, clients: RefCell::default() }
    }

    /// ECS in `account`. The role is assumed when the first call needs it, and one call at a time assumes it.
    pub(super) async fn ecs(&self, account: &AccountId) -> aws_sdk_ecs::Client {
        if let Some(client) = self.clients.borrow().get(account) {
            return client.clone();
        }
        let mut role = AssumeRoleProvider::builder(role_arn(&self.cell, account))
            .configure(&self.config)
            .session_name(session_name(&self.cell));
        if let Some(id) = &self.cell.external_id {
            role = role.external_id(id);
        }
        let role = role.build().await;
        let sessions = IdentityCache::lazy().buffer_time(BEFORE_EXPIRY).load_timeout(self.timeout).build();
        let config = aws_sdk_ecs::config::Builder::from(&self.config)
            .credentials_provider(role)
            .identity_cache(sessions)
            // A budget of retries per account: one that is throttled must not use up the others'.
            .retry_partition(RetryPartition::new(format!("ecs-{account}")))
            .build();
        // Another call may have come first while this one waited.
        let mut clients = self.clients.borrow_mut();
        clients.entry(account.clone()).or_insert_with(|| aws_sdk_ecs::Client::from_conf(config)).clone()
    }

    /// Assumes the role anew next time, because ECS no longer accepts the session.
    pub(super) fn forget(&self, account: &AccountId) {
        self.clients.borrow_mut().remove(account);
    }
}

/// The role is built from the account alone, never from a text in an event (DESIGN §6).
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
