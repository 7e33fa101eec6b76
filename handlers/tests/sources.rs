//! Citations and links point at something the repository has: a fact of docs/aws-facts.md, a rule of docs/architecture.md, a page.

#[path = "common/repository.rs"]
mod repository;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use repository::{files, read, root};

const FACTS: &str = "aws-facts";
const RULES: &str = "architecture.md";
/// Documents that were never part of the repository. In two parts, so that this file does not name them.
const ABSENT: [&str; 2] = [concat!("peers", ".md"), concat!("DES", "IGN")];
const READ: [&str; 11] = ["rs", "md", "toml", "ts", "js", "json", "yaml", "yml", "snap", "py", "sh"];

/// A text of the repository, by its path from the root.
struct File {
    path: String,
    text: String,
}

fn repository() -> Vec<File> {
    let of_file = |file: PathBuf| {
        let path = file.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        File { text: read(&file), path }
    };
    let files: Vec<File> = files("", &READ).into_iter().map(of_file).collect();
    assert!(files.len() > 100, "only {} files found", files.len());
    files
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text[..offset].matches('\n').count()
}

/// What `text` goes on with after blanks, and after one line break with the comment mark of the next line.
fn after_gap(text: &str) -> &str {
    let rest = text.trim_start_matches([' ', '\t']);
    let Some(next) = rest.strip_prefix('\n') else { return rest };
    let next = next.trim_start();
    ["//!", "///", "//", "#", "*"].iter().find_map(|mark| next.strip_prefix(mark)).unwrap_or(next).trim_start()
}

/// What separates two numbers of a list or of a range. True if it is a range.
fn after_separator(text: &str) -> Option<(&str, bool)> {
    let rest = after_gap(text);
    let found =
        [(", and ", false), (",", false), (" and ", false), ("and ", false), ("to ", true), ("–", true), ("-", true)];
    found.iter().find_map(|(separator, range)| rest.strip_prefix(separator).map(|rest| (after_gap(rest), *range)))
}

/// `1.6`, `12h`, `11.26` at the start of `text`.
fn number(text: &str) -> &str {
    let digits = |from: &str| from.len() - from.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let mut end = digits(text);
    if let Some(rest) = text[end..].strip_prefix('.') {
        let more = digits(rest);
        end += if more > 0 { 1 + more } else { 0 };
    }
    let mut after = text[end..].chars();
    let letter =
        after.next().is_some_and(|c| c.is_ascii_lowercase()) && !after.next().is_some_and(char::is_alphanumeric);
    &text[..end + usize::from(end > 0 && letter)]
}

/// A citation: where its number stands in the text, and the number, which is empty where there is none.
type Cited<'a> = (usize, &'a str);

/// Every section that `text` cites of the facts, with lists, ranges and line breaks.
fn facts_cited(text: &str) -> Vec<Cited<'_>> {
    let mut cited = Vec::new();
    for (start, name) in text.match_indices(FACTS) {
        let rest = &text[start + name.len()..];
        let rest = rest.strip_prefix(".md").unwrap_or(rest);
        // `[aws-facts.md](../docs/aws-facts.md) §1` is a citation too.
        let rest = rest.trim_start_matches(['`', ']', ')']);
        list(text, after_gap(rest), "§", &mut cited);
    }
    cited
}

/// Every rule that `text` cites of the architecture: `rule 4`, `rules 4, 6 and 7`.
fn rules_cited(text: &str) -> Vec<Cited<'_>> {
    let mut cited = Vec::new();
    for (start, name) in text.match_indices(RULES) {
        let rest = after_gap(text[start + name.len()..].trim_start_matches(['`', ']', ')', ',']));
        if let Some(rest) = rest.strip_prefix("rules ") {
            list(text, rest, "", &mut cited);
        } else if let Some(rest) = rest.strip_prefix("rule ").filter(|rest| !number(rest).is_empty()) {
            cited.push((text.len() - rest.len(), number(rest)));
        }
    }
    cited
}

/// The numbers from `rest` on, each with `mark` before it; the second of a range may do without.
fn list<'a>(text: &'a str, mut rest: &'a str, mark: &str, cited: &mut Vec<Cited<'a>>) {
    let mut range = false;
    while let Some(at) = rest.strip_prefix(mark).or_else(|| range.then_some(rest)) {
        let number = number(at);
        if number.is_empty() && (range || mark.is_empty()) {
            return;
        }
        cited.push((text.len() - at.len(), number));
        match after_separator(&at[number.len()..]) {
            Some(next) => (rest, range) = next,
            None => return,
        }
    }
}

