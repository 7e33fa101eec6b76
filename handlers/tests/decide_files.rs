//! The files of `decide/`: they call one another in one direction, which no import shows, for methods need none; and they do no I/O.

use std::path::Path;

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files in the order that the page of `decide.rs` gives: each may call those after it.
fn files() -> Vec<String> {
    let text = read("decide.rs");
    let list = text.split("of no other:").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap_or_default();
    list.split('`').filter(|name| name.ends_with(".rs")).map(|name| format!("decide/{name}")).collect()
}

/// A file without its comments.
fn code(file: &str) -> String {
    read(file).lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
}

/// The methods that a file has for the others.
fn methods(code: &str) -> impl Iterator<Item = &str> {
    code.split("pub(super) fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next())
}

#[test]
fn the_list_in_decide_names_every_file() {
    let mut listed = files();
    listed.sort();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/decide");
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

/// As `house.rs` checks of `decide.rs` itself.
#[test]
fn files_of_decide_do_no_io_and_read_no_clock() {
    for file in files() {
        let code = code(&file);
        for word in
            ["async ", ".await", "ports::", "SystemTime::now", "Instant::now", "std::fs", "std::net", "std::env"]
        {
            assert!(!code.contains(word), "{file} has {word}");
        }
    }
}
