//! DNS, through the resolvers of the configuration. The call waits for the answer without holding a thread of the server, but
//! inside its own deadline.

use alloc::string::String;
use alloc::vec::Vec;

use crate::{Error, IpAddress, host};

/// A resolver of the configuration. Nothing found and no answer are both an empty list.
pub struct Resolver(host::dns::Resolver);

impl Resolver {
    /// The resolver of this name.
    ///
    /// # Errors
    ///
    /// If there is none, or the policy may not use it.
    pub fn open(name: &str) -> Result<Self, Error> {
        Ok(Self(host::dns::open(name)?))
    }

    /// IPv4 and then IPv6 addresses of a name, asking up to so many further servers when one does not answer.
    ///
    /// # Errors
    ///
    /// If the name makes no sense.
    pub fn addresses(&self, name: &str, retries: u32) -> Result<Vec<IpAddress>, Error> {
        Ok(self.0.addresses(name, retries)?)
    }

    /// Names of an address, each with its trailing dot.
    ///
    /// # Errors
    ///
    /// If the host refuses.
    pub fn names(&self, address: IpAddress, retries: u32) -> Result<Vec<String>, Error> {
        Ok(self.0.names(address, retries)?)
    }

    /// What a block list answers for an address; empty if it is not listed.
    ///
    /// # Errors
    ///
    /// If the zone makes no sense.
    pub fn rbl(&self, address: IpAddress, zone: &str, retries: u32) -> Result<Vec<IpAddress>, Error> {
        Ok(self.0.rbl(address, zone, retries)?)
    }
}
