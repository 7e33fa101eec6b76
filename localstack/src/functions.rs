//! The cell's functions on LocalStack: their environment, the schedule at the pace of the world, their logs, what they announce.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use aws_sdk_eventbridge::types::Target;
use aws_sdk_lambda::types::{Environment, LastUpdateStatus};
use aws_sdk_sqs::types::QueueAttributeName;
use handlers::aws::SOURCE;
use handlers::aws::config::BUS;
use handlers::transition::Transition;
use serde_json::{Value, json};

use crate::clients::{CallError, Clients, failed};
use crate::world::World;

/// The function behind `fargate-spot-placement-failure-queue`.
pub const PLACEMENT_FAILURE_HANDLER: &str = "fargate-spot-task-placement-failure-handler";
/// The function behind `fargate-spot-interruption-queue`.
pub const INTERRUPTION_HANDLER: &str = "fargate-spot-interruption-handler";
/// The function that the schedule starts.
pub const RESTORE_HANDLER: &str = "fargate-spot-restore-handler";
/// All three.
pub const HANDLERS: [&str; 3] = [PLACEMENT_FAILURE_HANDLER, INTERRUPTION_HANDLER, RESTORE_HANDLER];

/// Our own queue on the central bus, and the rule that fills it.
const AUDIT: &str = "spot-recovery-e2e-audit";
/// How long LocalStack may take to have a function run on a new configuration.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// The run ends when so many sweeps in a row have failed. On a busy machine the table of LocalStack may not answer within the functions'
/// timeout, for minutes on end.
const FAILED_SWEEPS: u32 = 20;

