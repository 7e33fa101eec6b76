//! Keys by which actions say whom they are about.

use super::group::Kind::{Line, List, Service};
use super::group::Need::{Else, Required};
use super::group::{Key, Rule, key};

pub(super) const SERVICE_OR_FLEET: Rule = Rule::OneOf(&["service", "fleet"]);
pub(super) const SERVICE_KEY: Key = key("service", Service, Else("`fleet`"), "\"web/checkout\"", "Which service");
pub(super) const FLEET_KEY: Key = key("fleet", Line, Else("`service`"), "\"batch\"", "Every service of a fleet");
pub(super) const ONLY_SERVICE: Key = key("service", Service, Required, "\"web/checkout\"", "Which service");
/// Also the names of fleets, each of which stands for its accounts.
pub(super) const ACCOUNTS: Key = key(
    "accounts",
    List(&Line),
    Else("all accounts"),
    "[\"111111111111\"]",
    "Whose: accounts, or names of fleets for theirs",
);
