//! What is known of a call that did not succeed. Classes come from the error's code: ECS throttles and denies with HTTP 400, and
//! `ThrottlingException` has no type of its own in the SDK (aws-facts.md §4).

use std::error::Error;

use aws_runtime::retries::classifiers::THROTTLING_ERRORS;
use aws_sdk_ecs::config::http::HttpResponse;
use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;

/// Codes by which a service rejects the session or its signature. A new session may help; so may a correct clock.
const BAD_SESSION: &[&str] = &[
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// Codes of a call that had no effect because of something that passes: another change, or a limit.
const PASSING: &[&str] = &["ConflictException", "LimitExceeded", "ResourceInUseException", "UpdateInProgressException"];

/// Texts that say the same under a code that says nothing, such as `ClientException`. In lower case. Not "try again" alone: ECS
/// also ends texts with it that tell a person what to fix (aws-facts.md §1.4).
const PASSING_TEXTS: &[&str] = &["try again later", "too many concurrent", "in progress", "busy state"];

/// Codes that leave the effect of a call open, whatever the HTTP status.
const SERVER_TROUBLE: &[&str] = &[
    "InternalFailure",
    "InternalServerError",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServerException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
];

/// Longest text of an error that is passed on to logs and records.
const MAX_TEXT: usize = 500;

/// Why a call did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// `AssumeRole` was denied; the call itself was never sent.
    NoSession(String),
    /// The service, or STS on the way to it, throttled: the call had no effect.
    Throttled(String),
    /// The call had no effect, and a later one may.
    Passing(String),
    /// The service denied the call.
    Denied(String),
    /// The service does not accept the session or its signature: the call had no effect.
    BadSession(String),
    /// The service refused the call with this code, which is none of the above.
    Refused {
        /// `InvalidParameterException` and its like.
        code: String,
        /// What the service says.
        message: String,
    },
    /// No answer, or none that says whether the call had an effect.
    Unclear(String),
}

impl Failure {
    pub(super) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: Error + ProvideErrorMetadata + 'static,
    {
        if let Some(denied) = sources(error).find_map(|source| source.downcast_ref::<AssumeRoleError>()) {
            let text = format!("AssumeRole: {}", described(denied));
            return match denied.code() {
                Some("AccessDenied" | "AccessDeniedException") => Self::NoSession(text),
                Some(code) if is_throttling(code) => Self::Throttled(text),
                _ => Self::Unclear(text),
            };
        }
        let answer = match error {
            SdkError::ServiceError(answer) => answer,
            _ if is_unreached(error) || sources(error).any(is_sts_unreached) => {
                let remedy =
                    "no way to the endpoint; check the function's subnets and VPC endpoints, and AWS_ENDPOINT_URL";
                return Self::Unclear(format!("{remedy}: {}", chain(error)));
            }
            _ => return Self::Unclear(chain(error)),
        };
        let text = described(answer.err());
        let status = answer.raw().status().as_u16();
        // A 5xx may come from anything on the way, whatever its code says.
        match answer.err().code() {
            Some(code) if (400..500).contains(&status) && !SERVER_TROUBLE.contains(&code) => match code {
                "AccessDenied" | "AccessDeniedException" => Self::Denied(text),
                code if is_throttling(code) || status == 429 => Self::Throttled(text),
                code if BAD_SESSION.contains(&code) => Self::BadSession(text),
                code if is_passing(code, &text) => Self::Passing(text),
                code => Self::Refused { code: code.to_owned(), message: message(answer.err()) },
            },
            Some(_) => Self::Unclear(format!("HTTP {status}, {text}")),
            None => {
                // Not what AWS would say. Not the body itself, which may be a session that is not quite well-formed.
                let media_type = answer.raw().headers().get("content-type").unwrap_or("no media type");
                let why = chain(answer.err());
                Self::Unclear(format!("HTTP {status} with a body ({media_type}) that is no answer of AWS: {why}"))
            }
        }
    }

    /// What happened, in words.
    pub(super) fn text(self) -> String {
        match self {
            Self::Refused { code, message } => format!("{code}: {message}"),
            Self::NoSession(text)
            | Self::Throttled(text)
            | Self::Passing(text)
            | Self::Denied(text)
            | Self::BadSession(text)
            | Self::Unclear(text) => text,
        }
    }
}

fn is_throttling(code: &str) -> bool {
    THROTTLING_ERRORS.contains(&code) || code.starts_with("Throttl") || code == "TooManyRequests"
}

fn is_passing(code: &str, text: &str) -> bool {
    let text = text.to_lowercase();
    PASSING.contains(&code) || PASSING_TEXTS.iter().any(|passing| text.contains(passing))
}

fn sources<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

/// Whether no connection came about.
fn is_unreached<E>(error: &SdkError<E, HttpResponse>) -> bool {
    matches!(error, SdkError::DispatchFailure(failure) if failure.is_io())
}

fn is_sts_unreached(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<SdkError<AssumeRoleError, HttpResponse>>().is_some_and(is_unreached)
}

/// `CODE: MESSAGE`, as far as the service says either.
fn described(error: &impl ProvideErrorMetadata) -> String {
    format!("{}: {}", error.code().unwrap_or("error without a code"), message(error))
}

fn message(error: &impl ProvideErrorMetadata) -> String {
    cut(error.message().unwrap_or("no message"))
}

/// An error and what caused it.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = sources(error).map(ToString::to_string).collect();
    parts.dedup();
    cut(&parts.join(": "))
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}