/// The sections that the page of facts has: headings `## §N …` and items `**§N**`.
fn sections(facts: &str) -> BTreeSet<&str> {
    let headings = facts.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix(" §"));
    let items = facts.split("**§").skip(1).filter(|item| item[number(item).len()..].starts_with("**"));
    headings.chain(items).map(number).collect()
}

/// The rules under the heading that says so: rows `| 4. …`.
fn rules(architecture: &str) -> BTreeSet<&str> {
    let mut in_rules = false;
    let mut found = BTreeSet::new();
    for line in architecture.lines() {
        if line.starts_with('#') {
            in_rules = line.to_lowercase().contains("rules");
        }
        let row = line.trim_start_matches(['|', '-', '*', ' ']);
        if in_rules && row[number(row).len()..].starts_with(". ") {
            found.insert(number(row));
        }
    }
    found
}

/// Citations of `text` that name no section, and a `§` that belongs to no page.
fn wrong_sections(file: &File, facts: &str) -> Vec<String> {
    let sections = sections(facts);
    let place = |offset| format!("{}:{}", file.path, line_of(&file.text, offset));
    let cited = facts_cited(&file.text);
    let mut wrong: Vec<String> = cited
        .iter()
        .filter(|(_, number)| !sections.contains(number))
        .map(|(offset, number)| format!("{}: docs/aws-facts.md has no §{number}", place(*offset)))
        .collect();
    for (offset, mark) in file.text.match_indices('§') {
        let at = offset + mark.len();
        let number = number(&file.text[at..]);
        // A `§` in front of no number is one in a program.
        if number.is_empty() || cited.iter().any(|(cited, _)| *cited == at) {
            continue;
        }
        if !file.path.ends_with("aws-facts.md") {
            wrong.push(format!("{}: §{number} of which page? Write aws-facts.md in front of it", place(at)));
        } else if !sections.contains(number) {
            wrong.push(format!("{}: the page has no §{number}", place(at)));
        }
    }
    wrong
}

fn wrong_rules(file: &File, architecture: &str) -> Vec<String> {
    let rules = rules(architecture);
    rules_cited(&file.text)
        .iter()
        .filter(|(_, number)| !rules.contains(number))
        .map(|(at, number)| format!("{}:{}: {RULES} has no rule {number}", file.path, line_of(&file.text, *at)))
        .collect()
}

/// Documents that `file` names and the repository does not have, out of `pages`, the names of those it has.
fn absent_documents(file: &File, pages: &BTreeSet<String>) -> Vec<String> {
    let mut absent = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for word in line.split(|c: char| !c.is_ascii_alphanumeric() && !"._/-".contains(c)) {
            let name = word.trim_end_matches('.').rsplit('/').next().unwrap_or_default();
            let known = pages.contains(name) || name == ".md" || word.starts_with("//");
            if name.ends_with(".md") && !known {
                names.insert(name);
            }
        }
        names.extend(ABSENT.iter().copied().filter(|gone| {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            line.match_indices(*gone)
                .any(|(at, gone)| !line[..at].ends_with(word) && !line[at + gone.len()..].starts_with(word))
        }));
        let place = format!("{}:{}", file.path, index + 1);
        absent.extend(names.iter().map(|name| format!("{place}: the repository has no {name}")));
    }
    absent
}

/// The targets of a Markdown page's links and definitions of links, with their lines; not in code.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        if fenced {
            continue;
        }
        let inline = line.match_indices("](").filter(|(at, _)| line[..*at].matches('`').count() % 2 == 0);
        let inline = inline.filter_map(|(at, _)| line[at + 2..].split([')', ' ']).next());
        let definition = line.strip_prefix('[').and_then(|rest| rest.split_once("]: "));
        let definition = definition.and_then(|(_, target)| target.split_whitespace().next());
        found.extend(inline.chain(definition).map(|target| (index + 1, target)));
    }
    found
}

/// Relative links whose path does not exist.
fn broken_links(file: &File, exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let directory = Path::new(&file.path).parent().unwrap_or(Path::new(""));
    links(&file.text)
        .into_iter()
        .map(|(line, target)| (line, target.split('#').next().unwrap_or_default()))
        .filter(|(_, path)| !path.is_empty() && !path.contains(':') && !exists(&directory.join(path)))
        .map(|(line, path)| format!("{}:{line}: the link to {path} leads nowhere", file.path))
        .collect()
}

