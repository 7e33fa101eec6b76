//! Table `ecs_cp_restore_state`. Every write is conditional, so the SDK may repeat it: a repeated write whose first reply was lost
//! fails its condition, and the item that comes with the refusal shows that it is our own (aws-facts.md §7).

use std::sync::Arc;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::error::ConditionalCheckFailedException;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use serde_json::{Map, Value};

use super::attributes::{Item, to_item, to_object};
use super::clients::Aws;
use super::failure::Failure;
use crate::market::Market;
use crate::ports::{Page, PageToken, Put, StateStore, StoreError};
use crate::record::{Mark, Record, RecordError};
use crate::service::{AccountId, Region, ServiceId};
use crate::timestamp::Timestamp;
use crate::turn::Turn;

/// The sparse index of what is due: partition key `due_shard`, sort key `next_check_at`, both numbers, all attributes projected.
pub const DUE_INDEX: &str = "due";

impl StateStore for Aws {
    async fn get(&self, id: &ServiceId) -> Result<Option<Arc<Record>>, StoreError> {
        self.read(id.record_id()).await?.map(record).transpose()
    }

    async fn put(&self, record: &Arc<Record>, replaces: u64) -> Result<Put, StoreError> {
        match self.write(record.to_item(), replaces).await? {
            Ok(()) => Ok(Put::Written),
            Err(stored) => {
                let stored = stored.map(self::record).transpose()?;
                let ours = stored.as_ref().is_some_and(|stored| is_the_same(stored, record));
                Ok(if ours { Put::Written } else { Put::Conflict(stored) })
            }
        }
    }

    async fn delete(&self, record: &Record) -> Result<Put, StoreError> {
        let deleted = self
            .dynamodb
            .delete_item()
            .table_name(&self.cell.table)
            .key("id", AttributeValue::S(record.service.record_id()))
            .condition_expression("#version = :version")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", number(record.version))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match deleted {
            Ok(_) => Ok(Put::Written),
            // Nothing there: deleted by our own lost call or by another's, which is the same to whoever reads on.
            Err(error) => {
                let stored = self.refusal(error, |error| match error {
                    DeleteItemError::ConditionalCheckFailedException(failed) => Some(failed),
                    _ => None,
                })?;
                Ok(Put::Conflict(stored.map(self::record).transpose()?))
            }
        }
    }

    async fn market(&self, account: &AccountId, region: &Region) -> Result<Option<Market>, StoreError> {
        self.read(Market::id(account, region)).await?.map(market).transpose()
    }

    async fn put_market(&self, market: &Market) -> Result<bool, StoreError> {
        let next = Market { version: market.version + 1, ..market.clone() };
        match self.write(next.to_item(), market.version).await? {
            Ok(()) => Ok(true),
            Err(stored) => Ok(stored.map(self::market).transpose()? == Some(next)),
        }
    }

    async fn turn(&self, account: &AccountId, region: &Region) -> Result<Option<Turn>, StoreError> {
        self.read(Turn::id(account, region)).await?.map(turn).transpose()
    }

    async fn put_turn(&self, turn: &Turn) -> Result<bool, StoreError> {
        let next = Turn { version: turn.version + 1, ..turn.clone() };
        match self.write(next.to_item(), turn.version).await? {
            Ok(()) => Ok(true),
            Err(stored) => Ok(stored.map(self::turn).transpose()? == Some(next)),
        }
    }

    async fn due(&self, shard: u32, now: Timestamp, after: Option<PageToken>) -> Result<Page, StoreError> {
        let page = self
            .dynamodb
            .query()
            .table_name(&self.cell.table)
            .index_name(DUE_INDEX)
            .key_condition_expression("due_shard = :shard AND next_check_at <= :now")
            .expression_attribute_values(":shard", number(shard))
            .expression_attribute_values(":now", number(now.as_millis()))
            .set_exclusive_start_key(after.as_ref().map(start_key).transpose()?)
            .send()
            .await
            .map_err(|error| self.unclear(&error))?;
        let next = page.last_evaluated_key.filter(|key| !key.is_empty()).map(token).transpose()?;
        let mut records = Vec::new();
        for item in page.items.unwrap_or_default() {
            match record(item) {
                Ok(record) => records.push(record),
                // It stays due, and is named by every sweep until a person looks at it; the others must not wait for that.
                Err(error) => tracing::error!(%error, "item skipped"),
            }
        }
        Ok(Page { records, next })
    }
}

