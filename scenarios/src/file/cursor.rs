//! A typed walk over a parsed TOML document in which every step that fails knows the key, the value, what is allowed, and where.
//!
//! Not serde: its errors speak of Rust types, and they lose the place as soon as a check needs two values at once.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;
use std::time::Duration;

use handlers::service::NameError;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::keys::Group;
use super::suggest;
use crate::diagnostic::Fault;

pub(super) type Result<T> = std::result::Result<T, Fault>;

/// A table all of whose keys are known.
#[derive(Clone)]
pub(super) struct Table<'d> {
    what: &'static str,
    /// What is known of its keys; of the tunables of `[policy]`, the handlers know more.
    group: Option<&'static Group>,
    span: Range<usize>,
    entries: &'d DeTable<'d>,
}

/// The value of a key, or an item of a list under that key.
#[derive(Clone, Copy)]
pub(super) struct Value<'d> {
    key: &'d Spanned<DeString<'d>>,
    value: &'d Spanned<DeValue<'d>>,
}

impl<'d> Table<'d> {
    /// The whole document. A missing key is shown at its start.
    pub(super) fn document(document: &'d Spanned<DeTable<'d>>, group: &'static Group) -> Result<Self> {
        Self::new(group.what, Some(group), 0..0, document.get_ref(), &group.names())
    }

    fn new(
        what: &'static str,
        group: Option<&'static Group>,
        span: Range<usize>,
        entries: &'d DeTable<'d>,
        keys: &[&str],
    ) -> Result<Self> {
        let unknown = entries.keys().filter(|key| !keys.contains(&&**key.get_ref()));
        let Some(first) = unknown.min_by_key(|key| key.span().start) else {
            return Ok(Self { what, group, span, entries });
        };
        let key = first.get_ref();
        let label = match suggest::closest(key, keys.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "not a key of this table".into(),
        };
        Err(Fault::new(first.span(), format!("unknown key {} in {what}", quoted(key, '`')), label)
            .help(format!("known here: {}", suggest::list(keys.iter().copied()))))
    }

    /// The value of `key`, if it is there.
    pub(super) fn get(&self, key: &str) -> Option<Value<'d>> {
        self.entries.get_key_value(key).map(|(key, value)| Value { key, value })
    }

    /// The value of `key`, which must be there. Without it the table of keys shows what to write.
    pub(super) fn need(&self, key: &str) -> Result<Value<'d>> {
        let example = || self.group.and_then(|group| group.key(key)).map_or("...", |key| key.example);
        self.get(key).ok_or_else(|| self.missing(key, example()))
    }

    /// The value of `key`, which must be there; `example` shows what to write, where that of the table of keys does not fit.
    pub(super) fn need_like(&self, key: &str, example: &str) -> Result<Value<'d>> {
        self.get(key).ok_or_else(|| self.missing(key, example))
    }

    fn missing(&self, key: &str, example: &str) -> Fault {
        self.fault(format!("{} has no `{key}`", self.what), format!("`{key}` is missing"))
            .help(format!("write for example: {key} = {example}"))
    }

    /// Every value, in the order of the file.
    pub(super) fn values(&self) -> Vec<Value<'d>> {
        let mut values: Vec<Value<'d>> = self.entries.iter().map(|(key, value)| Value { key, value }).collect();
        values.sort_by_key(|value| value.key.span().start);
        values
    }

    /// A mistake of the table as a whole.
    pub(super) fn fault(&self, message: impl Into<String>, label: impl Into<String>) -> Fault {
        Fault::new(self.span.clone(), message, label)
    }
}

