//! The report store, asked by scripts.

use super::*;

/// A world with a store of six reports, and a worker state.
fn with_store() -> (World, mlua::Lua, tempfile::TempDir) {
    let world = World::of(Daemon::Trackalert);
    let folder = tempfile::tempdir().unwrap();
    let caps = world.host.caps.clone();
    let options = serde_json::json!({"path": folder.path(), "retention_days": 36_500});
    caps.reports.configure("embedded", options).unwrap();
    let handle = RUNTIME.handle().clone();
    RUNTIME.block_on(async {
        caps.reports.start(&handle).unwrap();
        for (number, (user, ip, success)) in [
            ("anna", "192.0.2.1", true),
            ("anna", "192.0.2.1", true),
            ("anna", "198.51.100.9", false),
            ("bert", "198.51.100.9", false),
            ("carl", "198.51.100.9", false),
            ("carl", "2001:db8::1", true),
        ]
        .into_iter()
        .enumerate()
        {
            let login = login::Login {
                t: 1_700_000_000.0 + number as f64 * 60.0,
                login: user.into(),
                remote: login::Addr::parse(ip.as_bytes()).unwrap(),
                success,
                protocol: "imap".into(),
                attrs: vec![("realm".into(), user[..1].into())],
                ..login::Login::default()
            };
            assert!(caps.take_report(&login, 0).await.unwrap().is_some());
        }
        assert_eq!(caps.reports.flush(Duration::from_mins(1)).await, 0);
    });
    let lua = world.lua(Role::Worker);
    (world, lua, folder)
}

#[test]
fn every_question_is_answered() {
    let (_world, lua, _folder) = with_store();
    for (code, expected) in [
        (
            "local r = reportsFind({login = 'anna'}, 10) return #r, r[1].remote, r[1].t, r[3].success",
            "3 198.51.100.9 1700000120 true",
        ),
        (
            "local r = reportsFind({attrs = {realm = 'c'}}, 1) return #r, r[1].login, r[1].confirmation, r[1].asn",
            "1 carl none 0",
        ),
        (
            "local r = reportsFindOldest({login = 'anna'}, 2) return #r, r[1].t, r[2].t",
            "2 1700000000 1700000060",
        ),
        (
            "local f = {login = 'anna'} local r = reportsFindOldest(f, 2, reportsFindOldest(f, 1)[1]) return #r, r[1].t, r[2].t",
            "2 1700000060 1700000120",
        ),
        ("return reportsAny({login = 'anna', success = false}), reportsAny({login = 'dora'})", "true false"),
        (
            "local r = reportsFindOldest({login = 'carl'}, 2, nil, {'protocol', 'city'})[2] local names = {} \
             for name in pairs(r) do names[#names + 1] = name end table.sort(names) \
             return r.protocol, r.remote, r.network, r.city, r.latitude, table.concat(names, ' ')",
            "imap 2001:db8::1 2001:db8::/64  0 city confirmation id latitude login longitude network policy_reject protocol \
             remote success t tls",
        ),
        (
            "local a = reportsAnyEach({{login = 'anna', success = false}, {login = 'dora'}, {login = 'anna'}, {}}) \
             return #a, a[1], a[2], a[3], a[4]",
            "4 true false true true",
        ),
        (
            "local r = reportsNewestEach({{login = 'carl'}, {login = 'dora'}, {login = 'anna', success = true}}) \
             return r[1].remote, r[2], r[3].t",
            "2001:db8::1 false 1700000060",
        ),
        (
            "local c = reportsCountEach({{login = 'anna'}, {success = false}, {login = 'dora'}}) return c[1], c[2], c[3]",
            "3 3 0",
        ),
        (
            "local d = reportsDistinctEach({{login = 'anna'}, {}}, 'ip') return d[1], d[2], #reportsAnyEach({})",
            "2 3 0",
        ),
        ("return reportsSeen('anna', 'ip', '192.0.2.1', 1600000000)", "true"),
        ("return reportsSeen('anna', 'ip', '198.51.100.9', 1600000000)", "false"),
        ("return reportsSeen('anna', 'network', '192.0.2.0/24', 1700000200)", "false"),
        ("local s = reportsFirstAndLast({login = 'carl'}) return s.first, s.last", "1700000240 1700000300"),
        ("return reportsFirstAndLast({login = 'nobody'})", "nil"),
        ("return reportsCount({success = false})", "3"),
        ("return reportsCount({since = 1700000060, before = 1700000120})", "1"),
        ("return reportsDistinct({}, 'login')", "3"),
        (
            "local t = reportsTop({}, 'ip', 'login', 2) return t[1].value, t[1].count, t[2].value",
            "198.51.100.9 3 192.0.2.1",
        ),
        ("local t = reportsTop({}, 'login', 'failures', 1) return #t, t[1].value, t[1].count", "1 anna 1"),
        (
            "local t = reportsSignificant({since = 1700000000, before = 1700001000}, 'protocol', 1690000000, 3) \
          return t[1].value, t[1].count, t[1].baseline",
            "imap 6 0",
        ),
        (
            "local h = reportsHistogram({since = 1700000000, before = 1700000300}, 100) return #h, h[1].count, h[2].failures",
            "3 2 2",
        ),
        (
            "local r = reportsFind({login = 'bert'}, 1) return reportsConfirm(r[1].id, 'bad'), \
          reportsConfirm('nothing', 'bad'), reportsFind({login = 'bert'}, 1)[1].confirmation",
            "true false bad",
        ),
        (
            "return select('#', reportsFind({}, 0)), (select(2, reportsFind({}, 0)))",
            "2 a limit of 0 gives no results",
        ),
    ] {
        assert_eq!(run(&lua, code), expected, "{code}");
    }
    for (code, word) in [
        ("return reportsFind({user = 'x'}, 1)", "user"),
        ("return reportsTop({}, 'ip', 'most', 1)", "most"),
        ("return reportsSeen('x', 'ip', 'y', 0)", "address"),
        ("return reportsConfirm('x', 'maybe')", "maybe"),
        ("return reportsHistogram({since = 1}, 0)", "interval"),
        ("return reportsFindOldest({}, 1, {t = 5})", "id"),
        ("return reportsAnyEach({login = 'anna'})", "list"),
        ("return reportsFindOldest({}, 1, nil, {'size'})", "size"),
        ("return reportsAnyEach({{login = 'anna'}, {user = 'x'}})", "user"),
    ] {
        let told = run(&lua, code);
        assert!(told.starts_with("error: ") && told.contains(word), "{told}");
    }
}

