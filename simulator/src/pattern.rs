//! EventBridge event patterns, so that the simulator routes events with the very pattern files that get deployed.
//!
//! A rule that drops an event is the fault nobody sees: no error, no retry, no dead letter. So the patterns in
//! `handlers/event-patterns/` are the single source (the CDK app deploys them, the simulator matches with them) and this
//! module does what AWS does with them. It follows the user guide (`eb-create-pattern-operators`, aws-facts.md §5) and,
//! where the guide is silent, Event Ruler (github.com/aws/event-ruler), the library AWS published as the engine of EventBridge.
//!
//! A pattern is compiled once into a tree and then matched against many events. Matching allocates nothing, except for
//! an array inside an array; it recurses only as deep as the pattern, however deep the event is.
//!
//! # What was decided where AWS is unclear
//!
//! - **Numbers.** Older guide pages say 300, 300.0 and 3.0e2 are different; Ruler compares numbers by value to six decimals
//!   within ±5e9. We follow Ruler; outside that range only the same integer (or float) matches. Past fifteen digits the
//!   last decimal is not to be relied on (`f64`, and `serde_json` may read it one step off).
//! - **Duplicated keys** in the JSON text: the last one wins, as in `serde_json`. Ruler replaces a repeated list too, but
//!   merges a repeated object, and newer versions can refuse both.
//! - **One path twice**, once beside a `$or` and once inside it, is refused ("cannot be allowed multiple times"). Ruler either
//!   refuses it or lets the later one win, depending on a switch; nobody documents how AWS sets it.
//! - **Arrays of objects** are matched element by element: two fields must come from one element, as in Ruler. Two things
//!   are simpler here. `exists: false` on its own holds only when no element has the field, but beside other fields it is asked
//!   of the same element, whatever their order (in Ruler the alphabetical order decides). And a `$or` beside an object of
//!   the same name may use another element than that object does.
//! - **An empty array, an empty object, an object** where the pattern has a list: the field counts as absent, for only
//!   leaf values exist to EventBridge.
//! - **Case** is folded character by character with Unicode lower case, without locale.
//! - **More than 1000 combinations** of `$or` are refused, as the guide says; AWS may answer with another error code.
//! - **Not modelled**: a key with dots standing for nested keys, an exact IP address matching its other spellings, Ruler's
//!   undocumented `exactly`, the "Rule is too complex" limit on wildcards, the quota of 30 wildcard rules per bus.

use std::{mem, slice};

use serde_json::{Map, Value};
use thiserror::Error;

mod condition;
mod node;
mod parse;

use condition::Condition;
pub(crate) use node::{Node, Scalar, View};

/// A compiled event pattern.
#[derive(Debug, Clone)]
pub struct Pattern(Object);

impl Pattern {
    /// Compiles the text of an event pattern, or says what `PutRule` would say.
    ///
    /// # Errors
    ///
    /// The pattern is not one that EventBridge takes.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        parse::compile(text).map(Self)
    }

    /// Whether a rule with this pattern fires on this event. An event that is no JSON object never matches.
    #[must_use]
    pub fn matches(&self, event: &Value) -> bool {
        self.fires_on(event)
    }

    /// The same for an event that is kept otherwise.
    pub(crate) fn fires_on(&self, event: &impl Node) -> bool {
        event.is_object() && self.0.holds(Some(event))
    }

    /// Whether an event with these fields can match, whatever its other fields are. May err on the side of yes.
    pub(crate) fn could_match(&self, known: &Value) -> bool {
        known.as_object().is_some_and(|fields| self.0.could_hold(fields))
    }
}

/// Why EventBridge would refuse a pattern: its exception, its words, then where and what would be right.
///
/// AWS ends its message with the line and column in the text; we give the path instead, which survives reformatting.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}: Event pattern is not valid. Reason: {reason} at {path}; allowed: {allowed}", Self::CODE)]
pub struct PatternError {
    path: String,
    reason: String,
    allowed: &'static str,
}

impl PatternError {
    /// The error code AWS answers with.
    pub const CODE: &'static str = "InvalidEventPatternException";

    /// Where in the pattern, as in `$.detail.state[0].prefix`; `$` is the whole pattern.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong, in the words of AWS where they are known.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What would be right at that place.
    #[must_use]
    pub fn allowed(&self) -> &str {
        self.allowed
    }
}

