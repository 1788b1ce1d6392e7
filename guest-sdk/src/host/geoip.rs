//! A table of networks.

use alloc::borrow::ToOwned as _;
use alloc::string::String;

use super::state::with;
use crate::IpAddress;
use crate::bindings::imports::portcullis::policy::geoip::Place;
use crate::bindings::imports::portcullis::policy::types::Error;

pub struct Database(String);

/// What a table without the address says.
pub(crate) fn nowhere() -> Place {
    Place {
        country_code: String::new(),
        country_name: String::new(),
        region: String::new(),
        city: String::new(),
        postal_code: String::new(),
        continent_code: String::new(),
        latitude: 0.0,
        longitude: 0.0,
    }
}

impl Database {
    pub fn country(&self, address: IpAddress) -> String {
        self.city(address).country_code
    }

    /// The host in memory knows no providers.
    pub fn isp(&self, _address: IpAddress) -> String {
        String::new()
    }

    pub fn city(&self, address: IpAddress) -> Place {
        with(|state| {
            let networks = state.geoip.get(&self.0);
            let found = networks.and_then(|networks| {
                networks.iter().find(|(network, _)| {
                    let bits =
                        network.rsplit_once('/').and_then(|(_, bits)| bits.parse::<u8>().ok()).unwrap_or(128);
                    address.network(bits, bits) == *network
                })
            });
            found.map_or_else(nowhere, |(_, place)| place.clone())
        })
    }

    pub fn text(&self, address: IpAddress, path: &[&str]) -> String {
        match path {
            ["country", "iso_code"] => self.country(address),
            _ => String::new(),
        }
    }

    pub fn unsigned(&self, _address: IpAddress, _path: &[&str]) -> f64 {
        0.0
    }

    pub fn flag(&self, _address: IpAddress, _path: &[&str]) -> bool {
        false
    }

    pub fn double(&self, address: IpAddress, path: &[&str]) -> f64 {
        match path {
            ["location", "latitude"] => f64::from(self.city(address).latitude),
            ["location", "longitude"] => f64::from(self.city(address).longitude),
            _ => 0.0,
        }
    }
}

pub fn open(name: &str) -> Result<Database, Error> {
    if with(|state| state.geoip.contains_key(name)) {
        Ok(Database(name.to_owned()))
    } else {
        Err(Error::Unknown(name.to_owned()))
    }
}
