//! The JSON form of a report: what wforce's report webhook sends, as its documented Logstash pipeline stores it.
//!
//! Added to the webhook's keys are `@timestamp`, `geoip` (with the keys of Logstash's geoip filter) and
//! `user_confirmation`; ours alone are `id`, `network` and `device`, which grouping needs.

use std::net::IpAddr;
use std::sync::Arc;

use bstr::{BString, ByteSlice as _};
use jiff::Timestamp;
use login::{Attrs, MultiAttrs};
use serde_json::{Map, Value, json};

use super::{Confirmation, Place, Report, ReportId};

impl Report {
    /// The report as a JSON object. Unknown parts of the place and empty device attributes are left out.
    pub fn to_document(&self) -> Map<String, Value> {
        let mut document = Map::new();
        let mut put = |key: &str, value: Value| document.insert(key.to_owned(), value);
        put("@timestamp", instant(self.at).into());
        put("type", "wforce_report".into());
        put("id", self.id.as_str().into());
        put("t", json!(self.at as f64 / 1000.0));
        put("login", self.login.as_str().into());
        put("remote", self.remote.to_string().into());
        put("success", self.success.into());
        put("policy_reject", self.policy_reject.into());
        put("tls", self.tls.into());
        put("pwhash", self.pwhash.as_str().into());
        put("protocol", self.protocol.as_str().into());
        put("device_id", self.device_id.as_str().into());
        put("session_id", self.session_id.as_str().into());
        put("fail_type", self.fail_type.as_str().into());
        put("attrs", attrs_value(&self.attrs, &self.attrs_mv).into());
        put("device_attrs", device_value(&self.device_attrs).into());
        put("geoip", self.geoip().into());
        put("network", self.network().to_string().into());
        let device = self.device();
        if !device.is_empty() {
            put("device", device.into());
        }
        put("user_confirmation", self.confirmation.word().into());
        document
    }

    fn geoip(&self) -> Map<String, Value> {
        let mut geoip = Map::new();
        geoip.insert("ip".into(), self.remote.to_string().into());
        let place = &self.place;
        let texts = [
            ("country_code2", &place.country),
            ("country_name", &place.country_name),
            ("region_code", &place.region),
            ("city_name", &place.city),
            ("postal_code", &place.postal_code),
            ("as_org", &self.as_org),
        ];
        for (key, text) in texts {
            if !text.is_empty() {
                geoip.insert(key.into(), text.as_str().into());
            }
        }
        if let Some((latitude, longitude)) = place.location {
            geoip.insert("latitude".into(), json!(latitude));
            geoip.insert("longitude".into(), json!(longitude));
            geoip.insert("location".into(), json!({"lat": latitude, "lon": longitude}));
        }
        if self.asn != 0 {
            geoip.insert("asn".into(), self.asn.into());
        }
        geoip
    }

    /// The report in a document, ours or one of a Logstash pipeline; what is missing is empty. `None` without a time or
    /// an address.
    pub fn from_document(id: ReportId, document: &Map<String, Value>) -> Option<Self> {
        let text = |key: &str| document.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let yes = |key: &str| document.get(key).and_then(Value::as_bool).unwrap_or_default();
        let empty = Map::new();
        let object = |key: &str| document.get(key).and_then(Value::as_object).unwrap_or(&empty);
        let geoip = object("geoip");
        let geo = |key: &str| geoip.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let degrees = |key: &str| geoip.get(key).and_then(Value::as_f64).map(|degrees| degrees as f32);
        let at = match document.get("@timestamp") {
            Some(stamp) => parse_instant(stamp)?,
            None => (document.get("t").and_then(Value::as_f64)? * 1000.0).round() as i64,
        };
        let (attrs, attrs_mv) = attrs_of(object("attrs"));
        Some(Self {
            id,
            at,
            login: text("login"),
            remote: text("remote").parse::<IpAddr>().ok()?.to_canonical(),
            success: yes("success"),
            policy_reject: yes("policy_reject"),
            tls: yes("tls"),
            pwhash: text("pwhash"),
            protocol: text("protocol"),
            device_id: text("device_id"),
            session_id: text("session_id"),
            fail_type: text("fail_type"),
            attrs,
            attrs_mv,
            device_attrs: Arc::new(attrs_of(object("device_attrs")).0),
            place: Place {
                country: geo("country_code2"),
                country_name: geo("country_name"),
                region: geo("region_code"),
                city: geo("city_name"),
                postal_code: geo("postal_code"),
                location: degrees("latitude").zip(degrees("longitude")),
            },
            asn: geoip.get("asn").and_then(number).unwrap_or_default(),
            as_org: geo("as_org"),
            confirmation: Confirmation::from_word(&text("user_confirmation")).unwrap_or_default(),
        })
    }
}

/// Unix milliseconds as RFC 3339 with three digits, in UTC. Times that no calendar has become the nearest one.
pub(crate) fn instant(at: i64) -> String {
    let at = Timestamp::from_millisecond(at).unwrap_or(if at < 0 { Timestamp::MIN } else { Timestamp::MAX });
    format!("{at:.3}")
}

/// Unix milliseconds of an RFC 3339 text, or of a number of milliseconds.
pub(crate) fn parse_instant(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => Some(text.parse::<Timestamp>().ok()?.as_millisecond()),
        other => other.as_i64(),
    }
}

fn number(value: &Value) -> Option<u32> {
    match value {
        Value::String(text) => text.trim_start_matches("AS").parse().ok(),
        other => other.as_u64()?.try_into().ok(),
    }
}

/// Both kinds of attributes in one object. If a key is in both, its list counts, as in wforce's webhooks.
pub(crate) fn attrs_value(attrs: &Attrs, attrs_mv: &MultiAttrs) -> Map<String, Value> {
    let mut object = Map::new();
    for (key, value) in attrs {
        object.insert(lossy(key), lossy(value).into());
    }
    for (key, values) in attrs_mv {
        object.insert(lossy(key), values.iter().map(lossy).collect::<Vec<_>>().into());
    }
    object
}

/// Device attributes without empty ones: Elasticsearch would refuse an empty text where a number is expected.
fn device_value(attrs: &Attrs) -> Map<String, Value> {
    attrs
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| (lossy(key), lossy(value).into()))
        .collect()
}

/// Both kinds of attributes of an object, sorted by key.
pub(crate) fn attrs_of(object: &Map<String, Value>) -> (Attrs, MultiAttrs) {
    let (mut attrs, mut attrs_mv) = (Attrs::new(), MultiAttrs::new());
    for (key, value) in object {
        match value {
            Value::String(text) => attrs.push((key.as_str().into(), text.as_str().into())),
            Value::Array(items) => {
                let items = items.iter().map(|item| item.as_str().unwrap_or_default().into()).collect();
                attrs_mv.push((key.as_str().into(), items));
            }
            // Logstash's template makes versions numbers.
            Value::Number(number) => attrs.push((key.as_str().into(), number.to_string().into())),
            _ => {}
        }
    }
    login::attrs::sort(&mut attrs);
    login::attrs::sort(&mut attrs_mv);
    (attrs, attrs_mv)
}

fn lossy(text: &BString) -> String {
    text.to_str_lossy().into_owned()
}
