//! Alerts: a policy tells somebody. Who is told, and how, is behind an [`Outlet`]; here is what an alert is, and the door.

mod read;

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use crate::context::{self, Step};

/// Bytes of a login, an address of mail or a channel's name.
const NAME: usize = 512;
/// Bytes of a reason, which names a kind of alert.
const REASON: usize = 64;
/// Bytes of the text.
const TEXT: usize = 4096;
/// Fields of an alert, and bytes of one of them.
const FIELDS: usize = 32;
const FIELD: usize = 1024;
/// Recipients or channels of an alert.
const MANY: usize = 16;

/// How much an alert matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look.
    #[default]
    Warning,
    /// Somebody should look now.
    Critical,
}

impl Severity {
    /// All of them.
    pub const ALL: [Severity; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// What a block is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockOf {
    /// The address, whoever logs in.
    Ip,
    /// The login, wherever from.
    Login,
    /// The login from this address.
    IpLogin,
}

impl BlockOf {
    /// All of them.
    pub const ALL: [BlockOf; 3] = [Self::Ip, Self::Login, Self::IpLogin];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Login => "login",
            Self::IpLogin => "ip_login",
        }
    }
}

/// What a policy wants somebody to know.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Alert {
    /// Whose login it is about; empty if it is about none.
    pub login: String,
    /// What kind of alert it is: a word of letters, digits, `-`, `_` and `.`. Alerts of one reason about one login are told once
    /// in a while only.
    pub reason: String,
    /// How much it matters.
    pub severity: Severity,
    /// The address it is about.
    pub ip: Option<IpAddr>,
    /// When the login was that it is about, unix seconds. With login and address it finds the report in the store, and with
    /// that the place, the device and what the link of "was this you?" names.
    pub time: Option<f64>,
    /// A sentence for people.
    pub text: String,
    /// More that people may want to know, by name.
    pub fields: Vec<(String, String)>,
    /// Who is told; empty: the channels that the configuration uses for alerts which name none.
    pub channels: Vec<String>,
    /// The language of mail, `de` or `pt-BR`; `None`: that of the configuration.
    pub language: Option<String>,
    /// Where mail to the user goes, in place of the address made from the login.
    pub to: Vec<String>,
    /// Whether mail to the user asks "was this you?".
    pub confirm: bool,
    /// What is blocked, if a channel blocks; `None`: what the channel is set to.
    pub block: Option<BlockOf>,
    /// For how many seconds.
    pub block_seconds: Option<u32>,
}

/// What became of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Taken {
    /// It is on its way.
    Queued,
    /// The same was told a while ago.
    Duplicate,
    /// Too many were told lately.
    Limited,
    /// Too many wait to be told.
    Full,
}

impl Taken {
    /// All of them.
    pub const ALL: [Taken; 4] = [Self::Queued, Self::Duplicate, Self::Limited, Self::Full];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Duplicate => "duplicate",
            Self::Limited => "limited",
            Self::Full => "full",
        }
    }
}

/// Why an alert is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlertError {
    /// Something in it makes no sense.
    #[error("alert: {0}")]
    Invalid(String),
    /// There is no channel of this name.
    #[error(
        "alert: there is no channel \"{0}\": the configuration makes one with setAlertMail, addAlertWebhook or addAlertBlock"
    )]
    Unknown(String),
    /// There is no channel at all.
    #[error("alert: nobody is told: the configuration has no setAlertMail, addAlertWebhook or addAlertBlock")]
    Unavailable,
}

/// Takes alerts and returns at once.
pub trait Outlet: Send + Sync {
    /// What becomes of this one.
    ///
    /// # Errors
    /// It names a channel that there is not.
    fn take(&self, alert: Alert) -> Result<Taken, AlertError>;

    /// From now on nothing is sent, or all is again; says so if that is a change.
    fn set_dry_run(&self, dry: bool);
}

/// The door of a daemon's alerts.
#[derive(Default)]
pub struct Alerts {
    outlet: OnceLock<Arc<dyn Outlet>>,
}

impl Alerts {
    /// Where alerts go from now on. A second call changes nothing.
    pub fn attach(&self, outlet: Arc<dyn Outlet>) {
        // A second one would be a mistake of the program's; the first one stays.
        let _ = self.outlet.set(outlet);
    }

    /// Whether nothing is sent from now on. Without an outlet there is nothing to send.
    pub fn set_dry_run(&self, dry: bool) {
        if let Some(outlet) = self.outlet.get() {
            outlet.set_dry_run(dry);
        }
    }

