#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;

fn metrics(prefix: &str) -> Metrics {
    Metrics::new(prefix, &Log::discard()).unwrap()
}

fn text(metrics: &Metrics) -> String {
    String::from_utf8(metrics.render()).unwrap()
}

fn series<'a>(text: &'a str, family: &str) -> Vec<&'a str> {
    let of_family = |line: &&str| line.strip_prefix(family).is_some_and(|rest| rest.starts_with(['{', ' ']));
    let mut lines: Vec<_> = text.lines().filter(of_family).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn commands_are_at_zero_from_the_start() {
    let text = text(&metrics("wforce"));
    let commands: Vec<&str> = series(&text, "wforce_commands_total");
    let expected: Vec<String> = [
        "addBLEntry",
        "addSibling",
        "addWLEntry",
        "allow",
        "delWLEntry",
        "dumpEntries",
        "f_name",
        "getBL",
        "getDBStats",
        "getWL",
        "livez",
        "ping",
        "readyz",
        "removeSibling",
        "report",
        "reset",
        "setSiblings",
        "stats",
        "syncDBs",
        "syncDone",
    ]
    .iter()
    .map(|name| format!("wforce_commands_total{{cmd=\"{name}\"}} 0"))
    .collect();
    assert_eq!(commands, expected);
    assert!(text.contains("# TYPE wforce_commands_total counter\n"));
    assert!(text.contains("# HELP wforce_commands_total "));
}

#[test]
fn other_families_are_there_from_the_start_too() {
    let text = text(&metrics("wforce"));
    assert_eq!(
        series(&text, "wforce_allow_status_total"),
        ["allowed", "blacklisted", "denied", "tarpitted", "whitelisted"]
            .map(|status| format!("wforce_allow_status_total{{status=\"{status}\"}} 0"))
    );
    for family in ["wforce_bl_entries", "wforce_wl_entries"] {
        assert_eq!(
            series(&text, family),
            ["ip", "ipja3", "iplogin", "ja3", "login"].map(|kind| format!("{family}{{type=\"{kind}\"}} 0"))
        );
    }
    for family in ["wforce_redis_wlbl_updates_total", "wforce_redis_wlbl_connfailed_total"] {
        assert_eq!(series(&text, family), ["bl", "wl"].map(|list| format!("{family}{{type=\"{list}\"}} 0")));
    }
    for gauge in ["active_http_connections", "web_queue_size", "webhook_queue_size", "repl_recv_queue_size"] {
        let family = format!("wforce_{gauge}");
        assert_eq!(series(&text, &family), [format!("{family} 0")]);
    }
    for histogram in ["worker_queue_duration_seconds", "worker_response_duration_seconds"] {
        for le in ["0.001", "0.01", "0.1", "1", "+Inf"] {
            assert!(
                text.contains(&format!("wforce_{histogram}_bucket{{le=\"{le}\"}} 0\n")),
                "{histogram} {le}"
            );
        }
    }
}

#[test]
fn families_without_series_are_left_out() {
    let metrics = metrics("wforce");
    for family in
        ["custom_stats_total", "dns_queries_total", "webhook_events_total", "replication_sent_total"]
    {
        assert!(!text(&metrics).contains(family), "{family}");
    }
    metrics.families.replication_sent.with_label_values(&["192.0.2.1:4001", "ok"]).inc();
    assert_eq!(
        series(&text(&metrics), "wforce_replication_sent_total"),
        ["wforce_replication_sent_total{sibling=\"192.0.2.1:4001\",status=\"ok\"} 1"]
    );
}

#[test]
fn trackalert_has_its_own_prefix_and_commands() {
    let text = text(&metrics("trackalert"));
    assert_eq!(series(&text, "trackalert_commands_total").len(), 4);
    assert!(!text.contains("wforce_"));
    for family in ["allow_status", "bl_entries", "redis", "replication", "repl_recv"] {
        assert!(!text.contains(&format!("trackalert_{family}")), "{family}");
    }
    assert!(text.contains("trackalert_webhook_queue_size 0"));
    assert!(Metrics::new("not a name", &Log::discard()).is_err());
}

#[test]
fn the_commands_that_wforce_leaves_out_have_a_family_of_their_own() {
    let metrics = metrics("wforce");
    metrics.other_command("delBLEntry").increment();
    metrics.command("mine_Get").increment();
    let text = text(&metrics);
    assert_eq!(
        series(&text, "portcullis_other_commands_total"),
        ["portcullis_other_commands_total{cmd=\"delBLEntry\"} 1"]
    );
    assert!(text.contains("wforce_commands_total{cmd=\"mine_Get\"} 1\n"));
    assert!(metrics.command_stats().contains(&("delBLEntry".to_owned(), 1)));
    assert!(!metrics.command_stats().iter().any(|(name, _)| name == "f_name"));
}

