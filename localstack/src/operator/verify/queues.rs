//! The queues and their DLQs.

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName as Attribute;
use serde_json::Value;

use super::super::report::{Check, Mark};
use super::super::text;

/// The cell's, a contract of the original design.
const QUEUES: [&str; 2] = ["fargate-spot-placement-failure-queue", "fargate-spot-interruption-queue"];

pub(super) async fn checks(config: &SdkConfig) -> Vec<Check> {
    let client = Client::new(config);
    let mut checks = Vec::new();
    for queue in QUEUES {
        match depth(&client, queue).await {
            Err(check) => checks.push(check),
            Ok(depth) => {
                // What is on its way is no fault: the cell serves other services too.
                let mark = if depth.waiting == 0 { Mark::Holds } else { Mark::Note };
                let says = format!("{} waiting, {} in flight", depth.waiting, depth.in_flight);
                checks.push(Check::new(mark, "queue", queue, says));
                checks.push(dead_letters(&client, queue, depth.dlq).await);
            }
        }
    }
    checks
}

/// Messages of a queue, and the ARN of its DLQ.
struct Depth {
    waiting: u64,
    in_flight: u64,
    dlq: Option<String>,
}

async fn depth(client: &Client, queue: &str) -> Result<Depth, Check> {
    let check = |mark, says| Check::new(mark, "queue", queue, says);
    let found = client.get_queue_url().queue_name(queue).send().await.map_err(|error| {
        match error.as_service_error().is_some_and(|error| error.is_queue_does_not_exist()) {
            true => check(
                Mark::Fails,
                "there is no such queue here; is the cell deployed, and are these its account's credentials?"
                    .to_owned(),
            ),
            false => check(Mark::Unknown, text(&error)),
        }
    })?;
    let wanted = [
        Attribute::ApproximateNumberOfMessages,
        Attribute::ApproximateNumberOfMessagesDelayed,
        Attribute::ApproximateNumberOfMessagesNotVisible,
        Attribute::RedrivePolicy,
    ];
    let answer = client
        .get_queue_attributes()
        .queue_url(found.queue_url().unwrap_or_default())
        .set_attribute_names(Some(wanted.to_vec()))
        .send()
        .await
        .map_err(|error| check(Mark::Unknown, text(&error)))?;
    let attribute = |name| answer.attributes().and_then(|all| all.get(&name)).map(String::as_str);
    let count = |name| attribute(name).and_then(|number| number.parse::<u64>().ok()).unwrap_or_default();
    let redrive = attribute(Attribute::RedrivePolicy).and_then(|json| serde_json::from_str::<Value>(json).ok());
    Ok(Depth {
        waiting: count(Attribute::ApproximateNumberOfMessages) + count(Attribute::ApproximateNumberOfMessagesDelayed),
        in_flight: count(Attribute::ApproximateNumberOfMessagesNotVisible),
        dlq: redrive.and_then(|policy| policy["deadLetterTargetArn"].as_str().map(str::to_owned)),
    })
}

async fn dead_letters(client: &Client, queue: &str, arn: Option<String>) -> Check {
    let Some(name) = arn.as_deref().and_then(|arn| arn.rsplit(':').next()) else {
        return Check::new(Mark::Fails, "DLQ", queue, "the queue has none: what fails again and again is lost");
    };
    match depth(client, name).await {
        Err(check) => Check { stage: "DLQ", ..check },
        Ok(Depth { waiting: 0, in_flight: 0, .. }) => Check::new(Mark::Holds, "DLQ", name, "empty"),
        Ok(depth) => {
            let says = format!(
                "{} messages that failed; the functions' logs say why, a redrive brings them back",
                depth.waiting + depth.in_flight
            );
            Check::new(Mark::Fails, "DLQ", name, says)
        }
    }
}
