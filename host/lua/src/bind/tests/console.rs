//! The show functions, and setters after the start.

use super::*;

fn shown(setup: &str, command: &str) -> String {
    let world = World::new();
    let lua = world.lua(Role::Config);
    assert_eq!(run(&lua, setup), "none");
    world.printed();
    assert_eq!(run(&lua, command), "none");
    world.printed()
}

#[test]
fn texts() {
    assert_eq!(shown("", "stats()"), "0 reports, 0 allow-queries (0 denies)\n");
    assert_eq!(shown("", "showVersion()"), "wforce 3.0.1\n");
    assert_eq!(shown("", "testCrypto('x')"), "Crypto failed..\n");
    let key = "setKey('AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=')";
    assert_eq!(shown(key, "testCrypto('x')"), "Everything is ok!\n");
    assert_eq!(
        shown("setACL({'192.0.2.0/24', '!192.0.2.1', '::1'})", "showACL()"),
        "192.0.2.0/24\n!192.0.2.1/32\n::1/128\n"
    );
    assert_eq!(shown("addCustomStat('mine')", "showCustomStats()"), "mine=0\n");
    assert!(shown("", "makeKey()").starts_with("setKey(\""));
    assert!(shown("", "showPerfStats()").contains("WTR_0_1=0\n"));
    assert!(shown("", "showCommandStats()").contains("allow_denied=0\n"));
    assert_eq!(shown("", "reloadGeoIPDBs()"), "reloadGeoIPDBs() successful\n");
    assert!(shown("", "newGeoIP2DB('x', '/nonexistent')").contains("newGeoIP2DB: cannot open /nonexistent"));
}

#[test]
fn tables() {
    assert_eq!(
        shown("addSibling('192.0.2.1') addSibling('[2001:db8::1]:5000:tcp')", "siblings()"),
        "Address                             Send Successes  Send Failures  Rcv Successes   Rcv Failures     Note\n\
         192.0.2.1:4001 udp                  0               0              0               0                \n\
         [2001:db8::1]:5000 tcp              0               0              0               0                \n"
    );
    assert_eq!(
        shown("addReportSink('192.0.2.1')", "showReportSinks()"),
        "Address                             Successes  Failures \n\
         192.0.2.1:4501                      0          0        \n"
    );
    assert_eq!(
        shown(
            "addNamedReportSink('z', '192.0.2.1') addNamedReportSink('a', '192.0.2.2')",
            "showNamedReportSinks()"
        ),
        "Name            Address                             Successes  Failures \n\
         a               192.0.2.2:4501                      0          0        \n\
         z               192.0.2.1:4501                      0          0        \n"
    );
    assert_eq!(
        shown("addWebHook({'allow', 'report'}, {url = 'http://localhost:9/'})", "showWebHooks()"),
        "ID        Successes Failures  URL                                           Events\n\
         1         0         0         http://localhost:9/                           report allow \n"
    );
    assert_eq!(
        shown(
            "addCustomWebHook('a name that is longer than the column', {url = 'http://h/'})",
            "showCustomWebHooks()"
        ),
        "ID        Name                 Successes Failures  URL\n\
         1         a name that is longe 0         0         http://h/\n"
    );
    assert_eq!(
        shown(
            "setCustomGetEndpoint('g', print) setCustomEndpoint('b', true, print) setCustomEndpoint('a', false, print)",
            "showCustomEndpoints()"
        ),
        "Custom Endpoint                Type  Send to Report Sink? \n\
         a                              POST  false \n\
         b                              POST  true \n\
         g                              GET   false \n"
    );
    let second = format!("{:59}n                int\n", "");
    let first = "DB Name/Shards       Repl? Win Size/No Max Size  Cur Size  Field Name       Type\n\
         a/10                 no    1/2         20        0         h                hll\n\
         db/1                 yes   600/6       524288    1         c                countmin\n";
    assert_eq!(
        shown(
            "newStringStatsDB('db', 600, 6, {n = 'int', c = 'countmin'}) newShardedStringStatsDB('a', 1, 2, {h = 'hll'}, 10)
             newStringStatsDB('empty', 1, 2, {}) getStringStatsDB('a'):twSetMaxSize(25) getStringStatsDB('db'):twEnableReplication()
             getStringStatsDB('db'):twAdd('k', 'n', 1)",
            "showStringStatsDB()"
        ),
        first.to_owned() + &second
    );
}

#[test]
fn after_the_start_some_settings_are_refused() {
    let world = World::new();
    let lua = world.lua(Role::Config);
    run(&lua, "setNumLuaStates(3)");
    world.host.settings.seal();
    assert_eq!(run(&lua, "setNumLuaStates(8)"), "none");
    assert_eq!(
        world.printed(),
        "setNumLuaStates: only at the start: change the configuration file and restart\n"
    );
    assert_eq!(world.host.settings.read(|values| values.lua_states), 3);
    assert_eq!(
        run(&lua, "addListener('127.0.0.1:1', false, '', '', {}) controlSocket('127.0.0.1:1')"),
        "none"
    );
    assert!(world.host.settings.read(|values| values.listeners.is_empty() && values.control.is_empty()));
    // Wrong arguments stay an error, and the rest goes on working.
    assert!(run(&lua, "setNumLuaStates()").contains("requires at least 1"));
    assert_eq!(run(&lua, "addACL('192.0.2.0/24') setVerboseAllowLog() addSibling('192.0.2.1')"), "none");
    assert_eq!(world.host.settings.read(|values| values.replication.siblings.len()), 1);
}

#[test]
fn log_lines() {
    let world = World::new();
    let lua = world.lua(Role::Worker);
    run(
        &lua,
        "infoLog('msg', {}) warnLog('warn', {a = 'x'}) errorLog('err', {n = 5}) debugLog('hidden', {}) vinfoLog('hidden', {})",
    );
    let log = world.log();
    assert_eq!(log, "msg\nwarn: a=\"x\" \nerr: n=\"5\" \n");
    let verbose = World::logging(true);
    run(&verbose.lua(Role::Worker), "debugLog('d', {}) vinfoLog('v', {k = 'v'})");
    assert_eq!(verbose.log(), "d\nv: k=\"v\" \n");
    assert!(run(&lua, "infoLog('x', nil)").contains("from nil to map of strings"));
    assert!(run(&lua, "infoLog('x', {a = true})").contains("from table to map of strings"));
}
