//! A JSON value as a pattern sees it, so that what makes an event may keep it as it likes.

use serde_json::{Number, Value};

/// A JSON value that a pattern can be matched against.
pub(crate) trait Node: Sized {
    fn view(&self) -> View<'_, Self>;

    /// The field of an object. What is no object has none.
    fn field(&self, name: &str) -> Option<&Self>;

    fn is_object(&self) -> bool {
        matches!(self.view(), View::Object)
    }
}

/// What kind of value a node is, and what it holds.
#[derive(Debug)]
pub(crate) enum View<'a, N> {
    Scalar(Scalar<'a>),
    List(&'a [N]),
    /// Its fields are asked for by name.
    Object,
}

#[derive(Debug)]
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(&'a str),
}

impl Node for Value {
    fn view(&self) -> View<'_, Self> {
        View::Scalar(match self {
            Self::Array(items) => return View::List(items),
            Self::Object(_) => return View::Object,
            Self::Null => Scalar::Null,
            Self::Bool(value) => Scalar::Bool(*value),
            Self::Number(value) => Scalar::Number(value.clone()),
            Self::String(text) => Scalar::Text(text),
        })
    }

    fn field(&self, name: &str) -> Option<&Self> {
        self.get(name)
    }
}
