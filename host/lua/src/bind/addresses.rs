//! Addresses, netmasks and groups of them.

use std::cell::RefCell;

use bstr::{BStr, BString};
use capabilities::log::Level;
use login::{Addr, Netmask, NetmaskError, NetmaskGroup};

use crate::convert::Fault;
use crate::stack::{Args, HostFn, Ret, State};

pub(super) const FUNCTIONS: &[(&str, HostFn)] = &[
    ("newCA", new_addr),
    ("ComboAddress:tostring", |_, args| {
        let mut text = Vec::with_capacity(40);
        args.addr(1)?.write_text(&mut text);
        Ok(Ret::Text(BString::new(text)))
    }),
    ("ComboAddress:isIPv4", |_, args| Ok(Ret::Bool(args.addr(1)?.is_ipv4()))),
    ("ComboAddress:isIPv6", |_, args| Ok(Ret::Bool(args.addr(1)?.is_ipv6()))),
    ("ComboAddress:isMappedIPv4", |_, args| Ok(Ret::Bool(args.addr(1)?.is_mapped_ipv4()))),
    ("newNetmask", new_netmask),
    ("newNetmaskFromCA", |_, args| Ok(Ret::Netmask(Netmask::new(args.addr(1)?.ip, args.byte(2)?)))),
    ("Netmask:toStringNetwork", |_, args| Ok(Ret::Text(args.object::<Netmask>(1)?.to_string().into()))),
    ("newNetmaskGroup", |_, _| Ok(Ret::Group)),
    ("NetmaskGroup:addMask", add_mask),
    ("NetmaskGroup:match", |_, args| {
        let group = args.object::<RefCell<NetmaskGroup>>(1)?;
        Ok(Ret::Bool(group.borrow().matches(args.addr(2)?.ip)))
    }),
    ("NetmaskGroup:size", |_, args| {
        Ok(Ret::Number(args.object::<RefCell<NetmaskGroup>>(1)?.borrow().len() as f64))
    }),
    ("NetmaskGroup:clear", |_, args| {
        args.object::<RefCell<NetmaskGroup>>(1)?.borrow_mut().clear();
        Ok(Ret::None)
    }),
];

fn new_addr<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let text = args.text(1)?;
    let addr = Addr::parse(&text).unwrap_or_else(|error| {
        // Policies call this with what clients sent: the line is limited.
        let text = format!("newCA: {error}");
        state.host.caps.log.limited("newCA", super::logging::SECOND, Level::Err, text);
        Addr::UNSPECIFIED
    });
    Ok(Ret::Addr(addr))
}

fn new_netmask<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let text = args.text(1)?;
    match Netmask::parse(&text) {
        Ok(mask) => Ok(Ret::Netmask(mask)),
        Err(error @ NetmaskError::BadAddress(_)) => {
            let text = format!("newNetmask: {error} in '{}'", BStr::new(&*text));
            state.host.caps.log.limited("newNetmask", super::logging::SECOND, Level::Err, text);
            Ok(Ret::Netmask(Netmask::EMPTY))
        }
        Err(error @ NetmaskError::BadBits { .. }) => Err(Fault::caught(format!("newNetmask: {error}"))),
    }
}

fn add_mask<'a>(_: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let group = args.object::<RefCell<NetmaskGroup>>(1)?;
    let text = args.text(2)?;
    group.borrow_mut().add_mask(&text).map_err(|error| Fault::caught(format!("addMask: {error}")))?;
    Ok(Ret::None)
}
