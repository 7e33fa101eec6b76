//! Messages that come twice or at once, that are forged, that nobody can work on.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use futures_util::future::join_all;
use handlers::record::{Phase, TABLE};
use serde_json::json;
use simulator::spec::ServiceSpec;

use super::JourneyError::Unmet;
use super::walk::{INTERRUPTION_DLQ, PLACEMENT_FAILURE_DLQ, PLACEMENT_FAILURE_QUEUE, SOON, Walk};
use super::{Journey, JourneyError, Turn, account, mixed, service, spot};
use crate::clients::{config, failed};
use crate::functions::{INTERRUPTION_HANDLER, PLACEMENT_FAILURE_HANDLER, invoke};

/// Five receives, with pauses that double from a second and half as long again.
const FIVE_RECEIVES: Duration = Duration::from_secs(90);

pub(super) const JOURNEYS: &[Journey] = &[
    Journey {
        name: "duplicates",
        title: "the same event five times over, and three handlers at once: one failover",
        turn: Turn::Together,
        kills: false,
        services: |region| vec![ServiceSpec::new(service(region, account::CALM, "duplicated"), 2, spot())],
        walk: |walk| Box::pin(duplicates(walk)),
    },
    Journey {
        name: "forged",
        title: "an account's event about the service of another is refused",
        turn: Turn::Together,
        kills: false,
        services: |region| vec![ServiceSpec::new(service(region, account::CALM, "victim"), 2, spot())],
        walk: |walk| Box::pin(forged(walk)),
    },
    Journey {
        name: "poison",
        title: "messages that nobody can work on end in the DLQ, are cured, and redriven",
        turn: Turn::Together,
        kills: false,
        services: |region| vec![ServiceSpec::new(service(region, account::CALM, "mangled"), 0, mixed())],
        walk: |walk| Box::pin(poison(walk)),
    },
];

async fn duplicates(walk: &Walk<'_>) -> Result<(), JourneyError> {
    let service = walk.service(account::CALM, "duplicated");
    walk.watched(&service).await?;
    let puts = join_all((0..5).map(|_| walk.put_synthetic(&service)));
    let direct = join_all((0..3).map(|n| {
        let id = format!("direct-{n}");
        let batch = walk.synthetic_batch(&service, &id);
        async move { (id, invoke(&walk.running().clients, PLACEMENT_FAILURE_HANDLER, &batch).await) }
    }));
    let (puts, answers) = futures_util::future::join(puts, direct).await;
    puts.into_iter().collect::<Result<(), _>>()?;
    for (id, answer) in answers {
        let answer = answer?;
        // Of one that meets another's turn or claim, the message comes back.
        let (done, back) = (json!([]), json!([{ "itemIdentifier": id }]));
        if ![done, back].contains(&answer["batchItemFailures"]) {
            return Err(Unmet(format!("function: {PLACEMENT_FAILURE_HANDLER} answered {answer}")));
        }
    }
    walk.passed(format!("function: three invocations of {PLACEMENT_FAILURE_HANDLER} at once answered"));
    walk.failed_over(&service, &spot(), "synthetic placement failure").await?;
    // Nothing brings a message back that was given to a function directly.
    walk.handled(&service, 5).await?;
    walk.forced(&service, 1)?;
    let begun = walk.world().audits(&service).iter().filter(|t| t.to == Some(Phase::FailingOver)).count();
    if begun != 1 {
        return Err(Unmet(format!("audit: {begun} failovers were announced")));
    }
    walk.passed("audit: one failover was announced");
    Ok(())
}

async fn forged(walk: &Walk<'_>) -> Result<(), JourneyError> {
    let victim = walk.service(account::CALM, "victim");
    walk.watched(&victim).await?;
    let running = walk.running();
    let forger = account::SILENT.parse().expect("12 digits");
    let events = aws_sdk_eventbridge::Client::new(&config(&running.endpoint, &running.region, &forger).await);
    // LocalStack takes the source `aws.ecs` from anybody, which AWS does not (aws-facts.md §5): all the better for a forger.
    let detail = json!({
        "clusterArn": victim.cluster_arn(),
        "group": format!("service:{}", victim.service),
        "capacityProviderName": "FARGATE_SPOT",
        "lastStatus": "RUNNING",
        "desiredStatus": "STOPPED",
        "stopCode": "SpotInterruption",
        "stoppedReason": "Your Spot Task was interrupted.",
    });
    let entry = PutEventsRequestEntry::builder()
        .source("aws.ecs")
        .detail_type("ECS Task State Change")
        .resources(format!("arn:aws:ecs:{}:{}:task/web/1", victim.region, victim.account))
        .detail(detail.to_string())
        .build();
    events.put_events().entries(entry).send().await.map_err(failed("PutEvents of the forger"))?;
    walk.passed(format!("event: {forger} put the interruption of a task of {victim} on its own bus"));
    walk.log(INTERRUPTION_HANDLER, &["message failed", "refused", account::SILENT, account::CALM]).await?;
    let dead = walk.dead_letter(INTERRUPTION_DLQ, victim.service.as_str(), FIVE_RECEIVES).await?;
    if dead["account"] != account::SILENT {
        return Err(Unmet(format!("queue: the message in {INTERRUPTION_DLQ} is of {}", dead["account"])));
    }
    walk.passed("event: EventBridge stamped it with the forger's account");
    walk.record(&victim, "is still watched", SOON, |record| record.phase == Phase::Watching && record.episode == 0)
        .await?;
    walk.passed("table: the victim is watched as before, without an episode");
    walk.forced(&victim, 0)
}

async fn poison(walk: &Walk<'_>) -> Result<(), JourneyError> {
    let service = walk.service(account::CALM, "mangled");
    let (clients, dynamodb) = (&walk.running().clients, &walk.ground.dynamodb);
    let key = || AttributeValue::S(service.record_id());
    let item = dynamodb.put_item().table_name(TABLE).item("id", key()).item("phase", AttributeValue::S("Lost".into()));
    item.send().await.map_err(failed("PutItem"))?;
    walk.passed("table: the item of the service was mangled by hand");
    walk.put_synthetic(&service).await?;
    let garbage = "no event at all, 7f3a";
    let send = |url| clients.sqs.send_message().queue_url(url).message_body(garbage).send();
    let url = clients.queue_url(PLACEMENT_FAILURE_QUEUE).await?;
    send(url).await.map_err(failed("SendMessage"))?;
    walk.passed(format!("queue: {PLACEMENT_FAILURE_QUEUE} took a message that is no event"));
    walk.log(PLACEMENT_FAILURE_HANDLER, &["message failed", "mangled"]).await?;
    walk.dead_letter(PLACEMENT_FAILURE_DLQ, "web/mangled", FIVE_RECEIVES).await?;
    walk.dead_letter(PLACEMENT_FAILURE_DLQ, garbage, FIVE_RECEIVES).await?;
    let delete = dynamodb.delete_item().table_name(TABLE).key("id", key()).send().await;
    delete.map_err(failed("DeleteItem"))?;
    walk.passed("table: a person deleted the item");
    walk.redrive().await?;
    walk.log(PLACEMENT_FAILURE_HANDLER, &["event handled", "web/mangled"]).await?;
    // Its event is too old by now to be acted on: the service is only looked at, and watched from now on.
    walk.record(&service, "is watched", SOON, |record| record.phase == Phase::Watching).await?;
    walk.passed("table: the service is watched");
    walk.forced(&service, 0)
}
