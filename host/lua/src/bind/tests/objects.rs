//! Addresses, netmasks, tuples and their fields.

use super::*;

#[test]
fn addresses() {
    check(
        Role::Worker,
        &[
            ("return newCA('192.0.2.1:99'):tostring()", "192.0.2.1"),
            ("return newCA('127.1'):tostring()", "127.0.0.1"),
            ("return newCA('2001:DB8:0::1'):tostring()", "2001:db8::1"),
            ("return newCA('[2001:db8::1]:99'):tostring()", "2001:db8::1"),
            ("return newCA('::ffff:1.2.3.4'):tostring()", "::ffff:1.2.3.4"),
            ("return newCA('example.com'):tostring()", "0.0.0.0"),
            (
                "local a = newCA('1.2.3.4') return a:isIPv4(), a:isIPv6(), a:isMappedIPv4()",
                "true false false",
            ),
            ("local a = newCA('::1') return a:isIPv4(), a:isIPv6(), a:isMappedIPv4()", "false true false"),
            (
                "local a = newCA('::ffff:1.2.3.4') return a:isIPv4(), a:isIPv6(), a:isMappedIPv4()",
                "false true true",
            ),
            ("return newCA('1.2.3.4') == newCA('1.2.3.4')", "false"),
            ("local a = newCA('1.2.3.4') return a == a", "true"),
            ("return newCA('1.2.3.4') < newCA('1.2.3.4')", "~attempt to compare"),
            ("return #newCA('1.2.3.4')", "~attempt to get length"),
            ("return newCA('1.2.3.4') .. ''", "~attempt to concatenate"),
            ("for k in pairs(newCA('1.2.3.4')) do end", "~bad argument #1 to 'pairs'"),
            ("return (tostring(newCA('1.2.3.4')):gsub('0x%x+$', 'HEX'))", "userdata HEX"),
            ("return type(newCA('1.2.3.4'))", "userdata"),
            ("return newCA('1.2.3.4').nothing", "nil"),
            ("newCA('1.2.3.4').nothing = 5", "~attempt to index"),
            ("return getmetatable(newCA('1.2.3.4'))", "false"),
        ],
    );
}

#[test]
fn netmasks_and_groups() {
    check(Role::Worker, &[
        ("return newNetmask('192.0.2.7/24'):toStringNetwork()", "192.0.2.0/24"),
        ("return newNetmask('192.0.2.7'):toStringNetwork()", "192.0.2.7/32"),
        ("return newNetmask('2001:db8::1/32'):toStringNetwork()", "2001:db8::/32"),
        ("return '[' .. newNetmask('nonsense'):toStringNetwork() .. ']'", "[]"),
        ("newNetmask('192.0.2.1/x')", "~Caught exception: newNetmask: Invalid prefix length"),
        ("newNetmask('192.0.2.1/33')", "~Invalid prefix length"),
        ("return newNetmaskFromCA(newCA('2001:db8::1'), 200):toStringNetwork()", "2001:db8::1/128"),
        (
            "local g = newNetmaskGroup() g:addMask('192.0.2.0/24') g:addMask('!192.0.2.128/25')
             return g:match(newCA('192.0.2.1')), g:match(newCA('192.0.2.200')), g:match(newCA('::1')), g:size()",
            "true false false 2",
        ),
        ("local g = newNetmaskGroup() g:addMask('192.0.2.0/24') g:clear() return g:size()", "0"),
        ("newNetmaskGroup():addMask(newNetmask('192.0.2.0/24'))", "~from userdata to string"),
        ("newNetmaskGroup():match('192.0.2.1')", "~from string to ComboAddress"),
        ("newNetmaskGroup().match(newCA('192.0.2.1'))", "~requires at least 2"),
        ("newNetmaskGroup().match(newCA('192.0.2.1'), newCA('192.0.2.1'))", "~from userdata to NetmaskGroup"),
    ]);
}

#[test]
fn login_tuples() {
    let world = World::new();
    for (code, expected) in [
        (
            "return lt.login, lt.pwhash, lt.protocol, lt.device_id, lt.session_id, lt.fail_type",
            "ahu e3b0 imap d s expired",
        ),
        ("return lt.success, lt.policy_reject, lt.tls", "false true true"),
        ("return lt.t", "5.25"),
        ("return lt.remote:tostring()", "198.51.100.7"),
        ("return lt.remote == lt.remote", "false"),
        ("return lt.attrs.accountStatus, lt.attrs.n, lt.attrs_mv.ids[2]", "blocked nil b"),
        ("return lt.device_attrs['os.family']", "Other"),
        ("return lt.unknown, lt[1], lt[lt]", "nil nil nil"),
        ("lt.attrs.x = 'y' return lt.attrs.x", "nil"),
        ("lt.attrs = {x = 'y', [2] = 3} return lt.attrs.x, lt.attrs['2']", "y 3"),
        ("lt.attrs = {x = true}", "~map of strings"),
        ("lt.attrs_mv = {x = {'a', 5}} return lt.attrs_mv.x[2]", "5"),
        ("lt.device_attrs = {a = 'b'} return lt.device_attrs.a", "b"),
        ("lt.login = 5 return lt.login", "5"),
        ("lt.login = nil", "~from nil to string"),
        ("lt.success = true return lt.success", "true"),
        ("lt.success = 1", "~from number to boolean"),
        ("lt.t = '7' return lt.t", "7"),
        ("lt.remote = newCA('::1') return lt.remote:tostring()", "::1"),
        ("lt.remote = '::1'", "~from string to ComboAddress"),
        ("lt.unknown = 1", "~No writable field \"unknown\" in LoginTuple"),
        ("for k, v in pairs(lt) do end", "~bad argument #1"),
        ("return #lt", "~attempt to get length"),
        ("return (tostring(lt):gsub('0x%x+$', 'HEX'))", "userdata HEX"),
    ] {
        let lua = world.lua(Role::Worker);
        let shared = Arc::new(tuple());
        lua.globals().set("lt", login(&lua, shared.clone()).unwrap()).unwrap();
        let found = run(&lua, code);
        let fine = expected.strip_prefix("~").map_or(found == expected, |part| found.contains(part));
        assert!(fine, "{code}\n  gave {found}\n  not  {expected}");
        assert_eq!(*shared, tuple(), "writes stay in the Lua copy");
    }
}

