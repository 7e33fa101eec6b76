//! The input of an operation: how it is read, its required members, the page of a list it asks for.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::answer::Refusal;

/// The input of an operation. The messages are ours; AWS's name the types of its own parser.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let malformed = |error: serde_json::Error| Refusal::new("SerializationException", error.to_string());
    // Structures only: serde would take a list for one too.
    let input: Value = serde_json::from_slice(body).map_err(malformed)?;
    if !input.is_object() {
        return Err(Refusal::new("SerializationException", "Start of structure expected"));
    }
    serde_json::from_value(input).map_err(malformed)
}

/// A member of the input that must be there.
pub(super) fn required<T>(value: Option<T>, name: &str) -> Result<T, Refusal> {
    value.ok_or_else(|| Refusal::invalid(format!("{name} can not be null.")))
}

/// Where a list goes on.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    next_token: Option<String>,
    max_results: Option<i64>,
}

impl Page {
    /// One page of ARNs, sorted, under `field`; `usual` is the size of a page where none is asked for.
    pub(super) fn of(&self, field: &str, usual: usize, mut arns: Vec<String>) -> Result<Value, Refusal> {
        arns.sort();
        if let Some(after) = &self.next_token {
            if !after.starts_with("arn:") {
                return Err(invalid_token());
            }
            // Also where that one has gone meanwhile.
            arns.retain(|arn| arn > after);
        }
        self.cut(field, usual, arns.into_iter().map(|arn| (arn.clone(), arn.into())).collect())
    }

    /// The same of structures with their ARNs that keep their order and never go.
    pub(super) fn in_order(&self, field: &str, usual: usize, all: Vec<(String, Value)>) -> Result<Value, Refusal> {
        let begin = match &self.next_token {
            None => 0,
            Some(after) => 1 + all.iter().position(|(arn, _)| arn == after).ok_or_else(invalid_token)?,
        };
        self.cut(field, usual, all.into_iter().skip(begin).collect())
    }

    /// The last ARN of a page is the token of the next one.
    fn cut(&self, field: &str, usual: usize, mut items: Vec<(String, Value)>) -> Result<Value, Refusal> {
        let size = match self.max_results {
            None => usual,
            Some(size @ 1..=100) => size as usize,
            Some(_) => return Err(Refusal::invalid("maxResults must be between 1 and 100.")),
        };
        let more = items.len() > size;
        items.truncate(size);
        let next = items.last().filter(|_| more).map(|(arn, _)| arn.clone());
        let mut page = json!({ field: items.into_iter().map(|(_, item)| item).collect::<Vec<_>>() });
        if let Some(next) = next {
            page["nextToken"] = next.into();
        }
        Ok(page)
    }
}

fn invalid_token() -> Refusal {
    Refusal::invalid("Invalid token.")
}
