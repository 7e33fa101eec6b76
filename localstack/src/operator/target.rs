//! Which service a command is about, and how AWS is reached.

use std::env;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_smithy_http_client::tls;
use handlers::service::{Region, ServiceArn, ServiceId};

use super::{Problem, chain};

/// The arguments that every command of an operator has.
#[derive(Debug, Clone, clap::Args)]
pub struct Target {
    /// The service's ARN in its long form, arn:aws:ecs:REGION:ACCOUNT:service/CLUSTER/NAME
    #[arg(long, value_name = "ARN", value_parser = service)]
    pub service: ServiceId,
    /// Where AWS is, for LocalStack; AWS_ENDPOINT_URL_ECS and its like still say where a single service is
    #[arg(long, value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// The cell's region; the service's without it
    #[arg(long)]
    pub region: Option<String>,
    /// A profile of ~/.aws/config, of the central account
    #[arg(long)]
    pub profile: Option<String>,
}

fn service(arn: &str) -> Result<ServiceId, Problem> {
    let ServiceArn { account, region, cluster, service } = arn.parse()?;
    let cluster = cluster.ok_or(Problem::ShortArn)?;
    Ok(ServiceId { account, region, cluster, service })
}

impl Target {
    /// The service's region, which is the cell's.
    pub fn region(&self) -> &Region {
        &self.service.region
    }

    /// Where calls go, for people.
    pub fn at(&self) -> String {
        self.endpoint().unwrap_or_else(|| "AWS".to_owned())
    }

    /// Configuration for clients of any service, with credentials that were found.
    ///
    /// # Errors
    /// [`Problem`] with the arguments or the credentials.
    pub async fn config(&self) -> Result<SdkConfig, Problem> {
        if let Some(region) = self.region.as_deref().filter(|region| *region != self.region().as_str()) {
            return Err(Problem::Region { service: self.region().to_string(), region: region.to_owned() });
        }
        if let Some(url) = self.endpoint_url.as_deref().filter(|url| !is_url(url)) {
            return Err(Problem::Endpoint(url.to_owned()));
        }
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .build_https();
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .region(aws_config::Region::new(self.region().to_string()))
            .http_client(http);
        if let Some(profile) = &self.profile {
            loader = loader.profile_name(profile);
        } else if self.endpoint().as_deref().is_some_and(is_here) && env::var_os("AWS_ACCESS_KEY_ID").is_none() {
            // LocalStack believes everybody; with this name one is in its first account.
            loader = loader.credentials_provider(Credentials::new("test", "test", None, None, "for LocalStack"));
        }
        let mut config = loader.load().await;
        if let Some(url) = &self.endpoint_url {
            // After the environment was read, so that what it says of one service is stronger.
            config = config.into_builder().endpoint_url(url).build();
        }
        match config.credentials_provider() {
            None => Err(Problem::Credentials("no provider".to_owned())),
            Some(provider) => match (provider.provide_credentials().await, &self.profile) {
                (Ok(_), _) => Ok(config),
                (Err(error), None) => Err(Problem::Credentials(chain(&error))),
                (Err(error), Some(profile)) => {
                    Err(Problem::Profile { profile: profile.clone(), problem: chain(&error) })
                }
            },
        }
    }

    fn endpoint(&self) -> Option<String> {
        let everywhere = || env::var("AWS_ENDPOINT_URL").ok().filter(|url| !url.is_empty());
        self.endpoint_url.clone().or_else(everywhere)
    }
}

fn is_url(text: &str) -> bool {
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")).unwrap_or_default();
    !host.is_empty() && !host.starts_with(['/', ':']) && !host.contains(char::is_whitespace)
}

fn is_here(url: &str) -> bool {
    ["http://127.0.0.1", "http://localhost"].iter().any(|here| url.starts_with(here))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_its_long_arn_and_nothing_else() {
        let long = service("arn:aws:ecs:ap-south-1:903558039761:service/test-cluster2/test-cluster-service");
        assert_eq!(long.expect("an ARN").to_string(), "903558039761/test-cluster2/test-cluster-service");
        for (arn, why) in [
            ("arn:aws:ecs:ap-south-1:903558039761:service/test-cluster-service", "names no cluster"),
            ("arn:aws:ecs:ap-south-1:903558039761:cluster/test-cluster2", "service ARN"),
            ("web/checkout", "ECS ARN"),
        ] {
            let problem = service(arn).expect_err(arn).to_string();
            assert!(
                problem.contains(why) && problem.contains("service/CLUSTER/NAME") || problem.contains(why),
                "{problem}"
            );
        }
    }
}
