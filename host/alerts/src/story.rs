//! What is told about an alert, in the words of templates and webhooks.

use std::fmt::Write as _;

use capabilities::alerts::{Alert, Severity};
use capabilities::{Capabilities, Level};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use crate::memory::Found;
use crate::template::Values;

/// An alert on its way.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) alert: Alert,
    /// Names the telling: the same in each of its attempts.
    pub(crate) id: String,
    /// When it was raised, unix seconds.
    pub(crate) raised: f64,
    /// The report it is about, if it was found.
    pub(crate) found: Option<Found>,
    /// The link of "was this you?".
    pub(crate) confirm: Option<String>,
}

impl Story {
    /// The line that tells of it, whoever else is told.
    pub(crate) fn log(&self, capabilities: &Capabilities, names: &[String]) {
        let Story { alert, id, .. } = self;
        let mut fields = vec![
            ("id".to_owned(), id.clone()),
            ("reason".to_owned(), alert.reason.clone()),
            ("severity".to_owned(), alert.severity.word().to_owned()),
            ("login".to_owned(), alert.login.clone()),
            ("remote".to_owned(), alert.ip.map(|ip| ip.to_string()).unwrap_or_default()),
            ("text".to_owned(), alert.text.clone()),
            ("channels".to_owned(), names.join(",")),
        ];
        fields.extend(alert.fields.iter().cloned());
        let level = if alert.severity == Severity::Info { Level::Info } else { Level::Notice };
        capabilities.log.log_fields(level, b"alert", &fields);
    }

    /// Values for templates; times are of this zone.
    pub(crate) fn values(&self, zone: &TimeZone) -> Values {
        let Story { alert, id, raised, found, confirm } = self;
        let mut values = Values { fields: alert.fields.clone(), ..Values::default() };
        values.set("id", id.as_str());
        values.set("login", alert.login.as_str());
        values.set("reason", alert.reason.as_str());
        values.set("severity", alert.severity.word());
        values.set("text", alert.text.as_str());
        values.set("time", clock(alert.time.unwrap_or(*raised), zone));
        values.set("ip", alert.ip.map(|ip| ip.to_string()).unwrap_or_default());
        values.set("confirm", confirm.as_deref().unwrap_or_default());
        // A field of the policy's stands for what the store does not know, and by its own name.
        for (name, value) in &alert.fields {
            values.texts.entry(name.clone()).or_insert_with(|| value.clone());
        }
        if let Some(found) = found {
            values.set("report", found.id.as_str());
            values.set("country", found.country.as_str());
            values.set("city", found.city.as_str());
            values.set("place", place(found));
            values.set("network", found.network_owner.as_str());
            values.set("device", found.device.as_str());
            values.set("protocol", found.protocol.as_str());
        } else if !values.texts.contains_key("place") {
            let country = values.texts.get("country").cloned().unwrap_or_default();
            values.set("place", country);
        }
        values
    }

    /// The body for webhooks.
    pub(crate) fn json(&self) -> Value {
        let Story { alert, id, raised, found, .. } = self;
        let fields: Map<String, Value> =
            alert.fields.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        let mut body = json!({
            "type": "alert",
            "id": id,
            "t": raised,
            "reason": alert.reason,
            "severity": alert.severity.word(),
            "login": alert.login,
            "remote": alert.ip.map(|ip| ip.to_string()).unwrap_or_default(),
            "text": alert.text,
            "fields": fields,
        });
        if let Some(time) = alert.time {
            body["login_t"] = json!(time);
        }
        if let Some(found) = found {
            body["report"] = json!({
                "id": found.id,
                "country": found.country,
                "city": found.city,
                "network_owner": found.network_owner,
                "device": found.device,
                "protocol": found.protocol,
            });
        }
        body
    }

    /// For the log and wforce's lists: the reason, and what it is about.
    pub(crate) fn subject(alert: &Alert) -> String {
        match (&alert.login, alert.ip) {
            (login, _) if !login.is_empty() => login.clone(),
            (_, Some(ip)) => ip.to_string(),
            _ => String::new(),
        }
    }
}

/// `Delft, Netherlands`.
fn place(found: &Found) -> String {
    let country = if found.country_name.is_empty() { &found.country } else { &found.country_name };
    match (found.city.as_str(), country.as_str()) {
        ("", country) => country.to_owned(),
        (city, "") => city.to_owned(),
        (city, country) => format!("{city}, {country}"),
    }
}

/// `2026-11-26 03:25 CET`.
fn clock(seconds: f64, zone: &TimeZone) -> String {
    let at = Timestamp::from_millisecond((seconds * 1000.0) as i64).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
}

/// Names one telling.
pub(crate) fn id() -> String {
    let mut bytes = [0_u8; 12];
    // Without random numbers TLS would not work either; the id is then not unique, but the alert is told.
    let _ = getrandom::fill(&mut bytes);
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn story() -> Story {
        Story {
            alert: Alert {
                login: "ada".into(),
                reason: "new-country".into(),
                time: Some(1_764_111_265.0),
                fields: vec![("km".into(), "12".into()), ("country".into(), "XX".into())],
                ..Alert::default()
            },
            id: "1".into(),
            raised: 1_764_111_300.0,
            found: None,
            confirm: None,
        }
    }

    #[test]
    fn what_the_store_knows_goes_before_what_the_policy_says() {
        let values = story().values(&TimeZone::UTC).texts;
        assert_eq!((values["time"].as_str(), values["place"].as_str()), ("2025-11-25 22:54 UTC", "XX"));
        let found = Found { country: "NL".into(), city: "Delft".into(), ..Found::default() };
        let values = Story { found: Some(found), ..story() }.values(&TimeZone::UTC).texts;
        assert_eq!((values["country"].as_str(), values["place"].as_str()), ("NL", "Delft, NL"));
        assert_eq!(values["km"], "12");
    }

    #[test]
    fn the_link_is_for_the_user_alone() {
        let story = Story { confirm: Some("https://secret".into()), ..story() };
        let body = story.json();
        assert!(!body.to_string().contains("https://secret"));
        assert_eq!(
            (body["reason"].as_str(), body["fields"]["km"].as_str()),
            (Some("new-country"), Some("12"))
        );
    }
}
