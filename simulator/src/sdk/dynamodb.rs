//! DynamoDB in the central account: table `ecs_cp_restore_state` and its due index, in dynoxide, a DynamoDB in process.
//!
//! Dynoxide decides what a condition, a key or a page means. The world's own table takes over what it has accepted, for the oracle and
//! the books. The two must agree on every write: where they do not, the model of the native ports is wrong, and that is reported like a
//! broken invariant.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use dynoxide::{Database, DynoxideError};
use handlers::aws::DUE_INDEX;
use handlers::market::Market;
use handlers::record::{Record, TABLE};
use handlers::service::ServiceId;
use handlers::timestamp::Timestamp;
use handlers::turn::Turn;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::json_response;
use crate::wire::Response;
use crate::world::World;

/// `X-Amz-Target` up to the operation.
pub(super) const TARGET: &str = "DynamoDB_20120810.";

/// The central account's table.
pub(super) struct Dynamodb {
    table: Database,
    /// The table as its index shows it. Dynoxide's indexes never lag; this copy is written as late as the world says (aws-facts.md
    /// §7).
    shown: Database,
    /// Writes that the index does not show yet, with the time from which it does.
    under_way: RefCell<VecDeque<(Timestamp, Change)>>,
}

impl fmt::Debug for Dynamodb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dynamodb").finish_non_exhaustive()
    }
}

/// A write that holds.
#[derive(Debug, Clone)]
enum Change {
    Put(Value),
    Delete(Value),
}

/// What an item holds.
enum Entry {
    Record(Arc<Record>),
    Market(Market),
    Turn(Turn),
}

type Answer = Result<Value, DynoxideError>;

impl Default for Dynamodb {
    fn default() -> Self {
        Self { table: database(), shown: database(), under_way: RefCell::default() }
    }
}

/// The table as the cell deploys it.
fn database() -> Database {
    let database = Database::memory().expect("SQLite in memory needs nothing from outside");
    let schema = json!({
        "TableName": TABLE,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            { "AttributeName": "id", "AttributeType": "S" },
            { "AttributeName": "due_shard", "AttributeType": "N" },
            { "AttributeName": "next_check_at", "AttributeType": "N" },
        ],
        "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
        "GlobalSecondaryIndexes": [{
            "IndexName": DUE_INDEX,
            "KeySchema": [
                { "AttributeName": "due_shard", "KeyType": "HASH" },
                { "AttributeName": "next_check_at", "KeyType": "RANGE" },
            ],
            "Projection": { "ProjectionType": "ALL" },
        }],
    });
    call(schema, |request| database.create_table(request)).expect("the schema is one that DynamoDB takes");
    database
}

