//! The report store: typed questions over weeks of logins, embedded or on Elasticsearch.
#![forbid(unsafe_code)]
