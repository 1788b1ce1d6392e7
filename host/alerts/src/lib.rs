//! Alerts: e-mail, webhooks, wforce actions; deduplicated, limited, retried.
#![forbid(unsafe_code)]
