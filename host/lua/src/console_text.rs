//! What the `show...` functions print: a buffer for the console's answer, and the rows in wforce's columns.

use std::fmt::Write as _;

use capabilities::stats::Db;
use cluster::{Cluster, Row};
use login::Login;
use parking_lot::Mutex;

use crate::settings::{Settings, Values};

/// The longest answer that is kept; a console frame cannot carry more.
const LONGEST: usize = 1 << 20;

/// Logins that one line may ask about.
const MOST_ASKED: usize = 20;

/// The answer being written, and what is to be asked before it is complete.
#[derive(Debug, Default)]
pub struct ConsoleBuffer {
    text: Mutex<Vec<u8>>,
    asked: Mutex<Vec<Login>>,
}

impl ConsoleBuffer {
    /// Adds a line.
    pub fn line(&self, text: impl AsRef<[u8]>) {
        let mut buffer = self.text.lock();
        let text = text.as_ref();
        // While the configuration is loaded nobody empties the buffer: it must not grow without end.
        if buffer.len() + text.len() < LONGEST {
            buffer.extend_from_slice(text);
            buffer.push(b'\n');
        }
    }

    /// Takes what was written since the last time.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.text.lock())
    }

    /// Asks for an explanation of this login, to be added at the end; false: there are too many.
    pub fn ask(&self, login: Login) -> bool {
        let mut asked = self.asked.lock();
        let room = asked.len() < MOST_ASKED;
        if room {
            asked.push(login);
        }
        room
    }

    /// Takes what was asked for since the last time.
    pub fn take_asked(&self) -> Vec<Login> {
        std::mem::take(&mut self.asked.lock())
    }
}

/// `siblings()`.
pub fn siblings(settings: &Settings) -> Vec<String> {
    match settings.cluster() {
        Some(cluster) => peers("Address", &cluster.siblings().rows()),
        None => settings.read(|values| {
            let listed = values.replication.siblings.iter();
            let rows = listed.map(|sibling| peer(&sibling.addr.to_string(), ["0"; 4], ""));
            std::iter::once(peers_head("Address")).chain(rows).collect()
        }),
    }
}

/// `replicationForwarders()`.
pub fn forwarders(cluster: &Cluster) -> Vec<String> {
    let destinations = peers("Destination", &cluster.destinations().rows());
    destinations.into_iter().chain(peers("Source", &cluster.sources().rows())).collect()
}

fn peer(address: &str, numbers: [&str; 4], note: &str) -> String {
    let [sent, failed, received, bad] = numbers;
    format!("{address:<35} {sent:<15} {failed:<14} {received:<15} {bad:<14}   {note}")
}

fn peers_head(what: &str) -> String {
    peer(what, ["Send Successes", "Send Failures", "Rcv Successes", "Rcv Failures"], "Note")
}

fn peers(what: &str, rows: &[Row]) -> Vec<String> {
    let rows = rows.iter().map(|row| {
        let numbers =
            [row.sent, row.not_sent, row.received, row.received_bad].map(|number| number.to_string());
        let note = match row {
            Row { is_self: true, .. } => "Self",
            Row { session: true, .. } => "Session",
            Row { lost: true, .. } => "Session lost",
            _ => "",
        };
        peer(&row.address, numbers.each_ref().map(String::as_str), note)
    });
    std::iter::once(peers_head(what)).chain(rows).collect()
}

/// `showReportSinks()`.
pub fn report_sinks(sinks: &[capabilities::sinks::Row]) -> Vec<String> {
    let row = |address: &str, good: &str, bad: &str| format!("{address:<35} {good:<10} {bad:<9}");
    let rows = sinks
        .iter()
        .map(|sink| row(&sink.addr.to_string(), &sink.successes.to_string(), &sink.failures.to_string()));
    std::iter::once(row("Address", "Successes", "Failures")).chain(rows).collect()
}

/// `showNamedReportSinks()`.
pub fn named_report_sinks(sinks: &[capabilities::sinks::Row]) -> Vec<String> {
    let row = |name: &str, address: &str, good: &str, bad: &str| {
        format!("{name:<15} {address:<35} {good:<10} {bad:<9}")
    };
    let rows = sinks.iter().map(|sink| {
        let (good, bad) = (sink.successes.to_string(), sink.failures.to_string());
        row(&sink.name.to_string(), &sink.addr.to_string(), &good, &bad)
    });
    std::iter::once(row("Name", "Address", "Successes", "Failures")).chain(rows).collect()
}

