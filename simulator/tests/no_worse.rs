//! No service runs worse than it would have without us: the same world, once with the recovery and once with its kill switch
//! set, which leaves ECS to itself.

mod worlds;

use std::time::Duration;

use handlers::policy::Policy;
use proptest::prelude::*;
use proptest::strategy::Strategy as Draw;
use simulator::facts::Facts;
use simulator::spec::{Loss, WorldSpec};
use simulator::{Outcome, run};

use worlds::{Owned, Trouble, mins, strategy, world};

const LENGTH: Duration = Duration::from_secs(12 * 3600);
/// What a silent loss of its only task costs a service at most: until it is told short, until the next sweep, until a task runs.
const ONE_SILENT_LOSS: Duration = Duration::from_secs(5 * 60);

fn play(spec: &WorldSpec, paused: bool) -> Outcome {
    let policy = Policy { paused, ..spec.policy.clone() };
    run(WorldSpec { policy, ..spec.clone() }, Facts::default(), LENGTH).expect("the product's patterns are valid")
}

fn service() -> impl Draw<Value = Owned> {
    // The default bounds, under which a deployment never costs a running task. Where an owner lets ECS stop tasks first,
    // every deployment costs some, ours too; that is what the probe bounds (docs/architecture.md).
    (0usize..2, 1u32..=6, 0u32..=2, 0u32..=3, 1u32..=4).prop_map(|(account, desired, base, fargate, spot)| Owned {
        account,
        desired,
        strategy: strategy((base, fargate), (0, spot)),
        bounds: (100, 200),
    })
}

fn trouble() -> impl Draw<Value = Trouble> {
    let loss = prop_oneof![Just(Loss::Interrupt), Just(Loss::Silent), Just(Loss::Keep)];
    let outage = (0usize..2, 1u64..300, 1u64..200, 0u32..=6, loss).prop_map(|(account, from, length, left, loss)| {
        Trouble::Outage { account, from: mins(from), until: mins(from + length), left, loss }
    });
    let interruption = (0usize..3, 1u64..400, 1u32..=3).prop_map(|(service, at, tasks)| Trouble::Interruption {
        service,
        at: mins(at),
        tasks,
    });
    prop_oneof![3 => outage, 1 => interruption]
}

proptest! {
    #![proptest_config(worlds::config(32))]

    #[test]
    fn no_service_is_less_available_than_without_the_recovery(
        seed in any::<u64>(),
        services in prop::collection::vec(service(), 1..=3),
        troubles in prop::collection::vec(trouble(), 1..=4),
    ) {
        let spec = world(seed, mins(1), &services, &troubles);
        let (with, without) = (play(&spec, false), play(&spec, true));
        let takes_some = |trouble: &&Trouble| matches!(trouble, Trouble::Outage { left: 1.., .. });
        let drawn = u32::try_from(troubles.iter().filter(takes_some).count()).unwrap();
        for (with, without) in with.services.iter().zip(&without.services) {
            // Two worlds draw different start times: a few minutes of one task are chance, not harm. So is which service loses its
            // tasks where an outage leaves some.
            let slack = 0.005 + (ONE_SILENT_LOSS * drawn).as_secs_f64() / LENGTH.as_secs_f64();
            prop_assert!(
                with.ledger.availability() >= without.ledger.availability() - slack,
                "{}: {} with, {} without", with.id, with.ledger.availability(), without.ledger.availability()
            );
        }
    }
}
