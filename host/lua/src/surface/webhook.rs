//! Webhooks.

use super::Kind::{List, Map, Text, Unsigned, Unsigned64};
use super::{Daemons, Entry, Group, param};

const G: Group = Group::Webhooks;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::config(G, "addWebHook", &[param("events", List), param("config", Map)],
        "POSTs events (`report allow reset addbl delbl expirebl addwl delwl expirewl`) to the `url` of the configuration. Further \
         keys: `secret basic-auth api-key content-type kafka allow_filter ox-protect`, and of our own `retries` and `retry_backoff_ms`; \
         see [Webhooks](webhooks.md). Unknown events are dropped; without a \
         `url` it is logged and left out.").not_in_client().daemons(Daemons::WFORCE),
    Entry::config(G, "addCustomWebHook", &[param("name", Text), param("config", Map)],
        "A webhook that policies run with `runCustomWebHook`; the same configuration.").not_in_client(),
    Entry::anywhere(G, "runCustomWebHook", &[param("name", Text), param("data", Text)],
        "POSTs the data to a custom webhook, off the request's way.").only_in_worker(),
    Entry::config(G, "setNumWebHookThreads", &[param("count", Unsigned)],
        "How many threads send webhooks.").start_only().default("5"),
    Entry::config(G, "setNumWebHookConnsPerThread", &[param("count", Unsigned)],
        "How many connections each of them uses.").start_only().default("10"),
    Entry::config(G, "setWebHookQueueSize", &[param("events", Unsigned)],
        "How many events may wait; beyond that they are dropped.").start_only().default("50000"),
    Entry::config(G, "setWebHookTimeoutSecs", &[param("seconds", Unsigned64)],
        "How long a webhook may take.").start_only().default("2"),
    Entry::config(G, "disableCurlPeerVerification", &[],
        "Accepts any certificate of webhook and sync servers.").default("verified"),
    Entry::config(G, "disableCurlHostVerification", &[],
        "Accepts certificates of webhook and sync servers made for other hosts.").default("verified"),
    Entry::config(G, "setCurlCABundleFile", &[param("file", Text)],
        "Authorities to trust for webhooks and sync, a PEM file.").default("the system's"),
    Entry::config(G, "setCurlClientCertAndKey", &[param("certificate", Text), param("key", Text)],
        "Certificate and key to show to webhook and sync servers, PEM files.").default("none"),
    Entry::config(G, "showWebHooks", &[], "Prints the webhooks.").console().daemons(Daemons::WFORCE),
    Entry::config(G, "showCustomWebHooks", &[], "Prints the custom webhooks.").console(),
];
