//! Black- and whitelists. Each function exists twice; `WHITE` tells which list.

use bstr::BString;
use capabilities::lists::{Colour, EmptyNetmask, Kind, Origin, Subject};
use login::Netmask;

use super::{effects, now};
use crate::convert::Fault;
use crate::stack::{Args, HostFn, Ret, State};

pub(super) const FUNCTIONS: &[(&str, HostFn)] = &[
    ("blacklistNetmask", add_netmask::<false>),
    ("blacklistIP", add_ip::<false>),
    ("blacklistLogin", add_login::<false>),
    ("blacklistIPLogin", add_ip_login::<false>),
    ("blacklistJA3", add_ja3::<false>),
    ("blacklistIPJA3", add_ip_ja3::<false>),
    ("whitelistNetmask", add_netmask::<true>),
    ("whitelistIP", add_ip::<true>),
    ("whitelistLogin", add_login::<true>),
    ("whitelistIPLogin", add_ip_login::<true>),
    ("whitelistJA3", add_ja3::<true>),
    ("whitelistIPJA3", add_ip_ja3::<true>),
    ("unblacklistNetmask", delete_netmask::<false>),
    ("unblacklistIP", delete_ip::<false>),
    ("unblacklistLogin", delete_login::<false>),
    ("unblacklistIPLogin", delete_ip_login::<false>),
    ("unblacklistJA3", delete_ja3::<false>),
    ("unblacklistIPJA3", delete_ip_ja3::<false>),
    ("unwhitelistNetmask", delete_netmask::<true>),
    ("unwhitelistIP", delete_ip::<true>),
    ("unwhitelistLogin", delete_login::<true>),
    ("unwhitelistIPLogin", delete_ip_login::<true>),
    ("unwhitelistJA3", delete_ja3::<true>),
    ("unwhitelistIPJA3", delete_ip_ja3::<true>),
    ("checkBlacklistIP", check_ip::<false>),
    ("checkBlacklistLogin", check_login::<false>),
    ("checkBlacklistIPLogin", check_ip_login::<false>),
    ("checkBlacklistJA3", check_ja3::<false>),
    ("checkBlacklistIPJA3", check_ip_ja3::<false>),
    ("checkWhitelistIP", check_ip::<true>),
    ("checkWhitelistLogin", check_login::<true>),
    ("checkWhitelistIPLogin", check_ip_login::<true>),
    ("checkWhitelistJA3", check_ja3::<true>),
    ("checkWhitelistIPJA3", check_ip_ja3::<true>),
    ("getIPBlacklist", |state, _| Ok(entries(state, Colour::Black, Kind::Ip))),
    ("getLoginBlacklist", |state, _| Ok(entries(state, Colour::Black, Kind::Login))),
    ("getIPLoginBlacklist", |state, _| Ok(entries(state, Colour::Black, Kind::IpLogin))),
    ("getJA3Blacklist", |state, _| Ok(entries(state, Colour::Black, Kind::Ja3))),
    ("getIPJA3Blacklist", |state, _| Ok(entries(state, Colour::Black, Kind::IpJa3))),
    ("getIPWhitelist", |state, _| Ok(entries(state, Colour::White, Kind::Ip))),
    ("getLoginWhitelist", |state, _| Ok(entries(state, Colour::White, Kind::Login))),
    ("getIPLoginWhitelist", |state, _| Ok(entries(state, Colour::White, Kind::IpLogin))),
    ("getJA3Whitelist", |state, _| Ok(entries(state, Colour::White, Kind::Ja3))),
    ("getIPJA3Whitelist", |state, _| Ok(entries(state, Colour::White, Kind::IpJa3))),
    ("setBlacklistIPRetMsg", |state, args| set_message(state, args, Kind::Ip)),
    ("setBlacklistLoginRetMsg", |state, args| set_message(state, args, Kind::Login)),
    ("setBlacklistIPLoginRetMsg", |state, args| set_message(state, args, Kind::IpLogin)),
    ("setBlacklistJA3RetMsg", |state, args| set_message(state, args, Kind::Ja3)),
    ("setBlacklistIPJA3RetMsg", |state, args| set_message(state, args, Kind::IpJa3)),
    ("getBlacklistIPRetMsg", |state, _| Ok(message(state, Kind::Ip))),
    ("getBlacklistLoginRetMsg", |state, _| Ok(message(state, Kind::Login))),
    ("getBlacklistIPLoginRetMsg", |state, _| Ok(message(state, Kind::IpLogin))),
    ("getBlacklistJA3RetMsg", |state, _| Ok(message(state, Kind::Ja3))),
    ("getBlacklistIPJA3RetMsg", |state, _| Ok(message(state, Kind::IpJa3))),
    ("disableBuiltinBlacklists", |state, _| Ok(disable(state, Colour::Black))),
    ("disableBuiltinWhitelists", |state, _| Ok(disable(state, Colour::White))),
];

type Result<T> = std::result::Result<T, Fault>;

const fn colour<const WHITE: bool>() -> Colour {
    if WHITE { Colour::White } else { Colour::Black }
}

fn add<'a, const WHITE: bool>(
    state: &'a State,
    subject: Subject<'_>,
    seconds: u32,
    reason: &[u8],
) -> Result<Ret<'a>> {
    let lists = &state.host.caps.lists;
    if effects::kept_back(state) {
        if let Subject::Netmask(mask) = subject
            && mask.is_empty()
        {
            return Err(Fault::caught(EmptyNetmask.to_string()));
        }
        let (kind, key, reason) = (subject.kind(), subject.key(), BString::from(reason));
        return effects::once(state, key.len() + reason.len(), move |caps| {
            let list = caps.lists.list(colour::<WHITE>());
            list.add_key(caps.clock.now(), kind, &key, seconds, &reason, Origin::Local);
        });
    }
    lists
        .add(now(state), colour::<WHITE>(), subject, seconds, reason)
        .map_err(|error| Fault::caught(error.to_string()))?;
    Ok(Ret::None)
}

