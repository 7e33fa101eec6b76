//! Shows a run as it goes: its timeline, each line at its time, and in a terminal a last line with the clock of the world.
//!
//! A world knows no wall clock, so it is played to its end first; what is shown is the same whenever it is shown.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anstyle::Style;
use handlers::record::Phase;
use simulator::trace::Clock;

use crate::report::Report;
use crate::timeline::Line;

/// How often the clock is drawn.
const FRAME: Duration = Duration::from_millis(100);

/// How a showing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// To its end.
    Whole,
    /// Somebody has seen enough.
    Stopped,
}

/// Shows the timeline of `report`, of a world that lasted `duration`, `speed` times as fast as it went. `status` says whether to draw
/// the clock; a message of `stop` ends the showing.
///
/// # Errors
/// When `out` cannot be written.
pub fn show(
    report: &Report,
    duration: Duration,
    speed: f64,
    status: bool,
    stop: &Receiver<()>,
    out: &mut impl Write,
) -> io::Result<Shown> {
    let began = now();
    let mut phases = Phases::default();
    let lines = report.timeline().0.iter().zip(report.timeline_lines());
    for (line, text) in lines {
        if !wait(Duration::from_millis(line.at_ms), began, speed, stop, |at| draw(status, out, at, duration, &phases))?
        {
            clear(status, out)?;
            return Ok(Shown::Stopped);
        }
        clear(status, out)?;
        writeln!(out, "{text}")?;
        out.flush()?;
        phases.take(line);
    }
    let whole = wait(duration, began, speed, stop, |at| draw(status, out, at, duration, &phases))?;
    clear(status, out)?;
    Ok(if whole { Shown::Whole } else { Shown::Stopped })
}

#[expect(clippy::disallowed_methods, reason = "a showing goes by the wall clock; the world it shows does not")]
fn now() -> Instant {
    Instant::now()
}

/// Waits until it is `at` in the world, drawing frames; whether nobody stopped it meanwhile.
fn wait(
    at: Duration,
    began: Instant,
    speed: f64,
    stop: &Receiver<()>,
    mut frame: impl FnMut(Duration) -> io::Result<()>,
) -> io::Result<bool> {
    loop {
        let virtual_now = began.elapsed().mul_f64(speed);
        if virtual_now >= at {
            return Ok(true);
        }
        frame(virtual_now)?;
        match stop.recv_timeout((at - virtual_now).div_f64(speed).min(FRAME)) {
            Ok(()) => return Ok(false),
            Err(RecvTimeoutError::Timeout) => {}
            // Nothing can stop it any more, and nothing wakes it: an ordinary sleep.
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep((at - virtual_now).div_f64(speed).min(FRAME));
            }
        }
    }
}

fn draw(status: bool, out: &mut impl Write, at: Duration, of: Duration, phases: &Phases) -> io::Result<()> {
    if !status {
        return Ok(());
    }
    let bold = Style::new().bold();
    let second = |time: Duration| Clock(Duration::from_secs(time.as_secs())).to_string().replace(".000", "");
    write!(out, "\r\u{1b}[2K{bold}{}{bold:#} of {}  {phases}", second(at), second(of))?;
    out.flush()
}

fn clear(status: bool, out: &mut impl Write) -> io::Result<()> {
    if status { write!(out, "\r\u{1b}[2K") } else { Ok(()) }
}

/// In which phase each service is, as far as the timeline tells.
#[derive(Default)]
struct Phases(BTreeMap<String, Phase>);

impl Phases {
    fn take(&mut self, line: &Line) {
        let Some(service) = line.service.as_ref().filter(|_| line.transition) else { return };
        match line.to {
            Some(phase) => _ = self.0.insert(service.clone(), phase),
            None => _ = self.0.remove(service),
        }
    }
}

impl std::fmt::Display for Phases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut counts: BTreeMap<Phase, usize> = BTreeMap::new();
        self.0.values().for_each(|phase| *counts.entry(*phase).or_default() += 1);
        let counts: Vec<String> = counts.iter().map(|(phase, count)| format!("{count} {phase}")).collect();
        f.write_str(&counts.join(", "))
    }
}