/// Every field must hold, and one of the alternatives if there are any.
#[derive(Debug, Clone)]
struct Object {
    fields: Box<[(Box<str>, Field)]>,
    alternatives: Box<[Object]>,
}

#[derive(Debug, Clone)]
enum Field {
    Object(Object),
    Leaf(Leaf),
}

/// One of the conditions must hold, on one of the values the event has there.
#[derive(Debug, Clone)]
struct Leaf {
    conditions: Box<[Condition]>,
    absence_holds: bool,
}

impl Object {
    /// `None` stands for an object that is not there, which `exists: false` asks for.
    fn holds<N: Node>(&self, event: Option<&N>) -> bool {
        self.fields.iter().all(|(name, field)| {
            let value = event.and_then(|event| event.field(name));
            match field {
                Field::Object(object) => object.holds_at(value),
                Field::Leaf(leaf) => leaf.holds_at(value),
            }
        }) && (self.alternatives.is_empty() || self.alternatives.iter().any(|object| object.holds(event)))
    }

    fn could_hold(&self, known: &Map<String, Value>) -> bool {
        self.fields.iter().all(|(name, field)| match (field, known.get(&**name)) {
            (Field::Object(object), Some(Value::Object(fields))) => object.could_hold(fields),
            (Field::Leaf(leaf), value @ Some(_)) => leaf.holds_at(value),
            _ => true,
        }) && (self.alternatives.is_empty() || self.alternatives.iter().any(|object| object.could_hold(known)))
    }

    fn holds_at<N: Node>(&self, value: Option<&N>) -> bool {
        match value.map(N::view) {
            Some(View::Object) => self.holds(value),
            Some(View::List(items)) => self.holds_in(items),
            _ => self.holds::<N>(None),
        }
    }

    fn holds_in<N: Node>(&self, items: &[N]) -> bool {
        if self.holds::<N>(None) {
            // Absence is enough, so one element without the field proves nothing: none may break the pattern.
            !any_in(items, |item| item.is_object() && !self.holds(Some(item)))
        } else {
            any_in(items, |item| item.is_object() && self.holds(Some(item)))
        }
    }
}

impl Leaf {
    fn holds_at<N: Node>(&self, value: Option<&N>) -> bool {
        match value.map(N::view) {
            None | Some(View::Object) => self.absence_holds,
            Some(View::List(items)) => {
                let mut absent = true;
                any_in(items, |item| match item.view() {
                    View::Scalar(scalar) => {
                        absent = false;
                        self.holds(&scalar)
                    }
                    _ => false,
                }) || (absent && self.absence_holds)
            }
            Some(View::Scalar(scalar)) => self.holds(&scalar),
        }
    }

    fn holds(&self, scalar: &Scalar<'_>) -> bool {
        self.conditions.iter().any(|condition| condition.holds(scalar))
    }
}

/// Whether the test holds for one element, looking through arrays in arrays with a list of our own instead of the stack:
/// the sender of an event decides how deep it is.
fn any_in<N: Node>(items: &[N], mut test: impl FnMut(&N) -> bool) -> bool {
    let mut outer: Vec<slice::Iter<'_, N>> = Vec::new();
    let mut current = items.iter();
    loop {
        match current.next().map(|item| (item, item.view())) {
            Some((_, View::List(inner))) => outer.push(mem::replace(&mut current, inner.iter())),
            Some((item, _)) if test(item) => return true,
            Some(_) => {}
            None => match outer.pop() {
                Some(rest) => current = rest,
                None => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Pattern;

    #[test]
    fn an_event_could_match_unless_a_known_field_says_no() {
        let text = r#"{ "source": ["aws.ecs"], "$or": [
            { "detail": { "status": ["RUNNING"] } },
            { "detail": { "provider": ["SPOT"], "reason": [{ "exists": false }] } }
        ] }"#;
        let pattern = Pattern::parse(text).expect("a valid pattern");
        for (known, could) in [
            (json!({}), true),
            (json!({ "source": "aws.ecs" }), true),
            (json!({ "source": "aws.ec2" }), false),
            (json!({ "detail": { "status": "STOPPED" } }), true),
            (json!({ "detail": { "status": "STOPPED", "provider": "ON_DEMAND" } }), false),
            (json!({ "detail": { "status": "RUNNING", "provider": "ON_DEMAND" } }), true),
            (json!({ "detail": { "status": "STOPPED", "reason": "known" } }), false),
        ] {
            assert_eq!(pattern.could_match(&known), could, "{known}");
        }
    }
}
