//! What an operator does by hand: send the original design's synthetic event, and look at every stage that it passes.
//!
//! Works on AWS and on LocalStack alike: credentials, region and endpoints are found as the AWS CLI finds them.
//!
//! | question | file |
//! | --- | --- |
//! | which service, with whose credentials, where? | `target.rs` |
//! | what is sent? | [`inject`] |
//! | what is looked at? | [`verify`], `verify/queues.rs`, `verify/logs.rs`, `verify/service.rs` |
//! | how is it shown? | [`report`] |

pub mod inject;
pub mod report;
mod target;
pub mod verify;

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use handlers::service::NameError;

pub use target::Target;

/// Why a command cannot do its work; it exits with code 2.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Not the ARN of a service.
    #[error(transparent)]
    Arn(#[from] NameError),
    /// The short form of a service's ARN, which names no cluster.
    #[error("the old short form names no cluster; expected arn:aws:ecs:REGION:ACCOUNT:service/CLUSTER/NAME")]
    ShortArn,
    /// The region is not the service's.
    #[error("the service is in {service}, and --region says {region}; leave --region out")]
    Region {
        /// Of the ARN.
        service: String,
        /// Of the command line.
        region: String,
    },
    /// Not a URL.
    #[error("--endpoint-url {0:?} is not a URL; one looks like http://127.0.0.1:4566")]
    Endpoint(String),
    /// No credentials.
    #[error("no AWS credentials ({0}); set AWS_PROFILE or --profile, or export those of the central account")]
    Credentials(String),
    /// A profile that this build cannot use.
    #[error(
        "profile {profile} cannot be used here ({problem}); export its credentials: eval \"$(aws configure export-credentials --profile \
         {profile} --format env)\""
    )]
    Profile {
        /// Which.
        profile: String,
        /// What the SDK says.
        problem: String,
    },
    /// There is no such bus, which EventBridge itself would not say.
    #[error(
        "there is no event bus {bus} in {region}, so the event would be lost; give the central bus with --bus, in the central account"
    )]
    NoBus {
        /// Its name or ARN.
        bus: String,
        /// Where it was looked for.
        region: String,
    },
    /// EventBridge did not take the event.
    #[error("the bus {bus} did not take the event: {problem}")]
    NotSent {
        /// Its name or ARN.
        bus: String,
        /// What EventBridge says.
        problem: String,
    },
    /// Nothing can be printed.
    #[error("cannot write: {0}")]
    Output(#[from] std::io::Error),
}

/// What is known of a call that failed, in one line.
fn text<E, R>(error: &SdkError<E, R>) -> String
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug + 'static,
{
    if let SdkError::ServiceError(answer) = error
        && let Some(code) = answer.err().code()
    {
        return format!("{code}: {}", answer.err().message().unwrap_or("no message"));
    }
    let words = chain(error);
    match error {
        // Of a connection that did not come about, the last word is the one that says why.
        SdkError::DispatchFailure(failure) if failure.is_io() => {
            format!("no way to the endpoint: {}", words.rsplit(": ").next().unwrap_or_default())
        }
        _ => words,
    }
}

/// An error and its causes, without what they repeat.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let sources = std::iter::successors(Some(error), |error: &&(dyn std::error::Error + 'static)| error.source());
    let mut parts: Vec<String> = sources.map(ToString::to_string).collect();
    parts.dedup();
    parts.join(": ").chars().take(300).collect()
}