/// One operation of dynoxide, JSON in and JSON out.
fn call<I: DeserializeOwned, O: Serialize>(
    request: Value,
    operation: impl FnOnce(I) -> Result<O, DynoxideError>,
) -> Answer {
    let request = serde_json::from_value(request);
    let request = request.map_err(|error| DynoxideError::ValidationException(error.to_string()))?;
    let output = serde_json::to_value(operation(request)?);
    output.map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

impl Dynamodb {
    /// Answers one operation. A throttled one has no effect.
    pub(super) fn answer(&self, world: &mut World, operation: &str, body: &[u8]) -> Response {
        let answer = match serde_json::from_slice(body) {
            Err(error) => Err(DynoxideError::SerializationException(error.to_string())),
            Ok(_) if world.table_throttles() => {
                let message = "The level of configured provisioned throughput for the table was exceeded.";
                Err(DynoxideError::ProvisionedThroughputExceededException(message.into()))
            }
            Ok(request) => match operation {
                "GetItem" => call(request, |request| self.table.get_item(request)),
                "PutItem" => self.put(world, request),
                "DeleteItem" => self.delete(world, request),
                "Query" => self.query(world, request),
                _ => Err(DynoxideError::UnsupportedCapability(format!("the DynamoDB operation {operation:?}"))),
            },
        };
        match answer {
            Ok(output) => json_response(200, &output),
            Err(error) => {
                Response { body: error.to_json().into_bytes(), ..json_response(error.status_code(), &Value::Null) }
            }
        }
    }

    fn put(&self, world: &mut World, request: Value) -> Answer {
        let (item, replaces) = (request["Item"].clone(), version_asked_for(&request));
        let answer = call(request, |request| self.table.put_item(request));
        match Entry::of(&item) {
            Ok(entry) => {
                let taken = entry.put_into(world, replaces);
                self.written(world, &answer, taken, Change::Put(json!({ "TableName": TABLE, "Item": item })));
            }
            Err(problem) => {
                world.seen.oracle.violations.push(format!("an item that is neither record, market nor turn: {problem}"))
            }
        }
        answer
    }

    fn delete(&self, world: &mut World, request: Value) -> Answer {
        let (key, version) = (request["Key"].clone(), version_asked_for(&request));
        let answer = call(request, |request| self.table.delete_item(request));
        if let Some(service) = service_of(world, &key["id"]) {
            let stored = world.stored(&service).map(|stored| (**stored).clone());
            let record = Record { version, ..stored.unwrap_or_else(|| Record::new(service, world.now)) };
            let taken = world.delete_record(&record).is_ok();
            self.written(world, &answer, taken, Change::Delete(json!({ "TableName": TABLE, "Key": key })));
        }
        answer
    }

    /// After a write, which the world's own table has `taken` or not: the two must agree, and the index shows what holds.
    fn written(&self, world: &mut World, answer: &Answer, taken: bool, change: Change) {
        let holds = match answer {
            Ok(_) => true,
            Err(DynoxideError::ConditionalCheckFailedException(..)) => false,
            Err(error) => {
                return world.seen.oracle.violations.push(format!("DynamoDB does not take {change:?}: {error}"));
            }
        };
        if holds != taken {
            let verb = |yes| if yes { "takes" } else { "refuses" };
            let [theirs, ours] = [holds, taken].map(verb);
            world
                .seen
                .oracle
                .violations
                .push(format!("DynamoDB {theirs} what the world's own table {ours}: {change:?}"));
        }
        if holds {
            self.under_way.borrow_mut().push_back((world.table.shown_at(world.now), change));
        }
    }

    /// A page is as long as the world says: DynamoDB cuts at 1 MB, which no small world reaches.
    fn query(&self, world: &mut World, mut request: Value) -> Answer {
        self.catch_up(world.now)?;
        request["Limit"] = world.facts.page_size.into();
        call(request, |request| self.shown.query(request))
    }

    fn catch_up(&self, now: Timestamp) -> Result<(), DynoxideError> {
        let mut under_way = self.under_way.borrow_mut();
        while under_way.front().is_some_and(|(shown_at, _)| *shown_at <= now) {
            let Some((_, change)) = under_way.pop_front() else { break };
            match change {
                Change::Put(request) => call(request, |request| self.shown.put_item(request))?,
                Change::Delete(request) => call(request, |request| self.shown.delete_item(request))?,
            };
        }
        Ok(())
    }
}

impl Entry {
    fn of(item: &Value) -> Result<Self, String> {
        let item = item.as_object().and_then(plain_object).ok_or("an attribute has no JSON form")?;
        match Record::from_item(item.clone()) {
            Ok(record) => Ok(Self::Record(Arc::new(record))),
            Err(no_record) => match Market::from_item(item.clone()) {
                Ok(market) => Ok(Self::Market(market)),
                Err(_) => Turn::from_item(item).map(Self::Turn).map_err(|_| no_record.to_string()),
            },
        }
    }

    /// Puts it into the world's own table in the place of that version; returns whether that takes it.
    fn put_into(self, world: &mut World, replaces: u64) -> bool {
        match self {
            Self::Record(record) => world.put_record(&record, replaces).is_ok(),
            // The table counts their versions on by itself.
            Self::Market(next) => world.table.put_market(&Market { version: replaces, ..next }),
            Self::Turn(next) => world.table.put_turn(&Turn { version: replaces, ..next }),
        }
    }
}

/// The version that the condition of a write names; without one the item must be absent.
fn version_asked_for(request: &Value) -> u64 {
    let version = request["ExpressionAttributeValues"][":version"]["N"].as_str();
    version.and_then(|version| version.parse().ok()).unwrap_or(0)
}

/// The service whose record has this key.
fn service_of(world: &World, id: &Value) -> Option<ServiceId> {
    let mut parts = id["S"].as_str()?.splitn(3, "::");
    let (account, cluster, service) = (parts.next()?, parts.next()?, parts.next()?);
    Some(ServiceId {
        account: account.parse().ok()?,
        region: world.spec.region.clone(),
        cluster: cluster.parse().ok()?,
        service: service.parse().ok()?,
    })
}

/// A map of attributes as plain JSON; none where one has no such form.
fn plain_object(attributes: &Map<String, Value>) -> Option<Map<String, Value>> {
    attributes.iter().map(|(name, value)| Some((name.clone(), plain(value)?))).collect()
}

fn plain(attribute: &Value) -> Option<Value> {
    let (kind, value) = attribute.as_object()?.iter().next()?;
    match kind.as_str() {
        "S" | "BOOL" => Some(value.clone()),
        "N" => serde_json::from_str(value.as_str()?).ok(),
        "NULL" => Some(Value::Null),
        "L" => value.as_array()?.iter().map(plain).collect::<Option<Vec<_>>>().map(Value::Array),
        "M" => plain_object(value.as_object()?).map(Value::Object),
        _ => None,
    }
}
