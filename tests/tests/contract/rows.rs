//! Calls that go by tables, and what they have to answer.

/// What a call has to answer.
#[derive(Clone, Copy, Debug)]
pub enum Expected {
    /// Both answer this.
    Same(&'static str),
    /// The component and Lua have forms of their own.
    Each(&'static str, &'static str),
    /// The component alone: an error that Lua has no word for, or what Lua has its own functions for.
    Component(&'static str),
}
use Expected::{Component, Each, Same};

pub type Row = (&'static str, &'static [(&'static str, &'static str)], Expected);

/// On a stats DB `db` with an `int` field `n`, an `hll` field `d` and a `countmin` field `c`, whose keys of addresses are /24 and /128.
pub const COUNTS: &[Row] = &[
    ("stats.open", &[("db", "nobody")], Component("unknown: nobody")),
    ("stats.db.name", &[], Same("db")),
    ("stats.db.windows", &[("key", "nobody"), ("field", "n")], Same("")),
    ("stats.db.add", &[("key", "joe"), ("field", "n"), ("number", "7")], Same("")),
    ("stats.db.sub", &[("key", "joe"), ("field", "n"), ("number", "2")], Same("")),
    ("stats.db.get", &[("key", "joe"), ("field", "n")], Same("5")),
    ("stats.db.add", &[("key", "joe"), ("field", "n"), ("value", "12 apples")], Same("")),
    ("stats.db.current", &[("key", "joe"), ("field", "n")], Same("17")),
    ("stats.db.windows", &[("key", "joe"), ("field", "n")], Same("17 0 0")),
    ("stats.db.get", &[("key", "joe"), ("field", "nothing")], Same("0")),
    ("stats.db.add", &[("key", "joe"), ("field", "d"), ("value", "a")], Same("")),
    ("stats.db.add", &[("key", "joe"), ("field", "d"), ("value", "a")], Same("")),
    ("stats.db.add", &[("key", "joe"), ("field", "d"), ("value-ip", "192.0.2.1")], Same("")),
    ("stats.db.add", &[("key", "joe"), ("field", "d"), ("value", "192.0.2.1")], Same("")),
    ("stats.db.get", &[("key", "joe"), ("field", "d")], Same("2")),
    ("stats.db.current", &[("key", "joe"), ("field", "d"), ("value", "z")], Same("3")),
    ("stats.db.get", &[("key", "joe"), ("field", "d")], Same("2")),
    ("stats.db.add-count", &[("key", "joe"), ("field", "c"), ("value", "x"), ("count", "3")], Same("")),
    ("stats.db.add", &[("key", "joe"), ("field", "c"), ("value", "y")], Same("")),
    ("stats.db.get", &[("key", "joe"), ("field", "c")], Same("4")),
    ("stats.db.get-value", &[("key", "joe"), ("field", "c"), ("value", "x")], Same("3")),
    ("stats.db.get-value", &[("key", "joe"), ("field", "c"), ("value", "never")], Same("0")),
    ("stats.db.current", &[("key", "joe"), ("field", "c"), ("value", "y")], Same("1")),
    ("stats.db.windows", &[("key", "joe"), ("field", "c"), ("value", "x")], Same("3 0 0")),
    (
        "stats.db.batch",
        &[("key", "joe"), ("steps", "add:n:4 sub:n:1 add:n get:n sub:n get:c:x get:d current:n current:d:z")],
        Same("0 0 0 21 0 3 2 20 3"),
    ),
    (
        "stats.db.add",
        &[("key", "joe"), ("field", "n"), ("value", "apples")],
        Component("invalid: the text for an int field must begin with a number of 32 bits"),
    ),
    (
        "stats.db.batch",
        &[("key", "joe"), ("steps", "add:n:5 add:n:word add:n:100")],
        Component("invalid: the text for an int field must begin with a number of 32 bits"),
    ),
    ("stats.db.batch", &[("key", "joe"), ("steps", "get:n"), ("times", "1000")], Component("1000 answers")),
    ("stats.db.get", &[("key", "joe"), ("field", "n")], Component("25")),
    (
        "stats.db.batch",
        &[("key", "joe"), ("steps", "get:n"), ("times", "1001")],
        Component("limit: 1000 steps of a batch"),
    ),
    ("stats.db.reset-field", &[("key", "joe"), ("field", "n")], Same("")),
    ("stats.db.get", &[("key", "joe"), ("field", "n")], Same("0")),
    ("stats.db.get", &[("key", "joe"), ("field", "d")], Same("2")),
    ("stats.db.add", &[("ip", "192.0.2.1"), ("field", "n"), ("number", "1")], Same("")),
    ("stats.db.get", &[("ip", "192.0.2.200"), ("field", "n")], Same("1")),
    ("stats.db.address-key", &[("ip", "192.0.2.200")], Same("192.0.2.0/24")),
    ("stats.db.address-key", &[("ip", "2001:db8::1")], Same("2001:db8::1/128")),
    ("stats.db.size", &[], Same("2")),
    ("stats.db.reset", &[("ip", "192.0.2.7")], Same("")),
    ("stats.db.reset", &[("key", "joe")], Same("")),
    ("stats.db.get", &[("key", "joe"), ("field", "d")], Same("0")),
    ("stats.db.size", &[], Same("2")),
];

/// On a store with six reports of `anna`, `bert` and `carl`, a minute apart.
pub const REPORTS: &[Row] = &[
    ("reports.count", &[], Same("6")),
    ("reports.count", &[("success", "false")], Same("3")),
    ("reports.count", &[("since", "1700000060"), ("before", "1700000120")], Same("1")),
    ("reports.count", &[("network", "198.51.100.0/24"), ("protocol", "imap")], Same("3")),
    ("reports.count", &[("realm", "c")], Same("2")),
    ("reports.count", &[("policy_reject", "true")], Same("0")),
    ("reports.count", &[("pwhash", "p0")], Same("1")),
    ("reports.count", &[("country", "SE")], Same("2")),
    ("reports.count", &[("city", "Linköping")], Same("2")),
    ("reports.count", &[("asn", "12345")], Same("0")),
    ("reports.count", &[("device", "nothing")], Same("0")),
    ("reports.distinct", &[("field", "login")], Same("3")),
    ("reports.distinct", &[("field", "fail_type")], Same("1")),
    (
        "reports.seen",
        &[("login", "anna"), ("field", "ip"), ("value", "89.160.20.112"), ("since", "1600000000")],
        Same("true"),
    ),
    (
        "reports.seen",
        &[("login", "anna"), ("field", "ip"), ("value", "198.51.100.9"), ("since", "1600000000")],
        Same("false"),
    ),
    (
        "reports.seen",
        &[("login", "anna"), ("field", "ip"), ("value", "x"), ("since", "0")],
        Component("invalid: \"x\" is no address"),
    ),
    ("reports.first-and-last", &[("login", "carl")], Same("1700000240 1700000300")),
    ("reports.first-and-last", &[("login", "nobody")], Same("nil")),
    ("reports.top", &[("field", "ip"), ("by", "login"), ("limit", "1")], Same("198.51.100.9 3")),
    ("reports.top", &[("field", "login"), ("by", "failures"), ("limit", "1")], Same("anna 1")),
    ("reports.top", &[("field", "login"), ("by", "successes"), ("limit", "1")], Same("anna 2")),
    ("reports.top", &[("field", "protocol"), ("by", "reports"), ("limit", "3")], Same("imap 6")),
    (
        "reports.significant",
        &[
            ("since", "1700000000"),
            ("before", "1700001000"),
            ("field", "protocol"),
            ("baseline", "1690000000"),
            ("limit", "3"),
        ],
        Same("imap 6 0 true"),
    ),
    (
        "reports.histogram",
        &[("since", "1700000000"), ("before", "1700000300"), ("seconds", "100")],
        Same("1700000000 2 0, 1700000100 2 2, 1700000200 1 1"),
    ),
    (
        "reports.histogram",
        &[("since", "1700000000"), ("seconds", "0")],
        Component("invalid: 0 seconds are no interval of a histogram"),
    ),
    (
        "reports.find",
        &[("login", "anna"), ("limit", "10")],
        Same(
            "1700000120 anna 198.51.100.9 false false imap credentials|||0.000|0.000|0||p2|none, \
             1700000060 anna 89.160.20.112 true false imap |SE|Linköping|58.417|15.617|0||p1|none, \
             1700000000 anna 89.160.20.112 true false imap |SE|Linköping|58.417|15.617|0||p0|none",
        ),
    ),
    (
        "reports.find-oldest",
        &[("login", "anna"), ("limit", "2")],
        Same(
            "1700000000 anna 89.160.20.112 true false imap |SE|Linköping|58.417|15.617|0||p0|none, \
             1700000060 anna 89.160.20.112 true false imap |SE|Linköping|58.417|15.617|0||p1|none",
        ),
    ),
    (
        "reports.find-oldest",
        &[("login", "anna"), ("limit", "10"), ("next", "true")],
        Same(
            "1700000060 anna 89.160.20.112 true false imap |SE|Linköping|58.417|15.617|0||p1|none, \
             1700000120 anna 198.51.100.9 false false imap credentials|||0.000|0.000|0||p2|none",
        ),
    ),
    (
        "reports.find-oldest",
        &[("login", "anna"), ("limit", "1"), ("field", "country")],
        Same("1700000000 anna 89.160.20.112 true false  |SE||0.000|0.000|0|||none"),
    ),
    ("reports.find-oldest", &[("limit", "0")], Component("invalid: a limit of 0 gives no results")),
    ("reports.any", &[("login", "anna"), ("country", "SE")], Same("true")),
    ("reports.any", &[("login", "anna"), ("country", "NL")], Same("false")),
    ("reports.any-each", &[("login", "anna"), ("country", "SE")], Same("true, false")),
    (
        "reports.newest-each",
        &[("login", "anna"), ("success", "false")],
        Same("1700000120 anna 198.51.100.9 false false imap credentials|||0.000|0.000|0||p2|none, none"),
    ),
    ("reports.count-each", &[("success", "false")], Same("3, 0")),
    ("reports.distinct-each", &[("field", "login")], Same("3, 0")),
    ("reports.find", &[("limit", "0")], Component("invalid: a limit of 0 gives no results")),
    ("reports.confirm", &[("id", "nothing"), ("said", "bad")], Same("false")),
    ("reports.confirm", &[("login", "bert"), ("said", "bad")], Same("true")),
    ("reports.count", &[("confirmation", "bad")], Same("1")),
    ("reports.confirm", &[("login", "bert"), ("said", "none")], Same("true")),
    ("reports.count", &[("confirmation", "bad")], Same("0")),
    ("reports.current", &[], Component("nil")),
    (
        "reports.search",
        &[("index", "any"), ("query", "no JSON")],
        Component(
            "invalid: this search cannot be answered: it is no JSON object: expected ident at line 1 column 2",
        ),
    ),
];

/// Addresses and networks as text.
pub const ADDRESSES: &[Row] = &[
    ("addresses.parse", &[("text", "192.0.2.1")], Same("192.0.2.1")),
    ("addresses.parse", &[("text", "::ffff:192.0.2.1")], Each("192.0.2.1", "::ffff:192.0.2.1")),
    ("addresses.parse", &[("text", "2001:DB8:0::1")], Same("2001:db8::1")),
    ("addresses.parse", &[("text", "nowhere")], Component("invalid: \"nowhere\" is no address")),
    ("addresses.text", &[("ip", "2001:db8::1")], Same("2001:db8::1")),
    ("addresses.parse-netmask", &[("text", "192.0.2.7/24")], Same("192.0.2.0/24")),
    ("addresses.parse-netmask", &[("text", "192.0.2.7")], Same("192.0.2.7/32")),
    ("addresses.parse-netmask", &[("text", "1/2/3")], Component("invalid: \"1/2/3\" is no netmask")),
    ("addresses.netmask-text", &[("ip", "192.0.2.7"), ("bits", "200")], Same("192.0.2.7/32")),
    ("addresses.netmask-text", &[("ip", "2001:db8::1"), ("bits", "32")], Same("2001:db8::/32")),
    ("addresses.is-in", &[("ip", "192.0.2.7"), ("networks", "2001:db8::/32 192.0.2.0/24")], Same("true")),
    ("addresses.is-in", &[("ip", "192.0.3.7"), ("networks", "2001:db8::/32 192.0.2.0/24")], Same("false")),
    ("addresses.is-in", &[("ip", "192.0.2.7"), ("networks", "::/0")], Same("false")),
];

const CITY: (&str, &str) = ("db", "city");
const DECODER: (&str, &str) = ("db", "decoder");
const LINKOPING: (&str, &str) = ("ip", "89.160.20.112");
const ONE: (&str, &str) = ("ip", "1.1.1.1");

/// On the databases `city` and `decoder` of `host/capabilities/testdata`.
pub const PLACES: &[Row] = &[
    ("geoip.open", &[("db", "nobody"), ONE], Component("unknown: nobody")),
    ("geoip.database.country", &[CITY, LINKOPING], Same("SE")),
    ("geoip.database.country", &[CITY, ("ip", "192.0.2.1")], Same("")),
    ("geoip.database.city", &[CITY, LINKOPING], Same("SE|Sweden|E|Linköping||EU|58.417|15.617")),
    ("geoip.database.city", &[CITY, ("ip", "192.0.2.1")], Same("||||||0.000|0.000")),
    ("geoip.database.text", &[CITY, LINKOPING, ("path", "country names de")], Same("Schweden")),
    ("geoip.database.text", &[CITY, LINKOPING, ("path", "country nothing")], Same("")),
    ("geoip.database.text", &[DECODER, ONE, ("path", "map mapX utf8_stringX")], Same("hello")),
    ("geoip.database.unsigned", &[DECODER, ONE, ("path", "uint32")], Same("268435456")),
    ("geoip.database.unsigned", &[DECODER, ONE, ("path", "array -1")], Same("3")),
    ("geoip.database.flag", &[DECODER, ONE, ("path", "boolean")], Same("true")),
    ("geoip.database.flag", &[DECODER, ONE, ("path", "uint32")], Same("false")),
    ("geoip.database.double", &[DECODER, ONE, ("path", "double")], Same("42.123")),
    ("geoip.database.double", &[CITY, LINKOPING, ("path", "location longitude")], Same("15.617")),
    ("geoip.database.isp", &[CITY, LINKOPING], Same("")),
];

/// A function with its arguments.
pub type Call = (&'static str, &'static [(&'static str, &'static str)]);

/// What is not granted: a name for the policy, the call, and what the log calls it.
pub const DENIED: &[(&str, Call, &str)] = &[
    ("stats", ("stats.open", &[("db", "db")]), "stats \"db\""),
    (
        "lists",
        ("lists.add", &[("which", "black"), ("kind", "login"), ("login", "joe"), ("seconds", "60")]),
        "lists \"black\"",
    ),
    (
        "lists2",
        ("lists.delete", &[("which", "white"), ("kind", "login"), ("login", "joe")]),
        "lists \"white\"",
    ),
    (
        "lists3",
        ("lists.check", &[("which", "black"), ("kind", "ip"), ("ip", "192.0.2.1")]),
        "lists \"black\"",
    ),
    ("lists4", ("lists.entries", &[("which", "white"), ("kind", "ip"), ("limit", "1")]), "lists \"white\""),
    ("geoip", ("geoip.open", &[("db", "city"), ("ip", "192.0.2.1")]), "geoip \"city\""),
    ("dns", ("dns.open", &[("resolver", "names")]), "dns \"names\""),
    ("webhooks", ("webhooks.run", &[("name", "hook")]), "webhooks \"hook\""),
    ("metrics", ("metrics.increment", &[("name", "mine")]), "metrics \"mine\""),
    ("alerts", ("alerts.raise", &[("reason", "x")]), "alerts \"usual\""),
    ("alerts2", ("alerts.raise", &[("reason", "x"), ("channels", "ops")]), "alerts \"ops\""),
    ("reports", ("reports.count", &[]), "reports"),
];
