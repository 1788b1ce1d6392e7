//! The contract (`wit/`) and `wforce.conf` are two names for one surface: every function of the contract can be reached from
//! Lua, and every Lua function that is a policy's business has a home in the contract. (That a component reaches every
//! function of it is the business of `host/wasm`: its bindings are generated from the same files.)
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;
use std::path::Path;

use portcullis_lua::surface::{self, Group};
use wit_parser::{Docs, PackageId, Resolve, TypeDefKind, WorldItem};

/// Where each function of the contract is in Lua. `{Kind}` stands for `IP`, `Netmask`, `Login`, `IPLogin`, `JA3` and
/// `IPJA3`; `Object.field` is a field; what begins with `lua ` is Lua's own.
const HOMES: &[(&str, &[&str])] = &[
    ("request.attribute", &["LoginTuple.attrs"]),
    ("request.attribute-values", &["LoginTuple.attrs_mv"]),
    ("request.attributes", &["LoginTuple.attrs"]),
    ("request.multi-attributes", &["LoginTuple.attrs_mv"]),
    ("request.device-attribute", &["LoginTuple.device_attrs"]),
    ("request.device-attributes", &["LoginTuple.device_attrs"]),
    ("addresses.parse", &["newCA"]),
    ("addresses.text", &["ComboAddress:tostring"]),
    ("addresses.parse-netmask", &["newNetmask"]),
    ("addresses.netmask-text", &["newNetmaskFromCA", "Netmask:toStringNetwork"]),
    ("addresses.is-in", &["newNetmaskGroup", "NetmaskGroup:addMask", "NetmaskGroup:match"]),
    ("stats.open", &["getStringStatsDB"]),
    ("stats.db.name", &["StringStatsDB:twGetName"]),
    ("stats.db.add", &["StringStatsDB:twAdd"]),
    ("stats.db.add-count", &["StringStatsDB:twAdd"]),
    ("stats.db.sub", &["StringStatsDB:twSub"]),
    ("stats.db.get", &["StringStatsDB:twGet"]),
    ("stats.db.get-value", &["StringStatsDB:twGet"]),
    ("stats.db.current", &["StringStatsDB:twGetCurrent"]),
    ("stats.db.windows", &["StringStatsDB:twGetWindows"]),
    (
        "stats.db.batch",
        &["StringStatsDB:twAdd", "StringStatsDB:twSub", "StringStatsDB:twGet", "StringStatsDB:twGetCurrent"],
    ),
    ("stats.db.reset", &["StringStatsDB:twReset"]),
    ("stats.db.reset-field", &["StringStatsDB:twResetField"]),
    ("stats.db.size", &["StringStatsDB:twGetSize"]),
    ("stats.db.address-key", &["StringStatsDB:twGetv4Prefix", "StringStatsDB:twGetv6Prefix"]),
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
    ("webhooks.run", &["runCustomWebHook"]),
    ("alerts.raise", &["alert"]),
    ("metrics.increment", &["incCustomStat"]),
    ("log.write", &["debugLog", "vinfoLog", "infoLog", "warnLog", "errorLog"]),
    ("settings.json", &["lua variables of the configuration"]),
    ("settings.get", &["lua variables of the configuration"]),
    ("clock.now", &["lua os.time"]),
    ("clock.monotonic", &["lua os.clock"]),
    ("random.number", &["lua math.random"]),
    ("random.bytes", &["lua math.random"]),
    ("reports.find", &["reportsFind"]),
    ("reports.find-oldest", &["reportsFindOldest"]),
    ("reports.any", &["reportsAny"]),
    ("reports.any-each", &["reportsAnyEach"]),
    ("reports.newest-each", &["reportsNewestEach"]),
    ("reports.count-each", &["reportsCountEach"]),
    ("reports.distinct-each", &["reportsDistinctEach"]),
    ("reports.seen", &["reportsSeen"]),
    ("reports.first-and-last", &["reportsFirstAndLast"]),
    ("reports.count", &["reportsCount"]),
    ("reports.distinct", &["reportsDistinct"]),
    ("reports.top", &["reportsTop"]),
    ("reports.significant", &["reportsSignificant"]),
    ("reports.histogram", &["reportsHistogram"]),
    ("reports.confirm", &["reportsConfirm"]),
    ("reports.current", &["LoginTuple.report_id"]),
    ("reports.search", &["elasticSearch"]),
];

/// What goes the other way: the host calls it. With the Lua function that sets it.
const HOOKS: &[(&str, &str)] = &[
    ("allow", "setAllow"),
    ("report", "setReport"),
    ("reset", "setReset"),
    ("canonicalize", "setCanonicalize"),
    ("endpoint", "setCustomEndpoint"),
    ("background", "setBackground"),
    // A configuration checks its settings itself.
    ("setup", "lua error()"),
];

