//! Black- and whitelists.

use super::*;

#[test]
fn both_lists() {
    for colour in ["black", "white"] {
        let (low, cap) = (colour, if colour == "black" { "Black" } else { "White" });
        let world = World::new();
        let lua = world.lua(Role::Worker);
        let code = format!(
            "local a, b = newCA('192.0.2.1'), newCA('192.0.2.2')
             {low}listIP(a, 60, 'r1') {low}listNetmask(newNetmask('198.51.100.0/24'), 60, 'r2') {low}listLogin('joe', 60, 'r3')
             {low}listIPLogin(a, 'joe', 60, 'r4') {low}listJA3('hash', 60, 'r5') {low}listIPJA3(a, 'hash', 60, 'r6')
             return check{cap}listIP(a), check{cap}listIP(b), check{cap}listIP(newCA('198.51.100.77')),
                check{cap}listLogin('joe'), check{cap}listLogin('Joe'), check{cap}listIPLogin(a, 'joe'),
                check{cap}listIPLogin(b, 'joe'), check{cap}listJA3('hash'), check{cap}listIPJA3(a, 'hash')"
        );
        assert_eq!(run(&lua, &code), "true false true true false true false true true");
        let listing = format!(
            "local function show(l, k) local t = {{}} for i, e in ipairs(l) do t[i] = e[k] .. '=' .. e.reason end
                return table.concat(t, ',') end
             return show(get IP {cap}list(), 'ip')"
        )
        .replace("get IP ", "getIP");
        assert_eq!(run(&lua, &listing), "192.0.2.1/32=r1,198.51.100.0/24=r2");
        for (getter, key, expected) in [
            ("Login", "login", "joe"),
            ("IPLogin", "iplogin", "192.0.2.1:joe"),
            ("JA3", "ja3", "hash"),
            ("IPJA3", "ipja3", "192.0.2.1:hash"),
        ] {
            assert_eq!(run(&lua, &format!("return get{getter}{cap}list()[1].{key}")), expected);
        }
        let expiry = format!(
            "return getIP{cap}list()[1].expiration:match('^%d%d%d%d%-%u%l%l%-%d%d %d%d:%d%d:%d%d$') ~= nil"
        );
        assert_eq!(run(&lua, &expiry), "true");
        let removal = format!(
            "local a = newCA('192.0.2.1') un{low}listIP(a) un{low}listNetmask(newNetmask('198.51.100.0/24'))
             un{low}listLogin('joe') un{low}listIPLogin(a, 'joe') un{low}listJA3('hash') un{low}listIPJA3(a, 'hash')
             return #getIP{cap}list() + #getLogin{cap}list() + #getIPLogin{cap}list() + #getJA3{cap}list() + #getIPJA3{cap}list()"
        );
        assert_eq!(run(&lua, &removal), "0");
        let empty = format!("{low}listNetmask(newNetmask('nonsense'), 60, 'x')");
        assert!(run(&lua, &empty).contains("Caught exception: cannot list an empty netmask"));
    }
}

#[test]
fn messages_and_switches() {
    let world = World::new();
    let lua = world.lua(Role::Config);
    for kind in ["IP", "Login", "IPLogin", "JA3", "IPJA3"] {
        let code =
            format!("setBlacklist{kind}RetMsg('go away {{ip}} {kind}') return getBlacklist{kind}RetMsg()");
        assert_eq!(run(&lua, &code), format!("go away {{ip}} {kind}"));
    }
    assert!(world.host.caps.lists.black.enabled() && world.host.caps.lists.white.enabled());
    run(&lua, "disableBuiltinBlacklists() disableBuiltinWhitelists()");
    assert!(!world.host.caps.lists.black.enabled() && !world.host.caps.lists.white.enabled());
}

#[test]
fn seconds_wrap_as_unsigned_integers() {
    let world = World::new();
    let lua = world.lua(Role::Worker);
    assert_eq!(run(&lua, "blacklistLogin('joe', -1, 'x') return checkBlacklistLogin('joe')"), "true");
    let now = world.host.caps.clock.now();
    let entry = world.host.caps.lists.black.check_login(now, b"joe").unwrap();
    assert!(entry.expiration > now + u64::from(u32::MAX) - 60);
}
