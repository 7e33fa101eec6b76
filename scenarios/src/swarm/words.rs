//! A plan in words, for whoever reads what was found.

use handlers::service::ServiceId;
use simulator::spec::{TimedEvent, WorldEvent};
use simulator::trace::Happening;

use super::draw::faults::numbers;
use super::draw::{Plan, TRAITS};

/// The plan in words: services, what goes wrong by chance, what happens and when.
pub fn words(plan: &Plan) -> String {
    let mut lines: Vec<String> = Vec::new();
    for service in &plan.world.services {
        let traits: String =
            TRAITS.iter().filter(|one| one.is_of(service)).map(|one| format!(", {}", one.name)).collect();
        lines.push(format!("{} with {} tasks on {}{traits}", service.id, service.desired, service.strategy));
    }
    for fault in numbers().filter(|fault| (fault.get)(&plan.facts) > 0) {
        lines.push(format!("{}: {} {}", fault.name, (fault.get)(&plan.facts), fault.unit));
    }
    for TimedEvent { at, event } in &plan.world.events {
        lines.push(format!("{}  {}", crate::verdict::seconds(*at), happening(event)));
    }
    lines.push(format!("{}  everything is mended", crate::verdict::seconds(plan.chaos)));
    lines.iter().map(|line| format!("  {line}\n")).collect()
}

/// An event in the words of the trace.
fn happening(event: &WorldEvent) -> String {
    let of = |service: &ServiceId, what: String| format!("{service}: {what}");
    match event.clone() {
        WorldEvent::Spot { accounts, capacity, loss } => {
            Happening::SpotCapacity { accounts, capacity, loss }.to_string()
        }
        WorldEvent::SpotShape { accounts, shape } => Happening::SpotShape { accounts, shape }.to_string(),
        WorldEvent::SpotRebalance { accounts, tasks } => Happening::SpotRebalance { accounts, tasks }.to_string(),
        WorldEvent::OnDemand { accounts, capacity } => Happening::OnDemandCapacity { accounts, capacity }.to_string(),
        WorldEvent::Role { accounts, role } => Happening::RoleChanged { accounts, role }.to_string(),
        WorldEvent::Forwarding { accounts, forwarding } => {
            Happening::ForwardingChanged { accounts, forwarding }.to_string()
        }
        WorldEvent::BusPolicy(policy) => Happening::BusPolicyChanged { policy }.to_string(),
        WorldEvent::Membership { accounts, member } => Happening::MembershipChanged { accounts, member }.to_string(),
        WorldEvent::QueueAccess { queue, access } => format!("queue {queue:?}: {access:?}"),
        WorldEvent::Redrive { queue } => format!("queue {queue:?}: its DLQ is redriven"),
        WorldEvent::Function { function, state } => format!("function {function:?}: {state:?}"),
        WorldEvent::PutEvents { from, source, detail_type, resources, .. } => {
            let put = Happening::EventPut { account: from, source, detail_type };
            format!("{put}, {}", resources.join(", "))
        }
        WorldEvent::Pause { paused } => Happening::Paused { paused }.to_string(),
        WorldEvent::Calm => Happening::Calm.to_string(),
        WorldEvent::Interrupt { service, tasks } => of(&service, format!("{tasks} Spot tasks are interrupted")),
        WorldEvent::OptOut { service, off: true } => of(&service, "owner tags it spot-recovery=off".into()),
        WorldEvent::OptOut { service, off: false } => of(&service, "owner takes spot-recovery=off away".into()),
        WorldEvent::Controller { service, controller } => of(&service, format!("owner changes it to {controller:?}")),
        WorldEvent::Deploy { service } => of(&service, "owner deploys".into()),
        WorldEvent::RollBack { service } => of(&service, "owner rolls the deployment back".into()),
        WorldEvent::Alarm { service } => of(&service, "its deployment alarm goes off".into()),
        WorldEvent::DeleteService { service } => of(&service, "owner deletes it".into()),
        WorldEvent::CreateService { service } => of(&service, "owner creates it anew".into()),
        WorldEvent::Application { service, fails: true } => of(&service, "its application fails".into()),
        WorldEvent::Application { service, fails: false } => of(&service, "its application runs well".into()),
        WorldEvent::CrashLoop { service, crashes: true } => {
            of(&service, "its application crashes soon after it runs".into())
        }
        WorldEvent::CrashLoop { service, crashes: false } => of(&service, "its application runs well".into()),
        WorldEvent::Protect { service, tasks, .. } => of(&service, format!("{tasks} tasks are protected")),
        WorldEvent::SpotZone { accounts, zone, short, loss } => {
            Happening::SpotZone { accounts, zone, short, loss }.to_string()
        }
        WorldEvent::RebalancingFailure { service } => of(&service, "AZ rebalancing cannot place a task".into()),
        WorldEvent::UpdateService { service, strategy, desired } => {
            let strategy = strategy.map(|strategy| strategy.to_string());
            let desired = desired.map(|desired| format!("desired {desired}"));
            let changes: Vec<String> = strategy.into_iter().chain(desired).collect();
            of(&service, format!("owner updates it: {}", changes.join(", ")))
        }
    }
}
