//! ACL and password.

use bstr::ByteSlice;

use crate::convert::Fault;
use crate::stack::{Args, HostFn, Ret, State};

pub(super) const FUNCTIONS: &[(&str, HostFn)] = &[
    ("addACL", add_acl),
    ("setACL", set_acl),
    ("setWebserverPassword", set_password),
    ("setMetricsNoPassword", metrics_no_password),
    ("showACL", show_acl),
];

fn add_acl<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let mask = args.text(1)?;
    state.host.caps.access.add_acl(&mask).map_err(|error| Fault::caught(format!("addACL: {error}")))?;
    Ok(Ret::None)
}

fn set_acl<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let masks = args.list(1)?;
    state.host.caps.access.set_acl(&masks).map_err(|error| Fault::caught(format!("setACL: {error}")))?;
    Ok(Ret::None)
}

fn set_password<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let password = args.text(1)?;
    if password.is_empty() {
        super::doubt(state, "setWebserverPassword: the password is empty");
    }
    state.host.caps.access.set_password(&password);
    Ok(Ret::None)
}

fn metrics_no_password<'a>(state: &'a State, _: &Args<'a>) -> Result<Ret<'a>, Fault> {
    state.host.caps.access.open_metrics();
    Ok(Ret::None)
}

fn show_acl<'a>(state: &'a State, _: &Args<'a>) -> Result<Ret<'a>, Fault> {
    for (mask, positive) in state.host.caps.access.acl().iter() {
        let sign = if positive { "" } else { "!" };
        state.host.output.line(format!("{sign}{mask}").as_bytes().as_bstr());
    }
    Ok(Ret::None)
}
