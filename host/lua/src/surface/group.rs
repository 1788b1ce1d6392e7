//! The topics that functions belong to.

/// The topics of the reference, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Listeners, access, the control socket, sizes.
    Server,
    /// The functions a policy consists of.
    Hooks,
    /// Background functions and when they run.
    Jobs,
    /// Policies as WebAssembly components.
    Policies,
    /// Stats DBs.
    Stats,
    /// Black- and whitelists.
    Lists,
    /// Addresses, netmasks and groups of them.
    Addresses,
    /// `GeoIP` databases.
    GeoIp,
    /// DNS look-ups.
    Dns,
    /// Log lines and counters.
    Logging,
    /// Siblings and the start-up sync.
    Replication,
    /// Webhooks.
    Webhooks,
    /// Alerts.
    Alerts,
    /// Report sinks.
    ReportSinks,
    /// The report store.
    Reports,
    /// Lists kept in Redis.
    Redis,
    /// What is typed at the console.
    Console,
}

impl Group {
    /// All topics in the order of the reference.
    pub const ALL: [Group; 17] = [
        Group::Server,
        Group::Hooks,
        Group::Jobs,
        Group::Policies,
        Group::Stats,
        Group::Lists,
        Group::Addresses,
        Group::GeoIp,
        Group::Dns,
        Group::Logging,
        Group::Replication,
        Group::Webhooks,
        Group::Alerts,
        Group::ReportSinks,
        Group::Reports,
        Group::Redis,
        Group::Console,
    ];

    /// The heading in the reference.
    pub fn title(self) -> &'static str {
        match self {
            Group::Server => "Server",
            Group::Hooks => "Hooks",
            Group::Jobs => "Background functions",
            Group::Policies => "WebAssembly policies",
            Group::Stats => "Stats DBs",
            Group::Lists => "Black- and whitelists",
            Group::Addresses => "Addresses and netmasks",
            Group::GeoIp => "GeoIP",
            Group::Dns => "DNS",
            Group::Logging => "Logging and counters",
            Group::Replication => "Siblings",
            Group::Webhooks => "Webhooks",
            Group::Alerts => "Alerts",
            Group::ReportSinks => "Report sinks",
            Group::Reports => "Report store",
            Group::Redis => "Lists in Redis",
            Group::Console => "Console",
        }
    }
}
