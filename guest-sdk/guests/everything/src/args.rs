//! Arguments and answers as text.

use core::str::FromStr;

use crate::host;

/// Arguments by name. One that is not there is empty, or 0.
pub struct Args<'a>(pub &'a [(String, String)]);

impl Args<'_> {
    pub fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }

    pub fn number<N: FromStr + Default>(&self, name: &str) -> N {
        self.text(name).parse().unwrap_or_default()
    }

    pub fn list(&self, name: &str) -> impl Iterator<Item = &str> {
        self.text(name).split_ascii_whitespace()
    }

    /// An address that the test wrote.
    pub fn address(&self, name: &str) -> host::types::IpAddress {
        host::addresses::parse(self.text(name)).expect("an address")
    }
}

pub fn option(text: Option<String>) -> String {
    text.unwrap_or_else(|| "nil".to_owned())
}

/// The test asks for what is not here.
pub fn unknown(function: &str) -> ! {
    panic!("this guest does not call {function:?}")
}
