//! The JSON schema of scenario files, for editors: made of the table of keys that the parser reads by.
//!
//! It knows what a key may hold, not what the keys mean together: a file that an editor takes may still be refused by the player,
//! with the reason. Draft 7, which the TOML plugins of editors speak.

use handlers::policy::{TUNABLES, Tunable};
use serde_json::{Map, Value, json};

use crate::file::keys::{Group, Key, Kind, Need, Rule, SCENARIO, groups};

/// The file's name, beside the scenarios of the library.
pub const FILE: &str = "scenario.schema.json";

/// The schema as the file holds it.
pub fn text() -> String {
    let mut text = serde_json::to_string_pretty(&schema()).expect("a JSON value can be written");
    text.push('\n');
    text
}

/// The schema.
pub fn schema() -> Value {
    let mut schema = table(&SCENARIO);
    let definitions: Map<String, Value> =
        groups().into_iter().skip(1).map(|group| (group.name(), table(group))).collect();
    schema["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    schema["title"] = "A scenario of Spot Recovery".into();
    schema["definitions"] = definitions.into();
    schema
}

fn table(group: &Group) -> Value {
    let properties: Map<String, Value> = group.keys().map(|key| (key.name.to_owned(), property(key))).collect();
    let required: Vec<&str> = group.keys().filter(|key| key.need == Need::Required).map(|key| key.name).collect();
    let mut table = json!({
        "type": "object",
        "description": group.about,
        "additionalProperties": false,
        "properties": properties,
    });
    if !required.is_empty() {
        table["required"] = required.into();
    }
    let each = |keys: &[&str]| keys.iter().map(|key| json!({ "required": [key] })).collect::<Vec<_>>();
    match group.rule {
        Rule::Free => {}
        Rule::OneOf(keys) => table["oneOf"] = each(keys).into(),
        Rule::SomeOf(keys) => table["anyOf"] = each(keys).into(),
        Rule::Together(one, other) => table["dependencies"] = json!({ one: [other], other: [one] }),
    }
    table
}

fn property(key: &Key) -> Value {
    let mut property = kind(key.kind);
    // Beside `$ref`, draft 7 reads nothing else.
    if property.get("$ref").is_some() {
        property = json!({ "allOf": [property] });
    }
    property["description"] = key.meaning.into();
    if let Need::Or(default) = key.need {
        property["default"] = json_of(default);
    }
    property
}

fn kind(kind: Kind) -> Value {
    let reference = |group: &Group| json!({ "$ref": format!("#/definitions/{}", group.name()) });
    match kind {
        Kind::Line => json!({ "type": "string", "pattern": r"^[^\r\n]*\S[^\r\n]*$" }),
        Kind::Text => json!({ "type": "string" }),
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Integer(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::IntegerOr(most, word) => {
            json!({ "anyOf": [{ "type": "integer", "minimum": 0, "maximum": most }, { "enum": [word] }] })
        }
        Kind::Number(numbers) => json!({ "enum": numbers }),
        Kind::Share => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        Kind::Duration(..) => duration(),
        Kind::Word(words) => json!({ "enum": words }),
        Kind::Account => json!({ "type": "string", "pattern": "^[0-9]{12}$" }),
        Kind::Service => json!({ "type": "string", "pattern": "^([0-9]{12}/)?[^/]+/[^/]+$" }),
        Kind::List(item) => json!({ "type": "array", "items": self::kind(*item) }),
        Kind::Or(one, other) => json!({ "anyOf": [self::kind(*one), self::kind(*other)] }),
        Kind::Object => json!({ "type": ["object", "string"] }),
        Kind::Policy => policy(),
        Kind::Table(group) => reference(group),
        Kind::Tables(group) => json!({ "type": "array", "items": reference(group) }),
    }
}

/// A number and a unit, as often as wanted.
fn duration() -> Value {
    json!({ "type": "string", "pattern": r"^\s*(0|([0-9]+\s*[a-z]+\s*)+)$" })
}

fn policy() -> Value {
    let tunables: Map<String, Value> = TUNABLES.iter().map(|one| (one.name.to_owned(), tunable(one))).collect();
    json!({ "type": "object", "additionalProperties": false, "properties": tunables })
}

/// What is allowed is said in words: `true or false`, `1 to 10`, `0s to 1h`.
fn tunable(tunable: &Tunable) -> Value {
    let mut property = if tunable.allowed == "true or false" {
        json!({ "type": "boolean" })
    } else if let Some((one, other)) = tunable.allowed.split_once(" or ") {
        json!({ "enum": [one, other] })
    } else {
        let range = tunable.allowed.split_once(" to ");
        let range = range.and_then(|(least, most)| Some((least.parse::<u64>().ok()?, most.parse::<u64>().ok()?)));
        range.map_or_else(duration, |(least, most)| kind(Kind::Integer(least, most)))
    };
    property["description"] = tunable.meaning.into();
    let default = tunable.default;
    property["default"] = serde_json::from_str(default).unwrap_or_else(|_| default.into());
    property
}

/// A value written as TOML, as JSON.
fn json_of(value: &str) -> Value {
    let table: Map<String, Value> = toml::from_str(&format!("value = {value}")).expect("defaults are written as TOML");
    table["value"].clone()
}
