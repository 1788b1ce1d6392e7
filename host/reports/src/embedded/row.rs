//! Reports put together from their columns.

use std::net::Ipv6Addr;
use std::sync::Arc;

use serde_json::{Map, Value};
use tantivy::columnar::{Column, StrColumn};
use tantivy::{DateTime, DocId, SegmentReader};

use super::schema::{self, name};
use crate::report::attrs_of;
use crate::{Confirmation, Place, Report};

/// The columns of a segment that make a report.
pub(super) struct Rows {
    at: Column<DateTime>,
    sequence: Column<u64>,
    remote: Column<Ipv6Addr>,
    success: Column<bool>,
    policy_reject: Column<bool>,
    tls: Column<bool>,
    asn: Option<Column<u64>>,
    texts: [Option<StrColumn>; 15],
}

const TEXTS: [&str; 15] = [
    name::NODE,
    name::LOGIN,
    name::PWHASH,
    name::PROTOCOL,
    name::DEVICE_ID,
    name::SESSION_ID,
    name::FAIL_TYPE,
    name::ATTRS,
    name::DEVICE_ATTRS,
    name::COUNTRY,
    name::CITY,
    name::PLACE,
    name::AS_ORG,
    name::CONFIRMATION,
    name::DEVICE,
];

impl Rows {
    pub(super) fn open(segment: &SegmentReader) -> tantivy::Result<Self> {
        let columns = segment.fast_fields();
        let mut texts = [const { None }; 15];
        for (text, name) in texts.iter_mut().zip(TEXTS) {
            *text = columns.str(name)?;
        }
        Ok(Self {
            at: columns.date(name::AT)?,
            sequence: columns.u64(name::SEQUENCE)?,
            remote: columns.ip_addr(name::REMOTE)?,
            success: columns.bool(name::SUCCESS)?,
            policy_reject: columns.bool(name::POLICY_REJECT)?,
            tls: columns.bool(name::TLS)?,
            asn: columns.column_opt::<u64>(name::ASN)?,
            texts,
        })
    }

    fn text(&self, number: usize, doc: DocId) -> tantivy::Result<String> {
        let mut text = String::new();
        if let Some(column) = self.texts.get(number).and_then(Option::as_ref)
            && let Some(ordinal) = column.ords().first(doc)
        {
            column.ord_to_str(ordinal, &mut text)?;
        }
        Ok(text)
    }

    fn object(&self, number: usize, doc: DocId) -> tantivy::Result<Map<String, Value>> {
        Ok(serde_json::from_str(&self.text(number, doc)?).unwrap_or_default())
    }

    pub(super) fn report(&self, doc: DocId) -> tantivy::Result<Report> {
        let at = self.at.first(doc).map_or(0, DateTime::into_timestamp_millis);
        let flag = |column: &Column<bool>| column.first(doc).unwrap_or_default();
        let (attrs, attrs_mv) = attrs_of(&self.object(7, doc)?);
        let place = self.object(11, doc)?;
        let part = |key: &str| place.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let degrees = |key: &str| place.get(key).and_then(Value::as_f64).map(|degrees| degrees as f32);
        Ok(Report {
            id: schema::id(at, self.sequence.first(doc).unwrap_or_default(), &self.text(0, doc)?),
            at,
            login: self.text(1, doc)?,
            remote: self.remote.first(doc).unwrap_or(Ipv6Addr::UNSPECIFIED).to_canonical(),
            success: flag(&self.success),
            policy_reject: flag(&self.policy_reject),
            tls: flag(&self.tls),
            pwhash: self.text(2, doc)?,
            protocol: self.text(3, doc)?,
            device_id: self.text(4, doc)?,
            session_id: self.text(5, doc)?,
            fail_type: self.text(6, doc)?,
            attrs,
            attrs_mv,
            device_attrs: Arc::new(attrs_of(&self.object(8, doc)?).0),
            place: Place {
                country: self.text(9, doc)?,
                country_name: part("name"),
                region: part("region"),
                city: self.text(10, doc)?,
                postal_code: part("postal"),
                location: degrees("lat").zip(degrees("lon")),
            },
            asn: self.asn.as_ref().and_then(|column| column.first(doc)).unwrap_or_default() as u32,
            as_org: self.text(12, doc)?,
            confirmation: Confirmation::from_word(&self.text(13, doc)?).unwrap_or_default(),
        })
    }
}
