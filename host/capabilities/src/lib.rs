//! Everything the host owns and a policy may use, one module each.
//!
//! Plain Rust functions that know neither Lua nor WebAssembly: adapters only convert. Time is an argument (`now`, unix
//! seconds) wherever a result depends on it.
#![forbid(unsafe_code)]

pub mod access;
pub mod alerts;
pub mod clock;
pub mod context;
pub mod custom_stats;
pub mod daemon;
pub mod device;
pub mod dns;
pub mod geoip;
pub mod lists;
pub mod log;
pub mod metrics;
pub mod record;
pub mod reports;
pub mod sinks;
pub mod state;
pub mod stats;
pub mod troubles;
pub mod webhooks;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use access::Access;
pub use alerts::Alerts;
pub use clock::Clock;
pub use context::Context;
pub use custom_stats::CustomStats;
pub use daemon::Daemon;
pub use device::Devices;
pub use dns::Dns;
pub use geoip::GeoIp;
pub use lists::Lists;
pub use log::{Level, Log};
pub use metrics::Metrics;
pub use record::Recorder;
pub use reports::Reports;
pub use sinks::Sinks;
pub use stats::StatsRegistry;
pub use troubles::Troubles;
pub use webhooks::WebHooks;

/// What [`Capabilities::new`] needs to know.
pub struct Options {
    /// Where log lines go.
    pub log: Arc<Log>,
    /// First word of the metric families that exist in wforce: `wforce`, `trackalert` or `replfwd`.
    pub metrics_prefix: String,
    /// A `regexes.yaml` in uap-core's format; `None` takes the one built into the program.
    pub regexes: Option<PathBuf>,
}

/// Why the capabilities could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A metric family could not be registered.
    #[error(transparent)]
    Metrics(#[from] metrics::MetricsError),
    /// The device regexes could not be read.
    #[error(transparent)]
    Regexes(#[from] device::RegexesError),
    /// The stand-in for unknown stats DBs could not be made.
    #[error(transparent)]
    Stats(#[from] statsdb::SchemaError),
}

/// All capabilities of one daemon, shared by everything that serves requests.
pub struct Capabilities {
    /// What time it is.
    pub clock: Clock,
    /// Log lines out.
    pub log: Arc<Log>,
    /// Counters, gauges and histograms.
    pub metrics: Arc<Metrics>,
    /// Stats DBs by name.
    pub stats: StatsRegistry,
    /// Black- and whitelist.
    pub lists: Lists,
    /// GeoIP databases by name.
    pub geoip: GeoIp,
    /// DNS resolvers by name.
    pub dns: Dns,
    /// Device strings to attributes.
    pub devices: Devices,
    /// Counters declared by the configuration.
    pub custom_stats: CustomStats,
    /// Who may talk to the HTTP API.
    pub access: Access,
    /// What happens here, sent to others.
    pub webhooks: Arc<WebHooks>,
    /// Reports as datagrams.
    pub sinks: Sinks,
    /// What policies want somebody to know.
    pub alerts: Alerts,
    /// The long memory.
    pub reports: Arc<Reports>,
    /// What does not work although the daemon serves.
    pub troubles: Arc<Troubles>,
    /// When the next summary is due, unix seconds; 0 before the first tick.
    next_summary: AtomicU64,
}

/// Seconds between two summaries of the counts in the log (wforce compatibility).
const SUMMARY_EVERY: u64 = 300;

impl Capabilities {
    /// Sets everything up, empty.
    ///
    /// # Errors
    /// A broken regexes file, or a metrics prefix that is no metric name.
    pub fn new(options: Options) -> Result<Arc<Self>, StartError> {
        let Options { log, metrics_prefix, regexes } = options;
        let metrics = Arc::new(Metrics::new(&metrics_prefix, &log)?);
        let lists = Lists::default();
        lists.observe(Arc::new(lists::LogObserver::new(Arc::clone(&log))));
        let webhooks = Arc::new(WebHooks::new(Arc::clone(&log), Arc::clone(&metrics)));
        lists.observe(Arc::new(webhooks::ListEvents::new(Arc::clone(&webhooks))));
        let troubles = Arc::new(Troubles::default());
        Ok(Arc::new(Self {
            clock: Clock::default(),
            stats: StatsRegistry::new(Arc::clone(&log))?,
            lists,
            geoip: GeoIp::new(Arc::clone(&log)),
            dns: Dns::new(Arc::clone(&log), &metrics),
            devices: Devices::new(regexes.as_deref(), &metrics)?,
            custom_stats: CustomStats::new(&metrics),
            access: Access::default(),
            webhooks,
            sinks: Sinks::new(Arc::clone(&metrics)),
            alerts: Alerts::default(),
            reports: Arc::new(Reports::new(Arc::clone(&log), &metrics, Arc::clone(&troubles))),
            troubles,
            next_summary: AtomicU64::new(0),
            log,
            metrics,
        }))
    }

    /// The work of one second: expired list entries go, list sizes and other sampled gauges are set, the 300-second counts
    /// advance and are logged when it is time. `now`: unix seconds.
    pub fn tick(&self, now: u64) {
        self.lists.purge(now);
        for (list, colour) in
            [(&self.lists.black, lists::Colour::Black), (&self.lists.white, lists::Colour::White)]
        {
            for kind in lists::Kind::ALL {
                self.metrics.set_list_entries(colour, kind, list.len(kind));
            }
        }
        let dbs = self.stats.all();
        self.metrics.set_stats_db_size(
            dbs.iter().map(stats::Db::len).sum(),
            dbs.iter().map(stats::Db::memory_bytes).sum(),
        );
        self.metrics.tick(now);
        match self.next_summary.load(Ordering::Relaxed) {
            0 => self.next_summary.store(now + SUMMARY_EVERY, Ordering::Relaxed),
            due if due <= now => {
                self.next_summary.store(now + SUMMARY_EVERY, Ordering::Relaxed);
                for line in self.metrics.summary() {
                    self.log.notice(line);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
