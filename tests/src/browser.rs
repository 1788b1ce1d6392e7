//! A Chromium without a screen, told by chromedriver what to do (`WebDriver` of the W3C: JSON over HTTP).

use std::net::SocketAddr;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::Client;
use crate::process::Process;
use crate::tools;

/// The name of an element's id in `WebDriver`'s JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// What the addresses of its own pages begin with.
const OWN: &str = "chrome://";

/// A running browser with an empty profile; ended when dropped.
pub struct Browser {
    driver: Client,
    session: String,
    profile: TempDir,
    process: Process,
}

impl Browser {
    /// One that says of itself that it wants pages in this language.
    pub fn start(language: &str) -> Browser {
        let process = Process::start(Command::new(tools::system_tool("chromedriver")).arg("--port=0"));
        let line = process.stdout.wait_for("started successfully on port");
        let port: u16 = line.trim_end_matches('.').rsplit(' ').next().unwrap().parse().unwrap();
        let driver = Client { address: SocketAddr::from(([127, 0, 0, 1], port)), credentials: None };
        let profile = TempDir::with_prefix("portcullis-browser-").unwrap();
        let arguments = [
            "--headless",
            // Its own sandbox wants more than a container gives; it sees nothing but our pages.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ];
        let mut arguments = arguments.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        arguments.push(format!("--accept-lang={language}"));
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": arguments, "binary": tools::system_tool("chromium")},
            // Milliseconds until an element must be there.
            "timeouts": {"implicit": 30_000},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let mut browser = Browser { driver, session: String::new(), profile, process };
        let session = browser.ask("POST", "/session", &wanted);
        session["sessionId"].as_str().unwrap().clone_into(&mut browser.session);
        browser
    }

    /// Opens a page and waits until it is loaded.
    pub fn open(&self, url: &str) {
        self.tell("/url", &json!({"url": url}));
    }

    /// Where it is.
    pub fn url(&self) -> String {
        self.get("/url").as_str().unwrap().to_owned()
    }

    /// The title of the page.
    pub fn title(&self) -> String {
        self.get("/title").as_str().unwrap().to_owned()
    }

    /// The window's size from now on.
    pub fn resize(&self, width: u32, height: u32) {
        self.tell("/window/rect", &json!({"width": width, "height": height}));
    }

    /// Writes into a field.
    pub fn write(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.tell(&format!("/element/{element}/clear"), &json!({}));
        self.tell(&format!("/element/{element}/value"), &json!({"text": text}));
    }

    /// Clicks, and waits for the page behind it, if one is.
    pub fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.tell(&format!("/element/{element}/click"), &json!({}));
    }

    /// The text of an element as it is shown.
    pub fn text(&self, selector: &str) -> String {
        let element = self.element(selector);
        self.get(&format!("/element/{element}/text")).as_str().unwrap().to_owned()
    }

    /// What a script returns that is run in the page, as the person with the developer tools would.
    pub fn evaluate(&self, script: &str) -> Value {
        self.tell("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Whether a dialog is open that a script of the page opened.
    pub fn has_dialog(&self) -> bool {
        let answer = self.driver.get(&format!("/session/{}/alert/text", self.session)).json();
        answer["value"]["error"] != "no such alert"
    }

    /// What pages and the browser wrote into the console since the last call, but not about the page it begins with.
    pub fn console(&self) -> Vec<Value> {
        let mut entries = self.logged("browser");
        entries.retain(|entry| !entry["message"].as_str().unwrap().starts_with(OWN));
        entries
    }

    /// The addresses that pages asked for since the last call, what the browser has inside of it left out.
    pub fn requested(&self) -> Vec<String> {
        let events = self.logged("performance");
        let urls = events.iter().filter_map(|entry| {
            let event: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let event = &event["message"];
            let url = event["params"]["request"]["url"].as_str()?.to_owned();
            let inside = url.starts_with("data:") || url.starts_with(OWN);
            (event["method"] == "Network.requestWillBeSent" && !inside).then_some(url)
        });
        urls.collect()
    }

    fn logged(&self, kind: &str) -> Vec<Value> {
        self.tell("/se/log", &json!({"type": kind})).as_array().unwrap().clone()
    }

    fn element(&self, selector: &str) -> String {
        let found = self.tell("/element", &json!({"using": "css selector", "value": selector}));
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    fn get(&self, path: &str) -> Value {
        let path = format!("/session/{}{path}", self.session);
        let answer = self.driver.get(&path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()["value"].clone()
    }

    fn tell(&self, path: &str, what: &Value) -> Value {
        self.ask("POST", &format!("/session/{}{path}", self.session), what)
    }

    fn ask(&self, method: &str, path: &str, what: &Value) -> Value {
        let headers = [("Content-Type", "application/json")];
        let answer = self.driver.request(method, path, &headers, what.to_string().as_bytes());
        assert_eq!(
            answer.status,
            200,
            "{path} {what}: {}\n{:#?}\n{}",
            answer.text(),
            self.process.stderr.all(),
            self.profile.path().display()
        );
        answer.json()["value"].clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver would leave the browser behind. Whatever goes wrong here must not hide why the test failed.
        let path = format!("/session/{}", self.session);
        let _ = std::panic::catch_unwind(|| self.driver.request("DELETE", &path, &[], b""));
    }
}
