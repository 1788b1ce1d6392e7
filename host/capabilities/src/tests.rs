#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use super::*;
use crate::log::screen::Screen;

fn options(log: Arc<Log>) -> Options {
    Options { log, metrics_prefix: "wforce".to_owned(), regexes: None }
}

#[test]
fn a_tick_purges_samples_and_sums_up() {
    let screen = Screen::default();
    let quiet = log::Options { syslog: None, ..log::Options::new("wforce") };
    let capabilities =
        Capabilities::new(options(Log::start_with(quiet, Box::new(screen.clone())).unwrap())).unwrap();
    capabilities.lists.black.add_login(1000, b"joe", 100, b"r");
    capabilities.lists.white.add_ip(1000, "192.0.2.1".parse().unwrap(), 1000, b"r");
    let entries = |line: &str| String::from_utf8(capabilities.metrics.render()).unwrap().contains(line);
    capabilities.tick(1000);
    assert!(entries("wforce_bl_entries{type=\"login\"} 1\n"));
    assert!(entries("wforce_wl_entries{type=\"ip\"} 1\n"));
    for now in 1001..=1300 {
        capabilities.tick(now);
    }
    assert!(entries("wforce_bl_entries{type=\"login\"} 0\n"));
    assert!(capabilities.log.flush(Duration::from_mins(1)));
    let text = screen.text();
    let starts: Vec<&str> = text.lines().map(|line| line.split('=').next().unwrap_or_default()).collect();
    assert_eq!(
        starts,
        [
            "addBLEntry login_bl: login",
            "addWLEntry ip_wl: ip",
            "deleteBLEntry login_bl: login",
            "perf stats last 300 secs: WTW_0_1",
            "command stats last 300 secs: addBLEntry",
        ]
    );
}

#[test]
fn a_broken_regexes_file_stops_the_start() {
    let broken = Options { regexes: Some("/nonexistent/regexes.yaml".into()), ..options(Log::discard()) };
    let error = Capabilities::new(broken).err().unwrap().to_string();
    assert!(error.contains("/nonexistent/regexes.yaml"), "{error}");
}
