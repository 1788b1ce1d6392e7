//! Scheduled jobs: cron and interval schedules, run one at a time, once per cluster.
#![forbid(unsafe_code)]
