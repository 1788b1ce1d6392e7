//! Listeners, the control socket, sizes.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use bstr::{BStr, BString, ByteSlice};
use login::Addr;
use wire::Key;

use super::{Role, complain};
use crate::convert::Fault;
use crate::settings::{Listener, Secret, Tls, Values};
use crate::stack::{Args, HostFn, Ret, State};

/// Lua states that are made at most.
const MOST_STATES: i32 = 256;

pub(super) const FUNCTIONS: &[(&str, HostFn)] = &[
    ("addListener", add_listener),
    ("webserver", webserver),
    ("controlSocket", control_socket),
    ("setKey", set_key),
    ("setNumLuaStates", |state, args| {
        let count = args.int(1)?;
        if count <= MOST_STATES {
            return number(state, args, |values, count| values.lua_states = count);
        }
        complain(
            state,
            format!(
                "setNumLuaStates: {count} is too many, {MOST_STATES} are made: each takes memory and time to load, and more \
                 than a few for each core serve nobody"
            ),
        );
        state.host.settings.change(|values| values.lua_states = MOST_STATES);
        Ok(Ret::None)
    }),
    ("setNumWorkerThreads", |state, args| number(state, args, |values, count| values.worker_threads = count)),
    ("setMaxWebserverConns", |state, args| {
        number(state, args, |values, count| values.max_connections = count)
    }),
    ("setPolicyBudget", |state, args| {
        let Some(milliseconds) = positive(state, args)? else { return Ok(Ret::None) };
        let budget = Duration::from_millis(u64::from(milliseconds));
        state.host.settings.change(|values| values.policy_budget = budget);
        Ok(Ret::None)
    }),
    ("setPolicyMemory", |state, args| {
        let Some(megabytes) = positive(state, args)? else { return Ok(Ret::None) };
        let bytes = (megabytes as usize) << 20;
        state.host.settings.change(|values| values.policy_memory = bytes);
        Ok(Ret::None)
    }),
    ("setStateDir", |state, args| {
        let path = args.text(1)?.owned();
        let path = PathBuf::from(path.to_os_str_lossy().into_owned());
        state.host.settings.change(|values| values.state_dir = Some(path));
        Ok(Ret::None)
    }),
    ("setStateInterval", |state, args| {
        let Some(seconds) = positive(state, args)? else { return Ok(Ret::None) };
        let every = Duration::from_secs(u64::from(seconds));
        state.host.settings.change(|values| values.state_interval = every);
        Ok(Ret::None)
    }),
    ("recordTo", record_to),
    ("setVerboseAllowLog", |state, _| {
        state.host.settings.change(|values| values.verbose_allow_log = true);
        Ok(Ret::None)
    }),
    ("setJA3AttrName", |state, args| {
        let name = args.text(1)?.owned();
        state.host.settings.change(|values| values.ja3_attr = name);
        Ok(Ret::None)
    }),
    ("shutdown", |state, _| {
        (state.host.shutdown)();
        Ok(Ret::None)
    }),
];

/// Megabytes of a recording unless told otherwise.
const RECORD_MB: u32 = 256;

fn record_to<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let path = args.text(1)?.owned().to_path_lossy().into_owned();
    let mut megabytes = RECORD_MB;
    for (name, value) in if args.given(2) { args.map(2)? } else { Vec::new() } {
        if name != "max_mb" {
            return Err(Fault::caught(format!("recordTo: there is no option {name}, only max_mb")));
        }
        let number = std::str::from_utf8(&value).ok().and_then(|text| text.parse().ok());
        megabytes = number
            .filter(|megabytes| *megabytes > 0)
            .ok_or_else(|| Fault::caught(format!("recordTo: max_mb must be a number from 1, not {value}")))?;
    }
    state.host.settings.change(|values| values.record = Some((path, megabytes)));
    Ok(Ret::None)
}

/// The port of a control socket whose address has none.
const CONTROL_PORT: u16 = 4004;

/// Sets a count, which must be at least 1.
fn number<'a>(state: &'a State, args: &Args<'a>, set: fn(&mut Values, i32)) -> Result<Ret<'a>, Fault> {
    let count = args.int(1)?;
    if count < 1 {
        let name = args.bound().map_or("", |bound| bound.entry.name);
        complain(state, format!("{name}: {count} is too few, 1 is taken"));
    }
    state.host.settings.change(|values| set(values, count.max(1)));
    Ok(Ret::None)
}

