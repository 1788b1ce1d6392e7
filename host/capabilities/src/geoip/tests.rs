#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

fn geoip(dbs: &[(&str, &str)]) -> GeoIp {
    let geoip = GeoIp::new(Log::discard());
    for (name, path) in dbs {
        geoip.open(name.as_bytes(), &file(path)).unwrap();
    }
    geoip
}

#[test]
fn a_city_database_knows_the_place() {
    let city = geoip(&[("city", "GeoIP2-City-Test.mmdb")]).get(b"city").unwrap();
    assert_eq!(city.country(ip("81.2.69.160")), "GB");
    assert_eq!(
        city.city(ip("2.125.160.216")),
        GeoRecord {
            country_code: "GB".into(),
            country_name: "United Kingdom".into(),
            region: "ENG".into(),
            city: "Boxford".into(),
            postal_code: "OX1".into(),
            continent_code: "EU".into(),
            latitude: 51.75,
            longitude: -1.25,
        }
    );
    assert!((city.city(ip("81.2.69.160")).latitude - 51.5142).abs() < 0.0001);
    let tokyo = city.city(ip("2001:218::1"));
    assert_eq!((tokyo.country_code.as_str(), tokyo.city.as_str(), tokyo.region.as_str()), ("JP", "", ""));
    assert_eq!(city.isp(ip("81.2.69.160")), "");
}

#[test]
fn paths_find_values_of_the_type_asked_for() {
    let geoip = geoip(&[("city", "GeoIP2-City-Test.mmdb"), ("asn", "GeoLite2-ASN-Test.mmdb")]);
    let (city, asn) = (geoip.get(b"city").unwrap(), geoip.get(b"asn").unwrap());
    let place = ip("2.125.160.216");
    assert_eq!(city.string(place, &["subdivisions", "1", "iso_code"]), "WBK");
    assert_eq!(city.string(place, &["subdivisions", "-1", "iso_code"]), "WBK");
    assert_eq!(city.string(place, &["subdivisions", "2", "iso_code"]), "");
    assert_eq!(city.uint(place, &["city", "geoname_id"]), 2_655_045);
    assert!(city.boolean(place, &["registered_country", "is_in_european_union"]));
    assert!(!city.boolean(place, &["country", "is_in_european_union"]));
    assert!((city.double(place, &["location", "latitude"]) - 51.75).abs() < f64::EPSILON);
    assert_eq!(asn.uint(ip("1.128.0.0"), &["autonomous_system_number"]), 1221);
    assert_eq!(asn.string(ip("1.128.0.0"), &["autonomous_system_organization"]), "Telstra Pty Ltd");
    // Another type, no such path, no path at all, no text.
    assert_eq!(city.string(place, &["city", "geoname_id"]), "");
    assert_eq!(city.uint(place, &["country", "iso_code"]), 0);
    assert_eq!(city.uint(place, &["location", "latitude"]), 0);
    assert_eq!(city.string(place, &["country"]), "");
    assert_eq!(city.string(place, &["subdivisions"]), "");
    assert_eq!(city.string(place, &["country", "iso_code", "x"]), "");
    assert_eq!(city.string(place, &["country", "0"]), "");
    assert_eq!(city.string::<&str>(place, &[]), "");
    assert_eq!(city.string(place, &[b"\xff"]), "");
}

#[test]
fn every_number_type_is_told_apart() {
    let db = geoip(&[("all", "MaxMind-DB-test-decoder.mmdb")]).get(b"all").unwrap();
    let at = ip("1.1.1.1");
    assert_eq!(db.uint(at, &["uint16"]), 100);
    assert_eq!(db.uint(at, &["uint32"]), 268_435_456);
    assert_eq!(db.uint(at, &["uint64"]), 1_152_921_504_606_846_976);
    assert_eq!((db.uint(at, &["int32"]), db.uint(at, &["uint128"])), (0, 0));
    assert!((db.double(at, &["double"]) - 42.123_456).abs() < f64::EPSILON);
    assert!((db.double(at, &["float"]) - 1.1).abs() < 1e-6);
    assert!(db.double(at, &["uint16"]).abs() < f64::EPSILON);
    assert!(db.boolean(at, &["boolean"]));
    assert_eq!(db.string(at, &["utf8_string"]), "unicode! ☯ - ♫");
    assert_eq!(db.string(at, &["bytes"]), "");
    assert_eq!(db.string(at, &["map", "mapX", "utf8_stringX"]), "hello");
    assert_eq!(db.uint(at, &["map", "mapX", "arrayX", "1"]), 8);
}

#[test]
fn nothing_found_is_empty() {
    let city = geoip(&[("city", "GeoIP2-City-Test.mmdb")]).get(b"city").unwrap();
    for db in [GeoDb::dead(), city] {
        for nowhere in ["127.0.0.1", "fe80::1"] {
            let nowhere = ip(nowhere);
            assert_eq!(db.country(nowhere), "");
            assert_eq!(db.city(nowhere), GeoRecord::default());
            assert_eq!(db.uint(nowhere, &["city", "geoname_id"]), 0);
        }
    }
    assert!(geoip(&[]).get(b"city").is_none());
    assert!(GeoDb::dead().is_dead());
}

#[test]
fn a_file_that_is_no_database_leaves_the_name_unknown() {
    let geoip = geoip(&[]);
    let text = geoip.open(b"x", &file("README.md")).unwrap_err().to_string();
    assert!(text.contains("README.md is no GeoIP2 database"), "{text}");
    let text = geoip.open(b"x", &file("missing.mmdb")).unwrap_err().to_string();
    assert!(text.contains("cannot read"), "{text}");
    assert!(geoip.get(b"x").is_none());
}

