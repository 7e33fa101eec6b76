//! The parser, the schema for editors and `docs/scenarios.md` say the same of every key: each is taken through all three.

use std::path::Path;

use boon::{Compiler, SchemaIndex, Schemas};
use handlers::policy::TUNABLES;
use scenarios::file::keys::{Group, Key, Kind, Need, Rule, SCENARIO, groups};
use scenarios::{file, library, reference, schema};
use toml::{Table, Value};

/// A good file in which every action and every expectation has something to speak of.
const GOOD: &str = r#"
title    = "A test"
duration = "3h"

[[service]]
account  = "111111111111"
cluster  = "web"
name     = "checkout"
desired  = 6
alarms   = true
strategy = [{ provider = "FARGATE_SPOT", weight = 1 }, { provider = "FARGATE", weight = 1 }]

[[fleet]]
name     = "batch"
accounts = 2
cluster  = "jobs"
services = 4
desired  = 2
alarms   = true
strategy = [{ provider = "FARGATE_SPOT", weight = 1 }]

[[at]]
time   = "20m"
deploy = { service = "web/checkout" }

[[at]]
time = "10m"
spot = { capacity = 0 }

[expect]
min_availability = 0.5
"#;

/// The schema, ready to be held against files.
struct Checker(Schemas, SchemaIndex);

impl Checker {
    fn new() -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("scenario.json", schema::schema()).expect("the schema is JSON");
        let index = compiler.compile("scenario.json", &mut schemas).expect("the schema is one");
        Self(schemas, index)
    }

    fn check(&self, document: &Table) -> Result<(), String> {
        let json = serde_json::to_value(document).expect("TOML without dates is JSON");
        self.0.validate(&json, self.1).map_err(|error| format!("{error:#}"))
    }
}

/// What the player makes of a document, or what it says of it.
fn parsed(document: &Table) -> Result<String, String> {
    let text = toml::to_string(document).expect("it can be written");
    file::parse("test.toml", &text).map(|scenario| format!("{scenario:?}")).map_err(|problem| problem.to_string())
}

fn toml(value: &str) -> Value {
    let mut table: Table =
        toml::from_str(&format!("value = {value}")).unwrap_or_else(|error| panic!("{value}: {error}"));
    table.remove("value").expect("it is there")
}

/// A value for `key`: its example, or for a table the least that it may hold.
fn value_for(key: &Key) -> Value {
    match key.kind {
        Kind::Table(group) => least(group).into(),
        Kind::Tables(group) => vec![Value::from(least(group))].into(),
        Kind::Policy => toml("{ paused = true }"),
        _ => toml(key.example),
    }
}

/// The least that `group` may hold.
fn least(group: &'static Group) -> Table {
    let mut table = Table::new();
    for key in group.keys().filter(|key| key.need == Need::Required) {
        table.insert(key.name.into(), value_for(key));
    }
    if group.name() == "update_service" {
        table.insert("desired".into(), 8.into());
    }
    if let Rule::OneOf([first, ..]) | Rule::SomeOf([first, ..]) = group.rule {
        set(&mut table, group, group.key(first).expect("a rule speaks of keys"));
    }
    table
}

/// Gives `table` the key as `group` wants it: without those that it excludes, with those that go along.
fn set(table: &mut Table, group: &Group, key: &Key) {
    match group.rule {
        Rule::OneOf(keys) if keys.contains(&key.name) => keys.iter().for_each(|other| _ = table.remove(*other)),
        Rule::Together(one, other) if [one, other].contains(&key.name) => {
            for key in [one, other].map(|name| group.key(name).expect("a rule speaks of keys")) {
                table.insert(key.name.into(), value_for(key));
            }
        }
        _ => {}
    }
    table.insert(key.name.into(), value_for(key));
}

/// A good file with a table of `group` in it, to which `change` is made.
fn with(group: &'static Group, change: impl FnOnce(&mut Table)) -> Table {
    let mut document: Table = toml::from_str(GOOD).expect("it is TOML");
    change(find(&mut document, group));
    document
}

/// The table of `group` in `document`, made there if it is not.
fn find<'d>(document: &'d mut Table, group: &'static Group) -> &'d mut Table {
    if std::ptr::eq(group, &SCENARIO) {
        return document;
    }
    let (parent, key) = parent(group);
    let table = find(document, parent);
    if !table.contains_key(key.name) || matches!(key.kind, Kind::Or(..)) {
        set(table, parent, key);
        if let Kind::Or(_, Kind::List(_)) = key.kind {
            table.insert(key.name.into(), toml("[{ provider = \"FARGATE_SPOT\", weight = 1 }]"));
        }
    }
    match table.get_mut(key.name).expect("it was set") {
        Value::Table(table) => table,
        Value::Array(items) => items[0].as_table_mut().expect("a list of tables"),
        other => panic!("{} is {other}", key.name),
    }
}

