//! Tasks: `DescribeTasks`, `ListTasks`, `StopTask`. A task that is STOPPED is gone at once; AWS shows it for an hour more.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Refusal, extend};
use super::caller::Caller;
use super::endpoint::Endpoint;
use super::input::{Page, required};
use super::name::service_not_found;
use super::resource::ClusterKey;
use crate::ecs::task::Stop;
use crate::ecs::zones::zone_name;
use crate::ids::{ServiceKey, TaskKey};

#[derive(Debug, Deserialize)]
pub(super) struct DescribeTasks {
    cluster: Option<String>,
    tasks: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListTasks {
    cluster: Option<String>,
    container_instance: Option<String>,
    desired_status: Option<String>,
    family: Option<String>,
    launch_type: Option<String>,
    service_name: Option<String>,
    started_by: Option<String>,
    #[serde(flatten)]
    page: Page,
}

#[derive(Debug, Deserialize)]
pub(super) struct StopTask {
    cluster: Option<String>,
    task: Option<String>,
    reason: Option<String>,
}

impl Endpoint<'_> {
    pub(super) fn describe_tasks(&mut self, caller: &Caller, input: DescribeTasks) -> Answer {
        let names = required(input.tasks, "tasks")?;
        if !(1..=100).contains(&names.len()) {
            return Err(Refusal::invalid("tasks must have 1 to 100 items."));
        }
        let cluster = self.cluster(caller, input.cluster.as_deref())?;
        let (mut tasks, mut failures) = (Vec::new(), Vec::new());
        for name in names {
            match self.find_task(caller, &cluster, &name)? {
                Some((service, task)) => tasks.push(self.show_task(service, task)),
                None => {
                    let arn = caller.arn_of("task", &format!("{}/{}", cluster.2, last_part(&name)));
                    failures.push(json!({ "arn": arn, "reason": "MISSING" }));
                }
            }
        }
        Ok(json!({ "tasks": tasks, "failures": failures }))
    }

    pub(super) fn list_tasks(&mut self, caller: &Caller, input: ListTasks) -> Answer {
        let cluster = self.cluster(caller, input.cluster.as_deref())?;
        let service = match &input.service_name {
            None => None,
            Some(name) => Some(self.service_in(caller, &cluster, name)?.ok_or_else(service_not_found)?),
        };
        // A task on its way to STOPPED is wanted STOPPED; PENDING lists none, as ECS never wants that of a task.
        let stopped = match input.desired_status.as_deref() {
            None | Some("RUNNING") => Some(false),
            Some("STOPPED") => Some(true),
            Some(_) => None,
        };
        let tasks = self.tasks_of_cluster(&cluster).filter(|(key, task)| {
            let state = &self.world.ecs.service(*key).tasks[task];
            let family = input.family.as_deref().is_none_or(|family| self.family_of(*key) == Some(family));
            service.is_none_or(|service| service == *key)
                && stopped == Some(state.stop.is_some())
                && input.container_instance.is_none()
                && input.launch_type.as_deref().is_none_or(|wanted| wanted == "FARGATE")
                && input.started_by.as_ref().is_none_or(|by| state.deployment.to_string() == *by)
                && family
        });
        let arns = tasks.map(|(key, task)| self.task_arn(key, task)).collect();
        input.page.of("taskArns", 100, arns)
    }

    pub(super) fn stop_task_of_caller(&mut self, caller: &Caller, input: StopTask) -> Answer {
        let name = required(input.task, "task")?;
        let cluster = self.cluster(caller, input.cluster.as_deref())?;
        let found = self.find_task(caller, &cluster, &name)?;
        let (key, task) = found.ok_or_else(|| Refusal::invalid("The referenced task was not found."))?;
        let reason = input.reason.unwrap_or_else(|| "Task stopped by user".to_owned());
        let drain = self.world.dice.ecs.within(self.world.facts.scheduler_stop);
        self.world
            .on_ecs(|ecs, env| ecs.stop_task(env, key, task, Stop { code: Some("UserInitiated"), reason }, drain));
        self.world.ecs.service_mut(key).steady = false;
        self.world.on_ecs(|ecs, env| ecs.schedule(env, key));
        Ok(json!({ "task": self.show_task(key, task) }))
    }

    fn tasks_of_cluster<'a>(&'a self, cluster: &'a ClusterKey) -> impl Iterator<Item = (ServiceKey, TaskKey)> + 'a {
        let services = self.services_of(cluster).filter_map(|service| self.world.names.service(&service.id));
        services.flat_map(|key| self.world.ecs.service(key).tasks.keys().map(move |task| (key, *task)))
    }

    fn find_task(
        &self,
        caller: &Caller,
        cluster: &ClusterKey,
        name: &str,
    ) -> Result<Option<(ServiceKey, TaskKey)>, Refusal> {
        caller.own_arn("task", name)?;
        let id = last_part(name);
        Ok(self
            .tasks_of_cluster(cluster)
            .find(|(key, task)| self.world.ecs.service(*key).tasks[task].id.to_string() == id))
    }

    fn task_arn(&self, key: ServiceKey, task: TaskKey) -> String {
        let service = self.world.ecs.service(key);
        service.tasks[&task].arn(&service.id)
    }

    fn family_of(&self, key: ServiceKey) -> Option<&str> {
        let arn = &self.state.services.get(&key)?.task_definition;
        arn.rsplit_once('/')?.1.split(':').next()
    }

    fn show_task(&self, key: ServiceKey, task: TaskKey) -> Value {
        let service = self.world.ecs.service(key);
        let state = &service.tasks[&task];
        let definition = self
            .state
            .services
            .get(&key)
            .map(|details| details.replaced.get(&state.deployment).unwrap_or(&details.task_definition).as_str());
        let mut shown = Map::new();
        extend(
            &mut shown,
            json!({
                "taskArn": self.task_arn(key, task),
                "clusterArn": service.id.cluster_arn(),
                "taskDefinitionArn": definition.unwrap_or_default(),
                "group": format!("service:{}", service.id.service),
                "startedBy": state.deployment.to_string(),
                "availabilityZone": zone_name(&service.id.region, state.zone),
                "launchType": "FARGATE",
                "platformVersion": "1.4.0",
                "platformFamily": "Linux",
                "cpu": service.cpu.to_string(),
                "lastStatus": state.status.name(),
                "desiredStatus": if state.stop.is_some() { "STOPPED" } else { "RUNNING" },
                "version": state.version,
                "createdAt": self.seconds(state.created_at),
                "attachments": [],
                "containers": [],
                "tags": [],
            }),
        );
        // A bare launch type names no provider (aws-facts.md §2.3).
        if !service.deployments.iter().any(|d| d.launch_type && d.id == state.deployment) {
            extend(&mut shown, json!({ "capacityProviderName": state.provider }));
        }
        if let Some(since) = state.running_since {
            extend(&mut shown, json!({ "startedAt": self.seconds(since) }));
        }
        if let Some(stop) = &state.stop {
            extend(&mut shown, stop.code.map_or(Value::Null, |code| json!({ "stopCode": code })));
            extend(&mut shown, json!({ "stoppedReason": stop.reason }));
        }
        shown.into()
    }
}

/// The id of a task, of whatever length its ARN is.
fn last_part(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}
