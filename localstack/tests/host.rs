//! LocalStack on this host, once: its functions as boto3 sees them, the operator's commands, and the end of all of it when whoever
//! started it is killed. The first run makes the Python environment, which takes a minute and needs PyPI.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
use aws_sdk_eventbridge::types::Target;
use aws_sdk_sqs::types::QueueAttributeName;
use handlers::aws::{Aws, CallLimits, Cell};
use handlers::ports::{Clock, Ecs, StateStore};
use handlers::record::{Change, Phase, Record, TABLE};
use handlers::service::{Region, ServiceId};
use lambda_local::aws::{ACCOUNT, CLUSTER, REGION};
use localstack::backend::{self, Progress};

const HOST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/host");

/// The program that starts LocalStack, and the address it printed.
fn up() -> (Child, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_localstack-up"))
        .args(["--localstack", "host", "--env", "OF_EVERY_FUNCTION=it's here"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut line = String::new();
    BufReader::new(program.stdout.take().expect("piped")).read_line(&mut line).expect("it prints its address");
    let endpoint = line.trim().rsplit(' ').next().filter(|word| word.starts_with("http://"));
    let endpoint = endpoint.unwrap_or_else(|| panic!("no address: {line:?}")).to_owned();
    (program, endpoint)
}

#[test]
fn functions_run_an_operator_sees_them_and_nothing_outlives_whoever_started_it() {
    let (mut program, endpoint) = up();
    functions(&endpoint);
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(operator(&endpoint));

    let functions = backend::host::environments(&endpoint).expect("it lists them");
    assert!(!functions.is_empty());
    program.kill().expect("it runs");
    program.wait().expect("it was killed");
    let address = endpoint.trim_start_matches("http://");
    until("LocalStack is gone", || TcpStream::connect(address).is_err());
    until("its functions are gone", || {
        functions.iter().all(|function| !Path::new(&format!("/proc/{}", function.pid)).exists())
    });
}

fn until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..100 {
        if condition() {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("not within 5 s: {what}");
}

/// `host/tests/journey.py`, with boto3 of LocalStack's own environment.
fn functions(endpoint: &str) {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("journey-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("the target directory is ours");
    let python = backend::host::python(&Progress::default()).expect("it was made before");
    let journey = Command::new(python)
        .args([&format!("{HOST}/tests/journey.py"), endpoint])
        .env("JOURNEY_DIRECTORY", &directory)
        .output()
        .expect("it starts");
    std::fs::remove_dir_all(&directory).expect("it is ours");
    assert!(journey.status.success(), "{}", words(&journey));
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn service() -> ServiceId {
    ServiceId {
        account: ACCOUNT.parse().expect("an account"),
        region: REGION.parse().expect("a region"),
        cluster: CLUSTER.parse().expect("a cluster"),
        service: "checkout".parse().expect("a service"),
    }
}

/// A command of the operator about the service: its exit code and what it prints. ECS and STS are the fake's.
fn command(program: &str, arguments: &[&str], endpoint: &str, ecs: &str) -> (Option<i32>, String) {
    let mut command = Command::new(program);
    command.args(arguments).args(["--service", &service().arn(), "--endpoint-url", endpoint]);
    command.env_clear().env("AWS_ENDPOINT_URL_ECS", ecs).env("AWS_ENDPOINT_URL_STS", ecs);
    let output = command.output().expect("the program starts");
    (output.status.code(), words(&output))
}

async fn operator(endpoint: &str) {
    let fake = lambda_local::aws::Aws::start().expect("loopback has a port");
    let ecs = format!("http://{}", fake.address());
    let inject = |more: &[&str]| {
        let arguments = [&["placement-failure"], more].concat();
        command(env!("CARGO_BIN_EXE_inject"), &arguments, endpoint, &ecs)
    };
    let verify = || command(env!("CARGO_BIN_EXE_verify"), &[], endpoint, &ecs);

    // Nothing is deployed: no bus to lose the event on, and each missing stage is said.
    let (code, text) = inject(&[]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("there is no event bus fargate-spot-bus in ap-south-1"), "{text}");
    let (code, text) = verify();
    assert_eq!(code, Some(1), "{text}");
    for missing in ["FAIL  queue", "there is no such queue here", "has not run yet", "FAIL  log", "?     table"] {
        assert!(text.contains(missing), "{missing:?} is not in:\n{text}");
    }

    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(aws_config::Region::new(REGION))
        .endpoint_url(endpoint)
        .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(Credentials::new(
            "test", "test", None, None, "test",
        )))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    let queue = deploy(&config).await;
    store(&config, &ecs).await;

    let (code, text) = inject(&[]);
    assert_eq!(code, Some(0), "{text}");
    let id = text.split("event id ").nth(1).and_then(|rest| rest.split(';').next()).expect("an event id");
    let sqs = aws_sdk_sqs::Client::new(&config);
    let arrived = sqs.receive_message().queue_url(&queue).wait_time_seconds(10).visibility_timeout(0).send().await;
    let arrived = arrived.expect("the queue is there").messages.unwrap_or_default();
    let body: serde_json::Value = serde_json::from_str(arrived[0].body().expect("a body")).expect("JSON");
    assert_eq!((&body["id"], &body["source"]), (&id.into(), &"test.aws.ecs".into()));
    assert_eq!(body["resources"], serde_json::json!([service().arn()]));
    assert_eq!(body["detail"]["reason"], "RESOURCE:FARGATE");

    let (code, text) = verify();
    // The fake's services run 2 of 4 tasks, which is no state to be content with.
    assert_eq!(code, Some(1), "{text}");
    for line in [
        "-     queue  fargate-spot-placement-failure-queue         1 waiting, 0 in flight",
        "ok    DLQ    fargate-spot-placement-failure-dlq           empty",
        "ok    queue  fargate-spot-interruption-queue              0 waiting, 0 in flight",
        "ok    log    fargate-spot-task-placement-failure-handler  1 line about the service in 15m",
        "transition Watching → FailingOver: Spot could not be placed",
        "ok    table  ecs_cp_restore_state                         OnDemand since",
        "config     FARGATE base 1 weight 1, FARGATE_SPOT weight 3",
        "scheduled  true",
        "FAIL  ECS    CentralSpotAutomationRole                    FARGATE base 1 weight 1, FARGATE_SPOT weight 3",
        "tasks      2 of 4 run",
        "expected   FARGATE_SPOT weight 0, FARGATE base 1 weight 10",
        "1 of 6 checks fail",
    ] {
        assert!(text.contains(line), "{line:?} is not in:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "colours in a pipe:\n{text}");
}

/// As much of a cell as an event passes without functions. Returns the URL of the first queue.
async fn deploy(config: &SdkConfig) -> String {
    let sqs = aws_sdk_sqs::Client::new(config);
    let mut urls = Vec::new();
    for kind in ["placement-failure", "interruption"] {
        let dlq = format!("fargate-spot-{kind}-dlq");
        sqs.create_queue().queue_name(&dlq).send().await.expect("a DLQ");
        let redrive =
            format!(r#"{{"deadLetterTargetArn":"arn:aws:sqs:{REGION}:000000000000:{dlq}","maxReceiveCount":5}}"#);
        let queue = sqs.create_queue().queue_name(format!("fargate-spot-{kind}-queue"));
        let queue = queue.attributes(QueueAttributeName::RedrivePolicy, redrive).send().await.expect("a queue");
        urls.push(queue.queue_url.expect("a URL"));
    }
    let events = aws_sdk_eventbridge::Client::new(config);
    events.create_event_bus().name("fargate-spot-bus").send().await.expect("a bus");
    let pattern = include_str!("../../handlers/event-patterns/synthetic-placement-failure.json");
    let rule = events.put_rule().name("placement-failure").event_bus_name("fargate-spot-bus").event_pattern(pattern);
    rule.send().await.expect("a rule");
    let arn = format!("arn:aws:sqs:{REGION}:000000000000:fargate-spot-placement-failure-queue");
    let target = Target::builder().id("queue").arn(arn).build().expect("a target");
    let targets = events.put_targets().rule("placement-failure").event_bus_name("fargate-spot-bus").targets(target);
    targets.send().await.expect("the rule is there");
    let dynamodb = aws_sdk_dynamodb::Client::new(config);
    let id = AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::S).build();
    let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash).build();
    let table = dynamodb.create_table().table_name(TABLE).billing_mode(BillingMode::PayPerRequest);
    let table = table.attribute_definitions(id.expect("an attribute")).key_schema(key.expect("a key"));
    table.send().await.expect("a table");
    urls.remove(0)
}

/// What functions would have left: an item on On-Demand, which ECS does not have live, and a line in a log.
async fn store(config: &SdkConfig, ecs: &str) {
    let region: Region = REGION.parse().expect("a region");
    let cell = |bus: &str| Cell {
        region: region.clone(),
        table: TABLE.into(),
        bus: bus.into(),
        function: "test".into(),
        queue: None,
        external_id: None,
    };
    let aws = Aws::new(config, cell("fargate-spot-bus"), CallLimits::default());
    let fake = Aws::new(&config.to_builder().endpoint_url(ecs).build(), cell(""), CallLimits::default());
    let cluster =
        handlers::ports::Cluster { account: service().account, region: region.clone(), name: service().cluster };
    let looks = fake.describe_services(&cluster, &[service().service]).await.expect("the fake answers");
    let handlers::observation::Look::Found(seen) = &looks[0] else { panic!("not found: {looks:?}") };
    let original = seen.strategy.clone().expect("a strategy");
    let now = aws.now();
    let mut record = Record::new(service(), now);
    record.phase = Phase::OnDemand;
    record.confirmed = true;
    record.change = Some(Change { from: original.clone(), to: original.fallback() });
    record.original = Some(original);
    aws.put(&Arc::new(record).written(now), 0).await.expect("the table is there");

    let logs = aws_sdk_cloudwatchlogs::Client::new(config);
    let group = "/aws/lambda/fargate-spot-task-placement-failure-handler";
    logs.create_log_group().log_group_name(group).send().await.expect("a log group");
    logs.create_log_stream().log_group_name(group).log_stream_name("1").send().await.expect("a log stream");
    let line = |name: &str| {
        let message = serde_json::json!({
            "level": "INFO", "message": "transition", "service": name, "from": "Some(Watching)", "to": "Some(FailingOver)",
            "reason": "Spot could not be placed",
        });
        let event = InputLogEvent::builder().timestamp(now.as_millis().cast_signed()).message(message.to_string());
        event.build().expect("an event")
    };
    let put = logs.put_log_events().log_group_name(group).log_stream_name("1");
    let put = put.log_events(line(&service().to_string())).log_events(line(&format!("{}-2", service())));
    put.send().await.expect("the stream is there");
}
