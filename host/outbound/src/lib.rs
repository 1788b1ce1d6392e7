//! The one HTTP client: webhooks, sync calls, Elasticsearch, alerts.
#![forbid(unsafe_code)]
