//! GeoIP2 databases in a policy, and new data without a restart.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::path::Path;
use std::process::Command;

use portcullis_tests::{Launch, process, tools};
use serde_json::json;

/// Writes a database where the addresses kept for documentation are in this country.
fn write_database(file: &Path, country: &str) {
    let script = r#"
import sys
from mmdb_writer import MMDBWriter
from netaddr import IPSet
writer = MMDBWriter(6, "GeoIP2-City", languages=["en"], ipv4_compatible=True, int_type="u16")
writer.insert_network(IPSet(["203.0.113.0/24", "2001:db8::/32"]), {
    "country": {"iso_code": sys.argv[2], "names": {"en": "Name of " + sys.argv[2]}},
    "city": {"names": {"en": "Town"}},
    "continent": {"code": "EU"},
    "location": {"latitude": 51.5142, "longitude": -0.0931},
    "isp": "Example Net",
})
# Beside it and then in its place, as the tools do that fetch such files: nobody sees half a file.
writer.to_db_file(sys.argv[1] + ".new")
import os
os.rename(sys.argv[1] + ".new", sys.argv[1])
"#;
    process::run_ok(Command::new(tools::python_tool("python3")).args(["-c", script]).arg(file).arg(country));
}

const POLICY: &str = r#"
newGeoIP2DB("city", "city.mmdb")
newGeoIP2DB("missing", "missing.mmdb")
setCustomEndpoint("where", false, function(args)
    local ip = newCA(args.attrs.ip)
    local db = getGeoIP2DB(args.attrs.db or "city")
    local city = db:lookupCity(ip)
    return true, {
        country = db:lookupCountry(ip), name = city.country_name, city = city.city, continent = city.continent_code,
        isp = db:lookupISP(ip), text = db:lookupStringValue(ip, { "country", "names", "en" }),
        latitude = string.format("%.4f", city.latitude),
    }
end)
"#;

#[test]
fn lookups_and_new_data() {
    let launch = Launch::new(POLICY);
    let file = launch.folder().join("city.mmdb");
    write_database(&file, "SE");
    let daemon = launch.start();
    let look = |ip: &str, db: &str| {
        let answer = daemon.client().post("/command/where", &json!({"attrs": {"ip": ip, "db": db}}));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["r_attrs"].clone()
    };
    let sweden = json!({
        "country": "SE", "name": "Name of SE", "city": "Town", "continent": "EU", "isp": "Example Net",
        "text": "Name of SE", "latitude": "51.5142",
    });
    assert_eq!(look("203.0.113.77", "city"), sweden);
    assert_eq!(look("2001:db8::77", "city"), sweden);
    // What is not there is empty, never an error.
    let nothing = json!({
        "country": "", "name": "", "city": "", "continent": "", "isp": "", "text": "", "latitude": "0.0000",
    });
    assert_eq!(look("198.51.100.1", "city"), nothing);
    assert_eq!(look("203.0.113.77", "missing"), nothing);
    daemon.log().wait_for("missing.mmdb");

    write_database(&file, "NO");
    assert_eq!(daemon.execute("reloadGeoIPDBs()").trim_end(), "reloadGeoIPDBs() successful");
    assert_eq!(look("203.0.113.77", "city")["country"], "NO");
    // A broken file does not take the good data away.
    std::fs::write(&file, "rubbish").unwrap();
    daemon.execute("reloadGeoIPDBs()");
    assert_eq!(look("203.0.113.77", "city")["country"], "NO");
}

#[test]
fn a_file_that_is_read_again_changes_databases_only_if_it_is_used() {
    let launch = Launch::new(POLICY);
    let write = |name: &str, country: &str| write_database(&launch.folder().join(name), country);
    for (name, country) in
        [("city.mmdb", "SE"), ("other.mmdb", "NO"), ("wrong.mmdb", "FI"), ("right.mmdb", "DK")]
    {
        write(name, country);
    }
    let daemon = launch.start();
    let look = |db: &str| {
        let body = json!({"attrs": {"ip": "203.0.113.77", "db": db}});
        daemon.client().post("/command/where", &body).json()["r_attrs"]["country"].clone()
    };
    assert_eq!((look("city"), look("more")), (json!("SE"), json!("")));
    let good = std::fs::read_to_string(daemon.config()).unwrap();
    let moved = good.replace("\"city.mmdb\"", "\"other.mmdb\"");
    let again = |text: String, told: &str| {
        std::fs::write(daemon.config(), text).unwrap();
        daemon.process.signal("HUP");
        daemon.log().wait_for(told);
    };
    let told = "the configuration cannot be used, the old one goes on";
    again(format!("{moved}\nnewGeoIP2DB('more', 'wrong.mmdb')\nerror('no further')\n"), told);
    assert_eq!((look("city"), look("more")), (json!("SE"), json!("")));
    again(format!("{moved}\nnewGeoIP2DB('more', 'right.mmdb')\n"), "wforce.conf: loaded again");
    assert_eq!((look("city"), look("more")), (json!("NO"), json!("DK")));
}

#[test]
fn databases_are_read_again_after_the_file_that_names_them() {
    let launch = Launch::new(POLICY);
    let path = |name: &str| launch.folder().join(name);
    write_database(&path("city.mmdb"), "SE");
    let (old, new) = (path("city.mmdb"), path("city-2.mmdb"));
    let daemon = launch.start();
    let look = || {
        let body = json!({"attrs": {"ip": "203.0.113.77"}});
        daemon.client().post("/command/where", &body).json()["r_attrs"]["country"].clone()
    };
    let good = std::fs::read_to_string(daemon.config()).unwrap();
    // Its file has another name now, and the configuration knows.
    std::fs::rename(&old, &new).unwrap();
    std::fs::write(daemon.config(), good.replace("\"city.mmdb\"", "\"city-2.mmdb\"")).unwrap();
    daemon.process.signal("HUP");
    daemon.log().wait_for("wforce.conf: loaded again");
    assert_eq!(look(), "SE");
    assert_eq!(daemon.log().count("keeps its old content"), 0);

    // New data comes also when the configuration cannot be used.
    write_database(&new, "NO");
    std::fs::write(daemon.config(), "error('no further')").unwrap();
    daemon.process.signal("HUP");
    daemon.log().wait_for("the configuration cannot be used, the old one goes on");
    assert_eq!(look(), "NO");
}

#[test]
fn new_data_does_not_wait_for_a_configuration_that_is_stuck() {
    let launch = Launch::new(POLICY);
    let file = launch.folder().join("city.mmdb");
    write_database(&file, "SE");
    let daemon = launch.start();
    let country = || {
        let answer = daemon.client().post("/command/where", &json!({"attrs": {"ip": "203.0.113.77"}}));
        answer.json()["r_attrs"]["country"].clone()
    };
    assert_eq!(country(), "SE");
    // Nobody ever writes to the pipe.
    let pipe = daemon.folder().join("pipe");
    process::run_ok(Command::new("mkfifo").arg(&pipe));
    let config = std::fs::read_to_string(daemon.config()).unwrap();
    std::fs::write(daemon.config(), config + "\ndofile('pipe')\n").unwrap();
    for (times, anew) in [(1, "NO"), (2, "DE")] {
        write_database(&file, anew);
        daemon.process.signal("HUP");
        daemon.log().wait_for_count("Reloaded GeoIP database city", times);
        assert_eq!(country(), anew);
    }
    assert_eq!(daemon.log().count("the configuration is still being read"), 1);
}
