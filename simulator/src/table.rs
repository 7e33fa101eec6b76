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
        self.due.extend(due_key(id, &item));
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
        if let Some(key) = due_key(id, &item) {
            self.due.remove(&key);
        }
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

/// The item's place in the due index, which is sparse: an item without the attributes is not in it.
fn due_key(id: &str, item: &Item) -> Option<(u32, u64, String)> {
    let number = |name: &str| item.get(name).and_then(Value::as_u64);
    Some((u32::try_from(number("due_shard")?).ok()?, number("next_check_at")?, id.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item(version: u64, shard: u32, next_check_at: u64) -> Item {
        let item = json!({ "version": version, "due_shard": shard, "next_check_at": next_check_at });
        item.as_object().expect("an object").clone()
    }

    /// Items by id, all of version 1.
    fn table_of(items: &[(&str, u32, u64)]) -> Table {
        let mut table = Table::default();
        for (id, shard, at) in items {
            let mut item = item(1, *shard, *at);
            item.insert("id".into(), (*id).into());
            assert_eq!(table.put(id, 0, item), Ok(None));
        }
        table
    }

    fn due<'a>(table: &'a Table, shard: u32, now: u64, after: Option<(u64, &str)>, most: usize) -> Vec<&'a str> {
        let after = after.map(|(at, id)| (at, id.to_owned()));
        let items = table.due(shard, Timestamp::from_millis(now), after, most);
        items.iter().map(|item| item["id"].as_str().expect("an id")).collect()
    }

    #[test]
    fn a_put_holds_only_on_the_version_it_was_made_from() {
        let mut table = Table::default();
        let (first, second) = (item(1, 0, 10), item(2, 0, 20));
        assert_eq!(table.put("a", 1, second.clone()), Err(None), "nothing is stored yet");
        assert_eq!(table.put("a", 0, first.clone()), Ok(None));
        assert_eq!(table.put("a", 0, second.clone()), Err(Some(first.clone())), "the refusal shows what is stored");
        assert_eq!(table.get("a"), Some(&first), "and changes nothing");
        assert_eq!(table.put("a", 1, second.clone()), Ok(Some(first)));
        assert_eq!(table.get("a"), Some(&second));
    }

    #[test]
    fn a_delete_holds_on_the_same_condition() {
        let mut table = table_of(&[("a", 0, 10)]);
        let stored = table.get("a").expect("stored").clone();
        assert_eq!(table.delete("a", 2), Err(Some(stored.clone())));
        assert_eq!(due(&table, 0, 10, None, 9), ["a"]);
        assert_eq!(table.delete("a", 1), Ok(Some(stored)));
        assert_eq!(table.get("a"), None);
        assert_eq!(table.delete("a", 1), Err(None));
        assert!(due(&table, 0, 10, None, 9).is_empty(), "the index forgets it too");
    }

    #[test]
    fn of_two_writers_with_the_same_version_one_wins() {
        let mut table = table_of(&[("a", 0, 10)]);
        assert!(table.put("a", 1, item(2, 0, 20)).is_ok());
        assert_eq!(table.put("a", 1, item(2, 0, 30)), Err(Some(item(2, 0, 20))));
    }

    #[test]
    fn due_records_come_earliest_first_and_never_before_their_time() {
        let table = table_of(&[("c", 0, 10), ("a", 0, 30), ("b", 0, 20), ("d", 0, 31)]);
        assert_eq!(due(&table, 0, 30, None, 9), ["c", "b", "a"]);
        assert_eq!(due(&table, 0, 29, None, 9), ["c", "b"]);
        assert!(due(&table, 0, 9, None, 9).is_empty());
    }

    #[test]
    fn a_shard_shows_only_its_own_records() {
        let table = table_of(&[("a", 0, 10), ("b", 1, 10), ("c", 2, 10)]);
        for (shard, expected) in [(0, vec!["a"]), (1, vec!["b"]), (2, vec!["c"]), (3, vec![])] {
            assert_eq!(due(&table, shard, 99, None, 9), expected);
        }
    }

    #[test]
    fn a_write_moves_a_record_within_the_index() {
        let mut table = table_of(&[("a", 0, 10)]);
        let mut moved = item(2, 0, 50);
        moved.insert("id".into(), "a".into());
        table.put("a", 1, moved).expect("the version is right");
        assert!(due(&table, 0, 49, None, 9).is_empty());
        assert_eq!(due(&table, 0, 50, None, 9), ["a"]);
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_repetition() {
        let table = table_of(&[("b", 0, 10), ("a", 0, 10), ("c", 0, 10), ("d", 0, 20), ("e", 0, 30)]);
        for most in 1..=6 {
            let (mut seen, mut after) = (Vec::<&str>::new(), None);
            for _ in 0..9 {
                let page = due(&table, 0, 20, after, most);
                seen.extend(&page);
                let Some(last) = page.last().filter(|_| page.len() == most) else { break };
                after = Some((table.get(last).expect("stored")["next_check_at"].as_u64().expect("a number"), last));
            }
            assert_eq!(seen, ["a", "b", "c", "d"], "{most} to a page");
        }
    }

    #[test]
    fn a_page_after_a_record_that_moved_meanwhile_goes_on_from_where_it_was() {
        let table = table_of(&[("a", 0, 10), ("c", 0, 20)]);
        assert_eq!(due(&table, 0, 30, Some((15, "b")), 9), ["c"], "the position need not exist any more");
        assert!(due(&table, 0, 30, Some((40, "b")), 9).is_empty(), "nor lie within what is due");
    }
}
