//! wforce's functions and objects, one file a topic. They only convert: what a function does is done by the
//! capabilities or noted in the settings.
#![allow(clippy::unnecessary_wraps)] // host functions have one signature, also those that never fail

mod access;
mod addresses;
mod alerts;
pub mod dns;
mod effects;
mod explain;
mod forwarder;
mod geo;
pub mod hooks;
mod jobs;
mod lists;
mod logging;
pub(crate) mod objects;
mod policies;
mod records;
mod replication;
pub mod reply;
pub mod reports;
mod server;
mod show;
mod sinks;
mod stats;
pub mod wait;
mod webhooks;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use capabilities::{Capabilities, Daemon};

pub use crate::console_text::ConsoleBuffer as Output;
use crate::convert::Fault;
use crate::settings::{Complaint, Settings};
use crate::stack::{Args, Bound, HostFn, Ret, State};
use crate::surface::{self, Does, Entry, Kind};
pub(crate) use geo::without_database;

/// What a Lua state is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The configuration state of a server.
    Config,
    /// One of the states that serve calls.
    Worker,
    /// The configuration state of a console client.
    Client,
}

/// What the functions work on; shared by all Lua states of a daemon.
pub struct Host {
    /// Which daemon this is: it decides which functions there are.
    pub daemon: Daemon,
    /// Stats DBs, lists, logs, ...
    pub caps: Arc<Capabilities>,
    /// What the configuration set.
    pub settings: Arc<Settings>,
    /// What the `show...` functions print into.
    pub output: Arc<Output>,
    /// Where DNS look-ups run.
    pub runtime: tokio::runtime::Handle,
    /// Name and version, as `showVersion()` prints them: `wforce 3.0.1`.
    pub version: String,
    /// The background functions, once they are scheduled; empty in daemons that have none.
    pub jobs: Arc<schedule::Jobs>,
    /// The WebAssembly policies of this configuration.
    pub components: Arc<dyn policy::Components>,
    /// What `shutdown()` does.
    pub shutdown: Box<dyn Fn() + Send + Sync>,
    /// Whether `controlSocket` binds its address at once; false when a configuration is only checked.
    pub bind_sockets: bool,
    /// How long the file may take in each of its passes; `None`: as long as it likes.
    pub load_limit: Option<std::time::Duration>,
    /// Bytes that the Lua state of a pass may take while the file runs; `None`: as many as there are.
    pub load_memory: Option<usize>,
}

/// Puts all functions and objects for this role into a fresh Lua state.
///
/// # Errors
/// Out of memory.
pub fn install(lua: &mlua::Lua, role: Role, host: &Arc<Host>) -> mlua::Result<()> {
    crate::stack::open(lua, role, host, bound(host.daemon, role))
}

/// A login tuple for a hook. It is shared until the hook writes one of its fields.
///
/// # Errors
/// Out of memory, or the functions were never installed in this Lua state.
pub fn login(lua: &mlua::Lua, login: Arc<login::Login>) -> mlua::Result<mlua::AnyUserData> {
    crate::stack::create(lua, RefCell::new(login))
}

/// Calls an allow hook and reads its decision, by the rules of [`reply::decision`]; quicker than the separate steps.
///
/// # Errors
/// What the hook raised, with its traceback; out of memory; the functions were never installed in this Lua state. The inner
/// error: the hook returned something else than a decision.
pub fn call_allow(
    lua: &mlua::Lua,
    hook: &mlua::Function,
    login: Arc<login::Login>,
) -> mlua::Result<Result<policy::Reply, Fault>> {
    crate::stack::call_with(lua, hook, RefCell::new(login), |returned| {
        let status = match returned.status(1) {
            Ok(status) => status,
            Err(_) if returned.text(1).is_ok_and(|text| *text == *reply::PASS) => {
                return Ok(policy::Reply::Pass);
            }
            Err(fault) => return Err(fault),
        };
        Ok(policy::Reply::Decision(login::Decision {
            status,
            msg: returned.text(2)?.owned(),
            log: returned.text(3)?.owned(),
            attrs: reply::first_of_each(returned.map(4)?),
        }))
    })
}

/// Calls a report hook; what it returns is ignored.
///
/// # Errors
/// As for [`call_allow`].
pub fn call_report(lua: &mlua::Lua, hook: &mlua::Function, login: Arc<login::Login>) -> mlua::Result<()> {
    crate::stack::call_with(lua, hook, RefCell::new(login), |_| ())
}

/// The arguments of a custom endpoint.
///
/// # Errors
/// Out of memory, or the functions were never installed in this Lua state.
pub fn custom_args(lua: &mlua::Lua, args: Arc<login::CustomArgs>) -> mlua::Result<mlua::AnyUserData> {
    crate::stack::create(lua, RefCell::new(args))
}

/// An address for a hook.
///
/// # Errors
/// Out of memory, or the functions were never installed in this Lua state.
pub fn address(lua: &mlua::Lua, addr: login::Addr) -> mlua::Result<mlua::AnyUserData> {
    crate::stack::create(lua, addr)
}

/// Unix seconds, as policies see them.
fn now(state: &State) -> u64 {
    state.host.caps.clock.now()
}

