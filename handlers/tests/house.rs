//! The invariants of the house that a machine can check; docs/architecture.md lists them all.

#[path = "common/repository.rs"]
mod repository;

use std::path::{Path, PathBuf};
use std::process::Command;

use handlers::policy::{ENV_PREFIX, TUNABLES};
use repository::{files, read, root};

fn code(path: impl AsRef<Path>) -> String {
    repository::code(&read(path))
}

fn sources(directory: &str) -> Vec<PathBuf> {
    files(directory, &["rs"])
}

#[test]
fn what_decides_does_no_io_and_reads_no_clock() {
    let files = [
        "decide",
        "event",
        "held",
        "market",
        "metrics",
        "observation",
        "phase",
        "reason",
        "record",
        "service",
        "strategy",
        "transition",
    ];
    let files = files.map(|file| root().join(format!("handlers/src/{file}.rs")));
    for path in files.into_iter().chain(sources("handlers/src/decide")) {
        let code = code(&path);
        for word in
            ["async ", ".await", "ports::", "SystemTime::now", "Instant::now", "std::fs", "std::net", "std::env"]
        {
            assert!(!code.contains(word), "{} has {word}", path.display());
        }
    }
}

#[test]
fn nothing_but_reconcile_calls_a_port() {
    let ports = code("handlers/src/ports.rs");
    let calls: Vec<String> = ports
        .lines()
        .filter_map(|line| line.trim().strip_prefix("async fn "))
        .filter_map(|rest| rest.split('(').next())
        .map(|name| format!("ports.{name}("))
        .collect();
    assert!(calls.len() >= 9, "{calls:?}");
    for path in sources("handlers/src") {
        if path.ends_with("src/reconcile.rs") || path.parent().is_some_and(|folder| folder.ends_with("reconcile")) {
            continue;
        }
        let code = code(&path);
        for call in &calls {
            assert!(!code.contains(call.as_str()), "{} calls {call}", path.display());
        }
    }
}

#[test]
fn nothing_in_production_can_panic_on_purpose() {
    for path in sources("handlers/src") {
        let code = code(&path);
        for word in [".unwrap()", ".expect(", "panic!(", "unreachable!(", "todo!(", "unimplemented!("] {
            assert!(!code.contains(word), "{} has {word}", path.display());
        }
    }
}

#[test]
fn dependencies_point_one_way() {
    let manifest = |package: &str| {
        let text = read(format!("{package}/Cargo.toml"));
        text.split("[dev-dependencies]").next().unwrap_or_default().to_owned()
    };
    for (package, forbidden) in [
        ("handlers", &["simulator", "scenarios", "lambda-local", "xtask"][..]),
        ("simulator", &["scenarios", "xtask"]),
        ("scenarios", &["xtask"]),
        ("lambda-local", &["handlers", "simulator", "scenarios", "xtask"]),
        ("xtask", &["handlers", "simulator", "scenarios", "lambda-local"]),
    ] {
        for other in forbidden {
            let needed = manifest(package).lines().any(|line| line.starts_with(&format!("{other}.")));
            assert!(!needed, "{package} depends on {other}");
        }
    }
    for path in sources("handlers/src") {
        assert!(!code(&path).contains("simulator::"), "{} knows the simulator", path.display());
    }
}

/// What the player is built from: packages, and their features.
fn built_from() -> String {
    let edges = "normal,features";
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--package", "scenarios", "--edges", edges, "--prefix", "none"])
        .current_dir(root())
        .output()
        .expect("cargo starts");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8_lossy(&tree.stdout).into_owned();
    assert!(tree.contains("handlers v") && tree.contains("handlers feature"), "{tree}");
    tree
}

#[test]
fn the_first_scenario_builds_without_an_aws_sdk() {
    let tree = built_from();
    assert!(!tree.lines().any(|line| line.starts_with("aws-")), "{tree}");
}

#[test]
fn no_planted_bug_is_built_into_the_player() {
    let tree = built_from();
    assert!(!tree.contains("planted"), "{tree}");
}

#[test]
fn the_page_on_the_policy_is_the_table_in_the_code() {
    let mut table = String::from(
        "| tunable | environment variable | default | range | meaning |\n| --- | --- | --- | --- | --- |\n",
    );
    for t in TUNABLES {
        let variable = format!("{ENV_PREFIX}{}", t.name.to_uppercase());
        table += &format!("| `{}` | `{variable}` | {} | {} | {} |\n", t.name, t.default, t.allowed, t.meaning);
    }
    let page = read("docs/policy.md");
    assert!(page.contains(&table), "docs/policy.md wants this table:\n\n{table}");
}

#[test]
fn every_test_that_a_page_names_exists() {
    let tests: String =
        ["handlers", "simulator", "scenarios"].iter().flat_map(|package| sources(package)).map(read).collect();
    for page in ["docs/architecture.md", "simulator/README.md"] {
        let text = read(page);
        // A name of five words or more is a test's: nothing else here is called by a sentence.
        let named: Vec<&str> =
            text.split('`').filter(|name| name.matches('_').count() >= 4 && !name.contains(' ')).collect();
        assert!(named.len() > 20, "{page}: {named:?}");
        for name in named {
            assert!(tests.contains(&format!("fn {name}(")), "{page}: there is no test {name}");
        }
    }
}
