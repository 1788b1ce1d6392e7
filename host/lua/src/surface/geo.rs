//! `GeoIP` databases.

use super::Kind::{Addr, List, Text};
use super::{Entry, Group, param};

const G: Group = Group::GeoIp;
const DB: &str = "GeoIP2DB";

pub(super) const ENTRIES: &[Entry] = &[
    Entry::config(G, "newGeoIP2DB", &[param("name", Text), param("file", Text)],
        "Opens a MaxMind DB file under a name. A file that cannot be read is logged and the name stays unknown. The first \
         registration of a name wins."),
    Entry::anywhere(G, "getGeoIP2DB", &[param("name", Text)],
        "A handle onto a database. An unknown name gives, with a line in the log, a handle that finds nothing.")
        .returns("GeoIP2DB"),
    Entry::method(G, DB, "GeoIP2DB:lookupCountry", &[param("address", Addr)], "ISO code of the country, or an empty text.")
        .returns("string"),
    Entry::method(G, DB, "GeoIP2DB:lookupISP", &[param("address", Addr)], "Name of the provider, or an empty text.")
        .returns("string"),
    Entry::method(G, DB, "GeoIP2DB:lookupCity", &[param("address", Addr)], "What is known of the place.")
        .returns("GeoIPRecord"),
    Entry::method(G, DB, "GeoIP2DB:lookupStringValue", &[param("address", Addr), param("path", List)],
        "The text at a path such as `{\"country\", \"names\", \"de\"}`; an empty text if there is none.")
        .returns("string"),
    Entry::method(G, DB, "GeoIP2DB:lookupUIntValue", &[param("address", Addr), param("path", List)],
        "The unsigned integer at a path; 0 if there is none.")
        .returns("number"),
    Entry::method(G, DB, "GeoIP2DB:lookupBoolValue", &[param("address", Addr), param("path", List)],
        "The boolean at a path; false if there is none.")
        .returns("boolean"),
    Entry::method(G, DB, "GeoIP2DB:lookupDoubleValue", &[param("address", Addr), param("path", List)],
        "The float or double at a path; 0 if there is none.")
        .returns("number"),
    Entry::config(G, "initGeoIPDB", &[],
        "Legacy. Checks that a database is open for `lookupCountry`: the first of the names `Country`, `GeoLite2-Country`, \
         `GeoIP2-Country`, `City`, `GeoLite2-City`, `GeoIP2-City` given to `newGeoIP2DB` anywhere in the file. Otherwise a line in the log."),
    Entry::config(G, "initGeoIPCityDB", &[],
        "Legacy. The same for `lookupCity`: `City`, `GeoLite2-City` or `GeoIP2-City`."),
    Entry::config(G, "initGeoIPISPDB", &[], "Legacy. The same for `lookupISP`: `ISP` or `GeoIP2-ISP`."),
    Entry::anywhere(G, "lookupCountry", &[param("address", Addr)],
        "Legacy. ISO code of the country, from the database that `initGeoIPDB` names; an empty text if none is open.")
        .returns("string"),
    Entry::anywhere(G, "lookupISP", &[param("address", Addr)], "Legacy. Name of the provider, in the same way.")
        .returns("string"),
    Entry::anywhere(G, "lookupCity", &[param("address", Addr)], "Legacy. What is known of the place, in the same way.")
        .returns("GeoIPRecord"),
    Entry::config(G, "reloadGeoIPDBs", &[], "Reads every GeoIP database again whose file changed.").console(),
];
