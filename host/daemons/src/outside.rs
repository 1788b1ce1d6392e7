//! Everything outside of the process that a configuration names, for whoever checks it.

use capabilities::Capabilities;
use lua::Settings;
use lua::settings::{Redis, Values};

/// What it is and where, one by one. No passwords, no keys.
pub fn described(capabilities: &Capabilities, settings: &Settings) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    // The daemon that is attached to siblings has them in a table already.
    let siblings: Vec<String> = match settings.cluster() {
        Some(cluster) => cluster.siblings().rows().into_iter().map(|row| row.address).collect(),
        None => settings.read(Values::named).siblings.iter().map(|one| one.target.to_string()).collect(),
    };
    all.extend(siblings.into_iter().map(|address| ("sibling", address)));
    settings.read(|values| of_values(values, &mut all));
    all.extend(without_store(capabilities, settings).into_iter().map(|policy| {
        let text =
            format!("policy \"{policy}\" may ask the report store, but there is none (setReportStore)");
        ("warning", text)
    }));
    let hooks = &capabilities.webhooks;
    all.extend(
        hooks.rows().iter().map(|hook| ("webhook", format!("{} ({})", hook.url, hook.events.join(" ")))),
    );
    all.extend(
        hooks.custom_rows().iter().map(|hook| ("custom webhook", format!("{}: {}", hook.name, hook.url))),
    );
    let sinks = &capabilities.sinks;
    all.extend(sinks.rows().iter().map(|sink| ("report sink", sink.addr.to_string())));
    let named = sinks.named_rows();
    all.extend(named.iter().map(|sink| ("named report sink", format!("{}: {}", sink.name, sink.addr))));
    all.extend(capabilities.reports.described().map(|store| ("report store", store)));
    let files = capabilities.geoip.files();
    all.extend(files.iter().map(|(name, path)| ("GeoIP database", format!("{name}: {}", path.display()))));
    all.extend(capabilities.dns.all().iter().map(|(name, resolver)| {
        let servers: Vec<String> = resolver.servers().iter().map(ToString::to_string).collect();
        let servers = if servers.is_empty() { "no server, finds nothing".into() } else { servers.join(", ") };
        ("resolver", format!("{name}: {servers}"))
    }));
    all.into_iter().map(|(what, place)| (what, without_password(&place))).collect()
}

/// Policies that may ask the report store although the configuration names none: each of their questions fails.
pub(crate) fn without_store(capabilities: &Capabilities, settings: &Settings) -> Vec<String> {
    match capabilities.reports.described() {
        Some(_) => Vec::new(),
        None => settings.read(|values| values.asks_reports.clone()),
    }
}

/// A URL may hold a user and a password.
fn without_password(text: &str) -> String {
    let words = text.split(' ').map(|word| match word.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find('/').unwrap_or(rest.len());
            let host = rest[..end].rfind('@').map_or(0, |at| at + 1);
            format!("{scheme}://{}", &rest[host..])
        }
        None => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn of_values(values: &Values, all: &mut Vec<(&'static str, String)>) {
    let replication = &values.replication;
    all.extend(replication.listener.map(|addr| ("sibling listener", addr.to_string())));
    all.extend(replication.sync_hosts.iter().map(|host| ("sync host", host.url.to_string())));
    let redis = |redis: &Redis| redis.options().map(|options| options.target.to_string());
    all.extend(redis(&values.blacklist_redis).map(|hosts| ("blacklist in Redis", hosts)));
    all.extend(redis(&values.whitelist_redis).map(|hosts| ("whitelist in Redis", hosts)));
    let remote = values.remote_stats.iter();
    all.extend(remote.map(|(name, options)| ("stats DB in Redis", format!("{name}: {}", options.target))));
    if let Some(folder) = &values.state_dir {
        let every = values.state_interval.as_secs();
        all.push(("state", format!("{}, every {every} s", folder.display())));
    }
    all.extend(values.record.iter().map(|(path, _)| ("recording", path.display().to_string())));
    let alerts = &values.alerts;
    let dry = if alerts.dry_run { " (dry run: nothing is sent)" } else { "" };
    all.extend(alerts.mail.iter().map(|mail| ("alert by mail", format!("{}{dry}", mail.host))));
    all.extend(alerts.webhooks.iter().map(|name| ("alert by webhook", format!("{name}{dry}"))));
    all.extend(
        alerts
            .blocks
            .iter()
            .map(|block| ("alert by blacklist", format!("{}: {}{dry}", block.name, block.url))),
    );
    all.extend(alerts.unheard().iter().map(|policy| {
        let text = format!("policy \"{policy}\" may raise alerts, but there is no channel to tell anybody");
        ("warning", text)
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_shown_without_their_passwords() {
        for (text, shown) in [
            (
                "elasticsearch, at https://u:p@a:9200, http://b/x@y",
                "elasticsearch, at https://a:9200, http://b/x@y",
            ),
            ("joe@example.com", "joe@example.com"),
            ("http://u:p@[::1]:80", "http://[::1]:80"),
        ] {
            assert_eq!(without_password(text), shown);
        }
    }
}
