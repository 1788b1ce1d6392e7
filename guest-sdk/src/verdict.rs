//! What a policy thinks of a login.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;

/// What the client and the log are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Below 0: no. 0: yes. Above 0: yes, after so many seconds.
    pub status: i32,
    /// For the client; it may show it to the user.
    pub msg: String,
    /// For the log line.
    pub log: String,
    /// For the client and the log line.
    pub attrs: Vec<(String, String)>,
}

/// What a policy thinks of a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: the next policy of the chain is asked. If none decides, the login may go on.
    Pass,
    /// This. No further policy is asked.
    Decided(Decision),
}

impl Verdict {
    /// Nothing: the next policy of the chain is asked.
    pub const fn pass() -> Self {
        Self::Pass
    }

    /// The login may go on, and no further policy is asked.
    pub const fn allow() -> Self {
        Self::decided(0, String::new())
    }

    /// The login is refused, with a text for the client.
    pub fn deny(msg: impl fmt::Display) -> Self {
        Self::decided(-1, msg.to_string())
    }

    /// The login may go on after so many seconds. 0 is `allow`.
    pub fn wait(seconds: u32) -> Self {
        Self::decided(i32::try_from(seconds).unwrap_or(i32::MAX), String::new())
    }

    const fn decided(status: i32, msg: String) -> Self {
        Self::Decided(Decision { status, msg, log: String::new(), attrs: Vec::new() })
    }

    /// With this text for the log line. Changes nothing in a `pass`.
    #[must_use]
    pub fn log(mut self, text: impl fmt::Display) -> Self {
        if let Self::Decided(decision) = &mut self {
            decision.log = text.to_string();
        }
        self
    }

    /// With an attribute for client and log line. Changes nothing in a `pass`.
    #[must_use]
    pub fn attr(mut self, name: impl fmt::Display, value: impl fmt::Display) -> Self {
        if let Self::Decided(decision) = &mut self {
            decision.attrs.push((name.to_string(), value.to_string()));
        }
        self
    }

    /// -1, 0 or the seconds; `None` for a `pass`.
    pub fn status(&self) -> Option<i32> {
        match self {
            Self::Pass => None,
            Self::Decided(decision) => Some(decision.status),
        }
    }

    /// The text for the log line; empty for a `pass`.
    pub fn reason(&self) -> &str {
        match self {
            Self::Pass => "",
            Self::Decided(decision) => &decision.log,
        }
    }
}
