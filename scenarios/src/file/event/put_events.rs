//! The action `put_events`: somebody puts an event of their own on the central bus.

use serde_json::{Map, Number, Value as Json};
use simulator::spec::WorldEvent;
use toml::de::DeValue;

use super::scope::Scope;
use crate::diagnostic::Fault;
use crate::file::cursor::{Result, Value};
use crate::file::keys;
use crate::file::output::Entries;

pub(super) fn read(value: Value<'_>, _: &Scope<'_>) -> Result<WorldEvent> {
    let table = value.table(&keys::PUT_EVENTS)?;
    let source = table.need("source")?;
    if source.line()?.starts_with("aws.") {
        // aws-facts.md §5: the entry fails with NotAuthorizedForSource.
        return Err(source
            .fault("cannot be sent", "sources that begin with \"aws.\" are reserved for AWS")
            .help("EventBridge answers NotAuthorizedForSource; a synthetic event has the source \"test.aws.ecs\""));
    }
    let resources = table.get("resources").map_or(Ok(Vec::new()), Value::list)?;
    Ok(WorldEvent::PutEvents {
        from: table.need("from")?.name()?,
        source: source.line()?.to_owned(),
        detail_type: table.need("detail_type")?.line()?.to_owned(),
        resources: resources.into_iter().map(|arn| arn.line().map(str::to_owned)).collect::<Result<_>>()?,
        detail: detail(table.need_like("detail", "'{\"eventName\":\"SERVICE_TASK_PLACEMENT_FAILURE\"}'")?)?,
    })
}

pub(super) fn write(event: &WorldEvent) -> Option<String> {
    let WorldEvent::PutEvents { from, source, detail_type, resources, detail } = event else { return None };
    let entries = Entries::default()
        .with("from", from)
        .with("source", source)
        .with("detail_type", detail_type)
        .with("resources", resources)
        .with("detail", detail.to_string());
    Some(entries.inline())
}

/// An event's detail: an object, as JSON text or as a TOML table.
fn detail(value: Value<'_>) -> Result<Json> {
    if matches!(value.raw(), DeValue::Table(_)) {
        return json(value, value.raw());
    }
    let text = value.text()?;
    match serde_json::from_str(text) {
        Ok(object @ Json::Object(_)) => Ok(object),
        Ok(_) => Err(value.fault("is not a JSON object", "write it in braces: { ... }")),
        Err(error) => Err(Fault::new(value.span(), format!("`{}` is not valid JSON", value.key()), error.to_string())),
    }
}

/// `raw`, somewhere inside `whole`, as JSON. Its depth is bounded by the TOML parser's.
fn json(whole: Value<'_>, raw: &DeValue<'_>) -> Result<Json> {
    let unfit = |what: &str| whole.fault(format_args!("holds {what}"), "JSON has no such number");
    Ok(match raw {
        DeValue::String(text) => Json::String(text.clone().into_owned()),
        DeValue::Boolean(yes) => Json::Bool(*yes),
        DeValue::Datetime(time) => Json::String(time.to_string()),
        DeValue::Integer(number) => {
            let integer = i64::from_str_radix(number.as_str(), number.radix());
            Json::Number(integer.map_err(|_| unfit("a number that is too large"))?.into())
        }
        DeValue::Float(number) => {
            let float = number.as_str().parse().ok().and_then(Number::from_f64);
            Json::Number(float.ok_or_else(|| unfit("a number that is not finite"))?)
        }
        DeValue::Array(items) => {
            Json::Array(items.iter().map(|item| json(whole, item.get_ref())).collect::<Result<_>>()?)
        }
        DeValue::Table(entries) => {
            let entries = entries
                .iter()
                .map(|(key, item)| Ok((key.get_ref().clone().into_owned(), json(whole, item.get_ref())?)));
            Json::Object(entries.collect::<Result<Map<_, _>>>()?)
        }
    })
}
