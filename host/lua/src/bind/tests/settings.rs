//! What the file sets.

use super::*;
use crate::settings::Values;

fn set(code: &str) -> (World, String) {
    let world = World::new();
    let found = run(&world.lua(Role::Config), code);
    (world, found)
}

fn value<T>(world: &World, look: impl FnOnce(&Values) -> T) -> T {
    world.host.settings.read(look)
}

#[test]
fn access() {
    let (world, found) =
        set("setACL({'192.0.2.0/24', '!192.0.2.128/25'}) addACL('198.51.100.7') setWebserverPassword('pw')");
    assert_eq!(found, "none");
    let access = &world.host.caps.access;
    assert!(access.allows("192.0.2.1".parse().unwrap()) && access.allows("198.51.100.7".parse().unwrap()));
    assert!(!access.allows("192.0.2.200".parse().unwrap()) && !access.allows("127.0.0.1".parse().unwrap()));
    assert!(access.check_basic(b"wforce:pw"));
    assert!(!access.metrics_open());
    let (world, _) = set("setMetricsNoPassword()");
    assert!(world.host.caps.access.metrics_open());
    for code in ["addACL('nonsense')", "setACL({'192.0.2.0/24', '1.2.3.4/x'})"] {
        let (world, found) = set(code);
        assert!(found.contains("chunk\"]:1: Caught exception: "), "{found}");
        assert!(world.host.caps.access.allows("127.0.0.1".parse().unwrap()));
    }
}