#[test]
fn the_first_file_of_a_name_stays() {
    let geoip = geoip(&[("x", "GeoLite2-ASN-Test.mmdb"), ("x", "GeoLite2-Country-Test.mmdb")]);
    assert_eq!(geoip.get(b"x").unwrap().uint(ip("1.128.0.0"), &["autonomous_system_number"]), 1221);
    assert_eq!(geoip.names(), ["x"]);
}

#[test]
fn the_first_file_of_a_name_stays_each_time_the_configuration_is_read_again() {
    let geoip = geoip(&[("x", "GeoLite2-ASN-Test.mmdb"), ("x", "GeoLite2-Country-Test.mmdb")]);
    let open = |name: &str, path: &str| geoip.open(name.as_bytes(), &file(path));
    let number =
        |name: &str| geoip.get(name.as_bytes()).unwrap().uint(ip("1.128.0.0"), &["autonomous_system_number"]);
    for time in 1..=3 {
        geoip.read_again();
        for name in ["x", "new"] {
            open(name, "GeoLite2-ASN-Test.mmdb").unwrap();
            open(name, "GeoLite2-Country-Test.mmdb").unwrap();
        }
        geoip.settle(true);
        assert_eq!((number("x"), number("new")), (1221, 1221), "read again for the {time}. time");
    }
    // A file that cannot be opened does not count, as at a start.
    geoip.read_again();
    open("x", "missing.mmdb").unwrap_err();
    open("x", "GeoLite2-Country-Test.mmdb").unwrap();
    open("x", "GeoLite2-ASN-Test.mmdb").unwrap();
    geoip.settle(true);
    assert_eq!((number("x"), geoip.get(b"x").unwrap().country(ip("2001:218::1"))), (0, "JP".to_owned()));
}

#[test]
fn legacy_functions_use_the_databases_of_their_names() {
    let none = geoip(&[("mine", "GeoIP2-City-Test.mmdb")]);
    assert_eq!(none.legacy_country(ip("81.2.69.160")), "");
    assert_eq!(none.legacy_city(ip("81.2.69.160")), GeoRecord::default());
    let city = geoip(&[("City", "GeoIP2-City-Test.mmdb")]);
    assert_eq!(city.legacy_country(ip("81.2.69.160")), "GB");
    assert_eq!(city.legacy_city(ip("81.2.69.160")).city, "London");
    assert_eq!(city.legacy_isp(ip("81.2.69.160")), "");
    let country = geoip(&[("Country", "GeoLite2-Country-Test.mmdb")]);
    assert_eq!(country.legacy_country(ip("2001:218::1")), "JP");
}

#[test]
fn a_handle_sees_the_new_file_after_a_reload() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db.mmdb");
    std::fs::copy(file("GeoLite2-ASN-Test.mmdb"), &path).unwrap();
    let geoip = geoip(&[]);
    geoip.open(b"db", &path).unwrap();
    let db = geoip.get(b"db").unwrap();
    assert!(matches!(geoip.reload()[..], [(_, Ok(Reloaded::Unchanged))]));
    assert_eq!(db.country(ip("81.2.69.160")), "");

    std::fs::copy(file("GeoIP2-City-Test.mmdb"), dir.path().join("new")).unwrap();
    std::fs::rename(dir.path().join("new"), &path).unwrap();
    assert!(matches!(geoip.reload()[..], [(_, Ok(Reloaded::Changed))]));
    assert_eq!(db.country(ip("81.2.69.160")), "GB");

    // The tree is lost, the rest is there: such a database would know nothing.
    let mut damaged = std::fs::read(file("GeoIP2-City-Test.mmdb")).unwrap();
    damaged[..1000].fill(0);
    std::fs::write(&path, &damaged).unwrap();
    assert!(matches!(geoip.reload()[..], [(_, Err(GeoError::Format { .. }))]));
    assert_eq!(db.country(ip("81.2.69.160")), "GB");
    let told = geoip.open(b"damaged", &path).unwrap_err().to_string();
    assert!(told.contains("db.mmdb is no GeoIP2 database: ") && told.contains("search tree"), "{told}");

    std::fs::write(&path, "half a file").unwrap();
    assert!(matches!(geoip.reload()[..], [(_, Err(GeoError::Format { .. }))]));
    assert_eq!(db.country(ip("81.2.69.160")), "GB");
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(geoip.reload()[..], [(_, Err(GeoError::Read { .. }))]));
    assert_eq!(db.country(ip("81.2.69.160")), "GB");
}

#[test]
fn a_damaged_database_is_an_empty_answer_not_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let whole = std::fs::read(file("GeoIP2-City-Test.mmdb")).unwrap();
    let geoip = geoip(&[]);
    for place in (0..whole.len()).step_by(97) {
        let mut damaged = whole.clone();
        damaged[place] ^= 0xff;
        let path = dir.path().join(place.to_string());
        std::fs::write(&path, damaged).unwrap();
        if geoip.open(place.to_string().as_bytes(), &path).is_ok() {
            let db = geoip.get(place.to_string().as_bytes()).unwrap();
            for address in ["81.2.69.160", "2.125.160.216", "2001:218::1"] {
                let _ = db.city(ip(address));
            }
        }
    }
}