/// Source files that a page names with a folder, in backquotes, and no file ends with that path.
fn absent_sources(file: &File, sources: &[String]) -> Vec<String> {
    let words = file.text.lines().enumerate().flat_map(|(index, line)| {
        line.split('`').skip(1).step_by(2).flat_map(str::split_whitespace).map(move |word| (index + 1, word))
    });
    words
        .filter(|(_, word)| word.contains('/') && word.ends_with(".rs") && !word.contains(['*', '<', '{', ':']))
        .filter(|(_, word)| !sources.iter().any(|path| path == word || path.ends_with(&format!("/{word}"))))
        .map(|(line, word)| format!("{}:{line}: the repository has no {word}", file.path))
        .collect()
}

fn nothing_wrong(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_fact_that_is_cited_is_on_the_page_of_facts() {
    let facts = read("docs/aws-facts.md");
    let files = repository();
    let cited: usize = files.iter().map(|file| facts_cited(&file.text).len()).sum();
    assert!(cited > 300, "only {cited} citations found");
    nothing_wrong(&files.iter().flat_map(|file| wrong_sections(file, &facts)).collect::<Vec<_>>());
}

#[test]
fn every_rule_that_is_cited_is_in_the_architecture() {
    let architecture = read("docs/architecture.md");
    assert!(rules(&architecture).len() >= 12, "{:?}", rules(&architecture));
    let files = repository();
    let cited: usize = files.iter().map(|file| rules_cited(&file.text).len()).sum();
    assert!(cited > 10, "only {cited} citations found");
    nothing_wrong(&files.iter().flat_map(|file| wrong_rules(file, &architecture)).collect::<Vec<_>>());
}

#[test]
fn every_document_that_is_named_is_in_the_repository() {
    let files = repository();
    let pages: BTreeSet<String> = files
        .iter()
        .filter_map(|file| file.path.rsplit('/').next())
        .filter(|name| name.ends_with(".md"))
        .map(str::to_owned)
        .collect();
    nothing_wrong(&files.iter().flat_map(|file| absent_documents(file, &pages)).collect::<Vec<_>>());
}

#[test]
fn every_source_file_that_a_page_names_is_in_the_repository() {
    let files = repository();
    let sources: Vec<String> =
        files.iter().map(|file| file.path.clone()).filter(|path| path.ends_with(".rs")).collect();
    let pages = files.iter().filter(|file| file.path.ends_with(".md"));
    nothing_wrong(&pages.flat_map(|page| absent_sources(page, &sources)).collect::<Vec<_>>());
    let page = File { path: "README.md".into(), text: "see `a/b.rs` and `x/gone.rs`, not c/d.rs".into() };
    assert_eq!(absent_sources(&page, &["src/a/b.rs".into()]), ["README.md:1: the repository has no x/gone.rs"]);
}

#[test]
fn every_relative_link_of_a_page_leads_to_a_file() {
    let root = root();
    let files = repository();
    // A page that is put together from parts has its links as seen from where it is put.
    let pages = files.iter().filter(|file| file.path.ends_with("README.md") || file.path.starts_with("docs/"));
    let pages: Vec<&File> = pages.filter(|file| file.path.ends_with(".md")).collect();
    assert!(pages.len() > 5, "only {} pages found", pages.len());
    let broken = pages.iter().flat_map(|file| broken_links(file, |path| root.join(path).exists()));
    nothing_wrong(&broken.collect::<Vec<_>>());
}

#[test]
fn every_parameter_that_the_page_of_facts_names_is_a_field_of_the_simulator() {
    let code: String =
        repository().into_iter().filter(|file| file.path.starts_with("simulator/src")).map(|file| file.text).collect();
    let facts = read("docs/aws-facts.md");
    let named = facts.split("`Facts::").skip(1).filter_map(|rest| rest.split('`').next());
    let named: BTreeSet<&str> = named.collect();
    assert!(named.len() > 30, "{named:?}");
    for name in named {
        assert!(code.contains(&format!("pub {name}: ")), "docs/aws-facts.md names Facts::{name}, which does not exist");
    }
}

/// `~` stands for the name of the page of facts and `$` for the mark of a section, so that these texts cite nothing here.
fn spelled(text: &str) -> String {
    text.replace('~', &format!("{FACTS}.md")).replace('$', "§")
}

fn file(text: &str) -> File {
    File { path: "a.rs".to_owned(), text: spelled(text) }
}

fn numbers_in(text: &str) -> Vec<String> {
    facts_cited(&spelled(text)).iter().map(|(_, number)| (*number).to_owned()).collect()
}

#[test]
fn lists_ranges_and_line_breaks_of_citations_are_read() {
    assert_eq!(numbers_in("as seen (~ $1.5, $2.6)."), ["1.5", "2.6"]);
    assert_eq!(numbers_in("`~ $11.26`; ~ $12h: not known"), ["11.26", "12h"]);
    assert_eq!(numbers_in("~ $1.1-$1.4, ~ $3–5 and $7."), ["1.1", "1.4", "3", "5", "7"]);
    assert_eq!(numbers_in("    /// SDK clients and TLS (~\n    /// $9)."), ["9"]);
    assert_eq!(numbers_in("//! (~ $1.2,\n//! $1.6). And $9 is of no page"), ["1.2", "1.6"]);
    assert_eq!(numbers_in("[~](../docs/~) $3; `~` $4"), ["3", "4"]);
    assert_eq!(numbers_in("~ $6 that wait 20 s, ~ $4, 5 pollers, ~ $2-fold"), ["6", "4", "2"]);
    assert_eq!(numbers_in("~ has it; ~ $x"), [""]);
}

#[test]
fn a_section_that_the_page_lacks_is_named_with_file_and_line() {
    let page = spelled("## $1 A\n### $1.1 B\n- **$11.2** c; see $1\n");
    assert_eq!(sections(&page), BTreeSet::from(["1", "1.1", "11.2"]));
    assert!(wrong_sections(&file("~ $1, $1.1 and $11.2"), &page).is_empty());
    let expected = [
        "a.rs:2: docs/~ has no $1.2",
        "a.rs:3: docs/~ has no $11.20",
        "a.rs:3: docs/~ has no $",
        "a.rs:4: $1.1 of which page? Write ~ in front of it",
    ];
    let wrong = wrong_sections(&file("fine\n// ~ $1.1, $1.2\n// ~ $11.20 and ~ $?\n// as $1.1 has it"), &page);
    assert_eq!(wrong, expected.map(spelled));
    let own = File { path: spelled("docs/~"), text: page.clone() + &spelled("and $4, $1.1") };
    assert_eq!(wrong_sections(&own, &page), [spelled("docs/~:4: the page has no $4")]);
}

#[test]
fn a_rule_that_the_architecture_lacks_is_named() {
    let page = "# A\n1. not a rule\n## The rules\n| rule | test |\n| 1. Save first | `a` |\n| 2. Act once | `b` |\n## B\n| 3. No | |";
    assert_eq!(rules(page), BTreeSet::from(["1", "2"]));
    let text = |text: &str| file(&text.replace('%', RULES));
    assert!(
        wrong_rules(&text("(% rule 1), %\n// rule 2, `%` rules 1, 2; % rules the rest; % rule 1, 9 times"), page)
            .is_empty()
    );
    let wrong = wrong_rules(&text("\n(% rule 3;\n% rules 1, 2 and 12)"), page);
    assert_eq!(wrong, [format!("a.rs:2: {RULES} has no rule 3"), format!("a.rs:3: {RULES} has no rule 12")]);
}

#[test]
fn a_document_that_is_not_there_is_named() {
    let pages = BTreeSet::from([format!("a{}", ".md")]);
    let fine = "../docs/a%, a%#part, see a%. And *%, https://example.org/b%, {name}%, DESIGNED";
    assert!(absent_documents(&file(&fine.replace('%', ".md")), &pages).is_empty());
    for wrong in ["b% 3".replace('%', ".md"), format!("see {}", ABSENT[0]), format!("({} rule 4)", ABSENT[1])] {
        assert_eq!(absent_documents(&file(&wrong), &pages).len(), 1, "{wrong}");
    }
}

#[test]
fn a_link_that_leads_nowhere_is_named_and_code_is_no_link() {
    let text = "[a](there.txt#x), [b](#y), [c](https://example.org)\n`[d](gone.txt)`\n```\n[e](gone.txt)\n```\n[`f`](gone.rs)\n[g]: off.rs";
    let page = File { path: "docs/a.txt".to_owned(), text: text.to_owned() };
    let broken = broken_links(&page, |path| path == Path::new("docs/there.txt"));
    let expected =
        ["docs/a.txt:6: the link to gone.rs leads nowhere", "docs/a.txt:7: the link to off.rs leads nowhere"];
    assert_eq!(broken, expected);
}