#[test]
fn listeners() {
    let folder = tempfile();
    let file = folder.join("cert.pem");
    std::fs::write(&file, "").unwrap();
    let name = file.display();
    let (world, found) = set(&format!(
        "addListener('127.0.0.1:8084', false, '', '', {{}}) addListener('[::1]:8443', true, '{name}', '{name}', {{MinProtocol = 'TLSv1.3'}})
         addListener('example.com:80', false, '', '', {{}}) addListener('127.0.0.1:1', true, '/nonexistent', '{name}', {{}})
         webserver('127.0.0.1:8085', 'pw')"
    ));
    assert_eq!(found, "none");
    let listeners = value(&world, |values| values.listeners.clone());
    let addrs: Vec<String> = listeners.iter().map(|listener| listener.addr.to_string()).collect();
    assert_eq!(addrs, ["127.0.0.1:8084", "[::1]:8443", "127.0.0.1:8085"]);
    assert_eq!(listeners[1].tls.as_ref().unwrap().options, [("MinProtocol".into(), "TLSv1.3".into())]);
    assert!(world.host.caps.access.check_basic(b"x:pw"));
    let log = world.log();
    for part in [
        "Unable to convert presentation address",
        "/nonexistent is not a regular file",
        "webserver() is deprecated",
    ] {
        assert!(log.contains(part), "{log}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

fn tempfile() -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("portcullis-bind-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn sizes_and_names() {
    let (world, _) = set(
        "setNumLuaStates(9) setNumWorkerThreads('3') setMaxWebserverConns(12.7) setVerboseAllowLog() setJA3AttrName('fp')
         setPolicyBudget(250) setPolicyMemory(8) setStateDir('state') setStateInterval(7) controlSocket('127.0.0.1') controlSocket('[::1]:5000') controlSocket('x')",
    );
    let found = value(&world, |values| (values.lua_states, values.worker_threads, values.max_connections));
    assert_eq!(found, (9, 3, 12));
    assert!(value(&world, |values| values.verbose_allow_log));
    assert_eq!(value(&world, |values| values.ja3_attr.clone()), "fp");
    assert_eq!(value(&world, |values| values.policy_budget), Duration::from_millis(250));
    assert_eq!(value(&world, |values| values.state_dir.clone()), Some("state".into()));
    assert_eq!(value(&world, |values| values.state_interval), Duration::from_secs(7));
    assert_eq!(value(&world, |values| values.policy_memory), 8 << 20);
    let control = value(&world, |values| values.control.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert_eq!(control, ["127.0.0.1:4004", "[::1]:5000"]);
    let defaults = Values::default();
    assert_eq!((defaults.lua_states, defaults.worker_threads, defaults.max_connections), (6, 4, 10_000));
}

#[test]
fn a_limit_that_would_be_none_is_a_mistake() {
    for name in ["setPolicyBudget", "setPolicyMemory", "setStateInterval"] {
        for number in ["0", "0.5", "-1", "4294967296", "1e300", "0/0"] {
            let (world, _) = set(&format!("{name}({number})"));
            assert!(world.log().contains(&format!("{name}: ")), "{name} {number}");
            let found =
                value(&world, |values| (values.policy_budget, values.policy_memory, values.state_interval));
            assert_eq!(found, (Duration::from_secs(1), 64 << 20, Duration::from_mins(1)), "{name} {number}");
            assert_eq!(value(&world, |values| values.complaints.count), 1, "{name} {number}");
        }
        assert_eq!(value(&set(&format!("{name}(4294967295)")).0, |values| values.complaints.count), 0);
    }
}

#[test]
fn control_sockets_are_bound_at_once() {
    let world = World::new();
    let host = Host { bind_sockets: true, ..host(world.host.caps.clone()) };
    let host = Arc::new(host);
    let lua = crate::vm::open().unwrap();
    install(&lua, Role::Config, &host).unwrap();
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap();
    assert!(run(&lua, &format!("controlSocket('{taken}')")).contains("Unable to bind to control socket"));
    drop(holder);
    assert_eq!(run(&lua, &format!("controlSocket('{taken}')")), "none");
    let bound = host.settings.take_control();
    assert_eq!(bound.len(), 1);
    assert_eq!(bound[0].local_addr().unwrap(), taken);
}

#[test]
fn keys() {
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let (world, found) = set(&format!("return setKey('{key}'), setKey('not base64!')"));
    assert_eq!(found, "true false");
    assert_eq!(value(&world, |values| values.key.clone()).unwrap().0.to_base64(), key);
    assert!(world.log().contains("setKey: the key is not base64"));
}

#[test]
fn siblings_are_stored_and_bad_ones_told() {
    let (world, found) = set(
        "addSibling('192.0.2.1') addSibling('192.0.2.2:5000:tcp') addSibling('192.0.2.2:5000') addSibling('192.0.2.3:x')
         addSiblingWithKey('192.0.2.4', 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=') addSiblingWithKey('192.0.2.5', 'bad')
         removeSibling('192.0.2.1') siblingListener('0.0.0.0') setSiblingConnectTimeout(100) setMaxSiblingQueueSize(7)
         setNumSiblingThreads(3) addSyncHost('http://a/', 'pw', '192.0.2.9', 'http://b/') setMinSyncHostUptime(60)",
    );
    assert_eq!(found, "none");
    let shown = value(&world, |values| {
        values.replication.siblings.iter().map(|s| s.addr.to_string()).collect::<Vec<_>>()
    });
    assert_eq!(shown, ["192.0.2.2:5000 tcp", "192.0.2.4:4001 udp"]);
    assert_eq!(value(&world, |values| values.replication.listener.unwrap().to_string()), "0.0.0.0:4001");
    assert_eq!(
        value(&world, |values| values.replication.sync_hosts[0].replication.to_string()),
        "192.0.2.9:4001"
    );
    let log = world.log();
    assert!(log.contains("addSibling() cannot add duplicate sibling [192.0.2.2:5000]"), "{log}");
}

#[test]
fn a_bad_list_of_siblings_keeps_the_old_one() {
    let (world, _) =
        set("setSiblings({'192.0.2.1', '192.0.2.2:1:none'}) setSiblings({'192.0.2.3', '192.0.2.4:x'})");
    assert_eq!(value(&world, |values| values.replication.siblings.len()), 2);
    let (world, _) = set("setSiblingsWithKey({{'192.0.2.1', ''}, {'192.0.2.2', '', 'true', 'FALSE'}})");
    let flags = value(&world, |values| {
        values.replication.siblings.iter().map(|s| (s.stats, s.lists)).collect::<Vec<_>>()
    });
    assert_eq!(flags, [(true, true), (true, false)]);
}

#[test]
fn webhooks_sinks_and_redis_are_stored() {
    let (world, found) = set(
        "addWebHook({'report', 'allow', 'nonsense'}, {url = 'http://a/', kafka = 'true'}) addWebHook({'allow'}, {})
         addWebHook({'reset'}, {url = 'http://b/'}) addCustomWebHook('c', {url = 'http://c/'}) addCustomWebHook('d', {})
         setNumWebHookThreads(1) setNumWebHookConnsPerThread(2) setWebHookQueueSize(3) setWebHookTimeoutSecs(4)
         disableCurlPeerVerification() disableCurlHostVerification() setCurlCABundleFile('ca') setCurlClientCertAndKey('c', 'k')
         addNamedReportSink('n', '192.0.2.1') addNamedReportSink('n', 'localhost') setNamedReportSinks('m', {'192.0.2.2:9'})
         setNamedReportSinks('m', {'192.0.2.3', 'bad'}) addReportSink('192.0.2.4') setReportSinks({'192.0.2.5', '::1'})
         blacklistPersistDB('redis', 6379) blacklistRedisUsername('u') blacklistRedisPassword('p') blacklistPersistReplicated()
         blacklistPersistConnectTimeout(2) blacklistPersistRWTimeout(1, 2) whitelistPersistDB('r2', 6380)
         whitelistRedisUsername('u') whitelistRedisPassword('p') whitelistPersistReplicated() whitelistPersistConnectTimeout(2)
         whitelistPersistRWTimeout(1, 2)",
    );
    assert_eq!(found, "none");
    let hooks = world.host.caps.webhooks.rows();
    assert_eq!(hooks.iter().map(|hook| hook.id).collect::<Vec<_>>(), [1, 3], "a refused one uses up its id");
    assert_eq!(hooks[0].events, ["report", "allow"]);
    assert_eq!(world.host.caps.webhooks.custom_rows().len(), 1);
    let options = value(&world, |values| values.webhooks.options());
    assert!(!options.tls.verify_peer && !options.tls.verify_host);
    assert_eq!((options.concurrency, options.queue_size, options.timeout.as_secs()), (2, 3, 4));
    let sinks = |rows: Vec<capabilities::sinks::Row>| {
        rows.iter().map(|row| format!("{} {}", row.name, row.addr)).collect::<Vec<_>>()
    };
    assert_eq!(sinks(world.host.caps.sinks.named_rows()), ["m 192.0.2.2:9", "n 192.0.2.1:4501"]);
    assert_eq!(sinks(world.host.caps.sinks.rows()), [" 192.0.2.5:4501", " [::1]:4501"]);
    let redis = value(&world, |values| values.blacklist_redis.clone());
    assert_eq!(redis.server, Some(("redis".into(), 6379)));
    assert_eq!((redis.replicated, redis.connect_timeout_secs, redis.rw_timeout), (true, 2, (1, 2)));
    let options = value(&world, |values| values.blacklist_redis.options()).unwrap();
    assert_eq!((options.target.to_string().as_str(), options.connect_timeout.as_secs()), ("redis:6379", 2));
    assert_eq!(options.response_timeout.as_micros(), 1_000_002);
}

#[test]
fn a_client_takes_key_and_control_socket_only() {
    let world = World::new();
    let lua = world.lua(Role::Client);
    let found = run(
        &lua,
        "controlSocket('192.0.2.1:5000') addListener('127.0.0.1:1', false, '', '', {}) addSibling('192.0.2.1') newStringStatsDB('x', 1, 1, {})
         return setKey('AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=')",
    );
    assert_eq!(found, "true");
    assert_eq!(value(&world, |values| values.control[0].to_string()), "192.0.2.1:5000");
    assert!(value(&world, |values| values.listeners.is_empty() && values.replication.siblings.is_empty()));
    assert!(!world.log().contains("not active"));
}