/// `showWebHooks()`.
pub fn web_hooks(hooks: &[capabilities::webhooks::Row]) -> Vec<String> {
    let row = |id: &str, good: &str, bad: &str, url: &str, events: &str| {
        format!("{id:<9} {good:<9} {bad:<9} {url:<45.45} {events}")
    };
    let rows = hooks.iter().map(|hook| {
        let events = hook.events.iter().fold(String::new(), |mut all, event| {
            let _ = write!(all, "{event} ");
            all
        });
        let (good, bad) = (hook.successes.to_string(), hook.failures.to_string());
        row(&hook.id.to_string(), &good, &bad, &hook.url, &events)
    });
    std::iter::once(row("ID", "Successes", "Failures", "URL", "Events")).chain(rows).collect()
}

/// `showCustomWebHooks()`.
pub fn custom_web_hooks(hooks: &[capabilities::webhooks::Row]) -> Vec<String> {
    let row = |id: &str, name: &str, good: &str, bad: &str, url: &str| {
        format!("{id:<9} {name:<20.20} {good:<9} {bad:<9} {url}")
    };
    let rows = hooks.iter().map(|hook| {
        let (good, bad) = (hook.successes.to_string(), hook.failures.to_string());
        row(&hook.id.to_string(), &hook.name.to_string(), &good, &bad, &hook.url)
    });
    std::iter::once(row("ID", "Name", "Successes", "Failures", "URL")).chain(rows).collect()
}

/// `showCustomEndpoints()`.
pub fn custom_endpoints(values: &Values) -> Vec<String> {
    let row = |name: &str, kind: &str, sinks: &str| format!("{name:<30.30} {kind:<5.5} {sinks} ");
    let mut endpoints: Vec<_> = values.endpoints.iter().collect();
    endpoints.sort_by(|a, b| (a.get, &a.name).cmp(&(b.get, &b.name)));
    let rows = endpoints.into_iter().map(|endpoint| {
        let kind = if endpoint.get { "GET" } else { "POST" };
        row(&endpoint.name, kind, if endpoint.to_sinks { "true" } else { "false" })
    });
    std::iter::once(row("Custom Endpoint", "Type", "Send to Report Sink?")).chain(rows).collect()
}

/// `showCustomEndpoints()` of trackalert, whose endpoints are all of one kind.
pub fn custom_endpoint_names(values: &Values) -> Vec<String> {
    let row = |name: &str| format!("{name:<30.30} ");
    let mut names: Vec<&str> = values.endpoints.iter().map(|endpoint| &*endpoint.name).collect();
    names.sort_unstable();
    std::iter::once(row("Custom Endpoint")).chain(names.into_iter().map(row)).collect()
}

/// `showStringStatsDB()`: a row for each field; the columns of the DB only on its first one.
pub fn stats_dbs<'a>(dbs: impl Iterator<Item = &'a Db>) -> Vec<String> {
    let row = |columns: [&str; 5], field: &str, kind: &str| {
        let [name, replicates, windows, max, size] = columns;
        format!("{name:<20.20} {replicates:<5.5} {windows:<11.11} {max:<9} {size:<9} {field:<16.16} {kind}")
    };
    let head = ["DB Name/Shards", "Repl?", "Win Size/No", "Max Size", "Cur Size"];
    let mut rows = vec![row(head, "Field Name", "Type")];
    for db in dbs {
        let schema = db.schema();
        let columns = [
            format!("{}/{}", schema.name, schema.shards),
            (if db.replicates() { "yes" } else { "no" }).to_owned(),
            format!("{}/{}", schema.window_secs, schema.windows),
            db.max_size().to_string(),
            db.remote().map_or_else(|| db.len().to_string(), |_| "outside".to_owned()),
        ];
        // A schema keeps its fields sorted by name.
        for (place, (field, kind)) in schema.fields.iter().enumerate() {
            let columns = if place == 0 { columns.each_ref().map(String::as_str) } else { [""; 5] };
            rows.push(row(columns, &field.to_string(), kind.name()));
        }
    }
    rows
}
