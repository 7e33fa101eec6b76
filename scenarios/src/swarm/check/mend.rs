//! The end of all trouble.

use std::time::Duration;

use handlers::service::ServiceId;
use simulator::spec::{
    BusPolicy, Capacity, Forwarding, FunctionName, FunctionState, Loss, QueueAccess, QueueName, Role, TimedEvent,
    WorldEvent, WorldSpec,
};

use crate::swarm::draw::Plan;

/// How often it is asked whether everything has come to rest, and when all DLQs are redriven.
pub(super) const HALF_HOUR: Duration = Duration::from_secs(1800);

/// The world with the end of all its trouble: what was broken is mended, and nothing else is touched.
pub(super) fn mended(plan: &Plan) -> WorldSpec {
    let mut world = plan.world.clone();
    let accounts = world.accounts.clone();
    let broken = |kind: fn(&WorldEvent) -> bool| plan.world.events.iter().any(|event| kind(&event.event));
    let mut mend = vec![WorldEvent::Calm];
    let mut when = |kind: fn(&WorldEvent) -> bool, mended: WorldEvent| {
        if broken(kind) {
            mend.push(mended);
        }
    };
    when(
        |e| matches!(e, WorldEvent::Role { .. }),
        WorldEvent::Role { accounts: accounts.clone(), role: Role::Present },
    );
    when(
        |e| matches!(e, WorldEvent::Membership { .. }),
        WorldEvent::Membership { accounts: accounts.clone(), member: true },
    );
    when(|e| matches!(e, WorldEvent::BusPolicy(_)), WorldEvent::BusPolicy(BusPolicy::Onboarded));
    when(
        |e| matches!(e, WorldEvent::Forwarding { .. }),
        WorldEvent::Forwarding { accounts: accounts.clone(), forwarding: Forwarding::Present },
    );
    for queue in [QueueName::PlacementFailure, QueueName::Interruption] {
        when(
            |e| matches!(e, WorldEvent::QueueAccess { .. }),
            WorldEvent::QueueAccess { queue, access: QueueAccess::Reachable },
        );
    }
    for function in [FunctionName::PlacementFailure, FunctionName::Interruption, FunctionName::Restore] {
        when(
            |e| matches!(e, WorldEvent::Function { .. }),
            WorldEvent::Function { function, state: FunctionState::Running },
        );
    }
    when(|e| matches!(e, WorldEvent::Pause { .. }), WorldEvent::Pause { paused: false });
    when(
        |e| matches!(e, WorldEvent::OnDemand { .. }),
        WorldEvent::OnDemand { accounts: accounts.clone(), capacity: Capacity::Unlimited },
    );
    for zone in 0..3 {
        when(
            |e| matches!(e, WorldEvent::SpotZone { .. }),
            WorldEvent::SpotZone { accounts: accounts.clone(), zone, short: false, loss: Loss::Keep },
        );
    }
    when(
        // A market with a shape has it until it is set.
        |e| matches!(e, WorldEvent::Spot { .. } | WorldEvent::SpotShape { .. }),
        WorldEvent::Spot { accounts, capacity: Capacity::Unlimited, loss: Loss::Keep },
    );
    for service in &world.services {
        let id = &service.id;
        let did = |kind: fn(&WorldEvent) -> Option<&ServiceId>| {
            plan.world.events.iter().any(|event| kind(&event.event) == Some(id))
        };
        if did(|e| if let WorldEvent::DeleteService { service } = e { Some(service) } else { None }) {
            mend.push(WorldEvent::CreateService { service: id.clone() });
        }
        if did(|e| if let WorldEvent::OptOut { service, .. } = e { Some(service) } else { None }) {
            mend.push(WorldEvent::OptOut { service: id.clone(), off: false });
        }
        if did(|e| if let WorldEvent::Application { service, .. } = e { Some(service) } else { None }) {
            mend.push(WorldEvent::Application { service: id.clone(), fails: false });
        }
        if did(|e| if let WorldEvent::CrashLoop { service, .. } = e { Some(service) } else { None }) {
            mend.push(WorldEvent::CrashLoop { service: id.clone(), crashes: false });
        }
        if did(|e| if let WorldEvent::Controller { service, .. } = e { Some(service) } else { None }) {
            mend.push(WorldEvent::Controller { service: id.clone(), controller: service.controller.clone() });
        }
        let rolled_back = did(|e| if let WorldEvent::RollBack { service } = e { Some(service) } else { None });
        if service.circuit_breaker || service.alarms || rolled_back {
            // A deployment that failed for good needs its owner (aws-facts.md §1.6).
            mend.push(WorldEvent::Deploy { service: id.clone() });
        }
    }
    world.events.extend(mend.into_iter().map(|event| TimedEvent { at: plan.chaos, event }));
    for queue in [QueueName::PlacementFailure, QueueName::Interruption] {
        world.events.push(TimedEvent { at: plan.chaos + HALF_HOUR, event: WorldEvent::Redrive { queue } });
    }
    world
}
