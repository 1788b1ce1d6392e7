//! The report store.

use super::Kind::{Table, Text, Unsigned, Unsigned64};
use super::{Entry, Group, optional, param};

const G: Group = Group::Reports;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::config(G, "setReportStore", &[param("engine", Text), optional("options", Table)],
        "Keeps every report for weeks, in `\"embedded\"` (a folder on this machine) or `\"elasticsearch\"` (Elasticsearch or \
         OpenSearch). The options are in [the report store](report-store.md). In trackalert reports are taken into it; in wforce its \
         policies can ask it.").not_in_client().start_only().default("no store"),
    Entry::anywhere(G, "reportsFind", &[param("filter", Table), param("limit", Unsigned)],
        "Reports, the newest first, as tables with the fields of a login tuple and `id country city latitude longitude asn as_org \
         device network confirmation`. The filter says which: all of its members must fit (`since before login ip network country city \
         asn device protocol pwhash success policy_reject confirmations attrs`; times are unix seconds). The policy call waits, \
         its thread does not. On failure this and the following functions return nil and the reason.").not_in_client()
        .returns("list of tables, or nil and the reason"),
    Entry::anywhere(G, "reportsFindOldest", &[param("filter", Table), param("limit", Unsigned), optional("after", Table), optional("fields", Table)],
        "The same from the other end: the oldest first, of equal times the one with the lesser `id`. The next page begins behind \
         the last report of this one: `after` is that report, or a table with its `t` and `id`. So a walk through millions of reports \
         reads each once. Cheaper with a list of `fields` (`country city asn device protocol fail_type pwhash`; `city` has the \
         coordinates): then the tables have those and `id t login remote network success policy_reject tls confirmation` only.").not_in_client()
        .returns("list of tables, or nil and the reason"),
    Entry::anywhere(G, "reportsAny", &[param("filter", Table)],
        "Whether there is such a report: cheaper than how many, or when. Reports that their user called bad, or wants forgotten, do \
         not count unless the filter has `confirmations`.").not_in_client()
        .returns("boolean, or nil and the reason"),
    Entry::anywhere(G, "reportsAnyEach", &[param("filters", Table)],
        "As `reportsAny`, for each filter of a list (of at most 1000), in their order. Where each names a `login`, questions together \
         cost far less than one after the other; if one of them fails, all do.").not_in_client()
        .returns("list of booleans, or nil and the reason"),
    Entry::anywhere(G, "reportsNewestEach", &[param("filters", Table)],
        "The newest report of each filter of a list, as a table like those of `reportsFind`; false where there is none.").not_in_client()
        .returns("list of tables, or nil and the reason"),
    Entry::anywhere(G, "reportsCountEach", &[param("filters", Table)],
        "How many reports there are of each filter of a list.").not_in_client()
        .returns("list of numbers, or nil and the reason"),
    Entry::anywhere(G, "reportsDistinctEach", &[param("filters", Table), param("field", Text)],
        "How many different values of a field the reports of each filter of a list have.").not_in_client()
        .returns("list of numbers, or nil and the reason"),
    Entry::anywhere(G, "reportsSeen", &[param("login", Text), param("field", Text), param("value", Text), param("since", Unsigned64)],
        "Whether there is a good report of this login with this value of a field (`ip network country city asn device protocol \
         pwhash`) since then, in unix seconds. Reports that their user called bad, or wants forgotten, do not count.").not_in_client()
        .returns("boolean, or nil and the reason"),
    Entry::anywhere(G, "reportsFirstAndLast", &[param("filter", Table)],
        "When the first and the last such report came: a table with `first` and `last`; nil alone if there is none.").not_in_client()
        .returns("table, nil, or nil and the reason"),
    Entry::anywhere(G, "reportsCount", &[param("filter", Table)],
        "How many such reports there are.").not_in_client().returns("number, or nil and the reason"),
    Entry::anywhere(G, "reportsDistinct", &[param("filter", Table), param("field", Text)],
        "How many different values of a field (`login ip network country city asn device protocol fail_type pwhash`) they \
         have.").not_in_client().returns("number, or nil and the reason"),
    Entry::anywhere(G, "reportsTop", &[param("filter", Table), param("field", Text), param("by", Text), param("limit", Unsigned)],
        "The values of a field with most of something, greatest first: `by` is `reports`, `failures`, `successes`, or another field for \
         its different values. Tables with `value` and `count`.").not_in_client()
        .returns("list of tables, or nil and the reason"),
    Entry::anywhere(G, "reportsSignificant",
        &[param("filter", Table), param("field", Text), param("baseline_since", Unsigned64), param("limit", Unsigned)],
        "The values of a field that are far more frequent in the filter's time than between `baseline_since` and its beginning (the \
         filter needs `since`), five reports at least. Tables with `value count baseline score`.").not_in_client()
        .returns("list of tables, or nil and the reason"),
    Entry::anywhere(G, "reportsHistogram", &[param("filter", Table), param("seconds", Unsigned)],
        "How many there were in each so many seconds, the oldest first, empty ones included; the filter needs `since`. Tables with `t \
         count failures`.").not_in_client().returns("list of tables, or nil and the reason"),
    Entry::anywhere(G, "reportsConfirm", &[param("id", Text), param("confirmation", Text)],
        "Notes what the user said about a report: `none`, `good`, `bad` or `forget`. False if there is no such report.").not_in_client()
        .returns("boolean, or nil and the reason"),
    Entry::anywhere(G, "elasticSearch", &[param("index", Text), param("json", Text)],
        "A search in Elasticsearch's own JSON. An embedded store ignores the index and understands part of the language.").not_in_client()
        .returns("string with JSON, or nil and the reason"),
];
