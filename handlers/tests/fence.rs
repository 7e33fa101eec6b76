//! Imports run downwards: which part of a crate may import which other. A part is a folder of `src` with the file of its name, or a
//! file alone. A part imports only what stands above it in its table, so there is no loop.
//!
//! An import that a table does not list fails with its line. It may be wrong, or the table may want a new entry; an entry that needs a
//! part further down means that something lies in the wrong part.

#[path = "common/repository.rs"]
mod repository;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use repository::{code, files, read, root};

/// A part, and the parts that it may import.
type Table = &'static [(&'static str, &'static [&'static str])];

const FENCES: &[(&str, Table)] = &[
    (
        "handlers",
        &[
            ("held", &[]),
            ("json", &[]),
            ("phase", &[]),
            ("policy", &[]),
            ("service", &[]),
            ("strategy", &[]),
            ("timestamp", &[]),
            ("event", &["json", "service", "strategy", "timestamp"]),
            ("observation", &["held", "strategy", "timestamp"]),
            ("reason", &["held"]),
            ("transition", &["phase", "service", "strategy", "timestamp"]),
            ("metrics", &["phase", "transition"]),
            ("record", &["event", "held", "phase", "policy", "service", "strategy", "timestamp", "transition"]),
            ("market", &["phase", "policy", "record", "service", "timestamp"]),
            ("turn", &["policy", "record", "service", "timestamp"]),
            (
                "decide",
                &[
                    "event",
                    "held",
                    "market",
                    "observation",
                    "phase",
                    "policy",
                    "reason",
                    "record",
                    "service",
                    "strategy",
                    "timestamp",
                ],
            ),
            (
                "ports",
                &["held", "market", "observation", "record", "service", "strategy", "timestamp", "transition", "turn"],
            ),
            (
                "reconcile",
                &[
                    "decide",
                    "event",
                    "market",
                    "observation",
                    "policy",
                    "ports",
                    "record",
                    "service",
                    "timestamp",
                    "transition",
                    "turn",
                ],
            ),
            ("handler", &["event", "ports", "reconcile"]),
            (
                "aws",
                &[
                    "event",
                    "handler",
                    "held",
                    "market",
                    "metrics",
                    "observation",
                    "policy",
                    "ports",
                    "reconcile",
                    "record",
                    "service",
                    "strategy",
                    "timestamp",
                    "transition",
                    "turn",
                ],
            ),
        ],
    ),
    (
        "simulator",
        &[
            ("engine", &[]),
            ("ids", &["engine"]),
            ("pattern", &[]),
            ("prices", &[]),
            ("spec", &[]),
            ("sqs", &[]),
            ("chance", &["engine"]),
            ("dynamodb", &["ids"]),
            ("facts", &["engine"]),
            ("observers", &["engine", "ids", "spec"]),
            ("env", &["chance", "engine", "facts", "ids", "observers", "spec"]),
            ("eventbridge", &["engine", "env", "facts", "observers", "pattern", "spec"]),
            ("lambda", &["engine", "env", "facts", "observers", "spec", "sqs"]),
            ("ecs", &["chance", "engine", "env", "eventbridge", "facts", "ids", "observers", "pattern", "spec"]),
            ("workload", &["ecs", "engine", "ids", "observers", "spec"]),
            (
                "world",
                &[
                    "chance",
                    "dynamodb",
                    "ecs",
                    "engine",
                    "env",
                    "eventbridge",
                    "facts",
                    "ids",
                    "lambda",
                    "observers",
                    "pattern",
                    "spec",
                    "workload",
                ],
            ),
            ("runtime", &["ecs", "engine", "facts", "ids", "lambda", "observers", "pattern", "spec", "world"]),
            ("figures", &["observers", "prices", "runtime"]),
            ("planted", &["ecs", "lambda", "runtime", "world"]),
            (
                "wire",
                &["ecs", "engine", "eventbridge", "facts", "ids", "observers", "pattern", "runtime", "spec", "world"],
            ),
            ("sdk", &["lambda", "runtime", "spec", "wire", "world"]),
            ("serve", &["wire"]),
        ],
    ),
    (
        "scenarios",
        &[
            ("diagnostic", &[]),
            ("library", &[]),
            ("naive", &[]),
            ("pictures", &[]),
            ("file", &["diagnostic"]),
            ("reference", &["file"]),
            ("schema", &["file"]),
            ("verdict", &["file"]),
            ("new", &["library", "schema"]),
            ("play", &["file", "verdict"]),
            ("swarm", &["file", "verdict"]),
            ("timeline", &["verdict"]),
            ("compare", &["file", "naive", "play", "verdict"]),
            ("report", &["compare", "play", "timeline", "verdict"]),
            ("all", &["file", "library", "play", "report", "verdict"]),
            ("watch", &["report", "timeline"]),
        ],
    ),
    (
        "lambda-local",
        &[
            ("bundle", &[]),
            ("executable", &[]),
            ("function", &[]),
            ("http", &[]),
            ("aws", &["http"]),
            ("runtime_api", &["http"]),
        ],
    ),
    (
        "localstack",
        &[
            ("backend", &[]),
            ("clients", &[]),
            ("operator", &[]),
            ("pace", &[]),
            ("process", &[]),
            ("onboarding", &["clients"]),
            ("world", &["clients"]),
            ("cell", &["clients", "onboarding", "pace"]),
            ("functions", &["clients", "world"]),
            ("run", &["backend", "cell", "clients", "functions", "pace", "world"]),
            ("journey", &["backend", "clients", "functions", "onboarding", "process", "run", "world"]),
            ("scenario", &["backend", "clients", "functions", "run"]),
        ],
    ),
    (
        "xtask",
        &[
            ("browser", &[]),
            ("cdk", &[]),
            ("operator", &[]),
            ("package", &[]),
            ("bench", &["package"]),
            ("deploy", &["cdk", "package"]),
            ("e2e", &["cdk", "operator", "package"]),
            ("onboard", &["cdk", "package"]),
        ],
    ),
];

