//! What people see when a scenario file is wrong. Each test is one mistake in a good file and the whole of what is printed.

use std::fs;
use std::path::{Path, PathBuf};

use insta::assert_snapshot;
use proptest::prelude::*;
use proptest::sample::Index;
use scenarios::file::{self, Check, FinalStrategy, MAX_BYTES};

const OUTAGE: &str = include_str!("../spot-outage.toml");
const INTERRUPTION: &str = include_str!("../spot-interruption.toml");
const SYNTHETIC: &str = include_str!("../synthetic-placement-failure.toml");

const GOOD: &str = r#"title    = "A test"
duration = "3h"
accounts = ["111111111111", "222222222222"]

[[service]]
account  = "111111111111"
cluster  = "web"
name     = "checkout"
desired  = 6
strategy = [{ provider = "FARGATE", base = 1 }, { provider = "FARGATE_SPOT", weight = 3 }]

[[service]]
account  = "222222222222"
cluster  = "back"
name     = "ledger"
desired  = 2
strategy = [{ provider = "FARGATE", weight = 1 }]

[[at]]
time = "10m"
spot = { capacity = 0 }

[expect]
failover_within = "2m"
final_strategy  = "original"
"#;

/// What is printed for [`GOOD`] with the first `from` replaced by `to`.
fn shown(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from} is not in the good file");
    refused(&GOOD.replacen(from, to, 1))
}

/// What is printed for [`GOOD`] with `lines` before `[expect]`.
fn with(lines: &str) -> String {
    shown("[expect]", &format!("{lines}\n[expect]"))
}

/// What is printed for [`GOOD`] with `lines` at its end.
fn and(lines: &str) -> String {
    refused(&format!("{GOOD}{lines}\n"))
}

fn refused(text: &str) -> String {
    let problem = file::parse("test.toml", text).expect_err("the file is wrong");
    assert!(problem.place().is_some());
    problem.to_string()
}

/// What is printed for a file of these bytes, without the directory it is in.
fn loaded(name: &str, bytes: &[u8]) -> String {
    let path = temporary(name);
    fs::write(&path, bytes).unwrap();
    let shown = file::load(&path).expect_err("the file is wrong").to_string();
    fs::remove_file(&path).unwrap();
    shown.replace(&path.display().to_string(), name)
}

fn temporary(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()))
}

#[test]
fn the_good_files_are_good() {
    for text in [GOOD, OUTAGE, INTERRUPTION, SYNTHETIC] {
        file::parse("good.toml", text).unwrap_or_else(|problem| panic!("{problem}"));
    }
}

// Keys, and TOML itself.

