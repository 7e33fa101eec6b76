//! Table `ecs_cp_restore_state`: items with conditional writes, and the due index.

use std::collections::{BTreeMap, BTreeSet};

use handlers::record::Record;
use handlers::timestamp::Timestamp;
use serde_json::{Map, Value};

/// A DynamoDB item, its attributes as JSON.
pub(crate) type Item = Map<String, Value>;

#[derive(Debug, Default)]
pub(crate) struct Table {
    items: BTreeMap<String, Item>,
    /// `due_shard`, `next_check_at`, `id`.
    due: BTreeSet<(u32, u64, String)>,
}

impl Table {
    pub(crate) fn get(&self, id: &str) -> Option<&Item> {
        self.items.get(id)
    }

    /// Writes `item` if the stored version is `version`, 0 meaning absent; else returns what is stored (`ALL_OLD`).
    pub(crate) fn put(&mut self, id: &str, version: u64, item: Item) -> Result<Option<Item>, Option<Item>> {
        self.check(id, version)?;
        let before = self.take(id);
        self.due.insert(due_key(id, &item));
        self.items.insert(id.to_owned(), item);
        Ok(before)
    }

    /// Deletes on the same condition.
    pub(crate) fn delete(&mut self, id: &str, version: u64) -> Result<Option<Item>, Option<Item>> {
        self.check(id, version)?;
        Ok(self.take(id))
    }

    fn check(&self, id: &str, version: u64) -> Result<(), Option<Item>> {
        let stored = self.items.get(id);
        let stored_version = stored.and_then(|item| item.get("version")).and_then(Value::as_u64).unwrap_or(0);
        if stored_version == version { Ok(()) } else { Err(stored.cloned()) }
    }

    fn take(&mut self, id: &str) -> Option<Item> {
        let item = self.items.remove(id)?;
        self.due.remove(&due_key(id, &item));
        Some(item)
    }

    /// Up to `most` items of a shard due at `now`, after the position `after`.
    pub(crate) fn due(&self, shard: u32, now: Timestamp, after: Option<(u64, String)>, most: usize) -> Vec<&Item> {
        let (at, id) = after.unwrap_or_default();
        let from = (shard, at, id.clone());
        let upto = (shard, now.as_millis() + 1, String::new());
        let range = if from < upto { self.due.range(from.clone()..upto) } else { self.due.range(upto.clone()..upto) };
        let keys = range.filter(|key| **key != from).take(most);
        keys.filter_map(|(_, _, id)| self.items.get(id)).collect()
    }

    /// Every record, for the end of a run.
    pub(crate) fn records(&self) -> impl Iterator<Item = Record> {
        self.items.values().filter_map(|item| Record::from_item(item.clone()).ok())
    }
}

fn due_key(id: &str, item: &Item) -> (u32, u64, String) {
    let number = |name: &str| item.get(name).and_then(Value::as_u64).unwrap_or(0);
    (u32::try_from(number("due_shard")).unwrap_or(0), number("next_check_at"), id.to_owned())
}
