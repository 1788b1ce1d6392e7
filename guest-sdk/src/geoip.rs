//! GeoIP2 databases. What they do not know is empty, 0 or false.

use alloc::string::String;

pub use crate::bindings::imports::portcullis::policy::geoip::Place;
use crate::{Error, IpAddress, host};

/// A database of the configuration.
pub struct Database(host::geoip::Database);

impl Database {
    /// The database of this name.
    ///
    /// # Errors
    ///
    /// If there is none, or the policy may not use it.
    pub fn open(name: &str) -> Result<Self, Error> {
        Ok(Self(host::geoip::open(name)?))
    }

    /// ISO code of the address's country.
    pub fn country(&self, address: IpAddress) -> String {
        self.0.country(address)
    }

    /// The address's internet provider.
    pub fn isp(&self, address: IpAddress) -> String {
        self.0.isp(address)
    }

    /// Country, region and city of the address.
    pub fn city(&self, address: IpAddress) -> Place {
        self.0.city(address)
    }

    /// Any text in the address's record, by its path.
    pub fn text(&self, address: IpAddress, path: &[&str]) -> String {
        self.0.text(address, path)
    }

    /// Any unsigned number in it.
    pub fn unsigned(&self, address: IpAddress, path: &[&str]) -> f64 {
        self.0.unsigned(address, path)
    }

    /// Any truth value in it.
    pub fn flag(&self, address: IpAddress, path: &[&str]) -> bool {
        self.0.flag(address, path)
    }

    /// Any floating-point number in it.
    pub fn double(&self, address: IpAddress, path: &[&str]) -> f64 {
        self.0.double(address, path)
    }
}
