//! The clients of all ports. Each port is in a file of its own.

use aws_config::SdkConfig;

use super::cell::Cell;
use super::limits::CallLimits;
use super::session::Sessions;

/// All ports on AWS. One per function instance: it keeps the connections, and the sessions in the workload accounts.
#[derive(Debug)]
pub struct Aws {
    pub(super) cell: Cell,
    pub(super) limits: CallLimits,
    pub(super) sessions: Sessions,
    pub(super) dynamodb: aws_sdk_dynamodb::Client,
    pub(super) eventbridge: aws_sdk_eventbridge::Client,
    pub(super) sqs: aws_sdk_sqs::Client,
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
            sqs: aws_sdk_sqs::Client::new(&config),
            cell,
            limits,
        }
    }
}
