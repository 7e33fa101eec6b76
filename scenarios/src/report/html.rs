//! The report as one HTML file: overview, details of each service, tables. The numbers are embedded as JSON and drawn by the
//! scripts beside this file; nothing is fetched.

mod data;

use super::Report;
use crate::compare::{Automation, Comparison};
use crate::play::Play;
use data::Data;

/// Most services that are drawn; of more the least available.
pub const DRAWN: usize = 1000;

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

/// The comparison of a run with others of the same world, and those others.
pub type Compared<'r> = (&'r Comparison, &'r [(Automation, Play)]);

/// The report of `play` as an HTML page, with what others made of the same world where it is `compared`; `replay` is the command
/// that plays the same run.
///
/// The worlds must have kept their counts ([`Facts::series`](simulator::facts::Facts::series)), or no tasks are drawn.
pub fn page(play: &Play, report: &Report, compared: Option<Compared<'_>>, replay: &str) -> String {
    let json = data(play, report, compared, replay);
    let scripts: String = SCRIPTS.concat();
    let mut page = String::with_capacity(PAGE.len() + STYLE.len() + scripts.len() + json.len());
    // One pass, so that nothing in a title or in the data is taken for a place of the page.
    let mut rest = PAGE;
    let title = escaped(&report.title);
    for (place, text) in [("{{title}}", &*title), ("{{style}}", STYLE), ("{{data}}", &json), ("{{scripts}}", &scripts)]
    {
        let (before, after) = rest.split_once(place).expect("the page has its places in this order");
        page += before;
        page += text;
        rest = after;
    }
    page + rest
}

/// The embedded JSON. A `<` in it is written as `\u003c`, so that no text of a scenario ends the element it stands in.
pub fn data(play: &Play, report: &Report, compared: Option<Compared<'_>>, replay: &str) -> String {
    let json = serde_json::to_string(&Data::of(play, report, compared, replay)).expect("keys are strings");
    json.replace('<', "\\u003c")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
