//! A fresh Lua state, and the configuration file run in it.
#![allow(unsafe_code)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bstr::ByteSlice;
use capabilities::Daemon;
use mlua::state::{GcIncParams, GcMode};
use mlua::{Lua, LuaOptions, StdLib};

use crate::error::{TRACEBACK, innermost};

/// The configuration file in messages and positions.
pub(crate) const MAIN_CHUNK: &str = "[string \"chunk\"]";

/// Bytes of the longest configuration file.
const LONGEST: u64 = 64 << 20;

/// Opens a state with every standard library, but for `os.exit`.
///
/// # Errors
/// Out of memory.
pub fn open() -> mlua::Result<Lua> {
    // SAFETY: what makes this unsafe is that a script gets `ffi`, `debug` and binary C modules, and can break memory
    // safety with them. That is the contract of wforce.conf: it is the operator's own file, existing ones need these
    // libraries (lua-cjson, luasocket), and whoever can write it can run code as the daemon anyway.
    let lua = unsafe { Lua::unsafe_new_with(StdLib::ALL, LuaOptions::new()) };
    lua.load(NO_EXIT).set_name("=os.exit").exec()?;
    Ok(lua)
}

/// A script must not end the process: nothing would be saved or logged, and a check or a test would end as if all were well.
/// The error has the position of the caller.
const NO_EXIT: &str = "os.exit = function() error('os.exit() would end the daemon: shutdown() on the console does that', 2) end";

/// Limits a state to `allowance` bytes beyond what it holds now.
///
/// # Errors
/// The collector failed: a finalizer of the configuration's raised an error.
pub fn limit_memory(lua: &Lua, allowance: usize) -> mlua::Result<()> {
    lua.gc_collect()?;
    let held = lua.used_memory();
    // A state that holds little and makes little garbage a call is collected less often than by Lua's default (200 per
    // cent): it costs a few megabytes and saves half of the collector's work. But the collector must come to work well
    // before the limit is reached, or garbage alone would reach it.
    let pause = (100 + 50 * allowance / held.max(1)).clamp(110, 400);
    let pause = GcIncParams::default().pause(std::ffi::c_int::try_from(pause).unwrap_or(400));
    lua.gc_set_mode(GcMode::Incremental(pause));
    lua.set_memory_limit(held.saturating_add(allowance))?;
    Ok(())
}

/// The configuration's main file, read once, so that every pass and every later rebuild of a state sees one text.
#[derive(Clone, Debug)]
pub struct Source {
    /// For messages: as the operator named it.
    pub path: PathBuf,
    text: Arc<[u8]>,
}

impl Source {
    /// Reads the file. A UTF-8 byte order mark and a leading `#!` line are taken out (the line stays, empty, so that
    /// line numbers are right).
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(path: &Path) -> std::io::Result<Source> {
        Ok(Source::from_text(path, &files::read_or_pipe(path, LONGEST)?))
    }

    /// Like [`Source::read`], but a pipe is refused: for a file that was read before, and to read which nothing may wait.
    ///
    /// # Errors
    /// The file cannot be read, or is none.
    pub fn read_again(path: &Path) -> std::io::Result<Source> {
        Ok(Source::from_text(path, &files::read(path, LONGEST)?))
    }

    /// The same text under the name that messages use for it.
    #[must_use]
    pub fn named(mut self, path: &Path) -> Source {
        path.clone_into(&mut self.path);
        self
    }

    /// A source that is not (or not yet) a file.
    pub fn from_text(path: &Path, text: &[u8]) -> Source {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let text = if text.starts_with(b"#") {
            let end = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
            &text[end..]
        } else {
            text
        };
        Source { path: path.to_owned(), text: text.into() }
    }

    /// Whether there is no code in it, only white space and comments.
    pub fn is_empty(&self) -> bool {
        let mut rest = self.text.trim_ascii_start();
        while let Some(comment) = rest.strip_prefix(b"--") {
            rest = after_comment(comment).trim_ascii_start();
        }
        rest.is_empty()
    }

    /// Runs the file in a state.
    ///
    /// # Errors
    /// Does not parse, or raised an error.
    pub fn run(&self, lua: &Lua) -> Result<(), LoadError> {
        // The chunk's name is part of every message that scripts and log watchers see: `[string "chunk"]:LINE:`.
        lua.load(&self.text[..]).set_name("chunk").exec().map_err(|error| LoadError::new(&self.path, &error))
    }
}

