//! Conditions on columns, before they are bound to a segment.

use std::net::{Ipv4Addr, Ipv6Addr};

use login::Netmask;

use super::schema::{name, v6};
use crate::{Filter, Range};

/// What a row must meet.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    /// Nothing.
    All,
    /// A text is one of these; the empty one means that there is none.
    Text(&'static str, Vec<String>),
    /// A number lies between these, both included.
    Number(&'static str, u64, u64),
    /// A boolean is so.
    Flag(&'static str, bool),
    /// The address lies between these, both included.
    Address(Ipv6Addr, Ipv6Addr),
    /// The time lies in it.
    Time(Range),
    /// These attributes have these values.
    Attributes(Vec<(String, String)>),
    /// There is a value in this column.
    Exists(&'static str),
    /// One of these.
    Or(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
    /// All of these.
    And(Vec<Condition>),
}

impl Condition {
    /// The conditions of a typed question.
    pub(super) fn of(filter: &Filter, range: Range) -> Self {
        let mut all = vec![Self::Time(range)];
        let texts: [(&'static str, &Option<String>); 6] = [
            (name::LOGIN, &filter.login),
            (name::COUNTRY, &filter.country),
            (name::CITY, &filter.city),
            (name::DEVICE, &filter.device),
            (name::PROTOCOL, &filter.protocol),
            (name::PWHASH, &filter.pwhash),
        ];
        for (column, text) in texts {
            if let Some(text) = text {
                all.push(Self::Text(column, vec![text.clone()]));
            }
        }
        if let Some(ip) = filter.ip {
            let ip = v6(ip.to_canonical());
            all.push(Self::Address(ip, ip));
        }
        if let Some(network) = filter.network {
            all.push(Self::network(network));
        }
        if let Some(asn) = filter.asn {
            let number = Self::Number(name::ASN, asn.into(), asn.into());
            let any = Self::Number(name::ASN, 0, u64::MAX);
            all.push(if asn == 0 { Self::Not(Box::new(any)) } else { number });
        }
        for (column, flag) in [(name::SUCCESS, filter.success), (name::POLICY_REJECT, filter.policy_reject)] {
            if let Some(flag) = flag {
                all.push(Self::Flag(column, flag));
            }
        }
        if let Some(some) = &filter.confirmations {
            all.push(Self::Text(name::CONFIRMATION, some.iter().map(|one| one.word().to_owned()).collect()));
        }
        if !filter.attrs.is_empty() {
            let attrs = filter.attrs.iter().map(|(key, value)| (key.clone(), value.clone()));
            all.push(Self::Attributes(attrs.collect()));
        }
        Self::And(all)
    }

    /// The address lies in a network. IPv4 addresses lie in no IPv6 network, although their column holds them mapped.
    pub(super) fn network(network: Netmask) -> Self {
        if network.is_empty() {
            return Self::Not(Box::new(Self::All));
        }
        let first = v6(network.network());
        let bits = u32::from(network.bits()) + if network.network().is_ipv4() { 96 } else { 0 };
        let last = Ipv6Addr::from_bits(first.to_bits() | u128::MAX.checked_shr(bits).unwrap_or(0));
        let within = Self::Address(first, last);
        if network.network().is_ipv4() {
            return within;
        }
        let v4 = Self::Address(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped(), Ipv4Addr::BROADCAST.to_ipv6_mapped());
        Self::And(vec![within, Self::Not(Box::new(v4))])
    }

    /// The same for rows that are known to be this user's: the inverted index says so, and the column need not be read.
    pub(super) fn of_user(&self, user: &str) -> Self {
        match self {
            Self::Text(..) if self.user() == Some(user) => Self::All,
            Self::And(all) => Self::And(all.iter().map(|one| one.of_user(user)).collect()),
            other => other.clone(),
        }
    }

    /// The same for rows of this time: a range that holds all of it need not be looked at.
    pub(super) fn within(&self, time: Range) -> Self {
        let whole = |one: &&Self| match one {
            Self::Time(range) => range.from > time.from || range.to < time.to,
            _ => true,
        };
        match self {
            Self::And(all) => Self::And(all.iter().filter(whole).cloned().collect()),
            other => other.clone(),
        }
    }

    /// The time that all rows that meet it lie in, as far as it says.
    pub(super) fn time(&self) -> Range {
        match self {
            Self::Time(range) => *range,
            Self::And(all) => all.iter().map(Self::time).fold(Range::EVER, |left, right| Range {
                from: left.from.max(right.from),
                to: left.to.min(right.to),
            }),
            _ => Range::EVER,
        }
    }

    /// The user whose rows alone can meet it, if it names one.
    pub(super) fn user(&self) -> Option<&str> {
        match self {
            Self::Text(column, any) if *column == name::LOGIN => match any.as_slice() {
                [user] if !user.is_empty() => Some(user),
                _ => None,
            },
            Self::And(all) => all.iter().find_map(Self::user),
            _ => None,
        }
    }
}
