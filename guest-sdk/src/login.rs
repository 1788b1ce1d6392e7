//! What a login brings along beyond its fields.

use alloc::string::String;
use alloc::vec::Vec;

use crate::address::ADDRESS;
use crate::{Login, host};

impl Login {
    /// The value of an attribute that has one value.
    pub fn attribute(&self, name: &str) -> Option<String> {
        host::request::attribute(name)
    }

    /// The values of an attribute that has several; empty if there is none of this name.
    pub fn attribute_values(&self, name: &str) -> Vec<String> {
        host::request::attribute_values(name)
    }

    /// What is known about the device under this name, as `os.family`.
    pub fn device_attribute(&self, name: &str) -> Option<String> {
        host::request::device_attribute(name)
    }

    /// The part of the login behind the last `@`; empty without one.
    pub fn domain(&self) -> &str {
        self.login.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// The key of this address with this login, in the spelling that `getDBStats` and `reset` of the REST API use.
    pub fn pair(&self) -> String {
        let mut key = String::with_capacity(ADDRESS + 1 + self.login.len());
        self.remote.write(&mut key);
        key.push(':');
        key.push_str(&self.login);
        key
    }
}
