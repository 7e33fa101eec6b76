//! What is no request, or not one that is served.

use super::*;

#[test]
fn an_operation_that_is_not_served_is_501_and_says_its_name() {
    let bench = &mut Bench::new(1, &mixed());
    let (status, answer) = ask_as(bench, OWNER, "RunTask", json!({}));
    assert_eq!(status, 501);
    let message = answer["message"].as_str().unwrap_or_default();
    assert!(message.contains("ECS operation \"RunTask\"") && message.contains("simulator/README.md"), "{message}");
    for target in ["", "DynamoDB_20120810.GetItem", "AmazonEC2ContainerServiceV20141113."] {
        let headers = vec![("x-amz-target".to_owned(), target.to_owned()), signed(OWNER, "ecs")];
        let response = bench.answer(&Request { headers, body: b"{}".to_vec() });
        assert_eq!(response.status, 501, "{target}");
    }
    for (body, named) in [("Action=GetSessionToken", "GetSessionToken"), ("", "neither"), ("\u{0}\u{1}{[", "neither")] {
        let request = Request { headers: vec![signed(OWNER, "sts")], body: body.as_bytes().to_vec() };
        let response = bench.answer(&request);
        assert_eq!(response.status, 501, "{body}");
        assert!(String::from_utf8_lossy(&response.body).contains(named), "{body}");
    }
}

#[test]
fn whoever_cannot_be_told_from_the_credentials_is_refused() {
    let bench = &mut Bench::new(1, &mixed());
    let target = ("X-Amz-Target".to_owned(), format!("{ECS}ListClusters"));
    let credentials = [
        (None, "MissingAuthenticationTokenException"),
        (Some("Basic dTpw"), "IncompleteSignatureException"),
        (Some("AWS4-HMAC-SHA256 Credential=, x"), "IncompleteSignatureException"),
        (
            Some("AWS4-HMAC-SHA256 Credential=111111111111/20260101/nowhere/ecs/aws4_request"),
            "InvalidSignatureException",
        ),
        (Some("AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/ecs/aws4_request"), "UnrecognizedClientException"),
        (
            Some("AWS4-HMAC-SHA256 Credential=ASIA0000000000000009/20260101/eu-west-1/ecs/aws4_request"),
            "UnrecognizedClientException",
        ),
    ];
    for (authorization, code) in credentials {
        let authorization = authorization.map(|value| ("authorization".to_owned(), value.to_owned()));
        let headers = [target.clone()].into_iter().chain(authorization.clone()).collect();
        let (status, answer) = status_and_json(&bench.answer(&Request { headers, body: b"{}".to_vec() }));
        assert_eq!((status, answer["__type"].as_str()), (400, Some(code)), "{authorization:?}");
    }
}

#[test]
fn an_error_says_its_code_in_the_body_and_in_a_header() {
    let bench = &mut Bench::new(1, &mixed());
    let response = bench.answer(&ecs_request(OWNER, "DescribeServices", b"{}"));
    assert_eq!(response.status, 400);
    let header = |name| response.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
    assert_eq!(header("x-amzn-errortype"), Some("InvalidParameterException"));
    assert_eq!(header("content-type"), Some("application/x-amz-json-1.1"));
    assert_eq!(header("x-amzn-requestid").map(str::len), Some(36));
    let (_, answer) = status_and_json(&response);
    assert_eq!(answer, json!({ "__type": "InvalidParameterException", "message": "services can not be null." }));
}

/// Of every operation: bodies that are no structure, and structures with members of wrong types, missing, or absurd.
#[test]
fn no_body_makes_an_operation_panic_or_answer_with_anything_but_an_aws_error() {
    let values = [
        json!(null),
        json!(-1),
        json!(1e300),
        json!("x"),
        json!(""),
        json!([]),
        json!([null]),
        json!([{}]),
        json!({}),
        json!(true),
        json!("arn:aws:ecs:eu-west-1:111111111111:service/web/checkout"),
        json!(["checkout"]),
        json!("arn:"),
        json!([{ "key": null }]),
        json!("\u{0}'\"<>&"),
    ];
    let members = [
        "cluster",
        "clusters",
        "clusterName",
        "service",
        "services",
        "serviceName",
        "serviceDeploymentArns",
        "tasks",
        "task",
        "taskDefinition",
        "tags",
        "tagKeys",
        "resourceArn",
        "desiredCount",
        "capacityProviderStrategy",
        "capacityProviders",
        "defaultCapacityProviderStrategy",
        "deploymentConfiguration",
        "networkConfiguration",
        "launchType",
        "family",
        "containerDefinitions",
        "cpu",
        "nextToken",
        "maxResults",
        "include",
        "deploymentController",
    ];
    let mut bench = Bench::new(1, &mixed());
    // What is refused for its rate is not looked at.
    (bench.world.facts.describe_bucket, bench.world.facts.update_bucket) = ((1_000_000, 1), (1_000_000, 1));
    let mut refusals = 0;
    for operation in OPERATIONS {
        for body in
            [&b""[..], b"{", b"[]", b"null", b"7", b"\"x\"", b"\xff\xfe", b"{\"cluster\": \"web\"} x", &[b'['; 100_000]]
        {
            let (status, answer) = status_and_json(&bench.answer(&ecs_request(OWNER, operation.name, body)));
            assert_eq!(
                (status, answer["__type"].as_str()),
                (400, Some("SerializationException")),
                "{}",
                operation.name
            );
        }
        let usual =
            json!({ "cluster": "web", "service": "checkout", "serviceName": "checkout", "services": ["checkout"] });
        for (member, value) in members.iter().flat_map(|member| values.iter().map(move |value| (member, value))) {
            for mut input in [json!({}), usual.clone()] {
                input[*member] = value.clone();
                let (status, answer) = ask_as(&mut bench, OWNER, operation.name, input.clone());
                assert!(matches!(status, 200 | 400 | 501), "{} {input}: {status}", operation.name);
                assert_eq!(status == 200, answer.get("__type").is_none(), "{} {input}: {answer}", operation.name);
                refusals += usize::from(status != 200);
            }
        }
    }
    assert!(refusals > 5_000, "{refusals}");
}

#[test]
fn a_request_moves_no_time() {
    let spec = OneService::new(1, &mixed()).world.spec;
    let mut simulation = Simulation::new(spec, crate::facts::Facts::default()).expect("the patterns are valid");
    simulation.advance(Duration::from_secs(7));
    let response = simulation.answer(&mut State::default(), &ecs_request(OWNER, "ListClusters", b"{}"));
    assert_eq!(status_and_json(&response).1["clusterArns"], json!(["arn:aws:ecs:eu-west-1:111111111111:cluster/web"]));
    assert_eq!(simulation.elapsed(), Duration::from_secs(7));
}
