//! DynamoDB items ↔ JSON. Our own, because it must be total: an attribute of a kind that we never write, put there by hand, is
//! the error of its item and no panic, and a number that DynamoDB cannot hold must not make a record unwritable.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Number, Value};

/// An item as the SDK has it.
#[expect(
    clippy::disallowed_types,
    reason = "the SDK's own type; only ever looked up by name or turned into a sorted map"
)]
pub(super) type Item = std::collections::HashMap<String, AttributeValue>;

/// Largest exponents of ten that a DynamoDB number has room for (API reference, `AttributeValue`).
const MAX_NUMBER: f64 = 9.99e125;
const MIN_NUMBER: f64 = 1e-130;

/// The item for a JSON object.
pub(super) fn to_item(object: Map<String, Value>) -> Item {
    object.into_iter().map(|(name, value)| (name, to_attribute(value))).collect()
}

fn to_attribute(value: Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(flag) => AttributeValue::Bool(flag),
        Value::Number(number) if fits(&number) => AttributeValue::N(number.to_string()),
        // Only the event that is kept for people can have such a number.
        Value::Number(number) => AttributeValue::S(number.to_string()),
        Value::String(text) => AttributeValue::S(text),
        Value::Array(values) => AttributeValue::L(values.into_iter().map(to_attribute).collect()),
        Value::Object(object) => AttributeValue::M(to_item(object)),
    }
}

fn fits(number: &Number) -> bool {
    let size = number.as_f64().unwrap_or_default().abs();
    size == 0.0 || (MIN_NUMBER..=MAX_NUMBER).contains(&size)
}

/// The JSON object for an item.
///
/// # Errors
/// Which attribute is of a kind that has no JSON form.
pub(super) fn to_object(item: Item) -> Result<Map<String, Value>, String> {
    let named = |(name, value)| {
        let value = to_value(value).map_err(|problem| format!("{name}: {problem}"))?;
        Ok((name, value))
    };
    item.into_iter().map(named).collect()
}

fn to_value(attribute: AttributeValue) -> Result<Value, String> {
    Ok(match attribute {
        AttributeValue::Null(_) => Value::Null,
        AttributeValue::Bool(flag) => flag.into(),
        AttributeValue::N(number) => Value::Number(to_number(&number)?),
        AttributeValue::S(text) => text.into(),
        AttributeValue::L(values) => Value::Array(values.into_iter().map(to_value).collect::<Result<_, _>>()?),
        AttributeValue::M(item) => Value::Object(to_object(item)?),
        AttributeValue::Ss(texts) => texts.into(),
        AttributeValue::Ns(numbers) => {
            let numbers = numbers.iter().map(|n| to_number(n).map(Value::Number));
            Value::Array(numbers.collect::<Result<_, _>>()?)
        }
        AttributeValue::B(Blob { .. }) | AttributeValue::Bs(_) => return Err("binary data".into()),
        _ => return Err("an attribute type this release does not know".into()),
    })
}

fn to_number(text: &str) -> Result<Number, String> {
    serde_json::from_str(text).map_err(|_| format!("{text:?} is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn every_json_value_comes_back_as_it_went() {
        let there = object(json!({
            "text": "", "flag": true, "nothing": null, "list": [1, [], {"deep": [{"er": -1.5}]}], "map": {},
            "large": u64::MAX, "small": i64::MIN, "fraction": 0.1, "zero": 0,
        }));
        assert_eq!(to_object(to_item(there.clone())), Ok(there));
    }

    #[test]
    fn a_number_beyond_what_dynamodb_holds_is_kept_as_text() {
        for number in ["1e300", "-1e300", "1e-300"] {
            let there: Map<String, Value> = serde_json::from_str(&format!(r#"{{"n": {number}}}"#)).unwrap();
            assert!(matches!(&to_item(there)["n"], AttributeValue::S(_)), "{number}");
        }
    }

    #[test]
    fn what_has_no_json_form_is_an_error_that_names_the_attribute() {
        let item = |value| Item::from([("odd".to_owned(), value)]);
        for (value, says) in [
            (AttributeValue::B(Blob::new([1, 2])), "odd: binary data"),
            (AttributeValue::Bs(vec![]), "odd: binary data"),
            (AttributeValue::N("NaN".into()), r#"odd: "NaN" is no number"#),
            (AttributeValue::L(vec![AttributeValue::Ns(vec!["x".into()])]), r#"odd: "x" is no number"#),
        ] {
            assert_eq!(to_object(item(value)), Err(says.to_owned()));
        }
    }

    #[test]
    fn a_set_of_texts_or_of_numbers_is_read_as_a_list() {
        let texts = AttributeValue::Ss(vec!["a".into()]);
        let numbers = AttributeValue::Ns(vec!["1".into(), "2.5".into()]);
        let sets = to_object(Item::from([("texts".to_owned(), texts), ("numbers".to_owned(), numbers)]));
        assert_eq!(sets, Ok(object(json!({"texts": ["a"], "numbers": [1, 2.5]}))));
    }
}
