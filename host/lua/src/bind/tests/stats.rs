//! Stats DBs through their Lua methods.

use super::*;

#[test]
fn methods() {
    let make = "newStringStatsDB('db', 600, 6, {n = 'int', h = 'hll', c = 'countmin'}) local db = getStringStatsDB('db') ";
    for (code, expected) in [
        ("db:twAdd('k', 'n', 1) db:twAdd('k', 'n', '2') return db:twGet('k', 'n')", "3"),
        ("db:twAdd('k', 'n', 1.9) return db:twGet('k', 'n')", "1"),
        ("db:twAdd('k', 'n', '12x') return db:twGet('k', 'n')", "12"),
        ("db:twAdd('k', 'n', 1e15) return db:twGet('k', 'n')", "1"),
        ("db:twAdd('k', 'n', 'abc')", "~Caught exception: stoi"),
        ("pcall(db.twAdd, db, 'k', 'n', 'abc') return db:twGetSize()", "1"),
        ("db:twAdd('k', 'n', 5, 3) return db:twGet('k', 'n')", "0"),
        ("db:twSub('k', 'n', 5) return db:twGet('k', 'n')", "-5"),
        ("db:twSub('k', 'n', newCA('1.2.3.4'))", "~from userdata to string"),
        ("db:twAdd('k', 'n', newCA('7.2.3.4')) return db:twGet('k', 'n')", "7"),
        ("db:twAdd('k', 'h', 'a') db:twAdd('k', 'h', 'b') db:twAdd('k', 'h', 'a') return db:twGet('k', 'h')", "2"),
        ("db:twAdd('k', 'h', 'a') return db:twGet('k', 'h', 'a')", "0"),
        ("db:twAdd('k', 'n', 1) return db:twGet('k', 'n', 'a')", "0"),
        ("db:twAdd('k', 'c', 'a') db:twAdd('k', 'c', 'b', 4) return db:twGet('k', 'c'), db:twGet('k', 'c', 'b')", "5 4"),
        ("db:twAdd('k', 'c', newCA('1.2.3.4')) return db:twGet('k', 'c', '1.2.3.4')", "1"),
        ("db:twAdd('k', 'c', 'b', '2.7') return db:twGet('k', 'c', 'b')", "2"),
        ("db:twAdd('k', 'c', 'b', nil) return db:twGet('k', 'c', 'b')", "1"),
        ("db:twAdd(5, 'n', 1) return db:twGet('5', 'n'), db:twGet('5.0', 'n')", "1 0"),
        ("db:twAdd(newCA('1.2.3.4:99'), 'n', 1) return db:twGet('1.2.3.4/32', 'n'), db:twGet('1.2.3.4', 'n')", "1 0"),
        ("db:twSetv4Prefix(24) db:twAdd(newCA('114.31.192.200'), 'n', 1) return db:twGet('114.31.192.0/24', 'n')", "1"),
        (
            "db:twSetv6Prefix(61) db:twAdd(newCA('2001:C78:0:ff:1:2:3:1000'), 'n', 1)
             return db:twGet('2001:c78:0:f8::/61', 'n')",
            "1",
        ),
        ("db:twSetv4Prefix(300) db:twSetv6Prefix(256) return db:twGetv4Prefix(), db:twGetv6Prefix()", "32 0"),
        ("db:twAdd('k', 'unknown', 1) return db:twGetSize(), db:twGet('k', 'unknown')", "0 0"),
        ("db:twAdd('k', 'n', 4) return table.concat(db:twGetWindows('k', 'n'), ',')", "4,0,0,0,0,0"),
        ("return #db:twGetWindows('none', 'n'), db:twGetCurrent('none', 'n')", "0 0"),
        ("db:twAdd('k', 'n', 4) return db:twGetCurrent('k', 'n'), db:twGetCurrent('k', 'n', 'x')", "4 4"),
        ("db:twAdd('k', 'n', 4) db:twReset('k') return db:twGet('k', 'n'), db:twGetSize()", "0 1"),
        (
            "db:twAdd('k', 'n', 4) db:twAdd('k', 'c', 'x') db:twResetField('k', 'n')
             return db:twGet('k', 'n'), db:twGet('k', 'c')",
            "0 1",
        ),
        ("db:twAdd(true, 'n', 1)", "~from boolean to string, number or ComboAddress"),
        ("db:twAdd(nil, 'n', 1)", "~from nil to"),
        ("db:twAdd(newNetmask('1.2.3.4'), 'n', 1)", "~from userdata to"),
        ("db:twAdd('k', 'n', true)", "~from boolean to"),
        ("db:twSetMaxBytes(1000000) return db:twSetMaxBytes('2000000')", "none"),
        ("db:twSetMaxSize(10) db:twEnableReplication() return db:twSetExpireSleep(100)", "none"),
        ("return db:twGetName()", "db"),
        ("return db.twAdd ~= nil, db.nothing", "true nil"),
        ("newStringStatsDB('bad', 1, 2, {a = 'int', b = 'float'}) local d = getStringStatsDB('bad') d:twAdd('k', 'a', 1)
          return d:twGetName(), d:twGetSize()", "bad 0"),
        ("newShardedStringStatsDB('s', 1, 2, {a = 'int'}, 0) return getStringStatsDB('s'):twGetName()", "s"),
        ("newStringStatsDB('z', 0, 0, {a = 'int'}) local d = getStringStatsDB('z') d:twAdd('k', 'a', 1)
          return #d:twGetWindows('k', 'a')", "1"),
        ("setHLLBits(2) setHLLBits(99)", "none"),
        ("setCountMinBits(0.05, 0.2)", "none"),
        ("setCountMinBits(0, 0.2)", "~Caught exception: setCountMinBits"),
        ("setCountMinBits(0.05, 1)", "~Caught exception: setCountMinBits"),
    ] {
        let world = World::new();
        let lua = world.lua(Role::Config);
        let found = run(&lua, &format!("{make}{code}"));
        let fine = expected.strip_prefix("~").map_or(found == expected, |part| found.contains(part));
        assert!(fine, "{code}\n  gave {found}\n  not  {expected}");
    }
}

#[test]
fn shapes_hold_for_databases_made_afterwards() {
    let world = World::new();
    let lua = world.lua(Role::Config);
    run(&lua, "setHLLBits(12) setCountMinBits(0.05, 0.2) newStringStatsDB('db', 1, 1, {h = 'hll'})");
    let db = world.host.caps.stats.get(b"db").unwrap();
    assert_eq!(db.schema().hll_bits, 12);
    assert_eq!((db.schema().countmin.gamma, db.schema().countmin.eps), (0.05, 0.2));
}
