//! Families of trackalert, and of the report store.

use super::Prefixed;
use crate::metrics::store::StoreMetrics;
use crate::metrics::track::{JobMetrics, ReportMetrics};

/// What trackalert counts.
pub(super) fn track(ours: &Prefixed<'_>) -> Result<(ReportMetrics, JobMetrics), prometheus::Error> {
    let reports = ReportMetrics {
        waiting: ours.gauge("reports_waiting", "Reports that were taken and are not processed yet")?,
        waiting_bytes: ours.gauge("reports_waiting_bytes", "Memory of the reports that wait")?,
        refused: ours.counter("reports_refused_total", "Reports refused because too many waited")?,
        processed: ours.counter("reports_processed_total", "Reports that were processed")?,
        lost: ours.counter(
            "reports_lost_total",
            "Reports that were taken and could not be processed before the daemon ended",
        )?,
    };
    let jobs = JobMetrics {
        runs: ours.counters("job_runs_total", &["job", "result"], "Runs of a background function")?,
        skipped: ours.counters("job_skipped_total", &["job", "reason"], "Runs that were left out")?,
        running: ours.gauges("job_running", "job", "Runs going on")?,
        seconds: ours.float_gauges("job_last_run_seconds", "job", "How long the last run took")?,
        last_success: ours.float_gauges(
            "job_last_success_timestamp_seconds",
            "job",
            "When the last run ended that did not fail; 0 before",
        )?,
    };
    Ok((reports, jobs))
}

/// What is counted of the report store. The labels keep daemons without one from showing zeros.
pub(super) fn report_store(ours: &Prefixed<'_>) -> Result<StoreMetrics, prometheus::Error> {
    Ok(StoreMetrics {
        taken: ours.counters(
            "report_store_taken_total",
            &["result"],
            "Reports for the report store: stored, refused by it, or not taken because too many waited (full)",
        )?,
        waiting: ours.gauges("report_store_waiting", "engine", "Reports that wait to be stored")?,
        reports: ours.gauges("report_store_reports", "engine", "Reports in the store")?,
        bytes: ours.gauges("report_store_bytes", "engine", "Bytes of the store on disk")?,
        days: ours.gauges("report_store_days", "engine", "Daily indexes of the store")?,
        broken: ours.gauges("report_store_broken_days", "engine", "Daily indexes that were set aside as broken")?,
        ready: ours.gauges("report_store_ready", "engine", "1 while the store takes reports and answers")?,
        retries: ours.gauges("report_store_retries", "engine", "Requests to the store that had to be repeated")?,
        queries: ours.counters("report_queries_total", &["query", "result"], "Questions to the report store")?,
        seconds: ours.histograms("report_query_seconds", "query", "Duration of questions to the report store")?,
    })
}
