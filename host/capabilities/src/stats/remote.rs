//! Stats DBs whose counts are kept outside of this process: what is asked of them, and what a call gets when they
//! cannot be reached.

use std::future::Future;
use std::pin::Pin;

use bstr::BString;

/// One thing to do with a field of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The key.
    pub key: BString,
    /// The field; of no meaning to [`Ask::Reset`].
    pub field: BString,
    /// What to do.
    pub ask: Ask,
}

/// What to do with a field; each is what the function of this name of [`super::Db`] does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// [`super::Db::add`]
    Add {
        /// What is counted.
        value: BString,
    },
    /// [`super::Db::add_count`]
    AddCount {
        /// What is counted.
        value: BString,
        /// How often.
        count: i32,
    },
    /// [`super::Db::sub`]
    Sub {
        /// The number.
        value: BString,
    },
    /// [`super::Db::get`]
    Get,
    /// [`super::Db::get_value`]
    GetValue {
        /// Which value's count.
        value: BString,
    },
    /// [`super::Db::current`]
    Current {
        /// Which value's count.
        value: Option<BString>,
    },
    /// [`super::Db::windows`]
    Windows {
        /// Which value's counts.
        value: Option<BString>,
    },
    /// [`super::Db::reset`]
    Reset,
    /// [`super::Db::reset_field`]
    ResetField,
}

impl Ask {
    /// Whether it changes nothing.
    pub fn reads(&self) -> bool {
        matches!(self, Ask::Get | Ask::GetValue { .. } | Ask::Current { .. } | Ask::Windows { .. })
    }

    /// What it finds where nothing was ever counted.
    pub fn nothing(&self) -> Found {
        match self {
            Ask::Windows { .. } => Found::List(Vec::new()),
            ask if ask.reads() => Found::Number(0),
            _ => Found::Done,
        }
    }
}

/// What a step came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It was done.
    Done,
    /// A count.
    Number(i32),
    /// A count for each window.
    List(Vec<i32>),
}

impl Found {
    /// The count, or 0.
    pub fn number(&self) -> i32 {
        match self {
            Found::Number(number) => *number,
            Found::Done | Found::List(_) => 0,
        }
    }
}

/// What a call gets when the counts cannot be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnUnreachable {
    /// Reads find nothing, writes are lost.
    #[default]
    Open,
    /// An error.
    Closed,
    /// What this process counts by itself meanwhile.
    Local,
}

/// Why counts cannot be reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// There is no connection.
    #[error("the server of the stats DB cannot be reached")]
    Away,
    /// It did not answer in time. A write may have been done.
    #[error("the server of the stats DB does not answer in time")]
    Timeout,
    /// Too many calls wait for it.
    #[error("too many calls wait for the server of the stats DB")]
    Full,
    /// It refused.
    #[error("the server of the stats DB refuses: {0}")]
    Refused(String),
}

/// Why a step could not be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// An int's value is no number.
    #[error(transparent)]
    NotANumber(#[from] statsdb::NotANumber),
    /// The counts cannot be reached, and that is an error ([`OnUnreachable::Closed`]).
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
}

/// An answer that is awaited anywhere; the work is done where the store lives.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, Unreachable>> + Send>>;

/// A place outside that keeps the counts of a DB.
pub trait Remote: Send + Sync {
    /// Does all steps, in one round trip where that is possible. `now`: unix seconds; `max_size`: most keys of the DB.
    fn ask(&self, now: u64, max_size: u32, steps: Vec<Step>) -> Answer<Vec<Found>>;

    /// The fields that a key has with their sums; empty if there is no such key.
    fn all_of(&self, now: u64, key: BString) -> Answer<Vec<(BString, i32)>>;

    /// Number of keys.
    fn size(&self, now: u64) -> Answer<u64>;

    /// What calls get when it cannot be reached.
    fn on_unreachable(&self) -> OnUnreachable;

    /// Where it is, for people.
    fn place(&self) -> String;
}
