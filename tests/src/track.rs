//! trackalert's shipped policies over a past that a test makes up.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::{Client, Daemon, Launch, tools, until};

/// An hour, in seconds.
pub const HOUR: f64 = 3600.0;
/// A day, in seconds.
pub const DAY: f64 = 24.0 * HOUR;

/// In London; the databases of the tests know no owner of it.
pub const LONDON: &str = "81.2.69.142";
/// In China, of nobody.
pub const CHINA: &str = "175.16.199.1";
/// In Sweden, of AS29518.
pub const SWEDEN: &str = "89.160.20.112";
/// In Bhutan, of AS35908.
pub const BHUTAN: &str = "67.43.156.1";
/// In the United States, of AS209.
pub const AMERICA: &str = "216.160.83.56";
/// In the United States, of AS6167.
pub const AMERICA_TOO: &str = "149.101.100.1";

/// In which of its two forms a policy runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twin {
    /// `policy.lua`.
    Lua,
    /// The component.
    Component,
}

impl Twin {
    /// Both.
    pub const BOTH: [Twin; 2] = [Twin::Lua, Twin::Component];

    /// What the configuration needs for a policy; `settings`: the inside of a table of Lua.
    pub fn lines(self, policy: &str, settings: &str) -> String {
        match self {
            Twin::Lua => {
                let folder = tools::workspace().join("policies/track").display().to_string();
                format!(
                    "track_folder = \"{folder}\"\nsetBackground(\"{policy}\", \
                     assert(loadfile(\"{folder}/{policy}/policy.lua\"))({{ {settings} }}).background)\n"
                )
            }
            Twin::Component => {
                // As `make policies` puts them there.
                let wasm = tools::component(policy);
                format!(
                    "loadPolicy(\"{policy}\", \"{}\", {{ settings = {{ {settings} }}, deadline_ms = 60000, \
                     host_calls = 1000000, capabilities = {{ reports = true, alerts = true }} }})\n\
                     setBackground(\"{policy}\", \"{policy}\")\n",
                    wasm.display()
                )
            }
        }
    }
}

/// Reports with times of their own.
pub struct Past {
    /// Of the daemon.
    pub client: Client,
    now: f64,
    count: usize,
}

impl Past {
    /// A login so many seconds ago.
    pub fn report(&mut self, ago: f64, login: &str, remote: &str, success: bool) {
        self.report_with(ago, login, remote, success, "Thunderbird");
    }

    /// The same by another mail program.
    pub fn report_with(&mut self, ago: f64, login: &str, remote: &str, success: bool, device: &str) {
        let tuple = json!({"login": login, "remote": remote, "success": success, "t": self.now - ago, "pwhash": "1",
            "protocol": "imap", "device_attrs": {"imapc.family": device, "os.family": "Linux"}});
        self.client.report(&tuple);
        self.count += 1;
    }

    /// Waits until the store shows all of them.
    fn stored(&self) {
        let (mut query, mut seen) = ("from=0".to_owned(), 0);
        until("the reports", || {
            // Page after page.
            let page = self.client.get(&format!("/reports.json?{query}")).json();
            seen += page["reports"].as_array()?.len();
            match page["before"].as_str() {
                Some(before) => query = format!("from=0&before={before}"),
                None if seen >= self.count => return Some(()),
                None => (query, seen) = ("from=0".to_owned(), 0),
            }
            None
        });
    }

    /// The user of this login says of the reports from this address that it was somebody else.
    pub fn disown(&self, login: &str, remote: &str) {
        self.stored();
        let found = self.client.get(&format!("/reports.json?login={login}&ip={remote}")).json();
        for report in found["reports"].as_array().unwrap() {
            let answer = self.client.post("/command/disown", &json!({"attrs": {"id": report["id"]}}));
            assert_eq!(answer.json()["r_attrs"]["known"], "true", "{}", answer.text());
        }
    }
}

