//! The one table of everything a configuration can call or read: names, states, parameters, defaults and documentation.
//!
//! The bindings register from it (arity checks, no-ops, start-only guards), the reference documentation is generated
//! from it, the console completes from it, and tests compare it with what is bound.

mod alert;
mod console;
mod daemons;
mod dns;
mod fields;
mod forwarder;
mod geo;
mod hooks;
mod jobs;
mod lists;
mod log;
mod markdown;
mod objects;
mod policy;
mod reports;
mod server;
mod sibling;
mod stats;
mod webhook;

use capabilities::Daemon;
pub use daemons::Daemons;
pub use fields::{FIELDS, Field};
pub use markdown::{configuration_markdown, lua_api_markdown, reference_markdown};

/// What a function does in one kind of Lua state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// Its work.
    Acts,
    /// Nothing: arguments are checked, no value is returned.
    Nothing,
}

/// The topics of the reference, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Listeners, access, the control socket, sizes.
    Server,
    /// The functions a policy consists of.
    Hooks,
    /// Background functions and when they run.
    Jobs,
    /// Policies as WebAssembly components.
    Policies,
    /// Stats DBs.
    Stats,
    /// Black- and whitelists.
    Lists,
    /// Addresses, netmasks and groups of them.
    Addresses,
    /// `GeoIP` databases.
    GeoIp,
    /// DNS look-ups.
    Dns,
    /// Log lines and counters.
    Logging,
    /// Siblings and the start-up sync.
    Replication,
    /// Webhooks.
    Webhooks,
    /// Alerts.
    Alerts,
    /// Report sinks.
    ReportSinks,
    /// The report store.
    Reports,
    /// Lists kept in Redis.
    Redis,
    /// What is typed at the console.
    Console,
}

impl Group {
    /// All topics in the order of the reference.
    pub const ALL: [Group; 17] = [
        Group::Server,
        Group::Hooks,
        Group::Jobs,
        Group::Policies,
        Group::Stats,
        Group::Lists,
        Group::Addresses,
        Group::GeoIp,
        Group::Dns,
        Group::Logging,
        Group::Replication,
        Group::Webhooks,
        Group::Alerts,
        Group::ReportSinks,
        Group::Reports,
        Group::Redis,
        Group::Console,
    ];

    /// The heading in the reference.
    pub fn title(self) -> &'static str {
        match self {
            Group::Server => "Server",
            Group::Hooks => "Hooks",
            Group::Jobs => "Background functions",
            Group::Policies => "WebAssembly policies",
            Group::Stats => "Stats DBs",
            Group::Lists => "Black- and whitelists",
            Group::Addresses => "Addresses and netmasks",
            Group::GeoIp => "GeoIP",
            Group::Dns => "DNS",
            Group::Logging => "Logging and counters",
            Group::Replication => "Siblings",
            Group::Webhooks => "Webhooks",
            Group::Alerts => "Alerts",
            Group::ReportSinks => "Report sinks",
            Group::Reports => "Report store",
            Group::Redis => "Lists in Redis",
            Group::Console => "Console",
        }
    }
}

/// How an argument is converted; see the reference for the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string, or a number as text.
    Text,
    /// 32-bit integer.
    Int,
    /// 32-bit unsigned integer.
    Unsigned,
    /// 64-bit unsigned integer.
    Unsigned64,
    /// 8-bit unsigned integer.
    Byte,
    /// Single-precision number.
    Float,
    /// `true` or `false`.
    Bool,
    /// `ComboAddress`.
    Addr,
    /// `Netmask`.
    Netmask,
    /// `Resolver`.
    Resolver,
    /// Table of strings.
    List,
    /// Table of tables of strings.
    Lists,
    /// Table from strings to strings.
    Map,
    /// Function.
    Function,
    /// String, number or `ComboAddress`.
    TextOrAddr,
    /// Function, name of a loaded policy, or a list of these.
    Policy,
    /// Table of anything that JSON has.
    Table,
}

impl Kind {
    /// The name in the reference.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Text => "string",
            Kind::Int => "integer",
            Kind::Unsigned | Kind::Unsigned64 => "unsigned integer",
            Kind::Byte => "unsigned 8-bit integer",
            Kind::Float => "number",
            Kind::Bool => "boolean",
            Kind::Addr => "ComboAddress",
            Kind::Netmask => "Netmask",
            Kind::Resolver => "Resolver",
            Kind::List => "list of strings",
            Kind::Lists => "list of lists of strings",
            Kind::Map => "map of strings",
            Kind::Function => "function",
            Kind::TextOrAddr => "string or ComboAddress",
            Kind::Policy => "function, policy name, or list of these",
            Kind::Table => "table",
        }
    }
}

/// One parameter.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its name in the reference.
    pub name: &'static str,
    /// How it is converted.
    pub kind: Kind,
    /// It may be left out or nil; only trailing ones.
    pub optional: bool,
}

const fn param(name: &'static str, kind: Kind) -> Param {
    Param { name, kind, optional: false }
}

const fn optional(name: &'static str, kind: Kind) -> Param {
    Param { name, kind, optional: true }
}

