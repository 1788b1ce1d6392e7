//! Changes of what is live: made at once by what is called, but not by the body of a file that a running daemon reads. If it reads
//! its file again they are kept back until that is good; if it only builds one more state of a file that it has, they were made
//! already, and things have changed since.

use capabilities::Capabilities;

use super::Role;
use crate::convert::Fault;
use crate::stack::{Ret, State};

/// Whether the body of a file that a running daemon reads runs: then what it changes is [`later`]'s or [`once`]'s.
#[inline]
pub(super) fn kept_back(state: &State) -> bool {
    state.host.settings.keeps_back() || state.rebuilds()
}

/// Makes this change when the whole file has turned out to be good, in its order and for each state, as at a start; never if it is
/// a state of before that is built anew. `bytes`: of the texts that it holds.
#[cold]
pub(super) fn later<'a>(
    state: &State,
    bytes: usize,
    effect: impl FnOnce(&Capabilities) + Send + 'static,
) -> Result<Ret<'a>, Fault> {
    if state.rebuilds() {
        return Ok(Ret::None);
    }
    let kept = state.host.settings.keep_back(bytes, Box::new(effect));
    kept.map_err(|error| Fault::caught(error.to_string()))?;
    Ok(Ret::None)
}

/// The same for a change that is no other one if it is made again: the configuration's pass makes it for all states.
#[cold]
pub(super) fn once<'a>(
    state: &State,
    bytes: usize,
    effect: impl FnOnce(&Capabilities) + Send + 'static,
) -> Result<Ret<'a>, Fault> {
    if state.role == Role::Config { later(state, bytes, effect) } else { Ok(Ret::None) }
}

/// Makes such a change now, or [`once`].
pub(super) fn change<'a>(
    state: &State,
    bytes: usize,
    effect: impl FnOnce(&Capabilities) + Send + 'static,
) -> Result<Ret<'a>, Fault> {
    if kept_back(state) {
        return once(state, bytes, effect);
    }
    effect(&state.host.caps);
    Ok(Ret::None)
}
