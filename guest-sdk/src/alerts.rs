//! Tells somebody: users and operators by mail, others by webhook, a wforce by an entry on its blacklist. The configuration
//! says which channels there are.
//!
//! ```no_run
//! # fn example(login: &portcullis::Login) -> Result<(), portcullis::Error> {
//! use portcullis::alerts::{Alert, Severity};
//!
//! Alert::new("new-country")
//!     .about(login)
//!     .text("A country that this account was not used from before")
//!     .field("country", "NL")
//!     .severity(Severity::Warning)
//!     .channels(["user"])
//!     .ask_user()
//!     .raise()?;
//! # Ok(())
//! # }
//! ```

use alloc::borrow::ToOwned as _;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::bindings::imports::portcullis::policy::alerts::Alert as Wire;
pub use crate::bindings::imports::portcullis::policy::alerts::{BlockOf, Outcome, Severity};
use crate::{Error, IpAddress, Login, host};

/// What somebody should know.
#[derive(Debug, Clone)]
pub struct Alert {
    reason: String,
    login: String,
    severity: Severity,
    ip: Option<IpAddress>,
    time: Option<f64>,
    text: String,
    fields: Vec<(String, String)>,
    channels: Vec<String>,
    language: Option<String>,
    to: Vec<String>,
    confirm: bool,
    block: Option<BlockOf>,
    block_seconds: Option<u32>,
}

impl Alert {
    /// An alert of this kind: a word of letters, digits, `-`, `_` and `.`. Alerts of one reason about one login are told once
    /// in a while only.
    pub fn new(reason: &str) -> Self {
        Self {
            reason: reason.to_owned(),
            login: String::new(),
            severity: Severity::Warning,
            ip: None,
            time: None,
            text: String::new(),
            fields: Vec::new(),
            channels: Vec::new(),
            language: None,
            to: Vec::new(),
            confirm: false,
            block: None,
            block_seconds: None,
        }
    }

    /// About this login: its name, address and time, by which the host finds its report.
    #[must_use]
    pub fn about(self, login: &Login) -> Self {
        Self { login: login.login.clone(), ip: Some(login.remote), time: Some(login.t), ..self }
    }

    /// About this login name.
    #[must_use]
    pub fn login(self, login: &str) -> Self {
        Self { login: login.to_owned(), ..self }
    }

    /// About this address.
    #[must_use]
    pub fn ip(self, ip: IpAddress) -> Self {
        Self { ip: Some(ip), ..self }
    }

    /// About a login at this time, seconds since 1970.
    #[must_use]
    pub fn time(self, time: f64) -> Self {
        Self { time: Some(time), ..self }
    }

    /// How much it matters; `Warning` unless said.
    #[must_use]
    pub fn severity(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }

    /// A sentence for people.
    #[must_use]
    pub fn text(self, text: impl ToString) -> Self {
        Self { text: text.to_string(), ..self }
    }

    /// One more thing that people may want to know.
    #[must_use]
    pub fn field(mut self, name: &str, value: impl ToString) -> Self {
        self.fields.push((name.to_owned(), value.to_string()));
        self
    }

    /// Who is told, in place of the usual channels; none: the usual ones.
    #[must_use]
    pub fn channels<S: AsRef<str>>(self, channels: impl IntoIterator<Item = S>) -> Self {
        Self { channels: channels.into_iter().map(|name| name.as_ref().to_owned()).collect(), ..self }
    }

    /// The language of mail to the user.
    #[must_use]
    pub fn language(self, language: &str) -> Self {
        Self { language: Some(language.to_owned()), ..self }
    }

    /// Mail to the user also goes to this address, and not to the one made from the login.
    #[must_use]
    pub fn to(mut self, address: &str) -> Self {
        self.to.push(address.to_owned());
        self
    }

    /// Mail to the user asks "was this you?".
    #[must_use]
    pub fn ask_user(self) -> Self {
        Self { confirm: true, ..self }
    }

    /// What channels that block put on the blacklist, and for how many seconds.
    #[must_use]
    pub fn block(self, what: BlockOf, seconds: u32) -> Self {
        Self { block: Some(what), block_seconds: Some(seconds), ..self }
    }

    /// Tells them; does not wait for it.
    ///
    /// # Errors
    ///
    /// If there is no such channel, the daemon tells nobody, or the policy may not.
    pub fn raise(&self) -> Result<Outcome, Error> {
        fn texts(list: &[String]) -> Vec<&str> {
            list.iter().map(String::as_str).collect()
        }
        let fields: Vec<(&str, &str)> =
            self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let (channels, to) = (texts(&self.channels), texts(&self.to));
        let wire = Wire {
            login: &self.login,
            reason: &self.reason,
            severity: self.severity,
            ip: self.ip,
            time: self.time,
            text: &self.text,
            fields: &fields,
            channels: &channels,
            language: self.language.as_deref(),
            to: &to,
            confirm: self.confirm,
            block: self.block,
            block_seconds: self.block_seconds,
        };
        Ok(host::alerts::raise(wire)?)
    }
}
