//! Addresses and networks as text.

use wasmtime::Result;

use crate::bindings::addresses::Host;
use crate::bindings::types::{Error, IpAddress, Netmask};
use crate::convert;
use crate::state::{State, cut};

/// How much of a wrong text an error shows.
const SHOWN: usize = 100;

impl Host for State {
    fn parse(&mut self, text: String) -> Result<Result<IpAddress, Error>> {
        self.host_call()?;
        Ok(login::Addr::parse(text.as_bytes())
            .map(|addr| convert::address(addr.unmapped().ip))
            .map_err(|_| Error::Invalid(format!("\"{}\" is no address", cut(&text, SHOWN)))))
    }

    fn text(&mut self, address: IpAddress) -> Result<String> {
        self.host_call()?;
        Ok(convert::ip(address).to_string())
    }

    fn parse_netmask(&mut self, text: String) -> Result<Result<Netmask, Error>> {
        self.host_call()?;
        let mask = login::Netmask::parse(text.as_bytes()).ok().filter(|mask| !mask.is_empty());
        Ok(mask
            .map(|mask| Netmask { address: convert::address(mask.network()), bits: mask.bits() })
            .ok_or_else(|| Error::Invalid(format!("\"{}\" is no netmask", cut(&text, SHOWN)))))
    }

    fn netmask_text(&mut self, mask: Netmask) -> Result<String> {
        self.host_call()?;
        Ok(convert::netmask(mask).to_string())
    }

    fn is_in(&mut self, address: IpAddress, networks: Vec<Netmask>) -> Result<bool> {
        self.host_call()?;
        let ip = convert::ip(address);
        Ok(networks.into_iter().any(|mask| convert::netmask(mask).contains(ip)))
    }
}
