//! What does not occur in a segment, known without opening it.
//!
//! A segment of a finished day has a sketch: Bloom filters of its users, and of its users together with their countries,
//! networks, devices and owners of networks. Most questions about a user ask for something that most days do not have; a
//! sketch says so for a few reads of memory, where the index would be opened and read. It never says that something is
//! missing which is there. It lies in a file beside the segment whose name it has: segments do not change, except that
//! rows are deleted, which a sketch need not know.

mod bloom;
mod build;

use std::net::Ipv6Addr;

use tantivy::index::SegmentId;
use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_64_with_seed};

use super::condition::Condition;
use super::schema::name;
use bloom::Bloom;

/// Sketches of all days together, in bytes of memory. Beyond it the indexes of the oldest days are asked.
pub(super) const ROOM: u64 = 64 << 20;
/// Ending of the files.
pub(super) const EXTENSION: &str = "sketch";
/// Beginning of the files; another number when keys are made differently.
const MAGIC: &[u8; 8] = b"sketch-2";

/// What a filter is about; its number is its place.
#[derive(Clone, Copy)]
enum Kind {
    Login,
    Country,
    Asn,
    Device,
    Network,
}

const KINDS: [Kind; 5] = [Kind::Login, Kind::Country, Kind::Asn, Kind::Device, Kind::Network];

/// The key of a user with a value of a kind.
fn key(kind: Kind, login: u64, value: u64) -> u64 {
    let mut bytes = [0; 17];
    bytes[0] = kind as u8;
    bytes[1..9].copy_from_slice(&login.to_le_bytes());
    bytes[9..].copy_from_slice(&value.to_le_bytes());
    xxh3_64(&bytes)
}

fn hash_of_text(text: &[u8]) -> u64 {
    xxh3_64(text)
}

fn hash_of_number(number: u128) -> u64 {
    xxh3_64_with_seed(&number.to_le_bytes(), 1)
}

/// The `/24` or `/64` of an address, as the bits of its column.
pub(super) fn network_bits(address: Ipv6Addr) -> u128 {
    let mask = if address.to_ipv4_mapped().is_some() { u128::MAX << 8 } else { u128::MAX << 64 };
    address.to_bits() & mask
}

/// What all rows that meet a condition have, as keys; nothing if the condition is about no single user.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Sought(Vec<(usize, u64)>);

impl Sought {
    pub(super) fn of(condition: &Condition) -> Self {
        let Some(user) = condition.user() else { return Self::default() };
        let login = hash_of_text(user.as_bytes());
        let mut sought = Self(vec![(Kind::Login as usize, key(Kind::Login, login, 0))]);
        sought.add(condition, login);
        sought
    }

    fn add(&mut self, condition: &Condition, login: u64) {
        let (kind, value) = match condition {
            Condition::And(all) => {
                for one in all {
                    self.add(one, login);
                }
                return;
            }
            Condition::Text(column, any) => match any.as_slice() {
                [text] if !text.is_empty() && *column == name::COUNTRY => {
                    (Kind::Country, hash_of_text(text.as_bytes()))
                }
                [text] if !text.is_empty() && *column == name::DEVICE => {
                    (Kind::Device, hash_of_text(text.as_bytes()))
                }
                _ => return,
            },
            Condition::Number(column, min, max) if min == max && *column == name::ASN => {
                (Kind::Asn, hash_of_number((*min).into()))
            }
            Condition::Address(first, last) if within_one_network(*first, *last) => {
                (Kind::Network, hash_of_number(network_bits(*first)))
            }
            _ => return,
        };
        self.0.push((kind as usize, key(kind, login, value)));
    }
}

/// Whether all addresses between these lie in one `/24` or `/64`. Those of IPv4 lie in the middle of an IPv6 network.
fn within_one_network(first: Ipv6Addr, last: Ipv6Addr) -> bool {
    let v4 = |address: Ipv6Addr| address.to_ipv4_mapped().is_some();
    let (low, high) = (first.to_bits(), last.to_bits());
    match low >> 64 {
        _ if low >> 64 != high >> 64 => false,
        0 => v4(first) && v4(last) && network_bits(first) == network_bits(last),
        _ => true,
    }
}

/// The filters of a segment. One that is not there says nothing.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Sketch {
    filters: [Option<Bloom>; KINDS.len()],
}