/// Reason, and login or address, of everything that these policies tell, each run once, after a past. `settings`: of each
/// policy, the inside of a table of Lua. The store is embedded.
pub fn told(
    twin: Twin,
    policies: &[(&str, &str)],
    fill: impl FnOnce(&mut Past),
) -> BTreeSet<(String, String)> {
    let store = "setReportStore(\"embedded\", { path = \"reports\", retention_days = 400, query_timeout_ms = 60000 })";
    told_with(store, twin, policies, fill)
}

/// The same with another store.
pub fn told_with(
    store: &str,
    twin: Twin,
    policies: &[(&str, &str)],
    fill: impl FnOnce(&mut Past),
) -> BTreeSet<(String, String)> {
    let running = Running::start(store, twin, policies, fill);
    for (policy, _) in policies {
        running.run(policy);
    }
    running.told()
}

/// A daemon with policies, and a past in its store.
pub struct Running {
    daemon: Daemon,
    /// Of the daemon.
    pub client: Client,
    receiver: Receiver,
}

impl Running {
    /// Starts it and waits until the store shows the past.
    pub fn start(
        store: &str,
        twin: Twin,
        policies: &[(&str, &str)],
        fill: impl FnOnce(&mut Past),
    ) -> Running {
        let receiver = Receiver::start("200 OK");
        let database = |name: &str| {
            tools::workspace().join("host/capabilities/testdata").join(name).display().to_string()
        };
        let mut config = format!(
            "addACL(\"127.0.0.0/8\")\nsetPolicyBudget(60000)\n{store}\n\
             newGeoIP2DB(\"City\", \"{}\")\nnewGeoIP2DB(\"ASN\", \"{}\")\n\
             addAlertWebhook(\"hook\", {{ url = \"{}\" }})\n\
             setCustomEndpoint(\"disown\", function(args)\n\
                 return true, {{ known = tostring(reportsConfirm(args.attrs.id, \"bad\")) }}\n\
             end)\n",
            database("GeoIP2-City-Test.mmdb"),
            database("GeoLite2-ASN-Test.mmdb"),
            receiver.url(),
        );
        for (policy, settings) in policies {
            config.write_str(&twin.lines(policy, settings)).unwrap();
        }
        let daemon = Launch::trackalert(&config).start();
        let client = daemon.client();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        let mut past = Past { client: client.clone(), now, count: 0 };
        fill(&mut past);
        past.stored();
        Running { daemon, client, receiver }
    }

    /// Runs a policy once.
    pub fn run(&self, policy: &str) {
        let job = || {
            let jobs = self.client.get("/command/jobs").json();
            jobs["jobs"].as_array()?.iter().find(|job| job["name"] == policy).cloned()
        };
        let runs = job().and_then(|job| job["runs"].as_i64()).unwrap();
        let started = self.client.post("/command/runBackground", &json!({"name": policy}));
        assert_eq!(started.status, 200, "{policy}");
        let last = until(policy, || {
            job()
                .filter(|job| job["runs"].as_i64() > Some(runs) && job["running"] == 0)
                .map(|job| job["last"].clone())
        });
        assert_eq!(last["result"], "done", "{policy}: {last} {:#?}", self.daemon.log().all());
    }

    /// How often the store was asked this question, as its metric calls it.
    pub fn asked(&self, question: &str) -> f64 {
        self.client
            .metric(&format!("portcullis_report_queries_total{{query=\"{question}\",result=\"answered\"}}"))
            .unwrap_or(0.0)
    }

    /// Reason and subject of everything that was told.
    pub fn told(&self) -> BTreeSet<(String, String)> {
        let queued = self.client.metric("portcullis_alerts_total{result=\"queued\"}").unwrap_or(0.0);
        let mut told = BTreeSet::new();
        for _ in 0..queued as usize {
            let body: Value = serde_json::from_str(&self.receiver.next().body).unwrap();
            let text = |name: &str| body[name].as_str().unwrap().to_owned();
            let subject = if text("login").is_empty() { text("remote") } else { text("login") };
            told.insert((text("reason"), subject));
        }
        told
    }
}

/// Reasons and subjects, as [`told`] gives them.
pub fn set(pairs: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    pairs.iter().map(|(reason, subject)| ((*reason).to_owned(), (*subject).to_owned())).collect()
}
