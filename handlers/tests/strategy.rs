//! Proves what a capacity provider strategy may be, that it comes back exactly as it went, and that the fallback of any
//! Spot strategy is a valid strategy without Spot that keeps the owner's `FARGATE` base.

mod common;

use common::{any_spot_spread, item, spread};
use handlers::strategy::{CapacityProvider, FALLBACK_WEIGHT, Strategy as Spread, StrategyError, StrategyItem};
use proptest::prelude::*;
use serde_json::json;

/// Any item, about half of them valid.
fn any_item() -> impl Strategy<Value = StrategyItem> {
    let provider = prop_oneof![
        4 => Just("FARGATE".to_owned()),
        4 => Just("FARGATE_SPOT".to_owned()),
        1 => "[a-z]{0,8}",
    ];
    let weight = prop_oneof![4 => 0u32..=1000, 1 => Just(0), 1 => any::<u32>()];
    let base = prop_oneof![8 => Just(0), 2 => 0u32..=100_000, 1 => any::<u32>()];
    (provider, base, weight).prop_map(|(provider, base, weight)| item(&provider, base, weight))
}

/// The rule of aws-facts.md §1.4 that `items` break, worked out without the code under test.
fn breaks(items: &[StrategyItem], error: &StrategyError) -> bool {
    let fargate = |i: &&StrategyItem| ["FARGATE", "FARGATE_SPOT"].contains(&i.capacity_provider.as_str());
    match error {
        StrategyError::Empty => items.is_empty(),
        StrategyError::TooMany(n) => *n == items.len() && *n > 20,
        StrategyError::Weight { provider, weight } => {
            items.iter().any(|i| i.capacity_provider == *provider && i.weight == *weight && *weight > 1000)
        }
        StrategyError::Base { provider, base } => {
            items.iter().any(|i| i.capacity_provider == *provider && i.base == *base && *base > 100_000)
        }
        StrategyError::TwoBases(..) => items.iter().filter(|i| i.base > 0).count() > 1,
        StrategyError::NoWeight => items.iter().all(|i| i.weight == 0),
        StrategyError::Mixed(..) => (1..items.len()).contains(&items.iter().filter(fargate).count()),
        StrategyError::Unnamed => items.iter().any(|i| i.capacity_provider.as_str().is_empty()),
    }
}

fn every_rule_is_kept(items: &[StrategyItem]) -> bool {
    let fargate = items.iter().filter(|i| ["FARGATE", "FARGATE_SPOT"].contains(&i.capacity_provider.as_str())).count();
    (1..=20).contains(&items.len())
        && items.iter().all(|i| i.weight <= 1000 && i.base <= 100_000 && !i.capacity_provider.as_str().is_empty())
        && items.iter().filter(|i| i.base > 0).count() <= 1
        && items.iter().any(|i| i.weight > 0)
        && (fargate == 0 || fargate == items.len())
}

proptest! {
    #[test]
    fn any_items_are_refused_by_the_rule_they_break_or_round_trip_through_json_in_their_order(
        items in prop::collection::vec(any_item(), 0..24),
    ) {
        match Spread::new(items.clone()) {
            Ok(strategy) => {
                prop_assert!(every_rule_is_kept(&items));
                let text = serde_json::to_string(&strategy).unwrap();
                let back: Spread = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(back.items(), items.as_slice());
                prop_assert_eq!(serde_json::to_string(&back).unwrap(), text);
            }
            Err(error) => {
                prop_assert!(breaks(&items, &error), "{}", error);
                prop_assert!(serde_json::from_value::<Spread>(serde_json::to_value(&items).unwrap()).is_err());
            }
        }
    }

    #[test]
    fn equality_ignores_the_order_of_the_items(strategy in any_spot_spread(), shuffled in any::<u64>()) {
        let mut items = strategy.items().to_vec();
        let by = usize::try_from(shuffled % 20).unwrap() % items.len();
        items.rotate_left(by);
        if shuffled & 1 == 1 {
            items.reverse();
        }
        prop_assert_eq!(&Spread::new(items).unwrap(), &strategy);
    }

    #[test]
    fn another_weight_or_base_or_item_is_another_strategy(strategy in any_spot_spread(), at in any::<prop::sample::Index>()) {
        let mut items = strategy.items().to_vec();
        let at = at.index(items.len());
        items[at].weight = if items[at].weight == 1000 { 999 } else { items[at].weight + 1 };
        prop_assert_ne!(&Spread::new(items).unwrap(), &strategy);
        if strategy.items().len() < 20 {
            let mut items = strategy.items().to_vec();
            items.push(item("FARGATE", 0, 0));
            prop_assert_ne!(&Spread::new(items).unwrap(), &strategy);
        }
    }

    #[test]
    fn the_fallback_of_any_spot_strategy_is_valid_without_spot_and_keeps_the_fargate_base(strategy in any_spot_spread()) {
        let fallback = strategy.fallback();
        let fargate_base: u32 =
            strategy.items().iter().filter(|i| i.capacity_provider == CapacityProvider::Fargate).map(|i| i.base).sum();
        let contract = vec![item("FARGATE_SPOT", 0, 0), item("FARGATE", fargate_base, 10)];
        prop_assert_eq!(fallback.items(), contract.as_slice());
        let checked = Spread::new(contract).unwrap();
        prop_assert_eq!(checked.items(), fallback.items());
        prop_assert!(strategy.uses_spot() && !fallback.uses_spot());
        prop_assert_ne!(&fallback, &strategy);
        prop_assert_eq!(fallback.fallback(), fallback);
    }
}

