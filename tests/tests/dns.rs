//! DNS and RBL lookups of a policy, answered by rbldnsd and unbound.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::net::UdpSocket;
use std::process::Command;

use portcullis_tests::process::{self, Process};
use portcullis_tests::{Daemon, address, tools};
use serde_json::json;
use tempfile::TempDir;

/// One custom endpoint for each kind of lookup; answers are joined by blanks.
fn policy(rbl: &str, names: &str, silent: &str) -> String {
    format!(
        r#"
setNumLuaStates(4)
local function server(name, address, timeout)
    newDNSResolver(name)
    local ip, port = address:match("^(.*):(%d+)$")
    getDNSResolver(name):addResolver(ip, port)
    getDNSResolver(name):setRequestTimeout(timeout)
end
server("rbl", "{rbl}", 5000)
server("names", "{names}", 5000)
server("silent", "{silent}", 300)
setCustomEndpoint("rbl", false, function(args)
    local found = getDNSResolver("rbl"):lookupRBL(newCA(args.attrs.ip), "rbl.test")
    return true, {{ found = table.concat(found, " ") }}
end)
setCustomEndpoint("name", false, function(args)
    local found = getDNSResolver("names"):lookupNameByAddr(newCA(args.attrs.ip))
    return true, {{ found = table.concat(found, " ") }}
end)
setCustomEndpoint("addr", false, function(args)
    local found = getDNSResolver("names"):lookupAddrByName(args.attrs.name)
    table.sort(found)
    return true, {{ found = table.concat(found, " ") }}
end)
loadPolicy("everything", "{guest}", {{ deadline_ms = 60000 }})
setCustomEndpoint("component", false, "everything")
setCustomEndpoint("silent", false, function(args)
    return true, {{ found = table.concat(getDNSResolver("silent"):lookupAddrByName("a.example.test"), " ") }}
end)
"#,
        guest = tools::test_guest("everything").display()
    )
}

struct Servers {
    _rbl: Process,
    _names: Process,
    _silent: UdpSocket,
    _folder: TempDir,
    daemon: Daemon,
}

impl Servers {
    fn start() -> Servers {
        let folder = TempDir::with_prefix("portcullis-dns-").unwrap();
        process::run_ok(Command::new("chmod").arg("755").arg(folder.path()));
        let [rbl, names] = [address::fresh(), address::fresh()];
        std::fs::write(
            folder.path().join("v4"),
            ":127.0.0.2:listed $\n192.0.2.0/24\n!192.0.2.99\n203.0.113.5 :127.0.0.9:\n",
        )
        .unwrap();
        std::fs::write(folder.path().join("v6"), ":127.0.0.6:listed $\n2001:db8:bad::/48\n").unwrap();
        let mut command = Command::new(tools::system_tool("rbldnsd"));
        command.arg("-n").arg("-b").arg(format!("{}/{}", rbl.ip(), rbl.port())).arg("-w").arg(folder.path());
        if process::run_ok(Command::new("id").arg("-u")).trim() == "0" {
            command.args(["-u", "nobody:nogroup"]);
        }
        let rbl_server = Process::start(command.args(["rbl.test:ip4set:v4", "rbl.test:ip6trie:v6"]));
        rbl_server.stdout.wait_for("started");

        let config = folder.path().join("unbound.conf");
        std::fs::write(
            &config,
            format!(
                "server:\n interface: {}@{}\n do-daemonize: no\n username: \"\"\n chroot: \"\"\n directory: \"{}\"\n \
                 pidfile: \"\"\n use-syslog: no\n logfile: \"\"\n verbosity: 1\n access-control: 127.0.0.0/8 allow\n \
                 module-config: \"iterator\"\n local-zone: \"example.test.\" static\n \
                 local-data: \"a.example.test. 60 IN A 192.0.2.1\"\n \
                 local-data: \"a.example.test. 60 IN AAAA 2001:db8::1\"\n \
                 local-data-ptr: \"192.0.2.1 a.example.test\"\n local-data-ptr: \"2001:db8::1 six.example.test\"\n\
                 remote-control:\n control-enable: no\n",
                names.ip(),
                names.port(),
                folder.path().display()
            ),
        )
        .unwrap();
        let name_server =
            Process::start(Command::new(tools::system_tool("unbound")).arg("-d").arg("-c").arg(&config));
        name_server.stderr.wait_for("start of service");

        // Takes questions and never answers.
        let silent = UdpSocket::bind(address::fresh()).unwrap();
        let config = policy(&rbl.to_string(), &names.to_string(), &silent.local_addr().unwrap().to_string());
        let daemon = Daemon::start(&config);
        Servers { _rbl: rbl_server, _names: name_server, _silent: silent, _folder: folder, daemon }
    }

