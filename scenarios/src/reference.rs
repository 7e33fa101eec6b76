//! `docs/scenarios.md`: what a scenario file may say, made of the table of keys that the parser reads by.

use std::fmt::Write as _;

use crate::file::keys::{Group, Key, Kind, Need, Rule, groups};

/// The page, in Markdown.
pub fn page() -> String {
    let mut out = include_str!("reference/intro.md").to_owned();
    for group in groups() {
        write_group(&mut out, group).expect("writing to a string does not fail");
    }
    out
}

fn write_group(out: &mut String, group: &Group) -> std::fmt::Result {
    let heading = if group.what.starts_with('[') { format!("`{}`", group.what) } else { group.what.to_owned() };
    writeln!(out, "\n## {heading}\n\n{}", group.about)?;
    if let Some(rule) = rule(group) {
        writeln!(out, "{rule}")?;
    }
    writeln!(out, "\n| key | value | without it | for example | meaning |\n| --- | --- | --- | --- | --- |")?;
    for key in group.keys() {
        let Key { name, meaning, .. } = key;
        writeln!(out, "| `{name}` | {} | {} | {} | {meaning} |", value(key.kind), without(key), example(key))?;
    }
    Ok(())
}

fn rule(group: &Group) -> Option<String> {
    let list = |keys: &[&str]| keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    match group.rule {
        Rule::Free => None,
        Rule::OneOf(keys) if keys.len() > 5 => Some("Exactly one action each.".into()),
        Rule::OneOf(keys) => Some(format!("Exactly one of {}.", list(keys))),
        Rule::SomeOf(keys) => Some(format!("At least one of {}.", list(keys))),
        Rule::Together(one, other) => Some(format!("`{one}` and `{other}` go together.")),
    }
}

fn value(kind: Kind) -> String {
    let words = |words: &[&str]| words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", ");
    match kind {
        Kind::Line | Kind::Text => "text".into(),
        Kind::Boolean => "`true`, `false`".into(),
        Kind::Integer(least, most) if most > 1_000_000_000 => format!("number from {least}"),
        Kind::Integer(least, most) => format!("number, {least} to {most}"),
        Kind::IntegerOr(_, word) => format!("number from 0, or `\"{word}\"`"),
        Kind::Number(numbers) => numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(", "),
        Kind::Share => "number, 0 to 1".into(),
        Kind::Duration(least, most) => format!("time, {least} to {most}"),
        Kind::Word(all) => words(all),
        Kind::Account => "account".into(),
        Kind::Service => "service".into(),
        Kind::List(Kind::Table(group)) => format!("list of {}", link(group, group.what.trim_start_matches("a "))),
        Kind::List(Kind::Account) => "list of accounts".into(),
        Kind::List(item) => format!("list of: {}", value(*item)),
        Kind::Or(one, other) => format!("{}, or {}", value(*one), value(*other)),
        Kind::Object => "table, or JSON text".into(),
        Kind::Policy => "table of [tunables](policy.md)".into(),
        Kind::Table(group) => link(group, "table"),
        Kind::Tables(group) => link(group, "tables"),
    }
}

/// GitHub's anchor of a heading: small letters, spaces as hyphens, no other signs.
fn link(group: &Group, text: &str) -> String {
    let anchor = group.what.to_lowercase().replace(' ', "-");
    let anchor: String = anchor.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect();
    format!("[{text}](#{anchor})")
}

fn without(key: &Key) -> String {
    match key.need {
        Need::Required => "**required**".into(),
        Need::Or(default) => format!("`{default}`"),
        Need::Else(words) => words.into(),
    }
}

fn example(key: &Key) -> String {
    if key.example.is_empty() { String::new() } else { format!("`{} = {}`", key.name, key.example) }
}