/// A module of a crate: its path below the crate, and its code without comments and tests.
struct Module {
    file: PathBuf,
    path: Vec<String>,
    code: String,
}

/// An import of one part by another.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Import {
    from: String,
    to: String,
    at: String,
}

fn modules(package: &str) -> Vec<Module> {
    let source = format!("{package}/src");
    let of_file = |file: PathBuf| {
        let below = file.strip_prefix(root().join(&source)).unwrap().with_extension("");
        let mut path: Vec<String> = below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        path.retain(|part| part != "mod");
        Module { path, code: code(&read(&file)), file }
    };
    let mut found: Vec<Module> = files(&source, &["rs"]).into_iter().map(of_file).collect();
    // Programs use the crate from outside; tests may import anything.
    found.retain(|module| {
        !module.path.iter().any(|part| part == "tests" || part == "testing" || part == "bin") && module.path != ["main"]
    });
    found
}

/// What `module` imports of other parts of its crate, by paths that begin with `crate` or lead there with `super`.
fn imports(module: &Module, parts: &BTreeSet<String>) -> Vec<Import> {
    let Some(from) = module.path.first().filter(|first| *first != "lib") else { return Vec::new() };
    let mut found = Vec::new();
    for (start, word) in module.code.match_indices("crate::").chain(module.code.match_indices("super::")) {
        let before = &module.code[..start];
        if before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '$') {
            continue;
        }
        let (mut rest, mut up) = (&module.code[start..], 0);
        while let Some(further) = rest.strip_prefix("super::") {
            (rest, up) = (further, up + 1);
        }
        let at_root = if word == "crate::" { rest.strip_prefix("crate::") } else { Some(rest) };
        let Some(rest) = at_root.filter(|_| up == 0 || up == module.path.len()) else { continue };
        let names: Vec<&str> = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default().split(',').map(str::trim).collect(),
            None => vec![rest],
        };
        for name in names {
            let to: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if to != *from && parts.contains(&to) {
                let at = format!("{}:{}", module.file.display(), before.matches('\n').count() + 1);
                found.push(Import { from: from.clone(), to, at });
            }
        }
    }
    found
}