/// What comes after a comment, of which the two dashes are gone. One that has no end has no rest, either.
fn after_comment(text: &[u8]) -> &[u8] {
    let level = text.strip_prefix(b"[").and_then(|text| {
        let level = text.iter().take_while(|byte| **byte == b'=').count();
        (text.get(level) == Some(&b'[')).then_some(level)
    });
    let end = match level {
        Some(level) => [&b"]"[..], &vec![b'='; level], b"]"].concat(),
        None => b"\n".to_vec(),
    };
    text.find(&end).map_or(&[], |at| &text[at + end.len()..])
}

/// Why a configuration does not load.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}{}: {reason}", file.display(), line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct LoadError {
    /// The file the message is about: the main file, or one it loads.
    pub file: PathBuf,
    /// The line in it, if known.
    pub line: Option<u32>,
    /// What is wrong.
    pub reason: String,
    text: String,
}

impl LoadError {
    /// Takes an error apart into file, line and reason.
    pub(crate) fn new(main: &Path, error: &mlua::Error) -> LoadError {
        let text = crate::error::error_text(error);
        let (message, traceback) = text.split_once(TRACEBACK).unwrap_or((text.as_str(), ""));
        let (mut file, mut line, reason) = position(main, message);
        if line.is_none()
            // `dofile` of a missing file, `error` with level 0.
            && let Some(place) = innermost(traceback)
        {
            file = if place.chunk == MAIN_CHUNK { main.to_owned() } else { PathBuf::from(place.chunk) };
            line = Some(place.line);
        }
        LoadError { file, line, reason, text }
    }

    /// Says so if the file calls what only another daemon has.
    pub(crate) fn of_daemon(mut self, daemon: Daemon) -> LoadError {
        let missing = self.reason.strip_prefix("attempt to call global '");
        let missing = missing.and_then(|rest| rest.split_once('\'')).map(|(name, _)| name);
        if let Some(name) = missing
            && let Some(other) = crate::surface::at_home_in(name, daemon)
        {
            let hint = format!(
                "; {name} is one of {other}'s functions, and this is read as a configuration of {daemon}"
            );
            self.reason.push_str(&hint);
        }
        self
    }

    /// It was stopped after this time.
    pub(crate) fn of_time(mut self, limit: std::time::Duration) -> LoadError {
        self.reason =
            format!("it has not come to its end within {} s and was stopped here", limit.as_secs_f32());
        self
    }

    /// Says so if it was the limit that ended it.
    pub(crate) fn of_memory(mut self, limit: Option<usize>) -> LoadError {
        if let Some(bytes) = limit
            && self.reason.ends_with("not enough memory")
        {
            let reason =
                format!("it takes more memory than a Lua state may while it is loaded: {} MiB", bytes >> 20);
            self.reason = reason;
        }
        self
    }

    /// Its traceback, a line each; empty if there is none.
    pub fn traceback(&self) -> impl Iterator<Item = &str> {
        self.text
            .split_once(TRACEBACK)
            .map_or("", |(_, traceback)| traceback)
            .lines()
            .filter(|line| !line.is_empty())
    }

    /// The message in Lua's own words, with its traceback.
    pub fn lua_text(&self) -> &str {
        &self.text
    }
}

/// Splits `[string "chunk"]:12: reason` or `other.lua:12: reason`.
fn position(main: &Path, message: &str) -> (PathBuf, Option<u32>, String) {
    let (place, rest) = match message.strip_prefix(MAIN_CHUNK).and_then(|rest| rest.strip_prefix(':')) {
        Some(rest) => (main.to_owned(), rest),
        None => match message.split_once(':') {
            Some((file, rest)) if rest.starts_with(|c: char| c.is_ascii_digit()) => {
                (PathBuf::from(file), rest)
            }
            _ => return (main.to_owned(), None, message.to_owned()),
        },
    };
    match rest.split_once(": ") {
        Some((line, reason)) => match line.parse() {
            Ok(line) => (place, Some(line), reason.to_owned()),
            Err(_) => (place, None, rest.to_owned()),
        },
        None => (place, None, rest.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_comments_are_no_code() {
        let empty = |text: &str| Source::from_text(Path::new("x"), text.as_bytes()).is_empty();
        for text in [
            "",
            " \n\t\r\n",
            "-- a\n--b",
            "#!/x\n--[[ a\nb ]] --[==[ ]] ]=] ]==]\n",
            "\u{feff}",
            "--[[ no end",
            "--[=no",
        ] {
            assert!(empty(text), "{text:?}");
        }
        for text in ["x", ";", "-- a\nx", "--[[ a ]] x", "--[=[ ]=]x", "-x", "--[= a\nx"] {
            assert!(!empty(text), "{text:?}");
        }
    }
}
