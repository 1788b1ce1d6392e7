//! Typed questions as searches.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use login::Netmask;
use serde_json::{Map, Value, json};

use crate::{Confirmation, Field, Filter, Range, Rank};

/// Up to this many different values a cardinality is all but exact; the servers allow no more.
const PRECISION: u32 = 40_000;
/// Most groups that are fetched for a list; the servers allow 65,535 buckets.
pub(super) const GROUPS: usize = 10_000;
/// Most groups of one shard.
const SHARD_GROUPS: usize = 65_535;

/// How fields are called.
pub(super) struct Names {
    /// What text fields have at their end.
    pub(super) suffix: String,
}

impl Names {
    fn text(&self, name: &str) -> String {
        format!("{name}{}", self.suffix)
    }

    /// The field in documents.
    pub(super) fn field(&self, field: Field) -> String {
        match field {
            Field::Login => self.text("login"),
            Field::Ip => "remote".into(),
            Field::Network => self.text("network"),
            Field::Country => self.text("geoip.country_code2"),
            Field::City => self.text("geoip.city_name"),
            Field::Asn => "geoip.asn".into(),
            Field::Device => self.text("device"),
            Field::Protocol => self.text("protocol"),
            Field::FailType => self.text("fail_type"),
            Field::Pwhash => self.text("pwhash"),
        }
    }

    /// The conditions of a question.
    pub(super) fn query(&self, filter: &Filter, range: Range) -> Value {
        let (mut must, mut must_not) = (Vec::new(), Vec::new());
        if let Some(range) = time(range) {
            must.push(range);
        }
        let texts = [
            (Field::Login, &filter.login),
            (Field::Country, &filter.country),
            (Field::City, &filter.city),
            (Field::Device, &filter.device),
            (Field::Protocol, &filter.protocol),
            (Field::Pwhash, &filter.pwhash),
        ];
        for (field, text) in texts {
            if let Some(text) = text {
                must.push(is(&self.field(field), text));
            }
        }
        if let Some(ip) = filter.ip {
            must.push(json!({"term": {"remote": ip.to_canonical().to_string()}}));
        }
        if let Some(network) = filter.network {
            match ends(network) {
                Some((first, last)) => {
                    must.push(addresses(first, last));
                    if first.is_ipv6() {
                        // The servers hold IPv4 addresses as mapped ones; those lie in no IPv6 network here.
                        must_not.push(addresses(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::BROADCAST.into()));
                    }
                }
                None => must_not.push(json!({"match_all": {}})),
            }
        }
        match filter.asn {
            Some(0) => must_not.push(json!({"exists": {"field": "geoip.asn"}})),
            Some(asn) => must.push(json!({"term": {"geoip.asn": asn}})),
            None => {}
        }
        for (name, flag) in [("success", filter.success), ("policy_reject", filter.policy_reject)] {
            if let Some(flag) = flag {
                must.push(json!({"term": {name: flag}}));
            }
        }
        if let Some(some) = &filter.confirmations {
            must.push(self.said(some));
        }
        for (key, value) in &filter.attrs {
            must.push(json!({"term": {self.text(&format!("attrs.{key}")): value}}));
        }
        json!({"bool": {"filter": must, "must_not": must_not}})
    }

    /// Documents of others say nothing where nobody said anything.
    fn said(&self, some: &[Confirmation]) -> Value {
        let field = self.text("user_confirmation");
        let words: Vec<&str> = some.iter().map(|one| one.word()).collect();
        let words = json!({"terms": {&field: words}});
        if !some.contains(&Confirmation::None) {
            return words;
        }
        let nothing = json!({"bool": {"must_not": [{"exists": {"field": &field}}]}});
        json!({"bool": {"should": [words, nothing], "minimum_should_match": 1}})
    }

    /// The field that documents of ours have their id in.
    pub(super) fn id(&self) -> String {
        self.text("id")
    }

    /// How reports are sorted: by time, of equal times by id (`order`: `asc` or `desc`); last those of others, which have
    /// none.
    pub(super) fn sorted(&self, order: &str) -> Value {
        json!([
            {"@timestamp": {"order": order, "unmapped_type": "date"}},
            {self.id(): {"order": order, "unmapped_type": "keyword", "missing": "_last"}},
        ])
    }

    pub(super) fn failures() -> Value {
        json!({"filter": {"term": {"success": false}}})
    }

    pub(super) fn cardinality(&self, field: Field) -> Value {
        json!({"cardinality": {"field": self.field(field), "precision_threshold": PRECISION}})
    }

    /// Groups by a field. `fetch`: how many.
    pub(super) fn groups(&self, by: Field, rank: Rank, fetch: usize) -> Value {
        let mut aggs = Map::new();
        aggs.insert("failures".into(), Self::failures());
        let order = match rank {
            Rank::Reports => "_count",
            Rank::Failures => "failures",
            Rank::Successes => {
                aggs.insert("successes".into(), json!({"filter": {"term": {"success": true}}}));
                "successes"
            }
            Rank::Distinct(field) => {
                aggs.insert("distinct".into(), self.cardinality(field));
                "distinct"
            }
        };
        let terms = json!({
            "field": self.field(by),
            "size": fetch,
            "shard_size": (fetch * 2 + 1000).min(SHARD_GROUPS),
            "order": [{order: "desc"}, {"_key": "asc"}],
        });
        json!({"terms": terms, "aggs": aggs})
    }
}

fn is(field: &str, text: &str) -> Value {
    let term = json!({"term": {field: text}});
    if !text.is_empty() {
        return term;
    }
    let nothing = json!({"bool": {"must_not": [{"exists": {"field": field}}]}});
    json!({"bool": {"should": [term, nothing], "minimum_should_match": 1}})
}

fn time(range: Range) -> Option<Value> {
    let mut ends = Map::new();
    if range.from != i64::MIN {
        ends.insert("gte".into(), range.from.into());
    }
    if range.to != i64::MAX {
        ends.insert("lt".into(), range.to.into());
    }
    if ends.is_empty() {
        return None;
    }
    ends.insert("format".into(), "epoch_millis".into());
    Some(json!({"range": {"@timestamp": ends}}))
}

fn addresses(first: IpAddr, last: IpAddr) -> Value {
    json!({"range": {"remote": {"gte": first.to_string(), "lte": last.to_string()}}})
}

/// First and last address of a network.
fn ends(network: Netmask) -> Option<(IpAddr, IpAddr)> {
    if network.is_empty() {
        return None;
    }
    let bits = u32::from(network.bits());
    Some(match network.network() {
        IpAddr::V4(first) => {
            let last = first.to_bits() | u32::MAX.checked_shr(bits).unwrap_or(0);
            (first.into(), Ipv4Addr::from_bits(last).into())
        }
        IpAddr::V6(first) => {
            let last = first.to_bits() | u128::MAX.checked_shr(bits).unwrap_or(0);
            (first.into(), Ipv6Addr::from_bits(last).into())
        }
    })
}
