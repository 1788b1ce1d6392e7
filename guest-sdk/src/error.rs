//! What can go wrong.

use alloc::string::{String, ToString as _};
use core::fmt;

use crate::bindings::imports::portcullis::policy::types;

/// Why a host function did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// There is nothing of this name.
    Unknown(String),
    /// An argument makes no sense; the reason.
    Invalid(String),
    /// The operator did not grant this policy that; what would have to be granted.
    Denied(String),
    /// Something outside did not answer in time or at all; the reason.
    Unavailable(String),
    /// More than one call or one policy may have; the limit.
    Limit(String),
}

impl From<types::Error> for Error {
    fn from(error: types::Error) -> Self {
        match error {
            types::Error::Unknown(text) => Self::Unknown(text),
            types::Error::Invalid(text) => Self::Invalid(text),
            types::Error::Denied(text) => Self::Denied(text),
            types::Error::Unavailable(text) => Self::Unavailable(text),
            types::Error::Limit(text) => Self::Limit(text),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "nothing is called {name:?}"),
            Self::Invalid(reason) => write!(f, "invalid: {reason}"),
            Self::Denied(what) => write!(f, "not granted: {what}"),
            Self::Unavailable(reason) => write!(f, "unavailable: {reason}"),
            Self::Limit(limit) => write!(f, "too much: {limit}"),
        }
    }
}

impl core::error::Error for Error {}

/// Why a hook has no answer. The text goes to the log, and the policy's `on_error` answers.
///
/// Every error turns into one with `?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(String);

/// What a hook returns.
pub type Result<T> = core::result::Result<T, Failure>;

impl Failure {
    /// A failure with this text.
    pub fn new(text: impl fmt::Display) -> Self {
        Self(text.to_string())
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl<E: core::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Failure> for String {
    fn from(failure: Failure) -> Self {
        failure.0
    }
}
