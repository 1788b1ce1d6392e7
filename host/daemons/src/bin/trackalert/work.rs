//! The world of the scheduler: background functions are policy calls.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use capabilities::reports::Lease;
use jiff::Timestamp;
use policy::Chain;
use schedule::{BoxFuture, LastRun, Outcome, Planned, Skip, Work, unix_seconds};

/// Runs background functions.
pub(crate) struct Background {
    chain: Arc<Chain>,
    /// Names this run of this daemon among those that share a store.
    holder: String,
}

/// Leases of other work have other names.
fn lease_name(job: &str) -> String {
    format!("job {job}")
}

impl Background {
    pub(crate) fn new(chain: Arc<Chain>) -> Background {
        let random = RandomState::new().hash_one(std::process::id());
        Background { chain, holder: format!("trackalert {random:016x}") }
    }
}

/// A configuration has these jobs: their metrics are there from now on, and what cannot be had is said.
pub(crate) fn announce(chain: &Chain, planned: &[Planned]) {
    let capabilities = chain.capabilities();
    for job in planned {
        capabilities.metrics.jobs.of(&job.name);
        if job.options.once_per_cluster && !capabilities.reports.shared() {
            capabilities.log.warn(format!(
                "the background function \"{}\" is to run once per cluster, but its report store is not shared (setReportStore \
                 with \"elasticsearch\" makes one that is): it runs on every daemon that has it",
                job.name
            ));
        }
    }
}

/// A run that counts as going on.
struct Running(capabilities::metrics::Job);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.over();
    }
}

impl Work for Background {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn run<'a>(&'a self, job: &'a str, deadline: Duration) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let metrics = self.chain.capabilities().metrics.jobs.of(job);
            metrics.began();
            let _running = Running(metrics);
            self.chain.background(job, deadline).await.map_err(|failure| failure.told().to_string())
        })
    }

    fn lease<'a>(&'a self, job: &'a str, length: Duration) -> BoxFuture<'a, Result<bool, String>> {
        Box::pin(async move {
            let reports = &self.chain.capabilities().reports;
            // Without a store this daemon shares nothing.
            if !reports.is_open() {
                return Ok(true);
            }
            let lease = reports.lease(&lease_name(job), &self.holder, length).await;
            lease.map(|lease| lease == Lease::Held).map_err(|error| error.to_string())
        })
    }

    fn release<'a>(&'a self, job: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let reports = &self.chain.capabilities().reports;
            if reports.is_open()
                && let Err(error) = reports.release(&lease_name(job), &self.holder).await
            {
                // It runs out by itself.
                let text =
                    format!("the lease of the background function {job} cannot be given back: {error}");
                self.chain.capabilities().log.warn(text);
            }
        })
    }

    fn ended(&self, job: &str, run: &LastRun) {
        let capabilities = self.chain.capabilities();
        let well = run.outcome == Outcome::Done;
        capabilities.metrics.jobs.of(job).ended(unix_seconds(Timestamp::now()), run.took, well);
        if capabilities.log.verbose() {
            let how = if well { "done" } else { "failed" };
            capabilities
                .log
                .info(format!("background function {job}: {how} in {:.3} s", run.took.as_secs_f64()));
        }
    }

    fn skipped(&self, job: &str, why: Skip) {
        let capabilities = self.chain.capabilities();
        capabilities.metrics.jobs.skipped(job, why.label());
        if capabilities.log.verbose() {
            capabilities.log.info(format!("background function {job}: a run was left out ({})", why.label()));
        }
    }
}