#[test]
fn answers_of_allow_are_told_apart() {
    let metrics = metrics("wforce");
    for status in [0, 0, 0, -1, -7, 5] {
        metrics.allow_status.policy(status);
    }
    metrics.allow_status.blacklisted();
    metrics.allow_status.whitelisted();
    let counts: Vec<_> =
        metrics.command_stats().into_iter().filter(|(name, _)| name.starts_with("allow_")).collect();
    let expected = [
        ("allow_allowed", 3),
        ("allow_blacklisted", 1),
        ("allow_denied", 3),
        ("allow_tarpitted", 1),
        ("allow_whitelisted", 1),
    ];
    assert_eq!(counts, expected.map(|(name, count)| (name.to_owned(), count)));
    assert_eq!(metrics.stats().denieds, 3);
}

#[test]
fn handler_times_fall_into_their_buckets() {
    let metrics = metrics("wforce");
    for msec in [0, 1, 2, 10, 11, 100, 101, 1000, 1001, 5000] {
        metrics.observe_response(Duration::from_millis(msec));
    }
    let perf: Vec<String> =
        metrics.perf_stats().iter().map(|(name, count)| format!("{name}={count}")).collect();
    assert_eq!(
        perf,
        [
            "WTW_0_1=0",
            "WTW_1_10=0",
            "WTW_10_100=0",
            "WTW_100_1000=0",
            "WTW_Slow=0",
            "WTR_0_1=2",
            "WTR_1_10=2",
            "WTR_10_100=2",
            "WTR_100_1000=2",
            "WTR_Slow=2",
        ]
    );
    assert!(text(&metrics).contains("wforce_worker_response_duration_seconds_bucket{le=\"0.01\"} 4\n"));
}

#[test]
fn only_the_last_300_seconds_count() {
    let metrics = metrics("wforce");
    let report = metrics.command("report");
    let custom = metrics.custom_stat("mine");
    let count = || metrics.command_stats().into_iter().find(|(name, _)| name == "report").unwrap().1;
    metrics.tick(1000);
    report.increment();
    custom.increment();
    metrics.observe_response(Duration::from_secs(2));
    for now in 1001..=1300 {
        metrics.tick(now);
    }
    assert_eq!((count(), metrics.custom_stats()), (1, vec![("mine".to_owned(), 1)]));
    report.increment();
    for now in 1301..=1310 {
        metrics.tick(now);
    }
    assert_eq!((count(), metrics.custom_stats()), (1, vec![("mine".to_owned(), 0)]));
    assert_eq!(metrics.perf_stats()[9], ("WTR_Slow".to_owned(), 0));
    for now in 1311..=1700 {
        metrics.tick(now);
    }
    assert_eq!(count(), 0);
    assert_eq!((metrics.stats().reports, report.total()), (2, 2));
}

#[test]
fn counts_before_the_first_tick_are_counted() {
    let metrics = metrics("wforce");
    metrics.command("report").increment();
    let stats = metrics.stats();
    assert!(stats.commands.contains(&("report".to_owned(), 1)));
    assert_eq!((stats.reports, stats.allows), (1, 0));
}

#[test]
fn a_handle_is_the_same_wherever_it_is_looked_up() {
    let metrics = metrics("wforce");
    metrics.command("allow").increment();
    metrics.command("allow").increment();
    assert_eq!(metrics.stats().allows, 2);
    assert!(text(&metrics).contains("wforce_commands_total{cmd=\"allow\"} 2\n"));
    metrics.custom_stat("a\"b\\").increment();
    assert!(text(&metrics).contains("wforce_custom_stats_total{metric=\"a\\\"b\\\\\"} 1\n"));
}

#[test]
fn the_summary_has_a_line_for_each_kind_of_count() {
    let metrics = metrics("trackalert");
    metrics.command("report").increment();
    metrics.observe_response(Duration::from_millis(5));
    assert_eq!(
        metrics.summary(),
        [
            "perf stats last 300 secs: WTW_0_1=0 WTW_1_10=0 WTW_10_100=0 WTW_100_1000=0 WTW_Slow=0 WTR_0_1=0 \
             WTR_1_10=1 WTR_10_100=0 WTR_100_1000=0 WTR_Slow=0 ",
            "command stats last 300 secs: livez=0 readyz=0 report=1 stats=0 ",
        ]
    );
    metrics.custom_stat("b").increment();
    metrics.custom_stat("a");
    assert_eq!(metrics.summary()[2], "custom stats last 300 secs: a=0 b=1 ");
    assert_eq!(metrics.totals(), (1, 0, 0));
}

#[test]
fn our_own_families() {
    let metrics = metrics("wforce");
    metrics.policy_failed("allow", "time_budget");
    metrics.policy_replaced();
    metrics.set_stats_db_size(7, 4096);
    let text = text(&metrics);
    for line in [
        "portcullis_policy_failures_total{function=\"allow\",kind=\"time_budget\"} 1",
        "portcullis_policy_replaced_total 1",
        "portcullis_stats_db_keys 7",
        "portcullis_stats_db_bytes 4096",
        "portcullis_log_lines_dropped_total 0",
        "portcullis_device_cache_total{result=\"hit\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}");
    }
}
