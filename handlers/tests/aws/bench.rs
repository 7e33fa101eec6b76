//! A server that plays AWS, the ports that talk to it, and the answers of each service.

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_ecs::config::{Credentials, SharedCredentialsProvider};
use handlers::aws::{Aws, CallLimits, Cell};
use serde_json::{Value, json};
use wiremock::matchers::{body_string_contains, header};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::common::region;

pub(crate) const DESCRIBE: &str = "AmazonEC2ContainerServiceV20141113.DescribeServices";
pub(crate) const UPDATE: &str = "AmazonEC2ContainerServiceV20141113.UpdateService";
pub(crate) const GET: &str = "DynamoDB_20120810.GetItem";
pub(crate) const PUT: &str = "DynamoDB_20120810.PutItem";
pub(crate) const DELETE: &str = "DynamoDB_20120810.DeleteItem";
pub(crate) const QUERY: &str = "DynamoDB_20120810.Query";
pub(crate) const PUT_EVENTS: &str = "AWSEvents.PutEvents";
pub(crate) const VISIBILITY: &str = "AmazonSQS.ChangeMessageVisibilityBatch";
/// STS speaks the query protocol: the action stands in the form that is sent.
pub(crate) const ASSUME: &str = "Action=AssumeRole&";

/// Three attempts as in production, without pauses to speak of between them.
pub(crate) fn quick() -> CallLimits {
    CallLimits { retry_pause: Duration::from_millis(2), ..CallLimits::default() }
}

/// Limits for a test in which an answer comes [`late`].
pub(crate) fn impatient() -> CallLimits {
    let short = Duration::from_millis(400);
    CallLimits { attempt: short, update: short, assume: short, ..quick() }
}

pub(crate) struct Bench {
    pub(crate) server: MockServer,
    pub(crate) aws: Aws,
}

pub(crate) fn cell() -> Cell {
    Cell {
        region: region("ap-south-1"),
        table: "ecs_cp_restore_state".into(),
        bus: "central".into(),
        function: "fargate-spot-interruption-handler".into(),
        queue: None,
        external_id: None,
    }
}

pub(crate) async fn sdk(endpoint: &str) -> SdkConfig {
    let central = Credentials::new("AKIDCENTRAL", "secret", None, None, "test");
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .region(aws_config::Region::new("ap-south-1"))
        .credentials_provider(SharedCredentialsProvider::new(central))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(endpoint)
        .load()
        .await
}

impl Bench {
    /// A server where the role can be assumed and nothing else is known yet.
    pub(crate) async fn new() -> Self {
        Self::with(quick()).await
    }

    pub(crate) async fn with(limits: CallLimits) -> Self {
        let bench = Self::without_role(cell(), limits).await;
        bench.on(ASSUME, [assumed(Duration::from_secs(3600))]).await;
        bench
    }

    pub(crate) async fn without_role(cell: Cell, limits: CallLimits) -> Self {
        let server = MockServer::start().await;
        let aws = Aws::new(&sdk(&server.uri()).await, cell, limits);
        Self { server, aws }
    }

    /// Answers the calls of one action one after another; the last answer goes on.
    pub(crate) async fn on<const N: usize>(&self, action: &str, answers: [ResponseTemplate; N]) {
        on(&self.server, action, answers).await;
    }

    /// What was sent for one action.
    pub(crate) async fn sent(&self, action: &str) -> Vec<Request> {
        sent(&self.server, action).await
    }

    /// The bodies of what was sent for one action.
    pub(crate) async fn bodies(&self, action: &str) -> Vec<Value> {
        self.sent(action).await.iter().map(|request| request.body_json().expect("a JSON body")).collect()
    }
}

pub(crate) async fn on<const N: usize>(server: &MockServer, action: &str, answers: [ResponseTemplate; N]) {
    let mock = match action.contains('=') {
        true => Mock::given(body_string_contains(action)),
        false => Mock::given(header("x-amz-target", action)),
    };
    mock.respond_with(OneAfterAnother { answers: answers.into(), next: Default::default() }).mount(server).await;
}

pub(crate) async fn sent(server: &MockServer, action: &str) -> Vec<Request> {
    let mut requests = server.received_requests().await.expect("requests are recorded");
    requests.retain(|request| match request.headers.get("x-amz-target") {
        Some(target) => target == action,
        None => String::from_utf8_lossy(&request.body).contains(action),
    });
    requests
}

struct OneAfterAnother {
    answers: Vec<ResponseTemplate>,
    next: std::sync::atomic::AtomicUsize,
}

impl Respond for OneAfterAnother {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        let n = self.next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        self.answers[n.min(self.answers.len() - 1)].clone()
    }
}

