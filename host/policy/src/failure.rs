//! Why a policy call has no answer.

use bstr::BString;

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
}

impl Failure {
    /// A failure of `kind` with this text.
    pub fn new(kind: FailureKind, reason: impl Into<BString>) -> Failure {
        Failure { kind, reason: reason.into() }
    }
}
