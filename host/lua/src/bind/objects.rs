//! Objects that exist only for Lua.

use bstr::BString;

/// A place, as scripts see and change it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct GeoRecord {
    pub country_code: BString,
    pub country_name: BString,
    pub region: BString,
    pub city: BString,
    pub postal_code: BString,
    pub continent_code: BString,
    pub latitude: f32,
    pub longitude: f32,
}

impl From<capabilities::geoip::GeoRecord> for GeoRecord {
    fn from(record: capabilities::geoip::GeoRecord) -> Self {
        Self {
            country_code: record.country_code.into(),
            country_name: record.country_name.into(),
            region: record.region.into(),
            city: record.city.into(),
            postal_code: record.postal_code.into(),
            continent_code: record.continent_code.into(),
            latitude: record.latitude,
            longitude: record.longitude,
        }
    }
}
