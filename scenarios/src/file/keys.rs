//! Every table a scenario file may have, with every key of it: what the parser accepts, what `docs/scenarios.md` explains and
//! what `scenario.schema.json` tells an editor are all read off this.

mod event;
mod event_path;
mod expect;
mod group;
mod market;
mod scenario;
mod scope;
mod service;
mod walk;

pub(super) use event::*;
pub(super) use event_path::*;
pub(super) use expect::*;
pub(super) use market::*;
pub(super) use service::*;

pub use group::{Group, Key, Kind, Need, Rule};
pub use scenario::SCENARIO;
pub(super) use scenario::{FAULTS, QUOTAS};
pub use walk::groups;
