//! The report as one HTML file: overview, details of each service, tables. The numbers are embedded as JSON and drawn by the
//! scripts beside this file; nothing is fetched.

use std::collections::BTreeMap;

use handlers::record::Phase;
use handlers::service::AccountId;
use serde::Serialize;
use simulator::ServiceOutcome;

use super::course::{self, Kind, Markets};
use super::{Report, Summary};
use crate::play::Play;
use crate::verdict::thousands;

/// Most services that are drawn; of more the least available.
pub const DRAWN: usize = 1000;
/// Most accounts that a mark names.
const NAMED: usize = 3;

const PAGE: &str = include_str!("html/page.html");
const STYLE: &str = include_str!("html/style.css");
/// In the order in which they build on each other.
const SCRIPTS: [&str; 6] = [
    include_str!("html/data.js"),
    include_str!("html/chart.js"),
    include_str!("html/detail.js"),
    include_str!("html/overview.js"),
    include_str!("html/tables.js"),
    include_str!("html/main.js"),
];

/// What the scripts read.
#[derive(Debug, Serialize)]
struct Data<'r> {
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
}

#[derive(Debug, Serialize)]
struct Account<'r> {
    id: &'r AccountId,
    #[serde(flatten)]
    markets: Markets,
}

/// Milliseconds from the start, kind, index of the text, and indices of the accounts it concerns; of none is of all.
type WorldMark = (u64, Kind, usize, Vec<usize>);

/// One service's run, in milliseconds from the start.
#[derive(Debug, Serialize)]
struct Course {
    /// Index of its account.
    account: usize,
    /// Since when, running on Spot, running On-Demand, wanted.
    counts: Vec<(u64, u32, u32, u32)>,
    /// Since when, and which; `null` is no record.
    phases: Vec<(u64, Option<Phase>)>,
    /// When, kind, index of the text.
    marks: Vec<(u64, Kind, usize)>,
}

/// Texts, each once.
#[derive(Default)]
struct Texts {
    known: BTreeMap<String, usize>,
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

/// The report of `play` as an HTML page; `replay` is the command that plays the same run.
///
/// The world must have kept its counts ([`Facts::series`](simulator::facts::Facts::series)), or no tasks are drawn.
pub fn page(play: &Play, report: &Report, replay: &str) -> String {
    let json = data(play, report, replay);
    let scripts: String = SCRIPTS.concat();
    let mut page = String::with_capacity(PAGE.len() + STYLE.len() + scripts.len() + json.len());
    // One pass, so that nothing in a title or in the data is taken for a place of the page.
    let mut rest = PAGE;
    for (place, text) in [
        ("{{title}}", escaped(&report.title)),
        ("{{style}}", STYLE.into()),
        ("{{data}}", json),
        ("{{scripts}}", scripts),
    ] {
        let (before, after) = rest.split_once(place).expect("the page has its places in this order");
        page += before;
        page += &text;
        rest = after;
    }
    page + rest
}

/// The embedded JSON. A `<` in it is written as `\u003c`, so that no text of a scenario ends the element it stands in.
pub fn data(play: &Play, report: &Report, replay: &str) -> String {
    let json = serde_json::to_string(&gather(play, report, replay)).expect("keys are strings");
    json.replace('<', "\\u003c")
}

fn gather<'r>(play: &'r Play, report: &Report, replay: &'r str) -> Data<'r> {
    let drawn = drawn(&report.services);
    let services: Vec<&ServiceOutcome> = drawn.iter().map(|n| &play.outcome.services[*n]).collect();
    let (courses, world) = course::courses(&play.outcome, &services);
    let markets = course::markets(&play.outcome, &services);
    let index: BTreeMap<AccountId, usize> = markets.keys().enumerate().map(|(n, id)| ((*id).clone(), n)).collect();
    let mut texts = Texts::default();
    let world = world.into_iter().filter_map(|mark| {
        let mut concerned: Vec<usize> =
            mark.accounts.iter().filter_map(|account| index.get(account).copied()).collect();
        if concerned.is_empty() && !mark.accounts.is_empty() {
            return None;
        }
        if concerned.len() == index.len() {
            concerned.clear();
        }
        Some((mark.at_ms, mark.kind, texts.index(few_accounts(mark.what, &mark.accounts)), concerned))
    });
    let world = world.collect();
    let courses = courses.into_iter().map(|course| Course {
        account: index[&course.service.id.account],
        counts: course
            .service
            .ledger
            .series
            .iter()
            .map(|c| (c.at.as_millis() as u64, c.spot, c.on_demand, c.desired))
            .collect(),
        phases: course.phases,
        marks: course.marks.into_iter().map(|mark| (mark.at_ms, mark.kind, texts.index(mark.what))).collect(),
    });
    let courses = courses.collect();
    let mut run = report.clone();
    run.services = drawn.iter().map(|n| report.services[*n].clone()).collect();
    Data {
        replay,
        about: play.scenario.about.trim(),
        run,
        services_in_all: report.services.len(),
        accounts: markets.into_iter().map(|(id, markets)| Account { id, markets }).collect(),
        world,
        courses,
        texts: texts.into_list(),
    }
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

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
