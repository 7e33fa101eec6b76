//! One match expression, `{"operator": operand}`, to the condition it stands for.

use serde_json::{Map, Number, Value};

use super::{Result, refuse};
use crate::pattern::condition::{Cidr, Condition, Range, Text, Wildcard, lower_case, millionths};

const ALLOWED_OPERATORS: &str =
    "one of prefix, suffix, anything-but, numeric, exists, equals-ignore-case, cidr, wildcard";
const ALLOWED_NUMERIC: &str = r#"["=", n], ["<", n], ["<=", n], [">", n] or [">=", n], the last two optionally with "<", n or "<=", n after them"#;
const ALLOWED_ANYTHING_BUT: &str = "a string, a number, a list of strings, a list of numbers, or an object with one of \
     prefix, suffix, equals-ignore-case, wildcard";

/// The one operator of a match expression, and `None` for `exists: false`, which no value can meet.
pub(super) fn expression(map: &Map<String, Value>, path: &str) -> Result<Option<Condition>> {
    let (operator, operand) = only_entry(map, path, "Match expression name not found", ALLOWED_OPERATORS)?;
    let path = format!("{path}.{operator}");
    Ok(Some(match operator {
        "prefix" | "suffix" | "equals-ignore-case" | "wildcard" => Condition::Text(text(operator, operand, &path)?),
        "numeric" => Condition::Numeric(range(operand, &path)?),
        "anything-but" => anything_but(operand, &path)?,
        "exists" => match operand {
            Value::Bool(true) => Condition::Exists,
            Value::Bool(false) => return Ok(None),
            _ => {
                return Err(refuse(path, "exists match pattern must be either true or false.", "true or false"));
            }
        },
        "cidr" => {
            const ALLOWED: &str = "an IPv4 block up to /31 or an IPv6 block up to /127, as in 10.0.0.0/24";
            let Value::String(block) = operand else {
                // Ruler says "prefix match pattern must be a string" here; that is not worth copying.
                return Err(refuse(path, "cidr match pattern must be a string", ALLOWED));
            };
            Condition::Cidr(Cidr::parse(block).map_err(|reason| refuse(path, reason, ALLOWED))?)
        }
        _ => {
            return Err(refuse(path, format!("Unrecognized match type {operator}"), ALLOWED_OPERATORS));
        }
    }))
}

fn only_entry<'a>(
    map: &'a Map<String, Value>,
    path: &str,
    when_empty: &str,
    allowed: &'static str,
) -> Result<(&'a str, &'a Value)> {
    let mut entries = map.iter();
    match (entries.next(), entries.next()) {
        (Some((name, value)), None) => Ok((name, value)),
        (None, _) => Err(refuse(path, when_empty, allowed)),
        (Some(_), Some(_)) => Err(refuse(path, "Only one key allowed in match expression", allowed)),
    }
}

/// `prefix` and `suffix` (plain or ignoring case), `equals-ignore-case`, `wildcard`.
fn text(operator: &str, operand: &Value, path: &str) -> Result<Text> {
    if let (Value::Object(map), "prefix" | "suffix") = (operand, operator) {
        const ALLOWED: &str = r#"a string or {"equals-ignore-case": string}"#;
        let (inner, operand) = only_entry(map, path, &format!("{operator} expression name not found"), ALLOWED)?;
        let path = format!("{path}.{inner}");
        if inner != "equals-ignore-case" {
            return Err(refuse(path, format!("Unsupported {operator} pattern: {inner}"), ALLOWED));
        }
        let folded = folded(string(inner, operand, &path)?);
        return Ok(if operator == "prefix" { Text::PrefixIgnoreCase(folded) } else { Text::SuffixIgnoreCase(folded) });
    }
    let value = string(operator, operand, path)?;
    Ok(match operator {
        "prefix" => Text::Prefix(value.into()),
        "suffix" => Text::Suffix(value.into()),
        "equals-ignore-case" => Text::EqualsIgnoreCase(folded(value)),
        _ => {
            const ALLOWED: &str = r"single asterisks, \* for an asterisk, \\ for a backslash";
            Text::Wildcard(Wildcard::parse(value).map_err(|reason| refuse(path, reason, ALLOWED))?)
        }
    })
}

fn string<'a>(operator: &str, operand: &'a Value, path: &str) -> Result<&'a str> {
    let reason = || format!("{operator} match pattern must be a string");
    operand.as_str().ok_or_else(|| refuse(path, reason(), "a string"))
}

fn folded(text: &str) -> Box<str> {
    lower_case(text).collect::<String>().into()
}

fn anything_but(operand: &Value, path: &str) -> Result<Condition> {
    match operand {
        Value::String(text) => Ok(Condition::NoneOfText([Text::Equals(text.as_str().into())].into())),
        Value::Number(number) => Ok(Condition::NoneOfNumbers([comparable(number, path)?].into())),
        Value::Array(values) => anything_but_list(values, path),
        Value::Object(map) => {
            let (operator, operand) =
                only_entry(map, path, "Anything-But expression name not found", ALLOWED_ANYTHING_BUT)?;
            anything_but_text(operator, operand, &format!("{path}.{operator}"))
        }
        Value::Null | Value::Bool(_) => {
            let reason = "Value of anything-but must be an array or single string/number value.";
            Err(refuse(path, reason, ALLOWED_ANYTHING_BUT))
        }
    }
}

