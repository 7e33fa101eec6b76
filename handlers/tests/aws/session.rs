//! Sessions in the workload accounts: `AssumeRole` of `CentralSpotAutomationRole`.

use std::time::Duration;

use handlers::aws::{CallLimits, Cell};
use handlers::held::HeldReason;
use handlers::observation::Look;
use handlers::ports::{Cluster, Ecs, EcsError};
use serde_json::json;

use crate::bench::{
    ASSUME, Bench, DESCRIBE, LATE, assumed, cell, described, garbage, impatient, not_assumed, ok, quick, throttled,
};
use crate::common::{account, service};

const HOUR: Duration = Duration::from_secs(3600);

async fn look_in(bench: &Bench, of: &str) -> Result<Look, EcsError> {
    let cluster = Cluster { account: account(of), ..Cluster::of(&service()) };
    let looks = bench.aws.describe_services(&cluster, &[service().service]).await;
    looks.map(|mut looks| looks.remove(0))
}

async fn look(bench: &Bench) -> Result<Look, EcsError> {
    look_in(bench, service().account.as_str()).await
}

async fn bench(cell: Cell, lasts: Duration) -> Bench {
    let bench = Bench::without_role(cell, quick()).await;
    bench.on(ASSUME, [assumed(lasts)]).await;
    bench.on(DESCRIBE, [ok(json!({ "services": [described("checkout")] }))]).await;
    bench
}

#[tokio::test]
async fn the_role_of_the_account_is_assumed_under_a_name_that_says_who_acts() {
    let bench = bench(Cell { external_id: Some("shared/secret".into()), ..cell() }, HOUR).await;
    look(&bench).await.unwrap();
    let asked = bench.sent(ASSUME).await.remove(0);
    let mut url = asked.url.clone();
    url.set_query(Some(std::str::from_utf8(&asked.body).unwrap()));
    let form: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let expected = [
        ("Action", "AssumeRole"),
        ("Version", "2011-06-15"),
        ("RoleArn", "arn:aws:iam::111122223333:role/CentralSpotAutomationRole"),
        ("RoleSessionName", "fargate-spot-interruption-handler@ap-south-1"),
        ("ExternalId", "shared/secret"),
    ];
    assert_eq!(form, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
    let signed = asked.headers["authorization"].to_str().unwrap();
    assert!(signed.contains("Credential=AKIDCENTRAL/") && signed.contains("/ap-south-1/sts/"), "{signed}");
}

#[tokio::test]
async fn a_role_is_assumed_once_per_account() {
    let bench = bench(cell(), HOUR).await;
    for account in ["111122223333", "444455556666", "111122223333", "444455556666"] {
        look_in(&bench, account).await.unwrap();
    }
    assert_eq!((bench.sent(ASSUME).await.len(), bench.sent(DESCRIBE).await.len()), (2, 4));
}

#[tokio::test]
async fn looks_that_begin_together_wait_for_one_assume() {
    let bench = Bench::without_role(cell(), quick()).await;
    bench.on(ASSUME, [assumed(HOUR).set_delay(Duration::from_millis(50))]).await;
    bench.on(DESCRIBE, [ok(json!({ "services": [described("checkout")] }))]).await;
    let looks = futures_util::future::join_all((0..5).map(|_| look(&bench))).await;
    assert!(looks.iter().all(Result::is_ok), "{looks:?}");
    assert_eq!((bench.sent(ASSUME).await.len(), bench.sent(DESCRIBE).await.len()), (1, 5));
}

#[tokio::test]
async fn a_session_about_to_expire_is_not_used_again() {
    // The SDK takes off up to half of the five minutes at random.
    for (minutes, assumed) in [(2, 2), (6, 1)] {
        let bench = bench(cell(), Duration::from_secs(minutes * 60)).await;
        look(&bench).await.unwrap();
        look(&bench).await.unwrap();
        assert_eq!(bench.sent(ASSUME).await.len(), assumed, "{minutes} minutes");
    }
}

#[tokio::test]
async fn a_role_that_cannot_be_assumed_blocks_the_service_and_ecs_is_not_asked() {
    let bench = Bench::without_role(cell(), quick()).await;
    let text = "User: arn:aws:sts::999999999999:assumed-role/handler/handler is not authorized to perform: \
                sts:AssumeRole on resource: arn:aws:iam::111122223333:role/CentralSpotAutomationRole";
    bench.on(ASSUME, [not_assumed(403, "AccessDenied", text)]).await;
    assert_eq!(look(&bench).await, Ok(Look::Blocked(HeldReason::RoleMissing)));
    assert_eq!((bench.sent(ASSUME).await.len(), bench.sent(DESCRIBE).await.len()), (1, 0));
}

#[tokio::test]
async fn a_role_that_was_fixed_is_assumed_next_time() {
    let bench = Bench::without_role(cell(), quick()).await;
    bench.on(ASSUME, [not_assumed(403, "AccessDenied", "no"), assumed(HOUR)]).await;
    bench.on(DESCRIBE, [ok(json!({ "services": [described("checkout")] }))]).await;
    assert_eq!(look(&bench).await, Ok(Look::Blocked(HeldReason::RoleMissing)));
    assert!(matches!(look(&bench).await, Ok(Look::Found(_))));
}

#[tokio::test]
async fn an_sts_without_a_clear_answer_is_no_verdict_on_the_role() {
    for (answer, throttled) in [
        (not_assumed(400, "Throttling", "Rate exceeded"), true),
        (not_assumed(503, "ServiceUnavailable", "try again"), false),
        (not_assumed(403, "ExpiredToken", "the central account's own"), false),
        (not_assumed(403, "RegionDisabledException", "STS is not activated in this region"), false),
        (garbage(), false),
        (assumed(HOUR).set_delay(LATE), false),
    ] {
        let bench = Bench::without_role(cell(), impatient()).await;
        bench.on(ASSUME, [answer]).await;
        let look = look(&bench).await;
        match look {
            Err(EcsError::Throttled(_)) if throttled => {}
            Err(EcsError::Unclear(_)) if !throttled => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(bench.sent(DESCRIBE).await.len(), 0);
    }
}

#[tokio::test]
async fn assume_role_ends_within_its_own_limit() {
    let limits = CallLimits { assume: Duration::from_millis(300), ..quick() };
    let bench = Bench::without_role(cell(), limits).await;
    // Within the limits of an attempt and of a call.
    bench.on(ASSUME, [assumed(HOUR).set_delay(Duration::from_secs(3))]).await;
    let look = tokio::time::timeout(Duration::from_secs(2), look(&bench)).await.expect("an end");
    assert!(matches!(look, Err(EcsError::Unclear(_))), "{look:?}");
    assert_eq!((bench.sent(ASSUME).await.len(), bench.sent(DESCRIBE).await.len()), (1, 0));
}

#[tokio::test]
async fn an_account_that_is_throttled_leaves_the_others_their_retries() {
    let bench = Bench::new().await;
    bench.on(DESCRIBE, [throttled()]).await;
    let attempts_in = async |account| {
        let before = bench.sent(DESCRIBE).await.len();
        assert!(matches!(look_in(&bench, account).await, Err(EcsError::Throttled(_))));
        bench.sent(DESCRIBE).await.len() - before
    };
    // The SDK's budget: 500, of which a retry takes 5.
    let mut attempts = 0;
    for _ in 0..60 {
        attempts = attempts_in("444400004444").await;
    }
    assert_eq!(attempts, 1, "its budget is used up");
    assert_eq!(attempts_in("555500005555").await, 3);
}
