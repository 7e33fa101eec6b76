//! EventBridge in the central account: `PutEvents` on the cell's bus.

use handlers::aws::config::BUS;
use handlers::aws::{DETAIL_TYPE, SOURCE};
use handlers::transition::Transition;
use serde::Deserialize;
use serde_json::{Value, json};

use super::json_response;
use crate::wire::Response;
use crate::world::World;

/// `X-Amz-Target` of the one operation that is served.
pub(super) const PUT_EVENTS: &str = "AWSEvents.PutEvents";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutEvents {
    entries: Vec<Entry>,
}

/// `PutEventsRequestEntry`, as far as the bus looks at it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    event_bus_name: String,
    source: String,
    detail_type: String,
    detail: String,
}

/// Entries fail one by one, in an answer of HTTP 200 (aws-facts.md §5).
pub(super) fn put_events(world: &mut World, body: &[u8]) -> Response {
    let request: PutEvents = match serde_json::from_slice(body) {
        Ok(request) => request,
        Err(error) => {
            let text = error.to_string();
            return json_response(400, &json!({ "__type": "SerializationException", "message": text }));
        }
    };
    let entries: Vec<Value> = request.entries.iter().map(|entry| put(world, entry)).collect();
    let failed = entries.iter().filter(|entry| entry.get("ErrorCode").is_some()).count();
    json_response(200, &json!({ "FailedEntryCount": failed, "Entries": entries }))
}

/// The bus takes anything; this one says so of what nobody but our own handlers is expected to put there.
fn put(world: &mut World, entry: &Entry) -> Value {
    let failed = |code: &str, message: String| json!({ "ErrorCode": code, "ErrorMessage": message });
    if entry.event_bus_name != BUS {
        return failed("ResourceNotFoundException", format!("Event bus {} does not exist.", entry.event_bus_name));
    }
    if (entry.source.as_str(), entry.detail_type.as_str()) != (SOURCE, DETAIL_TYPE) {
        return failed("InvalidArgument", format!("{} from {} is no event of ours", entry.detail_type, entry.source));
    }
    match serde_json::from_str::<Transition>(&entry.detail) {
        Ok(transition) => {
            world.audit(&transition);
            json!({ "EventId": format!("00000000-0000-4000-8000-{:012x}", world.audits.len()) })
        }
        Err(error) => failed("MalformedDetail", error.to_string()),
    }
}
