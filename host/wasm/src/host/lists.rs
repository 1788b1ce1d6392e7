//! Black- and whitelist.

use capabilities::lists::{self, Colour};
use wasmtime::Result;

use crate::bindings::lists::{self as wit, Entry, Host, Subject};
use crate::bindings::types::Error;
use crate::convert;
use crate::options::Kind;
use crate::state::State;

/// Entries given at once.
const ENTRIES: u32 = 10_000;

fn colour(which: wit::Colour) -> (Colour, &'static str) {
    match which {
        wit::Colour::Black => (Colour::Black, "black"),
        wit::Colour::White => (Colour::White, "white"),
    }
}

fn kind(of: wit::Kind) -> lists::Kind {
    match of {
        wit::Kind::Ip => lists::Kind::Ip,
        wit::Kind::Login => lists::Kind::Login,
        wit::Kind::Ja3 => lists::Kind::Ja3,
        wit::Kind::IpLogin => lists::Kind::IpLogin,
        wit::Kind::IpJa3 => lists::Kind::IpJa3,
    }
}

/// Runs this with the host's form of a subject.
fn with<R>(subject: &Subject, run: impl FnOnce(lists::Subject<'_>) -> R) -> R {
    match subject {
        Subject::Ip(address) => run(lists::Subject::Ip(convert::ip(*address))),
        Subject::Netmask(mask) => run(lists::Subject::Netmask(&convert::netmask(*mask))),
        Subject::Login(login) => run(lists::Subject::Login(login.as_bytes())),
        Subject::IpLogin((address, login)) => {
            run(lists::Subject::IpLogin(convert::ip(*address), login.as_bytes()))
        }
        Subject::Ja3(ja3) => run(lists::Subject::Ja3(ja3.as_bytes())),
        Subject::IpJa3((address, ja3)) => run(lists::Subject::IpJa3(convert::ip(*address), ja3.as_bytes())),
    }
}

fn entry(entry: &lists::Entry) -> Entry {
    Entry {
        key: entry.key.to_string(),
        expiration: entry.expiration as f64,
        reason: entry.reason.to_string(),
    }
}

impl State {
    /// Counts the call, and the list if the policy may touch it.
    fn list(&mut self, which: wit::Colour) -> Result<Result<Colour, Error>> {
        self.host_call()?;
        let (colour, name) = colour(which);
        Ok(self.granted(Kind::Lists, name).map(|()| colour))
    }
}

impl Host for State {
    fn add(
        &mut self,
        which: wit::Colour,
        what: Subject,
        seconds: u32,
        reason: String,
    ) -> Result<Result<(), Error>> {
        Ok(self.list(which)?.and_then(|colour| {
            let capabilities = &self.common.capabilities;
            let now = capabilities.clock.now();
            with(&what, |subject| capabilities.lists.add(now, colour, subject, seconds, reason.as_bytes()))
                .map_err(|error| Error::Invalid(error.to_string()))
        }))
    }

    fn delete(&mut self, which: wit::Colour, what: Subject) -> Result<Result<(), Error>> {
        Ok(self.list(which)?.map(|colour| {
            with(&what, |subject| self.common.capabilities.lists.delete(colour, subject));
        }))
    }

    fn check(&mut self, which: wit::Colour, what: Subject) -> Result<Result<Option<Entry>, Error>> {
        Ok(self.list(which)?.map(|colour| {
            let capabilities = &self.common.capabilities;
            let now = capabilities.clock.now();
            with(&what, |subject| capabilities.lists.check(now, colour, subject)).as_ref().map(entry)
        }))
    }

    fn entries(
        &mut self,
        which: wit::Colour,
        of: wit::Kind,
        limit: u32,
    ) -> Result<Result<Vec<Entry>, Error>> {
        Ok(self.list(which)?.map(|colour| {
            let all = self.common.capabilities.lists.list(colour).entries(kind(of));
            all.iter().take(limit.min(ENTRIES) as usize).map(entry).collect()
        }))
    }
}
