//! What journeys do: synthetic events and redrives.

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_sqs::types::QueueAttributeName;
use handlers::aws::config::BUS;
use handlers::service::ServiceId;
use serde_json::{Value, json};
use simulator::spec::WorldEvent;

use super::JourneyError;
use super::walk::{PLACEMENT_FAILURE_DLQ, Walk};
use crate::clients::{CallError, failed};
use crate::world::now;

impl Walk<'_> {
    /// The event of the original design about a service, put on the central bus by the central account.
    pub(super) async fn put_synthetic(&self, service: &ServiceId) -> Result<(), JourneyError> {
        let event = self.synthetic_event(service);
        self.world().happen(self.synthetic_in_the_world(service));
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(BUS)
            .source("test.aws.ecs")
            .detail_type("ECS Service Action")
            .resources(service.arn())
            .detail(event["detail"].to_string())
            .build();
        let put = self.running().clients.events.put_events().entries(entry).send().await;
        let call = "PutEvents on the central bus";
        let put = put.map_err(failed(call))?;
        if put.failed_entry_count() != 0 {
            return Err(CallError { what: call.into(), said: format!("{:?}", put.entries()) }.into());
        }
        self.passed(format!("event: {BUS} took the synthetic placement failure of {service}"));
        Ok(())
    }

    /// The synthetic event as EventBridge hands it on.
    pub(super) fn synthetic_event(&self, service: &ServiceId) -> Value {
        let ServiceId { account, region, .. } = service;
        json!({
            "version": "0",
            "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
            "detail-type": "ECS Service Action",
            "source": "test.aws.ecs",
            "account": self.running().central,
            "time": now().to_string(),
            "region": region,
            "resources": [service.arn()],
            "detail": {
                "eventName": "SERVICE_TASK_PLACEMENT_FAILURE",
                "reason": "RESOURCE:FARGATE",
                "capacityProviderArns": [format!("arn:aws:ecs:{region}:{account}:capacity-provider/FARGATE_SPOT")],
            },
        })
    }

    /// A batch of one message with the synthetic event, as an event source mapping hands it to a function.
    pub(super) fn synthetic_batch(&self, service: &ServiceId, message: &str) -> Value {
        self.world().happen(self.synthetic_in_the_world(service));
        let body = self.synthetic_event(service).to_string();
        json!({ "Records": [{ "messageId": message, "receiptHandle": "none", "body": body }] })
    }

    /// The world's own bus leads nowhere, but its oracle asks why a service that lost nothing fails over.
    fn synthetic_in_the_world(&self, service: &ServiceId) -> WorldEvent {
        WorldEvent::PutEvents {
            from: self.running().central.clone(),
            source: "test.aws.ecs".into(),
            detail_type: "ECS Service Action".into(),
            resources: vec![service.arn()],
            detail: self.synthetic_event(service)["detail"].clone(),
        }
    }

    /// Moves the messages of the DLQ back to its queue, as an operator does.
    pub(super) async fn redrive(&self) -> Result<(), JourneyError> {
        let sqs = &self.running().clients.sqs;
        let call = format!("StartMessageMoveTask of {PLACEMENT_FAILURE_DLQ}");
        let url = self.running().clients.queue_url(PLACEMENT_FAILURE_DLQ).await?;
        let asked =
            sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::QueueArn).send().await;
        let attributes = asked.map_err(failed(&call))?.attributes.unwrap_or_default();
        let arn = attributes.get(&QueueAttributeName::QueueArn).cloned().unwrap_or_default();
        let moved = sqs.start_message_move_task().source_arn(arn).send().await;
        moved.map_err(failed(call))?;
        self.passed(format!("queue: the messages of {PLACEMENT_FAILURE_DLQ} are redriven"));
        Ok(())
    }
}
