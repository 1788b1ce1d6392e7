//! From the settings to a running cluster: siblings, the client for the start-up sync, the sync itself.

use std::sync::Arc;
use std::time::Duration;

use api::Readiness;
use capabilities::Log;
use cluster::sync::{Host, Plan};
use cluster::{Cluster, StartError};
use lua::Settings;
use outbound::{Client, ClientCertificate, TlsSettings};

/// Starts what the settings say, once the configuration is loaded.
///
/// # Errors
/// The address for siblings cannot be listened on.
pub fn start(cluster: &Cluster, settings: &Settings, log: &Log) -> Result<(), StartError> {
    let (listener, threads) =
        settings.read(|values| (values.replication.listener, values.replication.threads));
    cluster.start(listener, usize::try_from(threads).unwrap_or(1))?;
    match Client::new(&tls(settings)) {
        Ok(client) => cluster.set_client(client),
        Err(error) => log.error(format!("no other server can be called: {error}")),
    }
    Ok(())
}

/// How servers are verified that are called.
fn tls(settings: &Settings) -> TlsSettings {
    settings.read(|values| TlsSettings {
        authorities: values.webhooks.authorities.clone(),
        client: values
            .webhooks
            .client
            .clone()
            .map(|(certificate, key)| ClientCertificate { certificate, key }),
        verify_peer: values.webhooks.verify_peer,
        verify_host: values.webhooks.verify_host,
    })
}

/// Gets the stats DBs from another server, if there is one to ask; the daemon is ready when it has them, when nobody helps,
/// or when the time is up.
///
/// Must be called inside a tokio runtime.
pub fn sync(cluster: &Arc<Cluster>, settings: &Settings, ready: &Arc<Readiness>, log: &Arc<Log>) {
    let password = cluster.context().caps.access.password();
    let password = password.map(|password| password.to_vec()).unwrap_or_default();
    let Some((plan, timeout)) = plan(settings, password) else {
        ready.set();
        return;
    };
    ready.wait("the stats DBs of another server (addSyncHost)");
    tokio::spawn(wait(Arc::clone(cluster), plan, timeout, Arc::clone(ready), Arc::clone(log)));
}

async fn wait(cluster: Arc<Cluster>, plan: Plan, timeout: u32, ready: Arc<Readiness>, log: Arc<Log>) {
    let asked = ask(&cluster, &plan, &log);
    if timeout == 0 {
        if !asked.await {
            ready.set();
        }
        return;
    }
    // The time is for all of it: hosts that are slow to refuse, and one that never says that it is done.
    let end = tokio::time::Instant::now() + Duration::from_secs(timeout.into());
    if let Ok(false) = tokio::time::timeout_at(end, asked).await {
        ready.set();
        return;
    }
    tokio::time::sleep_until(end).await;
    if ready.set() {
        log.warn(format!("sync: not done after {timeout} s: the daemon is ready with what it has"));
    }
}

/// Whether a server sends its stats DBs. If not, that is told.
async fn ask(cluster: &Cluster, plan: &Plan, log: &Log) -> bool {
    let Some(client) = cluster.client() else {
        log.error("sync: no other server can be called: this one begins with empty stats DBs");
        return false;
    };
    let found = cluster::sync::run(cluster.context(), client, plan).await;
    if !found {
        log.warn("sync: no server helps: this one begins with empty stats DBs");
    }
    found
}

fn plan(settings: &Settings, callback_password: Vec<u8>) -> Option<(Plan, u32)> {
    settings.read(|values| {
        let replication = &values.replication;
        // wforce compatibility: the addresses of the last call hold for all.
        let last = replication.sync_hosts.last()?;
        let hosts = replication.sync_hosts.iter();
        let hosts = hosts.map(|host| Host { url: host.url.to_string(), password: host.password.to_vec() });
        let plan = Plan {
            hosts: hosts.collect(),
            min_uptime: replication.min_sync_uptime,
            replication: last.replication,
            callback: last.callback.to_string(),
            callback_password,
        };
        Some((plan, replication.sync_timeout_secs))
    })
}
