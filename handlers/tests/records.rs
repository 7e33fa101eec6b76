//! Proves what stands in the state table: any record comes back as it went, with the attributes that the original design
//! and the due index promise, and that the time on On-Demand grows per failed restore within its bounds.

mod common;

use common::{
    NOW, any_record, any_service, failing_over, fallback, held, hours, mins, on_demand, original, restoring, service,
    watching,
};
use handlers::held::HeldReason;
use handlers::policy::Policy;
use handlers::record::{Change, DUE_SHARDS, Held, Phase, Record, due_shard};
use handlers::strategy::Strategy as Spread;
use proptest::prelude::*;
use serde_json::{Value, json};

fn any_stored() -> impl Strategy<Value = Record> {
    any_service().prop_flat_map(any_record)
}

proptest! {
    #[test]
    fn any_record_comes_back_from_its_item_as_it_went(record in any_stored()) {
        let item = record.to_item();
        let text = serde_json::to_string(&item).unwrap();
        prop_assert_eq!(&Record::from_item(item).unwrap(), &record);
        let back = Record::from_item(serde_json::from_str(&text).unwrap()).unwrap();
        let order = |r: &Record| r.original.as_ref().map(|s: &Spread| s.items().to_vec());
        prop_assert_eq!(order(&back), order(&record));
        prop_assert_eq!(back, record);
    }

    #[test]
    fn any_item_has_the_attributes_that_others_read(record in any_stored()) {
        let item = record.to_item();
        prop_assert_eq!(&item["id"], &json!(record.service.record_id()));
        prop_assert_eq!(item["scheduled"].as_bool(), Some(record.scheduled()));
        prop_assert!(item["due_shard"].as_u64().unwrap() < 16);
        prop_assert_eq!(item["next_check_at"].as_u64(), Some(record.due_at().as_millis()));
        let look_at = (record.due_at() != record.next_check_at).then(|| record.next_check_at.as_millis());
        prop_assert_eq!(item.get("look_at").and_then(Value::as_u64), look_at);
        prop_assert_eq!(item["version"].as_u64(), Some(record.version));
        prop_assert_eq!(item.get("event"), record.event.as_deref());
        prop_assert_eq!(item.contains_key("config"), record.original.is_some());
        if let (Some(Value::Array(config)), Some(original)) = (item.get("config"), &record.original) {
            prop_assert_eq!(config.len(), original.items().len());
            for (stored, item) in config.iter().zip(original.items()) {
                let expected = json!({
                    "capacityProvider": item.capacity_provider.as_str(), "weight": item.weight, "base": item.base,
                });
                prop_assert_eq!(stored, &expected);
            }
        }
    }

    #[test]
    fn an_item_of_another_service_is_refused(record in any_stored(), other in any_service()) {
        prop_assume!(other.record_id() != record.service.record_id());
        let mut item = record.to_item();
        item.insert("id".into(), other.record_id().into());
        prop_assert_eq!(Record::from_item(item).unwrap_err().id, other.record_id());
    }

    #[test]
    fn the_time_on_on_demand_is_base_times_factor_to_the_failures_capped_plus_jitter(
        record in any_stored(),
        failed in prop_oneof![0u32..12, Just(u32::MAX), any::<u32>()],
        factor in 1u32..=10,
        after in 1u64..=86_400,
        cap in 86_400u64..=604_800,
        jitter in 0u32..=100,
    ) {
        let policy = Policy {
            restore_backoff_factor: factor,
            restore_after: std::time::Duration::from_secs(after),
            restore_backoff_cap: std::time::Duration::from_secs(cap),
            restore_jitter_percent: jitter,
            ..Policy::default()
        };
        let record = Record { failed_restores: failed, ..record };
        let grown = (0..failed.min(64)).fold(u128::from(after) * 1000, |wait, _| (wait * u128::from(factor)).min(1 << 60));
        let wait = grown.min(u128::from(cap) * 1000);
        let delay = record.restore_delay(&policy).as_millis();
        prop_assert!(delay >= wait, "{} < {}", delay, wait);
        prop_assert!(delay <= wait + wait * u128::from(jitter) / 100, "{} with {}% jitter on {}", delay, jitter, wait);
        prop_assert_eq!(record.restore_delay(&policy).as_millis(), delay);
        let more = Record { failed_restores: failed.saturating_add(1), ..record };
        prop_assert!(more.restore_delay(&policy).as_millis() >= delay, "a further failure never shortens the wait");
    }

    #[test]
    fn the_jitter_depends_on_the_service_alone(a in any_stored(), b in any_stored()) {
        let policy = Policy::default();
        let b = Record { service: a.service.clone(), failed_restores: a.failed_restores, ..b };
        prop_assert_eq!(a.restore_delay(&policy), b.restore_delay(&policy));
    }

    #[test]
    fn an_attribute_missing_or_of_another_type_is_an_error_and_never_a_panic(
        record in any_stored(),
        at in any::<prop::sample::Index>(),
        with in prop::option::of(common::any_json()),
    ) {
        let mut item = record.to_item();
        let key = item.keys().nth(at.index(item.len())).unwrap().clone();
        match with {
            Some(value) => item.insert(key, value),
            None => item.remove(&key),
        };
        if let Ok(read) = Record::from_item(item.clone()) {
            prop_assert_eq!(&item["id"], &json!(read.service.record_id()));
        }
    }
}

