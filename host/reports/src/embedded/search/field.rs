//! Fields of Elasticsearch's documents.

use super::super::schema::name;

/// What an index's field is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text(&'static str),
    Number(&'static str),
    Flag(&'static str),
    Address,
    Time,
    /// Unix seconds.
    Seconds,
    /// An attribute.
    Attribute,
}

impl Kind {
    /// What a field of the documents is, with or without `.keyword`.
    pub(super) fn of(field: &str) -> Option<Kind> {
        let field = field.strip_suffix(".keyword").unwrap_or(field);
        Some(match field {
            "login" => Kind::Text(name::LOGIN),
            "pwhash" => Kind::Text(name::PWHASH),
            "protocol" => Kind::Text(name::PROTOCOL),
            "device_id" => Kind::Text(name::DEVICE_ID),
            "session_id" => Kind::Text(name::SESSION_ID),
            "fail_type" => Kind::Text(name::FAIL_TYPE),
            "device" => Kind::Text(name::DEVICE),
            "user_confirmation" => Kind::Text(name::CONFIRMATION),
            "geoip.country_code2" => Kind::Text(name::COUNTRY),
            "geoip.city_name" => Kind::Text(name::CITY),
            "geoip.as_org" => Kind::Text(name::AS_ORG),
            "geoip.asn" => Kind::Number(name::ASN),
            "success" => Kind::Flag(name::SUCCESS),
            "policy_reject" => Kind::Flag(name::POLICY_REJECT),
            "tls" => Kind::Flag(name::TLS),
            "remote" | "geoip.ip" => Kind::Address,
            "@timestamp" => Kind::Time,
            "t" => Kind::Seconds,
            _ if field.starts_with("attrs.") => Kind::Attribute,
            _ => return None,
        })
    }

    /// The column that aggregations read.
    pub(super) fn column(self) -> Option<&'static str> {
        match self {
            Kind::Text(column) | Kind::Number(column) | Kind::Flag(column) => Some(column),
            Kind::Address => Some(name::REMOTE),
            Kind::Time => Some(name::AT),
            Kind::Seconds | Kind::Attribute => None,
        }
    }
}
