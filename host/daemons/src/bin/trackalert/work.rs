//! The world of the scheduler: background functions are policy calls.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use policy::Chain;
use schedule::{BoxFuture, LastRun, Outcome, Planned, Skip, Work, unix_seconds};

/// Runs background functions.
pub(crate) struct Background {
    chain: Arc<Chain>,
}

impl Background {
    pub(crate) fn new(chain: Arc<Chain>) -> Background {
        Background { chain }
    }
}

/// A configuration has these jobs: their metrics are there from now on, and what cannot be had is said.
pub(crate) fn announce(chain: &Chain, planned: &[Planned]) {
    let capabilities = chain.capabilities();
    for job in planned {
        capabilities.metrics.jobs.of(&job.name);
        if job.options.once_per_cluster {
            capabilities.log.warn(format!(
                "the background function \"{}\" is to run once per cluster, but no report store is shared: it runs on every \
                 daemon that has it",
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
            self.chain.background(job, deadline).await.map_err(|failure| failure.to_string())
        })
    }

    fn lease<'a>(&'a self, _: &'a str, _: Duration) -> BoxFuture<'a, Result<bool, String>> {
        // This daemon shares nothing.
        Box::pin(std::future::ready(Ok(true)))
    }

    fn release<'a>(&'a self, _: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
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
