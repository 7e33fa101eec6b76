//! Proves that names and ARNs are parsed once and for all: what is accepted prints back identically, everything else is
//! refused, and nothing an account can write makes a parser panic.

mod common;
#[path = "../fuzz/checks.rs"]
mod fuzz;

use common::{any_region, any_service, service_named};
use handlers::service::{AccountId, ClusterName, EcsArn, Region, ServiceArn, ServiceId, ServiceName};
use proptest::prelude::*;

/// Texts near enough to an ARN to get past the first checks.
fn nearly_an_arn() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("arn".to_owned()),
        prop::sample::select(vec![
            "aws",
            "aws-cn",
            "aws-us-gov",
            "ecs",
            "s3",
            "",
            "service/a/b",
            "service/a",
            "service/"
        ])
        .prop_map(str::to_owned),
        any_region(),
        "[0-9]{11,13}",
        "service(/[A-Za-z0-9_-]{0,8}){0,3}",
        any::<String>(),
    ];
    let correct = (any_region(), "[0-9]{12}", "(service|task|cluster)?/?[A-Za-z0-9_:/é -]{0,20}").prop_map(
        |(region, account, rest)| {
            let partition = region.parse::<Region>().unwrap().partition();
            format!("arn:{partition}:ecs:{region}:{account}:{rest}")
        },
    );
    prop_oneof![prop::collection::vec(part, 0..8).prop_map(|parts| parts.join(":")), correct]
}

proptest! {
    #[test]
    fn the_arn_of_any_service_parses_back_to_the_service(service in any_service()) {
        let arn: ServiceArn = service.arn().parse().unwrap();
        let ServiceArn { account, region, cluster, service: name } = arn;
        prop_assert_eq!(ServiceId { account, region, cluster: cluster.unwrap(), service: name }, service);
    }

    #[test]
    fn the_old_short_arn_of_any_service_names_all_but_its_cluster(service in any_service()) {
        let ServiceId { account, region, service: name, .. } = &service;
        let short = format!("arn:{}:ecs:{region}:{account}:service/{name}", region.partition());
        let arn: ServiceArn = short.parse().unwrap();
        prop_assert_eq!(arn.cluster, None);
        prop_assert_eq!((&arn.account, &arn.region, &arn.service), (account, region, name));
    }

    #[test]
    fn the_arn_of_any_services_cluster_is_a_cluster_of_its_account_and_region(service in any_service()) {
        let text = service.cluster_arn();
        let arn = EcsArn::parse(&text).unwrap();
        prop_assert_eq!((arn.kind, arn.path), ("cluster", service.cluster.as_str()));
        prop_assert_eq!((arn.account, arn.region), (service.account, service.region));
    }

    #[test]
    fn a_record_id_is_account_cluster_and_service_and_tells_any_two_services_of_a_cell_apart(
        a in any_service(),
        b in any_service(),
    ) {
        prop_assert_eq!(a.record_id(), format!("{}::{}::{}", a.account, a.cluster, a.service));
        let same = (&a.account, &a.cluster, &a.service) == (&b.account, &b.cluster, &b.service);
        prop_assert_eq!(a.record_id() == b.record_id(), same);
    }

    #[test]
    fn any_text_is_refused_or_prints_back_identically(text in any::<String>()) {
        fuzz::name(text.as_bytes());
    }

    #[test]
    fn any_text_like_an_arn_is_refused_or_prints_back_identically(text in nearly_an_arn()) {
        fuzz::name(text.as_bytes());
    }

    #[test]
    fn an_arn_with_a_character_changed_is_refused_or_prints_back_identically(
        service in any_service(),
        at in any::<prop::sample::Index>(),
        to in any::<char>(),
    ) {
        let mut text: Vec<char> = service.arn().chars().collect();
        let at = at.index(text.len());
        text[at] = to;
        fuzz::name(text.into_iter().collect::<String>().as_bytes());
    }
}

#[test]
fn the_partition_of_an_arn_is_its_regions() {
    for (region, partition) in
        [("eu-west-1", "aws"), ("ap-southeast-2", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
    {
        let service =
            ServiceId { region: region.parse().unwrap(), ..service_named("111122223333", "shop", "checkout") };
        let arn = format!("arn:{partition}:ecs:{region}:111122223333:service/shop/checkout");
        assert_eq!(service.arn(), arn);
        for other in ["aws", "aws-cn", "aws-us-gov", "aws-iso"] {
            let arn = arn.replacen(partition, other, 1);
            assert_eq!(arn.parse::<ServiceArn>().is_ok(), other == partition, "{arn}");
        }
    }
}

#[test]
fn an_arn_of_anything_but_a_service_is_no_service_arn() {
    for arn in [
        "arn:aws:ecs:eu-west-1:111122223333:cluster/shop",
        "arn:aws:ecs:eu-west-1:111122223333:task/shop/7d1f0c9a",
        "arn:aws:ecs:eu-west-1:111122223333:service/",
        "arn:aws:ecs:eu-west-1:111122223333:service/shop/",
        "arn:aws:ecs:eu-west-1:111122223333:service//checkout",
        "arn:aws:ecs:eu-west-1:111122223333:service/shop/checkout/more",
        "arn:aws:ecs:eu-west-1:111122223333:service",
        "arn:aws:ecs:eu-west-1::service/shop/checkout",
        "arn:aws:ecs::111122223333:service/shop/checkout",
        "arn:aws:s3:eu-west-1:111122223333:service/shop/checkout",
        "arn:aws:ecs:eu-west-1:111122223333:service/shop/checkout:1",
        " arn:aws:ecs:eu-west-1:111122223333:service/shop/checkout",
        "",
    ] {
        assert!(arn.parse::<ServiceArn>().is_err(), "{arn}");
    }
}

#[test]
fn a_refusal_names_the_thing_and_does_not_repeat_a_flood() {
    let error = "9".repeat(100_000).parse::<AccountId>().unwrap_err().to_string();
    assert!(error.starts_with("account \"999") && error.contains("12 digits"), "{error}");
    assert!(error.len() < 200, "{} bytes", error.len());
}

#[test]
fn names_of_256_characters_and_of_none_are_refused() {
    for (length, accepted) in [(0, false), (1, true), (255, true), (256, false)] {
        assert_eq!("a".repeat(length).parse::<ServiceName>().is_ok(), accepted, "{length}");
        assert_eq!("a".repeat(length).parse::<ClusterName>().is_ok(), accepted, "{length}");
    }
}
