//! `UpdateService`: what is sent, that it is sent once, and what each error means.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use handlers::aws::{Aws, CallLimits};
use handlers::held::HeldReason;
use handlers::observation::{Look, Observation};
use handlers::ports::{Cluster, Ecs, UpdateError};
use handlers::strategy::StrategyItem;
use serde_json::json;
use wiremock::ResponseTemplate;

use crate::bench::{
    ASSUME, Bench, DESCRIBE, LATE, UPDATE, assumed, cell, described, error, garbage, impatient, late, not_assumed, ok,
    quick, sdk, server_error, session,
};
use crate::common::{fallback, full_on, original, service};

/// What becomes of the answer, and how often the request was sent.
async fn outcome(answer: ResponseTemplate) -> (Result<Observation, UpdateError>, usize) {
    outcome_within(quick(), answer).await
}

async fn outcome_within(limits: CallLimits, answer: ResponseTemplate) -> (Result<Observation, UpdateError>, usize) {
    let bench = Bench::with(limits).await;
    bench.on(UPDATE, [answer]).await;
    let updated = bench.aws.update_strategy(&service(), &fallback()).await;
    (updated, bench.sent(UPDATE).await.len())
}

#[tokio::test]
async fn the_strategy_is_sent_with_force_and_nothing_else() {
    let bench = Bench::new().await;
    // Tags do not come with this answer.
    let mut shown = described("checkout");
    shown.as_object_mut().unwrap().remove("tags");
    bench.on(UPDATE, [ok(json!({ "service": shown }))]).await;
    let updated = bench.aws.update_strategy(&service(), &fallback()).await;
    assert_eq!(updated, Ok(full_on(original())), "what ECS answers, not what we asked");
    let mut sent = bench.bodies(UPDATE).await;
    // Whether a 0 is written out or left out, which to ECS is the same (API reference, `CapacityProviderStrategyItem`), is the
    // SDK's affair and has changed between its releases.
    let strategy: Vec<StrategyItem> = serde_json::from_value(sent[0]["capacityProviderStrategy"].take()).unwrap();
    assert_eq!(strategy, fallback().items(), "in our order");
    let rest = json!({
        "cluster": "shop", "service": "checkout", "capacityProviderStrategy": null, "forceNewDeployment": true,
    });
    assert_eq!(sent, [rest]);
}

#[tokio::test]
async fn what_leaves_the_outcome_open_is_unclear_and_is_sent_once() {
    let nothing_readable = |field: &str| {
        let mut shown = described("checkout");
        shown.as_object_mut().unwrap().remove(field);
        ok(json!({ "service": shown }))
    };
    for (answer, says) in [
        (server_error(), "HTTP 500"),
        (error(503, "ThrottlingException", "a gateway on the way"), "HTTP 503"),
        (error(500, "AccessDeniedException", "a gateway on the way"), "HTTP 500"),
        (ResponseTemplate::new(502).set_body_string("Bad Gateway"), "HTTP 502"),
        (garbage(), ""),
        (ok(json!({})), "service is missing"),
        (nothing_readable("status"), "status is missing"),
        (nothing_readable("deployments"), "PRIMARY"),
        (ResponseTemplate::new(403).set_body_string("blocked by a proxy"), "HTTP 403"),
        (error(400, "ServerException", "a 400 of the server's own trouble"), "HTTP 400, ServerException"),
        (error(408, "RequestTimeoutException", "read in part"), "HTTP 408, RequestTimeoutException"),
    ] {
        let (updated, sent) = outcome(answer).await;
        let Err(UpdateError::Unclear(text)) = &updated else { panic!("{says}: {updated:?}") };
        assert!(text.contains(says), "{says}: {text}");
        assert_eq!(sent, 1, "{says}");
    }
    let (updated, sent) = outcome_within(impatient(), late()).await;
    assert!(matches!(&updated, Err(UpdateError::Unclear(text)) if text.contains("timed out")), "{updated:?}");
    assert_eq!(sent, 1);
}

