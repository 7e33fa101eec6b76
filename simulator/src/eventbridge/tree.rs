//! An event of ECS on its way into text. A fleet makes millions, and each lives only until a pattern has looked at it and it is
//! written. With `serde_json::Value`, whose objects are maps with a text of their own for every name and value, to make, match
//! and write them was 12 % of a run of 100,000 services.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use crate::pattern::{Node, Scalar, View};

/// A JSON value of an event, which borrows what it can.
#[derive(Debug)]
pub(crate) enum Tree<'a> {
    Text(Cow<'a, str>),
    Number(u64),
    List(Vec<Tree<'a>>),
    Object(Fields<'a>),
}

/// The fields of an object, in the order of their names: as `Value` writes them.
#[derive(Debug)]
pub(crate) struct Fields<'a>(Vec<(&'static str, Tree<'a>)>);

impl<'a> Fields<'a> {
    /// With room for all that any event of ECS has.
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(14))
    }

    pub(crate) fn with(mut self, name: &'static str, value: Tree<'a>) -> Self {
        debug_assert!(self.0.last().is_none_or(|(last, _)| *last < name), "{name} is out of order");
        self.0.push((name, value));
        self
    }

    pub(crate) fn text(self, name: &'static str, text: impl Into<Cow<'a, str>>) -> Self {
        self.with(name, Tree::Text(text.into()))
    }

    pub(crate) fn text_if(self, name: &'static str, text: Option<&'a str>) -> Self {
        match text {
            Some(text) => self.text(name, text),
            None => self,
        }
    }

    pub(crate) fn texts<const N: usize>(self, name: &'static str, texts: [impl Into<Cow<'a, str>>; N]) -> Self {
        self.with(name, Tree::List(texts.map(|text| Tree::Text(text.into())).into()))
    }
}

impl<'a> From<Fields<'a>> for Tree<'a> {
    fn from(fields: Fields<'a>) -> Self {
        Self::Object(fields)
    }
}

impl Serialize for Tree<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(Fields(fields)) => serializer.collect_map(fields.iter().map(|(name, value)| (name, value))),
        }
    }
}

impl Node for Tree<'_> {
    fn view(&self) -> View<'_, Self> {
        View::Scalar(match self {
            Self::List(items) => return View::List(items),
            Self::Object(_) => return View::Object,
            Self::Text(text) => Scalar::Text(text),
            Self::Number(number) => Scalar::Number((*number).into()),
        })
    }

    fn field(&self, name: &str) -> Option<&Self> {
        let Self::Object(Fields(fields)) = self else { return None };
        fields.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::pattern::Pattern;

    fn event() -> Tree<'static> {
        let detail = Fields::new().text("a\"é", "line\n\u{1}").text_if("absent", None).text_if("reason", Some("none"));
        let detail = detail.with("version", Tree::Number(3)).with("worst", Tree::Number(u64::MAX));
        let event = Fields::new().texts("Zs", [String::new()]).with("detail", detail.into()).text("detail-type", "a");
        let lists = vec![Tree::List(vec![Tree::Text("inner".into())]), Fields::new().text("n", "x").into()];
        event.with("empty", Fields::new().into()).with("lists", Tree::List(lists)).texts("none", [""; 0]).into()
    }

    #[test]
    fn an_event_is_written_as_a_value_is() {
        let value = serde_json::to_value(event()).expect("a value");
        assert_eq!(serde_json::to_string(&event()).expect("a text"), serde_json::to_string(&value).expect("a text"));
        assert_eq!(value["detail"].as_object().map(|detail| detail.len()), Some(4));
    }

    #[test]
    fn a_pattern_sees_in_it_what_it_sees_in_a_value() {
        let value: Value = serde_json::to_value(event()).expect("a value");
        for (pattern, fires) in [
            (r#"{ "detail-type": ["a"], "detail": { "version": [3.0], "reason": [{ "prefix": "no" }] } }"#, true),
            (r#"{ "detail": { "version": [{ "numeric": [">", 3] }] } }"#, false),
            (r#"{ "detail": { "absent": [{ "exists": false }], "worst": [18446744073709551615] } }"#, true),
            (r#"{ "detail": { "n": [{ "exists": true }] } }"#, false),
            (r#"{ "detail": ["a"] }"#, false),
            (r#"{ "detail-type": { "a": ["a"] } }"#, false),
            (r#"{ "lists": ["inner"] }"#, true),
            (r#"{ "lists": { "n": ["x"] } }"#, true),
            (r#"{ "lists": { "n": ["y"] } }"#, false),
            (r#"{ "none": [{ "exists": true }] }"#, false),
            (r#"{ "empty": [{ "exists": false }], "Zs": [""] }"#, true),
        ] {
            let compiled = Pattern::parse(pattern).expect("a valid pattern");
            assert_eq!((compiled.fires_on(&event()), compiled.matches(&value)), (fires, fires), "{pattern}");
        }
    }

    #[test]
    fn what_is_no_object_fires_no_rule() {
        let pattern = Pattern::parse(r#"{ "a": [{ "exists": false }] }"#).expect("a valid pattern");
        assert!(!pattern.fires_on(&Tree::Number(1)) && !pattern.fires_on(&Tree::List(Vec::new())));
    }
}
