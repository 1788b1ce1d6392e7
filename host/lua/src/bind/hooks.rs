//! The functions a policy consists of: kept by the worker state, found again by whoever calls them.

use std::collections::HashMap;
use std::sync::Arc;

use bstr::{BStr, BString};
use capabilities::Daemon;
use mlua::{Function, Lua, Table, Value};
use policy::{Component, Hook};

use crate::convert::Fault;
use crate::stack::{Args, HOOKS, HostFn, Ret, State};

pub(super) const FUNCTIONS: &[(&str, HostFn)] = &[
    ("setAllow", |state, args| keep(state, args, "allow", |hooks| &mut hooks.allow)),
    ("setShadowAllow", |state, args| {
        if args.given(2) {
            let sample = sample(&args.map(2)?)?;
            state.host.settings.change(|values| values.shadow_sample = sample);
        }
        keep(state, args, "shadow", |hooks| &mut hooks.shadow)
    }),
    ("setReport", |state, args| keep(state, args, "report", |hooks| &mut hooks.report)),
    ("setReset", |state, args| keep(state, args, "reset", |hooks| &mut hooks.reset)),
    ("setCanonicalize", |state, args| keep(state, args, "canonicalize", |hooks| &mut hooks.canonicalize)),
    ("setCustomEndpoint", |state, args| match state.host.daemon {
        Daemon::Wforce => {
            let (name, to_sinks) = (args.text(1)?, args.boolean(2)?);
            endpoint(state, args, 3, BStr::new(&*name), false, to_sinks)
        }
        // trackalert has no report sinks.
        _ => endpoint(state, args, 2, BStr::new(&*args.text(1)?), false, false),
    }),
    ("setCustomGetEndpoint", |state, args| {
        let name = args.text(1)?;
        endpoint(state, args, 2, BStr::new(&*name), true, false)
    }),
];

/// In front of the names of custom endpoints and background functions in the table of hooks.
const POST: &str = "POST ";
const GET: &str = "GET ";
const BACKGROUND: &str = "BACKGROUND ";

/// The name of a background function in the table of hooks.
pub(super) fn background_name(name: &[u8]) -> BString {
    bstr::concat([BACKGROUND.as_bytes(), name]).into()
}

/// One of the policies behind a hook.
#[derive(Clone)]
pub enum Member {
    /// A function of this Lua state.
    Function(Function),
    /// A loaded policy.
    Component(Arc<dyn Component>),
}

impl std::fmt::Debug for Member {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Member::Function(_) => out.write_str("function"),
            Member::Component(component) => out.write_str(component.name()),
        }
    }
}

/// The functions that a worker state's configuration set.
#[derive(Clone, Debug, Default)]
pub struct Hooks {
    /// `setAllow`.
    pub allow: Vec<Member>,
    /// `setShadowAllow`.
    pub shadow: Vec<Member>,
    /// `setReport`.
    pub report: Vec<Member>,
    /// `setReset`.
    pub reset: Vec<Member>,
    /// `setCanonicalize`.
    pub canonicalize: Vec<Member>,
    /// `setCustomEndpoint`, by name.
    pub custom: HashMap<BString, Vec<Member>>,
    /// `setCustomGetEndpoint`, by name.
    pub custom_get: HashMap<BString, Vec<Member>>,
    /// `setBackground`, by name.
    pub background: HashMap<BString, Vec<Member>>,
}

/// The hooks of this Lua state as they are now; a console line may change them.
///
/// # Errors
/// Out of memory, or the functions were never installed.
pub fn get(lua: &Lua) -> mlua::Result<Hooks> {
    let table: Table = lua.named_registry_value(&HOOKS.to_string_lossy())?;
    let mut hooks = Hooks::default();
    for pair in table.pairs::<BString, Value>() {
        let (name, value) = pair?;
        let function = members(lua, &value)?;
        match &name[..] {
            b"allow" => hooks.allow = function,
            b"shadow" => hooks.shadow = function,
            b"report" => hooks.report = function,
            b"reset" => hooks.reset = function,
            b"canonicalize" => hooks.canonicalize = function,
            other => {
                if let Some(name) = other.strip_prefix(POST.as_bytes()) {
                    hooks.custom.insert(name.into(), function);
                } else if let Some(name) = other.strip_prefix(GET.as_bytes()) {
                    hooks.custom_get.insert(name.into(), function);
                } else if let Some(name) = other.strip_prefix(BACKGROUND.as_bytes()) {
                    hooks.background.insert(name.into(), function);
                }
            }
        }
    }
    Ok(hooks)
}

