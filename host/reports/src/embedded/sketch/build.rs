//! Making a sketch of a segment.

use tantivy::columnar::{Column, StrColumn};
use tantivy::{DocId, SegmentReader};

use super::super::scan::{Deadline, Stop};
use super::super::schema::name;
use super::bloom::Bloom;
use super::{KINDS, Kind, Sketch, hash_of_number, hash_of_text, key, network_bits};

/// Most keys of a filter, and different texts of a column. A filter that would have more is left out. While it is made
/// there are twice as many keys at most: 32 MB.
const MOST: usize = 2_000_000;
/// Rows between two looks at the clock.
const STRIDE: u32 = 1 << 13;

/// Hashes of a column's values.
enum Values {
    /// By the text's number.
    Texts(StrColumn, Vec<u64>),
    Number(Column<u64>),
    Network(Column<std::net::Ipv6Addr>),
    /// Every row has the same.
    One,
    /// No row has any.
    Nothing,
}

impl Values {
    /// `None`: too many to be hashed.
    fn open(kind: Kind, segment: &SegmentReader) -> tantivy::Result<Option<Self>> {
        let columns = segment.fast_fields();
        Ok(match kind {
            Kind::Login => Some(Self::One),
            Kind::Country => Self::texts(columns.str(name::COUNTRY)?)?,
            Kind::Device => Self::texts(columns.str(name::DEVICE)?)?,
            Kind::Asn => Some(columns.column_opt::<u64>(name::ASN)?.map_or(Self::Nothing, Self::Number)),
            Kind::Network => Some(columns.column_opt(name::REMOTE)?.map_or(Self::Nothing, Self::Network)),
        })
    }

    fn texts(column: Option<StrColumn>) -> tantivy::Result<Option<Self>> {
        Ok(match column {
            Some(column) => hashes(&column)?.map(|hashes| Self::Texts(column, hashes)),
            None => Some(Self::Nothing),
        })
    }

    fn hash(&self, doc: DocId) -> Option<u64> {
        match self {
            Self::Texts(column, hashes) => hashes.get(column.ords().first(doc)? as usize).copied(),
            Self::Number(column) => column.first(doc).map(|number| hash_of_number(number.into())),
            Self::Network(column) => column.first(doc).map(|address| hash_of_number(network_bits(address))),
            Self::One => Some(0),
            Self::Nothing => None,
        }
    }
}

/// Hashes of all texts of a column, unless they are too many.
fn hashes(column: &StrColumn) -> tantivy::Result<Option<Vec<u64>>> {
    let count = column.num_terms();
    if count > MOST {
        return Ok(None);
    }
    let mut hashes = Vec::with_capacity(count);
    let mut stream = column.dictionary().stream()?;
    while stream.advance() {
        hashes.push(hash_of_text(stream.key()));
    }
    Ok(Some(hashes))
}

impl Sketch {
    /// Reads the columns of a segment once for each filter, so that only one's keys are in memory.
    pub(in super::super) fn build(segment: &SegmentReader, deadline: &Deadline) -> Result<Self, Stop> {
        let mut sketch = Self::default();
        let Some(logins) = segment.fast_fields().str(name::LOGIN)? else {
            sketch.filters[Kind::Login as usize] = Some(Bloom::of(&[]));
            return Ok(sketch);
        };
        let Some(users) = hashes(&logins)? else { return Ok(sketch) };
        for kind in KINDS {
            let Some(values) = Values::open(kind, segment)? else { continue };
            let mut keys = Vec::new();
            let mut fits = true;
            for doc in 0..segment.max_doc() {
                if doc.is_multiple_of(STRIDE) {
                    deadline.check()?;
                }
                let user = logins.ords().first(doc).and_then(|number| users.get(number as usize));
                let Some((user, value)) = user.zip(values.hash(doc)) else { continue };
                keys.push(key(kind, *user, value));
                if keys.len() >= 2 * MOST {
                    once(&mut keys);
                    if keys.len() > MOST {
                        fits = false;
                        break;
                    }
                }
            }
            once(&mut keys);
            if fits
                && keys.len() <= MOST
                && let Some(filter) = sketch.filters.get_mut(kind as usize)
            {
                *filter = Some(Bloom::of(&keys));
            }
        }
        Ok(sketch)
    }
}

/// Each key once.
fn once(keys: &mut Vec<u64>) {
    keys.sort_unstable();
    keys.dedup();
}