/// Sets variables of a function, beside those it has, and its timeout in seconds; returns when the function runs with them.
///
/// # Errors
/// [`CallError`].
pub async fn configure(
    clients: &Clients,
    function: &str,
    variables: &BTreeMap<String, String>,
    timeout: i32,
) -> Result<(), CallError> {
    let call = format!("configuration of {function}");
    let lambda = &clients.lambda;
    let found = lambda.get_function_configuration().function_name(function).send().await;
    let found = found.map_err(failed(&call))?;
    let mut all = found.environment.and_then(|environment| environment.variables).unwrap_or_default();
    all.extend(variables.iter().map(|(name, value)| (name.clone(), value.clone())));
    let environment = Environment::builder().set_variables(Some(all)).build();
    let update = lambda.update_function_configuration().function_name(function).timeout(timeout);
    update.environment(environment).send().await.map_err(failed(&call))?;
    let wait = async {
        loop {
            let found = lambda.get_function_configuration().function_name(function).send().await;
            match found.map_err(failed(&call))?.last_update_status {
                Some(LastUpdateStatus::Successful) => return Ok(()),
                Some(LastUpdateStatus::Failed) => {
                    return Err(CallError { what: call.clone(), said: "LastUpdateStatus is Failed".into() });
                }
                _ => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    };
    let limit = || CallError { what: call.clone(), said: format!("not in force within {PATIENCE:?}") };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| Err(limit()))
}

/// Invokes a function and returns its answer.
///
/// # Errors
/// [`CallError`], also when the function fails.
pub async fn invoke(clients: &Clients, function: &str, payload: &Value) -> Result<Value, CallError> {
    let call = format!("Invoke of {function}");
    let payload = aws_sdk_lambda::primitives::Blob::new(payload.to_string());
    let answer =
        clients.lambda.invoke().function_name(function).payload(payload).send().await.map_err(failed(&call))?;
    let body = answer.payload.map(aws_sdk_lambda::primitives::Blob::into_inner).unwrap_or_default();
    match answer.function_error {
        None => Ok(serde_json::from_slice(&body).unwrap_or_default()),
        Some(kind) => Err(CallError { what: call, said: format!("{kind}: {}", String::from_utf8_lossy(&body)) }),
    }
}

/// The schedule at the pace of the world: LocalStack's own has a minute at least. A failed sweep is printed, and the next one
/// comes, as on AWS. Returns the last error when 20 in a row have failed.
pub async fn sweep_every(clients: &Clients, pause: Duration) -> CallError {
    let mut left = FAILED_SWEEPS;
    loop {
        match invoke(clients, RESTORE_HANDLER, &json!({})).await {
            Ok(_) => left = FAILED_SWEEPS,
            Err(error) => {
                left -= 1;
                if left == 0 {
                    return error;
                }
                eprintln!("a sweep failed, the next one comes: {error}");
            }
        }
        tokio::time::sleep(pause).await;
    }
}

/// Lines that a function has logged since `since`, milliseconds since the epoch, and that have all of `words`.
///
/// # Errors
/// [`CallError`].
pub async fn log_lines(
    clients: &Clients,
    function: &str,
    since: i64,
    words: &[&str],
) -> Result<Vec<String>, CallError> {
    let group = format!("/aws/lambda/{function}");
    // The most telling word, as a quoted term; the others are looked for here.
    let pattern = words.iter().max_by_key(|word| word.len()).map(|word| format!("\"{word}\""));
    let mut lines = Vec::new();
    let mut next = None;
    loop {
        let page = clients.logs.filter_log_events().log_group_name(&group).start_time(since);
        let page = page.set_filter_pattern(pattern.clone()).set_next_token(next);
        let page = match page.send().await {
            // Made with the first line.
            Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {
                return Ok(lines);
            }
            page => page.map_err(failed(format!("log of {function}")))?,
        };
        let messages = page.events.unwrap_or_default().into_iter().filter_map(|event| event.message);
        lines.extend(messages.filter(|line| words.iter().all(|word| line.contains(word))));
        next = page.next_token;
        if next.is_none() {
            return Ok(lines);
        }
    }
}

/// Messages of a queue: visible, and in flight.
///
/// # Errors
/// [`CallError`].
pub async fn depth(clients: &Clients, queue: &str) -> Result<(u32, u32), CallError> {
    let names =
        [QueueAttributeName::ApproximateNumberOfMessages, QueueAttributeName::ApproximateNumberOfMessagesNotVisible];
    let url = clients.queue_url(queue).await?;
    let asked = clients.sqs.get_queue_attributes().queue_url(url).set_attribute_names(Some(names.to_vec()));
    let attributes = asked.send().await.map_err(failed(format!("attributes of {queue}")))?.attributes;
    let attributes = attributes.unwrap_or_default();
    let [visible, in_flight] = names.map(|name| attributes.get(&name).and_then(|n| n.parse().ok()).unwrap_or(0));
    Ok((visible, in_flight))
}

/// A rule on the central bus that hands what the functions announce to a queue of ours; returns the queue's URL.
///
/// # Errors
/// [`CallError`].
pub async fn overhear(clients: &Clients) -> Result<String, CallError> {
    let made = clients.sqs.create_queue().queue_name(AUDIT).send().await.map_err(failed("queue of audit events"))?;
    let url = made.queue_url.unwrap_or_default();
    let asked = clients.sqs.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::QueueArn);
    let attributes = asked.send().await.map_err(failed("queue of audit events"))?.attributes.unwrap_or_default();
    let arn = attributes.get(&QueueAttributeName::QueueArn).cloned().unwrap_or_default();
    let pattern = json!({ "source": [SOURCE] }).to_string();
    let rule = clients.events.put_rule().name(AUDIT).event_bus_name(BUS).event_pattern(pattern);
    rule.send().await.map_err(failed("rule of audit events"))?;
    let target = Target::builder().id("queue").arn(arn).build();
    let target =
        target.map_err(|error| CallError { what: "target of audit events".into(), said: error.to_string() })?;
    let targets = clients.events.put_targets().rule(AUDIT).event_bus_name(BUS).targets(target);
    targets.send().await.map_err(failed("target of audit events"))?;
    Ok(url)
}

/// Tells the world what the functions announce. Returns the first error.
pub async fn listen(clients: &Clients, url: &str, world: &Rc<World>) -> CallError {
    loop {
        let received = clients.sqs.receive_message().queue_url(url).max_number_of_messages(10).wait_time_seconds(1);
        let messages = match received.send().await {
            Ok(received) => received.messages.unwrap_or_default(),
            Err(error) => return failed("audit events")(error),
        };
        for message in messages {
            let event: Value = serde_json::from_str(message.body().unwrap_or_default()).unwrap_or_default();
            match serde_json::from_value::<Transition>(event["detail"].clone()) {
                Ok(transition) => world.hear(transition),
                Err(error) => return CallError { what: format!("audit event {event}"), said: error.to_string() },
            }
            let delete = clients.sqs.delete_message().queue_url(url).set_receipt_handle(message.receipt_handle);
            if let Err(error) = delete.send().await {
                return failed("audit events")(error);
            }
        }
    }
}
