//! Elasticsearch's queries as conditions: those that ask for values of fields.

use std::net::IpAddr;

use login::Netmask;
use serde_json::{Map, Value};

use super::super::condition::Condition;
use super::super::schema::v6;
use super::field::Kind;
use super::instant::instant;
use crate::Range;

/// How deep queries may be nested.
const DEPTH: usize = 16;
/// Values and clauses of one query.
const MOST: usize = 10_000;

/// Reads queries. `now`: unix milliseconds.
pub(super) struct Reader {
    pub(super) now: i64,
    left: usize,
}

type Read = Result<Condition, String>;

fn one<'a>(object: &'a Map<String, Value>, what: &str) -> Result<(&'a str, &'a Value), String> {
    let mut members = object.iter();
    match (members.next(), members.next()) {
        (Some((name, value)), None) => Ok((name, value)),
        _ => Err(format!("{what} must have exactly one member")),
    }
}

fn kind(field: &str) -> Result<Kind, String> {
    Kind::of(field).ok_or_else(|| format!("there is no field \"{field}\" to ask for here"))
}

impl Reader {
    pub(super) fn new(now: i64) -> Self {
        Self { now, left: MOST }
    }

    fn take(&mut self) -> Result<(), String> {
        self.left =
            self.left.checked_sub(1).ok_or_else(|| format!("it has more than {MOST} values and clauses"))?;
        Ok(())
    }

    pub(super) fn query(&mut self, value: &Value) -> Read {
        self.clause(value, DEPTH)
    }

    fn clause(&mut self, value: &Value, depth: usize) -> Read {
        self.take()?;
        if depth == 0 {
            return Err(format!("its queries are nested more than {DEPTH} deep"));
        }
        let object = value.as_object().ok_or_else(|| format!("a query must be an object, not {value}"))?;
        let (kind, body) = one(object, "a query")?;
        let body = body.as_object().ok_or_else(|| format!("`{kind}` must be an object"));
        match kind {
            "match_all" => Ok(Condition::All),
            "match_none" => Ok(Condition::Not(Box::new(Condition::All))),
            "bool" => self.all(body?, depth - 1),
            "constant_score" => match body?.get("filter") {
                Some(filter) => self.clause(filter, depth - 1),
                None => Err("`constant_score` needs `filter`".into()),
            },
            // Texts are not analysed here, as they are not in fields of type keyword.
            "term" | "match" | "match_phrase" => {
                let (field, value) = one(body?, "`term`")?;
                let value = match value {
                    Value::Object(options) => options
                        .get("value")
                        .or_else(|| options.get("query"))
                        .ok_or_else(|| format!("the term of \"{field}\" has no value"))?,
                    plain => plain,
                };
                self.value(field, value)
            }
            "terms" => {
                let body = body?;
                let mut fields = body.iter().filter(|(name, _)| *name != "boost");
                let (Some((field, Value::Array(values))), None) = (fields.next(), fields.next()) else {
                    return Err("`terms` must have one field with a list".into());
                };
                let any: Result<Vec<Condition>, String> =
                    values.iter().map(|value| self.value(field, value)).collect();
                Ok(Condition::Or(any?))
            }
            "exists" => match body?.get("field").and_then(Value::as_str) {
                Some(field) => match self::kind(field)?.column() {
                    Some(column) => Ok(Condition::Exists(column)),
                    None => Err(format!("`exists` does not know \"{field}\"")),
                },
                None => Err("`exists` needs `field`".into()),
            },
            "range" => {
                let (field, ends) = one(body?, "`range`")?;
                let ends =
                    ends.as_object().ok_or_else(|| format!("the range of \"{field}\" must be an object"))?;
                self.range(field, ends)
            }
            other => Err(format!(
                "the embedded store does not know the query `{other}`, only bool, term, terms, match, range, exists, \
                 constant_score, match_all and match_none"
            )),
        }
    }

