//! `trackalert`: the long memory of logins, looked through later and on a schedule.
#![forbid(unsafe_code)]

mod backend;
mod intake;
mod work;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use capabilities::Daemon;
use lua::Settings;
use lua::settings::Values;
use portcullis_daemons::flavour::Flavour;
use portcullis_daemons::program;
use portcullis_daemons::start::Started;
use schedule::{Agenda, Scheduler};

use crate::backend::Track;
use crate::intake::Intake;
use crate::work::{Background, announce};

/// The same as wforce's, for the same reasons.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long reports that wait and background functions that run get at the end. With the requests in flight before and the
/// webhooks after it, less than a service manager's patience.
const LAST_WORK: Duration = Duration::from_secs(10);

/// Takes reports, looks at them afterwards, runs background functions.
struct Trackalert {
    backend: Arc<Track>,
}

impl Flavour for Trackalert {
    const DAEMON: Daemon = Daemon::Trackalert;
    type Backend = Track;

    fn new(started: &Started) -> Result<Trackalert, String> {
        let queue = started.settings.read(|values| values.report_queue);
        let intake = Intake::start(started.chain.clone(), queue, started.runtime.handle());
        let (chain, jobs) = (started.chain.clone(), started.jobs.clone());
        Ok(Trackalert { backend: Arc::new(Track { chain, intake, jobs }) })
    }

    fn backend(&self) -> Arc<Track> {
        self.backend.clone()
    }

    async fn begin(&self, started: &Started) -> Result<(), String> {
        let Started { chain, settings, jobs, runtime, .. } = started;
        let (threads, planned) = settings.read(|values| (values.scheduler_threads, values.planned()));
        // Requests and reports need a Lua state, too.
        let most = chain.executor().engines().saturating_sub(1).max(1);
        let runners = usize::try_from(threads).unwrap_or(1).min(most);
        let work = Arc::new(Background::new(chain.clone()));
        let scheduler = Scheduler::new(Agenda::default(), work, runtime.handle().clone(), runners);
        announce(chain, &planned);
        scheduler.replace(&planned);
        scheduler.start();
        jobs.set(scheduler);
        Ok(())
    }

    fn reloaded(&self, started: &Started, settings: &Settings) {
        if let Some(scheduler) = started.jobs.scheduler() {
            let planned = settings.read(Values::planned);
            announce(&started.chain, &planned);
            scheduler.replace(&planned);
        }
    }

    async fn end(&self, started: &Started) {
        let jobs = async {
            match started.jobs.scheduler() {
                Some(scheduler) => scheduler.stop(LAST_WORK).await,
                None => 0,
            }
        };
        let (jobs, reports) = tokio::join!(jobs, self.backend.intake.finish(LAST_WORK));
        let log = &started.capabilities.log;
        if jobs > 0 {
            log.warn(format!("{jobs} background functions had to be cut off"));
        }
        if reports > 0 {
            log.error(format!("{reports} reports could not be processed before the end"));
        }
    }
}

fn main() -> ExitCode {
    program::main::<Trackalert>()
}
