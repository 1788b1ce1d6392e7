//! Webhooks.

use std::collections::BTreeMap;

use bstr::{BStr, BString, ByteSlice};
use capabilities::webhooks::{EventKind, KEYS};

use super::{complain, doubt, effects};
use crate::convert::Fault;
use crate::settings::Values;
use crate::stack::{Args, HostFn, Ret, State};

pub(super) const FUNCTIONS: &[(&str, HostFn)] = &[
    ("addWebHook", add),
    ("addCustomWebHook", add_custom),
    ("runCustomWebHook", run_custom),
    ("setNumWebHookThreads", |state, args| {
        let count = args.unsigned(1)?;
        change(state, |values| values.webhooks.threads = count)
    }),
    ("setNumWebHookConnsPerThread", |state, args| {
        let count = args.unsigned(1)?;
        change(state, |values| values.webhooks.connections = count)
    }),
    ("setWebHookQueueSize", |state, args| {
        let size = args.unsigned(1)?;
        change(state, |values| values.webhooks.queue_size = size)
    }),
    ("setWebHookTimeoutSecs", |state, args| {
        let seconds = args.unsigned64(1)?;
        change(state, |values| values.webhooks.timeout_secs = seconds)
    }),
    ("disableCurlPeerVerification", |state, _| change(state, |values| values.webhooks.verify_peer = false)),
    ("disableCurlHostVerification", |state, _| change(state, |values| values.webhooks.verify_host = false)),
    ("setCurlCABundleFile", |state, args| {
        let file = args.text(1)?.owned();
        change(state, |values| values.webhooks.authorities = Some(file.to_path_lossy().into_owned()))
    }),
    ("setCurlClientCertAndKey", |state, args| {
        let (certificate, key) = (args.text(1)?.owned(), args.text(2)?.owned());
        change(state, |values| {
            values.webhooks.client =
                Some((certificate.to_path_lossy().into_owned(), key.to_path_lossy().into_owned()));
        })
    }),
];

fn change(state: &State, change: impl FnOnce(&mut Values)) -> Result<Ret<'_>, Fault> {
    state.host.settings.change(change);
    Ok(Ret::None)
}

/// The configuration, with a word in the log on keys that mean nothing.
fn config(state: &State, args: &Args<'_>) -> Result<BTreeMap<BString, BString>, Fault> {
    let config: BTreeMap<BString, BString> = args.map(2)?.into_iter().collect();
    for key in config.keys().filter(|key| !KEYS.iter().any(|known| known.as_bytes() == key.as_slice())) {
        doubt(state, &format!("webhooks have no setting \"{key}\": it means nothing"));
    }
    Ok(config)
}

fn add<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let events = args.list(1)?;
    let config = config(state, args)?;
    let known =
        |event: &BString| EventKind::ALL.into_iter().any(|kind| kind.name().as_bytes() == event.as_slice());
    for event in events.iter().filter(|event| !known(event)) {
        doubt(state, &format!("addWebHook: there is no event \"{event}\": nothing is sent for it"));
    }
    if let Err(error) = state.host.caps.webhooks.add(&events, &config) {
        complain(state, format!("addWebHook: {error}"));
    }
    Ok(Ret::None)
}

fn add_custom<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let name = args.text(1)?;
    let config = config(state, args)?;
    if let Err(error) = state.host.caps.webhooks.add_custom(BStr::new(&*name), &config) {
        complain(state, format!("addCustomWebHook: {error}"));
    }
    Ok(Ret::None)
}

fn run_custom<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let (name, data) = (args.text(1)?, args.text(2)?);
    if effects::kept_back(state) {
        let (name, data) = (name.owned(), data.owned());
        return effects::later(state, name.len() + data.len(), move |caps| {
            caps.webhooks.run_custom(&name, &data);
        });
    }
    state.host.caps.webhooks.run_custom(&name, &data);
    Ok(Ret::None)
}
