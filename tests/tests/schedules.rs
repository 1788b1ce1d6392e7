//! Jobs of a real trackalert by the clock: cron lines, time zones, what is left out.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::time::{Duration, Instant};

use portcullis_tests::{Client, Launch, until};
use serde_json::Value;

fn jobs(client: &Client, name: &str) -> Vec<Value> {
    let jobs = client.get("/command/jobs").json();
    jobs["jobs"].as_array().unwrap().iter().filter(|job| job["name"] == name).cloned().collect()
}

/// The zone says when "noon" is.
#[test]
fn the_time_zone_of_a_schedule_moves_its_runs() {
    let daemon = Launch::trackalert(
        r#"
setBackground("utc", function() end)
cronScheduleBackgroundFunc("30 12 * * *", "utc", { timezone = "UTC" })
setBackground("tokyo", function() end)
cronScheduleBackgroundFunc("30 12 * * *", "tokyo", { timezone = "Asia/Tokyo" })
"#,
    )
    // What the machine's zone is does not matter then.
    .env("TZ", "America/New_York")
    .start();
    let next = |name: &str| jobs(&daemon.client(), name)[0]["next"].as_f64().unwrap() as i64 % 86_400;
    assert_eq!(next("utc"), 12 * 3600 + 1800);
    assert_eq!(next("tokyo"), 3 * 3600 + 1800);
}

#[test]
fn cron_lines_fire_and_runs_that_are_left_out_are_counted() {
    let launch = Launch::trackalert(
        r#"
setBackground("by-cron", function() infoLog("cron fired", {}) end)
cronScheduleBackgroundFunc("* * * * *", "by-cron", { timezone = "UTC" })
setBackground("slow", function()
    infoLog("slow began", {})
    while not io.open("go") do os.execute("sleep 0.1") end
end)
intervalScheduleBackgroundFunc("00:00:01", "slow", { deadline = "0:10" })
intervalScheduleBackgroundFunc("00:00:02", "slow", { deadline = "0:10" })
"#,
    );
    let go = launch.folder().join("go");
    let daemon = launch.start();
    let client = daemon.client();
    daemon.log().wait_for("slow began");
    let skipped = |reason: &str| {
        client.metric(&format!("portcullis_job_skipped_total{{job=\"slow\",reason=\"{reason}\"}}"))
    };
    until("a run is left out", || skipped("running").filter(|count| *count >= 1.0));
    std::fs::write(go, "").unwrap();
    // It slept in steps of a tenth of a second, and longer than a second: another schedule was due meanwhile.
    until("its time is told", || {
        client.metric("portcullis_job_last_run_seconds{job=\"slow\"}").filter(|seconds| *seconds > 0.0)
    });
    // A minute begins within a minute; then a busy machine may take its time.
    let deadline = Instant::now() + Duration::from_mins(3);
    while daemon.log().count("cron fired") == 0 {
        assert!(Instant::now() < deadline, "{:#?}", daemon.log().all());
        std::thread::park_timeout(Duration::from_millis(100));
    }
    let job = until("it is told", || {
        jobs(&client, "by-cron").into_iter().find(|job| job["runs"].as_i64() >= Some(1))
    });
    let began = job["last"]["began"].as_f64().unwrap();
    assert!(began % 60.0 < 30.0, "at the beginning of a minute: {began}");
}
