//! What the scripts of the page read: the run as `--json` prints it, and what the pictures need on top of that.

use std::collections::BTreeMap;

use handlers::record::Phase;
use handlers::service::AccountId;
use serde::Serialize;
use simulator::ServiceOutcome;
use simulator::ledger::Ledger;

use super::{Compared, DRAWN};
use crate::compare::Comparison;
use crate::play::Play;
use crate::report::course::{self, Kind, Markets};
use crate::report::{Report, Summary};
use crate::verdict::thousands;

/// Most accounts that a mark names.
const NAMED: usize = 3;

#[derive(Debug, Serialize)]
pub(super) struct Data<'r> {
    /// The command that plays the same run.
    replay: &'r str,
    about: &'r str,
    /// What `--json` prints, with the services that are drawn.
    run: Report,
    /// How many services the run had.
    services_in_all: usize,
    accounts: Vec<Account<'r>>,
    world: Vec<WorldMark>,
    /// In the order of `run.services`.
    courses: Vec<Course>,
    /// What marks say.
    texts: Vec<String>,
    comparison: Option<Table>,
}

#[derive(Debug, Serialize)]
struct Account<'r> {
    id: &'r AccountId,
    #[serde(flatten)]
    markets: Markets,
}

/// Milliseconds from the start, kind, index of the text, and indices of the accounts it concerns; of none is of all.
type WorldMark = (u64, Kind, usize, Vec<usize>);

/// Milliseconds from the start since when, and the tasks: running on Spot, running On-Demand, wanted.
type Counts = Vec<(u64, u32, u32, u32)>;

/// One service's run, in milliseconds from the start.
#[derive(Debug, Serialize)]
struct Course {
    /// Index of its account.
    account: usize,
    counts: Counts,
    /// The same with each of the other automations, where there is a comparison.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    others: Vec<Counts>,
    /// Since when, and which; `null` is no record.
    phases: Vec<(u64, Option<Phase>)>,
    /// When, kind, index of the text.
    marks: Vec<(u64, Kind, usize)>,
}

/// What each automation made of the same world.
#[derive(Debug, Serialize)]
struct Table {
    /// The automations' names, ours last.
    automations: Vec<&'static str>,
    /// What is compared, and a cell for each automation.
    measures: Vec<(&'static str, Vec<String>)>,
}

/// Texts, each once.
#[derive(Default)]
struct Texts {
    known: BTreeMap<String, usize>,
}

impl<'r> Data<'r> {
    pub(super) fn of(play: &'r Play, report: &Report, compared: Option<Compared<'r>>, replay: &'r str) -> Self {
        let drawn = drawn(&report.services);
        let services: Vec<&ServiceOutcome> = drawn.iter().map(|n| &play.outcome.services[*n]).collect();
        let (courses, world) = course::courses(&play.outcome, &services);
        let markets = course::markets(&play.outcome, &services);
        let index: BTreeMap<AccountId, usize> = markets.keys().enumerate().map(|(n, id)| ((*id).clone(), n)).collect();
        let mut texts = Texts::default();
        let world = world.into_iter().filter_map(|mark| {
            let mut concerned: Vec<usize> = mark.accounts.iter().filter_map(|a| index.get(a).copied()).collect();
            if concerned.is_empty() && !mark.accounts.is_empty() {
                return None;
            }
            if concerned.len() == index.len() {
                concerned.clear();
            }
            Some((mark.at_ms, mark.kind, texts.index(few_accounts(mark.what, &mark.accounts)), concerned))
        });
        let world = world.collect();
        let others = compared.map_or(&[][..], |(_, others)| others);
        let courses = courses.into_iter().zip(&drawn).map(|(course, n)| Course {
            account: index[&course.service.id.account],
            counts: counts(&course.service.ledger),
            others: others.iter().map(|(_, play)| counts(&play.outcome.services[*n].ledger)).collect(),
            phases: course.phases,
            marks: course.marks.into_iter().map(|mark| (mark.at_ms, mark.kind, texts.index(mark.what))).collect(),
        });
        let courses = courses.collect();
        let mut run = report.clone();
        run.services = drawn.iter().map(|n| report.services[*n].clone()).collect();
        Self {
            replay,
            about: play.scenario.about.trim(),
            run,
            services_in_all: report.services.len(),
            accounts: markets.into_iter().map(|(id, markets)| Account { id, markets }).collect(),
            world,
            courses,
            texts: texts.into_list(),
            comparison: compared.map(|(comparison, _)| Table::of(comparison)),
        }
    }
}

impl Table {
    fn of(comparison: &Comparison) -> Self {
        let automations = comparison.runs.iter().map(|run| run.automation.name()).collect();
        Self { automations, measures: comparison.measures() }
    }
}

impl Texts {
    fn index(&mut self, text: String) -> usize {
        let next = self.known.len();
        *self.known.entry(text).or_insert(next)
    }

    fn into_list(self) -> Vec<String> {
        let mut list = vec![String::new(); self.known.len()];
        self.known.into_iter().for_each(|(text, index)| list[index] = text);
        list
    }
}

fn counts(ledger: &Ledger) -> Counts {
    ledger.series.iter().map(|c| (c.at.as_millis() as u64, c.spot, c.on_demand, c.desired)).collect()
}

/// The indices of the services that are drawn, in their order.
fn drawn(services: &[Summary]) -> Vec<usize> {
    let mut drawn: Vec<usize> = (0..services.len()).collect();
    if drawn.len() > DRAWN {
        drawn.sort_by(|a, b| services[*a].worst_first(&services[*b]));
        drawn.truncate(DRAWN);
        drawn.sort_unstable();
    }
    drawn
}

/// `Spot capacity is now 0 in 100 accounts`.
fn few_accounts(text: String, accounts: &[AccountId]) -> String {
    if accounts.len() <= NAMED {
        return text;
    }
    let list = accounts.iter().map(AccountId::as_str).collect::<Vec<_>>().join(", ");
    text.replacen(&list, &format!("{} accounts", thousands(accounts.len())), 1)
}
