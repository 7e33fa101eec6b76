//! Table `ecs_cp_restore_state`: records, markets and turns with conditional writes, and the due index.
//!
//! Records are kept as they are, not as items: writing them out and reading them back is most of what a run would do. That
//! nothing is lost on the way through an item is checked at every write of a debug build.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use handlers::market::Market;
use handlers::record::{DUE_SHARDS, Record, due_shard};
use handlers::service::{AccountId, Region, ServiceId};
use handlers::timestamp::Timestamp;
use handlers::turn::Turn;

use crate::ids::NameKey;

/// A position in a partition of the due index: time, and the service's name.
pub(crate) type Position = (Timestamp, NameKey);

#[derive(Debug, Default)]
pub(crate) struct Table {
    /// By [`NameKey`].
    slots: Vec<Slot>,
    markets: BTreeMap<(AccountId, Region), Market>,
    turns: BTreeMap<(AccountId, Region), Turn>,
    index: Index,
}

#[derive(Debug, Default)]
struct Slot {
    /// Of a service that ever had a record.
    shard: Option<u8>,
    record: Option<Arc<Record>>,
}

/// The sparse index over `due_shard` and [`Record::due_at`]. It may lag behind the table (aws-facts.md §7).
#[derive(Debug)]
struct Index {
    due: [BTreeMap<Position, Arc<Record>>; DUE_SHARDS as usize],
    /// Changes not shown yet, with the time from which they are.
    under_way: VecDeque<(Timestamp, Change)>,
}

/// One record in the place of another.
#[derive(Debug)]
struct Change {
    shard: u8,
    name: NameKey,
    /// When the other was due. It is not kept itself: that would be every record twice, until the next sweep.
    was_due: Option<Timestamp>,
    after: Option<Arc<Record>>,
}

impl Table {
    pub(crate) fn get(&self, name: NameKey) -> Option<&Arc<Record>> {
        self.slots.get(name.0)?.record.as_ref()
    }

    /// All of them.
    pub(crate) fn records(&self) -> impl Iterator<Item = &Arc<Record>> {
        self.slots.iter().filter_map(|slot| slot.record.as_ref())
    }

    /// Writes `record`, of the service of this name, if the stored version is `replaces`, 0 meaning absent, and returns what it
    /// replaced; else returns what is stored (`ALL_OLD`). The index shows it from `shown_at`.
    pub(crate) fn put(
        &mut self,
        name: NameKey,
        record: &Arc<Record>,
        replaces: u64,
        shown_at: Timestamp,
    ) -> Result<Option<Arc<Record>>, Option<Arc<Record>>> {
        debug_assert_eq!(
            Record::from_item(record.to_item()).as_ref(),
            Ok(&**record),
            "lost on the way through an item"
        );
        self.replace(name, &record.service, replaces, Some(Arc::clone(record)), shown_at)
    }

    /// Deletes `record` if it is what is stored.
    pub(crate) fn delete(
        &mut self,
        name: NameKey,
        record: &Record,
        shown_at: Timestamp,
    ) -> Result<(), Option<Arc<Record>>> {
        self.replace(name, &record.service, record.version, None, shown_at).map(|_| ())
    }

    /// Puts `after` in the place of the record of this version.
    fn replace(
        &mut self,
        name: NameKey,
        id: &ServiceId,
        version: u64,
        after: Option<Arc<Record>>,
        shown_at: Timestamp,
    ) -> Result<Option<Arc<Record>>, Option<Arc<Record>>> {
        if self.slots.len() <= name.0 {
            self.slots.resize_with(name.0 + 1, Slot::default);
        }
        let found = &mut self.slots[name.0];
        let shard = *found.shard.get_or_insert_with(|| due_shard(&id.account) as u8);
        if found.record.as_ref().map_or(0, |stored| stored.version) != version {
            return Err(found.record.clone());
        }
        let before = std::mem::replace(&mut found.record, after.clone());
        let was_due = before.as_ref().map(|before| before.due_at());
        self.index.take_in(shown_at, Change { shard, name, was_due, after });
        Ok(before)
    }

