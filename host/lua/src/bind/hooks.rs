//! The functions a policy consists of: kept by the worker state, found again by whoever calls them.

use std::collections::HashMap;

use bstr::{BStr, BString};
use mlua::{Function, Lua, Table};

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
    ("setCustomEndpoint", |state, args| {
        let (name, to_sinks) = (args.text(1)?, args.boolean(2)?);
        endpoint(state, args, 3, BStr::new(&*name), false, to_sinks)
    }),
    ("setCustomGetEndpoint", |state, args| {
        let name = args.text(1)?;
        endpoint(state, args, 2, BStr::new(&*name), true, false)
    }),
];

/// In front of the names of custom endpoints in the table of hooks.
const POST: &str = "POST ";
const GET: &str = "GET ";

/// The functions that a worker state's configuration set.
#[derive(Clone, Debug, Default)]
pub struct Hooks {
    /// `setAllow`.
    pub allow: Option<Function>,
    /// `setShadowAllow`.
    pub shadow: Option<Function>,
    /// `setReport`.
    pub report: Option<Function>,
    /// `setReset`.
    pub reset: Option<Function>,
    /// `setCanonicalize`.
    pub canonicalize: Option<Function>,
    /// `setCustomEndpoint`, by name.
    pub custom: HashMap<BString, Function>,
    /// `setCustomGetEndpoint`, by name.
    pub custom_get: HashMap<BString, Function>,
}

/// The hooks of this Lua state as they are now; a console line may change them.
///
/// # Errors
/// Out of memory, or the functions were never installed.
pub fn get(lua: &Lua) -> mlua::Result<Hooks> {
    let table: Table = lua.named_registry_value(&HOOKS.to_string_lossy())?;
    let mut hooks = Hooks::default();
    for pair in table.pairs::<BString, Function>() {
        let (name, function) = pair?;
        match &name[..] {
            b"allow" => hooks.allow = Some(function),
            b"shadow" => hooks.shadow = Some(function),
            b"report" => hooks.report = Some(function),
            b"reset" => hooks.reset = Some(function),
            b"canonicalize" => hooks.canonicalize = Some(function),
            other => {
                if let Some(name) = other.strip_prefix(POST.as_bytes()) {
                    hooks.custom.insert(name.into(), function);
                } else if let Some(name) = other.strip_prefix(GET.as_bytes()) {
                    hooks.custom_get.insert(name.into(), function);
                }
            }
        }
    }
    Ok(hooks)
}

fn keep<'a>(
    state: &'a State,
    args: &Args<'a>,
    name: &str,
    flag: fn(&mut policy::Hooks) -> &mut bool,
) -> Result<Ret<'a>, Fault> {
    args.function(1)?;
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
    args.function(index)?;
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
