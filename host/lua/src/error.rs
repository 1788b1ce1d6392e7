//! Lua errors as text.

/// The text of a Lua error as clients and logs see it: message, then `\nstack traceback:` and its lines.
pub(crate) fn error_text(error: &mlua::Error) -> String {
    match error {
        mlua::Error::CallbackError { traceback, cause } => {
            let cause = error_text(cause);
            if traceback.is_empty() || cause.contains("\nstack traceback:") {
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
