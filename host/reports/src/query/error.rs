//! Questions that make no sense.

use super::{MOST_DISTINCT, Query};

/// Why a question cannot be answered by any engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The text is no query.
    #[error("this is no query: {0}")]
    Form(String),
    /// More results are wanted than one answer may have.
    #[error("{wanted} results are more than the limit of {limit}")]
    TooManyResults {
        /// Asked for.
        wanted: u64,
        /// Allowed.
        limit: usize,
    },
    /// No results are wanted.
    #[error("a limit of 0 gives no results")]
    NoResults,
    /// A range ends before it begins.
    #[error("the range ends before it begins")]
    Backwards,
    /// A range that must be bounded is not.
    #[error("`{0}` needs both `from` and `to`")]
    Unbounded(&'static str),
    /// An interval of no length.
    #[error("the interval must be at least a millisecond")]
    NoInterval,
    /// Too many fields to count.
    #[error("at most {MOST_DISTINCT} fields can be counted at once")]
    TooManyFields,
    /// Too many questions together.
    #[error("at most {most} questions can be asked at once, not {0}", most = Query::MOST_TOGETHER)]
    TooManyQuestions(usize),
    /// Two conditions on the same thing.
    #[error("`{0}` is given twice, in `with` and in `filter`")]
    Twice(&'static str),
}