#[tokio::test]
async fn a_refusal_says_who_can_help_and_is_not_repeated() {
    // The texts that users quote (aws-facts.md §1.1, §1.4, §1.5).
    let not_associated = "The specified capacity provider strategy cannot contain a capacity provider that is not \
                          associated with the cluster. Associate the capacity provider with the cluster or specify a \
                          valid capacity provider and try again.";
    let no_force = "When switching from launch type to capacity provider strategy on an existing service, or making a \
                    change to a capacity provider strategy on a service that is already using one, you must force a \
                    new deployment.";
    let code_deploy = "Cannot force a new deployment on services with a CODE_DEPLOY deployment controller. Use AWS \
                       CodeDeploy to trigger a new deployment.";
    let mixed = "A capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling groups and \
                 Fargate providers. Specify one or the other and try again.";
    let incompatible = "PlatformTaskDefinitionIncompatibilityException";
    let refused = |code: &str, text: &str| UpdateError::Refused(HeldReason::Refused(format!("{code}: {text}")));
    for (code, text, expected) in [
        ("ServiceNotFoundException", "Service not found.", UpdateError::Gone("Service not found.".into())),
        ("ServiceNotActiveException", "Service was not ACTIVE.", UpdateError::Gone("Service was not ACTIVE.".into())),
        ("ClusterNotFoundException", "Cluster not found.", UpdateError::Gone("Cluster not found.".into())),
        (
            "AccessDeniedException",
            "not authorized to perform: ecs:UpdateService",
            UpdateError::Refused(HeldReason::AccessDenied("ecs:UpdateService".into())),
        ),
        ("InvalidParameterException", not_associated, UpdateError::Refused(HeldReason::FargateNotAssociated)),
        ("InvalidParameterException", no_force, refused("InvalidParameterException", no_force)),
        ("InvalidParameterException", code_deploy, refused("InvalidParameterException", code_deploy)),
        ("InvalidParameterException", mixed, refused("InvalidParameterException", mixed)),
        ("UnsupportedFeatureException", "no", refused("UnsupportedFeatureException", "no")),
        ("ClientException", "no", refused("ClientException", "no")),
        ("NamespaceNotFoundException", "no", refused("NamespaceNotFoundException", "no")),
        ("PlatformUnknownException", "no", refused("PlatformUnknownException", "no")),
        (incompatible, "no", refused(incompatible, "no")),
        ("BlockedException", "no", refused("BlockedException", "no")),
        ("OptInRequired", "no", refused("OptInRequired", "no")),
        ("UnheardOfException", "no", refused("UnheardOfException", "no")),
    ] {
        assert_eq!(outcome(error(400, code, text)).await, (Err(expected), 1), "{code}");
    }
}