#[test]
fn an_unknown_key() {
    assert_snapshot!(shown("desired ", "desird "), @"
    error: unknown key `desird` in [[service]]
     --> test.toml:9:1
      |
    9 | desird  = 6
      | ^^^^^^ did you mean `desired`?
      |
      = help: known here: account, cluster, name, desired, cpu, strategy, launch_type, scheduling, minimum_healthy_percent, maximum_percent, stop_timeout, deregistration_delay, zones, zone_rebalancing, circuit_breaker, alarms, autoscaling, terraform, controller, cluster_providers
    ");
}

#[test]
fn an_unknown_key_of_the_scenario() {
    assert_snapshot!(shown("duration", "replicas = 3\nduration"), @"
    error: unknown key `replicas` in the scenario
     --> test.toml:2:1
      |
    2 | replicas = 3
      | ^^^^^^^^ not a key of this table
      |
      = help: known here: title, about, seed, duration, region, central, accounts, synthetic_from, restore_schedule, policy, faults, quotas, service, fleet, at, expect
    ");
}

#[test]
fn a_missing_key() {
    assert_snapshot!(shown("cluster  = \"web\"\n", ""), @r#"
    error: [[service]] has no `cluster`
     --> test.toml:5:1
      |
    5 | [[service]]
      | ^^^^^^^^^^^ `cluster` is missing
      |
      = help: write for example: cluster = "web"
    "#);
}

#[test]
fn a_missing_duration() {
    assert_snapshot!(shown("duration = \"3h\"\n", ""), @r#"
    error: the scenario has no `duration`
     --> test.toml:1:1
      |
    1 | title    = "A test"
      | ^ `duration` is missing
      |
      = help: write for example: duration = "3h"
    "#);
}

#[test]
fn a_duplicated_key() {
    assert_snapshot!(shown("duration", "title = 1\nduration"), @r#"
    error: `title` is given twice
     --> test.toml:2:1
      |
    2 | title = 1
      | ^^^^^ the second one
    "#);
}

#[test]
fn a_syntax_error() {
    assert_snapshot!(shown("desired  = 6", "desired  = = 6"), @r#"
    error: this is not valid TOML
     --> test.toml:9:12
      |
    9 | desired  = = 6
      |            ^ extra `=`, expected nothing
    "#);
}

#[test]
fn an_unclosed_string() {
    assert_snapshot!(shown(r#""web""#, r#""web"#), @r#"
    error: this is not valid TOML
     --> test.toml:7:16
      |
    7 | cluster  = "web
      |                ^ invalid basic string, expected `"`
    "#);
}

#[test]
fn an_unclosed_list_at_the_end() {
    assert_snapshot!(and("x = [1,"), @r#"
    error: this is not valid TOML
      --> test.toml:26:8
       |
    26 | x = [1,
       |        ^ unclosed array, expected `]`
    "#);
}

#[test]
fn an_empty_file() {
    assert_snapshot!(refused(""), @r#"
    error: the file is empty
     --> test.toml:1:1
      |
    1 |
      | ^ a scenario begins with a title
      |
      = help: needed are: title, duration, one [[service]] or more, and [expect]
    "#);
}

#[test]
fn a_file_of_comments() {
    assert_snapshot!(refused("# nothing\n\n"), @r#"
    error: the file is empty
     --> test.toml:1:1
      |
    1 | # nothing
      | ^ a scenario begins with a title
      |
      = help: needed are: title, duration, one [[service]] or more, and [expect]
    "#);
}

#[test]
fn single_brackets_where_double_ones_belong() {
    assert_snapshot!(refused("title = 'x'\nduration = '1h'\n[service]\nname = 'a'\n"), @r#"
    error: there can be several `service`, so each is a table in double brackets
     --> test.toml:3:1
      |
    3 | [service]
      | ^^^^^^^^^ write [[service]]
    "#);
}

// Values.

#[test]
fn a_wrong_unit() {
    assert_snapshot!(shown("3h", "10 minuts"), @r#"
    error: `duration` = "10 minuts" is not a duration: there is no unit "minuts"
     --> test.toml:2:12
      |
    2 | duration = "10 minuts"
      |            ^^^^^^^^^^^ units are ms, s, m, h and d, as in "1h 30m"
      |
      = help: did you mean "minutes"?
    "#);
}

#[test]
fn a_bare_number_for_a_duration() {
    assert_snapshot!(shown(r#""3h""#, "10"), @r#"
    error: `duration` = 10 has no unit
     --> test.toml:2:12
      |
    2 | duration = 10
      |            ^^ write a unit, as in "10m"
    "#);
}

#[test]
fn a_number_in_quotes_for_a_duration() {
    assert_snapshot!(shown("3h", "90"), @r#"
    error: `duration` = "90" has no unit
     --> test.toml:2:12
      |
    2 | duration = "90"
      |            ^^^^ write a unit, as in "90m"
    "#);
}

#[test]
fn a_duration_without_a_number() {
    assert_snapshot!(shown("3h", "soon"), @r#"
    error: `duration` = "soon" is not a duration
     --> test.toml:2:12
      |
    2 | duration = "soon"
      |            ^^^^^^ write a number and a unit (ms, s, m, h or d), as in "1h 30m"
    "#);
}

#[test]
fn a_duration_out_of_range() {
    assert_snapshot!(shown("3h", "32days"), @r#"
    error: `duration` = "32days" is out of range
     --> test.toml:2:12
      |
    2 | duration = "32days"
      |            ^^^^^^^^ allowed is 1s to 31d
    "#);
}

#[test]
fn a_negative_number() {
    assert_snapshot!(shown("= 6", "= -6"), @r#"
    error: `desired` = -6 is out of range
     --> test.toml:9:12
      |
    9 | desired  = -6
      |            ^^ allowed is 0 to 5000
    "#);
}

#[test]
fn a_number_too_large_for_a_service() {
    assert_snapshot!(shown("= 6", "= 5001"), @r#"
    error: `desired` = 5001 is out of range
     --> test.toml:9:12
      |
    9 | desired  = 5001
      |            ^^^^ allowed is 0 to 5000
    "#);
}

#[test]
fn a_number_too_large_for_a_computer() {
    assert_snapshot!(shown("= 6", "= 99999999999999999999999"), @r#"
    error: `desired` = 99999999999999999999999 is out of range
     --> test.toml:9:12
      |
    9 | desired  = 99999999999999999999999
      |            ^^^^^^^^^^^^^^^^^^^^^^^ allowed is 0 to 5000
    "#);
}

#[test]
fn text_where_a_number_belongs() {
    assert_snapshot!(shown("= 6", "= 'six'"), @r#"
    error: `desired` = "six" is not a whole number
     --> test.toml:9:12
      |
    9 | desired  = 'six'
      |            ^^^^^ allowed is 0 to 5000
    "#);
}

#[test]
fn a_fraction_where_a_whole_number_belongs() {
    assert_snapshot!(shown("= 6", "= 1.5"), @r#"
    error: `desired` = 1.5 is not a whole number
     --> test.toml:9:12
      |
    9 | desired  = 1.5
      |            ^^^ allowed is 0 to 5000
    "#);
}

#[test]
fn an_account_without_quotes() {
    assert_snapshot!(shown(r#"account  = "111111111111""#, "account  = 111111111111"), @r#"
    error: `account` = 111111111111 is not text
     --> test.toml:6:12
      |
    6 | account  = 111111111111
      |            ^^^^^^^^^^^^ write it in quotes
    "#);
}

#[test]
fn an_account_of_eleven_digits() {
    assert_snapshot!(shown(r#"account  = "1"#, r#"account  = ""#), @r#"
    error: account "11111111111" is not valid
     --> test.toml:6:12
      |
    6 | account  = "11111111111"
      |            ^^^^^^^^^^^^^ an account is 12 digits
    "#);
}

#[test]
fn an_empty_title() {
    assert_snapshot!(shown("A test", " "), @r#"
    error: `title` = " " is empty
     --> test.toml:1:12
      |
    1 | title    = " "
      |            ^^^ write at least one word
    "#);
}

#[test]
fn control_characters_in_a_title() {
    assert_snapshot!(shown("A test", r"\u001b[2JA test"), @r#"
    error: `title` = "\u{1b}[2JA test" cannot be used
     --> test.toml:1:12
      |
    1 | title    = "\u001b[2JA test"
      |            ^^^^^^^^^^^^^^^^^ it holds a control character, U+001B
    "#);
}

// Services.

#[test]
fn a_service_of_an_unknown_account() {
    assert_snapshot!(shown(r#"account  = "222222222222""#, r#"account  = "222222222223""#), @r#"
    error: account 222222222223 is not known
      --> test.toml:13:12
       |
     3 | accounts = ["111111111111", "222222222222"]
       |            -------------------------------- the accounts of this scenario
    ...
    13 | account  = "222222222223"
       |            ^^^^^^^^^^^^^^ did you mean "222222222222"?
       |
       = help: known are: 111111111111, 222222222222
    "#);
}

#[test]
fn two_services_of_one_name() {
    assert_snapshot!(refused(&OUTAGE.replace("search", "checkout")), @r#"
    error: there are two services 111111111111/web/checkout
      --> test.toml:22:12
       |
    15 | name     = "checkout"
       |            ---------- the first one
    ...
    22 | name     = "checkout"
       |            ^^^^^^^^^^ the second one
    "#);
}

#[test]
fn no_service() {
    assert_snapshot!(refused("title = 'x'\nduration = '1h'\n"), @"
    error: the scenario has no service
     --> test.toml:1:1
      |
    1 | title = 'x'
      | ^ `[[service]]` is missing
      |
      = help: add a [[service]] with account, cluster, name, desired and strategy, or a [[fleet]] of many
    ");
}

#[test]
fn a_strategy_with_two_bases() {
    assert_snapshot!(shown("weight = 3", "base = 2, weight = 3"), @r#"
    error: `base` = 2 is the second base of this strategy
      --> test.toml:10:85
       |
    10 | strategy = [{ provider = "FARGATE", base = 1 }, { provider = "FARGATE_SPOT", base = 2, weight = 3 }]
       |                                            - the first one                          ^ only one provider may have a base
    "#);
}

#[test]
fn a_strategy_with_a_weight_too_large() {
    assert_snapshot!(shown("weight = 3", "weight = 1001"), @r#"
    error: `weight` = 1001 is out of range
      --> test.toml:10:87
       |
    10 | strategy = [{ provider = "FARGATE", base = 1 }, { provider = "FARGATE_SPOT", weight = 1001 }]
       |                                                                                       ^^^^ allowed is 0 to 1000
    "#);
}

#[test]
fn a_strategy_without_weights() {
    assert_snapshot!(shown("weight = 3", "weight = 0"), @r#"
    error: `strategy` = [...] is not a strategy: no capacity provider has a weight above 0
      --> test.toml:10:12
       |
    10 | strategy = [{ provider = "FARGATE", base = 1 }, { provider = "FARGATE_SPOT", weight = 0 }]
       |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ ECS would refuse this
    "#);
}

#[test]
fn an_empty_strategy() {
    assert_snapshot!(shown(r#"[{ provider = "FARGATE", weight = 1 }]"#, "[]"), @r#"
    error: `strategy` = [...] is not a strategy: a strategy needs at least one capacity provider
      --> test.toml:17:12
       |
    17 | strategy = []
       |            ^^ ECS would refuse this
    "#);
}

#[test]
fn a_provider_that_is_not_modelled() {
    assert_snapshot!(shown("FARGATE_SPOT", "my-asg"), @r#"
    error: `provider` = "my-asg" is a provider the simulator does not know
      --> test.toml:10:62
       |
    10 | strategy = [{ provider = "FARGATE", base = 1 }, { provider = "my-asg", weight = 3 }]
       |                                                              ^^^^^^^^ allowed: "FARGATE", "FARGATE_SPOT"
    "#);
}

#[test]
fn an_account_listed_twice() {
    assert_snapshot!(shown(r#""222222222222"]"#, r#""111111111111"]"#), @r#"
    error: `accounts` = "111111111111" is listed twice
     --> test.toml:3:29
      |
    3 | accounts = ["111111111111", "111111111111"]
      |             --------------  ^^^^^^^^^^^^^^ the second one
      |             |
      |             the first one
    "#);
}

// The policy.

#[test]
fn a_tunable_that_is_not_a_duration() {
    assert_snapshot!(with("[policy]\nprobation = '10 minuts'"), @r#"
    error: `probation` = "10 minuts" is not a duration: there is no unit "minuts"
      --> test.toml:24:13
       |
    24 | probation = '10 minuts'
       |             ^^^^^^^^^^^ units are ms, s, m, h and d, as in "1h 30m"
       |
       = help: did you mean "minutes"?
    "#);
}

#[test]
fn a_tunable_out_of_range() {
    assert_snapshot!(with("[policy]\nrestores_per_day = 0"), @r#"
    error: `restores_per_day` = 0 is refused: out of range
      --> test.toml:24:20
       |
    24 | restores_per_day = 0
       |                    ^ allowed is 1 to 100
    "#);
}

#[test]
fn tunables_that_contradict_each_other() {
    assert_snapshot!(with("[policy]\nrestore_after = '2h'\nrestore_backoff_cap = '1h'"), @r#"
    error: restore_backoff_cap (1h) is shorter than restore_after (2h); raise the cap or lower the first wait
      --> test.toml:24:17
       |
    24 | restore_after = '2h'
       |                 ^^^^ contradicts the other value
    25 | restore_backoff_cap = '1h'
       |                       ---- the other value
    "#);
}

#[test]
fn a_tunable_that_contradicts_a_default() {
    assert_snapshot!(with("[policy]\nrestore_after = '7h'"), @r#"
    error: restore_backoff_cap (6h) is shorter than restore_after (7h); raise the cap or lower the first wait
      --> test.toml:24:17
       |
    24 | restore_after = '7h'
       |                 ^^^^ contradicts the default of the other
    "#);
}

// Events.

#[test]
fn an_event_after_the_end() {
    assert_snapshot!(shown("10m", "4h"), @r#"
    error: `time` = "4h" is after the end
      --> test.toml:20:8
       |
     2 | duration = "3h"
       |            ---- the scenario lasts this long
    ...
    20 | time = "4h"
       |        ^^^^ allowed is 0s to 3h
    "#);
}

#[test]
fn an_event_without_an_action() {
    assert_snapshot!(shown("spot = { capacity = 0 }\n", ""), @"
    error: nothing happens in this [[at]]
      --> test.toml:19:1
       |
    19 | [[at]]
       | ^^^^^^ an action is missing
       |
       = help: actions are: spot, on_demand, interrupt, put_events, update_service, deploy, roll_back, alarm, delete_service, create_service, opt_out, controller, application, crash_loop, protect, spot_zone, rebalancing_failure, role, forwarding, bus_policy, organization, queue, redrive, function, pause, calm
    ");
}

#[test]
fn a_task_size_that_fargate_does_not_have() {
    assert_snapshot!(shown("desired  = 6", "desired  = 6\ncpu = 300"), @"
    error: `cpu` = 300 is not a size of a Fargate task
      --> test.toml:10:7
       |
    10 | cpu = 300
       |       ^^^ allowed: 256, 512, 1024, 2048, 4096, 8192, 16384
    ");
}

#[test]
fn a_launch_rate_without_a_burst() {
    assert_snapshot!(shown("[[service]]", "[quotas]\nlaunches_per_second = 20\n[[service]]"), @"
    error: [quotas] has no `launch_burst`
     --> test.toml:5:1
      |
    5 | [quotas]
      | ^^^^^^^^ `launch_burst` is missing
      |
      = help: write for example: launch_burst = 100
    ");
}

#[test]
fn an_unknown_quota() {
    assert_snapshot!(shown("[[service]]", "[quotas]\nspot_vcpus = 20\n[[service]]"), @"
    error: unknown key `spot_vcpus` in [quotas]
     --> test.toml:6:1
      |
    6 | spot_vcpus = 20
      | ^^^^^^^^^^ did you mean `spot_vcpu`?
      |
      = help: known here: on_demand_vcpu, spot_vcpu, launch_burst, launches_per_second
    ");
}

#[test]
fn a_market_that_does_two_things_at_once() {
    assert_snapshot!(shown("{ capacity = 0 }", "{ capacity = 0, flapping = { up = \"10m\", down = \"5m\" } }"), @r#"
    error: one market cannot do both `capacity` and `flapping`
      --> test.toml:21:24
       |
    21 | spot = { capacity = 0, flapping = { up = "10m", down = "5m" } }
       |          --------      ^^^^^^^^ give it an [[at]] of its own
       |          |
       |          the first one
    "#);
}

#[test]
fn a_market_that_does_nothing() {
    assert_snapshot!(shown("{ capacity = 0 }", "{ accounts = [\"111111111111\"] }"), @r#"
    error: `spot` has no `capacity`
      --> test.toml:21:8
       |
    21 | spot = { accounts = ["111111111111"] }
       |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ `capacity` is missing
       |
       = help: write for example: capacity = 0
    "#);
}

#[test]
fn a_loss_beside_a_shape() {
    assert_snapshot!(shown("{ capacity = 0 }", "{ rebalance = 2, loss = \"silent\" }"), @r#"
    error: `loss` has no meaning here
      --> test.toml:21:25
       |
    21 | spot = { rebalance = 2, loss = "silent" }
       |                         ^^^^ it goes with `capacity`
    "#);
}

#[test]
fn a_slow_return_that_never_ends() {
    assert_snapshot!(shown("{ capacity = 0 }", "{ slow_return = { per_minute = 0, until = 10 } }"), @"
    error: `per_minute` = 0 is out of range
      --> test.toml:21:39
       |
    21 | spot = { slow_return = { per_minute = 0, until = 10 } }
       |                                       ^ allowed is 1 to 1000000
    ");
}

#[test]
fn a_random_market_whose_longest_outage_is_shorter_than_the_shortest() {
    let random = "{ random = { every = \"6h\", shortest = \"1h\", longest = \"2m\" } }";
    assert_snapshot!(shown("{ capacity = 0 }", random), @r#"
    error: `longest` = "2m" is less than the shortest
      --> test.toml:21:62
       |
    21 | spot = { random = { every = "6h", shortest = "1h", longest = "2m" } }
       |                                              ----            ^^^^ write a time no shorter than it
       |                                              |
       |                                              the shortest
    "#);
}

#[test]
fn a_flapping_market_without_a_gap() {
    assert_snapshot!(shown("{ capacity = 0 }", "{ flapping = { up = \"10m\" } }"), @r#"
    error: `flapping` has no `down`
      --> test.toml:21:21
       |
    21 | spot = { flapping = { up = "10m" } }
       |                     ^^^^^^^^^^^^^^ `down` is missing
       |
       = help: write for example: down = "10m"
    "#);
}

#[test]
fn an_auto_scaler_whose_bounds_do_not_hold_the_desired_count() {
    assert_snapshot!(shown("desired  = 6", "desired  = 6\nautoscaling = { min = 1, max = 4 }"), @"
    error: `autoscaling` = {...} does not hold the desired count
      --> test.toml:10:15
       |
    10 | autoscaling = { min = 1, max = 4 }
       |               ^^^^^^^^^^^^^^^^^^^^ `desired` is 6
    ");
}

#[test]
fn an_auto_scaler_with_its_bounds_the_wrong_way_round() {
    assert_snapshot!(shown("desired  = 6", "desired  = 6\nautoscaling = { min = 8, max = 4 }"), @"
    error: `max` = 4 is out of range
      --> test.toml:10:32
       |
    10 | autoscaling = { min = 8, max = 4 }
       |                                ^ allowed is 8 to 5000
    ");
}

#[test]
fn a_terraform_that_does_not_say_whether_it_forces() {
    assert_snapshot!(shown("desired  = 6", "desired  = 6\nterraform = { every = \"1h\" }"), @r#"
    error: `terraform` has no `force`
      --> test.toml:10:13
       |
    10 | terraform = { every = "1h" }
       |             ^^^^^^^^^^^^^^^^ `force` is missing
       |
       = help: write for example: force = true
    "#);
}

#[test]
fn a_launch_type_beside_a_strategy() {
    assert_snapshot!(shown("desired  = 6", "desired  = 6\nlaunch_type = \"FARGATE\""), @r#"
    error: specifying both a launch type and a capacity provider strategy is not supported
      --> test.toml:10:1
       |
    10 | launch_type = "FARGATE"
       | ^^^^^^^^^^^ give the service one of them
    11 | strategy = [{ provider = "FARGATE", base = 1 }, { provider = "FARGATE_SPOT", weight = 3 }]
       | -------- the other one
    "#);
}

#[test]
fn a_daemon_on_fargate() {
    assert_snapshot!(shown("desired  = 6", "desired  = 6\nscheduling = \"DAEMON\""), @r#"
    error: `scheduling` = "DAEMON" does not exist on Fargate
      --> test.toml:10:14
       |
    10 | scheduling = "DAEMON"
       |              ^^^^^^^^ allowed: "REPLICA"
    "#);
}

#[test]
fn a_launch_type_that_is_not_fargate() {
    let service = "strategy = [{ provider = \"FARGATE\", weight = 1 }]";
    assert_snapshot!(shown(service, "launch_type = \"EC2\""), @r#"
    error: `launch_type` = "EC2" is not known
      --> test.toml:17:15
       |
    17 | launch_type = "EC2"
       |               ^^^^^ allowed: "FARGATE"
    "#);
}

#[test]
fn an_alarm_of_a_service_without_alarms() {
    assert_snapshot!(with("[[at]]\ntime = \"1h\"\nalarm = { service = \"web/checkout\" }\n"), @r#"
    error: 111111111111/web/checkout has no deployment alarms
      --> test.toml:25:9
       |
    25 | alarm = { service = "web/checkout" }
       |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ nothing would happen
       |
       = help: write alarms = true in its [[service]] or [[fleet]]
    "#);
}

#[test]
fn an_event_with_two_actions() {
    assert_snapshot!(shown("[expect]", "interrupt = { service = 'web/checkout' }\n[expect]"), @"
    error: two actions in one [[at]]: `spot` and `interrupt`
      --> test.toml:23:1
       |
    21 | spot = { capacity = 0 }
       | ---- the first one
    22 |
    23 | interrupt = { service = 'web/checkout' }
       | ^^^^^^^^^ give it an [[at]] of its own
       |
       = help: actions are: spot, on_demand, interrupt, put_events, update_service, deploy, roll_back, alarm, delete_service, create_service, opt_out, controller, application, crash_loop, protect, spot_zone, rebalancing_failure, role, forwarding, bus_policy, organization, queue, redrive, function, pause, calm
    ");
}

#[test]
fn an_unknown_action() {
    assert_snapshot!(shown("spot =", "sport ="), @"
    error: unknown key `sport` in [[at]]
      --> test.toml:21:1
       |
    21 | sport = { capacity = 0 }
       | ^^^^^ did you mean `spot`?
       |
       = help: known here: time, spot, on_demand, interrupt, put_events, update_service, deploy, roll_back, alarm, delete_service, create_service, opt_out, controller, application, crash_loop, protect, spot_zone, rebalancing_failure, role, forwarding, bus_policy, organization, queue, redrive, function, pause, calm
    ");
}

#[test]
fn a_pause_that_is_neither_on_nor_off() {
    assert_snapshot!(with("[[at]]\ntime = '5m'\npause = 'on'"), @r#"
    error: `pause` = "on" is neither true nor false
      --> test.toml:25:9
       |
    25 | pause = 'on'
       |         ^^^^ write true or false, without quotes
    "#);
}

#[test]
fn a_deployment_controller_that_does_not_exist() {
    assert_snapshot!(with("[[at]]\ntime = '5m'\ncontroller = { service = 'web/checkout', is = 'BLUEGREEN' }"), @r#"
    error: `is` = "BLUEGREEN" is not known
      --> test.toml:25:47
       |
    25 | controller = { service = 'web/checkout', is = 'BLUEGREEN' }
       |                                               ^^^^^^^^^^^ allowed: "ECS", "BLUE_GREEN", "CODE_DEPLOY", "EXTERNAL"
       |
       = help: did you mean "BLUE_GREEN"?
    "#);
}

#[test]
fn a_change_of_the_deployment_controller_to_nothing() {
    assert_snapshot!(with("[[at]]\ntime = '5m'\ncontroller = { service = 'web/checkout' }"), @r#"
    error: `controller` has no `is`
      --> test.toml:25:14
       |
    25 | controller = { service = 'web/checkout' }
       |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ `is` is missing
       |
       = help: write for example: is = "BLUE_GREEN"
    "#);
}

#[test]
fn a_state_of_forwarding_that_does_not_exist() {
    assert_snapshot!(with("[[at]]\ntime = '5m'\nforwarding = { is = 'mising' }"), @r#"
    error: `is` = "mising" is not known
      --> test.toml:25:21
       |
    25 | forwarding = { is = 'mising' }
       |                     ^^^^^^^^ allowed: "present", "missing", "denied", "unreachable", "disabled"
       |
       = help: did you mean "missing"?
    "#);
}

#[test]
fn forwarding_of_an_account_that_is_not_in_the_scenario() {
    assert_snapshot!(with("[[at]]\ntime = '5m'\nforwarding = { is = 'missing', accounts = ['111111111112'] }"), @r#"
    error: account 111111111112 is not known
      --> test.toml:25:44
       |
    25 | forwarding = { is = 'missing', accounts = ['111111111112'] }
       |                                            ^^^^^^^^^^^^^^ did you mean "111111111111"?
       |
       = help: known are: 111111111111, 222222222222
    "#);
}

#[test]
fn a_bus_policy_that_admits_neither_accounts_nor_the_organization() {
    assert_snapshot!(with("[[at]]\ntime = '5m'\nbus_policy = { admits = 'organisation' }"), @r#"
    error: `admits` = "organisation" is not known
      --> test.toml:25:25
       |
    25 | bus_policy = { admits = 'organisation' }
       |                         ^^^^^^^^^^^^^^ allowed: "organization", "onboarded"
       |
       = help: did you mean "organization"?
       = help: or a list of accounts, like ["111111111111"]
    "#);
}

#[test]
fn a_bus_policy_that_admits_an_account_that_is_not_in_the_scenario() {
    assert_snapshot!(with("[[at]]\ntime = '5m'\nbus_policy = { admits = ['333333333333'] }"), @"
    error: account 333333333333 is not known
      --> test.toml:25:26
       |
    25 | bus_policy = { admits = ['333333333333'] }
       |                          ^^^^^^^^^^^^^^ not an account of this scenario
       |
       = help: known are: 111111111111, 222222222222
    ");
}

#[test]
fn an_organization_without_a_change() {
    assert_snapshot!(with("[[at]]\ntime = '5m'\norganization = { accounts = ['111111111111'] }"), @"
    error: `organization` has no `member`
      --> test.toml:25:16
       |
    25 | organization = { accounts = ['111111111111'] }
       |                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ `member` is missing
       |
       = help: write for example: member = false
    ");
}

#[test]
fn a_queue_that_does_not_exist() {
    assert_snapshot!(with("[[at]]\ntime = '5m'\nqueue = { name = 'placement', is = 'unreachable' }"), @r#"
    error: `name` = "placement" is not known
      --> test.toml:25:18
       |
    25 | queue = { name = 'placement', is = 'unreachable' }
       |                  ^^^^^^^^^^^ allowed: "placement-failure", "interruption"
    "#);
}

#[test]
fn a_state_of_a_queue_that_does_not_exist() {
    assert_snapshot!(with("[[at]]\ntime = '5m'\nqueue = { name = 'interruption', is = 'down' }"), @r#"
    error: `is` = "down" is not known
      --> test.toml:25:39
       |
    25 | queue = { name = 'interruption', is = 'down' }
       |                                       ^^^^^^ allowed: "reachable", "unreachable", "denied"
    "#);
}

#[test]
fn a_redrive_of_a_queue_that_does_not_exist() {
    assert_snapshot!(with("[[at]]\ntime = '5m'\nredrive = { queue = 'placement-failures' }"), @r#"
    error: `queue` = "placement-failures" is not known
      --> test.toml:25:21
       |
    25 | redrive = { queue = 'placement-failures' }
       |                     ^^^^^^^^^^^^^^^^^^^^ allowed: "placement-failure", "interruption"
       |
       = help: did you mean "placement-failure"?
    "#);
}

#[test]
fn a_redrive_without_its_queue() {
    assert_snapshot!(with("[[at]]\ntime = '5m'\nredrive = {}"), @r#"
    error: `redrive` has no `queue`
      --> test.toml:25:11
       |
    25 | redrive = {}
       |           ^^ `queue` is missing
       |
       = help: write for example: queue = "placement-failure"
    "#);
}

#[test]
fn a_function_that_does_not_exist() {
    assert_snapshot!(with("[[at]]\ntime = '5m'\nfunction = { name = 'restorer', is = 'stopped' }"), @r#"
    error: `name` = "restorer" is not known
      --> test.toml:25:21
       |
    25 | function = { name = 'restorer', is = 'stopped' }
       |                     ^^^^^^^^^^ allowed: "placement-failure", "interruption", "restore"
       |
       = help: did you mean "restore"?
    "#);
}

#[test]
fn a_function_without_its_state() {
    assert_snapshot!(with("[[at]]\ntime = '5m'\nfunction = { name = 'restore' }"), @r#"
    error: `function` has no `is`
      --> test.toml:25:12
       |
    25 | function = { name = 'restore' }
       |            ^^^^^^^^^^^^^^^^^^^^ `is` is missing
       |
       = help: write for example: is = "stopped"
    "#);
}

#[test]
fn a_capacity_that_is_neither_a_number_nor_unlimited() {
    assert_snapshot!(shown("capacity = 0", "capacity = 'none'"), @r#"
    error: `capacity` = "none" is neither a number nor "unlimited"
      --> test.toml:21:21
       |
    21 | spot = { capacity = 'none' }
       |                     ^^^^^^ write a whole number, 0 to 1000000, or "unlimited"
    "#);
}

#[test]
fn a_negative_capacity() {
    assert_snapshot!(shown("capacity = 0", "capacity = -1"), @r#"
    error: `capacity` = -1 is out of range
      --> test.toml:21:21
       |
    21 | spot = { capacity = -1 }
       |                     ^^ write a whole number, 0 to 1000000, or "unlimited"
    "#);
}

#[test]
fn an_unknown_loss() {
    assert_snapshot!(shown("capacity = 0", "capacity = 0, loss = 'silently'"), @r#"
    error: `loss` = "silently" is not known
      --> test.toml:21:31
       |
    21 | spot = { capacity = 0, loss = 'silently' }
       |                               ^^^^^^^^^^ allowed: "interrupt", "silent", "keep"
       |
       = help: did you mean "silent"?
    "#);
}

#[test]
fn an_event_of_an_unknown_account() {
    assert_snapshot!(shown("capacity = 0", "capacity = 0, accounts = ['333333333333']"), @r#"
    error: account 333333333333 is not known
      --> test.toml:21:36
       |
    21 | spot = { capacity = 0, accounts = ['333333333333'] }
       |                                    ^^^^^^^^^^^^^^ not an account of this scenario
       |
       = help: known are: 111111111111, 222222222222
    "#);
}

#[test]
fn an_event_of_a_reserved_source() {
    assert_snapshot!(with(&put_events("source = 'aws.ecs', detail = {}")), @r#"
    error: `source` = "aws.ecs" cannot be sent
      --> test.toml:25:67
       |
    25 | put_events = { from = '999999999999', detail_type = 'x', source = 'aws.ecs', detail = {} }
       |                                                                   ^^^^^^^^^ sources that begin with "aws." are reserved for AWS
       |
       = help: EventBridge answers NotAuthorizedForSource; a synthetic event has the source "test.aws.ecs"
    "#);
}

#[test]
fn a_detail_that_is_not_json() {
    assert_snapshot!(with(&put_events(r#"source = 'a', detail = '{"a":}'"#)), @r#"
    error: `detail` is not valid JSON
      --> test.toml:25:81
       |
    25 | put_events = { from = '999999999999', detail_type = 'x', source = 'a', detail = '{"a":}' }
       |                                                                                 ^^^^^^^^ expected value at line 1 column 6
    "#);
}

#[test]
fn a_detail_that_is_not_an_object() {
    assert_snapshot!(with(&put_events("source = 'a', detail = '[1]'")), @r#"
    error: `detail` = "[1]" is not a JSON object
      --> test.toml:25:81
       |
    25 | put_events = { from = '999999999999', detail_type = 'x', source = 'a', detail = '[1]' }
       |                                                                                 ^^^^^ write it in braces: { ... }
    "#);
}

#[test]
fn a_detail_that_json_cannot_say() {
    assert_snapshot!(with(&put_events("source = 'a', detail = { load = nan }")), @r#"
    error: `detail` = {...} holds a number that is not finite
      --> test.toml:25:81
       |
    25 | put_events = { from = '999999999999', detail_type = 'x', source = 'a', detail = { load = nan } }
       |                                                                                 ^^^^^^^^^^^^^^ JSON has no such number
    "#);
}

#[test]
fn an_update_of_nothing() {
    assert_snapshot!(with("[[at]]\ntime = '1m'\nupdate_service = { service = 'web/checkout' }"), @r#"
    error: `update_service` changes nothing
      --> test.toml:25:18
       |
    25 | update_service = { service = 'web/checkout' }
       |                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ give it `strategy`, `desired` or both
    "#);
}

// Fleets.

/// What is printed for [`GOOD`] with a fleet, in which the first `from` is replaced by `to`.
fn in_fleet(from: &str, to: &str) -> String {
    let fleet = "[[fleet]]\nname = \"shop\"\naccounts = 2\ncluster = \"web\"\nservices = 100\ndesired = [1, 6]\n\
                 strategy = [{ provider = \"FARGATE_SPOT\", weight = 1 }]\n";
    file::parse("good.toml", &format!("{GOOD}{fleet}")).unwrap_or_else(|problem| panic!("{problem}"));
    assert!(fleet.contains(from), "{from} is not in the fleet");
    and(&fleet.replacen(from, to, 1))
}

#[test]
fn an_unknown_key_of_a_fleet() {
    assert_snapshot!(in_fleet("services = 100", "service = 100"), @"
    error: unknown key `service` in [[fleet]]
      --> test.toml:30:1
       |
    30 | service = 100
       | ^^^^^^^ did you mean `services`?
       |
       = help: known here: name, accounts, cluster, clusters, services, desired, cpu, strategy, launch_type, scheduling, minimum_healthy_percent, maximum_percent, stop_timeout, deregistration_delay, zones, zone_rebalancing, circuit_breaker, alarms, autoscaling, terraform, controller, cluster_providers
    ");
}

#[test]
fn a_fleet_without_a_number_of_services() {
    assert_snapshot!(in_fleet("services = 100\n", ""), @"
    error: [[fleet]] has no `services`
      --> test.toml:26:1
       |
    26 | [[fleet]]
       | ^^^^^^^^^ `services` is missing
       |
       = help: write for example: services = 10_000
    ");
}

#[test]
fn a_fleet_of_no_services() {
    assert_snapshot!(in_fleet("100", "0"), @"
    error: `services` = 0 is out of range
      --> test.toml:30:12
       |
    30 | services = 0
       |            ^ allowed is 1 to 1000000
    ");
}

#[test]
fn a_fleet_of_too_many_services() {
    assert_snapshot!(in_fleet("100", "1_000_001"), @"
    error: `services` = 1000001 is out of range
      --> test.toml:30:12
       |
    30 | services = 1_000_001
       |            ^^^^^^^^^ allowed is 1 to 1000000
    ");
}

#[test]
fn more_services_than_a_cluster_holds() {
    assert_snapshot!(in_fleet("100", "10_001"), @"
    error: `services` = 10001 puts 5001 into one cluster
      --> test.toml:30:12
       |
    30 | services = 10_001
       |            ^^^^^^ ECS allows 5000
       |
       = help: give the fleet more `accounts` or `clusters`
    ");
}

#[test]
fn a_fleet_without_accounts() {
    assert_snapshot!(in_fleet("accounts = 2", "accounts = []"), @"
    error: `accounts` = [...] is empty
      --> test.toml:28:12
       |
    28 | accounts = []
       |            ^^ a fleet needs at least one account
    ");
}

#[test]
fn a_fleet_of_too_many_accounts() {
    assert_snapshot!(in_fleet("accounts = 2", "accounts = 1_001"), @"
    error: `accounts` = 1001 is out of range
      --> test.toml:28:12
       |
    28 | accounts = 1_001
       |            ^^^^^ allowed is 1 to 1000
    ");
}

#[test]
fn a_fleet_with_an_account_twice() {
    assert_snapshot!(in_fleet("accounts = 2", "accounts = ['111111111111', '111111111111']"), @r#"
    error: `accounts` = "111111111111" is listed twice
      --> test.toml:28:29
       |
    28 | accounts = ['111111111111', '111111111111']
       |             --------------  ^^^^^^^^^^^^^^ the second one
       |             |
       |             the first one
    "#);
}

#[test]
fn a_fleet_in_an_account_of_nobody() {
    assert_snapshot!(in_fleet("accounts = 2", "accounts = ['111111111111', '333333333333']"), @r#"
    error: account 333333333333 is not known
      --> test.toml:28:29
       |
     3 | accounts = ["111111111111", "222222222222"]
       |            -------------------------------- the accounts of this scenario
    ...
    28 | accounts = ['111111111111', '333333333333']
       |                             ^^^^^^^^^^^^^^ not an account of this scenario
       |
       = help: known are: 111111111111, 222222222222
    "#);
}

#[test]
fn a_fleet_in_no_cluster() {
    assert_snapshot!(in_fleet("cluster = \"web\"", "clusters = 0\ncluster = \"web\""), @"
    error: `clusters` = 0 is out of range
      --> test.toml:29:12
       |
    29 | clusters = 0
       |            ^ allowed is 1 to 10000
    ");
}

#[test]
fn a_range_that_ends_before_it_begins() {
    assert_snapshot!(in_fleet("[1, 6]", "[6, 1]"), @"
    error: `desired` ends before it begins
      --> test.toml:31:11
       |
    31 | desired = [6, 1]
       |           ^^^^^^ write [1, 6]
    ");
}

#[test]
fn a_range_of_three() {
    assert_snapshot!(in_fleet("[1, 6]", "[1, 2, 6]"), @"
    error: `desired` = [...] is not a range
      --> test.toml:31:11
       |
    31 | desired = [1, 2, 6]
       |           ^^^^^^^^^ write the least and the most, as in [1, 8]
    ");
}

#[test]
fn a_range_that_an_auto_scaler_does_not_hold() {
    assert_snapshot!(in_fleet("[1, 6]", "[1, 6]\nautoscaling = { min = 1, max = 4 }"), @"
    error: `autoscaling` = {...} does not hold the desired count
      --> test.toml:32:15
       |
    32 | autoscaling = { min = 1, max = 4 }
       |               ^^^^^^^^^^^^^^^^^^^^ `desired` is 6
    ");
}

#[test]
fn a_fleet_with_the_name_of_an_account() {
    assert_snapshot!(in_fleet("\"shop\"", "\"123456789012\""), @r#"
    error: `name` = "123456789012" is an account
      --> test.toml:27:8
       |
    27 | name = "123456789012"
       |        ^^^^^^^^^^^^^^ a fleet's name has a letter in it
    "#);
}

#[test]
fn a_fleet_with_a_name_too_long_for_its_services() {
    assert_snapshot!(in_fleet("shop", &"s".repeat(252)), @r#"
    error: `name` = "ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss..." is too long
      --> test.toml:27:8
       |
    27 | name = "ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss...
       |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ `-` and 3 digits follow, 255 in all
    "#);
}

#[test]
fn a_fleet_that_takes_the_name_of_a_service() {
    assert_snapshot!(refused(&format!(
            "{}[[fleet]]\nname = 'shop'\naccounts = ['111111111111']\ncluster = 'web'\nservices = 9\ndesired = 1\n\
             strategy = [{{ provider = 'FARGATE_SPOT', weight = 1 }}]\n",
            GOOD.replace("checkout", "shop-3")
        )), @r#"
    error: there are two services 111111111111/web/shop-3
      --> test.toml:27:8
       |
     8 | name     = "shop-3"
       |            -------- the first one
    ...
    27 | name = 'shop'
       |        ^^^^^^ the second one
    "#);
}

#[test]
fn two_fleets_of_one_name() {
    assert_snapshot!(in_fleet("[[fleet]]", "[[fleet]]\nname = 'shop'\naccounts = 1\ncluster = 'a'\nservices = 1\ndesired = 1\nlaunch_type = 'FARGATE'\n[[fleet]]"), @r#"
    error: `name` = "shop" names two fleets
      --> test.toml:34:8
       |
    27 | name = 'shop'
       |        ------ the first one
    ...
    34 | name = "shop"
       |        ^^^^^^ the second one
    "#);
}

#[test]
fn an_event_of_a_fleet_that_does_not_exist() {
    assert_snapshot!(in_fleet("[[fleet]]", "[[at]]\ntime = '1m'\ndeploy = { fleet = 'shp' }\n[[fleet]]"), @r#"
    error: `fleet` = "shp" is not a [[fleet]] of this scenario
      --> test.toml:28:20
       |
    28 | deploy = { fleet = 'shp' }
       |                    ^^^^^ did you mean "shop"?
       |
       = help: fleets here: shop
    "#);
}

#[test]
fn an_event_of_a_service_and_a_fleet() {
    assert_snapshot!(in_fleet("[[fleet]]", "[[at]]\ntime = '1m'\ndeploy = { fleet = 'shop', service = 'web/checkout' }\n[[fleet]]"), @"
    error: an action is for a service or for a fleet
      --> test.toml:28:28
       |
    28 | deploy = { fleet = 'shop', service = 'web/checkout' }
       |            -----           ^^^^^^^ take one of them out
       |            |
       |            the other one
    ");
}

#[test]
fn accounts_of_a_fleet_that_does_not_exist() {
    assert_snapshot!(in_fleet("[[fleet]]", "[[at]]\ntime = '1m'\nspot = { capacity = 0, accounts = ['shop', 'back'] }\n[[fleet]]"), @r#"
    error: `accounts` = "back" is not a [[fleet]] of this scenario
      --> test.toml:28:44
       |
    28 | spot = { capacity = 0, accounts = ['shop', 'back'] }
       |                                            ^^^^^^ no such fleet
       |
       = help: fleets here: shop
    "#);
}

#[test]
fn an_account_and_the_fleet_it_belongs_to() {
    assert_snapshot!(in_fleet("[[fleet]]", "[[at]]\ntime = '1m'\nspot = { capacity = 0, accounts = ['shop', '101000000002'] }\n[[fleet]]"), @r#"
    error: `accounts` = "101000000002" is listed twice
      --> test.toml:28:44
       |
    28 | spot = { capacity = 0, accounts = ['shop', '101000000002'] }
       |                                    ------  ^^^^^^^^^^^^^^ the second one
       |                                    |
       |                                    the first one
    "#);
}

#[test]
fn an_expectation_of_a_fleet_that_does_not_exist() {
    assert_snapshot!(in_fleet("[[fleet]]", "[[expect.fleet]]\nfleet = 'web'\nfailovers = 1\n[[fleet]]"), @r#"
    error: `fleet` = "web" is not a [[fleet]] of this scenario
      --> test.toml:27:9
       |
    27 | fleet = 'web'
       |         ^^^^^ no such fleet
       |
       = help: fleets here: shop
    "#);
}

#[test]
fn two_expectations_of_one_fleet() {
    assert_snapshot!(in_fleet("[[fleet]]", "[[expect.fleet]]\nfleet = 'shop'\n[[expect.fleet]]\nfleet = 'shop'\n[[fleet]]"), @r#"
    error: `fleet` = "shop" has two [[expect.fleet]]
      --> test.toml:29:9
       |
    27 | fleet = 'shop'
       |         ------ the first one
    28 | [[expect.fleet]]
    29 | fleet = 'shop'
       |         ^^^^^^ put its keys into one table
    "#);
}

#[test]
fn a_fleet_that_waits_for_a_failover_it_must_not_have() {
    assert_snapshot!(in_fleet("[[fleet]]", "[[expect.fleet]]\nfleet = 'shop'\nfailovers = 0\nrestored_within = '1h'\n[[fleet]]"), @r#"
    error: `restored_within` = "1h" cannot be checked: `failovers` is 0 for this service
      --> test.toml:29:19
       |
    29 | restored_within = '1h'
       |                   ^^^^ there will be no failover to wait for
    "#);
}

// Expectations.

#[test]
fn an_expectation_of_a_service_that_does_not_exist() {
    assert_snapshot!(and("[[expect.service]]\nservice = 'web/chekout'\nfailovers = 1"), @r#"
    error: `service` = "web/chekout" does not exist
      --> test.toml:27:11
       |
    27 | service = 'web/chekout'
       |           ^^^^^^^^^^^^^ did you mean "web/checkout"?
       |
       = help: services here: web/checkout, back/ledger
    "#);
}

#[test]
fn a_service_without_its_cluster() {
    assert_snapshot!(and("[[expect.service]]\nservice = 'ledger'\nfailovers = 0"), @r#"
    error: `service` = "ledger" does not exist
      --> test.toml:27:11
       |
    27 | service = 'ledger'
       |           ^^^^^^^^ did you mean "back/ledger"?
       |
       = help: services here: web/checkout, back/ledger
    "#);
}

#[test]
fn an_ambiguous_service() {
    assert_snapshot!(refused(&format!("{}[[expect.service]]\nservice = 'web/checkout'\n", GOOD.replace("back", "web").replace("ledger", "checkout"))), @r#"
    error: `service` = "web/checkout" means more than one service
      --> test.toml:27:11
       |
    27 | service = 'web/checkout'
       |           ^^^^^^^^^^^^^^ put the account in front
       |
       = help: write one of: 111111111111/web/checkout, 222222222222/web/checkout
    "#);
}

#[test]
fn two_tables_of_one_service() {
    assert_snapshot!(and("[[expect.service]]\nservice = 'back/ledger'\n[[expect.service]]\nservice = '222222222222/back/ledger'"), @r#"
    error: `service` = "222222222222/back/ledger" has two [[expect.service]]
      --> test.toml:29:11
       |
    27 | service = 'back/ledger'
       |           ------------- the first one
    28 | [[expect.service]]
    29 | service = '222222222222/back/ledger'
       |           ^^^^^^^^^^^^^^^^^^^^^^^^^^ put its keys into one table
    "#);
}

#[test]
fn a_failover_of_a_service_without_spot() {
    assert_snapshot!(and("[[expect.service]]\nservice = 'back/ledger'\nfailover_within = '1m'"), @r#"
    error: `failover_within` = "1m" cannot be checked: the strategy of 222222222222/back/ledger does not use Spot
      --> test.toml:28:19
       |
    28 | failover_within = '1m'
       |                   ^^^^ there will be no failover to wait for
    "#);
}

#[test]
fn a_failover_in_time_that_must_not_happen() {
    assert_snapshot!(and("[[expect.service]]\nservice = 'web/checkout'\nfailovers = 0\nfailover_within = '1m'"), @r#"
    error: `failover_within` = "1m" cannot be checked: `failovers` is 0 for this service
      --> test.toml:29:19
       |
    29 | failover_within = '1m'
       |                   ^^^^ there will be no failover to wait for
    "#);
}

#[test]
fn a_service_named_in_the_general_table() {
    assert_snapshot!(and("service = 'web/checkout'"), @r#"
    error: there can be several `service`, so each is a table in double brackets
      --> test.toml:26:11
       |
    26 | service = 'web/checkout'
       |           ^^^^^^^^^^^^^^ write [[expect.service]]
    "#);
}

#[test]
fn an_availability_in_percent() {
    assert_snapshot!(and("min_availability = 97"), @r#"
    error: `min_availability` = 97 is out of range
      --> test.toml:26:20
       |
    26 | min_availability = 97
       |                    ^^ allowed is 0 to 1, for example 0.97
    "#);
}

#[test]
fn an_unknown_final_strategy() {
    assert_snapshot!(shown("original", "orignal"), @r#"
    error: `final_strategy` = "orignal" is not known
      --> test.toml:25:19
       |
    25 | final_strategy  = "orignal"
       |                   ^^^^^^^^^ allowed: "original", "fallback"
       |
       = help: did you mean "original"?
       = help: or a list of items, like the `strategy` of a service
    "#);
}

#[test]
fn no_expectation() {
    assert_snapshot!(shown("[expect]\nfailover_within = \"2m\"\nfinal_strategy  = \"original\"\n", ""), @r#"
    error: the scenario expects nothing, so it cannot fail
     --> test.toml:1:1
      |
    1 | title    = "A test"
      | ^ `[expect]` is missing
      |
      = help: add for example: [expect] with final_strategy = "original"
    "#);
}

#[test]
fn an_expectation_of_nobody() {
    assert_snapshot!(shown("FARGATE_SPOT", "FARGATE"), @r#"
    error: the scenario expects nothing, so it cannot fail
      --> test.toml:23:1
       |
    23 | [expect]
       | ^^^^^^^^ no check results from this
       |
       = help: [expect] speaks of services that use Spot; give others an [[expect.service]]
    "#);
}

fn put_events(keys: &str) -> String {
    format!("[[at]]\ntime = '1m'\nput_events = {{ from = '999999999999', detail_type = 'x', {keys} }}")
}

#[test]
fn an_unknown_tunable() {
    let shown = with("[policy]\nprobaton = '5m'");
    let (excerpt, tunables) = shown.split_once("= help: known here: ").unwrap();
    assert!(tunables.contains("probation"));
    assert_snapshot!(excerpt, @r#"
    error: unknown key `probaton` in [policy]
      --> test.toml:24:1
       |
    24 | probaton = '5m'
       | ^^^^^^^^ did you mean `probation`?
       |
    "#);
}

// Files that are not what they seem.

#[test]
fn a_file_that_is_not_there() {
    assert_snapshot!(file::load(Path::new("no/such.toml")).unwrap_err(), @r#"
    error: cannot read no/such.toml: there is no such file
    help: check the path, or list the scenarios with --list
    "#);
}

#[test]
fn a_directory() {
    assert_snapshot!(file::load(Path::new("src")).unwrap_err(), @r#"
    error: cannot read src: it is a directory
    help: name one of the .toml files in it
    "#);
}

#[test]
fn a_file_of_ten_megabytes() {
    let line = "# a comment of this length is repeated until the file is large\n";
    assert_snapshot!(loaded("huge.toml", line.repeat(10_000_000 / line.len()).as_bytes()), @r#"
    error: the file is too large: a scenario is at most 1 MiB
         --> huge.toml:16645:5
          |
    16645 | # a c
          |     ^ 1 MiB ends here
    "#);
}

#[test]
fn ten_megabytes_on_one_line() {
    assert_snapshot!(loaded("huge-line.toml", &vec![b'x'; 10_000_000]), @r#"
    error: the file is too large: a scenario is at most 1 MiB
     --> huge-line.toml:1:1048577
      |
    1 | ...xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
      |                                                            ^ 1 MiB ends here
    "#);
}

#[test]
#[cfg(unix)]
fn a_file_that_never_ends() {
    assert!(file::load(Path::new("/dev/zero")).unwrap_err().to_string().contains("too large"));
}

#[test]
fn a_file_that_is_not_utf8() {
    let mut bytes = GOOD.as_bytes().to_vec();
    bytes[14] = 0xff;
    assert_snapshot!(loaded("latin.toml", &bytes), @r#"
    error: the file is not UTF-8 text
     --> latin.toml:1:15
      |
    1 | title    = "A �est"
      |               ^ this is not a character
      |
      = help: save the file as UTF-8
    "#);
}

#[test]
fn a_file_in_utf16() {
    let bytes: Vec<u8> = std::iter::once(0xfeff).chain(GOOD.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    assert_snapshot!(loaded("notepad.toml", &bytes), @r#"
    error: the file is not UTF-8 text
     --> notepad.toml:1:1
      |
    1 | ��t␀i␀t␀l␀e␀ ␀ ␀ ␀ ␀=␀ ␀"␀A␀ ␀t␀e␀s␀t␀"␀
      | ^ this is not a character
      |
      = help: save the file as UTF-8
    "#);
}

#[test]
fn a_mistake_in_a_line_of_500_kilobytes() {
    let item = r#"{ provider = "FARGATE", weight = 1 }, "#;
    let long = format!("[{}{{ provider = 'FARGATE', wieght = 1 }}, {}]", item.repeat(7_000), item.repeat(6_000));
    assert_snapshot!(shown(r#"[{ provider = "FARGATE", weight = 1 }]"#, &long), @r#"
    error: unknown key `wieght` in a strategy item
      --> test.toml:17:266037
       |
    17 | ... "FARGATE", weight = 1 }, { provider = 'FARGATE', wieght = 1 }, { provider = "FARGATE", weight = 1 }, { provider = "FARGATE", wei...
       |                                                      ^^^^^^ did you mean `weight`?
       |
       = help: known here: provider, weight, base
    "#);
}

#[test]
fn a_value_of_500_kilobytes() {
    assert_snapshot!(shown("3h", &"9".repeat(500_000)), @r#"
    error: `duration` = "999999999999999999999999999999999999999999999999999999999999..." is out of range
     --> test.toml:2:12
      |
    2 | duration = "9999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999...
      |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ allowed is 1s to 31d
    "#);
}

#[test]
fn a_key_of_500_kilobytes() {
    assert_snapshot!(shown("desired", &"d".repeat(500_000)), @"
    error: unknown key `dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd...` in [[service]]
     --> test.toml:9:1
      |
    9 | ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd...
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ not a key of this table
      |
      = help: known here: account, cluster, name, desired, cpu, strategy, launch_type, scheduling, minimum_healthy_percent, maximum_percent, stop_timeout, deregistration_delay, zones, zone_rebalancing, circuit_breaker, alarms, autoscaling, terraform, controller, cluster_providers
    ");
}

#[test]
fn two_places_far_apart_on_one_line() {
    let long = format!("'111111111111', {}'111111111111'", " ".repeat(200_000));
    assert_snapshot!(shown(r#""111111111111", "222222222222""#, &long), @r#"
    error: `accounts` = "111111111111" is listed twice
     --> test.toml:3:200029
      |
    3 | ...                                                  '111111111111']
      |                                                      ^^^^^^^^^^^^^^ the second one
    "#);
}

#[test]
fn brackets_nested_a_hundred_thousand_deep() {
    assert_snapshot!(refused(&format!("x = {}", "[".repeat(100_000))), @r#"
    error: the file is nested too deeply
     --> test.toml:1:85
      |
    1 | x = [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[...
      |                                                                                     ^ at most 80 levels are allowed
    "#);
    refused(&"[".repeat(100_000));
    refused(&format!("x = {}", "{a=".repeat(100_000)));
    refused(&format!("x = {}{}", "[".repeat(79), "]".repeat(79)));
}

#[test]
fn a_key_of_a_hundred_thousand_parts() {
    assert_snapshot!(refused(&format!("title = 'x'\na{} = 1", ".a".repeat(100_000))), @r#"
    error: the file is nested too deeply
     --> test.toml:2:1
      |
    2 | a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a...
      | ^ at most 80 levels are allowed
    "#);
    refused(&format!("[a{}]", ".a".repeat(100_000)));
}

#[test]
fn control_characters_never_reach_the_terminal() {
    for hostile in ["\u{1b}[2J", "\u{9b}2J", "\u{7}", "\0", "\u{202e}", "\r"] {
        for place in ["\"A test\"", "desired ", "\"3h\"", "\"checkout\"", "title"] {
            for text in [hostile.to_owned(), format!("\"{hostile}\""), format!("# {hostile}\n{hostile}")] {
                let Err(problem) = file::parse(hostile, &GOOD.replacen(place, &text, 1)) else { continue };
                let shown = problem.to_string();
                assert!(!shown.chars().any(|c| c.is_control() && c != '\n' || c == '\u{202e}'), "{shown:?}");
            }
        }
    }
}

#[test]
fn a_byte_order_mark_and_carriage_returns_are_accepted() {
    let windows = format!("\u{feff}{}", GOOD.replace('\n', "\r\n"));
    file::parse("windows.toml", &windows).unwrap();
    assert_snapshot!(refused(&windows.replacen("desired ", "desird ", 1)), @"
    error: unknown key `desird` in [[service]]
     --> test.toml:9:1
      |
    9 | desird  = 6
      | ^^^^^^ did you mean `desired`?
      |
      = help: known here: account, cluster, name, desired, cpu, strategy, launch_type, scheduling, minimum_healthy_percent, maximum_percent, stop_timeout, deregistration_delay, zones, zone_rebalancing, circuit_breaker, alarms, autoscaling, terraform, controller, cluster_providers
    ");
    assert_snapshot!(refused(&windows.replacen("title ", "titel ", 1)), @r#"
    error: unknown key `titel` in the scenario
     --> test.toml:1:1
      |
    1 | titel    = "A test"
      | ^^^^^ did you mean `title`?
      |
      = help: known here: title, about, seed, duration, region, central, accounts, synthetic_from, restore_schedule, policy, faults, quotas, service, fleet, at, expect
    "#);
}

#[test]
fn the_largest_file_is_read() {
    let text = format!("{GOOD}{}", "#".repeat(MAX_BYTES - GOOD.len()));
    assert!(file::parse("large.toml", &text).is_ok());
    assert!(file::parse("large.toml", &format!("{text}#")).is_err());
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_with_a_place(text in any::<String>()) {
        check(&text)?;
    }

    #[test]
    fn a_damaged_scenario_is_read_or_refused_with_a_place(
        file in prop::sample::select(&[OUTAGE, INTERRUPTION, SYNTHETIC]),
        damages in prop::collection::vec((any::<Index>(), 0..40_usize, damage()), 1..4),
    ) {
        let mut text: Vec<char> = file.chars().collect();
        for (at, length, inserted) in damages {
            let from = at.index(text.len() + 1);
            let to = (from + length).min(text.len());
            text.splice(from..to, inserted.chars());
        }
        check(&text.into_iter().collect::<String>())?;
    }
}

/// Noise, or a word of the real files: that gets past the TOML parser more often.
fn damage() -> impl Strategy<Value = String> {
    let words: Vec<String> = OUTAGE.split_whitespace().chain(SYNTHETIC.split_whitespace()).map(str::to_owned).collect();
    prop_oneof!["[\\[\\]{}=\"'.,\n\r\t0-9a-z-]{0,6}", any::<String>(), prop::sample::select(words)]
}

fn check(text: &str) -> Result<(), TestCaseError> {
    if let Err(problem) = file::parse("any.toml", text) {
        let (line, column) = problem.place().expect("a text always has a place");
        let shown = problem.to_string();
        prop_assert!(shown.contains(&format!("any.toml:{line}:{column}")), "{line}:{column} is not in\n{shown}");
        prop_assert!(shown.len() < 20_000);
        prop_assert!(!problem.coloured().is_empty());
    }
    Ok(())
}

// What a good file means.

#[test]
fn without_a_list_the_accounts_are_those_of_the_services() {
    let scenario = file::parse("good.toml", &GOOD.replace("accounts = ", "synthetic_from = ")).unwrap();
    assert_eq!(scenario.world.accounts, scenario.world.synthetic_from);
    assert_eq!((scenario.world.seed, scenario.world.region.as_str()), (1, "eu-west-1"));
}

#[test]
fn general_expectations_reach_spot_services_and_own_ones_override_them() {
    let checks = |text: &str| -> Vec<String> {
        let scenario = file::parse("good.toml", text).unwrap();
        scenario.expectations.iter().map(|e| format!("{}: {:?}", e.service.service, e.check)).collect()
    };
    assert_eq!(checks(GOOD), ["checkout: FailoverWithin(120s)", "checkout: FinalStrategy(Original)"]);

    let own = "[[expect.service]]\nservice = 'web/checkout'\nfailovers = 0\n\
               [[expect.service]]\nservice = 'back/ledger'\nmin_availability = 1\n";
    assert_eq!(
        checks(&format!("{GOOD}{own}")),
        ["checkout: FinalStrategy(Original)", "checkout: Failovers(0)", "ledger: MinAvailability(1.0)"]
    );

    let exact = GOOD.replace("\"original\"", "[{ provider = 'FARGATE', weight = 10 }]");
    let scenario = file::parse("good.toml", &exact).unwrap();
    let last = &scenario.expectations.last().unwrap().check;
    assert!(matches!(last, Check::FinalStrategy(FinalStrategy::Exactly(strategy)) if !strategy.uses_spot()));
}

#[test]
fn every_action_can_be_written() {
    let actions = r#"
[[at]]
time = "1m"
spot = { capacity = "unlimited", loss = "silent", accounts = ["222222222222"] }
[[at]]
time = "2m"
on_demand = { capacity = 3 }
[[at]]
time = "3m"
interrupt = { service = "111111111111/web/checkout", tasks = "all" }
[[at]]
time = "4m"
update_service = { service = "back/ledger", desired = 3, strategy = [{ provider = "FARGATE_SPOT", weight = 1 }] }
[[at]]
time = "5m"
[at.put_events]
from = "333333333333"
source = "test.aws.ecs"
detail_type = "x"
detail = { eventName = "y", list = [1, 0x10, 2.5, true], when = 2026-01-01 }
[[at]]
time = "6m"
forwarding = { is = "denied", accounts = ["222222222222"] }
[[at]]
time = "7m"
bus_policy = { admits = ["111111111111"] }
[[at]]
time = "8m"
bus_policy = { admits = "onboarded" }
[[at]]
time = "9m"
organization = { member = false }
[[at]]
time = "11m"
queue = { name = "interruption", is = "unreachable" }
[[at]]
time = "12m"
redrive = { queue = "placement-failure" }
[[at]]
time = "13m"
function = { name = "restore", is = "stopped" }
[[at]]
time = "14m"
spot_zone = { zone = "b", loss = "silent", accounts = ["111111111111"] }
[[at]]
time = "15m"
protect = { service = "back/ledger", tasks = 2 }
[[at]]
time = "16m"
crash_loop = { service = "back/ledger", crashes = true }
"#;
    let scenario = file::parse("good.toml", &GOOD.replace("[expect]", &format!("{actions}[expect]"))).unwrap();
    let events: Vec<String> = scenario.world.events.iter().map(|e| format!("{:?} {:?}", e.at, e.event)).collect();
    assert_snapshot!(events.join("\n"), @r#"
    600s Spot { accounts: ["111111111111", "222222222222"], capacity: Tasks(0), loss: Interrupt }
    60s Spot { accounts: ["222222222222"], capacity: Unlimited, loss: Silent }
    120s OnDemand { accounts: ["111111111111", "222222222222"], capacity: Tasks(3) }
    180s Interrupt { service: ServiceId { account: "111111111111", region: "eu-west-1", cluster: "web", service: "checkout" }, tasks: 4294967295 }
    240s UpdateService { service: ServiceId { account: "222222222222", region: "eu-west-1", cluster: "back", service: "ledger" }, strategy: Some(Strategy([StrategyItem { capacity_provider: FargateSpot, weight: 1, base: 0 }])), desired: Some(3) }
    300s PutEvents { from: "333333333333", source: "test.aws.ecs", detail_type: "x", resources: [], detail: Object {"eventName": String("y"), "list": Array [Number(1), Number(16), Number(2.5), Bool(true)], "when": String("2026-01-01")} }
    360s Forwarding { accounts: ["222222222222"], forwarding: Denied }
    420s BusPolicy(Accounts(["111111111111"]))
    480s BusPolicy(Onboarded)
    540s Membership { accounts: ["111111111111", "222222222222"], member: false }
    660s QueueAccess { queue: Interruption, access: Unreachable }
    720s Redrive { queue: PlacementFailure }
    780s Function { function: Restore, state: Reserved(0) }
    840s SpotZone { accounts: ["111111111111"], zone: 1, short: true, loss: Silent }
    900s Protect { service: ServiceId { account: "222222222222", region: "eu-west-1", cluster: "back", service: "ledger" }, tasks: 2, time: 7200s }
    960s CrashLoop { service: ServiceId { account: "222222222222", region: "eu-west-1", cluster: "back", service: "ledger" }, crashes: true }
    "#);
}

#[test]
fn a_list_of_scenarios_survives_broken_files() {
    let heading = |name: &str, text: &str| {
        let path = temporary(name);
        fs::write(&path, text).unwrap();
        let heading = file::heading(&path);
        fs::remove_file(&path).unwrap();
        format!("{}: {}", heading.title, heading.about)
    };
    assert!(heading("good.toml", OUTAGE).starts_with("Spot vanishes for 40 minutes: Two accounts lose all Spot"));
    assert_eq!(heading("broken.toml", "title = \"Broken\"\nabout = \"So\\u001b it is\"\nx ="), "Broken: So it is");
    assert_eq!(heading("empty.toml", ""), "(no title): ");
    assert_eq!(file::heading(Path::new("no/such.toml")).title, "(unreadable)");
}
