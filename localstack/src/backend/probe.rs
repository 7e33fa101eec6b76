//! Whether what answers at a URL is the LocalStack that we want.

use std::time::Duration;

use serde_json::Value;

use super::{StartError, VERSION};

/// A LocalStack that is up answers at once.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The body of `GET {url}{path}`, whatever its status.
pub(super) fn get(url: &str, path: &str) -> Result<(u16, String), ureq::Error> {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).timeout_global(Some(TIMEOUT));
    let mut answer = ureq::Agent::new_with_config(agent.build()).get(format!("{url}{path}")).call()?;
    Ok((answer.status().as_u16(), answer.body_mut().read_to_string()?))
}

/// Whether a LocalStack [`VERSION`] answers at `url`.
pub(super) fn check(url: &str) -> Result<(), StartError> {
    let (status, body) = get(url, "/_localstack/info")
        .map_err(|error| StartError::Unreached { url: url.to_owned(), problem: error.to_string() })?;
    let info: Value = serde_json::from_str(&body).unwrap_or_default();
    match info["version"].as_str() {
        // A development build says 4.14.0.dev3 or 4.14.0:abc.
        Some(version) if version == VERSION || version.starts_with(&format!("{VERSION}:")) => Ok(()),
        Some(version) => Err(StartError::Version { url: url.to_owned(), version: version.to_owned() }),
        None if is_about_a_token(&body) => Err(StartError::Token { problem: first_line(&body) }),
        None => {
            let problem = format!("GET /_localstack/info: HTTP {status} without a version");
            Err(StartError::NotLocalStack { url: url.to_owned(), problem })
        }
    }
}

/// Whether `text`, a log or a body, is how a release that wants an account says so.
pub(super) fn is_about_a_token(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains("localstack_auth_token") || text.contains("license activation failed")
}

/// The first line of `text` that says something, cut to a size for a sentence.
pub(super) fn first_line(text: &str) -> String {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().chars().take(200).collect()
}

/// The last line of `text` that says something, cut likewise.
pub(super) fn last_line(text: &str) -> String {
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().chars().take(200).collect()
}
