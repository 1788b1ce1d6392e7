//! Which settings of a configuration that is read again wait for a restart.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bstr::BString;
use lua::settings::{Listener, Values};
use valkey::StatsOptions;

/// The functions that set something else now than when the daemon started, and whose settings are only looked at then. The key
/// is not among them: the caller knows which one is in use.
pub fn waiting(before: &Values, now: &Values) -> Vec<Cow<'static, str>> {
    let mut functions = Vec::new();
    let mut note = |function: &'static str, differs: bool| {
        if differs {
            functions.push(function.into());
        }
    };
    // One that lost all of them is warned of on its own.
    note("addListener", !now.listeners.is_empty() && listeners(before) != listeners(now));
    note("controlSocket", before.control != now.control);
    note("setNumLuaStates", before.lua_states != now.lua_states);
    note("setNumWorkerThreads", before.worker_threads != now.worker_threads);
    note("setMaxWebserverConns", before.max_connections != now.max_connections);
    note("setPolicyBudget", before.policy_budget != now.policy_budget);
    note("setStateDir", before.state_dir != now.state_dir);
    note("setStateInterval", before.state_interval != now.state_interval);
    note("recordTo", before.record != now.record);
    note("setNumSchedulerThreads", before.scheduler_threads != now.scheduler_threads);
    note("setReportQueueSize", before.report_queue != now.report_queue);
    note("the blacklist's Redis", before.blacklist_redis != now.blacklist_redis);
    note("the whitelist's Redis", before.whitelist_redis != now.whitelist_redis);
    let (old, new) = (&before.replication, &now.replication);
    note("siblingListener", old.listener != new.listener);
    note("setReplicationCipher", old.cipher != new.cipher);
    note("setSiblingConnectTimeout", old.connect_timeout_ms != new.connect_timeout_ms);
    note("setMaxSiblingQueueSize", old.queue_size != new.queue_size);
    note("setNumSiblingThreads", old.threads != new.threads);
    note("setReliableSessions", old.sessions != new.sessions);
    note("setSessionJournalBytes", old.journal_bytes != new.journal_bytes);
    let (old, new) = (&before.webhooks, &now.webhooks);
    note("setNumWebHookThreads", old.threads != new.threads);
    note("setNumWebHookConnsPerThread", old.connections != new.connections);
    note("setWebHookQueueSize", old.queue_size != new.queue_size);
    note("setWebHookTimeoutSecs", old.timeout_secs != new.timeout_secs);
    note("disableCurlPeerVerification", old.verify_peer != new.verify_peer);
    note("disableCurlHostVerification", old.verify_host != new.verify_host);
    note("setCurlCABundleFile", old.authorities != new.authorities);
    note("setCurlClientCertAndKey", old.client != new.client);
    note("setReportStore", before.report_store != now.report_store);
    // Without their webhooks, which a file that is read again does not add.
    let (old, new) = (&before.alerts, &now.alerts);
    note("setAlertMail", old.mail != new.mail);
    note("addAlertBlock", old.blocks != new.blocks);
    note("setAlertChannels", old.channels != new.channels);
    note("setAlertLimits", old.limits != new.limits);
    note("setAlertTemplates", old.templates != new.templates);
    note("setAlertConfirm", old.confirm != new.confirm);
    // One that is outside now and was not is warned of by the function that makes it.
    let new = outside(now);
    let moved = outside(before).into_iter().filter(|(name, options)| new.get(name) != Some(options));
    functions.extend(moved.map(|(name, _)| format!("where the stats DB {name} keeps its counts").into()));
    functions
}

/// Stats DBs whose counts are in a server. The first call for a name counts.
fn outside(values: &Values) -> BTreeMap<&BString, &StatsOptions> {
    values.remote_stats.iter().rev().map(|(name, options)| (name, options)).collect()
}

/// Addresses and files, wherever the file says so, and in whatever order it has the options.
fn listeners(values: &Values) -> Vec<Listener> {
    let plain = |listener: &Listener| {
        let mut listener = Listener { place: None, ..listener.clone() };
        if let Some(tls) = &mut listener.tls {
            tls.options.sort();
        }
        listener
    };
    values.listeners.iter().map(plain).collect()
}
