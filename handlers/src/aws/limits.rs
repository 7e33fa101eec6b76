//! How long a call to AWS may take, and how often it is made.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;

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
    /// Time limits of a call, of each attempt and of all.
    pub(super) fn timeouts(&self, attempt: Duration, operation: Duration) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect)
            .read_timeout(attempt)
            .operation_attempt_timeout(attempt)
            .operation_timeout(operation)
            .build()
    }

    /// `config` with these limits on every call.
    pub(super) fn apply(&self, config: &SdkConfig) -> SdkConfig {
        let retries = RetryConfig::standard().with_max_attempts(self.attempts).with_initial_backoff(self.retry_pause);
        let timeouts = self.timeouts(self.attempt, self.operation);
        config.to_builder().retry_config(retries).timeout_config(timeouts).build()
    }
}