    /// From when the index shows the last write, made at `now` at the latest.
    #[cfg(feature = "sdk")]
    pub(crate) fn shown_at(&self, now: Timestamp) -> Timestamp {
        self.index.under_way.back().map_or(now, |(shown_at, _)| *shown_at)
    }

    /// The index shows what it is to show by `now`.
    pub(crate) fn catch_up(&mut self, now: Timestamp) {
        self.index.catch_up(now);
    }

    /// Up to `most` records of a shard due at `now`, after the position `after`, as the index shows them.
    pub(crate) fn due(
        &mut self,
        shard: u32,
        now: Timestamp,
        after: Option<Position>,
        most: usize,
    ) -> Vec<(Position, Arc<Record>)> {
        self.index.catch_up(now);
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let Some(partition) = self.index.due.get(shard as usize) else { return Vec::new() };
        let range = partition.range((from, Bound::Unbounded)).take_while(|((at, _), _)| *at <= now);
        range.take(most).map(|(position, record)| (*position, Arc::clone(record))).collect()
    }

    pub(crate) fn market(&self, account: &AccountId, region: &Region) -> Option<&Market> {
        self.markets.get(&(account.clone(), region.clone()))
    }

    /// Writes `market` one version on, if the stored version is its own; returns whether it was.
    pub(crate) fn put_market(&mut self, market: &Market) -> bool {
        let key = (market.account.clone(), market.region.clone());
        let holds = self.markets.get(&key).map_or(0, |stored| stored.version) == market.version;
        if holds {
            let market = Market { version: market.version + 1, ..market.clone() };
            debug_assert_eq!(Market::from_item(market.to_item()).as_ref(), Ok(&market), "lost on the way");
            self.markets.insert(key, market);
        }
        holds
    }

    pub(crate) fn turn(&self, account: &AccountId, region: &Region) -> Option<&Turn> {
        self.turns.get(&(account.clone(), region.clone()))
    }

    /// Writes `turn` one version on, if the stored version is its own; returns whether it was.
    pub(crate) fn put_turn(&mut self, turn: &Turn) -> bool {
        let key = (turn.account.clone(), turn.region.clone());
        let holds = self.turns.get(&key).map_or(0, |stored| stored.version) == turn.version;
        if holds {
            let turn = Turn { version: turn.version + 1, ..turn.clone() };
            debug_assert_eq!(Turn::from_item(turn.to_item()).as_ref(), Ok(&turn), "lost on the way");
            self.turns.insert(key, turn);
        }
        holds
    }
}

impl Default for Index {
    fn default() -> Self {
        Self { due: [const { BTreeMap::new() }; DUE_SHARDS as usize], under_way: VecDeque::new() }
    }
}

impl Index {
    fn take_in(&mut self, shown_at: Timestamp, change: Change) {
        // Changes are shown in the order in which they were made.
        let shown_at = self.under_way.back().map_or(shown_at, |(last, _)| shown_at.max(*last));
        self.under_way.push_back((shown_at, change));
    }

