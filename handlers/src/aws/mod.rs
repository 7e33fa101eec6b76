//! Production's side of the ports: ECS in the workload accounts, and the central account's table, bus and queues.
//!
//! | question | file |
//! | --- | --- |
//! | whose credentials does a call carry? | `session.rs` |
//! | what is sent to ECS, and what does an error mean? | `ecs.rs`, `failure.rs` |
//! | how does a service become an [`Observation`](crate::observation::Observation)? | `observe.rs` |
//! | how is a record stored? | `store.rs`, `attributes.rs` |
//! | where do audit events go? | `audit.rs` |
//! | when does a failed message come back? | `queue.rs` |
//! | what does a function read from its environment? | [`config`] |
//! | what happens to an invocation? | [`lambda`] |
//!
//! | call | in which account | repeated by the SDK |
//! | --- | --- | --- |
//! | `sts:AssumeRole` of [`ROLE`] | central | yes |
//! | `ecs:DescribeServices` | workload | yes |
//! | `ecs:UpdateService` | workload | never |
//! | `dynamodb:GetItem`, `PutItem`, `DeleteItem` on the table, `Query` on its index [`DUE_INDEX`] | central | yes, writes are conditional |
//! | `events:PutEvents` on the bus | central | yes, an event may come twice |
//! | `sqs:ChangeMessageVisibility` on the queues | central | yes |

mod attributes;
mod audit;
mod clock;
pub mod config;
mod ecs;
mod failure;
pub mod lambda;
mod logs;
mod observe;
mod queue;
mod session;
mod store;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;

use crate::service::Region;
pub use audit::{DETAIL_TYPE, SOURCE};
pub use queue::Backoff;
pub use session::ROLE;
use session::Sessions;
pub use store::DUE_INDEX;

/// One retransmitted SYN takes a second; a TCP and TLS handshake within a region needs milliseconds.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// ECS and DynamoDB answer in well under a second; one that has not answered by now is better asked again.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// All attempts of a read and the pauses between them: an invocation must live to report the error.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(12);
/// `UpdateService` has one attempt, and not to know its outcome costs the time of a lease: wait longer for it.
pub const UPDATE_TIMEOUT: Duration = Duration::from_secs(10);
/// `AssumeRole` happens within an attempt of the call that needs the session, and must end before that does.
pub const ASSUME_TIMEOUT: Duration = Duration::from_secs(4);
/// Attempts of a call that may be repeated; the message or the sweep comes back after that.
pub const ATTEMPTS: u32 = 3;
/// Longest first pause before another attempt, of which the SDK takes a random share and doubles it each time. ECS refills 20
/// reads a second (aws-facts.md §4).
pub const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// How long calls may take, and how often those are made that may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimits {
    /// Until a connection stands.
    pub connect: Duration,
    /// One attempt of a call.
    pub attempt: Duration,
    /// A call with all its attempts.
    pub operation: Duration,
    /// The only attempt of `UpdateService`.
    pub update: Duration,
    /// `AssumeRole` with all its attempts.
    pub assume: Duration,
    /// Attempts of a call that may be repeated.
    pub attempts: u32,
    /// Longest first pause before another attempt.
    pub retry_pause: Duration,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self {
            connect: CONNECT_TIMEOUT,
            attempt: ATTEMPT_TIMEOUT,
            operation: OPERATION_TIMEOUT,
            update: UPDATE_TIMEOUT,
            assume: ASSUME_TIMEOUT,
            attempts: ATTEMPTS,
            retry_pause: RETRY_PAUSE,
        }
    }
}

impl CallLimits {
    fn timeouts(&self, attempt: Duration, operation: Duration) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect)
            .read_timeout(attempt)
            .operation_attempt_timeout(attempt)
            .operation_timeout(operation)
            .build()
    }

    /// `config` with these limits on every call.
    fn apply(&self, config: &SdkConfig) -> SdkConfig {
        let retries = RetryConfig::standard().with_max_attempts(self.attempts).with_initial_backoff(self.retry_pause);
        let timeouts = self.timeouts(self.attempt, self.operation);
        config.to_builder().retry_config(retries).timeout_config(timeouts).build()
    }
}

/// What the adapters need to know of the cell and of the function they work for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The cell's region.
    pub region: Region,
    /// The state table.
    pub table: String,
    /// The bus that transitions are announced on.
    pub bus: String,
    /// The function, which the session name tells the workload account.
    pub function: String,
    /// Sent with `AssumeRole` when the roles' trust policies ask for it.
    pub external_id: Option<String>,
}

/// All ports on AWS. One per function instance: it keeps the connections, and the sessions in the workload accounts.
#[derive(Debug)]
pub struct Aws {
    cell: Cell,
    limits: CallLimits,
    sessions: Sessions,
    dynamodb: aws_sdk_dynamodb::Client,
    eventbridge: aws_sdk_eventbridge::Client,
}

impl Aws {
    /// Ports on the services that `config` leads to, with the credentials of the central account that it carries. Nothing is
    /// called before a port is.
    pub fn new(config: &SdkConfig, cell: Cell, limits: CallLimits) -> Self {
        let config = limits.apply(config);
        Self {
            sessions: Sessions::new(&config, &cell, limits.assume),
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            eventbridge: aws_sdk_eventbridge::Client::new(&config),
            cell,
            limits,
        }
    }
}