/// The first table that has a table of `group` as the value of a key.
fn parent(group: &'static Group) -> (&'static Group, &'static Key) {
    fn holds(kind: Kind, group: &'static Group) -> bool {
        match kind {
            Kind::Table(inner) | Kind::Tables(inner) => std::ptr::eq(inner, group),
            Kind::List(item) => holds(*item, group),
            _ => false,
        }
    }
    let all = groups().into_iter().flat_map(|parent| parent.keys().map(move |key| (parent, key)));
    let mut parents = all.filter(|(_, key)| holds(key.kind, group));
    parents.next().unwrap_or_else(|| panic!("{} is nowhere", group.what))
}

/// Every key with the table it is in.
fn keys() -> impl Iterator<Item = (&'static Group, &'static Key)> {
    groups().into_iter().flat_map(|group| group.keys().map(move |key| (group, key)))
}

#[test]
fn every_key_is_read_as_its_example_shows_and_does_something() {
    let checker = Checker::new();
    for (group, key) in keys() {
        let place = format!("{} of {}", key.name, group.what);
        // What an empty table does is up to its keys.
        let is_empty = value_for(key).as_table().is_some_and(Table::is_empty);
        let document = with(group, |table| {
            if !(is_empty && table.contains_key(key.name)) {
                set(table, group, key);
            }
        });
        let read = parsed(&document).unwrap_or_else(|problem| panic!("{place}: {problem}"));
        checker.check(&document).unwrap_or_else(|error| panic!("{place}: {error}"));
        let is_default = matches!(key.need, Need::Or(default) if toml(default) == value_for(key));
        let is_choice = matches!(group.rule, Rule::OneOf(keys) if keys.contains(&key.name));
        if key.need != Need::Required && !is_default && !is_choice && !is_empty {
            let without = with(group, |table| _ = table.remove(key.name));
            // Of two keys that go together, or of which one must be there, one alone is refused, which is an effect too.
            assert_ne!(parsed(&without), Ok(read), "{place} does nothing");
        }
    }
}

#[test]
fn every_default_written_out_changes_nothing() {
    for (group, key) in keys() {
        let Need::Or(default) = key.need else { continue };
        let place = format!("{} of {}", key.name, group.what);
        let without = with(group, |table| _ = table.remove(key.name));
        let written = with(group, |table| _ = table.insert(key.name.into(), toml(default)));
        let without = parsed(&without).unwrap_or_else(|problem| panic!("{place}: {problem}"));
        assert_eq!(parsed(&written), Ok(without), "{place}");
    }
}

#[test]
fn a_table_without_a_key_that_it_needs_is_refused_by_player_and_schema() {
    let checker = Checker::new();
    for (group, key) in keys().filter(|(_, key)| key.need == Need::Required) {
        let place = format!("{} of {}", key.name, group.what);
        let document = with(group, |table| _ = table.remove(key.name));
        assert!(checker.check(&document).is_err(), "{place}: the schema takes it");
        let problem = parsed(&document).expect_err(&place);
        assert!(problem.contains(key.name) && problem.contains("is missing"), "{place}: {problem}");
    }
}

#[test]
fn a_value_that_a_key_cannot_have_is_refused_by_player_and_schema() {
    let checker = Checker::new();
    for (group, key) in keys() {
        for bad in bad_values(key.kind) {
            let place = format!("{} = {bad} of {}", key.name, group.what);
            let mut document = with(group, |table| set(table, group, key));
            find(&mut document, group).insert(key.name.into(), bad);
            assert!(checker.check(&document).is_err(), "{place}: the schema takes it");
            assert!(parsed(&document).is_err(), "{place}: the player takes it");
        }
    }
}

