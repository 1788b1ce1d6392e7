//! Black- and whitelists.

use super::Kind::{Addr, Netmask, Text, Unsigned};
use super::{Entry, Group, param};

const G: Group = Group::Lists;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::anywhere(G, "blacklistNetmask", &[param("netmask", Netmask), param("seconds", Unsigned), param("reason", Text)],
        "Denies a network for a number of seconds; the reason is shown by the API. Adding what is listed replaces it.")
        .in_server(),
    Entry::anywhere(G, "blacklistIP", &[param("address", Addr), param("seconds", Unsigned), param("reason", Text)],
        "Denies an address for a number of seconds; the reason is shown by the API. Adding what is listed replaces it.")
        .in_server(),
    Entry::anywhere(G, "blacklistLogin", &[param("login", Text), param("seconds", Unsigned), param("reason", Text)],
        "Denies a login, taken as it is (not canonicalized) for a number of seconds; the reason is shown by the API. Adding what is listed replaces it.")
        .in_server(),
    Entry::anywhere(G, "blacklistIPLogin", &[param("address", Addr), param("login", Text), param("seconds", Unsigned), param("reason", Text)],
        "Denies a login from one address for a number of seconds; the reason is shown by the API. Adding what is listed replaces it.")
        .in_server(),
    Entry::anywhere(G, "blacklistJA3", &[param("ja3", Text), param("seconds", Unsigned), param("reason", Text)],
        "Denies a JA3 hash for a number of seconds; the reason is shown by the API. Adding what is listed replaces it.")
        .in_server(),
    Entry::anywhere(G, "blacklistIPJA3", &[param("address", Addr), param("ja3", Text), param("seconds", Unsigned), param("reason", Text)],
        "Denies a JA3 hash from one address for a number of seconds; the reason is shown by the API. Adding what is listed replaces it.")
        .in_server(),
    Entry::anywhere(G, "unblacklistNetmask", &[param("netmask", Netmask)],
        "Takes a network off the blacklist.")
        .in_server(),
    Entry::anywhere(G, "unblacklistIP", &[param("address", Addr)],
        "Takes an address off the blacklist.")
        .in_server(),
    Entry::anywhere(G, "unblacklistLogin", &[param("login", Text)],
        "Takes a login off the blacklist.")
        .in_server(),
    Entry::anywhere(G, "unblacklistIPLogin", &[param("address", Addr), param("login", Text)],
        "Takes a login from one address off the blacklist.")
        .in_server(),
    Entry::anywhere(G, "unblacklistJA3", &[param("ja3", Text)],
        "Takes a JA3 hash off the blacklist.")
        .in_server(),
    Entry::anywhere(G, "unblacklistIPJA3", &[param("address", Addr), param("ja3", Text)],
        "Takes a JA3 hash from one address off the blacklist.")
        .in_server(),
    Entry::anywhere(G, "checkBlacklistIP", &[param("address", Addr)],
        "Whether an address is on the blacklist. Listed networks count.")
        .in_server().returns("boolean"),
    Entry::anywhere(G, "checkBlacklistLogin", &[param("login", Text)],
        "Whether a login is on the blacklist.")
        .in_server().returns("boolean"),
    Entry::anywhere(G, "checkBlacklistIPLogin", &[param("address", Addr), param("login", Text)],
        "Whether a login from one address is on the blacklist.")
        .in_server().returns("boolean"),
    Entry::anywhere(G, "checkBlacklistJA3", &[param("ja3", Text)],
        "Whether a JA3 hash is on the blacklist.")
        .in_server().returns("boolean"),
    Entry::anywhere(G, "checkBlacklistIPJA3", &[param("address", Addr), param("ja3", Text)],
        "Whether a JA3 hash from one address is on the blacklist.")
        .in_server().returns("boolean"),
    Entry::anywhere(G, "getIPBlacklist", &[],
        "The entries of this kind, oldest first: tables with `ip`, `expiration` (UTC, `2025-Jun-20 15:09:34`) and `reason`.")
        .in_server().returns("list of tables"),
    Entry::anywhere(G, "getLoginBlacklist", &[],
        "The entries of this kind, oldest first: tables with `login`, `expiration` (UTC, `2025-Jun-20 15:09:34`) and `reason`.")
        .in_server().returns("list of tables"),
    Entry::anywhere(G, "getIPLoginBlacklist", &[],
        "The entries of this kind, oldest first: tables with `iplogin`, `expiration` (UTC, `2025-Jun-20 15:09:34`) and `reason`.")
        .in_server().returns("list of tables"),
    Entry::anywhere(G, "getJA3Blacklist", &[],
        "The entries of this kind, oldest first: tables with `ja3`, `expiration` (UTC, `2025-Jun-20 15:09:34`) and `reason`.")
        .in_server().returns("list of tables"),
    Entry::anywhere(G, "getIPJA3Blacklist", &[],
        "The entries of this kind, oldest first: tables with `ipja3`, `expiration` (UTC, `2025-Jun-20 15:09:34`) and `reason`.")
        .in_server().returns("list of tables"),
    Entry::anywhere(G, "whitelistNetmask", &[param("netmask", Netmask), param("seconds", Unsigned), param("reason", Text)],
        "Allows a network for a number of seconds; the reason is shown by the API. Adding what is listed replaces it.")
        .in_server(),
    Entry::anywhere(G, "whitelistIP", &[param("address", Addr), param("seconds", Unsigned), param("reason", Text)],
        "Allows an address for a number of seconds; the reason is shown by the API. Adding what is listed replaces it.")
        .in_server(),
    Entry::anywhere(G, "whitelistLogin", &[param("login", Text), param("seconds", Unsigned), param("reason", Text)],
        "Allows a login, taken as it is (not canonicalized) for a number of seconds; the reason is shown by the API. Adding what is listed replaces it.")
        .in_server(),
    Entry::anywhere(G, "whitelistIPLogin", &[param("address", Addr), param("login", Text), param("seconds", Unsigned), param("reason", Text)],
        "Allows a login from one address for a number of seconds; the reason is shown by the API. Adding what is listed replaces it.")
        .in_server(),
    Entry::anywhere(G, "whitelistJA3", &[param("ja3", Text), param("seconds", Unsigned), param("reason", Text)],
        "Allows a JA3 hash for a number of seconds; the reason is shown by the API. Adding what is listed replaces it.")
        .in_server(),
    Entry::anywhere(G, "whitelistIPJA3", &[param("address", Addr), param("ja3", Text), param("seconds", Unsigned), param("reason", Text)],
        "Allows a JA3 hash from one address for a number of seconds; the reason is shown by the API. Adding what is listed replaces it.")
        .in_server(),
    Entry::anywhere(G, "unwhitelistNetmask", &[param("netmask", Netmask)],
        "Takes a network off the whitelist.")
        .in_server(),
    Entry::anywhere(G, "unwhitelistIP", &[param("address", Addr)],
        "Takes an address off the whitelist.")
        .in_server(),
    Entry::anywhere(G, "unwhitelistLogin", &[param("login", Text)],
        "Takes a login off the whitelist.")
        .in_server(),
    Entry::anywhere(G, "unwhitelistIPLogin", &[param("address", Addr), param("login", Text)],
        "Takes a login from one address off the whitelist.")
        .in_server(),
    Entry::anywhere(G, "unwhitelistJA3", &[param("ja3", Text)],
        "Takes a JA3 hash off the whitelist.")
        .in_server(),
    Entry::anywhere(G, "unwhitelistIPJA3", &[param("address", Addr), param("ja3", Text)],
        "Takes a JA3 hash from one address off the whitelist.")
        .in_server(),
    Entry::anywhere(G, "checkWhitelistIP", &[param("address", Addr)],
        "Whether an address is on the whitelist. Listed networks count.")
        .in_server().returns("boolean"),
    Entry::anywhere(G, "checkWhitelistLogin", &[param("login", Text)],
        "Whether a login is on the whitelist.")
        .in_server().returns("boolean"),
    Entry::anywhere(G, "checkWhitelistIPLogin", &[param("address", Addr), param("login", Text)],
        "Whether a login from one address is on the whitelist.")
        .in_server().returns("boolean"),
    Entry::anywhere(G, "checkWhitelistJA3", &[param("ja3", Text)],
        "Whether a JA3 hash is on the whitelist.")
        .in_server().returns("boolean"),
    Entry::anywhere(G, "checkWhitelistIPJA3", &[param("address", Addr), param("ja3", Text)],
        "Whether a JA3 hash from one address is on the whitelist.")
        .in_server().returns("boolean"),
    Entry::anywhere(G, "getIPWhitelist", &[],
        "The entries of this kind, oldest first: tables with `ip`, `expiration` (UTC, `2025-Jun-20 15:09:34`) and `reason`.")
        .in_server().returns("list of tables"),
    Entry::anywhere(G, "getLoginWhitelist", &[],
        "The entries of this kind, oldest first: tables with `login`, `expiration` (UTC, `2025-Jun-20 15:09:34`) and `reason`.")
        .in_server().returns("list of tables"),
    Entry::anywhere(G, "getIPLoginWhitelist", &[],
        "The entries of this kind, oldest first: tables with `iplogin`, `expiration` (UTC, `2025-Jun-20 15:09:34`) and `reason`.")
        .in_server().returns("list of tables"),
    Entry::anywhere(G, "getJA3Whitelist", &[],
        "The entries of this kind, oldest first: tables with `ja3`, `expiration` (UTC, `2025-Jun-20 15:09:34`) and `reason`.")
        .in_server().returns("list of tables"),
    Entry::anywhere(G, "getIPJA3Whitelist", &[],
        "The entries of this kind, oldest first: tables with `ipja3`, `expiration` (UTC, `2025-Jun-20 15:09:34`) and `reason`.")
        .in_server().returns("list of tables"),
    Entry::config(G, "setBlacklistIPRetMsg", &[param("message", Text)],
        "The message for clients that the blacklist refuses; `{ip}`, `{login}` and `{ja3}` are replaced.")
        .default("Temporarily blacklisted ... - try again later"),
    Entry::anywhere(G, "getBlacklistIPRetMsg", &[],
        "The message set for this kind of entry, with its placeholders.")
        .in_server().returns("string"),
    Entry::config(G, "setBlacklistLoginRetMsg", &[param("message", Text)],
        "The message for clients that the blacklist refuses; `{ip}`, `{login}` and `{ja3}` are replaced.")
        .default("Temporarily blacklisted ... - try again later"),
    Entry::anywhere(G, "getBlacklistLoginRetMsg", &[],
        "The message set for this kind of entry, with its placeholders.")
        .in_server().returns("string"),
    Entry::config(G, "setBlacklistIPLoginRetMsg", &[param("message", Text)],
        "The message for clients that the blacklist refuses; `{ip}`, `{login}` and `{ja3}` are replaced.")
        .default("Temporarily blacklisted ... - try again later"),
    Entry::anywhere(G, "getBlacklistIPLoginRetMsg", &[],
        "The message set for this kind of entry, with its placeholders.")
        .in_server().returns("string"),
    Entry::config(G, "setBlacklistJA3RetMsg", &[param("message", Text)],
        "The message for clients that the blacklist refuses; `{ip}`, `{login}` and `{ja3}` are replaced.")
        .default("Temporarily blacklisted ... - try again later"),
    Entry::anywhere(G, "getBlacklistJA3RetMsg", &[],
        "The message set for this kind of entry, with its placeholders.")
        .in_server().returns("string"),
    Entry::config(G, "setBlacklistIPJA3RetMsg", &[param("message", Text)],
        "The message for clients that the blacklist refuses; `{ip}`, `{login}` and `{ja3}` are replaced.")
        .default("Temporarily blacklisted ... - try again later"),
    Entry::anywhere(G, "getBlacklistIPJA3RetMsg", &[],
        "The message set for this kind of entry, with its placeholders.")
        .in_server().returns("string"),
    Entry::config(G, "disableBuiltinBlacklists", &[], "The built-in blacklists no longer decide logins; a policy can still ask them.")
        .default("enabled"),
    Entry::config(G, "disableBuiltinWhitelists", &[], "The built-in whitelists no longer decide logins; a policy can still ask them.")
        .default("enabled"),
    Entry::config(Group::Redis, "blacklistPersistDB", &[param("host", Text), param("port", Unsigned)], "Keeps the blacklist in this Redis server.").default("memory only"),
    Entry::config(Group::Redis, "blacklistPersistURL", &[param("url", Text), param("options", super::Kind::Map)],
        "The same for servers with TLS, a cluster or sentinels: `redis[s]://[user[:password]@]host[:port][,host[:port]...][/db]`. Options, \
         all of them texts: `cluster` (`\"true\"`), `sentinel` (the name of the service), `username`, `password`, `ca_file`, \
         `cert_file`, `key_file`. See [Redis](redis.md).").default("memory only"),
    Entry::config(Group::Redis, "blacklistRedisUsername", &[param("user", Text)], "User name for that server."),
    Entry::config(Group::Redis, "blacklistRedisPassword", &[param("password", Text)], "Password for that server."),
    Entry::config(Group::Redis, "blacklistPersistReplicated", &[], "Stores entries that siblings sent, too.").default("only local ones"),
    Entry::config(Group::Redis, "blacklistPersistConnectTimeout", &[param("seconds", super::Kind::Int)], "How long a connect may take.").default("1"),
    Entry::config(Group::Redis, "blacklistPersistRWTimeout", &[param("seconds", super::Kind::Int), param("microseconds", super::Kind::Int)], "How long a read or write may take.").default("0, 100000"),
    Entry::config(Group::Redis, "whitelistPersistDB", &[param("host", Text), param("port", Unsigned)], "Keeps the whitelist in this Redis server.").default("memory only"),
    Entry::config(Group::Redis, "whitelistPersistURL", &[param("url", Text), param("options", super::Kind::Map)],
        "The same for servers with TLS, a cluster or sentinels: `redis[s]://[user[:password]@]host[:port][,host[:port]...][/db]`. Options, \
         all of them texts: `cluster` (`\"true\"`), `sentinel` (the name of the service), `username`, `password`, `ca_file`, \
         `cert_file`, `key_file`. See [Redis](redis.md).").default("memory only"),
    Entry::config(Group::Redis, "whitelistRedisUsername", &[param("user", Text)], "User name for that server."),
    Entry::config(Group::Redis, "whitelistRedisPassword", &[param("password", Text)], "Password for that server."),
    Entry::config(Group::Redis, "whitelistPersistReplicated", &[], "Stores entries that siblings sent, too.").default("only local ones"),
    Entry::config(Group::Redis, "whitelistPersistConnectTimeout", &[param("seconds", super::Kind::Int)], "How long a connect may take.").default("1"),
    Entry::config(Group::Redis, "whitelistPersistRWTimeout", &[param("seconds", super::Kind::Int), param("microseconds", super::Kind::Int)], "How long a read or write may take.").default("0, 100000"),
];
