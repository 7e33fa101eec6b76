//! Lists of accounts.

use std::collections::BTreeMap;

use handlers::service::AccountId;

use super::cursor::{Result, Value};
use super::suggest;
use crate::diagnostic::Fault;

/// Most accounts of a scenario.
pub(super) const MAX_ACCOUNTS: usize = 1000;

/// A list of accounts, none of them twice.
pub(super) fn read(list: Value<'_>) -> Result<Vec<AccountId>> {
    read_by(list, |item| Ok(vec![item.name()?]))
}

/// The accounts that the items of a list mean by `meaning`, none of them twice.
pub(super) fn read_by<'d>(
    list: Value<'d>,
    meaning: impl Fn(Value<'d>) -> Result<Vec<AccountId>>,
) -> Result<Vec<AccountId>> {
    let items = list.list()?;
    if items.len() > MAX_ACCOUNTS {
        return Err(list.fault("is too long", format!("at most {MAX_ACCOUNTS} accounts are allowed")));
    }
    let mut all = Vec::new();
    let mut seen = BTreeMap::new();
    for item in items {
        for account in meaning(item)? {
            if let Some(first) = seen.insert(account.clone(), item) {
                return Err(item.fault("is listed twice", "the second one").also(first.span(), "the first one"));
            }
            all.push(account);
        }
    }
    Ok(all)
}

/// `account` is not one of `known`.
pub(super) fn unlisted(account: Value<'_>, known: &[AccountId]) -> Fault {
    let typed = account.text().unwrap_or_default();
    let label = match suggest::closest(typed, known.iter().map(AccountId::as_str)) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => "not an account of this scenario".into(),
    };
    Fault::new(account.span(), format!("account {typed} is not known"), label)
        .help(format!("known are: {}", suggest::list(known.iter().map(AccountId::as_str))))
}
