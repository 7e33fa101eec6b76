//! Every table of a file, and what it is called where it needs a name of its own.

use super::group::{Group, Kind};
use super::scenario::SCENARIO;

/// Every table, each once, in the order in which a reader of the keys comes upon them.
pub fn groups() -> Vec<&'static Group> {
    let mut all = vec![&SCENARIO];
    let mut next = 0;
    while let Some(group) = all.get(next) {
        let inner: Vec<&'static Group> = group.keys().flat_map(|key| key.kind.groups()).collect();
        for group in inner {
            if !all.iter().any(|known| std::ptr::eq(*known, group)) {
                all.push(group);
            }
        }
        next += 1;
    }
    all
}

impl Group {
    /// Its name without brackets, backticks and article: `service`, `expect.service`, `spot`.
    pub fn name(&self) -> String {
        self.what.trim_start_matches("a ").trim_matches(['[', ']', '`']).replace(' ', "-")
    }
}

impl Kind {
    /// The tables that may be written here.
    fn groups(self) -> Vec<&'static Group> {
        match self {
            Self::Table(group) | Self::Tables(group) => vec![group],
            Self::List(item) => item.groups(),
            Self::Or(one, other) => [one.groups(), other.groups()].concat(),
            _ => Vec::new(),
        }
    }
}
