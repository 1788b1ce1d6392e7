#![allow(clippy::unwrap_used)]
use super::*;

fn parse(json: &str) -> Result<Query, QueryError> {
    Query::parse(json.as_bytes())
}

#[test]
fn json_gives_the_query_and_back() {
    let cases = [
        r#"{"query":"logins","filter":{"login":"ada","network":"192.0.2.0/24","success":false},"range":{"from":1.5},"limit":7}"#,
        r#"{"query":"seen","login":"ada","with":{"country":"NL"},"range":{},"filter":{"confirmations":["good"]}}"#,
        r#"{"query":"seen","login":"ada","with":{"network":"2001:db8::/48"},"range":{},"filter":{}}"#,
        r#"{"query":"first_last","filter":{"ip":"192.0.2.1"},"range":{"from":-1,"to":2}}"#,
        r#"{"query":"count","filter":{},"range":{},"distinct":["ip","network"]}"#,
        r#"{"query":"top","by":"ip","rank":{"distinct":"login"},"filter":{},"range":{},"limit":10}"#,
        r#"{"query":"top","by":"login","rank":"failures","filter":{},"range":{},"limit":10}"#,
        r#"{"query":"significant","field":"asn","filter":{},"now":{"from":9,"to":10},"baseline":{"from":0,"to":9},"min_count":1,"limit":10}"#,
        r#"{"query":"histogram","filter":{},"range":{"from":0,"to":9},"interval":0.5}"#,
    ];
    for case in cases {
        let query = parse(case).unwrap();
        assert_eq!(serde_json::to_string(&query).unwrap(), case);
        query.check(&Limits::default()).unwrap();
    }
}

#[test]
fn what_is_left_out_has_a_default() {
    let query = parse(r#"{"query":"logins"}"#).unwrap();
    assert_eq!(
        query,
        Query::Logins { filter: Filter::default(), range: Range::EVER, limit: 100, after: None }
    );
}

#[test]
fn mistakes_are_told() {
    for (json, says) in [
        ("", "EOF"),
        (r#"{"query":"guess"}"#, "unknown variant `guess`"),
        (r#"{"query":"logins","filter":{"user":"ada"}}"#, "unknown field `user`"),
        (r#"{"query":"logins","filter":{"network":"192.0.2.0/33"}}"#, "Invalid prefix length"),
        (r#"{"query":"logins","range":{"from":1e300}}"#, "no time in seconds"),
        (r#"{"query":"logins","range":{"from":"now-1d"}}"#, "invalid type: string"),
    ] {
        let error = parse(json).unwrap_err().to_string();
        assert!(error.contains(says), "{json}: {error}");
    }
}

#[test]
fn senseless_questions_are_refused() {
    let check = |json: &str| parse(json).unwrap().check(&Limits { results: 50, ..Limits::default() });
    assert_eq!(
        check(r#"{"query":"logins","limit":51}"#),
        Err(QueryError::TooManyResults { wanted: 51, limit: 50 })
    );
    assert_eq!(check(r#"{"query":"logins","limit":0}"#), Err(QueryError::NoResults));
    assert_eq!(check(r#"{"query":"first_last","range":{"from":2,"to":1}}"#), Err(QueryError::Backwards));
    assert_eq!(
        check(r#"{"query":"histogram","range":{"from":2},"interval":1}"#),
        Err(QueryError::Unbounded("range"))
    );
    assert_eq!(
        check(r#"{"query":"histogram","range":{"from":0,"to":51},"interval":1}"#),
        Err(QueryError::TooManyResults { wanted: 51, limit: 50 })
    );
    assert_eq!(
        check(r#"{"query":"histogram","range":{"from":-1e12,"to":1e12},"interval":0.0001}"#),
        Err(QueryError::NoInterval)
    );
    assert_eq!(
        check(r#"{"query":"seen","login":"a","with":{"asn":1},"filter":{"asn":2}}"#),
        Err(QueryError::Twice("asn"))
    );
    assert_eq!(
        check(r#"{"query":"count","distinct":["ip","ip","ip","ip","ip","ip","ip","ip","ip"]}"#),
        Err(QueryError::TooManyFields)
    );
}

#[test]
fn seen_looks_at_what_speaks_for_the_user() {
    let filter = Filter::default().seen("ada", &Trait::Asn(1)).unwrap();
    assert_eq!(filter.success, Some(true));
    assert_eq!(filter.confirmations, Some(vec![Confirmation::None, Confirmation::Good]));
}

#[test]
fn a_range_knows_its_length() {
    assert!((Range { from: 500, to: 2000 }.seconds() - 1.5).abs() < 1e-9);
    assert!((Range { from: 7, to: 7 }.seconds() - 0.001).abs() < 1e-9);
    assert_eq!(Range { from: -1, to: 1 }.bins(10), 2);
}