/// HTTP 200 with a JSON body.
pub(crate) fn ok(body: Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(body.to_string(), "application/x-amz-json-1.1")
}

/// An error of a JSON service.
pub(crate) fn error(status: u16, code: &str, message: &str) -> ResponseTemplate {
    let body = json!({ "__type": code, "message": message });
    ResponseTemplate::new(status).set_body_raw(body.to_string(), "application/x-amz-json-1.1")
}

pub(crate) fn throttled() -> ResponseTemplate {
    error(400, "ThrottlingException", "Rate exceeded")
}

pub(crate) fn server_error() -> ResponseTemplate {
    error(500, "ServerException", "Service Unavailable. Please try again later.")
}

pub(crate) fn garbage() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw("<html>surprise", "text/html")
}

/// Later than [`impatient`] ports wait.
pub(crate) const LATE: Duration = Duration::from_secs(5);

/// An answer that comes too late.
pub(crate) fn late() -> ResponseTemplate {
    ok(json!({})).set_delay(LATE)
}

/// `AssumeRole` succeeds; the session lasts so long.
pub(crate) fn assumed(lasts: Duration) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(session(lasts), "text/xml")
}

/// The body of [`assumed`].
pub(crate) fn session(lasts: Duration) -> String {
    let ends = humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + now() + lasts);
    format!(
        r#"<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleResult>
    <AssumedRoleUser>
      <AssumedRoleId>AROA123EXAMPLE123:session</AssumedRoleId>
      <Arn>arn:aws:sts::111122223333:assumed-role/CentralSpotAutomationRole/session</Arn>
    </AssumedRoleUser>
    <Credentials>
      <AccessKeyId>ASIAWORKLOAD</AccessKeyId>
      <SecretAccessKey>secret</SecretAccessKey>
      <SessionToken>token</SessionToken>
      <Expiration>{ends}</Expiration>
    </Credentials>
  </AssumeRoleResult>
  <ResponseMetadata><RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId></ResponseMetadata>
</AssumeRoleResponse>"#
    )
}

/// `AssumeRole` fails.
pub(crate) fn not_assumed(status: u16, code: &str, message: &str) -> ResponseTemplate {
    let body = format!(
        r#"<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>
  <RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId>
</ErrorResponse>"#
    );
    ResponseTemplate::new(status).set_body_raw(body, "text/xml")
}

#[expect(clippy::disallowed_methods, reason = "the expiry of a session is compared with the SDK's own clock")]
pub(crate) fn now() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970")
}

/// A service in full on the original strategy, as `DescribeServices` shows it: [`crate::common::full_on`].
pub(crate) fn described(name: &str) -> Value {
    let arn = |rest: &str| format!("arn:aws:ecs:ap-south-1:111122223333:{rest}");
    let strategy = json!([
        { "capacityProvider": "FARGATE", "weight": 1, "base": 1 },
        { "capacityProvider": "FARGATE_SPOT", "weight": 3, "base": 0 },
    ]);
    json!({
        "serviceArn": arn(&format!("service/shop/{name}")),
        "serviceName": name,
        "clusterArn": arn("cluster/shop"),
        "loadBalancers": [],
        "serviceRegistries": [],
        "status": "ACTIVE",
        "desiredCount": 4,
        "runningCount": 4,
        "pendingCount": 0,
        "capacityProviderStrategy": strategy,
        "platformVersion": "LATEST",
        "platformFamily": "Linux",
        "taskDefinition": arn("task-definition/checkout:7"),
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": { "enable": true, "rollback": true },
            "maximumPercent": 200,
            "minimumHealthyPercent": 100,
            "strategy": "ROLLING",
        },
        "deployments": [{
            "id": "ecs-svc/1",
            "status": "PRIMARY",
            "taskDefinition": arn("task-definition/checkout:7"),
            "desiredCount": 4,
            "pendingCount": 0,
            "runningCount": 4,
            "failedTasks": 0,
            "createdAt": 1_770_000_000.0,
            "updatedAt": 1_770_000_100.123,
            "capacityProviderStrategy": strategy,
            "platformVersion": "1.4.0",
            "platformFamily": "Linux",
            "rolloutState": "COMPLETED",
            "rolloutStateReason": "ECS deployment ecs-svc/1 completed.",
        }],
        "events": [],
        "createdAt": 1_770_000_000.0,
        "placementConstraints": [],
        "placementStrategy": [],
        "healthCheckGracePeriodSeconds": 0,
        "schedulingStrategy": "REPLICA",
        "deploymentController": { "type": "ECS" },
        "tags": [{ "key": "team", "value": "shop" }],
        "enableECSManagedTags": true,
        "propagateTags": "NONE",
        "enableExecuteCommand": false,
        "availabilityZoneRebalancing": "ENABLED",
    })
}