    fn all(&mut self, body: &Map<String, Value>, depth: usize) -> Read {
        let mut all = Vec::new();
        let mut should = Vec::new();
        let mut least = None;
        for (name, value) in body {
            match name.as_str() {
                "must" | "filter" => all.append(&mut self.several(value, depth)?),
                "must_not" => {
                    let none = self.several(value, depth)?;
                    all.extend(none.into_iter().map(|one| Condition::Not(Box::new(one))));
                }
                "should" => should = self.several(value, depth)?,
                "minimum_should_match" => {
                    least = Some(value.as_u64().ok_or("minimum_should_match must be 0 or 1")?);
                }
                "boost" => {}
                other => return Err(format!("`bool` has no \"{other}\"")),
            }
        }
        // As there: with must or filter beside it, should only counts for the score unless it says otherwise.
        let least = least.unwrap_or(u64::from(all.is_empty()));
        match least {
            1 if !should.is_empty() => all.push(Condition::Or(should)),
            0 | 1 => {}
            _ => return Err("minimum_should_match can be 0 or 1 here".into()),
        }
        Ok(if all.is_empty() { Condition::All } else { Condition::And(all) })
    }

    fn several(&mut self, value: &Value, depth: usize) -> Result<Vec<Condition>, String> {
        match value {
            Value::Array(clauses) => clauses.iter().map(|clause| self.clause(clause, depth)).collect(),
            one => Ok(vec![self.clause(one, depth)?]),
        }
    }

    fn value(&mut self, field: &str, value: &Value) -> Read {
        self.take()?;
        let wrong = |what: &str| format!("\"{field}\" is {what}, which {value} is not");
        Ok(match kind(field)? {
            Kind::Text(column) => Condition::Text(column, vec![text(value).ok_or_else(|| wrong("a text"))?]),
            Kind::Number(column) => {
                let number = value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
                let number = number.ok_or_else(|| wrong("a number"))?;
                Condition::Number(column, number, number)
            }
            Kind::Flag(column) => Condition::Flag(column, flag(value).ok_or_else(|| wrong("true or false"))?),
            Kind::Address => {
                let text = value.as_str().ok_or_else(|| wrong("an address"))?;
                match text.parse::<IpAddr>() {
                    Ok(ip) => Condition::Address(v6(ip.to_canonical()), v6(ip.to_canonical())),
                    Err(_) => Condition::network(
                        Netmask::parse(text.as_bytes()).map_err(|_| wrong("an address or a network"))?,
                    ),
                }
            }
            Kind::Time | Kind::Seconds => {
                let at = instant(self.now, kind(field)?, value, false).ok_or_else(|| wrong("a time"))?;
                Condition::Time(Range { from: at, to: at.saturating_add(1) })
            }
            Kind::Attribute => {
                let name = field.strip_suffix(".keyword").unwrap_or(field).trim_start_matches("attrs.");
                Condition::Attributes(vec![(name.to_owned(), text(value).ok_or_else(|| wrong("a text"))?)])
            }
        })
    }

