//! Reports put together from their columns.

use std::net::Ipv6Addr;
use std::sync::Arc;

use login::{Attrs, MultiAttrs};
use serde_json::{Map, Value};
use tantivy::columnar::{Column, StrColumn};
use tantivy::{DateTime, DocId};

use super::addresses::Addresses;
use super::columns::needed;
use super::part::Part;
use super::schema::{self, name};
use crate::report::attrs_of;
use crate::{Confirmation, Field, Place, Report};

/// The columns of a segment that make a report.
pub(super) struct Rows {
    at: Column<DateTime>,
    sequence: Column<u64>,
    remote: Addresses,
    success: Column<bool>,
    policy_reject: Column<bool>,
    tls: Column<bool>,
    asn: Option<Column<u64>>,
    texts: [Option<StrColumn>; 14],
}

/// What a column belongs to, if only some fields are wanted.
#[derive(Clone, Copy)]
enum Of {
    /// Every report.
    Report,
    Field(Field),
    /// No field.
    Rest,
}

const TEXTS: [(&str, Of); 14] = [
    (name::NODE, Of::Report),
    (name::LOGIN, Of::Report),
    (name::PWHASH, Of::Field(Field::Pwhash)),
    (name::PROTOCOL, Of::Field(Field::Protocol)),
    (name::DEVICE_ID, Of::Rest),
    (name::SESSION_ID, Of::Rest),
    (name::FAIL_TYPE, Of::Field(Field::FailType)),
    (name::ATTRS, Of::Rest),
    (name::DEVICE_ATTRS, Of::Field(Field::Device)),
    (name::COUNTRY, Of::Field(Field::Country)),
    (name::CITY, Of::Field(Field::City)),
    (name::PLACE, Of::Field(Field::City)),
    (name::AS_ORG, Of::Field(Field::Asn)),
    (name::CONFIRMATION, Of::Report),
];

impl Rows {
    /// Of reports of which these fields are wanted; `None`: everything. See [`Report::keep_only`].
    pub(super) fn open(part: &Part<'_>, fields: Option<&[Field]>) -> tantivy::Result<Self> {
        let columns = part.opened();
        let is_wanted = |of: Of| match (of, fields) {
            (Of::Report, _) | (_, None) => true,
            (Of::Field(field), Some(fields)) => fields.contains(&field),
            (Of::Rest, Some(_)) => false,
        };
        let mut texts = [const { None }; 14];
        for (text, (name, of)) in texts.iter_mut().zip(TEXTS) {
            if is_wanted(of) {
                *text = columns.text(name)?;
            }
        }
        let flag = |name| needed(columns.flag(name)?, name);
        Ok(Self {
            at: needed(columns.time()?, name::AT)?,
            sequence: needed(columns.number(name::SEQUENCE)?, name::SEQUENCE)?,
            remote: needed(columns.address()?, name::REMOTE)?,
            success: flag(name::SUCCESS)?,
            policy_reject: flag(name::POLICY_REJECT)?,
            tls: flag(name::TLS)?,
            asn: if is_wanted(Of::Field(Field::Asn)) { columns.number(name::ASN)? } else { None },
            texts,
        })
    }

    /// One row as a report.
    pub(super) fn report(&self, doc: DocId) -> tantivy::Result<Report> {
        let found = self.reports(&[doc])?.pop();
        found.ok_or_else(|| tantivy::TantivyError::InternalError("a row gave no report".to_owned()))
    }

