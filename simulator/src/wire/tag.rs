//! Tags of clusters, services and task definitions.

use handlers::observation::OPT_OUT;
use handlers::service::EcsArn;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal};
use super::caller::Caller;
use super::endpoint::Endpoint;
use super::input::required;
use super::resource::{Tag, show_tags};
use crate::ids::ServiceKey;
use crate::spec::WorldEvent;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TagResource {
    resource_arn: Option<String>,
    tags: Option<Vec<Tag>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UntagResource {
    resource_arn: Option<String>,
    tag_keys: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListTagsForResource {
    resource_arn: Option<String>,
}

/// Tags that one resource may have.
const MOST: usize = 50;

impl Endpoint<'_> {
    pub(super) fn tag_resource(&mut self, caller: &Caller, input: TagResource) -> Answer {
        let arn = required(input.resource_arn, "resourceArn")?;
        let service = self.taggable(caller, &arn)?;
        self.set_tags(&arn, required(input.tags, "tags")?)?;
        self.follow_opt_out(service, &arn);
        Ok(json!({}))
    }

    pub(super) fn untag_resource(&mut self, caller: &Caller, input: UntagResource) -> Answer {
        let arn = required(input.resource_arn, "resourceArn")?;
        let service = self.taggable(caller, &arn)?;
        let keys = required(input.tag_keys, "tagKeys")?;
        if let Some(tags) = self.state.tags.get_mut(&arn) {
            tags.retain(|key, _| !keys.contains(key));
        }
        if let Some(service) = service.filter(|_| keys.iter().any(|key| key == OPT_OUT.0)) {
            self.opt_out(service, false);
        }
        Ok(json!({}))
    }

    pub(super) fn list_tags_for_resource(&mut self, caller: &Caller, input: ListTagsForResource) -> Answer {
        let arn = required(input.resource_arn, "resourceArn")?;
        let tags = match self.taggable(caller, &arn)? {
            Some(service) => self.tags_of_service(service, self.world.ecs.service(service).opted_out),
            None => show_tags(self.state.tags.get(&arn)),
        };
        Ok(json!({ "tags": tags }))
    }

    /// Tags of a service, the opt-out tag as `opted_out` says.
    pub(super) fn tags_of_service(&self, service: ServiceKey, opted_out: bool) -> Vec<Value> {
        let mut tags = show_tags(self.state.tags.get(&self.world.ecs.service(service).id.arn()));
        if opted_out {
            tags.push(json!({ "key": OPT_OUT.0, "value": OPT_OUT.1 }));
        }
        tags
    }

    /// Adds tags to those that are there. A key is at most 128 characters long, a value 256.
    pub(super) fn set_tags(&mut self, arn: &str, tags: Vec<Tag>) -> Result<(), Refusal> {
        let mut all = self.state.tags.get(arn).cloned().unwrap_or_default();
        for Tag { key, value } in tags {
            let (key, value) = (required(key, "Tag key")?, value.unwrap_or_default());
            if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 || key.starts_with("aws:") {
                return Err(Refusal::invalid(
                    "A tag's key is 1 to 128 characters without the prefix aws:, its value 256.",
                ));
            }
            all.insert(key, value);
        }
        if all.len() > MOST {
            return Err(Refusal::invalid(format!("A resource has at most {MOST} tags.")));
        }
        self.state.tags.insert(arn.to_owned(), all);
        Ok(())
    }

    /// The model knows the opt-out tag as a state of the service; of that one the tag list keeps nothing.
    pub(super) fn follow_opt_out(&mut self, service: Option<ServiceKey>, arn: &str) {
        let Some(service) = service else { return };
        let Some(tags) = self.state.tags.get_mut(arn) else { return };
        let Some(value) = tags.get(OPT_OUT.0) else { return };
        let off = value == OPT_OUT.1;
        if off {
            tags.remove(OPT_OUT.0);
        }
        self.opt_out(service, off);
    }

    fn opt_out(&mut self, service: ServiceKey, off: bool) {
        let service = self.world.ecs.service(service);
        if service.opted_out != off {
            let id = service.id.clone();
            self.world.happen(WorldEvent::OptOut { service: id, off });
        }
    }

    /// Whether the resource is there; its service if it is one.
    fn taggable(&self, caller: &Caller, arn: &str) -> Result<Option<ServiceKey>, Refusal> {
        let kind = EcsArn::parse(arn).map(|arn| arn.kind.to_owned()).unwrap_or_default();
        match (kind.as_str(), caller.own_arn(&kind, arn)?) {
            ("cluster", Some(_)) => self.cluster(caller, Some(arn)).map(|_| None),
            ("service", Some(parsed)) => {
                let cluster = parsed.path.split_once('/').map(|(cluster, _)| cluster);
                let cluster = self.cluster(caller, cluster)?;
                let service = self.service_in(caller, &cluster, arn)?;
                service.map(Some).ok_or_else(|| Refusal::invalid("The specified service was not found."))
            }
            ("task-definition", Some(_)) => self.find_task_definition(caller, arn).map(|_| None),
            ("", _) => Err(Refusal::invalid("Invalid resource ARN.")),
            (kind, _) => Err(Refusal::not_modelled(&format!("tags of a {kind}"))),
        }
    }
}
