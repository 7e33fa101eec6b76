//! What the actions of a scenario may refer to: its accounts, services and fleets.

use std::time::Duration;

use handlers::service::{AccountId, ServiceId};
use simulator::spec::ServiceSpec;

use crate::file::accounts;
use crate::file::cursor::{Result, Table, Value};
use crate::file::fleet::{self, Fleet};
use crate::file::keys::Group;
use crate::file::output::Entries;
use crate::file::service;

/// What the actions may refer to.
pub(in crate::file) struct Scope<'a> {
    pub(in crate::file) accounts: &'a [AccountId],
    pub(in crate::file) services: &'a [ServiceSpec],
    pub(in crate::file) fleets: &'a [Fleet],
    /// The service of a fleet that an action is read for; without it the action names its service.
    pub(in crate::file) each: Option<&'a ServiceSpec>,
    pub(in crate::file) duration: Duration,
    /// Where the duration is written.
    pub(in crate::file) end: Value<'a>,
}

impl<'a> Scope<'a> {
    /// The service that an action is about.
    pub(super) fn service(&self, table: &Table<'_>) -> Result<&'a ServiceSpec> {
        match self.each {
            Some(service) => Ok(service),
            None => service::find(table.need("service")?, self.services),
        }
    }

    /// The service of an action that has no other key.
    pub(super) fn only_service(&self, group: &'static Group, value: Value<'_>) -> Result<ServiceId> {
        let table = value.table(group)?;
        Ok(self.service(&table)?.id.clone())
    }

    /// The accounts that an action names, or all of them.
    pub(super) fn accounts(&self, table: &Table<'_>) -> Result<Vec<AccountId>> {
        let Some(value) = table.get("accounts") else { return Ok(self.accounts.to_vec()) };
        self.known_accounts(value)
    }

    /// A list of accounts of this scenario. The name of a fleet stands for all of its accounts.
    pub(super) fn known_accounts(&self, value: Value<'_>) -> Result<Vec<AccountId>> {
        accounts::read_by(value, |item| match item.name() {
            Ok(account) if self.accounts.contains(&account) => Ok(vec![account]),
            Ok(_) => Err(accounts::unlisted(item, self.accounts)),
            Err(no_account) if self.fleets.is_empty() || digits(item) => Err(no_account),
            Err(_) => fleet::find(item, self.fleets).map(|fleet| fleet.accounts.clone()),
        })
    }
}

/// Whether a text was meant to be an account.
fn digits(item: Value<'_>) -> bool {
    item.text().is_ok_and(|text| text.bytes().all(|b| b.is_ascii_digit()))
}

/// The keys of an action about one service begin with it.
pub(super) fn of_service(service: &ServiceId) -> Entries {
    Entries::default().with("service", service.to_string())
}
