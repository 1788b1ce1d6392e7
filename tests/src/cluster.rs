//! Several daemons that share stats DBs and lists.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use serde_json::{Value, json};
use wire::Key;

use crate::daemon::KEY;
use crate::{Daemon, Launch, PATIENCE, address};

/// A policy that counts logins of addresses, and passwords of logins.
pub const POLICY: &str = r#"
newShardedStringStatsDB("db1", 3600, 3, { countLogins = "int", i = "int", who = "hll", c = "countmin" }, 2)
local db = getStringStatsDB("db1")
db:twEnableReplication()
setReport(function(lt)
    getStringStatsDB("db1"):twAdd(lt.remote, "countLogins", 1)
    getStringStatsDB("db1"):twAdd(lt.login, "who", lt.pwhash)
end)
setReset(function(kind, login, ip)
    getStringStatsDB("db1"):twReset(login)
    return true
end)
"#;

/// An address for siblings on this IP.
pub fn sibling_port(ip: impl Into<IpAddr>) -> SocketAddr {
    SocketAddr::new(ip.into(), address::fresh().port())
}

/// Three of them, of different IPs.
pub fn sibling_ports() -> [SocketAddr; 3] {
    [sibling_port(address::own()), sibling_port(address::beside(1)), sibling_port(address::beside(2))]
}

/// A daemon, not started yet, that hears siblings at `own` and has these others.
pub fn launch(own: SocketAddr, others: &[String], more: &str) -> Launch {
    let siblings: Vec<String> = others.iter().map(|other| format!("addSibling(\"{other}\")\n")).collect();
    let siblings = siblings.concat();
    Launch::new(&format!("{POLICY}siblingListener(\"{own}\")\n{siblings}{more}\n"))
}

/// The same, started.
pub fn node(own: SocketAddr, others: &[String], more: &str) -> Daemon {
    launch(own, others, more).start()
}

/// The key of all daemons of the tests.
pub fn key() -> Key {
    Key::from_base64(KEY.as_bytes()).unwrap()
}

/// Waits until something holds.
pub fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

/// A field of a key.
pub fn stat(daemon: &Daemon, key: &Value, field: &str) -> i64 {
    daemon.client().post("/command/getDBStats", key).json()["stats"]["db1"][field].as_i64().unwrap_or(0)
}

/// The logins of an address.
pub fn counts(daemon: &Daemon, ip: &str) -> i64 {
    stat(daemon, &json!({"ip": ip}), "countLogins")
}

/// A metric by the beginning of its line, if it is there.
pub fn find_metric(daemon: &Daemon, line: &str) -> Option<u64> {
    let text = daemon.client().get("/metrics").text();
    text.lines().find_map(|each| each.strip_prefix(line)?.trim().parse().ok())
}

/// A metric by the beginning of its line.
pub fn metric(daemon: &Daemon, line: &str) -> u64 {
    find_metric(daemon, line).unwrap_or_else(|| panic!("no {line}"))
}

/// Reports a failed login.
pub fn report(daemon: &Daemon, login: &str, remote: &str) {
    let tuple = json!({"login": login, "remote": remote, "pwhash": "1", "success": false});
    assert_eq!(daemon.client().post("/command/report", &tuple).status, 200);
}