impl Aws {
    async fn read(&self, id: String) -> Result<Option<Item>, StoreError> {
        let read = self
            .dynamodb
            .get_item()
            .table_name(&self.cell.table)
            .key("id", AttributeValue::S(id))
            .consistent_read(true)
            .send()
            .await;
        Ok(read.map_err(|error| self.unclear(&error))?.item)
    }

    /// Writes `item` if the stored version is `replaces`, 0 meaning absent; else returns what is stored.
    async fn write(&self, item: Map<String, Value>, replaces: u64) -> Result<Result<(), Option<Item>>, StoreError> {
        let put = self
            .dynamodb
            .put_item()
            .table_name(&self.cell.table)
            .set_item(Some(to_item(item)))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = match replaces {
            0 => put.condition_expression("attribute_not_exists(id)"),
            version => put
                .condition_expression("#version = :version")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", number(version)),
        };
        match put.send().await {
            Ok(_) => Ok(Ok(())),
            Err(error) => Ok(Err(self.refusal(error, |error| match error {
                PutItemError::ConditionalCheckFailedException(failed) => Some(failed),
                _ => None,
            })?)),
        }
    }

    /// The item that came with a failed condition; any other error is one.
    fn refusal<E>(
        &self,
        error: SdkError<E, HttpResponse>,
        failed: fn(E) -> Option<ConditionalCheckFailedException>,
    ) -> Result<Option<Item>, StoreError>
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        let unclear = self.unclear(&error);
        match error {
            SdkError::ServiceError(answer) => match failed(answer.into_err()) {
                // An empty item is how some emulators say that there is none.
                Some(failed) => Ok(failed.item.filter(|item| !item.is_empty())),
                None => Err(unclear),
            },
            _ => Err(unclear),
        }
    }

    /// DynamoDB does not always say which table it speaks of.
    fn unclear<E>(&self, error: &SdkError<E, HttpResponse>) -> StoreError
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        StoreError::Unclear(format!("{}: {}", self.cell.table, Failure::of(error).text()))
    }
}

fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn object(item: Item) -> Result<Map<String, Value>, StoreError> {
    let id = item.get("id").and_then(|id| id.as_s().ok()).cloned().unwrap_or_default();
    to_object(item).map_err(|problem| StoreError::Item(RecordError { id, problem }))
}

fn record(item: Item) -> Result<Arc<Record>, StoreError> {
    Ok(Arc::new(Record::from_item(object(item)?)?))
}

fn market(item: Item) -> Result<Market, StoreError> {
    Ok(Market::from_item(object(item)?)?)
}

fn turn(item: Item) -> Result<Turn, StoreError> {
    Ok(Turn::from_item(object(item)?)?)
}

/// Whether `stored` is our own write. Events are left out: DynamoDB hands `1.0` back as `1`, and two writes that agree in all
/// else are the same write.
fn is_the_same(stored: &Record, written: &Record) -> bool {
    let bare = |mark: &Mark| Mark { event: Arc::default(), ..mark.clone() };
    let rest = |record: &Record| Record { event: None, mark: record.mark.as_ref().map(bare), ..record.clone() };
    rest(stored) == rest(written)
}

fn token(key: Item) -> Result<PageToken, StoreError> {
    Ok(PageToken(Value::Object(object(key)?).to_string()))
}

fn start_key(token: &PageToken) -> Result<Item, StoreError> {
    let key = serde_json::from_str(&token.0);
    key.map(to_item).map_err(|error| StoreError::Unclear(format!("page token {:?}: {error}", token.0)))
}
