//! The one table of everything a configuration can call or read: names, states, parameters, defaults and documentation.
//!
//! The bindings register from it (arity checks, no-ops, start-only guards), the reference documentation is generated
//! from it, the console completes from it, and tests compare it with what is bound.

mod alert;
mod console;
mod daemons;
mod dns;
mod entry;
mod fields;
mod forwarder;
mod geo;
mod group;
mod help;
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
pub use entry::Entry;
pub use fields::{FIELDS, Field};
pub use group::Group;
pub use help::help;
pub use markdown::{configuration_markdown, lua_api_markdown, reference_markdown};

/// What a function does in one kind of Lua state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// Its work.
    Acts,
    /// Nothing: arguments are checked, no value is returned.
    Nothing,
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
