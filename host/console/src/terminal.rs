//! Lines from a person at a terminal, or from a pipe.

use std::io::{self, BufRead, IsTerminal as _, Write};
use std::path::Path;

use rustyline::error::ReadlineError;
use rustyline::history::{History as _, MemHistory};
use rustyline::{CompletionType, Config, Editor};

use crate::completion::Completion;
use crate::history::History;

const PROMPT: &str = "> ";

/// How many commands the arrow keys reach.
const REMEMBERED: usize = 2000;

/// What a line leads to.
pub(crate) enum After<E> {
    /// The next line.
    Next,
    /// No more lines.
    End(Result<(), E>),
}

/// The console of a daemon in the foreground: `run` executes each line, and what it gives is printed on standard output,
/// as lines. Returns at the end of input, at `quit`, and at Ctrl-C; the daemon then ends, as wforce does.
///
/// At a terminal, lines are edited, completed from `commands` and kept in the file `history`; otherwise they are simply
/// read. This blocks its thread.
///
/// # Errors
/// When the terminal or standard output fails.
pub fn foreground(
    history: &Path,
    commands: Vec<String>,
    mut run: impl FnMut(&[u8]) -> Vec<u8>,
) -> io::Result<()> {
    lines(history, commands, |line| answer(&mut io::stdout().lock(), &run(line)))
}

fn answer(out: &mut impl Write, response: &[u8]) -> After<io::Error> {
    let newline: &[u8] = if response.is_empty() || response.ends_with(b"\n") { b"" } else { b"\n" };
    match out.write_all(response).and_then(|()| out.write_all(newline)).and_then(|()| out.flush()) {
        Ok(()) => After::Next,
        Err(error) => After::End(Err(error)),
    }
}

/// Gives each line of standard input to `each`, until one says that it was the last. Empty lines are left out.
pub(crate) fn lines<E: From<io::Error>>(
    history: &Path,
    commands: Vec<String>,
    each: impl FnMut(&[u8]) -> After<E>,
) -> Result<(), E> {
    if io::stdin().is_terminal() { edited(history, commands, each) } else { plain(io::stdin().lock(), each) }
}

/// Lines as they come, not necessarily UTF-8.
fn plain<E: From<io::Error>>(
    mut input: impl BufRead,
    mut each: impl FnMut(&[u8]) -> After<E>,
) -> Result<(), E> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if let After::End(result) = one(line.trim_ascii(), &mut each) {
            return result;
        }
    }
}

/// Lines of a person, with history and completion.
fn edited<E: From<io::Error>>(
    path: &Path,
    commands: Vec<String>,
    mut each: impl FnMut(&[u8]) -> After<E>,
) -> Result<(), E> {
    let mut history = History::new(path);
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .max_history_size(REMEMBERED)
        .map_err(failed)?
        .build();
    let mut known = MemHistory::with_config(&config);
    for line in history.earlier() {
        known.add_owned(line).map_err(failed)?;
    }
    let mut editor = Editor::with_history(config, known).map_err(failed)?;
    editor.set_helper(Some(Completion::new(commands)));
    loop {
        let line = match editor.readline(PROMPT) {
            Ok(line) => line,
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => return Ok(()),
            Err(ReadlineError::Signal(_)) => continue,
            Err(error) => return Err(failed(error).into()),
        };
        let line = line.trim();
        if !line.is_empty() && line != "quit" {
            history.append(line);
            editor.add_history_entry(line).map_err(failed)?;
        }
        if let After::End(result) = one(line.as_bytes(), &mut each) {
            return result;
        }
    }
}

fn one<E>(line: &[u8], each: &mut impl FnMut(&[u8]) -> After<E>) -> After<E> {
    match line {
        b"" => After::Next,
        b"quit" => After::End(Ok(())),
        line => each(line),
    }
}

fn failed(error: ReadlineError) -> io::Error {
    match error {
        ReadlineError::Io(error) => error,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn read(input: &[u8]) -> Vec<Vec<u8>> {
        let mut seen = Vec::new();
        plain::<io::Error>(input, |line| {
            seen.push(line.to_vec());
            After::Next
        })
        .unwrap();
        seen
    }

    #[test]
    fn a_pipe_is_read_line_by_line_to_its_end() {
        assert_eq!(read(b"stats()\n\n  return 1 \r\n\xff\xfe"), [&b"stats()"[..], b"return 1", b"\xff\xfe"]);
    }

    #[test]
    fn quit_is_the_last_line() {
        assert_eq!(read(b"stats()\nquit\nshutdown()\n"), [b"stats()"]);
        assert_eq!(read(b"quitter\n"), [b"quitter"]);
    }

    #[test]
    fn answers_are_lines() {
        let mut out = Vec::new();
        for response in [&b"5"[..], b"0 reports\n", b""] {
            assert!(matches!(answer(&mut out, response), After::Next));
        }
        assert_eq!(out, b"5\n0 reports\n");
    }
}