#[test]
fn every_rule_of_ecs_refuses_with_its_own_words() {
    let many: Vec<StrategyItem> = (0..21).map(|_| item("FARGATE_SPOT", 0, 1)).collect();
    let table: [(Vec<StrategyItem>, StrategyError); 10] = [
        (vec![], StrategyError::Empty),
        (many, StrategyError::TooMany(21)),
        (vec![item("FARGATE", 0, 1001)], StrategyError::Weight { provider: CapacityProvider::Fargate, weight: 1001 }),
        (
            vec![item("FARGATE_SPOT", 100_001, 1)],
            StrategyError::Base { provider: CapacityProvider::FargateSpot, base: 100_001 },
        ),
        (
            vec![item("FARGATE", 1, 1), item("FARGATE_SPOT", 1, 1)],
            StrategyError::TwoBases(CapacityProvider::Fargate, CapacityProvider::FargateSpot),
        ),
        (
            vec![item("FARGATE", 1, 1), item("FARGATE", 1, 1)],
            StrategyError::TwoBases(CapacityProvider::Fargate, CapacityProvider::Fargate),
        ),
        (vec![item("FARGATE", 1, 0), item("FARGATE_SPOT", 0, 0)], StrategyError::NoWeight),
        (
            vec![item("FARGATE", 0, 1), item("gpu-asg", 0, 1)],
            StrategyError::Mixed(CapacityProvider::Fargate, CapacityProvider::Other("gpu-asg".into())),
        ),
        (
            vec![item("gpu-asg", 0, 1), item("FARGATE_SPOT", 0, 1)],
            StrategyError::Mixed(CapacityProvider::FargateSpot, CapacityProvider::Other("gpu-asg".into())),
        ),
        (vec![item("", 0, 1)], StrategyError::Unnamed),
    ];
    for (items, expected) in table {
        assert_eq!(Spread::new(items).unwrap_err(), expected);
    }
}

#[test]
fn the_limits_themselves_are_allowed() {
    let mut items: Vec<StrategyItem> = (0..20).map(|_| item("FARGATE_SPOT", 0, 1000)).collect();
    items[19].base = 100_000;
    assert_eq!(Spread::new(items.clone()).unwrap().items(), items);
    assert!(Spread::new(vec![item("gpu-asg", 0, 1), item("cpu-asg", 2, 1)]).is_ok());
}

#[test]
fn an_absent_base_or_weight_is_zero() {
    let written =
        json!([{ "capacityProvider": "FARGATE_SPOT", "weight": 3 }, { "capacityProvider": "FARGATE", "base": 2 }]);
    let strategy: Spread = serde_json::from_value(written).unwrap();
    assert_eq!(strategy, spread(&[("FARGATE_SPOT", 0, 3), ("FARGATE", 2, 0)]));
    assert_eq!(
        serde_json::to_value(&strategy).unwrap(),
        json!([
            { "capacityProvider": "FARGATE_SPOT", "weight": 3, "base": 0 },
            { "capacityProvider": "FARGATE", "weight": 0, "base": 2 },
        ])
    );
}

#[test]
fn negative_and_fractional_numbers_and_a_nameless_item_are_refused() {
    for item in [
        json!({ "capacityProvider": "FARGATE_SPOT", "weight": -1 }),
        json!({ "capacityProvider": "FARGATE_SPOT", "weight": 1.5 }),
        json!({ "capacityProvider": "FARGATE_SPOT", "weight": "1" }),
        json!({ "capacityProvider": "FARGATE_SPOT", "weight": 4_294_967_297_u64 }),
        json!({ "weight": 1 }),
        json!({ "capacityProvider": "", "weight": 1 }),
    ] {
        assert!(serde_json::from_value::<Spread>(json!([item])).is_err(), "{item}");
    }
}

#[test]
fn spot_of_weight_zero_is_no_use_of_spot() {
    assert!(!spread(&[("FARGATE_SPOT", 2, 0), ("FARGATE", 0, 1)]).uses_spot());
    assert!(spread(&[("FARGATE_SPOT", 0, 1)]).uses_spot());
    assert!(!spread(&[("FARGATE", 1, 1)]).uses_spot());
}

#[test]
fn the_fallback_of_a_service_on_spot_alone_has_no_base() {
    assert_eq!(
        spread(&[("FARGATE_SPOT", 5, 1)]).fallback().items(),
        [item("FARGATE_SPOT", 0, 0), item("FARGATE", 0, FALLBACK_WEIGHT)]
    );
}

#[test]
fn a_strategy_reads_as_people_say_it() {
    let text = spread(&[("FARGATE", 1, 1), ("FARGATE_SPOT", 0, 3)]).to_string();
    assert_eq!(text, "FARGATE base 1 weight 1, FARGATE_SPOT weight 3");
    assert_eq!(
        spread(&[("gpu-asg", 2, 0), ("cpu-asg", 0, 7)]).to_string(),
        "gpu-asg base 2 weight 0, cpu-asg weight 7"
    );
}

#[test]
fn the_first_provider_that_is_not_fargates_is_named() {
    let asg = CapacityProvider::Other("gpu-asg".into());
    assert_eq!(spread(&[("gpu-asg", 0, 1), ("cpu-asg", 0, 1)]).other_provider(), Some(&asg));
    assert_eq!(spread(&[("FARGATE", 1, 1), ("FARGATE_SPOT", 0, 3)]).other_provider(), None);
}