fn socket_addr(text: &[u8], default_port: u16) -> Result<SocketAddr, String> {
    let addr = Addr::parse(text).map_err(|error| error.to_string())?;
    Ok(SocketAddr::new(addr.ip, if addr.port == 0 { default_port } else { addr.port }))
}

fn add_listener<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let (address, secure) = (args.text(1)?, args.boolean(2)?);
    let (certificate, key, options) = (args.text(3)?.owned(), args.text(4)?.owned(), args.map(5)?);
    let addr = match socket_addr(&address, 0) {
        Ok(addr) => addr,
        Err(error) => {
            complain(state, format!("addListener: {error}"));
            return Ok(Ret::None);
        }
    };
    let tls = match secure.then(|| tls(&certificate, &key, options)).transpose() {
        Ok(tls) => tls,
        Err(error) => {
            complain(state, format!("addListener {}: {error}", BStr::new(&*address)));
            return Ok(Ret::None);
        }
    };
    state.host.settings.change(|values| values.listeners.push(Listener { addr, tls, place: args.place() }));
    Ok(Ret::None)
}

fn tls(certificate: &BString, key: &BString, options: Vec<(BString, BString)>) -> Result<Tls, String> {
    let file = |name: &BString| -> Result<PathBuf, String> {
        let path = name.to_path().map_err(|error| error.to_string())?;
        if path.is_file() { Ok(path.to_owned()) } else { Err(format!("{name} is not a regular file")) }
    };
    Ok(Tls { certificate: file(certificate)?, key: file(key)?, options })
}

/// A number from 1 to 2^32 - 1, for settings that wforce does not have: its own wrap. Nothing, and a complaint, for another one,
/// which would be no limit at all or let nothing through.
fn positive(state: &State, args: &Args<'_>) -> Result<Option<u32>, Fault> {
    let number = args.double(1)?;
    if (1.0..4_294_967_296.0).contains(&number) {
        return args.unsigned(1).map(Some);
    }
    let name = args.bound().map_or("", |bound| bound.entry.name);
    complain(state, format!("{name}: {number} is not between 1 and 4294967295, what was set before stays"));
    Ok(None)
}

fn webserver<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let (address, password) = (args.text(1)?, args.text(2)?);
    state.host.caps.log.warn("webserver() is deprecated: use addListener() and setWebserverPassword()");
    match socket_addr(&address, 0) {
        Ok(addr) => {
            super::access::access(state).set_password(&password);
            let listener = Listener { addr, tls: None, place: args.place() };
            state.host.settings.change(|values| values.listeners.push(listener));
        }
        Err(error) => complain(state, format!("webserver: {error}")),
    }
    Ok(Ret::None)
}

fn control_socket<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let text = args.text(1)?;
    let addr = match socket_addr(&text, CONTROL_PORT) {
        Ok(addr) => addr,
        Err(error) => {
            complain(state, format!("controlSocket: {error}"));
            return Ok(Ret::None);
        }
    };
    if state.role == Role::Config && state.host.bind_sockets {
        let listener = TcpListener::bind(addr)
            .map_err(|error| Fault::caught(format!("Unable to bind to control socket on {addr}: {error}")))?;
        state.host.settings.add_control(listener);
    }
    state.host.settings.change(|values| values.control.push(addr));
    Ok(Ret::None)
}

fn set_key<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let key = Key::from_base64(&args.text(1)?);
    if state.role == Role::Worker {
        // `if not setKey(...)` must not take the failure branch in every worker.
        return Ok(Ret::Bool(true));
    }
    match key {
        Ok(key) => {
            if let Some(cluster) = state.host.settings.cluster() {
                cluster.context().security.set_key(Some(key.clone()));
            }
            state.host.settings.change(|values| values.key = Some(Secret(key)));
            Ok(Ret::Bool(true))
        }
        Err(error) => {
            complain(state, format!("setKey: {error}"));
            Ok(Ret::Bool(false))
        }
    }
}
