//! `--check-config`: what would be served.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use capabilities::state::StateDir;
use capabilities::{Capabilities, Daemon};
use lua::Settings;
use lua::settings::{Complaint, Complaints, Listener, Values};
use tokio::runtime::Handle;

use crate::start::Started;
use crate::{alerting, http, outside};

/// What the daemon would log at its start and go on without, and what would keep it from starting.
pub fn complaints(capabilities: &Arc<Capabilities>, settings: &Settings, runtime: &Handle) -> Complaints {
    let (mut complaints, listeners) =
        settings.read(|values| (values.complaints.clone(), values.listeners.clone()));
    for listener in listeners {
        if let Some(Err(error)) = http::tls(&listener).map(|tls| tls.check()) {
            let Listener { addr, place, .. } = listener;
            complaints.add(Complaint { text: format!("addListener {addr}: {error}").into(), place });
        }
    }
    let mut later = |text: String, functions: &[&str]| {
        complaints.add(Complaint { text: text.into(), place: settings.place_of(functions) });
    };
    let (tls, state_dir, record) =
        settings.read(|values| (values.webhooks.tls(), values.state_dir.clone(), values.record.clone()));
    if tls != outbound::TlsSettings::default()
        && let Err(error) = tls.config()
    {
        later(format!("webhooks: {error}"), &["setCurlClientCertAndKey", "setCurlCABundleFile"]);
    }
    if let Some(folder) = state_dir {
        if let Err(error) = files::writable_folder(&folder) {
            later(format!("setStateDir {}: {error}", folder.display()), &["setStateDir"]);
        } else if let Err(error) = StateDir::check(&folder) {
            later(format!("setStateDir: {error}"), &["setStateDir"]);
        }
    }
    if let Some((path, _)) = record {
        let folder = path.parent().map_or(Ok(()), files::writable_folder);
        if let Err(error) = folder.and_then(|()| files::regular_or_new(&path)) {
            later(format!("recordTo {}: {error}", path.display()), &["recordTo"]);
        }
    }
    if let Err(text) = alerting::check(capabilities, settings, runtime) {
        // It begins with the function that it is about.
        let function = text.split([':', ' ']).next().unwrap_or_default().to_owned();
        later(text, &[&function, "addAlertBlock", "setAlertMail"]);
    }
    if let Err(error) = capabilities.reports.check() {
        later(format!("setReportStore: {error}"), &["setReportStore"]);
    }
    complaints
}

/// The first complaint with its place, and how many there are; nothing when there is none.
pub fn verdict(config: &Path, complaints: &Complaints) -> Option<String> {
    let first = first(config, complaints)?;
    let rest = match complaints.count - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    Some(format!("{first}{rest}"))
}

/// The first complaint with its place.
pub fn first(config: &Path, complaints: &Complaints) -> Option<String> {
    let Complaint { text, place } = complaints.first.as_ref()?;
    let place = place.as_ref().map_or_else(|| config.display().to_string(), |place| place.text(config));
    Some(format!("{place}: {text}"))
}

/// One line for each thing the configuration makes.
pub fn summary(started: &Started) -> String {
    let Started { daemon, capabilities, settings, chain, place, .. } = started;
    let mut text = format!("{}: configuration is fine\n", place.config.display());
    let mut line = |name: &str, value: String| {
        // Writing into a String does not fail.
        let _ = writeln!(text, "{name:<20} {value}");
    };
    let (listeners, control, budget) =
        settings.read(|values| (values.listeners.clone(), values.control.clone(), values.policy_budget));
    for listener in listeners {
        let scheme = if listener.tls.is_some() { "https" } else { "http" };
        line("listener", format!("{scheme}://{}", listener.addr));
    }
    for addr in control {
        line("control socket", addr.to_string());
    }
    line("access list", format!("{} masks", capabilities.access.acl().len()));
    if let Some(cluster) = &started.cluster
        && *daemon == Daemon::Replfwd
    {
        let heard = settings.read(|values| values.replication.listener);
        line(
            "sibling listener",
            heard.map_or_else(|| "none: nobody is heard".into(), |addr| addr.to_string()),
        );
        for (what, table) in [
            ("sibling", cluster.siblings()),
            ("destination", cluster.destinations()),
            ("source", cluster.sources()),
        ] {
            table.rows().into_iter().for_each(|row| line(what, row.address));
        }
        return text;
    }
    line("policy states", chain.executor().engines().to_string());
    line("policy budget", format!("{} ms", budget.as_millis()));
    let hooks = chain.hooks();
    let of_wforce = [
        ("allow", hooks.allow),
        ("report", hooks.report),
        ("reset", hooks.reset),
        ("canonicalize", hooks.canonicalize),
    ];
    let of_trackalert = [("report", hooks.report)];
    let set = if *daemon == Daemon::Wforce { &of_wforce[..] } else { &of_trackalert };
    for job in settings.read(Values::planned) {
        line("job", format!("{}: {} ({})", job.name, job.schedule, job.options.zone_name()));
    }
    for (name, is_set) in set {
        line(name, if *is_set { "set".into() } else { "not set: its default holds".into() });
    }
    for policy in chain.components().lines() {
        line("policy", policy);
    }
    for endpoint in chain.endpoints() {
        let verb = if endpoint.get { "GET" } else { "POST" };
        line("custom endpoint", format!("{verb} /command/{}", endpoint.name));
    }
    for db in capabilities.stats.all() {
        let schema = db.schema();
        let fields: Vec<String> =
            schema.fields.iter().map(|(name, kind)| format!("{name} {}", kind.name())).collect();
        line(
            "stats DB",
            format!(
                "{}: {} windows of {} s, {} shards, at most {} keys, fields: {}",
                db.name(),
                schema.windows,
                schema.window_secs,
                schema.shards,
                db.max_size(),
                fields.join(", ")
            ),
        );
    }
    if let Some(text) = http::unusable(capabilities, settings) {
        line("warning", text.to_owned());
    }
    for (what, place) in outside::described(capabilities, settings) {
        line(what, place);
    }
    text
}
