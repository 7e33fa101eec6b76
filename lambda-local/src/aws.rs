//! As much of AWS as a failover needs, for measuring: a table with conditional writes, services that take the strategy they are
//! given, a bus and a queue that take everything. Every call is counted. What AWS does beyond that is the simulator's subject.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::http::{Request, Response, Server, response};

/// The workload account.
pub const ACCOUNT: &str = "111122223333";
/// The region, which is also the functions' (see [`crate::function`]).
pub const REGION: &str = "ap-south-1";
/// The services' cluster.
pub const CLUSTER: &str = "shop";
/// Tasks that each service wants.
const DESIRED: u32 = 4;
/// Tasks that each service has: Spot does not give the rest.
const RUNNING: u32 = 2;

/// AWS on loopback, for `AWS_ENDPOINT_URL`.
#[derive(Debug)]
pub struct Aws {
    server: Server,
    world: Arc<Mutex<World>>,
}

#[derive(Debug, Default)]
struct World {
    /// Items by id.
    table: BTreeMap<String, Value>,
    /// Strategies that were given to services, by the service's name, and when, in seconds since 1970.
    updated: BTreeMap<String, (Value, u64)>,
    calls: BTreeMap<String, usize>,
}

impl Aws {
    /// Starts with an empty table. Every service there may be runs short on Spot, with the original strategy.
    ///
    /// # Errors
    /// No port can be had.
    pub fn start() -> io::Result<Self> {
        let world = Arc::<Mutex<World>>::default();
        let served = Arc::clone(&world);
        let server = Server::start(move |request| lock(&served).answer(&request))?;
        Ok(Self { server, world })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// How often each action was called since the last time this was asked.
    pub fn calls(&self) -> BTreeMap<String, usize> {
        std::mem::take(&mut lock(&self.world).calls)
    }
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    fn answer(&mut self, request: &Request) -> Response {
        let action = action(request);
        *self.calls.entry(action.clone()).or_default() += 1;
        let asked: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let answer = match action.as_str() {
            "AssumeRole" => return response(200, "text/xml", session()),
            "GetItem" => match self.table.get(id(&asked["Key"])) {
                Some(item) => json!({ "Item": item }),
                None => json!({}),
            },
            "PutItem" => return self.put(&asked),
            "Query" => json!({ "Items": [], "Count": 0, "ScannedCount": 0 }),
            "DescribeServices" => {
                let names = asked["services"].as_array().into_iter().flatten().filter_map(Value::as_str);
                let services: Vec<Value> = names.map(|name| self.service(name)).collect();
                json!({ "services": services, "failures": [] })
            }
            "UpdateService" => {
                let name = asked["service"].as_str().unwrap_or_default();
                self.updated.insert(name.to_owned(), (asked["capacityProviderStrategy"].clone(), now().as_secs()));
                json!({ "service": self.service(name) })
            }
            "PutEvents" => {
                let entries = asked["Entries"].as_array().map_or(0, Vec::len);
                json!({ "FailedEntryCount": 0, "Entries": vec![json!({ "EventId": "1" }); entries] })
            }
            "ChangeMessageVisibilityBatch" => json!({ "Successful": [], "Failed": [] }),
            other => return error("UnknownOperationException", &format!("{other:?} is not played here"), json!({})),
        };
        response(200, "application/x-amz-json-1.1", answer.to_string())
    }

    /// Writes an item on condition of its version, or of its absence.
    fn put(&mut self, asked: &Value) -> Response {
        let (id, item) = (id(&asked["Item"]), &asked["Item"]);
        let stored = self.table.get(id);
        let expected = asked.pointer("/ExpressionAttributeValues/:version");
        if stored.map(|item| &item["version"]) != expected {
            let message = "The conditional request failed";
            return error("ConditionalCheckFailedException", message, stored.cloned().unwrap_or_default());
        }
        self.table.insert(id.to_owned(), item.clone());
        response(200, "application/x-amz-json-1.0", "{}")
    }

    /// A service as `DescribeServices` shows it.
    fn service(&self, name: &str) -> Value {
        let original = json!([
            { "capacityProvider": "FARGATE", "weight": 1, "base": 1 },
            { "capacityProvider": "FARGATE_SPOT", "weight": 3, "base": 0 },
        ]);
        let update = self.updated.get(name);
        let (strategy, deployed) = update.cloned().unwrap_or((original, 1_770_000_000));
        let rollout = if update.is_some() { "IN_PROGRESS" } else { "COMPLETED" };
        let arn = |rest: String| format!("arn:aws:ecs:{REGION}:{ACCOUNT}:{rest}");
        json!({
            "serviceArn": arn(format!("service/{CLUSTER}/{name}")),
            "serviceName": name,
            "clusterArn": arn(format!("cluster/{CLUSTER}")),
            "status": "ACTIVE",
            "desiredCount": DESIRED, "runningCount": RUNNING, "pendingCount": 0,
            "capacityProviderStrategy": strategy,
            "taskDefinition": arn("task-definition/checkout:7".into()),
            "deploymentConfiguration": { "maximumPercent": 200, "minimumHealthyPercent": 100 },
            "deployments": [{
                "id": format!("ecs-svc/{deployed}"), "status": "PRIMARY",
                "desiredCount": DESIRED, "runningCount": RUNNING, "pendingCount": 0, "failedTasks": 0,
                "createdAt": deployed, "updatedAt": deployed,
                "capacityProviderStrategy": strategy, "rolloutState": rollout,
            }],
            "events": [],
            "createdAt": 1_770_000_000,
            "schedulingStrategy": "REPLICA",
            "deploymentController": { "type": "ECS" },
            "tags": [],
        })
    }
}

/// JSON services have the action in a header, STS in the form that is sent.
fn action(request: &Request) -> String {
    let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok()?.rsplit('.').next());
    let body = String::from_utf8_lossy(request.body());
    let form = || body.split('&').find_map(|pair| pair.strip_prefix("Action="));
    target.or_else(form).unwrap_or_default().to_owned()
}

