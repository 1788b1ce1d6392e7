//! Why the long memory does not do what it is asked to.

use reports::StoreError;

/// Why.
#[derive(Debug, thiserror::Error)]
pub enum ReportsError {
    /// There is none, or it is not open yet.
    #[error("this daemon has no report store (setReportStore sets one up)")]
    NoStore,
    /// Too many reports wait to be stored; this one was not taken.
    #[error("too many reports wait for the report store")]
    Full,
    /// The question makes no sense.
    #[error("{0}")]
    Question(String),
    /// The store's reason.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why the options of `setReportStore` make no sense.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(pub(super) String);
