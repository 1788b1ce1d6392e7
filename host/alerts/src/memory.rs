//! What alerts ask of the report store.

use std::net::IpAddr;
use std::pin::Pin;

/// What asynchronous questions return.
pub type Asking<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A report as people are told about it; what is unknown is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Names the report in the store.
    pub id: String,
    /// Whose login.
    pub login: String,
    /// Where it came from.
    pub ip: Option<IpAddr>,
    /// When, unix milliseconds.
    pub at: i64,
    /// ISO code of the country.
    pub country: String,
    /// English name of the country.
    pub country_name: String,
    /// Name of the city.
    pub city: String,
    /// Who owns the network.
    pub network_owner: String,
    /// The device, in words.
    pub device: String,
    /// The protocol.
    pub protocol: String,
}

/// The report store, as far as alerts go.
pub trait Memory: Send + Sync {
    /// The report of this login from this address at this time (unix seconds). `None`: there is none (yet), or no answer.
    fn find<'a>(&'a self, login: &'a str, ip: IpAddr, time: f64) -> Asking<'a, Option<Found>>;
}
