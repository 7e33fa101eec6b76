//! docs/lambda.md says what the code says.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use handlers::aws::CallLimits;
use handlers::aws::config::{BUS, BUS_NAME, TABLE_NAME};
use handlers::aws::lambda::{ANSWER, InvocationError, WRAP_UP};
use handlers::aws::{DETAIL_TYPE, DUE_INDEX, ROLE, SOURCE};
use handlers::metrics::NAMESPACE;
use handlers::ports::StoreError;
use handlers::record::TABLE;
use lambda_runtime::Diagnostic;

use crate::binaries::{INTERRUPTION, PLACEMENT_FAILURE, RESTORE};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The adapters without their comments and tests.
fn adapters() -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/aws");
    let files = std::fs::read_dir(directory).expect("there are adapters");
    let mut code = String::new();
    for file in files {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("text");
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let _ = writeln!(code, "{line}");
        }
    }
    code
}

/// What stands in quotes in `code` and begins with one of `prefixes`.
fn quoted(code: &str, prefixes: &[&str]) -> BTreeSet<String> {
    let is_one = |text: &&str| prefixes.iter().any(|prefix| text.starts_with(prefix) && text.len() > prefix.len());
    code.split('"').skip(1).step_by(2).filter(is_one).map(ToOwned::to_owned).collect()
}

/// The first column of the table with this head, without its backticks.
fn column(page: &str, head: &str) -> BTreeSet<String> {
    let table = page.split(head).nth(1).unwrap_or_else(|| panic!("docs/lambda.md has no table {head}"));
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.filter_map(|row| row.split('|').nth(1)).map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
}

#[test]
fn the_page_has_every_variable_that_is_read_and_no_other() {
    let page = read("docs/lambda.md");
    let read = quoted(&adapters(), &["AWS_", "SPOT_RECOVERY_"]);
    assert!(read.len() > 8, "{read:?}");
    assert_eq!(column(&page, "| variable | default | meaning |"), read);
    for (variable, default) in [(TABLE_NAME, TABLE), (BUS_NAME, BUS)] {
        assert!(page.contains(&format!("| `{variable}` | `{default}` |")), "{variable} has the default {default}");
    }
}

#[test]
fn the_page_has_the_table_of_calls_and_the_table_has_every_call() {
    let module = read("handlers/src/aws/mod.rs");
    let module: Vec<&str> = module.lines().filter_map(|line| line.strip_prefix("//! ")).collect();
    let from = module.iter().position(|line| line.starts_with("| call |")).expect("a table of calls");
    let table = module[from..].join("\n").replace("[`ROLE`]", &format!("`{ROLE}`"));
    let table = table.replace("[`DUE_INDEX`]", &format!("`{DUE_INDEX}`"));
    let page = read("docs/lambda.md");
    assert!(page.contains(&table), "docs/lambda.md wants this table:\n\n{table}");

    let code: String = adapters().split_whitespace().collect();
    let mut calls = BTreeSet::new();
    for client in ["sts.", "ecs().", "dynamodb.", "eventbridge.", "sqs."] {
        for after in code.split(&format!(".{client}")).skip(1) {
            calls.insert(after.split('(').next().unwrap_or_default().to_owned());
        }
    }
    assert_eq!(calls.len(), 10, "{calls:?}");
    for call in calls {
        // IAM has one permission for a call and its batch.
        let words = call.split('_').filter(|word| *word != "batch");
        let action: String = words.map(|word| word[..1].to_uppercase() + &word[1..]).collect();
        assert!(table.contains(&action), "{action} is not in\n{table}");
    }
}

#[test]
fn the_page_has_the_limits_in_force() {
    let limits = CallLimits::default();
    let mut table = String::from("| limit | value |\n| --- | --- |\n");
    let mut row = |what: &str, value: String| table += &format!("| {what} | {value} |\n");
    let time = |time: Duration| humantime::format_duration(time).to_string();
    row("until a connection stands", time(limits.connect));
    row("one attempt of a call", time(limits.attempt));
    row("a call with all its attempts", time(limits.operation));
    row("`UpdateService`, which has one attempt", time(limits.update));
    row("`AssumeRole` with all its attempts", time(limits.assume));
    row("attempts of a call that may be repeated", limits.attempts.to_string());
    row("first pause before another attempt, at most", time(limits.retry_pause));
    row("before the deadline: work stops", time(WRAP_UP));
    row("before the deadline: the answer is on its way", time(ANSWER));
    assert!(read("docs/lambda.md").contains(&table), "docs/lambda.md wants this table:\n\n{table}");
}

#[test]
fn the_page_has_every_error_type() {
    let init = quoted(&adapters(), &["Runtime."]);
    let errors = [
        InvocationError::Payload(String::new()),
        InvocationError::NoMessageId(0),
        InvocationError::Store(StoreError::Unclear(String::new())),
    ];
    let types = errors.map(|error| Diagnostic::from(error).error_type);
    let expected: BTreeSet<String> = init.into_iter().chain(types).collect();
    assert_eq!(column(&read("docs/lambda.md"), "| error type | means |"), expected);
}

#[test]
fn what_the_page_tells_to_search_for_is_logged_and_counted() {
    let page = read("docs/lambda.md");
    let sources = [
        "aws/invocation",
        "aws/lambda",
        "aws/ecs",
        "aws/store",
        "reconcile",
        "reconcile/events",
        "reconcile/sweep",
        "reconcile/turns",
        "handler/queue",
        "handler/restore",
    ];
    let code: String = sources.map(|file| read(&format!("handlers/src/{file}.rs"))).concat();
    for message in column(&page, "| `message` | level | says |") {
        assert!(code.contains(&format!("\"{message}\"")), "nothing logs {message:?}");
    }
    let metrics = read("handlers/src/metrics.rs");
    let names = metrics.split("fn name(").nth(1).expect("the names");
    let counted: BTreeSet<String> = names.split('"').skip(1).step_by(2).map(ToOwned::to_owned).collect();
    assert_eq!(column(&page, "| metric | a service |"), counted);
    for word in [NAMESPACE, SOURCE, DETAIL_TYPE] {
        assert!(page.contains(&format!("`{word}`")), "{word}");
    }
}

#[test]
fn the_page_names_the_binaries() {
    let names: BTreeSet<String> = [PLACEMENT_FAILURE, INTERRUPTION, RESTORE]
        .map(|path| Path::new(path).file_name().expect("a file").to_string_lossy().into_owned())
        .into();
    assert_eq!(column(&read("docs/lambda.md"), "| function | started by |"), names);
}
