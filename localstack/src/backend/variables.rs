//! LocalStack's configuration (<https://docs.localstack.cloud/references/configuration/>), the part that is the same in every way.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::Path;

use super::Settings;

/// In a container and without.
pub(super) const COMMON: [(&str, &str); 6] = [
    ("SQS_ENDPOINT_STRATEGY", "path"),
    // Nothing goes out: no certificate, no usage events.
    ("SKIP_SSL_CERT_DOWNLOAD", "1"),
    ("DISABLE_EVENTS", "1"),
    ("SQS_DISABLE_CLOUDWATCH_METRICS", "1"),
    // Between two batches of a queue; the plugin's poller waits for messages by itself.
    ("LAMBDA_EVENT_SOURCE_MAPPING_POLL_INTERVAL_SEC", "0.01"),
    ("LAMBDA_EVENT_SOURCE_MAPPING_MAX_BACKOFF_ON_ERROR_SEC", "2"),
];

/// Without a container.
const HOST: [(&str, &str); 8] = [
    ("LOCALSTACK_HOST_ENDS_WITH_STDIN", "1"),
    ("GATEWAY_SERVER", "loopback"),
    ("LAMBDA_RUNTIME_EXECUTOR", "process"),
    ("PROVIDER_OVERRIDE_DYNAMODB", "moto"),
    ("PROVIDER_OVERRIDE_DYNAMODBSTREAMS", "moto"),
    // In a virtual machine with a /.dockerenv it would believe itself in its image.
    ("OVERRIDE_IN_DOCKER", "0"),
    // No name server, no instance metadata.
    ("DNS_ADDRESS", "0"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
];

/// All of a process of this host on `port` that may write to `files`.
pub(super) fn of_host(port: u16, files: &Path, plugin: &str, settings: &Settings) -> Vec<(&'static str, OsString)> {
    let listen = format!("{}:{port}", Ipv4Addr::LOCALHOST);
    let mut variables: Vec<(&'static str, OsString)> = vec![
        ("PYTHONPATH", plugin.into()),
        ("FILESYSTEM_ROOT", files.into()),
        ("TMPDIR", files.into()),
        // The host part of the queue URLs it returns.
        ("LOCALSTACK_HOST", listen.clone().into()),
        ("GATEWAY_LISTEN", listen.into()),
        ("LAMBDA_DOCKER_FLAGS", settings.docker_flags().into()),
    ];
    variables.extend(COMMON.into_iter().chain(HOST).map(|(name, value)| (name, value.into())));
    variables
}

impl Settings {
    /// What every function gets, as the flags of `docker run` that LocalStack takes for its function containers. The plugin reads them
    /// too.
    pub(super) fn docker_flags(&self) -> String {
        let mut flags = "--add-host host.docker.internal:host-gateway".to_owned();
        for (name, value) in &self.function_env {
            flags.push_str(&format!(" -e '{name}={}'", value.replace('\'', r#"'"'"'"#)));
        }
        flags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_functions_are_quoted_for_a_shell() {
        let function_env = [("A", "b"), ("C", "it's $HOME")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = Settings { function_env: function_env.into(), ..Settings::default() };
        let flags = settings.docker_flags();
        assert!(flags.ends_with(r#" -e 'A=b' -e 'C=it'"'"'s $HOME'"#), "{flags}");
    }
}
