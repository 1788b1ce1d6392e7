//! What a user said about a login.

use serde::{Deserialize, Serialize};

/// The answer to "was this you?".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confirmation {
    /// Nobody said anything.
    #[default]
    None,
    /// "Yes, that was me."
    Good,
    /// "No, that was somebody else."
    Bad,
    /// "Forget this": as if the login had not happened, so that the next one like it is new again.
    Forget,
}

impl Confirmation {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::None, Self::Good, Self::Bad, Self::Forget];

    /// The word used in documents.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Forget => "forget",
        }
    }

    /// The confirmation of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.word() == word)
    }

    /// Whether such a login speaks for the user: what was marked bad or is to be forgotten does not.
    pub fn counts_for_user(self) -> bool {
        matches!(self, Self::None | Self::Good)
    }
}