/// One function or method.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Global name, or `Object:method`.
    pub name: &'static str,
    /// The object a method belongs to.
    pub object: Option<&'static str>,
    /// Its topic.
    pub group: Group,
    /// The daemons that have it; in others there is no such global.
    pub daemons: Daemons,
    /// In the configuration state of the server.
    pub config: Does,
    /// In the worker states, which serve requests.
    pub worker: Does,
    /// In the configuration state of a console client.
    pub client: Does,
    /// Its parameters, without the object of a method.
    pub params: &'static [Param],
    /// What it returns; empty: no value.
    pub returns: &'static str,
    /// What holds if it is never called; empty where that makes no sense.
    pub default: &'static str,
    /// One paragraph for operators and policy authors.
    pub doc: &'static str,
    /// Only the configuration file may call it, not the console of a running server.
    pub start_only: bool,
    /// Made for the console: acts on its output.
    pub console: bool,
}

impl Entry {
    const fn new(
        group: Group,
        states: [Does; 3],
        name: &'static str,
        params: &'static [Param],
        doc: &'static str,
    ) -> Self {
        Entry {
            name,
            object: None,
            group,
            daemons: group.daemons(),
            config: states[0],
            worker: states[1],
            client: states[2],
            params,
            returns: "",
            default: "",
            doc,
            start_only: false,
            console: false,
        }
    }

    /// Acts in the configuration state and in clients, nothing in workers.
    const fn config(group: Group, name: &'static str, params: &'static [Param], doc: &'static str) -> Self {
        Self::new(group, [Does::Acts, Does::Nothing, Does::Acts], name, params, doc)
    }

    /// Acts everywhere.
    const fn anywhere(group: Group, name: &'static str, params: &'static [Param], doc: &'static str) -> Self {
        Self::new(group, [Does::Acts, Does::Acts, Does::Acts], name, params, doc)
    }

    /// A method of `object`, which acts everywhere.
    const fn method(
        group: Group,
        object: &'static str,
        name: &'static str,
        params: &'static [Param],
        doc: &'static str,
    ) -> Self {
        let mut entry = Self::anywhere(group, name, params, doc);
        entry.object = Some(object);
        entry
    }

    const fn not_in_client(mut self) -> Self {
        self.client = Does::Nothing;
        self
    }

    const fn only_in_worker(mut self) -> Self {
        self.config = Does::Nothing;
        self.client = Does::Nothing;
        self.worker = Does::Acts;
        self
    }

    const fn in_server(mut self) -> Self {
        self.config = Does::Acts;
        self.client = Does::Nothing;
        self.worker = Does::Acts;
        self
    }

    const fn daemons(mut self, daemons: Daemons) -> Self {
        self.daemons = daemons;
        self
    }

    const fn returns(mut self, returns: &'static str) -> Self {
        self.returns = returns;
        self
    }

    const fn default(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }

    const fn start_only(mut self) -> Self {
        self.start_only = true;
        self
    }

    const fn console(mut self) -> Self {
        self.console = true;
        self
    }

    /// What it does in a state of this role.
    pub fn does(&self, role: crate::bind::Role) -> Does {
        match role {
            crate::bind::Role::Config => self.config,
            crate::bind::Role::Worker => self.worker,
            crate::bind::Role::Client => self.client,
        }
    }

    /// The name without the object.
    pub fn short_name(&self) -> &'static str {
        self.name.split_once(':').map_or(self.name, |(_, method)| method)
    }

    /// Fewest and most arguments, the object of a method included.
    pub fn arity(&self) -> (u8, u8) {
        let object = usize::from(self.object.is_some());
        let needed = self.params.iter().filter(|param| !param.optional).count();
        ((object + needed) as u8, (object + self.params.len()) as u8)
    }
}

/// All functions and methods, topic by topic.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    [
        server::ENTRIES,
        hooks::ENTRIES,
        jobs::ENTRIES,
        policy::ENTRIES,
        stats::ENTRIES,
        lists::ENTRIES,
        objects::ENTRIES,
        geo::ENTRIES,
        dns::ENTRIES,
        log::ENTRIES,
        sibling::ENTRIES,
        forwarder::ENTRIES,
        webhook::ENTRIES,
        alert::ENTRIES,
        reports::ENTRIES,
        console::ENTRIES,
    ]
    .into_iter()
    .flatten()
}

/// The functions and methods that this daemon has.
pub fn entries_of(daemon: Daemon) -> impl Iterator<Item = &'static Entry> {
    entries().filter(move |entry| entry.daemons.contains(daemon))
}

/// The daemon that has this global function, if this one has it not: its file may have been given to the wrong program.
pub fn at_home_in(name: &str, daemon: Daemon) -> Option<Daemon> {
    if entries_of(daemon).any(|entry| entry.name == name) {
        return None;
    }
    let entry = entries().find(|entry| entry.name == name)?;
    Daemon::ALL.into_iter().find(|other| entry.daemons.contains(*other))
}

/// What this daemon's console offers for completion: global functions with `(`, methods with `:` in front, sorted.
pub fn completions(daemon: Daemon) -> Vec<String> {
    let mut words: Vec<String> = entries_of(daemon)
        .map(|entry| match entry.object {
            Some(_) => format!(":{}(", entry.short_name()),
            None => format!("{}(", entry.name),
        })
        .collect();
    words.sort();
    words.dedup();
    words
}

#[cfg(test)]
mod tests;
