//! Webhooks: checked and stored.

use std::collections::BTreeMap;

use bstr::{BString, ByteSlice};
use capabilities::log::Level;

use super::complain;
use crate::convert::Fault;
use crate::settings::{CustomWebHook, Values, WebHook};
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

/// The events there are.
const EVENTS: [&str; 9] =
    ["report", "allow", "reset", "addbl", "delbl", "expirebl", "addwl", "delwl", "expirewl"];
/// What Kafka's REST proxy wants.
const KAFKA: &str = "application/vnd.kafka.json.v2+json";

fn change(state: &State, change: impl FnOnce(&mut Values)) -> Result<Ret<'_>, Fault> {
    state.host.settings.change(change);
    Ok(Ret::None)
}

fn config(args: &Args<'_>) -> Result<BTreeMap<BString, BString>, Fault> {
    Ok(args.map(2)?.into_iter().collect())
}

fn add<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let wanted = args.list(1)?;
    let mut config = config(args)?;
    let events =
        EVENTS.into_iter().filter(|event| wanted.iter().any(|name| name == event.as_bytes())).collect();
    let id = state.host.settings.change(|values| {
        let id = values.webhooks.next_id;
        values.webhooks.next_id += 1;
        id
    });
    if !config.contains_key(b"url".as_bstr()) {
        complain(state, format!("addWebHook: webhook {id} has no url and is left out"));
        return Ok(Ret::None);
    }
    if config.get(b"kafka".as_bstr()).is_some_and(|kafka| kafka == "true") {
        config.entry("content-type".into()).or_insert_with(|| KAFKA.into());
    }
    change(state, |values| values.webhooks.hooks.push(WebHook { id, events, config }))
}

fn add_custom<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let name = args.text(1)?.owned();
    let config = config(args)?;
    let id = state.host.settings.change(|values| {
        let id = values.webhooks.next_custom_id;
        values.webhooks.next_custom_id += 1;
        id
    });
    if !config.contains_key(b"url".as_bstr()) {
        complain(state, format!("addCustomWebHook: custom webhook {name} has no url and is left out"));
        return Ok(Ret::None);
    }
    change(state, |values| values.webhooks.custom.push(CustomWebHook { id, name, config }))
}

fn run_custom<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let name = args.text(1)?;
    args.text(2)?;
    let known =
        state.host.settings.read(|values| values.webhooks.custom.iter().any(|hook| hook.name == *name));
    let log = &state.host.caps.log;
    if known {
        let text = "runCustomWebHook: not sent, webhooks are not active in this version";
        log.limited("runCustomWebHook", super::logging::SECOND, Level::Warning, text);
    } else {
        let text = format!("runCustomWebHook: no custom webhook named \"{}\"", name.as_bstr());
        log.limited("unknown custom webhook", super::logging::SECOND, Level::Err, text);
    }
    Ok(Ret::None)
}