fn anything_but_list(values: &[Value], path: &str) -> Result<Condition> {
    let mut texts = Vec::new();
    let mut numbers = Vec::new();
    for (index, value) in values.iter().enumerate() {
        let path = format!("{path}[{index}]");
        match value {
            Value::String(text) => texts.push(Text::Equals(text.as_str().into())),
            Value::Number(number) => numbers.push(comparable(number, &path)?),
            _ => {
                let reason = "Inside anything but list, start|null|boolean is not supported.";
                return Err(refuse(path, reason, ALLOWED_ANYTHING_BUT));
            }
        }
    }
    match (texts.is_empty(), numbers.is_empty()) {
        (false, true) => Ok(Condition::NoneOfText(texts.into())),
        (true, false) => Ok(Condition::NoneOfNumbers(numbers.into())),
        _ => {
            let reason =
                "Inside anything but list, either all values are number or string, mixed type is not supported";
            Err(refuse(path, reason, ALLOWED_ANYTHING_BUT))
        }
    }
}

/// One string or a list of them under an operator. Ruler takes an empty list and then fails on it; we refuse it.
fn anything_but_text(operator: &str, operand: &Value, path: &str) -> Result<Condition> {
    if !matches!(operator, "prefix" | "suffix" | "equals-ignore-case" | "wildcard") {
        return Err(refuse(path, format!("Unsupported anything-but pattern: {operator}"), ALLOWED_ANYTHING_BUT));
    }
    let one = |operand: &Value, path: &str| {
        let value = string(operator, operand, path)?;
        // Everything starts with nothing, so this would match no string at all. `prefix: ""` outside is taken.
        if value.is_empty() && matches!(operator, "prefix" | "suffix") {
            return Err(refuse(path, "Null prefix/suffix not allowed", "a string that is not empty"));
        }
        text(operator, operand, path)
    };
    let texts = match operand {
        Value::Array(values) if values.is_empty() => {
            return Err(refuse(path, "Empty arrays are not allowed", "a string or a list of strings"));
        }
        Value::Array(values) => {
            let each = values.iter().enumerate();
            each.map(|(index, value)| one(value, &format!("{path}[{index}]"))).collect::<Result<Vec<_>>>()?
        }
        _ => vec![one(operand, path)?],
    };
    Ok(Condition::NoneOfText(texts.into()))
}

fn range(operand: &Value, path: &str) -> Result<Range> {
    let refused = |reason: String| Err(refuse(path, reason, ALLOWED_NUMERIC));
    let Value::Array(terms) = operand else {
        return refused("Value of numeric must be an array.".to_owned());
    };
    let [Value::String(operator), rest @ ..] = &**terms else {
        let first = terms.first().map_or_else(|| "]".to_owned(), Value::to_string);
        return refused(format!("Invalid member in numeric match: {first}"));
    };
    let operator = operator.as_str();
    if !matches!(operator, "=" | "<" | "<=" | ">" | ">=") {
        return refused(format!("Unrecognized numeric range operator: {operator}"));
    }
    let (bound, rest) = bound(operator, rest, path)?;
    let (low, high) = match operator {
        "=" => (bound, bound),
        "<" => (Range::ALL.low, bound - 1),
        "<=" => (Range::ALL.low, bound),
        ">" => (bound + 1, Range::ALL.high),
        _ => (bound, Range::ALL.high),
    };
    match rest {
        [] => Ok(Range { low, high }),
        _ if !operator.starts_with('>') => refused("Too many elements in numeric expression".to_owned()),
        [Value::String(closing), rest @ ..] if matches!(closing.as_str(), "<" | "<=") => {
            let (top, rest) = self::bound(closing, rest, path)?;
            if !rest.is_empty() {
                return refused("Too many terms in numeric range expression".to_owned());
            }
            if top <= bound {
                return refused("Bottom must be less than top".to_owned());
            }
            Ok(Range { low, high: if closing == "<" { top - 1 } else { top } })
        }
        [Value::String(closing), ..] => refused(format!("Bad numeric range operator: {closing}")),
        [other, ..] => refused(format!("Bad value in numeric range: {other}")),
    }
}

fn bound<'a>(operator: &str, terms: &'a [Value], path: &str) -> Result<(i64, &'a [Value])> {
    match terms {
        [Value::Number(number), rest @ ..] => Ok((comparable(number, path)?, rest)),
        _ => Err(refuse(path, format!("Value of {operator} must be numeric"), ALLOWED_NUMERIC)),
    }
}

fn comparable(number: &Number, path: &str) -> Result<i64> {
    const REASON: &str = "Value must be between -5.0E9 and 5.0E9, inclusive";
    millionths(number).ok_or_else(|| refuse(path, REASON, "a number from -5e9 to 5e9"))
}
