//! Answers that the test wrote down.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::state::with;
use crate::IpAddress;
use crate::bindings::imports::portcullis::policy::types::Error;

pub struct Resolver(String);

impl Resolver {
    fn answers(&self, question: &str) -> Vec<String> {
        with(|state| {
            state.dns.get(&self.0).and_then(|answers| answers.get(question)).cloned().unwrap_or_default()
        })
    }

    pub fn addresses(&self, name: &str, _retries: u32) -> Result<Vec<IpAddress>, Error> {
        Ok(parse(&self.answers(name)))
    }

    pub fn names(&self, address: IpAddress, _retries: u32) -> Result<Vec<String>, Error> {
        Ok(self.answers(&alloc::format!("{address}")))
    }

    pub fn rbl(&self, address: IpAddress, zone: &str, _retries: u32) -> Result<Vec<IpAddress>, Error> {
        Ok(parse(&self.answers(&alloc::format!("{zone}/{address}"))))
    }
}

fn parse(answers: &[String]) -> Vec<IpAddress> {
    answers.iter().filter_map(|text| text.parse::<IpAddr>().ok()).map(IpAddress::from).collect()
}

pub fn open(name: &str) -> Result<Resolver, Error> {
    if with(|state| state.dns.contains_key(name)) {
        Ok(Resolver(name.to_owned()))
    } else {
        Err(Error::Unknown(name.to_owned()))
    }
}