/// Values just outside of what is allowed, and values of another type.
fn bad_values(kind: Kind) -> Vec<Value> {
    let number = |number: i128| i64::try_from(number).ok().map(Value::from);
    match kind {
        Kind::Line => vec![5.into(), " ".into(), "two\nlines".into()],
        Kind::Text | Kind::Duration(..) => vec![5.into(), true.into()],
        Kind::Boolean => vec!["yes".into(), 1.into()],
        Kind::Integer(least, most) => {
            let outside = [i128::from(least) - 1, i128::from(most) + 1].into_iter().filter_map(number);
            outside.chain([Value::from("four"), Value::from(1.5)]).collect()
        }
        Kind::IntegerOr(most, _) => vec![(-1).into(), (most as i64 + 1).into(), "some".into()],
        Kind::Number(numbers) => vec![(numbers[0] as i64 + 1).into(), "256".into()],
        Kind::Share => vec![1.01.into(), (-0.01).into(), "all".into()],
        Kind::Word(_) => vec!["no-such-word".into(), 1.into()],
        Kind::Account => vec!["12345678901".into(), "1234567890123".into(), 5.into()],
        Kind::Service => vec!["checkout".into(), 5.into()],
        Kind::List(item) => {
            let wrong = bad_values(*item).into_iter().map(|bad| Value::from(vec![bad]));
            wrong.chain([Value::from(5)]).collect()
        }
        Kind::Or(..) => vec![true.into(), (-1).into()],
        Kind::Object => vec![5.into(), vec![Value::from(5)].into()],
        Kind::Policy | Kind::Table(_) => vec![5.into(), toml("{ no_such_key = 1 }")],
        Kind::Tables(_) => vec![5.into(), toml("[{ no_such_key = 1 }]")],
    }
}

#[test]
fn a_time_outside_of_the_range_that_the_page_gives_is_refused() {
    let second = std::time::Duration::from_secs(1);
    for (group, key) in keys() {
        let Kind::Duration(least, most) = key.kind else { continue };
        // `the duration` is 3 hours here.
        let most = if most == "the duration" { "3h" } else { most };
        let [least, most] = [least, most].map(|end| humantime::parse_duration(end).expect("a time"));
        let below = least.checked_sub(second).map(|below| (below, false));
        for (time, allowed) in below.into_iter().chain([(most + second, false), (least, true), (most, true)]) {
            let text = format!("{}s", time.as_secs());
            let mut document = with(group, |table| set(table, group, key));
            find(&mut document, group).insert(key.name.into(), text.clone().into());
            let read = parsed(&document);
            let refusal = format!("error: `{}` = ", key.name);
            let out_of_range = |problem: &String| {
                problem.starts_with(&refusal) && (problem.contains("out of range") || problem.contains("after the end"))
            };
            let in_range = !read.as_ref().is_err_and(out_of_range);
            assert_eq!(in_range, allowed, "{} = {text} of {}: {read:?}", key.name, group.what);
        }
    }
}

#[test]
fn a_key_that_is_not_in_the_table_of_keys_is_refused_everywhere() {
    let checker = Checker::new();
    for group in groups() {
        let document = with(group, |table| _ = table.insert("no_such_key".into(), 1.into()));
        assert!(checker.check(&document).is_err(), "{}: the schema takes it", group.what);
        let problem = parsed(&document).expect_err(group.what);
        assert!(problem.contains(&format!("unknown key `no_such_key` in {}", group.what)), "{problem}");
    }
}

#[test]
fn every_tunable_is_in_the_schema_with_its_default() {
    let checker = Checker::new();
    for tunable in TUNABLES {
        let number = tunable.default.parse::<i64>().map(Value::from);
        let boolean = tunable.default.parse::<bool>().map(Value::from);
        let value = number.or(boolean).unwrap_or_else(|_| tunable.default.into());
        let document = with(&SCENARIO, |table| {
            let policy = Table::from_iter([(tunable.name.to_owned(), value)]);
            table.insert("policy".into(), policy.into());
        });
        checker.check(&document).unwrap_or_else(|error| panic!("{}: {error}", tunable.name));
        assert!(parsed(&document).is_ok(), "{}", tunable.name);
    }
}

#[test]
fn every_scenario_of_the_library_names_the_schema_and_keeps_to_it() {
    let checker = Checker::new();
    for named in library::all() {
        let text = std::fs::read_to_string(&named.path).expect("readable");
        assert!(text.starts_with(&format!("#:schema {}\n", schema::FILE)), "{} does not name the schema", named.name);
        let document: Table = toml::from_str(&text).expect("it is TOML");
        checker.check(&document).unwrap_or_else(|error| panic!("{}: {error}", named.name));
    }
}

/// `INSTA_UPDATE=always` writes it anew.
fn assert_up_to_date(path: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var("INSTA_UPDATE").as_deref() == Ok("always") {
        std::fs::write(&path, text).expect("writable");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "{} is out of date: run cargo xtask scenario --accept", path.display());
}

#[test]
fn the_page_and_the_schema_kept_as_a_file_are_those_of_the_table_of_keys() {
    assert_up_to_date("../docs/scenarios.md", &reference::page());
    assert_up_to_date(schema::FILE, &schema::text());
}
