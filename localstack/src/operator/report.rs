//! A check list as text: a line for each check, and what it saw below.

use std::fmt;

use anstyle::{AnsiColor, Style};

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// As it must be.
    Holds,
    /// Nothing to hold or to fail: shown for whoever reads.
    Note,
    /// It could not be looked at.
    Unknown,
    /// Not as it must be.
    Fails,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// How it came out.
    pub mark: Mark,
    /// Queue, DLQ, log, table or ECS.
    pub stage: &'static str,
    /// Which one.
    pub name: String,
    /// What was seen, in a few words.
    pub says: String,
    /// What else was seen, a line each.
    pub more: Vec<String>,
}

impl Check {
    /// One without more to say.
    pub fn new(mark: Mark, stage: &'static str, name: impl Into<String>, says: impl Into<String>) -> Self {
        Self { mark, stage, name: name.into(), says: says.into(), more: Vec::new() }
    }
}

/// All of a service. Displayed with ANSI colours; print it through `anstream`, which drops them where nobody sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What was looked at, and where.
    pub title: String,
    /// In the order in which an event passes them.
    pub checks: Vec<Check>,
}

impl Report {
    /// The worst mark.
    pub fn mark(&self) -> Mark {
        self.checks.iter().map(|check| check.mark).max().unwrap_or(Mark::Holds)
    }

    /// 0: everything holds. 1: something does not. 2: something could not be looked at.
    pub fn exit_code(&self) -> u8 {
        match self.mark() {
            Mark::Holds | Mark::Note => 0,
            Mark::Fails => 1,
            Mark::Unknown => 2,
        }
    }

    fn count(&self, mark: Mark) -> usize {
        self.checks.iter().filter(|check| check.mark == mark).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bold = Style::new().bold();
        writeln!(f, "{bold}{}{bold:#}\n", self.title)?;
        let name = self.checks.iter().map(|check| check.name.len()).max().unwrap_or_default();
        for check in &self.checks {
            let (sign, colour) = match check.mark {
                Mark::Holds => ("ok  ", AnsiColor::Green),
                Mark::Note => ("-   ", AnsiColor::White),
                Mark::Unknown => ("?   ", AnsiColor::Yellow),
                Mark::Fails => ("FAIL", AnsiColor::Red),
            };
            let style = colour.on_default();
            writeln!(f, "{style}{sign}{style:#}  {:<5}  {:<name$}  {}", check.stage, check.name, check.says)?;
            for line in &check.more {
                writeln!(f, "{:13}{line}", "")?;
            }
        }
        let all = self.count(Mark::Holds) + self.count(Mark::Fails) + self.count(Mark::Unknown);
        match (self.count(Mark::Fails), self.count(Mark::Unknown)) {
            (0, 0) => write!(f, "\nall {all} checks hold"),
            (0, unknown) => write!(f, "\n{unknown} of {all} checks could not be made"),
            (fails, 0) => write!(f, "\n{fails} of {all} checks fail"),
            (fails, unknown) => write!(f, "\n{fails} of {all} checks fail, {unknown} could not be made"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(marks: &[Mark]) -> Report {
        let check = |mark: &Mark| Check::new(*mark, "queue", "q", "empty");
        Report { title: "t".into(), checks: marks.iter().map(check).collect() }
    }

    #[test]
    fn what_fails_counts_more_than_what_is_not_known() {
        use Mark::{Fails, Holds, Note, Unknown};
        for (marks, code, last) in [
            (vec![Holds, Note], 0, "all 1 checks hold"),
            (vec![Holds, Unknown], 2, "1 of 2 checks could not be made"),
            (vec![Unknown, Fails, Holds], 1, "1 of 3 checks fail, 1 could not be made"),
            (vec![Fails, Fails], 1, "2 of 2 checks fail"),
        ] {
            let report = report(&marks);
            assert_eq!((report.exit_code(), report.to_string().lines().last()), (code, Some(last)));
        }
    }
}