fn id(item: &Value) -> &str {
    item["id"]["S"].as_str().unwrap_or_default()
}

fn error(code: &str, message: &str, item: Value) -> Response {
    let body = json!({ "__type": code, "message": message, "Item": item });
    response(400, "application/x-amz-json-1.0", body.to_string())
}

/// A session for an hour.
fn session() -> String {
    let ends = humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + now() + Duration::from_secs(3600));
    format!(
        r#"<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
  <AssumedRoleUser><AssumedRoleId>AROA:s</AssumedRoleId><Arn>arn:aws:sts::{ACCOUNT}:assumed-role/r/s</Arn></AssumedRoleUser>
  <Credentials><AccessKeyId>ASIAWORKLOAD</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>
  <SessionToken>token</SessionToken><Expiration>{ends}</Expiration></Credentials>
</AssumeRoleResult></AssumeRoleResponse>"#
    )
}

#[expect(clippy::disallowed_methods, reason = "sessions expire, and events age, by the real clock")]
fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// An event of now about `service`, as EventBridge hands it to SQS: a Spot task of it was interrupted.
pub fn interruption(service: &str) -> Value {
    let detail = json!({
        "clusterArn": format!("arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{CLUSTER}"),
        "capacityProviderName": "FARGATE_SPOT", "group": format!("service:{service}"),
        "lastStatus": "STOPPED", "stopCode": "SpotInterruption", "stoppedReason": "Your Spot Task was interrupted.",
    });
    event("ECS Task State Change", &format!("task/{CLUSTER}/1"), detail)
}

/// An event of now about `service`: ECS could not place a task of it on Spot.
pub fn placement_failure(service: &str) -> Value {
    let detail = json!({
        "eventType": "ERROR", "eventName": "SERVICE_TASK_PLACEMENT_FAILURE",
        "clusterArn": format!("arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{CLUSTER}"),
        "capacityProviderArns": [format!("arn:aws:ecs:{REGION}:{ACCOUNT}:capacity-provider/FARGATE_SPOT")],
        "reason": "RESOURCE:FARGATE",
    });
    event("ECS Service Action", &format!("service/{CLUSTER}/{service}"), detail)
}

fn event(detail_type: &str, resource: &str, detail: Value) -> Value {
    json!({
        "version": "0", "id": "1", "detail-type": detail_type, "source": "aws.ecs", "account": ACCOUNT,
        "time": humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + now()).to_string(), "region": REGION,
        "resources": [format!("arn:aws:ecs:{REGION}:{ACCOUNT}:{resource}")],
        "detail": detail,
    })
}

/// The payload with which Lambda invokes a function for one message of its queue (Lambda developer guide, "Using Lambda with
/// Amazon SQS").
pub fn batch(message_id: &str, body: &str) -> Value {
    json!({ "Records": [{
        "messageId": message_id,
        "receiptHandle": format!("handle-{message_id}"),
        "body": body,
        "attributes": { "ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183" },
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": format!("arn:aws:sqs:{REGION}:999999999999:queue"),
        "awsRegion": REGION,
    }]})
}
