//! The contract (`wit/policy.wit`) and `wforce.conf` are two names for one surface: every function of the contract can be
//! reached from Lua, and every Lua function that is a policy's business has a home in the contract.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;
use std::path::Path;

use portcullis_lua::surface::{self, Group};
use wit_parser::Resolve;

/// Where each function of the contract is in Lua. `{Kind}` stands for `IP`, `Netmask`, `Login`, `IPLogin`, `JA3` and
/// `IPJA3`.
const HOMES: &[(&str, &[&str])] = &[
    ("stats.open", &["getStringStatsDB"]),
    ("stats.db.add", &["StringStatsDB:twAdd"]),
    ("stats.db.add-count", &["StringStatsDB:twAdd"]),
    ("stats.db.add-all", &["StringStatsDB:twAdd"]),
    ("stats.db.sub", &["StringStatsDB:twSub"]),
    ("stats.db.get", &["StringStatsDB:twGet"]),
    ("stats.db.get-value", &["StringStatsDB:twGet"]),
    ("stats.db.get-all", &["StringStatsDB:twGet"]),
    ("stats.db.current", &["StringStatsDB:twGetCurrent"]),
    ("stats.db.windows", &["StringStatsDB:twGetWindows"]),
    ("stats.db.reset", &["StringStatsDB:twReset"]),
    ("stats.db.reset-field", &["StringStatsDB:twResetField"]),
    ("stats.db.size", &["StringStatsDB:twGetSize"]),
    ("stats.db.address-key", &["StringStatsDB:twGetv4Prefix", "StringStatsDB:twGetv6Prefix"]),
    ("stats.db.name", &["StringStatsDB:twGetName"]),
    ("lists.add", &["blacklist{Kind}", "whitelist{Kind}"]),
    ("lists.delete", &["unblacklist{Kind}", "unwhitelist{Kind}"]),
    ("lists.check", &["checkBlacklist{Kind}", "checkWhitelist{Kind}"]),
    ("lists.entries", &["get{Kind}Blacklist", "get{Kind}Whitelist"]),
    ("geoip.open", &["getGeoIP2DB"]),
    ("geoip.database.country", &["GeoIP2DB:lookupCountry", "lookupCountry"]),
    ("geoip.database.isp", &["GeoIP2DB:lookupISP", "lookupISP"]),
    ("geoip.database.city", &["GeoIP2DB:lookupCity", "lookupCity"]),
    ("geoip.database.text", &["GeoIP2DB:lookupStringValue"]),
    ("geoip.database.unsigned", &["GeoIP2DB:lookupUIntValue"]),
    ("geoip.database.flag", &["GeoIP2DB:lookupBoolValue"]),
    ("geoip.database.double", &["GeoIP2DB:lookupDoubleValue"]),
    ("dns.open", &["getDNSResolver"]),
    ("dns.resolver.addresses", &["Resolver:lookupAddrByName"]),
    ("dns.resolver.names", &["Resolver:lookupNameByAddr"]),
    ("dns.resolver.rbl", &["Resolver:lookupRBL"]),
    ("log.write", &["debugLog", "vinfoLog", "infoLog", "warnLog", "errorLog"]),
    ("log.count", &["incCustomStat"]),
    ("webhooks.run", &["runCustomWebHook"]),
];

/// Topics that set the daemon up, watch it, or are values of the language itself: no capability of a policy.
const NO_CAPABILITIES: &[Group] = &[
    Group::Server,
    Group::Hooks,
    Group::Addresses,
    Group::Replication,
    Group::ReportSinks,
    Group::Redis,
    Group::Console,
];

/// Functions of the other topics that only set the daemon up.
const SET_UP: &[&str] = &[
    "newStringStatsDB",
    "newShardedStringStatsDB",
    "setHLLBits",
    "setCountMinBits",
    "StringStatsDB:twSetMaxSize",
    "StringStatsDB:twSetMaxBytes",
    "StringStatsDB:twSetv4Prefix",
    "StringStatsDB:twSetv6Prefix",
    "StringStatsDB:twEnableReplication",
    "StringStatsDB:twSetExpireSleep",
    "disableBuiltinBlacklists",
    "disableBuiltinWhitelists",
    "setBlacklist{Kind}RetMsg",
    "getBlacklist{Kind}RetMsg",
    "newGeoIP2DB",
    "initGeoIPDB",
    "initGeoIPCityDB",
    "initGeoIPISPDB",
    "reloadGeoIPDBs",
    "newDNSResolver",
    "Resolver:addResolver",
    "Resolver:setRequestTimeout",
    "Resolver:setNumContexts",
    "addCustomStat",
    "setNumWebHookThreads",
    "setNumWebHookConnsPerThread",
    "setWebHookQueueSize",
    "setWebHookTimeoutSecs",
    "addWebHook",
    "addCustomWebHook",
    "disableCurlPeerVerification",
    "disableCurlHostVerification",
    "setCurlCABundleFile",
    "setCurlClientCertAndKey",
];

fn expand(name: &str) -> Vec<String> {
    if !name.contains("{Kind}") {
        return vec![name.to_owned()];
    }
    let kinds = ["IP", "Netmask", "Login", "IPLogin", "JA3", "IPJA3"];
    kinds.iter().map(|kind| name.replace("{Kind}", kind)).collect()
}

fn contract() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(path).unwrap();
    let mut functions = BTreeSet::new();
    for (name, id) in &resolve.packages[package].interfaces {
        // Hooks go the other way: the host calls them.
        if name == "hooks" {
            continue;
        }
        for function in resolve.interfaces[*id].functions.keys() {
            let function = function.strip_prefix("[method]").unwrap_or(function);
            functions.insert(format!("{name}.{function}"));
        }
    }
    functions
}

#[test]
fn every_function_of_the_contract_has_its_place_in_lua() {
    let listed: BTreeSet<String> = HOMES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(contract(), listed);
    let known: BTreeSet<&str> = surface::entries().map(|entry| entry.name).collect();
    for (name, homes) in HOMES {
        for home in *homes {
            let found = expand(home).iter().filter(|name| known.contains(name.as_str())).count();
            // Lists have no check, getter or message of their own for netmasks: those of addresses answer for both.
            let enough = if home.contains("{Kind}") { found >= 5 } else { found == 1 };
            assert!(enough, "{name} is not {home} in Lua");
        }
    }
}

#[test]
fn every_lua_function_has_a_home() {
    let homes: BTreeSet<String> =
        HOMES.iter().flat_map(|(_, homes)| *homes).chain(SET_UP).flat_map(|name| expand(name)).collect();
    for entry in surface::entries() {
        let set_up = NO_CAPABILITIES.contains(&entry.group) || entry.console;
        assert!(set_up || homes.contains(entry.name), "{} has no home in wit/policy.wit", entry.name);
    }
}

#[test]
fn policies_export_the_hooks() {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/policy.wit")).unwrap();
    for hook in ["allow", "report", "reset", "canonicalize"] {
        assert!(text.contains(&format!("    {hook}: func(")), "{hook}");
    }
}