/// Topics that set the daemon up, watch it, or are values of the language itself: no capability of a policy.
const NO_CAPABILITIES: &[Group] = &[
    Group::Server,
    Group::Policies,
    Group::Hooks,
    Group::Jobs,
    Group::Replication,
    Group::ReportSinks,
    Group::Redis,
    Group::Console,
];

/// Functions of the other topics that only set the daemon up, or that every language has for its own values.
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
    "ComboAddress:isIPv4",
    "ComboAddress:isIPv6",
    "ComboAddress:isMappedIPv4",
    "NetmaskGroup:size",
    "NetmaskGroup:clear",
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
    "setReportStore",
    "disableCurlHostVerification",
    "setCurlCABundleFile",
    "setCurlClientCertAndKey",
    "setAlertMail",
    "addAlertWebhook",
    "addAlertBlock",
    "setAlertChannels",
    "setAlertDryRun",
    "setAlertLimits",
    "setAlertTemplates",
    "setAlertConfirm",
];

fn expand(name: &str) -> Vec<String> {
    if !name.contains("{Kind}") {
        return vec![name.to_owned()];
    }
    let kinds = ["IP", "Netmask", "Login", "IPLogin", "JA3", "IPJA3"];
    kinds.iter().map(|kind| name.replace("{Kind}", kind)).collect()
}

fn package() -> (Resolve, PackageId) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(path).unwrap();
    (resolve, package)
}

fn contract() -> BTreeSet<String> {
    let (resolve, package) = package();
    let mut functions = BTreeSet::new();
    for (name, id) in &resolve.packages[package].interfaces {
        if HOOKS.iter().any(|(hook, _)| hook == name) {
            continue;
        }
        for function in resolve.interfaces[*id].functions.keys() {
            let function = function.strip_prefix("[method]").unwrap_or(function);
            functions.insert(format!("{name}.{function}"));
        }
    }
    functions
}

fn is_field(name: &str) -> bool {
    surface::FIELDS.iter().any(|field| name == format!("{}.{}", field.object, field.name))
}

#[test]
fn every_function_of_the_contract_has_its_place_in_lua() {
    let listed: BTreeSet<String> = HOMES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(contract(), listed);
    let known: BTreeSet<&str> = surface::entries().map(|entry| entry.name).collect();
    for (name, homes) in HOMES {
        assert!(!homes.is_empty(), "{name}");
        for home in *homes {
            if home.starts_with("lua ") || is_field(home) {
                continue;
            }
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
        assert!(set_up || homes.contains(entry.name), "{} has no home in wit/", entry.name);
    }
}

#[test]
fn every_hook_is_an_interface_that_a_world_exports() {
    let (resolve, package) = package();
    let package = &resolve.packages[package];
    let known: BTreeSet<&str> = surface::entries().map(|entry| entry.name).collect();
    let complete = &resolve.worlds[package.worlds["complete"]];
    let exported = |name: &str| {
        complete.exports.values().any(|item| {
            matches!(item, WorldItem::Interface { id, .. } if resolve.interfaces[*id].name.as_deref() == Some(name))
        })
    };
    for (hook, setter) in HOOKS {
        assert!(exported(hook), "{hook}");
        assert!(package.worlds.contains_key(&format!("only-{hook}")), "{hook}");
        assert!(setter.starts_with("lua ") || known.contains(setter), "{setter}");
    }
}

#[test]
fn every_item_of_the_contract_is_documented() {
    let (resolve, package) = package();
    let package = &resolve.packages[package];
    let told = |docs: &Docs, name: &str| {
        assert!(docs.contents.as_ref().is_some_and(|text| !text.trim().is_empty()), "{name} has no words");
    };
    told(&package.docs, "the package");
    for (name, id) in &package.worlds {
        told(&resolve.worlds[*id].docs, name);
    }
    for (name, id) in &package.interfaces {
        let interface = &resolve.interfaces[*id];
        told(&interface.docs, name);
        for (function, item) in &interface.functions {
            told(&item.docs, &format!("{name}.{function}"));
        }
        for (kind, id) in &interface.types {
            let item = &resolve.types[*id];
            let name = format!("{name}.{kind}");
            match &item.kind {
                // `use`: documented where it is made.
                TypeDefKind::Type(wit_parser::Type::Id(_)) => continue,
                TypeDefKind::Record(record) => {
                    record
                        .fields
                        .iter()
                        .for_each(|field| told(&field.docs, &format!("{name}.{}", field.name)));
                }
                TypeDefKind::Variant(variant) => {
                    variant.cases.iter().for_each(|case| told(&case.docs, &format!("{name}.{}", case.name)));
                }
                TypeDefKind::Enum(kinds) => {
                    kinds.cases.iter().for_each(|case| told(&case.docs, &format!("{name}.{}", case.name)));
                }
                _ => {}
            }
            told(&item.docs, &name);
        }
    }
}
