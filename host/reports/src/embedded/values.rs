//! Different values of a field, numbered.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::fold::Fold;
use crate::{Field, StoreError, network_of};

/// A value that is no text: an address, a network or a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    /// An IPv4 address or network, or a number below 2^32.
    Narrow(u32),
    /// Any other, as the bits of its column.
    Wide(u128),
}

impl Code {
    /// Of the bits of an address.
    pub(super) fn of_address(address: Ipv6Addr) -> Self {
        match address.to_ipv4_mapped() {
            Some(v4) => Self::Narrow(v4.to_bits()),
            None => Self::Wide(address.to_bits()),
        }
    }

    pub(super) fn of_number(number: u64) -> Self {
        u32::try_from(number).map_or(Self::Wide(number.into()), Self::Narrow)
    }

    /// As people see it.
    fn written(self, field: Field) -> String {
        let address = || -> IpAddr {
            match self {
                Self::Narrow(bits) => Ipv4Addr::from_bits(bits).into(),
                Self::Wide(bits) => Ipv6Addr::from_bits(bits).into(),
            }
        };
        match (field, self) {
            (Field::Ip, _) => address().to_string(),
            (Field::Network, _) => network_of(address()).to_string(),
            (_, Self::Narrow(number)) => number.to_string(),
            (_, Self::Wide(number)) => number.to_string(),
        }
    }
}

/// As bytes it needs no more room in a table than it has.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Bits([u8; 16]);

impl Hash for Bits {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(u128::from_ne_bytes(self.0));
    }
}

/// Different values of one field, each with a number. Values of all segments and days meet here. There may be millions of
/// addresses: they become text only where somebody gets to see it.
#[derive(Default)]
pub(super) struct Values {
    texts: HashMap<Box<str>, u32>,
    narrow: HashMap<u32, u32, Fold>,
    wide: HashMap<Bits, u32, Fold>,
    /// New values get no number.
    closed: bool,
}

impl Values {
    /// The same; no others come in.
    pub(super) fn closed(self) -> Self {
        Self { closed: true, ..self }
    }

    /// Only those whose numbers are wanted, numbered anew; no others come in.
    pub(super) fn only(self, is_wanted: impl Fn(u32) -> bool) -> Self {
        let mut next = 0;
        let mut number = |old: u32| {
            is_wanted(old).then(|| {
                next += 1;
                next - 1
            })
        };
        Self {
            texts: self.texts.into_iter().filter_map(|(text, old)| Some((text, number(old)?))).collect(),
            narrow: self.narrow.into_iter().filter_map(|(code, old)| Some((code, number(old)?))).collect(),
            wide: self.wide.into_iter().filter_map(|(bits, old)| Some((bits, number(old)?))).collect(),
            closed: true,
        }
    }

    /// The texts, if there are no others and so few that it is better to look for them than at what there is.
    pub(super) fn few(&self, there: usize) -> Option<&HashMap<Box<str>, u32>> {
        (self.closed && self.texts.len() < there / 8).then_some(&self.texts)
    }

    /// `None`: it is new, and no new ones are wanted. Room is counted down from the limit, which the error has to name.
    pub(super) fn of_text(&mut self, text: &str, room: &mut usize) -> Result<Option<u32>, StoreError> {
        if let Some(number) = self.texts.get(text) {
            return Ok(Some(*number));
        }
        if self.closed {
            return Ok(None);
        }
        take(room, 1)?;
        let number = self.texts.len() as u32;
        self.texts.insert(text.into(), number);
        Ok(Some(number))
    }

    /// The same of a value that is no text.
    pub(super) fn of_code(&mut self, code: Code, room: &mut usize) -> Result<Option<u32>, StoreError> {
        let bits = |wide: u128| Bits(wide.to_ne_bytes());
        let known = match code {
            Code::Narrow(narrow) => self.narrow.get(&narrow),
            Code::Wide(wide) => self.wide.get(&bits(wide)),
        };
        if let Some(number) = known {
            return Ok(Some(*number));
        }
        if self.closed {
            return Ok(None);
        }
        take(room, 1)?;
        let number = (self.narrow.len() + self.wide.len()) as u32;
        match code {
            Code::Narrow(narrow) => self.narrow.insert(narrow, number),
            Code::Wide(wide) => self.wide.insert(bits(wide), number),
        };
        Ok(Some(number))
    }

    /// Calls `each` with the number of every value and what writes it.
    pub(super) fn for_each(&self, field: Field, mut each: impl FnMut(u32, &dyn Fn() -> String)) {
        for (text, number) in &self.texts {
            each(*number, &|| (**text).to_owned());
        }
        for (narrow, number) in &self.narrow {
            each(*number, &|| Code::Narrow(*narrow).written(field));
        }
        for (bits, number) in &self.wide {
            each(*number, &|| Code::Wide(u128::from_ne_bytes(bits.0)).written(field));
        }
    }
}

/// Takes room for so many values.
pub(super) fn take(room: &mut usize, count: usize) -> Result<(), StoreError> {
    *room = room.checked_sub(count).ok_or(StoreError::TooManyValues(0))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses_and_numbers_come_back_as_they_were() {
        let mut values = Values::default();
        let mut room = 10;
        let addresses = ["192.0.2.1", "::c000:201", "2001:db8::1", "::1", "255.255.255.255"];
        for (number, text) in (0..).zip(addresses) {
            let bits = match text.parse().unwrap() {
                IpAddr::V4(v4) => v4.to_ipv6_mapped(),
                IpAddr::V6(v6) => v6,
            };
            let code = Code::of_address(bits);
            assert_eq!(values.of_code(code, &mut room).unwrap(), Some(number));
            assert_eq!(values.of_code(code, &mut room).unwrap(), Some(number));
        }
        assert_eq!(room, 5);
        let mut written = Vec::new();
        values.for_each(Field::Ip, |number, text| written.push((number, text())));
        written.sort();
        let expected: Vec<_> = (0..).zip(addresses.map(str::to_owned)).collect();
        assert_eq!(written, expected);
        assert_eq!(Code::of_number(64_500).written(Field::Asn), "64500");
        assert_eq!(Code::of_number(1 << 40).written(Field::Asn), "1099511627776");
        let mut few = values.only(|number| number == 2 || number == 4);
        written.clear();
        few.for_each(Field::Ip, |number, text| written.push((number, text())));
        assert_eq!(written.iter().map(|(number, _)| *number).max(), Some(1));
        assert_eq!(few.of_code(Code::Narrow(7), &mut room).unwrap(), None);
    }
}
