//! Who calls, sessions of the role, token buckets.

use super::*;

const ROLE_ARN: &str = "arn:aws:iam::111111111111:role/CentralSpotAutomationRole";

fn sts(bench: &mut Bench, key: &str, form: &str) -> (u16, String) {
    let request = Request { headers: vec![signed(key, "sts")], body: form.as_bytes().to_vec() };
    let response = bench.answer(&request);
    (response.status, String::from_utf8(response.body).expect("XML is text"))
}

fn assume(bench: &mut Bench, key: &str, role: &str) -> (u16, String) {
    let role = role.replace(':', "%3A").replace('/', "%2F");
    sts(bench, key, &format!("Action=AssumeRole&Version=2011-06-15&RoleArn={role}&RoleSessionName=restore"))
}

fn between<'a>(text: &'a str, tag: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("<{tag}>")).unwrap_or_else(|| panic!("no {tag} in {text}"));
    rest.split_once(&format!("</{tag}>")).unwrap_or_else(|| panic!("no end of {tag} in {text}")).0
}

/// The access key of a new session.
fn session(bench: &mut Bench) -> String {
    let (status, answer) = assume(bench, CENTRAL, ROLE_ARN);
    assert_eq!(status, 200, "{answer}");
    between(&answer, "AccessKeyId").to_owned()
}

fn set_role(bench: &mut Bench, role: Role) {
    bench.world.happen(WorldEvent::Role { accounts: vec![OWNER.parse().expect("an account")], role });
}

const LOOK: &str = "DescribeServices";

fn look() -> Value {
    json!({ "cluster": "web", "services": ["checkout"] })
}

#[test]
fn the_access_key_says_which_account_calls() {
    let bench = &mut Bench::new(1, &mixed());
    let (status, answer) = sts(bench, OWNER, "Action=GetCallerIdentity&Version=2011-06-15");
    assert_eq!((status, between(&answer, "Account")), (200, OWNER));
    let (status, answer) = sts(bench, "ASIAY34FZKBOKMUTVV7A", "Action=GetCallerIdentity&Version=2011-06-15");
    assert_eq!((status, between(&answer, "Account")), (200, "609629065308"));
    assert_eq!(ask_as(bench, OWNER, LOOK, look()).1["services"][0]["serviceName"], "checkout");
    // Another account has a cluster of its own name space.
    assert_eq!(ask_as(bench, "222222222222", LOOK, look()).1["__type"], "ClusterNotFoundException");
}

#[test]
fn a_session_of_the_role_acts_in_its_account_and_does_nothing_but_what_the_role_allows() {
    let bench = &mut Bench::new(1, &mixed());
    let key = session(bench);
    let (_, identity) = sts(bench, &key, "Action=GetCallerIdentity");
    let arn = format!("arn:aws:sts::{OWNER}:assumed-role/CentralSpotAutomationRole/restore");
    assert_eq!((between(&identity, "Account"), between(&identity, "Arn")), (OWNER, arn.as_str()));
    assert_eq!(ask_as(bench, &key, LOOK, look()).1["services"][0]["serviceName"], "checkout");
    let (status, answer) = ask_as(bench, &key, "DeleteService", json!({ "cluster": "web", "service": "checkout" }));
    assert_eq!((status, answer["__type"].as_str()), (400, Some("AccessDeniedException")));
    let message = answer["message"].as_str().unwrap_or_default();
    assert!(message.contains(&arn) && message.contains("ecs:DeleteService"), "{message}");
}

#[test]
fn a_role_without_update_service_still_describes() {
    let bench = &mut Bench::new(1, &mixed());
    let key = session(bench);
    set_role(bench, Role::ReadOnly);
    assert_eq!(ask_as(bench, &key, LOOK, look()).0, 200);
    let update = json!({ "cluster": "web", "service": "checkout", "forceNewDeployment": true });
    let (status, answer) = ask_as(bench, &key, "UpdateService", update);
    assert_eq!((status, answer["__type"].as_str()), (400, Some("AccessDeniedException")));
}

#[test]
fn a_missing_role_cannot_be_assumed_and_takes_its_sessions_with_it() {
    let bench = &mut Bench::new(1, &mixed());
    let key = session(bench);
    set_role(bench, Role::Missing);
    let (status, answer) = assume(bench, CENTRAL, ROLE_ARN);
    assert_eq!((status, between(&answer, "Code")), (403, "AccessDenied"));
    assert!(between(&answer, "Message").ends_with(&format!("sts:AssumeRole on resource: {ROLE_ARN}")), "{answer}");
    assert_eq!(ask_as(bench, &key, LOOK, look()).1["__type"], "UnrecognizedClientException");
    set_role(bench, Role::Present);
    assert_eq!(assume(bench, CENTRAL, ROLE_ARN).0, 200);
}

#[test]
fn the_role_trusts_the_central_account_alone() {
    let bench = &mut Bench::new(1, &mixed());
    for (key, role) in
        [("222222222222", ROLE_ARN), (OWNER, ROLE_ARN), (CENTRAL, "arn:aws:iam::111111111111:role/Administrator")]
    {
        let (status, answer) = assume(bench, key, role);
        assert_eq!((status, between(&answer, "Code")), (403, "AccessDenied"), "{key} {role}");
    }
    let (status, answer) = assume(bench, CENTRAL, "arn:aws:iam::111111111111:user/<me>");
    assert_eq!((status, between(&answer, "Code")), (400, "ValidationError"));
    assert!(answer.contains("user/&lt;me&gt;"), "{answer}");
}

#[test]
fn a_session_expires() {
    let mut bench = Bench::new(1, &mixed());
    let form = format!("Action=AssumeRole&RoleArn={ROLE_ARN}&RoleSessionName=restore&DurationSeconds=900");
    let (_, answer) = sts(&mut bench, CENTRAL, &form);
    let key = between(&answer, "AccessKeyId").to_owned();
    bench.run(Duration::from_secs(899));
    assert_eq!(ask_as(&mut bench, &key, LOOK, look()).0, 200);
    bench.run(Duration::from_secs(1));
    assert_eq!(ask_as(&mut bench, &key, LOOK, look()).1["__type"], "ExpiredTokenException");
    let (status, answer) = sts(&mut bench, &key, "Action=GetCallerIdentity");
    assert_eq!((status, between(&answer, "Code")), (403, "ExpiredToken"));
}

#[test]
fn requests_beyond_the_token_bucket_are_throttled_per_account_until_it_fills_again() {
    let mut bench = Bench::new(1, &mixed());
    bench.world.facts.describe_bucket = (3, 1);
    let key = session(&mut bench);
    for caller in [OWNER, key.as_str(), OWNER] {
        assert_eq!(ask_as(&mut bench, caller, LOOK, look()).0, 200);
    }
    let (status, answer) = ask_as(&mut bench, &key, LOOK, look());
    assert_eq!((status, answer), (400, json!({ "__type": "ThrottlingException", "message": "Rate exceeded" })));
    assert_eq!(ask_as(&mut bench, OWNER, "ListClusters", json!({})).0, 200, "a class of its own");
    bench.run(Duration::from_secs(1));
    assert_eq!(ask_as(&mut bench, &key, LOOK, look()).0, 200);
}
