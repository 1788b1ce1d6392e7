//! What acts where, and what the standard libraries still can do.

use super::*;

fn function(members: &[hooks::Member]) -> &mlua::Function {
    match members {
        [hooks::Member::Function(function)] => function,
        other => panic!("not one function: {other:?}"),
    }
}

#[test]
fn a_file_that_does_not_end_is_stopped_when_its_time_is_over() {
    let path = std::path::Path::new("endless.conf");
    for text in ["while true do end", "\nwhile true do pcall(function() while true do end end) end"] {
        let host =
            Host { load_limit: Some(Duration::from_millis(100)), ..host(World::new().host.caps.clone()) };
        let source = crate::vm::Source::from_text(path, text.as_bytes());
        let error = crate::configuration::load_settings(&source, host).err().unwrap().to_string();
        assert!(error.starts_with("endless.conf:"), "{error}");
        assert!(error.ends_with(": it has not come to its end within 0.1 s and was stopped here"), "{error}");
    }
    let limited = Host { load_limit: Some(Duration::from_mins(1)), ..host(World::new().host.caps.clone()) };
    let source = crate::vm::Source::from_text(path, b"setNumLuaStates(3)");
    let settings = crate::configuration::load_settings(&source, limited).unwrap();
    assert_eq!(settings.read(|values| values.lua_states), 3, "one that ends in time is as ever");
}

#[test]
fn a_file_that_takes_too_much_memory_is_stopped() {
    let path = std::path::Path::new("large.conf");
    let host = || Host { load_memory: Some(16 << 20), ..host(World::new().host.caps.clone()) };
    let large = b"local t = {}\nfor n = 1, 1e9 do t[n] = ('x'):rep(1000) .. n end";
    let source = crate::vm::Source::from_text(path, large);
    let error = crate::configuration::load_settings(&source, host()).err().unwrap().to_string();
    assert!(
        error.starts_with("large.conf") && error.contains("more memory than") && error.ends_with("16 MiB"),
        "{error}"
    );
    let source = crate::vm::Source::from_text(path, b"local t = {}\nfor n = 1, 1e6 do t = { n } end");
    crate::configuration::load_settings(&source, host()).unwrap();
}

#[test]
fn hooks_are_kept_by_workers_only() {
    let world = World::new();
    let file = "setAllow(function() return 1 end) setAllow(function() return 2 end) setReport(print)
        setCustomEndpoint('a', true, function() return 'first' end)
        setCustomEndpoint('a', false, function() return 'second' end)
        setCustomGetEndpoint('a', function() return 'get' end)";
    let config = world.lua(Role::Config);
    assert_eq!(run(&config, file), "none");
    assert!(hooks::get(&config).unwrap().allow.is_empty());
    let endpoints = world.host.settings.read(|values| values.endpoints.clone());
    assert_eq!(
        endpoints,
        [
            policy::Endpoint { name: "a".into(), get: false, to_sinks: true },
            policy::Endpoint { name: "a".into(), get: true, to_sinks: false },
        ]
    );

    let worker = world.lua(Role::Worker);
    assert_eq!(run(&worker, file), "none");
    let hooks = hooks::get(&worker).unwrap();
    assert_eq!(function(&hooks.allow).call::<i32>(()).unwrap(), 2, "the last setter wins");
    assert!(!hooks.report.is_empty() && hooks.reset.is_empty() && hooks.canonicalize.is_empty());
    let custom = &hooks.custom[bstr::BStr::new("a")];
    assert_eq!(function(custom).call::<String>(()).unwrap(), "first", "the first endpoint wins");
    assert_eq!(function(&hooks.custom_get[bstr::BStr::new("a")]).call::<String>(()).unwrap(), "get");
    let flags = world.host.settings.read(|values| values.hooks);
    assert!(flags.allow && flags.report && !flags.reset && !flags.canonicalize);
}

#[test]
fn databases_made_in_the_configuration_state_are_found_by_workers() {
    let world = World::new();
    let file = "newStringStatsDB('db', 600, 6, {n = 'int'}) newDNSResolver('r')";
    run(&world.lua(Role::Worker), file);
    assert!(world.host.caps.stats.get(b"db").is_none(), "nothing in a worker");
    run(&world.lua(Role::Config), file);
    let worker = world.lua(Role::Worker);
    assert_eq!(run(&worker, "return getStringStatsDB('db'):twGetName()"), "db");
    assert_eq!(run(&worker, "return getStringStatsDB('other'):twGetName()"), "none");
    assert!(world.host.settings.waits());
}