/// What is wrong with the imports of a crate, by its table.
fn wrong(modules: &[Module], table: Table) -> Vec<String> {
    let parts: BTreeSet<String> = modules.iter().filter_map(|module| module.path.first().cloned()).collect();
    let mut wrong = Vec::new();
    let mut allowed: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (part, imports) in table {
        for import in *imports {
            if !allowed.contains_key(import) {
                wrong.push(format!("the table lets {part} import {import}, which does not stand above it"));
            }
        }
        if !parts.contains(*part) {
            wrong.push(format!("the table has {part}, the crate has not"));
        }
        allowed.insert(part, imports.iter().copied().collect());
    }
    let all: Vec<Import> = modules.iter().flat_map(|module| imports(module, &parts)).collect();
    for Import { from, to, at } in &all {
        if !allowed.get(from.as_str()).is_some_and(|allowed| allowed.contains(to.as_str())) {
            wrong.push(format!("{at}: {from} imports {to}, which the table does not allow"));
        }
    }
    for (part, imports) in &allowed {
        for import in imports {
            if !all.iter().any(|one| one.from == **part && one.to == **import) {
                wrong.push(format!("the table lets {part} import {import}, and nothing there does"));
            }
        }
    }
    for part in parts.iter().filter(|part| *part != "lib" && !allowed.contains_key(part.as_str())) {
        wrong.push(format!("{part} is missing in the table"));
    }
    wrong
}

#[test]
fn every_import_runs_downwards_as_its_table_says() {
    let mut all = Vec::new();
    for (package, table) in FENCES {
        let modules = modules(package);
        let (parts, arrows) = (table.len(), table.iter().map(|(_, imports)| imports.len()).sum::<usize>());
        println!("{package}: {parts} parts, {arrows} imports between them, none upwards, no loop");
        all.extend(wrong(&modules, table).into_iter().map(|wrong| format!("{package}: {wrong}")));
    }
    assert!(all.is_empty(), "\n{}\n", all.join("\n"));
}

fn module(path: &str, code: &str) -> Module {
    let path: Vec<String> = path.split('/').map(str::to_owned).collect();
    Module { file: PathBuf::from(path.join("/")).with_extension("rs"), path, code: repository::code(code) }
}

#[test]
fn an_import_upwards_is_named_with_its_line() {
    let table: Table = &[("low", &[]), ("high", &["low"])];
    let above = module("high/top", "use crate::low::Base;\n");
    let sound = [module("low", "use crate::low::inner::X; // crate::high\n"), above];
    assert_eq!(wrong(&sound, table), Vec::<String>::new());
    for code in [
        "\n\nuse crate::high::Top;\n",
        "\n\nuse crate::{high, low};\n",
        "\n\nfn f() { crate::high::call() }\n",
        "\n\nuse super::high::Top;\n",
    ] {
        let modules = [module("low", code), module("high/top", "use crate::low::Base;\n")];
        assert_eq!(wrong(&modules, table), ["low.rs:3: low imports high, which the table does not allow"], "{code}");
    }
    let deep = [module("low/a/b", "use super::super::super::high::Top;\n"), module("high", "use crate::low::Base;\n")];
    assert_eq!(wrong(&deep, table), ["low/a/b.rs:1: low imports high, which the table does not allow"]);
    let tests = [module("low", "#[cfg(test)]\nmod tests { use crate::high; }\n"), module("high", "use crate::low::X;")];
    assert_eq!(wrong(&tests, table), Vec::<String>::new());
}

#[test]
fn a_table_that_has_a_loop_or_is_out_of_date_is_refused() {
    let modules = [module("low", ""), module("high", "use crate::low::Base;\n"), module("new", "")];
    let table: Table = &[("low", &["high"]), ("high", &["low"]), ("gone", &[])];
    assert_eq!(
        wrong(&modules, table),
        [
            "the table lets low import high, which does not stand above it",
            "the table has gone, the crate has not",
            "the table lets low import high, and nothing there does",
            "new is missing in the table",
        ]
    );
}
