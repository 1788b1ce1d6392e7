//! How Lua values become the arguments of wforce's functions, and what is said when they do not fit.
//!
//! The rules are wforce's: the number of arguments is exact, a number is accepted as text (`%.14g`) and a numeric text
//! as a number, booleans and userdata types are strict, tables are read entry by entry.

pub mod number;

use bstr::BString;

pub use number::{NumberText, number_text, to_i32, to_i64, to_status, to_u8, to_u32, to_u64};

/// Why a host function refused a call. Lua sees the text as a string error, prefixed by the position of the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Fewer arguments than the function needs; the number counts the object of a method.
    TooFew(usize),
    /// More arguments than the function takes; the number counts the object of a method.
    TooMany(usize),
    /// An argument, or an entry of a table argument, of a type that cannot become the wanted one.
    Convert {
        /// The Lua type that was given.
        from: &'static str,
        /// What was wanted.
        to: &'static str,
    },
    /// The function itself failed.
    Caught(BString),
}

impl Fault {
    /// A failure of the function itself.
    pub fn caught(text: impl Into<Vec<u8>>) -> Self {
        Self::Caught(BString::new(text.into()))
    }

    /// The text Lua gets, without the position.
    pub fn text(&self) -> BString {
        match self {
            Self::TooFew(count) => format!("This function requires at least {count} parameter(s)").into(),
            Self::TooMany(count) => format!("This function takes at most {count} parameter(s)").into(),
            Self::Convert { from, to } => format!("Unable to convert parameter from {from} to {to}").into(),
            Self::Caught(text) => {
                let mut whole = BString::from("Caught exception: ");
                whole.extend_from_slice(text);
                whole
            }
        }
    }
}

/// Text argument: the bytes of a Lua string where they lie, or the text of a number.
#[derive(Debug)]
pub enum Bytes<'a> {
    /// A Lua string.
    Text(&'a [u8]),
    /// A Lua number.
    Number(NumberText),
}

impl std::ops::Deref for Bytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Text(bytes) => bytes,
            Self::Number(text) => text,
        }
    }
}

impl Bytes<'_> {
    /// An owned copy.
    pub fn owned(&self) -> BString {
        BString::from(self.to_vec())
    }
}
