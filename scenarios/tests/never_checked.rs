//! An expectation that can never be checked is refused, with the line and what to do: a scenario that waits for what cannot come
//! would fail for the wrong reason, or hold for none.

use insta::assert_snapshot;
use scenarios::file;

const CALM: &str = r#"title    = "A test"
duration = "3h"

[[service]]
account  = "111111111111"
cluster  = "web"
name     = "checkout"
desired  = 6
strategy = [{ provider = "FARGATE_SPOT", weight = 1 }]

[[service]]
account  = "222222222222"
cluster  = "web"
name     = "search"
desired  = 2
strategy = [{ provider = "FARGATE_SPOT", weight = 1 }]
"#;

const OUTAGE: &str = "[[at]]\ntime = '10m'\nspot = { capacity = 0 }\n";
const EXPECT: &str = "[expect]\nfailover_within = '2m'\n";

fn refused(more: &[&str]) -> String {
    file::parse("test.toml", &format!("{CALM}{}", more.concat())).expect_err("the file is wrong").to_string()
}

fn accepted(more: &[&str]) {
    file::parse("test.toml", &format!("{CALM}{}", more.concat())).unwrap_or_else(|problem| panic!("{problem}"));
}

#[test]
fn a_failover_in_a_world_in_which_nothing_happens() {
    assert_snapshot!(refused(&[EXPECT]), @r#"
    error: `failover_within` = "2m" cannot be checked: nothing takes Spot away from 111111111111/web/checkout
      --> test.toml:18:19
       |
    18 | failover_within = '2m'
       |                   ^^^^ there will be no failover
       |
       = help: let something happen to its Spot capacity, or write failovers = 0 in its [[expect.service]]
    "#);
}

#[test]
fn a_failover_of_a_service_that_the_outage_does_not_reach() {
    let elsewhere = "[[at]]\ntime = '10m'\nspot = { capacity = 0, accounts = ['111111111111'] }\n";
    assert_snapshot!(refused(&[elsewhere, EXPECT]), @r#"
    error: `failover_within` = "2m" cannot be checked: nothing takes Spot away from 222222222222/web/search
      --> test.toml:21:19
       |
    21 | failover_within = '2m'
       |                   ^^^^ there will be no failover
       |
       = help: let something happen to its Spot capacity, or write failovers = 0 in its [[expect.service]]
    "#);
    accepted(&[elsewhere, EXPECT, "[[expect.service]]\nservice = 'web/search'\nfailovers = 0\n"]);
}

#[test]
fn a_restore_where_only_the_other_service_is_interrupted() {
    let interrupted = "[[at]]\ntime = '10m'\ninterrupt = { service = 'web/checkout' }\n";
    let own = "[expect]\nmin_availability = 0.9\n[[expect.service]]\nservice = 'web/search'\nrestored_within = '1h'\n";
    assert_snapshot!(refused(&[interrupted, own]), @r#"
    error: `restored_within` = "1h" cannot be checked: nothing takes Spot away from 222222222222/web/search
      --> test.toml:24:19
       |
    24 | restored_within = '1h'
       |                   ^^^^ there will be no failover
       |
       = help: let something happen to its Spot capacity, or write failovers = 0 in its [[expect.service]]
    "#);
}

#[test]
fn failovers_under_the_kill_switch() {
    assert_snapshot!(refused(&["[policy]\npaused = true\n", OUTAGE, "[expect]\nfailovers = 1\n"]), @r#"
    error: `failovers` = 1 cannot be checked: the kill switch is on (`paused`)
      --> test.toml:23:13
       |
    23 | failovers = 1
       |             ^ there will be no failover
       |
       = help: let something happen to its Spot capacity, or write failovers = 0 in its [[expect.service]]
    "#);
    let none = "[expect]\nfailovers = 0\n";
    accepted(&["[policy]\npaused = true\n", OUTAGE, none]);
    let lifted = "[[at]]\ntime = '20m'\npause = false\n";
    accepted(&["[policy]\npaused = true\n", OUTAGE, lifted, "[expect]\nfailovers = 1\n"]);
    assert!(refused(&["[policy]\ndry_run = true\n", OUTAGE, EXPECT]).contains("nothing is done in a dry run"));
}

#[test]
fn spot_that_only_comes_is_no_loss() {
    let grows = "[[at]]\ntime = '10m'\nspot = { capacity = 'unlimited' }\n";
    assert!(refused(&[grows, EXPECT]).contains("nothing takes Spot away from"));
}

#[test]
fn whatever_may_take_spot_away_lets_an_expectation_wait() {
    let happenings = [
        "spot = { capacity = 3 }",
        "spot = { flapping = { up = '20m', down = '10m' } }",
        "spot = { random = { every = '1h', shortest = '2m', longest = '1h' } }",
        "spot = { rebalance = 2 }",
        "spot_zone = { zone = 'a' }",
        "put_events = { from = '111111111111', source = 'test.aws.ecs', detail_type = 'ECS Service Action', detail = '{}' }",
    ];
    for happening in happenings {
        accepted(&["[[at]]\ntime = '10m'\n", happening, "\n", EXPECT]);
    }
    accepted(&["[quotas]\nspot_vcpu = 1\n", EXPECT]);
}

#[test]
fn a_time_that_is_longer_than_the_scenario() {
    assert_snapshot!(refused(&[OUTAGE, "[expect]\nrestored_within = '4h'\n"]), @r#"
    error: `restored_within` = "4h" is out of range
      --> test.toml:21:19
       |
    21 | restored_within = '4h'
       |                   ^^^^ allowed is 0s to 3h
    "#);
}

#[test]
fn a_table_of_a_service_that_expects_nothing() {
    assert_snapshot!(refused(&[OUTAGE, EXPECT, "[[expect.service]]\nservice = 'web/search'\n"]), @r#"
    error: `service` = "web/search" has an expectation that expects nothing
      --> test.toml:23:11
       |
    23 | service = 'web/search'
       |           ^^^^^^^^^^^^ no check results from this
       |
       = help: checks are: failover_within, restored_within, min_availability, final_strategy, failovers, max_deployments_forced
    "#);
}
