//! Alerts, kept in order.

use alloc::string::String;
use alloc::vec::Vec;

use super::state::with;
use crate::IpAddress;
use crate::bindings::imports::portcullis::policy::alerts::{Alert, Outcome, Severity};
use crate::bindings::imports::portcullis::policy::types::Error;

/// An alert that a policy raised.
#[derive(Debug, Clone, PartialEq)]
pub struct Raised {
    /// What kind it is.
    pub reason: String,
    /// Whose login it is about.
    pub login: String,
    /// The address it is about.
    pub ip: Option<IpAddress>,
    /// When the login was.
    pub time: Option<f64>,
    /// The sentence for people.
    pub text: String,
    /// What else is told.
    pub fields: Vec<(String, String)>,
    /// Who is told.
    pub channels: Vec<String>,
    /// Whether it is critical.
    pub critical: bool,
    /// Whether the user is asked.
    pub confirm: bool,
    /// When it was raised, seconds since 1970.
    pub raised: f64,
}

/// A host in memory tells everything, also twice.
pub fn raise(alert: Alert<'_>) -> Result<Outcome, Error> {
    if alert.reason.is_empty() {
        return Err(Error::Invalid("alert: reason must be a word".into()));
    }
    let raised = Raised {
        reason: alert.reason.into(),
        login: alert.login.into(),
        ip: alert.ip,
        time: alert.time,
        text: alert.text.into(),
        fields: alert.fields.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        channels: alert.channels.iter().map(|name| (*name).into()).collect(),
        critical: matches!(alert.severity, Severity::Critical),
        confirm: alert.confirm,
        raised: with(|state| state.now),
    };
    with(|state| state.alerts.push(raised));
    Ok(Outcome::Queued)
}
