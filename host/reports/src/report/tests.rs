#![allow(clippy::unwrap_used)]
use super::*;

fn login() -> Login {
    let body = br#"{"login":"ada@example.com","remote":"192.0.2.7","t":1764111265.25,"success":true,"tls":true,
        "pwhash":"a1b","protocol":"http","device_id":"Mozilla/5.0","session_id":"s1","fail_type":"",
        "attrs":{"realm":"x","groups":["a","b"]},"device_attrs":{"browser.family":"Firefox","browser.major":"",
        "os.family":"Linux"}}"#;
    Login::parse(body).unwrap()
}

#[test]
fn a_report_comes_back_from_its_document() {
    let mut report = Report::new(&login(), 5, &Ids::seeded(7, 9));
    report.place = Place {
        country: "NL".into(),
        city: "Delft".into(),
        location: Some((52.01, 4.36)),
        ..Place::default()
    };
    report.asn = 64496;
    report.confirmation = Confirmation::Good;
    let document = report.to_document();
    assert_eq!(document["@timestamp"], "2025-11-25T22:54:25.250Z");
    assert_eq!(document["network"], "192.0.2.0/24");
    assert_eq!(document["device"], "browser.family=Firefox,os.family=Linux");
    assert_eq!(document["id"], format!("{:011x}00007-00000009", report.at));
    let back = Report::from_document(report.id.clone(), &document).unwrap();
    // Empty device attributes are not written.
    Arc::make_mut(&mut report.device_attrs).retain(|(_, value)| !value.is_empty());
    assert_eq!(back, report);
}

/// The whole of it, letter by letter: what wforce's Logstash pipeline stores, and what dashboards ask for.
#[test]
fn the_document_is_that_of_the_logstash_pipeline() {
    let mut report = Report::new(&login(), 5, &Ids::seeded(7, 9));
    report.place = Place {
        country: "NL".into(),
        country_name: "Netherlands".into(),
        region: "ZH".into(),
        city: "Delft".into(),
        postal_code: "2611".into(),
        location: Some((52.0, 4.5)),
    };
    (report.asn, report.as_org) = (64_496, "Example BV".into());
    report.confirmation = Confirmation::Bad;
    let document = serde_json::Value::from(report.to_document());
    let expected = serde_json::json!({
        "@timestamp": "2025-11-25T22:54:25.250Z",
        "type": "wforce_report",
        "t": 1_764_111_265.25,
        "login": "ada@example.com",
        "remote": "192.0.2.7",
        "success": true,
        "policy_reject": false,
        "tls": true,
        "pwhash": "a1b",
        "protocol": "http",
        "device_id": "Mozilla/5.0",
        "session_id": "s1",
        "fail_type": "",
        "attrs": {"realm": "x", "groups": ["a", "b"]},
        "device_attrs": {"browser.family": "Firefox", "os.family": "Linux"},
        "geoip": {
            "ip": "192.0.2.7",
            "country_code2": "NL",
            "country_name": "Netherlands",
            "region_code": "ZH",
            "city_name": "Delft",
            "postal_code": "2611",
            "latitude": 52.0,
            "longitude": 4.5,
            "location": {"lat": 52.0, "lon": 4.5},
            "asn": 64_496,
            "as_org": "Example BV",
        },
        "user_confirmation": "bad",
        // Ours alone.
        "id": report.id.as_str(),
        "network": "192.0.2.0/24",
        "device": "browser.family=Firefox,os.family=Linux",
    });
    assert_eq!(document, expected);
}

#[test]
fn a_login_without_a_time_gets_that_of_arrival() {
    let ids = Ids::seeded(0, 0);
    for t in [0.0, -3.0, f64::NAN, f64::INFINITY, 1e300] {
        assert_eq!(Report::new(&Login { t, ..Login::default() }, 1234, &ids).at, 1234, "{t}");
    }
}

#[test]
fn texts_and_attributes_are_bounded() {
    let long = "é".repeat(5000);
    let login = Login {
        login: long.as_str().into(),
        attrs: (0..50).map(|number| (format!("k{number:02}").into(), "v".repeat(1000).into())).collect(),
        ..Login::default()
    };
    let report = Report::new(&login, 1, &Ids::seeded(0, 0));
    assert_eq!(report.login, "é".repeat(1024));
    assert_eq!(report.attrs.len(), 8);
}

#[test]
fn ids_have_parts_only_in_our_form() {
    let id = Ids::seeded(0xf_ffff, 0xabc).next(1_764_111_265_250);
    assert_eq!(id.parts(), Some((1_764_111_265_250, 0xf_ffff, "00000abc")));
    for text in
        ["", "-", "AXb_c1", "+0000000000000000-00000000", "0000000000000000-0000000G", "é000000000000000-0"]
    {
        assert_eq!(ReportId::from_text(text).parts(), None, "{text}");
    }
}

#[test]
fn a_foreign_document_needs_a_time_and_an_address() {
    let id = || ReportId::from_text("x");
    let parse = |text: &str| {
        Report::from_document(
            id(),
            serde_json::from_str::<serde_json::Value>(text).unwrap().as_object().unwrap(),
        )
    };
    assert!(parse(r#"{"t": 1}"#).is_none());
    assert!(parse(r#"{"remote": "192.0.2.1"}"#).is_none());
    assert!(parse(r#"{"remote": "192.0.2.1", "@timestamp": "yesterday"}"#).is_none());
    let report = parse(r#"{"remote": "::ffff:192.0.2.1", "t": 1.5, "device_attrs": {"os.major": 10}, "geoip": {"asn": "AS64496"}}"#).unwrap();
    assert_eq!((report.at, report.asn), (1500, 64496));
    assert_eq!(report.remote.to_string(), "192.0.2.1");
    assert_eq!(report.device_attrs[0].1, "10");
}
