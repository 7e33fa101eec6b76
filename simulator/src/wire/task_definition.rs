//! `RegisterTaskDefinition` and `DescribeTaskDefinition`. Of a task definition the model needs the size of a task; the rest is
//! kept and shown as it was registered.

use handlers::service::ServiceId;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Refusal};
use super::caller::Caller;
use super::endpoint::Endpoint;
use super::input::required;
use super::resource::{Tag, show_tags, task_definition_arn};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RegisterTaskDefinition {
    family: Option<String>,
    container_definitions: Option<Vec<Map<String, Value>>>,
    requires_compatibilities: Option<Vec<String>>,
    cpu: Option<String>,
    memory: Option<String>,
    tags: Option<Vec<Tag>>,
    /// Everything else it says.
    #[serde(flatten)]
    more: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeTaskDefinition {
    task_definition: Option<String>,
    include: Option<Vec<String>>,
}

impl Endpoint<'_> {
    pub(super) fn register_task_definition(&mut self, caller: &Caller, input: RegisterTaskDefinition) -> Answer {
        let family = required(input.family, "family")?;
        let valid = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if !(1..=255).contains(&family.len()) || !family.bytes().all(valid) {
            return Err(client("Invalid family: up to 255 letters, numbers, hyphens and underscores are allowed."));
        }
        let containers = input.container_definitions.unwrap_or_default();
        if containers.is_empty() {
            return Err(client("Container list cannot be empty."));
        }
        let compatibilities = input.requires_compatibilities.unwrap_or_default();
        if compatibilities.iter().any(|name| name == "FARGATE") {
            for (value, name) in [(&input.cpu, "cpu"), (&input.memory, "memory")] {
                if value.is_none() {
                    return Err(client(&format!("Fargate requires that '{name}' be defined at the task level.")));
                }
            }
        }
        if input.cpu.as_deref().is_some_and(|cpu| cpu_units(cpu).is_none()) {
            return Err(client("Invalid 'cpu' setting for task."));
        }
        let key = (caller.account.clone(), caller.region.clone(), family);
        let revision = self.state.task_definitions.get(&key).map_or(0, Vec::len) + 1;
        let arn = task_definition_arn(&key, revision);
        self.set_tags(&arn, input.tags.unwrap_or_default())?;
        let mut definition = input.more;
        let known = json!({
            "taskDefinitionArn": arn,
            "family": key.2,
            "revision": revision,
            "status": "ACTIVE",
            "containerDefinitions": containers,
            "requiresCompatibilities": compatibilities,
            "compatibilities": ["EC2", "FARGATE"],
            "registeredAt": self.seconds(self.world.now),
            "registeredBy": caller.arn(),
        });
        definition.extend(known.as_object().cloned().unwrap_or_default());
        definition.extend(input.cpu.map(|cpu| ("cpu".to_owned(), cpu.into())));
        definition.extend(input.memory.map(|memory| ("memory".to_owned(), memory.into())));
        self.state.task_definitions.entry(key).or_default().push(definition.clone());
        Ok(json!({ "taskDefinition": definition, "tags": show_tags(self.state.tags.get(&arn)) }))
    }

    pub(super) fn describe_task_definition(&mut self, caller: &Caller, input: DescribeTaskDefinition) -> Answer {
        let name = required(input.task_definition, "taskDefinition")?;
        let definition = self.find_task_definition(caller, &name)?;
        let mut answer = json!({ "taskDefinition": definition });
        if input.include.is_some_and(|include| include.iter().any(|what| what == "TAGS")) {
            let arn = definition["taskDefinitionArn"].as_str().unwrap_or_default();
            answer["tags"] = show_tags(self.state.tags.get(arn)).into();
        }
        Ok(answer)
    }
}

/// What the task definition of a service of the world's spec says: it is known by its size alone.
pub(super) fn of_service(id: &ServiceId, cpu: u32, registered_at: f64) -> Map<String, Value> {
    let key = (id.account.clone(), id.region.clone(), id.service.to_string());
    let definition = json!({
        "taskDefinitionArn": task_definition_arn(&key, 1),
        "family": id.service,
        "revision": 1,
        "status": "ACTIVE",
        "containerDefinitions": [{ "name": id.service, "image": "scratch", "essential": true }],
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "compatibilities": ["EC2", "FARGATE"],
        "cpu": cpu.to_string(),
        "memory": (cpu * 2).to_string(),
        "registeredAt": registered_at,
    });
    definition.as_object().cloned().unwrap_or_default()
}

/// `256`, or `.25 vCPU`.
pub(super) fn cpu_units(text: &str) -> Option<u32> {
    match text.to_ascii_lowercase().strip_suffix("vcpu") {
        Some(vcpu) => {
            vcpu.trim().parse::<f64>().ok().filter(|vcpu| (0.0..=1024.0).contains(vcpu)).map(|v| (v * 1024.0) as u32)
        }
        None => text.parse().ok(),
    }
}

fn client(message: &str) -> Refusal {
    Refusal::new("ClientException", message)
}