    fn ask(&self, endpoint: &str, attrs: &serde_json::Value) -> String {
        let answer = self.daemon.client().post(&format!("/command/{endpoint}"), &json!({"attrs": attrs}));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["r_attrs"]["found"].as_str().unwrap().to_owned()
    }
}

#[test]
fn lookups() {
    let servers = Servers::start();
    for (ip, found) in [
        ("192.0.2.7", "127.0.0.2"),
        ("192.0.2.99", ""),
        ("203.0.113.5", "127.0.0.9"),
        ("198.51.100.1", ""),
        ("2001:db8:bad::7", "127.0.0.6"),
        ("2001:db8::7", ""),
    ] {
        assert_eq!(servers.ask("rbl", &json!({"ip": ip})), found, "{ip}");
    }
    assert_eq!(servers.ask("name", &json!({"ip": "192.0.2.1"})), "a.example.test.");
    assert_eq!(servers.ask("name", &json!({"ip": "2001:db8::1"})), "six.example.test.");
    assert_eq!(servers.ask("name", &json!({"ip": "192.0.2.2"})), "");
    assert_eq!(servers.ask("addr", &json!({"name": "a.example.test"})), "192.0.2.1 2001:db8::1");
    assert_eq!(servers.ask("addr", &json!({"name": "nosuch.example.test"})), "");
    let asked = servers.daemon.client().metric("wforce_dns_queries_total{resolver=\"rbl\"}");
    assert!(asked.is_some_and(|count| count > 0.0), "{asked:?}");
    assert_eq!(
        servers
            .daemon
            .execute(r#"showRBL(getDNSResolver("rbl"), newCA("192.0.2.7"), "rbl.test")"#)
            .trim_end(),
        "127.0.0.2"
    );
}

#[test]
fn a_component_gets_the_same_answers() {
    let servers = Servers::start();
    let ask = |function: &str, arguments: &[(&str, &str)]| {
        let mut attrs: serde_json::Map<String, serde_json::Value> =
            arguments.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        attrs.insert("call".to_owned(), json!(function));
        let answer = servers.daemon.client().post("/command/component", &json!({"attrs": attrs}));
        answer.json()["r_attrs"].clone()
    };
    assert_eq!(ask("dns.open", &[("resolver", "nobody")]), json!({"unknown": "nobody"}));
    for (ip, found) in [
        ("192.0.2.7", "127.0.0.2"),
        ("192.0.2.99", ""),
        ("2001:db8:bad::7", "127.0.0.6"),
        ("2001:db8::7", ""),
    ] {
        let arguments = [("resolver", "rbl"), ("ip", ip), ("zone", "rbl.test")];
        assert_eq!(ask("dns.resolver.rbl", &arguments), json!({"value": found}), "{ip}");
    }
    for (ip, found) in
        [("192.0.2.1", "a.example.test."), ("2001:db8::1", "six.example.test."), ("192.0.2.2", "")]
    {
        assert_eq!(
            ask("dns.resolver.names", &[("resolver", "names"), ("ip", ip)]),
            json!({"value": found}),
            "{ip}"
        );
    }
    for (name, found) in [("a.example.test", "192.0.2.1 2001:db8::1"), ("nosuch.example.test", "")] {
        assert_eq!(
            ask("dns.resolver.addresses", &[("resolver", "names"), ("name", name)]),
            json!({"value": found})
        );
    }
    let silent = [("resolver", "silent"), ("name", "a.example.test")];
    assert_eq!(ask("dns.resolver.addresses", &silent), json!({"value": ""}), "no answer is none");
}

#[test]
fn a_silent_server_holds_up_nobody() {
    let servers = Servers::start();
    std::thread::scope(|scope| {
        // As many waiting calls as there are states but one: a call keeps its state while it waits, not its thread.
        for _ in 0..3 {
            scope.spawn(|| assert_eq!(servers.ask("silent", &json!({})), ""));
        }
        for _ in 0..20 {
            assert_eq!(servers.ask("rbl", &json!({"ip": "192.0.2.7"})), "127.0.0.2");
        }
    });
}