    /// Rows as reports, in their order. Texts are looked up together: one by one each of them would have to be found in
    /// its dictionary anew, and most are those of many rows.
    pub(super) fn reports(&self, docs: &[DocId]) -> tantivy::Result<Vec<Report>> {
        let mut texts = Vec::with_capacity(TEXTS.len());
        for column in &self.texts {
            texts.push(Texts::of(column.as_ref(), docs)?);
        }
        let objects = |number: usize| -> Vec<Map<String, Value>> {
            let read = |text: &String| serde_json::from_str(text).unwrap_or_default();
            texts.get(number).map(|texts| texts.values.iter().map(read).collect()).unwrap_or_default()
        };
        let attrs: Vec<(Attrs, MultiAttrs)> = objects(7).iter().map(attrs_of).collect();
        let devices: Vec<Arc<Attrs>> = objects(8).iter().map(|object| Arc::new(attrs_of(object).0)).collect();
        let places = objects(11);
        let report = |(row, doc): (usize, &DocId)| {
            let at = self.at.first(*doc).map_or(0, DateTime::into_timestamp_millis);
            let flag = |column: &Column<bool>| column.first(*doc).unwrap_or_default();
            let place_of = |number: usize| texts.get(number).and_then(|texts| texts.place(row));
            let text =
                |number: usize| texts.get(number).and_then(|texts| texts.text(row)).unwrap_or_default();
            let (attrs, attrs_mv) =
                place_of(7).and_then(|place| attrs.get(place)).cloned().unwrap_or_default();
            let place = place_of(11).and_then(|place| places.get(place));
            let value = |key: &str| place.and_then(|place| place.get(key));
            let part = |key: &str| value(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            let degrees = |key: &str| value(key).and_then(Value::as_f64).map(|degrees| degrees as f32);
            Report {
                id: schema::id(at, self.sequence.first(*doc).unwrap_or_default(), text(0)),
                at,
                login: text(1).to_owned(),
                remote: self.remote.first(*doc).unwrap_or(Ipv6Addr::UNSPECIFIED).to_canonical(),
                success: flag(&self.success),
                policy_reject: flag(&self.policy_reject),
                tls: flag(&self.tls),
                pwhash: text(2).to_owned(),
                protocol: text(3).to_owned(),
                device_id: text(4).to_owned(),
                session_id: text(5).to_owned(),
                fail_type: text(6).to_owned(),
                attrs,
                attrs_mv,
                device_attrs: place_of(8).and_then(|place| devices.get(place)).cloned().unwrap_or_default(),
                place: Place {
                    country: text(9).to_owned(),
                    country_name: part("name"),
                    region: part("region"),
                    city: text(10).to_owned(),
                    postal_code: part("postal"),
                    location: degrees("lat").zip(degrees("lon")),
                },
                asn: self.asn.as_ref().and_then(|column| column.first(*doc)).unwrap_or_default() as u32,
                as_org: text(12).to_owned(),
                confirmation: Confirmation::from_word(text(13)).unwrap_or_default(),
            }
        };
        Ok(docs.iter().enumerate().map(report).collect())
    }
}

/// The texts of a column that some rows have.
#[derive(Default)]
struct Texts {
    /// Of each row, in their order, the place of its text; [`NONE`] where it has none.
    places: Vec<u32>,
    /// Each once.
    values: Vec<String>,
}

/// No text.
const NONE: u32 = u32::MAX;

impl Texts {
    fn of(column: Option<&StrColumn>, docs: &[DocId]) -> tantivy::Result<Self> {
        let Some(column) = column else { return Ok(Self::default()) };
        let ordinals: Vec<Option<u64>> = docs.iter().map(|doc| column.ords().first(*doc)).collect();
        let mut occur: Vec<u64> = ordinals.iter().flatten().copied().collect();
        occur.sort_unstable();
        occur.dedup();
        let mut values = Vec::with_capacity(occur.len());
        column.dictionary().sorted_ords_to_term_cb(&occur, |bytes| {
            values.push(String::from_utf8_lossy(bytes).into_owned());
        })?;
        let place = |ordinal: Option<u64>| match ordinal.map(|ordinal| occur.binary_search(&ordinal)) {
            Some(Ok(place)) => place as u32,
            _ => NONE,
        };
        Ok(Self { places: ordinals.into_iter().map(place).collect(), values })
    }

    fn place(&self, row: usize) -> Option<usize> {
        self.places.get(row).filter(|place| **place != NONE).map(|place| *place as usize)
    }

    fn text(&self, row: usize) -> Option<&str> {
        self.place(row).and_then(|place| self.values.get(place)).map(String::as_str)
    }
}
