//! What a scenario makes happen: each of its events, done to the part that it is about.

use handlers::event::SYNTHETIC_SOURCE;
use handlers::service::AccountId;
use handlers::strategy::CapacityProvider;

use crate::ecs::api::UpdateService;
use crate::ecs::service::Application;
use crate::observers::trace::{Caller, Happening};
use crate::spec::{Capacity, Loss, WorldEvent};
use crate::workload::owner;
use crate::world::World;

impl World {
    pub(crate) fn happen(&mut self, event: WorldEvent) {
        match event {
            WorldEvent::Role { accounts, role } => {
                self.roles.extend(accounts.iter().map(|account| (account.clone(), role)));
                self.record(None, Happening::RoleChanged { accounts, role });
            }
            WorldEvent::Pause { paused } => {
                self.spec.policy.paused = paused;
                self.record(None, Happening::Paused { paused });
            }
            WorldEvent::Calm => {
                self.facts.calm();
                self.record(None, Happening::Calm);
            }
            WorldEvent::Forwarding { accounts, forwarding } => {
                self.on_bus(|bus, env| bus.set_forwarding(env, accounts, forwarding))
            }
            WorldEvent::BusPolicy(policy) => self.on_bus(|bus, env| bus.set_bus_policy(env, policy)),
            WorldEvent::Membership { accounts, member } => {
                self.on_bus(|bus, env| bus.set_membership(env, accounts, member))
            }
            WorldEvent::QueueAccess { queue, access } => {
                self.on_bus(|bus, env| bus.set_queue_access(env, queue, access))
            }
            WorldEvent::Redrive { queue } => {
                let (lambda, mut env) = self.lambda();
                lambda.redrive(&mut env, queue);
            }
            WorldEvent::Function { function, state } => {
                let (lambda, mut env) = self.lambda();
                lambda.set_function(&mut env, function, state);
            }
            WorldEvent::Alarm { service } => self.on_ecs(|ecs, env| ecs.alarm(env, &service)),
            WorldEvent::RollBack { service } => self.on_ecs(|ecs, env| owner::roll_back(ecs, env, &service)),
            WorldEvent::OptOut { service, off } => self.on_ecs(|ecs, env| owner::opt_out(ecs, env, &service, off)),
            WorldEvent::Controller { service, controller } => {
                self.on_ecs(|ecs, env| owner::change_controller(ecs, env, &service, controller));
            }
            WorldEvent::Deploy { service } => {
                if let Some(updated) = self.on_ecs(|ecs, env| owner::deploy(ecs, env, &service)) {
                    self.note_update(Caller::Owner, updated);
                }
            }
            WorldEvent::DeleteService { service } => self.on_ecs(|ecs, env| owner::delete(ecs, env, &service)),
            WorldEvent::CreateService { service } => {
                if let Some(strategy) = self.on_ecs(|ecs, env| owner::create_anew(ecs, env, &service)) {
                    self.declare(&service, &strategy);
                }
            }
            WorldEvent::Application { service, fails } => {
                let application = if fails { Application::FailsToStart } else { Application::Sound };
                self.on_ecs(|ecs, env| owner::change_application(ecs, env, &service, application));
            }
            WorldEvent::CrashLoop { service, crashes } => {
                let application = if crashes { Application::Crashes } else { Application::Sound };
                self.on_ecs(|ecs, env| owner::change_application(ecs, env, &service, application));
            }
            WorldEvent::Protect { service, tasks, time } => {
                self.on_ecs(|ecs, env| owner::protect(ecs, env, &service, tasks, time));
            }
            WorldEvent::SpotZone { accounts, zone, short, loss } => {
                self.on_ecs(|ecs, env| ecs.set_spot_zone(env, accounts, zone, short, loss));
            }
            WorldEvent::RebalancingFailure { service } => {
                // A service that is short is not rebalanced.
                if let Some(key) = self.names.service(&service).filter(|key| !self.ecs.shown(*key).is_short()) {
                    self.on_ecs(|ecs, env| ecs.rebalancing_failed(env, key, &CapacityProvider::FargateSpot));
                }
            }
            WorldEvent::Spot { accounts, capacity, loss } => self.set_spot(&accounts, capacity, loss),
            WorldEvent::SpotShape { accounts, shape } => {
                let (ecs, mut env, workload) = self.workload();
                workload.begin_shape(ecs, &mut env, accounts, shape);
            }
            WorldEvent::SpotRebalance { accounts, tasks } => {
                self.on_ecs(|ecs, env| ecs.rebalance_spot(env, &accounts, tasks));
            }
            WorldEvent::OnDemand { accounts, capacity } => {
                self.on_ecs(|ecs, env| ecs.set_on_demand(env, &accounts, capacity));
            }
            WorldEvent::Interrupt { service, tasks } => {
                if let Some(key) = self.names.service(&service) {
                    self.on_ecs(|ecs, env| ecs.interrupt(env, key, tasks));
                }
            }
            WorldEvent::PutEvents { from, source, detail_type, resources, detail } => {
                let put =
                    self.on_bus(|bus, env| bus.put_events(env, &from, &source, &detail_type, &resources, &detail));
                if put && source == SYNTHETIC_SOURCE {
                    for (service, ledger) in self.ecs.services.iter().zip(&mut self.seen.ledgers) {
                        if resources.contains(&service.id.arn()) {
                            ledger.loss(self.now);
                        }
                    }
                }
            }
            WorldEvent::UpdateService { service, strategy, desired } => {
                let update = UpdateService {
                    force_new_deployment: strategy.is_some(),
                    strategy: strategy.map(Into::into),
                    desired,
                };
                // A refusal is in the trace; the owner of a scenario has no one else to tell.
                let _ = self.update_service(Caller::Owner, &service, &update);
            }
        }
    }

    /// A change of the Spot market, which ends the shape it had.
    pub(crate) fn set_spot(&mut self, accounts: &[AccountId], capacity: Capacity, loss: Loss) {
        self.workload.end_shapes(accounts);
        self.on_ecs(|ecs, env| ecs.move_spot(env, accounts, capacity, loss));
    }
}
