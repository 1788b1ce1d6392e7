//! How a report lies in a day's index.
//!
//! Everything is in columns: texts once in a dictionary for each segment, numbers in as few bits as they need. Nothing is
//! stored a second time; a report is put together from its columns. Only the user name has an inverted index (documents
//! only, no frequencies or positions): questions about a user are the ones that must not read a whole day.

use std::sync::LazyLock;

use serde_json::{Map, Value};
use tantivy::schema::{
    DateOptions, DateTimePrecision, Field, IndexRecordOption, IpAddrOptions, NumericOptions, Schema,
    SchemaBuilder, TextFieldIndexing, TextOptions,
};
use tantivy::{DateTime, TantivyDocument};

use crate::report::attrs_value;
use crate::{Report, ReportId};

/// Names of columns. Where Elasticsearch documents have the same field, it is called so here, too.
pub(super) mod name {
    pub(crate) const AT: &str = "@timestamp";
    pub(crate) const SEQUENCE: &str = "sequence";
    pub(crate) const NODE: &str = "node";
    pub(crate) const LOGIN: &str = "login";
    pub(crate) const REMOTE: &str = "remote";
    pub(crate) const SUCCESS: &str = "success";
    pub(crate) const POLICY_REJECT: &str = "policy_reject";
    pub(crate) const TLS: &str = "tls";
    pub(crate) const PWHASH: &str = "pwhash";
    pub(crate) const PROTOCOL: &str = "protocol";
    pub(crate) const DEVICE_ID: &str = "device_id";
    pub(crate) const SESSION_ID: &str = "session_id";
    pub(crate) const FAIL_TYPE: &str = "fail_type";
    pub(crate) const ATTRS: &str = "attrs";
    pub(crate) const DEVICE_ATTRS: &str = "device_attrs";
    pub(crate) const DEVICE: &str = "device";
    pub(crate) const COUNTRY: &str = "country";
    pub(crate) const CITY: &str = "city";
    pub(crate) const PLACE: &str = "place";
    pub(crate) const ASN: &str = "asn";
    pub(crate) const AS_ORG: &str = "as_org";
    pub(crate) const CONFIRMATION: &str = "user_confirmation";
}

/// Columns of texts, in the order of [`Fields::texts`].
const TEXTS: [&str; 14] = [
    name::NODE,
    name::PWHASH,
    name::PROTOCOL,
    name::DEVICE_ID,
    name::SESSION_ID,
    name::FAIL_TYPE,
    name::ATTRS,
    name::DEVICE_ATTRS,
    name::DEVICE,
    name::COUNTRY,
    name::CITY,
    name::PLACE,
    name::AS_ORG,
    name::CONFIRMATION,
];

/// Handles of the columns.
pub(super) struct Fields {
    pub(super) schema: Schema,
    pub(super) at: Field,
    pub(super) sequence: Field,
    pub(super) login: Field,
    remote: Field,
    success: Field,
    policy_reject: Field,
    tls: Field,
    asn: Field,
    texts: [Field; 14],
}

/// The same in every day.
pub(super) static FIELDS: LazyLock<Fields> = LazyLock::new(Fields::new);

impl Fields {
    fn new() -> Self {
        let mut builder = SchemaBuilder::default();
        let documents_only = TextFieldIndexing::default()
            .set_tokenizer("raw")
            .set_index_option(IndexRecordOption::Basic)
            .set_fieldnorms(false);
        let column = || TextOptions::default().set_fast("raw");
        let number = || NumericOptions::default().set_fast();
        let at = builder.add_date_field(
            name::AT,
            DateOptions::default().set_fast().set_precision(DateTimePrecision::Milliseconds),
        );
        Self {
            at,
            sequence: builder.add_u64_field(name::SEQUENCE, number()),
            login: builder.add_text_field(name::LOGIN, column().set_indexing_options(documents_only)),
            remote: builder.add_ip_addr_field(name::REMOTE, IpAddrOptions::default().set_fast()),
            success: builder.add_bool_field(name::SUCCESS, number()),
            policy_reject: builder.add_bool_field(name::POLICY_REJECT, number()),
            tls: builder.add_bool_field(name::TLS, number()),
            asn: builder.add_u64_field(name::ASN, number()),
            texts: TEXTS.map(|name| builder.add_text_field(name, column())),
            schema: builder.build(),
        }
    }

    /// The report as columns; empty values take no room. `None` if its id is none of ours.
    pub(super) fn document(&self, report: &Report) -> Option<TantivyDocument> {
        let (at, sequence, node) = report.id.parts()?;
        let mut document = TantivyDocument::new();
        document.add_date(self.at, DateTime::from_timestamp_millis(at));
        document.add_u64(self.sequence, sequence.into());
        if !report.login.is_empty() {
            document.add_text(self.login, &report.login);
        }
        document.add_ip_addr(self.remote, v6(report.remote));
        document.add_bool(self.success, report.success);
        document.add_bool(self.policy_reject, report.policy_reject);
        document.add_bool(self.tls, report.tls);
        if report.asn != 0 {
            document.add_u64(self.asn, report.asn.into());
        }
        let attrs = json(attrs_value(&report.attrs, &report.attrs_mv));
        let device_attrs = json(attrs_value(&report.device_attrs, &Vec::new()));
        let device = report.device();
        let place = json(place(report));
        let texts: [&str; 14] = [
            node,
            &report.pwhash,
            &report.protocol,
            &report.device_id,
            &report.session_id,
            &report.fail_type,
            &attrs,
            &device_attrs,
            &device,
            &report.place.country,
            &report.place.city,
            &place,
            &report.as_org,
            report.confirmation.word(),
        ];
        for (field, text) in self.texts.into_iter().zip(texts) {
            if !text.is_empty() {
                document.add_text(field, text);
            }
        }
        Some(document)
    }
}

/// Whether the store can take it: its id is ours and tells the report's time.
pub(super) fn acceptable(report: &Report) -> bool {
    report.id.parts().is_some_and(|(at, _, _)| at == report.at)
}

/// What a place has beyond country and city: few different ones, so they are one text in the dictionary.
fn place(report: &Report) -> Map<String, Value> {
    let mut object = Map::new();
    let place = &report.place;
    for (key, text) in
        [("name", &place.country_name), ("region", &place.region), ("postal", &place.postal_code)]
    {
        if !text.is_empty() {
            object.insert(key.to_owned(), text.as_str().into());
        }
    }
    if let Some((latitude, longitude)) = place.location {
        object.insert("lat".to_owned(), latitude.into());
        object.insert("lon".to_owned(), longitude.into());
    }
    object
}

fn json(object: Map<String, Value>) -> String {
    if object.is_empty() { String::new() } else { Value::from(object).to_string() }
}

/// The address in the form of its column.
pub(super) fn v6(ip: std::net::IpAddr) -> std::net::Ipv6Addr {
    match ip {
        std::net::IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        std::net::IpAddr::V6(v6) => v6,
    }
}

/// The id of a row.
pub(super) fn id(at: i64, sequence: u64, node: &str) -> ReportId {
    ReportId::from_parts(at, sequence as u32, node)
}