impl<'d> Value<'d> {
    pub(super) fn key(self) -> &'d str {
        self.key.get_ref()
    }

    pub(super) fn key_span(self) -> Range<usize> {
        self.key.span()
    }

    pub(super) fn span(self) -> Range<usize> {
        self.value.span()
    }

    pub(super) fn raw(self) -> &'d DeValue<'d> {
        self.value.get_ref()
    }

    /// The value of `key` in this one, if it is a table that has it.
    pub(super) fn entry(self, key: &str) -> Option<Self> {
        let DeValue::Table(entries) = self.raw() else { return None };
        entries.get_key_value(key).map(|(key, value)| Value { key, value })
    }

    /// A mistake in the value: `problem` follows key and value, `allowed` stands under the caret.
    pub(super) fn fault(self, problem: impl Display, allowed: impl Into<String>) -> Fault {
        Fault::new(self.span(), format!("`{}` = {} {problem}", self.key(), self.shown()), allowed)
    }

    /// The value as a person would name it in a sentence, never longer than that.
    pub(super) fn shown(self) -> String {
        match self.raw() {
            DeValue::String(text) => quoted(text, '"'),
            DeValue::Integer(number) => brief(&number.to_string()),
            DeValue::Float(number) => brief(number.as_str()),
            DeValue::Boolean(yes) => yes.to_string(),
            DeValue::Datetime(time) => time.to_string(),
            DeValue::Array(_) => "[...]".into(),
            DeValue::Table(_) => "{...}".into(),
        }
    }

    /// Text. Control characters are refused because every text of a scenario ends up in front of somebody's terminal.
    pub(super) fn text(self) -> Result<&'d str> {
        let DeValue::String(text) = self.raw() else {
            return Err(self.fault("is not text", "write it in quotes"));
        };
        match text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            Some(control) => {
                Err(self.fault("cannot be used", format!("it holds a control character, U+{:04X}", u32::from(control))))
            }
            None => Ok(text),
        }
    }

    /// Text on one line with something in it.
    pub(super) fn line(self) -> Result<&'d str> {
        match self.text()? {
            text if text.trim().is_empty() => Err(self.fault("is empty", "write at least one word")),
            text if text.contains(['\n', '\r']) => Err(self.fault("has several lines", "write it on one line")),
            text => Ok(text),
        }
    }

    /// An account, region, cluster or service name.
    pub(super) fn name<T: FromStr<Err = NameError>>(self) -> Result<T> {
        self.text()?.parse().map_err(|error: NameError| {
            let error = error.to_string();
            // The last part says what is allowed; it belongs under the caret.
            let (problem, allowed) = error.rsplit_once(": ").unwrap_or((&error, ""));
            Fault::new(self.span(), problem, allowed)
        })
    }

    /// `true` or `false`.
    pub(super) fn boolean(self) -> Result<bool> {
        self.raw()
            .as_bool()
            .ok_or_else(|| self.fault("is neither true nor false", "write true or false, without quotes"))
    }

    /// A whole number.
    pub(super) fn integer<T: TryFrom<i64> + PartialOrd + Display>(self, range: RangeInclusive<T>) -> Result<T> {
        let allowed = format!("allowed is {} to {}", range.start(), range.end());
        let DeValue::Integer(number) = self.raw() else {
            return Err(self.fault("is not a whole number", allowed));
        };
        i64::from_str_radix(number.as_str(), number.radix())
            .ok()
            .and_then(|number| T::try_from(number).ok())
            .filter(|number| range.contains(number))
            .ok_or_else(|| self.fault("is out of range", allowed))
    }

    /// A whole number from 0, or none for `word`, which stands for "no limit".
    pub(super) fn integer_or(self, word: &str) -> Result<Option<u32>> {
        const MOST: u32 = 1_000_000;
        let allowed = || format!("write a whole number, 0 to {MOST}, or \"{word}\"");
        match self.raw() {
            DeValue::String(text) if text == word => Ok(None),
            DeValue::Integer(_) => {
                self.integer(0..=MOST).map(Some).map_err(|_| self.fault("is out of range", allowed()))
            }
            _ => Err(self.fault(format_args!("is neither a number nor \"{word}\""), allowed())),
        }
    }

    /// A number from 0 to 1.
    pub(super) fn share(self) -> Result<f64> {
        let number = match self.raw() {
            DeValue::Integer(number) => number.as_str(),
            DeValue::Float(number) => number.as_str(),
            _ => return Err(self.fault("is not a number", "allowed is 0 to 1, for example 0.97")),
        };
        let share = number.parse().ok().filter(|share| (0.0..=1.0).contains(share));
        share.ok_or_else(|| self.fault("is out of range", "allowed is 0 to 1, for example 0.97"))
    }

    /// A time such as `1h 30m`.
    pub(super) fn duration(self, range: RangeInclusive<Duration>) -> Result<Duration> {
        if let DeValue::Integer(number) = self.raw() {
            return Err(self.fault("has no unit", format!("write a unit, as in \"{}m\"", brief(number.as_str()))));
        }
        let text = self.text()?;
        let duration = humantime::parse_duration(text).map_err(|error| match error {
            humantime::DurationError::UnknownUnit { unit, value, .. } if unit.is_empty() => {
                self.fault("has no unit", format!("write a unit, as in \"{value}m\""))
            }
            humantime::DurationError::UnknownUnit { unit, .. } => {
                let fault = self.fault(
                    format_args!("is not a duration: there is no unit {}", quoted(&unit, '"')),
                    "units are ms, s, m, h and d, as in \"1h 30m\"",
                );
                match suggest::closest(&unit, ["seconds", "minutes", "hours", "days", "sec", "min"]) {
                    Some(near) => fault.help(format!("did you mean \"{near}\"?")),
                    None => fault,
                }
            }
            humantime::DurationError::NumberOverflow => self.fault("is out of range", within(&range)),
            _ => self.fault("is not a duration", "write a number and a unit (ms, s, m, h or d), as in \"1h 30m\""),
        })?;
        if range.contains(&duration) { Ok(duration) } else { Err(self.fault("is out of range", within(&range))) }
    }

    /// One of a few words, each of which means something.
    pub(super) fn choice<T: Copy>(self, choices: &[(&str, T)]) -> Result<T> {
        let text = self.text()?;
        if let Some((_, meaning)) = choices.iter().find(|(word, _)| *word == text) {
            return Ok(*meaning);
        }
        let words: Vec<String> = choices.iter().map(|(word, _)| format!("{word:?}")).collect();
        let fault = self.fault("is not known", format!("allowed: {}", words.join(", ")));
        Err(match suggest::closest(text, choices.iter().map(|(word, _)| *word)) {
            Some(near) => fault.help(format!("did you mean \"{near}\"?")),
            None => fault,
        })
    }

    /// The items of a list.
    pub(super) fn list(self) -> Result<Vec<Value<'d>>> {
        let DeValue::Array(items) = self.raw() else {
            return Err(self.fault("is not a list", "write it in brackets: [ ... ]"));
        };
        Ok(items.iter().map(|value| Value { key: self.key, value }).collect())
    }

    /// The tables of a key that is written `[[key]]` once for each of them.
    pub(super) fn tables(self, group: &'static Group) -> Result<Vec<Table<'d>>> {
        if !self.raw().is_array() {
            let message = format!("there can be several `{}`, so each is a table in double brackets", self.key());
            return Err(Fault::new(self.span(), message, format!("write {}", group.what)));
        }
        self.list()?.into_iter().map(|item| item.table(group)).collect()
    }

    /// A table with no other keys than those of `group`.
    pub(super) fn table(self, group: &'static Group) -> Result<Table<'d>> {
        self.table_with(group.what, Some(group), &group.names())
    }

    /// A table named `what` with no other keys than `keys`, which are in no group.
    pub(super) fn table_of(self, what: &'static str, keys: &[&str]) -> Result<Table<'d>> {
        self.table_with(what, None, keys)
    }

    fn table_with(self, what: &'static str, group: Option<&'static Group>, keys: &[&str]) -> Result<Table<'d>> {
        let DeValue::Table(entries) = self.raw() else {
            return Err(self.fault(
                "is not a table",
                format!("write its keys in braces: {{ {} = ... }}", keys.first().unwrap_or(&"")),
            ));
        };
        Table::new(what, group, self.span(), entries, keys)
    }
}

fn within(range: &RangeInclusive<Duration>) -> String {
    format!("allowed is {} to {}", span_of_time(*range.start()), span_of_time(*range.end()))
}

/// `2h 30m`. Not humantime's own: its month of 30.44 days turns 31 days into "1month 13h 26m 24s".
pub(super) fn span_of_time(time: Duration) -> String {
    let seconds = time.as_secs();
    let parts = [(seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let mut words: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    if time.subsec_nanos() > 0 {
        words.push(humantime::format_duration(Duration::from_nanos(time.subsec_nanos().into())).to_string());
    }
    if words.is_empty() { "0s".into() } else { words.join(" ") }
}

/// `text` in `quote`s and escaped, so that it stays one short word of a sentence.
pub(super) fn quoted(text: &str, quote: char) -> String {
    format!("{quote}{}{quote}", brief(text).escape_debug())
}

fn brief(text: &str) -> String {
    const MOST: usize = 60;
    let mut chars = text.chars();
    let start: String = chars.by_ref().take(MOST).collect();
    if chars.next().is_some() { start + "..." } else { start }
}