#[tokio::test]
async fn a_change_that_did_not_happen_and_may_later_is_left_to_a_later_try() {
    for (status, code, text) in [
        (400, "ThrottlingException", "Rate exceeded"),
        (400, "ThrottledRequest", "Rate exceeded"),
        (429, "TooManyRequestsException", "Rate exceeded"),
        (400, "TooManyRequests", "Rate exceeded"),
        (429, "UnheardOfException", "slower"),
        (400, "RequestLimitExceeded", "Rate exceeded"),
        (400, "LimitExceededException", "The limit for the resource was exceeded."),
        (400, "LimitExceeded", "The limit for the resource was exceeded."),
        (409, "ConflictException", "The request conflicts with another one."),
        (400, "UpdateInProgressException", "There's already a current ECS update in progress."),
        (400, "ResourceInUseException", "The specified resource is in-use and can't be removed."),
        (400, "ClientException", "Too many concurrent attempts to update the service."),
        (400, "ClientException", "Capacity is unavailable at this time. Please try again later."),
        (400, "ClientException", "The specified cluster is in a busy state."),
        (400, "InvalidParameterException", "A deployment is in progress."),
        (400, "ExpiredTokenException", "The security token included in the request is expired"),
        (403, "ExpiredToken", "The security token included in the request is expired"),
        (400, "UnrecognizedClientException", "The security token included in the request is invalid."),
        (403, "InvalidClientTokenId", "The security token included in the request is invalid."),
        (400, "InvalidSignatureException", "Signature not yet current"),
        (403, "SignatureDoesNotMatch", "Signature expired"),
        (400, "IncompleteSignature", "no"),
        (400, "RequestExpired", "Request has expired."),
        (403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."),
    ] {
        let expected = UpdateError::Throttled(format!("{code}: {text}"));
        assert_eq!(outcome(error(status, code, text)).await, (Err(expected), 1), "{code}");
    }
}

#[tokio::test]
async fn an_update_whose_session_or_signature_ecs_rejects_drops_the_session() {
    for code in ["ExpiredTokenException", "InvalidSignatureException"] {
        let bench = Bench::new().await;
        bench.on(UPDATE, [error(400, code, "no"), ok(json!({ "service": described("checkout") }))]).await;
        let mut updates = Vec::new();
        for _ in 0..3 {
            updates.push(bench.aws.update_strategy(&service(), &fallback()).await.is_ok());
        }
        assert_eq!((updates, bench.sent(ASSUME).await.len()), (vec![false, true, true], 2), "{code}");
    }
}

#[tokio::test]
async fn a_request_that_found_no_connection_is_unclear_too() {
    let bench = Bench::new().await;
    bench.on(DESCRIBE, [ok(json!({ "services": [described("checkout")] }))]).await;
    let cluster = Cluster::of(&service());
    let look = bench.aws.describe_services(&cluster, &[service().service]).await;
    assert!(matches!(look.as_deref(), Ok([Look::Found(_)])));
    let Bench { server, aws } = bench;
    drop(server);
    let updated = aws.update_strategy(&service(), &fallback()).await;
    assert!(matches!(&updated, Err(UpdateError::Unclear(_))), "{updated:?}");
}

/// A server that answers every call but `UpdateService`: there it reads the request and hangs up. Returns its endpoint, and
/// counts the requests it hung up on.
fn hanging_up(hung_up: Arc<AtomicUsize>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let (connection, hung_up) = (connection.expect("a connection"), hung_up.clone());
            std::thread::spawn(move || serve(connection, &hung_up));
        }
    });
    endpoint
}

fn serve(connection: TcpStream, hung_up: &AtomicUsize) -> Option<()> {
    let mut reader = BufReader::new(connection);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let before = head.len();
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
            if let Some(value) = head[before..].to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
        }
        reader.read_exact(&mut vec![0; length]).ok()?;
        if head.contains(UPDATE) {
            hung_up.fetch_add(1, Ordering::SeqCst);
            return None;
        }
        let body = match head.contains(DESCRIBE) {
            true => json!({ "services": [described("checkout")] }).to_string(),
            false => session(Duration::from_secs(3600)),
        };
        write!(reader.get_mut(), "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).ok()?;
    }
}

#[tokio::test]
async fn a_request_whose_connection_ends_without_an_answer_is_not_sent_again() {
    let hung_up = Arc::new(AtomicUsize::new(0));
    let aws = Aws::new(&sdk(&hanging_up(hung_up.clone())).await, cell(), quick());
    for n in 1..=3 {
        // On the connection that has just answered.
        let look = aws.describe_services(&Cluster::of(&service()), &[service().service]).await;
        assert!(matches!(look.as_deref(), Ok([Look::Found(_)])), "{look:?}");
        let updated = aws.update_strategy(&service(), &fallback()).await;
        assert!(matches!(&updated, Err(UpdateError::Unclear(_))), "{updated:?}");
        assert_eq!(hung_up.load(Ordering::SeqCst), n);
    }
}

#[tokio::test]
async fn without_a_session_nothing_is_sent() {
    for (answer, expected) in [
        (not_assumed(403, "AccessDenied", "not authorized to perform: sts:AssumeRole"), "role"),
        (not_assumed(400, "Throttling", "Rate exceeded"), "a later try may succeed: AssumeRole: Throttling"),
        (not_assumed(500, "InternalFailure", "try again"), "no clear answer"),
        (not_assumed(403, "ExpiredToken", "the central account's own"), "no clear answer"),
        (assumed(Duration::from_secs(3600)).set_delay(LATE), "no clear answer"),
    ] {
        let bench = Bench::without_role(cell(), impatient()).await;
        bench.on(ASSUME, [answer]).await;
        let updated = bench.aws.update_strategy(&service(), &fallback()).await.unwrap_err();
        assert!(updated.to_string().contains(expected), "{expected}: {updated}");
        assert_eq!(bench.sent(UPDATE).await.len(), 0, "{expected}");
    }
}
