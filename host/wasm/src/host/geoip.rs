//! `GeoIP` databases.

use capabilities::geoip::GeoDb;
use wasmtime::Result;
use wasmtime::component::Resource;

use crate::bindings::geoip::{Host, HostDatabase, Place};
use crate::bindings::types::{Error, IpAddress};
use crate::convert;
use crate::options::Kind;
use crate::state::State;

/// What a component's `database` stands for.
pub struct Handle(GeoDb);

impl State {
    fn geo(&mut self, handle: &Resource<Handle>) -> Result<&GeoDb> {
        self.host_call()?;
        Ok(&self.table.get(handle)?.0)
    }
}

impl Host for State {
    fn open(&mut self, name: String) -> Result<Result<Resource<Handle>, Error>> {
        self.host_call()?;
        if let Err(denied) = self.granted(Kind::Geoip, &name) {
            return Ok(Err(denied));
        }
        Ok(match self.common.capabilities.geoip.get(name.as_bytes()) {
            Some(db) => self.push(Handle(db)),
            None => Err(self.unknown("GeoIP database", name, "newGeoIP2DB")),
        })
    }
}

impl HostDatabase for State {
    fn country(&mut self, db: Resource<Handle>, address: IpAddress) -> Result<String> {
        Ok(self.geo(&db)?.country(convert::ip(address)))
    }

    fn isp(&mut self, db: Resource<Handle>, address: IpAddress) -> Result<String> {
        Ok(self.geo(&db)?.isp(convert::ip(address)))
    }

    fn city(&mut self, db: Resource<Handle>, address: IpAddress) -> Result<Place> {
        let record = self.geo(&db)?.city(convert::ip(address));
        Ok(Place {
            country_code: record.country_code,
            country_name: record.country_name,
            region: record.region,
            city: record.city,
            postal_code: record.postal_code,
            continent_code: record.continent_code,
            latitude: record.latitude,
            longitude: record.longitude,
        })
    }

    fn text(&mut self, db: Resource<Handle>, address: IpAddress, path: Vec<String>) -> Result<String> {
        Ok(self.geo(&db)?.string(convert::ip(address), &path))
    }

    fn unsigned(&mut self, db: Resource<Handle>, address: IpAddress, path: Vec<String>) -> Result<f64> {
        Ok(self.geo(&db)?.uint(convert::ip(address), &path) as f64)
    }

    fn flag(&mut self, db: Resource<Handle>, address: IpAddress, path: Vec<String>) -> Result<bool> {
        Ok(self.geo(&db)?.boolean(convert::ip(address), &path))
    }

    fn double(&mut self, db: Resource<Handle>, address: IpAddress, path: Vec<String>) -> Result<f64> {
        Ok(self.geo(&db)?.double(convert::ip(address), &path))
    }

    fn drop(&mut self, db: Resource<Handle>) -> Result<()> {
        self.delete(db)
    }
}
