//! Alerts.

use std::collections::BTreeMap;

use alerts::settings::{Block, Confirmations, Limits, Mail};
use bstr::{BStr, BString, ByteSlice};
use capabilities::alerts::{Alert, AlertError, Taken};
use capabilities::log::Level;

use super::effects;
use crate::convert::Fault;
use crate::stack::{Args, HostFn, Ret, State};

/// Attempts of an alert's webhook after the first, unless the configuration says otherwise.
const RETRIES: &str = "8";

pub(super) const FUNCTIONS: &[(&str, HostFn)] = &[
    ("alert", alert),
    ("setAlertMail", |state, args| {
        let mail = Mail::read(&args.json(1)?).map_err(|error| named("setAlertMail", &error))?;
        change(state, |settings| settings.mail = Some(mail))
    }),
    ("addAlertWebhook", add_webhook),
    ("addAlertBlock", |state, args| {
        let block = Block::read(&args.json(1)?).map_err(|error| named("addAlertBlock", &error))?;
        change(state, |settings| settings.blocks.push(block))
    }),
    ("setAlertChannels", |state, args| {
        let names = args.list(1)?.iter().map(|name| name.to_str_lossy().into_owned()).collect();
        change(state, |settings| settings.channels = Some(names))
    }),
    ("setAlertDryRun", |state, args| {
        let dry = args.boolean(1)?;
        if state.host.settings.sealed() {
            // On the console.
            state.host.caps.alerts.set_dry_run(dry);
        }
        change(state, |settings| settings.dry_run = dry)
    }),
    ("setAlertLimits", |state, args| {
        let limits = Limits::read(&args.json(1)?).map_err(|error| named("setAlertLimits", &error))?;
        change(state, |settings| settings.limits = limits)
    }),
    ("setAlertTemplates", |state, args| {
        let folder = args.text(1)?.owned().to_path_lossy().into_owned();
        change(state, |settings| settings.templates = Some(folder))
    }),
    ("setAlertConfirm", |state, args| {
        let confirm =
            Confirmations::read(&args.json(1)?).map_err(|error| named("setAlertConfirm", &error))?;
        change(state, |settings| settings.confirm = Some(confirm))
    }),
];

fn named(function: &str, error: &dyn std::fmt::Display) -> Fault {
    Fault::caught(format!("{function}: {error}"))
}

fn change(state: &State, change: impl FnOnce(&mut alerts::Settings)) -> Result<Ret<'_>, Fault> {
    state.host.settings.change(|values| change(&mut values.alerts));
    Ok(Ret::None)
}

fn add_webhook<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let name = args.text(1)?;
    let mut config: BTreeMap<BString, BString> = args.map(2)?.into_iter().collect();
    config.entry("retries".into()).or_insert_with(|| RETRIES.into());
    let added = state.host.caps.webhooks.add_custom(BStr::new(&*name), &config);
    added.map_err(|error| named("addAlertWebhook", &error))?;
    let name = name.to_str_lossy().into_owned();
    change(state, |settings| settings.webhooks.push(name))
}

/// Bytes that an alert hardly exceeds.
const MOST_OF_ALERT: usize = 16 << 10;

/// A mistake of the script's is an error; that nobody can be told is not, but the log says so.
fn alert<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let alert = Alert::read(&args.json_of_login(1)?).map_err(|error| Fault::caught(error.to_string()))?;
    if effects::kept_back(state) {
        let _: Ret<'a> = effects::later(state, MOST_OF_ALERT, move |caps| {
            if let Err(error) = caps.alerts.raise(alert) {
                caps.log.error(format!("alert: {error}"));
            }
        })?;
        return Ok(Ret::Text("queued".into()));
    }
    let taken = match state.host.caps.alerts.raise(alert) {
        Ok(taken) => Taken::word(taken),
        Err(error @ AlertError::Unavailable) => {
            state.host.caps.log.limited(
                "alert unavailable",
                super::logging::SECOND,
                Level::Err,
                error.to_string(),
            );
            "unavailable"
        }
        Err(error) => return Err(Fault::caught(error.to_string())),
    };
    Ok(Ret::Text(taken.into()))
}
