//! Why a policy call has no answer.

use bstr::{BString, ByteSlice};

/// The class of a failed call: the `kind` label of `portcullis_policy_failures_total`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FailureKind {
    /// The policy raised an error.
    Error,
    /// The policy returned something other than its hook must return.
    BadReturn,
    /// The call used up its time budget.
    Time,
    /// The call used up the memory of its state.
    Memory,
    /// No policy state became free within the time budget.
    Busy,
    /// The host itself failed inside the call; a bug of ours, never of the policy's.
    Internal,
}

impl FailureKind {
    /// Every kind, in the order metrics show them.
    pub const ALL: [FailureKind; 6] =
        [Self::Error, Self::BadReturn, Self::Time, Self::Memory, Self::Busy, Self::Internal];

    /// The metric label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::BadReturn => "bad_return",
            Self::Time => "time_budget",
            Self::Memory => "memory_budget",
            Self::Busy => "busy",
            Self::Internal => "internal",
        }
    }

    /// Whether an engine that failed like this must not serve another call. (One that overran its time is known by its
    /// interrupt: a call that timed out while it was suspended leaves its engine fine.)
    pub(crate) fn spoils_state(self) -> bool {
        matches!(self, Self::Memory | Self::Internal)
    }
}

/// A call that failed, with the text its client gets as `reason`.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Failure {
    /// The class.
    pub kind: FailureKind,
    /// For the client and the log; for Lua errors the message and its traceback.
    pub reason: BString,
    /// Where in the policy it failed, if that is known and not told to clients: `wforce.conf:12`.
    pub place: Option<String>,
}

impl Failure {
    /// A failure of `kind` with this text.
    pub fn new(kind: FailureKind, reason: impl Into<BString>) -> Failure {
        Failure { kind, reason: reason.into(), place: None }
    }

    /// The same with where it failed.
    #[must_use]
    pub fn at(self, place: Option<String>) -> Failure {
        Failure { place, ..self }
    }

    /// The reason for the operator: with the place, after the message and before its traceback.
    pub fn told(&self) -> BString {
        // A message of another file than the configuration begins with it.
        let Some(place) = self.place.as_ref().filter(|place| !self.reason.starts_with(place.as_bytes()))
        else {
            return self.reason.clone();
        };
        let (message, traceback) =
            self.reason.split_at(self.reason.find_byte(b'\n').unwrap_or(self.reason.len()));
        [message, b" (", place.as_bytes(), b")", traceback].concat().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_told_between_message_and_traceback() {
        let told = |reason: &str, place: Option<&str>| {
            Failure::new(FailureKind::Error, reason).at(place.map(str::to_owned)).told().to_string()
        };
        assert_eq!(
            told("x:2: boom\nstack traceback:\n\ty", Some("w.conf:2")),
            "x:2: boom (w.conf:2)\nstack traceback:\n\ty"
        );
        assert_eq!(told("boom", Some("w.conf:2")), "boom (w.conf:2)");
        assert_eq!(told("a.lua:2: boom\ny", Some("a.lua:2")), "a.lua:2: boom\ny");
        assert_eq!(told("boom", None), "boom");
    }
}