/// Every function that does something.
fn functions() -> impl Iterator<Item = (&'static str, HostFn)> {
    [
        access::FUNCTIONS,
        addresses::FUNCTIONS,
        alerts::FUNCTIONS,
        dns::FUNCTIONS,
        explain::FUNCTIONS,
        forwarder::FUNCTIONS,
        geo::FUNCTIONS,
        hooks::FUNCTIONS,
        jobs::FUNCTIONS,
        lists::FUNCTIONS,
        logging::FUNCTIONS,
        policies::FUNCTIONS,
        replication::FUNCTIONS,
        reports::FUNCTIONS,
        server::FUNCTIONS,
        show::FUNCTIONS,
        sinks::FUNCTIONS,
        stats::FUNCTIONS,
        webhooks::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// The functions as states of this role get them in this daemon.
fn bound(daemon: Daemon, role: Role) -> &'static [Bound] {
    static TABLES: [[OnceLock<Vec<Bound>>; 3]; 3] = [const { [const { OnceLock::new() }; 3] }; 3];
    TABLES[daemon as usize][role as usize].get_or_init(|| {
        let functions: HashMap<&str, HostFn> = functions().collect();
        let entries = surface::entries_of(daemon);
        entries.filter_map(|entry| bind(entry, role, functions.get(entry.name).copied())).collect()
    })
}

fn bind(entry: &'static Entry, role: Role, function: Option<HostFn>) -> Option<Bound> {
    let (least, most) = entry.arity();
    let bound = |call: HostFn, inner: HostFn| Some(Bound { call, inner, entry, least, most });
    match (entry.does(role), function) {
        (Does::Nothing, _) => bound(nothing, nothing),
        (Does::Acts, Some(inner)) if role == Role::Config => bound(placed, inner),
        (Does::Acts, Some(inner)) => bound(inner, inner),
        (Does::Acts, None) => None,
    }
}

/// A function that does nothing in this state still checks its arguments.
fn nothing<'a>(_: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    if let Some(bound) = args.bound() {
        let first = 1 + i32::from(bound.entry.object.is_some());
        for (index, param) in (first..).zip(bound.entry.params) {
            if !param.optional || args.given(index) {
                check(args, index, param.kind)?;
            }
        }
    }
    Ok(Ret::None)
}

fn check(args: &Args<'_>, index: i32, kind: Kind) -> Result<(), Fault> {
    match kind {
        Kind::Text => args.text(index).map(drop),
        Kind::Int => args.int(index).map(drop),
        Kind::Unsigned => args.unsigned(index).map(drop),
        Kind::Unsigned64 => args.unsigned64(index).map(drop),
        Kind::Byte => args.byte(index).map(drop),
        Kind::Float => args.float(index).map(drop),
        Kind::Bool => args.boolean(index).map(drop),
        Kind::Addr => args.addr(index).map(drop),
        Kind::Netmask => args.object::<login::Netmask>(index).map(drop),
        Kind::Resolver => args.object::<Arc<capabilities::dns::Resolver>>(index).map(drop),
        Kind::List => args.list(index).map(drop),
        Kind::Lists => args.lists(index).map(drop),
        Kind::Map => args.map(index).map(drop),
        Kind::Function => args.function(index),
        Kind::TextOrAddr => args.text_or_addr(index).map(drop),
        Kind::Policy => args.members(index).map(drop),
        Kind::Table => args.json(index).map(drop),
    }
}

/// Functions of the configuration state: what they complain about gets the position of the call.
fn placed<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let settings = &state.host.settings;
    if let Some(bound) = args.bound()
        && !settings.sealed()
    {
        settings.note_place(bound.entry.name, args.place());
    }
    let before = settings.read(|values| values.complaints.count);
    let result = guarded(state, args);
    settings.change(|values| {
        if before == 0
            && let Some(first) = &mut values.complaints.first
        {
            first.place = args.place();
        }
    });
    result
}

/// Before functions that are only for the start.
fn guarded<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let Some(bound) = args.bound() else { return Ok(Ret::None) };
    if bound.entry.start_only && state.role == Role::Config && state.host.settings.sealed() {
        nothing(state, args)?;
        state.host.output.line(format!(
            "{}: only at the start: change the configuration file and restart",
            bound.entry.name
        ));
        return Ok(Ret::None);
    }
    if ADDS.contains(&bound.entry.name) && state.host.settings.is_read_again() {
        nothing(state, args)?;
        let text = "webhooks and report sinks stay as they are until a restart";
        state.host.caps.log.limited(text, Duration::from_secs(1), capabilities::Level::Notice, text);
        return Ok(Ret::None);
    }
    (bound.inner)(state, args)
}

/// What these make would be there twice if a running daemon read its file once more.
const ADDS: [&str; 7] = [
    "addWebHook",
    "addCustomWebHook",
    "addAlertWebhook",
    "addReportSink",
    "setReportSinks",
    "addNamedReportSink",
    "setNamedReportSinks",
];

/// Bad input of a setter that is no Lua error: said in the log and at the console, and counted for a check of the
/// configuration.
fn complain(state: &State, text: impl AsRef<[u8]>) {
    state.host.caps.log.error(text.as_ref());
    // Each worker state says it again.
    if state.role == Role::Config {
        let complaint = Complaint { text: text.as_ref().into(), place: None };
        state.host.settings.change(|values| values.complaints.add(complaint));
    }
    state.host.output.line(text);
}

/// Input that wforce takes without a word though it is hardly meant: a warning, and counted for a check of the configuration.
fn doubt(state: &State, text: &str) {
    // Each worker state would say it again.
    if state.role == Role::Config {
        state.host.caps.log.warn(text);
        let complaint = Complaint { text: text.into(), place: None };
        state.host.settings.change(|values| values.complaints.add(complaint));
        state.host.output.line(text);
    }
}

/// The same of a call that comes too late for its whole effect; the line in the log has its place.
fn late(state: &State, args: &Args<'_>, text: &str) {
    if state.role == Role::Config {
        let place = args.place();
        let at = place.as_ref().map(|place| state.place_text(place) + ": ").unwrap_or_default();
        state.host.caps.log.warn(format!("{at}{text}"));
        state.host.settings.change(|values| values.complaints.add(Complaint { text: text.into(), place }));
    }
}

#[cfg(test)]
mod tests;
