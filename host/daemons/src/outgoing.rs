//! What goes out beside the answers: webhooks, report sinks, lists in Redis.

use std::sync::Arc;
use std::time::Duration;

use capabilities::Capabilities;
use capabilities::lists::Colour;
use lua::Settings;
use tokio::runtime::Handle;
use valkey::{ListStore, StatsStore};

/// How long webhooks and changes of lists that wait get to be sent at the end.
const LAST_DELIVERIES: Duration = Duration::from_secs(5);
/// How long the start waits for a list that is being loaded, beyond the time that a connect may take. A server that cannot
/// be reached is not waited for any longer.
const LOADING: Duration = Duration::from_secs(1);

/// What was started.
pub struct Outgoing {
    capabilities: Arc<Capabilities>,
    stores: Vec<Arc<ListStore>>,
}

impl Outgoing {
    /// Loads the lists and begins to send, as the configuration says.
    pub async fn start(capabilities: &Arc<Capabilities>, settings: &Settings, runtime: &Handle) -> Outgoing {
        let (webhooks, lists) = settings.read(|values| {
            let lists = [
                (Colour::Black, values.blacklist_redis.options()),
                (Colour::White, values.whitelist_redis.options()),
            ];
            (values.webhooks.options(), lists)
        });
        if let Err(error) = capabilities.webhooks.start(runtime, &webhooks)
            && !(capabilities.webhooks.rows().is_empty() && capabilities.webhooks.custom_rows().is_empty())
        {
            capabilities.log.error(format!("webhooks cannot be sent: {error}"));
        }
        capabilities.sinks.start(runtime);
        let mut stores = Vec::new();
        let mut patience = Duration::ZERO;
        for (colour, options) in lists {
            if let Some(options) = options {
                patience = patience.max(options.connect_timeout + LOADING);
                stores.push(ListStore::start(capabilities, colour, options, runtime));
            }
        }
        let outside = keep_outside(capabilities, settings, runtime);
        for (_, options) in settings.read(|values| values.remote_stats.clone()) {
            patience = patience.max(options.patience());
        }
        let deadline = tokio::time::Instant::now() + patience;
        for store in &outside {
            store.connected(deadline.saturating_duration_since(tokio::time::Instant::now())).await;
        }
        for store in &stores {
            store.loaded(deadline.saturating_duration_since(tokio::time::Instant::now())).await;
        }
        Outgoing { capabilities: capabilities.clone(), stores }
    }

    /// Lets what waits be sent, for a while.
    pub async fn end(&self) {
        let deadline = tokio::time::Instant::now() + LAST_DELIVERIES;
        let left = || deadline.saturating_duration_since(tokio::time::Instant::now());
        let lost = self.capabilities.webhooks.drain(left()).await;
        if lost > 0 {
            self.capabilities.log.warn(format!("{lost} webhook deliveries had to be given up"));
        }
        for store in &self.stores {
            let lost = store.drain(left()).await;
            if lost > 0 {
                self.capabilities.log.warn(format!("{lost} changes of a list did not get to Redis"));
            }
        }
    }
}

/// Keeps the counts of stats DBs in servers where the configuration says so, and they are not kept there already. What was
/// made by a configuration that is read again is not taken back.
pub fn keep_outside(
    capabilities: &Arc<Capabilities>,
    settings: &Settings,
    runtime: &Handle,
) -> Vec<StatsStore> {
    let wanted = settings.read(|values| values.remote_stats.clone());
    let wanted =
        wanted.into_iter().filter_map(|(name, options)| Some((capabilities.stats.get(&name)?, options)));
    wanted.filter_map(|(db, options)| StatsStore::start(capabilities, &db, options, runtime)).collect()
}
