//! Lua errors as text.

use crate::interrupt::STOPPED;
use crate::settings::Place;
use crate::vm::MAIN_CHUNK;

/// What stands between a message and its traceback.
pub(crate) const TRACEBACK: &str = "\nstack traceback:";

/// The text of a Lua error as clients and logs see it: message, then `\nstack traceback:` and its lines.
pub(crate) fn error_text(error: &mlua::Error) -> String {
    match error {
        mlua::Error::CallbackError { traceback, cause } => {
            let cause = error_text(cause);
            if traceback.is_empty() || cause.contains(TRACEBACK) {
                cause
            } else {
                format!("{cause}\n{traceback}")
            }
        }
        mlua::Error::RuntimeError(text) | mlua::Error::MemoryError(text) => text.clone(),
        mlua::Error::SyntaxError { message, .. } => message.clone(),
        other => other.to_string(),
    }
}

/// Whether the state ran into its memory limit.
pub(crate) fn is_memory_error(error: &mlua::Error) -> bool {
    match error {
        mlua::Error::MemoryError(_) => true,
        mlua::Error::CallbackError { cause, .. } => is_memory_error(cause),
        // An error that Lua code caught and raised again is text only.
        mlua::Error::RuntimeError(text) => text.starts_with("not enough memory"),
        _ => false,
    }
}

/// Where an error comes from: the place that its message begins with, else the innermost line of Lua code in its traceback (`error`
/// with level 0, or with a table).
pub(crate) fn place(text: &str) -> Option<Place> {
    let (message, traceback) = text.split_once(TRACEBACK).unwrap_or((text, ""));
    let inner = || innermost(traceback);
    // What was stopped is told with the place of the caller.
    if STOPPED.to_str().is_ok_and(|stopped| message.ends_with(stopped)) {
        return inner().or_else(|| head(message));
    }
    head(message).or_else(inner)
}

/// `[string "chunk"]:12: reason` or `other.lua:12: reason`.
fn head(message: &str) -> Option<Place> {
    let (chunk, rest) = match message.strip_prefix(MAIN_CHUNK) {
        Some(rest) => (MAIN_CHUNK, rest.strip_prefix(':')?),
        // Text of the policy's own is more likely than a file with a blank in its name; that is in the traceback, too.
        None => message.split_once(':').filter(|(chunk, _)| !chunk.is_empty() && !chunk.contains(' '))?,
    };
    let (line, _) = rest.split_once(':')?;
    Some(Place { chunk: chunk.to_owned(), line: line.parse().ok()? })
}

/// The innermost line of Lua code in a traceback.
pub(crate) fn innermost(traceback: &str) -> Option<Place> {
    traceback.lines().find_map(|line| {
        let (place, _) = line.trim().split_once(": in ")?;
        let (chunk, line) = place.rsplit_once(':')?;
        Some(Place { chunk: chunk.to_owned(), line: line.parse().ok()? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_the_place_of_its_message_or_of_its_traceback() {
        const TRACE: &str = "\nstack traceback:\n\t[C]: in function 'error'\n\tlib/a.lua:7: in function 'f'\n\t\
                             [string \"chunk\"]:3: in function <[string \"chunk\"]:2>";
        let of = |text: &str| place(text).map(|place| (place.chunk, place.line));
        let found = |chunk: &str, line| Some((chunk.to_owned(), line));
        for (message, expected) in [
            ("[string \"chunk\"]:12: boom", found(MAIN_CHUNK, 12)),
            ("other.lua:4: x: 5", found("other.lua", 4)),
            ("no position", found("lib/a.lua", 7)),
            ("at 10:30: no position", found("lib/a.lua", 7)),
            ("error object is not a string", found("lib/a.lua", 7)),
            ("[string \"chunk\"]:3: policy time budget exceeded", found("lib/a.lua", 7)),
        ] {
            assert_eq!(of(&format!("{message}{TRACE}")), expected, "{message}");
        }
        assert_eq!(of("[string \"chunk\"]:12: boom"), found(MAIN_CHUNK, 12));
        assert_eq!(of("not enough memory"), None);
    }
}