    fn catch_up(&mut self, now: Timestamp) {
        while self.under_way.front().is_some_and(|(shown_at, _)| *shown_at <= now) {
            let Some((_, Change { shard, name, was_due, after })) = self.under_way.pop_front() else { return };
            let due = &mut self.due[usize::from(shard)];
            if let Some(was_due) = was_due {
                due.remove(&(was_due, name));
            }
            if let Some(after) = after {
                due.insert((after.due_at(), name), after);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Names;

    const START: u64 = 1_780_000_000_000;

    fn id(name: &str) -> ServiceId {
        ServiceId {
            account: "111111111111".parse().expect("an account"),
            region: "eu-west-1".parse().expect("a region"),
            cluster: "web".parse().expect("a cluster"),
            service: name.parse().expect("a service"),
        }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(START + seconds * 1000)
    }

    fn record(name: &str, version: u64, due: u64) -> Arc<Record> {
        Arc::new(Record { version, next_check_at: at(due), ..Record::new(id(name), at(0)) })
    }

    /// A table whose services are numbered as they come up.
    #[derive(Default)]
    struct Named {
        names: Names,
        table: Table,
    }

    impl Named {
        fn get(&self, name: &str) -> Option<&Arc<Record>> {
            self.table.get(self.names.find(&id(name))?)
        }

        fn put(
            &mut self,
            record: &Arc<Record>,
            replaces: u64,
            shown_at: Timestamp,
        ) -> Result<Option<Arc<Record>>, Option<Arc<Record>>> {
            self.table.put(self.names.number(&record.service), record, replaces, shown_at)
        }

        fn delete(&mut self, record: &Record) -> Result<(), Option<Arc<Record>>> {
            self.table.delete(self.names.number(&record.service), record, at(0))
        }

        fn due(
            &mut self,
            shard: u32,
            now: Timestamp,
            after: Option<Position>,
            most: usize,
        ) -> Vec<(Position, Arc<Record>)> {
            self.table.due(shard, now, after, most)
        }
    }

    /// Records with the second they are due at, all of version 1.
    fn table_of(records: &[(&str, u64)]) -> Named {
        let mut table = Named::default();
        for (name, due) in records {
            assert_eq!(table.put(&record(name, 1, *due), 0, at(0)), Ok(None));
        }
        table
    }

    /// Names of what is due, over all shards, in the order of the shards' own.
    fn due(table: &mut Named, now: u64) -> Vec<String> {
        let shards = 0..handlers::record::DUE_SHARDS;
        let mut due: Vec<_> =
            shards.flat_map(|shard| table.due(shard, at(now), None, 99)).map(|(_, record)| record).collect();
        due.sort_by_key(|record| (record.next_check_at, record.service.clone()));
        due.iter().map(|record| record.service.service.to_string()).collect()
    }

    /// Names of services of the one account, which are in one shard.
    fn namesakes(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("service-{n}")).collect()
    }

    fn shard() -> u32 {
        due_shard(&id("any").account)
    }

    #[test]
    fn a_put_holds_only_on_the_version_it_was_made_from() {
        let mut table = Named::default();
        let (first, second) = (record("a", 1, 10), record("a", 2, 20));
        assert_eq!(table.put(&second, 1, at(0)), Err(None), "nothing is stored yet");
        assert_eq!(table.put(&first, 0, at(0)), Ok(None));
        let stored = first;
        assert_eq!(table.put(&second, 0, at(0)), Err(Some(stored.clone())), "the refusal shows what is stored");
        assert_eq!(table.get("a"), Some(&stored), "and changes nothing");
        assert_eq!(table.put(&second, 1, at(0)), Ok(Some(stored)));
        assert_eq!(table.get("a"), Some(&second));
    }

    #[test]
    fn a_delete_holds_on_the_same_condition() {
        let mut table = table_of(&[("a", 10)]);
        let stored = table.get("a").expect("stored").clone();
        assert_eq!(table.delete(&record("a", 2, 10)), Err(Some(stored.clone())));
        assert_eq!(due(&mut table, 10), ["a"]);
        assert_eq!(table.delete(&stored), Ok(()));
        assert_eq!(table.get("a"), None);
        assert_eq!(table.delete(&stored), Err(None));
        assert!(due(&mut table, 10).is_empty(), "the index forgets it too");
    }

    #[test]
    fn of_two_writers_with_the_same_version_one_wins() {
        let mut table = table_of(&[("a", 10)]);
        assert!(table.put(&record("a", 2, 20), 1, at(0)).is_ok());
        assert_eq!(table.put(&record("a", 2, 30), 1, at(0)), Err(Some(record("a", 2, 20))));
    }

    #[test]
    fn a_market_is_written_on_the_same_condition() {
        let mut table = Table::default();
        let market = Market::new("111111111111".parse().expect("an account"), "eu-west-1".parse().expect("a region"));
        assert!(table.put_market(&market));
        assert!(!table.put_market(&market), "somebody else wrote it first");
        let stored = table.market(&market.account, &market.region).expect("stored").clone();
        assert_eq!(stored.version, 1);
        assert!(table.put_market(&stored));
    }

    #[test]
    fn due_records_come_earliest_first_and_never_before_their_time() {
        let names = namesakes(4);
        let [a, b, c, d] = [0, 1, 2, 3].map(|n| names[n].as_str());
        let mut table = table_of(&[(c, 10), (a, 30), (b, 20), (d, 31)]);
        let mut due = |now| -> Vec<String> {
            table.due(shard(), at(now), None, 9).iter().map(|(_, record)| record.service.service.to_string()).collect()
        };
        assert_eq!(due(30), [c, b, a]);
        assert_eq!(due(29), [c, b]);
        assert!(due(9).is_empty());
    }

    #[test]
    fn a_shard_shows_only_its_own_records() {
        let mut table = table_of(&[("a", 10), ("b", 10), ("c", 10), ("d", 10)]);
        for shard in 0..handlers::record::DUE_SHARDS {
            let due = table.due(shard, at(99), None, 9);
            assert!(due.iter().all(|(_, record)| due_shard(&record.service.account) == shard));
        }
        assert_eq!(due(&mut table, 99), ["a", "b", "c", "d"]);
    }

    #[test]
    fn a_write_moves_a_record_within_the_index() {
        let mut table = table_of(&[("a", 10)]);
        table.put(&record("a", 2, 50), 1, at(0)).expect("the version is right");
        assert!(due(&mut table, 49).is_empty());
        assert_eq!(due(&mut table, 50), ["a"]);
    }

    #[test]
    fn an_index_that_lags_shows_the_record_of_before() {
        let mut table = table_of(&[("a", 10)]);
        assert_eq!(due(&mut table, 10), ["a"]);
        table.put(&record("a", 2, 50), 1, at(13)).expect("the version is right");
        let shown = |table: &mut Named, now| {
            (0..handlers::record::DUE_SHARDS)
                .flat_map(|shard| table.due(shard, at(now), None, 9))
                .next()
                .map(|(_, record)| record)
        };
        assert_eq!(shown(&mut table, 12).expect("still shown").version, 1);
        assert_eq!(table.get("a").expect("stored").version, 2, "a read of the table itself is consistent");
        assert_eq!(shown(&mut table, 13), None);
        assert_eq!(shown(&mut table, 50).expect("due again").version, 2);
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_repetition() {
        let names = namesakes(5);
        let mut table = Named::default();
        for (name, due) in names.iter().zip([10, 10, 10, 20, 30]) {
            table.put(&record(name, 1, due), 0, at(0)).expect("nothing is stored yet");
        }
        for most in 1..=6 {
            let (mut seen, mut after) = (Vec::new(), None);
            for _ in 0..9 {
                let page = table.due(shard(), at(20), after, most);
                seen.extend(page.iter().map(|(_, record)| record.service.service.to_string()));
                let Some(last) = page.last().filter(|_| page.len() == most) else { break };
                after = Some(last.0);
            }
            seen.sort();
            let mut expected = names[..4].to_vec();
            expected.sort();
            assert_eq!(seen, expected, "{most} to a page");
        }
    }

    #[test]
    fn a_page_after_a_record_that_moved_meanwhile_goes_on_from_where_it_was() {
        let names = namesakes(2);
        let mut table = table_of(&[(&names[0], 10), (&names[1], 20)]);
        let page = table.due(shard(), at(30), Some((at(15), NameKey(9))), 9);
        assert_eq!(page.len(), 1, "the position need not exist any more");
        assert_eq!(page[0].1.service.service.to_string(), names[1]);
        assert!(table.due(shard(), at(30), Some((at(40), NameKey(9))), 9).is_empty(), "nor lie within what is due");
    }
}
