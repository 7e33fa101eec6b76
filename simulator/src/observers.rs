//! What watches a run: told of everything that happens, asked by no part of the model.

use crate::observers::ledger::Ledger;
use crate::observers::oracle::Oracle;
use crate::observers::trace::Entry;

pub mod ledger;
pub(crate) mod oracle;
pub mod trace;

#[derive(Debug, Default)]
pub(crate) struct Observers {
    pub(crate) oracle: Oracle,
    pub(crate) ledgers: Vec<Ledger>,
    pub(crate) trace: Vec<Entry>,
    pub(crate) happenings: u64,
}