/// The members behind a kept value: one, or those of a list.
fn members(lua: &Lua, value: &Value) -> mlua::Result<Vec<Member>> {
    let one = |value: &Value| match value {
        Value::Function(function) => Ok(Member::Function(function.clone())),
        Value::String(name) => {
            let name = name.to_string_lossy();
            crate::stack::with_state(lua, |state| state.host.components.get(&name))
                .flatten()
                .map(Member::Component)
                .ok_or_else(|| mlua::Error::runtime(unknown(&name)))
        }
        other => Err(mlua::Error::runtime(format!("a {} is no hook", other.type_name()))),
    };
    match value {
        Value::Table(list) => list.sequence_values::<Value>().map(|value| one(&value?)).collect(),
        value => Ok(vec![one(value)?]),
    }
}

fn unknown(name: &str) -> String {
    format!("there is no policy named \"{name}\": load it with loadPolicy first")
}

/// Looks at the policies given for a hook: each name must be that of a component that has it.
pub(super) fn look(state: &State, args: &Args<'_>, index: i32, hook: Hook) -> Result<(), Fault> {
    for name in args.members(index)?.into_iter().flatten() {
        let name = name.to_string();
        let refused = match state.host.components.get(&name) {
            None => unknown(&name),
            Some(component) => match component.require(hook) {
                Ok(()) => continue,
                Err(error) => error.to_string(),
            },
        };
        let setter = args.bound().map_or("a hook", |bound| bound.entry.name);
        return Err(Fault::caught(format!("{setter}: {refused}")));
    }
    Ok(())
}

fn keep<'a>(
    state: &'a State,
    args: &Args<'a>,
    name: &str,
    flag: fn(&mut policy::Hooks) -> &mut bool,
) -> Result<Ret<'a>, Fault> {
    let hook = match name {
        "shadow" => Hook::Allow,
        name => Hook::ALL.into_iter().find(|hook| hook.name() == name).unwrap_or(Hook::Allow),
    };
    look(state, args, 1, hook)?;
    state.host.settings.change(|values| *flag(&mut values.hooks) = true);
    Ok(Ret::Keep { name: name.into(), index: 1, replace: true })
}

/// The part of the logins that a shadow is asked about.
fn sample(options: &[(BString, BString)]) -> Result<f64, Fault> {
    let mut part = 1.0;
    for (name, value) in options {
        if name != "sample" {
            return Err(Fault::caught(format!("setShadowAllow: there is no option {name}, only sample")));
        }
        part = std::str::from_utf8(value)
            .ok()
            .and_then(|text| text.parse().ok())
            .filter(|part| (0.0..=1.0).contains(part))
            .ok_or_else(|| {
                Fault::caught(format!("setShadowAllow: sample must be between 0 and 1, not {value}"))
            })?;
    }
    Ok(part)
}

fn endpoint<'a>(
    state: &'a State,
    args: &Args<'a>,
    index: i32,
    name: &BStr,
    get: bool,
    to_sinks: bool,
) -> Result<Ret<'a>, Fault> {
    look(state, args, index, Hook::Endpoint)?;
    if state.role == super::Role::Config {
        let Ok(command) = std::str::from_utf8(name) else {
            super::complain(state, format!("custom endpoint \"{name}\": a name must be valid UTF-8"));
            return Ok(Ret::None);
        };
        state.host.settings.change(|values| {
            let known = values.endpoints.iter().any(|known| known.get == get && &*known.name == command);
            if !known {
                values.endpoints.push(policy::Endpoint { name: command.into(), get, to_sinks });
            }
        });
        return Ok(Ret::None);
    }
    let prefix = if get { GET } else { POST };
    Ok(Ret::Keep { name: bstr::concat([prefix.as_bytes(), name]).into(), index, replace: false })
}
