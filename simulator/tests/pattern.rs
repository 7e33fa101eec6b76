//! Which event matches which pattern, which pattern is refused, and which of the product's rules fires on which fixture.
//!
//! The product's patterns are the files in `handlers/event-patterns/`; the events are whole envelopes in `event-fixtures/`.
//! A new fixture or pattern file without its line in the matrix below fails a test.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use simulator::pattern::Pattern;

const PATTERNS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../handlers/event-patterns");
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/event-fixtures");

fn read(directory: &str, name: &str) -> String {
    let path = Path::new(directory).join(format!("{name}.json"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn names(directory: &str) -> BTreeSet<String> {
    fs::read_dir(directory)
        .expect(directory)
        .map(|entry| entry.expect(directory).path())
        .map(|path| path.file_stem().expect("a file name").to_str().expect("UTF-8").to_owned())
        .collect()
}

fn product_pattern(name: &str) -> Pattern {
    Pattern::parse(&read(PATTERNS, name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn fixture(name: &str) -> Value {
    serde_json::from_str(&read(FIXTURES, name)).expect(name)
}

// ---- The product's rules ------------------------------------------------------------------------------------------

/// The columns of the matrix.
const RULES: [&str; 4] = ["workload-forwarding", "placement-failure", "synthetic-placement-failure", "interruption"];

/// `f` forwarded to the central bus, `p` to the placement-failure queue, `s` there by the synthetic rule,
/// `i` to the interruption queue, `.` not matched; in the order of `RULES`.
///
/// Two lines are as far as a pattern can go. The AZ-rebalance failure comes while the service runs in full
/// (aws-facts.md §2.2), and the forged one names another account's service: the handlers must see through both.
const MATRIX: [(&str, &str); 17] = [
    ("deployment-completed", "...."),
    ("interruption-deactivating", "...."),
    ("interruption-reason-only", "f..i"),
    ("interruption-spot-interruption", "f..i"),
    ("interruption-stopped", "f..i"),
    ("interruption-termination-notice", "f..i"),
    ("placement-failure-az-rebalance", "fp.."),
    ("placement-failure-container-instances", "...."),
    ("placement-failure-fargate", "fp.."),
    ("placement-failure-fargate-spot", "fp.."),
    ("steady-state", "...."),
    ("synthetic-placement-failure", "..s."),
    ("synthetic-placement-failure-forged", "..s."),
    ("task-running-fargate", "...."),
    ("task-running-spot", "f..i"),
    ("task-running-spot-standalone", "...."),
    ("task-stopped-spot", "f..i"),
];

#[test]
fn every_rule_fires_on_exactly_the_fixtures_it_is_for() {
    let rules = RULES.map(product_pattern);
    let found = MATRIX.map(|(name, _)| {
        let event = fixture(name);
        let fires: String = rules
            .iter()
            .zip("fpsi".chars())
            .map(|(rule, mark)| if rule.matches(&event) { mark } else { '.' })
            .collect();
        (name, fires)
    });
    assert_eq!(found, MATRIX.map(|(name, fires)| (name, fires.to_owned())));
}

#[test]
fn the_matrix_names_every_fixture_and_every_pattern_file() {
    assert_eq!(names(FIXTURES), MATRIX.map(|(name, _)| name.to_owned()).into());
    assert_eq!(names(PATTERNS), RULES.map(str::to_owned).into());
}

#[test]
fn whatever_a_central_rule_takes_from_ecs_the_workload_rule_forwards() {
    for (name, fires) in MATRIX {
        let taken_from_ecs = fires.contains(['p', 'i']);
        assert_eq!(fires.contains('f'), taken_from_ecs, "{name}");
    }
}

#[test]
fn the_synthetic_event_of_the_original_design_reaches_the_handler() {
    let entry = json!({
        "Source": "test.aws.ecs",
        "DetailType": "ECS Service Action",
        "Resources": ["arn:aws:ecs:ap-south-1:903558039761:service/test-cluster2/test-cluster-service"],
        "Detail": {
            "eventName": "SERVICE_TASK_PLACEMENT_FAILURE",
            "reason": "RESOURCE:FARGATE",
            "capacityProviderArns": ["arn:aws:ecs:ap-south-1:903558039761:capacity-provider/FARGATE_SPOT"]
        }
    });
    // What PutEvents makes of an entry, with what the bus stamps on it left to the fixture.
    let mut event = fixture("synthetic-placement-failure");
    for (field, of_entry) in
        [("source", "Source"), ("detail-type", "DetailType"), ("resources", "Resources"), ("detail", "Detail")]
    {
        assert_eq!(event[field], entry[of_entry], "the fixture is that event");
        event[field] = entry[of_entry].clone();
    }
    assert!(product_pattern("synthetic-placement-failure").matches(&event));
    assert!(!product_pattern("placement-failure").matches(&event), "only where synthetic events are enabled");
}

#[test]
fn an_interruption_is_taken_in_all_three_spellings() {
    let spelling = |name| {
        let event = fixture(name);
        (event["detail"]["stopCode"].as_str().map(str::to_owned), event["detail"]["stoppedReason"].clone())
    };
    let reason = json!("Your Spot Task was interrupted.");
    let spellings = [
        ("interruption-spot-interruption", Some("SpotInterruption")),
        ("interruption-termination-notice", Some("TerminationNotice")),
        ("interruption-reason-only", None),
    ];
    for (name, code) in spellings {
        assert_eq!(spelling(name), (code.map(str::to_owned), reason.clone()), "{name}");
        assert!(product_pattern("interruption").matches(&fixture(name)), "{name}");
    }
}

#[test]
fn a_capacity_provider_whose_name_only_ends_in_fargate_does_not_match() {
    let mut event = fixture("placement-failure-fargate-spot");
    event["detail"]["capacityProviderArns"] =
        json!(["arn:aws:ecs:ap-south-1:111122223333:capacity-provider/NOT_FARGATE"]);
    assert!(!product_pattern("placement-failure").matches(&event));
    assert!(!product_pattern("workload-forwarding").matches(&event));
}

// ---- Operators ----------------------------------------------------------------------------------------------------

/// A table of three columns of JSON between ` | `: a pattern, a list of what matches it, a list of what does not.
fn assert_events(table: &str) {
    assert_table(table, |pattern| pattern, |event| event);
}

/// The same for one field: the pattern is the list of conditions on it, the lists are its values.
fn assert_field(table: &str) {
    assert_table(table, |conditions| json!({ "f": conditions }), |value| json!({ "f": value }));
}

fn assert_table(table: &str, to_pattern: fn(Value) -> Value, to_event: fn(Value) -> Value) {
    for line in table.trim().lines() {
        let cells: Vec<Value> = line
            .split(" | ")
            .map(|cell| serde_json::from_str(cell.trim()).unwrap_or_else(|e| panic!("{cell}: {e}")))
            .collect();
        let [pattern, hits, misses] = <[Value; 3]>::try_from(cells).expect("three cells");
        let pattern = to_pattern(pattern).to_string();
        let compiled = Pattern::parse(&pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        for (events, wanted) in [(hits, true), (misses, false)] {
            for event in events.as_array().expect("a list") {
                let event = to_event(event.clone());
                assert_eq!(compiled.matches(&event), wanted, "{pattern} on {event}");
            }
        }
    }
}

#[test]
fn exact_values_match_themselves_and_never_another_type() {
    assert_field(
        r#"
        ["a"]                | ["a", ["b", "a"]]      | ["A", "ab", "", null, 1, ["b"], {"a": "a"}]
        ["a", "b"]           | ["a", "b"]             | ["c", "ab"]
        [""]                 | [""]                   | [null, " ", [], {}]
        [null]               | [null, [null]]         | ["", "null", 0, false, [], {}]
        [true]               | [true]                 | [false, "true", 1]
        [false]              | [false]                | [true, "false", 0, null]
        ["1"]                | ["1"]                  | [1]
        ["a", 1, null, true] | ["a", 1, null, true]   | ["b", 2, false]
        "#,
    );
}

#[test]
fn exact_numbers_match_by_value_to_six_decimals() {
    assert_field(
        r#"
        [300]     | [300, 300.0, 3.0e2]   | [301, 300.000001, "300"]
        [3.0e2]   | [300]                 | [30]
        [-0.5]    | [-0.5, -5e-1]         | [0.5, -0.500001]
        [0.1]     | [0.1, 0.1000000001]   | [0.100001]
        "#,
    );
}

#[test]
fn a_number_too_large_to_compare_matches_only_itself() {
    assert_field(
        r#"
        [903558039761]         | [903558039761]         | [903558039762, "903558039761", 1]
        [18446744073709551615] | [18446744073709551615] | [18446744073709551614]
        [1]                    | [1]                    | [903558039761]
        "#,
    );
}

#[test]
fn prefix_and_suffix_match_the_ends_of_strings_only() {
    assert_field(
        r#"
        [{"prefix": "us-"}]                             | ["us-", "us-east-1"]               | ["us", "US-east-1", "aus-", null, 1]
        [{"prefix": ""}]                                | ["", "x"]                          | [null, 1, [], {}]
        [{"suffix": ".png"}]                            | [".png", "a.png"]                  | ["png", "a.PNG", "a.png ", null, 1]
        [{"suffix": ""}]                                | ["", "x"]                          | [null, 1]
        [{"prefix": {"equals-ignore-case": "EventB"}}]  | ["eventb", "EVENTBridge"]          | ["event", "xeventb", 1]
        [{"suffix": {"equals-ignore-case": "TBridge"}}] | ["tbridge", "EventBRIDGE"]         | ["bridge", "tbridges", 1]
        [{"suffix": {"equals-ignore-case": "ÖL"}}]      | ["öl", "Heizöl", "HEIZÖL"]         | ["ol"]
        [{"prefix": "a"}, {"suffix": "z"}]              | ["a", "z", "ab"]                   | ["b", "za"]
        "#,
    );
}

#[test]
fn equals_ignore_case_matches_every_casing_of_the_whole_string() {
    assert_field(
        r#"
        [{"equals-ignore-case": "Alice"}] | ["alice", "ALICE"] | ["alic", "alicee", null, 1]
        [{"equals-ignore-case": ""}]      | [""]               | [null, "x"]
        [{"equals-ignore-case": "ΔÉ"}]    | ["δé", "Δé"]       | ["δe"]
        "#,
    );
}

#[test]
fn wildcard_asterisks_stand_for_any_run_and_escapes_for_themselves() {
    assert_field(
        r#"
        [{"wildcard": "*"}]        | ["", "a", "**"]           | [null, 1, true]
        [{"wildcard": "a"}]        | ["a"]                     | ["", "aa"]
        [{"wildcard": ""}]         | [""]                      | ["a"]
        [{"wildcard": "a*"}]       | ["a", "ab"]               | ["ba", ""]
        [{"wildcard": "*a"}]       | ["a", "ba", "aa"]         | ["ab", ""]
        [{"wildcard": "a*a"}]      | ["aa", "aba", "aaa"]      | ["a", "ab"]
        [{"wildcard": "*/bin/*"}]  | ["/bin/", "usr/bin/ls"]   | ["bin/ls", "/bi/n/"]
        [{"wildcard": "a*b*c"}]    | ["abc", "axbxbyc"]        | ["acb", "ac", "abcd"]
        [{"wildcard": "*ab*ab*"}]  | ["abab", "xabyabz"]       | ["aab", "aba"]
        [{"wildcard": "hello\\*"}] | ["hello*"]                | ["hello", "hello!"]
        [{"wildcard": "*\\**"}]    | ["*", "a*b"]              | ["a", "\\"]
        [{"wildcard": "a\\\\b"}]   | ["a\\b"]                  | ["a\\\\b", "ab"]
        [{"wildcard": "ü*ß"}]      | ["üß", "über-Spaß"]       | ["u-ß"]
        "#,
    );
}

#[test]
fn anything_but_matches_every_present_scalar_except_the_named() {
    assert_field(
        r#"
        [{"anything-but": "a"}]                                  | ["b", "", "A", 1, null, true] | ["a", [], {}]
        [{"anything-but": ["a", "b"]}]                           | ["c", 1]                      | ["a", "b"]
        [{"anything-but": 1}]                                    | [2, "1", null, 1e10]          | [1, 1.0]
        [{"anything-but": [1, 2.5]}]                             | [2, "x"]                      | [1, 2.5]
        [{"anything-but": {"prefix": "us-"}}]                    | ["eu-1", 1, null]             | ["us-", "us-east-1"]
        [{"anything-but": {"prefix": ["us-", "eu-"]}}]           | ["ap-1"]                      | ["us-1", "eu-1"]
        [{"anything-but": {"suffix": ".png"}}]                   | ["a.jpg"]                     | ["a.png"]
        [{"anything-but": {"suffix": [".png", ".jpg"]}}]         | ["a.gif"]                     | ["a.png", ".jpg"]
        [{"anything-but": {"equals-ignore-case": "init"}}]       | ["in"]                        | ["INIT", "init"]
        [{"anything-but": {"equals-ignore-case": ["a", "B"]}}]   | ["c"]                         | ["A", "b"]
        [{"anything-but": {"equals-ignore-case": ""}}]           | ["a", 1]                      | [""]
        [{"anything-but": {"wildcard": "*/lib/*"}}]              | ["/bin/"]                     | ["usr/lib/x"]
        [{"anything-but": {"wildcard": ["*a*", "b"]}}]           | ["c"]                         | ["xax", "b"]
        "#,
    );
    assert_events(r#"{"f": [{"anything-but": "a"}]} | [] | [{}, {"g": "b"}]"#);
}

#[test]
fn anything_but_is_met_by_one_other_element_of_an_array() {
    assert_field(r#"[{"anything-but": "a"}] | [["a", "b"], [["b"]]] | [["a", "a"], ["a"]]"#);
}

#[test]
fn numeric_compares_numbers_within_its_bounds() {
    assert_field(
        r#"
        [{"numeric": ["=", 100]}]              | [100, 100.0, 1e2]  | [101, "100", null, true]
        [{"numeric": ["<", 10]}]               | [9.999999, -5e9]   | [10, 11, "9", -5.1e9]
        [{"numeric": ["<=", 10]}]              | [10, 9]            | [10.000001]
        [{"numeric": [">", 10]}]               | [10.000001, 5e9]   | [10, 9, 5.1e9]
        [{"numeric": [">=", 10]}]              | [10, 11]           | [9.999999]
        [{"numeric": [">", 0, "<=", 5]}]       | [0.000001, 5]      | [0, 5.000001, "1"]
        [{"numeric": [">=", 0, "<", 5]}]       | [0, 4.999999]      | [-0.000001, 5]
        [{"numeric": [">=", -5e9, "<=", 5e9]}] | [-5e9, 0, 5e9]     | [-5000000001, 5000000001]
        "#,
    );
}

#[test]
fn exists_asks_for_leaf_values_only() {
    assert_field(
        r#"
        [{"exists": true}]       | [1, "", null, [1], [[null]]]              | [{}, {"g": 1}, [], [{"g": 1}]]
        [{"exists": false}]      | [{}, {"g": 1}, [], [[]], [{"g": 1}]]      | [1, "", null, [1], [{"g": 1}, 1]]
        ["a", {"exists": false}] | ["a", []]                                 | ["b", null]
        "#,
    );
}

#[test]
fn exists_false_holds_for_a_field_that_is_absent_at_any_level() {
    assert_events(
        r#"
        {"f": [{"exists": true}]}                     | []                                            | [{}, {"g": 1}]
        {"f": [{"exists": false}]}                    | [{}, {"g": 1}]                                | [{"f": 1}]
        {"f": ["a", {"exists": false}]}               | [{}, {"f": "a"}]                              | [{"f": "b"}]
        {"d": {"f": [{"exists": false}], "g": [1]}}   | [{"d": {"g": 1}}]                             | [{}, {"d": {"f": 1, "g": 1}}, {"d": null}]
        {"d": {"f": [{"exists": false}]}}             | [{}, {"d": null}, {"d": 1}, {"d": {"g": 1}}]  | [{"d": {"f": 1}}]
        {"d": {"f": [{"exists": false}]}}             | [{"d": []}, {"d": [{"g": 1}, {"g": 2}]}]      | [{"d": [{"f": 1}, {"g": 1}]}]
        {"d": {"f": [{"exists": false}], "g": [1]}}   | [{"d": [{"f": 1}, {"g": 1}]}]                 | [{"d": [{"f": 1, "g": 1}, {"g": 2}]}]
        "#,
    );
}

#[test]
fn cidr_matches_addresses_of_its_block_and_family() {
    assert_field(
        r#"
        [{"cidr": "10.0.0.0/24"}]    | ["10.0.0.0", "10.0.0.255"]          | ["10.0.1.0", "9.255.255.255", "::", "10.0.0", "x", "", 10, null]
        [{"cidr": "10.0.0.77/24"}]   | ["10.0.0.1"]                        | ["10.0.1.77"]
        [{"cidr": "10.0.0.2/31"}]    | ["10.0.0.2", "10.0.0.3"]            | ["10.0.0.1", "10.0.0.4"]
        [{"cidr": "0.0.0.0/0"}]      | ["255.255.255.255", "0.0.0.0"]      | ["::1"]
        [{"cidr": "2001:db8::/32"}]  | ["2001:db8::1", "2001:0DB8:ffff::"] | ["2001:db9::", "10.0.0.1"]
        [{"cidr": "::/0"}]           | ["::", "ffff::1"]                   | ["0.0.0.0"]
        [{"cidr": "::2/127"}]        | ["::2", "::3"]                      | ["::1", "::4"]
        "#,
    );
}

#[test]
fn or_needs_one_alternative_and_everything_beside_it() {
    assert_events(
        r#"
        {"s": ["x"], "$or": [{"a": [1]}, {"b": [2], "c": [3]}]}            | [{"s": "x", "a": 1}, {"s": "x", "b": 2, "c": 3}]                 | [{"s": "y", "a": 1}, {"s": "x"}, {"s": "x", "b": 2}, {"a": 1}]
        {"d": {"$or": [{"a": [1]}, {"a": [2]}]}}                           | [{"d": {"a": 1}}, {"d": {"a": 2}}, {"d": [{"a": 2}]}]            | [{"d": {"a": 3}}, {"a": 1}]
        {"$or": [{"a": [1], "$or": [{"b": [1]}, {"b": [2]}]}, {"c": [1]}]} | [{"a": 1, "b": 2}, {"c": 1}]                                     | [{"a": 1}, {"a": 1, "b": 3}, {"b": 1}]
        {"$or": [{"d": {"a": [1]}}, {"e": [1]}], "d": {"b": [1]}}          | [{"d": {"a": 1, "b": 1}}, {"d": {"b": 1}, "e": 1}]               | [{"d": {"a": 1}}, {"d": {"b": 1}}]
        {"$or": [{"a": [{"exists": false}]}, {"b": [1]}]}                  | [{}, {"a": 1, "b": 1}]                                           | [{"a": 1}]
        "#,
    );
}

#[test]
fn an_array_in_the_event_matches_when_any_element_does() {
    assert_events(
        r#"
        {"r": ["a", "b"]}              | [{"r": ["x", "b"]}, {"r": [["x"], [["a"]]]}, {"r": [{"q": 1}, "a"]}]  | [{"r": ["x"]}, {"r": []}, {"r": [{"r": "a"}]}]
        {"a": {"b": {"c": [1]}}}       | [{"a": [{"b": [{"c": 0}]}, {"b": [{"c": [0, 1]}]}]}]                  | [{"a": {"b": [{"c": [0, 2]}]}}, {"a": {"c": 1}}]
        {"e": {"x": ["A"], "y": [1]}}  | [{"e": [{"x": "B"}, {"x": "A", "y": 1}]}, {"e": [1, [[{"x": "A", "y": 1}]]]}] | [{"e": ["A", 1]}, {"e": []}]
        "#,
    );
}

#[test]
fn two_fields_of_an_array_of_objects_must_come_from_one_element() {
    assert_events(r#"{"e": {"x": ["A"], "y": [1]}} | [] | [{"e": [{"x": "A", "y": 2}, {"x": "B", "y": 1}]}]"#);
}

#[test]
fn fields_the_pattern_does_not_name_are_ignored_and_all_it_names_must_match() {
    assert_events(
        r#"{"a": ["s"], "d": {"b": ["x"]}} | [{"a": "s", "d": {"b": "x", "c": 1}, "e": 1}] | [{"a": "s"}, {"d": {"b": "x"}}, {"a": "s", "b": "x"}, {}]"#,
    );
}

#[test]
fn names_of_operators_empty_names_and_names_with_dots_are_ordinary_fields() {
    assert_events(
        r#"
        {"prefix": {"": ["x"]}} | [{"prefix": {"": "x"}}] | [{"prefix": "x"}]
        {"a.b": [1]}            | [{"a.b": 1}]            | [{"a": {"b": 1}}]
        "#,
    );
}

#[test]
fn an_event_that_is_no_object_never_matches() {
    assert_events(r#"{"f": [{"exists": false}]} | [{}] | [null, 1, "f", [], [{}]]"#);
}

#[test]
fn a_deep_event_is_matched_without_deep_recursion() {
    // Deeper than any stack would take; taken apart again by hand, for dropping it would recurse.
    let deep = |innermost| (0..1_000_000).fold(innermost, |inner, _| Value::Array(vec![inner]));
    let mut event = json!({});
    event["f"] = deep(json!("x"));
    event["g"] = deep(json!({ "h": 1 }));
    let hit = Pattern::parse(r#"{"f": ["x"], "g": {"h": [1]}}"#).unwrap().matches(&event);
    let miss = Pattern::parse(r#"{"f": ["y"]}"#).unwrap().matches(&event);
    for field in ["f", "g"] {
        let mut rest = event[field].take();
        while let Some(inner) = rest.get_mut(0).map(Value::take) {
            rest = inner;
        }
    }
    assert!(hit && !miss);
}

#[test]
fn of_a_duplicated_key_the_last_one_counts() {
    let pattern = Pattern::parse(r#"{"f": ["a"], "f": ["b"]}"#).unwrap();
    assert!(pattern.matches(&json!({ "f": "b" })) && !pattern.matches(&json!({ "f": "a" })));
}

// ---- Refusals -----------------------------------------------------------------------------------------------------

/// Pattern, path of the fault, part of the reason.
const REFUSED: &str = r#"
{                                                           | $                                    | Invalid JSON
{"f": ["a"]} x                                              | $                                    | Invalid JSON
[]                                                          | $                                    | Filter is not an object
"f"                                                         | $                                    | Filter is not an object
{}                                                          | $                                    | Empty objects are not allowed
{"d": {}}                                                   | $.d                                  | Empty objects are not allowed
{"d": {"f": []}}                                            | $.d.f                                | Empty arrays are not allowed
{"f": "a"}                                                  | $.f                                  | "f" must be an object or an array
{"f": 1}                                                    | $.f                                  | "f" must be an object or an array
{"d": {"f": null}}                                          | $.d.f                                | "f" must be an object or an array
{"d": {"prefix": "a"}}                                      | $.d.prefix                           | "prefix" must be an object or an array
{"f": ["a", ["b"]]}                                         | $.f[1]                               | Match value must be String
{"f": [{}]}                                                 | $.f[0]                               | Match expression name not found
{"f": [{"contains": "a"}]}                                  | $.f[0].contains                      | Unrecognized match type contains
{"f": [{"prefix": "a", "suffix": "b"}]}                     | $.f[0]                               | Only one key allowed in match expression
{"f": [{"prefix": 1}]}                                      | $.f[0].prefix                        | prefix match pattern must be a string
{"f": [{"prefix": ["a"]}]}                                  | $.f[0].prefix                        | prefix match pattern must be a string
{"f": [{"prefix": {}}]}                                     | $.f[0].prefix                        | prefix expression name not found
{"f": [{"prefix": {"suffix": "a"}}]}                        | $.f[0].prefix.suffix                 | Unsupported prefix pattern: suffix
{"f": [{"suffix": null}]}                                   | $.f[0].suffix                        | suffix match pattern must be a string
{"f": [{"suffix": {"equals-ignore-case": 1}}]}              | $.f[0].suffix.equals-ignore-case     | equals-ignore-case match pattern must be a string
{"f": [{"equals-ignore-case": {"prefix": "a"}}]}            | $.f[0].equals-ignore-case            | equals-ignore-case match pattern must be a string
{"f": [{"wildcard": 1}]}                                    | $.f[0].wildcard                      | wildcard match pattern must be a string
{"f": [{"wildcard": "a**"}]}                                | $.f[0].wildcard                      | Consecutive wildcard characters at pos 2
{"f": [{"wildcard": "a\\b"}]}                               | $.f[0].wildcard                      | Invalid escape character at pos 2
{"f": [{"wildcard": "a\\"}]}                                | $.f[0].wildcard                      | Invalid escape character at pos 2
{"f": [{"exists": "true"}]}                                 | $.f[0].exists                        | must be either true or false
{"f": [{"anything-but": null}]}                             | $.f[0].anything-but                  | Value of anything-but must be
{"f": [{"anything-but": true}]}                             | $.f[0].anything-but                  | Value of anything-but must be
{"f": [{"anything-but": []}]}                               | $.f[0].anything-but                  | either all values are number or string
{"f": [{"anything-but": ["a", 1]}]}                         | $.f[0].anything-but                  | mixed type is not supported
{"f": [{"anything-but": [null]}]}                           | $.f[0].anything-but[0]               | start|null|boolean is not supported
{"f": [{"anything-but": 6e9}]}                              | $.f[0].anything-but                  | Value must be between
{"f": [{"anything-but": {}}]}                               | $.f[0].anything-but                  | Anything-But expression name not found
{"f": [{"anything-but": {"numeric": ["=", 1]}}]}            | $.f[0].anything-but.numeric          | Unsupported anything-but pattern: numeric
{"f": [{"anything-but": {"prefix": ""}}]}                   | $.f[0].anything-but.prefix           | Null prefix/suffix not allowed
{"f": [{"anything-but": {"suffix": ["a", ""]}}]}            | $.f[0].anything-but.suffix[1]        | Null prefix/suffix not allowed
{"f": [{"anything-but": {"suffix": []}}]}                   | $.f[0].anything-but.suffix           | Empty arrays are not allowed
{"f": [{"anything-but": {"prefix": 1}}]}                    | $.f[0].anything-but.prefix           | prefix match pattern must be a string
{"f": [{"anything-but": {"wildcard": ["**"]}}]}             | $.f[0].anything-but.wildcard[0]      | Consecutive wildcard characters at pos 1
{"f": [{"anything-but": {"prefix": {"equals-ignore-case": "a"}}}]} | $.f[0].anything-but.prefix    | prefix match pattern must be a string
{"f": [{"numeric": 1}]}                                     | $.f[0].numeric                       | Value of numeric must be an array.
{"f": [{"numeric": []}]}                                    | $.f[0].numeric                       | Invalid member in numeric match: ]
{"f": [{"numeric": [1]}]}                                   | $.f[0].numeric                       | Invalid member in numeric match: 1
{"f": [{"numeric": ["!=", 1]}]}                             | $.f[0].numeric                       | Unrecognized numeric range operator: !=
{"f": [{"numeric": ["="]}]}                                 | $.f[0].numeric                       | Value of = must be numeric
{"f": [{"numeric": ["<", "1"]}]}                            | $.f[0].numeric                       | Value of < must be numeric
{"f": [{"numeric": ["=", 1, "<", 2]}]}                      | $.f[0].numeric                       | Too many elements in numeric expression
{"f": [{"numeric": ["<", 2, ">", 1]}]}                      | $.f[0].numeric                       | Too many elements in numeric expression
{"f": [{"numeric": [">", 1, ">", 2]}]}                      | $.f[0].numeric                       | Bad numeric range operator: >
{"f": [{"numeric": [">", 1, 2]}]}                           | $.f[0].numeric                       | Bad value in numeric range: 2
{"f": [{"numeric": [">", 1, "<"]}]}                         | $.f[0].numeric                       | Value of < must be numeric
{"f": [{"numeric": [">", 1, "<", 2, "<", 3]}]}              | $.f[0].numeric                       | Too many terms in numeric range expression
{"f": [{"numeric": [">=", 2, "<=", 2]}]}                    | $.f[0].numeric                       | Bottom must be less than top
{"f": [{"numeric": [">", 5000000001]}]}                     | $.f[0].numeric                       | Value must be between -5.0E9 and 5.0E9
{"f": [{"numeric": ["<", -5000000001]}]}                    | $.f[0].numeric                       | Value must be between -5.0E9 and 5.0E9
{"f": [{"cidr": 1}]}                                        | $.f[0].cidr                          | cidr match pattern must be a string
{"f": [{"cidr": "10.0.0.0"}]}                               | $.f[0].cidr                          | Malformed CIDR, one '/' required
{"f": [{"cidr": "10.0.0.0/"}]}                              | $.f[0].cidr                          | Malformed CIDR, one '/' required
{"f": [{"cidr": "10.0.0.0/8/8"}]}                           | $.f[0].cidr                          | Malformed CIDR, one '/' required
{"f": [{"cidr": "10.0.0.0/x"}]}                             | $.f[0].cidr                          | Malformed CIDR, mask bits must be an integer
{"f": [{"cidr": "10.0.0.0/-1"}]}                            | $.f[0].cidr                          | Malformed CIDR, mask bits must not be negative
{"f": [{"cidr": "10.0.0.0/32"}]}                            | $.f[0].cidr                          | IPv4 mask bits must be < 32
{"f": [{"cidr": "::/128"}]}                                 | $.f[0].cidr                          | IPv6 mask bits must be < 128
{"f": [{"cidr": "example.com/8"}]}                          | $.f[0].cidr                          | Nonstandard IP address: example.com
{"$or": {"a": [1]}}                                         | $.$or                                | It must be an Array followed with $or.
{"$or": []}                                                 | $.$or                                | There must have at least 2 Objects
{"d": {"$or": [{"a": [1]}]}}                                | $.d.$or                              | There must have at least 2 Objects
{"$or": [{"a": [1]}, "b"]}                                  | $.$or[1]                             | Only JSON object is allowed in array of $or
{"$or": [{"a": [1]}, {}]}                                   | $.$or[1]                             | Empty objects are not allowed
{"$or": [{"a": [1]}, {"prefix": ["b"]}]}                    | $.$or[1].prefix                      | prefix is Ruler reserved fieldName
{"$or": [{"a": [1]}, {"b": {"cidr": ["b"]}}]}               | $.$or[1].b.cidr                      | cidr is Ruler reserved fieldName
{"a": [1], "$or": [{"b": [1]}, {"a": [2]}]}                 | $.a                                  | Path `a` cannot be allowed multiple times
{"d": {"$or": [{"a": [1]}, {"b": [1]}]}, "$or": [{"d": {"a": [2]}}, {"c": [1]}]} | $.d.a           | Path `d.a` cannot be allowed multiple times
"#;

#[test]
fn a_refused_pattern_says_where_and_why() {
    for line in REFUSED.trim().lines() {
        let cells: Vec<&str> = line.split(" | ").map(str::trim).collect();
        let [text, path, reason] = <[&str; 3]>::try_from(cells).expect("three cells");
        let error = Pattern::parse(text).expect_err(text);
        assert_eq!(error.path(), path, "{text}: {error}");
        assert!(error.reason().contains(reason), "{text}: {error}");
        assert!(!error.allowed().is_empty(), "{text}");
    }
    assert_eq!(Pattern::parse("").unwrap_err().path(), "$");
}

#[test]
fn a_refusal_reads_like_the_one_of_aws() {
    let error = Pattern::parse(r#"{"detail": {"state": [{"starts": "x"}]}}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "InvalidEventPatternException: Event pattern is not valid. Reason: Unrecognized match type starts \
         at $.detail.state[0].starts; allowed: one of prefix, suffix, anything-but, numeric, exists, \
         equals-ignore-case, cidr, wildcard"
    );
}

#[test]
fn a_pattern_may_have_2048_characters_and_no_more() {
    let of_length = |length: usize| format!(r#"{{"f":["{}"]}}"#, "ü".repeat(length - 10));
    assert_eq!(of_length(2_048).chars().count(), 2_048);
    assert!(Pattern::parse(&of_length(2_048)).is_ok(), "characters count, not bytes");
    let error = Pattern::parse(&of_length(2_049)).unwrap_err();
    assert_eq!((error.path(), error.reason()), ("$", "Event pattern has 2049 characters"));
}

#[test]
fn the_alternatives_of_a_pattern_may_multiply_out_to_1000_and_no_more() {
    // Each field has as many alternatives as said: 10 * 10 * 10, then 10 * 10 * 11.
    let of_sizes = |sizes: &[usize]| {
        let alternatives = |n: &usize| (0..*n).map(|i| json!({ format!("{i}"): [1] })).collect::<Vec<_>>();
        let fields = sizes.iter().enumerate().map(|(i, n)| (format!("f{i}"), json!({ "$or": alternatives(n) })));
        Value::Object(fields.collect()).to_string()
    };
    assert!(Pattern::parse(&of_sizes(&[10, 10, 10])).is_ok());
    let error = Pattern::parse(&of_sizes(&[10, 10, 11])).unwrap_err();
    assert!(error.reason().contains("over 1000 rule combinations: 1100"), "{error}");
    // Alternatives inside an alternative add up, they do not multiply.
    let nested = r#"{"$or": [{"a": [1], "$or": [{"b": [1]}, {"c": [1]}]}, {"d": [1]}]}"#;
    assert!(Pattern::parse(nested).is_ok());
}

// ---- Properties ---------------------------------------------------------------------------------------------------

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-20i32..20).prop_map(Value::from),
        // Fifteen digits, six of them decimals: as exact as EventBridge promises to be.
        (-1_000_000_000_000_000_i64..1_000_000_000_000_000).prop_map(|n| Value::from(n as f64 / 1e6)),
        "[a-c*.\\\\/0-9]{0,4}".prop_map(Value::from),
        "\\PC{0,3}".prop_map(Value::from),
        Just(json!("10.0.0.1")),
    ]
}

/// Names the pattern language knows, names events have, and anything.
fn name() -> impl Strategy<Value = String> {
    const KNOWN: [&str; 9] =
        ["prefix", "suffix", "anything-but", "numeric", "exists", "equals-ignore-case", "cidr", "wildcard", "$or"];
    prop_oneof![
        4 => proptest::sample::select(KNOWN.to_vec()).prop_map(str::to_owned),
        4 => "[a-c]",
        1 => "\\PC{0,2}",
    ]
}

fn object_of(
    names: impl Strategy<Value = String>,
    values: impl Strategy<Value = Value>,
) -> impl Strategy<Value = Value> {
    proptest::collection::btree_map(names, values, 0..4).prop_map(|map| Value::Object(map.into_iter().collect()))
}

fn any_json() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(5, 40, 4, |inner| {
        prop_oneof![proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from), object_of(name(), inner),]
    })
}

/// Fields as an event has them: `$or` is no name of a field to EventBridge.
fn any_event() -> impl Strategy<Value = Value> {
    let field = || prop_oneof!["[a-c]", "prefix", "\\PC{0,2}"];
    let value = scalar().prop_recursive(4, 24, 3, move |inner| {
        prop_oneof![proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from), object_of(field(), inner),]
    });
    object_of(field(), value)
}

/// A pattern that asks for the event's own scalars; of an array that has no scalars, for those of one element.
fn own_pattern(value: &Value) -> Option<Value> {
    match value {
        Value::Object(fields) => {
            let fields: Map<_, _> =
                fields.iter().filter_map(|(name, value)| Some((name.clone(), own_pattern(value)?))).collect();
            (!fields.is_empty()).then_some(Value::Object(fields))
        }
        Value::Array(items) => {
            let scalars: Vec<Value> =
                items.iter().filter(|item| !item.is_array() && !item.is_object()).cloned().collect();
            if scalars.is_empty() { items.iter().find_map(own_pattern) } else { Some(scalars.into()) }
        }
        scalar => Some(json!([scalar])),
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC*") {
        let _ = Pattern::parse(&text);
    }

    #[test]
    fn no_json_makes_the_parser_or_the_matcher_panic(pattern in any_json(), event in any_json()) {
        if let Ok(pattern) = Pattern::parse(&pattern.to_string()) {
            let _ = pattern.matches(&event);
        }
    }

    #[test]
    fn no_pattern_of_known_operators_makes_the_matcher_panic(operator in name(), operand in any_json(), event in any_event()) {
        for operand in [operand.clone(), json!([operand])] {
            for text in [json!({ "a": [{ &*operator: operand }] }), json!({ "a": [{ "anything-but": { &*operator: operand } }] })] {
                if let Ok(pattern) = Pattern::parse(&text.to_string()) {
                    let _ = pattern.matches(&event);
                }
            }
        }
    }

    #[test]
    fn an_event_always_matches_the_exact_pattern_made_of_its_own_scalar_leaves(event in any_event()) {
        if let Some(pattern) = own_pattern(&event) {
            let text = pattern.to_string();
            prop_assume!(text.chars().count() <= 2_048);
            let compiled = Pattern::parse(&text).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert!(compiled.matches(&event), "{text}");
        }
    }

    #[test]
    fn anything_but_a_present_string_is_the_opposite_of_that_string(wanted in "[a-c]{0,2}", value in "[a-c]{0,2}") {
        let event = json!({ "f": value });
        let exact = Pattern::parse(&json!({ "f": [wanted] }).to_string()).unwrap();
        let not = Pattern::parse(&json!({ "f": [{ "anything-but": wanted }] }).to_string()).unwrap();
        prop_assert_ne!(exact.matches(&event), not.matches(&event));
    }

    #[test]
    fn a_wildcard_matches_whatever_is_put_in_place_of_its_asterisks(
        pieces in proptest::collection::vec("[ab]{1,2}", 1..4),
        fillings in proptest::collection::vec("[ab]{0,3}", 3),
    ) {
        let pattern = Pattern::parse(&json!({ "f": [{ "wildcard": pieces.join("*") }] }).to_string()).unwrap();
        let mut text = pieces[0].clone();
        for (piece, filling) in pieces[1..].iter().zip(&fillings) {
            text.push_str(filling);
            text.push_str(piece);
        }
        prop_assert!(pattern.matches(&json!({ "f": text })), "{}", text);
    }
}
