//! One webhook: what it wants, its request, its counts.

use std::collections::BTreeMap;
use std::time::SystemTime;

use bstr::{BStr, BString};
use bytes::Bytes;
use outbound::{HeaderName, HeaderValue, Method, Request, without_secrets};
use prometheus::IntCounter;

use super::config::{AllowFilter, Config, ConfigError};
use super::event::{Event, EventKind, Fired, ox_protect};
use super::macros;
use super::queue::{Payload, Queue};
use crate::metrics::Metrics;

/// A webhook as the console shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: u32,
    /// A custom hook's name, else empty.
    pub name: BString,
    /// Deliveries that were answered with 2xx.
    pub successes: u64,
    /// Deliveries that failed for good.
    pub failures: u64,
    /// With its macros, without a password in it.
    pub url: String,
    /// The names of its events.
    pub events: Vec<&'static str>,
}

pub(super) struct Hook {
    id: u32,
    /// Of a custom hook.
    name: Option<BString>,
    events: Vec<EventKind>,
    pub config: Config,
    /// The URL as metrics and the console show it.
    shown: String,
    /// What `X-Wforce-Event` says for each event; one value for a custom hook.
    event_name: Option<HeaderValue>,
    pub queue: Queue,
    ok: IntCounter,
    failed: IntCounter,
    dropped: IntCounter,
    pub retried: IntCounter,
}

impl Hook {
    pub(super) fn for_events(
        id: u32,
        events: Vec<EventKind>,
        config: &BTreeMap<BString, BString>,
        metrics: &Metrics,
    ) -> Result<Hook, ConfigError> {
        let config = Config::read(config, &format!("webhook {id}"), false)?;
        Ok(Self::new(id, None, events, config, None, metrics))
    }

    pub(super) fn custom(
        id: u32,
        name: &BStr,
        config: &BTreeMap<BString, BString>,
        metrics: &Metrics,
    ) -> Result<Hook, ConfigError> {
        let label = format!("custom webhook {name}");
        let config = Config::read(config, &label, true)?;
        let event = HeaderValue::from_bytes(name).map_err(|_| ConfigError::Header(label, "its name"))?;
        Ok(Self::new(id, Some(name.to_owned()), Vec::new(), config, Some(event), metrics))
    }

    fn new(
        id: u32,
        name: Option<BString>,
        events: Vec<EventKind>,
        config: Config,
        event_name: Option<HeaderValue>,
        metrics: &Metrics,
    ) -> Hook {
        let shown = without_secrets(&config.url);
        let number = id.to_string();
        let families = &metrics.families;
        let family = if name.is_some() { &families.custom_webhook_events } else { &families.webhook_events };
        let count = |status: &str| family.with_label_values(&[&number, status, &shown]);
        let label = if name.is_some() { format!("custom {id}") } else { number.clone() };
        Hook {
            ok: count("ok"),
            failed: count("error"),
            dropped: families.webhook_dropped.with_label_values(&[&label]),
            retried: families.webhook_retries.with_label_values(&[&label]),
            queue: Queue::new(families.webhook_waiting.with_label_values(&[&label])),
            id,
            name,
            events,
            config,
            shown,
            event_name,
        }
    }

    pub(super) fn events(&self) -> &[EventKind] {
        &self.events
    }

    pub(super) fn name(&self) -> Option<&BString> {
        self.name.as_ref()
    }

    /// `id=1`, or `id=1 (name)` of a custom hook.
    pub(super) fn label(&self) -> String {
        match &self.name {
            None => format!("id={}", self.id),
            Some(name) => format!("id={} ({name})", self.id),
        }
    }

    pub(super) fn fires_on(&self, fired: &Fired) -> bool {
        if !self.events.contains(&fired.event.kind()) {
            return false;
        }
        let (Event::Allow(_, decision), Some(filter)) = (&fired.event, self.config.allow_filter) else {
            return true;
        };
        let AllowFilter { reject, allow, tarpit } = filter;
        match decision.status {
            0 => allow,
            ..0 => reject,
            _ => tarpit,
        }
    }

    pub(super) fn count(&self, fine: bool) {
        if fine { self.ok.inc() } else { self.failed.inc() }
    }

    pub(super) fn count_dropped(&self) {
        self.dropped.inc();
    }

    pub(super) fn row(&self) -> Row {
        Row {
            id: self.id,
            name: self.name.clone().unwrap_or_default(),
            successes: self.ok.get(),
            failures: self.failed.get(),
            url: self.shown.clone(),
            events: self.events.iter().map(|kind| kind.name()).collect(),
        }
    }

    /// What is sent as the body.
    fn body(&self, payload: &Payload) -> Bytes {
        let fired = match payload {
            Payload::Text(text) => return text.clone(),
            Payload::Event(fired) => fired,
        };
        let body = match (&fired.event, &self.config.ox_protect) {
            (Event::Allow(login, _), Some(message)) => ox_protect(login, message),
            _ => fired.json(),
        };
        if self.config.kafka {
            [&b"{\"records\": [{\"value\": "[..], &body, &b"}]}"[..]].concat().into()
        } else {
            body
        }
    }

    /// The request of one delivery, the same for each of its attempts but for the date in its URL.
    pub(super) fn request(&self, payload: &Payload, delivery: &HeaderValue, now: SystemTime) -> Request {
        let config = &self.config;
        let body = self.body(payload);
        let signature = config.signature(&body);
        let event = match payload {
            Payload::Event(fired) => HeaderValue::from_static(fired.event.kind().name()),
            Payload::Text(_) => self.event_name.clone().unwrap_or_else(|| HeaderValue::from_static("")),
        };
        // In wforce's order.
        let headers = [
            ("accept", Some(HeaderValue::from_static("*/*"))),
            ("authorization", config.authorization.clone()),
            ("content-type", Some(config.content_type.clone())),
            ("x-api-key", config.api_key.clone()),
            ("x-wforce-delivery", Some(delivery.clone())),
            ("x-wforce-event", Some(event)),
            ("x-wforce-hookid", Some(HeaderValue::from(self.id))),
            ("x-wforce-signature", signature),
        ];
        let request = Request::new(Method::POST, macros::expand(&config.url, now), body);
        headers.into_iter().fold(request, |request, (name, value)| match value {
            Some(value) => request.header(HeaderName::from_static(name), value),
            None => request,
        })
    }
}