    /// Tells somebody. The alert of a policy that only plays (a shadow) goes nowhere.
    ///
    /// # Errors
    /// The alert makes no sense, or there is nobody to tell.
    pub fn raise(&self, alert: Alert) -> Result<Taken, AlertError> {
        alert.check()?;
        context::note(|| Step::Change {
            what: "alert".to_owned(),
            arguments: vec![
                alert.reason.as_str().into(),
                alert.login.as_str().into(),
                alert.ip.map(|ip| ip.to_string()).unwrap_or_default().into(),
                alert.text.as_str().into(),
            ],
        });
        if context::is_apart() {
            return Ok(Taken::Queued);
        }
        self.outlet.get().ok_or(AlertError::Unavailable)?.take(alert)
    }
}

impl Alert {
    /// Refuses what makes no sense, and what is longer than anybody reads.
    fn check(&self) -> Result<(), AlertError> {
        let invalid = |text: String| Err(AlertError::Invalid(text));
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if self.reason.is_empty() || self.reason.len() > REASON || !self.reason.chars().all(word) {
            return invalid(format!(
                "reason must be a word of up to {REASON} letters, digits, '-', '_' and '.', not {:?}",
                self.reason
            ));
        }
        let language = |text: &String| (2..=16).contains(&text.len()) && text.chars().all(word);
        if !self.language.as_ref().is_none_or(language) {
            return invalid(format!("language must be like \"de\" or \"pt-BR\", not {:?}", self.language));
        }
        if self.time.is_some_and(|time| !(0.0..=1e11).contains(&time)) {
            return invalid("time must be unix seconds".to_owned());
        }
        let long = |what: &str, most: usize| invalid(format!("{what} is longer than {most} bytes"));
        if self.login.len() > NAME {
            return long("login", NAME);
        }
        if self.text.len() > TEXT {
            return long("text", TEXT);
        }
        for (what, list) in [("to", &self.to), ("channels", &self.channels)] {
            if list.len() > MANY || list.iter().any(|name| name.len() > NAME) {
                return invalid(format!("{what} has more than {MANY} members, or one above {NAME} bytes"));
            }
        }
        if self.fields.len() > FIELDS
            || self.fields.iter().any(|(name, value)| name.len() + value.len() > FIELD)
        {
            return invalid(format!("fields has more than {FIELDS} members, or one above {FIELD} bytes"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use parking_lot::Mutex;

    use super::*;
    use crate::context::{Context, Overlay};

    #[derive(Default)]
    struct Kept(Mutex<Vec<Alert>>);

    impl Outlet for Kept {
        fn take(&self, alert: Alert) -> Result<Taken, AlertError> {
            self.0.lock().push(alert);
            Ok(Taken::Queued)
        }

        fn set_dry_run(&self, _: bool) {}
    }

    fn alert(reason: &str) -> Alert {
        Alert { login: "ada".into(), reason: reason.into(), ..Alert::default() }
    }

    #[test]
    fn without_channels_nobody_is_told() {
        let alerts = Alerts::default();
        assert_eq!(alerts.raise(alert("new-country")), Err(AlertError::Unavailable));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let alerts = Alerts::default();
        for wrong in [
            alert(""),
            alert("two words"),
            alert("line\nbreak"),
            alert(&"x".repeat(65)),
            Alert { login: "x".repeat(600), ..alert("a") },
            Alert { text: "x".repeat(5000), ..alert("a") },
            Alert { language: Some("../../etc".into()), ..alert("a") },
            Alert { time: Some(f64::NAN), ..alert("a") },
            Alert { to: vec![String::new(); 17], ..alert("a") },
            Alert { fields: vec![("a".into(), "x".repeat(2000))], ..alert("a") },
        ] {
            assert!(matches!(alerts.raise(wrong.clone()), Err(AlertError::Invalid(_))), "{wrong:?}");
        }
    }

    #[test]
    fn a_shadow_tells_nobody() {
        let (alerts, kept) = (Alerts::default(), Arc::new(Kept::default()));
        alerts.attach(kept.clone());
        {
            let _apart = Arc::new(Context::default().over(Arc::new(Overlay::default()))).enter();
            assert_eq!(alerts.raise(alert("a")), Ok(Taken::Queued));
        }
        assert!(kept.0.lock().is_empty());
        assert_eq!(alerts.raise(alert("a")), Ok(Taken::Queued));
        assert_eq!(kept.0.lock().len(), 1);
    }
}