#[test]
fn a_question_suspends_the_call() {
    let (_world, lua, _folder) = with_store();
    let code = "return function(name) return reportsCount({login = name}), #reportsFind({}, 4) end";
    let function: mlua::Function = lua.load(code).eval().unwrap();
    let thread = lua.create_thread(function).unwrap();
    wait::set_suspendable(&lua, Some(&thread));
    let mut values: mlua::MultiValue = thread.resume("anna").unwrap();
    let mut suspended = 0;
    while thread.is_resumable() {
        suspended += 1;
        let query = wait::take(&lua, values.front().unwrap()).unwrap();
        let answer = RUNTIME.block_on(query.answer());
        values = thread.resume(answer.values(&lua).unwrap()).unwrap();
    }
    assert_eq!(suspended, 2);
    let texts: Vec<String> = values.iter().map(|value| value.to_string().unwrap()).collect();
    assert_eq!(texts, ["3", "4"]);
}

#[test]
fn without_a_store_the_reason_is_told() {
    let world = World::new();
    let lua = world.lua(Role::Worker);
    let told = run(&lua, "local found, why = reportsCount({}) return found == nil, why");
    assert!(told.starts_with("true ") && told.contains("setReportStore"), "{told}");
    let lua = world.lua(Role::Config);
    run(&lua, "setReportStore('embedded', {path = 'x', days = 3})");
    assert!(world.log().contains("\"days\""));
    assert!(!world.host.caps.reports.configured());
    run(&lua, "setReportStore('embedded', {path = 'x', retention_days = 3})");
    assert!(world.host.caps.reports.configured() && world.host.settings.waits());
}
