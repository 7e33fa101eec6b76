//! What `UpdateService` accepts, refuses and does, each with its row of aws-facts.md.

use std::time::Duration;

use handlers::observation::Controller;
use handlers::service::ServiceId;
use handlers::strategy::{CapacityProvider, StrategyItem};

use crate::ecs::api::{ApiError, UpdateService, fargate_alone};
use crate::ecs::describe::observe;
use crate::observers::trace::{Caller, Happening};
use crate::spec::{BLUE_GREEN, Capacity, Loss, WorldEvent};
use crate::testing::{Fargate, FargateSpot, OneService, items, mixed, on_demand, spot, strategy};

const MUST_FORCE: &str = "When switching from launch type to capacity provider strategy on an existing service, or making a change to a capacity provider strategy on a service that is already using one, you must force a new deployment.";
const NOT_ASSOCIATED: &str = "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster. Associate the capacity provider with the cluster or specify a valid capacity provider and try again.";

fn mins(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

fn change(strategy: Vec<StrategyItem>, force_new_deployment: bool) -> UpdateService {
    UpdateService { strategy: Some(strategy), desired: None, force_new_deployment }
}

fn asg(name: &str) -> CapacityProvider {
    CapacityProvider::Other(name.into())
}

/// Sends the update, expects a refusal and that everything about the service is as before, now and later.
fn refused(bench: &mut OneService, update: &UpdateService) -> ApiError {
    let before = format!("{:?}", bench.service());
    let error = bench.update(update).expect_err("a refusal");
    assert_eq!(format!("{:?}", bench.service()), before, "a refused call changes nothing");
    bench.run(mins(5));
    assert_eq!(format!("{:?}", bench.service()), before, "nor does it later");
    let told = bench.times(|h| matches!(h, Happening::UpdateRefused { caller: Caller::Owner, .. }));
    assert!(!told.is_empty(), "the trace shows it");
    error
}

// ---- Force (aws-facts.md §1.1) --------------------------------------------------------------------------------------

#[test]
fn a_change_of_strategy_without_force_is_refused_and_changes_nothing() {
    for strategy in [on_demand(), spot(), mixed().fallback()] {
        let mut bench = OneService::new(4, &mixed());
        // The desired count that came along is not applied either.
        let update = UpdateService { desired: Some(9), ..change(strategy.items().to_vec(), false) };
        let error = refused(&mut bench, &update);
        assert_eq!(error, ApiError { code: "InvalidParameterException", message: MUST_FORCE.into() });
    }
}

#[test]
fn the_same_strategy_without_force_is_accepted_and_does_nothing() {
    let mut bench = OneService::new(4, &mixed());
    let before = format!("{:?}", bench.service());
    bench.update(&change(mixed().items().to_vec(), false)).expect("accepted");
    // The same items in another order say the same.
    bench.update(&change(items(&[(FargateSpot, 0, 3), (Fargate, 1, 1)]), false)).expect("accepted");
    bench.run(mins(10));
    assert_eq!(format!("{:?}", bench.service()), before);
}

#[test]
fn the_same_strategy_with_force_begins_a_deployment_that_replaces_every_task() {
    let mut bench = OneService::new(4, &mixed());
    let old = bench.service().primary().id;
    bench.switch(&mixed());
    let service = bench.service();
    assert_eq!(service.deployments.len(), 2);
    assert_ne!(service.primary().id, old);
    assert!(!service.primary().completed);
    assert_eq!(service.primary().strategy, mixed());
    bench.run(mins(10));
    assert!(bench.is_completed());
    assert!(bench.wanted().all(|t| t.deployment != old));
    assert_eq!(bench.counts(), (2, 2));
}

#[test]
fn force_alone_begins_a_deployment_on_the_live_strategy() {
    let mut bench = OneService::new(4, &mixed());
    bench.force();
    assert_eq!(bench.service().deployments.len(), 2);
    assert_eq!(bench.service().primary().strategy, mixed());
}

#[test]
fn a_round_trip_gives_the_original_strategy_back_item_by_item() {
    let original = strategy(&[(FargateSpot, 0, 7), (Fargate, 2, 3)]);
    let mut bench = OneService::new(4, &original);
    bench.switch(&original.fallback());
    assert_eq!(bench.service().strategy.items(), original.fallback().items(), "visible right after the answer");
    bench.run(mins(10));
    bench.switch(&original);
    assert_eq!(bench.service().strategy.items(), original.items());
    bench.run(mins(10));
    assert_eq!(bench.service().primary().strategy.items(), original.items());
}

// ---- Validation (aws-facts.md §1.3, §1.4) ---------------------------------------------------------------------------

#[test]
fn every_rule_that_users_have_quoted_is_refused_in_the_words_of_aws() {
    let two_bases =
        "There are multiple capacity providers in the specified capacity provider strategy with a base value defined";
    let no_weight =
        "There are no capacity providers in the capacity provider strategy with a weight value greater than zero";
    let mixture = "A capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling groups and Fargate providers. Specify one or the other and try again.";
    let no_launch_type = "No launch type to fall back to for empty capacity provider strategy. Your service was not created with a launch type.";
    for (items, message) in [
        (items(&[(Fargate, 1, 1), (FargateSpot, 1, 1)]), two_bases),
        (items(&[(Fargate, 0, 0), (FargateSpot, 0, 0)]), no_weight),
        (items(&[(Fargate, 3, 0)]), no_weight),
        (items(&[(Fargate, 0, 1), (asg("asg"), 0, 1)]), mixture),
        (items(&[(asg("asg"), 0, 1)]), NOT_ASSOCIATED),
        (Vec::new(), no_launch_type),
    ] {
        let mut bench = OneService::new(3, &mixed());
        let error = refused(&mut bench, &change(items, true));
        assert_eq!(error, ApiError { code: "InvalidParameterException", message: message.into() });
    }
}

#[test]
fn every_limit_of_a_strategy_is_refused_with_the_code_of_aws() {
    let names: Vec<String> = (0..21).map(|n| format!("asg-{n}")).collect();
    for items in [
        items(&[(Fargate, 0, 1001)]),
        items(&[(Fargate, 100_001, 1)]),
        items(&[(asg(""), 0, 1)]),
        names.iter().map(|name| StrategyItem { capacity_provider: asg(name), weight: 1, base: 0 }).collect(),
    ] {
        let mut bench = OneService::new(3, &mixed());
        assert_eq!(refused(&mut bench, &change(items, true)).code, "InvalidParameterException");
    }
    let mut bench = OneService::new(3, &mixed());
    bench.switch(&strategy(&[(Fargate, 100_000, 1000), (FargateSpot, 0, 1000)]));
}

#[test]
fn an_empty_list_without_force_gets_the_answer_of_any_other_change() {
    let mut bench = OneService::new(3, &mixed());
    assert_eq!(refused(&mut bench, &change(Vec::new(), false)).message, MUST_FORCE);
}

#[test]
fn a_provider_not_associated_with_the_cluster_is_refused() {
    let mut bench = OneService::new(3, &spot());
    bench.service_mut().associated = vec![FargateSpot];
    let error = refused(&mut bench, &change(spot().fallback().items().to_vec(), true));
    assert_eq!(error, ApiError { code: "InvalidParameterException", message: NOT_ASSOCIATED.into() });
}

#[test]
fn an_unknown_service_is_not_found() {
    let mut bench = OneService::new(3, &mixed());
    let unknown = ServiceId { service: "cart".parse().expect("a name"), ..bench.service().id.clone() };
    let error = bench.world.update_service(Caller::Owner, &unknown, &UpdateService::default()).expect_err("unknown");
    assert_eq!(error.code, "ServiceNotFoundException");
}

// ---- What a change does (aws-facts.md §1.2, §1.6) -------------------------------------------------------------------

#[test]
fn omitted_parameters_keep_their_values() {
    let mut bench = OneService::with_bounds(4, &mixed(), 50, 150);
    bench.switch(&on_demand());
    assert_eq!(bench.service().desired, 4);
    bench.scale(6);
    let service = bench.service();
    assert_eq!(service.strategy, on_demand());
    assert_eq!((service.minimum_healthy_percent, service.maximum_percent), (50, 150));
    bench.run(mins(10));
    assert_eq!(bench.running(), 6);
}

#[test]
fn a_desired_count_is_applied_without_a_deployment() {
    let mut bench = OneService::new(4, &mixed());
    let deployment = bench.service().primary().id;
    bench.scale(6);
    bench.run(mins(3));
    assert_eq!((bench.service().desired, bench.running()), (6, 6));
    assert_eq!(bench.service().deployments.len(), 1);
    assert_eq!(bench.service().primary().id, deployment);
}

#[test]
fn a_desired_count_in_the_same_call_is_applied_first_under_the_old_strategy() {
    let mut bench = OneService::new(2, &spot());
    let update = UpdateService { desired: Some(5), ..change(on_demand().items().to_vec(), true) };
    bench.update(&update).expect("accepted");
    assert_eq!(bench.wanted_on(&FargateSpot), 5, "new tasks start on the old provider too");
    bench.run(mins(10));
    assert_eq!(bench.counts(), (5, 0));
}

#[test]
fn an_update_during_a_deployment_is_accepted_and_supersedes_it() {
    let mut bench = OneService::new(4, &mixed());
    bench.switch(&on_demand());
    bench.run(Duration::from_secs(45));
    let superseded = bench.service().primary().id;
    assert!(!bench.is_completed());
    bench.switch(&spot());
    assert_eq!(bench.service().deployments.len(), 3);
    assert_eq!(bench.service().primary().strategy, spot());
    bench.run_watched(mins(10), |b| assert!(b.healthy() >= 4, "the bounds hold over all deployments"));
    assert!(bench.is_completed());
    assert_eq!(bench.service().deployments.len(), 1);
    assert_eq!(bench.counts(), (0, 4));
    assert!(bench.wanted().all(|t| t.deployment != superseded));
    let completed = bench.times(|h| matches!(h, Happening::DeploymentCompleted { .. }));
    assert_eq!(completed.len(), 1, "the superseded one never completes");
}

#[test]
fn a_deployment_stuck_for_want_of_capacity_is_superseded_like_any_other() {
    let mut bench = OneService::new(4, &on_demand());
    bench.set_spot(Capacity::Tasks(0), Loss::Interrupt);
    bench.switch(&spot());
    bench.run(mins(60));
    assert!(!bench.is_completed());
    bench.switch(&on_demand());
    bench.run_watched(mins(10), |b| assert!(b.healthy() >= 4));
    assert!(bench.is_completed());
    assert_eq!(bench.counts(), (4, 0));
}

#[test]
fn a_deployment_id_has_the_shape_of_ecs_and_is_never_used_twice() {
    let mut bench = OneService::new(0, &mixed());
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..20 {
        bench.force();
        let id = bench.service().primary().id;
        let text = id.to_string();
        let digits = text.strip_prefix("ecs-svc/").expect("its prefix");
        assert!(digits.len() == 19 && digits.bytes().all(|b| b.is_ascii_digit()), "{id}");
        assert!(ids.insert(id.to_string()));
    }
}

// ---- Launch types (aws-facts.md §1.1, §1.3) -------------------------------------------------------------------------

fn on_launch_type() -> OneService {
    OneService::of(3, &fargate_alone(), |spec| spec.launch_type = true)
}

#[test]
fn a_service_on_a_launch_type_shows_no_strategy_and_its_tasks_name_no_provider() {
    let mut bench = on_launch_type();
    bench.forward_everything();
    bench.scale(4);
    bench.run(mins(3));
    let seen = observe(bench.service());
    assert_eq!((seen.strategy, seen.deployments[0].strategy.as_ref(), seen.running), (None, None, 4));
    let task = bench.events.iter().find(|e| e["detail"]["lastStatus"] == "RUNNING").expect("an event");
    assert!(task["detail"]["capacityProviderName"].is_null());
    assert_eq!(task["detail"]["launchType"], "FARGATE");
}

#[test]
fn going_from_a_launch_type_to_a_strategy_must_be_forced_even_on_the_same_provider() {
    for strategy in [fargate_alone(), spot()] {
        let mut bench = on_launch_type();
        assert_eq!(refused(&mut bench, &change(strategy.items().to_vec(), false)).message, MUST_FORCE);
        bench.switch(&strategy);
        bench.run(mins(10));
        assert!(bench.is_completed());
        assert_eq!(observe(bench.service()).strategy, Some(strategy));
    }
}

#[test]
fn an_empty_list_with_force_brings_a_service_back_to_the_launch_type_it_was_created_with() {
    let mut bench = on_launch_type();
    bench.switch(&spot());
    bench.run(mins(10));
    assert_eq!(refused(&mut bench, &change(Vec::new(), false)).message, MUST_FORCE);
    bench.update(&change(Vec::new(), true)).expect("accepted");
    bench.run(mins(10));
    assert_eq!((observe(bench.service()).strategy, bench.counts()), (None, (3, 0)));
}

#[test]
fn a_rollback_brings_a_launch_type_back() {
    let mut bench = on_launch_type();
    bench.service_mut().circuit_breaker = true;
    bench.set_spot(Capacity::Tasks(0), Loss::Interrupt);
    bench.switch(&spot());
    bench.run(mins(20));
    assert_eq!((observe(bench.service()).strategy, bench.counts()), (None, (3, 0)));
}

// ---- Other deployment controllers (aws-facts.md §1.5) ---------------------------------------------------------------

#[test]
fn code_deploy_and_external_services_take_a_desired_count_and_nothing_about_placement() {
    for (controller, forced) in [
        (
            "CODE_DEPLOY",
            "Cannot force a new deployment on services with a CODE_DEPLOY deployment controller. Use AWS CodeDeploy to trigger a new deployment.",
        ),
        ("EXTERNAL", "This operation is not supported for the service's deployment controller."),
    ] {
        let mut bench = OneService::of(3, &spot(), |spec| spec.controller = Controller::Other(controller.into()));
        let force = UpdateService { force_new_deployment: true, ..UpdateService::default() };
        assert_eq!(refused(&mut bench, &force).message, forced);
        assert_eq!(refused(&mut bench, &change(on_demand().items().to_vec(), true)).message, forced);
        assert_eq!(refused(&mut bench, &change(on_demand().items().to_vec(), false)).code, "InvalidParameterException");
        bench.scale(5);
        bench.run(mins(3));
        assert_eq!(bench.running(), 5);
    }
}

#[test]
fn a_change_of_the_controller_deploys_nothing_and_counts_from_the_next_deployment() {
    let mut bench = OneService::new(3, &spot());
    let (id, deployments) = (bench.service().id.clone(), bench.service().deployments.len());
    bench.world.happen(WorldEvent::Controller { service: id, controller: Controller::Other("EXTERNAL".into()) });
    bench.run(mins(5));
    assert_eq!((bench.counts(), bench.service().deployments.len()), ((0, 3), deployments));
    assert_eq!(bench.times(|h| matches!(h, Happening::Owner { .. })).len(), 1, "it is an act of the owner");
    let update = change(on_demand().items().to_vec(), true);
    assert_eq!(
        refused(&mut bench, &update).message,
        "This operation is not supported for the service's deployment controller."
    );
}

#[test]
fn a_change_of_the_controller_during_a_deployment_is_refused() {
    let mut bench = OneService::new(3, &spot());
    let service = bench.service().id.clone();
    let event = WorldEvent::Controller { service, controller: Controller::Other(BLUE_GREEN.into()) };
    bench.switch(&on_demand());
    bench.run(Duration::from_secs(5));
    bench.world.happen(event.clone());
    assert_eq!(bench.service().controller, Controller::Rolling);
    assert_eq!(bench.times(|h| matches!(h, Happening::UpdateRefused { caller: Caller::Owner, .. })).len(), 1);
    bench.run(mins(10));
    assert!(bench.is_completed());
    bench.world.happen(event);
    assert!(bench.service().is_blue_green());
}

#[test]
fn a_blue_green_deployment_doubles_the_tasks_and_keeps_the_old_ones_until_it_has_baked() {
    let mut bench = OneService::of(4, &spot(), |spec| {
        spec.controller = Controller::Other(BLUE_GREEN.into());
        spec.maximum_percent = 100;
        spec.minimum_healthy_percent = 0;
    });
    let bake = bench.world.facts.bake_time;
    bench.switch(&on_demand());
    bench.run(Duration::ZERO);
    assert_eq!(bench.counts(), (4, 4), "the percentages do not count here");
    let mut healthy_at = None;
    bench.run_watched(mins(20), |b| {
        if b.healthy() == 8 {
            healthy_at.get_or_insert(b.world.now);
        }
        let baked = healthy_at.is_some_and(|at| b.since(at) >= bake);
        assert!(baked || b.wanted_on(&FargateSpot) == 4, "the old ones stay until then");
    });
    assert!(bench.is_completed());
    assert_eq!(bench.counts(), (4, 0));
}
