//! From the text of a pattern to its tree: fields, `$or`, lists of values. Refusals use Event Ruler's words where it has some.

use serde_json::{Map, Value};

use super::condition::{Condition, Text};
use super::{Field, Leaf, Object, PatternError};

mod operator;

use operator::expression;

/// Characters EventBridge takes (aws-facts.md §5; a quota AWS may raise). AWS may answer a longer pattern with
/// another error code; nothing we read says which, nor whether white space counts. Here it does.
const LONGEST_PATTERN: usize = 2_048;

/// Flat patterns that the `$or`s of a pattern may be multiplied out to: the guide on `$or` refuses more.
const MOST_COMBINATIONS: usize = 1_000;

/// Ruler's name for alternatives. Its value must be a list of objects.
const OR: &str = "$or";

/// Names no field inside `$or` may have, so that a match expression written there by mistake is noticed.
const OPERATORS: [&str; 8] =
    ["anything-but", "cidr", "equals-ignore-case", "exists", "numeric", "prefix", "suffix", "wildcard"];

const ALLOWED_VALUES: &str = "a string, a number, true, false, null, or an object with one operator";

type Result<T> = std::result::Result<T, PatternError>;

pub(super) fn compile(text: &str) -> Result<Object> {
    let length = text.chars().count();
    if length > LONGEST_PATTERN {
        return Err(refuse("$", format!("Event pattern has {length} characters"), "up to 2048 characters"));
    }
    let value: Value =
        serde_json::from_str(text).map_err(|error| refuse("$", format!("Invalid JSON: {error}"), "JSON"))?;
    match value {
        Value::Object(fields) => {
            let pattern = object(&fields, "$", false)?;
            let combinations = combinations(&pattern);
            if combinations > MOST_COMBINATIONS {
                let reason = format!("Event pattern would result in over 1000 rule combinations: {combinations}");
                return Err(refuse("$", reason, "$or lists that multiply out to at most 1000 patterns"));
            }
            Ok(pattern)
        }
        _ => Err(refuse("$", "Filter is not an object", "a JSON object")),
    }
}

fn refuse(path: impl Into<String>, reason: impl Into<String>, allowed: &'static str) -> PatternError {
    PatternError { path: path.into(), reason: reason.into(), allowed }
}

/// Recursion is bounded: `serde_json` refuses text nested deeper than 128 levels.
fn object(map: &Map<String, Value>, path: &str, inside_or: bool) -> Result<Object> {
    if map.is_empty() {
        return Err(refuse(path, "Empty objects are not allowed", "an object with at least one field"));
    }
    let mut fields = Vec::new();
    let mut or = None;
    for (name, value) in map {
        let path = format!("{path}.{name}");
        if name == OR {
            or = Some(alternatives(value, &path)?);
            continue;
        }
        if inside_or && OPERATORS.contains(&&**name) {
            let reason = format!("{name} is Ruler reserved fieldName which cannot be used inside {OR}.");
            return Err(refuse(path, reason, "a field of the event"));
        }
        let field = match value {
            Value::Object(map) => Field::Object(object(map, &path, inside_or)?),
            Value::Array(values) => Field::Leaf(leaf(values, &path)?),
            _ => {
                let reason = format!("\"{name}\" must be an object or an array");
                return Err(refuse(path, reason, "a list of values or an object of fields"));
            }
        };
        fields.push((name.as_str().into(), field));
    }
    let mut object = Object { fields: fields.into(), alternatives: Box::default() };
    if let Some(alternatives) = or {
        refuse_path_given_twice(&object, &alternatives, path)?;
        object.alternatives = alternatives;
    }
    Ok(object)
}

fn alternatives(value: &Value, path: &str) -> Result<Box<[Object]>> {
    const ALLOWED: &str = "a list of at least 2 objects";
    let Value::Array(values) = value else {
        return Err(refuse(path, format!("It must be an Array followed with {OR}."), ALLOWED));
    };
    let mut objects = Vec::new();
    for (index, value) in values.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let Value::Object(map) = value else {
            let reason = format!("Only JSON object is allowed in array of {OR} relationship.");
            return Err(refuse(path, reason, ALLOWED));
        };
        objects.push(object(map, &path, true)?);
    }
    if objects.len() < 2 {
        let reason = format!("There must have at least 2 Objects in {OR} relationship.");
        return Err(refuse(path, reason, ALLOWED));
    }
    Ok(objects.into())
}

/// How many patterns without `$or` say the same: those of each alternative together, times those of every field beside
/// them.
fn combinations(object: &Object) -> usize {
    let fields = object.fields.iter().map(|(_, field)| match field {
        Field::Object(object) => combinations(object),
        Field::Leaf(_) => 1,
    });
    let beside = fields.fold(1, usize::saturating_mul);
    let inside = object.alternatives.iter().map(combinations).fold(0, usize::saturating_add);
    beside.saturating_mul(inside.max(1))
}

/// What the same path beside and inside `$or` would mean at AWS, nobody documents; see the module's notes.
fn refuse_path_given_twice(beside: &Object, alternatives: &[Object], path: &str) -> Result<()> {
    let mut outside = Vec::new();
    leaf_paths(beside, "", &mut outside);
    for alternative in alternatives {
        let mut inside = Vec::new();
        leaf_paths(alternative, "", &mut inside);
        if let Some(twice) = inside.iter().find(|path| outside.contains(path)) {
            let path = format!("{path}{twice}");
            let reason = format!("Path `{}` cannot be allowed multiple times", path.trim_start_matches("$."));
            return Err(refuse(path, reason, "each path once, beside $or or inside it"));
        }
    }
    Ok(())
}

fn leaf_paths(object: &Object, prefix: &str, paths: &mut Vec<String>) {
    for (name, field) in &object.fields {
        let path = format!("{prefix}.{name}");
        match field {
            Field::Object(object) => leaf_paths(object, &path, paths),
            Field::Leaf(_) => paths.push(path),
        }
    }
    for alternative in &object.alternatives {
        leaf_paths(alternative, prefix, paths);
    }
}

fn leaf(values: &[Value], path: &str) -> Result<Leaf> {
    if values.is_empty() {
        return Err(refuse(path, "Empty arrays are not allowed", ALLOWED_VALUES));
    }
    let mut conditions = Vec::new();
    let mut absence_holds = false;
    for (index, value) in values.iter().enumerate() {
        let path = format!("{path}[{index}]");
        conditions.push(match value {
            Value::Null => Condition::Null,
            Value::Bool(wanted) => Condition::Bool(*wanted),
            Value::Number(number) => Condition::Number(number.clone()),
            Value::String(text) => Condition::Text(Text::Equals(text.as_str().into())),
            Value::Object(map) => match expression(map, &path)? {
                Some(test) => test,
                None => {
                    absence_holds = true;
                    continue;
                }
            },
            Value::Array(_) => {
                let reason = "Match value must be String, number, true, false, or null";
                return Err(refuse(path, reason, ALLOWED_VALUES));
            }
        });
    }
    Ok(Leaf { conditions: conditions.into(), absence_holds })
}
