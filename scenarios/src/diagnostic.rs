//! What is wrong with a scenario file, shown the way rustc shows it: the line, a caret under the mistake, what to write instead.
//!
//! A scenario is written by people who do not know the code, so the error is the manual they read most. Whatever the file holds,
//! showing it is safe: control characters never reach the terminal, and a line of a megabyte is shown through a window.

use std::fmt;
use std::io;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// Longest part of a line that is underlined, in bytes.
const MAX_UNDERLINE: usize = 60;
/// A second place is shown only if its column is this near the first one's: the window shows one part of all lines.
const MAX_COLUMN_DISTANCE: usize = 60;
/// Longest message, label or line of help, in characters: a hostile value must not flood the terminal.
const MAX_TEXT: usize = 2000;

/// A mistake in a text, found by code that knows neither the file's name nor how it will be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    message: String,
    labels: Vec<Label>,
    help: Vec<String>,
}

/// A place, in bytes of the text, and what to say under it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Label {
    span: Range<usize>,
    text: String,
}

impl Fault {
    /// A mistake at `span`; `label` stands under the caret.
    pub(crate) fn new(span: Range<usize>, message: impl Into<String>, label: impl Into<String>) -> Self {
        Self { message: message.into(), labels: vec![Label { span, text: label.into() }], help: Vec::new() }
    }

    /// A second place that explains the first.
    pub(crate) fn also(mut self, span: Range<usize>, label: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: label.into() });
        self
    }

    /// A line of help below the excerpt.
    pub(crate) fn help(mut self, line: impl Into<String>) -> Self {
        self.help.push(line.into());
        self
    }
}

/// Why a scenario file cannot be used. [`Display`](fmt::Display) is plain text; [`Problem::coloured`] is for terminals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    file: String,
    message: String,
    help: Vec<String>,
    /// Absent when the file could not even be read.
    excerpt: Option<Box<Excerpt>>,
}

/// The lines of the file that the labels touch and those between them; spans count from its start.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Excerpt {
    text: String,
    line: usize,
    column: usize,
    first_line: usize,
    labels: Vec<Label>,
}

impl Problem {
    /// `fault`, found in `text`, which was read from `file`.
    pub(crate) fn new(file: &str, text: &str, fault: Fault) -> Self {
        let Fault { message, labels, help } = fault;
        Self {
            file: printable(file),
            message: printable(&message),
            help: help.iter().map(|line| printable(line)).collect(),
            excerpt: Some(Box::new(Excerpt::new(text, labels))),
        }
    }

    /// `file` cannot be read at all.
    pub(crate) fn unreadable(file: &str, error: &io::Error) -> Self {
        let (why, help) = match error.kind() {
            io::ErrorKind::NotFound => ("there is no such file", "check the path, or list the scenarios with --list"),
            io::ErrorKind::PermissionDenied => ("it may not be read by you", "change its permissions"),
            io::ErrorKind::IsADirectory => ("it is a directory", "name one of the .toml files in it"),
            _ => ("", "check the path"),
        };
        let why = if why.is_empty() { error.to_string() } else { why.into() };
        let file = printable(file);
        Self { message: printable(&format!("cannot read {file}: {why}")), help: vec![help.into()], file, excerpt: None }
    }

    /// What is wrong, in one line.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Line and column of the mistake, both from 1; none if the file could not be read.
    pub fn place(&self) -> Option<(usize, usize)> {
        self.excerpt.as_ref().map(|excerpt| (excerpt.line, excerpt.column))
    }

    /// With ANSI colours. Print it with `anstream`, which takes them out where they are not wanted.
    pub fn coloured(&self) -> String {
        self.render(&Renderer::styled())
    }

    fn render(&self, renderer: &Renderer) -> String {
        let title = Level::ERROR.primary_title(self.message.as_str());
        let help = self.help.iter().map(String::as_str);
        let Some(excerpt) = &self.excerpt else {
            // One report each: within one the renderer ties them together with a gutter, which leads nowhere without an excerpt.
            let help = help.map(|line| Level::HELP.secondary_title(line));
            let lines = std::iter::once(title).chain(help).map(|line| renderer.render(&[Group::with_title(line)]));
            return lines.collect::<Vec<_>>().join("\n");
        };
        let labels = excerpt.labels.iter().enumerate().map(|(n, label)| {
            let kind = if n == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
            kind.span(label.span.clone()).label(label.text.as_str())
        });
        let snippet = Snippet::source(excerpt.text.as_str()).path(self.file.as_str()).line_start(excerpt.first_line);
        let group = Group::with_title(title).element(snippet.annotations(labels));
        renderer.render(&[group.elements(help.map(|line| Level::HELP.message(line)))])
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Renderer::plain()))
    }
}

impl std::error::Error for Problem {}

impl Excerpt {
    /// The first of `labels` is the mistake itself.
    fn new(text: &str, labels: Vec<Label>) -> Self {
        let column = |at: usize| at - line_start(text, at);
        let mut labels: Vec<Label> =
            labels.into_iter().map(|l| Label { span: within_line(text, l.span), text: printable(&l.text) }).collect();
        let at = labels.first().map_or(0, |l| l.span.start);
        labels.retain(|l| column(l.span.start).abs_diff(column(at)) <= MAX_COLUMN_DISTANCE);

        let from = line_start(text, labels.iter().map(|l| l.span.start).min().unwrap_or(0));
        let last = labels.iter().map(|l| l.span.end).max().unwrap_or(0);
        // With its line end: a carriage return is part of that, not of the line.
        let to = text[last..].find('\n').map_or(text.len(), |n| last + n + 1);
        for label in &mut labels {
            label.span = label.span.start - from..label.span.end - from;
        }
        Self {
            // The renderer draws the old control characters as symbols but lets those of Latin-1 through, among them a second
            // spelling of ESC [. The stand-in has as many bytes, so spans stay right.
            text: text[from..to].replace(|c| matches!(c, '\u{80}'..='\u{9f}'), "\u{b7}"),
            line: line_of(text, at),
            column: text[line_start(text, at)..at].chars().count() + 1,
            first_line: line_of(text, from),
            labels,
        }
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |n| n + 1)
}

/// `span` cut to what can be underlined: within the text, on one line, not too long, on character boundaries.
fn within_line(text: &str, span: Range<usize>) -> Range<usize> {
    let boundary = |mut at: usize| {
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = boundary(span.start.min(text.len()));
    let end = boundary(span.end.clamp(start, start + MAX_UNDERLINE).min(text.len()));
    let line = text[start..end].split(['\r', '\n']).next().unwrap_or_default();
    start..start + line.len()
}

/// `text` of bounded length, without control characters and without those that reorder the text around them.
fn printable(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().take(MAX_TEXT).map(|c| if hidden(c) { '\u{fffd}' } else { c }).collect()
}