#[test]
fn the_language_is_luajit_with_all_libraries() {
    check(
        Role::Worker,
        &[
            ("return _VERSION, jit.version_num > 20000, arg", "Lua 5.1 true nil"),
            ("return require('ffi').new('int[2]')[1], bit.band(7, 3)", "0 3"),
            (
                "return type(io.open), type(os.time), type(debug.getinfo), type(package.loadlib)",
                "function function function function",
            ),
            ("return (package.path:sub(1, 8))", "./?.lua;"),
            ("return table.pack", "nil"),
            ("for i = 1, 2 do goto continue ::continue:: end return 'ok'", "ok"),
            ("return pcall(error, {})", "~false table"),
        ],
    );
}

#[test]
fn what_must_exist_in_workers_does() {
    check(
        Role::Worker,
        &[
            ("return setKey('AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=')", "true"),
            ("return setJA3AttrName('x')", "none"),
            ("return #getIPJA3Blacklist(), #getIPLoginBlacklist()", "0 0"),
            ("return newNetmaskGroup():size()", "0"),
            ("newNetmaskGroup():clear()", "none"),
            ("return lookupCountry(newCA('192.0.2.1')), lookupISP(newCA('192.0.2.1'))", " "),
            ("initGeoIPDB() initGeoIPCityDB() return initGeoIPISPDB()", "none"),
            ("local g = getGeoIP2DB('x') return g:lookupCountry(newCA('1.1.1.1')) .. g:lookupISP(newCA('1.1.1.1'))", ""),
        (
            "local g, a = getGeoIP2DB('x'), newCA('1.1.1.1') local p = {'a', 1}
             return g:lookupStringValue(a, p), g:lookupUIntValue(a, p), g:lookupBoolValue(a, p), g:lookupDoubleValue(a, p)",
            " 0 false 0",
        ),
        ("return getGeoIP2DB('x'):lookupCity(newCA('1.1.1.1')).city", ""),
        ("getGeoIP2DB('x'):lookupStringValue(newCA('1.1.1.1'), 'a')", "~from string to list of strings"),
        ("getGeoIP2DB('x'):lookupCountry('1.1.1.1')", "~from string to ComboAddress"),
        ("return shutdown()", "none"),
            ("incCustomStat('undeclared')", "none"),
            ("runCustomWebHook('unknown', 'data')", "none"),
        ],
    );
}

#[test]
fn a_panicking_or_closing_state_is_no_danger() {
    // A finalizer that runs while the state closes may still call host functions.
    let world = World::new();
    let lua = world.lua(Role::Worker);
    run(
        &lua,
        "local p = newproxy(true) getmetatable(p).__gc = function() newCA('1.2.3.4'):tostring() end
         keep = p group = newNetmaskGroup() db = getStringStatsDB('x')",
    );
    drop(lua);
    assert_eq!(Arc::strong_count(&world.host), 1, "nothing of the state is left");
}

#[test]
fn memory_may_run_out_inside_any_host_function() {
    let world = World::new();
    run(
        &world.lua(Role::Config),
        "newStringStatsDB('db', 1, 1000, {n = 'int'}) getStringStatsDB('db'):twAdd('k', 'n', 1)",
    );
    for body in [
        "newCA('192.0.2.' .. i % 256)",
        "newCA('192.0.2.1'):tostring() .. i",
        "newNetmaskGroup()",
        "getStringStatsDB('db')",
        "getStringStatsDB('db'):twGetWindows('k', 'n')",
        "lt.attrs",
        "lt.attrs_mv",
        "lt.remote",
        "lookupCity(newCA('192.0.2.1'))",
        "getDNSResolver('r')",
        "select(2, pcall(newCA, {}, i)) .. i",
    ] {
        let lua = world.lua(Role::Worker);
        let shared = Arc::new(tuple());
        lua.globals().set("lt", login(&lua, shared.clone()).unwrap()).unwrap();
        lua.gc_collect().unwrap();
        lua.set_memory_limit(lua.used_memory() + 300_000).unwrap();
        let found = run(&lua, &format!("local t = {{}} for i = 1, 1e9 do t[i] = {body} end"));
        assert!(found.contains("not enough memory"), "{body}: {found}");
        // What was under way was dropped, and so is the rest with the state.
        drop(lua);
        assert_eq!(Arc::strong_count(&shared), 1, "{body}");
        assert_eq!(world.host.caps.stats.get(b"db").unwrap().handles(), 2, "{body}");
    }
}