impl Sketch {
    /// Whether no row of the segment can have what is sought.
    pub(super) fn lacks(&self, sought: &Sought) -> bool {
        sought.0.iter().any(|(kind, key)| {
            let filter = self.filters.get(*kind).and_then(Option::as_ref);
            filter.is_some_and(|filter| !filter.may_have(*key))
        })
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> u64 {
        self.filters.iter().flatten().map(|filter| filter.words().len() as u64 * 8).sum()
    }

    /// The file: eight bytes that name the format, the number of 64-bit words of each filter (0: not there), the words, and
    /// a hash of all that and of the segment's name, so that it counts for no other; everything little endian.
    pub(super) fn to_file(&self, segment: SegmentId) -> Vec<u8> {
        let mut file = MAGIC.to_vec();
        for filter in &self.filters {
            let count = filter.as_ref().map_or(0, |filter| filter.words().len() as u64);
            file.extend_from_slice(&count.to_le_bytes());
        }
        for word in self.filters.iter().flatten().flat_map(Bloom::words) {
            file.extend_from_slice(&word.to_le_bytes());
        }
        let hash = hash_of_file(&file, segment);
        file.extend_from_slice(&hash.to_le_bytes());
        file
    }

    /// `None` if these bytes are no whole file of this format, or that of another segment.
    pub(super) fn from_file(file: &[u8], segment: SegmentId) -> Option<Self> {
        let (content, hash) = file.split_last_chunk::<8>()?;
        if hash_of_file(content, segment) != u64::from_le_bytes(*hash) {
            return None;
        }
        let (counts, words) = content.strip_prefix(MAGIC)?.split_first_chunk::<{ KINDS.len() * 8 }>()?;
        let (words, rest) = words.as_chunks::<8>();
        if !rest.is_empty() {
            return None;
        }
        let mut words = words.iter().map(|word| u64::from_le_bytes(*word));
        let mut filters = [const { None }; KINDS.len()];
        for (filter, count) in filters.iter_mut().zip(counts.as_chunks::<8>().0) {
            let count = usize::try_from(u64::from_le_bytes(*count)).ok()?;
            if count > 0 {
                *filter = Some(Bloom::from_words(words.by_ref().take(count).collect(), count)?);
            }
        }
        words.next().is_none().then_some(Self { filters })
    }
}

fn hash_of_file(content: &[u8], segment: SegmentId) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(content);
    hash.update(segment.uuid_string().as_bytes());
    hash.digest()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Filter, Range};

    fn sketch(keys: &[u64]) -> Sketch {
        let mut sketch = Sketch::default();
        sketch.filters[Kind::Login as usize] = Some(Bloom::of(keys));
        sketch.filters[Kind::Asn as usize] = Some(Bloom::of(&[]));
        sketch
    }

    #[test]
    fn files_come_back_and_damaged_ones_do_not() {
        let sketch = sketch(&[1, 2, 3]);
        let segment = SegmentId::generate_random();
        let file = sketch.to_file(segment);
        assert_eq!(Sketch::from_file(&file, segment).as_ref(), Some(&sketch));
        assert_eq!(Sketch::from_file(&file, SegmentId::generate_random()), None);
        for cut in 0..file.len() {
            assert_eq!(Sketch::from_file(&file[..cut], segment), None);
        }
        for flip in 0..file.len() {
            let mut damaged = file.clone();
            damaged[flip] ^= 0x10;
            assert_eq!(Sketch::from_file(&damaged, segment), None);
        }
    }

    #[test]
    fn what_is_no_single_user_is_not_sought() {
        let sought = |filter: Filter| Sought::of(&Condition::of(&filter, Range::EVER));
        assert_eq!(sought(Filter { country: Some("NL".into()), ..Filter::default() }), Sought::default());
        assert!(!sketch(&[]).lacks(&Sought::default()));
        let user = sought(Filter { login: Some("u".into()), asn: Some(0), ..Filter::default() });
        assert_eq!(user.0.len(), 1, "no network's owner is not one that is called 0");
        assert!(sketch(&[]).lacks(&user) && !sketch(&[user.0[0].1]).lacks(&user));
    }

    #[test]
    fn networks_are_told_apart_where_they_can_be() {
        let one = |first: &str, last: &str| within_one_network(first.parse().unwrap(), last.parse().unwrap());
        assert!(one("::ffff:192.0.2.0", "::ffff:192.0.2.255"));
        assert!(!one("::ffff:192.0.2.0", "::ffff:192.0.3.255"));
        assert!(one("2001:db8::", "2001:db8::ffff:0:0"));
        assert!(!one("2001:db8::", "2001:db8:0:1::"));
        // All IPv4 addresses are in between.
        assert!(!one("::", "::ffff:ffff:ffff:ffff"));
    }
}