    fn range(&mut self, field: &str, ends: &Map<String, Value>) -> Read {
        let kind = kind(field)?;
        let (mut low, mut high) = (None, None);
        for (name, value) in ends {
            match name.as_str() {
                "gte" | "from" => low = Some((value, true)),
                "gt" => low = Some((value, false)),
                "lte" | "to" => high = Some((value, true)),
                "lt" => high = Some((value, false)),
                "format" | "time_zone" | "boost" | "relation" | "include_lower" | "include_upper" => {}
                other => return Err(format!("a range has no \"{other}\"")),
            }
        }
        let wrong = |value: &Value| format!("{value} is no end of a range of \"{field}\"");
        match kind {
            Kind::Time | Kind::Seconds => {
                let mut range = Range::EVER;
                if let Some((value, included)) = low.filter(|(value, _)| !value.is_null()) {
                    let at = instant(self.now, kind, value, !included).ok_or_else(|| wrong(value))?;
                    range.from = if included { at } else { at.saturating_add(1) };
                }
                if let Some((value, included)) = high.filter(|(value, _)| !value.is_null()) {
                    let at = instant(self.now, kind, value, included).ok_or_else(|| wrong(value))?;
                    range.to = if included { at.saturating_add(1) } else { at };
                }
                Ok(Condition::Time(range))
            }
            Kind::Number(column) => {
                let number = |end: Option<(&Value, bool)>| match end {
                    None => Ok(None),
                    Some((value, included)) => {
                        value.as_u64().map(|number| Some((number, included))).ok_or(wrong(value))
                    }
                };
                let least =
                    number(low)?.map_or(0, |(number, included)| number.saturating_add(u64::from(!included)));
                let most = match number(high)? {
                    Some((0, false)) => return Ok(Condition::Not(Box::new(Condition::All))),
                    Some((number, included)) => number - u64::from(!included),
                    None => u64::MAX,
                };
                Ok(Condition::Number(column, least, most))
            }
            Kind::Address => {
                let ip = |end: Option<(&Value, bool)>, usual: IpAddr| match end {
                    None => Ok(usual),
                    Some((value, true)) => {
                        let text = value.as_str().and_then(|text| text.parse::<IpAddr>().ok());
                        text.ok_or_else(|| wrong(value))
                    }
                    Some(_) => Err("addresses have ranges with gte and lte only".to_owned()),
                };
                let first = ip(low, IpAddr::from([0_u16; 8]))?;
                let last = ip(high, IpAddr::from([u16::MAX; 8]))?;
                Ok(Condition::Address(v6(first), v6(last)))
            }
            Kind::Text(_) | Kind::Flag(_) | Kind::Attribute => Err(format!("\"{field}\" has no ranges here")),
        }
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(query: &Value) -> Read {
        Reader::new(1_700_000_000_000).query(query)
    }

    #[test]
    fn queries_become_conditions() {
        for (query, expected) in [
            (json!({"match_all": {}}), Condition::All),
            (json!({"term": {"login.keyword": "x"}}), Condition::Text("login", vec!["x".into()])),
            (json!({"term": {"success": {"value": "false"}}}), Condition::Flag("success", false)),
            (json!({"terms": {"geoip.asn": [7]}}), Condition::Or(vec![Condition::Number("asn", 7, 7)])),
            (json!({"exists": {"field": "geoip.asn"}}), Condition::Exists("asn")),
            (
                json!({"range": {"@timestamp": {"gte": "now-1h", "lt": "now"}}}),
                Condition::Time(Range { from: 1_699_996_400_000, to: 1_700_000_000_000 }),
            ),
            (
                json!({"bool": {"filter": {"term": {"tls": true}}, "should": [{"match_all": {}}]}}),
                Condition::And(vec![Condition::Flag("tls", true)]),
            ),
            (
                json!({"term": {"attrs.realm": "a"}}),
                Condition::Attributes(vec![("realm".into(), "a".into())]),
            ),
        ] {
            assert_eq!(read(&query).unwrap(), expected, "{query}");
        }
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (query, word) in [
            (json!({"query_string": {"query": "x"}}), "query_string"),
            (json!({"term": {"network": "x"}}), "network"),
            (json!({"term": {"remote": "x"}}), "address"),
            (json!({"bool": {"must_nut": []}}), "must_nut"),
            (json!({"range": {"login": {"gte": "a"}}}), "login"),
            (json!([]), "object"),
            (json!({}), "one member"),
        ] {
            let error = read(&query).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let words = prop::sample::select(vec![
            "bool",
            "must",
            "should",
            "term",
            "terms",
            "range",
            "exists",
            "field",
            "login",
            "remote",
            "@timestamp",
            "gte",
            "lt",
            "now-1d/d",
            "geoip.asn",
            "192.0.2.0/24",
            "attrs.x",
            "minimum_should_match",
        ]);
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            words.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 40, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((words.clone(), inner), 0..3).prop_map(|members| {
                    Value::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_query_panics(query in any_json()) {
            let _ = read(&query);
        }
    }
}
