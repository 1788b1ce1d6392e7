//! Alerts.

use capabilities::alerts::{self as capability, AlertError};
use wasmtime::Result;

use crate::bindings::alerts::{Alert, BlockOf, Host, Outcome, Severity};
use crate::bindings::types::Error;
use crate::options::Kind;
use crate::state::State;

impl Host for State {
    fn raise(&mut self, alert: Alert) -> Result<Result<Outcome, Error>> {
        self.host_call()?;
        // Without names it goes where the configuration says.
        let granted = match alert.channels.as_slice() {
            [] => self.granted(Kind::Alerts, "usual"),
            names => names.iter().try_for_each(|name| self.granted(Kind::Alerts, name)),
        };
        Ok(granted.and_then(|()| {
            let taken =
                self.common.capabilities.alerts.raise(native(alert)).map_err(|error| match error {
                    AlertError::Invalid(text) => Error::Invalid(text),
                    AlertError::Unknown(name) => Error::Unknown(name),
                    AlertError::Unavailable => Error::Unavailable(error.to_string()),
                })?;
            Ok(match taken {
                capability::Taken::Queued => Outcome::Queued,
                capability::Taken::Duplicate => Outcome::Duplicate,
                capability::Taken::Limited => Outcome::Limited,
                capability::Taken::Full => Outcome::Full,
            })
        }))
    }
}

fn native(alert: Alert) -> capability::Alert {
    capability::Alert {
        login: alert.login,
        reason: alert.reason,
        severity: match alert.severity {
            Severity::Info => capability::Severity::Info,
            Severity::Warning => capability::Severity::Warning,
            Severity::Critical => capability::Severity::Critical,
        },
        ip: alert.ip.map(crate::convert::ip),
        time: alert.time,
        text: alert.text,
        fields: alert.fields,
        channels: alert.channels,
        language: alert.language,
        to: alert.to,
        confirm: alert.confirm,
        block: alert.block.map(|block| match block {
            BlockOf::Ip => capability::BlockOf::Ip,
            BlockOf::Login => capability::BlockOf::Login,
            BlockOf::IpLogin => capability::BlockOf::IpLogin,
        }),
        block_seconds: alert.block_seconds,
    }
}
