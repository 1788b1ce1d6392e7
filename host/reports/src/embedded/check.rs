//! Conditions bound to the columns of a segment.

use std::ops::Range as Span;

use tantivy::columnar::{Column, StrColumn};
use tantivy::{DateTime, DocId};

use super::addresses::Addresses;
use super::columns::Columns;
use super::condition::Condition;
use super::schema::name;
use crate::Range;
use crate::query::has;
use crate::report::attrs_of;

/// Answers for one row.
pub(super) enum Check {
    Always,
    Never,
    /// The ordinal is one of these.
    Ordinals(Column<u64>, Vec<u64>),
    /// There is a value between these.
    Number(Column<u64>, u64, u64),
    Missing(Column<u64>),
    Flag(Column<bool>, bool),
    /// The code of the address is among these.
    Address(Addresses, Span<u32>),
    Time(Column<DateTime>, Range),
    Not(Box<Check>),
    And(Vec<Check>),
    Or(Vec<Check>),
}

impl Check {
    pub(super) fn bind(condition: &Condition, columns: &mut Columns) -> tantivy::Result<Self> {
        Ok(match condition {
            Condition::All => Self::Always,
            Condition::Text(column, any) => {
                let Some(texts) = columns.text(column)? else {
                    return Ok(if any.iter().any(String::is_empty) { Self::Always } else { Self::Never });
                };
                let mut ordinals = Vec::with_capacity(any.len());
                for text in any.iter().filter(|text| !text.is_empty()) {
                    ordinals.extend(columns.ordinal(column, &texts, text)?);
                }
                ordinals.sort_unstable();
                let known = match ordinals.as_slice() {
                    [] => Self::Never,
                    _ => Self::Ordinals(texts.ords().clone(), ordinals),
                };
                if any.iter().any(String::is_empty) {
                    Self::Or(vec![known, Self::Missing(texts.ords().clone())])
                } else {
                    known
                }
            }
            Condition::Number(column, min, max) => match columns.number(column)? {
                Some(column) => Self::Number(column, *min, *max),
                None => Self::Never,
            },
            Condition::Flag(column, is) => match columns.flag(column)? {
                Some(column) => Self::Flag(column, *is),
                None => Self::Never,
            },
            Condition::Address(first, last) => match columns.address()? {
                Some(column) => match column.between(*first, *last) {
                    codes if codes.is_empty() => Self::Never,
                    codes => Self::Address(column, codes),
                },
                None => Self::Never,
            },
            Condition::Time(range) => match columns.time()? {
                Some(column) => {
                    let (min, max) = (column.min_value().into_timestamp_millis(), column.max_value());
                    if range.from <= min && max.into_timestamp_millis() < range.to {
                        Self::Always
                    } else {
                        Self::Time(column, *range)
                    }
                }
                None => Self::Never,
            },
            Condition::Attributes(wanted) => match columns.text(name::ATTRS)? {
                Some(texts) => match attributes(&texts, wanted)? {
                    ordinals if ordinals.is_empty() => Self::Never,
                    ordinals => Self::Ordinals(texts.ords().clone(), ordinals),
                },
                None => Self::Never,
            },
            Condition::Exists(column) => match exists(column, columns)? {
                Some(there) => there,
                None => Self::Never,
            },
            Condition::Or(any) => {
                let mut checks = Vec::with_capacity(any.len());
                for one in any {
                    match Self::bind(one, columns)? {
                        Self::Always => return Ok(Self::Always),
                        Self::Never => {}
                        other => checks.push(other),
                    }
                }
                if checks.is_empty() { Self::Never } else { Self::Or(checks) }
            }
            Condition::Not(inner) => match Self::bind(inner, columns)? {
                Self::Always => Self::Never,
                Self::Never => Self::Always,
                other => Self::Not(Box::new(other)),
            },
            Condition::And(all) => {
                let mut checks = Vec::with_capacity(all.len());
                for one in all {
                    match Self::bind(one, columns)? {
                        Self::Always => {}
                        Self::Never => return Ok(Self::Never),
                        other => checks.push(other),
                    }
                }
                match checks.len() {
                    0 => Self::Always,
                    _ => Self::And(checks),
                }
            }
        })
    }

    pub(super) fn meets(&self, doc: DocId) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Ordinals(column, any) => column.first(doc).is_some_and(|ordinal| match any.as_slice() {
                [one] => ordinal == *one,
                many => many.binary_search(&ordinal).is_ok(),
            }),
            Self::Number(column, min, max) => {
                column.first(doc).is_some_and(|number| (*min..=*max).contains(&number))
            }
            Self::Missing(column) => column.first(doc).is_none(),
            Self::Flag(column, is) => column.first(doc) == Some(*is),
            Self::Address(column, codes) => column.code(doc).is_some_and(|code| codes.contains(&code)),
            Self::Time(column, range) => {
                column.first(doc).is_some_and(|at| range.contains(at.into_timestamp_millis()))
            }
            Self::Not(inner) => !inner.meets(doc),
            Self::And(all) => all.iter().all(|one| one.meets(doc)),
            Self::Or(any) => any.iter().any(|one| one.meets(doc)),
        }
    }
}

/// The ordinals of the texts of attributes that have these values. Every different text of the segment is read: mostly
/// few, as they are kept once for all rows that share them.
fn attributes(texts: &StrColumn, wanted: &[(String, String)]) -> tantivy::Result<Vec<u64>> {
    let mut ordinals = Vec::new();
    let mut stream = texts.dictionary().stream()?;
    while stream.advance() {
        let Ok(object) = serde_json::from_slice(stream.key()) else { continue };
        let (attrs, attrs_mv) = attrs_of(&object);
        if wanted.iter().all(|(key, value)| has(&attrs, &attrs_mv, key, value)) {
            ordinals.push(stream.term_ord());
        }
    }
    Ok(ordinals)
}

/// Whether a row has a value in a column of any type.
fn exists(column: &'static str, columns: &Columns) -> tantivy::Result<Option<Check>> {
    let missing = if let Some(texts) = columns.text(column)? {
        Check::Missing(texts.ords().clone())
    } else if column == name::ASN {
        match columns.number(column)? {
            Some(column) => Check::Missing(column),
            None => return Ok(None),
        }
    } else {
        // The other columns have a value in every row; a text column that is not there has none in any.
        let always = [name::AT, name::REMOTE, name::SUCCESS, name::POLICY_REJECT, name::TLS];
        return Ok(always.contains(&column).then_some(Check::Always));
    };
    Ok(Some(Check::Not(Box::new(missing))))
}