fn add_netmask<'a, const WHITE: bool>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>> {
    let (mask, seconds, reason) = (args.object::<Netmask>(1)?, args.unsigned(2)?, args.text(3)?);
    add::<WHITE>(state, Subject::Netmask(mask), seconds, &reason)
}

fn add_ip<'a, const WHITE: bool>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>> {
    let (addr, seconds, reason) = (args.addr(1)?, args.unsigned(2)?, args.text(3)?);
    add::<WHITE>(state, Subject::Ip(addr.ip), seconds, &reason)
}

fn add_login<'a, const WHITE: bool>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>> {
    let (login, seconds, reason) = (args.text(1)?, args.unsigned(2)?, args.text(3)?);
    add::<WHITE>(state, Subject::Login(&login), seconds, &reason)
}

fn add_ja3<'a, const WHITE: bool>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>> {
    let (ja3, seconds, reason) = (args.text(1)?, args.unsigned(2)?, args.text(3)?);
    add::<WHITE>(state, Subject::Ja3(&ja3), seconds, &reason)
}

fn add_ip_login<'a, const WHITE: bool>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>> {
    let (addr, login) = (args.addr(1)?, args.text(2)?);
    let (seconds, reason) = (args.unsigned(3)?, args.text(4)?);
    add::<WHITE>(state, Subject::IpLogin(addr.ip, &login), seconds, &reason)
}

fn add_ip_ja3<'a, const WHITE: bool>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>> {
    let (addr, ja3) = (args.addr(1)?, args.text(2)?);
    let (seconds, reason) = (args.unsigned(3)?, args.text(4)?);
    add::<WHITE>(state, Subject::IpJa3(addr.ip, &ja3), seconds, &reason)
}

fn delete<'a, const WHITE: bool>(state: &'a State, subject: Subject<'_>) -> Result<Ret<'a>> {
    if effects::kept_back(state) {
        let (kind, key) = (subject.kind(), subject.key());
        return effects::once(state, key.len(), move |caps| {
            caps.lists.list(colour::<WHITE>()).delete_key(kind, &key, Origin::Local);
        });
    }
    state.host.caps.lists.delete(colour::<WHITE>(), subject);
    Ok(Ret::None)
}

fn delete_netmask<'a, const WHITE: bool>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>> {
    delete::<WHITE>(state, Subject::Netmask(args.object::<Netmask>(1)?))
}

fn delete_ip<'a, const WHITE: bool>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>> {
    delete::<WHITE>(state, Subject::Ip(args.addr(1)?.ip))
}

fn delete_login<'a, const WHITE: bool>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>> {
    delete::<WHITE>(state, Subject::Login(&args.text(1)?))
}

fn delete_ja3<'a, const WHITE: bool>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>> {
    delete::<WHITE>(state, Subject::Ja3(&args.text(1)?))
}

fn delete_ip_login<'a, const WHITE: bool>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>> {
    delete::<WHITE>(state, Subject::IpLogin(args.addr(1)?.ip, &args.text(2)?))
}

fn delete_ip_ja3<'a, const WHITE: bool>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>> {
    delete::<WHITE>(state, Subject::IpJa3(args.addr(1)?.ip, &args.text(2)?))
}

fn check<'a, const WHITE: bool>(state: &'a State, subject: Subject<'_>) -> Result<Ret<'a>> {
    Ok(Ret::Bool(state.host.caps.lists.check(now(state), colour::<WHITE>(), subject).is_some()))
}

fn check_ip<'a, const WHITE: bool>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>> {
    check::<WHITE>(state, Subject::Ip(args.addr(1)?.ip))
}

fn check_login<'a, const WHITE: bool>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>> {
    check::<WHITE>(state, Subject::Login(&args.text(1)?))
}

fn check_ja3<'a, const WHITE: bool>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>> {
    check::<WHITE>(state, Subject::Ja3(&args.text(1)?))
}

fn check_ip_login<'a, const WHITE: bool>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>> {
    check::<WHITE>(state, Subject::IpLogin(args.addr(1)?.ip, &args.text(2)?))
}

fn check_ip_ja3<'a, const WHITE: bool>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>> {
    check::<WHITE>(state, Subject::IpJa3(args.addr(1)?.ip, &args.text(2)?))
}

fn entries(state: &State, colour: Colour, kind: Kind) -> Ret<'_> {
    let entries = state.host.caps.lists.list(colour).entries(kind);
    Ret::Rows(
        entries
            .into_iter()
            .map(|entry| {
                let expiration = BString::from(entry.expiration_text());
                [(kind.api_name(), entry.key), ("expiration", expiration), ("reason", entry.reason)]
            })
            .collect(),
    )
}

fn set_message<'a>(state: &'a State, args: &Args<'a>, kind: Kind) -> Result<Ret<'a>> {
    let message = args.text(1)?.owned();
    effects::change(state, message.len(), move |caps| caps.lists.black.set_ret_msg(kind, &message))
}

/// A file that is read again decides anew: without the call the list is looked at again.
fn disable(state: &State, colour: Colour) -> Ret<'_> {
    if effects::kept_back(state) {
        state.host.settings.change(|values| values.disabled_lists[colour as usize] = true);
    } else {
        state.host.caps.lists.list(colour).disable();
    }
    Ret::None
}

fn message(state: &State, kind: Kind) -> Ret<'_> {
    Ret::Text(state.host.caps.lists.black.ret_msg(kind))
}
