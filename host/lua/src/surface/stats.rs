//! Stats DBs.

use super::Kind::{Byte, Float, Int, Map, Text, TextOrAddr, Unsigned, Unsigned64};
use super::{Entry, Group, optional, param};

const G: Group = Group::Stats;
const DB: &str = "StringStatsDB";

pub(super) const ENTRIES: &[Entry] = &[
    Entry::config(G, "newStringStatsDB",
        &[param("name", Text), param("window_seconds", Int), param("windows", Int), param("fields", Map),
            optional("options", Map)],
        "Makes a stats DB: per key, each field is counted in a number of time windows. Field types: `int` (a sum), `hll` (how many \
         different values), `countmin` (how often each value). One unknown type leaves the DB without fields. The first DB of a \
         name wins. With the option `backend` its counts are kept in Redis or Valkey for all servers that name it, see \
         [Redis and Valkey](redis.md#stats-dbs)."),
    Entry::config(G, "newShardedStringStatsDB",
        &[
            param("name", Text),
            param("window_seconds", Int),
            param("windows", Int),
            param("fields", Map),
            param("shards", Int),
            optional("options", Map),
        ],
        "The same with a number of shards (0 works as 1). It spreads locks; one shard is fine up to millions of writes a second."),
    Entry::config(G, "setHLLBits", &[param("bits", Unsigned)],
        "Register bits of `hll` fields of DBs made afterwards, 4 to 30 (others are clamped). More bits count large sets more \
         exactly.")
        .default("6"),
    Entry::config(G, "setCountMinBits", &[param("gamma", Float), param("eps", Float)],
        "Shape of `countmin` fields of DBs made afterwards: `gamma` is the probability of a wrong estimate, `eps` its size as a \
         part of all counts. `gamma` must lie between 0 and 1, `eps` between 0.01 and 1, neither 0 nor 1. Mind the order: it is \
         that of wforce's code, not of its manual.")
        .default("0.2, 0.05"),
    Entry::anywhere(G, "getStringStatsDB", &[param("name", Text)],
        "A handle onto a DB. An unknown name gives, with a warning in the log, a DB called `none` without fields: adds to it are \
         ignored, reads give 0. In the file itself, outside of functions, `--check-config` refuses it.")
        .returns("StringStatsDB"),
    Entry::method(G, DB, "StringStatsDB:twAdd",
        &[param("key", TextOrAddr), param("field", Text), param("value", TextOrAddr), optional("count", Int)],
        "Adds to the current window: to an `int` field the integer that `value` begins with (text without one is an error), to \
         an `hll` field the value, to a `countmin` field one occurrence, or `count` of them, of the value. With `count`, other \
         types are left as they are. Numbers are turned into text first. An address as key is its network under the DB's \
         prefixes, as value its plain text. An unknown field is ignored. Of a key, here as everywhere, the first 4096 bytes \
         count."),
    Entry::method(G, DB, "StringStatsDB:twSub", &[param("key", TextOrAddr), param("field", Text), param("value", Text)],
        "Subtracts from the current window of an `int` field; it may go below 0. Other types are left as they are."),
    Entry::method(G, DB, "StringStatsDB:twGet",
        &[param("key", TextOrAddr), param("field", Text), optional("value", TextOrAddr)],
        "All windows together: sum of an `int`, different values of an `hll`, total of a `countmin`. With `value`: how often a \
         `countmin` field saw it, 0 for the other types. 0 for what does not exist.")
        .returns("integer"),
    Entry::method(G, DB, "StringStatsDB:twGetCurrent",
        &[param("key", TextOrAddr), param("field", Text), optional("value", TextOrAddr)],
        "The current window only.")
        .returns("integer"),
    Entry::method(G, DB, "StringStatsDB:twGetWindows",
        &[param("key", TextOrAddr), param("field", Text), optional("value", TextOrAddr)],
        "Each window, the current one first; an empty list for what does not exist.")
        .returns("list of integers"),
    Entry::method(G, DB, "StringStatsDB:twReset", &[param("key", TextOrAddr)],
        "Sets every field of a key to zero. The key stays."),
    Entry::method(G, DB, "StringStatsDB:twResetField", &[param("key", TextOrAddr), param("field", Text)],
        "Sets one field of a key to zero."),
    Entry::method(G, DB, "StringStatsDB:twGetSize", &[], "How many keys there are.").returns("integer"),
    Entry::method(G, DB, "StringStatsDB:twSetMaxSize", &[param("keys", Unsigned)],
        "How many keys are kept; beyond that, those written longest ago go. Divided among the shards.")
        .default("524288"),
    Entry::method(G, DB, "StringStatsDB:twSetMaxBytes", &[param("bytes", Unsigned64)],
        "How many bytes the keys and their counts may take; beyond that, those written longest ago go. Divided among the shards. \
         Not in wforce.")
        .default("4096 for each key of `twSetMaxSize`, at least 16 MiB"),
    Entry::method(G, DB, "StringStatsDB:twSetv4Prefix", &[param("bits", Byte)],
        "IPv4 addresses used as keys count for their network of this size. Keys that exist already stay as they are.")
        .default("32"),
    Entry::method(G, DB, "StringStatsDB:twSetv6Prefix", &[param("bits", Byte)], "The same for IPv6 addresses.")
        .default("128"),
    Entry::method(G, DB, "StringStatsDB:twGetv4Prefix", &[], "The prefix of IPv4 keys.").returns("integer"),
    Entry::method(G, DB, "StringStatsDB:twGetv6Prefix", &[], "The prefix of IPv6 keys.").returns("integer"),
    Entry::method(G, DB, "StringStatsDB:twEnableReplication", &[],
        "Marks the DB as replicated: its changes are sent to the siblings."),
    Entry::method(G, DB, "StringStatsDB:twGetName", &[], "The DB's name.").returns("string"),
    Entry::method(G, DB, "StringStatsDB:twSetExpireSleep", &[param("milliseconds", Unsigned)],
        "Has no effect: nothing sleeps between evictions here.")
        .default("250"),
    Entry::config(G, "showStringStatsDB", &[], "Prints every DB with its windows, sizes and fields.").console(),
];
