//! Tables as text: [`toml`] writes the values, [`Entries`] keeps the order of the keys and puts inner tables on one line.
//!
//! [`toml::to_string`] writes no inline tables: each strategy and each action would get a header of its own.

use std::time::Duration;

use serde::Serialize;
use toml::ser::ValueSerializer;

/// The keys of a table and their values as TOML, in the order in which they are written.
#[derive(Default)]
pub(super) struct Entries(Vec<(&'static str, String)>);

impl Entries {
    /// Adds a key.
    pub(super) fn with(self, key: &'static str, value: impl Serialize) -> Self {
        self.with_toml(key, to_toml(value))
    }

    /// Adds a key, unless its value is the default.
    pub(super) fn with_changed<T: Serialize + PartialEq>(self, key: &'static str, value: T, default: T) -> Self {
        if value == default { self } else { self.with(key, value) }
    }

    /// Adds a key, if it has a value.
    pub(super) fn with_some(self, key: &'static str, value: Option<impl Serialize>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// Adds a key whose value is a table.
    pub(super) fn with_table(self, key: &'static str, table: &Entries) -> Self {
        self.with_toml(key, table.inline())
    }

    /// Adds a key whose value is TOML already.
    pub(super) fn with_toml(mut self, key: &'static str, value: String) -> Self {
        self.0.push((key, value));
        self
    }

    /// `{ key = value, key = value }`
    pub(super) fn inline(&self) -> String {
        let entries: Vec<String> = self.0.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        format!("{{ {} }}", entries.join(", "))
    }

    /// One key a line.
    pub(super) fn lines(&self) -> String {
        self.0.iter().map(|(key, value)| format!("{key} = {value}\n")).collect()
    }

    /// A header and the lines below it, after an empty line. Nothing if there is no key.
    pub(super) fn section(&self, header: &str) -> String {
        if self.0.is_empty() { String::new() } else { format!("\n{header}\n{}", self.lines()) }
    }
}

/// A value as TOML. Only text of several lines takes more than one.
pub(super) fn to_toml(value: impl Serialize) -> String {
    let mut text = String::new();
    value.serialize(ValueSerializer::new(&mut text)).expect("numbers, texts and lists of them are TOML");
    text
}

/// A list of inline tables.
pub(super) fn list(tables: impl IntoIterator<Item = Entries>) -> String {
    let tables: Vec<String> = tables.into_iter().map(|entries| entries.inline()).collect();
    format!("[{}]", tables.join(", "))
}

/// A time such as `1h 30m`.
pub(super) fn time(time: Duration) -> String {
    humantime::format_duration(time).to_string()
}

/// The word that means `value` in a table of choices, which [`Value::choice`](super::cursor::Value::choice) reads.
pub(super) fn word<T: PartialEq>(choices: &[(&'static str, T)], value: &T) -> &'static str {
    let found = choices.iter().find(|(_, meaning)| meaning == value);
    found.map(|(word, _)| *word).expect("every value has a word")
}

/// A number, or a word for "no limit".
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum NumberOr {
    Number(u32),
    Word(&'static str),
}