#[test]
fn hooks_called_with_a_tuple() {
    let world = World::new();
    let lua = world.lua(Role::Worker);
    let hook = |body: &str| -> mlua::Function {
        lua.load(format!("return function(lt)\n  {body}\nend")).set_name("chunk").eval().unwrap()
    };
    for (body, expected) in [
        ("return 7, lt.login, 'log', {b = 5, a = 'x'}", "7 ahu log a=x b=5"),
        ("return '-1.9', 5, 1.5, {}, 'ignored'", "-1 5 1.5"),
        ("return 3e6, '', '', {'a', ['1'] = 'b'}", "3000000   1=a"),
        ("return 1/0, '', '', {}", "Unable to convert parameter from number to int"),
        ("return 0/0, '', '', {}", "Unable to convert parameter from number to int"),
        ("return 4294967296, '', '', {}", "Unable to convert parameter from number to int"),
        ("return -2147483649, '', '', {}", "Unable to convert parameter from number to int"),
        ("return '1e10', '', '', {}", "Unable to convert parameter from string to int"),
        ("return 'nan', '', '', {}", "Unable to convert parameter from string to int"),
        ("return 0, '', ''", "Unable to convert parameter from nil to map of strings"),
        ("return 0, '', '', {a = true}", "Unable to convert parameter from table to map of strings"),
        ("return nil, '', '', {}", "Unable to convert parameter from nil to int"),
        ("return", "Unable to convert parameter from nil to int"),
        ("return 'pass'", "Pass"),
        ("return 'pass', '', '', {}", "Pass"),
        ("return 'Pass'", "Unable to convert parameter from string to int"),
        ("return true, '', '', {}", "Unable to convert parameter from boolean to int"),
    ] {
        let show = |found: Result<policy::Reply, Fault>| match found {
            Ok(policy::Reply::Decision(login::Decision { status, msg, log, attrs })) => {
                let attrs: Vec<_> = attrs.iter().map(|(key, value)| format!(" {key}={value}")).collect();
                format!("{status} {msg} {log}{}", attrs.concat())
            }
            Ok(other) => format!("{other:?}"),
            Err(fault) => fault.text().to_string(),
        };
        let quick = call_allow(&lua, &hook(body), Arc::new(tuple())).unwrap();
        let steps: mlua::MultiValue = hook(body).call(login(&lua, Arc::new(tuple())).unwrap()).unwrap();
        assert_eq!(show(quick), expected, "{body}");
        assert_eq!(show(reply::decision(&steps)), expected, "{body}, in steps");
    }
    call_report(&lua, &hook("seen = lt.login return 1, 2, 3"), Arc::new(tuple())).unwrap();
    assert_eq!(run(&lua, "return seen"), "ahu");
    let error = call_report(&lua, &hook("error('boom')"), Arc::new(tuple())).unwrap_err().to_string();
    assert!(error.contains("[string \"chunk\"]:2: boom\nstack traceback:\n"), "{error}");
}

#[test]
fn custom_arguments_and_places() {
    let world = World::new();
    let lua = world.lua(Role::Worker);
    let args = login::CustomArgs {
        attrs: vec![("a".into(), "b".into())],
        attrs_mv: vec![("m".into(), vec!["1".into()])],
    };
    lua.globals().set("args", custom_args(&lua, Arc::new(args)).unwrap()).unwrap();
    assert_eq!(run(&lua, "return args.attrs.a, args.attrs_mv.m[1], args.other"), "b 1 nil");
    assert_eq!(run(&lua, "args.attrs = {c = 'd'} return args.attrs.a, args.attrs.c"), "nil d");
    let place = "local p = lookupCity(newCA('192.0.2.1')) ";
    assert_eq!(run(&lua, &format!("{place} return p.country_code, p.latitude, p.nothing")), " 0 nil");
    let single = "p.latitude = 51.5142 p.city = 'London' return tostring(p.latitude), p.city";
    assert_eq!(run(&lua, &format!("{place} {single}")), "51.514198303223 London");
}

#[test]
fn moved_metatables_fool_nobody() {
    check(
        Role::Worker,
        &[
            (
                "local a = newCA('1.2.3.4') local m = debug.getmetatable(a) debug.setmetatable(a, nil)
             local p = newproxy() debug.setmetatable(p, m) return p:tostring()",
                "~from userdata to ComboAddress",
            ),
            (
                "local g = newNetmaskGroup() local m = debug.getmetatable(g) m.__gc(g) m.__gc(g) return pcall(m.__index.size, g)",
                "~false",
            ),
        ],
    );
}
