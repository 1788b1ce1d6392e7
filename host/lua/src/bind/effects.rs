//! Changes of what is live: made at once, but kept back while a running daemon reads its file again.

use capabilities::Capabilities;

use crate::convert::Fault;
use crate::stack::{Ret, State};

/// Whether the body of a file that is read again runs: then what it changes is [`later`]'s.
#[inline]
pub(super) fn kept_back(state: &State) -> bool {
    state.host.settings.keeps_back()
}

/// Makes this change when the whole file has turned out to be good, in its order. `bytes`: of the texts that it holds.
#[cold]
pub(super) fn later<'a>(
    state: &State,
    bytes: usize,
    effect: impl FnOnce(&Capabilities) + Send + 'static,
) -> Result<Ret<'a>, Fault> {
    let kept = state.host.settings.keep_back(bytes, Box::new(effect));
    kept.map_err(|error| Fault::caught(error.to_string()))?;
    Ok(Ret::None)
}

/// Makes a change now, or [`later`].
pub(super) fn change<'a>(
    state: &State,
    bytes: usize,
    effect: impl FnOnce(&Capabilities) + Send + 'static,
) -> Result<Ret<'a>, Fault> {
    if kept_back(state) {
        return later(state, bytes, effect);
    }
    effect(&state.host.caps);
    Ok(Ret::None)
}
