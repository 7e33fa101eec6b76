//! How a line speaks of many.

use std::collections::BTreeSet;
use std::time::Duration;

use handlers::service::AccountId;
use simulator::trace::Clock;

use super::super::Line;
use super::{ACCOUNTS, Group, Kind};
use crate::verdict::thousands;

/// A line over a longer time says when half of it had happened.
const WHILE: Duration = Duration::from_secs(60);
/// Most accounts and most different texts of one line that are listed.
const LISTED: usize = 3;

impl Group<'_> {
    pub(super) fn into_line(mut self) -> Line {
        self.services.sort_unstable();
        self.services.dedup();
        let service = match &self.services[..] {
            [] => None,
            [one] => Some(one.to_string()),
            many => Some(format!("{} services", thousands(many.len()))),
        };
        let (from, to, transition) = match self.kind {
            Kind::Phases(from, to) => (from, to, true),
            _ => (None, None, false),
        };
        let ms = |time: Duration| time.as_millis() as u64;
        Line { at_ms: ms(self.first), until_ms: Some(ms(self.last)), service, what: self.text(), from, to, transition }
    }

    fn text(&self) -> String {
        let times = match self.times.len() {
            count if count > self.services.len().max(1) && self.variants.len() == 1 => {
                format!(", {} times", thousands(count))
            }
            _ => String::new(),
        };
        match &self.kind {
            Kind::Spot(loss) => format!("Spot capacity {} in {}{loss}", self.course(), self.whose_accounts()),
            Kind::OfAccounts(text) => text.replacen(ACCOUNTS, &self.whose_accounts(), 1) + &times,
            Kind::World(text) => format!("{text}{times}"),
            Kind::Taken { warned } => {
                let (tasks, s) = (self.times.len(), if self.times.len() == 1 { "" } else { "s" });
                let verb = match (warned, tasks) {
                    (true, 1) => "gets the two-minute warning",
                    (true, _) => "get the two-minute warning",
                    (false, 1) => "vanishes",
                    (false, _) => "vanish",
                };
                format!("{} Spot task{s} {verb}{}", thousands(tasks), self.half())
            }
            Kind::Phases(..) => format!("{}{times}{}", self.said(), self.half()),
            Kind::Updated { by, .. } => format!("{by}{}{times}", self.said()),
            Kind::Completed { .. } => format!("deployment completed on {}{times}", self.said()),
            Kind::OfServices(text) => format!("{text}{times}"),
        }
    }

    /// What was said, the most frequent first; how often, where several things were.
    fn said(&self) -> String {
        let mut variants: Vec<(&String, usize)> = self.variants.iter().map(|(text, count)| (text, *count)).collect();
        if let [(only, _)] = variants[..] {
            return only.clone();
        }
        // The sort is stable, so equal counts stay in the order of their texts.
        variants.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let others: usize = variants.iter().skip(LISTED).map(|(_, count)| count).sum();
        let listed = variants.iter().take(LISTED).map(|(text, count)| format!("{text} ({})", thousands(*count)));
        let others = (others > 0).then(|| format!("others ({})", thousands(others)));
        listed.chain(others).collect::<Vec<_>>().join("; ")
    }

    /// When half of it had happened, where that took a while.
    fn half(&self) -> String {
        if self.times.len() < 3 || self.last.saturating_sub(self.first) < WHILE {
            return String::new();
        }
        let half = self.times[(self.times.len() - 1) / 2];
        let clock = Clock(Duration::from_secs(half.as_secs())).to_string();
        format!(", half by {}", clock.trim_end_matches(".000"))
    }

    /// How the capacity of markets went.
    fn course(&self) -> String {
        let (first, last) = &self.ends;
        match self.times.len() {
            1 => format!("is now {first}"),
            _ if self.variants.len() == 1 => format!("is now {first}"),
            steps => format!("goes from {first} to {last} in {} steps", thousands(steps)),
        }
    }

    fn whose_accounts(&self) -> String {
        let accounts: BTreeSet<&AccountId> = self.accounts.iter().copied().collect();
        if accounts.len() > LISTED {
            return format!("{} accounts", thousands(accounts.len()));
        }
        accounts.into_iter().map(AccountId::as_str).collect::<Vec<_>>().join(", ")
    }
}
