//! A recording played through one configuration or two: who is answered differently, who is locked out.

mod line;
mod tally;

use std::io::BufRead;
use std::time::Duration;

use login::Decision;
use policy::Failure;
use policy::shadow::Verdict;

use super::desk::Desk;
pub use line::{Kind, Line, LineError};
pub use tally::{Difference, LockedOut, Tally};

/// Longest line; a login of the REST API is smaller.
const MAX_LINE: u64 = 2 << 20;

/// A line that goes on for longer than this belongs to no recording. One between these lengths is left out.
const ENDLESS: u64 = 64 << 20;

/// Why a recording cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It cannot be read.
    #[error("cannot read the recording: {0}")]
    Read(#[from] std::io::Error),
    /// It has no line that makes sense.
    #[error("the recording has no line that could be played; the first one: {0}")]
    Nothing(String),
    /// It is something else.
    #[error("line {0} has more than {mib} MiB: this is no recording", mib = ENDLESS >> 20)]
    Endless(u64),
    /// It is empty.
    #[error("the recording is empty")]
    Empty,
}

/// Plays a recording on every desk, line by line: each desk's clock goes with the recording. With one desk its answers are
/// compared with the recorded ones, with two the second's with the first's. `read` is told the bytes of each line.
///
/// # Errors
/// The recording cannot be read, or has nothing to play.
pub fn replay(
    desks: &[Desk],
    mut recording: impl BufRead,
    mut read: impl FnMut(u64),
) -> Result<Tally, ReplayError> {
    let mut tally = Tally::new(desks.len());
    let mut text = Vec::new();
    let mut number = 0;
    loop {
        text.clear();
        let bytes = std::io::Read::take(&mut recording, MAX_LINE).read_until(b'\n', &mut text)?;
        if bytes == 0 {
            break;
        }
        number += 1;
        read(bytes as u64);
        if bytes as u64 == MAX_LINE && text.last() != Some(&b'\n') {
            tally.bad_line(number, &LineError::TooLong);
            skip_line(&mut recording, number, &mut read)?;
            continue;
        }
        let trimmed = text.trim_ascii();
        if trimmed.is_empty() {
            continue;
        }
        match Line::parse(trimmed) {
            Ok(line) => play(desks, &line, &mut tally),
            Err(error) => tally.bad_line(number, &error),
        }
    }
    match (tally.played(), tally.first_bad()) {
        (0, Some(first)) => Err(ReplayError::Nothing(first)),
        (0, None) => Err(ReplayError::Empty),
        _ => Ok(tally),
    }
}

fn skip_line(
    recording: &mut impl BufRead,
    number: u64,
    read: &mut impl FnMut(u64),
) -> Result<(), ReplayError> {
    let mut length = MAX_LINE;
    loop {
        let buffer = recording.fill_buf()?;
        let (used, over) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        recording.consume(used);
        read(used as u64);
        if over {
            return Ok(());
        }
        length += used as u64;
        if length > ENDLESS {
            return Err(ReplayError::Endless(number));
        }
    }
}

fn play(desks: &[Desk], line: &Line, tally: &mut Tally) {
    let at = Duration::try_from_secs_f64(line.login.t).unwrap_or_default();
    let mut answers: Vec<Result<Decision, Failure>> = Vec::with_capacity(desks.len());
    for desk in desks {
        desk.until(at);
        match line.kind {
            Kind::Report => {
                if let Err(failure) = desk.report(line.login.clone()) {
                    tally.report_failed(&failure);
                }
            }
            Kind::Allow => answers.push(desk.allow(line.login.clone())),
        }
    }
    match line.kind {
        Kind::Report => tally.report(),
        Kind::Allow => {
            let recorded =
                line.answer.map(|status| Verdict::of(&Ok(Decision { status, ..Decision::default() })));
            tally.allow(line, recorded, &answers);
        }
    }
}
