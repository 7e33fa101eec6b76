//! The files of `decide/`: they call one another in one direction, which no import shows, for methods need none.

#[path = "common/repository.rs"]
mod repository;

use repository::root;

fn read(file: &str) -> String {
    repository::read(format!("handlers/src/{file}"))
}

/// The files in the order that the page of `decide.rs` gives: each may call those after it.
fn files() -> Vec<String> {
    let text = read("decide.rs");
    let list = text.split("of no other:").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap_or_default();
    list.split('`').filter(|name| name.ends_with(".rs")).map(|name| format!("decide/{name}")).collect()
}

fn code(file: &str) -> String {
    repository::code(&read(file))
}

/// The methods that a file has for the others.
fn methods(code: &str) -> impl Iterator<Item = &str> {
    code.split("pub(super) fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next())
}

#[test]
fn the_list_in_decide_names_every_file() {
    let mut listed = files();
    listed.sort();
    let directory = root().join("handlers/src/decide");
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    let mut found: Vec<String> = entries.map(|name| format!("decide/{}", name.to_string_lossy())).collect();
    found.sort();
    assert_eq!(listed, found);
}

#[test]
fn files_of_decide_call_only_files_after_them_in_the_list() {
    let files = files();
    for (n, caller) in files.iter().enumerate() {
        let caller_code = code(caller);
        for above in &files[..n] {
            for method in methods(&code(above)) {
                assert!(!caller_code.contains(&format!(".{method}(")), "{caller} calls {method}() of {above}");
            }
        }
        for import in caller_code.lines().filter_map(|line| line.trim().strip_prefix("use super::")) {
            let shared = import.starts_with("step::") || import.starts_with("decision::");
            assert!(shared, "{caller} imports {import}");
        }
    }
}
