//! ACL and password.

use bstr::ByteSlice;
use capabilities::Access;

use crate::convert::Fault;
use crate::stack::{Args, HostFn, Ret, State};

pub(super) const FUNCTIONS: &[(&str, HostFn)] = &[
    ("addACL", add_acl),
    ("setACL", set_acl),
    ("setWebserverPassword", set_password),
    ("setMetricsNoPassword", metrics_no_password),
    ("showACL", show_acl),
];

/// What the configuration changes: while a running daemon reads it once more, nothing that holds yet.
pub(super) fn access(state: &State) -> &Access {
    let settings = &state.host.settings;
    if settings.is_read_again() && !settings.sealed() { settings.access() } else { &state.host.caps.access }
}

fn add_acl<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let mask = args.text(1)?;
    access(state).add_acl(&mask).map_err(|error| Fault::caught(format!("addACL: {error}")))?;
    Ok(Ret::None)
}

fn set_acl<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let masks = args.list(1)?;
    access(state).set_acl(&masks).map_err(|error| Fault::caught(format!("setACL: {error}")))?;
    Ok(Ret::None)
}

fn set_password<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let password = args.text(1)?;
    if password.is_empty() {
        super::doubt(state, "setWebserverPassword: the password is empty");
    }
    access(state).set_password(&password);
    Ok(Ret::None)
}

fn metrics_no_password<'a>(state: &'a State, _: &Args<'a>) -> Result<Ret<'a>, Fault> {
    access(state).open_metrics();
    Ok(Ret::None)
}

fn show_acl<'a>(state: &'a State, _: &Args<'a>) -> Result<Ret<'a>, Fault> {
    for (mask, positive) in access(state).acl().iter() {
        let sign = if positive { "" } else { "!" };
        state.host.output.line(format!("{sign}{mask}").as_bytes().as_bstr());
    }
    Ok(Ret::None)
}