#[test]
fn an_item_is_spelt_as_the_original_design_spells_it() {
    let record = Record { event: Some(json!({ "detail": {} }).into()), ..on_demand(NOW + mins(15)) };
    let item = record.to_item();
    assert_eq!(item["id"], "111122223333::shop::checkout");
    assert_eq!(
        item["config"],
        json!([
            { "capacityProvider": "FARGATE", "weight": 1, "base": 1 },
            { "capacityProvider": "FARGATE_SPOT", "weight": 3, "base": 0 },
        ])
    );
    assert_eq!(item["event"], json!({ "detail": {} }));
    assert_eq!(item["scheduled"], true);
    assert_eq!(item["phase"], "OnDemand");
}

#[test]
fn a_restore_is_scheduled_from_the_first_claim_until_the_episode_is_closed() {
    let reason = HeldReason::RoleMissing;
    for (record, scheduled) in [
        (watching(), false),
        (failing_over("me", NOW), true),
        (on_demand(NOW), true),
        (restoring(), true),
        (held(watching(), reason.clone()), false),
        (held(failing_over("me", NOW), reason.clone()), true),
        (held(on_demand(NOW), reason.clone()), true),
        (held(restoring(), reason), true),
    ] {
        assert_eq!(record.scheduled(), scheduled, "{} {:?}", record.phase, record.held);
        assert_eq!(record.to_item()["scheduled"], Value::Bool(scheduled));
    }
}

#[test]
fn an_item_without_a_required_attribute_is_refused_with_the_attributes_name() {
    let full = on_demand(NOW + mins(15)).to_item();
    for missing in [
        "account",
        "region",
        "cluster",
        "service",
        "version",
        "phase",
        "phase_since",
        "reason",
        "episode",
        "failed_restores",
        "confirmed",
        "next_check_at",
    ] {
        let mut item = full.clone();
        assert!(item.remove(missing).is_some(), "{missing}");
        let error = Record::from_item(item).unwrap_err();
        assert!(error.problem.contains(missing), "{missing}: {error}");
        assert!(error.to_string().contains("111122223333::shop::checkout"), "{error}");
    }
    let mut item = full;
    item.remove("id");
    assert!(Record::from_item(item).is_err());
}

#[test]
fn an_item_with_a_strategy_that_ecs_would_refuse_is_refused() {
    let mut item = on_demand(NOW).to_item();
    item.insert("config".into(), json!([]));
    assert!(Record::from_item(item).unwrap_err().problem.contains("at least one capacity provider"));
}

#[test]
fn attributes_of_others_do_not_disturb() {
    let record = on_demand(NOW);
    let mut item = record.to_item();
    item.insert("ttl".into(), json!(1));
    assert_eq!(Record::from_item(item).unwrap(), record);
}

#[test]
fn due_shards_are_spread_over_the_whole_index() {
    let mut seen = [0u32; DUE_SHARDS as usize];
    for n in 0..1600_u64 {
        let account = format!("{:012}", (n * 7_919_000_017) % 1_000_000_000_000);
        seen[due_shard(&account.parse().unwrap()) as usize] += 1;
    }
    assert!(seen.iter().all(|n| (50..200).contains(n)), "{seen:?}");
}

#[test]
fn a_lease_ends_at_its_hour_and_binds_only_others() {
    let record = failing_over("me", NOW);
    let before = NOW - mins(1);
    assert!(record.leased_by("me", before) && !record.leased_by_other("me", before));
    assert!(!record.leased_by("you", before) && record.leased_by_other("you", before));
    assert!(!record.leased_by("me", NOW) && !record.leased_by_other("you", NOW));
}

#[test]
fn a_held_record_says_where_it_goes_on() {
    let record = held(on_demand(NOW), HeldReason::AccessDenied("ecs:UpdateService".into()));
    let back = Record::from_item(record.to_item()).unwrap();
    let reason = HeldReason::AccessDenied("ecs:UpdateService".into());
    assert_eq!(
        back.held,
        Some(Held { reason, resume: Phase::OnDemand, since: Some(NOW - mins(30)), rolled_back: false })
    );
}

#[test]
fn the_defaults_wait_15_minutes_doubling_to_6_hours() {
    let policy = Policy { restore_jitter_percent: 0, ..Policy::default() };
    let wait = |failed_restores| Record { failed_restores, ..Record::new(service(), NOW) }.restore_delay(&policy);
    assert_eq!([wait(0), wait(1), wait(2), wait(4)], [mins(15), mins(30), hours(1), hours(4)]);
    assert_eq!([wait(5), wait(u32::MAX)], [hours(6), hours(6)]);
    assert_ne!(original(), fallback());
}

#[test]
fn the_shard_of_an_account_is_the_same_in_every_release() {
    let shards = ["111122223333", "000000000000", "999999999999"].map(|account| due_shard(&account.parse().unwrap()));
    assert_eq!(shards, [13, 5, 1]);
    assert_eq!(DUE_SHARDS, 16, "records in the table keep the shard they were written with");
}

#[test]
fn a_transition_is_another_phase_or_the_restore_after_its_probe() {
    let probing = Record { change: Some(Change { from: fallback(), to: original().probe() }), ..restoring() };
    for (before, after, expected) in [
        (None, watching(), true),
        (Some(on_demand(NOW)), restoring(), true),
        (Some(restoring()), restoring(), false),
        (Some(probing), restoring(), true),
        (Some(on_demand(NOW)), Record { change: restoring().change, ..on_demand(NOW) }, false),
        (Some(on_demand(NOW)), Record { reason: "another".into(), ..on_demand(NOW + mins(1)) }, false),
    ] {
        assert_eq!(after.is_transition_from(before.as_ref()), expected, "{before:?}");
    }
}
